# SPDX-License-Identifier: Apache-2.0
"""Threads: how many, and that work in parts is the work, without a race."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from edgeling.codegen import generate
from edgeling.codegen.generate import kernel_files
from edgeling.codegen.site import SHARED_ELEMENTS
from edgeling.errors import ToolchainError
from edgeling.graph import GraphBuilder
from edgeling.targets import all_targets
from edgeling.toolchain import threads
from edgeling.toolchain.compilers import write_sources
from edgeling.toolchain.library import threads_unit
from edgeling.toolchain.native import THIS_MACHINE, load
from edgeling.toolchain.processor import architecture_flag
from edgeling.toolchain.threads import MOST_THREADS, thread_count

POSIX = pytest.mark.skipif(os.name != "posix", reason="threads are POSIX's")


@POSIX
@pytest.mark.parametrize(
    ("said", "meant"), [("1", 1), (" 3 ", 3), ("16", 16), ("1000", MOST_THREADS), ("0002", 2)]
)  # fmt: skip
def test_the_variable_says_how_many(monkeypatch: pytest.MonkeyPatch, said: str, meant: int) -> None:
    monkeypatch.setenv("EDGELING_THREADS", said)
    assert thread_count() == meant


@pytest.mark.parametrize("said", ["0", "-1", "1.5", "two", "1e3", "²", "1025", "9" * 5000, "1 2", "+1"])
def test_what_is_no_number_of_threads_is_refused(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv("EDGELING_THREADS", said)
    with pytest.raises(ToolchainError, match=r"EDGELING_THREADS is a whole number from 1 to 1024; received .*unset"):
        thread_count()


@POSIX
def test_without_it_there_are_as_many_as_free_cores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    siblings = {0: "0,4", 1: "1", 4: "0,4", 6: "6"}
    for number, text in siblings.items():
        (tmp_path / f"cpu{number}").write_text(f"{text}\n")
    monkeypatch.delenv("EDGELING_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(siblings), raising=False)
    monkeypatch.setattr(threads, "_SIBLINGS", f"{tmp_path}/cpu{{}}")
    monkeypatch.setattr(threads, "_QUOTA", f"{tmp_path}/quota")
    threads._free_cores.cache_clear()
    assert thread_count() == 3
    for quota, meant in [("max 100000", 3), ("150000 100000", 2), ("50000 100000", 1), ("", 3), ("x y z", 3)]:
        (tmp_path / "quota").write_text(quota)
        threads._free_cores.cache_clear()
        assert thread_count() == meant, quota
    threads._free_cores.cache_clear()


def _wide(rows: int) -> GraphBuilder:
    b = GraphBuilder("wide")
    x, w = b.input("x", (rows, 256)), b.input("w", (256, 256))
    h = b.add("activation", b.add("matmul", x, w), function="tanh")
    assert b.type_of(h).size >= SHARED_ELEMENTS
    return b.build([h])


def test_no_program_for_a_device_knows_of_threads() -> None:
    for target in (None, *all_targets()):
        files = generate(_wide(256), "wide", target=target).files
        assert not [name for name, text in files.items() if "parallel" in text or "pthread" in text], target


@cache
def _no_thread_sanitizer() -> str:
    gcc = shutil.which("gcc")
    if gcc is None:
        return "no gcc"
    source = "int main(void) { return 0; }"
    made = subprocess.run([gcc, "-fsanitize=thread", "-xc", "-", "-o", "/dev/null"], input=source.encode(),
                          capture_output=True, check=False)  # fmt: skip
    return "" if made.returncode == 0 else "gcc has no thread sanitizer"


@POSIX
@pytest.mark.skipif(bool(_no_thread_sanitizer()), reason=_no_thread_sanitizer())
def test_parts_are_the_whole_bit_for_bit_and_there_is_no_race(tmp_path: Path) -> None:
    driver = Path(__file__).with_name("threads_driver.c").read_text("utf-8")
    kernels = kernel_files(["gemm_parallel", "update"])
    write_sources(tmp_path, {**threads_unit().files, **kernels, "driver.c": driver})
    flags = ["-std=gnu99", "-O1", "-g", "-fsanitize=thread", "-ffp-contract=fast", architecture_flag(is_zig=False)]
    subprocess.run(
        ["gcc", *flags, "-I.", "driver.c", "threads.c", "-o", "driver", "-lpthread"], cwd=tmp_path, check=True
    )
    done = subprocess.run([tmp_path / "driver"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "same"), done.stderr
    assert "WARNING: ThreadSanitizer" not in done.stderr


@pytest.mark.parametrize("columns", [1, 4, 7, 13, 31, 130])
def test_a_row_of_a_product_has_the_same_bits_however_many_there_are(columns: int) -> None:
    """Tiles of one row and of many fuse products and sums alike."""
    rng = np.random.default_rng(columns)
    x, w = rng.normal(size=(28, 40)).astype(np.float32), rng.normal(size=(40, columns)).astype(np.float32)
    found = {}
    for rows in (4, 5, 7, 13, 16, 27, 28):
        b = GraphBuilder("product")
        b_x = b.input("x", (rows, 40))
        graph = b.build([b.add("matmul", b_x, b.constant(w, "w"))])
        run = load(generate(graph, "product", target=THIS_MACHINE), linked=True).function("product_run")
        found[rows] = np.empty((rows, columns), np.float32)
        run(x[:rows].copy(), found[rows])
    for rows, answers in found.items():
        np.testing.assert_array_equal(answers, found[28][:rows])


@pytest.mark.parametrize("columns", [33, 64, 70])
def test_columns_that_threads_share_are_summed_in_their_order(columns: int) -> None:
    x = np.random.default_rng(columns).normal(size=(40, 30, columns)).astype(np.float32)
    b = GraphBuilder("rows")
    graph = b.build([b.add("sum", b.input("x", x.shape), axes=(0, 1))])
    program = generate(graph, "rows", target=replace(THIS_MACHINE, threads=2))
    assert "edgeling_sum_parallel(" in program.files["rows.c"]
    found = np.empty((1, 1, columns), np.float32)
    load(program, units=[threads_unit()], linked=True).function("rows_run")(x, found)
    np.testing.assert_array_equal(found.ravel(), np.add.accumulate(x.reshape(-1, columns))[-1])
