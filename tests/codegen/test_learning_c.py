# SPDX-License-Identifier: Apache-2.0
"""The C of programs that learn: every warning an error, as C++, and on an AVR, where `int` has 16 bits."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from edgeling import optimizers
from edgeling.codegen import Program, generate
from edgeling.codegen.interface import Interface
from edgeling.graph import run
from edgeling.passes.learnable import weights_of, with_float_head
from edgeling.passes.quantize import quantize
from edgeling.training.on_device import BINARY, SPARSE, SQUARED, Columns, Goal, Learner, learner
from tests.codegen.harness import Case, expected_of
from tests.codegen.networks import TUTORIALS, dense_network
from tests.codegen.test_builds import STRICTER, WARNINGS
from tests.support import avr
from tests.support.host import write

RATE = np.float32(0.05)
WIDE = dense_network("wide", (3, 70), ("linear",), softmax=False)
DEEP = dense_network("frozen", (6, 20, 60, 3), ("relu", "relu", "linear"), softmax=True)
COMPILERS = {
    "gcc": ["gcc", *WARNINGS, *STRICTER, "-O2"],
    "clang": [sys.executable, "-m", "ziglang", "cc", *WARNINGS, "-O2"],
    "g++": ["g++", "-xc++", "-std=c++11", "-Wall", "-Wextra", "-Werror"],
    "avr-gcc": ["avr-gcc", "-mmcu=atmega2560", "-std=c99", *avr.OPTIONS],
}


@cache
def variants() -> dict[str, tuple[Learner, Program]]:
    """Classes, two classes and numbers; every optimizer; guarded, following, on integers, a few outputs at a time."""
    iris, diabetes = TUTORIALS["iris"], TUTORIALS["diabetes"]
    rows = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    mixed = with_float_head(quantize(iris, {"x": rows}, "int8"), iris, 1)
    columns = Columns(np.arange(4.0), np.array([1.0, 2, 0, 0.5]))
    momentum = optimizers.SGD(momentum=0.9)
    made = {
        "guarded": learner(iris, weights_of(iris, None), Goal(SPARSE, 3), optimizers.Adam(), columns).remembering(3),
        "integers": learner(mixed, weights_of(mixed, 1), Goal(SPARSE, 3), optimizers.SGD(), columns),
        "two_classes": learner(diabetes, weights_of(diabetes, None), Goal(BINARY, 2), momentum),
        "frozen": learner(DEEP, weights_of(DEEP, 1), Goal(SPARSE, 3), momentum),
        "wide": learner(WIDE, weights_of(WIDE, 1), Goal(SQUARED), optimizers.Adam()),
        "huber": learner(WIDE, weights_of(WIDE, 1), Goal("huber"), optimizers.Lion()).remembering(2),
    }
    may_be_missing = {"integers": (False, True, True, False)}
    return {
        name: (one, generate(one.graphs, name, initial_values=True, interface=Interface(
            learning=one.interface, may_be_missing=may_be_missing.get(name, ()))))
        for name, one in made.items()
    }  # fmt: skip


@pytest.mark.parametrize("compiler", COMPILERS)
def test_it_compiles_without_a_warning(compiler, tmp_path) -> None:
    command = COMPILERS[compiler]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    for name, (_, program) in variants().items():
        write(dict(program.files), tmp_path / name)
        subprocess.run([*command, "-c", f"{name}.c", "-o", "model.o"], cwd=tmp_path / name, check=True)


def test_the_programs_go_into_one_unit(tmp_path) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    for name, (_, program) in variants().items():
        write(dict(program.files), tmp_path / name)
    (tmp_path / "all.c").write_text("".join(f'#include "{n}/{n}.c"\n' for n in variants()))
    subprocess.run(["gcc", *WARNINGS, "-O1", "-c", "all.c"], cwd=tmp_path, check=True)


@pytest.mark.parametrize("name", ["integers", "two_classes", "frozen"])
def test_an_avr_learns_too(name, tmp_path) -> None:
    """Three steps in software floats, then the answers of what was learned. Of constants, weights that learning begins
    with among them, next to none are copied to RAM."""
    avr.require()
    chosen, program = variants()[name]
    dice, graph = np.random.default_rng(1), chosen.learn
    lessons = [
        (dice.normal(size=graph.types["x"].shape).astype(np.float32), np.float32([[kind]]), RATE.reshape(()))
        for kind in (0, 1, 1)
    ]
    asked = [[dice.normal(size=graph.types["x"].shape).astype(np.float32)] for _ in range(4)]
    entries = {entry.function: entry for entry in program.entries}
    calls = [(entries[f"{name}_learn"], lessons), (entries[f"{name}_run"], asked)]
    text = avr.driver(program, calls).replace("    start();", f"    {name}_reset(&weights);\n    start();")
    avr.write(program, tmp_path, text)
    firmware = avr.build(tmp_path, name, "atmega2560")
    sizes = subprocess.run(["avr-size", "-A", "model.o"], cwd=tmp_path, capture_output=True, text=True, check=True)
    in_ram = re.findall(r"^\.(?:data|rodata)\S*\s+(\d+)", sizes.stdout, re.MULTILINE)
    assert sum(map(int, in_ram)) <= 64
    said = avr.run(firmware, "atmega2560")
    held = dict(graph.variables)
    for lesson in lessons:
        held = run(graph, lesson, held).variables
    # What was learned in double precision too; each step's roundings are those of the answers a few times over.
    for row, got in zip(asked, np.frombuffer(said, np.float32).reshape(4, -1), strict=True):
        (wanted,), _ = expected_of(Case(replace(chosen.run), (*row,)), {v: held[v] for v in chosen.run.variables})
        assert wanted.bound is not None
        wanted.bound.rounded_more(8 * len(lessons)).require(got, f"{name} on an AVR")
