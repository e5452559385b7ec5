# SPDX-License-Identifier: Apache-2.0
"""The C that the toolchain itself brings is clean under strict warnings, with every compiler it may meet."""

from __future__ import annotations

import pytest

from edgeling.targets import get
from edgeling.toolchain import cross
from edgeling.toolchain.compilers import host_compiler, resource, run, write_sources, zig
from edgeling.toolchain.firmware import harness_source
from edgeling.toolchain.library import rows_source
from edgeling.toolchain.native import sharing_units
from edgeling.training.loop import loop_units
from tests.support.tiny_programs import counter, dense

STRICT = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-I.", "-c")


def check(compiler, name: str, files: dict[str, str], folder, *flags: str) -> None:
    write_sources(folder, files)
    run(folder, f"compiling {name}", [*compiler.command, *flags, *STRICT, name, "-o", f"{name}.o"])


@pytest.mark.parametrize("find", [host_compiler, zig])
@pytest.mark.parametrize("name", ["python_call.c", "memory.c"])
def test_hand_written_sources_on_this_machine(find, name, tmp_path):
    check(find(), name, {name: resource(name)}, tmp_path, "-fno-builtin")


@pytest.mark.parametrize("find", [host_compiler, zig])
@pytest.mark.parametrize("unit", [*sharing_units(), loop_units()[0]], ids=lambda unit: unit.name)
def test_units_that_know_no_program(find, unit, tmp_path):
    check(find(), unit.name, dict(unit.files), tmp_path, "-fno-builtin")


@pytest.mark.parametrize("find", [host_compiler, zig])
@pytest.mark.parametrize("made", [dense(), counter()], ids=lambda made: made.name)
def test_generated_row_loops(find, made, tmp_path):
    check(find(), "rows.c", {**made.files, "rows.c": rows_source(made)}, tmp_path)


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m0plus"])
@pytest.mark.parametrize("made", [dense(), counter()], ids=lambda made: made.name)
def test_firmware_harness_and_memory_functions_on_their_chips(core, made, tmp_path):
    files = {**made.files, "harness.c": harness_source(made, made.entries[0]), "memory.c": resource("memory.c")}
    for name in ("harness.c", "memory.c"):
        check(zig(), name, files, tmp_path, *cross.flags(get(core)), "-fno-builtin")
