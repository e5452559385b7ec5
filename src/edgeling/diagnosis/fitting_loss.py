# SPDX-License-Identifier: Apache-2.0
"""Losses that do not fit the last activation, its units or the targets: known before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeling.diagnosis.finding import Finding
from edgeling.graph.types import Array, Graph

NUMBERS = {
    "mean_squared_error", "mean_absolute_error", "mean_squared_logarithmic_error", "mean_absolute_percentage_error",
    "huber", "log_cosh",
}  # fmt: skip
BINARY = {"binary_crossentropy", "binary_focal_crossentropy"}
CLASSES = {
    "categorical_crossentropy", "sparse_categorical_crossentropy", "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy",
}  # fmt: skip
MARGINS = {"hinge", "squared_hinge", "categorical_hinge"}
REACH = {
    "relu": (0.0, np.inf), "relu6": (0.0, 6.0), "softplus": (0.0, np.inf), "exponential": (0.0, np.inf),
    "sigmoid": (0.0, 1.0), "hard_sigmoid": (0.0, 1.0), "softmax": (0.0, 1.0), "tanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0), "hard_tanh": (-1.0, 1.0), "elu": (-1.0, np.inf), "log_sigmoid": (-np.inf, 0.0),
}  # fmt: skip
"""What an activation can give, where that is not everything."""


@dataclass(frozen=True)
class Output:
    """What a network ends with.

    Attributes:
        activation: its last activation function, "softmax" among them; "linear" where there is none.
        units: columns of its output.
        loss: the loss's name, ``sparse_categorical_crossentropy``.
        from_logits: whether the loss takes what has not been activated.
    """

    activation: str
    units: int
    loss: str
    from_logits: bool = False

    @classmethod
    def of(cls, graph: Graph, loss: Any) -> Output:
        """Of an inference graph and a loss of ``edgeling.losses``."""
        units = int(graph.types[graph.outputs[0]].shape[-1])
        return cls(last_activation(graph), units, loss.function, bool(getattr(loss, "from_logits", False)))

    @property
    def told(self) -> str:
        """For people."""
        units = f"{self.units} unit{'s' * (self.units != 1)}"
        return f"{self.loss}{' from logits' * self.from_logits} of {units} with {self.activation}"


def last_activation(graph: Graph) -> str:
    """The activation function that makes a graph's output, reshapes looked through."""
    makers = {output: node for node in graph.nodes for output in node.outputs}
    value = graph.outputs[0]
    while value in makers and makers[value].operation == "reshape":
        value = makers[value].inputs[0]
    node = makers.get(value)
    if node is None:
        return "linear"
    return "softmax" if node.operation == "softmax" else str(node.attributes.get("function", "linear"))


def _misfit(seen: str, advice: str) -> Finding:
    return Finding("loss_does_not_fit", "error", seen, advice)


def of_output(output: Output) -> Iterator[Finding]:
    """What can be told before there are data."""
    activation, units = output.activation, output.units
    if activation == "softmax" and units == 1:
        yield _misfit(
            f"{output.told}: a softmax over one unit always gives 1, so nothing is learned",
            "end with Dense(1, activation='sigmoid') and binary_crossentropy for two classes, or Dense(1) for a number",
        )
    elif output.from_logits and activation in ("softmax", "sigmoid", "hard_sigmoid"):
        yield _misfit(
            f"{output.told}: the loss applies another {'softmax' if output.loss in CLASSES else 'sigmoid'} to what is "
            "already a probability",
            "leave out from_logits=True, or the activation",
        )
    elif not output.from_logits:
        yield from _of_probabilities(output)


def _of_probabilities(output: Output) -> Iterator[Finding]:
    activation, units, loss = output.activation, output.units, output.loss
    if loss in CLASSES and units == 1:
        yield _misfit(
            f"{output.told}: of one class the loss is always the same",
            "use one unit a class with softmax; of two classes also one unit with sigmoid and binary_crossentropy",
        )
    elif loss in CLASSES and activation in ("sigmoid", "hard_sigmoid"):
        yield _misfit(
            f"{output.told}: each unit is a probability by itself, and together they are not 1",
            "end with softmax where a row has one class; where it may have several, use binary_crossentropy",
        )
    elif loss in CLASSES and activation != "softmax":
        yield _misfit(f"{output.told}: the loss takes probabilities", "end with softmax, or say from_logits=True")
    elif loss in BINARY and activation == "softmax":
        yield _misfit(
            f"{output.told}: the units are one choice, and the loss takes them for {units} independent ones",
            "use categorical_crossentropy (sparse_categorical_crossentropy for class numbers), or one sigmoid unit",
        )
    elif loss in BINARY and activation not in ("sigmoid", "hard_sigmoid"):
        yield _misfit(f"{output.told}: the loss takes probabilities", "end with sigmoid, or say from_logits=True")
    elif loss in NUMBERS and activation == "softmax":
        yield _misfit(
            f"{output.told}: of classes that are sure and wrong the squared error's gradient vanishes",
            "use categorical_crossentropy (sparse_categorical_crossentropy for class numbers)",
        )
    elif loss in MARGINS and activation in ("sigmoid", "hard_sigmoid", "softmax", "relu"):
        yield _misfit(f"{output.told}: the loss takes scores of both signs", "end without an activation, or with tanh")
    elif loss == "poisson" and REACH.get(activation, (-np.inf, 0))[0] < 0:
        yield _misfit(
            f"{output.told}: the loss takes the logarithm of what may be negative", "end with exponential or softplus"
        )
    elif loss == "kl_divergence" and activation not in ("softmax", "sigmoid", "hard_sigmoid"):
        yield _misfit(f"{output.told}: the loss takes probabilities", "end with softmax")


def of_targets(output: Output, y: Array) -> Iterator[Finding]:
    """What targets [rows, k] tell besides, of those that `fit` does not refuse by itself."""
    low, high = float(np.min(y)), float(np.max(y))
    span = f"{low:g} to {high:g}"
    if not output.loss.startswith("sparse") and output.loss in BINARY | CLASSES:
        if low < 0 or high > 1:
            yield _misfit(
                f"{output.told}: targets run from {span}, and probabilities from 0 to 1",
                "turn labels into 0 and 1 (to_categorical for more than two classes)",
            )
        elif output.loss in CLASSES and np.any(np.abs(np.sum(y, axis=-1) - 1) > 0.01):
            yield _misfit(
                f"{output.told}: the targets of a row do not add up to 1",
                "use sigmoid and binary_crossentropy where a row may have several classes or none",
            )
    elif output.loss in MARGINS and not np.isin(y, (-1, 0, 1)).all():
        yield _misfit(f"{output.told}: targets run from {span}", "turn labels into -1 and 1")
    elif output.loss in NUMBERS | {"poisson"}:
        yield from _out_of_reach(output, low, high)


def _out_of_reach(output: Output, low: float, high: float) -> Iterator[Finding]:
    least, most = REACH.get(output.activation, (-np.inf, np.inf))
    if output.loss == "poisson" and low < 0:
        yield _misfit(f"{output.told}: targets run from {low:g}, and counts from 0", "use mean_squared_error")
    elif low < least or high > most:
        yield _misfit(
            f"{output.told}: targets run from {low:g} to {high:g}, and {output.activation} gives "
            f"{least:g} to {most:g} only",
            "end without an activation, or scale the targets into its range",
        )
