# SPDX-License-Identifier: Apache-2.0
"""The class that C chooses, by a threshold of its own and by what classes count: the one that Python chooses."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeling.data.decision import Decision
from edgeling.workflow.deploy import Deployable, deployable
from edgeling.workflow.ends import with_integer_ends
from tests.codegen.networks import TUTORIALS
from tests.codegen.test_builds import WARNINGS
from tests.support.host import write

RNG = np.random.default_rng(0)
ROWS = {"diabetes": RNG.normal(size=(200, 8)).astype(np.float32), "iris": RNG.normal(size=(200, 4)).astype(np.float32)}
PRECISIONS = ("float32", "int8", "int16x8", "tiny")  # the last with int8 buffers

DRIVER = """\
#include <stdio.h>
#include "model.h"

int main(void) {
    static model_arena arena;
    float x[MODEL_INPUT_SIZE], y[MODEL_OUTPUT_SIZE];
    while (fread(x, sizeof x, 1, stdin) == 1) {
        printf("%d\\n", model_classify(&arena, x, y));
    }
    return 0;
}
"""
STORED = DRIVER.replace("y[MODEL_OUTPUT_SIZE];", "y[MODEL_OUTPUT_SIZE]; signed char in[MODEL_INPUT_SIZE], "
                        "out[MODEL_OUTPUT_SIZE];").replace(
    'printf("%d\\n", model_classify(&arena, x, y));',
    'y[0] = 0; (void)y; model_quantize(x, in); printf("%d\\n", model_classify(&arena, in, out));',
)  # fmt: skip


def deployed(network: str, precision: str, decision: Decision) -> tuple[Deployable, str]:
    kind = "int8" if precision == "tiny" else precision
    made = deployable("model", TUTORIALS[network], ROWS[network], ROWS[network], [kind])
    assert made.interface
    told = replace(made.interface, threshold=decision.threshold, counts=decision.counts)
    made = replace(made, interface=told)
    return (with_integer_ends(made, "int8") if precision == "tiny" else made), kind


def room(answers: np.ndarray, decision: Decision) -> np.ndarray:
    """How far each row is from being decided otherwise, as a share of what is compared."""
    if not decision.counts:
        return np.abs(answers[:, 0] / decision.threshold - 1)
    ranked = np.sort(answers * np.array(decision.counts, float), axis=1)
    return 1 - ranked[:, -2] / ranked[:, -1]


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(
    ("network", "decision"),
    [("diabetes", Decision(float(np.float32(0.31)))), ("diabetes", Decision(128 / 256)),
     ("diabetes", Decision(float(np.float32(0.007)))), ("iris", Decision(counts=(1000, 32767, 700)))],
    ids=["0.31", "a step of int8", "below a step of int8", "counts"],
)  # fmt: skip
def test_c_chooses_as_python_does(network: str, decision: Decision, precision: str, tmp_path: Path) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    made, kind = deployed(network, precision, decision)
    answers = deployed(network, kind, decision)[0].answers(kind, ROWS[network])[0]
    write({**made.program(kind).files, "main.c": STORED if precision == "tiny" else DRIVER}, tmp_path)
    subprocess.run(["gcc", *WARNINGS, "-O1", "main.c", "model.c", "-o", "driver"], cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "driver"], input=ROWS[network].tobytes(), capture_output=True, check=True)
    said = np.array(done.stdout.split(), int)
    wanted = decision.choose(answers)
    if kind == "float32":  # where a rounding of the answer decides, either is right
        near = room(answers, decision) < 2.0**-18
        said, wanted = said[~near], wanted[~near]
    np.testing.assert_array_equal(said, wanted)
    assert len(set(wanted)) > 1
