# SPDX-License-Identifier: Apache-2.0
"""Masks: where they begin, how layers hand them on, what leaves masked steps out; as in Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from edgeling import layers  # noqa: E402
from edgeling.errors import UnsupportedError  # noqa: E402
from edgeling.models import load_model  # noqa: E402
from edgeling.network.network import inference_graph  # noqa: E402
from tests.support.rounding import require_same_answers, row_bounds  # noqa: E402
from tests.training.keras_pairs import assert_same_step, compile_both, twin  # noqa: E402

pytestmark = [pytest.mark.keras, pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask")]
L = keras.layers
ROWS, STEPS, FEATURES = 6, 5, 3


def gappy(value: float = 0.0, seed: int = 0) -> Any:
    """Rows of which some steps hold one value alone; no row all of them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(ROWS, STEPS, FEATURES)).astype(np.float32)
    missing = rng.random((ROWS, STEPS)) < 0.4
    missing[:, 2] = False
    x[missing] = value
    x[0, 2, 1] = value  # one feature alone masks nothing
    return x


def require_same(model: Any, x: Any) -> None:
    ours = twin(model)
    require_same_answers(ours, model, x)
    compile_both(model, ours, keras.optimizers.SGD(0.1), "mse")
    assert_same_step(model, ours, x, np.random.default_rng(1).normal(size=(len(x), *model.output_shape[1:])))


@pytest.mark.parametrize("between", [[], [L.Dense(4, activation="relu")], [L.Dropout(0.0), L.Activation("tanh")]])
def test_an_average_leaves_out_what_is_masked(between: Any) -> None:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [L.Input((STEPS, FEATURES)), L.Masking(0.5), *between, L.GlobalAveragePooling1D(), L.Dense(2)]
    )
    require_same(model, gappy(0.5))


def test_a_layer_that_does_not_support_masking_ends_it() -> None:
    keras.utils.set_random_seed(0)
    middle = [L.Masking(), L.Conv1D(4, 2, padding="same"), L.GlobalAveragePooling1D(keepdims=True), L.Flatten()]
    require_same(keras.Sequential([L.Input((STEPS, FEATURES)), *middle, L.Dense(2)]), gappy())


MERGES = [L.Add, L.Average, L.Maximum, L.Minimum, L.Multiply, L.Concatenate, lambda: L.Concatenate(axis=1)]


@pytest.mark.parametrize("merge", MERGES, ids=["add", "average", "maximum", "minimum", "multiply", "beside", "after"])
@pytest.mark.parametrize("both", [True, False])
def test_what_is_merged_has_the_masks_of_both(merge: Any, both: bool) -> None:
    keras.utils.set_random_seed(0)
    x = L.Input((STEPS, FEATURES))
    first, second = L.Masking(0.5)(x), L.Masking(0.0)(x) if both else L.Dense(FEATURES)(x)
    y = L.Dense(2)(L.GlobalAveragePooling1D()(merge()([first, second])))
    given = np.where(np.arange(STEPS)[:, None] % 2, gappy(0.5), gappy(0.0))
    require_same(keras.Model(x, y), given)


def test_a_value_counts_for_those_who_read_it_with_a_mask_and_for_those_who_do_not() -> None:
    keras.utils.set_random_seed(0)
    x = L.Input((STEPS, FEATURES))
    masked = L.Masking()(x)
    parts = [L.GlobalAveragePooling1D()(masked), L.GlobalAveragePooling1D()(L.ZeroPadding1D(0)(masked))]
    require_same(keras.Model(x, L.Concatenate()(parts)), gappy())


TOLD = {
    "average": (L.GlobalAveragePooling1D, (STEPS,)),
    "softmax": (lambda: L.Softmax(axis=[1, 2]), (STEPS, 1)),
}


@pytest.mark.parametrize("name", TOLD)
def test_a_mask_that_a_call_is_told(name: str, tmp_path: Any) -> None:
    make, row = TOLD[name]
    keras.utils.set_random_seed(0)
    inputs, mask = L.Input((STEPS, FEATURES)), L.Input(row)
    told = make()(L.Dense(FEATURES)(inputs), mask=mask)
    model = keras.Model([inputs, mask], L.Dense(2)(L.Flatten()(told)))
    given = np.random.default_rng(2).random((ROWS, *row)) < 0.6
    given[:, :1] = True
    x = [gappy(), given.astype(np.float32)]
    require_same_answers(twin(model), model, x)
    model.save(tmp_path / "told.keras")
    ours = load_model(tmp_path / "told.keras")
    compile_both(model, ours, keras.optimizers.SGD(0.1), "mse")
    assert_same_step(model, ours, x, np.random.default_rng(1).normal(size=(ROWS, 2)))
    alone = keras.Model([inputs, mask], make()(inputs, mask=mask))
    layer, allowed = twin(alone).layers[-1], row_bounds(inference_graph(twin(alone)), *x)[0]
    allowed.require(alone.predict(x, verbose=0), "Keras")
    allowed.require(layer(x[0], mask=given), "called")


def test_a_mask_of_another_shape_is_refused_with_both() -> None:
    for layer, wanted in ((layers.Softmax(), r"\(4, 3\)"), (layers.GlobalAveragePooling1D(), r"\(4,\)")):
        with pytest.raises(UnsupportedError, match=f"has rows of shape {wanted}; received \\(5,\\)"):
            layer(layers.Input((4, 3)), mask=layers.Input((5,)))
        with pytest.raises(UnsupportedError, match="has rows of shape"):
            layer(layers.Input((4, 3)), mask=np.ones((1, 4)))


def test_what_cannot_be_masked_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedError, match="takes rows of shape"):
        layers.Masking().build((None, 3))
    with pytest.raises(UnsupportedError, match="mask_value is a number"):
        layers.Masking("missing")
