# SPDX-License-Identifier: Apache-2.0
"""Lets a program learn on a target, has every step judged, and says what a step costs there."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edgeling.codegen.program import Program
from edgeling.graph.types import DType, TensorType
from edgeling.targets import Target
from edgeling.toolchain import emulator, firmware, measure, native, wasm
from edgeling.toolchain.arm_compiler import cross_compiler
from edgeling.toolchain.execution import Array, Execution, entry_named
from edgeling.toolchain.measure import Footprint
from edgeling.toolchain.prove import OnTarget
from edgeling.toolchain.tools import require_tools

Variables = dict[str, Array]
Judge = Callable[[int, Variables, Variables, int | None], "JudgedStep"]
"""Of a step's number, the variables before and after, and what the call returned, where that is known."""


@dataclass(frozen=True)
class JudgedStep:
    """Whether a step's weights are what it means; of that which is furthest off, ``error`` and the ``room`` it has,
    relative to the largest weight of the same array."""

    matches: bool
    error: float
    room: float
    rejected: bool


@dataclass(frozen=True)
class _Trace:
    """The weights after each step, what the calls did, and what the program takes; sizes where they are known."""

    weights: list[bytes]
    states: list[int] | None
    instructions: int
    stack_bytes: int
    footprint: Footprint | None


@dataclass(frozen=True)
class LearningProof(OnTarget):
    """What learning did on a target. Costs are ``None`` on this machine, where nothing counts them.

    Attributes:
        target: its name.
        steps: rows learned from.
        rejected: of them, those whose update was not adopted.
        matches: whether each step, from the weights that the target had before it, led to those that it means: floats
            within the tolerance, integers and states to the bit.
        max_relative_error: the largest difference of a weight after a step, relative to the largest weight of the same
            array.
        tolerance: what that may be: 1e-6, or what the roundings of its step come to where it divides what cancels.
        drift: how far apart the weights were after all steps, here and there, in the same unit. Steps amplify what
            roundings they begin with, so it grows with their number, and says nothing about whether they are right.
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
    drift: float
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
    start: Variables,
    judge: Judge,
    expected: Variables,
    trained: Sequence[str],
) -> LearningProof:
    """Runs ``NAME_learn`` on every row, and has each step judged.

    Args:
        inputs: of each input of the function, ``[steps, ...]``.
        start: every variable before the first step.
        expected: every variable after the last step, where another machine went all the way; for the drift alone.
        trained: variables that learn.

    Raises:
        CompilerNotFoundError, TargetError, ToolchainError: as :func:`edgeling.toolchain.prove.prove`.
    """
    require_tools(target)
    trace = _runner(target)(program, target, inputs)
    states = trace.states or itertools.repeat(None, len(trace.weights))
    path = [start, *({name: _variable(program, weights, name, array) for name, array in start.items()}
                     for weights in trace.weights)]  # fmt: skip
    judged = [judge(i, path[i], path[i + 1], state) for i, state in enumerate(states)]
    worst = max(judged, key=lambda step: step.error)
    floats = [name for name, array in expected.items() if array.dtype == np.float32]
    footprint = trace.footprint
    made_by = cross_compiler(target) if footprint else None
    return LearningProof(
        target=target.name,
        steps=len(judged),
        rejected=sum(step.rejected for step in judged),
        matches=all(step.matches for step in judged),
        max_relative_error=worst.error,
        tolerance=worst.room,
        drift=max((relative_error(path[-1][name], expected[name]) for name in floats), default=0.0),
        instructions=trace.instructions if footprint else None,
        stack_bytes=trace.stack_bytes if footprint else None,
        flash_bytes=footprint.flash_bytes if footprint else None,
        ram_bytes=footprint.ram_bytes if footprint else None,
        weights_bytes=program.weights_bytes,
        trained_bytes=sum(start[name].nbytes for name in trained),
        arena_bytes=program.arena_bytes,
        flash_excess_bytes=footprint.flash_excess_bytes if footprint else 0,
        ram_excess_bytes=footprint.ram_excess_bytes if footprint else 0,
        clock_hz=target.clock_hz,
        compiler=made_by.name if made_by else "",
        compiler_flags=made_by.flags_text if made_by else "",
    )


def _runner(target: Target) -> Callable[[Program, Target, Sequence[Array]], _Trace]:
    return {"native": _on_native, "wasm32": _on_wasm}.get(target.core, _on_cortex_m)


def _on_native(program: Program, target: Target, inputs: Sequence[Array]) -> _Trace:
    loaded = native.load(program)
    learn, weights = loaded.function(entry_named(program, f"{program.name}_learn").function), list[bytes]()
    for step in _steps(inputs):
        learn(*step)
        weights.append(loaded.weights.tobytes())
    return _Trace(weights, None, 0, 0, None)


def _on_cortex_m(program: Program, target: Target, inputs: Sequence[Array]) -> _Trace:
    built = firmware.build_roomy(program, target, f"{program.name}_learn")
    return _stepwise(emulator.CortexM(built), inputs, measure.measure(built, target))


def _on_wasm(program: Program, target: Target, inputs: Sequence[Array]) -> _Trace:
    module = wasm.build(program, target, f"{program.name}_learn")
    return _stepwise(wasm.WasmInstance(module), inputs, wasm.measure(module))


def _stepwise(chip: emulator.CortexM | wasm.WasmInstance, inputs: Sequence[Array], footprint: Footprint) -> _Trace:
    runs, weights = list[Execution](), list[bytes]()
    for step in _steps(inputs):
        runs.append(chip.run(step))
        weights.append(chip.weights())
    instructions, stack = (max(int(run.instructions[0]) for run in runs), max(run.stack_bytes for run in runs))
    return _Trace(weights, [int(run.status[0]) for run in runs], instructions, stack, footprint)


def _steps(inputs: Sequence[Array]) -> Iterator[list[Array]]:
    for i in range(len(inputs[0])):
        yield [array[i : i + 1] for array in inputs]


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
