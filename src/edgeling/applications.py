# SPDX-License-Identifier: Apache-2.0
"""Networks that are known to do well on small devices, each an ordinary model with new weights.

What each takes as it stands, without its arguments changed (:data:`BUDGETS`): parameters, and multiply-accumulates of
one answer. ``edgeling.build`` measures flash, memory and instructions.

    function                    made for                     from
    mlp                         rows of a table
    ds_cnn                      keywords in 49 x 10 features MLPerf Tiny; Zhang et al., "Hello Edge", 2017
    mobilenet_v1                a person in a picture        MLPerf Tiny; Howard et al., "MobileNets", 2017
    mobilenet_v2                pictures                     Sandler et al., "MobileNetV2", 2018
    resnet8                     small pictures               MLPerf Tiny; He et al., 2016
    temporal_cnn                windows of sensors           Bai, Kolter, Koltun, 2018
    gru                         windows of sensors           Cho et al., 2014
    tiny_transformer            windows of sensors           Vaswani et al., 2017
    dense_autoencoder           anomalies in features        MLPerf Tiny
    convolutional_autoencoder   anomalies in pictures
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from edgeling.checking import number, whole
from edgeling.errors import UnsupportedError
from edgeling.layers import (
    GRU,
    Activation,
    Add,
    BatchNormalization,
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    Input,
    LayerNormalization,
    MultiHeadAttention,
    ReLU,
)
from edgeling.models import Model

Shape = Sequence[int]

BUDGETS: Mapping[str, tuple[int, int]] = {
    "mlp": (3_267, 3_168),
    "ds_cnn": (24_332, 2_656_768),
    "mobilenet_v1": (219_058, 7_489_664),
    "mobilenet_v2": (412_770, 10_656_688),
    "resnet8": (78_426, 12_501_632),
    "temporal_cnn": (10_726, 1_278_144),
    "gru": (4_038, 467_136),
    "tiny_transformer": (11_910, 983_232),
    "dense_autoencoder": (269_992, 264_192),
    "convolutional_autoencoder": (3_141, 501_760),
}
"""By function: parameters, those of batch normalisation included, and multiply-accumulates of one answer."""

_MOBILENET_V1 = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))
_MOBILENET_V2 = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
                 (6, 320, 1, 1))  # fmt: skip


def mlp(
    input_shape: Shape = (16,), classes: int = 3, hidden: Sequence[int] = (64, 32), dropout: float = 0.0,
    name: str = "mlp",
) -> Model:  # fmt: skip
    """Dense layers with rectifiers.

    Args:
        input_shape: of one row; it is made flat.
        classes: probabilities that it gives; one is told by a sigmoid.
        hidden: units of each hidden layer.
        dropout: the share of units that is left out while it trains.

    Raises:
        UnsupportedError: no number of classes, units that are not whole, a share outside 0 to 1.
    """
    given = x = Input(tuple(input_shape))
    x = Flatten()(x) if len(input_shape) > 1 else x
    for units in hidden:
        x = Dense(units, activation="relu")(x)
        x = Dropout(dropout)(x) if dropout else x
    return Model(given, _classified(x, classes), name=name)


def ds_cnn(
    input_shape: Shape = (49, 10, 1), classes: int = 12, filters: int = 64, blocks: int = 4, name: str = "ds_cnn"
) -> Model:
    """A convolution of 10 x 4 and blocks of depthwise and pointwise ones: [time, frequencies, channels] to classes.

    Args:
        filters: channels of every layer.
        blocks: how many pairs of convolutions follow the first.
    """
    given = Input(tuple(input_shape))
    x = _convolved(given, filters, (10, 4), 2)
    x = Dropout(0.2)(x)
    for _ in range(whole("blocks", blocks)):
        x = _separated(x, filters)
    x = GlobalAveragePooling2D()(Dropout(0.4)(x))
    return Model(given, _classified(x, classes), name=name)


def mobilenet_v1(
    input_shape: Shape = (96, 96, 3), classes: int = 2, alpha: float = 0.25, name: str = "mobilenet_v1"
) -> Model:
    """Thirteen pairs of depthwise and pointwise convolutions: [height, width, channels] to classes.

    Args:
        alpha: how wide it is, as a share of the 32 to 1,024 channels of the paper.
    """
    share = number("alpha", alpha, 1 / 32)
    given = Input(tuple(input_shape))
    x = _convolved(given, int(32 * share), 3, 2)
    for filters, strides in _MOBILENET_V1:
        x = _separated(x, int(filters * share), strides)
    return Model(given, _classified(GlobalAveragePooling2D()(x), classes), name=name)


def mobilenet_v2(
    input_shape: Shape = (96, 96, 3), classes: int = 2, alpha: float = 0.35, name: str = "mobilenet_v2"
) -> Model:
    """Inverted residuals with linear bottlenecks: [height, width, channels] to classes.

    Args:
        alpha: how wide it is, as a share of the paper's channels, each made a multiple of 8; the last convolution has
            1,280 channels, or more where alpha is above 1.
    """
    share = number("alpha", alpha, 1 / 32)
    given = Input(tuple(input_shape))
    x = _convolved(given, _eights(32 * share), 3, 2, 6.0)
    for expansion, filters, repeats, strides in _MOBILENET_V2:
        for repeat in range(repeats):
            x = _inverted(x, expansion, _eights(filters * share), strides if repeat == 0 else 1)
    x = _convolved(x, _eights(1280 * max(1.0, share)), 1, 1, 6.0)
    return Model(given, _classified(GlobalAveragePooling2D()(x), classes), name=name)


def resnet8(input_shape: Shape = (32, 32, 3), classes: int = 10, filters: int = 16, name: str = "resnet8") -> Model:
    """Three residual stages of two convolutions each: [height, width, channels] to classes.

    Args:
        filters: channels of the first stage; each has twice those of the one before.
    """
    given = Input(tuple(input_shape))
    x = _convolved(given, filters, 3)
    for stage in range(3):
        x = _residual(x, filters << stage, 1 if stage == 0 else 2)
    return Model(given, _classified(GlobalAveragePooling2D()(x), classes), name=name)


def temporal_cnn(
    input_shape: Shape = (128, 6), classes: int = 6, filters: int = 32, kernel_size: int = 3, blocks: int = 4,
    dropout: float = 0.1, name: str = "temporal_cnn",
) -> Model:  # fmt: skip
    """Causal convolutions, each seeing twice as far back as the one before: [steps, channels] to classes.

    Args:
        filters: channels of every layer.
        kernel_size: steps that a convolution looks at.
        blocks: how many there are; the last one's steps are ``2 ** (blocks - 1)`` apart.
        dropout: the share of values that is left out while it trains.
    """
    given = x = Input(tuple(input_shape))
    for block in range(whole("blocks", blocks)):
        y = Conv1D(filters, kernel_size, padding="causal", dilation_rate=2**block, use_bias=False)(x)
        y = Dropout(dropout)(ReLU()(BatchNormalization()(y)))
        same = x.row[-1] == filters
        x = Add()([x if same else Conv1D(filters, 1)(x), y])
    return Model(given, _classified(GlobalAveragePooling1D()(x), classes), name=name)


def gru(
    input_shape: Shape = (128, 6), classes: int = 6, units: Sequence[int] = (32,), dropout: float = 0.1,
    name: str = "gru",
) -> Model:  # fmt: skip
    """Gated recurrent units, whose memory on a device does not grow with the steps: [steps, channels] to classes.

    Args:
        units: of each layer; the last one's mean over the steps is what classes are told by.
        dropout: the share of its numbers that is left out while it trains.

    Raises:
        UnsupportedError: no layer, units that are not whole.
    """
    given = x = Input(tuple(input_shape))
    if not units:
        raise UnsupportedError("there is a layer of units", received="units=()", remedy="units=(32,)")
    for each in units:
        x = GRU(each, return_sequences=True)(x)
    return Model(given, _classified(Dropout(dropout)(GlobalAveragePooling1D()(x)), classes), name=name)


def tiny_transformer(
    input_shape: Shape = (64, 32), classes: int = 6, width: int = 32, heads: int = 2, blocks: int = 1,
    dropout: float = 0.1, name: str = "tiny_transformer",
) -> Model:  # fmt: skip
    """Blocks of attention and dense layers, each around a shortcut: [steps, channels] to classes.

    Args:
        width: channels of every step, which the heads divide.
        heads: how many ways of looking at other steps each block has.
        blocks: how many there are.
        dropout: the share of values that is left out while it trains.

    Raises:
        UnsupportedError: the heads do not divide the width.
    """
    if whole("width", width) % whole("heads", heads):
        raise UnsupportedError(
            "the heads divide the width", received=f"width={width}, heads={heads}", remedy="width=32"
        )
    given = Input(tuple(input_shape))
    x = Conv1D(width, 3, padding="same")(given)  # by it steps know their neighbours, and their order
    for _ in range(whole("blocks", blocks)):
        y = LayerNormalization()(x)
        x = Add()([x, Dropout(dropout)(MultiHeadAttention(heads, width // heads)(y, y))])
        y = Dense(2 * width, activation="relu")(LayerNormalization()(x))
        x = Add()([x, Dropout(dropout)(Dense(width)(y))])
    return Model(given, _classified(GlobalAveragePooling1D()(LayerNormalization()(x)), classes), name=name)


def dense_autoencoder(
    input_shape: Shape = (640,), hidden: Sequence[int] = (128, 128, 128, 128), code: int = 8,
    name: str = "dense_autoencoder",
) -> Model:  # fmt: skip
    """Dense layers to a few numbers and back to the row: [features] to [features].

    Args:
        hidden: units on the way to the code; on the way back in the other order.
        code: how many numbers a row is pressed into.

    Raises:
        UnsupportedError: rows of several dimensions.
    """
    if len(input_shape) != 1:
        raise UnsupportedError(
            "a dense autoencoder takes rows of one dimension", received=f"input_shape={tuple(input_shape)}",
            remedy="convolutional_autoencoder(), or Flatten the rows",
        )  # fmt: skip
    given = x = Input(tuple(input_shape))
    for units in (*hidden, code, *reversed(hidden)):
        x = ReLU()(BatchNormalization()(Dense(units)(x)))
    return Model(given, Dense(input_shape[0])(x), name=name)


def convolutional_autoencoder(
    input_shape: Shape = (32, 32, 1), filters: Sequence[int] = (8, 16), code: int = 4,
    name: str = "convolutional_autoencoder",
) -> Model:  # fmt: skip
    """Convolutions that halve both sides, and transposed ones that bring them back: a picture to its pixels in a row.

    ``model.fit(x, x.reshape(len(x), -1))`` trains it.

    Args:
        input_shape: [height, width, channels], whose sides can be halved as often as there are filters.
        filters: channels of each convolution; on the way back in the other order.
        code: channels of the smallest picture.

    Raises:
        UnsupportedError: pictures whose sides cannot be halved so often.
    """
    halved = 2 ** len(filters)
    if len(input_shape) != 3 or any(side % halved for side in input_shape[:2]):
        raise UnsupportedError(
            f"pictures are [height, width, channels], their sides multiples of {halved}",
            received=f"input_shape={tuple(input_shape)}", remedy="ZeroPadding2D, or fewer filters",
        )  # fmt: skip
    given = x = Input(tuple(input_shape))
    for channels in filters:
        x = Conv2D(channels, 3, strides=2, padding="same", activation="relu")(x)
    x = Conv2D(code, 1, activation="relu")(x)
    for channels in reversed(filters):
        x = Conv2DTranspose(channels, 3, strides=2, padding="same", activation="relu")(x)
    return Model(given, Flatten()(Conv2D(input_shape[2], 3, padding="same")(x)), name=name)


def _classified(x: Any, classes: int) -> Any:
    """Probabilities of classes; of one class by itself a sigmoid."""
    return Dense(classes, activation="softmax" if whole("classes", classes) > 1 else "sigmoid")(x)


def _convolved(x: Any, filters: int, size: Any, strides: int = 1, most: float | None = None) -> Any:
    x = Conv2D(filters, size, strides=strides, padding="same", use_bias=False)(x)
    return ReLU(max_value=most)(BatchNormalization()(x))


def _separated(x: Any, filters: int, strides: int = 1) -> Any:
    """A depthwise and a pointwise convolution."""
    x = DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False)(x)
    return _convolved(ReLU()(BatchNormalization()(x)), filters, 1)


def _inverted(x: Any, expansion: int, filters: int, strides: int) -> Any:
    """Wider, depthwise, narrower; and the way around it where nothing changes its shape."""
    channels = x.row[-1]
    y = _convolved(x, expansion * channels, 1, 1, 6.0) if expansion > 1 else x
    y = DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False)(y)
    y = ReLU(max_value=6.0)(BatchNormalization()(y))
    y = BatchNormalization()(Conv2D(filters, 1, use_bias=False)(y))
    return Add()([x, y]) if strides == 1 and channels == filters else y


def _residual(x: Any, filters: int, strides: int) -> Any:
    """Two convolutions, and the way around them; where the shape changes, it has a convolution of one by one."""
    y = _convolved(x, filters, 3, strides)
    y = BatchNormalization()(Conv2D(filters, 3, padding="same", use_bias=False)(y))
    around = x if strides == 1 else Conv2D(filters, 1, strides=strides, padding="same")(x)
    return Activation("relu")(Add()([around, y]))


def _eights(channels: float) -> int:
    """The nearest multiple of 8, at least 8 and at least nine tenths of what was asked for."""
    near = max(8, int(channels + 4) // 8 * 8)
    return near if near >= 0.9 * channels else ceil(channels / 8) * 8
