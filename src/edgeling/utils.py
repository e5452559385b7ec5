# SPDX-License-Identifier: Apache-2.0
"""Keras's small helpers: seeds and one-hot labels."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

import numpy as np
from numpy.typing import ArrayLike

from edgeling.configurable import forget_names
from edgeling.errors import DataError
from edgeling.graph.random import random_bits
from edgeling.graph.types import Array

_SEED_STREAM = 0x53454544
_SEEDS_AT_ONCE = 256


class SeedSequence:
    """Seeds for everything that is not given one: word after word of Philox under one master seed."""

    def __init__(self, master: int) -> None:
        self._seeds = (word for step in count() for word in _seed_words(master, step))

    def next(self) -> int:
        """The next seed, an uint32."""
        return next(self._seeds)


def _seed_words(master: int, step: int) -> list[int]:
    """Many at a time: NumPy takes hardly longer for them than for one."""
    words: list[int] = random_bits(_SEEDS_AT_ONCE, seed=master, step=step, stream=_SEED_STREAM).tolist()
    return words


_seeds = SeedSequence(int.from_bytes(os.urandom(4), "little"))


def set_random_seed(seed: int) -> None:
    """Make everything drawn from here on (weights, shuffles, dropout) repeat, on any machine.

    Args:
        seed: 0 to 2**32 - 1.

    Raises:
        DataError: it is none of these.
    """
    global _seeds
    if not 0 <= seed < 2**32:
        raise DataError("a seed lies between 0 and 2**32 - 1", received=str(seed), remedy="a whole number such as 0")
    _seeds = SeedSequence(seed)


def next_seed() -> int:
    """A seed for who was given none: random until :func:`set_random_seed` was called."""
    return _seeds.next()


@contextmanager
def seeds_apart() -> Iterator[None]:
    """Whatever is drawn within the block leaves what is drawn after it as it would have been."""
    global _seeds
    kept, _seeds = _seeds, SeedSequence(0)
    try:
        yield
    finally:
        _seeds = kept


def clear_session(free_memory: bool = True) -> None:
    """Number layers and optimizers from the beginning again: ``dense``, ``dense_1``...

    Args:
        free_memory: Keras's; nothing is held that could be freed.
    """
    forget_names()


def to_categorical(x: ArrayLike, num_classes: int | None = None) -> Array:
    """Integer labels [n] as one-hot rows, float32 [n, num_classes].

    Raises:
        DataError: a label that is negative or too large.
    """
    labels = np.asarray(x)
    labels = labels.reshape(labels.shape[:-1] if labels.ndim > 1 and labels.shape[-1] == 1 else labels.shape).astype(
        int
    )
    classes = num_classes or int(labels.max(initial=-1)) + 1
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise DataError(
            f"labels lie between 0 and {classes - 1}", received=f"{labels.min()} to {labels.max()}",
            remedy=f"num_classes={int(labels.max()) + 1}, labels from 0",
        )  # fmt: skip
    return np.eye(classes, dtype=np.float32)[labels]
