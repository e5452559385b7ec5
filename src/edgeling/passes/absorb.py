# SPDX-License-Identifier: Apache-2.0
"""Steps a quantised input can take over: affine functions of columns, and imputation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from edgeling.graph.builder import GraphBuilder
from edgeling.graph.types import Array, Graph, Node
from edgeling.passes.fuse import affine_columns


@dataclass(frozen=True)
class Absorbed:
    """A float value [n, columns] as ``slope * base + offset``, a NaN in ``base`` standing for ``missing``.

    Attributes:
        base: the name of what is left to compute, in the new graph.
        rows: ``base`` of the calibration rows.
        slope, offset: one a column, float64.
        missing: one a column; NaN where nothing imputes.
    """

    base: str
    rows: Array
    slope: Array
    offset: Array
    missing: Array


class Absorber:
    """Rebuilds the float nodes before the first dense layer, less those that are absorbed."""

    def __init__(self, graph: Graph, builder: GraphBuilder, values: Mapping[str, Array]) -> None:
        self._graph, self._builder, self._values = graph, builder, values
        self._makers = {output: node for node in graph.nodes for output in node.outputs}
        self._copied = {name: name for name in graph.inputs}

    def absorb(self, value: str) -> Absorbed:
        """Split ``value`` into what is absorbed and what has to be computed in float."""
        node = self._makers.get(value)
        if node is None or len(self._graph.types[value].shape) != 2:
            return self._whole(value)
        if node.operation == "concatenate":
            return self._concatenate(node)
        if node.operation == "impute" and node.inputs[1] in self._graph.constants:
            return self._impute(node)
        columns = affine_columns(self._graph, node)
        return self._whole(value) if columns is None else self._affine(node, *columns)

    def _whole(self, value: str) -> Absorbed:
        ones, rows = np.ones(self._graph.types[value].shape[-1]), self._values[value]
        if value in self._graph.constants:
            rows = np.broadcast_to(rows, (len(self._values[self._graph.inputs[0]]), *rows.shape[1:]))
        return Absorbed(self._copy(value), rows, ones, 0 * ones, np.nan * ones)

    def _affine(self, node: Node, slope: Array, offset: Array) -> Absorbed:
        inner = self.absorb(node.inputs[0])
        return replace(inner, slope=inner.slope * slope, offset=inner.offset * slope + offset)

    def _impute(self, node: Node) -> Absorbed:
        inner = self.absorb(node.inputs[0])
        fill = self._graph.constants[node.inputs[1]].astype(np.float64)
        slope = np.where(inner.slope == 0, 1, inner.slope)
        missing = np.where(np.isnan(inner.missing), (fill - inner.offset) / slope, inner.missing)
        return replace(inner, missing=missing)

    def _concatenate(self, node: Node) -> Absorbed:
        parts = [self.absorb(value) for value in node.inputs]
        joined = (
            np.concatenate([getattr(part, name) for part in parts], axis=-1)
            for name in ("rows", "slope", "offset", "missing")
        )
        return Absorbed(self._builder.add("concatenate", *(part.base for part in parts)), *joined)

    def _copy(self, value: str) -> str:
        """The float value in the new graph, with all it is made from."""
        if value not in self._copied:
            self._copied[value] = self._make(value)
        return self._copied[value]

    def _make(self, value: str) -> str:
        if value in self._graph.constants:
            return self._builder.constant(self._graph.constants[value], value)
        node = self._makers[value]
        inputs = [self._copy(i) for i in node.inputs]
        return self._builder.add(node.operation, *inputs, name=value, **node.attributes)
