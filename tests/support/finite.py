# SPDX-License-Identifier: Apache-2.0
"""Finite differences through the interpreter, in float64."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgeling.graph import Array, Graph, run


def numeric_gradient(graph: Graph, inputs: Sequence[Array], variable: str, step: float = 1e-6) -> Array:
    """Central differences of the graph's first output (a scalar) by one of its variables."""
    base = graph.variables[variable].astype(np.float64)
    gradient = np.zeros_like(base)
    for index in np.ndindex(base.shape):
        ends = []
        for sign in (1, -1):
            moved = base.copy()
            moved[index] += sign * step
            ends.append(float(run(graph, inputs, {variable: moved}, float64=True).outputs[0].reshape(())))
        gradient[index] = (ends[0] - ends[1]) / (2 * step)
    return gradient
