# SPDX-License-Identifier: Apache-2.0
"""The C against MISRA C:2012 as cppcheck's addon reads it: what it reports stands in docs/misra.md, with a reason."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeling.codegen import Program, generate
from edgeling.graph import GraphBuilder
from edgeling.targets import get
from edgeling.workflow.deploy import deployable
from edgeling.workflow.ends import with_golden, with_integer_ends
from edgeling.workflow.explained import with_explanation
from tests.codegen.networks import TUTORIALS
from tests.codegen.test_flags import FEATURES, network
from tests.codegen.test_learning_c import variants
from tests.codegen.test_training import step_case
from tests.codegen.test_weights_and_arena import learner
from tests.support.host import write

SHEET = (Path(__file__).parents[2] / "docs" / "misra.md").read_text("utf-8")
COMMAND = ["cppcheck", "-q", "--addon=misra", "--std=c99", "--platform=unix32", "--enable=style", "-I."]
CORES = (  # those whose code differs most; every combination of what the C asks for takes four times as long
    [],
    ["-DEDGELING_DUAL_MULTIPLY=1", "-D__thumb2__=1", "-D__ARM_FP=4"],
    ["-D__AVR__=1"],
)
ADVISORY = {  # MISRA C:2012, appendix A
    "1.2", "2.3", "2.4", "2.5", "2.6", "2.7", "4.2", "5.9", "8.7", "8.9", "8.11", "8.13", "10.5", "11.4", "11.5",
    "12.1", "12.3", "12.4", "13.3", "13.4", "15.1", "15.4", "15.5", "17.5", "17.8", "18.4", "18.5", "19.2", "20.1",
    "20.5", "20.10", "21.12",
}  # fmt: skip


def deployed() -> list[Program]:
    """Every precision, classes by the largest and by a threshold, int8 buffers, several ports, self-tests."""
    rows = np.random.default_rng(0).normal(size=(60, FEATURES)).astype(np.float32)
    wide = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    made = [(deployable(f"net_{p}", network(), rows, rows, [p]), p) for p in ("float32", "int8", "int16x8")]
    for at in (0, 1):  # classes that count otherwise than by their probability
        item, precision = made[at]
        classes = item.graphs[precision].types[item.graphs[precision].outputs[0]].size
        assert item.interface
        told = replace(item.interface, counts=tuple(range(1, 1 + classes)))
        made[at] = replace(item, interface=told, programs={}), precision
    small = deployable("small", TUTORIALS["diabetes"], wide, wide, ["float32", "int8"])
    made.append((with_integer_ends(small, "int8"), "int8"))
    made.append((small.named("packed").for_target(get("cortex-m4")), "int8"))
    b = GraphBuilder("ports")
    x, y = b.input("x", (1, 3)), b.input("y", (1, 2))
    several = b.build([b.add("concatenate", x, y, name="both"), b.add("square", y, name="squared")])
    made.append((deployable("ports", several, (wide[:, :3], wide[:, 3:5]), None, ["float32"]), "float32"))
    plain = deployable("why", network(), rows, rows, ["float32"])
    explained = [with_explanation(plain, "float32", method, rows[:2]) for method in ("integrated", "shapley")]
    golden = [with_golden(item, precision).program(precision) for item, precision in made]
    return [*golden, *(item.named(f"why_{i}").program("float32") for i, item in enumerate(explained))]


def training() -> list[Program]:
    """Whole steps, steps in two, what keeps state, and networks that go on learning."""
    step = generate({"step": step_case("large", "clipped momentum with decay").graph}, "training")
    rows = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    b = GraphBuilder("totals")
    total, x = b.variable([[0.5, 1.0]], "total"), b.input("x", (1, 2))
    b.update("total", b.add("add", total, x, name="sum"))
    kept = with_golden(deployable("totals", b.build(["sum"]), rows, None, ["float32"]), "float32")
    return [step, learner(), kept.program("float32"), *(program for _, program in variants().values())]


def reported(programs: list[Program], folder: Path) -> set[str]:
    """The required and mandatory rules that are departed from, in all programs as one unit."""
    for program in programs:
        write(dict(program.files), folder)
    (folder / "all.c").write_text("".join(f'#include "{program.name}.c"\n' for program in programs))
    found: set[str] = set()
    for core in CORES:
        command = [*COMMAND, "-D__GNUC__=12", *core, "all.c"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        assert "misra-c2012-15.5" in done.stderr, "the addon runs"
        found.update(re.findall(r"misra-c2012-([0-9.]+)\]", done.stderr))
    return found - ADVISORY


def deviations(title: str) -> set[str]:
    """The rules in the sheet's table under a title."""
    part = SHEET.split(f"## {title}\n")[1].split("\n## ")[0]
    return set(re.findall(r"^\| (\d+\.\d+) \|", part, re.MULTILINE))


@pytest.mark.skipif(shutil.which("cppcheck") is None, reason="cppcheck is not installed")
@pytest.mark.parametrize("part", ["Deployed networks", "Training steps"])
def test_what_is_departed_from_stands_in_the_sheet(part, tmp_path):
    found = reported(deployed() if part == "Deployed networks" else training(), tmp_path)
    known = deviations("Deployed networks") | (deviations(part))
    assert found <= known
    version = subprocess.run(["cppcheck", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    if part == "Deployed networks" and f"cppcheck {version}" in SHEET:
        assert found == known, "a deviation that is none any more"
