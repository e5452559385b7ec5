# SPDX-License-Identifier: Apache-2.0
"""The native loop against the same graphs run by the interpreter, batch by batch."""

from __future__ import annotations

import os
import signal
import threading
import time
from functools import partial

import numpy as np
import pytest

from edgeling.errors import UnsupportedError
from edgeling.graph import DType, Graph, GraphBuilder
from edgeling.graph.random import permutation
from edgeling.graph.types import Array
from edgeling.passes import differentiate
from edgeling.training.engine import Engine, TrainingData, first_slice
from tests.support.rounding import bounds, graph_bounds, run_rounded

FEATURES, CLASSES = 3, 2
RNG = np.random.default_rng(4)
START = {
    "kernel": RNG.normal(size=(FEATURES, CLASSES)).astype(np.float32),
    "bias": np.zeros(CLASSES, np.float32),
}


def step_graph(batch: int, weighted: bool = False, dropout: bool = False) -> Graph:
    """Multinomial logistic regression by gradient descent with momentum, and a counter of steps."""
    b = GraphBuilder("net")
    x, y = b.input("x", (batch, FEATURES)), b.input("y", (batch, 1))
    weight = b.input("sample_weight", (batch,)) if weighted else ""
    rate = b.input("learning_rate", ())
    seed = b.input("seed", (), DType.UINT32) if dropout else ""
    kernel, bias = b.variable(START["kernel"], "kernel"), b.variable(START["bias"], "bias")
    step = b.variable(np.uint32(0), "step")
    h = x
    if dropout:
        h = b.add("multiply", x, b.add("dropout_mask", seed, step, shape=(batch, FEATURES), rate=0.4, stream=3))
    p = b.add("softmax", b.add("dense", h, kernel, bias))
    loss, right = _scores(b, y, p, weight, batch)
    graph = differentiate(b.build([loss, right]), loss, [kernel, bias])
    b = GraphBuilder.of(graph)
    for variable, gradient in zip((kernel, bias), graph.outputs[2:], strict=True):
        momentum = b.variable(np.zeros_like(START[variable]), f"{variable}_momentum")
        new, new_momentum = b.add_many("momentum_update", variable, gradient, momentum, rate)
        b.update(variable, new)
        b.update(momentum, new_momentum)
    b.update(step, b.add("count", step))
    return b.build([loss, right])


def _scores(b: GraphBuilder, y: str, p: str, weight: str, batch: int) -> tuple[str, str]:
    rows = b.add("loss", y, p, function="sparse_categorical_crossentropy")
    rows = b.add("multiply", rows, weight) if weight else rows
    right = b.add("metric", y, p, function="sparse_categorical_accuracy")
    share = b.constant(np.float32(1 / batch))
    sums = [b.add("reshape", b.add("sum", v, axes=(0,)), shape=()) for v in (rows, right)]
    loss, accuracy = (b.add("multiply", s, share, name=n) for s, n in zip(sums, ("loss", "accuracy"), strict=True))
    return loss, accuracy


def evaluation(rows: int = 1) -> Graph:
    b = GraphBuilder("net")
    x, y = b.input("x", (rows, FEATURES)), b.input("y", (rows, 1))
    p = b.add("softmax", b.add("dense", x, b.variable(START["kernel"], "kernel"), b.variable(START["bias"], "bias")))
    return b.build(_scores(b, y, p, "", rows))


def data(rows: int, weighted: bool = False) -> TrainingData:
    rng = np.random.default_rng(rows)
    x = rng.normal(size=(rows, FEATURES)).astype(np.float32)
    y = (x[:, :1] + x[:, 1:2] > 0).astype(np.float32)
    return TrainingData(x, y, rng.uniform(0.5, 2, rows).astype(np.float32) if weighted else None)


def reference(
    dice: np.random.Generator | None, d: TrainingData, batch: int, epochs: int, *, shuffle: bool, seed: int,
    rates: Array, first_epoch: int = 0, steps: int | None = None, dropout: bool = False,
) -> list[Array]:  # fmt: skip
    """What the engine promises, one step after another: the logs, then the variables; in double, roundings drawn."""
    weighted = d.sample_weight is not None
    variables: dict[str, Array] = dict(step_graph(batch, weighted, dropout).variables)
    logs, number, rows = [], 0, len(d.x)
    for epoch in range(epochs):
        order = permutation(rows, seed=seed, step=first_epoch + epoch) if shuffle else np.arange(rows)
        sums, seen = np.zeros(2), 0
        for start in range(0, rows, batch)[:steps]:
            chosen = order[start : start + batch]
            graph = step_graph(len(chosen), weighted, dropout)
            given = {"x": d.x[chosen], "y": d.y[chosen], "learning_rate": rates[number % len(rates)]}
            if weighted:
                given["sample_weight"] = d.sample_weight[chosen]
            if dropout:
                given["seed"] = np.uint32(seed)
            values = run_rounded(graph, {**variables, **given}, dice)
            variables, number = {name: values[after] for name, after in graph.updates}, number + 1
            sums += np.array([values[name] for name in graph.outputs]) * len(chosen)
            seen += len(chosen)
        logs.append(sums / seen)
    return [np.array(logs), *(variables[name] for name in VARIABLES)]


VARIABLES = ("kernel", "bias", "kernel_momentum", "bias_momentum", "step")
CASES = {
    "whole batches": {"rows": 20, "batch": 5},
    "a smaller last batch": {"rows": 23, "batch": 5},
    "one batch larger than the data": {"rows": 7, "batch": 32},
    "in order": {"rows": 23, "batch": 5, "shuffle": False},
    "weighted": {"rows": 23, "batch": 5, "weighted": True},
    "weighted, in order": {"rows": 23, "batch": 5, "weighted": True, "shuffle": False},
    "a rate for each step": {"rows": 20, "batch": 5, "rates": np.linspace(0.1, 0.01, 12)},
    "fewer steps": {"rows": 23, "batch": 5, "steps": 2},
    "a later epoch": {"rows": 23, "batch": 5, "first_epoch": 11},
    "dropout": {"rows": 23, "batch": 5, "dropout": True},
}


@pytest.mark.parametrize("case", CASES)
def test_the_loop_does_what_the_interpreter_does(case: str) -> None:
    c = {"shuffle": True, "weighted": False, "rates": np.array([0.05]), "steps": None, "first_epoch": 0,
         "dropout": False, **CASES[case]}  # fmt: skip
    d, rates = data(c["rows"], c["weighted"]), c["rates"].astype(np.float32)
    engine = Engine("net", lambda batch: step_graph(batch, c["weighted"], c["dropout"]), evaluation)
    engine.load(START)
    done = engine.run_epochs(
        d, batch_size=c["batch"], epochs=3, shuffle=c["shuffle"], seed=9, first_epoch=c["first_epoch"],
        learning_rates=rates, steps_per_epoch=c["steps"],
    )  # fmt: skip
    how = {"shuffle": c["shuffle"], "seed": 9, "rates": rates, "first_epoch": c["first_epoch"], "steps": c["steps"]}
    logs, *variables = bounds(
        lambda dice: reference(dice, d, min(c["batch"], c["rows"]), 3, dropout=c["dropout"], **how)
    )
    logs.require(done.logs)
    assert engine.weights().keys() == set(VARIABLES)
    for name, bound in zip(VARIABLES, variables, strict=True):
        bound.require(engine.weights()[name], name)


def trained(epochs: int, calls: int = 1) -> tuple[Array, dict[str, Array]]:
    engine = Engine("net", step_graph)
    engine.load(START)
    rate = np.float32(0.1)
    parts = [
        engine.run_epochs(
            data(23), batch_size=5, epochs=epochs, seed=1, first_epoch=i * epochs, learning_rates=rate
        ).logs
        for i in range(calls)
    ]
    return np.concatenate(parts), engine.weights()


def test_a_seed_repeats_a_run_bit_for_bit_however_it_is_cut() -> None:
    (logs, weights), (again, same) = trained(6), trained(2, calls=3)
    np.testing.assert_array_equal(logs, again)
    for name in weights:
        np.testing.assert_array_equal(weights[name], same[name])


def test_evaluation_is_the_mean_over_rows() -> None:
    engine, d = Engine("net", step_graph, evaluation), data(50)
    engine.load(START)
    for bound, mean in zip(graph_bounds(evaluation(50), [d.x, d.y]), engine.evaluate(d), strict=False):
        bound.require(mean)


def test_evaluating_between_epochs_does_not_disturb_training() -> None:
    engine, d = Engine("net", step_graph, evaluation), data(23)
    engine.load(START)
    for epoch in range(4):
        engine.evaluate(d)
        engine.run_epochs(d, batch_size=5, epochs=1, seed=1, first_epoch=epoch, learning_rates=np.float32(0.1))
    np.testing.assert_array_equal(engine.weights()["kernel"], trained(4)[1]["kernel"])


def test_what_the_optimizer_keeps_outlives_an_evaluation_before_training() -> None:
    held = {"kernel_momentum": np.full_like(START["kernel"], 0.25), "step": np.uint32(7)}
    one, other = (Engine("net", step_graph, evaluation) for _ in range(2))
    one.load(START | held)
    one.evaluate(data(5))
    other.evaluate(data(5))
    other.load(START | held)
    straight = Engine("net", step_graph, evaluation)
    straight.load(START | held)
    for engine in (one, other, straight):
        np.testing.assert_array_equal(engine.weights()["kernel_momentum"], held["kernel_momentum"])
        engine.run_epochs(data(23), batch_size=5, epochs=1, seed=1, learning_rates=np.float32(0.1))
        assert engine.weights()["step"] == 7 + 5
    for name, array in straight.weights().items():
        np.testing.assert_array_equal(one.weights()[name], array, err_msg=name)
        np.testing.assert_array_equal(other.weights()[name], array, err_msg=name)


def _many_metrics(count: int, rows: int) -> Graph:
    b = GraphBuilder.of(evaluation(rows))
    loss, accuracy = evaluation(rows).outputs
    return b.build([loss, *(b.add("add", accuracy, accuracy) for _ in range(count))])


def test_as_many_metrics_as_the_loop_has_room_for_and_no_more() -> None:
    engine = Engine("net", step_graph, partial(_many_metrics, 31))
    engine.load(START)
    means = engine.evaluate(data(20))
    assert means.shape == (32,)
    assert len(set(means[1:].tolist())) == 1
    with pytest.raises(UnsupportedError, match=r"at most 31 metrics; received 32"):
        Engine("net", step_graph, partial(_many_metrics, 32)).evaluate(data(20))


def test_a_loss_that_is_not_finite_keeps_the_last_whole_epoch() -> None:
    d = data(20)
    d.x[13, 0] = np.nan
    engine = Engine("net", step_graph)
    engine.load(START)
    done = engine.run_epochs(d, batch_size=5, epochs=3, seed=1, learning_rates=np.float32(0.1))
    assert done.diverged
    assert len(done.logs) == 0
    np.testing.assert_array_equal(engine.weights()["kernel"], START["kernel"])


def test_ctrl_c_keeps_the_last_whole_epoch() -> None:
    d, engine = data(2000), Engine("net", step_graph)
    how = {"batch_size": 1, "seed": 1, "learning_rates": np.float32(0.001), "planned_steps": len(d.x) * 100_000}
    engine.load(START)
    engine.run_epochs(d, epochs=1, **how)  # compiled now
    engine.load({name: np.zeros_like(v) for name, v in engine.weights().items()} | START)
    fit, running = engine._fit, threading.Event()

    def noticed(*arguments: object) -> int:
        running.set()
        return fit(*arguments)

    def press() -> None:
        running.wait()
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGINT)

    engine._fit = noticed
    threading.Thread(target=press).start()  # Ctrl-C at another moment would stop the tests
    started = time.monotonic()
    done = engine.run_epochs(d, epochs=100_000, **how)
    assert done.interrupted
    assert time.monotonic() - started < 30
    whole = len(done.logs)
    assert 0 < whole < 100_000
    fresh = Engine("net", step_graph)
    fresh.load(START)
    fresh.run_epochs(d, epochs=whole, **how)
    np.testing.assert_array_equal(engine.weights()["kernel"], fresh.weights()["kernel"])


def test_ctrl_c_does_not_wait_for_thousands_of_large_steps() -> None:
    """A ResNet-8's step of 32 rows is over a thousand million multiplications, and takes 10 to 100 ms."""
    assert [first_slice(products) for products in (0, 40, 1_000_000, 1_200_000_000)] == [2000, 2000, 250, 1]
