# SPDX-License-Identifier: Apache-2.0
"""Answers of a graph for any number of rows: C for one row and for many at once, each compiled when first needed."""

from __future__ import annotations

import ctypes
import threading
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from edgeling.codegen import generate
from edgeling.errors import CompilerNotFoundError, UnsupportedError
from edgeling.graph import Graph, run_rows
from edgeling.graph.batch import with_batch
from edgeling.graph.cost import cost
from edgeling.graph.interpreter import row_shape
from edgeling.graph.types import Array
from edgeling.toolchain.direct import Answer, Step, direct
from edgeling.toolchain.native import THIS_MACHINE, NativeProgram, load, sharing_units
from edgeling.toolchain.threads import thread_count

# How many rows are computed at once: of very many where a row is short, of many, of some; of fewer than
# FEWEST_ROWS one.
BATCHES = (512, 128, 32)
FEWEST_ROWS = 8
_SHORT_ROW = 64  # values, at most, wherever in the network: caches hold the largest batch
# Where weights are used so often for a row that nothing is gained by reading them for many at once, and no near cache
# holds the largest values of 32 rows, fewer are computed at once: layers then pass rows on within the cache.
_OFTEN_USED, _CACHED_VALUES, _LONG_ROWS = 16, 1 << 17, (8,)
_FILLED = 2  # as many of a batch make it worth while, but for the smallest
# From this many multiplications on, a millisecond of them, threads share the rows.
_SHARED_PRODUCTS = 1 << 26
_CHUNK_ROWS = 65536  # between two of which Ctrl-C is seen

Compile = Callable[[int], NativeProgram | None]
Arrays = tuple[Array, ...]
_NEVER = ctypes.c_int64(0)  # counts what makes answers wrong: programs read variables where they are set


def compiled(graph: Graph, name: str, rows: int) -> NativeProgram | None:
    """A graph's C for ``rows`` rows at once; None if it mixes rows, keeps state, or nobody can compile it."""
    try:
        several = graph if rows == 1 else with_batch(graph, rows)
        units = () if rows == 1 else sharing_units()
        return load(generate(several, name, target=THIS_MACHINE), units=units, linked=True)
    except CompilerNotFoundError as error:
        if rows == 1:
            warnings.warn(f"predicting with the slow interpreter: {error}", RuntimeWarning, stacklevel=5)
        return None
    except UnsupportedError:
        if rows == 1:
            raise
        return None


class Predictor:
    """Call it with rows of a graph's one input, and it gives those of its output; :meth:`answers` takes and gives all.

    What a graph keeps lives on from row to row of one call, and begins anew with the next.

    Args:
        graph: any number of inputs and outputs.
        compile_rows: makes the program for a number of rows, or says with None that there is none.
    """

    def __init__(self, graph: Graph, compile_rows: Compile) -> None:
        self._graph, self._compile = graph, compile_rows
        self._programs: dict[int, NativeProgram | None] = {}
        self._variables = dict(graph.variables)
        self._inputs, self._outputs = ([_row_of(graph, p) for p in ports] for ports in (graph.inputs, graph.outputs))
        held = {*graph.constants, *graph.variables}
        self._longest = max((kind.size for name, kind in graph.types.items() if name not in held), default=0)
        self._products = cost(graph).multiply_accumulates
        weights = sum(graph.types[name].size for name in held)
        is_often = self._products >= _OFTEN_USED * weights
        self._sizes = _LONG_ROWS if is_often and self._longest * BATCHES[-1] > _CACHED_VALUES else BATCHES[1:]
        self._shortest: Answer = _not_yet
        self._rows_before = -1
        self._lock = threading.Lock()  # of weights and arenas, while threads read them without the global lock

    def program(self, rows: int) -> NativeProgram | None:
        """The program that computes that many rows at once, with the variables as they were last set."""
        if rows not in self._programs:
            self._programs[rows] = made = self._compile(rows)
            if made:
                self._begin(made)
        return self._programs[rows]

    def set_variable(self, name: str, array: Array) -> None:
        """What a variable of the graph holds from now on."""
        self._variables[name] = array
        with self._lock:
            for program in filter(None, self._programs.values()):
                program.variable(name, self._graph.types[name])[...] = array

    def variable(self, name: str) -> Array:
        """What a variable holds: of a graph that keeps state, after the last row that was answered."""
        one = self._programs.get(1)
        held = one.variable(name, self._graph.types[name]) if one else self._variables[name]
        return np.array(held).reshape(self._graph.types[name].shape)

    def __call__(self, rows: Array) -> Array:
        try:
            return self._shortest(rows)
        except TypeError:  # not of as many rows as before, or of another type
            pass
        answer = self.answers(rows)[0]
        if len(answer) == self._rows_before:
            self._shortest = self.direct(len(answer), _NEVER) or _not_yet
        self._rows_before = len(answer)
        return answer

    def answers(self, *rows: Array) -> tuple[Array, ...]:
        """Of each output ``[rows, ...]``, from such an array for each input."""
        given = tuple(
            np.ascontiguousarray(x, dtype).reshape(-1, *row) for x, (row, dtype) in zip(rows, self._inputs, strict=True)
        )
        count = len(given[0]) if given else 1
        out = tuple(np.empty((count, *row), dtype) for row, dtype in self._outputs)
        if self._graph.updates:
            self._run_in_order(given, out)
            return out
        for start in range(0, count, _CHUNK_ROWS):
            chunk = slice(start, start + _CHUNK_ROWS)
            self._run(_rows(given, chunk), _rows(out, chunk))
        return out

    def direct(self, rows: int, changes: ctypes.c_int64) -> Answer | None:
        """The shortest way for just so many rows, good until ``changes`` counts more: see :func:`direct`.

        None where there is more to do than a call or two of compiled code.
        """
        batch = 1 if rows < FEWEST_ROWS else self._batch_for(rows)
        short = batch <= rows <= _CHUNK_ROWS and self._threads_for(rows) == 1 and not self._graph.updates
        program = self.program(batch) if short and len(self._inputs) == len(self._outputs) == 1 else None
        if program is None or {dtype for _, dtype in (*self._inputs, *self._outputs)} != {np.dtype(np.float32)}:
            return None
        steps = [Step(program, _entry(program), 0, rows // batch)]
        if rows % batch:
            steps.append(Step(program, _entry(program), rows - batch, 1))
        (taken, _), (given, _) = *self._inputs, *self._outputs
        return direct(steps, (rows, *taken), (rows, *given), changes)

    def _run_in_order(self, given: Arrays, out: Arrays) -> None:
        one = self.program(1)
        if one:
            self._begin(one)
            one.rows(_entry(one))(*given, *out)
        else:
            self._interpret(given, out)

    def _run(self, given: Arrays, out: Arrays) -> None:
        count = len(out[0])
        batch = self._batch_for(count)
        many = self.program(batch) if count >= FEWEST_ROWS else None
        if many:
            self._batches(many, batch, given, out)
        elif one := self.program(1):
            one.rows(_entry(one))(*given, *out)
        else:
            self._interpret(given, out)

    def _interpret(self, given: Arrays, out: Arrays) -> None:
        held = replace(self._graph, variables=self._variables)
        for array, answer in zip(out, run_rows(held, *given), strict=True):
            array[...] = answer

    def _begin(self, program: NativeProgram) -> None:
        for name, array in self._variables.items():
            program.variable(name, self._graph.types[name])[...] = array

    def _batch_for(self, rows: int) -> int:
        """The largest batch that is filled, and whose rows are short enough."""
        sizes = BATCHES if self._longest <= _SHORT_ROW else self._sizes
        return next((size for size in sizes[:-1] if rows >= _FILLED * size), sizes[-1])

    def _threads_for(self, rows: int) -> int:
        return thread_count() if rows * self._products >= _SHARED_PRODUCTS else 1

    def _whole_batches(self, program: NativeProgram, rows: int, arrays: Arrays) -> None:
        threads = self._threads_for(rows)
        if threads == 1:
            program.rows(_entry(program))(*arrays)
            return
        with self._lock:
            program.share_rows(_entry(program), threads, *arrays)

    def _batches(self, program: NativeProgram, batch: int, given: Arrays, out: Arrays) -> None:
        """Whole batches, then the rows that are left: with those before them, or with rows of zeros."""
        count = len(out[0])
        whole, last = count - count % batch, slice(-batch, None)
        self._whole_batches(program, whole, (*_rows(given, slice(whole)), *_rows(out, slice(whole))))
        if whole == count:
            return
        call = program.function(_entry(program))
        if whole:
            call(*_rows(given, last), *_rows(out, last))
            return
        padded = tuple(np.zeros((batch, *x.shape[1:]), x.dtype) for x in given)
        answers = tuple(np.empty((batch, *y.shape[1:]), y.dtype) for y in out)
        for array, x in zip(padded, given, strict=True):
            array[:count] = x
        call(*padded, *answers)
        for array, answer in zip(out, answers, strict=True):
            array[...] = answer[:count]


def _not_yet(_: Array) -> Array:
    raise TypeError


def _rows(arrays: Arrays, chosen: slice) -> Arrays:
    return tuple(array[chosen] for array in arrays)


def _row_of(graph: Graph, port: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    return row_shape(graph, port), graph.types[port].dtype.numpy


def _entry(program: NativeProgram) -> str:
    return program.program.entries[0].function
