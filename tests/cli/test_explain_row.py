# SPDX-License-Identifier: Apache-2.0
"""``edgeling explain --row``: in the terminal, as JSON, refused."""

from __future__ import annotations

import json

import pytest


def test_a_row_is_explained_in_the_terminal_on_the_page_and_as_json(trained) -> None:
    done = trained.run("explain", "flowers.edgeling", "flowers.csv", "--row", "17", "--json")
    assert done.returncode == 0, done.stderr
    assert "Row 17: setosa" in done.stderr
    assert "usual answer" in done.stderr
    assert "The least changes that lead to another class" in done.stderr
    page = (trained.folder / "report.html").read_text()
    assert "Why row 17 is answered setosa" in page
    assert "--row 17" in page
    said = json.loads(done.stdout)
    assert said["row"]["row"] == 17
    assert set(said["row"]["shapley"]) == set(said["importance"]) == set(said["dependence"])
    assert set(said["row"]["shapley_by_class"]) == {"setosa", "versicolor", "virginica"}
    assert {change["answer"] for change in said["row"]["changes"]} <= {"versicolor", "virginica"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--row", "999"], "1 to 150"), (["--row", "0"], "--row"), (["--row", "5", "--class", "rose"], "rose"),
        (["--row", "5", "--change", "colour"], "colour"), (["--class", "setosa"], "about a row"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_refused(trained, options: list[str], said: str) -> None:
    assert said in trained.refused("explain", "flowers.edgeling", "flowers.csv", *options)


def test_c_that_explains_itself_is_built_and_verified(trained) -> None:
    said = trained.json("build", "flowers.edgeling", "--explain", "shapley", "--reasons", "3", "--out", "firmware")
    told = said["explain"]
    assert (told["method"], told["columns"], told["reasons"], told["steps"]) == ("shapley", 4, 3, 16)
    assert told["matches"] is said["targets"]["cortex-m4"]["matches"] is True
    assert told["added_flash_bytes"] > 0
    assert "flowers_reasons" in (trained.folder / "firmware" / "flowers.h").read_text()
    assert (
        json.loads((trained.folder / "firmware" / "edgeling-build.json").read_text())["explain"]["method"] == "shapley"
    )
    done = trained.run("verify", "flowers.edgeling", "--explain", "gradient", "--for", "native")
    assert done.returncode == 0, done.stderr
    assert "NAME_explain explains what the graph means" in done.stderr


@pytest.mark.parametrize(
    "options", [["--explain", "guess"], ["--reasons", "2"], ["--explain", "shapley", "--reasons", "9"]]
)
def test_explanations_that_cannot_be_are_refused(trained, options: list[str]) -> None:
    trained.refused("build", "flowers.edgeling", "--out", "firmware", *options)


def test_a_sum_over_columns_says_so(edgeling) -> None:
    said = edgeling.json(
        "train", "flowers.csv", "--target", "species", "--additive", "--for", "native", "--epochs", "40"
    )
    assert said["settings"]["recipe"] == "additive"
    assert said["explanations"]["exact"] is True
    assert "The network is a sum over columns" in (edgeling.folder / "flowers.edgeling" / "report.html").read_text()
