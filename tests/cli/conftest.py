# SPDX-License-Identifier: Apache-2.0
"""One trained artifact for all tests of the command line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgeling.data import IRIS


class Edgeling:
    """The command, run in a folder as a person would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from edgeling.cli import main; main()", *arguments]
        return subprocess.run(
            command, cwd=self.folder, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300,
            check=False,
        )  # fmt: skip

    def json(self, *arguments: str) -> dict:
        """What a verb prints with --json: one object, and nothing else, on standard output."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def refused(self, *arguments: str, **environment: str) -> str:
        """The message of a command that must fail, having left the folder as it was."""
        before = sorted(p.relative_to(self.folder) for p in self.folder.rglob("*"))
        done = self.run(*arguments, **environment)
        assert done.returncode not in (0, -11), done.stdout
        assert "Traceback" not in done.stderr, done.stderr
        assert sorted(p.relative_to(self.folder) for p in self.folder.rglob("*")) == before
        return done.stderr


@pytest.fixture
def edgeling(tmp_path: Path) -> Edgeling:
    shutil.copy(IRIS, tmp_path / "flowers.csv")
    return Edgeling(tmp_path)


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    folder = tmp_path_factory.mktemp("trained")
    shutil.copy(IRIS, folder / "flowers.csv")
    return folder, Edgeling(folder).json("train", "flowers.csv", "--target", "species")


@pytest.fixture
def trained(trained_once, tmp_path: Path) -> Edgeling:
    """A folder with flowers.csv and flowers.edgeling in it, free to be spoilt."""
    shutil.copytree(trained_once[0], tmp_path, dirs_exist_ok=True)
    return Edgeling(tmp_path)
