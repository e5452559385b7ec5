# SPDX-License-Identifier: Apache-2.0
"""Layers: Keras's names, arguments and defaults."""

from edgeling.layers.attention import AdditiveAttention, Attention
from edgeling.layers.augmentation import RandomFlip, RandomRotation, RandomTranslation, RandomZoom
from edgeling.layers.base import Layer
from edgeling.layers.cells import GRUCell, LSTMCell, SimpleRNNCell, StackedRNNCells
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
    Lambda,
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
from edgeling.layers.functions import add, average, concatenate, dot, maximum, minimum, multiply, subtract
from edgeling.layers.input import Input, InputLayer
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
from edgeling.layers.registry import deserialize, get, serialize
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

AvgPool1D, AvgPool2D, MaxPool1D, MaxPool2D = AveragePooling1D, AveragePooling2D, MaxPooling1D, MaxPooling2D
GlobalAvgPool1D, GlobalAvgPool2D = GlobalAveragePooling1D, GlobalAveragePooling2D
GlobalMaxPool1D, GlobalMaxPool2D = GlobalMaxPooling1D, GlobalMaxPooling2D
Convolution1D, Convolution2D, Convolution1DTranspose, Convolution2DTranspose = (
    Conv1D, Conv2D, Conv1DTranspose, Conv2DTranspose,
)  # fmt: skip
SeparableConvolution1D, SeparableConvolution2D = SeparableConv1D, SeparableConv2D

__all__ = [
    "add",
    "average",
    "concatenate",
    "deserialize",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "serialize",
    "subtract",
    "AdditiveAttention",
    "Attention",
    "GroupQueryAttention",
    "MultiHeadAttention",
    "Lambda",
    "Embedding",
    "CategoryEncoding",
    "Discretization",
    "Dot",
    "ActivityRegularization",
    "AlphaDropout",
    "GaussianDropout",
    "GaussianNoise",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "PReLU",
    "GroupNormalization",
    "LayerNormalization",
    "RMSNormalization",
    "UnitNormalization",
    "GRUCell",
    "LSTMCell",
    "SimpleRNNCell",
    "StackedRNNCells",
    "GRU",
    "LSTM",
    "RNN",
    "SimpleRNN",
    "Bidirectional",
    "TimeDistributed",
    "Activation",
    "Add",
    "Average",
    "AveragePooling1D",
    "AveragePooling2D",
    "BatchNormalization",
    "Concatenate",
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Cropping1D",
    "Cropping2D",
    "Dense",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "Dropout",
    "ELU",
    "Flatten",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "Identity",
    "Input",
    "InputLayer",
    "Layer",
    "LeakyReLU",
    "Masking",
    "MaxPooling1D",
    "MaxPooling2D",
    "Maximum",
    "Minimum",
    "Multiply",
    "Normalization",
    "Permute",
    "RandomFlip",
    "RandomRotation",
    "RandomTranslation",
    "RandomZoom",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "SeparableConv1D",
    "SeparableConv2D",
    "Softmax",
    "Subtract",
    "UpSampling1D",
    "UpSampling2D",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "get",
]
