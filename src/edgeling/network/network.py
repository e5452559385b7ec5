# SPDX-License-Identifier: Apache-2.0
"""Layers, what each is called on, and the graph that answers for one row."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError
from typing import Any, Protocol, TypeVar

import numpy as np

from edgeling.errors import UnsupportedError
from edgeling.graph import Graph, GraphBuilder
from edgeling.network.tracing import Traceable, Tracer
from edgeling.network.weights import Weight
from edgeling.passes.dead import remove_dead

_Value = TypeVar("_Value", bound=Hashable)


@dataclass(frozen=True)
class LayerCall:
    """A layer called on values: the network's inputs come first, then what each call gives, in order.

    Attributes:
        layer: which one.
        inputs: the values it is called on, by their numbers.
        outputs: how many it gives.
        arguments: how the inputs stand among its arguments; None: alone.
    """

    layer: int
    inputs: tuple[int, ...]
    outputs: int = 1
    arguments: Any = None


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
        inputs: of each input its name in graphs, and the shape of one row, without the batch.
        names: the graph's name of every weight, in the order of the weights.
        calls: what is computed of what; none of a chain.
        outputs: of each output its name in graphs, and the value that it is; none: the last value.
        learns: whether gradients move any weight.
    """

    name: str
    inputs: Mapping[str, tuple[int, ...]]
    layers: Sequence[Traceable]
    names: Mapping[Weight, str]
    calls: tuple[LayerCall, ...] = ()
    outputs: Mapping[str, int] = field(default_factory=dict)
    learns: bool = True

    def answer(self, tracer: Tracer, given: Sequence[str]) -> list[str]:
        """Append the layers' nodes to a graph; give the outputs."""
        values = list(given)
        for call in self.calls or chain(len(self.layers)):
            read = [values[place] for place in call.inputs]
            values += tracer.through(self.layers[call.layer], read, call.arguments)
        return [values[place] for place in self.outputs.values()] or values[-1:]

    def trainable(self) -> list[str]:
        """Names of the weights that gradients move."""
        moved = [w for layer in self.layers for w in layer.moved_weights] if self.learns else []
        return list(dict.fromkeys(self.names[w] for w in moved))


class HasNetwork(Protocol):
    """A model, as far as its graph needs it."""

    def _as_network(self, readable: bool = False) -> Network:
        """Its layers; names of weights for people, or the same for every network of one structure."""


def inference_graph(
    model: HasNetwork | Network, *, frozen: bool = True, metadata: Mapping[str, Any] | None = None, rows: int = 1,
    shorter: Sequence[str] = (),
) -> Graph:  # fmt: skip
    """From one row of each input to the outputs: ``x`` and ``y`` where there is one.

    Args:
        model: one that is built.
        frozen: the weights of this moment are constants, else variables.
        metadata: free text for people and reports.
        rows: so many at once instead of one, each with a state of its own where layers keep states.
        shorter: inputs of sequences that may be shorter than the rows are: of each a further input says how many of its
            steps are there.
    """
    network = model if isinstance(model, Network) else model._as_network(readable=True)
    _require_lengths(network)
    builder = GraphBuilder(network.name)
    given = [builder.input(name, (rows, *row)) for name, row in network.inputs.items()]
    tracer = Tracer(builder, network.names, frozen=frozen, keeping=True)
    given = [_shorter(tracer, x, "steps" if len(shorter) == 1 else f"{x}_steps") if x in shorter else x for x in given]
    outputs = network.answer(tracer, given)
    builder.describe(**(metadata or {}))
    graph = builder.build(outputs if len(outputs) == 1 else _named(builder, network, outputs))
    return remove_dead(graph) if tracer.mixing else graph  # what is made of all rows goes into the loss alone


def _shorter(tracer: Tracer, x: str, name: str) -> str:
    """A sequence of which so many steps count as a further input says; the others are zero, and masked."""
    b = tracer.builder
    shape = b.type_of(x).shape
    steps = b.input(name, (1, 1))
    places = b.constant(np.arange(shape[1], dtype=np.float32)[None], "places")
    counts = b.add("compare", b.add("subtract", steps, places), tracer.number(0.0), function="greater")
    of_each = b.add("reshape", counts, shape=(*shape[:2], *(1 for _ in shape[2:])))
    return tracer.masked(b.add("select", of_each, x, tracer.number(0.0)), counts)


def _require_lengths(network: Network) -> None:
    """Raise where a length of the inputs' rows is not known: a graph is for one.

    Raises:
        UnsupportedError: it is not.
    """
    if any(None in row for row in network.inputs.values()):
        raise UnsupportedError(
            "a program is built for rows whose lengths are stated",
            received=f"rows of shape {', '.join(str(tuple(row)) for row in network.inputs.values())}",
            remedy="steps=24 (--steps 24), the most that there will be; a number for each None where they differ",
        )


def kept_states(network: Network) -> dict[str, tuple[Any, int]]:
    """By the name of a variable of the inference graph: whose state lives on in it, and which of its states."""
    tracer = Tracer(GraphBuilder(network.name), {}, lazily=True, keeping=True)
    network.answer(tracer, [tracer.builder.input(name, (1, *row)) for name, row in network.inputs.items()])
    return tracer.kept


def _named(builder: GraphBuilder, network: Network, outputs: Sequence[str]) -> list[str]:
    """Several outputs by names of their own, so that each is one value, however many are alike."""
    pairs = zip(network.outputs, outputs, strict=True)
    return [builder.add("reshape", value, shape=builder.type_of(value).shape, name=name) for name, value in pairs]
