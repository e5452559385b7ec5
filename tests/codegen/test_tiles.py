# SPDX-License-Identifier: Apache-2.0
"""Tiles in assembler give the bits of those in C: products and convolutions of every height and width of a tile."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from edgeling.codegen.generate import kernel_files
from edgeling.toolchain.compilers import FREESTANDING, host_compiler, write_sources
from edgeling.toolchain.processor import architecture_flag

_DRIVER = r"""
#include <stdio.h>
#include "edgeling/gemm.h"
#include "edgeling/conv_direct_input.h"
#include "edgeling/conv_direct_kernel.h"
static float a[1 << 14], b[1 << 14], start[64], scratch[1 << 15], y[1 << 14];
static uint32_t state;
static void draw(float *to, int count) {
    for (int i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        to[i] = (float)(int32_t)state / 2147483648.0f;
    }
}
static void show(const char *what, int m, int n) { /* and whatever lies behind */
    uint32_t hash = 2166136261u;
    for (int i = 0; i < 1 << 14; i++) {
        hash = (hash ^ edgeling_bits_of(y[i])) * 16777619u;
        y[i] = 0.0f;
    }
    printf("%s %d %d %08x\n", what, m, n, (unsigned)hash);
}
int main(void) {
    static const int widths[] = {1, 3, 4, 7, 8, 12, 16, 19, 24, 32, 37};
    draw(a, 1 << 14), draw(b, 1 << 14), draw(start, 64);
    for (int m = 1; m <= 26; m++) {
        for (int i = 0; i < 11; i++) {
            const int n = widths[i];
            edgeling_gemm(m, 5, n, m & 1, m >> 1 & 1, scratch, a, b, m & 4 ? start : 0, y);
            show("product", m, n);
            const int image[] = {4, m + 2, 3, 3, m, n, 2, 3, 1, 1, 0, 0, 1, 1, 1};
            edgeling_conv_direct(2, image, -0.5f, 0.5f, scratch, a, b, start, y);
            show("convolution", m, n);
            edgeling_conv_direct_kernel_gradient(2, image, scratch, a, b, y);
            show("gradient of the kernel", m, n);
            const int padded[] = {4, m, n, 4, m, 8, 3, 3, 1, 1, 1, 1, 1, 1, 1};
            edgeling_conv_direct_input_gradient(1, padded, scratch, a, b, y);
            show("gradient of the image", m, n);
        }
    }
#if defined(EDGELING_X86_TILES)
    fputs("in assembler", stderr);
#endif
    return 0;
}
"""


def _said(folder: Path, *flags: str) -> tuple[str, str]:
    compiler = host_compiler()
    usual = (*FREESTANDING, "-ffp-contract=fast", architecture_flag(compiler.is_zig), "-I.")
    command = [*compiler.command, *usual, *flags, "driver.c", "-o", "driver"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    done = subprocess.run([folder / "driver"], check=True, capture_output=True, text=True)
    return done.stdout, done.stderr


def test_tiles_in_assembler_give_the_bits_of_those_in_c(tmp_path: Path) -> None:
    headers = ["gemm", "conv_direct_input", "conv_direct_kernel"]
    write_sources(tmp_path, {**kernel_files(headers), "driver.c": _DRIVER})
    found, how = _said(tmp_path, "-O2")
    if not how:
        pytest.skip("this processor has no fused products, or the compiler no assembler of GCC's")
    expected, _ = _said(tmp_path, "-O2", "-DEDGELING_PORTABLE")
    assert found.splitlines() == expected.splitlines()
