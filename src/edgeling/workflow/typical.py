# SPDX-License-Identifier: Apache-2.0
"""The rows that a program on a device compares with: averages of many rows each, so nobody's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from edgeling.data import CategoricalFeature, DateFeature, Preparation
from edgeling.data.features import Feature
from edgeling.errors import ArtifactError
from edgeling.graph.types import Array

MOST_GROUPS = 8
LEAST_ROWS = 5  # of which an average may be taken
_QUARTERS = 4


def typical_rows(preparation: Preparation, raw: Array, answers: Array) -> Array:
    """One average row for each class (the commonest ones), or for each quarter of the numbers to estimate.

    Of numbers the mean, of a category the commonest.

    Args:
        raw: float32 [rows, columns], those learned from.
        answers: what they answer, [rows]: positions of labels, or numbers.

    Returns:
        float32 [groups, columns].
    """
    groups = [group for group in _groups(preparation, answers) if len(group) >= LEAST_ROWS] or [np.arange(len(raw))]
    return np.array(
        [[_average(f, raw[group, i]) for i, f in enumerate(preparation.features)] for group in groups], np.float32
    )


def _groups(preparation: Preparation, answers: Array) -> Iterator[Array]:
    if preparation.target.labels:
        counts = np.bincount(answers.astype(np.int64), minlength=len(preparation.target.labels))
        for label in sorted(np.argsort(-counts, kind="stable")[:MOST_GROUPS]):
            yield np.flatnonzero(answers == label)
    else:
        yield from np.array_split(np.argsort(answers, kind="stable"), _QUARTERS)


def _average(feature: Feature, values: Array) -> float:
    known = values[np.isfinite(values)].astype(np.float64)
    if isinstance(feature, CategoricalFeature):
        codes = known[known >= 0].astype(np.int64)
        return float(np.argmax(np.bincount(codes))) if len(codes) else 0.0
    if not len(known):
        return usual(feature)
    return float(np.round(known.mean())) if isinstance(feature, DateFeature) else float(known.mean())


def usual(feature: Feature) -> float:
    """A column's mean in training, where nothing else is known; of a category the first."""
    if isinstance(feature, CategoricalFeature):
        return 0.0
    return float(np.round(feature.mean[0])) if isinstance(feature, DateFeature) else feature.mean


def read_typical_rows(preparation: Preparation, told: Any) -> Array:
    """Those of a manifest; of an older artifact, which tells none, one of means.

    Raises:
        ArtifactError: they are no rows of such numbers.
    """
    if told is None:
        return np.array([[usual(f) for f in preparation.features]], np.float32)
    rows = told if isinstance(told, list) else []
    numbers = all(
        isinstance(row, list) and len(row) == preparation.raw_size and all(type(v) in (int, float) for v in row)
        for row in rows
    )
    array = np.array(rows, np.float64) if rows and numbers and len(rows) <= MOST_GROUPS else np.full((1, 1), np.inf)
    if not np.all(np.abs(array) <= np.finfo(np.float32).max):
        raise ArtifactError(
            "typical rows hold a number for each column", received=repr(told)[:200],
            remedy="copy the whole folder again, or train again",
        )  # fmt: skip
    return array.astype(np.float32)
