# SPDX-License-Identifier: Apache-2.0
"""``verify`` proves the C that lies in the folder: edits are told, whatever the manifest says, and are never proven."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import edgeling
from edgeling.artifact import read_artifact, write_artifact
from edgeling.artifact.manifest import OWN_ENTRIES
from edgeling.data import IRIS
from edgeling.errors import ToolchainError
from edgeling.workflow.deploy import FLOAT32_TOLERANCE
from edgeling.workflow.train import train


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    trained = train(IRIS, "species", epochs=5, targets=("native",), precision="float32")
    return edgeling.save(trained, tmp_path_factory.mktemp("store") / "iris.edgeling")


def forged(folder: Path, target: Path, changes: dict[str, bytes | None]) -> Path:
    """The artifact with files of its C replaced, added or (None) removed, and a manifest that vouches for all of it."""
    artifact = read_artifact(folder)
    entries = {k: v for k, v in artifact.manifest.items() if k not in OWN_ENTRIES}
    files = {**artifact.files, **{f"c/float32/{name}": content for name, content in changes.items()}}
    return write_artifact(target / "iris.edgeling", entries, {k: v for k, v in files.items() if v is not None})


def source(folder: Path, name: str = "iris.c") -> str:
    return (folder / "c" / "float32" / name).read_text()


def test_what_was_shipped_is_what_is_run(folder: Path) -> None:
    proof = edgeling.verify(folder, "cortex-m4")
    assert (proof.matches, proof.ran, proof.edited) == (True, "shipped", ())
    renamed = folder.rename(folder.with_name("other.edgeling"))
    assert edgeling.verify(renamed, "wasm32").ran == "shipped"
    renamed.rename(folder)


def test_a_weight_that_was_edited_shows_in_the_answers(folder: Path, tmp_path: Path) -> None:
    text = re.sub(r"(= \{[^}]*?)-?\d+\.\d+\w*f", r"\g<1>1000.0f", source(folder), count=1)
    assert text != source(folder)
    proof = edgeling.verify(forged(folder, tmp_path, {"iris.c": text.encode()}), "cortex-m4")
    assert (proof.matches, proof.ran, proof.edited) == (False, "shipped", ("iris.c",))
    assert proof.max_error > FLOAT32_TOLERANCE


EDITS = {
    "iris.c": lambda folder: {"iris.c": source(folder) + "/* harmless? */\n"},
    "edgeling/common.h": lambda folder: {
        "edgeling/common.h": source(folder, "edgeling/common.h") + "/* harmless? */\n"
    },
    "stdint.h": lambda folder: {"stdint.h": "#include_next <stdint.h>\n"},
    "README": lambda folder: {"README": "unknown"},
}


@pytest.mark.parametrize("name", EDITS)
def test_whatever_differs_is_told_and_not_proven(folder: Path, tmp_path: Path, name: str) -> None:
    changes = {path: text.encode() for path, text in EDITS[name](folder).items()}
    proof = edgeling.verify(forged(folder, tmp_path, changes), "cortex-m4")
    assert (proof.matches, proof.ran, proof.edited) == (False, "shipped", (name,))
    assert proof.max_error <= FLOAT32_TOLERANCE  # the rows that were run cannot tell


def test_c_that_is_not_whole_does_not_compile(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match=r"common\.h"):
        edgeling.verify(forged(folder, tmp_path, {"edgeling/common.h": None}), "cortex-m4")


def test_edited_c_is_not_run_on_this_machine(folder: Path, tmp_path: Path) -> None:
    trap = "__attribute__((constructor)) static void trap(void) { __builtin_trap(); }\n"
    artifact = forged(folder, tmp_path, {"iris.c": (source(folder) + trap).encode()})
    proof = edgeling.verify(artifact, "native")
    assert (proof.matches, proof.ran, proof.edited) == (False, "generated", ("iris.c",))
    assert edgeling.verify(folder, "native").ran == "shipped"


def test_the_command_says_which_was_run(folder: Path, tmp_path: Path) -> None:
    artifact = forged(folder, tmp_path, {"iris.c": (source(folder) + "\n").encode()})
    for place, status in ((folder, 0), (artifact, 1)):
        command = [sys.executable, "-m", "edgeling", "verify", str(place), "--for", "wasm32", "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stderr
        said = json.loads(done.stdout)
        assert (said["ran"], said["edited"]) == ("shipped", ["iris.c"] if status else [])
        assert said["targets"]["wasm32"]["matches"] is not bool(status)
        assert ("Not what the network gives: iris.c." in done.stderr) == bool(status)
        assert "Built and run: c/float32" in done.stderr
