# SPDX-License-Identifier: Apache-2.0
"""Networks that are a sum over columns, as tables: a column's term, of one hidden layer of relu, is a curve of straight
lines. Where they meet and how steep each is says all; a search and a product compute it.

Source: Agarwal et al., "Neural additive models" (2021), for the networks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from edgeling.codegen.schedule import CURVES, Schedule
from edgeling.codegen.site import Call, Setting, Site
from edgeling.graph.types import Array, Node, place_within

_FURTHEST = 1e30  # a kink beyond it is never met
_PATTERN = ("gather", "multiply", "add", "activation", "concatenate", "dense")


def with_curves(work: Schedule) -> Schedule:
    """The schedule in which such a network is one call."""
    for last in work.nodes:
        found = _parts(work, last) if last.operation == "dense" else None
        if found is not None:
            gather, multiply, add, _, concatenate, _ = found
            constants = _constant(work, multiply), _constant(work, add), *last.inputs[1:]
            place = _place(work, concatenate, gather) or 0
            attributes = {**last.attributes, "indices": tuple(place + i for i in gather.attributes["indices"])}
            standard = _standardized(work, gather, concatenate)
            gone = (*found, *([standard] if standard else []))
            x = standard.inputs if standard else concatenate.inputs[1:]
            node = Node(CURVES, (x[0], *constants, *x[1:]), last.outputs, attributes)
            kept = [node if other is last else other for other in work.nodes]
            work = replace(work, nodes=tuple(n for n in kept if all(n is not one for one in gone)))
    return work


def _place(work: Schedule, concatenate: Node, gather: Node) -> int | None:
    """Where among all columns those begin of which some have curves."""
    makers = {output: node for node in work.nodes for output in node.outputs}
    whole, part = (work.roots[value] for value in (concatenate.inputs[1], gather.inputs[0]))
    return place_within(makers, work.types, whole, part)


def _standardized(work: Schedule, gather: Node, concatenate: Node) -> Node | None:
    """Who standardises the columns, if all have curves and nobody else reads them."""
    x = gather.inputs[0]
    if work.roots[x] != work.roots[concatenate.inputs[1]]:
        return None
    if len(set(gather.attributes["indices"])) < work.types[x].shape[1]:
        return None
    made = next((n for n in work.nodes if work.roots[x] in n.outputs and n.operation == "standardize"), None)
    readers = sum(work.roots[i] == work.roots[x] for n in work.nodes for i in n.inputs)
    if made is None or readers != 2 or any(work.roots[i] not in work.graph.constants for i in made.inputs[1:]):
        return None
    return None if work.roots[x] in {*work.outputs, *_updated(work)} else made


def _parts(work: Schedule, last: Node) -> tuple[Node, ...] | None:
    """The nodes of the pattern that ends here, in order; none where anything else reads what is between them."""
    makers = {output: node for node in work.nodes for output in node.outputs}
    found, node = [last], last
    for operation in reversed(_PATTERN[:-1]):
        value = next((work.roots[i] for i in node.inputs if work.roots[i] in makers), "")
        made = makers.get(value)
        readers = sum(work.roots[i] == value for n in work.nodes for i in n.inputs)
        if made is None or made.operation != operation or readers != 1 or value in {*work.outputs, *_updated(work)}:
            return None
        found, node = [made, *found], made
    gather, multiply, add, activation, concatenate, _ = found
    same = len(concatenate.inputs) == 2 and _place(work, concatenate, gather) is not None
    known = all(i in work.graph.constants for i in (*map(work.roots.__getitem__, last.inputs[1:]),
                                                    _constant(work, multiply), _constant(work, add)))  # fmt: skip
    hidden = len(gather.attributes["indices"])
    vectors = known and all(work.types[_constant(work, node)].size == hidden for node in (multiply, add))
    return tuple(found) if same and vectors and activation.attributes["function"] == "relu" else None


def _updated(work: Schedule) -> Sequence[str]:
    return tuple(work.updates.values())


def _constant(work: Schedule, node: Node) -> str:
    """The operand of a sum or product that is known; empty if there is none."""
    return next((work.roots[i] for i in node.inputs if work.roots[i] in work.graph.constants), "")


def _tables(setting: Setting) -> Mapping[str, Array]:
    """``at``, ``lines``, ``kernel`` (if a column has one line) and ``bias`` of curves.h."""
    slope, offset, kernel, bias, *unit = (array.astype(np.float64) for _, array in sorted(setting.constants.items()))
    slope, offset, source = slope.ravel(), offset.ravel(), np.array(setting.node.attributes["indices"])
    bent, flat = _columns(setting)
    columns = setting.input_types[0].shape[1]
    mean, scale = (part.ravel() for part in unit) if unit else (np.zeros(columns), np.ones(columns))
    slope = slope / scale[source]
    curves = []
    for column in bent:
        mine = np.flatnonzero(source == column)
        line = kernel[len(source) + column] / scale[column]
        curves.append(_curve(slope[mine], offset[mine], kernel[mine], line, mean[column]))
    most = max(len(at) for at, _ in curves)
    at = np.stack([np.pad(at, (0, 2 ** most.bit_length() - 1 - len(at)), mode="edge") for at, _ in curves])
    lines = np.stack([np.pad(line, ((0, most - len(at)), (0, 0), (0, 0)), mode="edge") for at, line in curves])
    found = {"at": at, "lines": lines, "kernel": kernel[len(source) :][list(flat)], "bias": bias.ravel()}
    return {name: table.astype(np.float32) for name, table in found.items() if table.size}


def _columns(setting: Setting) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Those with curves, and the others."""
    bent = tuple(sorted(set(setting.node.attributes["indices"])))
    return bent, tuple(c for c in range(setting.input_types[0].shape[1]) if c not in bent)


def _curve(slope: Array, offset: Array, kernel: Array, line: Array, mean: float) -> tuple[Array, Array]:
    """Kinks [n], and lines [n + 1, outputs, 2], of a column's term.

    It is ``sum(kernel * relu(slope * (x - mean) + offset)) + line * (x - mean)``.
    A kink that is rounded to float32 moves past no x that is one, so the curve stays the same function.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        where = (mean - offset / slope).astype(np.float32).astype(np.float64)
    is_met = np.isfinite(where) & (np.abs(where) < _FURTHEST) & kernel.any(axis=1)
    at = np.unique(where[is_met]) if is_met.any() else np.array([np.float32(mean)], np.float64)
    made = []
    for i in range(len(at) + 1):
        start = at[max(i - 1, 0)]
        here = slope * (start - mean) + offset
        begins = (slope > 0) == (i > 0)  # of units whose kink is here: whether they are on along this line
        on = np.where(is_met, np.where(where == start, begins, here > 0), offset > 0)
        made.append(np.stack([(on * here) @ kernel + line * (start - mean), (on * slope) @ kernel + line], axis=-1))
    return at, np.stack(made)


def _line(site: Site) -> str:
    bent, flat = _columns(site)
    x, *tables = site.x
    named = dict(zip(site.packed, tables, strict=True))
    columns = [site.table(f"{site.node.output}_{name}", "int", which) if which else "0"
               for name, which in (("bent", bent), ("flat", flat))]  # fmt: skip
    sizes = site.length(0, 0), site.length(0, 1), site.output_length(1), site.function(), site.float("alpha")
    counts = str(len(bent)), columns[0], *map(str, _kinks(site)), str(len(flat)), columns[1]
    pointers = x, *(named.get(name, "0") for name in ("at", "lines", "kernel", "bias")), site.y[0]
    return f"edgeling_curves({', '.join((*sizes, *counts, *pointers))});"


def _kinks(site: Site) -> tuple[int, int]:
    """How many there is room for, and how many the longest curve has."""
    return site.packed["at"].shape[1], site.packed["lines"].shape[1] - 1


CURVES_CALL = Call("curves", _line, pack=_tables)
