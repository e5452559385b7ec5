# SPDX-License-Identifier: Apache-2.0
"""Gates of recurrent cells: their parts of kernels and sums, and a step put together of simple nodes, where the
activations are functions of one's own that no kernel of gates knows."""

from __future__ import annotations

from collections.abc import Sequence

from edgeling.activations import ActivationFunction
from edgeling.graph import GraphBuilder
from edgeling.graph.activations import ACTIVATIONS


def columns(b: GraphBuilder, kernel: str, gate: int, gates: int) -> str:
    """A gate's part of a kernel [inputs, gates * units]."""
    return columns_of(b, kernel, gate, 1, gates)


def columns_of(b: GraphBuilder, x: str, first: int, gates: int, of: int) -> str:
    """Some of the gates of a matrix [rows, of * units]."""
    rows, width = b.type_of(x).shape
    return b.add("slice", x, begin=(0, first * width // of), shape=(rows, gates * width // of))


def all_known(functions: Sequence[ActivationFunction]) -> bool:
    """Whether kernels of gates have all of these activations."""
    return all(function.name in ACTIVATIONS for function in functions) and not any(
        hasattr(function, "function") for function in functions
    )


def lstm_step(
    b: GraphBuilder, total: str, c: str, activation: ActivationFunction, recurrent: ActivationFunction
) -> tuple[str, str]:
    """h' and c' of ``total``, the sums of gates i, f, n, o: what ``lstm_gates`` computes."""
    i, f, o = (recurrent.trace(b, columns(b, total, gate, 4)) for gate in (0, 1, 3))
    new = b.add("multiply", i, activation.trace(b, columns(b, total, 2, 4)))
    following = b.add("add", b.add("multiply", f, c), new)
    return b.add("multiply", o, activation.trace(b, following)), following


def gru_step(
    b: GraphBuilder, x: str, product: str, h: str, activation: ActivationFunction, recurrent: ActivationFunction
) -> str:
    """h' of the sums of gates z, r, n of inputs and states: what ``gru_gates`` computes."""
    z, r = (recurrent.trace(b, b.add("add", columns(b, x, at, 3), columns(b, product, at, 3))) for at in (0, 1))
    reset = b.add("multiply", r, columns(b, product, 2, 3))
    new = activation.trace(b, b.add("add", columns(b, x, 2, 3), reset))
    return b.add("add", new, b.add("multiply", z, b.add("subtract", h, new)))
