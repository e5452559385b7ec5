# SPDX-License-Identifier: Apache-2.0
"""A step in two: what the parts give together, what gradients are, and steps put together from parts of a batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgeling import losses, metrics, optimizers
from edgeling.errors import TrainingError
from edgeling.graph import Graph, run
from edgeling.graph.types import Array
from edgeling.layers import BatchNormalization, Dense, Dropout, Input
from edgeling.models import Sequential
from edgeling.targets import get
from edgeling.toolchain import firmware
from edgeling.toolchain.emulator import CortexM
from edgeling.toolchain.native import NativeProgram, load
from edgeling.training.graphs import Objective, training_graph
from edgeling.training.learning import Parts, step_in_parts
from edgeling.utils import set_random_seed
from tests.codegen.harness import Case, expected_of
from tests.support.close import product_magnitude, require_close
from tests.support.finite import require_gradient
from tests.support.rounding import bounds, run_rounded

ROWS, RATE = 8, np.float32(0.05)
NETWORKS = {
    "dense": lambda: [Dense(5, activation="tanh"), Dense(2)],
    "regularised": lambda: [Dense(4, activation="softplus", kernel_regularizer="l2"), Dense(2)],
    "batch normalization": lambda: [Dense(4), BatchNormalization(momentum=0.7), Dense(2)],
    "dropout": lambda: [Dense(8, activation="silu"), Dropout(0.4), Dense(2)],
    "half frozen": lambda: [Dense(4, trainable=False), BatchNormalization(), Dense(2)],
}
RULES = {
    "sgd": lambda: optimizers.SGD(momentum=0.9, nesterov=True),
    "adam": lambda: optimizers.Adam(weight_decay=0.01),
    "clipped": lambda: optimizers.RMSprop(global_clipnorm=0.1),
    "adafactor": optimizers.Adafactor,
}


def model_of(name: str, optimizer: Any = "sgd") -> Sequential:
    set_random_seed(4)
    model = Sequential([Input((3,)), *NETWORKS[name]()])
    model.compile(optimizer, "mse")
    return model


def objective() -> Objective:
    return Objective(losses.MeanSquaredError(), (metrics.MeanAbsoluteError(),), 2)


def parts_of(name: str, rule: str = "sgd", rows: int = ROWS) -> Parts:
    return step_in_parts(model_of(name)._as_network(), objective(), RULES[rule](), rows)


def batch(graph: Graph, rows: int = ROWS, seed: int = 1) -> dict[str, Array]:
    draw = np.random.default_rng(seed)
    given = {"x": draw.normal(size=(rows, 3)), "y": draw.normal(size=(rows, 2)), "learning_rate": RATE}
    arrays = {name: np.asarray(value, np.float32) for name, value in given.items()} | {"seed": np.uint32(9)}
    return {name: array for name, array in arrays.items() if name in graph.inputs}


def held_by(graph: Graph) -> dict[str, Array]:
    """Weights such as training leaves, none of them zero; what an optimizer keeps is as it begins."""
    draw = np.random.default_rng(2)
    ends = ("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance")
    return {
        name: array + draw.uniform(0.1, 0.4, array.shape).astype(np.float32) if name.endswith(ends) else array
        for name, array in graph.variables.items()
    }


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_two_parts_mean_the_whole_step(name: str, rule: str) -> None:
    whole = training_graph(model_of(name)._as_network(), objective(), RULES[rule](), ROWS)
    parts = parts_of(name, rule)
    assert parts.gradients.updates == ()
    assert parts.update.inputs == (*parts.handed, "learning_rate")
    held = held_by(whole)
    for _ in range(3):
        given = batch(whole)
        wanted = run(whole, given, held)
        first = run(parts.gradients, batch(parts.gradients), {n: held[n] for n in parts.gradients.variables})
        *logs, handed = *first.outputs[:2], first.outputs[2:]
        after = run(parts.update, [*handed, RATE], held).variables
        assert [log.tobytes() for log in logs] == [output.tobytes() for output in wanted.outputs]
        assert {n: v.tobytes() for n, v in after.items()} == {n: v.tobytes() for n, v in wanted.variables.items()}
        held = wanted.variables


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    graph = parts_of(name).gradients
    held = {n: v.astype(np.float64) if v.dtype == np.float32 else v for n, v in held_by(graph).items()}
    given = batch(graph)
    outputs = run(graph, given, held, float64=True).outputs[2:]
    for part, gradient in zip(parts_of(name).handed, outputs, strict=True):
        if not part.endswith("_gradient"):
            continue
        require_gradient(replace(graph, variables=held), given, part.removesuffix("_gradient"), gradient)


def compiled(name: str, optimizer: Any, rows: int = ROWS) -> NativeProgram:
    model = model_of(name, optimizer)
    return load(model.learning_program(np.zeros((1, 2)), rows, "net"), linked=True)


def scalar() -> Array:
    return np.empty((), np.float32)


def gradients_in_c(native: NativeProgram, given: dict[str, Array]) -> tuple[Array, Array]:
    (entry,) = (e for e in native.program.entries if e.function == "net_gradients")
    loss, gradients = scalar(), np.full(entry.outputs[-1].type.shape, np.nan, np.float32)
    native.function("net_gradients")(*(given[p.name] for p in entry.inputs), loss, gradients)
    return loss, gradients


@pytest.mark.parametrize("name", ["batch normalization", "dropout"])
@pytest.mark.parametrize("rule", ["adam", "clipped"])
def test_in_c_the_two_calls_leave_the_bits_of_one(name: str, rule: str) -> None:
    one = compiled(name, RULES[rule]())
    two = one.clone()
    given = batch(parts_of(name).gradients)
    (train,) = (e for e in one.program.entries if e.function == "net_train")
    for _ in range(3):
        loss = scalar()
        one.function("net_train")(*({**given, "learning_rate": RATE}[p.name] for p in train.inputs), loss)
        before = two.weights.copy()
        also, gradients = gradients_in_c(two, given)
        assert two.weights.tobytes() == before.tobytes(), "gradients move nothing"
        two.function("net_update")(gradients, np.asarray(RATE))
        assert also.tobytes() == loss.tobytes()
        assert one.weights.tobytes() == two.weights.tobytes() != before.tobytes()


def test_gradients_in_c_are_what_the_graph_means() -> None:
    native = compiled("batch normalization", "sgd")
    graph = parts_of("batch normalization").gradients
    expected, _ = expected_of(Case(graph, tuple(batch(graph).values())))
    _, gradients = gradients_in_c(native, batch(graph))
    entry = next(e for e in native.program.entries if e.function == "net_gradients")
    for part, wanted in zip(entry.outputs[-1].parts, expected[2:], strict=True):
        got = gradients[part.offset : part.offset + part.type.size].reshape(part.type.shape)
        wanted.require(got, part.name)


def test_gradients_of_two_halves_make_the_step_of_the_whole() -> None:
    """Averaged in the caller's memory, as a device does; the weights differ by no more than rounding can cost."""
    half, whole = (compiled("dense", RULES["sgd"](), rows) for rows in (ROWS // 2, ROWS))
    parts = parts_of("dense")
    given = batch(parts.gradients)

    def step(dice: np.random.Generator | None) -> list[Array]:
        values = run_rounded(parts.gradients, dict(given), dice)
        handed = dict(zip(parts.handed, [values[o] for o in parts.gradients.outputs[2:]], strict=True))
        after = run_rounded(parts.update, {**handed, "learning_rate": RATE}, dice)
        return [after[value] for _, value in parts.update.updates]

    total = np.zeros(int(whole.program.entries[1].outputs[-1].type.size), np.float32)
    for rows in (slice(None, ROWS // 2), slice(ROWS // 2, None)):
        total += gradients_in_c(half, {n: a[rows] for n, a in given.items()})[1] / 2
    half.function("net_update")(total, np.asarray(RATE))
    whole.function("net_train")(given["x"], given["y"], np.asarray(RATE), scalar())
    for native in (half, whole):
        names = dict(zip(parts.update.variables, native.program.variable_offsets, strict=True))
        for (variable, _), bound in zip(parts.update.updates, bounds(step), strict=True):
            bound.require(native.variable(names[variable], parts.update.types[variable]), variable)


def test_what_the_forward_pass_keeps_is_handed_over_too() -> None:
    """Of two halves of a batch the moving averages follow the average of their moments, as gradients do."""
    parts = parts_of("batch normalization", rows=ROWS // 2)
    given, halves = batch(parts.gradients, ROWS), (slice(None, ROWS // 2), slice(ROWS // 2, None))
    each = [run(parts.gradients, {n: a[rows] for n, a in given.items()}).outputs[2:] for rows in halves]
    handed = [np.mean(pair, axis=0) for pair in zip(*each, strict=True)]
    after = run(parts.update, [*handed, RATE]).variables
    kernel, bias = (parts.gradients.variables[n] for n in ("dense_1_kernel", "dense_1_bias"))
    x = given["x"].astype(np.float64)
    hidden, magnitude = ((x @ kernel + bias).reshape(2, ROWS // 2, -1), product_magnitude(x, kernel, bias))
    count = x.shape[1] + ROWS + 6  # products and rows that are summed; then a few more operations
    (mean,) = (v for n, v in after.items() if n.endswith("moving_mean"))
    (variance,) = (v for n, v in after.items() if n.endswith("moving_variance"))
    require_close(mean, 0.3 * hidden.mean(axis=(0, 1)), count, of=0.3 * magnitude.mean(axis=0))
    squares = 2 * np.square(magnitude).mean(axis=0)
    require_close(variance, 0.7 + 0.3 * hidden.var(axis=1).mean(axis=0), 2 * count, of=0.7 + 0.3 * squares)


def test_a_chip_learns() -> None:
    """Forty steps on an emulated Cortex-M4 tell the losses that the graph means."""
    model = model_of("dense", optimizers.Adam(0.02))
    program = model.learning_program(np.zeros((1, 2)), ROWS, "net")
    graph = training_graph(model._as_network(), Objective(losses.MeanSquaredError(), (), 2), optimizers.Adam(), ROWS)
    given = batch(graph)
    chip = CortexM(firmware.build(program, get("cortex-m4"), "net_train"))
    told = chip.run([np.repeat(given[name][None], 40, axis=0) for name in graph.inputs]).outputs[0]

    def steps(dice: np.random.Generator | None) -> list[Array]:
        held, said = dict(graph.variables), []
        for _ in range(40):
            values = run_rounded(graph, {**held, **given}, dice)
            held = {variable: values[value] for variable, value in graph.updates}
            said.append(values[graph.outputs[0]])
        return [np.asarray(said)]

    bounds(steps, 6)[0].require(told.reshape(-1))
    assert told[-1] < told[0] / 2


def test_a_step_that_learns_nothing_is_refused() -> None:
    model = model_of("dense")
    for layer in model.layers:
        layer.trainable = False
    with pytest.raises(TrainingError, match="trainable"):
        model.learning_program(np.zeros((1, 2)))
