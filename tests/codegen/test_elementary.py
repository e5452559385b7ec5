# SPDX-License-Identifier: Apache-2.0
"""The elementary functions against float64, over all of float32, and their promises in the headers."""

from __future__ import annotations

import ctypes
import math
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgeling.codegen.generate import kernel_text
from edgeling.graph.types import Array

ERF = np.frompyfunc(math.erf, 1, 1)
REFERENCES = {
    "exp": np.exp,
    "exp_below": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "erf": lambda x: ERF(x).astype(np.float64),
    "sqrt": np.sqrt,
    "sine": np.sin,
    "cosine": np.cos,
    "arctan": np.arctan,
}
HEADERS = ("elementary", "trigonometry")
SOURCE = '#include "trigonometry.h"\n' + "".join(
    f"void all_{name}(int size, const float *x, float *y);\n"
    f"void all_{name}(int size, const float *x, float *y) {{\n"
    f"    for (int i = 0; i < size; i++) y[i] = edgeling_{name}(x[i]);\n}}\n"
    for name in REFERENCES
)
BUILDS = {
    "as here": ["-O3", "-march=native", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math"],
    "plain": ["-O2", "-ffp-contract=off"],
}
SMALLEST = 2.0**-126


@pytest.fixture(scope="module", params=list(BUILDS))
def functions(request, tmp_path_factory) -> ctypes.CDLL:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    folder: Path = tmp_path_factory.mktemp("elementary")
    for header in ("common", "flash", "turn", *HEADERS):
        (folder / f"{header}.h").write_text(kernel_text(header), "utf-8")
    (folder / "all.c").write_text(SOURCE, "utf-8")
    command = ["gcc", "-std=c99", *BUILDS[request.param], "-shared", "-fPIC", "all.c", "-o", "all.so"]
    subprocess.run(command, cwd=folder, check=True)
    return ctypes.CDLL(str(folder / "all.so"))


def values(name: str) -> Array:
    """Every 2003rd float32 of all there are, and closely where it matters."""
    spread = np.arange(0, 2**32, 2003, dtype=np.uint64).astype(np.uint32).view(np.float32)
    near = np.linspace(-100, 100, 300_001).astype(np.float32)
    close = np.linspace(-2, 2, 300_001).astype(np.float32)
    x = np.concatenate([spread, near, close, np.array([0.0, -0.0, np.inf, -np.inf, np.nan], np.float32)])
    return x[~outside(name, x)]


def outside(name: str, x: Array) -> Array:
    """What a function is not made for."""
    return {"log1p": (x < 0) | (x > 1), "expm1": x > 0, "exp_below": x > 0}.get(name, np.zeros(x.shape, bool))


def applied(functions: ctypes.CDLL, name: str, x: Array) -> Array:
    y = np.empty_like(x)
    pointers = (ctypes.c_void_p(a.ctypes.data) for a in (x, y))
    functions[f"all_{name}"](x.size, *pointers)
    return y


def promised_ulp(name: str) -> float:
    """The figure in the header's table."""
    found = re.search(rf"edgeling_{name} +([0-9.]+) ulp", "".join(map(kernel_text, HEADERS)))
    assert found
    return float(found[1])


@pytest.mark.parametrize("name", REFERENCES)
def test_error_stays_within_what_the_header_says(functions, name):
    x = values(name)
    y = applied(functions, name, x)
    with np.errstate(all="ignore"):
        exact = REFERENCES[name](x.astype(np.float64))
        rounded = exact.astype(np.float32)
    counted = np.isfinite(rounded) & (np.abs(exact) >= SMALLEST)
    if name == "sqrt":
        counted &= np.abs(x) >= SMALLEST
    error = np.abs(y[counted] - exact[counted]) / np.spacing(np.abs(rounded[counted]))
    assert error.max() <= promised_ulp(name), x[counted][error.argmax()]
    tiny = np.isfinite(rounded) & ~counted & (np.abs(exact) < SMALLEST)
    assert np.all(np.abs(y[tiny] - exact[tiny]) <= SMALLEST)


@pytest.mark.parametrize("name", REFERENCES)
def test_nan_and_infinity_come_out_where_they_should(functions, name):
    x = values(name)
    y = applied(functions, name, x)
    with np.errstate(all="ignore"):
        rounded = REFERENCES[name](x.astype(np.float64)).astype(np.float32)
    np.testing.assert_array_equal(np.isnan(y), np.isnan(rounded))
    np.testing.assert_array_equal(np.where(np.isinf(y), y, 0), np.where(np.isinf(rounded), rounded, 0))


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_fast_math_is_refused(tmp_path):
    for header in ("common", "elementary"):
        (tmp_path / f"{header}.h").write_text(kernel_text(header), "utf-8")
    command = ["gcc", "-std=c99", "-fsyntax-only", "-x", "c", "elementary.h"]
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 0
    refused = subprocess.run([*command, "-ffast-math"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert "without -ffast-math" in refused.stderr
