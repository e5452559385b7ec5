# SPDX-License-Identifier: Apache-2.0
"""Activations with their options: Keras's values, as functions of arrays and inside layers."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

keras = pytest.importorskip("keras")

from edgeling import activations, layers  # noqa: E402
from edgeling.errors import UnsupportedError  # noqa: E402
from edgeling.models import Sequential, load_model  # noqa: E402
from tests.support.rounding import function_bound, require_same_answers  # noqa: E402
from tests.training.keras_pairs import assert_same_step, compile_both, network, rows, twin  # noqa: E402

pytestmark = pytest.mark.keras

POSITIVE = st.floats(0.0625, 4.0, width=32)
OPTIONS: dict[str, dict[str, Any]] = {
    "relu": {
        "negative_slope": st.sampled_from([0.0, 0.25]),
        "max_value": st.sampled_from([None, 1.5, 6.0]),
        "threshold": st.sampled_from([0.0, -0.5, 0.75]),
    },
    "leaky_relu": {"negative_slope": POSITIVE},
    "elu": {"alpha": POSITIVE},
    "celu": {"alpha": POSITIVE},
    "squareplus": {"b": POSITIVE},
    "soft_shrink": {"threshold": POSITIVE},
    "hard_shrink": {"threshold": POSITIVE},
    "gelu": {"approximate": st.booleans()},
    "softmax": {"axis": st.sampled_from([0, 1, -1])},
    "log_softmax": {"axis": st.sampled_from([0, 1, -1])},
    "glu": {"axis": st.sampled_from([0, 1, -1])},
    "threshold": {"threshold": POSITIVE, "default_value": POSITIVE},
}
ROWS = st.lists(
    st.lists(st.floats(-12, 12, width=32, allow_subnormal=False), min_size=4, max_size=4), min_size=2, max_size=2
)


@pytest.mark.parametrize("name", OPTIONS)
def test_a_function_told_its_options_is_kerass(name: str) -> None:
    @settings(max_examples=25, deadline=None)
    @given(ROWS, st.fixed_dictionaries(OPTIONS[name]))
    def check(values: Any, options: dict[str, Any]) -> None:
        x = np.asarray(values, np.float32)
        expected = np.asarray(getattr(keras.activations, name)(x, **options))
        ours = partial(getattr(activations, name), **options)
        # Nothing but the argument and 1, or what an option adds to it, is taken from anything.
        largest = 1 + np.max(np.abs(x)) + sum(v for v in options.values() if isinstance(v, float))
        bound = function_bound(ours, x, modules=(activations,), terms=x.size, summand=largest)
        bound.require(expected, "Keras's")
        bound.require(ours(x), "ours")

    check()


LAYERS = {
    "gelu": {"approximate": True}, "leaky_relu": {"negative_slope": 0.4}, "elu": {"alpha": 0.6}, "celu": {"alpha": 0.5},
    "squareplus": {"b": 2.0}, "soft_shrink": {"threshold": 0.2}, "hard_shrink": {"threshold": 0.3},
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_told_an_activations_options_learns_as_kerass(name: str, tmp_path: Path) -> None:
    theirs_of, ours_of = partial(getattr(keras.activations, name), **LAYERS[name]), getattr(activations, name)
    model = keras.Sequential([keras.layers.Input((5,)), keras.layers.Dense(4, activation=theirs_of)])
    ours = Sequential([layers.Input((5,)), layers.Dense(4, activation=ours_of(**LAYERS[name]))])
    ours.set_weights(model.get_weights())
    x, y = 2 * rows(0), rows(1, features=4)
    require_same_answers(ours, model, x)
    model.compile(keras.optimizers.SGD(0.5), "mse", run_eagerly=True)
    ours.compile("sgd", "mse")
    ours.optimizer.learning_rate = 0.5
    assert_same_step(model, ours, x, y)
    ours.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras")
    assert again.layers[0].activation == ours.layers[0].activation == activations.get(theirs_of)
    np.testing.assert_array_equal(again.predict(x), ours.predict(x))


def test_every_activation_of_keras_is_there_or_refused_by_name() -> None:
    public = {name for name in dir(keras.activations) if name[0] != "_"} - {"get", "serialize", "deserialize"}
    for name in public:
        if name in ("glu", "threshold", "sparsemax"):
            with pytest.raises(UnsupportedError, match=name):
                activations.get(name)
        else:
            assert activations.serialize(activations.get(name)) == keras.activations.serialize(
                keras.activations.get(name)
            )


def test_a_users_function_of_a_built_in_name_is_not_the_built_in() -> None:
    def relu(x: Any) -> Any:
        return x + 1

    own = layers.Activation(relu)(np.float32([[-3, 2]]))
    np.testing.assert_array_equal(np.asarray(own), [[-2, 3]])
    assert activations.get(keras.activations.relu) == activations.relu


def test_options_that_are_not_a_functions_are_refused() -> None:
    with pytest.raises(TypeError, match="tanh has no arguments"):
        activations.tanh(rows(0), alpha=2.0)
    with pytest.raises(UnsupportedError, match="ends at 6"):
        activations.relu(max_value=5)
    assert activations.relu(max_value=6) == activations.relu6
    assert activations.relu(negative_slope=0.3) == activations.leaky_relu(negative_slope=0.3)


def test_slopes_at_zero_are_those_of_keras_on_jax() -> None:
    """Biases begin there, and whatever a kernel of zeros makes."""
    own = keras.layers
    hidden = own.Dense(4, kernel_initializer="zeros", kernel_regularizer="l1", bias_regularizer="l1")
    model = network(hidden, own.LeakyReLU(), own.Dense(3, activation="leaky_relu"), own.Dense(2))
    ours = twin(model)
    compile_both(model, ours, keras.optimizers.SGD(0.1), "mse")
    assert_same_step(model, ours, rows(), rows(1, features=2))
