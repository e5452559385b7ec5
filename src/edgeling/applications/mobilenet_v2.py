# SPDX-License-Identifier: Apache-2.0
"""MobileNetV2 as Keras has it, layer by layer and name by name, and a small one under its budget."""

from __future__ import annotations

from typing import Any

from edgeling.applications.parts import PICTURE, Shape, Weights, begun, classified, finished, pooled, required_pooling
from edgeling.applications.pixels import preprocess_input
from edgeling.checking import flag, number
from edgeling.layers import Add, BatchNormalization, Conv2D, DepthwiseConv2D, ReLU, ZeroPadding2D
from edgeling.models import Model

__all__ = ["MobileNetV2", "mobilenet_v2", "preprocess_input"]

# Channels, how often, and by how much the first of them moves.
_STAGES = ((16, 1, 1), (24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1))


def MobileNetV2(  # noqa: N802 - Keras's name
    input_shape: Shape = None, alpha: float = 1.0, include_top: bool = True, weights: Weights = "imagenet",
    input_tensor: Any = None, pooling: str | None = None, classes: int = 1000, classifier_activation: Any = "softmax",
    name: str | None = None,
) -> Model:  # fmt: skip
    """Keras's ``MobileNetV2``: its arguments, defaults, layers and their names. ``weights=None`` is to be said.

    Args:
        input_shape: [height, width, channels]; by default 224 x 224 x 3.
        alpha: how wide it is, as a share of the paper's channels, each made a multiple of 8; the last convolution has
            1,280 channels, or more where alpha is above 1.

    Raises:
        UnsupportedError: ``weights="imagenet"``, which do not come with the package; an argument without meaning.
    """
    given = begun("MobileNetV2", input_shape or (224, 224, 3), input_tensor, PICTURE)
    width = number("alpha", alpha, 1 / 32)
    required_pooling(pooling)
    x = _normalized(Conv2D(_eights(32 * width), 3, strides=2, padding="same", use_bias=False, name="Conv1")(given),
                    "bn_Conv1", "Conv1_relu")  # fmt: skip
    rows = [(filters, first if at == 0 else 1) for filters, repeats, first in _STAGES for at in range(repeats)]
    for block, (filters, strides) in enumerate(rows):
        x = _inverted(x, _eights(int(filters * width)), strides, block)
    last = Conv2D(_eights(1280 * max(1.0, width)), 1, use_bias=False, name="Conv_1")
    x = _normalized(last(x), "Conv_1_bn", "out_relu")
    if flag("include_top", include_top):
        x = classified(pooled(x, "avg"), classes, classifier_activation, "predictions")
    else:
        x = pooled(x, pooling)
    return finished(given, x, weights, name or f"mobilenetv2_{width:0.2f}_{given.shape[1]}")


def mobilenet_v2(
    input_shape: Shape = (96, 96, 3), classes: int = 2, *, alpha: float = 0.35, include_top: bool = True,
    weights: Weights = None, input_tensor: Any = None, pooling: str | None = None,
    classifier_activation: Any = "softmax", name: str = "mobilenet_v2",
) -> Model:  # fmt: skip
    """:func:`MobileNetV2` of a third of its channels: [height, width, channels] to classes.

    1,569,780 bytes of weights, 552,960 bytes of RAM and 10,656,688 multiply-accumulates as it stands.

    Args:
        alpha: how wide it is, as a share of the paper's channels, each made a multiple of 8; the last convolution has
            1,280 channels, or more where alpha is above 1.

    Raises:
        UnsupportedError: an argument that has no meaning here.
    """
    return MobileNetV2(
        input_shape, alpha, include_top, weights, input_tensor, pooling, classes, classifier_activation, name
    )


def _normalized(x: Any, name: str, relu: str = "") -> Any:
    x = BatchNormalization(epsilon=1e-3, momentum=0.999, name=name)(x)
    return ReLU(6.0, name=relu)(x) if relu else x


def _inverted(x: Any, filters: int, strides: int, block: int) -> Any:
    """Six times wider, depthwise, narrower; and the way around it where nothing changes its shape."""
    channels, name = x.row[-1], f"block_{block}_" if block else "expanded_conv_"
    y = x
    if block:
        y = Conv2D(6 * channels, 1, padding="same", use_bias=False, name=f"{name}expand")(x)
        y = _normalized(y, f"{name}expand_BN", f"{name}expand_relu")
    y = ZeroPadding2D(_before_moving(y.shape[1:3]), name=f"{name}pad")(y) if strides > 1 else y
    same = "valid" if strides > 1 else "same"
    y = DepthwiseConv2D(3, strides=strides, use_bias=False, padding=same, name=f"{name}depthwise")(y)
    y = _normalized(y, f"{name}depthwise_BN", f"{name}depthwise_relu")
    y = _normalized(Conv2D(filters, 1, padding="same", use_bias=False, name=f"{name}project")(y), f"{name}project_BN")
    return Add(name=f"{name}add")([x, y]) if strides == 1 and channels == filters else y


def _before_moving(sides: tuple[int | None, ...]) -> tuple[tuple[int, int], ...]:
    """Zeros around a window of 3 that moves by 2: of an even side behind alone."""
    return tuple((0 if side is not None and side % 2 == 0 else 1, 1) for side in sides)


def _eights(channels: float) -> int:
    """The nearest multiple of 8, at least 8 and at least nine tenths of what was asked for."""
    near = max(8, int(channels + 4) // 8 * 8)
    return near + 8 if near < 0.9 * channels else near
