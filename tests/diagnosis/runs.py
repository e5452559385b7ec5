# SPDX-License-Identifier: Apache-2.0
"""Training runs, healthy ones and ones with a planted fault, on tables drawn from seeds or scikit-learn's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from edgeling.callbacks import Diagnose, EarlyStopping
from edgeling.diagnosis import Finding
from edgeling.errors import TrainingError
from edgeling.graph.types import Array
from edgeling.initializers import Constant, RandomNormal
from edgeling.layers import BatchNormalization, Dense, Dropout, Input
from edgeling.models import Sequential
from edgeling.optimizers import SGD, Adam, RMSprop
from edgeling.utils import set_random_seed, to_categorical

BINARY, SPARSE, ONE_HOT = "binary_crossentropy", "sparse_categorical_crossentropy", "categorical_crossentropy"
Table = tuple[Array, Array]


@dataclass(frozen=True)
class Run:
    """A network, its table, and how it is trained.

    Attributes:
        last: units and activation of the last layer.
    """

    table: Callable[[], Table]
    hidden: Sequence[int] = (10,)
    last: tuple[int, str] = (1, "sigmoid")
    loss: str = BINARY
    optimizer: Callable[[], Any] = Adam
    epochs: int = 20
    batch_size: int = 32
    activation: str = "relu"
    layer: Mapping[str, Any] = field(default_factory=dict)
    final: Mapping[str, Any] = field(default_factory=dict)
    fit: Mapping[str, Any] = field(default_factory=dict)
    before: Sequence[Callable[[], Any]] = ()
    callbacks: Callable[[], list[Any]] = list

    def findings(self, seed: int = 1) -> tuple[Finding, ...]:
        x, y = self.table()
        set_random_seed(seed)
        hidden = [Dense(units, activation=self.activation, **self.layer) for units in self.hidden]
        units, activation = self.last
        final = Dense(units, activation=activation, **self.final)
        model = Sequential([Input(x.shape[1:]), *(make() for make in self.before), *hidden, final])
        model.compile(self.optimizer(), self.loss)
        asked = Diagnose(verbose=0)
        with suppress(TrainingError):  # of a loss that is not finite, told all the same
            how = {"epochs": self.epochs, "batch_size": self.batch_size, "verbose": 0, **self.fit}
            model.fit(x, y, callbacks=[asked, *self.callbacks()], **how)
        return asked.findings


def _normal(rows: int, columns: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)


def _whole(array: Array) -> Array:
    return (array - array.mean(axis=0)) / np.maximum(array.std(axis=0), 1e-9)


def classes() -> Table:
    x = _normal(768, 8)
    return x, (x[:, 1] + x[:, 5] > 0).astype(int)


def number() -> Table:
    x, dice = _normal(600, 6), np.random.default_rng(1)
    return x, _whole(x @ dice.normal(size=6) + np.sin(2 * x[:, 0]) + 0.3 * dice.normal(size=600))


def of_sklearn(name: str, order: bool = True, **how: Any) -> Callable[[], Table]:
    """A table that scikit-learn loads or makes, columns and numbers standardised."""

    def table() -> Table:
        datasets = pytest.importorskip("sklearn.datasets")
        x, y = getattr(datasets, name)(**({"return_X_y": True} if name.startswith("load") else how))
        rows = np.random.default_rng(0).permutation(len(x)) if order else np.arange(len(x))
        return _whole(x)[rows], (_whole(y) if y.dtype.kind == "f" else y)[rows]

    return table


def mapped(table: Callable[[], Table], change: Callable[[Array, Array], Table]) -> Callable[[], Table]:
    return lambda: change(*table())


def spirals() -> Table:
    dice, y = np.random.default_rng(0), np.arange(400) % 2
    t = 3 * np.pi * np.sqrt(dice.uniform(size=400))
    return (np.stack([np.cos(t) * t, np.sin(t) * t], 1) * np.where(y, 1, -1)[:, None] / 5).astype(np.float32), y


def product_sign() -> Table:
    x = _normal(600, 2)
    return x, (x[:, 0] * x[:, 1] > 0).astype(int)


def noisy(rows: int = 120, columns: int = 20) -> Table:
    x, dice = _normal(rows, columns, 3), np.random.default_rng(4)
    return x, (x[:, 0] + 1.5 * dice.normal(size=rows) > 0).astype(int)


def rare() -> Table:
    x, dice = _normal(1500, 6, 3), np.random.default_rng(3)
    return x, (x[:, 0] + x[:, 1] + 1.5 * dice.normal(size=1500) > 4.3).astype(int)


def shuffled(x: Array, y: Array) -> Table:
    return x, np.random.default_rng(5).permutation(y)


def _copied() -> Mapping[str, Any]:
    x, y = classes()
    judged = np.r_[0:60, 600:660]
    return {"validation_data": (x[judged], y[judged])}


HELD = {"validation_split": 0.2}
NUMBER = {"last": (1, "linear"), "loss": "mse", "hidden": (16,)}
IRIS = {"last": (3, "softmax"), "loss": SPARSE, "batch_size": 10, "epochs": 100, "hidden": (4,)}

FAULTS: dict[str, tuple[str, Run]] = {
    "a millionth as rate": ("learning_rate_too_small", Run(classes, optimizer=lambda: Adam(1e-6), epochs=30)),
    "a rate too small, many epochs": (
        "learning_rate_too_small", Run(classes, optimizer=lambda: Adam(1e-5), epochs=100),
    ),
    "a rate too small, of a number": (
        "learning_rate_too_small", Run(number, optimizer=lambda: SGD(1e-6), epochs=50, **NUMBER),
    ),
    "a rate of ten": ("learning_rate_too_large", Run(classes, optimizer=lambda: Adam(10.0), epochs=30)),
    "a rate of three, classes": (
        "learning_rate_too_large",
        Run(of_sklearn("load_iris"), (16, 16), (3, "softmax"), SPARSE, lambda: Adam(3.0), 50, 10),
    ),
    "a rate at which the loss is not finite": (
        "learning_rate_too_large", Run(number, optimizer=lambda: SGD(3.0), epochs=50, **NUMBER),
    ),
    "a rate beyond everything": (
        "learning_rate_too_large", Run(number, optimizer=lambda: SGD(1e6), **NUMBER),
    ),
    "units that begin dead": ("dead_units", Run(classes, layer={"bias_initializer": Constant(-100.0)})),
    "an output that begins dead": (
        "dead_output",
        Run(mapped(number, lambda x, y: (x, np.abs(y) + 0.1)), (16,), (1, "relu"), "mse",
            final={"bias_initializer": Constant(-20.0)}),
    ),
    "sigmoids that begin saturated": (
        "saturated_units",
        Run(classes, activation="sigmoid", layer={"kernel_initializer": RandomNormal(stddev=100.0)}),
    ),
    "tanhs that begin saturated": (
        "saturated_units",
        Run(classes, (10, 10), activation="tanh", optimizer=SGD,
            layer={"kernel_initializer": RandomNormal(stddev=50.0)}),
    ),
    "ten layers of sigmoids": (
        "vanishing_gradients", Run(classes, (10,) * 10, activation="sigmoid", optimizer=SGD),
    ),
    "six layers of tiny weights": (
        "vanishing_gradients",
        Run(classes, (10,) * 6, optimizer=SGD, layer={"kernel_initializer": RandomNormal(stddev=0.01)}),
    ),
    "six layers of large weights": (
        "exploding_gradients",
        Run(number, (64,) * 6, (1, "linear"), "mse", SGD, layer={"kernel_initializer": RandomNormal(stddev=2.0)}),
    ),
    "inputs in the thousands": (
        "unscaled_inputs", Run(mapped(classes, lambda x, y: (1000 * x + 5000, y))),
    ),
    "inputs of a thousandth": ("unscaled_inputs", Run(mapped(classes, lambda x, y: (x / 1000, y)))),
    "targets in the ten thousands": (
        "unscaled_targets", Run(mapped(number, lambda x, y: (x, 1e4 * y + 5e4)), epochs=30, **NUMBER),
    ),
    "one unit for a spiral": (
        "network_too_small",
        Run(spirals, (1,), optimizer=lambda: Adam(0.01), epochs=150, fit=HELD),
    ),
    "no hidden layer for a product": (
        "network_too_small", Run(product_sign, (), optimizer=lambda: Adam(0.01), epochs=100),
    ),
    "more weights than rows by far": (
        "overfitting", Run(noisy, (256, 256), epochs=200, batch_size=16, fit={"validation_split": 0.3}),
    ),
    "one epoch": ("epochs_too_few", Run(classes, epochs=1)),
    "two epochs, of a number": ("epochs_too_few", Run(number, epochs=2, **NUMBER)),
    "labels in another order": ("shuffled_labels", Run(mapped(classes, shuffled), epochs=30, fit=HELD)),
    "labels in another order, nothing held": ("shuffled_labels", Run(mapped(classes, shuffled), epochs=10)),
    "numbers in another order": ("shuffled_labels", Run(mapped(number, shuffled), epochs=30, **NUMBER)),
    "a column that is the label": (
        "leaking_column", Run(mapped(classes, lambda x, y: (np.c_[x, 2 * y - 1], y)), epochs=10),
    ),
    "a column that is the label, with noise": (
        "leaking_column",
        Run(mapped(classes, lambda x, y: (np.c_[x, 2 * y - 1 + 0.01 * x[:, 0]], y)), epochs=10),
    ),
    "a column that is the number, in another unit": (
        "leaking_column", Run(mapped(number, lambda x, y: (np.c_[x, np.exp(y / 3)], y)), **NUMBER),
    ),
    "rows of validation among those learned from": ("duplicates_across", Run(classes, fit=_copied())),
    "a rare class": ("class_imbalance", Run(rare, fit=HELD)),
    "softmax on one unit": ("loss_does_not_fit", Run(classes, last=(1, "softmax"), epochs=2)),
    "sigmoid with three classes": (
        "loss_does_not_fit", Run(of_sklearn("load_iris"), last=(3, "sigmoid"), loss=SPARSE, epochs=2),
    ),
}  # fmt: skip

HEALTHY: dict[str, Run] = {
    "8-10-1, ten epochs, as the tutorial has it": Run(classes, epochs=10),
    "8-10-1, ten epochs, all columns count": Run(
        lambda: (x := _normal(614, 8, 7), (x @ np.random.default_rng(7).normal(size=8) > 0).astype(int)), epochs=10
    ),
    "8-10-1, ten epochs, a part held": Run(classes, epochs=10, fit=HELD),
    "iris as the tutorial has it": Run(of_sklearn("load_iris", order=False), **IRIS),
    "iris, a part held": Run(of_sklearn("load_iris"), **IRIS, fit=HELD),
    "iris, one-hot": Run(
        mapped(of_sklearn("load_iris"), lambda x, y: (x, to_categorical(y))), **{**IRIS, "loss": ONE_HOT}
    ),
    "breast cancer": Run(of_sklearn("load_breast_cancer"), (16,), epochs=40, fit=HELD),
    "wine": Run(of_sklearn("load_wine"), (16,), (3, "softmax"), SPARSE, epochs=60, batch_size=16, fit=HELD),
    "diabetes": Run(
        of_sklearn("load_diabetes"), optimizer=lambda: Adam(0.005), epochs=40, fit=HELD, **NUMBER
    ),
    "digits": Run(of_sklearn("load_digits"), (32,), (10, "softmax"), SPARSE, epochs=40, fit=HELD),
    "moons": Run(
        of_sklearn("make_moons", n_samples=500, noise=0.2, random_state=0), (16, 16),
        optimizer=lambda: Adam(0.01), epochs=60,
    ),
    "circles": Run(
        of_sklearn("make_circles", n_samples=500, noise=0.1, factor=0.4, random_state=0), (16,), activation="tanh",
        optimizer=lambda: Adam(0.01), epochs=80, fit=HELD,
    ),
    "blobs": Run(
        of_sklearn("make_blobs", n_samples=300, centers=3, random_state=1), (8,), (3, "softmax"), SPARSE,
        lambda: Adam(0.01), 40,
    ),
    "Friedman's first": Run(
        of_sklearn("make_friedman1", n_samples=800, noise=0.5, random_state=0), (32, 32), (1, "linear"), "mse",
        epochs=80, fit=HELD,
    ),
    "twenty columns, five count": Run(
        of_sklearn("make_classification", n_samples=1000, n_features=20, n_informative=5, random_state=0), (32,),
        epochs=30, fit=HELD,
    ),
    "stopped early": Run(
        of_sklearn("make_classification", n_samples=1000, n_features=20, n_informative=5, random_state=0), (64, 64),
        epochs=100, fit=HELD, callbacks=lambda: [EarlyStopping(patience=10, restore_best_weights=True)],
    ),
    "a linear number": Run(
        of_sklearn("make_regression", n_samples=500, n_features=8, noise=10, random_state=0),
        optimizer=lambda: Adam(0.01), epochs=50, **NUMBER,
    ),
    "plain gradient descent": Run(number, optimizer=lambda: SGD(0.05), epochs=60, **NUMBER),
    "a small rate, enough epochs": Run(number, optimizer=lambda: Adam(3e-4), epochs=200, **NUMBER),
    "dropout and RMSprop": Run(
        number, optimizer=RMSprop, epochs=60, before=[lambda: Dropout(0.1)], **NUMBER
    ),
    "inputs scaled inside": Run(
        mapped(classes, lambda x, y: (1000 * x + 5000, y)), epochs=40, before=[BatchNormalization]
    ),
    "a weak relation": Run(
        lambda: (x := _normal(1000, 5, 9), (x[:, 0] / 2 + _normal(1000, 1, 1)[:, 0] > 0).astype(int)), (8,),
        epochs=15, fit=HELD,
    ),
    "exclusive or": Run(
        lambda: (x := np.random.default_rng(2).integers(0, 2, (400, 2)).astype(np.float32),
                 np.logical_xor(x[:, 0], x[:, 1]).astype(int)),
        (8,), activation="tanh", optimizer=lambda: Adam(0.05), epochs=60,
    ),
    "a rare class that is found": Run(
        lambda: (x := _normal(2000, 6, 9), (x[:, 0] + x[:, 1] > 2.6).astype(int)), (16,),
        optimizer=lambda: Adam(0.01), epochs=40,
    ),
}  # fmt: skip
