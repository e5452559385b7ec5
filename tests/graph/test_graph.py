# SPDX-License-Identifier: Apache-2.0
"""Building, checking, printing, writing down, reading back, interpreting."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeling.errors import GraphError
from edgeling.graph import Graph, GraphBuilder, Node, TensorType, check, run, run_rows
from edgeling.graph.attributes import complete_attributes
from edgeling.graph.printer import to_text
from edgeling.graph.serialize import from_json, to_json
from tests.support.rounding import graph_bounds


def small_graph() -> Graph:
    b = GraphBuilder("small")
    x = b.input("x", (1, 3))
    kernel = b.constant(np.arange(6).reshape(3, 2) / 10, "kernel")
    bias = b.constant([0.5, -0.5], "bias")
    counter = b.variable(np.uint32(3), "counter")
    b.update(counter, b.add("count", counter))
    b.describe(labels=["a", "b"])
    return b.build([b.add("softmax", b.add("dense", x, kernel, bias, function="relu"), name="y")])


def test_a_network_gives_what_numpy_gives() -> None:
    x = np.array([[1.0, 2.0, 3.0]], np.float32)
    z = np.maximum(x @ np.arange(6).reshape(3, 2) / 10 + [0.5, -0.5], 0)
    expected = np.exp(z) / np.exp(z).sum()
    result = run(small_graph(), [x])
    answer, _ = graph_bounds(small_graph(), [x])
    answer.require(expected, "NumPy's")
    answer.require(result.outputs[0], "the graph's")
    assert result.variables["counter"] == 4


def test_run_rows_runs_each_row() -> None:
    rows = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    (together,) = run_rows(small_graph(), rows)
    assert together.shape == (5, 2)
    graph_bounds(small_graph(), [rows[3:4]])[0].require(together[3])


def test_the_printed_graph_shows_every_value() -> None:
    assert to_text(small_graph()) == (
        "graph small(x: float32[1,3]):\n"
        "  constant kernel: float32[3,2]\n"
        "  constant bias: float32[2]\n"
        "  variable counter: uint32[]\n"
        "  count: uint32[] = count(counter)\n"
        "  dense: float32[1,2] = dense(x, kernel, bias, function='relu', alpha=0.0)\n"
        "  y: float32[1,2] = softmax(dense)\n"
        "  update counter <- count\n"
        "  return y\n"
    )


def test_json_and_arrays_give_the_same_graph_back() -> None:
    graph = small_graph()
    description, arrays = to_json(graph)
    again = from_json(json.loads(json.dumps(description)), arrays)
    assert to_text(again) == to_text(graph)
    assert again.metadata == graph.metadata
    x = np.ones((1, 3), np.float32)
    np.testing.assert_array_equal(run(again, [x]).outputs[0], run(graph, [x]).outputs[0])


def _paths(value, here=()):
    yield here
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from _paths(child, (*here, key))


JUNK = st.one_of(
    st.none(), st.integers(-5, 5), st.text(max_size=3), st.just([]), st.just({}), st.just([[1]]), st.floats()
)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_spoilt_description_is_refused_with_a_graph_error_or_still_legal(data) -> None:
    description, arrays = to_json(small_graph())
    spoilt = copy.deepcopy(json.loads(json.dumps(description)))
    path = data.draw(st.sampled_from([p for p in _paths(spoilt) if p]))
    parent = spoilt
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = data.draw(JUNK)
    try:
        graph = from_json(spoilt, arrays)
    except GraphError:
        return
    check(graph)


@pytest.mark.parametrize("shape", [[1, 1 << 40], [-1, 3]])
def test_a_description_that_would_fill_the_memory_is_refused(shape) -> None:
    description, arrays = to_json(small_graph())
    description["types"]["y"]["shape"] = shape
    with pytest.raises(GraphError, match="at most"):
        from_json(description, arrays)


def broken(**changes) -> Graph:
    return replace(small_graph(), **changes)


@pytest.mark.parametrize(
    "graph",
    [
        broken(name="not a name"),
        broken(outputs=("nowhere",)),
        broken(inputs=("x", "x")),
        broken(nodes=tuple(reversed(small_graph().nodes))),
        broken(nodes=(*small_graph().nodes, Node("no_such", ("x",), ("z",)))),
        broken(nodes=(*small_graph().nodes, Node("add", ("x",), ("z",)))),
        broken(nodes=(*small_graph().nodes, Node("square", ("x",), ("z",), {"colour": 1}))),
        broken(types={**small_graph().types, "y": TensorType((1, 3))}),
        broken(constants={**small_graph().constants, "bias": np.zeros(3, np.float32)}),
        broken(constants={**small_graph().constants, "bias": np.zeros(2, np.float64)}),
        broken(updates=(("kernel", "y"),)),
        broken(updates=(("counter", "y"),)),
        broken(updates=(("counter", "count"), ("counter", "count"))),
    ],
)
def test_an_illegal_graph_is_refused(graph: Graph) -> None:
    with pytest.raises(GraphError):
        check(graph)


@pytest.mark.parametrize(
    ("operation", "shapes", "attributes"),
    [
        ("add", [(2, 3), (4,)], {}),
        ("dense", [(1, 3), (2, 4), (4,)], {}),
        ("dense", [(1, 3), (3, 4), (3,)], {}),
        ("matmul", [(2, 3), (2, 3)], {}),
        ("matmul", [(2, 3), (3,)], {}),
        ("reshape", [(2, 3)], {"shape": (5,)}),
        ("sum", [(2, 3)], {"axes": (2,)}),
        ("gather", [(2, 3)], {"indices": (3,)}),
        ("one_hot", [(2, 3)], {"depth": 3}),
        ("calendar", [(2, 3)], {}),
        ("calendar", [(2, 1)], {"parts": (6,)}),
        ("calendar", [(2, 1)], {"parts": ()}),
        ("calendar", [(2, 1)], {"units_per_day": 7}),
        ("calendar", [(2, 1)], {"units_per_day": 0}),
        ("calendar", [(2, 1)], {"epoch_days": 10**9}),
        ("concatenate", [(2, 3), (3, 3)], {}),
        ("standardize", [(2, 3), (2,), (3,)], {}),
        ("softmax_gradient", [(2, 3), (3, 2)], {}),
        ("adam_update", [(2, 3), (2, 3), (3,), (2, 3), ()], {}),
    ],
)
def test_a_node_of_the_wrong_types_is_refused(operation, shapes, attributes) -> None:
    b = GraphBuilder("g")
    inputs = [b.input(f"i{i}", shape) for i, shape in enumerate(shapes)]
    with pytest.raises(GraphError, match=operation):
        b.add(operation, *inputs, **attributes)


@pytest.mark.parametrize(
    ("operation", "inputs", "attributes"),
    [
        ("activation", 1, {"function": "linear); abort("}),
        ("loss", 2, {"function": "relu"}),
        ("metric", 2, {"function": "mean_squared_error"}),
        ("activation", 1, {"alpha": "1"}),
        ("activation", 1, {"alpha": float("nan")}),
        ("matmul", 2, {"transpose_a": 1}),
        ("sum", 1, {"axes": ("0",)}),
        ("sum", 1, {"axes": [0]}),
        ("one_hot", 1, {"depth": 2.0}),
        ("one_hot", 1, {"depth": True}),
    ],
)
def test_an_attribute_of_another_kind_or_an_unknown_function_is_refused(operation, inputs, attributes) -> None:
    with pytest.raises(GraphError, match=operation):
        complete_attributes(operation, inputs, attributes)


def test_names_are_made_unique() -> None:
    b = GraphBuilder("g")
    x = b.input("x", (1,))
    assert [b.add("square", x) for _ in range(3)] == ["square", "square_2", "square_3"]


def test_inputs_of_the_wrong_shape_are_refused() -> None:
    with pytest.raises(GraphError, match="shape"):
        run(small_graph(), [np.zeros((1, 4))])
