# SPDX-License-Identifier: Apache-2.0
"""Keras's small helpers: seeds, one-hot labels, windows of series, types."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from edgeling.configurable import forget_names
from edgeling.errors import DataError, UnsupportedError, absent
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


def normalize(x: ArrayLike, axis: int = -1, order: int = 2) -> Array:
    """An array divided by its norms along an axis; where these are 0 it stays.

    Args:
        order: of the norm; 2 is Euclid's.
    """
    array = np.asarray(x, np.float64)
    norms = np.atleast_1d(np.linalg.norm(array, order, axis))
    norms[norms == 0] = 1
    return array / np.expand_dims(norms, axis)


def pad_sequences(
    sequences: Sequence[Sequence[Any]], maxlen: int | None = None, dtype: str = "int32", padding: str = "pre",
    truncating: str = "pre", value: float = 0.0,
) -> Array:  # fmt: skip
    """Lists of different lengths as an array [lists, maxlen, ...].

    Args:
        sequences: lists of numbers, or of steps [features].
        maxlen: the length of all; the longest list's if None.
        padding, truncating: "pre" or "post": where what is missing is filled in, and what is too much is left out.
        value: what is filled in.

    Raises:
        DataError: no list of lists; steps of different shapes.
        UnsupportedError: another ``padding`` or ``truncating``.
    """
    for name, given in (("padding", padding), ("truncating", truncating)):
        if given not in ("pre", "post"):
            raise UnsupportedError(f"{name} is 'pre' or 'post'", received=repr(given), remedy=f"{name}='post'")
    if not hasattr(sequences, "__iter__"):
        raise DataError("sequences are a list of lists", received=repr(sequences)[:80], remedy="[[1, 2, 3], [4]]")
    arrays = [np.asarray(one) for one in sequences]
    shapes = {array.shape[1:] for array in arrays if len(array)} or {()}
    if len(shapes) > 1:
        raise DataError("steps of sequences have one shape", received=str(sorted(shapes)), remedy="np.stack the steps")
    length = max(map(len, arrays), default=0) if maxlen is None else maxlen
    padded = np.full((len(arrays), length, *shapes.pop()), value, dtype)
    for row, array in zip(padded, arrays, strict=True):
        kept = array[-length:] if truncating == "pre" else array[:length]
        if len(array) and length:
            row[slice(length - len(kept), None) if padding == "pre" else slice(len(kept))] = kept
    return padded


class PyDataset:
    """Batches by number, for ``fit``, ``evaluate`` and ``predict``: a subclass gives ``__len__`` and ``__getitem__``.

    Args:
        workers: threads that make batches ahead of time, in order; 1: each is made when it is needed.
        use_multiprocessing: threads too, so that nothing is copied from process to process.
        max_queue_size: batches that are made ahead of time, at most.
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        self.workers, self.use_multiprocessing, self.max_queue_size = workers, use_multiprocessing, max_queue_size

    @property
    def num_batches(self) -> int | None:
        """How many batches an epoch has; None of a source without an end."""
        return len(self) if hasattr(self, "__len__") else None

    def __getitem__(self, index: int) -> Any:
        """One batch: ``(x, y)`` or ``(x, y, sample_weight)``.

        Raises:
            NotImplementedError: a subclass gives it.
        """
        raise NotImplementedError

    def on_epoch_begin(self) -> None:
        """Told before each epoch."""

    def on_epoch_end(self) -> None:
        """Told after each epoch."""


def standardize_dtype(dtype: Any) -> str:
    """The name of a type, or of an array's or value's; of None "float32".

    Raises:
        UnsupportedError: no type of numbers, truths or text.
    """
    if dtype is None:
        return "float32"
    told = getattr(dtype, "dtype", dtype)
    name = str(getattr(told, "name", None) or getattr(told, "__name__", None) or told).removeprefix("torch.")
    try:
        return {"float": "float32", "int": "int32", "str": "string"}.get(name) or np.dtype(name).name
    except TypeError:
        raise UnsupportedError("a dtype is one of NumPy's", received=repr(dtype)[:80], remedy="'float32'") from None


class _Windows(PyDataset):
    """Windows of a series, cut when they are asked for."""

    def __init__(self, data: Array, targets: Array | None, starts: Array, length: int, rate: int, size: int) -> None:
        super().__init__()
        self._data, self._targets, self._starts = data, targets, starts
        self._steps, self._size = np.arange(length) * rate, size

    def __len__(self) -> int:
        return math.ceil(len(self._starts) / self._size)

    def __getitem__(self, index: int) -> Any:
        if not 0 <= index < len(self):
            raise IndexError(index)
        starts = self._starts[index * self._size : (index + 1) * self._size]
        rows = self._data[starts[:, None] + self._steps]
        return rows if self._targets is None else (rows, self._targets[starts])

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))


def timeseries_dataset_from_array(
    data: ArrayLike, targets: ArrayLike | None, sequence_length: int, sequence_stride: int = 1, sampling_rate: int = 1,
    batch_size: int | None = 128, shuffle: bool = False, seed: int | None = None, start_index: int | None = None,
    end_index: int | None = None,
) -> PyDataset:  # fmt: skip
    """Windows [windows, sequence_length, ...] of a series, in batches: for ``fit``, or to iterate over.

    Args:
        data: the series, [steps, ...].
        targets: what goes with the window that begins at each step, [steps, ...]; None: windows alone.
        sequence_stride: steps from one window's beginning to the next.
        sampling_rate: steps from one element of a window to the next.
        batch_size: windows of a batch; None: all in one.
        shuffle, seed: whether windows come in another order, and which.
        start_index, end_index: the part of the series that is used, up to below the end.

    Raises:
        DataError: no window fits.
    """
    series = np.asarray(data)
    wanted = None if targets is None else np.asarray(targets)
    first, last = start_index or 0, len(series) if end_index is None else min(end_index, len(series))
    span = (sequence_length - 1) * sampling_rate
    begins = last - first if wanted is None else min(last - first, len(wanted))
    starts = np.arange(0, min(begins, last - first - span), sequence_stride)
    if not len(starts) or sequence_length < 1 or sampling_rate < 1:
        raise DataError(
            f"a window of {sequence_length} steps, {sampling_rate} apart, lies in the series",
            received=f"{last - first} steps", remedy="a shorter sequence_length",
        )  # fmt: skip
    if shuffle:
        starts = starts[np.random.default_rng(next_seed() if seed is None else seed).permutation(len(starts))]
    size = len(starts) if batch_size is None else batch_size
    part = wanted if wanted is None else wanted[:begins]
    return _Windows(series[first:last], part, starts, sequence_length, sampling_rate, size)


_SAVING = (
    "CustomObjectScope", "custom_object_scope", "deserialize_keras_object", "get_custom_objects", "get_registered_name",
    "get_registered_object", "register_keras_serializable", "serialize_keras_object",
)  # fmt: skip
_ELSEWHERE = {
    "plot_model": "model.summary(expand_nested=True), or `edgeling info`, which draws the graph as text",
    "model_to_dot": "model.summary(expand_nested=True)",
    "image_dataset_from_directory": "arrays of pictures: np.stack of what your image library reads",
    "text_dataset_from_directory": "numbers of words: pad_sequences",
    "FeatureSpace": "`edgeling train TABLE`, which prepares columns, or layers.Normalization and CategoryEncoding",
    "get_file": "a download of your own",
}  # what Keras has beside these, and what to write in its place


def __getattr__(name: str) -> Any:
    if name in _SAVING:  # Keras has them here too; they know models, which know this
        return getattr(import_module("edgeling.saving"), name)
    raise absent(__name__, name, _ELSEWHERE)
