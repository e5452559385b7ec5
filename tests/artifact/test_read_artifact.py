# SPDX-License-Identifier: Apache-2.0
"""Reading folders that are damaged, forged or hostile: only ArtifactError comes out."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeling.artifact import MANIFEST, read_artifact, write_artifact
from edgeling.errors import ArtifactError
from edgeling.files.arrays import arrays_to_npz

FILES = {"weights.npz": arrays_to_npz({"w": np.ones((2, 3), np.float32)}), "model/info.json": b'{"a": [1, 2]}'}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_artifact(tmp_path / "a.edgeling", {"task": "binary"}, FILES)


def rewrite(folder: Path, **changes: Any) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, **changes}))


def list_file(folder: Path, name: str, content: bytes, **lies: Any) -> None:
    """Let the manifest list only this file."""
    entry = {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), **lies}
    rewrite(folder, files={name: entry})


def refusal(folder: Path) -> ArtifactError:
    with pytest.raises(ArtifactError) as caught:
        read_artifact(folder)
    return caught.value


def test_reading(folder: Path) -> None:
    artifact = read_artifact(str(folder))
    assert artifact.path == folder
    assert artifact.read("model/info.json") == FILES["model/info.json"]
    assert artifact.read_json("model/info.json") == {"a": [1, 2]}
    assert artifact.read_arrays("weights.npz")["w"].shape == (2, 3)
    with pytest.raises(ArtifactError, match="nothing"):
        artifact.read("nothing")
    with pytest.raises(ArtifactError, match="well formed"):
        artifact.read_json("weights.npz")
    with pytest.raises(ArtifactError, match="npz"):
        artifact.read_arrays("model/info.json")


def test_what_was_read_stays(folder: Path) -> None:
    artifact = read_artifact(folder)
    (folder / "model/info.json").write_text("changed")
    assert artifact.read("model/info.json") == FILES["model/info.json"]


def test_files_the_manifest_does_not_list_are_never_opened(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    assert read_artifact(folder).files == FILES
    with pytest.raises(ArtifactError, match="pipe"):
        read_artifact(folder).read("pipe")


def test_a_path_may_begin_at_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    monkeypatch.setenv("USERPROFILE", str(folder.parent))
    assert read_artifact(f"~/{folder.name}").path == folder


def test_no_folder_no_manifest(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "none").received
    assert "has none" in refusal(tmp_path).received
    (tmp_path / "file").write_text("x")
    assert "has none" in refusal(tmp_path / "file").received
    (tmp_path / MANIFEST).mkdir()
    assert refusal(tmp_path).received


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b"{}", b'{"format": "other"}', b"[" * 100_000, b"NaN", b"1" * 5000,
     b'{"format": "edgeling-artifact"}', b'{"format": "edgeling-artifact", "format_version": true}',
     b'{"format": "edgeling-artifact", "format_version": 0}', b'{"format": "edgeling-artifact", "format_version": 1}',
     b'{"format": "edgeling-artifact", "format": "edgeling-artifact"}'],
)  # fmt: skip
def test_manifests_that_are_not_well_formed(folder: Path, text: bytes) -> None:
    (folder / MANIFEST).write_bytes(text)
    assert "well formed" in refusal(folder).rule


def test_a_newer_format_says_what_to_do(folder: Path) -> None:
    rewrite(folder, format_version=2)
    assert "newer Edgeling" in refusal(folder).remedy


def test_a_name_written_twice(folder: Path) -> None:
    text = (folder / MANIFEST).read_text()
    (folder / MANIFEST).write_text(text.replace('"task"', '"name": "other", "task"'))
    assert "twice" in refusal(folder).received
    text = text.replace('"weights.npz": {', '"model/info.json": {}, "weights.npz": {')
    (folder / MANIFEST).write_text(text)
    assert "twice" in refusal(folder).received


def test_a_manifest_of_absurd_length(folder: Path) -> None:
    with (folder / MANIFEST).open("r+b") as file:
        file.truncate(1 << 40)  # a hole: takes no room on the disk
    assert "more than" in refusal(folder).received


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/../../outside", "..\\outside", "", "manifest.json"])
def test_names_that_leave_the_folder(folder: Path, name: str) -> None:
    (folder.parent / "outside").write_bytes(b"secret")
    list_file(folder, name, b"secret")
    assert "plain names" in refusal(folder).rule


def test_links_are_not_followed(folder: Path) -> None:
    outside = folder.parent / "outside"
    outside.mkdir()
    (outside / "x").write_bytes(b"secret")
    (folder / "link").symlink_to(outside / "x")
    (folder / "linked").symlink_to(outside)
    (folder / "inner").symlink_to(folder / "weights.npz")
    for name, content in (("link", b"secret"), ("linked/x", b"secret"), ("inner", FILES["weights.npz"])):
        list_file(folder, name, content)
        assert "link" in refusal(folder).received
    (folder / "loop").symlink_to(folder / "loop")
    list_file(folder, "loop", b"")
    assert refusal(folder).received


def test_a_folder_reached_through_a_link_is_read(folder: Path) -> None:
    (folder.parent / "latest").symlink_to(folder)
    assert read_artifact(folder.parent / "latest").files == FILES


def test_things_that_are_no_files(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    for name in ("pipe", "model"):
        list_file(folder, name, b"")
        assert refusal(folder).received


LIES: list[Any] = [
    0, 1, -1, 1 << 20, 1 << 60, 1e3, "12", None, True, [], 10**400,
]  # fmt: skip


@pytest.mark.parametrize("size", LIES, ids=lambda size: str(size)[:8])
def test_sizes_that_lie(folder: Path, size: Any) -> None:
    list_file(folder, "weights.npz", FILES["weights.npz"], size_bytes=size)
    assert refusal(folder).received


@pytest.mark.parametrize("digest", ["0" * 64, "", None, 5, "Z" * 64, hashlib.sha256(b"").hexdigest().upper()])
def test_hashes_that_lie(folder: Path, digest: Any) -> None:
    list_file(folder, "weights.npz", FILES["weights.npz"], sha256=digest)
    assert "SHA-256" in refusal(folder).received


def test_too_many_files(folder: Path) -> None:
    entry = {"size_bytes": 0, "sha256": hashlib.sha256(b"").hexdigest()}
    rewrite(folder, files={f"f{i}": entry for i in range(1001)})
    assert "1000" in refusal(folder).received


@pytest.mark.parametrize("files", [None, [], "x", {"weights.npz": None}, {"weights.npz": {}}])
def test_lists_of_files_that_are_none(folder: Path, files: Any) -> None:
    rewrite(folder, files=files)
    assert "well formed" in refusal(folder).rule


def test_every_truncation_of_every_file(folder: Path) -> None:
    for name in (*FILES, MANIFEST):
        whole = (folder / name).read_bytes()
        for size in range(0, len(whole) - 2, 7):
            (folder / name).write_bytes(whole[:size])
            assert refusal(folder).remedy
        (folder / name).write_bytes(whole)
    assert read_artifact(folder).files == FILES


def test_every_changed_byte_of_a_file(folder: Path) -> None:
    for name, whole in FILES.items():
        for place in range(0, len(whole), 5):
            (folder / name).write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            assert "another SHA-256" in refusal(folder).received
        (folder / name).unlink()
        assert refusal(folder).received
        (folder / name).write_bytes(whole)


# --------------------------------------------------------------------------------------------------------- fuzzing

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("../x") | st.just(10**30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def mutated(value: Any, path: list[int], new: Any) -> Any:
    """``value`` with the element that ``path`` leads to replaced."""
    if not path or not isinstance(value, dict | list) or not value:
        return new
    keys = list(value) if isinstance(value, dict) else range(len(value))
    chosen = keys[path[0] % len(keys)]
    copy = value.copy()
    copy[chosen] = mutated(value[chosen], path[1:], new)
    return copy


@settings(max_examples=200, deadline=None)
@given(path=st.lists(st.integers(0, 9), max_size=4), new=JSON)
def test_mutated_manifests(tmp_path_factory: pytest.TempPathFactory, path: list[int], new: Any) -> None:
    folder = write_artifact(tmp_path_factory.mktemp("fuzz") / "a", {"task": {"kind": [1]}}, FILES)
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(mutated(manifest, path, new)))
    with contextlib.suppress(ArtifactError):
        artifact = read_artifact(folder)
        assert all(FILES[name] == content for name, content in artifact.files.items())
        assert isinstance(artifact.name, str)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_mutated_bytes_of_the_manifest(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = write_artifact(tmp_path_factory.mktemp("fuzz") / "a", {}, FILES)
    text = bytearray((folder / MANIFEST).read_bytes())
    place = data.draw(st.integers(0, len(text)))
    text[place : place + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=20))
    (folder / MANIFEST).write_bytes(bytes(text))
    with contextlib.suppress(ArtifactError):
        assert set(read_artifact(folder).files.values()) <= set(FILES.values())
