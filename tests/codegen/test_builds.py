# SPDX-License-Identifier: Apache-2.0
"""The same C under gcc and Clang, every warning an error, under the sanitizers, with and without vectors."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from functools import cache

import numpy as np
import pytest

from edgeling.codegen import Program, generate
from tests.codegen.harness import Case, apart, expected_of
from tests.codegen.networks import TUTORIALS
from tests.codegen.random_graphs import random_case
from tests.codegen.test_kernels import FAMILIES
from tests.codegen.test_training import RULES, step_case
from tests.support import host
from tests.support.close import half_unit
from tests.support.rounding import row_bounds

WARNINGS = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wdouble-promotion", "-Wpedantic", "-Werror"]
STRICTER = [
    "-Wsign-conversion", "-Wundef", "-Wcast-qual", "-Wcast-align", "-Wvla", "-Wdeclaration-after-statement",
    "-Wunused-macros", "-Wwrite-strings", "-Wstrict-prototypes", "-Wmissing-prototypes", "-Wmissing-declarations",
    "-Wredundant-decls", "-Wswitch-default", "-Wfloat-conversion", "-Wbad-function-cast", "-Wc++-compat",
]  # fmt: skip
GCC = ["gcc", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
CLANG = [sys.executable, "-m", "ziglang", "cc", "-O0", "-fsanitize=undefined", "-fno-sanitize-recover=all"]
AVX2 = ["-O0", "-mavx2", "-mfma", "-ffp-contract=fast"]
BUILDS = {
    "gcc": GCC,
    "gcc with AVX2": [*GCC, *AVX2],
    "clang": CLANG,
    "clang without vectors": [*CLANG, "-DEDGELING_LANES=1"],
}


@cache
def samples() -> tuple[Case, ...]:
    """The first case of each operation with each set of attributes, whole networks, training steps, random graphs."""
    chosen: dict[str, Case] = {}
    for family in FAMILIES.values():
        for item in (item for cases in family for item in cases()):
            chosen.setdefault(item.title.split(" on ")[0], item)
    whole = [Case(graph, (np.ones(graph.types["x"].shape, np.float32),)) for graph in TUTORIALS.values()]
    steps = [step_case(task, rule) for task in ("classes", "large") for rule in RULES]
    return (*chosen.values(), *whole, *steps, *map(random_case, range(12)))


@cache
def program() -> Program:
    return generate({f"c{i}": apart(item.graph, f"c{i}_") for i, item in enumerate(samples())}, "cases")


def initial_weights() -> bytes:
    weights = bytearray(program().weights_bytes)
    for i, item in enumerate(samples()):
        for name, contents in item.graph.variables.items():
            offset = program().variable_offsets[f"c{i}_{name}"]
            weights[offset : offset + contents.nbytes] = contents.tobytes()
    return bytes(weights)


@pytest.mark.parametrize("build", BUILDS)
def test_every_call_builds_without_a_warning_and_runs_clean(build, tmp_path):
    if build.endswith("AVX2") and platform.machine() != "x86_64":
        pytest.skip("AVX2 is x86's")
    if shutil.which(BUILDS[build][0]) is None:
        pytest.skip(f"{BUILDS[build][0]} is not installed")
    compare(host.answers(program(), [*BUILDS[build], *WARNINGS], initial_weights() + fed(), tmp_path))


def fed() -> bytes:
    """The inputs of all cases, one after another."""
    return b"".join(np.asarray(x).tobytes() for item in samples() for x in item.inputs)


def compare(given: bytes) -> None:
    """AssertionError where the outputs of all cases are not what they should be."""
    at = 0
    for item in samples():
        for wanted in expected_of(item)[0]:
            meant = wanted.meaning
            got = np.frombuffer(given, meant.dtype, meant.size, at).reshape(meant.shape)
            at += meant.nbytes
            wanted.require(got, f"{item.title or item.graph.name}")
    assert at == len(given)


@pytest.mark.parametrize("compiler", ["gcc -Wunused-const-variable=2 -Wlogical-op", "clang -Wcomma -Wunreachable-code"])
def test_every_call_is_clean_under_stricter_warnings(compiler, tmp_path):
    words = compiler.split()
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed")
    host.write(program().files, tmp_path)
    subprocess.run([*words, *WARNINGS, *STRICTER, "-fsyntax-only", "cases.c"], cwd=tmp_path, check=True)


@pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")
def test_every_call_is_cplusplus_too(tmp_path):
    host.write(program().files, tmp_path)
    warnings = [w for w in WARNINGS if not w.startswith("-std")]
    command = ["g++", "-x", "c++", "-std=c++11", *warnings, "-fsyntax-only", "cases.c"]
    subprocess.run(command, cwd=tmp_path, check=True)


@pytest.mark.parametrize("name", TUTORIALS)
def test_the_example_builds_and_runs(name, tmp_path):
    """``make`` and the numbers on the command line give what the interpreter gives."""
    graph = TUTORIALS[name]
    made = generate(graph, name)
    host.write({**made.files, **made.examples}, tmp_path)
    if shutil.which("make") is None or shutil.which("gcc") is None:
        pytest.skip("make and gcc are not installed")
    strict = f"CFLAGS={' '.join(WARNINGS)} -O2"
    subprocess.run(["make", "-s", "CC=gcc", strict], cwd=tmp_path / "example", check=True)
    x = np.linspace(-1, 1, graph.types["x"].size, dtype=np.float32)
    said = subprocess.run(
        [tmp_path / "example" / "example", *map(str, x)], capture_output=True, text=True, check=True
    ).stdout
    (answer,) = row_bounds(graph, x[None])
    found = np.array([float(word) for word in said.split()])
    assert np.all(np.abs(found - answer.exact[0]) <= answer.room[0] + half_unit(answer.exact[0], digits=7))
