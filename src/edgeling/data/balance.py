# SPDX-License-Identifier: Apache-2.0
"""Classes of unequal size: rows that count more, rows drawn again, or rows made up beside those there are.

Whatever is done, a network learns from it that the rare classes are commoner than they are. ``balanced_weights`` says
by how much, for :func:`edgeling.data.correction.fit_correction` to take it out of the probabilities again.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from edgeling.data.split import random_order
from edgeling.errors import DataError, UnsupportedError
from edgeling.graph.random import SPLIT_STREAM, random_bits
from edgeling.graph.types import Array

Balance = Literal["none", "weights", "oversample", "smote", "noise", "mixup", "auto"]
BALANCES: tuple[Balance, ...] = ("none", "weights", "oversample", "smote", "noise", "mixup", "auto")
SMOTE_NEIGHBOURS = 5


@dataclass(frozen=True)
class Layout:
    """What the columns of prepared rows are, in this order: numbers, then indicators of categories, then their codes.

    Attributes:
        numbers: how many.
        indicators: of each category column, how many indicators it has.
        codes: how many.
    """

    numbers: int
    indicators: tuple[int, ...] = ()
    codes: int = 0


@dataclass(frozen=True, eq=False)
class Balanced:
    """Rows to train on.

    Attributes:
        x: float32 [rows, columns].
        y: int32 [rows].
        weights: float32 [rows]; ``None`` where every row counts the same.
    """

    x: Array
    y: Array
    weights: Array | None

    @property
    def parts(self) -> tuple[Array, ...]:
        """Rows, classes, and weights where there are some: what ``fit`` takes to validate on."""
        return (self.x, self.y) if self.weights is None else (self.x, self.y, self.weights)


def balanced_rows(how: Balance, x: Array, y: Array, classes: int, layout: Layout, *, seed: int = 0) -> Balanced:
    """Rows in which all classes count the same; the same seed gives the same rows anywhere.

    ``weights``: as they are, each counting ``rows / (classes * rows of its class)`` (scikit-learn's "balanced").
    ``oversample``: rows of small classes again, chosen at random, until every class has as many.
    ``noise``: the same, and those that come again have noise in their numbers: a smoothed bootstrap (Menardi and
    Torelli, "Training and assessing classification rules with imbalanced data", 2014: ROSE).
    ``mixup``: the same rows, each mixed with another (Zhang et al., ICLR 2018), shares by Beta(1/2, 1/2).
    ``smote``: rows between a row and one of its neighbours in its class (Chawla et al., JAIR 2002), imbalanced-learn's.

    Args:
        how: anything but "auto".
        x: float32 [rows, columns], prepared.
        y: int [rows], each in ``range(classes)``.

    Raises:
        DataError: a class without rows.
        UnsupportedError: ``smote`` without imbalanced-learn.
    """
    counted = balanced_weights(y, classes)
    if how == "none":
        return Balanced(x, y, None)
    return weighted(x, y, counted) if how == "weights" else Balanced(*_MAKERS[how](x, y, layout, seed))


def weighted(x: Array, y: Array, counted: Array) -> Balanced:
    """Rows that count by their class."""
    return Balanced(x, y, counted[y].astype(np.float32))


def balanced_weights(y: Array, classes: int) -> Array:
    """``rows / (classes * rows of the class)`` of each class, float64: all count the same, and a row 1 in the mean.

    Raises:
        DataError: a class without rows.
    """
    counts = np.bincount(y, minlength=classes)
    if not counts.all():
        raise DataError(
            "balancing needs rows of every class", received=f"none of class {counts.argmin()}",
            remedy="leave the balancing to edgeling train, which sees to it that each class has rows",
        )  # fmt: skip
    return len(y) / (classes * counts)


def oversample(codes: Array, *, seed: int = 0) -> Array:
    """Row positions in which every class has as many as the largest: all rows once, then random ones again."""
    groups = [np.flatnonzero(codes == code) for code in np.unique(codes)]
    most = max(map(len, groups))
    repeated = [np.resize(_shuffled(group, seed, i), most - len(group)) for i, group in enumerate(groups, 1)]
    return np.concatenate([np.arange(len(codes)), *repeated])


def _again(x: Array, y: Array, layout: Layout, seed: int) -> tuple[Array, Array, None]:
    rows = oversample(y, seed=seed)
    return x[rows], y[rows], None


def _noisy(x: Array, y: Array, layout: Layout, seed: int) -> tuple[Array, Array, None]:
    """Silverman's bandwidth for normal kernels: ``(4 / ((d + 2) n)) ** (1 / (d + 4))`` deviations of the class."""
    rows, d = oversample(y, seed=seed), layout.numbers
    made, drawn = x[rows], np.arange(len(rows)) >= len(y)
    if d == 0:
        return made, y[rows], None
    noise = _normal((len(rows), d), seed)
    for code in np.unique(y):
        mine = y == code
        bandwidth = (4 / ((d + 2) * np.count_nonzero(mine))) ** (1 / (d + 4))
        noise[y[rows] == code] *= bandwidth * x[mine, :d].std(axis=0)
    made[drawn, :d] += noise[drawn].astype(np.float32)
    return made, y[rows], None


def _mixed(x: Array, y: Array, layout: Layout, seed: int) -> tuple[Array, Array, Array]:
    """Each mixed row twice, once for each label it has a share of: the loss is that of the two labels' shares."""
    rows = oversample(y, seed=seed)
    others = rows[random_order(len(rows), seed, _PARTNERS)]
    share = np.sin(np.pi / 2 * _uniform((len(rows),), seed, _SHARES)) ** 2  # the arcsine law: Beta(1/2, 1/2)
    share = np.maximum(share, 1 - share)  # the first row is the larger part, whose codes are kept
    mixed, mixable = x[rows], x.shape[1] - layout.codes
    part = share[:, None].astype(np.float32)
    mixed[:, :mixable] = part * mixed[:, :mixable] + (1 - part) * x[others, :mixable]
    weights = np.concatenate([share, 1 - share]).astype(np.float32)
    return np.concatenate([mixed, mixed]), np.concatenate([y[rows], y[others]]), weights


def _smote(x: Array, y: Array, layout: Layout, seed: int) -> tuple[Array, Array, None]:
    over = require_imblearn()
    counts = np.bincount(y)
    neighbours = min(SMOTE_NEIGHBOURS, int(counts.min()) - 1)
    if neighbours < 1:  # nothing lies between one row and itself
        return _again(x, y, layout, seed)
    compact = _compact(x, layout)
    categories = list(range(layout.numbers, compact.shape[1]))
    options: dict[str, Any] = {"random_state": seed, "k_neighbors": neighbours}
    if not categories:
        made, labels = over.SMOTE(**options).fit_resample(x, y)
    elif layout.numbers:
        made, labels = over.SMOTENC(categorical_features=categories, **options).fit_resample(compact, y)
    else:
        made, labels = over.SMOTEN(**options).fit_resample(compact, y)
    return _expanded(np.asarray(made, np.float32), layout), np.asarray(labels, y.dtype), None


_MAKERS: Mapping[str, Callable[[Array, Array, Layout, int], tuple[Array, Array, Array | None]]] = {
    "oversample": _again, "noise": _noisy, "mixup": _mixed, "smote": _smote
}  # fmt: skip


def has_imblearn() -> bool:
    """Whether imbalanced-learn is installed."""
    from importlib.util import find_spec

    return find_spec("imblearn") is not None


def require_imblearn() -> Any:
    """imbalanced-learn's ways of making rows.

    Raises:
        UnsupportedError: it is not installed.
    """
    try:
        from imblearn import over_sampling
    except ImportError as error:
        raise UnsupportedError(
            "SMOTE is imbalanced-learn's", received="it is not installed",
            remedy="pip install 'edgeling[balance]', or balance='noise' (--balance noise), which needs nothing",
        ) from error  # fmt: skip
    return over_sampling


def _compact(x: Array, layout: Layout) -> Array:
    """A code for each column of categories, in place of its indicators; -1 where none is set."""
    parts, at = [x[:, : layout.numbers]], layout.numbers
    for width in layout.indicators:
        indicators = x[:, at : at + width]
        parts.append(np.where(indicators.any(axis=1), indicators.argmax(axis=1), -1)[:, None])
        at += width
    return np.concatenate([*parts, x[:, at:]], axis=1)


def _expanded(compact: Array, layout: Layout) -> Array:
    parts, first = [compact[:, : layout.numbers]], layout.numbers
    for place, width in enumerate(layout.indicators):
        parts.append(compact[:, first + place, None] == np.arange(width))
    return np.concatenate([*parts, compact[:, first + len(layout.indicators) :]], axis=1).astype(np.float32)


# Substreams of what divides the rows (0 and 1, oversampling from 1 on by class): far above any number of classes.
_PARTNERS, _SHARES, _NOISE = 1 << 20, (1 << 20) + 1, (1 << 20) + 2


def _shuffled(group: Array, seed: int, substream: int) -> Array:
    """Substream 0 is the one that divides the rows."""
    return group[random_order(len(group), seed, substream)]


def _uniform(shape: tuple[int, ...], seed: int, substream: int) -> Array:
    """float64 in (0, 1)."""
    bits = random_bits(int(np.prod(shape)), seed=seed, stream=SPLIT_STREAM, substream=substream)
    return ((bits.astype(np.float64) + 0.5) / 2**32).reshape(shape)


def _normal(shape: tuple[int, ...], seed: int) -> Array:
    """float64, standard normal (Box and Muller, 1958)."""
    radius = np.sqrt(-2 * np.log(_uniform(shape, seed, _NOISE)))
    return radius * np.cos(2 * np.pi * _uniform(shape, seed, _NOISE + 1))


def explicit_weights(choice: Mapping[str, float], labels: Sequence[str]) -> Array:
    """float64 [classes]: what a row of each class counts; labels not named count 1.

    Raises:
        DataError: a weight of no class.
    """
    for label in choice:
        require_label(label, labels)
    return np.array([float(choice.get(label, 1.0)) for label in labels])


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
