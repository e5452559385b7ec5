# SPDX-License-Identifier: Apache-2.0
"""Which exercise somebody does, from two seconds of an accelerometer: by convolutions, or by a GRU.

Beside it a random forest on each window's statistics. Both are judged by recordings that they never saw (four
divisions of `gestures/exercises.parquet`, in the folder that EDGELING_SHARED names), over three seeds. What the network
is made of was chosen by dividing the recordings to learn from once more. That of the last division is built for a
Cortex-M4 and proven there. Run it: python examples/exercises.py [convolutions | gru]
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

import edgeling
from edgeling import ops
from edgeling.layers import (
    GRU,
    AveragePooling1D,
    BatchNormalization,
    Concatenate,
    Conv1D,
    Cropping1D,
    Dense,
    Dropout,
    GaussianNoise,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    Input,
    MaxPooling1D,
    Multiply,
    Normalization,
    ReLU,
    Rescaling,
    Reshape,
    Subtract,
)
from edgeling.models import Model
from edgeling.optimizers import Adam
from edgeling.optimizers.schedules import CosineDecay
from edgeling.utils import set_random_seed

WINDOW, HOP, CLOSE = 200, 50, 10  # samples, at 100 Hz; windows to learn from begin closer to one another
EPOCHS, BATCH, SPLITS, SEEDS = 16, 32, 4, (0, 1, 2)
TOGETHER = 5  # samples that a step of the GRU sees: 20 steps a second
KINDS = ("convolutions", "gru")
NEEDS = ("sklearn", "polars")


def recordings() -> tuple[list[np.ndarray], np.ndarray]:
    """Each [samples, 3] in g, and what was done."""
    import polars as pl

    shared = Path(os.environ.get("EDGELING_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    table = pl.read_parquet(shared / "data" / "gestures" / "exercises.parquet").sort("file", "time")
    parts = table.partition_by("file", maintain_order=True)
    labels = np.unique([part["activity"][0] for part in parts], return_inverse=True)[1]
    return [part.select("x", "y", "z").to_numpy().astype(np.float32) for part in parts], labels


def windows(parts: list[np.ndarray], labels: np.ndarray, hop: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """[rows, samples, 3], what was done, and the number of the recording."""
    found = [
        (part[start : start + WINDOW], labels[number], number)
        for number, part in enumerate(parts)
        for start in range(0, len(part) - WINDOW + 1, hop)
    ]
    rows, classes, numbers = zip(*found, strict=True)
    return np.stack(rows), np.asarray(classes), np.asarray(numbers)


def statistics(x: np.ndarray) -> np.ndarray:
    """What the forest sees: [rows, 15]."""
    changes = np.abs(np.diff(x, axis=1)).mean(1)
    return np.concatenate([x.mean(1), x.std(1), x.min(1), x.max(1), changes], axis=1)


def convolutions(x: Any) -> Any:
    """Of samples to features of the window: shapes found at 25 Hz, and how far all goes and how fast."""
    slow = AveragePooling1D(4)(GaussianNoise(0.1)(x))
    h = slow
    for channels, steps in ((16, 7), (24, 5)):
        h = MaxPooling1D(2)(ReLU()(BatchNormalization()(Conv1D(channels, steps, use_bias=False)(h))))
    change = ops.absolute(Subtract()([Cropping1D((1, 0))(slow), Cropping1D((0, 1))(slow)]))
    means = [GlobalAveragePooling1D()(part) for part in (h, slow, Multiply()([slow, slow]), change)]
    ends = [GlobalMaxPooling1D()(part) for part in (slow, Rescaling(-1.0)(slow))]
    seen = Dropout(0.3)(Concatenate()(means + ends))
    return Dropout(0.2)(Dense(24, activation="relu")(seen))


def gru(x: Any) -> Any:
    """Likewise: of each number its largest over the steps."""
    steps = Reshape((WINDOW // TOGETHER, 3 * TOGETHER))(GaussianNoise(0.3)(x))
    h = GRU(32, return_sequences=True)(Dense(16, activation="tanh")(steps))
    return Dropout(0.5)(GlobalMaxPooling1D()(h))


def network(x: np.ndarray, classes: int, kind: str) -> Model:
    """One of :data:`KINDS`, compiled."""
    given = Input(x.shape[1:])
    h = Normalization(mean=x.mean((0, 1)), variance=x.var((0, 1)))(given)
    model = Model(given, Dense(classes, activation="softmax")({"convolutions": convolutions, "gru": gru}[kind](h)))
    rate = CosineDecay(5e-3, EPOCHS * -(-len(x) // BATCH))
    model.compile(Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main(kind: str = "convolutions") -> dict[str, float]:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import StratifiedGroupKFold

    if kind not in KINDS:
        sys.exit(f"name one of {', '.join(KINDS)}; received {kind}")
    parts, labels = recordings()
    x, y, numbers = windows(parts, labels, HOP)
    close, of_close, their_numbers = windows(parts, labels, CLOSE)
    ours, theirs = np.zeros((2, SPLITS, len(SEEDS)))
    divisions = StratifiedGroupKFold(SPLITS, shuffle=True, random_state=0).split(x, y, numbers)
    for place, (fit, rest) in enumerate(divisions):
        more = np.isin(their_numbers, numbers[fit])
        for at, seed in enumerate(SEEDS):
            set_random_seed(seed)
            model = network(close[more], int(y.max()) + 1, kind)
            model.fit(close[more], of_close[more], batch_size=BATCH, epochs=EPOCHS, verbose=0)
            forest = RandomForestClassifier(300, random_state=seed).fit(statistics(x[fit]), y[fit])
            ours[place, at] = model.evaluate(x[rest], y[rest], verbose=0)[1]
            theirs[place, at] = forest.score(statistics(x[rest]), y[rest])
    proof = edgeling.verify(model, target="cortex-m4", precision="float32", rows=x[:4])
    told = {
        "accuracy": float(ours.mean()), "least": float(ours.mean(axis=0).min()), "forest": float(theirs.mean()),
        "wanted": float(theirs.mean()),
        "weight_bytes": 4 * model.count_params(), "verified": proof.matches, "flash_bytes": proof.flash_bytes,
        "ram_bytes": proof.ram_bytes, "instructions": proof.instructions,
    }  # fmt: skip
    for name, value in told.items():
        print(f"{name:<14} {value:g}")
    return told


if __name__ == "__main__":
    sys.exit(0 if main(*sys.argv[1:2])["verified"] else 1)
