# SPDX-License-Identifier: Apache-2.0
"""Lets a program learn on a target and compares its weights with those known; says what a step costs there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgeling.codegen.program import Program
from edgeling.graph.types import DType, TensorType
from edgeling.targets import Target
from edgeling.toolchain import emulator, firmware, measure, native, wasm
from edgeling.toolchain.arm_compiler import cross_compiler
from edgeling.toolchain.execution import Array, Execution, batch_of, entry_named
from edgeling.toolchain.measure import Footprint
from edgeling.toolchain.prove import OnTarget

Learned = tuple[Execution, bytes, Footprint | None]


@dataclass(frozen=True)
class LearningProof(OnTarget):
    """What learning did on a target. Costs are ``None`` on this machine, where nothing counts them.

    Attributes:
        target: its name.
        steps: rows learned from.
        rejected: of them, those whose update was not adopted.
        matches: whether every variable agrees within the tolerance; integers and states to the bit.
        max_relative_error: the largest difference of a weight, relative to the largest weight of the same array.
        tolerance: what it may be.
        instructions: per step, the worst; on wasm32, wasmtime's fuel.
        stack_bytes: the deepest the stack was seen.
        flash_bytes: of ``NAME_run`` and ``NAME_learn``, tables and initial weights.
        ram_bytes: weights and arena.
        weights_bytes: what outlives a call: what learns, what the optimizer keeps, statistics and remembered rows.
        trained_bytes: of them, the weights that learn.
        arena_bytes: scratch of the function that needs most.
        clock_hz: of the target; 0 if there is none to assume.
        compiler, compiler_flags: what made the binary.
    """

    target: str
    steps: int
    rejected: int | None
    matches: bool
    max_relative_error: float
    tolerance: float
    instructions: int | None
    stack_bytes: int | None
    flash_bytes: int | None
    ram_bytes: int | None
    weights_bytes: int
    trained_bytes: int
    arena_bytes: int
    flash_excess_bytes: int = 0
    ram_excess_bytes: int = 0
    clock_hz: int = 0
    compiler: str = ""
    compiler_flags: str = ""


def prove_learning(
    program: Program,
    target: Target,
    inputs: Sequence[Array],
    expected: Mapping[str, Array],
    tolerance: float,
    trained: Sequence[str],
    states: Sequence[int],
) -> LearningProof:
    """Runs ``NAME_learn`` on every row, and compares the weights afterwards.

    Args:
        inputs: of each input of the function, ``[steps, ...]``.
        expected: every variable after the last step.
        tolerance: relative to the largest of an array.
        trained: variables that learn.
        states: what each step's call is to return.

    Raises:
        CompilerNotFoundError, TargetError, ToolchainError: as :func:`edgeling.toolchain.prove.prove`.
    """
    execution, weights, footprint = _runner(target)(program, target, inputs)
    got = {name: _variable(program, weights, name, array) for name, array in expected.items()}
    errors = [relative_error(got[name], want) for name, want in expected.items() if want.dtype == np.float32]
    exact = all(got[n].tobytes() == want.tobytes() for n, want in expected.items() if want.dtype != np.float32)
    told = footprint is None or execution.status.tolist() == list(states)
    error = max(errors, default=0.0)
    made_by = cross_compiler(target) if footprint else None
    return LearningProof(
        target=target.name,
        steps=len(execution.instructions),
        rejected=sum(state != 0 for state in states),
        matches=exact and told and error <= tolerance,
        max_relative_error=error,
        tolerance=tolerance,
        instructions=int(execution.instructions.max(initial=0)) if footprint else None,
        stack_bytes=execution.stack_bytes if footprint else None,
        flash_bytes=footprint.flash_bytes if footprint else None,
        ram_bytes=footprint.ram_bytes if footprint else None,
        weights_bytes=program.weights_bytes,
        trained_bytes=sum(expected[name].nbytes for name in trained),
        arena_bytes=program.arena_bytes,
        flash_excess_bytes=footprint.flash_excess_bytes if footprint else 0,
        ram_excess_bytes=footprint.ram_excess_bytes if footprint else 0,
        clock_hz=target.clock_hz,
        compiler=made_by.name if made_by else "",
        compiler_flags=made_by.flags_text if made_by else "",
    )


def _runner(target: Target) -> Callable[[Program, Target, Sequence[Array]], Learned]:
    return {"native": _on_native, "wasm32": _on_wasm}.get(target.core, _on_cortex_m)


def _on_native(program: Program, target: Target, inputs: Sequence[Array]) -> Learned:
    entry, loaded = entry_named(program, f"{program.name}_learn"), native.load(program)
    batch = batch_of(entry, inputs)
    loaded.rows(entry.function)(*batch.inputs)
    nothing = np.zeros(batch.rows, np.int64)
    return Execution((), nothing, 0, nothing.astype(np.int32)), loaded.weights.tobytes(), None


def _on_cortex_m(program: Program, target: Target, inputs: Sequence[Array]) -> Learned:
    built = firmware.build_roomy(program, target, f"{program.name}_learn")
    chip = emulator.CortexM(built)
    return chip.run(inputs), chip.weights(), measure.measure(built, target)


def _on_wasm(program: Program, target: Target, inputs: Sequence[Array]) -> Learned:
    module = wasm.build(program, target, f"{program.name}_learn")
    instance = wasm.WasmInstance(module)
    return instance.run(inputs), instance.weights(), wasm.measure(module)


def _variable(program: Program, weights: bytes, name: str, like: Array) -> Array:
    kind = TensorType(like.shape, DType.of(like))
    at = program.variable_offsets[name]
    return np.frombuffer(weights[at : at + kind.bytes], like.dtype).reshape(like.shape)


def relative_error(got: Array, want: Array) -> float:
    """Relative to the largest of the array; infinite where only one is a number."""
    with np.errstate(invalid="ignore"):
        off = np.abs(got.astype(np.float64) - want.astype(np.float64))
    off = np.where((got == want) | (np.isnan(got) & np.isnan(want)), 0.0, off)
    largest = float(np.abs(want).max(initial=0.0, where=np.isfinite(want)))
    worst = float(np.nan_to_num(off, nan=np.inf).max(initial=0.0))
    return worst / largest if largest else (0.0 if worst == 0 else np.inf)
