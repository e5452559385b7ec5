# SPDX-License-Identifier: Apache-2.0
"""Recurrent cells as bodies of ``scan``, with Keras's formulas and order of weights."""

from __future__ import annotations

import numpy as np

from edgeling.graph import Graph, GraphBuilder


def rnn_body(rows: int, features: int, units: int, results: int = 1) -> Graph:
    """h' = tanh(x kernel + h recurrent + bias), given as a result ``results`` times."""
    b = GraphBuilder("rnn_cell")
    h, x = b.input("h", (rows, units)), b.input("x", (rows, features))
    kernel, recurrent = b.input("kernel", (features, units)), b.input("recurrent", (units, units))
    total = b.add("add", b.add("matmul", x, kernel), b.add("matmul", h, recurrent))
    y = b.add("activation", b.add("add", total, b.input("bias", (units,))), function="tanh")
    return b.build([y, *[y] * results])


def lstm_body(rows: int, features: int, units: int) -> Graph:
    """(h, c, x, kernel, recurrent, bias) -> (h', c', h'); gates in Keras's order: input, forget, cell, output."""
    b = GraphBuilder("lstm_cell")
    h, c, x = b.input("h", (rows, units)), b.input("c", (rows, units)), b.input("x", (rows, features))
    kernel, recurrent = b.input("kernel", (features, 4 * units)), b.input("recurrent", (units, 4 * units))
    bias = b.input("bias", (4 * units,))
    z = b.add("add", b.add("add", b.add("matmul", x, kernel), b.add("matmul", h, recurrent)), bias)

    def gate(index: int, function: str) -> str:
        columns = tuple(range(index * units, (index + 1) * units))
        return b.add("activation", b.add("gather", z, indices=columns), function=function)

    i, f, g, o = (gate(k, "tanh" if k == 2 else "sigmoid") for k in range(4))
    c = b.add("add", b.add("multiply", f, c), b.add("multiply", i, g))
    y = b.add("multiply", o, b.add("activation", c, function="tanh"))
    return b.build([y, c, y])


def add_lstm(b: GraphBuilder, x: str, units: int, weights: tuple[str, str, str], *, reverse: bool = False) -> str:
    """Append an LSTM over ``x`` [rows, steps, features]; give its outputs [rows, steps, units]."""
    rows, steps, features = b.type_of(x).shape
    zeros = b.constant(np.zeros((rows, units)), "zeros")
    body = lstm_body(rows, features, units)
    made = b.add_many(
        "scan", zeros, zeros, x, *weights, name="lstm", body=body, length=steps, carried=2, axes=(1, 1),
        reverse=reverse,
    )  # fmt: skip
    return made[2]
