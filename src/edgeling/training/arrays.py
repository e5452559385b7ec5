# SPDX-License-Identifier: Apache-2.0
"""From what people hand to ``fit`` to float32 rows: conversion, checks, weights, and the split for validation.

NumPy arrays, lists, and anything NumPy can read (pandas, Polars) are taken. Every refusal is a DataError.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeling.errors import DataError, UnsupportedError
from edgeling.network.arrays import Floats, numbers
from edgeling.training.engine import TrainingData


def features(x: Any, row: tuple[int, ...] | None, finite: bool = True, name: str = "") -> Floats:
    """Rows of the network's input: float32 [rows, *row]; a flat list is rows of one feature.

    Args:
        row: the shape of one row; None where the network takes it from the data.
        name: the input's, where there are several.

    Raises:
        DataError: rows of another shape, or what :func:`numbers` refuses.
    """
    what = f"x of input {name!r}" if name else "x"
    floats = numbers(_one_source(x), what, finite)
    if row is None or _is_of(floats.shape[1:], row):
        return floats if floats.ndim > 1 else floats[:, None]
    if floats.ndim == 1 and row == (1,):
        return floats[:, None]
    at = [i for i, (got, own) in enumerate(zip(floats.shape[1:], row, strict=False)) if got != own]
    if _is_of(floats.shape, row):
        remedy = "x[np.newaxis] if it is one row"
    elif len(row) > 1 and floats.ndim == len(row) + 1 and len(at) == 1 and floats.shape[at[0] + 1] > (row[at[0]] or 0):
        before = ", ".join(":" for _ in range(at[0] + 1))
        unknown = tuple(None if i == at[0] else n for i, n in enumerate(row))
        remedy = f"x[{before}, :{row[at[0]]}], or a model with Input({unknown}), for rows of any length"
    else:
        remedy = "the columns the network was made for, in that order"
    received = f"an array of shape {floats.shape}"
    raise DataError(f"{what} has rows of shape {_shape(row)}", received=received, remedy=remedy)


def _is_of(shape: tuple[int, ...], row: tuple[int | None, ...]) -> bool:
    """Whether each length is as it is in the row, or not known there."""
    return len(shape) == len(row) and all(n in (None, own) for n, own in zip(row, shape, strict=True))


def _shape(row: tuple[int, ...]) -> str:
    return f"({row[0]},), {row[0]} features" if len(row) == 1 and row[0] else str(row)


def _one_source(x: Any) -> Any:
    if hasattr(x, "__next__") or (hasattr(x, "__iter__") and not hasattr(x, "__len__")):
        raise UnsupportedError("data is given as arrays", received=type(x).__name__, remedy="np.stack(list(...))")
    if isinstance(x, (dict, str)):
        raise UnsupportedError("data is one array", received=type(x).__name__, remedy="np.column_stack(...)")
    return x


def raw_targets(y: Any, what: str = "y") -> Floats:
    """Targets as float32 [rows, columns], whatever they mean.

    Raises:
        DataError: no targets, or what :func:`numbers` refuses.
    """
    if y is None:
        raise DataError("training needs targets", received="y=None", remedy="fit(x, y)")
    floats = numbers(_one_source(y), what)
    if floats.ndim == 1:
        return floats[:, None]
    if floats.ndim != 2:
        remedy = "y.reshape(len(y), -1)"
        raise DataError(f"{what} has one or two dimensions", received=f"shape {floats.shape}", remedy=remedy)
    return floats


def targets(y: Any, width: int, loss: Any, name: str = "") -> Floats:
    """Targets that fit the network and its loss: float32 [rows, width], sparse [rows, 1].

    Args:
        width: columns of the network's output.
        loss: the loss; ``sparse`` and ``function`` are read.
        name: the output's, where there are several.

    Raises:
        DataError: another width, class numbers outside the classes, or probabilities outside [0, 1].
    """
    what, output = (f"y of output {name!r}", f"output {name!r}") if name else ("y", "the last layer")
    floats = raw_targets(y, what)
    if loss.is_written:
        return floats
    if loss.sparse:
        return _class_numbers(floats, width, output)
    if floats.shape[1] != width:
        remedy = f"one column for each of the {width} units of {output}"
        if floats.shape[1] == 1:
            remedy = "loss='sparse_categorical_crossentropy', or edgeling.utils.to_categorical(y)"
        raise DataError(f"{what} has {width} columns", received=f"shape {floats.shape}", remedy=remedy)
    if loss.function in ("binary_crossentropy", "categorical_crossentropy") and not _within_unit(floats):
        raise DataError(
            f"{loss.function} takes targets from 0 to 1", received=f"values from {floats.min():g} to {floats.max():g}",
            remedy="labels 0 and 1; for several classes one output a class and sparse_categorical_crossentropy",
        )  # fmt: skip
    return floats


def _within_unit(floats: Floats) -> bool:
    return bool(floats.min() >= 0 and floats.max() <= 1)


def _class_numbers(labels: Floats, classes: int, output: str) -> Floats:
    if labels.shape[1] != 1:
        raise DataError(
            "sparse_categorical_crossentropy takes one class number a row", received=f"shape {labels.shape}",
            remedy="loss='categorical_crossentropy' for one-hot rows, or y.argmax(axis=1)",
        )  # fmt: skip
    if labels.min() < 0 or labels.max() >= classes or (labels != np.floor(labels)).any():
        raise DataError(
            f"class numbers are whole and lie between 0 and {classes - 1}, for {output} has {classes} outputs",
            received=f"labels from {labels.min():g} to {labels.max():g}",
            remedy=f"number the classes from 0, and give {output} as many units as there are classes",
        )
    return labels


def with_class_weights(data: TrainingData, class_weight: Any) -> TrainingData:
    """The rows, each weighted by its class; classes that are not named weigh one.

    Args:
        class_weight: a mapping of class numbers; a list of all classes' weights in order; "balanced", so that every
            class weighs alike together (scikit-learn's ``rows / (classes * rows of the class)``); or None.

    Raises:
        DataError: the rows have weights already; weights that are not numbers from zero up; a list that is too short.
    """
    if class_weight is None or (isinstance(class_weight, Mapping) and not class_weight):
        return data
    if data.sample_weight is not None:
        raise DataError(
            "either class_weight or sample_weight is given", received="both", remedy="leave one of them out"
        )
    y = data.y
    classes = np.argmax(y, axis=1) if y.shape[1] > 1 else np.round(y[:, 0]).astype(int)
    weights = _weight_of_each(class_weight, classes)
    return replace(data, sample_weight=np.asarray([weights.get(int(c), 1.0) for c in classes], np.float32))


def _weight_of_each(given: Any, classes: NDArray[Any]) -> dict[int, float]:
    if isinstance(given, str) and given == "balanced":
        numbers_of, counts = np.unique(classes, return_counts=True)
        return {int(c): len(classes) / (len(counts) * int(n)) for c, n in zip(numbers_of, counts, strict=True)}
    try:
        pairs = given.items() if isinstance(given, Mapping) else enumerate(np.asarray(given, np.float64).tolist())
        weights = {int(c): float(w) for c, w in pairs}
    except (TypeError, ValueError):
        raise DataError(
            "class_weight maps class numbers to weights, lists them, or is 'balanced'", received=repr(given),
            remedy="{0: 1.0, 1: 5.0}",
        ) from None  # fmt: skip
    if not all(0 <= w < np.inf for w in weights.values()):
        raise DataError(
            "class_weight holds finite numbers from zero up", received=repr(given),
            remedy="class_weight={0: 1.0, 1: 5.0}",
        )  # fmt: skip
    if not isinstance(given, Mapping) and len(weights) <= classes.max():
        raise DataError(
            "class_weight lists every class", received=f"{len(weights)} weights, class {classes.max()}",
            remedy="a weight for each class, from 0 up",
        )  # fmt: skip
    return weights


def row_weights(y: Floats, sample_weight: Any = None) -> Floats | None:
    """The weight of each row, float32 [rows], or None.

    Raises:
        DataError: a wrong number of weights, or negative ones.
    """
    if sample_weight is None:
        return None
    weights = numbers(sample_weight, "sample_weight").reshape(-1)
    if len(weights) != len(y) or weights.min() < 0:
        raise DataError(
            "sample_weight has one weight a row, none below zero",
            received=f"{len(weights)} for {len(y)} rows, the least {weights.min():g}",
            remedy=f"{len(y)} weights from zero up",
        )
    return weights


def gathered(x: Floats, y: Floats, weights: Floats | None) -> TrainingData:
    """Rows that belong together.

    Raises:
        DataError: x and y differ in their number of rows.
    """
    if len(x) != len(y):
        raise DataError(
            "x and y have as many rows", received=f"{len(x)} and {len(y)}", remedy="slice them to as many rows"
        )
    return TrainingData(x, y, weights)


def split(data: TrainingData, share: float) -> tuple[TrainingData, TrainingData]:
    """The first rows to train on, the last ``share`` of them to validate with, as Keras splits.

    Raises:
        DataError: a share that leaves one side empty.
    """
    at = int(np.floor(len(data.x) * (1.0 - share)))
    if not 0 < at < len(data.x):
        raise DataError(
            "validation_split leaves rows on both sides", received=f"{share} of {len(data.x)} rows", remedy="0.2"
        )
    return data[:at], data[at:]
