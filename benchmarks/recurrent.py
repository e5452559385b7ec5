# SPDX-License-Identifier: Apache-2.0
"""Training of an LSTM(64) and a GRU(64) over 128 steps of 6 features, batch 32: an epoch with one thread and with two.

Every contender has a process of its own, for how many threads there are is said before libraries load. Peers that are
not installed are skipped: Keras on TensorFlow and on PyTorch, PyTorch itself with its fused Adam.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from benchmarks.comparison import Comparison, Contender, Measure, seconds_per_call
from benchmarks.networks import Array

ROWS, BATCH, STEPS, FEATURES, UNITS, CLASSES = 512, 32, 128, 6, 64, 6
GATES = {"LSTM": 4, "GRU": 3}
THREADS = (1, 2)
Call = Callable[[], Any]

_CHILD = """
from sys import argv, stdin
from benchmarks import recurrent
measure = recurrent.measured(argv[1], argv[2], int(argv[3]))
print("ready", flush=True)
for _ in stdin:
    print(measure(), flush=True)
"""


def comparisons() -> list[Comparison]:
    """One a layer and number of threads: seconds of an epoch."""
    return [_comparison(kind, threads) for kind in GATES for threads in THREADS]


def _comparison(kind: str, threads: int) -> Comparison:
    peers = tuple(Contender(name, partial(_in_a_process, name, kind, threads), 2) for name in PEERS)
    ours = Contender("Edgeling", partial(_in_a_process, "Edgeling", kind, threads))
    products = ROWS * STEPS * GATES[kind] * UNITS * (FEATURES + UNITS)
    title = f"{kind}({UNITS}), {threads} thread{'s' * (threads > 1)}"
    return Comparison(title, "s", ours, peers, repetitions=7, work=6 * products)  # there, and twice as much back


def _in_a_process(name: str, kind: str, threads: int) -> Measure:
    """A process that measures whenever it is told to."""
    library, backend = PEERS.get(name, ("edgeling", ""))
    for needed in {library, backend} - {""}:
        if find_spec(needed) is None:
            raise ImportError(f"No module named {needed!r}")
    chosen = {**os.environ, "KERAS_BACKEND": backend or "jax", "EDGELING_THREADS": str(threads)}
    chosen |= {f"{library}_NUM_THREADS": str(threads) for library in ("OMP", "OPENBLAS", "MKL", "TF_NUM_INTEROP")}
    child = subprocess.Popen([sys.executable, "-c", _CHILD, name, kind, str(threads)], env=chosen, text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    assert child.stdin
    assert child.stdout
    given, taken = child.stdin, child.stdout
    while taken.readline().strip() not in ("ready", ""):
        pass

    def measure() -> float:
        given.write("\n")
        given.flush()
        return float(taken.readline())

    return measure


def measured(name: str, kind: str, threads: int) -> Measure:
    """In a contender's process: seconds of an epoch. XLA's own threads do not ask: a core each is all there are."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])
    drawn = np.random.default_rng(0)
    x = drawn.normal(size=(ROWS, STEPS, FEATURES)).astype(np.float32)
    y = drawn.integers(0, CLASSES, ROWS).astype(np.int32)
    return seconds_per_call(pytorch(kind, threads, x, y) if name == "PyTorch" else keras(name, kind, x, y))


def keras(name: str, kind: str, x: Array, y: Array) -> Call:
    """An epoch of Keras's or of Edgeling's."""
    if name == "Edgeling":
        from edgeling import layers, models

        more = {}
    else:
        from keras import layers, models

        more = {"steps_per_execution": ROWS // BATCH}
    begin = [layers.Input((STEPS, FEATURES)), getattr(layers, kind)(UNITS)]
    model = models.Sequential([*begin, layers.Dense(CLASSES, activation="softmax")])
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", **more)
    return lambda: model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0)


def pytorch(kind: str, threads: int, x: Array, y: Array) -> Call:
    """An epoch of PyTorch's, rows first, with its fused Adam."""
    import torch

    torch.set_num_threads(threads)
    layer = getattr(torch.nn, kind)(FEATURES, UNITS, batch_first=True)
    head = torch.nn.Linear(UNITS, CLASSES)
    rule = torch.optim.Adam([*layer.parameters(), *head.parameters()], fused=True)
    rows, truth = torch.from_numpy(x), torch.from_numpy(y).long()

    def call() -> None:
        for chosen in torch.randperm(len(rows)).split(BATCH):
            rule.zero_grad(set_to_none=True)
            outputs, _ = layer(rows[chosen])
            torch.nn.functional.cross_entropy(head(outputs[:, -1]), truth[chosen]).backward()
            rule.step()

    return call


PEERS = {
    "Keras on JAX": ("keras", "jax"),
    "Keras on TensorFlow": ("keras", "tensorflow"),
    "Keras on PyTorch": ("keras", "torch"),
    "PyTorch": ("torch", ""),
}
"""What each needs: a library, and a backend of it."""
