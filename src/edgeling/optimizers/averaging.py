# SPDX-License-Identifier: Apache-2.0
"""What becomes of weights after an optimizer's rule: moving averages of them, and what they are kept to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgeling.checking import number, whole
from edgeling.graph import GraphBuilder

MOMENTUM, COUNT = "average_momentum", "average_count"


def average(variable: str) -> str:
    """The name of what follows a variable."""
    return f"{variable}_average"


@dataclass(frozen=True)
class MovingAverage:
    """``average' = momentum * average + (1 - momentum) * weight`` after each batch; the weight in the first step.

    Attributes:
        overwrite_frequency: every so many steps the weights become their averages; None: when a fit ends.
    """

    momentum: float = 0.99
    overwrite_frequency: int | None = None

    def __post_init__(self) -> None:
        number("ema_momentum", self.momentum, 0.0, 1.0)
        if self.overwrite_frequency is not None:
            whole("ema_overwrite_frequency", self.overwrite_frequency)

    def scalars(self, steps: int) -> dict[str, float]:
        """What the step's graph keeps beside the averages, after so many steps."""
        kept = {MOMENTUM: float(self.momentum) if steps else 0.0}
        return kept if self.overwrite_frequency is None else {**kept, COUNT: float(steps % self.overwrite_frequency)}

    def trace(self, builder: GraphBuilder, moved: Mapping[str, str], ends_step: bool) -> dict[str, str]:
        """Append the nodes; give of each variable what it becomes.

        Args:
            moved: of each variable what the optimizer's rule makes of it.
            ends_step: the batch is the last of its step.
        """
        kept = {name: builder.variable(np.float32(value), name) for name, value in self.scalars(0).items()}
        one = builder.constant(1.0, "one")
        rest = builder.add("subtract", one, kept[MOMENTUM])
        following = {}
        for variable, value in moved.items():
            held = builder.variable(np.zeros(builder.type_of(variable).shape, np.float32), average(variable))
            old, new = builder.add("multiply", held, kept[MOMENTUM]), builder.add("multiply", value, rest)
            following[variable] = builder.add("add", old, new, name=f"{held}_next")
            builder.update(held, following[variable])
        if ends_step:
            momentum = builder.constant(float(self.momentum), "momentum")
            builder.update(MOMENTUM, builder.add("reshape", momentum, shape=(), name=f"{MOMENTUM}_next"))
        if COUNT not in kept:
            return dict(moved)
        is_due = self._is_due(builder, kept[COUNT], ends_step)
        return {v: builder.add("select", is_due, following[v], value) for v, value in moved.items()}

    def _is_due(self, builder: GraphBuilder, count: str, ends_step: bool) -> str:
        """1 where this step is one that has the weights become their averages."""
        seen = builder.add("add", count, builder.constant(1.0, "one"))
        every = builder.constant(float(self.overwrite_frequency or 1), "every")
        is_due = builder.add("compare", seen, every, function="greater_equal")
        if ends_step:
            nothing = builder.constant(0.0, "nothing")
            builder.update(COUNT, builder.add("select", is_due, nothing, seen, name=f"{COUNT}_next"))
        return is_due
