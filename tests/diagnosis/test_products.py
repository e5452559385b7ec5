# SPDX-License-Identifier: Apache-2.0
"""What products of two columns tell is seen among hundreds of columns, and nothing where there is nothing."""

from __future__ import annotations

import numpy as np
import pytest

from edgeling.diagnosis.products import MOST_COLUMNS, products
from edgeling.diagnosis.relation import explained_by_neighbours
from edgeling.diagnosis.verdict import ALPHA, HALF, LEFT_OVER
from edgeling.optimizers import Adam
from tests.diagnosis.runs import HELD, Run, Table, _normal, _whole

LINE = {"hidden": (), "last": (1, "linear"), "loss": "mse"}


def straight_and_a_product(columns: int) -> Table:
    x, dice = _normal(1500, columns, 21), np.random.default_rng(21)
    return x, _whole(x[:, 0] + x[:, 1] + 1.2 * x[:, 3] * x[:, 7] + 0.3 * dice.normal(size=1500))


def test_a_product_is_found_among_hundreds_of_columns_where_neighbours_see_nothing() -> None:
    x, dice = _normal(1000, 200, 20), np.random.default_rng(20)
    y = (x[:, 31] * x[:, 150] + 0.5 * dice.normal(size=1000))[:, None]
    assert explained_by_neighbours(x, y) < LEFT_OVER
    found = products(x, y)
    assert found.pair == (31, 150)
    assert found.share > HALF  # whoever knows the pair is told 0.8
    assert found.chance() <= ALPHA


def test_of_no_relation_no_more_is_told_than_chance_tells() -> None:
    """Of 60 tables more than 8 have a p-value of at most 0.05 once in a hundred thousand times."""
    drawn = [np.random.default_rng(seed) for seed in range(60)]
    found = [products(dice.normal(size=(80, 12)), dice.normal(size=(80, 1))) for dice in drawn]
    assert sum(each.chance() <= 0.05 for each in found) <= 8


def test_too_many_columns_are_not_asked() -> None:
    assert products(_normal(50, MOST_COLUMNS + 1), _normal(50, 1)).share == 0


@pytest.mark.parametrize("columns", [12, 150])
def test_a_line_that_misses_a_product_is_too_small(columns: int) -> None:
    run = Run(lambda: straight_and_a_product(columns), optimizer=lambda: Adam(0.01), epochs=40, fit=HELD, **LINE)
    (found,) = run.findings()
    assert found.name == "network_too_small"


def test_labels_that_only_a_product_tells_do_not_look_shuffled() -> None:
    x = _normal(1000, 200, 22)
    run = Run(lambda: (x, (x[:, 5] * x[:, 9] > 0).astype(int)), (), optimizer=lambda: Adam(0.005), epochs=10)
    assert [found.name for found in run.findings()] == ["network_too_small"]
