# SPDX-License-Identifier: Apache-2.0
"""A network cut where columns first mix: before it every number comes of one raw column, behind it of any.

Before the cut lie the steps that no derivative passes, one-hot codes and calendars; behind it what is differentiated,
and what is asked with some columns known and others not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgeling.errors import UnsupportedError
from edgeling.graph import Graph, GraphBuilder, Node
from edgeling.graph.types import Array, DType
from edgeling.passes.dead import part

Sources = tuple[int, ...]
"""Of each element of a row, the raw column it comes of."""


@dataclass(frozen=True, eq=False)
class CutColumns:
    """A network in two.

    Attributes:
        head: raw rows [1, columns] to prepared ones [1, prepared], none of it NaN where the network answers.
        body: prepared rows to the answers.
        sources: the raw column of each prepared number.
    """

    head: Graph
    body: Graph
    sources: Sources


def cut_columns(graph: Graph) -> CutColumns:
    """Cut a network of one input [1, columns], float or integer, behind what is done to each column by itself.

    Raises:
        UnsupportedError: it has several inputs or outputs, keeps state, or takes no rows of floats.
    """
    _require_rows_in(graph)
    (x,) = graph.inputs
    known: dict[str, Sources] = {x: tuple(range(graph.types[x].shape[1]))}
    for node in graph.nodes:
        found = sources_of(graph, node, known)
        if found is not None:
            known[node.outputs[0]] = found
    behind = [node for node in graph.nodes if node.outputs[0] not in known]
    border = list(dict.fromkeys(name for node in behind for name in node.inputs if name in known))
    border += [name for name in graph.outputs if name in known and name not in border]
    sources = tuple(column for name in border for column in known[name])
    return CutColumns(_head(graph, border, behind), _body(graph, border, behind), sources)


def _require_rows_in(graph: Graph) -> None:
    one_way = len(graph.inputs) == len(graph.outputs) == 1
    kind = graph.types[graph.inputs[0]] if graph.inputs else None
    if not one_way or graph.updates or kind is None or len(kind.shape) != 2 or kind.dtype is not DType.FLOAT32:
        raise UnsupportedError(
            "what is explained has one input, a row of numbers, and one output, and keeps nothing",
            received=f"{graph.name}: {', '.join(str(graph.types[i]) for i in graph.inputs)} to "
            f"{', '.join(str(graph.types[o]) for o in graph.outputs)}",
            remedy="explain each of several inputs by itself, in a model of its own",
        )


def sources_of(graph: Graph, node: Node, known: dict[str, Sources]) -> Sources | None:
    """Where the elements of a node's value come from; ``None`` if that is not one column each."""
    changing = [name for name in node.inputs if name not in graph.constants]
    if not changing or not set(changing) <= known.keys():
        return None
    if node.operation == "concatenate" and len(changing) == len(node.inputs):
        return tuple(column for name in changing for column in known[name])
    if len(changing) != 1 or node.inputs[0] != changing[0]:
        return None
    of, width = known[changing[0]], graph.types[node.outputs[0]].shape[-1]
    if node.operation == "gather":
        return tuple(of[i] for i in node.attributes["indices"])
    if node.operation == "embedding" or (node.operation in ("one_hot", "calendar") and len(of) == 1):
        return tuple(column for column in of for _ in range(width // len(of)))
    return of if node.operation in ("standardize", "impute") else None


def _head(graph: Graph, border: Sequence[str], behind: Sequence[Node]) -> Graph:
    """Raw rows to all values on the border side by side; NaN that an integer input would fill is filled here."""
    builder = GraphBuilder.of(part(graph, graph.inputs, tuple(border)))
    filled = [_filled(graph, builder, name, behind) for name in border]
    return builder.build([builder.add("concatenate", *filled) if len(filled) > 1 else filled[0]])


def _filled(graph: Graph, builder: GraphBuilder, name: str, behind: Sequence[Node]) -> str:
    reader = next((node for node in behind if node.operation == "quantize" and node.inputs[0] == name), None)
    if reader is None:
        return name
    bits, zero_point, missing = (graph.constants[i].astype(np.int64) for i in reader.inputs[1:])
    return builder.add("impute", name, builder.constant(np.ldexp((missing - zero_point).astype(np.float64), -bits)))


def _body(graph: Graph, border: Sequence[str], behind: Sequence[Node]) -> Graph:
    """Prepared rows to the answers."""
    inner = part(replace(graph, nodes=tuple(behind)), tuple(border), graph.outputs)
    builder = GraphBuilder(f"{graph.name}_body")
    widths = [graph.types[name].shape[-1] for name in border]
    z = builder.input("prepared", (1, sum(widths)))
    ends = np.cumsum(widths).tolist()
    if len(border) == 1:
        return builder.build(builder.inline(inner, z))
    parts = [builder.add("gather", z, indices=tuple(range(e - w, e))) for w, e in zip(widths, ends, strict=True)]
    return builder.build(builder.inline(inner, *parts))


def baseline_row(prepared: Array) -> Array:
    """float32 [1, prepared]: the mean of prepared rows [rows, prepared], of a category the shares of its kinds."""
    return prepared.astype(np.float64).mean(axis=0, keepdims=True).astype(np.float32)
