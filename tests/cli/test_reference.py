# SPDX-License-Identifier: Apache-2.0
"""docs/cli.md is what the command itself says. EDGELING_UPDATE_GOLDEN=1 writes it anew."""

from __future__ import annotations

import os
from pathlib import Path

from typer.testing import CliRunner

from edgeling.cli.app import app

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"
VERBS = ("demo", "train", "tune", "predict", "build", "verify", "explain", "select", "info", "targets", "doctor", "mcp")


def reference() -> str:
    parts = ["# The command line\n\nWritten by `tests/cli/test_reference.py` from the command's own help.\n"]
    for verb in VERBS:
        text = CliRunner().invoke(app, [verb, "--help"], env={"COLUMNS": "100", "TERM": "dumb"}).stdout
        help_text = "\n".join(line.rstrip() for line in text.strip().splitlines())
        parts.append(f"## {verb}\n\n```text\n{help_text}\n```\n")
    return "\n".join(parts)


def test_the_page_says_what_the_command_says() -> None:
    if os.environ.get("EDGELING_UPDATE_GOLDEN"):
        PAGE.write_text(reference(), encoding="utf-8")
    assert PAGE.read_text("utf-8") == reference()
