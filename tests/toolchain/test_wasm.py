# SPDX-License-Identifier: Apache-2.0
"""WebAssembly: answers, fuel, sizes, traps."""

from __future__ import annotations

import numpy as np
import pytest

from edgeling.errors import CompilerNotFoundError, ToolchainError
from edgeling.graph.types import DType
from edgeling.toolchain import wasm
from edgeling.toolchain.wasm import WasmInstance
from tests.support.tiny_programs import counter, dense, port, program, require_dense_answer

ROWS = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
INTEGERS = (port("x", 1, dtype=DType.INT32),), (port("y", 1, dtype=DType.INT32),)


def integer_program(name: str, statements: str, **options):
    weights = f"{name}_weights *weights, " if options.get("words") else ""
    body = f"void {name}_run({weights}const int32_t *x, int32_t *y) {{ {statements} }}"
    return program(name, body, *INTEGERS, **options)


def instance(made, **options) -> WasmInstance:
    return WasmInstance(wasm.build(made), **options)


def test_a_dense_layer_gives_the_known_answer_and_the_same_fuel_again():
    first = instance(dense())
    result, again = first.run([ROWS]), first.run([ROWS])
    require_dense_answer(result.outputs[0], ROWS)
    assert result.instructions.tolist() == again.instructions.tolist()
    assert result.outputs[0].tobytes() == again.outputs[0].tobytes()


def test_fuel_grows_by_the_same_amount_each_round_of_a_loop():
    made = integer_program(
        "loop",
        "uint32_t s = 1; for (int32_t i = 0; i < x[0]; i++) { s = s * 1664525u + 7u; "
        '__asm__ volatile("" : "+r"(s)); } y[0] = (int32_t)s;',
    )
    fuel = instance(made).run([np.array([1000, 2000, 3000, 1000], np.int32)]).instructions.tolist()
    assert fuel[1] - fuel[0] == fuel[2] - fuel[1] >= 5000
    assert fuel[3] == fuel[0]


def test_variables_are_initialised_and_kept():
    machine = instance(counter())
    assert machine.run([np.array([1, -2, 3], np.int8)]).outputs[0].ravel().tolist() == [101, 99, 102]
    assert machine.run([np.array([0], np.int8)]).outputs[0].ravel().tolist() == [102]


def test_sizes_are_the_files():
    table = ", ".join(str(i * i) for i in range(1, 501))
    made = integer_program("table", "y[0] = squares[x[0]];", header=f"static const int32_t squares[500] = {{{table}}};")
    module = wasm.build(made)
    footprint = wasm.measure(module)
    assert footprint.flash_bytes == module.path.stat().st_size
    assert 2000 <= footprint.flash_weights_bytes <= 2020
    assert footprint.ram_bytes == footprint.flash_weights_bytes
    assert 5 < footprint.flash_code_bytes < 100
    assert WasmInstance(module).run([np.array([7], np.int32)]).outputs[0][0] == 64


def test_weights_and_buffers_larger_than_a_page_do_not_overlap():
    body = (
        "void wide_run(wide_weights *s, const float *x, float *y) { for (int i = 0; i < 50000; i++) { "
        "s->words[i] = (uint32_t)i; y[i] = x[i] + 1.0f; } for (int i = 0; i < 50000; i++) y[i] += (float)s->words[i]; }"
    )
    made = program("wide", body, (port("x", 50000),), (port("y", 50000),), words=50000)
    x = np.arange(50000, dtype=np.float32)[None]
    assert (instance(made).run([x]).outputs[0] == 2 * x + 1).all()


def test_stack_in_linear_memory_is_seen():
    statements = "volatile int32_t room[64]; for (int i = 0; i < 64; i++) room[i] = i + x[0]; y[0] = room[63];"
    result = instance(integer_program("stack", statements)).run([np.array([1], np.int32)])
    assert 256 <= result.stack_bytes <= 272
    assert instance(dense()).run([ROWS]).stack_bytes == 0


def test_memory_functions_come_along_when_they_are_called():
    body = (
        "struct block { int32_t v[300]; };\nvoid copy_run(const int32_t *x, int32_t *y) "
        "{ *(struct block *)y = *(const struct block *)x; }"
    )
    x = np.arange(300, dtype=np.int32)[None]
    made = program("copy", body, (port("x", 300, dtype=DType.INT32),), (port("y", 300, dtype=DType.INT32),))
    assert (instance(made).run([x]).outputs[0] == x).all()


@pytest.mark.parametrize(
    ("statements", "message"),
    [
        ("y[0] = *(const volatile int32_t *)0xf0000000u;", "out of bounds memory access"),
        ("__builtin_trap(); y[0] = x[0];", "unreachable"),
    ],
)
def test_a_trap_is_named(statements, message):
    with pytest.raises(ToolchainError, match=rf"must not fault.*{message}.*trap_run on wasm32"):
        instance(integer_program("trap", statements)).run([np.zeros(1, np.int32)])


def test_a_runaway_program_is_stopped():
    made = integer_program("run_on", "for (;;) ((volatile run_on_weights *)weights)->words[0]++; y[0] = x[0];", words=1)
    with pytest.raises(ToolchainError, match=r"within 5000 instructions.*run_on_run"):
        instance(made, instruction_limit=5000).run([np.zeros(1, np.int32)])


def test_a_program_that_does_not_compile_and_no_compiler(monkeypatch):
    with pytest.raises(ToolchainError, match=r"(?s)compiling broken\.c for wasm32.*nonsense"):
        wasm.build(program("broken", "nonsense;", (), ()))
    monkeypatch.setenv("EDGELING_CC", "none")
    with pytest.raises(CompilerNotFoundError):
        wasm.build(dense("uncached"))
