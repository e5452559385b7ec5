# SPDX-License-Identifier: Apache-2.0
"""Recurrent layers: Keras's outputs, gradients, steps and configurations, over its arguments."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

keras = pytest.importorskip("keras")

import edgeling.ops  # noqa: E402
from edgeling import layers  # noqa: E402
from edgeling.errors import UnsupportedError  # noqa: E402
from edgeling.models import Sequential, load_model  # noqa: E402
from edgeling.network.network import inference_graph  # noqa: E402
from tests.support.rounding import require_same_answers, row_bounds  # noqa: E402
from tests.training.keras_pairs import assert_same_fit, assert_same_step, compile_both, twin  # noqa: E402

pytestmark = [pytest.mark.keras, pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask")]
L = keras.layers
ROWS, STEPS, FEATURES = 5, 4, 3
FUNCTIONS = ["tanh", "sigmoid", "relu", "hard_sigmoid", "linear", "gelu", "silu"]


def sequences(*row: int, seed: int = 0, gaps: bool = False) -> Any:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(ROWS, *(row or (STEPS, FEATURES)))).astype(np.float32)
    if gaps:
        x[rng.random(x.shape[:2]) < 0.4] = 0
    return x


def require_same(*made: Any, x: Any = None, gaps: bool = False) -> None:
    """Outputs, gradients, and the layers' own configuration, of a network that begins with these layers."""
    x = sequences(gaps=gaps) if x is None else x
    keras.utils.set_random_seed(4)
    begin = [L.Input(x.shape[1:]), *([L.Masking()] if gaps else [])]
    model = keras.Sequential([*begin, *made, L.Flatten(), L.Dense(2)])
    ours = twin(model)
    assert [layer.output_shape for layer in ours.layers] == [tuple(layer.output.shape) for layer in model.layers]
    require_same_answers(ours, model, x)
    compile_both(model, ours, keras.optimizers.SGD(0.1), "mse", run_eagerly=False)
    assert_same_step(model, ours, x, np.random.default_rng(1).normal(size=(ROWS, 2)))


@st.composite
def recurrent(draw: Any) -> Any:
    """A recurrent layer of Keras's with any of its arguments."""
    kind = draw(st.sampled_from([L.SimpleRNN, L.LSTM, L.GRU]))
    how = {
        "units": 3, "activation": draw(st.sampled_from(FUNCTIONS)),
        "use_bias": draw(st.booleans()), "bias_initializer": "random_normal",
        "kernel_regularizer": draw(st.sampled_from([None, "l2"])), "return_sequences": draw(st.booleans()),
        "recurrent_regularizer": draw(st.sampled_from([None, "l1"])), "go_backwards": draw(st.booleans()),
        "unroll": draw(st.booleans()),
    }  # fmt: skip
    if kind is not L.SimpleRNN:
        how["recurrent_activation"] = draw(st.sampled_from(FUNCTIONS))
    if kind is L.LSTM:
        how["unit_forget_bias"] = draw(st.booleans())
    if kind is L.GRU:
        how["reset_after"] = draw(st.booleans())
    return kind, how


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(drawn=recurrent(), gaps=st.booleans())
def test_with_any_arguments(drawn: Any, gaps: bool) -> None:
    kind, how = drawn
    unroll = how["unroll"] and not gaps  # where Keras gives zeros before the first step that counts
    require_same(kind(**{**how, "unroll": unroll}), gaps=gaps)


@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(drawn=recurrent(), merge=st.sampled_from(["concat", "sum", "mul", "ave"]), gaps=st.booleans())
def test_in_both_directions(drawn: Any, merge: str, gaps: bool) -> None:
    kind, how = drawn
    require_same(L.Bidirectional(kind(**{**how, "unroll": False, "go_backwards": False}), merge_mode=merge), gaps=gaps)


OTHERS: dict[str, Callable[[], Any]] = {
    "cells": lambda: L.RNN([L.LSTMCell(3), L.GRUCell(2, reset_after=False)], return_sequences=True, go_backwards=True),
    "zeros where masked": lambda: L.GRU(3, return_sequences=True, zero_output_for_mask=True),
    "zeros at the end": lambda: L.RNN(L.LSTMCell(3), zero_output_for_mask=True),
    "at each step": lambda: L.TimeDistributed(L.Dense(4, activation="tanh")),
    "a layer backwards of one's own": lambda: L.Bidirectional(
        L.GRU(3), backward_layer=L.GRU(3, "relu", go_backwards=True)
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_cells_and_wrappers(name: str) -> None:
    require_same(OTHERS[name](), gaps=True)


def test_a_recurrent_layer_at_each_step_of_a_longer_sequence() -> None:
    x = sequences(3, STEPS, FEATURES)
    x[:, 1:, 2:] = 0
    keras.utils.set_random_seed(0)
    require_same(L.Masking(), L.TimeDistributed(L.LSTM(2)), x=x)


def test_statistics_at_each_step_are_that_steps_and_move_in_turns() -> None:
    keras.utils.set_random_seed(6)
    model = keras.Sequential([L.Input((3, 2)), L.TimeDistributed(L.BatchNormalization(momentum=0.7)), L.Flatten(),
                              L.Dense(2)])  # fmt: skip
    ours, x = twin(model), 3 + sequences(3, 2)
    compile_both(model, ours, keras.optimizers.SGD(0.1), "mse", run_eagerly=False)
    for seed in range(2):
        assert_same_step(model, ours, x, np.random.default_rng(seed).normal(size=(ROWS, 2)))
    require_same_answers(ours, model, x)


@pytest.mark.parametrize("in_both", [False, True])
def test_a_mask_that_is_handed_over(in_both: bool, tmp_path: Path) -> None:
    """As an array, and as an input; it goes through files of either side."""
    keras.utils.set_random_seed(2)
    x, mask = sequences(), np.random.default_rng(3).random((ROWS, STEPS)) < 0.6
    inputs, counts = L.Input((STEPS, FEATURES)), L.Input((STEPS,))
    layer = L.Bidirectional(L.GRU(2)) if in_both else L.GRU(2, return_sequences=True)
    theirs = keras.Model([inputs, counts], layer(inputs, mask=counts))
    theirs.save(tmp_path / "theirs.keras")
    ours = load_model(tmp_path / "theirs.keras")
    given = [x, mask.astype(np.float32)]
    require_same_answers(ours, theirs, given)
    ours.save(tmp_path / "ours.keras")
    require_same_answers(ours, keras.models.load_model(tmp_path / "ours.keras"), given)
    row_bounds(inference_graph(ours), *given)[0].require(ours.layers[-1](x, mask=mask))


def test_a_mask_of_other_steps_is_refused_with_both_shapes() -> None:
    with pytest.raises(UnsupportedError, match=r"rows of shape \(4,\).*received \(5,\)"):
        layers.LSTM(2)(layers.Input((4, 3)), mask=layers.Input((5,)))


def test_a_whole_fit() -> None:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([L.Input((STEPS, FEATURES)), L.GRU(4, return_sequences=True), L.LSTM(3), L.Dense(1)])
    ours = twin(model)
    compile_both(model, ours, keras.optimizers.SGD(0.05), "mse", run_eagerly=False)
    how = {"epochs": 2, "batch_size": 2, "shuffle": False, "verbose": 0}
    assert_same_fit(model, ours, sequences(), sequences(1, seed=1), **how)


@pytest.mark.parametrize("kind", [layers.SimpleRNN, layers.LSTM, layers.GRU])
@pytest.mark.parametrize(
    "rates", [{"dropout": 0.5}, {"recurrent_dropout": 0.5}, {"dropout": 0.3, "recurrent_dropout": 0.4}]
)
def test_dropout_drops_while_training_alone(kind: Any, rates: dict[str, float]) -> None:
    layer, x = kind(4, seed=3, **rates), sequences()
    answers = layer(x)
    plain = kind(4)
    plain.build(x.shape)
    plain.set_weights(layer.get_weights())
    np.testing.assert_array_equal(answers, plain(x))
    dropped, again = layer(x, training=True), layer(x, training=True)
    assert not np.array_equal(dropped, answers)
    assert not np.array_equal(dropped, again)
    model = Sequential([layers.Input((STEPS, FEATURES)), layer, layers.Dense(1)])
    model.compile("sgd", "mse")
    assert np.isfinite(model.fit(x, x[:, 0, 0], epochs=2, verbose=0).history["loss"]).all()


def test_dropped_features_are_the_same_at_each_step() -> None:
    """A cell that adds up what it is given tells which features were dropped."""
    layer = layers.SimpleRNN(FEATURES, "linear", dropout=0.5, kernel_initializer="identity", seed=1,
                             recurrent_initializer="zeros", return_sequences=True)  # fmt: skip
    y = layer(np.ones((ROWS, STEPS, FEATURES), np.float32), training=True)
    assert set(np.unique(y)) == {0.0, 2.0}
    np.testing.assert_array_equal(y, np.broadcast_to(y[:, :1], y.shape))


BAD = [
    (lambda: layers.LSTM(0), "units is a whole number"),
    (lambda: layers.LSTM(4, time_major=True), "rows come first"),
    (lambda: layers.LSTM(4, dropout=1.0), "a dropout rate"),
    (lambda: layers.GRU(4, activation="softmax"), "activation of a recurrent cell"),
    (lambda: layers.LSTM(4).build((None, 8)), "takes rows of shape .steps, features."),
    (lambda: layers.RNN(layers.Dense(3)), "made of cells"),
    (lambda: layers.RNN([]), "a stack has cells"),
    (lambda: layers.LSTMCell(3)(np.ones((2, 3))), "a step of a loop"),
    (lambda: layers.Bidirectional(layers.Dense(3)), "wraps a recurrent layer"),
    (lambda: layers.Bidirectional(layers.LSTM(3), merge_mode="max"), "merge_mode is one of"),
    (lambda: layers.Bidirectional(layers.LSTM(3), backward_layer=layers.LSTM(3)), "goes backwards"),
    (lambda: layers.TimeDistributed("dense"), "wraps a layer"),
    (lambda: layers.TimeDistributed(layers.Dense(3)).build((None, 8)), "takes rows of shape .steps"),
]


@pytest.mark.parametrize(("wrong", "message"), BAD, ids=[message for _, message in BAD])
def test_what_cannot_be_is_refused_by_name(wrong: Callable[[], Any], message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        wrong()


def test_sequences_longer_than_it_is_built_for_are_refused_with_both_shapes() -> None:
    model = Sequential([layers.Input((STEPS, FEATURES)), layers.LSTM(2)])
    with pytest.raises(Exception, match=r"\(4, 3\).*\(5, 9, 3\)"):
        model.predict(np.zeros((ROWS, 9, FEATURES)))


def leaky(kit: Any, share: float) -> Any:
    """A cell of one's own: two states, and an output that is neither."""

    class Leaky(kit.layers.Layer):  # type: ignore[misc]
        def __init__(self, units: int) -> None:
            super().__init__()
            self.units, self.state_size, self.output_size = units, [units, 1], units + 1

        def build(self, shape: Any) -> None:
            self.kernel = self.add_weight(shape=(shape[-1], self.units), initializer="glorot_uniform", name="kernel")
            self.back = self.add_weight(shape=(self.units, self.units), initializer="orthogonal", name="back")

        def call(self, inputs: Any, states: Any) -> Any:
            h, total = states
            new = kit.ops.tanh(inputs @ self.kernel + h @ self.back) * share + h * (1 - share)
            total = total + kit.ops.mean(new, axis=-1, keepdims=True)
            return kit.ops.concatenate([2.0 * new, total], axis=-1), [new, total]

    return Leaky(3)


def test_a_cell_of_ones_own() -> None:
    for share, sequences_too in ((0.5, False), (0.25, True)):  # another class of the same name is another cell
        made = []
        for kit in (keras, edgeling):
            loop = kit.layers.RNN(leaky(kit, share), return_sequences=sequences_too)
            ends = [kit.layers.Flatten(), kit.layers.Dense(2)]
            made.append(kit.models.Sequential([kit.layers.Input((STEPS, FEATURES)), loop, *ends]))
        (theirs, ours), x = made, sequences()
        ours.set_weights(theirs.get_weights())
        require_same_answers(ours, theirs, x)
    compile_both(theirs, ours, keras.optimizers.SGD(0.1), "mse", run_eagerly=False)
    assert_same_step(theirs, ours, x, np.random.default_rng(1).normal(size=(ROWS, 2)))


def test_a_cell_of_ones_own_says_what_it_cannot_be() -> None:
    class Wrong(layers.Layer):
        state_size = 3

        def call(self, inputs: Any, states: Any) -> Any:
            return edgeling.ops.concatenate([states[0], inputs]), states

    with pytest.raises(UnsupportedError, match=r"gives .output, states. of rows 3"):
        layers.RNN(Wrong()).build((None, STEPS, FEATURES))
