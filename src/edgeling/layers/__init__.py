# SPDX-License-Identifier: Apache-2.0
"""Layers: Keras's names, arguments and defaults."""

from edgeling.layers.base import Input, InputLayer, Layer
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
from edgeling.layers.normalization import BatchNormalization, Normalization, Rescaling
from edgeling.layers.registry import get

__all__ = [
    "ELU",
    "Activation",
    "BatchNormalization",
    "Dense",
    "Dropout",
    "Flatten",
    "Identity",
    "Input",
    "InputLayer",
    "Layer",
    "LeakyReLU",
    "Normalization",
    "ReLU",
    "Rescaling",
    "Reshape",
    "Softmax",
    "get",
]
