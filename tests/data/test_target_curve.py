# SPDX-License-Identifier: Apache-2.0
"""A skewed target is learned through a transform, and the graph undoes it."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeling.data import Preparation, check, from_data
from edgeling.data.target_curve import TargetCurve, fit_curve, likelihood, skewness, yeo_johnson
from edgeling.errors import ArtifactError
from edgeling.graph import GraphBuilder, run_rows
from edgeling.graph.activations import ACTIVATIONS, yeo_johnson_inverse
from edgeling.workflow.train import train
from tests.support.close import DOUBLE, require_close
from tests.support.rounding import row_bounds

RNG = np.random.default_rng(2)
SALES = np.exp(RNG.normal(size=400))


@pytest.mark.parametrize("power", [0.0, 0.35, 1.0, 1.7, 2.0])
def test_it_is_scipys_transform_and_comes_back(power: float) -> None:
    from scipy.stats import yeojohnson, yeojohnson_llf

    z = np.concatenate([-SALES, SALES, [0.0, 1e-12, -1e-12]])
    bent = yeo_johnson(z, power)
    require_close(bent, yeojohnson(z, power), 32, of=np.abs(bent) + 1, unit=DOUBLE)  # theirs takes 1 away
    require_close(yeo_johnson_inverse(bent, power), z, 32, of=np.abs(z) * (1 + np.log1p(np.abs(z))), unit=DOUBLE)
    require_close(likelihood(z, power), yeojohnson_llf(power, z), 64 * len(z), of=len(z), unit=DOUBLE)


@pytest.mark.parametrize("y", [SALES, 1000 - 3 * SALES, SALES * 1e-6, SALES + 50, SALES**2 - 3 * SALES[::-1]],
                         ids=["up", "down", "small", "far", "both"])  # fmt: skip
def test_what_is_skewed_becomes_less_so_and_comes_back(y: np.ndarray) -> None:
    curve = fit_curve(y)
    assert curve
    assert abs(skewness(curve.bent(y))) < abs(skewness(y)) / 3
    distance = np.abs(y - curve.centre) + curve.width
    of = distance * (1 + np.log1p(distance / curve.width)) + np.abs(curve.centre)
    require_close(curve.straight(curve.bent(y)), y, 32, of=of, unit=DOUBLE)


def test_the_power_is_the_likeliest() -> None:
    """A square is undone by a root, what is lognormal by a logarithm; of answers that are never negative none is."""
    from scipy.stats import yeojohnson_llf

    for y, power in ((np.exp(RNG.normal(size=4000)), 0.0), (RNG.normal(6, 1, size=4000) ** 4, 0.25)):
        curve = fit_curve(y)
        assert curve
        assert curve.power <= power + 0.1
        assert curve.straight(np.array([-1e9]))[0] >= -1e-6 * curve.width
        z = (np.sort(y)[:: len(y) // 400] - curve.centre) / curve.width
        own = yeojohnson_llf(curve.power, z)
        assert all(own > yeojohnson_llf(other, z) for other in (curve.power + 0.2, 1.0))


def test_skewness_is_scipys() -> None:
    from scipy.stats import skew

    require_close(skewness(SALES), skew(SALES), 8 * len(SALES), unit=DOUBLE)


@pytest.mark.parametrize("y", [RNG.normal(size=300), np.ones(9), np.array([0.0, 1e308])], ids=["even", "one", "huge"])
def test_what_is_not_skewed_is_left_alone(y: np.ndarray) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        assert fit_curve(y) is None


@pytest.mark.parametrize("power", [0.0, 0.35, 1.0, 2.0])
def test_the_graph_undoes_it_within_the_bounds(power: float) -> None:
    curve = TargetCurve(float(np.float32(power)), 1000.0, 3.0, -4.0, 5.0)
    builder = GraphBuilder("curve")
    graph = builder.build([curve.trace(builder, builder.input("x", (1, 1)))])
    x = np.concatenate([np.linspace(curve.low, curve.high, 50), [-1e30, 1e30]]).astype(np.float32)[:, None]
    (bound,) = row_bounds(graph, x)
    assert np.all(np.abs(run_rows(graph, x)[0] - bound.exact) <= bound.room)
    straight = curve.straight(x)
    require_close(bound.exact, straight, 32, of=np.abs(straight) + 1000, unit=DOUBLE)


@settings(deadline=None, max_examples=30)
@given(st.floats(0, 2, width=32), st.floats(-20, 20, width=32))
def test_the_slope_is_the_inverses(power: float, x: float) -> None:
    from scipy.stats import yeojohnson

    function = ACTIVATIONS["yeo_johnson_inverse"]
    at = np.array([x])
    slope = float(function.derivative(at, power)[0])
    answer = function.value(at, power)
    step = 1e-4 * (1 + abs(float(answer[0])))
    around = np.array([answer[0] - step, answer[0] + step])
    there = (2 * step) / float(np.diff(yeojohnson(around, power))[0])
    # Differences of a curve whose slope changes by a step's share of it, at the most.
    assert abs(there - slope) <= 2e-4 * slope * 2


def test_a_preparation_keeps_its_curve_and_trusts_none() -> None:
    table = check(from_data({"a": RNG.normal(size=400), "y": SALES}), "y")
    plain = Preparation.fit(table, np.arange(400))
    curve = fit_curve(SALES)
    assert curve
    bent = replace(plain, target=plain.target.bent(curve, SALES))
    assert Preparation.from_json(bent.to_json()) == bent
    for change in ({"power": 2.5}, {"low": 5.0, "high": 1.0}, {"high": 1e39, "power": 0.0}, {"centre": float("nan")},
                   {"low": "1"}, {"width": 0.0}):  # fmt: skip
        forged = bent.to_json()
        forged["target"]["curve"] = {**asdict(curve), **change}
        with pytest.raises(ArtifactError):
            Preparation.from_json(forged)


def test_a_transform_is_deployed_though_a_few_rows_of_its_tail_decide_of_the_score() -> None:
    """Squared errors are those of the largest targets alone; how large errors are, all rows tell."""
    a = RNG.normal(size=300)
    y = np.exp(2 * a + 0.1 * RNG.normal(size=300))
    trained = train(from_data({"a": a, "y": y}), "y", targets=("native", "cortex-m4"), importance=False)
    assert trained.learned.deployed.startswith("bent-")
    curve = trained.pipeline.preparation.target.curve
    assert isinstance(curve, TargetCurve)
    assert all(proof.matches for proofs in trained.proofs.values() for proof in proofs.values())
    told = trained.pipeline.answers(trained.held_out[0], "float32")[:, 0]
    assert np.corrcoef(curve.bent(told), curve.bent(trained.held_out[1]))[0, 1] > 0.9
    assert any("Yeo and Johnson" in note for note in trained.notes)
    assert trained.selection
    assert trained.selection.score(trained.learned.deployed) > trained.selection.score("linear")
