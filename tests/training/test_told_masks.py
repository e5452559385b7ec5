# SPDX-License-Identifier: Apache-2.0
"""Masks that calls are told, masks of several axes of steps, and masks of layers of one's own; as in Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

keras = pytest.importorskip("keras")

import edgeling  # noqa: E402
from edgeling import layers, ops  # noqa: E402
from edgeling.errors import UnsupportedError  # noqa: E402
from edgeling.models import Model, load_model  # noqa: E402
from edgeling.network.network import inference_graph  # noqa: E402
from tests.support.rounding import row_bounds  # noqa: E402
from tests.training.keras_pairs import assert_same_step, compile_both, twin  # noqa: E402

pytestmark = [pytest.mark.keras, pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask")]
L = keras.layers
ROWS, QUERY, VALUE, FEATURES = 4, 3, 5, 2
DICE = np.random.default_rng(0)
STEPS = {"query": QUERY, "value": VALUE, "key": VALUE}


def normal(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def truths(*shape: int, seed: int = 0) -> Any:
    found = np.random.default_rng(seed).random((ROWS, *shape)) < 0.6
    found[..., 0] = True
    return found


def require_alike(model: Any, theirs: Any, given: list[Any]) -> None:
    """What Keras's layer gives for arrays is what our model does, up to rounding."""
    told = [np.asarray(x, np.float32) for x in given]
    allowed = row_bounds(inference_graph(model), *told)
    mine = model.predict(told, verbose=0)
    for bound, ours, other in zip(
        allowed, *(x if isinstance(x, (list, tuple)) else [x] for x in (mine, theirs)), strict=True
    ):
        bound.require(np.asarray(other), "Keras")
        bound.require(ours, "Edgeling")


ATTENTION = {
    "Attention": {"use_scale": True},
    "AdditiveAttention": {},
    "MultiHeadAttention": {"num_heads": 2, "key_dim": 3},
    "GroupQueryAttention": {"head_dim": 3, "num_query_heads": 2, "num_key_value_heads": 1},
}


@settings(max_examples=14, deadline=None)
@given(
    st.sampled_from(list(ATTENTION)), st.sets(st.sampled_from(["query", "value", "key", "scores"])), st.booleans(),
    st.booleans(), st.booleans(),
)  # fmt: skip
def test_attention_told_masks_in_every_combination(
    kind: str, masked: set[str], has_key: bool, causal: bool, wants_scores: bool
) -> None:
    keras.utils.set_random_seed(0)
    theirs, ours = getattr(L, kind)(**ATTENTION[kind]), getattr(layers, kind)(**ATTENTION[kind])
    inputs = ["query", "value", *(["key"] if has_key else [])]
    arrays = [normal(ROWS, STEPS[name], FEATURES) for name in inputs]
    in_list = kind in ("Attention", "AdditiveAttention")
    chosen = [name for name in inputs[: 2 if in_list else 3] if name in masked]
    masks = [truths(STEPS[name], seed=at) for at, name in enumerate(chosen)]
    if "scores" in masked and not in_list:
        chosen, masks = [*chosen, "attention"], [*masks, truths(QUERY, VALUE)]
    how = {"use_causal_mask": causal, "return_attention_scores": wants_scores}

    def called(layer: Any, values: list[Any], told: list[Any]) -> Any:
        named = dict(zip(chosen, told, strict=True))
        if in_list:
            mask = [named.get("query"), named.get("value")] if named else None
            return layer(values, **({"mask": mask} if mask else {}), **how)
        query, value, *key = values
        return layer(query, value, *key, **{f"{name}_mask": mask for name, mask in named.items()}, **how)

    expected = called(theirs, arrays, [keras.ops.convert_to_tensor(mask) for mask in masks])
    symbols = [layers.Input(x.shape[1:]) for x in [*arrays, *masks]]
    model = Model(symbols, called(ours, symbols[: len(arrays)], symbols[len(arrays) :]))
    ours.set_weights(theirs.get_weights())
    require_alike(model, expected, [*arrays, *masks])


def test_attention_with_masks_of_ones_own_learns_is_kept_in_files_and_runs_on_a_chip(tmp_path: Any) -> None:
    keras.utils.set_random_seed(0)
    q, v, of_q, of_v = L.Input((QUERY, 2)), L.Input((VALUE, 2)), L.Input((QUERY,)), L.Input((VALUE,))
    y = L.Attention()([L.Dense(2)(q), L.Dense(2)(v)], mask=[of_q, of_v])
    model = keras.Model([q, v, of_q, of_v], L.Dense(1)(L.Flatten()(y)))
    model.save(tmp_path / "told.keras")
    ours = load_model(tmp_path / "told.keras")
    compile_both(model, ours, keras.optimizers.SGD(0.1), "mse")
    given = [normal(ROWS, QUERY, 2), normal(ROWS, VALUE, 2), truths(QUERY) * 1.0, truths(VALUE, seed=1) * 1.0]
    assert_same_step(model, ours, given, normal(ROWS, 1))
    assert edgeling.verify(ours, "cortex-m4", rows=tuple(np.float32(x) for x in given)).matches


def test_masks_that_do_not_fit_are_refused() -> None:
    q, v, short = layers.Input((QUERY, 2)), layers.Input((VALUE, 2)), layers.Input((QUERY,))
    with pytest.raises(UnsupportedError, match=r"a mask of layer .* has rows of shape \(5,\); received \(3,\)"):
        layers.Attention()([q, v], mask=[None, short])
    with pytest.raises(UnsupportedError, match="a list of the query's and the value's"):
        layers.Attention()([q, v], mask=short)
    with pytest.raises(UnsupportedError, match=r"value_mask of layer .* has rows of shape \(5,\); received \(3,\)"):
        layers.MultiHeadAttention(1, 2)(q, v, value_mask=short)


MORE = {
    "attention": lambda module: module.Attention(),
    "heads": lambda module: module.MultiHeadAttention(2, 3, attention_axes=2),
}


@pytest.mark.parametrize("kind", MORE)
def test_attention_within_each_of_several_sequences(kind: str) -> None:
    keras.utils.set_random_seed(0)
    x, mask = normal(ROWS, 3, VALUE, FEATURES), truths(3, VALUE)
    theirs, ours = MORE[kind](L), MORE[kind](layers)
    symbols = [layers.Input(x.shape[1:]), layers.Input(mask.shape[1:])]
    told = keras.ops.convert_to_tensor(mask)
    if kind == "heads":
        expected = theirs(x, x, query_mask=told, value_mask=told)
        made = ours(symbols[0], symbols[0], query_mask=symbols[1], value_mask=symbols[1])
    else:
        expected, symbols = theirs([x, x]), symbols[:1]  # Keras has masks of one sequence only
        made = ours([symbols[0]] * 2)
    ours.set_weights(theirs.get_weights())
    require_alike(Model(symbols, made), expected, [x, mask][: len(symbols)])


def test_attention_within_each_of_several_sequences_told_masks_of_these() -> None:
    x, mask = normal(ROWS, 3, VALUE, FEATURES), truths(3, VALUE) * np.float32(1)
    layer = layers.Attention()
    whole = layer([x, x], mask=[mask, mask])
    for at in range(3):
        np.testing.assert_array_equal(whole[:, at], layer([x[:, at]] * 2, mask=[mask[:, at]] * 2))


@pytest.mark.parametrize("norm", ["of all steps", "of each step", "of each step, masked", "told"])
def test_statistics_of_what_counts(norm: str) -> None:
    keras.utils.set_random_seed(0)
    x = normal(ROWS, 3, FEATURES)
    x[1, 1] = 0.0
    inputs, mask = L.Input((3, FEATURES)), L.Input((3,))
    at = L.Masking()(inputs) if "masked" in norm or norm == "of all steps" else inputs
    if norm == "told":
        y = L.BatchNormalization(momentum=0.7)(at, mask=mask)
    elif norm == "of all steps":
        y = L.BatchNormalization(momentum=0.7)(at)
    else:
        y = L.TimeDistributed(L.BatchNormalization(momentum=0.7))(at)
    several = [inputs, mask] if norm == "told" else inputs
    model = keras.Model(several, L.Dense(1)(L.Flatten()(y)))
    ours = twin(model)
    compile_both(model, ours, keras.optimizers.SGD(0.1), "mse")
    given = [x, truths(3).astype(np.float32)] if norm == "told" else x
    assert_same_step(model, ours, given, normal(ROWS, 1))


def test_losses_of_masked_sequences_of_sequences() -> None:
    keras.utils.set_random_seed(0)
    x = normal(ROWS, 3, 4, FEATURES)
    x[1, 1, 2], x[2, 0] = 0.0, 0.0
    model = keras.Sequential([L.Input((3, 4, FEATURES)), L.Masking(), L.TimeDistributed(L.Dense(2))])
    ours = twin(model)
    compile_both(model, ours, keras.optimizers.SGD(0.1), "mse")
    assert_same_step(model, ours, x, normal(ROWS, 3, 4, 2))


class Every(layers.Layer):
    """Every other step, and its mask."""

    def call(self, x: Any) -> Any:
        return x[:, ::2]

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return None if previous_mask is None else previous_mask[:, ::2]


class Seeing(layers.Layer):
    """Takes the mask of what it is called on."""

    def call(self, x: Any, mask: Any = None) -> Any:
        return x if mask is None else ops.where(ops.expand_dims(mask, -1) > 0, x, -1.0)


def test_layers_of_ones_own_say_masks_and_take_them() -> None:
    x = normal(ROWS, 5, FEATURES)
    x[:, 2] = 0.0
    inputs = layers.Input((5, FEATURES))
    masked = Every()(layers.Masking()(inputs))
    model = Model(inputs, [layers.GlobalAveragePooling1D()(masked), Seeing()(masked), Seeing()(inputs)])
    mean, seen, plain = model.predict(x, verbose=0)
    np.testing.assert_array_equal(mean, (x[:, 0] + x[:, 4]) / 2)
    np.testing.assert_array_equal(seen, np.where(x[:, ::2] == 0, np.float32(-1), x[:, ::2]))
    np.testing.assert_array_equal(plain, x)


def test_which_steps_count_can_be_asked() -> None:
    x = normal(2, 3, FEATURES)
    x[0, 1] = 0.0
    counts = [[True, False, True], [True, True, True]]
    np.testing.assert_array_equal(layers.Masking().compute_mask(x), counts)
    assert layers.Dense(2).compute_mask(x) is None
    np.testing.assert_array_equal(layers.Attention().compute_mask([x, x], [np.array(counts), None]), counts)
    np.testing.assert_array_equal(layers.Add().compute_mask([x, x], [np.array(counts), np.array(counts)]), counts)
    assert layers.LSTM(2).compute_mask(x, np.array(counts)) is None
