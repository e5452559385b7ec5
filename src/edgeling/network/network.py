# SPDX-License-Identifier: Apache-2.0
"""Layers, what each is called on, and the graph that answers for one row."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError
from typing import Any, Protocol, TypeVar

from edgeling.graph import Graph, GraphBuilder
from edgeling.network.tracing import Traceable, Tracer
from edgeling.network.weights import Weight

_Value = TypeVar("_Value", bound=Hashable)


@dataclass(frozen=True)
class LayerCall:
    """A layer called on values: 0 is the network's input, ``n`` what its ``n``-th call gives, counted from 1."""

    layer: int
    inputs: tuple[int, ...]


def leading_to(last: _Value, reads: Callable[[_Value], Iterable[_Value]]) -> list[_Value]:
    """The value, and all that it is made of, each after what it reads: depth first, as Keras goes.

    Raises:
        CycleError: a value that reads itself, be it by way of others; it is the argument.
    """
    done: dict[_Value, None] = {}
    under_way: set[_Value] = set()
    waiting = [(last, False)]
    while waiting:
        value, ready = waiting.pop()
        if value in done:
            continue
        if ready:
            done[value] = None
        elif value in under_way:
            raise CycleError(value)
        else:
            under_way.add(value)
            waiting += [(value, True), *((read, False) for read in reversed([*reads(value)]))]
    return list(done)


def chain(layers: int) -> tuple[LayerCall, ...]:
    """So many layers, each called on what the one before it gives."""
    return tuple(LayerCall(place, (place,)) for place in range(layers))


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
        for call in self.calls or chain(len(self.layers)):
            given = [values[place] for place in call.inputs]
            layer = self.layers[call.layer]
            values.append(tracer.through(layer, given if layer.takes_several else given[0]))
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
