# SPDX-License-Identifier: Apache-2.0
"""Layers by name, for model files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeling.configurable import custom_object, custom_object_scope, find, refuse_custom
from edgeling.configurable import serialize as described
from edgeling.layers.attention import AdditiveAttention, Attention
from edgeling.layers.augmentation import RandomFlip, RandomRotation, RandomTranslation, RandomZoom
from edgeling.layers.base import Layer
from edgeling.layers.convolutional import (
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Conv2DTranspose,
    DepthwiseConv1D,
    DepthwiseConv2D,
    SeparableConv1D,
    SeparableConv2D,
)
from edgeling.layers.core import (
    ELU,
    Activation,
    Dense,
    Dropout,
    Flatten,
    Identity,
    LeakyReLU,
    ReLU,
    Reshape,
    Softmax,
)
from edgeling.layers.embedding import (
    Embedding,
)
from edgeling.layers.encoding import (
    CategoryEncoding,
    Discretization,
)
from edgeling.layers.input import InputLayer
from edgeling.layers.masking import Masking
from edgeling.layers.merging import (
    Add,
    Average,
    Concatenate,
    Dot,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
)
from edgeling.layers.multi_head import GroupQueryAttention, MultiHeadAttention
from edgeling.layers.noise import (
    ActivityRegularization,
    AlphaDropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout1D,
    SpatialDropout2D,
)
from edgeling.layers.normalization import BatchNormalization, Normalization, Rescaling
from edgeling.layers.parametric import (
    PReLU,
)
from edgeling.layers.pooling import (
    AveragePooling1D,
    AveragePooling2D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    MaxPooling1D,
    MaxPooling2D,
)
from edgeling.layers.recurrent import GRU, LSTM, RNN, SimpleRNN
from edgeling.layers.reshaping import (
    Cropping1D,
    Cropping2D,
    Permute,
    RepeatVector,
    UpSampling1D,
    UpSampling2D,
    ZeroPadding1D,
    ZeroPadding2D,
)
from edgeling.layers.row_normalization import (
    GroupNormalization,
    LayerNormalization,
    RMSNormalization,
    UnitNormalization,
)
from edgeling.layers.wrappers import Bidirectional, TimeDistributed

_CLASSES: tuple[type[Layer], ...] = (
    InputLayer, Dense, Activation, ReLU, LeakyReLU, ELU, Softmax, Dropout, Flatten, BatchNormalization, Normalization,
    Rescaling, Identity, Reshape, Conv1D, Conv1DTranspose, Conv2D, Conv2DTranspose, DepthwiseConv1D, DepthwiseConv2D,
    SeparableConv1D, SeparableConv2D, AveragePooling1D, AveragePooling2D, GlobalAveragePooling1D,
    GlobalAveragePooling2D, GlobalMaxPooling1D, GlobalMaxPooling2D, MaxPooling1D, MaxPooling2D, Cropping1D,
    Cropping2D, Permute, RepeatVector, UpSampling1D, UpSampling2D, ZeroPadding1D, ZeroPadding2D,
    RandomFlip, RandomRotation, RandomTranslation, RandomZoom,
    Bidirectional, GRU, LSTM, RNN, SimpleRNN, TimeDistributed,
    Add, Average, Concatenate, Dot, Masking, Maximum, Minimum, Multiply, Subtract,
    AdditiveAttention, Attention, GroupQueryAttention, MultiHeadAttention,
    ActivityRegularization, AlphaDropout, CategoryEncoding, Discretization, Embedding, GaussianDropout, GaussianNoise,
    GroupNormalization, LayerNormalization, PReLU, RMSNormalization, SpatialDropout1D, SpatialDropout2D,
    UnitNormalization,
)  # fmt: skip
TABLE: dict[str, type[Layer]] = {name: c for c in _CLASSES for name in (c.__name__, c.exported) if name}


def get(description: Any) -> Layer:
    """A layer from its description in a model file.

    Raises:
        UnsupportedError: no such layer, or a setting of it that is not supported; a layer of one's own.
    """
    if not isinstance(description, Mapping):
        find("layer description", TABLE, description)
    refuse_custom(description)
    own: Any = custom_object(description)
    if isinstance(own, type) and issubclass(own, Layer):
        made: Layer = own.from_config(description.get("config", {}))
        return made
    return find("layer", TABLE, description.get("class_name")).from_config(description.get("config", {}))


def serialize(layer: Layer) -> dict[str, Any]:
    """A layer's description, without its weights; :func:`deserialize` makes one like it of it."""
    return described(layer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Layer:
    """The inverse of :func:`serialize`, with new weights.

    Args:
        custom_objects: classes of one's own by the names that descriptions have for them.
    """
    with custom_object_scope(custom_objects):
        return get(config)
