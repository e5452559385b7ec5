# SPDX-License-Identifier: Apache-2.0
"""Networks for windows of sensors: [steps, channels] to classes. Steps may be None: rows of any length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgeling.applications.parts import STEPS, Shape, Weights, begun, ended, finished, several, share
from edgeling.checking import whole
from edgeling.errors import UnsupportedError
from edgeling.layers import (
    GRU,
    Add,
    BatchNormalization,
    Conv1D,
    Dense,
    Dropout,
    LayerNormalization,
    MultiHeadAttention,
    ReLU,
)
from edgeling.models import Model


def temporal_cnn(
    input_shape: Shape = (128, 6), classes: int = 6, *, filters: int = 32, kernel_size: int = 3, blocks: int = 4,
    dropout: float = 0.1, include_top: bool = True, weights: Weights = None, input_tensor: Any = None,
    pooling: str | None = None, classifier_activation: Any = "softmax", name: str = "temporal_cnn",
) -> Model:  # fmt: skip
    """Causal convolutions around shortcuts, each seeing twice as far back as the one before.

    41,728 bytes of weights, 32,768 bytes of RAM and 1,278,144 multiply-accumulates as it stands.

    Args:
        filters: channels of every layer.
        kernel_size: steps that a convolution looks at.
        blocks: how many there are; the last one's steps are ``2 ** (blocks - 1)`` apart.
        dropout: the share of values that is left out while it trains.

    Raises:
        UnsupportedError: an argument that has no meaning here.
    """
    x = given = begun("temporal_cnn", input_shape, input_tensor, STEPS)
    for block in range(whole("blocks", blocks)):
        y = Conv1D(whole("filters", filters), kernel_size, padding="causal", dilation_rate=2**block, use_bias=False)(x)
        y = Dropout(share("dropout", dropout))(ReLU()(BatchNormalization()(y)))
        same = x.row[-1] == filters
        x = Add()([x if same else Conv1D(filters, 1)(x), y])
    return finished(given, ended(x, include_top, pooling, classes, classifier_activation), weights, name)


def gru(
    input_shape: Shape = (128, 6), classes: int = 6, *, units: Sequence[int] = (32,), dropout: float = 0.1,
    include_top: bool = True, weights: Weights = None, input_tensor: Any = None, pooling: str | None = None,
    classifier_activation: Any = "softmax", name: str = "gru",
) -> Model:  # fmt: skip
    """Gated recurrent units, and the mean of what they say at each step.

    16,212 bytes of weights, 17,280 bytes of RAM and 467,136 multiply-accumulates as it stands.

    Args:
        units: of each layer.
        dropout: the share of its numbers that is left out while it trains.

    Raises:
        UnsupportedError: an argument that has no meaning here.
    """
    x = given = begun("gru", input_shape, input_tensor, STEPS)
    for each in several("units", units, (32,)):
        x = GRU(each, return_sequences=True)(x)
    x = ended(Dropout(share("dropout", dropout))(x), include_top, pooling, classes, classifier_activation)
    return finished(given, x, weights, name)


def tiny_transformer(
    input_shape: Shape = (64, 32), classes: int = 6, *, width: int = 32, heads: int = 2, blocks: int = 1,
    dropout: float = 0.1, include_top: bool = True, weights: Weights = None, input_tensor: Any = None,
    pooling: str | None = None, classifier_activation: Any = "softmax", name: str = "tiny_transformer",
) -> Model:  # fmt: skip
    """Blocks of attention and dense layers, each around a shortcut; a convolution before them tells what comes first.

    47,940 bytes of weights, 65,536 bytes of RAM and 983,232 multiply-accumulates as it stands.

    Args:
        width: channels of every step, which the heads divide.
        heads: how many ways of looking at other steps each block has.
        blocks: how many there are.
        dropout: the share of values that is left out while it trains.

    Raises:
        UnsupportedError: an argument that has no meaning here; heads that do not divide the width.
    """
    if whole("width", width) % whole("heads", heads):
        raise UnsupportedError(
            "the heads divide the width", received=f"width={width}, heads={heads}", remedy=f"width={heads * 8}"
        )
    given, left_out = begun("tiny_transformer", input_shape, input_tensor, STEPS), share("dropout", dropout)
    x = Conv1D(width, 3, padding="same")(given)
    for _ in range(whole("blocks", blocks)):
        y = LayerNormalization()(x)
        x = Add()([x, Dropout(left_out)(MultiHeadAttention(heads, width // heads)(y, y))])
        y = Dense(2 * width, activation="relu")(LayerNormalization()(x))
        x = Add()([x, Dropout(left_out)(Dense(width)(y))])
    x = ended(LayerNormalization()(x), include_top, pooling, classes, classifier_activation)
    return finished(given, x, weights, name)
