# SPDX-License-Identifier: Apache-2.0
"""What can be deployed, whatever it came from: a graph for each precision, and rows to try it on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from edgeling import targets
from edgeling.codegen import generate, names
from edgeling.codegen.program import Program
from edgeling.errors import UnsupportedError
from edgeling.graph import Graph, run_rows
from edgeling.graph.types import Array
from edgeling.passes import optimize
from edgeling.passes.quantize import quantize
from edgeling.toolchain.prove import Proof, prove

Precision = Literal["float32", "int8"]
PRECISIONS: tuple[Precision, ...] = ("float32", "int8")
PROOF_ROWS = 64
# What float32 C may differ from the interpreter by, relative to the largest answer (at least 1): the orders of
# summation and the elementary functions differ, each by an ulp or two. int8 may not differ at all.
FLOAT32_TOLERANCE = 1e-5

MAX_NAME = 48
# NAME.h would be found in place of these.
_HEADERS = frozenset(
    """assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdarg stdbool stddef
    stdint stdio stdlib string tgmath time wchar wctype""".split()  # noqa: SIM905
)


@dataclass(frozen=True, eq=False)
class Deployable:
    """A network ready for code generation.

    Attributes:
        name: C identifier.
        graphs: by precision; one float32 input [1, n], one float32 output [1, m], nothing variable.
        rows: float32 [rows, n], inputs to prove it on.
    """

    name: str
    graphs: Mapping[str, Graph]
    rows: Array
    programs: dict[str, Program] = field(default_factory=dict)

    def program(self, precision: str) -> Program:
        """The C of one precision, generated once.

        Raises:
            UnsupportedError: there is no graph of that precision.
        """
        if precision not in self.graphs:
            raise UnsupportedError(
                f"{self.name} can be built as {' or '.join(self.graphs)}",
                received=repr(precision),
                remedy="for int8, calibration rows: train with --precision int8, or pass calibration_data",
            )
        if precision not in self.programs:
            self.programs[precision] = generate(self.graphs[precision], self.name)
        return self.programs[precision]

    def prove(self, precision: str, target: str) -> Proof:
        """Run the C on a target against the meaning of the graph, and measure it.

        Raises:
            ToolchainError: it does not compile or does not run.
            TargetError: no such target.
        """
        expected = run_rows(self.graphs[precision], self.rows)
        scale = max(1.0, *(float(np.max(np.abs(y), initial=0)) for y in expected))
        tolerance = FLOAT32_TOLERANCE * scale if precision == "float32" else 0.0
        return prove(self.program(precision), targets.get(target), [self.rows], expected, tolerance)


def deployable(
    name: str,
    graph: Graph,
    rows: Array,
    calibration: Array | None = None,
    precisions: Sequence[str] = PRECISIONS,
) -> Deployable:
    """Optimise a float graph, and quantise it if int8 is among the precisions.

    Args:
        graph: frozen, batch 1.
        rows: inputs to prove it on.
        calibration: float32 [rows, n] inputs whose ranges decide the int8 scales.

    Raises:
        UnsupportedError: int8 is asked for, and the network holds what cannot be quantised.
    """
    small = optimize(graph)
    graphs = {"float32": small}
    if "int8" in precisions and calibration is not None:
        graphs["int8"] = quantize(small, calibration)
    return Deployable(name, {p: graphs[p] for p in precisions if p in graphs}, rows)


def identifier(text: str) -> str:
    """A name for a program as close to ``text`` as can be: a C identifier, and no header of C's own."""
    safe = re.sub("[^a-z0-9]+", "_", text.lower())[:MAX_NAME].strip("_")
    if not safe or safe[0].isdigit() or safe.startswith("edgeling"):
        safe = f"model_{safe}"[:MAX_NAME].rstrip("_")
    return f"{safe}_model" if safe in _HEADERS or names.identifier(safe) != safe else safe
