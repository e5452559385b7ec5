# SPDX-License-Identifier: Apache-2.0
"""More runs, healthy ones and ones with a planted fault, of kinds that no threshold was chosen by."""

from __future__ import annotations

import numpy as np

from edgeling.initializers import Constant, RandomNormal
from edgeling.layers import BatchNormalization, Dropout, Layer
from edgeling.network.tracing import Tracer
from edgeling.optimizers import SGD, Adam, RMSprop
from edgeling.optimizers.schedules import CosineDecay, ExponentialDecay, PiecewiseConstantDecay
from tests.diagnosis.runs import HELD, NUMBER, SPARSE, Run, Table, _normal, _whole, classes, mapped, number, of_sklearn


class Squares(Layer):
    """A layer of one's own: columns, and their squares beside them."""

    def output_shape_of(self, row: tuple[int, ...]) -> tuple[int, ...]:
        return (2 * row[0],)

    def trace(self, tracer: Tracer, x: str) -> str:
        return tracer.builder.add("concatenate", x, tracer.builder.add("square", x))


def cut(*ends: float) -> Table:
    """Classes that are stretches of the third of six columns."""
    x = _normal(700, 6, 11)
    return x, np.digitize(x[:, 2], ends)


def circle() -> Table:
    x, dice = _normal(600, 5, 12), np.random.default_rng(12)
    return x, (x[:, 0] ** 2 + x[:, 3] ** 2 + 0.3 * dice.normal(size=600) > 1.4).astype(int)


def bent_among_many() -> Table:
    x, dice = _normal(3000, 100, 13), np.random.default_rng(13)
    return x, _whole(np.abs(x[:, 3]) + np.abs(x[:, 17]) + 0.2 * dice.normal(size=3000))


def straight_among_many() -> Table:
    x, dice = _normal(1200, 120, 14), np.random.default_rng(14)
    return x, _whole(x[:, :9].sum(axis=1) + 1.0 * dice.normal(size=1200))


def counts() -> Table:
    x, dice = _normal(800, 4, 15), np.random.default_rng(15)
    return x, dice.poisson(np.exp(0.5 * x[:, 0] - 0.4 * x[:, 1] + 0.3)).astype(np.float32)


def several_answers() -> Table:
    x, dice = _normal(700, 6, 16), np.random.default_rng(16)
    return x, (x[:, :3] + x[:, 3:] + 0.5 * dice.normal(size=(700, 3)) > 0).astype(np.float32)


def two_numbers() -> Table:
    x, dice = _normal(600, 5, 17), np.random.default_rng(17)
    return x, _whole(np.stack([x[:, 0] - x[:, 1], x[:, 2] + x[:, 3]], 1) + 0.4 * dice.normal(size=(600, 2)))


def setosa(x: np.ndarray, y: np.ndarray) -> Table:
    """A measurement that tells two species apart, with room between them."""
    return x, (y == 0).astype(int)


COUNTS = {"last": (1, "exponential"), "loss": "poisson", "hidden": (8,)}
STEPS = 24 * 30  # of 30 epochs of `classes`

FURTHER_FAULTS: dict[str, tuple[str, Run]] = {
    "a schedule that never comes down": (
        "learning_rate_too_large",
        Run(classes, optimizer=lambda: Adam(PiecewiseConstantDecay([100], [10.0, 3.0])), epochs=30),
    ),
    "a schedule that begins far too low": (
        "learning_rate_too_small", Run(classes, optimizer=lambda: Adam(CosineDecay(1e-6, STEPS)), epochs=30),
    ),
    "a schedule that is far too low at once": (
        "learning_rate_too_small",
        Run(classes, optimizer=lambda: Adam(PiecewiseConstantDecay([10], [1e-5, 1e-7])), epochs=30),
    ),
    "RMSprop at a rate of five": (
        "learning_rate_too_large", Run(circle, (16,), optimizer=lambda: RMSprop(5.0), epochs=40),
    ),
    "counts at a tiny rate": (
        "learning_rate_too_small", Run(counts, optimizer=lambda: Adam(1e-6), epochs=20, **COUNTS),
    ),
    "a layer of one's own, a tiny rate": (
        "learning_rate_too_small", Run(circle, (), optimizer=lambda: Adam(1e-6), epochs=40, before=[Squares]),
    ),
    "a layer of one's own, dead units behind it": (
        "dead_units", Run(circle, before=[Squares], layer={"bias_initializer": Constant(-300.0)}),
    ),
    "a class that is a threshold of a column": ("leaking_column", Run(lambda: cut(0.4), epochs=10)),
    "three classes that are stretches of a column": (
        "leaking_column", Run(lambda: cut(-0.6, 0.7), last=(3, "softmax"), loss=SPARSE, epochs=10),
    ),
    "a line for two bends among 100 columns": (
        "network_too_small",
        Run(bent_among_many, (), (1, "linear"), "mse", lambda: Adam(0.003), 20, fit=HELD),
    ),
    "one huge column among small ones": (
        "unscaled_inputs", Run(mapped(classes, lambda x, y: (x * np.r_[[1.0] * 7, 3e4], y))),
    ),
    "several answers, rows in another order": (
        "shuffled_labels",
        Run(mapped(several_answers, lambda x, y: (x, np.random.default_rng(1).permutation(y))), last=(3, "sigmoid"),
            epochs=20),
    ),
    "two numbers, both of thousands": (
        "unscaled_targets",
        Run(mapped(two_numbers, lambda x, y: (x, 3000 * y + 9000)), (16,), (2, "linear"), "mse", epochs=20),
    ),
    "forty units a row of noise": (
        "overfitting",
        Run(of_sklearn("make_classification", n_samples=150, n_features=30, n_informative=3, flip_y=0.4,
                       random_state=3),
            (300,), optimizer=lambda: Adam(0.01), epochs=150, fit={"validation_split": 0.4}),
    ),
    "seven layers without a bend, of large weights": (
        "exploding_gradients",
        Run(counts, (40,) * 7, (1, "linear"), "mse", epochs=10, activation="linear",
            layer={"kernel_initializer": RandomNormal(stddev=3.0)}),
    ),
    "digits in another order, learned by heart": (
        "shuffled_labels",
        Run(mapped(of_sklearn("load_digits"), lambda x, y: (x, np.random.default_rng(5).permutation(y))), (32,),
            (10, "softmax"), SPARSE, epochs=15, fit=HELD),
    ),
    "margins of what is between 0 and 1": (
        "loss_does_not_fit", Run(mapped(classes, lambda x, y: (x, 2 * y - 1)), loss="hinge", epochs=2),
    ),
}  # fmt: skip

FURTHER_HEALTHY: dict[str, Run] = {
    "a cosine": Run(classes, optimizer=lambda: Adam(CosineDecay(0.01, STEPS)), epochs=30),
    "a decay, a part held": Run(
        number, optimizer=lambda: Adam(ExponentialDecay(0.01, 100, 0.9)), epochs=60, fit=HELD, **NUMBER
    ),
    "setosa and the others": Run(
        mapped(of_sklearn("load_iris"), setosa), (6,), optimizer=lambda: Adam(0.01), epochs=40
    ),
    "two far groups": Run(
        of_sklearn("make_blobs", n_samples=400, centers=2, cluster_std=1.0, random_state=4), (6,),
        optimizer=lambda: Adam(0.01), epochs=30,
    ),
    "counts": Run(counts, optimizer=lambda: Adam(0.005), epochs=60, fit=HELD, **COUNTS),
    "several answers": Run(several_answers, (16,), (3, "sigmoid"), epochs=40, fit=HELD),
    "two numbers": Run(two_numbers, (16,), (2, "linear"), "mse", lambda: Adam(0.005), 60, fit=HELD),
    "a line among 120 columns": Run(straight_among_many, (), (1, "linear"), "mse", lambda: Adam(0.01), 60, fit=HELD),
    "a layer of one's own": Run(circle, (16,), before=[Squares], optimizer=lambda: Adam(0.005), epochs=40, fit=HELD),
    "margins": Run(mapped(classes, lambda x, y: (x, 2 * y - 1)), last=(1, "tanh"), loss="hinge", epochs=40),
    "a robust loss and outliers": Run(
        mapped(number, lambda x, y: (x, y + 6 * (np.random.default_rng(1).uniform(size=len(y)) > 0.97))), (16,),
        (1, "linear"), "huber", lambda: Adam(0.005), 60, fit=HELD,
    ),
    "four layers, normalised": Run(
        circle, (24, 24, 24), before=[BatchNormalization, lambda: Dropout(0.1)], optimizer=lambda: Adam(0.005),
        epochs=60, fit=HELD,
    ),
    "momentum": Run(
        of_sklearn("make_moons", n_samples=600, noise=0.15, random_state=2), (16, 16), activation="tanh",
        optimizer=lambda: SGD(0.05, momentum=0.9), epochs=80, fit=HELD,
    ),
    "wine, scaled inside": Run(
        of_sklearn("load_wine"), (12,), (3, "softmax"), SPARSE, lambda: Adam(0.01), 40, 16, before=[BatchNormalization],
    ),
    "a table of few rows": Run(
        mapped(of_sklearn("load_breast_cancer"), lambda x, y: (x[:80], y[:80])), (8,), optimizer=lambda: Adam(0.005),
        epochs=40, batch_size=8,
    ),
    "two layers without a bend": Run(number, (16, 8), (1, "linear"), "mse", lambda: Adam(0.005), 60),
}  # fmt: skip
