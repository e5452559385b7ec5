# SPDX-License-Identifier: Apache-2.0
"""Which exercise somebody does, from two seconds of an accelerometer: by convolutions, or by a GRU.

Beside it a random forest on each window's statistics. Both are judged by recordings that they never saw (four divisions
of `gestures/exercises.parquet`, in the folder that EDGELING_SHARED names). The network of the last division is built
for a Cortex-M4 and proven there. Run it: python examples/exercises.py [convolutions | gru]
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

import edgeling
from edgeling.layers import (
    GRU,
    BatchNormalization,
    Conv1D,
    Dense,
    Dropout,
    GaussianNoise,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    Input,
    Layer,
    MaxPooling1D,
    Normalization,
    ReLU,
    Reshape,
)
from edgeling.models import Model, Sequential
from edgeling.optimizers import Adam
from edgeling.optimizers.schedules import CosineDecay
from edgeling.utils import set_random_seed

WINDOW, HOP = 200, 50  # samples, at 100 Hz
EPOCHS, BATCH, SPLITS, SEED = 60, 32, 4, 0
TOGETHER = 5  # samples that a step of the GRU sees: 20 steps a second
KINDS = ("convolutions", "gru")
NEEDS = ("sklearn", "polars")


def windows() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """[rows, samples, 3] in g, what was done, and the number of the recording."""
    import polars as pl

    shared = Path(os.environ.get("EDGELING_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    table = pl.read_parquet(shared / "data" / "gestures" / "exercises.parquet").sort("file", "time")
    rows, labels, recordings = [], [], []
    for number, part in enumerate(table.partition_by("file", maintain_order=True)):
        g = part.select("x", "y", "z").to_numpy().astype(np.float32)
        for start in range(0, len(g) - WINDOW + 1, HOP):
            rows.append(g[start : start + WINDOW])
            labels.append(part["activity"][0])
            recordings.append(number)
    return np.stack(rows), np.unique(labels, return_inverse=True)[1], np.asarray(recordings)


def statistics(x: np.ndarray) -> np.ndarray:
    """What the forest sees: [rows, 15]."""
    changes = np.abs(np.diff(x, axis=1)).mean(1)
    return np.concatenate([x.mean(1), x.std(1), x.min(1), x.max(1), changes], axis=1)


def convolutions() -> list[Layer]:
    """Of samples to features of the window."""
    layers: list[Layer] = [GaussianNoise(0.1)]
    for channels, steps in ((16, 7), (24, 5), (24, 5)):
        layers += [Conv1D(channels, steps, use_bias=False), BatchNormalization(), ReLU(), MaxPooling1D(2)]
    return [*layers, GlobalAveragePooling1D(), Dropout(0.3)]


def gru() -> list[Layer]:
    """Likewise: of each number its largest over the steps."""
    steps = Reshape((WINDOW // TOGETHER, 3 * TOGETHER))
    loop = [Dense(16, activation="tanh"), GRU(32, return_sequences=True)]
    return [GaussianNoise(0.3), steps, *loop, GlobalMaxPooling1D(), Dropout(0.5)]


def network(x: np.ndarray, classes: int, kind: str) -> Model:
    """One of :data:`KINDS`, compiled."""
    begin = [Input(x.shape[1:]), Normalization(mean=x.mean((0, 1)), variance=x.var((0, 1)))]
    layers = gru() if kind == "gru" else convolutions()
    model = Sequential([*begin, *layers, Dense(classes, activation="softmax")])
    rate = CosineDecay(5e-3, EPOCHS * -(-len(x) // BATCH))
    model.compile(Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main(kind: str = "convolutions") -> dict[str, float]:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import StratifiedGroupKFold

    if kind not in KINDS:
        sys.exit(f"name one of {', '.join(KINDS)}; received {kind}")
    x, y, recordings = windows()
    ours, theirs = [], []
    for fit, rest in StratifiedGroupKFold(SPLITS, shuffle=True, random_state=0).split(x, y, recordings):
        set_random_seed(SEED)
        model = network(x[fit], int(y.max()) + 1, kind)
        model.fit(x[fit], y[fit], batch_size=BATCH, epochs=EPOCHS, verbose=0)
        forest = RandomForestClassifier(300, random_state=SEED).fit(statistics(x[fit]), y[fit])
        ours.append(model.evaluate(x[rest], y[rest], verbose=0)[1])
        theirs.append(forest.score(statistics(x[rest]), y[rest]))
    proof = edgeling.verify(model, target="cortex-m4", precision="float32", rows=x[:4])
    told = {
        "accuracy": float(np.mean(ours)), "forest": float(np.mean(theirs)), "wanted": float(np.mean(theirs)),
        "weight_bytes": 4 * model.count_params(), "verified": proof.matches, "flash_bytes": proof.flash_bytes,
        "ram_bytes": proof.ram_bytes, "instructions": proof.instructions,
    }  # fmt: skip
    for name, value in told.items():
        print(f"{name:<14} {value:g}")
    return told


if __name__ == "__main__":
    sys.exit(0 if main(*sys.argv[1:2])["verified"] else 1)
