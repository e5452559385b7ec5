# SPDX-License-Identifier: Apache-2.0
"""The kernels written for Arm cores, on the emulated core, in every size: their answers are the portable C's."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeling.codegen import generate
from edgeling.codegen.generate import kernel_files
from edgeling.codegen.interface import Interface
from edgeling.codegen.program import Program
from edgeling.graph import run
from edgeling.graph.batch import with_batch
from edgeling.graph.builder import GraphBuilder
from edgeling.graph.integer import softmax_multiplier
from edgeling.graph.types import Array, DType, Graph
from edgeling.targets import get
from edgeling.toolchain import firmware
from edgeling.toolchain.emulator import CortexM
from edgeling.toolchain.prove import prove
from tests.codegen.networks import dense_network
from tests.support.host import write
from tests.support.tiny_programs import port, program

MOST = 40  # inputs and outputs
INTEGERS = {"dtype": DType.INT32}

DENSE = """
#include "edgeling/dense.h"
void dense_run(const int32_t *n, const float *x, const float *kernel, const float *bias, float *y) {
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


def packed() -> Program:
    """An int8 network of odd sizes, for the compilers."""
    rng = np.random.default_rng(0)
    return generate(layers(rng, 2, [35, 7, 16, 9, 4]), "packed", target=get("cortex-m4"))


def stored() -> Program:
    return generate(quantizer(9, 0)[0], "stored", target=get("cortex-m4"))


PROGRAMS = {"dense": dense, "packed": packed, "stored": stored}


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


BOTH = ("cortex-m4", "native")


def require_bits(
    graph: Graph, *inputs: Array, kernel: str, interface: Interface | None = None, targets: Sequence[str] = BOTH
) -> None:
    """The packed C gives the interpreter's bits on the core it was made for, and as portable C on this machine."""
    program = generate(graph, "packed", target=get("cortex-m4"), interface=interface)
    assert f"edgeling_{kernel}(" in program.files["packed.c"]
    expected = [np.stack([run(graph, {"x": x}).outputs[0] for x in inputs])]
    for target in targets:
        assert prove(program, get(target), [np.stack(inputs)], expected, 0).matches, target


def layers(rng: np.random.Generator, rows: int, widths: list[int]) -> Graph:
    """int8 layers of those widths, whose weights, biases, scales and limits are anything the kernel takes."""
    b = GraphBuilder("layers")
    value = b.input("x", (rows, widths[0]), DType.INT8)
    for inputs, outputs in pairwise(widths):
        zero_point = int(rng.integers(-128, 128))
        shift = int(rng.integers(1, 31)) if rng.random() < 0.3 else int(np.ceil(np.log2(inputs))) + 7
        arrays = (
            rng.integers(-127, 128, (outputs, inputs), np.int8), rng.integers(-(2**15), 2**15, outputs, np.int32),
            rng.integers(2**30, 2**31, outputs, np.int32),
            np.maximum(1, shift - rng.integers(0, 3, outputs)).astype(np.int8),
        )  # fmt: skip
        limits = [(-128, 127), (zero_point, 127), (-100, 90)][rng.integers(3)]
        value = b.add("dense_int8", value, *map(b.constant, arrays), zero_point=zero_point, minimum=limits[0],
                      maximum=limits[1])  # fmt: skip
    return b.build([value])


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 2), st.lists(st.integers(1, 50), min_size=5, max_size=5), st.integers(0, 2**32 - 1))
def test_packed_int8_layers_of_any_size(rows, widths, seed):
    rng = np.random.default_rng(seed)
    graph = layers(rng, rows, widths)
    inputs = rng.integers(-128, 128, (6, rows, widths[0]), np.int8)
    inputs[0], inputs[1] = -128, 127
    require_bits(graph, *inputs, kernel="dense_s8_pairs", targets=("cortex-m4",))


@pytest.mark.parametrize(
    "widths", [[1, 1], [4, 4], [8, 2], [16, 3], [32, 5], [700, 6], [3, 4, 7, 8, 12, 16, 17]], ids=str
)
def test_packed_int8_layers_at_their_edges(widths):
    rng = np.random.default_rng(0)
    inputs = rng.integers(-128, 128, (4, 1, widths[0]), np.int8)
    require_bits(layers(rng, 1, widths), *inputs, kernel="dense_s8_pairs")


@pytest.mark.parametrize("widths", [[3, 8, 9, 17, 5], [31, 4, 16, 1], [700, 6]], ids=str)
@pytest.mark.parametrize("rows", [1, 5])
def test_eight_products_at_once_have_the_bits_of_one(rows, widths):
    rng = np.random.default_rng(rows)
    graph, target = layers(rng, rows, widths), get("wasm32-simd128")
    inputs = rng.integers(-128, 128, (4, rows, widths[0]), np.int8)
    inputs[0] = -128
    expected = np.stack([run(graph, {"x": x}).outputs[0] for x in inputs])
    assert prove(generate(graph, "vectors", target=target), target, [inputs], [expected], 0).matches


def test_many_float_rows_with_vectors():
    """On whole numbers, whose sums are exact."""
    graph, target = dense_network("vectors", (9, 21, 6), ("relu", "linear"), softmax=False), get("wasm32-simd128")
    x = np.random.default_rng(0).integers(-9, 10, (3, 8, 9)).astype(np.float32)
    several = with_batch(graph, 8)
    expected = np.stack([run(several, {"x": rows}).outputs[0] for rows in x])
    assert prove(generate(several, "vectors", target=target), target, [x], [expected], 0).matches


@pytest.mark.parametrize(("index", "number"), [(3, 0), (4, 0)])
def test_scales_that_the_packed_layer_cannot_apply_take_the_other(index, number):
    """A multiplier of 0, a shift of 0."""
    b = GraphBuilder("other")
    arrays = [np.ones((2, 3), np.int8), np.ones(2, np.int32), np.full(2, 2**30, np.int32), np.ones(2, np.int8)]
    arrays[index - 1][0] = number
    graph = b.build([b.add("dense_int8", b.input("x", (1, 3), DType.INT8), *map(b.constant, arrays))])
    x = np.array([[1, -2, 3]], np.int8)
    require_bits(graph, x, kernel="dense_s8")


SPECIAL = [np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-45, -1e-45, 0.0, -0.0, 1e6, -1e6, 0.5, 1.5, -0.5, -2.5, 7.0, 1e-9]


def quantizer(columns: int, seed: int) -> tuple[Graph, Array]:
    """A network that stores floats as int8, and rows with halves, ends and numbers of no use among them."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(-12, 14, columns, np.int8)
    zero_point = rng.integers(-300, 300, columns, np.int32)
    zero_point[0] = [16000, -16000][seed % 2]
    b = GraphBuilder("quantizer")
    constants = map(b.constant, (bits, zero_point, rng.integers(-128, 128, columns, np.int8)))
    stored = b.add("quantize", b.input("x", (1, columns)), *constants)
    graph = b.build([b.add("dequantize", stored, scale=0.5, zero_point=3)])
    halves = rng.integers(-700, 700, (40, 1, columns)) / 2 - zero_point
    rows = np.ldexp(halves, -bits.astype(np.int32)).astype(np.float32)
    rows[20:30] = np.nextafter(rows[20:30], np.float32(0))
    rows[30:] *= rng.normal(size=(10, 1, columns)).astype(np.float32)
    return graph, rows


@pytest.mark.parametrize("columns", [1, 3, 4, 5, 11, 16])
def test_floats_are_stored_alike_by_the_float_unit(columns):
    graph, rows = quantizer(columns, columns)
    special = np.resize(np.array(SPECIAL, np.float32), (17, 1, columns))
    finite = special[np.isfinite(special).all(axis=(1, 2))]
    require_bits(graph, *rows, *special, kernel="quantize_float")
    require_bits(graph, *rows, *finite, kernel="quantize_finite", interface=Interface())


@pytest.mark.parametrize("scale", [1.0, 0.1, 0.004])
@pytest.mark.parametrize("classes", [1, 2, 11, 300])
def test_exponentials_of_a_table_have_the_same_bits(classes, scale):
    multiplier, shift, least = softmax_multiplier(scale)
    b = GraphBuilder("softmax")
    x = b.input("x", (2, classes), DType.INT8)
    made = b.add("softmax_int8", x, multiplier=multiplier, left_shift=shift, minimum_difference=least)
    rows = np.random.default_rng(classes).integers(-128, 128, (20, 2, classes), np.int8)
    rows[0], rows[1], rows[2, :, 0] = -128, 127, -128
    require_bits(b.build([made]), *rows, kernel="softmax_s8_table")


GCC = "arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16"
ZIG = f"{sys.executable} -m ziglang cc -target thumb-freestanding-eabihf -mcpu=cortex_m4+vfp4d16sp"
WARNINGS = "-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wdouble-promotion -Werror"


@pytest.mark.parametrize("language", ["c -std=c99", "c++ -std=c++17"])
@pytest.mark.parametrize("compiler", [GCC, ZIG], ids=["gcc", "clang"])
@pytest.mark.parametrize("level", ["-O0", "-O2", "-Os"])
def test_they_compile_without_a_warning(compiler, language, level, tmp_path):
    if shutil.which(compiler.split()[0]) is None:
        pytest.skip(f"{compiler.split()[0]} is not installed")
    ends = generate(quantizer(8, 0)[0], "ends", target=get("cortex-m4"), interface=Interface())
    programs = [*(made() for made in PROGRAMS.values()), ends]
    assert {"edgeling/quantize_float.h", "edgeling/dequantize.h"} <= ends.files.keys()
    write({path: text for program in programs for path, text in program.files.items()}, tmp_path)
    (tmp_path / "all.c").write_text("".join(f'#include "{program.name}.c"\n' for program in programs))
    command = [*compiler.split(), "-x", *language.split(), *WARNINGS.split(), level]
    done = subprocess.run([*command, "-c", "all.c"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
