# SPDX-License-Identifier: Apache-2.0
"""Training of a block of attention, two heads over 64 steps of 32 features, batch 32: an epoch with one thread and two.

Every contender has a process of its own. Peers that are not installed are skipped; PyTorch has its fused Adam, and
attends by its own layer, by its function alone, and by that compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.comparison import Comparison, Contender, Measure, seconds_per_call
from benchmarks.networks import Array
from benchmarks.own_process import KERAS, contender, keep_to

ROWS, BATCH, STEPS, FEATURES, HEADS, CLASSES, THREADS = 1024, 32, 64, 32, 2, 10, (1, 2)
# Of a row: six projections' worth of features by features, among them the wide layers, and scores and their sums.
PRODUCTS = STEPS * FEATURES * (8 * FEATURES + 2 * STEPS)
Call = Callable[[], Any]
PEERS = (*KERAS, "PyTorch, MultiheadAttention", "PyTorch, its function", "PyTorch, compiled")


def comparisons() -> list[Comparison]:
    """One a number of threads: seconds of an epoch."""
    return [_comparison(threads) for threads in THREADS]


def _comparison(threads: int) -> Comparison:
    begun = partial(contender, __name__, threads=threads)
    peers = tuple(Contender(peer, partial(begun, peer), 2) for peer in PEERS)
    ours, title = Contender("Edgeling", partial(begun, "Edgeling")), f"{threads} thread{'s' * (threads > 1)}"
    return Comparison(title, "s", ours, peers, repetitions=7, work=6 * ROWS * PRODUCTS)  # there, and twice as much back


def measured(who: str, threads: str) -> Measure:
    """In a contender's process: seconds of an epoch."""
    keep_to(int(threads))
    drawn = np.random.default_rng(0)
    x = drawn.normal(size=(ROWS, STEPS, FEATURES)).astype(np.float32)
    y = drawn.integers(0, CLASSES, ROWS).astype(np.int32)
    return seconds_per_call(pytorch(who, int(threads), x, y) if who.startswith("PyTorch") else keras(who, x, y))


def keras(who: str, x: Array, y: Array) -> Call:
    """An epoch of Keras's or of Edgeling's."""
    if who == "Edgeling":
        from edgeling import layers, models

        more = {}
    else:
        from keras import layers, models

        more = {} if who == "Keras on PyTorch" else {"steps_per_execution": ROWS // BATCH}  # which PyTorch refuses
    model = block(layers, models)
    model.compile("adam", "sparse_categorical_crossentropy", **more)
    return lambda: model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0)


def block(layers: Any, models: Any) -> Any:
    """Attention and two dense layers, each added to what it reads and normalised; a mean over the steps, classes."""
    x = layers.Input((STEPS, FEATURES))
    h = layers.LayerNormalization()(layers.Add()([x, layers.MultiHeadAttention(HEADS, FEATURES // HEADS)(x, x)]))
    wide = layers.Dense(2 * FEATURES, activation="relu")(h)
    h = layers.LayerNormalization()(layers.Add()([h, layers.Dense(FEATURES)(wide)]))
    y = layers.Dense(CLASSES, activation="softmax")(layers.GlobalAveragePooling1D()(h))
    return models.Model(x, y)


def pytorch(who: str, threads: int, x: Array, y: Array) -> Call:
    """An epoch of PyTorch's."""
    import torch

    torch.set_num_threads(threads)
    model = _torch_block(own_layer=who.endswith("MultiheadAttention"))
    rule = torch.optim.Adam(model.parameters(), fused=True)
    rows, truth = torch.from_numpy(x), torch.from_numpy(y).long()
    score = lambda x, y: torch.nn.functional.cross_entropy(model(x), y)  # noqa: E731
    score = torch.compile(score, dynamic=False) if who.endswith("compiled") else score

    def call() -> None:
        for chosen in torch.randperm(len(rows)).split(BATCH):
            rule.zero_grad(set_to_none=True)
            score(rows[chosen], truth[chosen]).backward()
            rule.step()

    return call


def _torch_block(*, own_layer: bool) -> Any:
    """The same network, by PyTorch's layer of attention or by its function between four dense layers."""
    from torch import nn

    class Attention(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.projections, self.joined = nn.Linear(FEATURES, 3 * FEATURES), nn.Linear(FEATURES, FEATURES)

        def forward(self, x: Any) -> Any:
            heads = self.projections(x).view(len(x), STEPS, 3 * HEADS, FEATURES // HEADS).transpose(1, 2)
            made = nn.functional.scaled_dot_product_attention(*heads.chunk(3, dim=1))
            return self.joined(made.transpose(1, 2).reshape(x.shape))

    class Block(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(FEATURES, HEADS, batch_first=True) if own_layer else Attention()
            self.wide, self.narrow = nn.Linear(FEATURES, 2 * FEATURES), nn.Linear(2 * FEATURES, FEATURES)
            self.first, self.second = nn.LayerNorm(FEATURES, eps=1e-3), nn.LayerNorm(FEATURES, eps=1e-3)
            self.classes = nn.Linear(FEATURES, CLASSES)

        def forward(self, x: Any) -> Any:
            seen = self.attention(x, x, x, need_weights=False)[0] if own_layer else self.attention(x)
            h = self.first(x + seen)
            return self.classes(self.second(h + self.narrow(self.wide(h).relu())).mean(dim=1))

    return Block()
