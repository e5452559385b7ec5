# SPDX-License-Identifier: Apache-2.0
"""One compiled step for any number of rows: what is left over of an epoch compiles nothing, and means the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from edgeling.codegen import generate
from edgeling.graph import Graph, GraphBuilder
from edgeling.layers import BatchNormalization, Conv1D, Dense, Dropout, GlobalAveragePooling1D, Input
from edgeling.models import Sequential
from edgeling.toolchain import library, native
from edgeling.training.engine import Engine, TrainingData
from edgeling.utils import set_random_seed
from tests.support.interpreter_engine import InterpreterEngine
from tests.support.rounding import Bound, graph_bounds, training_bounds

ROWS = 11


def _model() -> Sequential:
    set_random_seed(1)
    hidden = [Dense(6, activation="relu", kernel_regularizer="l2"), BatchNormalization(), Dropout(0.3, seed=4)]
    model = Sequential([Input((4,)), *hidden, Dense(3, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _data(rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(rows)
    return rng.normal(size=(rows, 4)).astype(np.float32), rng.integers(0, 3, rows), rng.uniform(0.5, 2, rows)


def test_another_number_of_rows_compiles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y, weight = _data(64)
    _model().fit(x, y, sample_weight=weight, batch_size=ROWS, verbose=0)
    _model().evaluate(x, y, verbose=0)
    compiled: list[str] = []
    monkeypatch.setattr(library, "run", lambda folder, purpose, *commands: compiled.append(purpose))
    for rows in range(ROWS, 3 * ROWS):
        _model().fit(x[:rows], y[:rows], sample_weight=weight[:rows], batch_size=ROWS, verbose=0)
        _model().evaluate(x[:rows], y[:rows], verbose=0)
    assert compiled == []


def test_a_reshape_that_leaves_rows_as_they_are_leaves_their_number_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def fit(rows: int) -> Sequential:
        set_random_seed(2)
        model = Sequential([Input((9, 2)), Conv1D(4, 3), GlobalAveragePooling1D(), Dense(3)])
        model.compile("sgd", "mse")
        x = np.random.default_rng(rows).normal(size=(rows, 9, 2)).astype(np.float32)
        model.fit(x, x[:, 0, [0, 1, 0]], batch_size=ROWS, shuffle=False, verbose=0)
        return model

    fit(ROWS)
    monkeypatch.setattr(library, "run", lambda folder, purpose, *commands: pytest.fail(purpose))
    fit(ROWS + 4)


@pytest.mark.parametrize("rest", [0, 1, 2, 5, 7, 10])
def test_what_is_left_over_means_what_the_interpreter_says(monkeypatch: pytest.MonkeyPatch, rest: int) -> None:
    x, y, weight = _data(2 * ROWS + rest)

    def scores(model: Sequential) -> list[float]:
        set_random_seed(3)
        model.fit(x, y, sample_weight=weight, batch_size=ROWS, epochs=2, verbose=0)
        return [model.evaluate(x, y, verbose=0)]

    def require(allowed: list[Bound]) -> None:
        model = _model()
        for bound, result in zip(allowed, [*scores(model), *model.get_weights()], strict=True):
            bound.require(result)

    allowed = training_bounds(_model(), scores, samples=5)
    require(allowed)
    monkeypatch.setattr("edgeling.models.session.Engine", InterpreterEngine)
    monkeypatch.setattr("edgeling.models.session.lend", lambda key, make: make())
    monkeypatch.setattr("edgeling.models.trained.lend", lambda key, make: make())
    require(allowed)


def _mean_graph(rows: int, kind: str) -> Graph:
    """The mean of x [rows, 2] and y [rows, 1]: with a share that is told, or that is a constant."""
    b = GraphBuilder("net")
    x, y = b.input("x", (rows, 2)), b.input("y", (rows, 1))
    share = b.input("share", ()) if kind == "told" else b.constant(np.float32(1 / rows), "share")
    total = b.add("reshape", b.add("sum", b.add("multiply", x, y), axes=(0,)), shape=(2,))
    means = b.add("multiply", total, share)
    return b.build([b.add("reshape", b.add("sum", means, axes=(0,)), shape=(), name="loss")])


@pytest.mark.parametrize("kind", ["told", "constant"])
def test_only_c_that_is_the_same_for_more_rows_takes_any_number(kind: str) -> None:
    program = generate({"evaluate": _mean_graph(8, kind)}, "net", more_rows={"evaluate": _mean_graph(9, kind)})
    assert program.entries[0].takes_rows is (kind == "told")
    engine = Engine("net", None, lambda rows: _mean_graph(rows, kind))
    for rows in (1, 2, 7, 8, 31, 32, 33, 300):
        x, y = np.arange(2 * rows, dtype=np.float32).reshape(rows, 2) / rows, np.ones((rows, 1), np.float32)
        inputs = [x, y, *([np.float32(1 / rows)] if kind == "told" else [])]
        graph_bounds(_mean_graph(rows, kind), inputs)[0].require(engine.evaluate(TrainingData(x, y)))


def test_with_room_for_more_smaller_batches_share_what_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y, _ = _data(3 * ROWS + 2)

    def scores(model: Sequential) -> list[float]:
        set_random_seed(3)
        return [model.fit(x, y, batch_size=size, epochs=2, verbose=0).history["loss"][-1] for size in (ROWS, 4)]

    allowed = training_bounds(_model(), scores, samples=5)
    roomy = partial(Engine, room=ROWS + 5)
    monkeypatch.setattr("edgeling.models.session.Engine", roomy)
    monkeypatch.setattr("edgeling.models.trained.lend", _for_ever())
    compiled: list[str] = []
    load = native.load
    monkeypatch.setattr("edgeling.training.engine.load", lambda *a, **k: compiled.append(a[0].name) or load(*a, **k))
    model = _model()
    for bound, result in zip(allowed, [*scores(model), *model.get_weights()], strict=True):
        bound.require(result)
    assert len(compiled) == 1


def _for_ever() -> Callable[[object, Callable[[], object]], object]:
    """``lend`` that makes one thing for all."""
    kept: list[object] = []

    def lend(key: object, make: Callable[[], object]) -> object:
        if not kept:
            kept.append(make())
        return kept[0]

    return lend
