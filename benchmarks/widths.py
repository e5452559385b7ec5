# SPDX-License-Identifier: Apache-2.0
"""Six networks from tiny to wide, what their work is, and what this core can do: a share of the peak for every time."""

from __future__ import annotations

import ctypes
import subprocess
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.networks import Layer, tutorial

HIDDEN = (128, 128, 128, 128)
SIZES: dict[str, tuple[int, ...]] = {
    "4-4-3": (4, 4, 3),
    "8-10-1": (8, 10, 1),
    "64-32-10": (64, 32, 10),
    "784-128-10": (784, 128, 10),
    "784-512-512-10": (784, 512, 512, 10),
    "640-128x4-8-128x4-640": (640, *HIDDEN, 8, *HIDDEN, 640),
}
WIDE = ("784-512-512-10", "640-128x4-8-128x4-640")

_PEAK = """\
#include <time.h>
typedef float lanes __attribute__((vector_size(4 * LANES)));
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + 1e-9 * t.tv_nsec; }
/* Independent products and sums, twelve vectors of them: operations of a second, at best of some tries. */
double peak(float *out) {
    lanes sum[12], factor, term;
    double best = 0;
    for (int i = 0; i < LANES; i++) factor[i] = 0.999f, term[i] = 0.01f;
    for (int v = 0; v < 12; v++) sum[v] = term * (float)v;
    for (int tries = 0; tries < 20; tries++) {
        const double start = now();
        for (int turn = 0; turn < 500000; turn++)
#pragma GCC unroll 12
            for (int v = 0; v < 12; v++) sum[v] = sum[v] * factor + term;
        const double rate = 500000.0 * 12 * LANES * 2 / (now() - start);
        if (rate > best) best = rate;
    }
    for (int v = 0; v < 12; v++) *out += sum[v][0];
    return best;
}
"""


def layers_of(name: str, last: str = "linear") -> tuple[Layer, ...]:
    """A network of that name with fixed weights, relu between its layers."""
    sizes = SIZES[name]
    drawn = zip(sizes, tutorial(*sizes, last=last), strict=False)
    return tuple(Layer(layer.kernel / i**0.5, layer.bias, layer.activation) for i, layer in drawn)


def predicting(name: str) -> int:
    """Products and sums of a row's answer."""
    sizes = SIZES[name]
    return 2 * sum(i * o for i, o in pairwise(sizes))


def training(name: str) -> int:
    """Products and sums of a row in a training step: forward, and twice backward, but for the rows' own gradient."""
    return 3 * predicting(name) - 2 * SIZES[name][0] * SIZES[name][1]


@cache
def peak() -> float:
    """Products and sums a second of one core, of fused multiply-adds that wait for nothing."""
    from edgeling.toolchain.compilers import host_compiler
    from edgeling.toolchain.processor import architecture_flag

    with TemporaryDirectory() as folder:
        Path(folder, "peak.c").write_text('#include "lanes.h"\n' + _PEAK, "utf-8")
        Path(folder, "lanes.h").write_text(_LANES, "utf-8")
        compiler = host_compiler()
        flags = ["-std=gnu99", "-O2", "-ffp-contract=fast", architecture_flag(compiler.is_zig), "-fPIC", "-shared"]
        subprocess.run([*compiler.command, *flags, "peak.c", "-o", "peak.so"], cwd=folder, check=True)
        measure = ctypes.CDLL(str(Path(folder, "peak.so"))).peak
        measure.restype, out = ctypes.c_double, ctypes.c_float()
        return float(measure(ctypes.byref(out)))


_LANES = """\
#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX__)
#define LANES 8
#else
#define LANES 4
#endif
"""
