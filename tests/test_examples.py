# SPDX-License-Identifier: Apache-2.0
"""The programs in `examples/`, run."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.shared import needs, shared_data

EXAMPLES = Path(__file__).parents[1] / "examples"


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
