# SPDX-License-Identifier: Apache-2.0
"""Activation functions by Keras's names. Their meaning lives in :mod:`edgeling.graph.activations`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from edgeling.errors import UnsupportedError
from edgeling.graph import GraphBuilder
from edgeling.graph.activations import ACTIVATIONS
from edgeling.graph.meaning import MEANINGS
from edgeling.graph.types import Array

_OVER_ROWS = ("softmax", "log_softmax")  # operations of their own, over the last axis
_ALIASES = {"swish": "silu"}


@dataclass(frozen=True)
class Activation:
    """An activation function; ``alpha`` is leaky_relu's slope and elu's scale."""

    name: str
    alpha: float = 0.0

    def trace(self, builder: GraphBuilder, x: str) -> str:
        """Append the function to a graph; gives its output."""
        if self.name == "linear":
            return x
        if self.name in _OVER_ROWS:
            return builder.add(self.name, x)
        return builder.add("activation", x, name=self.name, function=self.name, alpha=self.alpha)

    def __call__(self, x: ArrayLike) -> Array:
        """The function of an array, in NumPy."""
        if self.name in _OVER_ROWS:
            return MEANINGS[self.name]({}, np.asarray(x, dtype=np.float32))
        return ACTIVATIONS[self.name].value(np.asarray(x, dtype=np.float32), self.alpha)


def _named(name: str) -> Activation:
    return Activation(name, ACTIVATIONS[name].default_alpha if name in ACTIVATIONS else 0.0)


linear, relu, relu6, leaky_relu = map(_named, ("linear", "relu", "relu6", "leaky_relu"))
elu, selu, gelu, silu = map(_named, ("elu", "selu", "gelu", "silu"))
softplus, softsign, sigmoid, hard_sigmoid = map(_named, ("softplus", "softsign", "sigmoid", "hard_sigmoid"))
tanh, exponential, softmax, log_softmax = map(_named, ("tanh", "exponential", "softmax", "log_softmax"))
swish = silu


def get(identifier: Any) -> Activation:
    """An activation from its name, Keras's function of that name, or itself; None is linear.

    Raises:
        UnsupportedError: no such activation.
    """
    if isinstance(identifier, Activation):
        return identifier
    if isinstance(identifier, Mapping):
        identifier = identifier.get("config") if identifier.get("class_name") == "function" else identifier
    name = "linear" if identifier is None else getattr(identifier, "__name__", identifier)
    name = _ALIASES.get(name, name) if isinstance(name, str) else name
    if name in _OVER_ROWS or name in ACTIVATIONS:
        return _named(name)
    names = sorted((*ACTIVATIONS, *_OVER_ROWS))
    raise UnsupportedError("the activation is not supported", received=repr(identifier), remedy=f"one of {names}")
