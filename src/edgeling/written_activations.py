# SPDX-License-Identifier: Apache-2.0
"""Activation functions written in Python: they run on traced values, and what they do becomes the graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeling.activations import ActivationFunction
from edgeling.configurable import registered_name
from edgeling.errors import UnsupportedError
from edgeling.graph import GraphBuilder
from edgeling.graph.activations import ACTIVATIONS
from edgeling.layers.symbolic import Symbolic
from edgeling.layers.traced import TracedValue, tracing
from edgeling.network.tracing import Tracer


@dataclass(frozen=True)
class WrittenActivation(ActivationFunction):
    """A function of one's own; what it gives has the shape of what it gets."""

    function: Callable[..., Any] = np.asarray

    @classmethod
    def of(cls, function: Any) -> WrittenActivation:
        """Of a function of one's own, or an object that is called."""
        told = getattr(function, "func", function)
        return cls(str(getattr(told, "__name__", type(told).__name__)), function=function)

    def trace(self, builder: GraphBuilder, x: str) -> str:
        tracer = Tracer(builder, {}, lazily=True)
        given = TracedValue(tracer, x, True)
        with tracing(tracer):
            made = self.function(given)
        if isinstance(made, TracedValue) and made.lengths == given.lengths:
            return made.name
        what = f"shape {made.shape} of {given.shape}" if isinstance(made, TracedValue) else repr(made)[:80]
        raise UnsupportedError(
            f"the activation {self.name!r} gives what edgeling.ops makes of its argument, of the same shape",
            received=what, remedy="edgeling.ops.multiply(x, edgeling.ops.sigmoid(x))",
        )  # fmt: skip

    def __call__(self, x: Any = None, *given: Any, **options: Any) -> Any:
        """The function of an array, or of what stands for one."""
        return self.function(x if isinstance(x, Symbolic) else np.asarray(x, np.float32), *given, **options)

    def described(self) -> dict[str, Any]:
        """In Keras's form, by the name that files have for it.

        Raises:
            UnsupportedError: it has none of its own.
        """
        name = registered_name(self.function) if hasattr(self.function, "__name__") else self.name
        if name in ACTIVATIONS or not name.replace(">", "_").isidentifier():
            raise UnsupportedError(
                "in files an activation of one's own has a name, and not one of Keras's", received=repr(name),
                remedy="def my_activation(x): ..., in the place of a lambda, and load_model(custom_objects={...})",
            )  # fmt: skip
        return {"module": "builtins", "class_name": "function", "config": name, "registered_name": "function"}
