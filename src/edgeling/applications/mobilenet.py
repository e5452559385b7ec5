# SPDX-License-Identifier: Apache-2.0
"""MobileNet as Keras has it, layer by layer and name by name, and a small one under its budget."""

from __future__ import annotations

from typing import Any

from edgeling.applications.parts import (
    PICTURE,
    Shape,
    Weights,
    begun,
    finished,
    for_classes,
    pooled,
    required_pooling,
    share,
)
from edgeling.applications.pixels import preprocess_input
from edgeling.checking import flag, number, whole
from edgeling.errors import UnsupportedError
from edgeling.layers import (
    Activation,
    BatchNormalization,
    Conv2D,
    DepthwiseConv2D,
    Dropout,
    ReLU,
    Reshape,
    ZeroPadding2D,
)
from edgeling.models import Model

__all__ = ["MobileNet", "mobilenet_v1", "preprocess_input"]

LEAST_SIDE = 32  # as in Keras
_BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))


def MobileNet(  # noqa: N802 - Keras's name
    input_shape: Shape = None, alpha: float = 1.0, depth_multiplier: int = 1, dropout: float = 1e-3,
    include_top: bool = True, weights: Weights = "imagenet", input_tensor: Any = None, pooling: str | None = None,
    classes: int = 1000, classifier_activation: Any = "softmax", name: str | None = None,
) -> Model:  # fmt: skip
    """Keras's ``MobileNet``: its arguments, defaults, layers and their names. ``weights=None`` is to be said.

    Args:
        input_shape: [height, width, channels]; by default 224 x 224 x 3.
        alpha: how wide it is, as a share of the 32 to 1,024 channels of the paper.
        dropout: the share that is left out before classes are told, while it trains.

    Raises:
        UnsupportedError: ``weights="imagenet"``, which do not come with the package; an argument without meaning.
    """
    given = begun("MobileNet", input_shape or (224, 224, 3), input_tensor, PICTURE)
    width = number("alpha", alpha, 1 / 32)
    required_pooling(pooling)
    if any(side is not None and side < LEAST_SIDE for side in given.shape[1:3]):
        raise UnsupportedError(
            f"MobileNet halves pictures five times: their sides are {LEAST_SIDE} or more",
            received=f"input_shape={tuple(given.shape[1:])}", remedy="resnet8, or input_shape=(32, 32, 3)",
        )  # fmt: skip
    x = _first(given, int(32 * width))
    for block, (filters, strides) in enumerate(_BLOCKS, 1):
        x = _pair(x, int(filters * width), strides, block, depth_multiplier)
    if flag("include_top", include_top):
        x = Dropout(share("dropout", dropout), name="dropout")(pooled(x, "avg", keepdims=True))
        x = Conv2D(whole("classes", classes), 1, padding="same", name="conv_preds")(x)
        x = Reshape((classes,), name="reshape_2")(x)
        x = Activation(for_classes(classes, classifier_activation), name="predictions")(x)
    else:
        x = pooled(x, pooling)
    return finished(given, x, weights, name or f"mobilenet_{width:0.2f}_{given.shape[1]}")


def mobilenet_v1(
    input_shape: Shape = (96, 96, 3), classes: int = 2, *, alpha: float = 0.25, depth_multiplier: int = 1,
    dropout: float = 1e-3, include_top: bool = True, weights: Weights = None, input_tensor: Any = None,
    pooling: str | None = None, classifier_activation: Any = "softmax", name: str = "mobilenet_v1",
) -> Model:  # fmt: skip
    """:func:`MobileNet` of a quarter of its channels: [height, width, channels] to classes.

    844,660 bytes of weights, 221,184 bytes of RAM and 7,489,664 multiply-accumulates as it stands, which are those of
    MLPerf Tiny's person detector.

    Args:
        alpha: how wide it is, as a share of the 32 to 1,024 channels of the paper.
        dropout: the share that is left out before classes are told, while it trains.

    Raises:
        UnsupportedError: an argument that has no meaning here.
    """
    return MobileNet(
        input_shape, alpha, depth_multiplier, dropout, include_top, weights, input_tensor, pooling, classes,
        classifier_activation, name,
    )  # fmt: skip


def _first(x: Any, filters: int) -> Any:
    x = Conv2D(filters, 3, strides=2, padding="same", use_bias=False, name="conv1")(x)
    return ReLU(6.0, name="conv1_relu")(BatchNormalization(name="conv1_bn")(x))


def _pair(x: Any, filters: int, strides: int, block: int, depth_multiplier: int) -> Any:
    """A depthwise and a pointwise convolution, each normalised and cut at 6."""
    x = ZeroPadding2D(((0, 1), (0, 1)), name=f"conv_pad_{block}")(x) if strides > 1 else x
    x = DepthwiseConv2D(
        3, strides=strides, padding="valid" if strides > 1 else "same",
        depth_multiplier=whole("depth_multiplier", depth_multiplier), use_bias=False, name=f"conv_dw_{block}",
    )(x)  # fmt: skip
    x = ReLU(6.0, name=f"conv_dw_{block}_relu")(BatchNormalization(name=f"conv_dw_{block}_bn")(x))
    x = Conv2D(filters, 1, padding="same", use_bias=False, name=f"conv_pw_{block}")(x)
    return ReLU(6.0, name=f"conv_pw_{block}_relu")(BatchNormalization(name=f"conv_pw_{block}_bn")(x))
