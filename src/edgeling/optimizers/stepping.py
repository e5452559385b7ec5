# SPDX-License-Identifier: Apache-2.0
"""One step of an optimizer by hand, with gradients that come from elsewhere: interpreted with NumPy."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from edgeling.errors import DataError
from edgeling.graph import GraphBuilder, run
from edgeling.graph.types import Array
from edgeling.network.weights import Weight
from edgeling.optimizers.averaging import average


class Steps:
    """What an optimizer keeps from step to step, for weights that no ``fit`` trains.

    Attributes:
        state: by name, as in a training graph.
    """

    def __init__(self) -> None:
        self._weights: list[Weight] = []
        self.state: dict[str, Array] = {}

    def step(self, optimizer: Any, gradients: Sequence[Any], weights: Sequence[Weight]) -> None:
        """Move the weights once.

        Raises:
            DataError: another number of gradients than weights, none at all, or one of another shape.
        """
        pairs = [(np.asarray(g, np.float32), w) for g, w in zip(gradients, weights, strict=False) if g is not None]
        if len(gradients) != len(weights) or not pairs:
            raise DataError(
                "there is a gradient for every weight", received=f"{len(pairs)} for {len(weights)}", remedy="not None"
            )
        if len(pairs) < len(weights):
            missing = [w.path for g, w in zip(gradients, weights, strict=True) if g is None]
            warnings.warn(f"no gradient for {', '.join(missing)}: left as they are", UserWarning, stacklevel=4)
        for gradient, weight in pairs:
            if gradient.shape != weight.shape:
                raise DataError(
                    f"the gradient of {weight.path} has shape {weight.shape}", received=str(gradient.shape),
                    remedy=f"a gradient of shape {weight.shape}",
                )  # fmt: skip
        self._run(optimizer, [(self._name(weight), weight, gradient) for gradient, weight in pairs])

    def finalize(self, weights: Sequence[Weight]) -> None:
        """Have weights become their moving averages, as far as there are any."""
        for weight in weights:
            held = self.state.get(average(self._name(weight)))
            if held is not None:
                weight.assign(held)

    def _name(self, weight: Weight) -> str:
        """The same in every step."""
        if not any(weight is known for known in self._weights):
            self._weights.append(weight)
        return f"weight_{next(i for i, known in enumerate(self._weights) if known is weight)}"

    def _run(self, optimizer: Any, named: Sequence[tuple[str, Weight, Array]]) -> None:
        builder, given = GraphBuilder("step"), {"learning_rate": np.asarray(optimizer.learning_rate)}
        rate = builder.input("learning_rate", ())
        for name, weight, gradient in named:
            builder.variable(weight.value, name)
            given[f"{name}_gradient"] = gradient
            builder.input(f"{name}_gradient", gradient.shape)
        rule = optimizer.bound([(weight, name) for name, weight, _ in named])
        given_names = {name: f"{name}_gradient" for name, _, _ in named}
        if (optimizer.batches + 1) % optimizer.batches_a_step:
            rule.accumulate(builder, given_names)
        else:
            rule.trace(builder, rate, given_names)
        graph = builder.build([rate])
        held = {name: array for name, array in self.state.items() if name in graph.variables}
        after = run(graph, given, held).variables
        for name, weight, _ in named:
            weight.assign(after.pop(name))
        self.state.update(after)
