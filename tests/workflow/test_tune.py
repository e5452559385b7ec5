# SPDX-License-Identifier: Apache-2.0
"""``edgeling.tune`` from a table to an artifact: small searches, repeated, interrupted, resumed, shared out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgeling
from edgeling.data import IRIS, from_data
from edgeling.errors import TargetError, UnsupportedError
from edgeling.workflow.progress import Progress, SearchLine
from edgeling.workflow.tune import Tuned, tune
from edgeling.workflow.tuning.front import dominates

pytest.importorskip("optuna")
HOW: dict[str, Any] = {"importance": False, "targets": "cortex-m0plus", "trials": 24}


@cache
def found() -> Tuned:
    return tune(IRIS, "species", flash_bytes=4096, ram_bytes=512, instructions=2000, **HOW)


def scores(tuned: Tuned) -> list[tuple[Any, ...]]:
    return [(trial.choice, trial.result) for trial in tuned.trials]


def test_the_front_was_measured_keeps_the_limits_and_is_a_front() -> None:
    tuned = found()
    assert len(tuned.trials) == 24
    values = [each.values for each in tuned.front]
    assert not any(dominates(one, other) for one in values for other in values)
    for each in tuned.front:
        assert each.cost.measured
        assert each.cost.flash_bytes <= 4096
        assert each.cost.ram_bytes <= 512
        assert each.cost.instructions <= 2000
    kept = [
        t
        for t in tuned.trials
        if not t.result.pruned and t.choice.structure in {f.trial.choice.structure for f in tuned.front}
    ]
    assert max(t.result.score for t in kept) == tuned.front[0].values[0] == tuned.chosen.values[0]


def test_the_chosen_network_is_trained_for_the_chip_and_proven() -> None:
    tuned, trained = found(), found().trained
    assert trained.settings.hidden == tuned.chosen.trial.choice.hidden
    assert trained.settings.learning_rate == tuned.chosen.trial.choice.learning_rate
    proof = trained.proofs[tuned.chosen.trial.choice.precision]["cortex-m0plus"]
    assert proof.matches
    assert proof.flash_bytes is not None
    assert proof.flash_bytes <= 4096
    assert proof.instructions is not None
    assert proof.instructions <= 2000


def test_the_artifact_holds_c_for_the_chip_and_tells_of_the_search(tmp_path: Path) -> None:
    folder = edgeling.save(found(), tmp_path / "flowers.edgeling")
    loaded = edgeling.load(folder)
    assert loaded.details["kernels"] == "cortex-m0plus"
    assert loaded.details["search"]["trials"] == 24
    proof = edgeling.verify(folder, "cortex-m0plus")
    assert (proof.matches, proof.ran) == (True, "shipped")
    assert proof.instructions == edgeling.build(folder, "cortex-m0plus").instructions
    assert edgeling.verify(folder, "native").matches
    page = (folder / "report.html").read_text()
    for words in ("The search", "What each choice was worth", "front-flash_bytes", "front-instructions"):
        assert words in page


def test_workers_and_resuming_change_nothing(tmp_path: Path) -> None:
    limits = {"flash_bytes": 4096, "ram_bytes": 512, "instructions": 2000}
    journal = tmp_path / "flowers.tune.json"
    tune(IRIS, "species", **{**HOW, "trials": 13}, **limits, journal=journal)
    resumed = tune(IRIS, "species", **HOW, **limits, journal=journal, workers=2)
    assert scores(resumed) == scores(found())
    assert [each.values for each in resumed.front] == [each.values for each in found().front]


class _Pressed(Progress):
    """Somebody presses Ctrl-C after so many trials."""

    def __init__(self, after: int) -> None:
        self.after = after
        self.notes: list[str] = []

    @contextmanager
    def searching(self, trials: int | None) -> Iterator[SearchLine]:
        pressed = self.after

        class Line(SearchLine):
            def tell(self, done: int, best: Any) -> None:
                if done == pressed:
                    raise KeyboardInterrupt

        yield Line()

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_ctrl_c_keeps_what_was_found_and_says_how_to_go_on(tmp_path: Path) -> None:
    journal = tmp_path / "a.tune.json"
    limits = {"flash_bytes": 4096, "ram_bytes": 512, "instructions": 2000, "journal": journal}
    progress = _Pressed(7)
    stopped = tune(IRIS, "species", **HOW, **limits, keep_interrupted=True, progress=progress)
    assert stopped.interrupted
    assert len(stopped.trials) == 7
    assert stopped.to_json()["interrupted"]
    assert "7 trials kept" in progress.notes[0]
    assert "goes on from there" in progress.notes[0]
    with pytest.raises(KeyboardInterrupt):
        tune(IRIS, "species", **{**HOW, "trials": 12}, **limits, progress=_Pressed(9))
    resumed = tune(IRIS, "species", **{**HOW, "trials": 12}, **limits)
    assert scores(resumed) == scores(found())[:12]


def test_impossible_limits_tell_the_smallest_figures() -> None:
    with pytest.raises(TargetError, match=r"keeps the limits \(100 bytes flash.*smallest figures.*instructions"):
        tune(IRIS, "species", flash_bytes=100, **HOW)


def test_without_optuna_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UnsupportedError, match=r"pip install 'edgeling\[search\]'"):
        tune(IRIS, "species", **HOW)


def test_without_ray_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UnsupportedError, match=r"pip install 'edgeling\[ray\]'"):
        tune(IRIS, "species", ray="local", **HOW)


def test_an_unknown_argument_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="hiden"):
        tune(IRIS, "species", hiden=3)  # type: ignore[call-arg]


def test_numbers_are_searched_for_too_and_time_ends_a_search() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 2))
    table = from_data({"a": x[:, 0], "b": x[:, 1], "y": 3 * x[:, 0] - x[:, 1]})
    tuned = tune(table, "y", seconds=0.001, importance=False, precision="float32")
    assert 1 <= len(tuned.trials) <= 10
    assert tuned.summary.metric == "r2"
    assert tuned.front[0].values[0] > 0.5


@pytest.mark.slow
def test_a_ray_cluster_gives_the_same(tmp_path: Path) -> None:
    ray = pytest.importorskip("ray")
    limits = {"flash_bytes": 4096, "ram_bytes": 512, "instructions": 2000}
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    try:
        shared = tune(IRIS, "species", **{**HOW, "trials": 10}, **limits, ray="local")
    finally:
        ray.shutdown()
    assert scores(shared) == scores(found())[:10]
