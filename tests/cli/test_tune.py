# SPDX-License-Identifier: Apache-2.0
"""``edgeling tune`` as a person runs it."""

from __future__ import annotations

import pytest

pytest.importorskip("optuna")
SEARCH = ("tune", "flowers.csv", "--target", "species", "--no-importance", "--for", "cortex-m0plus")


def test_a_search_leaves_an_artifact_and_goes_on(edgeling) -> None:
    limits = ("--flash", "4k", "--ram", "512", "--instructions", "2000")
    first = edgeling.json(*SEARCH, *limits, "--trials", "10")
    assert first["search"]["trials"] == 10
    assert first["search"]["budget"] == {"flash_bytes": 4096, "ram_bytes": 512, "instructions": 2000}
    assert first["targets"]["cortex-m0plus"]["flash_bytes"] <= 4096
    assert first["search"]["journal"] == "flowers.tune.json"
    assert sum(point["chosen"] for point in first["search"]["front"]) == 1
    again = edgeling.run(*SEARCH, *limits, "--trials", "12")
    assert again.returncode == 0, again.stderr
    for words in ("the front", "what it was worth", "12 trials", "flowers.tune.json"):
        assert words in again.stderr
    assert "--restart" in edgeling.refused(*SEARCH, *limits, "--trials", "12", "--seed", "3")
    info = edgeling.run("info", "flowers.edgeling")
    assert "cortex-m0plus" in info.stdout
    command = first["command"].split()
    assert command[:2] == ["edgeling", "train"]
    repeated = edgeling.json(*command[1:], "--out", "repeated.edgeling")
    assert repeated["metrics"] == first["metrics"]
    assert repeated["targets"]["cortex-m0plus"] == first["targets"]["cortex-m0plus"]


def test_impossible_limits_and_wrong_usage_leave_nothing(edgeling) -> None:
    assert "smallest figures" in edgeling.refused(*SEARCH, "--flash", "100")
    for wrong, word in (
        ("--time", "30s, 5m or 1h"),
        ("--flash", "4k"),
        ("--trials", "--trials"),
        ("--for", "cortex-m4"),
    ):
        assert word in edgeling.refused(*SEARCH, wrong, "soon")
