# SPDX-License-Identifier: Apache-2.0
"""How far roundings to float32 may move the results of a graph, given these very inputs.

Monte Carlo arithmetic (D. S. Parker, "Monte Carlo Arithmetic", 1997): what is computed from variables is computed again
in double precision, each operand of each operation changed by a random share of a unit in its last place, more where
many terms are summed. Where results spread far, they are sums that cancel, or quotients of what cancels: no two orders
of sums agree on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

import numpy as np

from edgeling.graph.cost import COSTS
from edgeling.graph.meaning import evaluate
from edgeling.graph.types import Array, DType, Graph, Node

UNIT = 2.0**-24  # what one rounding may cost, relative to the number
_DRAWS, _SPREADS = 8, 4.0


def room_of_roundings(graph: Graph, values: Mapping[str, Array]) -> dict[str, Array]:
    """For every float value that depends on a variable, how far from it a right result may be.

    Args:
        graph: without loops.
        values: every value of one run in float32 (:class:`edgeling.graph.interpreter.Run`). What depends on no
            variable stays what it is there: integers, and what is made of them, are the same everywhere.
    """
    exact = _drawn_run(graph, values, None)
    squares = {name: np.zeros_like(array) for name, array in exact.items()}
    for seed in range(_DRAWS):
        drawn = _drawn_run(graph, values, np.random.Generator(np.random.Philox(seed)))
        for name, array in drawn.items():
            squares[name] += np.square(array - exact[name]) / _DRAWS
    return {name: _SPREADS * np.sqrt(squares[name]) + 4 * UNIT * np.abs(exact[name]) for name in exact}


def _drawn_run(graph: Graph, values: Mapping[str, Array], dice: np.random.Generator | None) -> dict[str, Array]:
    """What depends on variables, in double precision, with roundings drawn from the dice if there are any."""
    made = {name: _wide(values[name]) for name in graph.variables}
    for node in graph.nodes:
        if not any(name in made for name in node.inputs):
            continue
        share = 1 + sqrt(_terms(graph, node))
        operands = [_moved(made.get(name, _wide(values[name])), share, dice) for name in node.inputs]
        with np.errstate(all="ignore"):
            results = evaluate(node, operands)
        within = _within(node, operands)
        wide = (_off(_wide(result), within, dice) for result in results)
        made.update(zip(node.outputs, wide, strict=True))
    floats = {name for name in made if graph.types[name].dtype is DType.FLOAT32}
    return {name: made[name].reshape(graph.types[name].shape) for name in floats}


def _terms(graph: Graph, node: Node) -> float:
    """How many terms each result is the sum of, at most."""
    found = COSTS[node.operation](graph, node)
    work = found.multiply_accumulates + sum(graph.types[name].size for name in node.inputs)
    return work / graph.types[node.outputs[0]].size


def _within(node: Node, operands: list[Array]) -> float:
    """The largest number inside an operation from which its result is left when another is taken away.

    A probability less the truth is as wrong as the probability, however small it is; so is one less its square.
    """
    if node.operation in ("loss_gradient", "activation_gradient", "cross_entropy_gradient"):
        return float(np.abs(operands[0]).max(initial=0.0))
    return 1.0 if node.operation in ("loss", "log_softmax", "cross_entropy") else 0.0


def _off(array: Array, within: float, dice: np.random.Generator | None) -> Array:
    if dice is None or array.dtype.kind != "f" or not within:
        return array
    moved = array + 4 * UNIT * within * dice.uniform(-1, 1, array.shape)
    return np.where(array == 0, array, moved)  # a rectifier at rest has taken nothing away


def _moved(array: Array, share: float, dice: np.random.Generator | None) -> Array:
    if dice is None or array.dtype.kind != "f":
        return array
    moved = array * (1 + UNIT * share * dice.uniform(-1, 1, array.shape))
    return np.where(np.rint(array * 256) == array * 256, array, moved)  # labels and the like are exact


def _wide(array: Array) -> Array:
    wide = np.asarray(array)
    return wide.astype(np.float64) if wide.dtype.kind == "f" else wide
