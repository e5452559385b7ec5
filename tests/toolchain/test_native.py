# SPDX-License-Identifier: Apache-2.0
"""The native loader against hand-written programs."""

from __future__ import annotations

import array
import ctypes
import gc
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest

from edgeling.errors import ToolchainError
from edgeling.graph.types import DType, TensorType
from edgeling.toolchain import binding
from edgeling.toolchain.native import load
from tests.support.tiny_programs import counter, dense, port, program, require_dense_answer

TOTAL = TensorType((1,), DType.INT32)


@pytest.fixture(params=["gcc-or-clang", "zig"])
def any_compiler(request, monkeypatch):
    if request.param == "zig":
        monkeypatch.setenv("EDGELING_CC", "zig")


@pytest.fixture(params=["builtin", "ctypes"])
def any_call(request, monkeypatch):
    if request.param == "ctypes":
        monkeypatch.setattr(binding, "glue", lambda: None)
    return request.param


@pytest.mark.usefixtures("any_compiler", "any_call")
def test_a_dense_layer_gives_the_known_answer():
    x, y = np.array([[1, 2, 4]], np.float32), np.empty((1, 2), np.float32)
    call = load(dense()).function("dense_run")
    assert call(x, y) is None
    assert y.tolist() == [[0.0, 0.0]]  # 0.5 - 2 + 1 + 0.5 = 0; 2 + 0.25 - 3 - 1.5 = -2.25
    x[:] = [[4, -1, 0]]
    call(x, y)
    assert y.tolist() == [[3.5, 6.375]]


@pytest.mark.usefixtures("any_compiler", "any_call")
def test_rows_runs_every_row():
    x = np.random.default_rng(0).normal(size=(37, 3)).astype(np.float32)
    y = np.full((37, 2), np.nan, np.float32)
    load(dense()).rows("dense_run")(x, y)
    require_dense_answer(y, x)


@pytest.mark.usefixtures("any_call")
def test_no_rows_is_no_work():
    load(dense()).rows("dense_run")(np.empty((0, 3), np.float32), np.empty((0, 2), np.float32))


@pytest.mark.usefixtures("any_call")
def test_state_is_initialised_kept_and_shared_with_numpy():
    native = load(counter())
    x, total = np.array([-3], np.int8), np.zeros(1, np.int32)
    native.function("counter_run")(x, total)
    native.function("counter_run")(x, total)
    assert total[0] == 94
    variable = native.variable("total", TOTAL)
    assert variable[0] == 94
    variable[0] = 7
    native.function("counter_run")(x, total)
    assert total[0] == 4
    native.reset()
    assert variable[0] == 100


@pytest.mark.usefixtures("any_compiler")
@pytest.mark.parametrize("zeros", [0, 4, 5, 11])
def test_constants_that_repeat_before_zeros_are_copied_whole(zeros):
    """gcc 12 with AVX-512 took the zeros for more of what repeats (see ``compilers.HOST``)."""
    wanted = [-2, 1, -2, 1, *[0] * zeros, -2, 0, 2, 2, -1, -1, 0]
    values = ", ".join(f"{value}.0f" for value in wanted)
    body = f"""
void copied_run(float *y) {{
    static const float table[{len(wanted)}] = {{{values}}};
    for (int i = 0; i < {len(wanted)}; i++) y[i] = table[i];
}}
"""
    y = np.full(len(wanted), np.nan, np.float32)
    load(program("copied", body, (), (port("y", len(wanted)),))).function("copied_run")(y)
    assert y.tolist() == wanted


def test_a_clone_has_its_own_weights_or_shares_them():
    first = load(counter())
    x, total = np.array([5], np.int8), np.zeros(1, np.int32)
    first.function("counter_run")(x, total)
    second = first.clone()
    second.function("counter_run")(x, total)
    assert total[0] == 105
    assert first.variable("total", TOTAL)[0] == 105
    third = first.clone(share_weights=True)
    third.function("counter_run")(x, total)
    assert total[0] == first.variable("total", TOTAL)[0] == 110
    assert first.weights.ctypes.data % 64 == second.weights.ctypes.data % 64 == 0
    assert first.address("counter_run") == second.address("counter_run")


@pytest.mark.usefixtures("any_call")
def test_a_callable_outlives_its_program():
    call = load(counter()).function("counter_run")
    gc.collect()
    total = np.zeros(1, np.int32)
    for _ in range(3):
        call(np.array([1], np.int8), total)
    assert total[0] == 103


@pytest.mark.usefixtures("any_call")
@pytest.mark.parametrize(
    ("x", "y", "error", "message"),
    [
        (np.zeros(3), np.zeros(2, np.float32), TypeError, "x"),
        (np.zeros(3, np.int32), np.zeros(2, np.float32), TypeError, "x"),
        (np.zeros(3, np.float32), np.zeros(2, np.int32), TypeError, "y"),
        (np.zeros(3, ">f4"), np.zeros(2, np.float32), TypeError, "x"),
        ([1, 2, 3], np.zeros(2, np.float32), TypeError, "x must be an array"),
        (None, np.zeros(2, np.float32), TypeError, "x must be an array"),
        (np.zeros(4, np.float32), np.zeros(2, np.float32), ValueError, "x must be 12 bytes"),
        (np.zeros(3, np.float32), np.zeros(0, np.float32), ValueError, "y must be 8 bytes"),
        (np.zeros(6, np.float32)[::2], np.zeros(2, np.float32), ValueError, "x must be a C-contiguous array"),
        (np.zeros(3, np.float32), np.zeros(4, np.float32)[::2], ValueError, "C-contiguous, writable"),
        (np.zeros(3, np.float32), np.broadcast_to(np.float32(0), 2), ValueError, "C-contiguous, writable"),
        (np.frombuffer(bytes(13), np.uint8)[1:].view(np.float32), np.zeros(2, np.float32), ValueError, "x"),
    ],
)
def test_a_wrong_argument_is_refused_before_anything_runs(x, y, error, message):
    call = load(dense()).function("dense_run")
    with pytest.raises(error, match=message):
        call(x, y)


@pytest.mark.usefixtures("any_call")
def test_a_refused_call_leaves_no_buffer_open():
    call = load(dense()).function("dense_run")
    x, before = bytearray(12), sys.getrefcount(None)
    with pytest.raises(TypeError):
        call(x, np.zeros(2, np.float32))  # bytes are not floats
    x.append(0)  # raises BufferError while a view is open
    assert abs(sys.getrefcount(None) - before) < 5


def test_other_buffers_of_the_right_type_are_taken():
    y = array.array("f", [0, 0])
    load(dense()).function("dense_run")(array.array("f", [4, -1, 0]), y)
    assert y.tolist() == [3.5, 6.375]


@pytest.mark.usefixtures("any_call")
@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_wrong_number_of_arguments_is_refused(count):
    with pytest.raises(TypeError, match="takes 2 arrays"):
        load(dense()).function("dense_run")(*[np.zeros(3, np.float32)] * count)


@pytest.mark.usefixtures("any_call")
@pytest.mark.parametrize(("rows_in", "rows_out"), [(4, 3), (3, 4), (0, 1)])
def test_rows_must_agree(rows_in, rows_out):
    call = load(dense()).rows("dense_run")
    with pytest.raises(ValueError, match="y must be"):
        call(np.zeros((rows_in, 3), np.float32), np.zeros((rows_out, 2), np.float32))


@pytest.mark.usefixtures("any_call")
def test_half_a_row_is_refused():
    with pytest.raises(ValueError, match="x must"):
        load(dense()).rows("dense_run")(np.zeros(4, np.float32), np.zeros(2, np.float32))


def test_unknown_names_are_refused():
    native = load(counter())
    with pytest.raises(ToolchainError, match="counter_run"):
        native.function("predict")
    with pytest.raises(ToolchainError, match="total"):
        native.variable("weights", TOTAL)
    with pytest.raises(ToolchainError, match="within the weights"):
        native.variable("total", TensorType((2,)))
    with pytest.raises(ToolchainError, match="nothing_of_the_kind"):
        native.symbol("nothing_of_the_kind")


def test_many_ports_are_called_in_order():
    inputs = tuple(port(f"a{i}", 1) for i in range(20))
    total = " + ".join(f"{i + 1}.0f * a{i}[0]" for i in range(20))
    arguments = ", ".join(f"const float *a{i}" for i in range(20))
    body = f"void many_run({arguments}, float *y) {{ y[0] = {total}; }}"
    y = np.zeros(1, np.float32)
    call = load(program("many", body, inputs, (port("y", 1),))).function("many_run")
    call(*[np.array([i], np.float32) for i in range(20)], y)
    assert y[0] == sum((i + 1) * i for i in range(20))


@pytest.mark.usefixtures("any_compiler")
def test_extra_files_share_the_library_and_release_the_global_lock():
    spin = """#include "dense.h"
volatile int go;
int spin(void) { while (!go) {} return 41 + go; }
void stop(void) { go = 1; }
"""
    native = load(dense(), extra_files={"spin.c": spin})
    function = native.symbol("spin")
    function.restype = ctypes.c_int
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    native.symbol("stop")()  # reached only if `spin` does not hold the lock
    thread.join(timeout=20)
    assert found == [42]


def test_a_program_that_does_not_compile_shows_the_compilers_words():
    broken = program("broken", "void broken_run(void) { undeclared = 1; }", (), ())
    with pytest.raises(ToolchainError, match="undeclared"):
        load(broken)


def test_variables_without_initial_values_start_at_zero():
    body = "void plain_run(plain_weights *w, const float *x, float *y) { y[0] = x[0] + (float)w->words[0]; }"
    made = program("plain", body, (port("x", 1),), (port("y", 1),), words=1)
    native = load(replace(made, variable_offsets={"w": 0}))
    y = np.zeros(1, np.float32)
    native.function("plain_run")(np.ones(1, np.float32), y)
    assert y[0] == 1
    assert native.variable("w", TOTAL)[0] == 0
