# SPDX-License-Identifier: Apache-2.0
"""The table of examples: every program of it is there, and a line says what it reached and whether it is proven."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import examples

TOLD: dict[str, Any] = {
    "accuracy": 0.9871, "rocket": 0.99, "wanted": 0.98, "weight_bytes": 1234, "verified": True, "flash_bytes": 5678,
    "ram_bytes": 90, "instructions": 12345,
}  # fmt: skip


@pytest.mark.parametrize("name", sorted({program for program, _ in examples.PROGRAMS.values()}))
def test_every_program_is_there(name: str) -> None:
    module = examples.load(name)
    assert callable(module.main)
    assert module.NEEDS
    assert module.__doc__


def test_a_line_has_a_cell_for_each_column() -> None:
    line = examples.row("series", TOLD, 12.4)
    assert line == "| series | 0.9871 |  | 0.9800 | rocket 0.9900 | 1,234 | 5,678 | 90 | 12,345 | 12 |"
    assert "| 0.9871 | 0.9700 |" in examples.row("series", {**TOLD, "least": 0.97}, 1.0)
    assert "not proven" in examples.row("series", {**TOLD, "verified": False}, 1.0)
    heading, rule = examples.HEAD.splitlines()
    assert heading.count("|") == rule.count("|") == line.count("|")


def test_one_that_falls_short_or_cannot_run_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Short:
        @staticmethod
        def main(*_: str) -> dict[str, Any]:
            return {**TOLD, "wanted": 0.99}

    class Missing:
        @staticmethod
        def main(*_: str) -> dict[str, Any]:
            raise ModuleNotFoundError("no module named 'aeon'")

    monkeypatch.setattr(examples, "load", lambda _: Short)
    assert examples.main(["anomalies"]) == 1
    assert examples.HEAD in capsys.readouterr().out
    monkeypatch.setattr(examples, "load", lambda _: Missing)
    assert examples.main(["anomalies"]) == 0
    assert "left out: no module named 'aeon'" in capsys.readouterr().err
