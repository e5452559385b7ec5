# SPDX-License-Identifier: Apache-2.0
"""int16 activations with int8 weights: what they resolve, how they are stored, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from edgeling.errors import UnsupportedError
from edgeling.graph import DType, Graph, GraphBuilder, run_rows
from edgeling.graph.activations import ACTIVATIONS
from edgeling.graph.types import Array
from edgeling.passes import optimize
from edgeling.passes.quantize import quantize

EXACT = 2e-4  # of the spread: a step of a tensor is 1/65535 of its range, some 1e-4 of its spread


def whole_weights(rng: np.random.Generator, inputs: int, outputs: int) -> Array:
    """Weights that int8 holds exactly: a whole number of steps, the largest 127."""
    steps = rng.integers(-127, 128, (inputs, outputs))
    steps[0] = 127
    return steps * (inputs**-0.5 / 64)


def network(sizes: list[int], functions: list[str], alpha: float = 0.0, offset: float = 0.0) -> Graph:
    """Dense layers whose weights lose nothing; ``offset`` is added to the last one's bias."""
    rng = np.random.default_rng(1)
    b = GraphBuilder("net")
    x = b.input("x", (1, sizes[0]))
    for i, (inputs, outputs, function) in enumerate(zip(sizes, sizes[1:], functions, strict=False)):
        bias = rng.normal(0, 0.3, outputs) + offset * (i == len(functions) - 1)
        dense = b.constant(whole_weights(rng, inputs, outputs)), b.constant(bias)
        softmax = function == "softmax"
        x = b.add("dense", x, *dense, function="linear" if softmax else function, alpha=alpha)
        x = b.add("softmax", x) if softmax else x
    return optimize(b.build([x]))


def rows_of(width: int, count: int = 400) -> Array:
    """Whole steps of a power of two, each column of the same range: features lose nothing either."""
    rows = np.random.default_rng(0).integers(-192, 193, (count, width)) / 128
    rows[0], rows[1] = 1.5, -1.5
    return rows.astype(np.float32)


def error(graph: Graph, integers: Graph, rows: Array) -> float:
    (in_float,), (stored,) = run_rows(graph, rows), run_rows(integers, rows)
    return float(np.sqrt(np.mean((in_float - stored) ** 2)) / np.std(in_float))


@pytest.mark.parametrize("functions", [["relu", "linear"], ["relu6", "relu", "linear"], ["hard_tanh", "softmax"]])
def test_layers_resolve_what_int16_holds(functions):
    graph, rows = network([*(6, 12, 5)[: len(functions)], 4], functions), rows_of(6)
    assert error(graph, quantize(graph, rows, "int16x8"), rows) < EXACT
    assert error(graph, quantize(graph, rows), rows) > 10 * EXACT


@pytest.mark.parametrize("function", sorted(ACTIVATIONS))
@pytest.mark.parametrize("place", ["hidden", "last"])
def test_every_activation(function, place):
    """A table's straight lines miss what jumps or bends most; the others are near to what int16 holds."""
    graph = network([6, 12, 4], [function, "linear"] if place == "hidden" else ["relu", function], alpha=0.5)
    rows = rows_of(6)
    jumps = {"hard_shrink": 0.03}  # two jumps of 0.5, each within 1/512 of the values: sqrt(2 / 512) / 2 at the most
    assert error(graph, quantize(graph, rows, "int16x8"), rows) < jumps.get(function, 10 * EXACT)


def test_activations_are_symmetric_and_units_have_tensorflow_lites_scales():
    graph = network([5, 7, 6, 3], ["relu", "tanh", "softmax"])
    integers = quantize(graph, rows_of(5), "int16x8")
    inner = [node.output for node in integers.nodes if node.operation not in ("quantize", "dequantize")]
    stored = [integers.types[name].quantization for name in inner]
    assert all(integers.types[name].dtype is DType.INT16 for name in inner)
    assert all(q.zero_point == (0,) for q in stored)
    assert [integers.types[node.output].quantization.scale for node in integers.nodes
            if node.operation in ("lookup_int16", "softmax_int16")] == [(1 / 32768,)] * 2  # fmt: skip


def test_an_answer_far_from_zero_keeps_its_steps():
    graph, rows = network([4, 8, 1], ["relu", "linear"], offset=1000.0), rows_of(4)
    assert error(graph, quantize(graph, rows, "int16x8"), rows) < EXACT


def test_a_wide_layer_whose_sums_would_leave_int32_takes_smaller_weights():
    rng = np.random.default_rng(0)
    b = GraphBuilder("wide")
    kernel = b.constant(rng.uniform(0.9, 1.0, (1500, 2)) * [1, 0.01])
    y = b.add("dense", b.input("x", (1, 1500)), kernel, b.constant(np.zeros(2)))
    graph, rows = b.build([y]), rng.normal(0, 1, (50, 1500)).astype(np.float32)
    assert error(graph, quantize(graph, rows, "int16x8"), rows) < 0.02


def test_another_precision_is_refused():
    with pytest.raises(UnsupportedError, match="int8 or int16x8"):
        quantize(network([3, 2], ["linear"]), rows_of(3), "int4")
