# SPDX-License-Identifier: Apache-2.0
"""The schedule and the memory plan: C keeps the interpreter's values on random graphs; and what the plan promises."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from edgeling import applications, targets
from edgeling.codegen import block, generate
from edgeling.codegen.calls import CALLS
from edgeling.codegen.memory import MemoryPlan, words_of
from edgeling.codegen.schedule import Schedule, schedule
from edgeling.graph.builder import GraphBuilder
from edgeling.graph.types import DType, Graph
from edgeling.models import Model
from edgeling.network.network import inference_graph
from edgeling.passes import optimize
from tests.codegen.harness import Case, check
from tests.codegen.random_graphs import random_case, random_graph

SEED = st.integers(0, 10**9)


def planned(graph: Graph) -> tuple[Schedule, MemoryPlan]:
    made = block.planned(graph, None)
    return made.work, made.memory


# A failure names its seed: shrinking would only compile the same graphs over and over.
@settings(max_examples=2, deadline=None, phases=[Phase.generate])
@given(SEED)
def test_random_graphs_run_as_interpreted(seed):
    check([random_case(seed + i) for i in range(40)], steps=3)


def _life(work: Schedule, memory: MemoryPlan, value: str) -> tuple[int, int]:
    """When a value is made and when it is last needed, found anew from the schedule alone."""
    made = next(i for i, node in enumerate(work.nodes) if value in node.outputs)
    reads = [i for i, node in enumerate(work.nodes) if any(work.roots[x] == value for x in node.inputs)]
    copied = [len(work.nodes)] if value in dict(memory.copied).values() else []
    return made, max([made, *reads, *copied])


@settings(max_examples=150, deadline=None)
@given(SEED)
def test_values_alive_together_never_overlap(seed):
    work, memory = planned(random_graph(seed))
    lives = {value: _life(work, memory, value) for value in memory.offsets}
    values = list(lives)
    for i, a in enumerate(values):
        for b in values[i + 1 :]:
            apart = _apart(work, memory, a, b)
            (a_start, a_end), (b_start, b_end) = lives[a], lives[b]
            meets = a_start <= b_end and b_start <= a_end
            if meets and not apart:
                _assert_taken_over(work, *sorted((a, b), key=lambda v: lives[v]), lives)


def _apart(work: Schedule, memory: MemoryPlan, a: str, b: str) -> bool:
    a_at, b_at = memory.offsets[a], memory.offsets[b]
    return a_at + words_of(work.types[a]) <= b_at or b_at + words_of(work.types[b]) <= a_at


def _assert_taken_over(work: Schedule, early: str, late: str, lives: dict[str, tuple[int, int]]) -> None:
    """The only overlap allowed: a result over an input that dies with the call, where the kernel allows it."""
    at = lives[late][0]
    node = work.nodes[at]
    assert lives[early][1] == at
    used = [i for i, x in enumerate(node.inputs) if work.roots[x] == early]
    assert used
    assert set(used) <= set(CALLS[node.operation][-1].in_place)
    assert work.types[early].size == work.types[late].size


@settings(max_examples=100, deadline=None)
@given(SEED)
def test_the_arena_is_no_larger_than_all_values_and_no_smaller_than_it_must_be(seed):
    _, memory = planned(random_graph(seed))
    assert memory.least_words <= memory.words <= sum(b.words for b in memory.buffers)


@settings(max_examples=100, deadline=None)
@given(SEED)
def test_schedules_keep_the_order_of_making_and_reading(seed):
    work = schedule(random_graph(seed))
    known = {*work.graph.inputs, *work.graph.constants, *work.graph.variables}
    for node in work.nodes:
        assert {work.roots[value] for value in node.inputs} <= known
        known |= set(node.outputs)
    assert set(work.outputs) <= known
    assert len(set(work.outputs) | set(work.updates.values())) == len(work.outputs) + len(work.updates)


def chain(*operations: str) -> Graph:
    b = GraphBuilder("chain")
    value = b.input("x", (4, 8))
    for operation in operations:
        value = b.add(operation, value)
    return b.build([value])


def test_a_chain_of_elementwise_calls_needs_one_buffer():
    _, memory = planned(chain(*["square"] * 6))
    assert memory.words == 32


def test_a_dense_chain_needs_the_two_largest_neighbours():
    b = GraphBuilder("wide")
    value = b.input("x", (1, 4))
    for i, (n, m) in enumerate([(4, 100), (100, 30), (30, 60), (60, 10)]):
        value = b.add("dense", value, b.constant(np.ones((n, m)), f"k{i}"), b.constant(np.ones(m), f"b{i}"))
    _, memory = planned(b.build([value]))
    assert memory.words == memory.least_words == 130


def update_graph(late_reader: bool) -> Graph:
    b = GraphBuilder("update")
    g, lr = b.input("g", (3,)), b.input("lr", ())
    w = b.variable(np.ones(3), "w")
    after = b.add("sgd_update", w, g, lr, name="w_next")
    y = b.add("multiply", after, w) if late_reader else b.add("square", g)
    b.update("w", after)
    return b.build([y])


def test_an_update_is_written_straight_into_its_variable():
    _, memory = planned(update_graph(late_reader=False))
    assert memory.in_variable == {"w_next": "w"}
    assert memory.copied == ()


def test_an_update_waits_apart_while_old_contents_are_still_read():
    graph = update_graph(late_reader=True)
    _, memory = planned(graph)
    assert memory.in_variable == {}
    assert memory.copied == (("w", "w_next"),)
    check([Case(graph, (np.ones(3, "f"), np.full((), 0.5, "f")), exact=True)], steps=3)


def test_updates_run_once_the_old_contents_are_read_so_that_gradients_are_free_early():
    b = GraphBuilder("early")
    x, lr = b.input("x", (4, 4)), b.input("lr", ())
    ws = [b.variable(np.eye(4), f"w{i}") for i in range(5)]
    gradients = []
    for w in ws:
        x = b.add("matmul", x, w)
        gradients.append(b.add("matmul", x, x, transpose_a=True))
    for w, g in zip(ws, gradients, strict=True):
        b.update(w, b.add("sgd_update", w, g, lr))
    _, memory = planned(b.build([x]))
    assert memory.words <= 3 * 16
    assert not memory.copied


@pytest.mark.parametrize("outputs", [("x", "c", "v", "y", "y"), ("r", "y")])
def test_outputs_may_be_anything_even_twice(outputs):
    b = GraphBuilder("anything")
    b.input("x", (2, 3))
    b.constant(np.arange(6.0).reshape(2, 3), "c")
    b.variable(np.full((2, 3), 5.0), "v")
    b.add("add", "x", "v", name="y")
    b.add("reshape", "y", shape=(3, 2), name="r")
    b.update("v", "x")
    check([Case(b.build(outputs), (np.ones((2, 3), "f"),), exact=True)], steps=2)


def test_two_variables_exchange_their_contents():
    b = GraphBuilder("exchange")
    b.input("x", (1, 1))
    for i, name in enumerate("uvw"):
        b.variable(np.full(4, float(i)), name)
    b.update("u", "v")
    b.update("v", "w")
    b.update("w", "u")
    check([Case(b.build(["x", "u"]), (np.ones((1, 1), "f"),), exact=True)], steps=4)


def test_floats_and_integers_never_share_memory():
    b = GraphBuilder("mixed")
    x, seed, step = b.input("x", (1,)), b.input("seed", (), DType.UINT32), b.input("step", (), DType.UINT32)
    early = b.add("square", b.add("square", b.add("square", x)))
    later = b.add("count", b.add("count", step))
    y = b.add("multiply", b.add("dropout_mask", seed, later, shape=(1,)), early)
    work, memory = planned(b.build([y]))
    kinds = {}
    for value, offset in memory.offsets.items():
        kinds.setdefault(offset, set()).add(work.types[value].dtype)
    assert len(kinds) >= 2
    assert all(len(k) == 1 for k in kinds.values())


@pytest.mark.parametrize(
    ("network", "floats"),
    [(applications.ds_cnn, (25 + 2) * 5 * 64), (applications.resnet8, 3 * 32 * 32 * 16)],
    ids=["one image, in which pairs work with two rows beside", "before, after, and what is added"],
)
def test_inference_takes_no_more_than_what_must_live_at_once(network: Callable[[], Model], floats: int) -> None:
    graph = optimize(inference_graph(network()))
    for target in (None, targets.get("cortex-m4"), targets.get("wasm32")):
        assert generate(graph, "network", target=target).arena_bytes == 4 * floats
