# SPDX-License-Identifier: Apache-2.0
"""Cells written in Python: what they draw, what they begin with, stacks and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgeling
from edgeling import ops
from edgeling.errors import UnsupportedError
from edgeling.layers import RNN, Dense, Dropout, GRUCell, Input, Layer
from edgeling.models import Sequential, load_model
from tests.support.rounding import prediction_bound

ROWS, STEPS, FEATURES, UNITS = 6, 4, 3, 2


class OwnCell(Layer):
    """Begins with what it learns, and drops features."""

    def __init__(self, units: int, rate: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = self.state_size = units
        self.rate, self.dense, self.dropout = rate, Dense(units), Dropout(rate)

    def build(self, input_shape: Any) -> None:
        self.begin = self.add_weight(shape=(self.units,), initializer="ones", name="begin")

    def get_initial_state(self, batch_size: int | None = None) -> Any:
        return [self.begin * 1.0]

    def call(self, x: Any, states: Any, training: bool = False) -> Any:
        h = ops.tanh(self.dense(self.dropout(x, training=training)) + 0.5 * states[0])
        return h, [h]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "rate": self.rate}


class ZerosGiven(OwnCell):
    """Begins with what it is told the number of rows for."""

    def get_initial_state(self, batch_size: int | None = None) -> Any:
        return ops.full((batch_size, self.units), 0.25)


class TooMany(OwnCell):
    """Begins with one state too many."""

    def get_initial_state(self, batch_size: int | None = None) -> Any:
        return [self.begin, self.begin]


def rows() -> Any:
    return np.random.default_rng(0).normal(size=(ROWS, STEPS, FEATURES)).astype(np.float32)


def by_hand(model: Sequential, begin: Any) -> Any:
    weights = [np.float64(w) for w in model.get_weights()]
    kernel, bias, last_kernel, last_bias = weights[-4:]
    h = np.broadcast_to(np.float64(begin), (ROWS, UNITS))
    for step in range(STEPS):
        h = np.tanh(rows()[:, step] @ kernel + bias + 0.5 * h)
    return h @ last_kernel + last_bias


@pytest.mark.parametrize(("kind", "begin"), [(OwnCell, 1.0), (ZerosGiven, 0.25)])
def test_loops_begin_with_what_the_cell_says(kind: Any, begin: float) -> None:
    model = Sequential([Input((STEPS, FEATURES)), RNN(kind(UNITS)), Dense(1)])
    allowed = prediction_bound(model, rows())
    allowed.require(model.predict(rows(), verbose=0), "Edgeling")
    allowed.require(by_hand(model, begin), "by hand")
    assert edgeling.verify(model, "cortex-m4").matches


def test_what_a_loop_begins_with_is_learned_and_what_it_drops_is_drawn() -> None:
    model = Sequential([Input((STEPS, FEATURES)), RNN(OwnCell(UNITS, rate=0.5)), Dense(1)])
    model.compile("sgd", "mse")
    before = model.get_weights()
    model.fit(rows(), np.ones((ROWS, 1)), epochs=2, verbose=0)
    assert all(np.any(old != new) for old, new in zip(before, model.get_weights(), strict=True))
    cell = model.layers[0]
    one, other = (cell(rows(), training=True) for _ in range(2))
    assert np.any(one != other)
    np.testing.assert_array_equal(cell(rows()), cell(rows()))


def test_own_cells_stand_in_stacks_and_come_from_files(tmp_path: Path) -> None:
    model = Sequential([Input((STEPS, FEATURES)), RNN([OwnCell(UNITS), GRUCell(UNITS)]), Dense(1)])
    model.save(tmp_path / "own.keras")
    with pytest.raises(UnsupportedError):
        load_model(tmp_path / "own.keras")
    again = load_model(tmp_path / "own.keras", custom_objects={"OwnCell": OwnCell})
    np.testing.assert_array_equal(again.predict(rows(), verbose=0), model.predict(rows(), verbose=0))


def test_states_of_other_numbers_are_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"get_initial_state of cell .* gives states"):
        Sequential([Input((STEPS, FEATURES)), RNN(TooMany(UNITS))]).predict(rows(), verbose=0)
