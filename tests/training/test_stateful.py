# SPDX-License-Identifier: Apache-2.0
"""Layers that keep their states, held to the same sequences in one piece, and to states that are handed over.

Keras's own on JAX forgets them between batches, so that it is no reference here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import edgeling
from edgeling import layers
from edgeling.codegen import generate
from edgeling.errors import DataError, UnsupportedError
from edgeling.models import Model, Sequential, load_model
from edgeling.network.network import inference_graph
from edgeling.passes import optimize
from edgeling.targets import get
from edgeling.toolchain.prove import prove
from tests.support.rounding import prediction_bound, training_bounds

STEPS, FEATURES, UNITS, PIECES = 4, 2, 3, 3
KINDS = ["SimpleRNN", "LSTM", "GRU"]


def normal(*shape: int) -> Any:
    return np.random.default_rng(list(shape)).normal(size=shape).astype(np.float32)


def pair(kind: str) -> tuple[Any, Any]:
    """A model that keeps its states, and one of the same weights over all pieces at once."""
    made = []
    for steps, how in ((STEPS, {"stateful": True}), (PIECES * STEPS, {})):
        layer = getattr(layers, kind)(UNITS, return_sequences=True, **how)
        made.append(Sequential([layers.Input((steps, FEATURES)), layer, layers.Dense(2)]))
    made[1].set_weights(made[0].get_weights())
    return made[0], made[1]


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_of_a_sequence_are_the_whole(kind: str) -> None:
    kept, whole = pair(kind)
    x = normal(PIECES, STEPS, FEATURES)
    bound = prediction_bound(whole, x.reshape(1, -1, FEATURES))
    in_a_call = kept.predict(x, batch_size=1, verbose=0)
    kept.reset_states()
    in_calls = np.concatenate([kept.predict(piece[None], verbose=0) for piece in x])
    kept.reset_states()
    eager = np.concatenate([kept.layers[1](kept.layers[0](piece[None])) for piece in x])
    for found in (in_a_call, in_calls, eager):
        bound.require(found)


def test_rows_side_by_side_have_states_each_and_may_be_given_some() -> None:
    layer, x = layers.GRU(UNITS, stateful=True), normal(5, STEPS, FEATURES)
    first, second = layer(x), layer(x)
    assert not np.array_equal(first, second)
    layer.reset_states([first])
    np.testing.assert_array_equal(layer(x), second)
    layer.reset_state()
    np.testing.assert_array_equal(layer(x), first)


def test_a_fit_goes_on_from_batch_to_batch() -> None:
    """As one that is handed the states which the batch before ended with, its weights those of that moment."""
    x, y = normal(2 * PIECES, STEPS, FEATURES), normal(2 * PIECES, UNITS)
    kept = Sequential([layers.Input((STEPS, FEATURES)), layers.GRU(UNITS, stateful=True)])
    given, state = layers.Input((STEPS, FEATURES)), layers.Input((UNITS,))
    told = Model([given, state], layers.GRU(UNITS)(given, initial_state=[state]))
    told.set_weights(kept.get_weights())
    in_batches = Sequential.from_config(kept.get_config())
    in_batches.set_weights(kept.get_weights())
    for model in (kept, told, in_batches):
        model.compile("sgd", "mse")
    how = {"batch_size": 2, "epochs": 2, "shuffle": False, "verbose": 0}
    allowed = training_bounds(kept, lambda twin: twin.fit(x, y, **how).history["loss"], samples=5)
    kept.fit(x, y, **how)
    h = np.zeros((2, UNITS), np.float32)
    for _ in range(2):
        for start in range(0, len(x), 2):
            rows = slice(start, start + 2)
            following = told.predict([x[rows], h], verbose=0)
            told.train_on_batch([x[rows], h], y[rows])
            in_batches.train_on_batch(x[rows], y[rows])
            h = following
    for model in (kept, told, in_batches):
        for bound, weight in zip(allowed[2:], model.get_weights(), strict=True):
            bound.require(weight)


def test_on_a_chip_states_go_on_from_call_to_call() -> None:
    kept, whole = pair("LSTM")
    x = normal(PIECES, STEPS, FEATURES)
    bound = prediction_bound(whole, x.reshape(1, -1, FEATURES))
    graph = optimize(inference_graph(kept))
    program = generate(graph, "net", target=get("cortex-m4"), initial_values=True)
    expected = bound.exact.reshape(PIECES, STEPS, 2).astype(np.float32)
    assert prove(program, get("cortex-m4"), [x], [expected], bound.tolerance).matches


def test_it_goes_through_files_and_artifacts(tmp_path: Any) -> None:
    kept, _ = pair("GRU")
    x = normal(PIECES, STEPS, FEATURES)
    kept.save(tmp_path / "kept.keras")
    again = load_model(tmp_path / "kept.keras")
    assert again.layers[0].stateful
    answers = kept.predict(x, batch_size=1, verbose=0)
    np.testing.assert_array_equal(again.predict(x, batch_size=1, verbose=0), answers)
    edgeling.save(again, tmp_path / "artifact")
    np.testing.assert_array_equal(edgeling.load(tmp_path / "artifact").predict(x), answers)


def of_several_rows() -> Any:
    layer = layers.GRU(UNITS, stateful=True)
    layer(normal(3, STEPS, FEATURES))
    return layer(normal(2, STEPS, FEATURES))


def compiled() -> Any:
    model, _ = pair("GRU")
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_rows_side_by_side_predict_and_are_evaluated(kind: str) -> None:
    """Lane by lane as the whole sequences of which the batches hold pieces."""
    kept, whole = pair(kind)
    lanes = normal(3, PIECES, STEPS, FEATURES)
    x = lanes.swapaxes(0, 1).reshape(-1, STEPS, FEATURES)
    y, sequences = normal(len(x), STEPS, 2), lanes.reshape(3, -1, FEATURES)
    bound = prediction_bound(whole, sequences)

    def in_lanes(answers: Any) -> Any:
        return answers.reshape(PIECES, 3, STEPS, 2).swapaxes(0, 1).reshape(3, -1, 2)

    answers = kept.predict(x, batch_size=3, verbose=0)
    bound.require(in_lanes(answers))
    kept.reset_states()
    bound.require(in_lanes(np.concatenate([kept(x[i : i + 3]) for i in range(0, len(x), 3)])))
    kept.compile("sgd", "mse", metrics=["mae"])
    kept.reset_states()
    found = kept.evaluate(x, y, batch_size=3, verbose=0)
    wanted = [np.square(answers - y).mean(), np.abs(answers - y).mean()]
    np.testing.assert_allclose(found, wanted, rtol=256 * np.finfo(np.float32).eps)
    assert kept.evaluate(x, y, batch_size=3, verbose=0) != found  # it goes on
    held = kept.fit(x, y, batch_size=3, epochs=2, shuffle=False, verbose=0, validation_data=(x, y)).history
    assert np.isfinite(held["val_mae"]).all()


BAD: dict[str, Callable[[], Any]] = {
    "takes whole batches of 2; received 5 rows": lambda: compiled().predict(normal(5, STEPS, FEATURES), batch_size=2),
    "takes whole batches of 32; received 33 rows": lambda: compiled().evaluate(
        normal(33, STEPS, FEATURES), normal(33, STEPS, 2)
    ),
    "takes whole batches of 2; received 3 rows": lambda: compiled().fit(
        normal(3, STEPS, FEATURES), normal(3, STEPS, 2), batch_size=2, verbose=0
    ),
    "keeps states of 3 rows": of_several_rows,
    "has them reset": lambda: layers.GRU(3).reset_states(),
    "have shapes": lambda: layers.GRU(3, stateful=True).reset_states([np.zeros((1, 4))]),
}


@pytest.mark.parametrize("message", BAD)
def test_what_cannot_be_is_refused(message: str) -> None:
    with pytest.raises((DataError, UnsupportedError), match=message):
        BAD[message]()
