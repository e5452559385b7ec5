# SPDX-License-Identifier: Apache-2.0
"""Initializers: Keras's names, defaults, configurations and distributions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from edgeling import initializers  # noqa: E402
from tests.support.close import require_close  # noqa: E402

pytestmark = pytest.mark.keras
SHAPE = (160, 250)
RANDOM: list[tuple[str, dict[str, Any]]] = [
    ("RandomNormal", {}),
    ("RandomUniform", {}),
    ("RandomUniform", {"minval": 0.0, "maxval": 3.0}),
    ("TruncatedNormal", {"mean": 1.0, "stddev": 0.3}),
    ("GlorotUniform", {}),
    ("GlorotNormal", {}),
    ("HeUniform", {}),
    ("HeNormal", {}),
    ("LecunUniform", {}),
    ("LecunNormal", {}),
    ("VarianceScaling", {"scale": 2.0, "mode": "fan_out", "distribution": "uniform"}),
    ("VarianceScaling", {"mode": "fan_avg", "distribution": "untruncated_normal"}),
]


def _both(name: str, arguments: dict[str, Any], seed: int) -> Any:
    theirs = getattr(keras.initializers, name)(**arguments, seed=seed)
    mine = initializers.get({"class_name": name, "config": theirs.get_config()})
    return mine, theirs


def _kolmogorov_distance(a: Any, b: Any) -> float:
    """The largest difference of two empirical distribution functions."""
    points = np.sort(np.concatenate([a, b]))
    one, two = (np.searchsorted(np.sort(v), points, side="right") / v.size for v in (a, b))
    return float(np.max(np.abs(one - two)))


@pytest.mark.parametrize(("name", "arguments"), RANDOM, ids=str)
def test_the_distribution_is_kerass(name: str, arguments: dict[str, Any]) -> None:
    mine, theirs = _both(name, arguments, seed=7)
    a, b = mine(SHAPE).ravel(), np.asarray(theirs(SHAPE)).ravel()
    # Two samples of 40,000 of one distribution differ by more than this once in 10,000 times.
    assert _kolmogorov_distance(a, b) < 2.3 * np.sqrt(2 / a.size)
    # A standard deviation of n numbers has the standard error sqrt((kurtosis - 1) / 4n), at most sqrt(1 / 2n) here.
    assert float(a.std()) == pytest.approx(float(b.std()), rel=4 * np.sqrt(2 / (2 * a.size)))
    if name != "RandomNormal" and "untruncated_normal" not in arguments.values():  # where the distribution ends
        # The density at an end is at least a twentieth of a deviation: beyond this lies none once in exp(10) times.
        room = 20 * 10 / a.size * float(b.std())
        assert [float(a.min()), float(a.max())] == pytest.approx([float(b.min()), float(b.max())], abs=room)
    assert a.dtype == np.float32


def test_an_orthogonal_matrix_is_orthogonal() -> None:
    for shape in ((6, 9), (9, 6)):
        w = initializers.Orthogonal(gain=2.0, seed=1)(shape).astype(np.float64)
        short = w @ w.T if shape[0] < shape[1] else w.T @ w
        # Two factors, each rounded when it was made and when it was scaled, of columns of length 2.
        require_close(short, 4 * np.eye(6), 4, of=np.full((6, 6), 4.0))


@pytest.mark.parametrize("name", ["Zeros", "Ones", "Constant", "Identity"])
def test_what_is_not_random_is_kerass(name: str) -> None:
    theirs = getattr(keras.initializers, name)()
    mine = initializers.get({"class_name": name, "config": theirs.get_config()})
    np.testing.assert_array_equal(mine((3, 4)), np.asarray(theirs((3, 4))))


def test_a_seed_gives_the_same_weights_and_no_seed_others() -> None:
    seeded, free = initializers.GlorotUniform(seed=3), initializers.GlorotUniform()
    np.testing.assert_array_equal(seeded((4, 5)), seeded((4, 5)))
    assert not np.array_equal(free((4, 5)), free((4, 5)))
