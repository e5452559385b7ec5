# SPDX-License-Identifier: Apache-2.0
"""What nobody uses any more is unmapped, and nothing before that."""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from edgeling.errors import ToolchainError
from edgeling.layers import Dense, Input
from edgeling.models import Sequential, session
from edgeling.toolchain.library import compile_program
from edgeling.toolchain.loading import open_library
from edgeling.toolchain.native import load
from tests.support.tiny_programs import counter, dense

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/maps")


def mapped() -> set[str]:
    """Every compiled program in this process."""
    gc.collect()
    lines = Path("/proc/self/maps").read_text().splitlines()
    return {line.split(maxsplit=5)[5] for line in lines if line.endswith("program.so")}


def test_a_library_is_mapped_while_anything_of_it_is_held() -> None:
    path, native = str(compile_program(dense())), load(dense())
    held = [native.symbol("dense_run"), native.rows("dense_run"), native.function("dense_run"), native.clone(), native]
    del native
    while held:
        assert path in mapped()
        held.pop()
    assert path not in mapped()
    x, y = np.array([4, -1, 0], np.float32), np.empty(2, np.float32)
    load(dense()).function("dense_run")(x, y)
    assert y.tolist() == [3.5, 6.375]
    assert path not in mapped()


def test_one_library_serves_all_who_ask_meanwhile() -> None:
    first, second = load(counter()), load(counter())
    assert first.address("counter_run") == second.address("counter_run")
    assert open_library(compile_program(counter())) is open_library(compile_program(counter()))


def test_nothing_is_unmapped_under_a_thread_that_runs_it() -> None:
    spin = """#include "dense.h"
static volatile int go;
int spin(void) { while (!go) {} return 41 + go; }
int *where(void) { return (int *)&go; }
"""
    native = load(dense(), extra_files={"spin.c": spin})
    path = str(compile_program(dense(), {"spin.c": spin}))
    function, where = native.symbol("spin"), native.symbol("where")
    function.restype, where.restype = ctypes.c_int, ctypes.POINTER(ctypes.c_int)
    flag, found = where(), []
    thread = threading.Thread(target=lambda call: found.append(call()), args=(function,))
    thread.start()
    del native, function, where
    assert path in mapped()
    flag[0] = 1
    thread.join(timeout=60)
    assert found == [42]
    assert path not in mapped()


def test_what_does_not_load_says_so(tmp_path: Path) -> None:
    (tmp_path / "program.so").write_bytes(b"no library")
    with pytest.raises(ToolchainError, match="must load"):
        open_library(tmp_path / "program.so")


def test_networks_that_are_gone_leave_a_bounded_number_of_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_kept", type(session._kept)())
    monkeypatch.setattr(session, "_LIMIT", 2)
    before = mapped()
    for units in range(1, 6):
        Sequential([Input((2,)), Dense(units)]).predict(np.zeros((3, 2)))
    assert len(mapped() - before) == 2
    session._kept.compiled.clear()
    assert mapped() == before


def test_a_thread_takes_what_it_compiled_with_it() -> None:
    before = mapped()
    model = Sequential([Input((2,)), Dense(7)])
    thread = threading.Thread(target=model.predict, args=(np.zeros((3, 2)),))
    thread.start()
    thread.join()
    del thread, model
    assert mapped() == before
