# SPDX-License-Identifier: Apache-2.0
"""Layers in a chain, and the graph that answers for one row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from edgeling.graph import Graph, GraphBuilder
from edgeling.network.tracing import Traceable, Tracer
from edgeling.network.weights import Weight


@dataclass(frozen=True)
class Network:
    """Layers in a chain.

    Attributes:
        name: a C identifier.
        input_shape: of one row, without the batch.
        names: the graph's name of every weight, in the order of the weights.
    """

    name: str
    input_shape: tuple[int, ...]
    layers: Sequence[Traceable]
    names: Mapping[Weight, str]

    def trainable(self) -> list[str]:
        """Names of the weights that gradients move."""
        moved = [w for layer in self.layers if layer.trainable for w in layer.weights if w.trainable]
        return [self.names[w] for w in moved]


class Model(Protocol):
    """A model, as far as its graph needs it."""

    def network(self, readable: bool = False) -> Network:
        """Its layers; names of weights for people, or the same for every network of one structure."""


def inference_graph(model: Model | Network, *, frozen: bool = True, metadata: Mapping[str, Any] | None = None) -> Graph:
    """From one row ``x`` to ``y``.

    Args:
        model: a ``Sequential`` that is built.
        frozen: the weights of this moment are constants, else variables.
        metadata: free text for people and reports.
    """
    network = model if isinstance(model, Network) else model.network(readable=True)
    builder = GraphBuilder(network.name)
    x = builder.input("x", (1, *network.input_shape))
    y = Tracer(builder, network.names, frozen=frozen).run(network.layers, x)
    builder.describe(**(metadata or {}))
    return builder.build([y])
