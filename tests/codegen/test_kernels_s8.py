# SPDX-License-Identifier: Apache-2.0
"""The int8 kernels in C against their meaning in NumPy, bit for bit, under the sanitizers and both compilers."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import edgeling
from edgeling.graph import fixed_point, integer
from edgeling.graph.integer_tables import Affine, logistic_table

KERNELS = Path(edgeling.__file__).parent / "codegen" / "kernels"
DRIVER = Path(__file__).parents[1] / "support" / "kernels_s8.c"
WARNINGS = ["-std=c99", "-O1", "-g", "-Wall", "-Wextra", "-Wconversion", "-Wpedantic", "-Werror"]
SMALL_CORE = ["-DEDGELING_NO_LONG_MULTIPLY", "-DEDGELING_SOFT_FLOAT"]
SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
CLANG = [sys.executable, "-m", "ziglang", "cc", "-fsanitize=undefined", "-fno-sanitize-recover=all"]
BUILDS = {
    "cc": ["cc", *SANITIZERS],
    "cc, as a core without long multiply and float": ["cc", *SANITIZERS, *SMALL_CORE],
    "clang": CLANG,
    "clang, as a core without long multiply and float": [*CLANG, *SMALL_CORE],
}

Kernel = Callable[..., bytes]


@pytest.fixture(scope="module", params=list(BUILDS))
def kernel(request, tmp_path_factory) -> Kernel:
    compiler = BUILDS[request.param]
    if shutil.which(compiler[0]) is None:
        pytest.skip(f"{compiler[0]} is not installed")
    program = tmp_path_factory.mktemp("kernels") / "kernels_s8"
    subprocess.run([*compiler, *WARNINGS, f"-I{KERNELS}", str(DRIVER), "-o", str(program)], check=True)

    def call(name: str, numbers: list[int], *buffers: np.ndarray) -> bytes:
        given = b"".join(np.ascontiguousarray(b).tobytes() for b in buffers)
        arguments = [str(program), name, *(str(int(i)) for i in numbers)]
        result = subprocess.run(arguments, input=given, capture_output=True, check=False)
        assert result.returncode == 0, result.stderr.decode()
        return result.stdout

    return call


def assert_same(got: bytes, expected: np.ndarray) -> None:
    np.testing.assert_array_equal(np.frombuffer(got, expected.dtype), expected.ravel())


def test_requantisation(kernel):
    rng = np.random.default_rng(0)
    ends = np.array([-(2**31), -(2**31) + 1, -65536, -1, 0, 1, 65535, 65536, 2**31 - 1], np.int32)
    a = np.concatenate([np.repeat(ends, 9), rng.integers(-(2**31), 2**31, 5000, dtype=np.int32)])
    b = np.concatenate([np.tile(ends, 9), rng.integers(-(2**31), 2**31, 5000, dtype=np.int32)])
    legal = ~((a == -(2**31)) & (b <= -(2**31) + 1)) & ~((b == -(2**31)) & (a <= -(2**31) + 1))
    a, b = a[legal], b[legal]
    high = fixed_point.multiply_high(a, b)
    for shift in (0, 2, 7, 23, 31):
        expected = fixed_point.divide_by_power_of_two(high, shift).astype(np.int32)
        fits = (high > -(2**31)) | (shift == 0)
        assert_same(kernel("multiply", [fits.sum(), shift], a[fits], b[fits]), expected[fits])


@pytest.mark.parametrize("seed", range(12))
def test_dense(kernel, seed):
    rng = np.random.default_rng(seed)
    batch, n_in, n_out = (int(rng.integers(1, high)) for high in (4, 70, 30))
    limits = [(-128, 127), (-100, 127), (-20, 90)][seed % 3]
    x = rng.integers(-128, 128, (batch, n_in), dtype=np.int8)
    weights = rng.integers(-127, 128, (n_out, n_in), dtype=np.int8)
    bias = rng.integers(-(2**16), 2**16, n_out, dtype=np.int32)
    multiplier = rng.integers(2**30, 2**31, n_out, dtype=np.int32)
    right_shift = rng.integers(4, 14, n_out, dtype=np.int8)
    if seed == 0:  # the extremes
        x[:], weights[:] = -128, -127
        bias[:] = 2**31 - 1 - 128 * 127 * n_in
        right_shift[:] = 23
    expected = integer.dense(
        x, weights, bias, multiplier, -right_shift, output_zero_point=-7, minimum=limits[0], maximum=limits[1]
    )
    numbers = [batch, n_in, n_out, -7, *limits]
    assert_same(kernel("dense", numbers, x, weights, bias, multiplier, right_shift), expected)


@pytest.mark.parametrize("scale", [1e-3, 0.02, 0.1, 0.7, 40.0])
def test_softmax(kernel, scale):
    rng = np.random.default_rng(1)
    parameters = integer.softmax_multiplier(scale)
    for classes in (1, 2, 3, 10, integer.MAXIMUM_CLASSES):
        x = rng.integers(-128, 128, (20, classes), dtype=np.int8)
        x[0] = 127
        assert_same(kernel("softmax", [20, classes, *parameters], x), integer.softmax(x, *parameters))


def test_softmax_of_every_pair(kernel):
    pairs = np.stack(np.meshgrid(np.arange(-128, 128), [-128, -3, 127]), axis=-1).reshape(-1, 2).astype(np.int8)
    parameters = integer.softmax_multiplier(0.05)
    assert_same(kernel("softmax", [len(pairs), 2, *parameters], pairs), integer.softmax(pairs, *parameters))


def test_lookup(kernel):
    x = np.arange(-128, 128, dtype=np.int8)
    table = logistic_table(Affine(0.05, 3))
    assert_same(kernel("lookup", [256], x, table), integer.lookup(x, table))


def test_quantize(kernel):
    rng = np.random.default_rng(2)
    fraction_bits = np.array([-100, -30, -3, 0, 1, 7, 24, 100], np.int8)
    zero_point = np.array([-(2**22), 2**22, -128, 0, 127, 300, -5000, 1], np.int32)
    missing = rng.integers(-128, 128, 8, dtype=np.int8)
    scale = np.ldexp(np.float32(1), -fraction_bits.astype(np.int32))
    steps = np.concatenate([rng.normal(0, 99, (400, 8)), rng.integers(-200, 200, (400, 8)) + 0.5])
    with np.errstate(over="ignore"):
        near = ((steps - zero_point) * scale).astype(np.float32)
    odd = np.array([np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-38, 3.4e38, -3.4e38], np.float32)
    bits = rng.integers(0, 2**32, (400, 8), dtype=np.uint32).view(np.float32)
    x = np.concatenate([near, np.nextafter(near, np.float32(0)), np.repeat(odd[:, None], 8, axis=1), bits])
    expected = integer.quantize(x, scale, zero_point, missing)
    assert len(np.unique(expected)) == 256
    assert_same(kernel("quantize", [len(x), 8], x, fraction_bits, zero_point, missing), expected)


@pytest.mark.parametrize("scale", [2.0**-100, 1 / 256, 0.75, 1.0, 7.0, 2.0**99])
@pytest.mark.parametrize("zero_point", [-(2**20), -20000, -128, 0, 127, 3000, 2**20])
def test_dequantize(kernel, scale, zero_point):
    x = np.arange(-128, 128, dtype=np.int8)
    expected = integer.dequantize(x, scale, zero_point)
    numbers = *integer.split_scale(scale, zero_point), zero_point
    assert_same(kernel("dequantize", [256, *numbers], x), expected)
