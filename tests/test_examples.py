# SPDX-License-Identifier: Apache-2.0
"""The programs in `examples/`, run."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.examples import load as example
from tests.support.shared import needs, shared_data

EXERCISES = shared_data("gestures") / "exercises.parquet"


@pytest.mark.parametrize("data", [pytest.param("real", marks=needs(EXERCISES)), "generated"])
def test_a_chip_adapts_to_a_sensor_worn_another_way(data, monkeypatch, tmp_path) -> None:
    """Recordings it never learned from are told apart better than before, by more than a standard error of either."""
    monkeypatch.setenv("EDGELING_SHARED", str(EXERCISES.parents[2] if data == "real" else tmp_path))
    told = example("adapt").main()
    assert told["accuracy_after"] > told["accuracy_before"] + (0.25 / 100) ** 0.5
    assert told["steps"] == 4 * told["labelled_rows"]
    assert told["step_microjoule"] > 0
    assert told["ram_bytes"] < 4096


@pytest.mark.parametrize("name", ["digits_small", "exercises", "anomalies", "digits_mnist"])
def test_an_example_in_short_is_proven_on_the_chip(name, monkeypatch, capsys) -> None:
    """An epoch or two: better than chance, right on the chip; `benchmarks/examples.py` holds them to their figures."""
    module = example(name)
    for package in module.NEEDS:
        pytest.importorskip(package)
    if name in ("exercises", "digits_mnist") and not EXERCISES.exists():
        pytest.skip("the shared data are not there")
    monkeypatch.setenv("EDGELING_SHARED", str(EXERCISES.parents[2]))
    monkeypatch.setattr(module, "EPOCHS", 2)
    monkeypatch.setattr(module, "SPLITS", 2, raising=False)
    monkeypatch.setattr(module, "SEEDS", (0,), raising=False)
    told = module.main()
    assert told["verified"]
    assert told.get("accuracy", told.get("roc_auc")) > 0.25
    assert told["weight_bytes"] < told["flash_bytes"]
    assert "instructions" in capsys.readouterr().out


@pytest.mark.parametrize(("steps", "channels", "classes", "placed"), [(100, 6, 4, False), (150, 1, 2, False),
                                                                    (24, 1, 2, True), (29, 12, 9, False)])  # fmt: skip
def test_networks_of_series_have_less_than_20_kb(steps: int, channels: int, classes: int, placed: bool) -> None:
    """With the shapes of BasicMotions, GunPoint, ItalyPowerDemand and JapaneseVowels."""
    x = np.random.default_rng(0).normal(size=(4, steps, channels)).astype(np.float32)
    assert 4 * example("series").network(x, classes, 1, placed).count_params() < 20_000


def test_the_network_of_mnist_has_less_than_40_kb() -> None:
    assert 4 * example("digits_mnist").network(5000).count_params() < 40_000
