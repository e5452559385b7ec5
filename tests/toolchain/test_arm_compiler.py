# SPDX-License-Identifier: Apache-2.0
"""The compiler that users ship with: what its code costs on a Cortex-M4, what is told of it, and what is refused."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache

import pytest

from edgeling.errors import CompilerNotFoundError, TargetError, ToolchainError
from edgeling.targets import get
from edgeling.toolchain.arm_compiler import VARIABLE, cross_compiler
from edgeling.toolchain.prove import TIME_BASIS
from edgeling.workflow.build import build, verify
from edgeling.workflow.store import proof_json
from tests.codegen.networks import dense_network
from tests.toolchain.test_budget import NETWORKS, rows_for

GCC = "arm-none-eabi-gcc"
# Whole runs; goals of other versions are not ours to set.
MOST_INSTRUCTIONS = {
    ("iris", "float32", "-O2"): 264, ("iris", "float32", "-Os"): 254,
    ("diabetes", "float32", "-O2"): 329, ("diabetes", "float32", "-Os"): 335,
    ("64-32-10", "float32", "-O2"): 4363, ("64-32-10", "float32", "-Os"): 4358,
    ("64-32-10", "int8", "-O2"): 4259, ("64-32-10", "int8", "-Os"): 4289,
    ("diabetes", "int8", "-O2"): 396, ("diabetes", "int8", "-Os"): 381,
}  # fmt: skip


@cache
def version() -> str:
    """Of the cross gcc of this machine; empty where there is none."""
    if shutil.which(GCC) is None:
        return ""
    return subprocess.run([GCC, "-dumpfullversion"], capture_output=True, text=True, check=True).stdout.strip()


needs_gcc = pytest.mark.skipif(not version(), reason=f"{GCC} is not installed")


@pytest.mark.skipif(not version().startswith("12."), reason="counts are those of gcc 12")
@pytest.mark.parametrize(("name", "precision", "level"), MOST_INSTRUCTIONS, ids=" ".join)
def test_what_a_run_costs_with_gcc(name, precision, level):
    graph = NETWORKS[name]
    compiler = f"{GCC} {level}"
    built = build(graph, "cortex-m4", precision=precision, calibration_data=rows_for(graph), compiler=compiler)
    assert built.matches
    assert built.instructions <= MOST_INSTRUCTIONS[name, precision, level]


@needs_gcc
def test_compiler_and_flags_stand_beside_every_count():
    built = build(NETWORKS["iris"], "cortex-m4", compiler=f"{GCC} -Os")
    assert built.compiler == f"{GCC} {version()}"
    assert built.compiler_flags.startswith("-mcpu=cortex-m4 -mthumb")
    assert built.compiler_flags.endswith("-Os")
    assert proof_json(built)["estimated_latency_basis"] == TIME_BASIS


@needs_gcc
def test_the_variable_chooses_for_arm_alone(monkeypatch):
    usual = build(NETWORKS["iris"], "wasm32")
    monkeypatch.setenv(VARIABLE, GCC)
    assert verify(NETWORKS["iris"], "cortex-m4").compiler.startswith(GCC)
    assert build(NETWORKS["iris"], "wasm32").compiler == usual.compiler
    assert "ziglang" in usual.compiler


@needs_gcc
def test_a_core_without_a_float_unit_takes_the_compilers_own_arithmetic():
    graph = dense_network("soft", (3, 4), ("tanh",), softmax=False)
    built = build(graph, "cortex-m0plus", compiler=GCC)
    assert built.matches
    assert built.compiler_flags.startswith("-mcpu=cortex-m0plus")


def test_what_was_never_counted_names_no_compiler():
    built = build(NETWORKS["iris"], "native")
    assert (built.instructions, built.compiler, built.compiler_flags) == (None, "", "")


def test_a_compiler_that_is_not_there():
    with pytest.raises(CompilerNotFoundError, match="no-such-compiler"):
        build(NETWORKS["iris"], "cortex-m4", compiler="no-such-compiler")


@pytest.mark.parametrize(
    ("body", "said"), [("echo x86_64-linux-gnu", "for x86_64-linux-gnu"), ("exit 1", "it does not say what")]
)
def test_a_compiler_for_something_else(body, said, tmp_path):
    program = tmp_path / "strange-cc"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    with pytest.raises(ToolchainError, match=said):
        cross_compiler(get("cortex-m4").with_compiler(str(program)))


def test_a_compiler_for_a_target_that_is_no_arm_core():
    with pytest.raises(TargetError, match="wasm32"):
        build(NETWORKS["iris"], "wasm32", compiler=GCC)


@needs_gcc
def test_a_flag_it_does_not_know_is_said_in_its_words():
    with pytest.raises(ToolchainError, match="no-such-flag"):
        build(NETWORKS["iris"], "cortex-m4", compiler=f"{GCC} --no-such-flag")
