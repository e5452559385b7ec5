# SPDX-License-Identifier: Apache-2.0
"""One machine stands for several: code for other processors than the one at hand."""

from __future__ import annotations

import platform

import numpy as np
import pytest

from edgeling.codegen import generate
from edgeling.errors import ToolchainError
from edgeling.graph import GraphBuilder, run
from edgeling.toolchain import processor
from edgeling.toolchain.library import compile_program
from edgeling.toolchain.native import load

X86 = pytest.mark.skipif(platform.machine().lower() not in {"x86_64", "amd64"}, reason="levels of x86-64")


def wide_product():
    b = GraphBuilder("wide")
    x, w = b.input("x", (4, 32)), b.constant(np.linspace(-1, 1, 32 * 40).reshape(32, 40), "w")
    return b.build([b.add("matmul", x, w)])


@X86
@pytest.mark.parametrize("compiler", ["", "zig"])
def test_each_level_is_other_code_with_the_same_meaning(monkeypatch: pytest.MonkeyPatch, compiler: str) -> None:
    monkeypatch.setenv("EDGELING_CC", compiler)
    graph = wide_product()
    x = np.random.default_rng(0).normal(size=(4, 32)).astype(np.float32)
    exact = run(graph, [x], float64=True).outputs[0]
    magnitude = np.abs(x.astype(np.float64)) @ np.abs(graph.constants["w"].astype(np.float64))
    found = set()
    for level in ("x86-64-v2", "x86-64-v3", "x86-64-v4"):
        if processor.missing_features(level):
            continue
        monkeypatch.setenv("EDGELING_MARCH", level)
        program = generate(graph, "wide")
        found.add(compile_program(program))
        y = np.zeros((4, 40), np.float32)
        load(program).function("wide_run")(x, y)
        assert np.all(np.abs(y - exact) <= 32 * 2.0**-24 * magnitude)  # 32 products, each summed with one rounding
    assert len(found) == sum(not processor.missing_features(f"x86-64-v{n}") for n in (2, 3, 4))


@X86
def test_code_that_this_processor_cannot_run_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor, "cpu_identity", lambda: "flags : cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3 avx")
    monkeypatch.setenv("EDGELING_MARCH", "x86-64-v2")
    assert processor.architecture_flag(False) == "-march=x86-64-v2"
    assert processor.architecture_flag(True) == "-march=x86_64_v2"
    monkeypatch.setenv("EDGELING_MARCH", "x86-64-v3")
    with pytest.raises(ToolchainError, match="without avx2, bmi1"):
        processor.architecture_flag(False)


@pytest.mark.parametrize("chosen", ["x86-64-v3 -O0", "$(id)", "-v", "native;"])
def test_a_name_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, chosen: str) -> None:
    monkeypatch.setenv("EDGELING_MARCH", chosen)
    with pytest.raises(ToolchainError, match="names an architecture"):
        processor.architecture_flag(False)
