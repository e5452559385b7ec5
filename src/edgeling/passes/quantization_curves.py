# SPDX-License-Identifier: Apache-2.0
"""The rule of quantisation for networks that are a sum over columns: an int8 column has 256 values, so what it adds is
a table, whatever computes it, and the network is look-ups and sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgeling.graph.integer import CURVES_UNIT, INT8_MAX, INT8_MIN
from edgeling.graph.types import Array, Graph, Node, place_within
from edgeling.passes.quantization import Context, Stored, require_finite
from edgeling.passes.quantization_layers import Sums, activated
from edgeling.passes.scales import LARGEST_BIAS, LEAST_HIDDEN_SCALE

_LEVELS = np.arange(INT8_MIN, INT8_MAX + 1)
_PATTERN = ("gather", "multiply", "add", "activation", "concatenate")


@dataclass(frozen=True, eq=False)
class ColumnSum:
    """Hidden units of relu, of one column each, and the columns themselves, which one dense layer sums.

    Attributes:
        x: the columns.
        units: the nodes between; nobody else reads what they make.
        source: of each unit its column.
        slope, offset: of each unit.
    """

    x: str
    units: tuple[Node, ...]
    source: Array
    slope: Array
    offset: Array


def column_sums(graph: Graph) -> dict[str, ColumnSum]:
    """The dense layers of a graph that end such a network, by the value they make."""
    found = {node.output: _ending(graph, node) for node in graph.nodes if node.operation == "dense"}
    return {value: each for value, each in found.items() if each is not None}


def _ending(graph: Graph, last: Node) -> ColumnSum | None:
    makers = {output: node for node in graph.nodes for output in node.outputs}
    units, value = list[Node](), last.inputs[0]
    for operation in reversed(_PATTERN):
        made = makers.get(value)
        readers = sum(node.inputs.count(value) for node in graph.nodes)
        if made is None or made.operation != operation or readers != 1 or value in graph.outputs:
            return None
        units = [made, *units]
        value = next((i for i in made.inputs if i not in graph.constants), "")
    gather, multiply, add, activation, concatenate = units
    x, source = concatenate.inputs[-1], np.array(gather.attributes["indices"])
    place = place_within(makers, graph.types, x, value)
    slope, offset = (_vector(graph, node, len(source)) for node in (multiply, add))
    known = place is not None and all(i in graph.constants for i in last.inputs[1:])
    if not known or len(concatenate.inputs) != 2 or activation.attributes["function"] != "relu":
        return None
    if slope is None or offset is None or place is None:
        return None
    return ColumnSum(x, tuple(units), source + place, slope, offset)


def _vector(graph: Graph, node: Node, size: int) -> Array | None:
    """The constant of a sum or product, one number a unit."""
    array = next((graph.constants[i] for i in node.inputs if i in graph.constants), np.empty(0))
    return array.ravel().astype(np.float64) if array.size == size else None


def curves(c: Context, node: Node, found: ColumnSum) -> Stored | None:
    """Such a network as tables; None where its columns are no features of float."""
    x = c.columns(found.x)
    if x.affine is not None:
        return None
    kernel, bias = (c.array(name) for name in node.inputs[1:])
    linear = c.float[node.inputs[0]].astype(np.float64) @ kernel + bias
    require_finite(linear, node.output)
    tables, shifts = _tables(c, found, x, kernel)
    return activated(c, node, linear, _sums(c, node, x, tables, shifts, linear))


def _tables(c: Context, found: ColumnSum, x: Stored, kernel: Array) -> tuple[list[Array], tuple[int, ...]]:
    """Of each column what it adds, float64 [entries, outputs]; and the shifts."""
    units, tables, shifts = len(found.source), [], []
    for column, is_binary in enumerate(_binary(c.graph, found.x)):
        worth, at_zero = (float(np.ravel(part)[column if np.size(part) > 1 else 0]) for part in (x.columns, x.offset))
        ends = np.clip(np.rint((np.array([0.0, 1.0]) - at_zero) / worth), INT8_MIN, INT8_MAX) if is_binary else None
        shift, levels = _entries(ends)
        values = levels * worth + at_zero
        mine = np.flatnonzero(found.source == column)
        hidden = np.maximum(values[:, None] * found.slope[mine] + found.offset[mine], 0)
        tables.append(hidden @ kernel[mine] + values[:, None] * kernel[units + column])
        shifts.append(shift)
    return tables, tuple(shifts)


def _entries(ends: Array | None) -> tuple[int, Array]:
    """The shift of a column, and for each entry of its table the stored value it stands for: all 256; where only two
    can be, as few as tell them apart."""
    if ends is None:
        return 0, _LEVELS
    first, second = (ends - INT8_MIN).astype(int)
    shift = next((s for s in range(7, 0, -1) if first >> s != second >> s), 0)
    levels = _LEVELS[:: 1 << shift].copy()
    levels[[first >> shift, second >> shift]] = ends
    return shift, levels


def _binary(graph: Graph, value: str) -> list[bool]:
    """Of each column, whether it is always 0 or 1."""
    made = next((node for node in graph.nodes if value in node.outputs), None)
    if made is not None and made.operation == "concatenate":
        return [flag for part in made.inputs for flag in _binary(graph, part)]
    return [made is not None and made.operation == "one_hot"] * graph.types[value].shape[-1]


def _sums(
    c: Context, node: Node, x: Stored, tables: Sequence[Array], shifts: tuple[int, ...], linear: Array
) -> Sums:  # fmt: skip
    """The sums, in steps as fine as the column that adds most lets its table be."""
    half = np.max([np.ptp(table, axis=0) / 2 for table in tables], axis=0)
    least = CURVES_UNIT * np.abs(linear).max(axis=0) / LARGEST_BIAS
    scale = np.maximum(half / INT8_MAX, least)
    scale = np.where(scale == 0, 1.0, scale)
    middles = [(table.max(axis=0) + table.min(axis=0)) / 2 for table in tables]
    stored = [np.rint((t - m) / scale).astype(np.int8).T for t, m in zip(tables, middles, strict=True)]
    starts = np.cumsum([0, *(256 >> shift for shift in shifts)])[:-1]
    whole = np.ascontiguousarray(np.concatenate(stored, axis=1))
    places = starts + ((x.rows.astype(np.int64) - INT8_MIN) >> np.array(shifts))
    seen = whole.astype(np.int64)[:, places].sum(axis=-1).T
    bias = np.rint((linear / scale - seen).mean(axis=0) * CURVES_UNIT).astype(np.int32)

    def sums(name: str, reach: Array, clamp: str) -> Stored:
        out = c.choose(name, 2 * float(scale.max()) / CURVES_UNIT, LEAST_HIDDEN_SCALE, reach)
        multiplier, right_shift = c.scheme.multipliers(scale / CURVES_UNIT / out.scale)
        parts = {"tables": whole, "bias": bias, "multiplier": multiplier, "right_shift": right_shift}
        constants = [c.constant(array, f"{name}_{part}") for part, array in parts.items()]
        limits = c.limits(clamp, out)
        return c.emit("curves_int8", name, out, [x.name, *constants], node.output,
                      shifts=shifts, zero_point=out.zero_point, **limits)  # fmt: skip

    return sums
