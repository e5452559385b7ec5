# SPDX-License-Identifier: Apache-2.0
"""A skewed target is learned as a logarithm, and the graph undoes it."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest

from edgeling.data import Preparation, check, from_data
from edgeling.data.target_curve import TargetCurve, fit_curve, skewness
from edgeling.errors import ArtifactError
from edgeling.graph import GraphBuilder, run_rows
from edgeling.workflow.train import train
from tests.support.close import DOUBLE, require_close
from tests.support.rounding import row_bounds

RNG = np.random.default_rng(2)
SALES = np.exp(RNG.normal(size=400))


@pytest.mark.parametrize("y", [SALES, 1000 - 3 * SALES, SALES * 1e-6, SALES + 50], ids=["up", "down", "small", "far"])
def test_what_is_skewed_becomes_less_so_and_comes_back(y: np.ndarray) -> None:
    curve = fit_curve(y)
    assert curve
    assert abs(skewness(curve.bent(y))) < abs(skewness(y)) / 3
    distance = np.abs(y - curve.zero)
    logarithms = np.abs(np.log(distance))
    require_close(curve.straight(curve.bent(y)), y, 8, of=distance * (1 + logarithms) + np.abs(y), unit=DOUBLE)


def test_skewness_is_scipys() -> None:
    from scipy.stats import skew

    require_close(skewness(SALES), skew(SALES), 8 * len(SALES), unit=DOUBLE)


@pytest.mark.parametrize("y", [RNG.normal(size=300), np.ones(9), np.array([0.0, 1e308])], ids=["even", "one", "huge"])
def test_what_is_not_skewed_is_left_alone(y: np.ndarray) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        assert fit_curve(y) is None


def test_the_graph_undoes_it_within_the_bounds() -> None:
    curve = fit_curve(1000 - 3 * SALES)
    assert curve
    builder = GraphBuilder("curve")
    graph = builder.build([curve.trace(builder, builder.input("x", (1, 1)))])
    x = np.concatenate([np.linspace(curve.low, curve.high, 50), [-1e30, 1e30]]).astype(np.float32)[:, None]
    (bound,) = row_bounds(graph, x)
    found = run_rows(graph, x)[0]
    assert np.all(np.abs(found - bound.exact) <= bound.room)
    require_close(found, curve.straight(x), 16, of=np.abs(curve.straight(x) - curve.zero) * 8 + abs(curve.zero))


def test_a_preparation_keeps_its_curve_and_trusts_none() -> None:
    table = check(from_data({"a": RNG.normal(size=400), "y": SALES}), "y")
    plain = Preparation.fit(table, np.arange(400))
    curve = fit_curve(SALES)
    assert curve
    bent = replace(plain, target=plain.target.bent(curve, SALES))
    assert Preparation.from_json(bent.to_json()) == bent
    for change in ({"sign": 2.0}, {"low": 5.0, "high": 1.0}, {"high": 1e9}, {"zero": float("nan")}, {"low": "1"}):
        forged = bent.to_json()
        forged["target"]["curve"] = {**asdict(curve), **change}
        with pytest.raises(ArtifactError):
            Preparation.from_json(forged)


def test_a_logarithm_is_deployed_where_it_is_asked_for() -> None:
    a = RNG.normal(size=300)
    y = np.exp(2 * a + 0.1 * RNG.normal(size=300))
    trained = train(from_data({"a": a, "y": y}), "y", recipe="log-residual-24", targets=("native",), importance=False)
    curve = trained.pipeline.preparation.target.curve
    assert isinstance(curve, TargetCurve)
    assert trained.proofs["float32"]["native"].matches
    told = trained.pipeline.answers(trained.held_out[0], "float32")[:, 0]
    logs = np.corrcoef(np.log(told - curve.zero), np.log(trained.held_out[1] - curve.zero))[0, 1]
    assert logs > 0.9
    assert trained.selection
    assert trained.selection.score("log-residual-24") > trained.selection.score("linear")
