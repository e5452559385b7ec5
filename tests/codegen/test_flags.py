# SPDX-License-Identifier: Apache-2.0
"""The same C under the flags that people compile with: the same winners, NaN where it belongs, or a refusal."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from edgeling.codegen import Program, generate
from edgeling.graph.activations import ACTIVATIONS
from edgeling.graph.builder import GraphBuilder
from edgeling.graph.types import Array, Graph
from edgeling.passes.quantize import quantize
from tests.codegen.harness import Expected, expected_rows
from tests.codegen.test_kernels import EXTREME
from tests.support.host import write
from tests.support.rounding import ELEMENTARY

ZIG = f"{sys.executable} -m ziglang cc"
WARNINGS = "-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"
FEATURES, CLASSES, ROWS = 5, 4, 200

EXACT = {  # what changes no sum and no rounding but for a fused multiply-add
    "gcc -std=c99 -O0", "gcc -std=c11 -O1 -fshort-enums -funsigned-char", "gcc -std=gnu17 -O2 -fno-signed-zeros",
    "gcc -std=c2x -O3 -march=native -fno-math-errno -fno-trapping-math", "gcc -Os -frounding-math -fsignaling-nans",
    "gcc -O2 -flto -fsingle-precision-constant -fno-strict-overflow", "gcc -O3 -ftrapv -fcx-limited-range",
    "clang -std=c99 -Os", "clang -O3 -march=native -ffp-contract=fast", "clang -Oz",
    f"{ZIG} -O2", f"g++ -x c++ -std=c++11 -O2 {WARNINGS}", f"g++ -x c++ -std=c++20 -O0 {WARNINGS}",
    f"clang++ -x c++ -std=c++17 -O2 {WARNINGS}",
}  # fmt: skip
REORDERED = {  # sums in any order, reciprocals, wider registers, denormals flushed
    "gcc -O2 -funsafe-math-optimizations", "gcc -O3 -march=native -funsafe-math-optimizations -fno-math-errno",
    "gcc -O2 -fassociative-math -fno-signed-zeros -fno-trapping-math", "gcc -O2 -freciprocal-math",
    "gcc -Ofast -fno-finite-math-only", "gcc -m32 -O0", "gcc -m32 -O2", "gcc -m32 -O3 -funsafe-math-optimizations",
    "gcc -m32 -O2 -std=c99", "gcc -mfpmath=387 -O2", "clang -O2 -ffast-math -fno-finite-math-only",
    "clang -O3 -march=native -ffast-math -fno-finite-math-only", "clang -Ofast -fno-finite-math-only -Os",
    "clang -O2 -fassociative-math -fno-signed-zeros -freciprocal-math",
    f"{ZIG} -O3 -ffast-math -fhonor-nans -fhonor-infinities",
}  # fmt: skip
REFUSED = {"gcc -ffast-math", "gcc -Ofast", "gcc -ffinite-math-only", "clang -ffast-math", "clang -ffinite-math-only"}

DRIVER = """\
#include <stdio.h>
#include "flags.h"

static flags_arena arena;
static float x[%(inputs)d], y[%(outputs)d];

#define ROWS(call, count, in, out) \
    for (unsigned row = 0; row < (count) && fread(x, sizeof(float), (in), stdin) == (in); row++) { \
        call; \
        fwrite(y, sizeof(float), (out), stdout); \
    }

int main(void) {
%(calls)s    return 0;
}
"""


def network() -> Graph:
    """Preparation, a hidden layer of tanh and one of elu, and four classes."""
    rng, b = np.random.default_rng(5), GraphBuilder("network")
    value = b.input("x", (1, FEATURES))
    value = b.add("impute", value, b.constant(rng.normal(size=FEATURES), "fill"))
    value = b.add("gather", value, indices=(4, 0, 3, 1, 2))
    value = b.add("standardize", value, *(b.constant(rng.uniform(0.5, 2, FEATURES), n) for n in ("mean", "scale")))
    widths = [FEATURES, 16, 9, CLASSES]
    for inputs, outputs, function in zip(widths, widths[1:], ("tanh", "elu", "linear"), strict=False):
        kernel = b.constant(rng.normal(size=(inputs, outputs)), "kernel")
        value = b.add("dense", value, kernel, b.constant(rng.normal(size=outputs), "bias"), function=function)
    return b.build([b.add("softmax", value)])


def functions() -> Graph:
    """Every activation of the same inputs, side by side."""
    b = GraphBuilder("functions")
    x = b.input("x", (1, EXTREME.size))
    parts = [b.add("activation", x, function=f, alpha=row.default_alpha) for f, row in ACTIVATIONS.items()]
    return b.build([b.add("concatenate", *parts)])


def rows_of_classes(operation: str) -> Graph:
    b = GraphBuilder(operation)
    return b.build([b.add(operation, b.input("x", (1, CLASSES)))])


@cache
def cases() -> dict[str, tuple[Graph, Array]]:
    """Graphs, and rows to feed them: ordinary ones, and some with NaN and infinities."""
    rng = np.random.default_rng(6)
    features = rng.normal(size=(ROWS, FEATURES)).astype(np.float32)
    features[::7, 2] = np.nan
    logits = rng.normal(size=(ROWS, CLASSES), scale=9).astype(np.float32)
    logits[:40:2, 1] = np.resize([np.nan, np.inf, -np.inf, 3e38, -np.nan], 20)
    wide = np.concatenate([EXTREME[None], rng.normal(size=(40, EXTREME.size), scale=8).astype(np.float32)])
    named = {"softmax": rows_of_classes("softmax"), "log": rows_of_classes("log_softmax")}
    return {
        "network": (network(), features),
        "int8": (quantize(network(), features), features),
        "functions": (functions(), wide),
        **{name: (graph, logits) for name, graph in named.items()},
    }


@cache
def program() -> Program:
    return generate({name: graph for name, (graph, _) in cases().items()}, "flags")


@cache
def expected() -> dict[str, Expected]:
    return {name: expected_rows(graph, rows) for name, (graph, rows) in cases().items()}


def sources(folder: Path) -> None:
    calls = "".join(
        f"    ROWS({entry.function}({', '.join([*entry.memory('', '&arena'), 'x', 'y'])}), {len(rows)}u, "
        f"{rows.shape[1]}, {wanted.meaning[0].size})\n"
        for entry, (_, rows), wanted in zip(program().entries, cases().values(), expected().values(), strict=True)
    )
    sizes = {"inputs": EXTREME.size, "outputs": max(wanted.meaning[0].size for wanted in expected().values())}
    write({**program().files, "driver.c": DRIVER % {**sizes, "calls": calls}}, folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made: Path = tmp_path_factory.mktemp("flags")
    sources(made)
    return made


def known(name: str, command: str, wanted: Array) -> Array:
    """What flags may not change: all but infinity times 0, which is 0 to those that reorder."""
    if name != "functions" or command in EXACT:
        return np.ones(wanted.shape, bool)
    return ~(np.isnan(wanted) & np.tile(np.isinf(cases()[name][1]), len(ACTIVATIONS)))


def words_of(command: str) -> list[str]:
    words = command.split()
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed")
    if platform.machine() != "x86_64" and any(word in ("-m32", "-mfpmath=387") for word in words):
        pytest.skip("x87 is x86's")
    return words


def outputs(command: str, folder: Path) -> Iterator[tuple[str, Array, Expected]]:
    """(name, what C gave, what it should) of every case."""
    words = words_of(command)
    if "-m32" in words and subprocess.run(
        [*words, "-x", "c", "-", "-o", "/dev/null"], input=b"#include <stdio.h>\nint main(void) { return 0; }",
        capture_output=True, check=False,
    ).returncode:  # fmt: skip
        pytest.skip("this compiler has no 32-bit library")
    subprocess.run([*words, "driver.c", "flags.c", "-o", "driver"], cwd=folder, check=True)
    fed = b"".join(rows.tobytes() for _, rows in cases().values())
    given = subprocess.run([folder / "driver"], input=fed, capture_output=True, check=True).stdout
    at = 0
    for name, wanted in expected().items():
        got = np.frombuffer(given, np.float32, wanted.meaning.size, at).reshape(wanted.meaning.shape)
        at += got.nbytes
        yield name, got, wanted
    assert at == len(given)


@pytest.mark.parametrize("command", sorted(EXACT | REORDERED))
def test_flags_change_no_winner_and_hide_no_nan(command, folder):
    # Reordered, exp's argument is reduced in one step: |x| 2^-24 of it is lost, at most 88 * 2^-24.
    near_ulps = ELEMENTARY**2 + (0 if command in EXACT else 88)
    for name, got, wanted in outputs(command, folder):
        message, meaning = f"{command}: {name}", wanted.meaning
        if name == "int8":
            np.testing.assert_array_equal(got, meaning, message)
        elif name != "functions":
            np.testing.assert_array_equal(got.argmax(1), meaning.argmax(1), message)
        wanted.require(np.where(known(name, command, meaning), got, meaning), message, near_ulps)


@pytest.mark.parametrize("command", sorted(REFUSED))
def test_flags_that_take_nan_away_are_refused(command, folder):
    words = [*words_of(command), "-fsyntax-only", "flags.c"]
    refused = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert "add -fno-finite-math-only" in refused.stderr
