# SPDX-License-Identifier: Apache-2.0
"""What networks for small devices have in common: how they begin, what they are put together of, how they end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgeling.checking import flag, number, whole
from edgeling.errors import UnsupportedError
from edgeling.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    Input,
    InputLayer,
    ReLU,
)
from edgeling.layers.symbolic import Symbolic
from edgeling.models import Model

Shape = Sequence[int | None] | None
Weights = str | Path | None

STEPS = ("steps", "channels")
PICTURE = ("height", "width", "channels")
_EXAMPLES = {1: (16,), 2: (128, 6), 3: (32, 32, 3)}
_POOLING: Mapping[str, Mapping[int, Any]] = {
    "avg": {2: GlobalAveragePooling1D, 3: GlobalAveragePooling2D},
    "max": {2: GlobalMaxPooling1D, 3: GlobalMaxPooling2D},
}


def begun(network: str, input_shape: Shape, input_tensor: Any, *axes: Sequence[str]) -> Any:
    """The input of a network, or the symbolic value that it goes on from.

    Args:
        axes: what the axes of a row are, for each kind of rows that the network takes; by default rows are of any kind.

    Raises:
        UnsupportedError: the shape of no such row, no symbolic value, or both and they differ.
    """
    shape = _shape_of(network, input_shape, input_tensor)
    known = all(side is None or (_counts(side)) for side in shape)
    if not shape or not known or (axes and len(shape) not in map(len, axes)):
        told = " or ".join(f"[{', '.join(names)}]" for names in axes) or "[features]"
        raise UnsupportedError(
            f"{network} takes rows of {told}, whole numbers above zero", received=f"input_shape={input_shape!r}",
            remedy=f"input_shape={_EXAMPLES[len(axes[0]) if axes else 1]}, without the batch",
        )  # fmt: skip
    return Input(shape) if input_tensor is None else input_tensor


def _shape_of(network: str, input_shape: Any, input_tensor: Any) -> tuple[Any, ...]:
    if input_tensor is None:
        return tuple(input_shape) if _listed(input_shape) else ()
    if not isinstance(input_tensor, Symbolic):
        raise UnsupportedError(
            f"input_tensor of {network} is an Input, or what layers make of one",
            received=type(input_tensor).__name__, remedy="input_tensor=Input((96, 96, 3))",
        )  # fmt: skip
    return tuple(input_tensor.shape[1:])


def _listed(values: Any) -> bool:
    return isinstance(values, (Sequence, np.ndarray)) and not isinstance(values, str) and len(values) > 0


def _counts(side: Any) -> bool:
    return isinstance(side, (int, np.integer)) and not isinstance(side, bool) and bool(side > 0)


def sources(value: Any) -> list[Any]:
    """The inputs that a symbolic value is made of, each once, in the order they are met."""
    if isinstance(value, InputLayer):
        return [value]
    return list(dict.fromkeys(found for one in value.inputs for found in sources(one)))


def finished(given: Any, x: Any, weights: Weights, name: str) -> Model:
    """The model, with weights of a file if there is one.

    Raises:
        UnsupportedError: ``"imagenet"``: no weights come with the package.
    """
    if weights == "imagenet":
        raise UnsupportedError(
            "networks begin with new weights, or with those of a file", received="weights='imagenet'",
            remedy="weights=None; or load_model('pretrained.keras'), where Keras saved its own",
        )  # fmt: skip
    inputs = sources(given)
    model = Model(inputs if len(inputs) > 1 else inputs[0], x, name=name)
    if weights is not None:
        model.load_weights(weights)
    return model


def ended(x: Any, include_top: bool, pooling: str | None, classes: int, classifier_activation: Any) -> Any:
    """Probabilities of classes, told by means over steps or pixels; without the top what is before, pooled or not."""
    required_pooling(pooling)
    if not flag("include_top", include_top):
        return pooled(x, pooling)
    return classified(pooled(x, "avg"), classes, classifier_activation)


def classified(x: Any, classes: int, activation: Any, name: str | None = None) -> Any:
    """A dense layer of as many units as there are classes."""
    return Dense(whole("classes", classes), activation=for_classes(classes, activation), name=name)(x)


def for_classes(classes: int, activation: Any) -> Any:
    """Of one class by itself a sigmoid: a softmax would always be 1."""
    return "sigmoid" if classes == 1 and activation == "softmax" else activation


def required_pooling(pooling: str | None) -> None:
    """Raise unless it is Keras's."""
    if pooling is not None and pooling not in _POOLING:
        raise UnsupportedError("pooling is None, 'avg' or 'max'", received=repr(pooling), remedy="pooling='avg'")


def pooled(x: Any, pooling: str | None, **how: Any) -> Any:
    """Means or largest values over steps or pixels."""
    return x if pooling is None else _POOLING[pooling][len(x.row)](**how)(x)


def share(name: str, value: float) -> float:
    """How much is left out while it trains."""
    return number(name, value, 0, 1)


def several(name: str, values: Any, example: tuple[int, ...]) -> list[int]:
    """Whole numbers above zero, one for each layer, in a list.

    Raises:
        UnsupportedError: no list, none, or others.
    """
    if not _listed(values):
        raise UnsupportedError(
            f"{name} has a whole number for each layer", received=f"{name}={values!r}", remedy=f"{name}={example}"
        )
    return [whole(f"each of {name}", value) for value in values]


def convolved(x: Any, filters: int, size: Any, strides: int = 1) -> Any:
    """A convolution, normalised, with a rectifier."""
    x = Conv2D(whole("filters", filters), size, strides=strides, padding="same", use_bias=False)(x)
    return ReLU()(BatchNormalization()(x))


def separated(x: Any, filters: int) -> Any:
    """A depthwise and a pointwise convolution."""
    x = DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    return convolved(ReLU()(BatchNormalization()(x)), filters, 1)
