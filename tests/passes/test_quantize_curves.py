# SPDX-License-Identifier: Apache-2.0
"""Sums over columns in int8: tables, held to what each column adds in double precision."""

from __future__ import annotations

import numpy as np
import pytest

from edgeling.codegen import generate
from edgeling.graph import Graph, GraphBuilder, run_rows
from edgeling.graph.types import Array
from edgeling.passes import optimize
from edgeling.passes.quantize import quantize
from edgeling.targets import get
from edgeling.toolchain.prove import prove

UNITS, BENT, KINDS = 7, 3, 4


def network(outputs: int = 2, *, behind: bool = False) -> Graph:
    """Three numbers, standardised, and a category of four kinds; or the same behind a dense layer."""
    dice = np.random.default_rng(outputs)
    b = GraphBuilder("sum")
    x = b.input("x", (1, BENT + 1))
    numbers = b.add("gather", x, indices=(0, 1, 2))
    numbers = b.add("standardize", numbers, b.constant([3.0, -1.0, 40.0], "mean"), b.constant([1.0, 0.2, 9.0], "scale"))
    if behind:
        numbers = b.add("dense", numbers, b.constant(dice.normal(size=(BENT, BENT)), "first"),
                        b.constant(np.zeros(BENT), "zeros"), function="tanh")  # fmt: skip
    each = b.add("gather", numbers, indices=tuple(c for c in range(BENT) for _ in range(UNITS)))
    scaled = b.add("multiply", each, b.constant(dice.normal(size=BENT * UNITS), "slope"))
    relu = b.add("activation", b.add("add", scaled, b.constant(dice.normal(size=BENT * UNITS), "offset")),
                 function="relu")  # fmt: skip
    flat = [numbers]
    if not behind:
        flat.append(b.add("one_hot", b.add("gather", x, indices=(BENT,)), depth=KINDS))
    both = b.add("concatenate", relu, b.add("concatenate", *flat) if len(flat) > 1 else numbers)
    kernel = dice.normal(size=(b.type_of(both).shape[1], outputs))
    return optimize(b.build([b.add("dense", both, b.constant(kernel, "kernel"), b.constant(dice.normal(size=outputs)),
                                   function="sigmoid" if outputs == 1 else "linear", name="y")]))  # fmt: skip


def rows(count: int = 200) -> Array:
    dice = np.random.default_rng(5)
    numbers = dice.normal(size=(count, BENT)) * [1.0, 0.2, 9.0] + [3.0, -1.0, 40.0]
    return np.column_stack([numbers, dice.integers(0, KINDS, count)]).astype(np.float32)


def made(outputs: int = 2, **how: bool) -> tuple[Graph, Graph]:
    graph = network(outputs, **how)
    return graph, quantize(graph, rows(), "int8")


def test_no_hidden_unit_is_left() -> None:
    _, small = made()
    assert [node.operation for node in small.nodes[-2:]] == ["curves_int8", "dequantize"]
    assert "dense_int8" not in {node.operation for node in small.nodes}
    (node,) = (node for node in small.nodes if node.operation == "curves_int8")
    assert node.attributes["shifts"] == (0,) * BENT + (7,) * KINDS  # what is 0 or 1 has two entries
    assert small.types[node.inputs[1]].shape == (2, BENT * 256 + KINDS * 2)


@pytest.mark.parametrize("column", range(BENT + 1))
def test_what_a_column_adds_is_right_to_half_a_step_for_every_value(column) -> None:
    """Of two rows that differ in one column, the difference is that of the column's term: as the float graph answers it
    in double precision for the values stored; off by half a step of the table in each, and half one of the answer."""
    graph, small = made()
    (quantized,) = (node for node in small.nodes if node.operation == "quantize")
    bits, points = (small.constants[name].astype(np.int64) for name in quantized.inputs[1:3])
    levels = np.arange(-128, 128) if column < BENT else np.arange(KINDS)
    values = np.ldexp((levels - points[column]).astype(float), -bits[column]) if column < BENT else levels
    x = np.repeat(rows(1), len(levels), axis=0)
    x[:, column] = values
    (node,) = (node for node in small.nodes if node.operation == "curves_int8")
    (out,) = small.types[node.output].quantization.scale
    exact, found = (run_rows(g, x)[0].astype(np.float64) for g in (graph, small))
    step = _steps(graph, small)
    inside = (found > found.min()) & (found < found.max())  # beyond what the answer's range holds
    off = np.abs((found - found[len(x) // 2]) - (exact - exact[len(x) // 2]))
    both = inside & inside[len(x) // 2]
    assert both.any()
    assert np.all(off[both] <= np.broadcast_to(step + out, off.shape)[both])


def _steps(graph: Graph, small: Graph) -> Array:
    """Of each output a step of the tables, by what the multipliers bring to the answer's scale."""
    (node,) = (node for node in small.nodes if node.operation == "curves_int8")
    multiplier, shift = (small.constants[name].astype(np.float64) for name in node.inputs[3:])
    (out,) = small.types[node.output].quantization.scale
    return np.asarray(256 * multiplier * 2.0**-31 * 2.0**-shift * out)[None]


@pytest.mark.parametrize("outputs", [1, 2])
def test_answers_are_near_and_chips_give_their_bits(outputs) -> None:
    graph, small = made(outputs)
    exact, found = (run_rows(g, rows())[0].astype(np.float64) for g in (graph, small))
    assert np.sqrt(np.mean((found - exact) ** 2)) < 0.03 * exact.std()  # some 250 steps in six times its spread
    x, wanted = rows()[:9], found[:9].astype(np.float32)
    for chip in map(get, ("cortex-m4", "cortex-m0plus", "wasm32")):
        assert prove(generate(small, "sum", target=chip), chip, [x], [wanted], 0).matches


def test_behind_another_layer_it_stays_a_network() -> None:
    graph, small = made(behind=True)
    assert "curves_int8" not in {node.operation for node in small.nodes}
    exact, found = (run_rows(g, rows())[0].astype(np.float64) for g in (graph, small))
    assert np.sqrt(np.mean((found - exact) ** 2)) < 0.1 * exact.std()
