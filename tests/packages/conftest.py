# SPDX-License-Identifier: Apache-2.0
"""One table with everything that spoils a package, trained once: quotes, tags, other scripts, dates, times, gaps."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import edgeling
from edgeling.workflow.pipeline import Pipeline

COLOURS = ("red", "</script><b>", 'say "hi" \\n', "blå, grün", "%d ??/ */")
LABELS = ("it's big", "</script>", "mid\\")


@dataclass(frozen=True)
class Hostile:
    """A pipeline, the rows it was trained on as their cells stand in the table, and its answers to them."""

    pipeline: Pipeline
    rows: list[dict[str, str]]
    answers: list[str]
    probabilities: np.ndarray


@pytest.fixture(scope="session")
def hostile(tmp_path_factory) -> Hostile:
    path = tmp_path_factory.mktemp("hostile") / "Wire.csv"
    dice = np.random.default_rng(0)
    rows = [_row(i, dice) for i in range(200)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    trained = edgeling.train(path, "wh=at?", recipe="linear", importance=False, targets="native", precision="float32")
    found = trained.pipeline.predict(path)
    assert found.probabilities is not None
    return Hostile(trained.pipeline, rows, list(found.values), found.probabilities)


def _row(i: int, dice: np.random.Generator) -> dict[str, str]:
    width, score = dice.normal(), dice.normal()
    day = np.datetime64("2023-01-01") + int(dice.integers(700))
    stamp = np.datetime64("2024-05-01T00:00") + int(dice.integers(10**5))
    label = LABELS[int(width + (i % 5) * 0.4 + score > 0.8) + (width < -0.5)]
    return {
        'width "cm"; <i>': "" if i % 17 == 3 else f"{width:.5f}", "färg": COLOURS[i % 5], "day": str(day),
        "seen_at": str(stamp).replace("T", " "), "ok": ("yes", "no")[int(dice.integers(2))],
        "time": f"{int(dice.integers(24)):02}:{int(dice.integers(60)):02}", "wh=at?": label,
    }  # fmt: skip


@pytest.fixture
def unpacked(tmp_path: Path, hostile: Hostile):
    """Builds a package into a folder of its own."""

    def unpack(package: str, source: object = None, **options: object) -> Path:
        edgeling.build(source or hostile.pipeline, package=package, out=tmp_path / package, **options)
        return tmp_path / package

    return unpack
