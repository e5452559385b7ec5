# SPDX-License-Identifier: Apache-2.0
"""Tables as a person has them, through the command: options of reading, what is remembered, and hostile names."""

from __future__ import annotations

import csv
import gzip
import io
from datetime import datetime, timedelta

import numpy as np
import pytest

from edgeling.cli.spreadsheet import cell

from .conftest import Edgeling

ESCAPES = "\x1b", "\x07", "\u202e"


def german(rows: int = 120, seed: int = 0) -> str:
    """A table with decimal commas, German dates, a word for a missing value, and comments; ``art`` follows ``wert``."""
    rng = np.random.default_rng(seed)
    lines = ["# Messung 7", "datum;wert;ok;art"]
    for i in range(rows):
        value, day = rng.normal(), datetime(2024, 1, 1) + timedelta(days=int(rng.integers(0, 300)))
        shown = "k.A." if i % 17 == 16 else f"{value:.3f}".replace(".", ",")
        lines.append(f"{day:%d.%m.%Y};{shown};{'ja' if i % 3 else 'NEIN'};{'größer' if value > 0 else 'kleiner'}")
    return "\n".join(lines) + "\n"


def test_a_table_from_elsewhere_is_trained_on_and_predicted_alike(edgeling: Edgeling) -> None:
    path = edgeling.folder / "messung.csv.gz"
    path.write_bytes(gzip.compress(german().encode("cp1252")))
    trained = edgeling.json(
        "train", path.name, "--target", "art", "--missing", "k.A.", "--epochs", "60", "--for", "native"
    )
    assert trained["artifact"] == "messung.edgeling"
    assert "--missing k.A." in trained["command"]
    said = " ".join(trained["data"]["warnings"])
    for part in ("Windows-1252", "comments are left out: 1 line", "'k.A.' is taken for a missing value: 7 cells"):
        assert part in said
    kinds = {column["name"]: column["kind"] for column in trained["data"]["columns"]}
    assert kinds == {"datum": "date", "wert": "numeric", "ok": "boolean"}
    (edgeling.folder / "neu.csv").write_text("wert;ok;datum\n0,9;yes;1.2.2024\n-0,9;0;03.04.2024\nk.A.;nein;k.A.\n")
    found = edgeling.json("predict", "messung.edgeling", "neu.csv")
    assert found["predictions"][:2] == ["größer", "kleiner"]


def test_a_table_may_come_from_standard_input(trained: Edgeling) -> None:
    import subprocess
    import sys

    lines = (trained.folder / "flowers.csv").read_bytes()
    command = [sys.executable, "-m", "edgeling", "predict", "flowers.edgeling", "-"]
    done = subprocess.run(command, cwd=trained.folder, input=lines, capture_output=True, check=True)
    assert len(done.stdout.splitlines()) == 151


def test_new_columns_are_told_and_ignored(trained: Edgeling) -> None:
    rows = (trained.folder / "flowers.csv").read_text().splitlines()
    (trained.folder / "more.csv").write_text(
        "\n".join(f"{row},{'note' if i == 0 else i}" for i, row in enumerate(rows))
    )
    done = trained.run("predict", "flowers.edgeling", "more.csv")
    assert done.returncode == 0
    assert "'note'" in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [(["--encoding", "klingon"], "encoding"), (["--separator", ",,"], "separator"), (["--decimal", "x"], "decimal")],
)
def test_options_that_cannot_be_meant(edgeling: Edgeling, options: list[str], said: str) -> None:
    assert said in edgeling.refused("info", "flowers.csv", *options)


def test_names_and_labels_reach_neither_spreadsheet_nor_terminal_as_commands(edgeling: Edgeling) -> None:
    labels, rng = ["=1+1", "\x1b[31mred", "@x\x07", "-3"], np.random.default_rng(0)
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(["x\x1b[5m", "col\u202e", "+y"])
    writer.writerows([i % 4 + rng.normal() / 9, rng.normal(), labels[i % 4]] for i in range(120))
    (edgeling.folder / "a\x1b[32m.csv").write_text(stream.getvalue())
    outputs = []
    for verb in (
        ("info", "a\x1b[32m.csv", "--target", "+y"),
        ("train", "a\x1b[32m.csv", "--target", "+y", "--epochs", "40", "--for", "native", "--out", "a.edgeling"),
        ("predict", "a.edgeling", "a\x1b[32m.csv"),
        ("explain", "a.edgeling", "a\x1b[32m.csv"),
        ("info", "a.edgeling"),
    ):
        done = edgeling.run(*verb)
        assert done.returncode == 0, done.stderr
        outputs += [done.stdout, done.stderr]
    outputs += [path.read_text() for path in edgeling.folder.rglob("*.html")]
    assert not [mark for mark in ESCAPES for output in outputs if mark in output]
    header, *rows = csv.reader(io.StringIO(outputs[4]))
    assert header[0] == "'+y"
    assert {row[0] for row in rows} <= {
        "'=1+1",
        "\N{REPLACEMENT CHARACTER}[31mred",
        "'@x\N{REPLACEMENT CHARACTER}",
        "-3",
    }


@pytest.mark.parametrize("text", ["=1+1", "+a", "-a", "@a", "\t=1", " =1", "=", "-1+1", "\N{FULLWIDTH EQUALS SIGN}1+1"])
def test_what_begins_like_a_formula(text: str) -> None:
    assert cell(text) == (text if text == "=" else f"'{text}")


@pytest.mark.parametrize("text", ["a", "-3", "+1.5e3", "", "a=1", "-", "3-4"])
def test_what_does_not(text: str) -> None:
    assert cell(text) == text
