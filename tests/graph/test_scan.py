# SPDX-License-Identifier: Apache-2.0
"""The loop: its meaning against a loop written by hand, its type rule, its text and its file."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from edgeling.errors import GraphError
from edgeling.graph import GraphBuilder, check, run
from edgeling.graph.cost import cost
from edgeling.graph.printer import to_text
from edgeling.graph.scan import Scan
from edgeling.graph.serialize import from_json, to_json
from edgeling.passes import fold, optimize, remove_dead
from tests.support.recurrent import rnn_body
from tests.support.rounding import graph_bounds

ROWS, STEPS, FEATURES, UNITS = 2, 5, 3, 4
RNG = np.random.default_rng(0)
ARRAYS = [
    RNG.normal(size=s).astype(np.float32)
    for s in ((ROWS, UNITS), (ROWS, STEPS, FEATURES), (FEATURES, UNITS), (UNITS, UNITS), (UNITS,))
]


def rnn(reverse: bool = False, **changed):
    b = GraphBuilder("rnn")
    inputs = [b.input(f"in_{i}", a.shape) for i, a in enumerate(ARRAYS)]
    how = {"body": rnn_body(ROWS, FEATURES, UNITS), "length": STEPS, "carried": 1, "axes": (1, 1), "reverse": reverse}
    return b.build(b.add_many("scan", *inputs, **(how | changed)))


def by_hand(reverse: bool):
    h, x, kernel, recurrent, bias = (a.astype(np.float64) for a in ARRAYS)
    ys = np.zeros((ROWS, STEPS, UNITS))
    for step in reversed(range(STEPS)) if reverse else range(STEPS):
        h = ys[:, step] = np.tanh(x[:, step] @ kernel + h @ recurrent + bias)
    return h, ys


@pytest.mark.parametrize("reverse", [False, True])
def test_it_means_a_loop(reverse: bool) -> None:
    graph = rnn(reverse)
    allowed = graph_bounds(graph, ARRAYS)
    for bound, got, wanted in zip(allowed, run(graph, ARRAYS).outputs, by_hand(reverse), strict=True):
        bound.require(got)
        bound.require(wanted)


def test_nothing_carried_is_a_map_and_nothing_scanned_is_a_power() -> None:
    b = GraphBuilder("square")
    body = b.build([b.add("square", b.input("x", (3,)))])
    b = GraphBuilder("map")
    x = b.input("x", (3, 7))
    graph = b.build(b.add_many("scan", x, body=body, length=7, carried=0, axes=(1, 0)))
    (y,) = run(graph, [np.arange(21.0).reshape(3, 7)]).outputs
    np.testing.assert_array_equal(y, np.arange(21.0).reshape(3, 7).T ** 2)

    b = GraphBuilder("doubling")
    h = b.input("h", ())
    body = b.build([b.add("add", h, h)])
    b = GraphBuilder("power")
    graph = b.build(b.add_many("scan", b.input("one", ()), body=body, length=10, carried=1, axes=()))
    assert run(graph, [1.0]).outputs[0] == 1024


BODY = rnn_body(ROWS, FEATURES, UNITS)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"length": STEPS + 1}, "slices"),
        ({"length": 0}, "steps"),
        ({"axes": (0, 1)}, "slices"),
        ({"axes": (1, 3)}, "axis"),
        ({"axes": (1, -1)}, "axis"),
        ({"axes": (1,)}, "is float32"),
        ({"axes": (1, 1, 1)}, "slices|axis|carries|is float32"),
        ({"carried": 0}, "slices|axis|is float32"),
        ({"carried": 3}, "carried"),
        ({"carried": -1}, "carried|slices"),
        ({"body": rnn_body(ROWS, FEATURES, UNITS + 1)}, "is float32"),
        ({"body": rnn_body(ROWS + 1, FEATURES, UNITS)}, "is float32"),
        ({"body": replace(BODY, outputs=(BODY.inputs[1], BODY.outputs[1]))}, "carries"),
        ({"body": replace(BODY, inputs=BODY.inputs[:-1])}, "takes"),
        ({"body": "a text"}, "Graph"),
    ],
)
def test_what_does_not_fit_is_refused(changed, words: str) -> None:
    with pytest.raises(GraphError, match=words):
        rnn(**changed)


def test_a_body_is_as_legal_as_a_graph() -> None:
    broken = replace(BODY, nodes=BODY.nodes[::-1])
    with pytest.raises(GraphError, match="made before"):
        rnn(body=broken)


def test_a_body_keeps_no_variables() -> None:
    b = GraphBuilder("counter")
    v = b.variable(np.zeros(()), "v")
    x = b.input("x", ())
    b.update(v, b.add("add", v, x))
    body = b.build([x])
    b = GraphBuilder("g")
    with pytest.raises(GraphError, match="keeps nothing"):
        b.add_many("scan", b.input("x", (4,)), body=body, length=4, carried=0, axes=(0, 0))


def nested(depth: int):
    b = GraphBuilder("inner")
    body = b.build([b.add("square", b.input("x", (2,)))])
    for _ in range(depth):
        b = GraphBuilder("outer")
        body = b.build(b.add_many("scan", b.input("x", (2,)), body=body, length=2, carried=1, axes=()))
    return body


def test_loops_are_nested_but_not_without_end() -> None:
    assert run(nested(2), [[1.0, 2.0]]).outputs[0].tolist() == [1.0, 2.0**16]
    with pytest.raises(GraphError, match="nested"):
        nested(6)


def test_it_is_written_and_read_back_whole() -> None:
    b = GraphBuilder("inner")
    body = b.build([b.add("multiply", b.input("x", (2,)), b.constant([3.0, 4.0], "factors"))])
    for _ in range(2):
        b = GraphBuilder("outer")
        body = b.build(b.add_many("scan", b.input("x", (2,)), body=body, length=2, carried=1, axes=()))
    description, arrays = to_json(body)
    read = from_json(json.loads(json.dumps(description)), arrays)
    assert to_text(read) == to_text(body)
    np.testing.assert_array_equal(run(read, [[1.0, 1.0]]).outputs[0], [3.0**4, 4.0**4])
    assert "factors" in to_text(body)
    with pytest.raises(GraphError):
        from_json(description, {name: array for name, array in arrays.items() if "node" not in name})


def test_it_costs_its_body_once_a_step() -> None:
    assert cost(rnn()).multiply_accumulates == STEPS * ROWS * UNITS * (FEATURES + UNITS)


def test_what_nobody_needs_is_removed_from_the_loop() -> None:
    graph = rnn()
    final_only = remove_dead(replace(graph, outputs=graph.outputs[:1]))
    (node,) = final_only.nodes
    assert (len(node.outputs), len(Scan.of(node.attributes).body.outputs)) == (1, 1)
    np.testing.assert_array_equal(run(check(final_only), ARRAYS).outputs[0], run(graph, ARRAYS).outputs[0])
    assert remove_dead(graph) is graph


def test_what_is_carried_for_nobody_goes_with_all_it_read() -> None:
    b = GraphBuilder("two")
    p, q, x, k = (b.input(n, ()) for n in ("p", "q", "x", "k"))
    body = b.build([b.add("add", p, x), b.add("multiply", q, k)])
    b = GraphBuilder("g")
    p, q, x, k = b.input("p", ()), b.input("q", ()), b.input("x", (3,)), b.input("k", ())
    outputs = b.add_many("scan", p, q, x, k, body=body, length=3, carried=2, axes=(0,))
    (node,) = remove_dead(b.build(outputs[:1])).nodes
    assert node.inputs == ("p", "x")
    assert node.attributes["carried"] == 1


def test_passes_reach_into_bodies() -> None:
    b = GraphBuilder("body")
    x, k = b.input("x", (1, 2)), b.constant(np.eye(2), "k")
    h = b.add("dense", x, b.add("square", k), b.constant([0.0, 0.0]))
    body = b.build([b.add("activation", h, function="relu")])
    b = GraphBuilder("g")
    graph = b.build(b.add_many("scan", b.input("x", (1, 2)), body=body, length=3, carried=1, axes=()))
    (node,) = fold(graph).nodes
    assert [n.operation for n in node.attributes["body"].nodes] == ["dense", "activation"]
    (node,) = optimize(graph).nodes
    assert [n.operation for n in node.attributes["body"].nodes] == ["dense"]
    assert optimize(optimize(graph)) is not graph


def test_bodies_hold_the_constants_they_would_capture() -> None:
    b = GraphBuilder("rnn")
    h, x = b.input("h", ARRAYS[0].shape), b.input("x", ARRAYS[1].shape)
    constants = [b.constant(a, f"c{i}") for i, a in enumerate(ARRAYS[2:])]
    how = {"body": BODY, "length": STEPS, "carried": 1, "axes": (1, 1)}
    graph = b.build(b.add_many("scan", h, x, *constants, **how))
    folded = fold(graph)
    assert not folded.constants
    for got, wanted in zip(run(check(folded), ARRAYS[:2]).outputs, run(graph, ARRAYS[:2]).outputs, strict=True):
        np.testing.assert_array_equal(got, wanted)
