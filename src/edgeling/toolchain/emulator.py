# SPDX-License-Identifier: Apache-2.0
"""Runs firmware on an emulated Cortex-M (unicorn) and counts what it does.

Instructions are counted exactly: at every basic block the emulator enters, the number of instructions in it, decoded
from its bytes, is added. An instruction of an IT block whose condition fails is counted: the core fetches it too.
Start-up, buffers and ``edgeling_invoke`` itself are the harness, and left out. Instructions are not cycles: this
emulator has no pipeline and no wait states.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np

from edgeling.errors import ToolchainError
from edgeling.targets import Target
from edgeling.toolchain.execution import INSTRUCTION_LIMIT, PAINT, Array, Execution, batch_of, unused_stack_bytes
from edgeling.toolchain.firmware import Firmware
from edgeling.toolchain.image import Image, read_image

_SYSTEM_PAGE = 0xE000E000  # the system control space; start-up writes CPACR there
_PAGE_BYTES = 4096
_MODELS = {"cortex-m4": "UC_CPU_ARM_CORTEX_M4", "cortex-m0plus": "UC_CPU_ARM_CORTEX_M0"}  # M0 and M0+: one ISA


def instruction_count(code: bytes) -> int:
    """How many Thumb instructions: a first halfword of 0xE800 and above begins one of four bytes."""
    count, at = 0, 0
    while at < len(code):
        at += 4 if int.from_bytes(code[at : at + 2], "little") >= 0xE800 else 2
        count += 1
    return count


class CortexM:
    """A booted chip. Rows may be run for as long as one likes; state and variables live on between them.

    Args:
        firmware: what :func:`edgeling.toolchain.firmware.build` made.
        instruction_limit: per row; one more and the program counts as running away.

    Raises:
        ToolchainError: the core cannot be emulated, or start-up fails.
    """

    def __init__(self, firmware: Firmware, instruction_limit: int = INSTRUCTION_LIMIT) -> None:
        self._firmware, self._limit = firmware, instruction_limit
        self._image = read_image(firmware.path)
        self._emulator = _chip(firmware.target, self._image)
        self._harness = self._image.sections[".edgeling_harness"]
        self._blocks: dict[tuple[int, int], int] = {}
        self._count = 0
        self._entry_sp = self._lowest_sp = 0
        self._watch()
        self._boot()

    def run(self, inputs: Sequence[Array]) -> Execution:
        """Runs the entry on every row of ``inputs`` (``[n, ...]`` each).

        ``stack_bytes`` is measured, not proven: the stack is painted, and its deepest overwritten word, or the lowest
        stack pointer seen at the start of a basic block, whichever is deeper, counts from the entry's first
        instruction. Room that is reserved within one block and never written is not seen, nor are interrupts.

        Raises:
            ToolchainError: a fault (with address and function), a runaway program, or a stack that met the buffers;
                inputs that do not match the entry.
        """
        batch = batch_of(self._firmware.entry, inputs)
        self._paint()
        instructions, status = np.zeros(batch.rows, np.int64), np.zeros(batch.rows, np.int32)
        for row, values in enumerate(batch.input_bytes()):
            for i, value in enumerate(values):
                self._emulator.mem_write(self._image.symbols[f"edgeling_in_{i}"], value)
            instructions[row] = self._call("edgeling_invoke")
            status[row] = self._status()
            for i, output in enumerate(batch.outputs):
                raw = self._emulator.mem_read(self._image.symbols[f"edgeling_out_{i}"], output[row].nbytes)
                output[row] = np.frombuffer(raw, output.dtype).reshape(output[row].shape)
        return Execution(batch.outputs, instructions, self._stack_bytes(), status)

    def run_until_power_cut(self, inputs: Sequence[Array], instructions: int) -> None:
        """Runs the entry on one row for so many instructions, then stops wherever it is. Only :meth:`reboot` may
        follow: what lies in RAM is lost, except what a program puts among the harness's buffers as its flash.
        """
        (values,) = batch_of(self._firmware.entry, inputs).input_bytes()
        for i, value in enumerate(values):
            self._emulator.mem_write(self._image.symbols[f"edgeling_in_{i}"], value)
        self._emulator.ctl_flush_tb()  # code that was translated before does not count its instructions
        self._call("edgeling_invoke", instructions)

    def reboot(self) -> None:
        """Starts the chip again, from its reset vector."""
        self._boot()

    def weights(self) -> bytes:
        """What outlives a call, as it is now."""
        size = self._firmware.program.weights_bytes
        return bytes(self._emulator.mem_read(self._image.symbols["edgeling_weights"], size)) if size else b""

    def load_weights(self, weights: bytes) -> None:
        """Puts other weights where the program keeps its own: those of another chip, for example."""
        if len(weights) != self._firmware.program.weights_bytes:
            wanted = self._firmware.program.weights_bytes
            raise ToolchainError(
                f"the program keeps {wanted} bytes", received=str(len(weights)),
                remedy=f"{wanted} bytes, as the header counts them",
            )  # fmt: skip
        self._emulator.mem_write(self._image.symbols["edgeling_weights"], weights)

    def _status(self) -> int:
        raw = self._emulator.mem_read(self._image.symbols["edgeling_status"], 4)
        return int.from_bytes(raw, "little", signed=True)

    def _boot(self) -> None:
        self._call("edgeling_reset")
        self._blocks.clear()  # what start-up has visited is visited again, for its stack
        self._entry_sp = self._lowest_sp = 0

    def _call(self, symbol: str, instructions: int = 0) -> int:
        from unicorn.arm_const import UC_ARM_REG_LR, UC_ARM_REG_SP

        address, ready = self._image.symbols[symbol], self._image.symbols["edgeling_ready"]
        self._count = 0
        self._emulator.reg_write(UC_ARM_REG_SP, self._image.symbols["edgeling_stack_top"])
        self._emulator.reg_write(UC_ARM_REG_LR, ready)
        try:
            self._emulator.emu_start(address, ready & ~1, count=instructions)
        except import_module("unicorn").UcError as error:
            raise ToolchainError(
                "an emulated program must not fault", received=self._where(str(error)),
                remedy="report this as a bug, with the program if you can share it",
            ) from error  # fmt: skip
        if self._count > self._limit:
            raise ToolchainError(
                f"a run must end within {self._limit} instructions", received=self._where("no end"),
                remedy="a smaller network, or a longer limit",
            )  # fmt: skip
        return self._count

    def _watch(self) -> None:
        from unicorn import UC_HOOK_BLOCK

        self._emulator.hook_add(UC_HOOK_BLOCK, self._on_block)

    def _on_block(self, emulator: Any, address: int, size: int, _: object) -> None:
        count = self._blocks.get((address, size))
        if count is None:
            count = self._blocks[address, size] = self._first_visit(emulator, address, size)
        self._count += count
        if self._count > self._limit:
            emulator.emu_stop()

    def _first_visit(self, emulator: Any, address: int, size: int) -> int:
        from unicorn.arm_const import UC_ARM_REG_SP

        if address in self._harness:
            return 0
        pointer = emulator.reg_read(UC_ARM_REG_SP)
        self._entry_sp = self._entry_sp or pointer
        self._lowest_sp = min(self._lowest_sp or pointer, pointer)
        return instruction_count(bytes(emulator.mem_read(address, size)))

    def _paint(self) -> None:
        bottom, top = self._stack()
        self._emulator.mem_write(bottom, bytes([PAINT]) * (top - bottom))

    def _stack_bytes(self) -> int:
        bottom, top = self._stack()
        lowest = bottom + unused_stack_bytes(self._emulator.mem_read(bottom, top - bottom)) // 4 * 4
        if lowest == bottom:
            raise ToolchainError(
                "the stack must stay clear of the program's data", received=f"{top - bottom} bytes used",
                remedy="a chip with more RAM, or a smaller network",
            )  # fmt: skip
        return max(0, self._entry_sp - min(lowest, self._lowest_sp))

    def _stack(self) -> tuple[int, int]:
        symbols = self._image.symbols
        return symbols["edgeling_stack_limit"], symbols["edgeling_stack_top"]

    def _where(self, what: str) -> str:
        from unicorn.arm_const import UC_ARM_REG_PC

        address = self._emulator.reg_read(UC_ARM_REG_PC)
        return f"{what} at {address:#010x} in {self._image.function_at(address)} on {self._firmware.target.name}"


def _whole_pages(size: int) -> int:
    return -(-size // _PAGE_BYTES) * _PAGE_BYTES


def _chip(target: Target, image: Image) -> Any:
    """Flash (read-only) and RAM as the target says; a float unit if it has one; the image loaded into flash."""
    unicorn: Any = import_module("unicorn")  # its annotations are partial
    arm_const: Any = import_module("unicorn.arm_const")
    if target.core not in _MODELS:
        raise ToolchainError(
            f"an emulated core is one of {', '.join(_MODELS)}", received=target.core,
            remedy="a target of one of these cores (edgeling targets)",
        )  # fmt: skip
    chip = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB)  # UC_MODE_MCLASS would force a Cortex-M33
    chip.ctl_set_cpu_model(getattr(arm_const, _MODELS[target.core]))
    chip.mem_map(target.flash_base, _whole_pages(target.flash_bytes), unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC)
    chip.mem_map(target.ram_base, _whole_pages(target.ram_bytes), unicorn.UC_PROT_READ | unicorn.UC_PROT_WRITE)
    chip.mem_map(_SYSTEM_PAGE, _PAGE_BYTES)
    for address, data in image.segments:
        chip.mem_write(address, data)
    if target.float_unit != "none":
        chip.reg_write(arm_const.UC_ARM_REG_FPEXC, 1 << 30)
    return chip
