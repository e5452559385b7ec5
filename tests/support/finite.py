# SPDX-License-Identifier: Apache-2.0
"""Finite differences through the interpreter, in float64, and how far they may be from the gradient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from edgeling.graph import Array, Graph, run
from tests.support.close import DOUBLE

Inputs = Sequence[ArrayLike] | Mapping[str, ArrayLike]
STEP = 2.0**-12


def require_gradient(graph: Graph, inputs: Inputs, variable: str, found: Array) -> None:
    """An array is the gradient of the graph's first output (a scalar) by one of its variables, up to differences."""
    slopes, error = numeric_gradient(graph, inputs, variable)
    times = np.max(np.abs(found - slopes) / error, initial=0.0)
    assert times <= 1, f"the gradient by {variable} is {times:.3g} times as far from differences as those from it"


def numeric_gradient(graph: Graph, inputs: Inputs, variable: str) -> tuple[Array, Array]:
    """Central differences of steps h and 2h, extrapolated to 0 (Richardson), and what they may be off.

    Central differences are off by ``c h^2 + O(h^4)``: that of h by a third of how far the two are apart. What is
    extrapolated is nearer, so that third bounds it. Each operation rounds, none numbers that add up to more than those
    of the graph's largest value do; divided by 2h, that is what rounding costs.
    """
    base = graph.variables[variable].astype(np.float64)
    near, far = np.zeros_like(base), np.zeros_like(base)
    for index in np.ndindex(base.shape):
        near[index], far[index] = (_slope(graph, inputs, variable, index, step) for step in (STEP, 2 * STEP))
    values = run(graph, inputs, float64=True).values.values()
    largest = max(float(np.sum(np.abs(value))) for value in values if value.dtype.kind == "f")
    rounding = len(graph.nodes) * DOUBLE * largest / STEP
    return near + (near - far) / 3, np.abs(near - far) / 3 + rounding


def _slope(graph: Graph, inputs: Inputs, variable: str, index: tuple[int, ...], step: float) -> float:
    ends = []
    for sign in (1, -1):
        moved = graph.variables[variable].astype(np.float64)
        moved[index] += sign * step
        ends.append(float(run(graph, inputs, {variable: moved}, float64=True).outputs[0].reshape(())))
    return (ends[0] - ends[1]) / (2 * step)
