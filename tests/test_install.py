# SPDX-License-Identifier: Apache-2.0
"""What installing takes, and what is said where the cross compiler and the emulators were left out."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import edgeling
from edgeling.cli.doctor import examine
from edgeling.data import delimited, series
from edgeling.data.native_files import read_native
from edgeling.data.source import Source
from edgeling.errors import CompilerNotFoundError, ToolchainError, UnsupportedError
from edgeling.layers import Dense
from edgeling.toolchain import compilers, tools

BASE_BYTES = 300_000_000 - 40_000_000  # less pip, setuptools and ourselves
TYPE_THIS = re.escape("pip install 'edgeling[targets]'")
ROWS = {"x": [float(i % 7) for i in range(60)], "kind": ["ab"[i % 2] for i in range(60)]}


PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]


def needed(requirements: list[str]) -> set[str]:
    """The distributions that installing these brings."""
    found, wanted = set[str](), [(Requirement(text), "") for text in requirements]
    while wanted:
        one, extra = wanted.pop()
        name = re.sub(r"[-_.]+", "-", one.name).lower()
        if name not in found and (one.marker is None or one.marker.evaluate({"extra": extra})):
            found.add(name)
            further = map(Requirement, distribution(name).requires or ())
            wanted += [(each, extra) for each in further for extra in (one.extras or {""})]
    return found


def installed_bytes(name: str) -> int:
    """What its files take, with the bytecode that is beside them."""
    files = [Path(str(file.locate())) for file in distribution(name).files or ()]
    caches = {file.parent / "__pycache__" for file in files if file.suffix == ".py"}
    every = {*files, *(path for cache in caches for path in cache.glob("*.pyc"))}
    return sum(path.stat().st_size for path in every if path.is_file())


def test_a_base_installation_stays_small() -> None:
    sizes = {name: installed_bytes(name) for name in needed(PROJECT["dependencies"])}
    assert {"numpy", "rich", "typer"} <= sizes.keys()
    assert not {"ziglang", "unicorn", "wasmtime", "polars"} & sizes.keys()
    assert sum(sizes.values()) <= BASE_BYTES, sorted(sizes.items(), key=lambda item: -item[1])[:6]


def test_the_readmes_first_command_brings_the_compiler_and_the_emulators() -> None:
    extras = PROJECT["optional-dependencies"]
    assert {"ziglang", "unicorn", "wasmtime", "pyelftools"} <= needed(extras["targets"])
    readme = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    assert '.venv/bin/pip install ".[targets]" && .venv/bin/edgeling demo' in readme


@pytest.fixture
def without_targets(monkeypatch):
    """As on a machine where ``pip install edgeling`` was all."""
    find = tools.find_spec
    monkeypatch.setattr(tools, "find_spec", lambda name: None if name in tools._MODULES.values() else find(name))
    monkeypatch.setattr(compilers, "zig_folder", lambda: None)


@pytest.fixture(scope="module")
def model():
    network = edgeling.Sequential([Dense(2, activation="softmax", input_dim=3)])
    network.compile(loss="sparse_categorical_crossentropy")
    return network


def test_training_proves_on_this_machine_and_says_what_to_type(without_targets) -> None:
    trained = edgeling.train(ROWS, "kind", recipe="linear", importance=False)
    assert all(list(proofs) == ["native"] for proofs in trained.proofs.values())
    (note,) = (note for note in trained.notes if "not proven on" in note)
    assert "cortex-m4 and wasm32" in note
    assert note.endswith("pip install 'edgeling[targets]'")
    assert len(trained.pipeline.predict(ROWS).values) == 60


@pytest.mark.parametrize("target", ["cortex-m4", "wasm32"])
def test_c_is_written_all_the_same(without_targets, model, tmp_path, target) -> None:
    with pytest.warns(UserWarning, match=TYPE_THIS):
        built = edgeling.build(model, target, out=tmp_path / "c", name="net")
    assert (tmp_path / "c" / "net.c").is_file()
    assert built.matches
    assert (built.target, built.flash_bytes) == ("native", None)
    with pytest.warns(UserWarning, match=TYPE_THIS):
        assert edgeling.build(model, target, learn="last", name="net").matches


@pytest.mark.parametrize(
    "asked",
    [
        lambda model: edgeling.verify(model, "cortex-m4"),
        lambda model: edgeling.verify(model, "wasm32"),
        lambda model: edgeling.train(ROWS, "kind", targets="cortex-m0plus"),
        lambda model: edgeling.select(ROWS, "kind"),
        lambda model: edgeling.tune(ROWS, "kind", trials=1),
    ],
    ids=["verify", "verify-wasm", "train", "select", "tune"],
)
def test_what_needs_a_chip_says_what_to_type(without_targets, model, asked) -> None:
    with pytest.raises(ToolchainError, match=TYPE_THIS):
        asked(model)


def test_without_any_compiler_training_says_so_at_once(without_targets, monkeypatch) -> None:
    monkeypatch.setenv("PATH", "")
    for name in ("CC", "EDGELING_CC"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(CompilerNotFoundError, match=f"install gcc or clang; or {TYPE_THIS}"):
        edgeling.train(ROWS, "kind")
    assert examine()["healthy"] is False


@pytest.fixture
def without_polars(monkeypatch):
    monkeypatch.setattr(series, "find_spec", lambda name: None)


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "xlsx"])
def test_files_of_columns_say_what_to_type(without_polars, suffix) -> None:
    with pytest.raises(UnsupportedError, match=re.escape("pip install 'edgeling[tables]'")):
        read_native(Source(f"a.{suffix}", "", b"PAR1"), {"xlsx": "excel"}.get(suffix, suffix))


def test_large_texts_are_read_without_polars(without_polars, monkeypatch) -> None:
    monkeypatch.setattr(delimited, "LARGE_CHARACTERS", 0)
    monkeypatch.setattr(delimited, "LARGE_ROWS", 0)
    monkeypatch.setattr(delimited, "SwiftText", None)
    grid = delimited.cut_up("a.csv", "a,b\n1,x\n2,y\n")
    assert [cells.distinct()[0] for cells in grid.columns.values()] == [["1", "2"], ["x", "y"]]


def test_the_doctor_calls_a_base_installation_healthy(monkeypatch) -> None:
    from importlib import metadata

    def version(name: str) -> str:
        if name in ("ziglang", "unicorn", "wasmtime", "pyelftools", "polars"):
            raise metadata.PackageNotFoundError(name)
        return "1"

    monkeypatch.setattr(metadata, "version", version)
    found = examine()
    assert found["healthy"] is True
    lacking = {name: str(said).split("pip install ")[1] for name, said in found.items() if "pip install" in str(said)}
    tools = "cross_compiler", "cortex_m_emulator", "image_reader", "wasm_runtime"
    assert lacking == {**dict.fromkeys(tools, "'edgeling[targets]'"), "table_reader": "'edgeling[tables]'"}
