# SPDX-License-Identifier: Apache-2.0
"""Training of three convolutional networks in batches of 32, with as many threads as ``EDGELING_THREADS`` says."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks import convolutions
from benchmarks.comparison import Comparison, Contender, Measure, seconds_per_call
from benchmarks.networks import Array

ROWS, BATCH = 512, 32
Make = Callable[[str, Array, Array], Callable[[], Any]]


def comparisons() -> list[Comparison]:
    """One a network: seconds of an epoch."""
    return [_comparison(name) for name in convolutions.SHAPES]


def _comparison(name: str) -> Comparison:
    peers = (
        Contender("Keras on JAX", partial(_measured, keras, name), 2),
        Contender("PyTorch, channels last", partial(_measured, pytorch, name), 2),
    )
    ours = Contender("Edgeling", partial(_measured, edgeling, name))
    work = 6 * ROWS * convolutions.PRODUCTS[name]  # there, and twice as much back
    return Comparison(f"{name}, an epoch of {ROWS} rows", "s", ours, peers, repetitions=7, work=work)


def _measured(make: Make, name: str) -> Measure:
    return seconds_per_call(make(name, *convolutions.rows_of(name, ROWS)))


def edgeling(name: str, x: Array, y: Array) -> Callable[[], Any]:
    from edgeling import layers, models

    model = convolutions.model(name, layers, models)
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    return lambda: model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0)


def keras(name: str, x: Array, y: Array) -> Callable[[], Any]:
    from keras import layers, models

    model = convolutions.model(name, layers, models)
    model.compile(
        optimizer="adam", loss="sparse_categorical_crossentropy", steps_per_execution=ROWS // BATCH
    )  # fmt: skip
    return lambda: model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0)


def pytorch(name: str, x: Array, y: Array) -> Callable[[], Any]:
    """With its fused Adam."""
    import torch

    torch.set_num_threads(int(os.environ.get("EDGELING_THREADS", os.cpu_count() or 1)))
    model = convolutions.torch_module(name)
    images = torch.from_numpy(x).movedim(-1, 1)
    if x.ndim == 4:
        model, images = model.to(memory_format=torch.channels_last), images.to(memory_format=torch.channels_last)
    rule, truth = torch.optim.Adam(model.parameters(), fused=True), torch.from_numpy(y).long()

    def call() -> Any:
        for chosen in torch.randperm(len(images)).split(BATCH):
            rule.zero_grad(set_to_none=True)
            torch.nn.functional.cross_entropy(model(images[chosen]), truth[chosen]).backward()
            rule.step()

    return call
