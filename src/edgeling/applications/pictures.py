# SPDX-License-Identifier: Apache-2.0
"""Networks of convolutions: features of keywords and small pictures to classes, pictures to themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgeling.applications.parts import (
    PICTURE,
    STEPS,
    Shape,
    Weights,
    begun,
    convolved,
    ended,
    finished,
    separated,
    several,
    share,
)
from edgeling.checking import whole
from edgeling.errors import UnsupportedError
from edgeling.layers import (
    Activation,
    Add,
    BatchNormalization,
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Conv2DTranspose,
    Cropping1D,
    Cropping2D,
    Dropout,
)
from edgeling.models import Model


def ds_cnn(
    input_shape: Shape = (49, 10, 1), classes: int = 12, *, filters: int = 64, blocks: int = 4, dropout: float = 0.4,
    include_top: bool = True, weights: Weights = None, input_tensor: Any = None, pooling: str | None = None,
    classifier_activation: Any = "softmax", name: str = "ds_cnn",
) -> Model:  # fmt: skip
    """A convolution of 10 x 4 and pairs of depthwise and pointwise ones: [time, frequencies, channels] to classes.

    90,776 bytes of weights, 34,560 bytes of RAM and 2,656,768 multiply-accumulates as it stands, which is MLPerf Tiny's
    keyword spotter.

    Args:
        filters: channels of every layer.
        blocks: how many pairs of convolutions follow the first.
        dropout: the share that is left out before means are taken, while it trains; behind the first layer half of it.

    Raises:
        UnsupportedError: an argument that has no meaning here.
    """
    given = begun("ds_cnn", input_shape, input_tensor, ("time", "frequencies", "channels"))
    x = Dropout(share("dropout", dropout) / 2)(convolved(given, filters, (10, 4), 2))
    for _ in range(whole("blocks", blocks)):
        x = separated(x, filters)
    x = ended(Dropout(dropout)(x), include_top, pooling, classes, classifier_activation)
    return finished(given, x, weights, name)


def resnet8(
    input_shape: Shape = (32, 32, 3), classes: int = 10, *, filters: int = 16, include_top: bool = True,
    weights: Weights = None, input_tensor: Any = None, pooling: str | None = None,
    classifier_activation: Any = "softmax", name: str = "resnet8",
) -> Model:  # fmt: skip
    """Three residual stages of two convolutions each: [height, width, channels] to classes.

    311,424 bytes of weights, 196,608 bytes of RAM and 12,501,632 multiply-accumulates as it stands, which is MLPerf
    Tiny's image classifier.

    Args:
        filters: channels of the first stage; each has twice those of the one before.

    Raises:
        UnsupportedError: an argument that has no meaning here.
    """
    given = begun("resnet8", input_shape, input_tensor, PICTURE)
    x = convolved(given, filters, 3)
    for stage in range(3):
        x = _residual(x, filters << stage, 1 if stage == 0 else 2)
    x = ended(x, include_top, pooling, classes, classifier_activation)
    return finished(given, x, weights, name)


def convolutional_autoencoder(
    input_shape: Shape = (32, 32, 1), *, filters: Sequence[int] = (8, 16), code: int = 4, weights: Weights = None,
    input_tensor: Any = None, name: str = "convolutional_autoencoder",
) -> Model:  # fmt: skip
    """Convolutions that halve all sides, and transposed ones that bring them back: a picture, or a window, to itself.

    12,924 bytes of weights, 49,152 bytes of RAM and 501,760 multiply-accumulates as it stands. ``model.fit(x, x)``
    trains it.

    Args:
        input_shape: [height, width, channels] or [steps, channels]; what is given back has this shape.
        filters: channels of each convolution; on the way back in the other order.
        code: channels of what is smallest.

    Raises:
        UnsupportedError: an argument that has no meaning here; sides that are not known before.
    """
    x = given = begun("convolutional_autoencoder", input_shape, input_tensor, PICTURE, STEPS)
    if None in given.shape[1:]:
        raise UnsupportedError(
            "what is halved and brought back has a size", received=f"input_shape={input_shape!r}",
            remedy="input_shape=(128, 6), and windows of that length",
        )  # fmt: skip
    kinds = (Conv1D, Conv1DTranspose, Cropping1D) if len(given.row) == 2 else (Conv2D, Conv2DTranspose, Cropping2D)
    down, up, cut = kinds
    wide, sizes = several("filters", filters, (8, 16)), []
    for channels in wide:
        sizes.append(x.row[:-1])
        x = down(channels, 3, strides=2, padding="same", activation="relu")(x)
    x = down(whole("code", code), 1, activation="relu")(x)
    for channels, size in zip(reversed(wide), reversed(sizes), strict=True):
        x = up(channels, 3, strides=2, padding="same", activation="relu")(x)
        x = _cut_to(x, size, cut)
    return finished(given, down(given.row[-1], 3, padding="same")(x), weights, name)


def _cut_to(x: Any, size: tuple[int, ...], cut: Any) -> Any:
    """Without the step or row too many, where a side was odd before it was halved."""
    over = [(0, has - wanted) for has, wanted in zip(x.row, size, strict=False)]
    if not any(end for _, end in over):
        return x
    return cut(over[0] if len(over) == 1 else tuple(over))(x)


def _residual(x: Any, filters: int, strides: int) -> Any:
    """Two convolutions, and the way around them; where the shape changes, it has a convolution of one by one."""
    y = convolved(x, filters, 3, strides)
    y = BatchNormalization()(Conv2D(filters, 3, padding="same", use_bias=False)(y))
    around = x if strides == 1 else Conv2D(filters, 1, strides=strides, padding="same")(x)
    return Activation("relu")(Add()([around, y]))
