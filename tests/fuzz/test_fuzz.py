# SPDX-License-Identifier: Apache-2.0
"""The fuzzer: good files are read, a few changed ones each time, and what it is there for is found."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from edgeling.errors import EdgelingError
from tests.fuzz import __main__ as fuzzer
from tests.fuzz.mutate import mutate_bytes, mutate_json
from tests.fuzz.readers import CORPUS, READERS, Reader, read_quietly

NEEDS = {"table.xlsx": "fastexcel", "keras": "h5py", "h5": "h5py", "weights.h5": "h5py"}


def require(name: str) -> Reader:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    return READERS[name]


@pytest.mark.parametrize("name", READERS)
def test_a_good_file_of_the_corpus_is_read(name: str, tmp_path: Path) -> None:
    """If a format changed: ``python -m tests.fuzz.make_corpus``."""
    for path in CORPUS.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
    shutil.copytree(CORPUS / "artifact", tmp_path / "a.edgeling")
    shutil.copy(CORPUS / "artifact" / "weights_int8.npz", tmp_path / "a.npz")
    read_quietly(require(name), tmp_path)


@pytest.mark.parametrize("name", READERS)
def test_changed_files_are_refused_or_read(name: str) -> None:
    require(name)
    tried, wrong = fuzzer.run(name, seed=2, first=0, inputs=12, seconds=20)
    assert not wrong
    assert tried > 0


def _spoilt(kind: str, folder: Path) -> object:
    if kind == "refused":
        raise EdgelingError("a rule")
    if kind == "a traceback":
        raise IndexError("of nobody's")
    if kind == "a crash":
        import ctypes

        return ctypes.string_at(0)
    if kind == "a flood":
        return bytearray(1 << 40)
    while True:
        pass


@pytest.mark.parametrize(
    ("kind", "said"),
    [("refused", ""), ("a traceback", "IndexError"), ("a crash", "died with -11"), ("a flood", "MemoryError"),
     ("a standstill", "took more than")],
)  # fmt: skip
def test_what_must_not_happen_is_found(kind: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process that knows one reader more."""
    child = tmp_path / "child.py"
    child.write_text(
        "import sys\nfrom functools import partial\nfrom tests.fuzz import __main__ as fuzzer, readers\n"
        "from tests.fuzz.test_fuzz import _spoilt\n"
        f"readers.READERS['spoilt'] = readers.Reader(lambda dice, folder: None, partial(_spoilt, {kind!r}))\n"
        f"fuzzer.INPUT_SECONDS = 2\nfuzzer.KEPT = fuzzer.Path({str(tmp_path)!r})\n"
        "fuzzer._limited('spoilt', 0, 5, 2, 60)\n"
    )
    monkeypatch.setattr(fuzzer, "PROGRAM", (str(child),))
    monkeypatch.setenv("PYTHONPATH", str(fuzzer.ROOT))
    tried, wrong = fuzzer.run("table.csv", 0, 5, 2, 60)
    assert (tried, wrong) == (2, "") if not said else said in wrong
    assert not said or tried == 1


def test_the_same_dice_change_the_same() -> None:
    value, data = {"a": [1, {"b": "c"}]}, bytes(range(100))
    for seed in range(50):
        assert mutate_json(value, random.Random(seed)) == mutate_json(value, random.Random(seed))
        assert mutate_bytes(data, random.Random(seed)) == mutate_bytes(data, random.Random(seed))
    assert value == {"a": [1, {"b": "c"}]}
