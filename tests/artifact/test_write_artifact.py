# SPDX-License-Identifier: Apache-2.0
"""A folder is written whole or not at all, whatever happens meanwhile."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edgeling.artifact import MANIFEST, read_artifact, write, write_artifact
from edgeling.errors import ArtifactError
from tests.artifact import faults

FILES = {"model.c": b"int x;\n", "include/model.h": b"#pragma once\n", "empty.bin": b""}


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return write_artifact(tmp_path / "a.edgeling", {"task": "old"}, {"old.bin": b"old"})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = write_artifact(tmp_path / "flowers.edgeling", {"labels": ["a", "é"]}, FILES)
    assert path == tmp_path / "flowers.edgeling"
    manifest = json.loads((path / MANIFEST).read_text())
    assert {**manifest, "created": ""} == {
        "format": "edgeling-artifact",
        "format_version": 1,
        "edgeling_version": manifest["edgeling_version"],
        "created": "",
        "name": "flowers",
        "files": manifest["files"],
        "labels": ["a", "é"],
    }
    assert manifest["files"]["empty.bin"] == {
        "size_bytes": 0,
        "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    }
    artifact = read_artifact(path)
    assert artifact.files == FILES
    assert artifact.name == "flowers"
    assert artifact.manifest == manifest
    assert os.listdir(tmp_path) == ["flowers.edgeling"]


def test_permissions_are_those_of_any_new_folder(tmp_path: Path) -> None:
    path = write_artifact(tmp_path / "a.edgeling", {}, FILES)
    (tmp_path / "plain").mkdir()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_build_can_be_repeated_exactly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    first, second = (write_artifact(tmp_path / f / "a", {"x": 1}, FILES) for f in _folders(tmp_path, "1", "2"))
    assert tree(first) == tree(second)
    assert read_artifact(first).manifest["created"] == "1970-01-02T00:00:00+00:00"


def _folders(parent: Path, *names: str) -> tuple[str, ...]:
    for name in names:
        (parent / name).mkdir()
    return names


def test_an_artifact_is_replaced_whole(tmp_path: Path, old: Path) -> None:
    write_artifact(old, {"task": "new"}, FILES)
    assert read_artifact(old).manifest["task"] == "new"
    assert set(tree(old)) == {*FILES, MANIFEST}
    assert os.listdir(tmp_path) == [old.name]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    assert read_artifact(write_artifact(tmp_path / "a", {}, FILES)).files == FILES


def test_somebody_elses_things_are_not_written_over(tmp_path: Path, old: Path) -> None:
    (old / "notes.txt").write_text("mine")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_text("mine")
    (tmp_path / "forged").mkdir()
    (tmp_path / "forged" / MANIFEST).write_text('{"format": "other", "files": {"x": 1}}')
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(old)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    before = tree(tmp_path)
    for name in ("a.edgeling", "photos", "forged", "file", "link", "dangling", "."):
        with pytest.raises(ArtifactError, match="written over"):
            write_artifact(tmp_path / name, {}, FILES)
    assert tree(tmp_path) == before


def test_a_link_among_its_files_is_not_removed_with_it(tmp_path: Path, old: Path) -> None:
    (old / "shortcut").symlink_to(tmp_path)
    with pytest.raises(ArtifactError, match="shortcut"):
        write_artifact(old, {}, FILES)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "a/../b", "/etc/passwd", "a//b", "a/", "C:x", "a\\b", ".hidden", "x\0y", "é", "a.",
     "manifest.json", "Manifest.JSON", "a/b/c/d/e", "x" * 101, "a b", "a\n", "-rf"],
)  # fmt: skip
def test_names_that_are_not_plain(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArtifactError, match="plain names"):
        write_artifact(tmp_path / "a", {}, {name: b""})
    assert not os.listdir(tmp_path)


def test_names_that_differ_only_in_case(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="distinct"):
        write_artifact(tmp_path / "a", {}, {"x.c": b"", "X.c": b""})


@pytest.mark.parametrize("entries", [{"files": {}}, {"name": "x"}, {"a": float("nan")}, {"a": b"x"}, {"a": {1, 2}}])
def test_entries_that_cannot_be_kept(tmp_path: Path, entries: dict[str, object]) -> None:
    with pytest.raises(ArtifactError):
        write_artifact(tmp_path / "a", entries, FILES)
    assert not os.listdir(tmp_path)


def test_too_much_is_refused_before_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeling.artifact.write.MAX_TOTAL_BYTES", 10)
    with pytest.raises(ArtifactError, match="at most 10"):
        write_artifact(tmp_path / "a", {}, FILES)


def test_a_folder_to_write_into_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="must exist"):
        write_artifact(tmp_path / "no" / "a", {}, FILES)


# ------------------------------------------------------------------------------------------ failing and interrupted


@pytest.fixture(params=["exchange", "two steps"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With the exchange in one step, and as where there is none."""
    if request.param == "two steps":
        monkeypatch.setattr("edgeling.artifact.write.exchange", lambda one, other: False)
    return str(request.param)


FAILURES = {
    "ENOSPC": OSError(errno.ENOSPC, "No space left on device"),
    "EIO": OSError(errno.EIO, "Input/output error"),
    "Ctrl-C": KeyboardInterrupt(),
}


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_at_every_call_of_writing(tmp_path: Path, old: Path, failure: str) -> None:
    """Whichever fails, the old folder is there or the new one, whole; what could not be cleared is cleared later."""
    error = FAILURES[failure]

    def fail() -> None:
        raise error

    for number in range(200):
        write_artifact(old, {"task": "old"}, {"old.bin": b"old"})
        before, watch = tree(old), faults.At(number, fail, besides="close")  # which lets go of a file even if it fails
        try:
            with faults.watched(watch):
                write_artifact(old, {"task": "new"}, FILES)
            is_new = True
        except (ArtifactError, KeyboardInterrupt):
            is_new = tree(old) != before
            assert not is_new or failure == "Ctrl-C"
        assert read_artifact(old).files == (FILES if is_new else {"old.bin": b"old"})
        if not watch.done:
            break
    assert 25 < number < 199
    write_artifact(old, {}, FILES)
    assert os.listdir(tmp_path) == [old.name]


def test_a_writer_killed_at_every_call_and_at_random(tmp_path: Path, way: str) -> None:
    command = [sys.executable, faults.__file__, str(tmp_path), way]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "['a.edgeling']\n"), done.stderr


@pytest.mark.usefixtures("way")
def test_everything_is_on_the_disk_before_it_has_its_name(tmp_path: Path, old: Path) -> None:
    calls: list[str] = []
    with faults.watched(calls.append):
        write_artifact(old, {"task": "new"}, FILES)
    named = next(i for i, name in enumerate(calls) if name in ("exchange", "rename"))
    assert "write" not in calls[named:]
    assert calls[:named].count("fsync") == len(FILES) + 1 + 3  # and the manifest; new, new/include, the workshop
    assert "fsync" in calls[named:]  # the folder around it


def test_what_another_put_there_meanwhile_is_put_back(
    tmp_path: Path, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = write.exchange

    def late(new: Path, path: Path) -> bool:
        if not (path / "thesis.txt").exists():
            (path / "thesis.txt").write_text("mine")
        return real(new, path)

    monkeypatch.setattr(write, "exchange", late)
    with pytest.raises(ArtifactError, match=r"thesis\.txt"):
        write_artifact(old, {"task": "new"}, FILES)
    assert (old / "thesis.txt").read_text() == "mine"
    assert read_artifact(old).manifest["task"] == "old"
    assert os.listdir(tmp_path) == [old.name]


def test_a_limit_of_the_system_on_file_sizes(tmp_path: Path, old: Path) -> None:
    """A real write that really fails, in a process of its own since the limit cannot be lifted again."""
    before = tree(tmp_path)
    program = (
        "import resource, signal, sys; from edgeling.artifact import write_artifact\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "write_artifact(sys.argv[1], {}, {'a.bin': b'1' * 100, 'b.bin': b'2' * 100_000})"
    )
    done = subprocess.run([sys.executable, "-c", program, str(old)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ArtifactError" in done.stderr
    assert "File too large" in done.stderr
    assert tree(tmp_path) == before
    assert os.listdir(tmp_path) == [old.name]
    assert resource.getrlimit(resource.RLIMIT_FSIZE) != (4096, 4096)


def test_ctrl_c_at_any_moment(tmp_path: Path) -> None:
    """A process that writes again and again is interrupted at many moments; the folder is whole each time."""
    program = (
        "import sys; from edgeling.artifact import write_artifact\n"
        "def write(): write_artifact(sys.argv[1], {}, {f'{i}.bin': b'x' * 1000 for i in range(8)})\n"
        "try:\n"
        "    write(); print('ready', flush=True)\n"
        "    while True: write()\n"
        "except KeyboardInterrupt: sys.exit(0)"
    )
    path = tmp_path / "a.edgeling"
    for i in range(6):
        writer = subprocess.Popen(
            [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        time.sleep(0.006 * i)
        writer.send_signal(signal.SIGINT)
        _, errors = writer.communicate(timeout=30)
        assert writer.returncode == 0, errors.decode()
        assert len(read_artifact(path).files) == 8
        assert os.listdir(tmp_path) == [path.name]


def test_ctrl_c_takes_effect_when_the_folder_is_whole(
    tmp_path: Path, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, before = shutil.rmtree, signal.getsignal(signal.SIGINT)

    def interrupted_while_clearing_up(*args: object, **options: object) -> None:
        signal.raise_signal(signal.SIGINT)
        real(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(shutil, "rmtree", interrupted_while_clearing_up)
    with pytest.raises(KeyboardInterrupt):
        write_artifact(old, {"task": "new"}, FILES)
    assert read_artifact(old).manifest["task"] == "new"
    assert os.listdir(tmp_path) == [old.name]
    assert signal.getsignal(signal.SIGINT) is before


# -------------------------------------------------------------------------------------------------- at the same time


def write_often(path: str, mark: int, times: int) -> None:
    for _ in range(times):
        write_artifact(path, {"mark": mark}, {f"{mark}_{i}.bin": bytes([mark]) * 500 for i in range(6)})


def test_writers_at_once_leave_one_whole_folder(tmp_path: Path) -> None:
    path = tmp_path / "a.edgeling"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_often, args=(str(path), mark, 15)) for mark in (1, 2, 3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    artifact = read_artifact(path)
    mark = artifact.manifest["mark"]
    assert artifact.files == {f"{mark}_{i}.bin": bytes([mark]) * 500 for i in range(6)}
    assert set(tree(path)) == {*artifact.files, MANIFEST}
    assert os.listdir(tmp_path) == [path.name]


def test_a_writer_that_finds_its_place_taken_again_and_again(
    tmp_path: Path, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an exchange, another writer slips in between moving the old folder away and putting the new one there."""
    monkeypatch.setattr(write, "exchange", lambda one, other: False)
    spare = [shutil.copytree(old, tmp_path / f"spare{i}") for i in range(3)]
    real = os.rename

    def slipping_in(source: Path, target: Path) -> None:
        if Path(source).name == "new" and spare:
            real(spare.pop(), old)
        real(source, target)

    monkeypatch.setattr(os, "rename", slipping_in)
    write_artifact(old, {"task": "new"}, FILES)
    assert not spare
    assert read_artifact(old).manifest["task"] == "new"
    assert os.listdir(tmp_path) == [old.name]


def test_a_reader_meanwhile_sees_a_whole_folder_every_time(tmp_path: Path, old: Path) -> None:
    writer = multiprocessing.get_context("spawn").Process(target=write_often, args=(str(old), 7, 25))
    writer.start()
    while writer.is_alive():
        assert len(read_artifact(old).files) in (1, 6)
    writer.join()
    assert len(read_artifact(old).files) == 6


def test_threads_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.edgeling"
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(write_often, str(path), mark, 20) for mark in range(1, 5)]:
            done.result()
    assert len(read_artifact(path).files) == 6
    assert os.listdir(tmp_path) == [path.name]
