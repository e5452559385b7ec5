# SPDX-License-Identifier: Apache-2.0
"""Six networks for what sensors give, written once for Edgeling and Keras, and PyTorch modules that are the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.networks import Array
from benchmarks.widths import SIZES

AUTOENCODER = SIZES["640-128x4-8-128x4-640"]


@dataclass(frozen=True)
class Network:
    """One of them.

    Attributes:
        shape: of a row.
        classes: how many there are; 0: its rows are what is learned.
        products: multiplications of a row on the way there.
        rows: of an epoch.
        made: the network, of the layers and models of Edgeling or of Keras.
    """

    shape: tuple[int, ...]
    classes: int
    products: int
    rows: int
    made: Callable[[Any, Any], Any]


def rows_of(name: str) -> tuple[Array, Array]:
    """Random rows, and what is to be learned of them."""
    network = NETWORKS[name]
    rng = np.random.default_rng(0)
    x = rng.normal(size=(network.rows, *network.shape)).astype(np.float32)
    return x, rng.integers(0, network.classes, network.rows).astype(np.int32) if network.classes else x


def compiled(who: str, name: str) -> Any:
    """A network of Edgeling's or of Keras's, ready for ``fit``; Keras takes an epoch a call where it can."""
    if who == "Edgeling":
        from edgeling import layers, models
    else:
        from keras import layers, models

    network = NETWORKS[name]
    several = {"steps_per_execution": network.rows // 32} if who in ("Keras on JAX", "Keras on TensorFlow") else {}
    loss = "sparse_categorical_crossentropy" if network.classes else "mean_squared_error"
    model = network.made(layers, models)
    model.compile(optimizer="adam", loss=loss, **several)
    return model


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


def _autoencoder(layers: Any, models: Any) -> Any:
    hidden = [layers.Dense(n, activation="relu") for n in AUTOENCODER[1:-1]]
    return models.Sequential([layers.Input((640,)), *hidden, layers.Dense(640)])


def _recurrent(kind: str, layers: Any, models: Any) -> Any:
    begin = [layers.Input((128, 6)), getattr(layers, kind)(64)]
    return models.Sequential([*begin, layers.Dense(6, activation="softmax")])


NETWORKS = {
    "DS-CNN": Network((49, 10, 1), 12, 2_656_768, 512, _ds_cnn),
    "ResNet-8": Network((32, 32, 3), 10, 12_501_632, 512, _resnet_8),
    "autoencoder": Network((640,), 0, sum(i * o for i, o in pairwise(AUTOENCODER)), 2048, _autoencoder),
    "LSTM(64)": Network((128, 6), 6, 128 * 4 * 64 * 70, 512, partial(_recurrent, "LSTM")),
    "GRU(64)": Network((128, 6), 6, 128 * 3 * 64 * 70, 512, partial(_recurrent, "GRU")),
    "1-D CNN": Network((128, 6), 6, 1_302_912, 1024, _cnn_1d),
}


def torch_module(name: str) -> Any:
    """The same network as logits; images with their channels first, steps before features."""
    from torch import nn

    if name == "DS-CNN":
        return nn.Sequential(*_torch_ds_cnn(nn))
    if name == "ResNet-8":
        return _torch_resnet_8(nn)
    if name == "autoencoder":
        modules = [m for i, o in pairwise(AUTOENCODER) for m in (nn.Linear(i, o), nn.ReLU())]
        return nn.Sequential(*modules[:-1])
    return _torch_cnn_1d(nn) if name == "1-D CNN" else _torch_recurrent(nn, name)


def _torch_resnet_8(nn: Any) -> Any:
    import torch

    class Residual(nn.Module):  # type: ignore[misc]
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.body = nn.Sequential(*_residual(nn, inputs, outputs, stride))
            self.beside = nn.Conv2d(inputs, outputs, 1, stride) if stride > 1 else nn.Identity()

        def forward(self, x: Any) -> Any:
            return torch.relu(self.beside(x) + self.body(x))

    first = nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()
    blocks = Residual(16, 16, 1), Residual(16, 32, 2), Residual(32, 64, 2)
    return nn.Sequential(*first, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def _torch_cnn_1d(nn: Any) -> Any:
    class ChannelsFirst(nn.Module):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            return x.transpose(1, 2)

    first_two = [m for i, o in ((6, 32), (32, 64)) for m in (nn.Conv1d(i, o, 5, padding=2), nn.ReLU(), nn.MaxPool1d(2))]
    last = nn.Conv1d(64, 64, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(64, 6)
    return nn.Sequential(ChannelsFirst(), *first_two, *last)


def _torch_recurrent(nn: Any, name: str) -> Any:
    class LastStep(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.layer = getattr(nn, name.partition("(")[0])(6, 64, batch_first=True)
            self.head = nn.Linear(64, 6)

        def forward(self, x: Any) -> Any:
            return self.head(self.layer(x)[0][:, -1])

    return LastStep()


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
