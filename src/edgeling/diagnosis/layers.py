# SPDX-License-Identifier: Apache-2.0
"""How a network's layers stand on some rows: dead and saturated units, signals and gradients from end to end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgeling.diagnosis.finding import Finding
from edgeling.graph import Graph, run
from edgeling.graph.activations import ACTIVATIONS
from edgeling.graph.batch import with_batch
from edgeling.graph.types import Array, Node

RECTIFIED = ("relu", "relu6")
SATURATED_SLOPE = 0.01  # of an activation's largest: a gradient that goes through it is a hundredth
MOST = 0.9  # of a layer's units, or of its values: what is left learns as a layer a tenth as wide
RATIO = 1e-3
"""Of gradients, or signals, at the two ends of a network. Initialisers keep both about the same from layer to layer
(Glorot and Bengio, 2010; He et al., 2015), a few times more or less; at a thousandth, one end moves while the other
stands."""


@dataclass(frozen=True, eq=False)
class Activated:
    """An activation on some rows.

    Attributes:
        place: which it is, 1 is the first.
        last: whether it makes the output.
        dead: the share of its units that are 0 for all rows, of one that rectifies; else 0.
        saturated: the share of its values whose slope is below a hundredth of its largest, of one that saturates.
        before, after: root mean squares of what goes in and comes out.
    """

    place: int
    function: str
    last: bool
    units: int
    dead: float
    saturated: float
    before: float
    after: float


def activated(graph: Graph, x: Sequence[Array], weights: Mapping[str, Array] | None = None) -> tuple[Activated, ...]:
    """Every activation of an inference graph on rows x of each input, and what a graph without one at its end gives.

    Args:
        weights: contents of the graph's variables, if not those it has.
    """
    values = run(with_batch(graph, len(x[0])), list(x), weights).values
    nodes = [node for node in graph.nodes if node.operation in ("activation", "softmax")]
    if not nodes or nodes[-1].output != graph.outputs[0]:
        nodes.append(Node("activation", (graph.outputs[0],), (graph.outputs[0],), {"function": "linear", "alpha": 0.0}))
    return tuple(_activated(i, node, values, i == len(nodes)) for i, node in enumerate(nodes, 1))


def _activated(place: int, node: Node, values: Mapping[str, Array], last: bool) -> Activated:
    function = str(node.attributes.get("function", "softmax"))
    before, after = (values[name].reshape(len(values[name]), -1) for name in (node.inputs[0], node.output))
    dead = float(np.mean(~np.any(after, axis=0))) if function in RECTIFIED else 0.0
    slope = _slope(function, node, before, after)
    sizes = (float(np.sqrt(np.mean(np.square(part, dtype=np.float64)))) for part in (before, after))
    saturated = float(np.mean(slope < SATURATED_SLOPE * _SATURATING[function])) if function in _SATURATING else 0.0
    return Activated(place, function, last, after.shape[1], dead, saturated, *sizes)


_SATURATING = {"sigmoid": 0.25, "tanh": 1.0, "softsign": 1.0, "hard_sigmoid": 1 / 6, "hard_tanh": 1.0}
"""Their largest slope."""


def _slope(function: str, node: Node, before: Array, after: Array) -> Array:
    if function not in _SATURATING:
        return np.ones(1)
    meaning = ACTIVATIONS[function]
    return meaning.derivative(before if meaning.from_input else after, float(node.attributes["alpha"]))


def of_units(now: Sequence[Activated], began: Sequence[Activated]) -> Iterator[Finding]:
    """Layers whose units are dead or saturated, with what they were like when training began."""
    for layer, first in zip(now, began, strict=True):
        was = "; {:.0%} when training began" if began is not now else ""
        if layer.dead >= MOST:
            since = was.format(first.dead)
            name = "dead_output" if layer.last else "dead_units"
            what = "the output" if layer.last else f"hidden layer {layer.place}"
            yield Finding(
                name, "error",
                f"{layer.dead:.0%} of the {layer.units} units of {what} are dead: their {layer.function} gives 0 for "
                f"every row, and so no gradient{since}",
                "end without an activation" if layer.last else
                "begin with other weights (kernel_initializer='he_normal', biases of 0) and scaled inputs, take a "
                "smaller learning rate, or use leaky_relu",
            )  # fmt: skip
        elif layer.saturated >= MOST:
            what = "the output" if layer.last else f"hidden layer {layer.place}"
            yield Finding(
                "saturated_units", "error",
                f"{layer.saturated:.0%} of the values of {what} are saturated: there {layer.function} is flat, and "
                f"gradients through it vanish{was.format(first.saturated)}",
                "begin with smaller weights (kernel_initializer='glorot_uniform') and scaled inputs, or take a smaller "
                "learning rate" + (" and a cross-entropy" if layer.last else ""),
            )  # fmt: skip


def of_signals(began: Sequence[Activated], gradients: Mapping[str, float], x: Array) -> Iterator[Finding]:
    """Signals and gradients that vanish or explode between the ends, in the network that training began with."""
    if len(gradients) < 2:
        return
    size = float(np.sqrt(np.mean(np.square(np.asarray(x, np.float64)))))
    last = began[-1]
    grown = last.before / size if size else 1.0
    found = [value for value in gradients.values() if np.isfinite(value)]
    ratio = found[0] / found[-1] if len(found) > 1 and found[-1] > 0 else 1.0
    if grown > 0.1 / RATIO:
        yield Finding(
            "exploding_gradients", "error",
            f"signals explode: inputs of size {size:.2g} become {last.before:.2g} in the last layer, and gradients "
            f"grow as much on their way back{_each(gradients)}",
            "begin with smaller weights (kernel_initializer='he_normal' for relu, 'glorot_uniform' else), use "
            "BatchNormalization() between layers, or clipnorm=1.0 in the optimizer",
        )  # fmt: skip
    elif ratio < RATIO or last.before < RATIO * size:
        yield Finding(
            "vanishing_gradients", "error",
            f"gradients vanish: those of the first layer are {ratio:.1g} of those of the last, "
            f"behind {_between(began, gradients)}{_each(gradients)}",
            "use relu in hidden layers, fewer of them, kernel_initializer='he_normal', or BatchNormalization() between",
        )  # fmt: skip


def _between(began: Sequence[Activated], gradients: Mapping[str, float]) -> str:
    bent = len(began) - 1
    return f"{bent} activations of {began[0].function}" if bent else f"{len(gradients) - 1} layers without a bend"


def _each(gradients: Mapping[str, float]) -> str:
    return " (root mean squares by layer: " + ", ".join(f"{g:.1e}" for g in gradients.values()) + ")"
