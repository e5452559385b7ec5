# SPDX-License-Identifier: Apache-2.0
"""Which compiler is chosen, and what is said when there is none or it fails."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from edgeling.errors import CompilerNotFoundError, ToolchainError
from edgeling.toolchain import compilers, library
from tests.support.tiny_programs import dense, program


def test_none_means_no_compiler_at_all(monkeypatch):
    monkeypatch.setenv("EDGELING_CC", "none")
    for find in (compilers.host_compiler, compilers.zig):
        with pytest.raises(CompilerNotFoundError, match="EDGELING_CC=none"):
            find()
    with pytest.raises(CompilerNotFoundError):
        library.compile_program(dense("never_compiled"))


def test_an_empty_path_leaves_zig(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert compilers.host_compiler() == compilers.zig()
    monkeypatch.setattr(compilers, "zig_folder", lambda: None)
    with pytest.raises(CompilerNotFoundError, match=r"install gcc or clang; or pip install 'edgeling\[targets\]'"):
        compilers.host_compiler()
    with pytest.raises(CompilerNotFoundError, match=r"Try: pip install 'edgeling\[targets\]'"):
        compilers.zig()


def test_cc_is_honoured_and_edgeling_cc_before_it(monkeypatch):
    monkeypatch.setenv("CC", f"{sys.executable} -x")
    assert compilers.host_compiler().command == (sys.executable, "-x")
    monkeypatch.setenv("EDGELING_CC", "zig")
    assert compilers.host_compiler().is_zig


@pytest.mark.parametrize("named", ["no-such-compiler --flag", "'no-such-compiler"])
def test_a_named_compiler_must_exist(named, monkeypatch):
    monkeypatch.setenv("CC", named)
    with pytest.raises(CompilerNotFoundError, match="no-such-compiler"):
        compilers.host_compiler()


def test_identity_follows_the_program_behind_the_name(tmp_path):
    path = tmp_path / "cc"
    path.write_text("one")
    before = compilers.Compiler((str(path),)).identity
    assert before == compilers.Compiler((str(path),)).identity
    path.write_text("a newer one")
    assert before != compilers.Compiler((str(path),)).identity


@pytest.mark.parametrize("choice", ["", "zig"])
def test_a_compile_error_shows_its_first_lines_only(choice, monkeypatch):
    monkeypatch.setenv("EDGELING_CC", choice)
    body = "".join(f"int f{i}(void) {{ return missing_{i}; }}\n" for i in range(50))
    with pytest.raises(ToolchainError) as caught:
        library.compile_program(program("bad", body, (), ()))
    assert "missing_0" in str(caught.value)
    assert "missing_40" not in str(caught.value)
    assert "compiling bad" in caught.value.rule


@pytest.fixture
def fake_compiler(tmp_path, monkeypatch):
    def make(script: str) -> None:
        (tmp_path / "cc").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "cc").chmod(0o755)
        monkeypatch.setenv("CC", str(tmp_path / "cc"))

    return make


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
def test_a_compiler_that_says_the_disk_is_full_is_believed(fake_compiler):
    fake_compiler("echo 'fatal error: x.o: No space left on device' >&2; exit 1")
    with pytest.raises(ToolchainError, match="room on the disk"):
        library.compile_program(dense("full"))


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
@pytest.mark.parametrize(
    ("free_bytes", "message"), [(4096, "room on the disk; received 4096"), (1 << 40, "exit status 3")]
)
def test_a_compiler_that_dies_in_silence_on_a_full_disk_is_understood(fake_compiler, monkeypatch, free_bytes, message):
    fake_compiler("exit 3")
    monkeypatch.setattr(compilers.shutil, "disk_usage", lambda _: SimpleNamespace(free=free_bytes))
    with pytest.raises(ToolchainError, match=message):
        library.compile_program(dense("silent"))


@pytest.mark.parametrize("name", ["../out.c", "/tmp/out.c"])
def test_source_names_cannot_leave_the_workspace(tmp_path, name):
    with pytest.raises(ToolchainError, match="stay in its folder"):
        compilers.write_sources(tmp_path / "in", {name: ""})


def test_no_flag_changes_arithmetic_beyond_contraction():
    flags = " ".join(compilers.HOST)
    for forbidden in ("fast-math", "associative", "finite-math", "no-signed-zeros", "reciprocal"):
        assert forbidden not in flags
