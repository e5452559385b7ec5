# SPDX-License-Identifier: Apache-2.0
"""Runs a program on a target against known answers, and says what it costs there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from edgeling.codegen.program import Program
from edgeling.errors import ToolchainError
from edgeling.targets import Target, get
from edgeling.toolchain import emulator, firmware, measure, native, wasm
from edgeling.toolchain.arm_compiler import cross_compiler
from edgeling.toolchain.execution import Array, Execution, batch_of, entry_named
from edgeling.toolchain.measure import Footprint
from edgeling.toolchain.tools import require_tools

TIME_BASIS = "one cycle an instruction, no wait states"
"""The whole table of cycles: what a core waits for, divides for, or does in three cycles is not in it."""

Proved = tuple[Execution, Footprint | None]


class OnTarget:
    """What follows from the costs of a program on a target, whatever it was proven to do."""

    target: str
    flash_excess_bytes: int
    ram_excess_bytes: int
    instructions: int | None
    clock_hz: int

    @property
    def fits(self) -> bool:
        """Whether the target has the memory."""
        return not self.flash_excess_bytes and not self.ram_excess_bytes

    @property
    def estimated_latency_us(self) -> float | None:
        """An estimate, not a measurement, by the table of cycles that ``TIME_BASIS`` is. ``None`` without a clock."""
        if self.instructions is None or not self.clock_hz:
            return None
        return self.instructions / self.clock_hz * 1e6

    @property
    def estimated_energy_uj(self) -> dict[str, float]:
        """By board, microjoules: an estimate, of as many cycles and what the board was seen to take for each. Empty
        where none is known."""
        if self.instructions is None:
            return {}
        return {board: self.instructions * 1e-6 * each for board, each in get(self.target).boards.items()}


@dataclass(frozen=True)
class Proof(OnTarget):
    """What a program did on a target. Costs are ``None`` on this machine, where nothing counts them.

    Attributes:
        target: its name.
        flash_bytes, flash_code_bytes, flash_weights_bytes, ram_bytes: see :class:`.measure.Footprint`.
        stack_bytes: the deepest the stack was seen, over all rows.
        instructions: per inference, the worst of the rows; on wasm32, wasmtime's fuel.
        max_error: largest absolute difference from the expected outputs; infinite where only one is not a number.
        matches: whether ``max_error`` is within the tolerance; at tolerance 0, whether every bit is equal.
        rows: how many inferences were run.
        flash_excess_bytes, ram_excess_bytes: by how much the program is too large for the target's memory: it was
            run on the same core with more. 0 where it fits.
        clock_hz: the clock that :attr:`estimated_latency_us` assumes; 0 if there is none to assume.
        compiler, compiler_flags: name and version of what made the binary that was counted, and what it was told of
            the core and of optimisation; empty where nothing was counted.
    """

    target: str
    flash_bytes: int | None
    flash_code_bytes: int | None
    flash_weights_bytes: int | None
    ram_bytes: int | None
    stack_bytes: int | None
    instructions: int | None
    max_error: float
    matches: bool
    rows: int
    clock_hz: int = 0
    flash_excess_bytes: int = 0
    ram_excess_bytes: int = 0
    compiler: str = ""
    compiler_flags: str = ""

    def _repr_html_(self) -> str:
        from edgeling.toolchain.shown import proof_card

        return proof_card(type(self).__name__, self)


def prove(
    program: Program,
    target: Target,
    inputs: Sequence[Array],
    expected: Sequence[Array],
    tolerance: float,
    entry: str | None = None,
) -> Proof:
    """Builds the program for the target, runs every row, compares, measures.

    Args:
        program: what to prove: its first entry, unless another is named; variables live on from row to row.
        target: native, a Cortex-M or wasm32.
        inputs: one array ``[n, ...]`` per input port, of the port's element type.
        expected: one array ``[n, ...]`` per output port.
        tolerance: absolute; 0 demands equal bits.
        entry: the function that is run, if not the first.

    Raises:
        CompilerNotFoundError: there is no compiler for the target.
        TargetError: the program does not fit any chip of this core.
        ToolchainError: it does not compile, faults, or runs away; the arrays do not match the entry; or the target's
            compiler or emulator is not installed.
    """
    require_tools(target)
    execution, footprint = _runner(target)(program, target, inputs, entry)
    made_by = cross_compiler(target) if footprint else None
    outputs, wanted = execution.outputs, _checked(execution.outputs, expected)
    error = max((_max_error(got, want) for got, want in zip(outputs, wanted, strict=True)), default=0.0)
    same_bits = all(got.tobytes() == want.tobytes() for got, want in zip(outputs, wanted, strict=True))
    return Proof(
        target=target.name,
        **_costs(execution, footprint),
        max_error=error,
        matches=error <= tolerance if tolerance else same_bits,
        rows=len(execution.instructions),
        clock_hz=target.clock_hz,
        compiler=made_by.name if made_by else "",
        compiler_flags=made_by.flags_text if made_by else "",
    )


def _runner(target: Target) -> Callable[[Program, Target, Sequence[Array], str | None], Proved]:
    return {"native": _on_native, "wasm32": _on_wasm}.get(target.core, _on_cortex_m)


def _on_native(program: Program, target: Target, inputs: Sequence[Array], entry_name: str | None) -> Proved:
    entry = entry_named(program, entry_name)
    batch = batch_of(entry, inputs)
    native.load(program).rows(entry.function)(*batch.inputs, *batch.outputs)
    return Execution(batch.outputs, np.zeros(batch.rows, np.int64), 0, np.zeros(batch.rows, np.int32)), None


def _on_cortex_m(program: Program, target: Target, inputs: Sequence[Array], entry_name: str | None) -> Proved:
    built = firmware.build_roomy(program, target, entry_name)
    return emulator.CortexM(built).run(inputs), measure.measure(built, target)


def _on_wasm(program: Program, target: Target, inputs: Sequence[Array], entry_name: str | None) -> Proved:
    module = wasm.build(program, target, entry_name)
    return wasm.WasmInstance(module).run(inputs), wasm.measure(module)


def _costs(execution: Execution, footprint: Footprint | None) -> dict[str, Any]:
    if footprint is None:
        measured = [field.name for field in fields(Footprint) if not field.name.endswith("excess_bytes")]
        return dict.fromkeys([*measured, "stack_bytes", "instructions"])
    worst = int(execution.instructions.max(initial=0))
    return {**asdict(footprint), "stack_bytes": execution.stack_bytes, "instructions": worst}


def _checked(outputs: Sequence[Array], expected: Sequence[Array]) -> list[Array]:
    """The expected arrays in the outputs' shapes."""
    if [(o.dtype, o.size) for o in outputs] != [(e.dtype, e.size) for e in expected]:
        raise ToolchainError(
            "expected outputs are " + ", ".join(f"{o.dtype}{list(o.shape)}" for o in outputs),
            received=", ".join(f"{e.dtype}{list(e.shape)}" for e in expected) or "none",
            remedy="outputs as the entry point gives them, row by row",
        )
    return [want.reshape(got.shape) for got, want in zip(outputs, expected, strict=True)]


def _max_error(got: Array, want: Array) -> float:
    with np.errstate(invalid="ignore"):
        error = np.abs(got.astype(np.float64) - want.astype(np.float64))
    same = (got == want) | (np.isnan(got) & np.isnan(want))
    return float(np.where(same, 0.0, np.where(np.isnan(error), np.inf, error)).max(initial=0.0))
