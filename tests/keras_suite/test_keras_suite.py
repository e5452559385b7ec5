# SPDX-License-Identifier: Apache-2.0
"""Keras 3's own cases for these areas: none differs in silence, none ends unclearly, and most pass."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.keras_suite.__main__ import share
from tests.keras_suite.areas import AREAS, NOT_PORTABLE, files_of
from tests.keras_suite.source import NoSourceError, keras_source

pytestmark = [pytest.mark.keras, pytest.mark.slow]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, str]]]:
    """Every case by its area; run in a process of its own, in which ``keras`` means Edgeling."""
    try:
        source = keras_source()
    except NoSourceError as error:
        pytest.skip(str(error))
    found = tmp_path_factory.mktemp("keras_suite") / "cases.json"
    command = [sys.executable, "-m", "tests.keras_suite", "--json", str(found)]
    environment = {**os.environ, "KERAS_SOURCE": str(source.parents[1]), "PYTHONPATH": str(ROOT)}
    subprocess.run(command, check=True, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, timeout=1200)
    return json.loads(found.read_text("utf-8"))


def _ending(cases: dict[str, list[dict[str, str]]], outcome: str) -> list[str]:
    return [f"{c['case']}: {c['why']}" for part in cases.values() for c in part if c["outcome"] == outcome]


def test_every_area_is_run(cases: dict[str, Any]) -> None:
    assert set(cases) == set(AREAS)
    assert all(len(cases[area]) >= len(files_of(keras_source(), area)) for area in AREAS)
    assert sum(map(len, cases.values())) > 1000


@pytest.mark.parametrize("outcome", ["differs", "accepts", "unclear"])
def test_no_case_ends_so(cases: dict[str, Any], outcome: str) -> None:
    assert _ending(cases, outcome) == []


def test_what_is_named_as_not_portable_is(cases: dict[str, Any]) -> None:
    assert {name.split(": ")[0] for name in _ending(cases, "apart")} == set(NOT_PORTABLE)


def test_most_cases_that_leave_internals_alone_pass(cases: dict[str, Any]) -> None:
    count = Counter(case["outcome"] for part in cases.values() for case in part)
    assert share(count) >= 0.6, count
