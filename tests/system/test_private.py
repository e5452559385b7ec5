# SPDX-License-Identifier: Apache-2.0
"""Whose folder it is, and who else could change it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgeling.system import private

pytestmark = pytest.mark.skipif(not private.HAS_OWNERS, reason="owners and permissions are POSIX's")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    private.make_folder(tmp_path / "above" / "folder")
    (tmp_path / "above" / "folder" / "file").write_bytes(b"mine")
    (tmp_path / "above" / "folder" / "file").chmod(0o600)
    return tmp_path / "above" / "folder"


def test_a_folder_made_here_is_private_whatever_the_mask(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        private.make_folder(tmp_path / "a" / "b")
    finally:
        os.umask(mask)
    assert private.private_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert private.read_files(tmp_path / "a" / "b") == []


@pytest.mark.parametrize(("place", "mode"), [(".", 0o777), (".", 0o770), (".", 0o1777), ("..", 0o777), ("..", 0o720)])
def test_what_others_may_write_is_refused(folder: Path, place: str, mode: int) -> None:
    (folder / place).chmod(mode)
    with pytest.raises(private.ExposedError, match="may be written by others"):
        private.private_folder(folder)


def test_above_others_may_add_but_not_exchange(folder: Path) -> None:
    folder.parent.chmod(0o1777)  # as /tmp
    assert private.private_folder(folder) == folder
    assert private.read_files(folder, "file") == [b"mine"]


def test_links_are_followed_if_they_are_ones_own(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder.parent)
    assert private.private_folder(tmp_path / "link" / "folder") == folder
    folder.parent.chmod(0o777)
    with pytest.raises(private.ExposedError):
        private.private_folder(tmp_path / "link" / "folder")


def test_what_belongs_to_another_is_refused(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As another user sees it: the folders are root's or this user's, and neither is that other one."""
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 4242)
    with pytest.raises(private.ExposedError, match="belongs to another user"):
        private.private_folder(folder)
    with pytest.raises(private.ExposedError, match="belongs to another user"):
        private.read_files(folder, "file")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives things away")
@pytest.mark.parametrize("given", ["folder", "above", "file", "link"])
def test_what_was_given_to_another_is_refused(folder: Path, tmp_path: Path, given: str) -> None:
    places = {"folder": folder, "above": folder.parent, "file": folder / "file", "link": tmp_path / "link"}
    places["link"].symlink_to(folder)
    os.lchown(places[given], 65534, 65534)
    with pytest.raises(private.ExposedError, match="another user"):
        private.read_files(private.private_folder(tmp_path / "link"), "file")


@pytest.mark.parametrize("damage", ["group", "others", "link", "two names", "pipe", "folder"])
def test_files_that_somebody_else_may_change_are_not_read(folder: Path, damage: str) -> None:
    file = folder / "file"
    if damage == "group":
        file.chmod(0o620)
    elif damage == "others":
        file.chmod(0o602)
    elif damage == "two names":
        os.link(file, folder / "again")
    else:
        file.rename(folder / "target")
        {"link": lambda: file.symlink_to("target"), "pipe": lambda: os.mkfifo(file, 0o600), "folder": file.mkdir}[
            damage
        ]()
    with pytest.raises(OSError):
        private.read_files(folder, "file")
