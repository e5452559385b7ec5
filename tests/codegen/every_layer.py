# SPDX-License-Identifier: Apache-2.0
"""A small network of each layer, with some of its arguments, and what it must answer: one program of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from edgeling.codegen import Program, generate
from edgeling.graph.types import Array, Graph
from edgeling.network.network import inference_graph
from edgeling.passes import optimize
from edgeling.targets import Target
from tests.codegen.harness import apart
from tests.support.drawn_layers import DRAWN, data_of, draw_each, our_model_of, some
from tests.support.rounding import Bound, row_bounds

LARGEST_BYTES = 5000  # of what an ATmega holds beside its stack
IN_C = [name for name in DRAWN if not name.startswith("Random")]  # which are nothing but what they are given


@dataclass(frozen=True)
class Item:
    """A layer's name, a network of it for one row, a row, and the answer."""

    name: str
    graph: Graph
    rows: tuple[Array, ...]
    bound: Bound


def fits(graph: Graph) -> bool:
    """Whether RAM of an ATmega is enough."""
    program = generate(graph, "net")
    ports = (*program.entries[0].inputs, *program.entries[0].outputs)
    return program.arena_bytes + program.weights_bytes + sum(port.type.bytes for port in ports) <= LARGEST_BYTES


def network_of(name: str, number: int) -> tuple[Graph, list[Array]]:
    """The first that is small enough of those drawn; the same in every process."""
    found: list[tuple[Graph, list[Array]]] = []

    @seed(number)
    @settings(some, max_examples=1)  # a second would draw nothing more
    @given(drawing=st.data())
    def draw(drawing: Any) -> None:
        while not found:
            drawn = draw_each(drawing, [name])
            graph, rows = optimize(inference_graph(our_model_of(drawn))), data_of(drawn)
            if fits(graph):
                found.append((graph, [x[:1] for x in (rows if isinstance(rows, list) else [rows])]))

    draw()
    return found[0]


@cache
def items(number: int) -> tuple[Item, ...]:
    """Of every layer one, with other arguments for another number."""
    networks = {name: network_of(name, number) for name in IN_C}
    return tuple(Item(name, graph, tuple(row), row_bounds(graph, *row)[0]) for name, (graph, row) in networks.items())


def program_of(chosen: Sequence[Item], target: Target | None = None) -> Program:
    """With an entry for each."""
    return generate({f"c{i}": apart(item.graph, f"c{i}_") for i, item in enumerate(chosen)}, "cases", target=target)


def require(chosen: Sequence[Item], answers: bytes, where: str) -> None:
    """AssertionError where what was answered, one after another, is not what the networks mean."""
    given = np.split(np.frombuffer(answers, np.float32), np.cumsum([item.bound.exact.size for item in chosen]))
    assert given.pop().size == 0
    for item, found in zip(chosen, given, strict=True):
        item.bound.require(found, f"{item.name} {where}")
