# SPDX-License-Identifier: Apache-2.0
"""Whole training steps in C against the interpreter, many steps in a row."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from edgeling.codegen import generate
from edgeling.codegen.block import planned
from edgeling.graph.builder import GraphBuilder
from edgeling.graph.types import DType, Graph
from edgeling.passes import differentiate
from tests.codegen.harness import Case, check
from tests.codegen.networks import weights


def _network(b: GraphBuilder, sizes: tuple[int, ...], batch: int, hidden: str, last: str) -> tuple[str, list[str]]:
    value, names = b.input("x", (batch, sizes[0])), []
    for i, (n, m) in enumerate(pairwise(sizes)):
        names += [b.variable(weights(n, m) / np.sqrt(n), f"kernel_{i}"), b.variable(weights(m) / 8, f"bias_{i}")]
        value = b.add("dense", value, *names[-2:])
        value = value if i + 2 == len(sizes) else b.add("activation", value, function=hidden)
    return (b.add("softmax", value) if last == "softmax" else b.add("activation", value, function=last)), names


def _adam(b: GraphBuilder, pairs: dict[str, str]) -> None:
    powers = [b.variable(np.float32(1), f"power_{i}") for i in (1, 2)]
    stepped = [b.add("power_step", p, beta=beta) for p, beta in zip(powers, (0.9, 0.999), strict=True)]
    alpha = b.add("adam_alpha", "rate", *stepped)
    for power, after in zip(powers, stepped, strict=True):
        b.update(power, after)
    for w, g in pairs.items():
        slots = [b.variable(np.zeros(b.type_of(w).shape, np.float32), f"{w}_{slot}") for slot in "mv"]
        for variable, after in zip((w, *slots), b.add_many("adam_update", w, g, *slots, alpha), strict=True):
            b.update(variable, after)


def _clipped_momentum(b: GraphBuilder, pairs: dict[str, str]) -> None:
    scale = b.add("clip_scale", b.add("norm", *pairs.values()), limit=0.1)
    for w, g in pairs.items():
        m = b.variable(np.zeros(b.type_of(w).shape, np.float32), f"{w}_m")
        after, slot = b.add_many("momentum_update", w, b.add("multiply", g, scale), m, "rate", nesterov=True)
        b.update(m, slot)
        b.update(w, b.add("decay", after, "rate", rate=0.01))


RULES = {"adam": _adam, "clipped momentum with decay": _clipped_momentum}
TASKS = {
    "classes": ((4, 4, 3), 10, "relu", "softmax", "sparse_categorical_crossentropy"),
    "yes or no": ((8, 10, 1), 32, "relu", "sigmoid", "binary_crossentropy"),
    "number": ((5, 7, 6, 1), 9, "tanh", "linear", "huber"),
    "large": ((20, 64, 33, 2), 17, "gelu", "linear", "mean_squared_error"),
}


def step_graph(task: str, rule: str) -> Graph:
    sizes, batch, hidden, last, loss = TASKS[task]
    b = GraphBuilder("step")
    prediction, variables = _network(b, sizes, batch, hidden, last)
    truth = b.input("y", (batch, 1 if loss.startswith("sparse") else sizes[-1]))
    b.input("rate", ())
    rows = b.add("loss", truth, prediction, function=loss)
    total = b.add("reshape", b.add("sum", rows, axes=(0,)), shape=())
    mean = b.add("multiply", total, b.constant(np.float32(1 / batch), "share"))
    graph = differentiate(b.build([mean]), mean, variables)
    b = GraphBuilder.of(graph)
    RULES[rule](b, dict(zip(variables, graph.outputs[1:], strict=True)))
    return b.build([mean])


def step_case(task: str, rule: str) -> Case:
    graph = step_graph(task, rule)
    rng = np.random.default_rng(3)
    x, y = (rng.normal(size=graph.types[n].shape).astype(np.float32) for n in ("x", "y"))
    if TASKS[task][4].endswith("crossentropy"):
        y = rng.integers(0, max(2, TASKS[task][0][-1]), y.shape).astype(np.float32)
    return Case(graph, (x, y, np.full((), 0.01, np.float32)), f"{task}, {rule}")


@pytest.mark.parametrize("rule", RULES)
def test_thirty_steps_stay_with_the_interpreter(rule):
    check([step_case(task, rule) for task in TASKS], steps=30)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("task", TASKS)
def test_variables_are_updated_where_they_lie(task, rule):
    assert planned(step_graph(task, rule), None).memory.copied == ()


def test_a_step_says_nothing_twice():
    """Two batch sizes of one network share its variables and one arena."""
    graph = step_graph("classes", "adam")
    made = generate({"train": graph, "tail": graph}, "net")
    assert made.weights_bytes == sum(graph.types[v].bytes for v in graph.variables)
    assert made.arena_bytes == generate(graph, "net").arena_bytes


def test_dropout_draws_anew_every_step():
    b = GraphBuilder("drop")
    b.input("x", (4, 9))
    seed, step = b.input("seed", (), DType.UINT32), b.variable(np.uint32(0), "step")
    mask = b.add("dropout_mask", seed, step, shape=(4, 9), rate=0.4)
    b.update("step", b.add("count", step))
    graph = b.build([b.add("multiply", "x", mask)])
    check([Case(graph, (np.ones((4, 9), np.float32), np.array(7, np.uint32)), exact=True)], steps=4)
