# SPDX-License-Identifier: Apache-2.0
"""Weights of rows, and of the steps of rows, as ``fit`` and ``evaluate`` take them: for all outputs, or for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from edgeling.errors import DataError
from edgeling.graph.types import Array
from edgeling.network.arrays import numbers
from edgeling.training.arrays import row_weights

Shape = tuple[int, ...]


def weights_of_outputs(given: Any, rows: int, labels: Sequence[tuple[str, str]], shapes: Sequence[Shape]) -> list[Any]:
    """The weights of each output: [rows], [rows, steps] or None; one in the list where all outputs share those of rows.

    Args:
        given: what ``sample_weight`` is.
        labels: of each output what it goes by, and its layer's name.
        shapes: of each output the shape of one row.

    Raises:
        DataError: weights that do not fit.
    """
    if given is None:
        return []
    if isinstance(given, Mapping):
        given = _by_name(given, labels)
    elif not (len(labels) > 1 and _is_of_each(given)):
        one = [_weights(given, rows, shape) for shape in shapes]
        return one[:1] if all(each.ndim == 1 for each in one) else one
    if len(given) != len(labels):
        raise DataError(
            f"sample_weight is one for all outputs, or {len(labels)}", received=f"{len(given)}",
            remedy=f"a list of {len(labels)}, None where rows count alike",
        )  # fmt: skip
    return [None if each is None else _weights(each, rows, shape) for each, shape in zip(given, shapes, strict=True)]


def _is_of_each(given: Any) -> bool:
    """Whether it is a list of what outputs have, not of rows."""
    return isinstance(given, (list, tuple)) and any(each is None or np.ndim(each) > 0 for each in given)


def _by_name(given: Mapping[Any, Any], labels: Sequence[tuple[str, str]]) -> list[Any]:
    unknown = [str(key) for key in given if not any(key in pair for pair in labels)]
    if unknown:
        raise DataError(
            f"sample_weight goes by the outputs' names, {', '.join(label for label, _ in labels)}",
            received=", ".join(unknown), remedy=f"a mapping of {', '.join(repr(label) for label, _ in labels)}",
        )  # fmt: skip
    return [given.get(label, given.get(name)) for label, name in labels]


def _weights(given: Any, rows: int, output: Shape) -> Array:
    """[rows], or where each step has a weight of its own [rows, steps]."""
    floats, steps = numbers(given, "sample_weight"), output[:-1]
    if not steps or floats.size == len(floats):
        return row_weights(np.empty(rows, np.float32), floats)  # type: ignore[return-value]  # some are given
    if floats.shape not in ((rows, *steps), (rows, *steps, 1)) or floats.min() < 0:
        raise DataError(
            "sample_weight has one weight a row, or one for each step of it, none below zero",
            received=f"shape {floats.shape} for {rows} rows, the least {floats.min():g}",
            remedy=f"weights of shape {(rows,)} or {(rows, *steps)} from zero up",
        )  # fmt: skip
    return floats.reshape(rows, *steps)


def as_columns(weights: Sequence[Any], rows: int) -> tuple[list[Array], tuple[Shape, ...]]:
    """The weights of each output as columns [rows, numbers], ones where there are none, and the shape of each row."""
    held = [np.ones(rows, np.float32) if each is None else each for each in weights]
    return [each.reshape(rows, prod(each.shape[1:])) for each in held], tuple(each.shape[1:] for each in held)
