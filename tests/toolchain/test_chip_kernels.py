# SPDX-License-Identifier: Apache-2.0
"""The kernels written for Arm cores, on the emulated core, in every size: their answers are the portable C's."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeling.codegen.generate import kernel_files
from edgeling.codegen.program import Program
from edgeling.graph.types import DType
from edgeling.targets import get
from edgeling.toolchain import firmware
from edgeling.toolchain.emulator import CortexM
from tests.codegen.test_builds import write
from tests.support.tiny_programs import port, program

MOST = 40  # inputs and outputs
INTEGERS = {"dtype": DType.INT32}

DENSE = """
#include "edgeling/dense.h"
void dense_run(dense_state *state, const int32_t *n, const float *x, const float *kernel, const float *bias, float *y) {
    (void)state;
    edgeling_dense(n[0], n[1], n[2], EDGELING_RELU, 0.0f, x, kernel, bias, y);
}
"""


def dense() -> Program:
    """A float layer whose sizes are arguments: rows, inputs, outputs."""
    sizes = port("n", 3, **INTEGERS), port("x", 2 * MOST), port("kernel", MOST * MOST), port("bias", MOST)
    made = program("dense", DENSE, sizes, (port("y", 2 * MOST),))
    return with_kernels(made, "dense")


def with_kernels(made: Program, *headers: str) -> Program:
    return Program(**{**vars(made), "files": {**made.files, **kernel_files({"common", *headers})}})


PROGRAMS = {"dense": dense}


@cache
def chip(name: str) -> CortexM:
    return CortexM(firmware.build(PROGRAMS[name](), get("cortex-m4")))


def padded(array: np.ndarray, size: int) -> np.ndarray:
    whole = np.zeros((1, size), array.dtype)
    whole[0, : array.size] = array.ravel()
    return whole


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 2), st.integers(1, MOST), st.integers(1, MOST), st.integers(0, 2**32 - 1))
def test_a_float_layer_of_any_size(rows, inputs, outputs, seed):
    """On whole numbers, whose sums are exact whatever is fused."""
    rng = np.random.default_rng(seed)
    x, kernel, bias = (
        rng.integers(-9, 10, shape).astype(np.float32) for shape in ((rows, inputs), (inputs, outputs), (outputs,))
    )
    sizes = np.array([[rows, inputs, outputs]], np.int32)
    buffers = padded(x, 2 * MOST), padded(kernel, MOST * MOST), padded(bias, MOST)
    (y,) = chip("dense").run([sizes, *buffers]).outputs
    np.testing.assert_array_equal(y.ravel()[: rows * outputs], np.maximum(x @ kernel + bias, 0).ravel())


GCC = "arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16"
ZIG = f"{sys.executable} -m ziglang cc -target thumb-freestanding-eabihf -mcpu=cortex_m4+vfp4d16sp"
WARNINGS = "-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wdouble-promotion -Werror"


@pytest.mark.parametrize("language", ["c -std=c99", "c++ -std=c++17"])
@pytest.mark.parametrize("compiler", [GCC, ZIG], ids=["gcc", "clang"])
@pytest.mark.parametrize("level", ["-O0", "-O2", "-Os"])
def test_they_compile_without_a_warning(compiler, language, level, tmp_path):
    if shutil.which(compiler.split()[0]) is None:
        pytest.skip(f"{compiler.split()[0]} is not installed")
    files = {path: text for made in PROGRAMS.values() for path, text in made().files.items()}
    write(files, tmp_path)
    (tmp_path / "all.c").write_text("".join(f'#include "{name}.c"\n' for name in PROGRAMS))
    command = [*compiler.split(), "-x", *language.split(), *WARNINGS.split(), level]
    done = subprocess.run([*command, "-c", "all.c"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
