# SPDX-License-Identifier: Apache-2.0
"""``edgeling select``: a table, a page, one JSON object."""

from __future__ import annotations

import json


def test_it_tells_what_suffices(edgeling) -> None:
    done = edgeling.run("select", "flowers.csv", "--target", "species", "--splits", "2", "--hidden", "4", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert "Enough: " + ", ".join(said["recommended"]) in done.stderr
    assert [len(step["columns"]) for step in said["steps"]] == [1, 2, 3, 4]
    assert said["command"].startswith("edgeling select flowers.csv --target species --for cortex-m4")
    assert "How few columns suffice" in (edgeling.folder / "selection.html").read_text()


def test_wrong_words_are_refused(edgeling) -> None:
    assert "colour" in edgeling.refused("select", "flowers.csv", "--target", "colour")
    assert "z80" in edgeling.refused("select", "flowers.csv", "--target", "species", "--for", "z80")
    assert "--hidden" in edgeling.refused("select", "flowers.csv", "--target", "species", "--hidden", "x")
