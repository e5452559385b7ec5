# SPDX-License-Identifier: Apache-2.0
"""An artifact whose C explains itself: stored with its graph, verified as it lies there, refused where forged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgeling.errors import ArtifactError, UnsupportedError
from edgeling.report.page import render
from edgeling.workflow.build import verify
from edgeling.workflow.store import command_of, load, manifest, save_trained
from edgeling.workflow.summary import trained_content
from edgeling.workflow.train import train

RNG = np.random.default_rng(11)
A, B = RNG.normal(size=120), RNG.normal(size=120)
CELLS = {"a": A, "b": B, "where": np.array(["x", "y", "z"])[np.arange(120) % 3], "y": np.where(A + B > 0, "p", "q")}
USUAL = {"epochs": 3, "importance": False, "recipe": "plain", "refit": False, "targets": ("native",)}


@pytest.fixture(scope="module")
def explaining():
    return train(CELLS, "y", explain="integrated", reasons=3, name="told", **USUAL)


@pytest.fixture(scope="module")
def folder(explaining, tmp_path_factory):
    return save_trained(explaining, tmp_path_factory.mktemp("kept") / "told.edgeling")


def test_every_precision_is_stored_with_it_and_verified_as_it_lies_there(explaining, folder):
    found = load(folder)
    assert set(found.explanations) == set(found.deployable.graphs) == {"float32", "int8"}
    for precision in found.explanations:
        header = (folder / "c" / precision / "told.h").read_text()
        assert "int told_explain(" in header
        assert "TOLD_REASONS_SIZE 3" in header
    proven = verify(found, "native")
    assert (proven.matches, proven.ran, proven.edited) == (True, "shipped", ())
    assert proven.explanation.matches
    assert (proven.explanation.method, proven.explanation.reasons) == ("integrated", 3)
    assert proven.explanation.background_rows == len(explaining.typical_rows)


def test_it_is_told_with_what_it_costs(explaining):
    told = manifest(explaining, "")["explain"]
    assert (told["method"], told["reasons"]) == ("integrated", 3)
    assert told["targets"]["native"]["matches"]
    assert "--explain integrated --reasons 3" in command_of(explaining)
    page = render(trained_content(explaining, ""))
    assert "Explaining itself on the device" in page
    assert "3 columns that push most" in page


def test_who_does_not_ask_gets_none():
    plain = train(CELLS, "y", **USUAL, precision="float32")
    assert plain.kept is None
    assert "explain" not in manifest(plain, "")
    assert "Explaining itself on the device" not in render(trained_content(plain, ""))
    assert not any("_explain(" in text for text in plain.deployable("float32").program("float32").files.values())


def test_c_whose_explanation_was_edited_does_not_match(folder):
    found = load(folder)
    source = dict(found.shipped[found.precision])
    (name,) = (path for path in source if path.endswith("told.c"))
    source[name] += b"/* edited */"
    proven = verify(replace(found, shipped={found.precision: source}), "native")
    assert not proven.matches
    assert proven.edited == (name,)


@pytest.mark.parametrize(
    "forged",
    [{"method": "guess"}, {"reasons": 99}, {"reasons": "two"}, {"steps": {}}, {"steps": {"float32": 1e9, "int8": 1e9}},
     {"method": "shapley", "steps": None}, None],
)  # fmt: skip
def test_what_is_forged_is_refused(folder, forged):
    found = load(folder)
    told = None if forged is None else {**found.details["explain"], **forged}
    with pytest.raises(ArtifactError, match="how it was made"):
        verify(replace(found, details={**found.details, "explain": told}), "native")
    with pytest.raises(ArtifactError, match="how it was made"):
        verify(replace(found, explanations={}), "native")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"explain": "guess"}, "explain"), ({"reasons": 2}, "reasons are of explanations"),
        ({"explain": "shapley", "reasons": 4}, "from 0 to the 3 columns"),
        ({"explain": "gradient", "precision": "int8"}, "float32"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_before_training(how, said, monkeypatch):
    monkeypatch.setattr("edgeling.workflow.train.learn", None)
    with pytest.raises(UnsupportedError, match=said):
        train(CELLS, "y", **{**USUAL, **how})


def test_too_many_columns_for_subsets_are_refused_before_training(monkeypatch):
    monkeypatch.setattr("edgeling.workflow.train.learn", None)
    wide = {**{f"c{i}": RNG.normal(size=120) for i in range(13)}, "y": CELLS["y"]}
    with pytest.raises(UnsupportedError, match="up to 12 columns"):
        train(wide, "y", explain="shapley", **USUAL)
