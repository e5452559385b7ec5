# SPDX-License-Identifier: Apache-2.0
"""Answers of a network with one column shuffled, of which the first layer is updated and not computed again.

Where every number that the first layer sees comes of one raw column, shuffling that column takes its share out of
the layer's sums and puts the shuffled share in: of a column of numbers a change of rank one. The layer's products, most
of the work on tables of many columns, are then done once instead of once a column and shuffle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from edgeling.explaining.columns import Sources, sources_of
from edgeling.graph import Graph, Node, TensorType, run_rows
from edgeling.graph.naming import unused
from edgeling.graph.types import LARGEST_FLOAT32, Array
from edgeling.toolchain.predictor import Predictor, compiled


@dataclass(frozen=True, eq=False)
class CutNetwork:
    """A network cut at the first layer's sums.

    Attributes:
        head: raw rows [1, columns] to what the first layer sees [1, inputs].
        sources: the raw column of each of those inputs.
        kernel: float32 [inputs, units].
        bias: float32 [units].
        tail: the layer's sums [1, units] to the answers [1, outputs].
    """

    head: Graph
    sources: Sources
    kernel: Array
    bias: Array
    tail: Graph


def split(graph: Graph) -> CutNetwork | None:
    """Cut a network at its first dense layer; ``None`` where something before it mixes columns, or reads past it."""
    one_way = len(graph.inputs) == len(graph.outputs) == 1 and len(graph.types[graph.inputs[0]].shape) == 2
    if not one_way or graph.variables or graph.updates:
        return None
    sources: dict[str, Sources] = {graph.inputs[0]: tuple(range(graph.types[graph.inputs[0]].shape[1]))}
    before: list[Node] = []
    for place, node in enumerate(graph.nodes):
        if node.operation == "dense" and {*node.inputs[1:]} <= graph.constants.keys() and node.inputs[0] in sources:
            return _cut(graph, before, node, graph.nodes[place + 1 :], sources)
        found = sources_of(graph, node, sources)
        if found is None:
            return None
        before.append(node)
        sources[node.outputs[0]] = found
    return None


def _cut(
    graph: Graph, before: Sequence[Node], dense: Node, after: Sequence[Node], known: dict[str, Sources]
) -> CutNetwork | None:
    if graph.outputs[0] in known or any(name in known for node in after for name in node.inputs):
        return None
    kernel, bias = (graph.constants[name] for name in dense.inputs[1:])
    sums = unused("sums", graph.types)
    activation = Node("activation", (sums,), dense.outputs, dense.attributes)
    types = {**graph.types, sums: TensorType((1, len(bias)))}
    head = _part(graph, graph.inputs[0], dense.inputs[0], before, types)
    tail = _part(graph, sums, graph.outputs[0], (activation, *after), types)
    return CutNetwork(head, known[dense.inputs[0]], kernel, bias, tail)


def _part(graph: Graph, start: str, end: str, nodes: Sequence[Node], types: dict[str, TensorType]) -> Graph:
    read = {name for node in nodes for name in node.inputs}
    held = {name: array for name, array in graph.constants.items() if name in read}
    made = {start, *held, *(name for node in nodes for name in node.outputs)}
    return Graph(
        graph.name, (start,), (end,), tuple(nodes), {name: kind for name, kind in types.items() if name in made}, held
    )


class UpdatedFirstLayer:
    """Call it with a column and orders of rows: it gives the answers with the column in each of these orders.

    Args:
        network: cut at its first layer.
        x_raw: [rows, columns].
        predict_tail: float32 sums [rows, units] to answers [rows, outputs].
    """

    def __init__(self, network: CutNetwork, x_raw: Array, predict_tail: Callable[[Array], Array]) -> None:
        self._network, self._predict = network, predict_tail
        with np.errstate(over="ignore", invalid="ignore"):
            self._seen = run_rows(network.head, x_raw)[0]
            self._sums = self._seen.astype(np.float64) @ network.kernel + network.bias

    @property
    def is_finite(self) -> bool:
        """Whether float32 holds every sum of shares of any rows."""
        with np.errstate(over="ignore", invalid="ignore"):
            largest = np.abs(self._seen).astype(np.float64) @ np.abs(self._network.kernel)
            return bool(np.all(largest + np.abs(self._network.bias) <= LARGEST_FLOAT32 / 2))

    @cached_property
    def _inputs(self) -> dict[int, list[int]]:
        """Of each raw column, the first layer's inputs that come of it."""
        places: dict[int, list[int]] = {}
        for place, column in enumerate(self._network.sources):
            places.setdefault(column, []).append(place)
        return places

    def __call__(self, column: int, orders: Sequence[Array]) -> Iterator[Array]:
        places = self._inputs.get(column, [])
        share = self._seen[:, places].astype(np.float64) @ self._network.kernel[places]  # large ones cancel
        others, share = (self._sums - share).astype(np.float32), share.astype(np.float32)
        sums = np.empty_like(share)
        for order in orders:
            np.take(share, order, axis=0, out=sums, mode="clip")  # checked, it would be buffered
            sums += others
            yield self._predict(sums)


def updated_first_layer(graph: Graph, name: str, x_raw: Array) -> UpdatedFirstLayer | None:
    """What answers for shuffled columns of these rows; ``None`` where the network has to run as a whole.

    Args:
        graph: float32, raw rows in.
        name: of its C.
    """
    network = split(graph)
    if network is None:
        return None
    updated = UpdatedFirstLayer(network, x_raw, Predictor(network.tail, partial(compiled, network.tail, name)))
    return updated if updated.is_finite else None
