# SPDX-License-Identifier: Apache-2.0
"""Layers, what each is called on, and the graph that answers for one row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from edgeling.graph import Graph, GraphBuilder
from edgeling.network.tracing import Traceable, Tracer
from edgeling.network.weights import Weight


@dataclass(frozen=True)
class LayerCall:
    """A layer called on values: 0 is the network's input, ``n`` what its ``n``-th call gives, counted from 1."""

    layer: int
    inputs: tuple[int, ...]


@dataclass(frozen=True)
class Network:
    """Layers, one after another or as calls say.

    Attributes:
        name: a C identifier.
        input_shape: of one row, without the batch.
        names: the graph's name of every weight, in the order of the weights.
        calls: what is computed of what, the last call being the output; none of a chain.
    """

    name: str
    input_shape: tuple[int, ...]
    layers: Sequence[Traceable]
    names: Mapping[Weight, str]
    calls: tuple[LayerCall, ...] = ()

    def answer(self, tracer: Tracer, x: str) -> str:
        """Append the layers' nodes to a graph; give the output."""
        values = [x]
        for call in self.calls or [LayerCall(i, (i,)) for i in range(len(self.layers))]:
            given = [values[place] for place in call.inputs]
            layer = self.layers[call.layer]
            values.append(layer.trace(tracer, given if layer.takes_several else given[0]))
        return values[-1]

    def trainable(self) -> list[str]:
        """Names of the weights that gradients move."""
        moved = [w for layer in self.layers if layer.trainable for w in layer.weights if w.trainable]
        return [self.names[w] for w in moved]


class HasNetwork(Protocol):
    """A model, as far as its graph needs it."""

    def network(self, readable: bool = False) -> Network:
        """Its layers; names of weights for people, or the same for every network of one structure."""


def inference_graph(
    model: HasNetwork | Network, *, frozen: bool = True, metadata: Mapping[str, Any] | None = None
) -> Graph:
    """From one row ``x`` to ``y``.

    Args:
        model: one that is built.
        frozen: the weights of this moment are constants, else variables.
        metadata: free text for people and reports.
    """
    network = model if isinstance(model, Network) else model.network(readable=True)
    builder = GraphBuilder(network.name)
    x = builder.input("x", (1, *network.input_shape))
    y = network.answer(Tracer(builder, network.names, frozen=frozen), x)
    builder.describe(**(metadata or {}))
    return builder.build([y])
