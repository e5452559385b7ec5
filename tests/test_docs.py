# SPDX-License-Identifier: Apache-2.0
"""Every command and every program in the documentation is run, in order, in a folder of its own."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgeling.data import IRIS

ROOT = Path(__file__).parent.parent
CHINESE = {ROOT / "README.zh.md": ROOT / "README.md"}
CHINESE |= {
    page: ROOT / "docs" / page.relative_to(ROOT / "docs" / "zh") for page in (ROOT / "docs" / "zh").rglob("*.md")
}
PAGES = [ROOT / "README.md", *sorted({*(ROOT / "docs").rglob("*.md")} - CHINESE.keys())]
BLOCK = re.compile(r"^(<!-- [^\n]* -->\n)?```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SKIP = re.compile(r"not run: (.+?) -->")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and what a comment before it says.

    Attributes:
        skipped: why it is not run, if it is not.
        is_output: it is what the programs of the page print, from here back to the last such block.
    """

    language: str
    text: str
    skipped: str
    is_output: bool


def blocks(page: Path) -> list[Block]:
    found = []
    for comment, language, text in BLOCK.findall(page.read_text("utf-8")):
        reason = SKIP.search(comment or "")
        found.append(Block(language, text, reason.group(1) if reason else "", "output" in (comment or "")))
    return found


def commands(text: str) -> list[str]:
    """The lines a person types: those after ``$``, without their output."""
    return [line[2:] for line in text.splitlines() if line.startswith("$ ")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(IRIS, tmp_path / "flowers.csv")
    lines = IRIS.read_text().splitlines()
    new = [lines[0], *lines[1::15]]
    (tmp_path / "new.csv").write_text("\n".join(line.rsplit(",", 1)[0] for line in new) + "\n")
    return tmp_path


def run(command: list[str], folder: Path) -> str:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_page_does_what_it_says(page: Path, folder: Path) -> None:
    program = ""
    for block in blocks(page):
        if block.skipped:
            continue
        if block.language == "python":
            program += block.text + "\n"
        elif block.language == "console":
            for command in commands(block.text):
                run(shlex.split(command), folder)
    if program:
        (folder / "program.py").write_text(program)
        printed = run([sys.executable, "program.py"], folder)
        told = [line for block in blocks(page) if block.is_output for line in block.text.splitlines()]
        assert not told or [line for line in printed.splitlines() if line] == [line for line in told if line]


@pytest.mark.parametrize("page", sorted(CHINESE), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_chinese_page_has_the_code_of_the_english_one(page: Path) -> None:
    """So that what runs there runs here; each has its tables and headings too, and leads to the other."""
    english, chinese = CHINESE[page].read_text("utf-8"), page.read_text("utf-8")
    assert blocks(page) == blocks(CHINESE[page])
    assert BLOCK.findall(chinese) == BLOCK.findall(english)
    heads = re.compile(r"^(#+ )", re.MULTILINE)
    assert heads.findall(BLOCK.sub("", chinese)) == heads.findall(BLOCK.sub("", english))
    assert "[English](" in chinese


@pytest.mark.parametrize("page", [*PAGES, *sorted(CHINESE)], ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_readme_has_two_commands_and_ci_runs_the_second() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(re.findall(r"<!-- (main|test) command -->\n```sh\n[^\n]+\n```", text)) == 2
    assert "test command" in (ROOT / ".ci" / "run").read_text()
