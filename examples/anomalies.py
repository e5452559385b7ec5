# SPDX-License-Identifier: Apache-2.0
"""Anomalies in a shuttle's nine sensors: an autoencoder that has only seen what is normal, beside an isolation forest.

The network gives, sensor by sensor, how far a row is from what it makes of it; their mean magnitude is the score. Half
of river's shuttle is learned from (its normal rows alone), the other half judges. Built for a Cortex-M4 and proven
there. Run it: python examples/anomalies.py
"""

from __future__ import annotations

import sys

import numpy as np

import edgeling
from edgeling.layers import Activation, Dense, Input, Normalization, Rescaling, Subtract
from edgeling.models import Model
from edgeling.optimizers import Adam
from edgeling.optimizers.schedules import CosineDecay
from edgeling.utils import set_random_seed

EPOCHS, BATCH, SEED = 20, 128, 0
FURTHEST = 20.0  # quartile distances: a sensor that is further away says no more
LEARNED = 4.0  # of what is learned from nothing is further
NEEDS = ("river", "sklearn")


def shuttle() -> tuple[np.ndarray, np.ndarray]:
    """[rows, 9], and which are anomalies."""
    from river.datasets import Shuttle

    rows = [([*sensors.values()], truth) for sensors, truth in Shuttle()]
    return np.array([sensors for sensors, _ in rows], np.float32), np.array([truth for _, truth in rows], bool)


def network(normal: np.ndarray) -> Model:
    """From sensors to differences; what is normal is about one from its median, by the distance of its quartiles."""
    low, middle, high = np.quantile(normal, [0.25, 0.5, 0.75], axis=0)
    spread = np.maximum(high - low, 1)
    given = Input((normal.shape[1],))
    x = Normalization(mean=middle, variance=(FURTHEST * spread) ** 2)(given)
    x = Rescaling(FURTHEST)(Activation("hard_tanh")(x))
    y = Dense(2)(Dense(32, activation="tanh")(x))
    y = Dense(normal.shape[1])(Dense(32, activation="tanh")(y))
    model = Model(given, Subtract()([y, x]))
    model.compile(Adam(CosineDecay(3e-3, EPOCHS * -(-len(normal) // BATCH))), "mae")
    return model


def within(normal: np.ndarray) -> np.ndarray:
    """What is normal without its own outliers, which would have the network learn them too."""
    low, middle, high = np.quantile(normal, [0.25, 0.5, 0.75], axis=0)
    reach = LEARNED * np.maximum(high - low, 1)
    return np.clip(normal, middle - reach, middle + reach).astype(np.float32)


def main() -> dict[str, float]:
    from sklearn.ensemble import IsolationForest
    from sklearn.metrics import roc_auc_score

    x, anomalies = shuttle()
    order = np.random.default_rng(SEED).permutation(len(x))
    fit, rest = order[: len(x) // 2], order[len(x) // 2 :]
    normal, test, truth = x[fit][~anomalies[fit]], x[rest], anomalies[rest]
    set_random_seed(SEED)
    model = network(normal)
    learned = within(normal)
    model.fit(learned, np.zeros_like(learned), batch_size=BATCH, epochs=EPOCHS, verbose=0)
    score = np.abs(model.predict(test, verbose=0)).mean(axis=1)
    forest = IsolationForest(random_state=SEED).fit(normal)
    proof = edgeling.verify(model, target="cortex-m4", precision="float32", rows=test[:32])
    reference = float(roc_auc_score(truth, -forest.score_samples(test)))
    told = {
        "roc_auc": float(roc_auc_score(truth, score)), "forest": reference, "wanted": max(0.998, reference),
        "weight_bytes": 4 * model.count_params(), "verified": proof.matches, "flash_bytes": proof.flash_bytes,
        "ram_bytes": proof.ram_bytes, "instructions": proof.instructions,
    }  # fmt: skip
    for name, value in told.items():
        print(f"{name:<14} {value:g}")
    return told


if __name__ == "__main__":
    sys.exit(0 if main()["verified"] else 1)
