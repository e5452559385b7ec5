# SPDX-License-Identifier: Apache-2.0
"""The folder of a build: replaced where it is the build's own, and nobody's work lost."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest

from edgeling.errors import EdgelingError
from edgeling.workflow import folder as folders
from edgeling.workflow.folder import MANIFEST, write_build

FIRST = {"net.c": "one", "net.h": "head", "edgeling/dense.h": "dense", "example/main.c": "main"}
SECOND = {"net.c": "two", "net.h": "head", "edgeling/softmax.h": "softmax"}


def found(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file() and p.name != MANIFEST}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    assert write_build(tmp_path / "out", FIRST, {"name": "net"}) == []
    return tmp_path / "out"


def test_a_build_replaces_the_one_before_and_leaves_nothing_of_it(folder) -> None:
    assert found(folder) == FIRST
    assert write_build(folder, SECOND, {}) == []
    assert found(folder) == SECOND
    assert sorted(p.name for p in folder.iterdir()) == ["edgeling", MANIFEST, "net.c", "net.h"]


def test_files_of_other_people_stay(folder) -> None:
    (folder / "app.c").write_text("mine")
    (folder / "edgeling" / "notes.txt").write_text("mine too")
    (folder / "example" / "example").write_text("built")
    write_build(folder, SECOND, {})
    mine = {"app.c": "mine", "edgeling/notes.txt": "mine too", "example/example": "built"}
    assert found(folder) == {**SECOND, **mine}


@pytest.mark.parametrize("name", ["main.c", "Makefile"])
def test_a_file_that_no_build_wrote_is_not_replaced_unasked(tmp_path, name) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(EdgelingError, match=f"{name}: not written by a build.*--force"):
        write_build(tmp_path, {"net.c": "one", name: "theirs"}, {})
    assert found(tmp_path) == {name: "mine"}
    write_build(tmp_path, {"net.c": "one", name: "theirs"}, {}, force=True)
    assert found(tmp_path) == {"net.c": "one", name: "theirs"}


def test_an_edited_file_is_not_lost(folder) -> None:
    (folder / "net.c").write_text("one, tuned by hand")
    with pytest.raises(EdgelingError, match="edited since"):
        write_build(folder, SECOND, {})
    assert found(folder) == {**FIRST, "net.c": "one, tuned by hand"}
    (folder / "example" / "main.c").write_text("my own main")
    assert write_build(folder, SECOND, {}, force=True) == ["example/main.c"]
    assert found(folder) == {**SECOND, "example/main.c": "my own main"}
    assert "example/main.c" not in json.loads((folder / MANIFEST).read_text())["files"]


def test_the_same_build_again_is_no_conflict_even_without_a_manifest(folder) -> None:
    (folder / MANIFEST).unlink()
    write_build(folder, FIRST, {})
    assert found(folder) == FIRST


@pytest.mark.parametrize(
    "text", ["", "[]", '{"files": 3}', '{"files": {"net.c": 5}}', '{"files": {"../victim": ["x"]}}', "[" * 100_000]
)
def test_a_manifest_that_makes_no_sense_is_no_manifest(folder, text) -> None:
    (folder / MANIFEST).write_text(text)
    with pytest.raises(EdgelingError, match=r"net\.c: not written by a build"):
        write_build(folder, {"net.c": "two"}, {})


@pytest.mark.parametrize("path", ["../victim.txt", "/victim.txt", "link/victim.txt"])
def test_a_forged_manifest_removes_nothing_outside(tmp_path, path) -> None:
    victim, folder = tmp_path / "victim.txt", tmp_path / "out"
    folder.mkdir()
    victim.write_text("precious")
    (folder / "link").symlink_to(tmp_path)
    path = str(victim) if path.startswith("/") else path
    digest = folders._hash(b"precious")
    (folder / MANIFEST).write_text(json.dumps({"files": {path: [digest]}}))
    write_build(folder, {"net.c": "one"}, {})
    assert victim.read_text() == "precious"


def test_a_build_killed_at_any_rename_can_be_done_again(folder, monkeypatch) -> None:
    """What lies there afterwards is one or the other build's, file by file, and known to the manifest."""
    replace, renames = folders.os.replace, 0
    (folder / "app.c").write_text("mine")  # so that it is not exchanged as a whole

    class KilledError(BaseException):
        pass

    for killed_at in range(6):

        def counted(source: Path, target: Path, limit: int = killed_at) -> None:
            nonlocal renames
            if renames == limit:
                raise KilledError
            renames += 1
            replace(source, target)

        renames = 0
        monkeypatch.setattr(folders.os, "replace", counted)
        with suppress(KilledError):
            write_build(folder, SECOND if killed_at % 2 else FIRST, {})
        for path, text in found(folder).items():
            assert text in {FIRST.get(path), SECOND.get(path), "mine"}
        monkeypatch.setattr(folders.os, "replace", replace)
        assert write_build(folder, SECOND if killed_at % 2 else FIRST, {}) == []
        assert found(folder) == {**(SECOND if killed_at % 2 else FIRST), "app.c": "mine"}


def test_a_folder_of_nothing_but_a_build_is_exchanged_in_one_step(folder, monkeypatch) -> None:
    """Whoever looks at it sees one build or the other; where something of a person's comes in between, it stays."""
    if not folders.exchange.__globals__["_function"]():
        pytest.skip("this system exchanges no names")
    seen, swap = list[dict[str, str]](), folders.exchange

    def watched(new: Path, old: Path) -> bool:
        seen.append(found(folder))
        done = swap(new, old)
        seen.append(found(folder))
        return done

    monkeypatch.setattr(folders, "exchange", watched)
    assert write_build(folder, SECOND, {}) == []
    assert seen == [FIRST, SECOND]
    assert [p.name for p in folder.parent.iterdir()] == ["out"]

    def late(new: Path, old: Path) -> bool:
        (folder / "app.c").write_text("mine")
        return swap(new, old)

    monkeypatch.setattr(folders, "exchange", late)
    write_build(folder, FIRST, {})
    assert found(folder) == {**FIRST, "app.c": "mine"}


def test_a_folder_that_somebody_stands_in_is_not_exchanged(folder, monkeypatch) -> None:
    monkeypatch.chdir(folder)
    write_build(Path("."), SECOND, {})
    assert found(Path.cwd()) == SECOND


def test_a_folder_that_cannot_be_made_is_refused(tmp_path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EdgelingError, match="folder for the C"):
        write_build(tmp_path / "file", FIRST, {})
    (tmp_path / "out" / "net.c").mkdir(parents=True)
    with pytest.raises(EdgelingError, match="not written by a build"):
        write_build(tmp_path / "out", FIRST, {})
