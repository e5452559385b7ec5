# SPDX-License-Identifier: Apache-2.0
"""Three convolutional networks, written once for Edgeling and Keras, and the PyTorch modules that are the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.networks import Array

# Rows, classes, and multiplications of one row on the way there.
SHAPES: dict[str, tuple[tuple[int, ...], int]] = {
    "DS-CNN": ((49, 10, 1), 12),
    "ResNet-8": ((32, 32, 3), 10),
    "1-D CNN": ((128, 6), 6),
}
PRODUCTS = {"DS-CNN": 2_656_768, "ResNet-8": 12_501_632, "1-D CNN": 1_302_912}


def rows_of(name: str, rows: int) -> tuple[Array, Array]:
    """Random images and classes."""
    shape, classes = SHAPES[name]
    rng = np.random.default_rng(0)
    return rng.normal(size=(rows, *shape)).astype(np.float32), rng.integers(0, classes, rows).astype(np.int32)


def model(name: str, layers: Any, models: Any) -> Any:
    """A network of Keras's layers, whoever's they are."""
    return _MADE[name](layers, models)


def _ds_cnn(layers: Any, models: Any) -> Any:
    net = models.Sequential([layers.Input((49, 10, 1)), layers.Conv2D(64, (10, 4), strides=2, padding="same")])
    for _ in range(4):
        net.add(layers.BatchNormalization())
        net.add(layers.Activation("relu"))
        net.add(layers.DepthwiseConv2D(3, padding="same"))
        net.add(layers.BatchNormalization())
        net.add(layers.Activation("relu"))
        net.add(layers.Conv2D(64, 1))
    for layer in (layers.BatchNormalization(), layers.Activation("relu"), layers.GlobalAveragePooling2D()):
        net.add(layer)
    net.add(layers.Dense(12, activation="softmax"))
    return net


def _resnet_8(layers: Any, models: Any) -> Any:
    def normalized(x: Any) -> Any:
        return layers.BatchNormalization()(x)

    given = layers.Input((32, 32, 3))
    x = layers.Activation("relu")(normalized(layers.Conv2D(16, 3, padding="same")(given)))
    for filters, stride in ((16, 1), (32, 2), (64, 2)):
        y = layers.Conv2D(filters, 3, strides=stride, padding="same")(x)
        y = layers.Conv2D(filters, 3, padding="same")(layers.Activation("relu")(normalized(y)))
        if stride > 1:
            x = layers.Conv2D(filters, 1, strides=stride, padding="same")(x)
        x = layers.Activation("relu")(layers.Add()([x, normalized(y)]))
    return models.Model(given, layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling2D()(x)))


def _cnn_1d(layers: Any, models: Any) -> Any:
    net = models.Sequential([layers.Input((128, 6))])
    for filters, size in ((32, 5), (64, 5)):
        net.add(layers.Conv1D(filters, size, padding="same", activation="relu"))
        net.add(layers.MaxPooling1D(2))
    net.add(layers.Conv1D(64, 3, padding="same", activation="relu"))
    net.add(layers.GlobalAveragePooling1D())
    net.add(layers.Dense(6, activation="softmax"))
    return net


_MADE: dict[str, Callable[[Any, Any], Any]] = {"DS-CNN": _ds_cnn, "ResNet-8": _resnet_8, "1-D CNN": _cnn_1d}


def torch_module(name: str) -> Any:
    """The same network as logits; images with their channels first."""
    import torch
    from torch import nn

    class Residual(nn.Module):
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.body = nn.Sequential(*_residual(nn, inputs, outputs, stride))
            self.beside = nn.Conv2d(inputs, outputs, 1, stride) if stride > 1 else nn.Identity()

        def forward(self, x: Any) -> Any:
            return torch.relu(self.beside(x) + self.body(x))

    if name == "DS-CNN":
        return nn.Sequential(*_torch_ds_cnn(nn))
    if name == "ResNet-8":
        first = nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()
        blocks = Residual(16, 16, 1), Residual(16, 32, 2), Residual(32, 64, 2)
        return nn.Sequential(*first, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    first_two = [m for i, o in ((6, 32), (32, 64)) for m in (nn.Conv1d(i, o, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2))]
    last = nn.Conv1d(64, 64, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(64, 6)
    return nn.Sequential(*first_two, *last)


def _residual(nn: Any, inputs: int, outputs: int, stride: int) -> Iterator[Any]:
    yield from (nn.Conv2d(inputs, outputs, 3, stride, padding=1), nn.BatchNorm2d(outputs), nn.ReLU())
    yield from (nn.Conv2d(outputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs))


def _torch_ds_cnn(nn: Any) -> Iterator[Any]:
    yield nn.ZeroPad2d((1, 1, 4, 5))
    yield nn.Conv2d(1, 64, (10, 4), stride=2)
    for _ in range(4):
        yield from (nn.BatchNorm2d(64), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1, groups=64))
        yield from (nn.BatchNorm2d(64), nn.ReLU(), nn.Conv2d(64, 64, 1))
    yield from (nn.BatchNorm2d(64), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 12))
