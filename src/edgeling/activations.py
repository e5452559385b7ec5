# SPDX-License-Identifier: Apache-2.0
"""Activation functions by Keras's names. Their meaning lives in :mod:`edgeling.graph.activations`.

Each is called with an array, ``gelu(x, approximate=True)``, and gives one; or with its options alone, for a layer:
``Dense(8, activation=gelu(approximate=True))``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from edgeling.configurable import custom_object, proposed, refuse_custom
from edgeling.errors import UnsupportedError
from edgeling.graph import GraphBuilder
from edgeling.graph.activations import ACTIVATIONS
from edgeling.graph.activations import sigmoid as _sigmoid
from edgeling.graph.meaning import MEANINGS
from edgeling.graph.types import Array

_OVER_ROWS = ("softmax", "log_softmax")  # operations of their own, over the last axis
_ALIASES = {"swish": "silu", "hard_swish": "hard_silu"}
# Keras's name of the number a function may be told.
_OPTIONS = {
    "leaky_relu": "negative_slope", "elu": "alpha", "celu": "alpha", "squareplus": "b", "soft_shrink": "threshold",
    "hard_shrink": "threshold",
}  # fmt: skip
_BACKENDS = ("jax", "jaxlib", "tensorflow", "torch")
_SAME_EVERYWHERE = (
    "relu", "relu6", "elu", "selu", "celu", "silu", "swish", "mish", "softplus", "softsign", "sigmoid", "tanh",
    "softmax", "log_softmax",
)  # fmt: skip
_OF_OPS = {"exponential": "exp", "gelu_tanh": "gelu"}
_WITHOUT_C = ("glu", "threshold", "sparsemax")
_OF_LAYERS = frozenset(ACTIVATIONS) - {"yeo_johnson_inverse"}  # which is behind a network, not in it


@dataclass(frozen=True)
class ActivationFunction:
    """An activation function; ``alpha`` is the number it may be told, such as leaky_relu's slope."""

    name: str
    alpha: float = 0.0

    @property
    def __name__(self) -> str:
        return "gelu" if self.name == "gelu_tanh" else self.name

    def trace(self, builder: GraphBuilder, x: str) -> str:
        """Append the function to a graph; gives its output."""
        if self.name == "linear":
            return x
        if self.name in _OVER_ROWS:
            return builder.add(self.name, x)
        return builder.add("activation", x, name=self.name, function=self.name, alpha=self.alpha)

    def __call__(self, x: ArrayLike | None = None, *given: Any, **options: Any) -> Any:
        """The function of an array, in NumPy; without one, the activation with these options (Keras's arguments).

        Raises:
            UnsupportedError: options no layer can have.
            TypeError: options the function does not have.
        """
        if hasattr(x, "row"):  # what stands for values of a network
            return getattr(import_module("edgeling.ops"), _OF_OPS.get(self.name, self.name))(
                x, *given, **(options or ({"approximate": self.name == "gelu_tanh"} if "gelu" in self.name else {}))
            )
        if self.name == "relu":
            return _relu(x, *given, **options)
        if self.name in _OVER_ROWS and x is not None:
            return _over_axis(self.name, x, *given, **options)
        chosen = self.told(*given, **options)
        return chosen if x is None else ACTIVATIONS[chosen.name].value(np.asarray(x, np.float32), chosen.alpha)

    def told(self, *given: Any, **options: Any) -> ActivationFunction:
        """The same function with these options."""
        if not given and not options:
            return self
        values = {**dict(zip((_OPTIONS.get(self.name, "approximate"),), given, strict=False)), **options}
        if self.__name__ == "gelu" and values.keys() == {"approximate"}:
            return ActivationFunction("gelu_tanh" if values["approximate"] else "gelu")
        if self.name in _OVER_ROWS and values in ({"axis": -1}, {"axis": 1}):
            return self
        if self.name not in _OPTIONS or values.keys() != {_OPTIONS[self.name]}:
            raise TypeError(f"{self.name} has no arguments {sorted(values)}")
        return ActivationFunction(self.name, float(values[_OPTIONS[self.name]]))


def _relu(
    x: ArrayLike | None = None, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> Any:
    """Keras's relu of three options; a layer may have one of the first two."""
    if x is None:
        if threshold or max_value not in (None, 6) or (max_value and negative_slope):
            raise UnsupportedError(
                "the relu of a layer is plain, leaky, or ends at 6",
                received=f"negative_slope={negative_slope}, max_value={max_value}, threshold={threshold}",
                remedy="relu(negative_slope=0.1) or relu(max_value=6)",
            )
        return leaky_relu(negative_slope=negative_slope) if negative_slope else relu6 if max_value else relu
    floats = np.asarray(x, np.float32)
    if not (negative_slope or threshold or max_value is not None):
        return np.maximum(floats, 0)
    above = np.where(floats > threshold, floats, np.float32(0))
    above = above if max_value is None else np.clip(above, 0, np.float32(max_value))
    return above - np.float32(negative_slope) * np.maximum(threshold - floats, 0) if negative_slope else above


def _over_axis(name: str, x: ArrayLike, axis: int | Sequence[int] = -1) -> Array:
    """Over one axis, or over several as if they were one."""
    axes = tuple(axis) if isinstance(axis, Sequence) else (axis,)
    last = tuple(range(-len(axes), 0))
    moved = np.moveaxis(np.asarray(x, np.float32), axes, last)
    flat = moved.reshape(*moved.shape[: moved.ndim - len(axes)], -1)
    return np.moveaxis(np.asarray(MEANINGS[name]({}, flat)).reshape(moved.shape), last, axes)


def glu(x: ArrayLike, axis: int = -1) -> Array:
    """The first half of an axis times the sigmoid of the second, in NumPy. No layer takes it: it halves rows."""
    first, second = np.split(np.asarray(x, np.float32), 2, axis=axis)
    return first * _sigmoid(second)


def threshold(x: ArrayLike, threshold: float, default_value: float) -> Array:
    """``x`` above the threshold, else ``default_value``, in NumPy."""
    floats = np.asarray(x, np.float32)
    return np.where(floats > threshold, floats, np.float32(default_value))


def _named(name: str) -> ActivationFunction:
    return ActivationFunction(name, ACTIVATIONS[name].default_alpha if name in ACTIVATIONS else 0.0)


linear, relu, relu6, leaky_relu = map(_named, ("linear", "relu", "relu6", "leaky_relu"))
elu, selu, gelu, silu = map(_named, ("elu", "selu", "gelu", "silu"))
softplus, softsign, sigmoid, hard_sigmoid = map(_named, ("softplus", "softsign", "sigmoid", "hard_sigmoid"))
tanh, exponential, softmax, log_softmax = map(_named, ("tanh", "exponential", "softmax", "log_softmax"))
mish, hard_silu, hard_tanh, log_sigmoid = map(_named, ("mish", "hard_silu", "hard_tanh", "log_sigmoid"))
celu, squareplus, sparse_plus, sparse_sigmoid = map(_named, ("celu", "squareplus", "sparse_plus", "sparse_sigmoid"))
soft_shrink, hard_shrink, tanh_shrink = map(_named, ("soft_shrink", "hard_shrink", "tanh_shrink"))
swish, hard_swish = silu, hard_silu


def get(identifier: Any, written: bool = True) -> ActivationFunction:
    """An activation from its name, Keras's function of that name (also as a ``functools.partial`` with options), its
    description, or itself; None is linear. A function of one's own computes with :mod:`edgeling.ops`.

    Args:
        written: functions of one's own are taken too.

    Raises:
        UnsupportedError: no such activation, or none that layers can have.
    """
    if isinstance(identifier, ActivationFunction):
        return identifier
    if isinstance(identifier, partial) and not _is_own(identifier):
        return get(identifier.func)(**identifier.keywords)
    own = identifier if _is_own(identifier) else custom_object(identifier)
    if written and own is not None:
        of_one: ActivationFunction = import_module("edgeling.written_activations").WrittenActivation.of(own)
        return of_one
    options: Mapping[str, Any] = {}
    if isinstance(identifier, Mapping) and identifier.get("class_name") in ("function", "Activation"):
        refuse_custom(identifier)
        config = identifier.get("config")
        identifier, options = (config["name"], config["options"]) if isinstance(config, Mapping) else (config, {})
    name = "linear" if identifier is None else _public_name(identifier)
    name = _ALIASES.get(name, name) if isinstance(name, str) else name
    if isinstance(name, str) and (name in _OVER_ROWS or name in _OF_LAYERS):
        return _named(name).told(**options)
    names = sorted((*_OF_LAYERS, *_OVER_ROWS))
    rule = "the activation is not supported"
    if name in _WITHOUT_C:
        rule = f"{name} is no layer's activation here"
    raise UnsupportedError(rule, received=repr(identifier), remedy=proposed(name, names, f"one of {names}"))


def _public_name(identifier: Any) -> Any:
    """The name of Keras's own functions, and of its backends' that mean the same; nobody else's of such a name is."""
    package, _, module = str(getattr(identifier, "__module__", "")).partition(".")
    name = getattr(identifier, "__name__", identifier)
    if package in ("keras", "tf_keras"):
        return "gelu_tanh" if name == "gelu" and "ops" in module.split(".") else name  # whose default is another
    return name if package in _BACKENDS and name in _SAME_EVERYWHERE else identifier


def _is_own(identifier: Any) -> bool:
    """Whether it is a function of somebody's own, not one of Keras's or of its backends."""
    if not callable(identifier) or isinstance(identifier, type):
        return False
    function = identifier.func if isinstance(identifier, partial) else identifier
    return str(getattr(function, "__module__", "")).partition(".")[0] not in ("keras", "tf_keras", *_BACKENDS)


def serialize(activation: Any) -> Any:
    """An activation as plain data: its name, or with options of its own a description that only Edgeling reads.

    Raises:
        UnsupportedError: a function of one's own without a name of its own.
    """
    chosen = get(activation)
    if type(chosen) is not ActivationFunction:
        return chosen.described()  # type: ignore[attr-defined]
    if chosen == _named(chosen.name) and chosen.name != "gelu_tanh":
        return chosen.name
    options = {"approximate": True} if chosen.name == "gelu_tanh" else {_OPTIONS[chosen.name]: chosen.alpha}
    return {"class_name": "Activation", "config": {"name": chosen.__name__, "options": options}}


deserialize: Callable[[Any], ActivationFunction] = get
