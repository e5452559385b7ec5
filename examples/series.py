# SPDX-License-Identifier: Apache-2.0
"""Time series of aeon's, told apart by a small network, beside ROCKET's ten thousand random kernels.

Each network has less than 20 KB of weights, and is built for a Cortex-M4 and proven there.
Run it: python examples/series.py [BasicMotions|GunPoint|ItalyPowerDemand|JapaneseVowels]
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

import edgeling
from edgeling.layers import (
    AveragePooling1D,
    BatchNormalization,
    Conv1D,
    Dense,
    Dropout,
    Flatten,
    GaussianNoise,
    GlobalAveragePooling1D,
    Input,
    MaxPooling1D,
    Normalization,
    ReLU,
)
from edgeling.models import Model, Sequential
from edgeling.optimizers import Adam
from edgeling.optimizers.schedules import CosineDecay
from edgeling.utils import set_random_seed

# Epochs, and whether it tells something where in the series a shape is: the hours of a day have their places.
SERIES = {
    "BasicMotions": (100, False), "GunPoint": (200, False), "ItalyPowerDemand": (200, True),
    "JapaneseVowels": (100, False),
}  # fmt: skip
BATCH, SEEDS = 16, (0, 1, 2)
NEEDS = ("aeon",)
Rows = tuple[np.ndarray, np.ndarray]


def series(name: str) -> tuple[Rows, Rows]:
    """To learn from and to judge by: [rows, steps, channels], shorter series ending in zeros, and class numbers."""
    from aeon import datasets

    loader = {"BasicMotions": "basic_motions", "GunPoint": "gunpoint", "ItalyPowerDemand": "italy_power_demand",
              "JapaneseVowels": "japanese_vowels"}[name]  # fmt: skip
    (x, y), (test, truth) = (getattr(datasets, f"load_{loader}")(split=part) for part in ("train", "test"))
    steps = max(one.shape[1] for one in (*x, *test))
    labels = np.unique(y)

    def rows(parts: Any) -> np.ndarray:
        padded = [np.pad(one, ((0, 0), (0, steps - one.shape[1]))).T for one in parts]
        return np.stack(padded).astype(np.float32)

    return (rows(x), np.searchsorted(labels, y)), (rows(test), np.searchsorted(labels, truth))


def network(x: np.ndarray, classes: int, epochs: int, placed: bool) -> Model:
    filters = [(16, 7), (20, 5)] if placed else [(16, 8 if x.shape[2] < 4 else 5), (24, 5), (20, 3)]
    start = [GaussianNoise(0.1)] if placed else []
    layers = [Input(x.shape[1:]), Normalization(mean=x.mean((0, 1)), variance=x.var((0, 1))), *start]
    for number, (channels, steps) in enumerate(filters):
        layers += [Conv1D(channels, steps, padding="same", use_bias=False), BatchNormalization(), ReLU()]
        layers += [MaxPooling1D(2)] if placed and number == 0 else []
    end = [AveragePooling1D(3), Flatten(), Dropout(0.3)] if placed else [GlobalAveragePooling1D()]
    model = Sequential([*layers, *end, Dense(classes, activation="softmax")])
    rate = CosineDecay(3e-3 if placed else 5e-3, epochs * -(-len(x) // BATCH))
    model.compile(Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def rocket(x: np.ndarray, y: np.ndarray, test: np.ndarray, truth: np.ndarray) -> float:
    from aeon.classification.convolution_based import RocketClassifier

    fitted = RocketClassifier(random_state=0).fit(x.transpose(0, 2, 1), y)
    return float(fitted.score(test.transpose(0, 2, 1), truth))


def main(name: str = "GunPoint") -> dict[str, float]:
    (x, y), (test, truth) = series(name)
    epochs, placed = SERIES[name]
    right = []
    for seed in SEEDS:
        set_random_seed(seed)
        model = network(x, int(y.max()) + 1, epochs, placed)
        model.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=0)
        right.append(model.evaluate(test, truth, verbose=0)[1])
    proof = edgeling.verify(model, target="cortex-m4", precision="float32", rows=test[:8])
    reference = rocket(x, y, test, truth)
    told = {
        "accuracy": float(np.mean(right)), "least": min(right), "rocket": reference, "wanted": reference - 0.01,
        "weight_bytes": 4 * model.count_params(), "verified": proof.matches, "flash_bytes": proof.flash_bytes,
        "ram_bytes": proof.ram_bytes, "instructions": proof.instructions,
    }  # fmt: skip
    for key, value in told.items():
        print(f"{name:<17} {key:<14} {value:g}")
    return told


if __name__ == "__main__":
    sys.exit(0 if all(main(name)["verified"] for name in sys.argv[1:] or SERIES) else 1)
