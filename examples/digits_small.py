# SPDX-License-Identifier: Apache-2.0
"""Scikit-learn's digits of 8 x 8 pixels, over five divisions, with pictures moved, turned and scaled while it learns.

The network of the last division is built for a Cortex-M4 and proven there. Run it: python examples/digits_small.py
"""

from __future__ import annotations

import sys

import numpy as np

import edgeling
from edgeling.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Input,
    MaxPooling2D,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
    ReLU,
)
from edgeling.models import Model, Sequential
from edgeling.optimizers import Adam
from edgeling.optimizers.schedules import CosineDecay
from edgeling.utils import set_random_seed

EPOCHS, BATCH, SPLITS = 100, 32, 5
NEEDS = ("sklearn",)


def network(rows: int) -> Model:
    outside = {"fill_mode": "constant"}
    model = Sequential(
        [
            Input((8, 8, 1)),
            RandomTranslation(0.1, 0.1, **outside), RandomRotation(0.03, **outside), RandomZoom(0.1, 0.1, **outside),
            Conv2D(24, 3, padding="same", use_bias=False), BatchNormalization(), ReLU(),
            Conv2D(32, 3, padding="same", use_bias=False), BatchNormalization(), ReLU(), MaxPooling2D(),
            Conv2D(48, 3, padding="same", use_bias=False), BatchNormalization(), ReLU(),
            Conv2D(48, 3, use_bias=False), BatchNormalization(), ReLU(),
            Flatten(), Dropout(0.4), Dense(10, activation="softmax"),
        ]
    )  # fmt: skip
    steps = EPOCHS * -(-rows // BATCH)
    model.compile(Adam(CosineDecay(5e-3, steps)), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main() -> dict[str, float]:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import StratifiedKFold

    x, y = load_digits(return_X_y=True)
    x = x.reshape(-1, 8, 8, 1).astype(np.float32) / 16
    right = []
    for seed, (fit, rest) in enumerate(StratifiedKFold(SPLITS, shuffle=True, random_state=0).split(x, y)):
        set_random_seed(seed)
        model = network(len(fit))
        model.fit(x[fit], y[fit], batch_size=BATCH, epochs=EPOCHS, verbose=0)
        right.append(model.evaluate(x[rest], y[rest], verbose=0)[1])
    proof = edgeling.verify(model, target="cortex-m4", precision="float32", rows=x[:8])
    told = {
        "accuracy": float(np.mean(right)), "least": min(right), "wanted": 0.99,
        "weight_bytes": 4 * model.count_params(), "verified": proof.matches, "flash_bytes": proof.flash_bytes,
        "ram_bytes": proof.ram_bytes, "instructions": proof.instructions,
    }  # fmt: skip
    for name, value in told.items():
        print(f"{name:<14} {value:g}")
    return told


if __name__ == "__main__":
    sys.exit(0 if main()["verified"] else 1)
