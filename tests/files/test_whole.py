# SPDX-License-Identifier: Apache-2.0
"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import pytest

from edgeling.files.whole import written_whole


@pytest.mark.parametrize("before", [None, b"before"])
def test_a_file_appears_when_the_block_has_ended(tmp_path: Path, before: bytes | None) -> None:
    path = tmp_path / "a.bin"
    if before is not None:
        path.write_bytes(before)
    with written_whole(path) as file:
        file.write(b"after")
        assert (path.read_bytes() if path.exists() else None) == before
    assert path.read_bytes() == b"after"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_an_error_changes_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"before")
    with pytest.raises(error), written_whole(path) as file:
        _write_and_raise(file, error)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def _write_and_raise(file: BinaryIO, error: type[BaseException]) -> None:
    file.write(b"after")
    raise error


def test_two_writers_at_once_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with written_whole(path) as one, written_whole(path) as other:
        one.write(b"one")
        other.write(b"the other")
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]


def test_it_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    with written_whole(tmp_path / "a.bin"):
        pass
    assert (tmp_path / "a.bin").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("name", ["missing/a.bin", "file/a.bin", "folder"])
def test_what_cannot_be_written_is_an_oserror(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(OSError), written_whole(tmp_path / name) as file:
        file.write(b"x")
    assert sorted(os.listdir(tmp_path)) == before
