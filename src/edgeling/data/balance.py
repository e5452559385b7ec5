# SPDX-License-Identifier: Apache-2.0
"""Classes of unequal size: weights that make up for it, or rows drawn again or left out."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from edgeling.data.split import random_order
from edgeling.errors import DataError
from edgeling.graph.types import Array


def balanced_class_weight(codes: Array, classes: int) -> dict[int, float]:
    """``rows / (classes * rows of the class)`` for each class (scikit-learn's ``class_weight="balanced"``).

    Args:
        codes: int [rows], each in ``range(classes)``.

    Raises:
        DataError: a class without rows.
    """
    counts = np.bincount(codes, minlength=classes)
    if not counts.all():
        raise DataError("balanced weights need rows of every class", received=f"none of class {counts.argmin()}")
    return dict(enumerate((len(codes) / (classes * counts)).tolist()))


def class_weights(
    choice: Literal["balanced"] | Mapping[str, float] | None, codes: Array, labels: Sequence[str]
) -> dict[str, float]:
    """What each row of a class counts, by label; nothing where every row counts the same.

    Args:
        choice: ``None``, ``"balanced"``, or weights by label; labels not named weigh 1.
        codes: int [rows] positions in ``labels``, of the rows trained on.

    Raises:
        DataError: weights of no class, or of a target that has none.
    """
    if choice is None:
        return {}
    if not labels:
        raise DataError(
            "class weights are for a target of classes", received="a target of numbers", remedy="leave them out"
        )
    if choice == "balanced":
        found = balanced_class_weight(codes, len(labels))
        return {label: found[code] for code, label in enumerate(labels)}
    for label in choice:
        require_label(label, labels)
    return {label: float(choice.get(label, 1.0)) for label in labels}


def require_label(label: str, labels: Sequence[str]) -> None:
    """Check that a class is there.

    Raises:
        DataError: it is not; the message offers the nearest.
    """
    if label not in labels:
        near = difflib.get_close_matches(label, labels, n=1, cutoff=0.5)
        raise DataError(
            f"no class is named {label!r}",
            received=f"the classes {', '.join(labels[:20])}{', ...' if len(labels) > 20 else ''}",
            remedy=repr(near[0]) if near else "one of them",
        )


def oversample(codes: Array, *, seed: int = 0) -> Array:
    """Row positions in which every class has as many as the largest: all rows once, then random ones again."""
    groups = _groups(codes)
    most = max(map(len, groups))
    repeated = [np.resize(_shuffled(group, seed, i), most - len(group)) for i, group in enumerate(groups, 1)]
    return np.concatenate([np.arange(len(codes)), *repeated])


def undersample(codes: Array, *, seed: int = 0) -> Array:
    """Row positions, ascending, in which every class has as many as the smallest, chosen at random."""
    groups = _groups(codes)
    fewest = min(map(len, groups))
    return np.sort(np.concatenate([_shuffled(group, seed, i)[:fewest] for i, group in enumerate(groups, 1)]))


def _groups(codes: Array) -> list[Array]:
    return [np.flatnonzero(codes == code) for code in np.unique(codes)]


def _shuffled(group: Array, seed: int, substream: int) -> Array:
    """Substream 0 is the one that divides the rows."""
    return group[random_order(len(group), seed, substream)]
