# SPDX-License-Identifier: Apache-2.0
"""A drill: an operation is added to a copy of the package, in as few places as it takes, and goes all the way."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from filecmp import dircmp
from pathlib import Path

import pytest

import edgeling

PACKAGE = Path(edgeling.__file__).parent
KERNEL = """\
/* SPDX-License-Identifier: Apache-2.0 */
/* y = x * x * x, element by element. */
#ifndef EDGELING_CUBE_H
#define EDGELING_CUBE_H

#include "common.h"

EDGELING_KERNEL void edgeling_cube(int size, const float *x, float *y) {
    for (int i = 0; i < size; i++) y[i] = x[i] * x[i] * x[i];
}

#endif
"""

# File -> the row after which the new one stands, and the new one.
PLACES = {
    "graph/operations.py": ('    "square": Operation("x * x", 1),\n', '    "cube": Operation("x * x * x", 1),\n'),
    "graph/type_rules.py": ('    "clip": _clip,\n', '    "cube": _same,\n'),
    "graph/meaning.py": ('    "square": lambda _, x: x * x,\n', '    "cube": lambda _, x: x * x * x,\n'),
    "passes/differentiate.py": (
        '    "square": _square,\n',
        '    "cube": lambda b, node, dy: [b.add("multiply", dy, b.add("multiply", b.constant(3.0, "three"),'
        ' b.add("square", *node.inputs)))],\n',
    ),
    "codegen/calls.py": (
        '    "square": Call("elementwise", _elementwise("square"), in_place=(0,)),\n',
        '    "cube": Call("cube", _elementwise("cube"), in_place=(0,)),\n',
    ),
    "codegen/kernels/cube.h": ("", KERNEL),
}

ALL_THE_WAY = """
import numpy as np
from edgeling import targets
from edgeling.codegen import generate
from edgeling.errors import UnsupportedError
from edgeling.graph import GraphBuilder, run, run_rows
from edgeling.graph.cost import cost
from edgeling.graph.printer import to_text
from edgeling.graph.serialize import from_json, to_json
from edgeling.passes import differentiate, optimize
from edgeling.passes.quantize import quantize
from edgeling.toolchain.native import load
from edgeling.toolchain.prove import prove

def graph(weights):
    b = GraphBuilder("net")
    x, w, bias = b.input("x", (1, 2)), weights(b), b.constant(np.zeros(2), "bias")
    return b.build([b.add("cube", b.add("dense", x, w, bias), name="y")])

W = np.float32([[1, -2], [0.5, 3]])
frozen = optimize(graph(lambda b: b.constant(W, "w")))
x = np.float32([[1, 2], [-3, 0.25], [0.5, 0]])
meant = (x @ W) ** 3
assert np.array_equal(run_rows(frozen, x)[0], meant)
assert "cube(" in to_text(from_json(*to_json(frozen))) and cost(frozen).elementary == 2

program = generate(frozen, "net")
(out,) = [np.empty((3, 2), np.float32)]
load(program).rows("net_run")(x, out)
assert np.array_equal(out, meant)
assert prove(program, targets.get("cortex-m4"), [x], [meant], tolerance=0).matches

b = GraphBuilder("loss")
v = b.variable(np.float32([1, 2, -3]), "v")
loss = b.add("reshape", b.add("sum", b.add("cube", v), axes=(0,)), shape=())
(_, gradient) = run(differentiate(b.build([loss]), loss, ["v"]), {}).outputs
assert np.array_equal(gradient, [3, 12, 27])

try:
    quantize(frozen, x)
    raise SystemExit("quantised")
except UnsupportedError as error:
    assert "cube" in str(error), error
"""


def _add(copy: Path, places: dict[str, tuple[str, str]]) -> None:
    for path, (before, row) in places.items():
        text = (copy / path).read_text() if before else ""
        assert text.count(before) == 1 or not before, f"{path} has no row to stand after"
        (copy / path).write_text(text.replace(before, before + row) if before else row)


def _run(copy: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(copy.parent)}
    return subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def _changed(compared: dircmp[str], at: str = "") -> list[str]:
    below = [place for name, sub in compared.subdirs.items() for place in _changed(sub, f"{at}{name}/")]
    return [f"{at}{name}" for name in (*compared.diff_files, *compared.left_only)] + below


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(PACKAGE, tmp_path / "edgeling", ignore=ignored))


def test_an_operation_is_added_in_six_places_and_goes_all_the_way(copy: Path) -> None:
    _add(copy, PLACES)
    places = _changed(dircmp(copy, PACKAGE, ignore=["__pycache__"]))
    print("To add an operation:", *sorted(places), sep="\n    ")
    assert sorted(places) == sorted(PLACES)
    assert len(places) <= 6
    done = _run(copy, "-c", ALL_THE_WAY)
    assert done.returncode == 0, done.stderr
    tables = _run(
        copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(Path(__file__).parent / "graph/test_tables.py")
    )
    assert tables.returncode == 0, tables.stdout


@pytest.mark.parametrize("left_out", sorted(PLACES))
def test_each_of_the_places_is_needed(copy: Path, left_out: str) -> None:
    _add(copy, {path: row for path, row in PLACES.items() if path != left_out})
    done = _run(copy, "-c", ALL_THE_WAY)
    assert done.returncode != 0
    assert "cube" in done.stderr
