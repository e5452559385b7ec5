# SPDX-License-Identifier: Apache-2.0
"""Answers of a graph for any number of rows: C for one row and for many at once, each compiled when first needed."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from edgeling.codegen import generate
from edgeling.errors import CompilerNotFoundError, UnsupportedError
from edgeling.graph import Graph, run_rows
from edgeling.graph.batch import with_batch
from edgeling.graph.types import Array
from edgeling.toolchain.native import THIS_MACHINE, NativeProgram, load

# How many rows are computed at once: of many rows, of some; fewer than the last go one by one.
BATCHES = (128, 32)
FEWEST_ROWS = 8
_MANY_ROWS = 256  # from which on the larger batch is taken
_CHUNK_ROWS = 65536  # between two of which Ctrl-C is seen

Compile = Callable[[int], NativeProgram | None]


def compiled(graph: Graph, name: str, rows: int) -> NativeProgram | None:
    """A graph's C for ``rows`` rows at once; None if it mixes rows, keeps state, or nobody can compile it."""
    try:
        several = graph if rows == 1 else with_batch(graph, rows)
        return load(generate(several, name, target=THIS_MACHINE), linked=True)
    except CompilerNotFoundError as error:
        if rows == 1:
            warnings.warn(f"predicting with the slow interpreter: {error}", RuntimeWarning, stacklevel=5)
        return None
    except UnsupportedError:
        if rows == 1:
            raise
        return None


class Predictor:
    """Call it with float32 rows [rows, ...]; it gives float32 [rows, ...].

    Args:
        graph: one input and one output, each with a first axis of length one.
        compile_rows: makes the program for a number of rows, or says with None that there is none.
    """

    def __init__(self, graph: Graph, compile_rows: Compile) -> None:
        self._graph, self._compile = graph, compile_rows
        self._programs: dict[int, NativeProgram | None] = {}
        self._variables = dict(graph.variables)
        self._input = graph.types[graph.inputs[0]].shape[1:]
        self._output = graph.types[graph.outputs[0]].shape[1:]

    def program(self, rows: int) -> NativeProgram | None:
        """The program that computes that many rows at once, with the variables as they were last set."""
        if rows not in self._programs:
            self._programs[rows] = made = self._compile(rows)
            if made:
                for name, array in self._variables.items():
                    made.variable(name, self._graph.types[name])[...] = array
        return self._programs[rows]

    def set_variable(self, name: str, array: Array) -> None:
        """What a variable of the graph holds from now on."""
        self._variables[name] = array
        for program in filter(None, self._programs.values()):
            program.variable(name, self._graph.types[name])[...] = array

    def __call__(self, rows: Array) -> Array:
        x = np.ascontiguousarray(rows, np.float32).reshape(-1, *self._input)
        out = np.empty((len(x), *self._output), np.float32)
        for start in range(0, len(x), _CHUNK_ROWS):
            self._run(x[start : start + _CHUNK_ROWS], out[start : start + _CHUNK_ROWS])
        return out

    def _run(self, x: Array, out: Array) -> None:
        batch = BATCHES[0] if len(x) >= _MANY_ROWS else BATCHES[1]
        many = self.program(batch) if len(x) >= FEWEST_ROWS else None
        if many:
            self._batches(many, batch, x, out)
        elif one := self.program(1):
            one.rows(_entry(one))(x, out)
        else:
            held = replace(self._graph, variables=self._variables)
            out[...] = run_rows(held, x)[0]

    def _batches(self, program: NativeProgram, batch: int, x: Array, out: Array) -> None:
        """Whole batches, then the rows that are left: with those before them, or with rows of zeros."""
        whole = len(x) - len(x) % batch
        program.rows(_entry(program))(x[:whole], out[:whole])
        if whole == len(x):
            return
        call = program.function(_entry(program))
        if whole:
            call(x[-batch:], out[-batch:])
            return
        padded, answers = np.zeros((batch, *self._input), np.float32), np.empty((batch, *self._output), np.float32)
        padded[: len(x)] = x
        call(padded, answers)
        out[...] = answers[: len(x)]


def _entry(program: NativeProgram) -> str:
    return program.program.entries[0].function
