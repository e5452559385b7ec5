# SPDX-License-Identifier: Apache-2.0
"""From probabilities to classes: against every threshold tried, and against what is known in theory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeling.data.decision import LARGEST_COUNT, Decision, best_decision


def two(share: np.ndarray) -> np.ndarray:
    return np.stack([1 - share, share], axis=1)


def test_true_probabilities_give_the_threshold_of_theory() -> None:
    """Elkan's: what a false alarm costs, of the costs of both errors."""
    rng = np.random.default_rng(0)
    p = rng.beta(0.3, 3, 20_000)
    y = (rng.random(len(p)) < p).astype(int)
    assert best_decision(two(p), y, (1, 10)).threshold == np.float32(1 / 11)
    assert best_decision(two(p), y, 1 / np.bincount(y)).threshold == np.float32(y.mean())


def test_false_probabilities_are_seen_through() -> None:
    """Told a tenth of the truth, the threshold of theory finds nobody; the rows say so."""
    rng = np.random.default_rng(1)
    p = rng.beta(0.5, 2, 5000)
    y = (rng.random(len(p)) < p).astype(int)
    found = best_decision(two(p / 10), y, (1, 1)).threshold
    right = np.mean((p / 10 > found) == y)
    best = max(np.mean((p / 10 > t) == y) for t in np.unique(p / 10))
    assert found < 0.1
    assert right > best - 2 * np.sqrt(best * (1 - best) / len(y))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 80), st.floats(0.01, 100))
def test_what_is_chosen_costs_no_more_than_the_best_by_more_than_chance(seed: int, rows: int, miss: float) -> None:
    rng = np.random.default_rng(seed)
    p, y = np.round(rng.random(rows), 2), rng.integers(0, 2, rows)
    found = best_decision(two(p), y, (1, miss)).threshold
    assert 0 < found < 1

    def cost(threshold: float) -> float:
        said = p > threshold
        return miss * np.sum(~said & (y == 1)) + np.sum(said & (y == 0))

    best = min(map(cost, [0.0, *np.unique(p)]))
    # Half an error either way, of which a class of n rows has at most half of n: the standard error's largest value.
    room = np.sqrt(miss**2 * (y == 1).sum() / 4 + (y == 0).sum() / 4)
    assert not (0 < y.mean() < 1) or cost(found) <= best + room + max(1, miss)


def test_of_several_classes_the_rare_ones_count_more() -> None:
    found = best_decision(np.empty((0, 3)), np.empty(0, int), 1 / np.array([100, 50, 1]))
    assert found.counts == (328, 655, LARGEST_COUNT)
    p = np.float32([[0.6, 0.39, 0.01], [0.3, 0.695, 0.005]])
    assert found.choose(p).tolist() == [2, 1]
    assert Decision().choose(p).tolist() == [0, 1]
    assert best_decision(np.empty((0, 3)), np.empty(0, int), (2, 2, 2)) == Decision()


@pytest.mark.parametrize("step", range(1, 256, 17))
def test_a_threshold_is_compared_in_float32(step: int) -> None:
    """As the C does: a probability that is the threshold is not above it."""
    threshold = float(np.float32(step / 256))
    assert Decision(threshold).choose(
        np.float32([[threshold], [np.nextafter(np.float32(threshold), np.float32(1))]])
    ).tolist() == [0, 1]


def test_it_is_told_to_people() -> None:
    assert Decision().sentence(("no", "yes")) == ""
    assert "'yes'" in Decision(0.25).sentence(("no", "yes"))
    assert "2 for c" in Decision(counts=(1, 1, 2)).sentence(("a", "b", "c"))
