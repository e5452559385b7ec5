# SPDX-License-Identifier: Apache-2.0
"""A graph that passes the legality check runs in C without a fault: graphs drawn from the table of operations, and the
graphs of real networks, forged."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgeling.codegen import generate
from edgeling.errors import EdgelingError, GraphError
from edgeling.graph import Graph, GraphBuilder, Node
from edgeling.graph.operations import OPERATIONS
from edgeling.graph.serialize import from_json, to_json
from edgeling.graph.types import Array, DType, TensorType
from edgeling.passes.quantize import quantize
from tests.codegen.networks import TUTORIALS
from tests.fuzz.mutate import mutate_array, mutate_json
from tests.graph.examples import IMAGE, MAPS, ODD_ATTRIBUTES, M, R, S, example_of, t
from tests.support.sanitized import missing, run_sanitized

DRAWN, NODES, FORGED, TRIES = 66, 25, 40, 8000
LARGEST_BYTES = 1 << 20
needs_sanitizers = pytest.mark.skipif(bool(missing()), reason=missing())
INPUTS = (
    M, M, R, t(2), S, S, t(2, 1), t(3, 4), t(4), t(2, 5), t(2, 3, dtype=DType.INT8),
    t(2, 3, dtype=DType.INT16), t(dtype=DType.UINT32),
    t(2, 3, dtype=DType.INT32), t(2, 2), t(5, 3), t(2, 6), IMAGE, t(2, 3, 1, 6), t(6), t(1, 2, 5, 6), t(1, 2, 3, 2),
    t(2, 3, 4), t(2, 9), t(2, 12), MAPS,
)  # fmt: skip


def drawn_graph(seed: int) -> Graph:
    """Nodes of all operations in turn on any values, as long as the builder takes them."""
    dice = random.Random(seed)
    b = GraphBuilder(f"drawn_{seed}")
    pool = [b.input(f"x{i}", kind.shape, kind.dtype) for i, kind in enumerate(INPUTS)]
    for place in range(NODES):
        pool += _one_more(b, list(OPERATIONS)[(seed * NODES + place) % len(OPERATIONS)], pool, dice)
    return b.build([dice.choice(pool) for _ in range(3)] + pool[-3:])


def _one_more(b: GraphBuilder, operation: str, pool: list[str], dice: random.Random) -> tuple[str, ...]:
    example = example_of(operation)
    names = [_pick(b, pool, given, dice) for given in example.inputs]
    attributes = dict(example.attributes)
    for name in OPERATIONS[operation].attributes:
        if dice.random() < min(0.2, 0.6 / len(OPERATIONS[operation].attributes)):
            attributes[name] = dice.choice(ODD_ATTRIBUTES)
    try:
        return b.add_many(operation, *names, **attributes)
    except GraphError:
        return ()


def _pick(b: GraphBuilder, pool: list[str], given: TensorType | Array, dice: random.Random) -> str:
    if isinstance(given, np.ndarray):
        return b.constant(given, "table")
    fitting = [name for name in pool if b.type_of(name) == given]
    return dice.choice(fitting if fitting and dice.random() < 0.85 else pool)


@needs_sanitizers
def test_graphs_drawn_at_random_run_without_a_fault(tmp_path: Path) -> None:
    graphs = [g for seed in range(DRAWN) for g in becoming_c(lambda seed=seed: drawn_graph(seed))]
    assert len(graphs) > DRAWN // 2
    assert {node.operation for graph in graphs for node in graph.nodes} == OPERATIONS.keys()
    run_sanitized(graphs, tmp_path)


def becoming_c(make) -> Iterator[Graph]:
    """The graph, if it is legal, small, and of operations in an order that has kernels."""
    try:
        graph = make()
        if sum(kind.bytes for kind in graph.types.values()) <= LARGEST_BYTES and generate(graph, "one").files:
            yield graph
    except EdgelingError:
        pass


def real_graphs() -> list[Graph]:
    """A network with preparation, in float32 and in int8, and the tutorials."""
    iris = TUTORIALS["iris"]
    rows = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    b = GraphBuilder("prepared")
    x = b.input("x", (1, 3))
    numbers = b.add("impute", b.add("gather", x, indices=(0, 2)), b.constant(np.ones(2), "fill"))
    numbers = b.add("standardize", numbers, b.constant(np.ones(2), "mean"), b.constant(np.full(2, 3.0), "scale"))
    both = b.add("concatenate", numbers, b.add("one_hot", b.add("gather", x, indices=(1,)), depth=2))
    (y,) = b.inline(iris, both)
    return [b.build([y]), quantize(iris, rows), *TUTORIALS.values()]


def forged(graph: Graph, dice: random.Random) -> Graph:
    """Read back with its description and its arrays changed: one value's type everywhere, or anything."""
    description, arrays = to_json(graph)
    description = json.loads(json.dumps(description))
    match dice.randrange(4):
        case 0:
            description = mutate_json(description, dice)
        case 1:
            _resize(description, arrays, dice)
        case 2:
            kind = description["types"][dice.choice(list(description["types"]))]
            kind["dtype"] = dice.choice([d.value for d in DType])
            description["nodes"] = mutate_json(description["nodes"], dice)
        case _:
            node = dice.choice(description["nodes"])
            node["operation"] = dice.choice(list(OPERATIONS))
            node["attributes"] = dict(example_of(node["operation"]).attributes)
    if dice.random() < 0.5 and arrays:
        name = dice.choice(list(arrays))
        arrays[name] = mutate_array(arrays[name], dice)
    return from_json(description, arrays)


def _resize(description: dict, arrays: dict, dice: random.Random) -> None:
    """One length becomes another wherever it stands."""
    old, new = dice.randrange(1, 12), dice.choice((0, 1, 2, 5, 17, 512))
    for kind in description["types"].values():
        kind["shape"] = [new if n == old else n for n in kind["shape"]]
    for name, array in arrays.items():
        arrays[name] = np.resize(array, [new if n == old else n for n in array.shape])


@needs_sanitizers
def test_the_graphs_of_networks_forged_run_without_a_fault(tmp_path: Path) -> None:
    dice, graphs, real = random.Random(1), [], real_graphs()
    for _ in range(TRIES):
        graphs += becoming_c(lambda: forged(dice.choice(real), dice))
        if len(graphs) == FORGED:
            break
    assert len(graphs) == FORGED
    run_sanitized(graphs, tmp_path)


UNCHECKED = {
    "an activation typed int8": (Node("activation", ("x",), ("y",), {"function": "relu", "alpha": 0.0}), DType.INT8),
    "fewer elements than are read": (Node("square", ("x",), ("y",), {}), DType.FLOAT32),
}


@needs_sanitizers
@pytest.mark.parametrize("name", UNCHECKED)
def test_the_sanitizers_see_what_the_check_is_there_to_refuse(name: str, tmp_path: Path) -> None:
    node, dtype = UNCHECKED[name]
    types = {"x": TensorType((1, 16)), "y": TensorType((1, 64), dtype)}
    with pytest.raises(AssertionError, match="heap-buffer-overflow"):
        run_sanitized([Graph("hostile", ("x",), ("y",), (node,), types)], tmp_path)
