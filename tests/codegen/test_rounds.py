# SPDX-License-Identifier: Apache-2.0
"""Rounds of calls that threads may do in any order: nobody writes where another reads or writes."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeling.codegen import block, generate
from edgeling.codegen.block import PlannedBlock
from edgeling.codegen.memory import words_of
from edgeling.graph.builder import GraphBuilder
from edgeling.graph.types import Graph
from edgeling.targets import get
from tests.codegen.random_graphs import random_graph

TWO_THREADS = replace(get("native"), threads=2)
Place = tuple[str, int, int]  # whose memory, from word, to word


def _place(made: PlannedBlock, value: str) -> Place:
    root = made.work.roots[value]
    if root in made.memory.offsets:
        at = made.memory.offsets[root]
        return "arena", at, at + words_of(made.work.types[root])
    return made.memory.in_variable.get(root, root), 0, 1


def _meets(one: Place, other: Place) -> bool:
    return one[0] == other[0] and one[1] < other[2] and other[1] < one[2]


def _touched(made: PlannedBlock, at: int) -> tuple[list[Place], list[Place]]:
    """What a call reads, and what it writes, its scratch included."""
    node, written = made.work.nodes[at], []
    if at in made.memory.scratch:
        chosen = made.calls.get(at)
        words = chosen.call.scratch_floats(chosen.setting) if chosen else made.loops[at].words
        written = [("arena", made.memory.scratch[at], made.memory.scratch[at] + words)]
    return [_place(made, x) for x in node.inputs], [*written, *(_place(made, y) for y in node.outputs)]


def _require_no_race(made: PlannedBlock) -> int:
    """How many pairs of calls there are of which either may come first."""
    pairs = [
        pair for pair in combinations(range(len(made.work.nodes)), 2)
        if made.rounds[pair[0]] == made.rounds[pair[1]] and made.followers.get(pair[0]) != pair[1]
    ]  # fmt: skip
    for one, other in pairs:
        (reads, writes), (others_reads, others_writes) = _touched(made, one), _touched(made, other)
        for written, touched in ((writes, [*others_reads, *others_writes]), (others_writes, reads)):
            assert not [(w, t) for w in written for t in touched if _meets(w, t)], (one, other)
    return len(pairs)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**9))
def test_no_call_of_a_round_writes_where_another_reads_or_writes(seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(block, "_is_shared", lambda _: True)
        made = block.planned(random_graph(seed), TWO_THREADS)
    assert list(made.rounds) == sorted(made.rounds)
    _require_no_race(made)


def step(function: str, *, late_reader: bool = False) -> Graph:
    """The way back through a layer, and its update."""
    b = GraphBuilder("step")
    x, h, d, rate = (b.input("x", (96, 128)), b.input("h", (96, 128)), b.input("d", (96, 128)), b.input("rate", ()))
    w = b.variable(np.ones((128, 128), np.float32), "w")
    rows = b.add("matmul", d, w, transpose_b=True)
    kernel = b.add("matmul", x, d, transpose_a=True)
    bias = b.add("sum", d, axes=(0,))
    before = b.add("activation_gradient", rows, h, function=function)
    after = b.add("sgd_update", w, kernel, rate)
    b.update("w", after)
    return b.build([before, bias, *([rows] if late_reader else [])])


def test_gradients_of_a_layer_are_one_round_and_its_update_comes_after() -> None:
    made = block.planned(step("relu"), TWO_THREADS)
    operations = [node.operation for node in made.work.nodes]
    assert operations == ["matmul", "activation_gradient", "matmul", "sgd_update", "sum"]
    assert list(made.rounds) == [0, 0, 0, 1, 1]
    assert made.followers == {0: 1}
    assert made.memory.in_variable
    assert _require_no_race(made) == 3
    text = generate(step("relu"), "step", target=TWO_THREADS).files["step.c"]
    assert text.count("edgeling_begin_round();") == text.count("edgeling_end_round();") == 2
    assert text.count("edgeling_activation_gradient(") == 1  # in the function that is done with the product's parts


@pytest.mark.parametrize("graph", [step("tanh"), step("relu", late_reader=True)], ids=["rounds", "read"])
def test_a_product_is_followed_by_what_is_exact_and_its_only_reader(graph: Graph) -> None:
    made = block.planned(graph, TWO_THREADS)
    assert made.followers == {}
    _require_no_race(made)


def test_one_thread_has_no_rounds() -> None:
    made = block.planned(step("relu"), get("native"))
    assert len(set(made.rounds)) == len(made.work.nodes)
    assert "round" not in generate(step("relu"), "step", target=get("native")).files["step.c"]
