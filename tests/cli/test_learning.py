# SPDX-License-Identifier: Apache-2.0
"""``edgeling build --learn`` and ``edgeling verify --learn``: what is told, on which chips, and what is refused."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from edgeling import Sequential
from edgeling.cli.app import app
from edgeling.data import IRIS
from edgeling.layers import Dense, Input
from tests.cli.conftest import Edgeling

COSTS = {"instructions", "flash_bytes", "ram_bytes", "stack_bytes"}


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A network of two layers, whatever suits the table best: of one layer there is no body to keep."""
    folder = tmp_path_factory.mktemp("network")
    shutil.copy(IRIS, folder / "flowers.csv")
    Edgeling(folder).json("train", "flowers.csv", "--target", "species", "--recipe", "plain", "--for", "cortex-m4")
    return folder / "flowers.edgeling"


@pytest.fixture
def with_artifact(edgeling, network):
    shutil.copytree(network, edgeling.folder / "flowers.edgeling")
    return edgeling


@pytest.fixture
def with_numbers(edgeling):
    """A bare model of two numbers, and rows with what they should be."""
    pytest.importorskip("h5py")
    Sequential([Input((3,)), Dense(4, activation="tanh"), Dense(2)]).save(edgeling.folder / "numbers.keras")
    rows = np.random.default_rng(0).normal(size=(12, 5)).round(3)
    lines = ["a,b,c,p,q", *(",".join(map(str, row)) for row in rows)]
    (edgeling.folder / "rows.csv").write_text("\n".join(lines))
    return edgeling


def test_a_build_that_learns_says_what_a_step_costs(with_artifact) -> None:
    said = with_artifact.json("build", "flowers.edgeling", "--learn", "last")
    learned = said["learning"]
    assert said["targets"]["cortex-m4"]["matches"]
    assert learned["matches"]
    assert learned["steps"] == 16
    assert all(learned[cost] > 0 for cost in COSTS)
    assert learned["weights_bytes"] == learned["trained_bytes"]
    assert learned["weights_bytes"] + learned["arena_bytes"] <= learned["ram_bytes"]
    header = (with_artifact.folder / "firmware" / "flowers.h").read_text()
    for function in ("run", "learn", "reset", "export", "import", "save", "restore", "classify"):
        assert f" flowers_{function}(" in header
    assert "flowers_step" not in header


@pytest.mark.parametrize("target", ["native", "cortex-m4", "cortex-m0plus", "wasm32"])
def test_a_chip_learns_from_a_table_what_is_learned_here(with_artifact, target) -> None:
    lines = IRIS.read_text().splitlines()
    (with_artifact.folder / "some.csv").write_text("\n".join([lines[0], *lines[1::3]]))
    options = ("--learn", "last", "--precision", "int8", "--data", "some.csv", "--for", target)
    more = ("--remember", "6", "--adapt", "preparation", "--learning-rate", "0.05")
    learned = with_artifact.json("verify", "flowers.edgeling", *options, *more)["learning"]
    assert (learned["steps"], learned["matches"]) == (50, True)
    assert 0 < learned["rejected"] < 50
    assert (learned["instructions"] is None) == (target == "native")


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_a_bare_model_learns_numbers(with_numbers, optimizer) -> None:
    said = with_numbers.json(
        "verify", "numbers.keras", "--learn", "all", "--optimizer", optimizer, "--loss", "huber", "--data", "rows.csv"
    )
    assert (said["learning"]["steps"], said["learning"]["matches"]) == (12, True)


def test_people_see_a_table(with_artifact) -> None:
    done = with_artifact.run("verify", "flowers.edgeling", "--learn", "1", "--for", "native")
    assert done.returncode == 0
    assert "16 steps: the same weights as here." in done.stderr


REFUSED = {
    "no such layers": (("--learn", "first"), "'last', 'all' or 2 (--learn)"),
    "too many layers": (("--learn", "3"), "received: 3 of 2"),
    "an integer body": (("--learn", "all", "--precision", "int8"), "--precision float32"),
    "an optimizer": (("--learn", "last", "--optimizer", "lamb"), "sgd, momentum, adam"),
    "a loss of classes": (("--learn", "last", "--loss", "huber"), "'huber' for classes"),
    "no such loss": (("--learn", "last", "--loss", "mse"), "mean_squared_error"),
    "what adapts": (("--learn", "last", "--adapt", "weights"), "'weights'"),
    "too many rows": (("--learn", "last", "--remember", "2000"), "--remember"),
    "alone": (("--remember", "4"), "--learn"),
    "no data": (("--learn", "last", "--data", "none.csv"), "none.csv"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_learn_is_refused(with_artifact, case) -> None:
    options, told = REFUSED[case]
    assert told in refused(with_artifact, "verify", "flowers.edgeling", *options)


def refused(edgeling, verb: str, model: str, *options: str) -> str:
    """In this process, for it is what is said that counts."""
    done = CliRunner().invoke(app, [verb, str(edgeling.folder / model), "--for", "native", *options])
    assert done.exit_code not in (0, 3)
    return " ".join(done.output.split())


def test_buffers_and_self_tests_do_not_go_with_learning(with_artifact) -> None:
    out = str(with_artifact.folder / "c")
    for option in (("--io", "int8"), ("--selftest",)):
        assert "--io" in refused(with_artifact, "build", "flowers.edgeling", "--learn", "last", "--out", out, *option)


def test_a_bare_model_has_no_statistics_and_its_table_has_truths(with_numbers) -> None:
    assert "bare model" in refused(with_numbers, "verify", "numbers.keras", "--learn", "all", "--adapt", "preparation")
    table = with_numbers.folder / "short.csv"
    table.write_text("a,b,c\n1,2,3\n")
    assert "then the truth" in refused(with_numbers, "verify", "numbers.keras", "--learn", "all", "--data", str(table))
