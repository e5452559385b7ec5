# SPDX-License-Identifier: Apache-2.0
"""The Pareto front of score against flash and instructions, and what each choice was worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np

from edgeling.graph.types import Array

Item = TypeVar("Item")
Values = tuple[float, float, float]  # score, flash, instructions
_RIDGE = 1.0  # trials' worth of doubt in each level's effect
_BINS = 4


def dominates(one: Values, other: Values) -> bool:
    """Whether one is nowhere worse, and somewhere better."""
    nowhere_worse = one[0] >= other[0] and one[1] <= other[1] and one[2] <= other[2]
    return nowhere_worse and one != other


def front(items: Sequence[Item], values: Callable[[Item], Values]) -> list[Item]:
    """Those that no other dominates, by falling score; of equals the first."""
    known = [(values(item), item) for item in items]
    best: dict[Values, Item] = {}
    for value, item in known:
        if not any(dominates(other, value) for other, _ in known):
            best.setdefault(value, item)
    return [best[value] for value in sorted(best, key=lambda value: (-value[0], value[1], value[2]))]


@dataclass(frozen=True)
class Worth:
    """What a choice was worth.

    Attributes:
        name: of the setting.
        share: of the differences in score that go with it, 0 to 1.
        levels: what was chosen (ranges of numbers), best first, with the effect on the score against the mean.
    """

    name: str
    share: float
    levels: tuple[tuple[str, float], ...]

    @property
    def gain(self) -> float:
        """From the worst level to the best, all else equal."""
        return self.levels[0][1] - self.levels[-1][1]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"share": self.share, "gain": self.gain, "levels": dict(self.levels)}


def worth(settings: Sequence[Mapping[str, Any]], scores: Sequence[float]) -> tuple[Worth, ...]:
    """Main effects: an additive model of levels, fitted by ridge regression, so that what was tried together is told
    apart as far as it can be. Most important first; settings that never differed are left out.

    Args:
        settings: of each trial, by name.
        scores: of each.
    """
    parts = [(name, *_levels([each[name] for each in settings])) for name in settings[0]] if settings else []
    parts = [part for part in parts if len(part[1]) > 1]
    if not parts:
        return ()
    design = np.concatenate([np.eye(len(labels))[codes] for _, labels, codes in parts], axis=1)
    centred = np.asarray(scores) - np.mean(scores)
    means = design.mean(axis=0)
    x = design - means
    effects = np.linalg.solve(x.T @ x + _RIDGE * np.eye(x.shape[1]), x.T @ centred)
    ends = np.cumsum([len(labels) for _, labels, _ in parts])
    pieces = [(part, slice(end - len(part[1]), end)) for part, end in zip(parts, ends, strict=True)]
    spreads = np.array([np.var(x[:, piece] @ effects[piece]) for _, piece in pieces])
    shares = spreads / max(float(np.var(centred)), float(spreads.sum()), 1e-30)
    found = [
        Worth(name, float(share), _told(labels, effects[piece] - means[piece] @ effects[piece]))
        for ((name, labels, _), piece), share in zip(pieces, shares, strict=True)
    ]
    return tuple(sorted(found, key=lambda each: -each.share))


def _told(labels: Sequence[str], effects: Array) -> tuple[tuple[str, float], ...]:
    return tuple((labels[i], float(effects[i])) for i in np.argsort(-effects, kind="stable"))


def _levels(values: Sequence[Any]) -> tuple[list[str], Array]:
    """Names of the levels, and each trial's; many different numbers are put into four bins of equal numbers."""
    distinct = sorted(set(values), key=lambda value: (isinstance(value, str), value))
    if len(distinct) <= 2 * _BINS or isinstance(distinct[-1], str):
        return [_text(value) for value in distinct], np.array([distinct.index(value) for value in values])
    numbers = np.asarray(values, float)
    edges = np.unique(np.quantile(numbers, np.linspace(0, 1, _BINS + 1)))
    codes = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, len(edges) - 2)
    return [f"{_text(low)} to {_text(high)}" for low, high in pairwise(edges)], codes


def _text(value: Any) -> str:
    return f"{value:.2g}" if isinstance(value, float) else str(value)
