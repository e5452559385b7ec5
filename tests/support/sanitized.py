# SPDX-License-Identifier: Apache-2.0
"""Runs the C of graphs under the address and undefined-behaviour sanitizers, in a process of its own.

Everything a graph is given lies in memory of exactly its size: each input, each output, and an arena as large as that
graph alone asks for. One byte read or written beside any of them ends the process.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from edgeling.codegen import generate
from edgeling.graph.types import Array, Graph

FLAGS = ("-std=c99", "-O0", "-fno-strict-aliasing", "-fno-sanitize-recover=all")
SANITIZERS = "-fsanitize=address,undefined,float-cast-overflow"
_MAIN = """\
#include <stdio.h>
#include <stdlib.h>
#include "cases.h"

static void *filled(FILE *file, size_t bytes) {
    void *memory = malloc(bytes);
    if (!memory || fread(memory, 1, bytes, file) != bytes) {
        exit(77);
    }
    return memory;
}

int main(void) {
    FILE *file = fopen("inputs.bin", "rb");
    if (!file) {
        return 77;
    }
"""


@cache
def missing() -> str:
    """Why graphs cannot be run like this here; empty where they can."""
    compiler = shutil.which("gcc")
    if compiler is None:
        return "no gcc"
    with TemporaryDirectory() as folder:
        source = Path(folder, "a.c")
        source.write_text("int main(void) { return 0; }\n")
        built = subprocess.run([compiler, SANITIZERS, "a.c"], cwd=folder, capture_output=True, check=False)
        ran = built.returncode == 0 and subprocess.run([f"{folder}/a.out"], check=False).returncode == 0
    return "" if ran else "gcc has no sanitizers"


def run_sanitized(graphs: Sequence[Graph], folder: Path, seed: int = 0) -> None:
    """Run every graph (none with variables) once on random bytes; AssertionError with the sanitizer's report."""
    program = generate({f"c{i}": graph for i, graph in enumerate(graphs)}, "cases")
    for name, text in program.files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    inputs = [any_values(graph.types[i], seed + n) for n, graph in enumerate(graphs) for i in graph.inputs]
    (folder / "inputs.bin").write_bytes(b"".join(array.tobytes() for array in inputs))
    calls = "".join(_call(index, graph) for index, graph in enumerate(graphs))
    (folder / "main.c").write_text(f"{_MAIN}{calls}    return 0;\n}}\n")
    _succeed(["gcc", *FLAGS, SANITIZERS, "-I.", "main.c", "cases.c", "-o", "cases"], folder)
    _succeed([str(folder / "cases")], folder)


def _call(index: int, graph: Graph) -> str:
    alone = generate(graph, "alone")
    arena = [f"malloc({alone.arena_bytes})"] if alone.arena_bytes else []
    pointers = [f"filled(file, {graph.types[i].bytes})" for i in graph.inputs]
    pointers += [f"malloc({graph.types[o].bytes})" for o in graph.outputs]
    memory = ", ".join([*arena, *pointers])
    names = ", ".join(f"p[{i}]" for i in range(len(arena) + len(pointers)))
    frees = f"for (int i = 0; i < {len(arena) + len(pointers)}; i++) free(p[i]);"
    heading = f'fprintf(stderr, "case {index}: {graph.name}\\n");'
    return f"    {{ {heading} void *p[] = {{{memory}}}; cases_c{index}({names}); {frees} }}\n"


def any_values(kind, seed: int) -> Array:
    """Values of a type that a caller may hand over: every bit pattern of integers; of floats also NaN and infinity."""
    dice = np.random.default_rng(seed)
    if kind.dtype.numpy.kind != "f":
        return dice.integers(0, 256, kind.bytes, np.uint8).view(kind.dtype.numpy).reshape(kind.shape)
    values = dice.normal(size=kind.shape).astype(np.float32)
    odd = dice.choice(np.array([np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-42, -0.0, 0], np.float32), kind.shape)
    return np.where(dice.random(kind.shape) < 0.3, odd, values).astype(np.float32)


def _succeed(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stderr[-4000:]}"
