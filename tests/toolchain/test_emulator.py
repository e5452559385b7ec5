# SPDX-License-Identifier: Apache-2.0
"""The emulated Cortex-M: its counter, its stack gauge, its faults; and the firmware it runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgeling.errors import CompilerNotFoundError, TargetError, ToolchainError
from edgeling.graph.types import DType
from edgeling.targets import get
from edgeling.toolchain import emulator, firmware
from edgeling.toolchain.emulator import CortexM, instruction_count
from edgeling.toolchain.image import read_image
from edgeling.toolchain.measure import measure
from tests.support.tiny_programs import counter, dense, port, program, require_dense_answer

ROWS = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
NOTHING = np.zeros((1, 1), np.int32)
CORES = pytest.mark.parametrize("core", ["cortex-m4", "cortex-m0plus"])


def chip(made, core: str, **options) -> CortexM:
    return CortexM(firmware.build(made, get(core)), **options)


def assembly(name: str, text: str):
    """A program whose entry ``NAME_run(x, y)`` is written by hand."""
    lines = [".syntax unified", ".thumb", f'.section .text.{name}, \\"ax\\"', ".balign 4", f".global {name}_run"]
    lines += [f".type {name}_run, %function", ".thumb_func", f"{name}_run:", *text.splitlines()]
    lines += [f".size {name}_run, . - {name}_run"]
    body = "__asm__(" + "\n".join(f'"{line}\\n"' for line in lines) + ");"
    ports = (port("x", 1, dtype=DType.INT32),), (port("y", 1, dtype=DType.INT32),)
    return program(name, body, *ports)


def executed(text: str, core: str, x: int = 0, name: str = "hand") -> int:
    return int(chip(assembly(name, text), core).run([np.array([[x]], np.int32)]).instructions[0])


@CORES
@pytest.mark.parametrize("rounds", [1, 2, 77, 100_000])
def test_a_loop_of_known_length_is_counted_exactly(core, rounds):
    loop = "ldr r1, [r0]\n1: adds r3, r3, #1\nsubs r1, r1, #1\nbne 1b\nbx lr"
    assert executed(loop, core, rounds) == 1 + 3 * rounds + 1


@CORES
def test_four_byte_instructions_and_calls_count_one_each(core):
    nested = "push {r4, lr}\nmovs r4, #10\n1: bl 2f\nsubs r4, r4, #1\nbne 1b\npop {r4, pc}\n2: nop\nbx lr"
    assert executed(nested, core) == 2 + 10 * (1 + 2 + 2) + 1


@CORES
def test_straight_line_code_longer_than_a_translation_block(core):
    assert executed("nop\n" * 3000 + "bx lr", core) == 3001


def test_wide_and_conditional_instructions_on_the_m4():
    text = "ldr r1, [r0]\nmovw r3, #0x1234\nadd.w r3, r3, r1\ncmp r1, #5\n"
    text += "itee gt\nmovgt r0, #1\nmovle r0, #2\nmovle r0, #3\nbx lr"
    assert executed(text, "cortex-m4", 9) == executed(text, "cortex-m4", 1) == 9


def hooked(machine: CortexM) -> list[int]:
    """A list that grows by the address of every instruction outside the harness, told one by one."""
    from unicorn import UC_HOOK_CODE

    seen: list[int] = []
    harness = machine._image.sections[".edgeling_harness"]
    machine._emulator.hook_add(UC_HOOK_CODE, lambda _, at, size, __: at in harness or seen.append(at))
    return seen


@pytest.mark.parametrize(
    ("core", "name"), [("cortex-m4", "counter"), ("cortex-m0plus", "counter"), ("cortex-m0plus", "dense")]
)
def test_counting_every_instruction_by_a_code_hook_gives_the_same(core, name):
    made, rows = (dense(), ROWS) if name == "dense" else (counter(), np.arange(20, dtype=np.int8))
    machine = chip(made, core)
    seen = hooked(machine)
    for row in rows:
        seen.clear()
        assert machine.run([row[None]]).instructions[0] == len(seen) > 5


def test_a_code_hook_misses_exactly_the_instructions_whose_condition_fails():
    """The emulator jumps over them; the core does not: it fetches each and spends a cycle."""
    text = "movs r0, #1\ncmp r0, #2\nitete eq\nmoveq r2, #1\nmovne r2, #2\nmoveq r3, #3\nmovne r3, #4\nbx lr"
    machine = chip(assembly("failing", text), "cortex-m4")
    seen = hooked(machine)
    assert machine.run([NOTHING]).instructions[0] == 8
    assert len(seen) == 6


@pytest.mark.parametrize(
    ("code", "count"),
    [("", 0), ("00bf", 1), ("00bf7047", 2), ("fff700f8", 1), ("00bf9de81080", 2), ("00e0", 1), ("00e80000", 1)],
)
def test_instruction_lengths(code, count):
    assert instruction_count(bytes.fromhex(code)) == count


@CORES
def test_a_dense_layer_gives_the_known_answer_and_the_same_counts_again(core):
    first, second = chip(dense(), core), chip(dense(), core)
    result = first.run([ROWS])
    require_dense_answer(result.outputs[0], ROWS)
    assert result.outputs[0].shape == (20, 2)
    again, other = first.run([ROWS]), second.run([ROWS[::-1].copy()])
    assert result.instructions.tolist() == again.instructions.tolist() == other.instructions[::-1].tolist()
    assert result.outputs[0].tobytes() == again.outputs[0].tobytes()
    assert result.stack_bytes == again.stack_bytes


def test_floats_cost_far_more_without_a_float_unit():
    cost = {core: chip(dense(), core).run([ROWS]).instructions.max() for core in ("cortex-m4", "cortex-m0plus")}
    assert cost["cortex-m0plus"] > 10 * cost["cortex-m4"]


@CORES
def test_a_program_with_variables_is_initialised_and_keeps_them(core):
    machine = chip(counter(), core)
    total = machine.run([np.array([1, -2, 3], np.int8)]).outputs[0]
    assert total.ravel().tolist() == [101, 99, 102]
    assert machine.run([np.array([0], np.int8)]).outputs[0].ravel().tolist() == [102]


@CORES
def test_start_up_fills_data_and_clears_bss(core):
    body = """
static int32_t filled[3] = {5, 6, 7};
static int32_t cleared[300];
void boot_run(const int32_t *x, int32_t *y) {
    cleared[x[0]] += 1;
    filled[2] += 1;
    y[0] = filled[x[0]] * 1000 + cleared[299] * 100 + filled[2];
}
"""
    made = program("boot", body, (port("x", 1, dtype=DType.INT32),), (port("y", 1, dtype=DType.INT32),))
    built = firmware.build(made, get(core))
    assert CortexM(built).run([np.array([1], np.int32)]).outputs[0][0] == 6008
    assert 0 <= measure(built).ram_bytes - 4 * 303 <= 12  # for alignment


@CORES
@pytest.mark.parametrize("words", [1, 8, 200])
def test_stack_is_what_was_pushed(core, words):
    text = f"mov r3, sp\nmovs r0, #{words}\n1: push {{r0}}\nsubs r0, r0, #1\nbne 1b\nmov sp, r3\nbx lr"
    assert chip(assembly("deep", text), core).run([NOTHING]).stack_bytes == 4 * words


@CORES
def test_stack_reserved_before_a_call_counts_though_nothing_is_written(core):
    text = "sub sp, #400\nb 1f\n1: nop\nadd sp, #400\nbx lr"
    assert chip(assembly("reserve", text), core).run([NOTHING]).stack_bytes == 400


@CORES
def test_stack_is_the_entrys_alone_though_start_up_ran_the_same_code(core):
    body = """
static __attribute__((noinline)) int32_t deep(int32_t n) {
    volatile int32_t room[100];
    for (int32_t i = 0; i < 100; i++) room[i] = n;
    return room[n];
}
void twice_init(twice_weights *weights) { weights->words[0] = (uint32_t)deep(3); }
void twice_run(twice_weights *weights, const int32_t *x, int32_t *y) {
    y[0] = deep(x[0]) + (int32_t)weights->words[0];
}
"""
    ports = (port("x", 1, dtype=DType.INT32),), (port("y", 1, dtype=DType.INT32),)
    result = chip(program("twice", body, *ports, words=1, variables={"v": 0}), core).run([np.array([5], np.int32)])
    assert result.outputs[0][0] == 8
    assert 400 <= result.stack_bytes <= 440


@CORES
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("movs r0, #0\nldr r0, [r0]\nbx lr", "wild_run"),  # nothing is mapped at zero
        ("movs r0, #0\nstr r0, [r0]\nbx lr", "wild_run"),
        ("ldr r0, =0x08000000\nstr r0, [r0]\nbx lr\n.pool", "wild_run"),  # flash is read-only
        ("ldr r0, =0x90000001\nbx r0\n.pool", "0x90000000"),
        ("udf #0", "wild_run"),
        (".short 0xde00, 0xffff", "wild_run"),
    ],
)
def test_a_fault_names_its_place(core, text, message):
    with pytest.raises(ToolchainError, match=f"must not fault.*{message}.*on {core}"):
        executed(text, core, name="wild")


def test_an_m4_instruction_faults_on_the_m0plus():
    made = assembly("later", ".short 0xf240, 0x0001\nbx lr")  # movw r0, #1: not in ARMv6-M
    assert chip(made, "cortex-m4").run([NOTHING]).instructions[0] == 2
    with pytest.raises(ToolchainError, match="later_run"):
        chip(made, "cortex-m0plus").run([NOTHING])


@CORES
@pytest.mark.parametrize("text", ["1: b 1b", "1: nop\nnop\nb 1b"])
def test_a_runaway_program_is_stopped(core, text):
    with pytest.raises(ToolchainError, match=r"within 1000 instructions.*run_on_run"):
        chip(assembly("run_on", text), core, instruction_limit=1000).run([NOTHING])


@CORES
def test_a_stack_that_meets_the_data_is_an_error(core):
    text = "mov r3, sp\nldr r0, =50000\n1: push {r1}\nsubs r0, r0, #1\nbne 1b\nmov sp, r3\nbx lr\n.pool"
    with pytest.raises(ToolchainError, match=r"stack|fault"):
        chip(assembly("overflow", text), core).run([NOTHING])


@CORES
def test_inputs_that_do_not_match_are_refused(core):
    machine = chip(dense(), core)
    for wrong in ([], [ROWS, ROWS], [ROWS.astype(np.float64)], [ROWS[:, :2]]):
        with pytest.raises(ToolchainError, match=r"takes 1 inputs|input x must be"):
            machine.run(wrong)


def big(constants: int, words: int):
    body = f"""
static const int32_t table[{constants}] = {{1}};
void big_run(big_weights *weights, const int32_t *x, int32_t *y) {{
    y[0] = table[x[0]] + (int32_t)weights->words[x[0]];
}}
"""
    return program("big", body, (port("x", 1, dtype=DType.INT32),), (port("y", 1, dtype=DType.INT32),), words=words)


@CORES
def test_constants_and_weights_are_measured_exactly(core):
    footprint = measure(firmware.build(big(1000, 77), get(core)))
    assert footprint.flash_weights_bytes == 4000
    assert footprint.ram_bytes == 4 * 77
    assert 10 <= footprint.flash_code_bytes <= 60
    assert footprint.flash_bytes == footprint.flash_code_bytes + 4000


@CORES
def test_what_a_program_links_is_measured_and_what_it_does_not_use_is_not(core):
    lean = measure(firmware.build(dense(), get(core)))
    source = dense().files["dense.c"] + "int unused(int x) { return x * 3; }"
    unused = replace(dense(), files={**dense().files, "dense.c": source})
    assert measure(firmware.build(unused, get(core))) == lean
    body = """
struct block { float v[500]; };
void copy_run(const float *x, float *y) { *(struct block *)y = *(const struct block *)x; }
"""
    built = firmware.build(program("copy", body, (port("x", 500),), (port("y", 500),)), get(core))
    memory = {name for _, name in read_image(built.path).functions if "mem" in name}
    assert memory
    assert "__aeabi_memset" not in memory
    assert measure(built).flash_code_bytes > 20


@CORES
@pytest.mark.parametrize(("constants", "words"), [(300_000, 1), (1, 40_000)])
def test_a_program_that_does_not_fit_is_a_target_error(core, constants, words):
    with pytest.raises(TargetError, match=f"(?s)must fit {core}.*overflowed by.*smaller network"):
        firmware.build(big(constants, words), get(core))


def test_64_bit_division_pulls_in_what_the_m4_lacks():
    body = """
void wide_run(const int32_t *x, int32_t *y) {
    y[0] = (int32_t)(((int64_t)x[0] << 32) / (x[0] - 7));
}
"""
    made = program("wide", body, (port("x", 1, dtype=DType.INT32),), (port("y", 1, dtype=DType.INT32),))
    result = chip(made, "cortex-m4").run([np.array([20, 21], np.int32)])
    expected = [np.int64(((x << 32) // (x - 7)) & 0xFFFFFFFF).astype(np.int32) for x in (20, 21)]
    assert result.outputs[0].ravel().tolist() == expected


def test_seven_ports_pass_some_arguments_on_the_stack():
    inputs = tuple(port(f"a{i}", 1, dtype=DType.INT32) for i in range(6))
    arguments = ", ".join(f"const int32_t *a{i}" for i in range(6))
    total = " + ".join(f"{10**i} * a{i}[0]" for i in range(6))
    body = f"void many_run({arguments}, int32_t *y) {{ y[0] = {total}; }}"
    made = program("many", body, inputs, (port("y", 1, dtype=DType.INT32),))
    result = chip(made, "cortex-m0plus").run([np.array([i + 1], np.int32) for i in range(6)])
    assert result.outputs[0].tolist() == [654321]


def test_building_needs_zig_and_a_program_that_compiles(monkeypatch):
    with pytest.raises(ToolchainError, match=r"(?s)compiling broken\.c for cortex-m4.*nonsense"):
        firmware.build(program("broken", "nonsense;", (), ()), get("cortex-m4"))
    with pytest.raises(ToolchainError, match="entry point is one of dense_run"):
        firmware.build(dense(), get("cortex-m4"), "predict")
    monkeypatch.setenv("EDGELING_CC", "none")
    with pytest.raises(CompilerNotFoundError, match="ziglang"):
        firmware.build(dense(), get("cortex-m4"))


def test_an_image_that_is_no_elf_file_is_refused(tmp_path):
    (tmp_path / "x").write_bytes(b"\x7fELF")
    with pytest.raises(ToolchainError, match="ELF"):
        read_image(tmp_path / "x")


def test_a_core_unicorn_does_not_have_is_refused():
    built = firmware.build(dense(), get("cortex-m4"))
    odd = type(built)(built.program, built.entry, get("wasm32"), built.path)
    with pytest.raises(ToolchainError, match="emulated core"):
        emulator.CortexM(odd)
