# SPDX-License-Identifier: Apache-2.0
"""Training a block of attention with two heads, 64 steps of 32 features, batch 32: rows a second, here and in Keras.

    python -m benchmarks.attention_block [--threads 2]

Each contender has a process of its own; Keras's (on JAX) may use every core.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from typing import Any

import numpy as np

ROWS, BATCH, STEPS, FEATURES, CLASSES, EPOCHS = 1024, 32, 64, 32, 10, 4


def block(kit: Any) -> Any:
    """Attention and two dense layers, each added to what it reads and normalised; a mean over the steps, classes."""
    layers = kit.layers
    x = layers.Input((STEPS, FEATURES))
    h = layers.LayerNormalization()(layers.Add()([x, layers.MultiHeadAttention(2, 16)(x, x)]))
    wide = layers.Dense(2 * FEATURES, activation="relu")(h)
    h = layers.LayerNormalization()(layers.Add()([h, layers.Dense(FEATURES)(wide)]))
    y = layers.Dense(CLASSES, activation="softmax")(layers.GlobalAveragePooling1D()(h))
    return kit.models.Model(x, y)


def rows_a_second(kit: Any) -> float:
    """The best epoch but the first, in which programs are compiled."""
    drawn = np.random.default_rng(0)
    x, y = drawn.normal(size=(ROWS, STEPS, FEATURES)).astype(np.float32), drawn.integers(0, CLASSES, ROWS)
    model = block(kit)
    model.compile("adam", "sparse_categorical_crossentropy")
    best = 0.0
    for epoch in range(EPOCHS):
        start = time.perf_counter()
        model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0)
        best = max(best, ROWS / (time.perf_counter() - start)) if epoch else best
    return best


def contend(name: str) -> None:
    """Print the figure of one contender."""
    if name == "keras":
        import keras as kit
    else:
        import edgeling as kit
    print(rows_a_second(kit))


def main() -> None:
    """Both contenders, and how many times as fast Edgeling is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--contender", choices=["edgeling", "keras"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.contender:
        contend(arguments.contender)
        return
    chosen = {**os.environ, "KERAS_BACKEND": "jax", "EDGELING_THREADS": str(arguments.threads)}
    found = {}
    for name in ("edgeling", "keras"):
        command = [sys.executable, "-m", "benchmarks.attention_block", "--contender", name]
        done = subprocess.run(command, env=chosen, capture_output=True, text=True, check=True)
        found[name] = float(done.stdout.split()[-1])
        print(f"{name:10} {found[name]:10,.0f} rows a second")
    print(f"{found['edgeling'] / found['keras']:.2f} times Keras on JAX")


if __name__ == "__main__":
    main()
