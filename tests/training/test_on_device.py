# SPDX-License-Identifier: Apache-2.0
"""Learning after deployment: the step against Keras and finite differences, in C as in the interpreter, what is frozen,
statistics that follow, and updates that are not adopted."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from edgeling import optimizers
from edgeling.codegen import Program, generate
from edgeling.codegen.block import planned
from edgeling.codegen.interface import Interface
from edgeling.codegen.learning import RING_COUNT, RING_ROWS
from edgeling.errors import UnsupportedError
from edgeling.graph import Graph, GraphBuilder, run
from edgeling.graph.types import Array
from edgeling.passes import differentiate, optimize
from edgeling.passes.learnable import in_units, levels, standardized, unfused, weights_of, with_float_head
from edgeling.passes.quantize import quantize
from edgeling.targets import get
from edgeling.toolchain import emulator, firmware
from edgeling.toolchain.native import load
from edgeling.training.on_device import BINARY, SPARSE, SQUARED, Columns, Goal, Learner, learner
from edgeling.workflow.build import as_deployable, as_learning
from edgeling.workflow.learning import Learning
from tests.codegen.harness import Case, expected_of
from tests.codegen.networks import TUTORIALS, dense_network
from tests.support.close import require_close
from tests.support.finite import require_gradient
from tests.support.rounding import UNIT, graph_bounds
from tests.support.shared import needs, shared_data

DICE = np.random.default_rng(3)
RATE = np.float32(0.05)
NETWORKS: dict[str, tuple[Graph, Goal]] = {
    "binary": (TUTORIALS["diabetes"], Goal(BINARY, 2)),
    "classes": (TUTORIALS["iris"], Goal(SPARSE, 3)),
    "numbers": (dense_network("numbers", (5, 6, 2), ("tanh", "linear"), softmax=False), Goal(SQUARED)),
    "deep": (dense_network("deep", (4, 5, 5, 3), ("sigmoid", "silu", "linear"), softmax=True), Goal(SPARSE, 3)),
}
RULES = {
    "sgd": optimizers.SGD,
    "momentum": lambda: optimizers.SGD(momentum=0.9),
    "adam": optimizers.Adam,
    "rmsprop": optimizers.RMSprop,
    "lion": optimizers.Lion,
}


def made(name: str, rule: str = "sgd", count: int | None = None, **more: Any) -> Learner:
    graph, goal = NETWORKS[name]
    return learner(graph, weights_of(graph, count), goal, RULES[rule](), **more)


def lesson(name: str, seed: int = 0) -> tuple[Array, Array]:
    graph, goal = NETWORKS[name]
    dice, sizes = np.random.default_rng(seed), [graph.types[p].size for p in (*graph.inputs, *graph.outputs)]
    x = dice.normal(size=(1, sizes[0])).astype(np.float32)
    truth = dice.integers(0, goal.classes, (1, 1)) if goal.classes else dice.normal(size=(1, sizes[1]))
    return x, truth.astype(np.float32)


def keras_layers(name: str, chosen: Learner) -> Any:
    """The same network in Keras; layers none of whose weights learn are frozen."""
    keras = pytest.importorskip("keras")
    graph, _ = NETWORKS[name]
    layers = []
    for node in (n for n in graph.nodes if n.operation == "dense"):
        last = node is [n for n in graph.nodes if n.operation == "dense"][-1]
        function = "softmax" if last and NETWORKS[name][1].function == SPARSE else node.attributes["function"]
        kernel, bias = (graph.constants[i] for i in node.inputs[1:])
        layer = keras.layers.Dense(kernel.shape[1], activation=function, trainable=node.inputs[1] in chosen.weights)
        layers.append((layer, [kernel, bias]))
    model = keras.Sequential([keras.Input((graph.types[graph.inputs[0]].size,)), *(layer for layer, _ in layers)])
    for layer, weights in layers:
        layer.set_weights(weights)
    return keras, model


@pytest.mark.parametrize("count", [None, 1])
@pytest.mark.parametrize("rule", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_step_is_kerass(name, rule, count) -> None:
    """Held to the double precision of the graph, as Keras is. Keras takes the loss from probabilities, 1e-7 from 0 and
    1 at the least, which costs roundings of numbers around 1."""
    chosen = made(name, rule, count)
    keras, model = keras_layers(name, chosen)
    x, y = lesson(name)
    kept = {"sgd": keras.optimizers.SGD, "momentum": lambda r: keras.optimizers.SGD(r, momentum=0.9),
            "adam": keras.optimizers.Adam}[rule](float(RATE))  # fmt: skip
    model.compile(kept, NETWORKS[name][1].function)
    model.train_on_batch(x, y)
    bounds = dict(zip(chosen.learn.variables, graph_bounds(chosen.learn, [x, y, RATE], {}), strict=True))
    theirs = [np.asarray(w) for layer in model.layers for w in layer.trainable_weights]
    assert len(theirs) == len(chosen.weights)
    for weight, found in zip(chosen.weights, theirs, strict=True):
        rounded = bounds[weight].rounded_more(16)
        rounded.require(found, f"Keras's {weight}")
        rounded.require(run(chosen.learn, [x, y, RATE]).variables[weight], weight)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_step_of_gradient_descent_goes_along_finite_differences(name) -> None:
    chosen = made(name)
    x, y = lesson(name, 1)
    graph = differentiate(unfused(chosen.loss), chosen.loss.outputs[0], chosen.weights)
    gradients = run(graph, [x, y], float64=True).outputs[1:]
    after = run(chosen.learn, [x, y, np.float64(1)], float64=True).variables
    for weight, gradient in zip(chosen.weights, gradients, strict=True):
        require_gradient(chosen.loss, [x, y], weight, gradient)
        start = chosen.learn.variables[weight].astype(np.float64)
        require_close(start - after[weight], gradient, 4, np.abs(start) + np.abs(gradient), unit=2.0**-53)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_c_does_what_the_step_means(name, rule) -> None:
    """For anybody's compiler (gradients never stored) and for this machine's vectors; each step from where C was."""
    chosen = made(name, rule)
    for target in (None, get("native")):
        native = load(generate(chosen.graphs, "learner", initial_values=True, target=target))
        held = dict(chosen.learn.variables)
        for step in range(4):
            x, y = lesson(name, step)
            native.function("learner_learn")(x, y, RATE.reshape(()))
            _, expected = expected_of(Case(chosen.learn, (x, y, RATE)), held)
            held = {v: native.variable(v, chosen.learn.types[v]).copy() for v in held}
            for variable, wanted in expected.items():
                wanted.require(held[variable], f"{variable} after step {step}")


def test_what_is_frozen_stays_in_flash_and_what_learns_is_all_that_is_not() -> None:
    graph, _ = NETWORKS["deep"]
    program = generate(made("deep", "adam", 1).graphs, "learner", initial_values=True)
    trained = sum(graph.constants[w].nbytes for w in weights_of(graph, 1))
    assert program.weights_bytes == 3 * trained + 8  # two moments each, and two powers
    source = program.files["learner.c"]
    frozen = [n.inputs[1] for level in levels(graph)[1:] for n in level]
    assert all(f"static const float learner_{name.replace('/', '_')}[" in source for name in frozen)
    assert all(name.replace("/", "_") not in program.files["learner.h"] for name in frozen)


@pytest.mark.parametrize("rule", ["sgd", "adam"])
def test_no_gradient_of_a_kernel_takes_memory(rule) -> None:
    """What is alive at once is two layers' outputs and their gradients, not the largest kernel."""
    graph = dense_network("wide", (32, 48, 40, 3), ("relu", "relu", "linear"), softmax=True)
    chosen = learner(graph, weights_of(graph, None), Goal(SPARSE, 3), RULES[rule]())
    program = generate(chosen.graphs, "wide")
    assert program.arena_bytes <= 4 * (2 * 48 + 2 * 40 + 8)


@pytest.mark.parametrize(("name", "bound"), [("binary", 4 * 282), ("classes", 4 * 213)])
def test_a_step_takes_at_most_four_inferences(name, bound) -> None:
    """Of 282 and 213 instructions, those of the two networks on a Cortex-M4F."""
    graph, _ = NETWORKS[name]
    chosen, chip = made(name), get("cortex-m4")
    face = Interface(learning=chosen.interface)
    program = generate(chosen.graphs, "net", initial_values=True, target=chip, interface=face)
    x, y = lesson(name)
    ran = emulator.CortexM(firmware.build(program, chip, "net_learn")).run([x, y, RATE.reshape(1, 1)])
    assert ran.status.tolist() == [0]
    assert ran.instructions.max() <= bound
    trained = sum(graph.constants[w].nbytes for w in chosen.weights)
    widest = 2 * max(sum(n) for n in ((8, 10), (4, 3)))  # outputs of a layer and their gradients
    assert program.weights_bytes + program.arena_bytes <= trained + 1.3 * 4 * widest


@pytest.mark.parametrize("widths", [(13, 32, 1), (6, 33, 17, 5), (60, 2), (1, 3, 3, 3, 1), (6, 9, 67)])
def test_so_does_one_of_other_networks(widths) -> None:
    functions = (*["relu"] * (len(widths) - 2), "linear")
    graph, chip = dense_network("net", widths, functions, softmax=widths[-1] == 2), get("cortex-m4")
    deployed, _ = as_deployable(graph, "float32", "net")
    alone = deployed.for_target(chip).for_emulation("float32", chip).prove("float32", chip)
    model = as_learning(graph, Learning(layers="all"), name="net")
    learned = model.prove(chip, model.made_up(2))
    assert learned.matches
    assert alone.instructions
    assert learned.instructions <= 4 * alone.instructions


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_layers_of_any_width_learn_on_a_chip(optimizer) -> None:
    """Some that read the input, whose gradient nobody asks for, then some in a row: weights are moved several at a time
    there, those that are left over one by one."""
    b, dice = GraphBuilder("widths"), np.random.default_rng(4)

    def dense(value: str, inputs: int, outputs: int, name: str, function: str = "tanh") -> str:
        kernel = b.constant(dice.normal(size=(inputs, outputs)) / inputs**0.5, f"{name}_kernel")
        return b.add("dense", value, kernel, b.constant(np.zeros(outputs), f"{name}_bias"), function=function)

    x = b.input("x", (1, 5))
    beside, chain = (1, 2, 3, 4, 7, 9, 17), (2, 3, 4, 7, 17, 1, 8, 3)
    value = b.add("concatenate", *(dense(x, 5, width, f"beside_{width}") for width in beside))
    for at, (n, m) in enumerate(pairwise((sum(beside), *chain))):
        value = dense(value, n, m, f"chain_{at}", "linear" if at == len(chain) - 1 else "tanh")
    model = as_learning(b.build([value]), Learning(layers="all", optimizer=optimizer), name="widths")
    rows, truths = model.made_up(3)
    proof = model.prove(get("cortex-m4"), (rows, truths))
    assert proof.matches
    after, _ = model.learned(rows, truths, model.rate)
    assert all((after[name] != model.learner.learn.variables[name]).any() for name in model.learner.weights)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", NETWORKS)
def test_the_arena_is_nearly_what_is_alive_at_once(name, rule) -> None:
    memory = planned(made(name, rule).learn, None).memory
    assert memory.words <= 1.3 * memory.least_words


@pytest.mark.parametrize(("outputs", "function", "count"), [(64, SQUARED, 1), (66, "huber", None), (65, BINARY, None)])
@pytest.mark.parametrize("rule", RULES)
def test_where_many_outputs_learn_they_are_never_all_stored(rule, outputs, function, count) -> None:
    """Eight at a time and what is left over, with the same numbers, whether the layers before learn too or not."""
    last = "sigmoid" if function == BINARY else "linear"
    graph = dense_network("wide", (5, 7, outputs), ("relu", last), softmax=False)
    chosen = learner(graph, weights_of(graph, count), Goal(function), RULES[rule]())
    program = generate({"learn": chosen.learn}, "wide", initial_values=True)
    if count or rule in ("sgd", "momentum", "adam"):  # others go over the weights once more for the gradient
        assert program.arena_bytes <= 4 * (2 * 7 + 8)
    native, held = load(program), dict(chosen.learn.variables)
    for step in range(3):
        dice = np.random.default_rng(step)
        x, y = dice.normal(size=(1, 5)).astype(np.float32), dice.uniform(size=(1, outputs)).astype(np.float32)
        native.function("wide_learn")(x, y, RATE.reshape(()))
        _, expected = expected_of(Case(chosen.learn, (x, y, RATE)), held)
        held = {v: native.variable(v, chosen.learn.types[v]).copy() for v in held}
        for variable, wanted in expected.items():
            wanted.require(held[variable], f"{variable} after step {step}")


AD01 = shared_data("mlperf_tiny") / "ad01.h5"


@needs(AD01)
def test_the_last_layer_of_an_autoencoder_learns_in_next_to_nothing() -> None:
    """Beside its weights, which move from flash to RAM, at most 2 KiB of flash and 512 bytes of RAM over inference."""
    how, chip = Learning(layers="last"), get("cortex-m4")
    model = as_learning(AD01, how, name="ad01")
    learned = model.prove(chip, model.made_up(1))
    deployed, _ = as_deployable(AD01, "float32", "ad01")
    alone = deployed.for_target(chip).for_emulation("float32", chip).prove("float32", chip)
    assert learned.matches
    assert learned.flash_bytes - alone.flash_bytes <= 2048
    assert learned.ram_bytes - learned.trained_bytes - alone.ram_bytes <= 512
    assert learned.instructions <= 4 * alone.instructions


def on_chip(program: Program, function: str, *inputs: Array) -> tuple[list[int], bytes]:
    chip = emulator.CortexM(firmware.build(program, get("cortex-m4"), function))
    return chip.run(inputs).status.tolist(), chip.weights()


def test_a_step_refuses_what_is_no_number_and_no_class() -> None:
    chosen = made("classes")
    face = Interface(learning=chosen.interface, may_be_missing=(True, False, False, False))
    program = generate(chosen.graphs, "net", initial_values=True, interface=face)
    rows = np.tile(lesson("classes")[0], (7, 1))
    truths, rates = np.ones((7, 1), np.float32), np.full((7, 1), RATE)
    rows[0, 1], rows[1, 0], truths[2], truths[3], truths[4], truths[5], rates[6] = (
        np.nan,
        np.inf,
        3,
        -1,
        0.5,
        np.nan,
        np.nan,
    )
    status, weights = on_chip(program, "net_learn", rows, truths, rates)
    assert status == [1, 1, 2, 2, 2, 1, 1]
    kernel = np.frombuffer(weights, np.float32, 16)
    np.testing.assert_array_equal(kernel, chosen.learn.variables[chosen.weights[0]].reshape(-1))


def integer(name: str) -> Graph:
    graph, _ = NETWORKS[name]
    (x,) = graph.inputs
    rows = np.random.default_rng(5).normal(size=(60, graph.types[x].size)).astype(np.float32)
    return quantize(graph, {x: rows}, "int8")


@pytest.mark.parametrize("count", [1, 2])
def test_a_float_head_reads_what_the_integer_body_holds(count) -> None:
    """The body's numbers to the bit, and the head as it was in float."""
    graph, small = NETWORKS["deep"][0], integer("deep")
    mixed = with_float_head(small, graph, count)
    dense = [n.operation for n in mixed.nodes if n.operation.startswith("dense")]
    assert dense == ["dense_int8"] * (3 - count) + ["dense"] * count
    x = lesson("deep")[0]
    values, whole = run(mixed, [x]).values, run(small, [x]).values
    (joint,) = [n for n in mixed.nodes if n.operation == "dequantize"]
    np.testing.assert_array_equal(values[joint.inputs[0]], whole[joint.inputs[0]])
    kind = small.types[joint.inputs[0]].quantization
    assert kind is not None
    meant = (whole[joint.inputs[0]].astype(np.float64) - kind.zero_point[0]) * kind.scale[0]
    require_close(values[joint.output], meant, 1, unit=2.0**-17)  # the scale in 16 bits, so that products are exact
    head = next(n for level in levels(graph)[:count] for n in level).output
    wanted = run(graph, [x]).values[head]
    rough = np.abs(graph.constants[f"dense_{4 - count}/kernel"]).sum(axis=0).max() * kind.scale[0] if count == 1 else 1
    assert np.abs(values[head] - wanted).max() <= 8 * rough


def test_an_integer_body_does_not_learn() -> None:
    with pytest.raises(UnsupportedError, match="the body stays as it is; received 3 of 3"):
        with_float_head(integer("deep"), NETWORKS["deep"][0], 3)


def skipping() -> Graph:
    """A network and a linear layer beside it."""
    b = GraphBuilder("skipping")
    x = b.input("x", (1, 4))

    def dense(value: str, n: int, m: int, name: str) -> str:
        kernel, bias = b.constant(DICE.normal(size=(n, m)), f"{name}_kernel"), b.constant(np.zeros(m), f"{name}_bias")
        return b.add("dense", value, kernel, bias, name=name, function="relu" if name == "hidden" else "linear")

    deep = dense(dense(x, 4, 6, "hidden"), 6, 2, "deep")
    return b.build([b.add("add", deep, dense(x, 4, 2, "skip"), name="y")])


def test_the_last_level_is_every_layer_that_no_other_follows() -> None:
    assert weights_of(skipping(), 1) == ["deep_kernel", "deep_bias", "skip_kernel", "skip_bias"]
    rows = DICE.normal(size=(40, 4)).astype(np.float32)
    mixed = with_float_head(quantize(skipping(), {"x": rows}, "int8"), skipping(), 1)
    assert sorted(n.operation for n in mixed.nodes if "dense" in n.operation) == ["dense", "dense", "dense_int8"]


@pytest.mark.parametrize("count", [0, 4, 7])
def test_as_many_layers_learn_as_there_are(count) -> None:
    with pytest.raises(UnsupportedError, match=f"received {count} of 3"):
        weights_of(NETWORKS["deep"][0], count)


def test_a_network_without_layers_does_not_learn() -> None:
    b = GraphBuilder("none")
    with pytest.raises(UnsupportedError, match="a network with such a layer"):
        weights_of(b.build([b.add("square", b.input("x", (1, 2)), name="y")]), None)


def test_what_has_no_gradient_is_named() -> None:
    b = GraphBuilder("codes")
    hidden = b.add("dense", b.input("x", (1, 2)), b.constant(np.ones((2, 1)), "k"), b.constant(np.zeros(1), "b"))
    graph = b.build([b.add("one_hot", hidden, depth=3, name="y")])
    with pytest.raises(UnsupportedError, match=r"one_hot has no gradient.*--learn last"):
        learner(graph, weights_of(graph, None), Goal(SQUARED), optimizers.SGD())


@pytest.mark.parametrize("name", ["numbers", "classes"])
def test_columns_and_answers_in_their_units_are_the_same_function(name) -> None:
    graph, _ = NETWORKS[name]
    size = graph.types[graph.inputs[0]].size
    mean, scale = DICE.normal(size=size) * 50, np.exp(DICE.normal(size=size))
    scale[1], mean[1] = 1, 0
    changed = standardized(graph, weights_of(graph, None), mean, scale)
    changed = in_units(changed, 40.0, 8.0) if name == "numbers" else changed
    x = (mean + scale * DICE.normal(size=size)).astype(np.float32)[None]
    (bound,) = graph_bounds(graph, [x])[: len(graph.outputs)]
    moved = graph_bounds(changed, [x])[0]
    # Weights of the changed graph are rounded once more, of sums as large as all columns make together.
    reach = np.abs(graph.constants[weights_of(graph, None)[0]]).sum(axis=1) @ np.abs(mean).astype(np.float64)
    bound.rounded_more(float(reach) + 100).require(run(changed, [x]).outputs[0])
    assert np.isfinite(moved.room).all()


def test_statistics_follow_the_rows_as_welfords_do() -> None:
    mean, scale = np.array([10.0, -3.0, 0.0, 5.0]), np.array([2.0, 0.5, 0.0, 3.0])  # the third is not followed
    chosen = made("classes", columns=Columns(mean, scale, rows=1, window=1000))
    assert chosen.observe is not None
    dice = np.random.default_rng(0)
    rows = (mean + 1.5 * scale + 0.7 * np.where(scale, scale, 1) * dice.normal(size=(200, 4))).astype(np.float32)
    rows[::5, 3] = np.nan
    held: dict[str, Array] = dict(chosen.learn.variables)
    for row in rows:
        held = {**held, **run(chosen.observe, [row[None]], {v: held[v] for v in chosen.observe.variables}).variables}
    for column in (0, 1, 3):
        seen = rows[:, column][~np.isnan(rows[:, column])].astype(np.float64)
        z = (seen - mean[column]) / scale[column]
        count = len(z) + 1  # begins as one row at the mean it was trained with, and a variance of 1
        moved = z.sum() / count
        variance = (1 + (z**2).sum()) / count - moved**2
        room = 8 * count * UNIT * (1 + np.abs(z).max() ** 2)
        assert abs(held["input_moved"][column] - moved) <= room
        assert abs(held["input_variance"][column] - variance) <= room
        assert abs(held["input_slope"][column] - variance**-0.5) <= room
    assert held["input_slope"][2] == 1
    assert held["input_shift"][2] == 0
    back = rows * held["input_slope"] + held["input_shift"]
    followed = [0, 1, 3]
    assert np.abs((np.nanmean(back, axis=0) - mean) / np.where(scale, scale, 1))[followed].max() < 0.1
    assert np.abs(np.nanstd(back, axis=0)[followed] / scale[followed] - 1).max() < 0.1


def test_statistics_that_have_seen_nothing_change_no_bit() -> None:
    graph, _ = NETWORKS["classes"]
    chosen = made("classes", columns=Columns(np.array([1e6, 3, -2, 0.1]), np.ones(4)))
    x = lesson("classes")[0]
    np.testing.assert_array_equal(run(chosen.run, [x]).outputs[0], run(optimize(graph), [x]).outputs[0])


def guarded(rows: int = 4) -> tuple[Learner, Program]:
    chosen = made("classes").remembering(rows)
    face = Interface(learning=chosen.interface)
    return chosen, generate(chosen.graphs, "net", initial_values=True, interface=face)


def ring_of(chosen: Learner, weights: bytes, program: Program) -> dict[str, Array]:
    return {
        v: np.frombuffer(weights[at : at + chosen.learn.types[v].bytes], chosen.learn.types[v].dtype.numpy).reshape(
            chosen.learn.types[v].shape
        )
        for v, at in program.variable_offsets.items()
    }


def test_an_update_is_adopted_only_if_what_is_remembered_does_not_lose_by_it() -> None:
    """Row by row on the chip: of every adopted step the sum of losses over the ring falls, and one that would raise it
    leaves no trace."""
    chosen, program = guarded()
    chip = emulator.CortexM(firmware.build(program, get("cortex-m4"), "net_learn"))
    dice = np.random.default_rng(2)
    before, seen, adopted = chip.weights(), set(), []
    for _ in range(40):
        row, truth = dice.normal(size=(1, 4)).astype(np.float32), dice.integers(0, 3, (1, 1)).astype(np.float32)
        (state,) = chip.run([row, truth, np.full((1, 1), 0.3, np.float32)]).status.tolist()
        after = chip.weights()
        seen.add(state)
        if state == 3:
            assert after == before
        else:
            adopted.append((row, truth))
            old, new = (ring_of(chosen, w, program) for w in (before, after))
            kept = [r for r, _ in adopted[-4:]]
            assert {r.tobytes() for r in new[RING_ROWS][: len(kept)]} == {r.tobytes() for r in kept}
            assert int(new[RING_COUNT][0]) == (len(adopted) if len(adopted) < 8 else 4 + len(adopted) % 4)
            losses = [_losses(chosen, weights, adopted[-4:]) for weights in (old, new)]
            assert losses[1] <= losses[0] + 16 * UNIT * len(kept) * (1 + losses[0])
        before = after
    assert seen == {0, 3}


def _losses(chosen: Learner, held: dict[str, Array], rows: list[tuple[Array, Array]]) -> float:
    given = {name: held[name] for name in chosen.loss.variables}
    return sum(float(run(chosen.loss, [*one], given).outputs[0].reshape(())) for one in rows)


def test_a_step_that_ends_in_no_number_is_taken_back() -> None:
    _, program = guarded()
    x, y = lesson("classes")
    chip = emulator.CortexM(firmware.build(program, get("cortex-m4"), "net_learn"))
    before = chip.weights()
    rates = np.array([[3e38]], np.float32)
    states = [chip.run([x * s, y, rates]).status[0] for s in np.float32([1e10, 1e19])]
    assert states == [3, 3]
    assert chip.weights() == before


def test_a_frozen_network_learns_nothing_else() -> None:
    chosen = made("deep", count=2)
    x, y = lesson("deep")
    assert set(run(chosen.learn, [x, y, RATE]).variables) == set(chosen.weights)
