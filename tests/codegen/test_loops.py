# SPDX-License-Identifier: Apache-2.0
"""Loops in C: what they compute, that their code does not grow, and an LSTM against Keras's."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from edgeling.codegen import generate
from edgeling.graph import Array, DType, Graph, GraphBuilder
from edgeling.passes import differentiate, optimize
from edgeling.targets import get
from edgeling.toolchain import firmware
from edgeling.toolchain.emulator import CortexM
from edgeling.toolchain.measure import measure
from tests.codegen.harness import Case, check
from tests.support.recurrent import add_lstm, rnn_body
from tests.support.rounding import bounds, require_rows, run_rounded


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


def recurrent(rows: int, axis: int, reverse: bool) -> Case:
    steps, features, units = 5, 3, 4
    b = GraphBuilder("rnn")
    shapes = [(rows, units), tuple(np.insert([rows, features], axis, steps)), (features, units), (units, units)]
    inputs = [b.input(f"x{i}", shape) for i, shape in enumerate(shapes)]
    body = rnn_body(rows, features, units, results=2)
    made = b.add_many(
        "scan", *inputs, b.constant(normal(units), "bias"), body=body, length=steps, carried=1, axes=(axis, 1, 0),
        reverse=reverse,
    )  # fmt: skip
    title = f"rnn of {rows} rows along {axis}, reverse={reverse}"
    return Case(optimize(b.build(made)), tuple(normal(*s) for s in shapes), title=title)


def square_map(dtype: DType) -> Case:
    """A loop that carries nothing and sees bytes or integers a column at a time."""
    b = GraphBuilder("columns")
    body = b.build([b.add("reshape", b.input("x", (2, 3), dtype), shape=(3, 2))])
    b = GraphBuilder("map")
    x = b.input("x", (2, 4, 3), dtype)
    graph = b.build(b.add_many("scan", x, body=body, length=4, carried=0, axes=(1, 1)))
    return Case(graph, (np.arange(24).reshape(2, 4, 3).astype(dtype.numpy),), title=f"map of {dtype.value}")


def swapped() -> Case:
    """What is carried changes places at each step: neither may be overwritten before the other is read."""
    b = GraphBuilder("swap")
    p, q = b.input("p", (3,)), b.input("q", (3,))
    body = b.build([q, p, b.add("subtract", p, q)])
    b = GraphBuilder("swaps")
    x, y = b.input("x", (3,)), b.input("y", (3,))
    return Case(
        b.build(b.add_many("scan", x, y, body=body, length=3, carried=2, axes=(0,))), (normal(3), normal(3, seed=1))
    )


def with_state() -> Case:
    """What is carried begins with a variable and becomes it."""
    b = GraphBuilder("body")
    h, x = b.input("h", (2,)), b.input("x", (2,))
    total = b.add("add", b.add("square", h), x)
    body = b.build([total, h])
    b = GraphBuilder("stateful")
    v = b.variable([0.1, 0.2], "v")
    x = b.input("x", (4, 2))
    final, seen = b.add_many("scan", v, x, body=body, length=4, carried=1, axes=(0, 0))
    b.update(v, final)
    return Case(b.build([seen, final]), (normal(4, 2) * np.float32(0.1),))


def nested() -> Case:
    b = GraphBuilder("outer")
    h, row = b.input("h", (2, 2)), b.input("row", (2, 3, 2))
    inner = b.add_many(
        "scan", h, row, b.constant(normal(2, 2), "k"), b.constant(normal(2, 2, seed=1), "r"),
        b.constant(normal(2), "b"), body=rnn_body(2, 2, 2), length=3, carried=1, axes=(1, 1), reverse=True,
    )  # fmt: skip
    body = b.build([inner[0], b.add("square", inner[1])])
    b = GraphBuilder("net")
    h, x = b.input("h", (2, 2)), b.input("x", (2, 4, 3, 2))
    return Case(
        b.build(b.add_many("scan", h, x, body=body, length=4, carried=1, axes=(1, 1))),
        (normal(2, 2), normal(2, 4, 3, 2)),
    )


def gradient() -> Case:
    b = GraphBuilder("step")
    x = b.input("x", (3, 4, 2))
    shapes = {"kernel": (2, 12), "recurrent": (3, 12), "bias": (12,)}
    weights = tuple(b.variable(normal(*shape), name) for name, shape in shapes.items())
    y = b.add("sum", b.add("square", add_lstm(b, x, 3, weights, reverse=True)), axes=(0, 1, 2))
    total = b.add("reshape", y, shape=())
    graph = optimize(differentiate(b.build([total]), total, weights))
    return Case(graph, (normal(3, 4, 2),), title="gradient of an LSTM")


def test_loops_compute_what_they_mean() -> None:
    cases = [recurrent(rows, axis, reverse) for rows, axis, reverse in
             ((1, 1, False), (1, 1, True), (3, 1, True), (3, 0, False), (3, 2, False))]  # fmt: skip
    cases += [square_map(dtype) for dtype in DType]
    check([*cases, swapped(), with_state(), nested(), gradient()], steps=2)


def lstm_program(steps: int):
    b = GraphBuilder("net")
    x = b.input("x", (1, steps, 6))
    weights = tuple(b.constant(normal(*s), n) for n, s in (("k", (6, 32)), ("r", (8, 32)), ("b", (32,))))
    graph = optimize(b.build([add_lstm(b, x, 8, weights)]))
    return graph, generate(graph, "net")


def test_code_does_not_grow_with_the_steps() -> None:
    target = get("cortex-m4")
    code = {}
    for steps in (16, 160):
        graph, program = lstm_program(steps)
        image = firmware.build(program, target)
        code[steps] = measure(image).flash_code_bytes
        x = normal(1, steps, 6)
        (got,) = CortexM(image).run([x]).outputs
        require_rows(graph, got, x)
    assert abs(code[160] - code[16]) <= 32, code


def trained(step: Graph, inputs: tuple[Array, ...], steps: int, dice: np.random.Generator | None) -> list[Array]:
    """The loss of each step, and the variables after the last, roundings drawn."""
    held, losses = dict(step.variables), []
    for _ in range(steps):
        values = run_rounded(step, {**held, **dict(zip(step.inputs, inputs, strict=True))}, dice)
        losses.append(values[step.outputs[0]])
        held = {name: values[after] for name, after in step.updates}
    return [*losses, *held.values()]


@pytest.mark.keras
def test_an_lstm_trains_as_keras_does() -> None:
    import keras

    rows, steps, features, units, rate = 4, 6, 3, 5, 0.1
    x, y = normal(rows, steps, features), normal(rows, steps, units, seed=1)
    layer = keras.layers.LSTM(units, return_sequences=True, bias_initializer=keras.initializers.RandomNormal(seed=2))
    model = keras.Sequential([keras.Input((steps, features)), layer])
    model.compile(keras.optimizers.SGD(rate), "mse")
    start = layer.get_weights()

    b = GraphBuilder("lstm")
    inputs = b.input("x", x.shape), b.input("y", y.shape)
    names = [b.variable(w, n) for w, n in zip(start, ("kernel", "recurrent", "bias"), strict=True)]
    error = b.add("subtract", add_lstm(b, inputs[0], units, tuple(names)), inputs[1])
    mean = b.add("multiply", b.add("sum", b.add("square", error), axes=(0, 1, 2)), b.constant(1 / y.size))
    loss = b.add("reshape", mean, shape=(), name="loss")
    graph = differentiate(b.build([loss]), loss, names)
    b = GraphBuilder.of(graph)
    for name, gradient in zip(names, graph.outputs[1:], strict=True):
        b.update(name, b.add("sgd_update", name, gradient, b.constant(rate, "rate")))
    step = optimize(b.build([loss]))

    theirs = [model.train_on_batch(x, y) for _ in range(10)]
    allowed = bounds(partial(trained, step, (x, y), 10), samples=5)
    for bound, wanted in zip(allowed, [*theirs, *layer.get_weights()], strict=True):
        bound.require(wanted, "Keras")
    check([Case(step, (x, y))], steps=10)
