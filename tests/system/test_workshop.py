# SPDX-License-Identifier: Apache-2.0
"""Places where something is made: nobody sweeps away one in use, and one whose maker was killed does not stay."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgeling.files.whole import written_whole
from edgeling.system import exchange, workshop

KILLED = """
import os, signal, sys
from pathlib import Path
from edgeling.files.whole import written_whole
with written_whole(Path(sys.argv[1])) as file:
    file.write(b"half")
    file.flush()
    print("half", flush=True)
    sys.stdin.read()
"""


def test_a_place_in_use_stays_and_one_left_behind_goes(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    writer = subprocess.Popen([sys.executable, "-c", KILLED, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"half\n"
    (tmp_path / ".a.txt.backup.part").write_text("mine")
    with written_whole(path) as file:
        file.write(b"whole")
    assert len(os.listdir(tmp_path)) == 3
    writer.kill()
    writer.communicate()
    with written_whole(path) as file:
        file.write(b"whole again")
    assert sorted(os.listdir(tmp_path)) == [".a.txt.backup.part", "a.txt"]
    assert path.read_bytes() == b"whole again"


def test_without_locks_a_place_is_left_behind_after_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")

    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    for name, age_hours in (("11111111", 25), ("22222222", 1)):
        (tmp_path / f".a.{name}.part" / "inside").mkdir(parents=True)
        os.utime(tmp_path / f".a.{name}.part", (time.time() - age_hours * 3600,) * 2)
    with workshop.workshop(tmp_path, "a") as shop:
        workshop.sweep(tmp_path, "a")
        assert sorted(os.listdir(tmp_path)) == sorted([".a.22222222.part", shop.name])


def test_a_place_swept_away_before_it_was_locked_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, swept = os.open, []

    def sweeping(path: Path, *arguments: int, **options: int) -> int:
        if not swept:
            swept.append(path)
            Path(path).rmdir()
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "open", sweeping)
    with workshop.workshop(tmp_path, "a") as shop:
        assert [shop] == list(tmp_path.iterdir())
        assert swept != [shop]


def test_names_are_exchanged_or_not_at_all(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    (one / "inside").touch()
    other.write_text("a file")
    if not exchange.exchange(one, other):
        pytest.skip("this file system cannot exchange names")
    assert one.read_text() == "a file"
    assert (other / "inside").exists()
    with pytest.raises(FileNotFoundError):
        exchange.exchange(one, tmp_path / "missing")
    assert one.read_text() == "a file"
