# SPDX-License-Identifier: Apache-2.0
"""Scores before the last activation: sigmoid and softmax of them are the answers, in floats and in integers."""

from __future__ import annotations

import numpy as np
import pytest

from edgeling.errors import UnsupportedError
from edgeling.explaining.scores import before_last_activation, explained_graph
from edgeling.graph import Graph, GraphBuilder, run_rows
from edgeling.passes import optimize
from edgeling.passes.quantize import quantize

X = np.random.default_rng(1).normal(size=(60, 5)).astype(np.float32)


def network(outputs: int, last: str) -> Graph:
    dice = np.random.default_rng(outputs)
    b = GraphBuilder("net")
    hidden = b.add("dense", b.input("x", (1, 5)), b.constant(dice.normal(size=(5, 8))), b.constant(np.zeros(8)),
                   function="relu")  # fmt: skip
    function = "linear" if last == "softmax" else last
    y = b.add("dense", hidden, b.constant(dice.normal(size=(8, outputs)) / 2), b.constant(np.zeros(outputs)),
              function=function)  # fmt: skip
    return optimize(b.build([b.add("softmax", y) if last == "softmax" else y]))


def squashed(scores: np.ndarray, last: str) -> np.ndarray:
    if last == "sigmoid":
        return 1 / (1 + np.exp(-scores))
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("outputs", "last"), [(1, "sigmoid"), (3, "softmax")])
@pytest.mark.parametrize(
    ("precision", "fine"), [("float32", False), ("int8", False), ("int8", True), ("int16x8", False)]
)
def test_what_the_last_activation_is_of(outputs, last, precision, fine) -> None:
    """To within two steps of what an integer answers; 1 - p of a float is rounded at most some dozen times."""
    graph = network(outputs, last)
    if precision != "float32":
        graph = quantize(graph, X, precision, fine=fine)
    scores = run_rows(before_last_activation(graph), X)[0].astype(np.float64)
    told = run_rows(graph, X)[0].astype(np.float64)
    step = {"float32": 2**6 * np.finfo(np.float32).eps, "int8": 2 / 256, "int16x8": 2 / 2**15 + 2**-10}[precision]
    assert np.ptp(scores) > 3
    assert np.all(np.abs(squashed(scores, last) - told) <= step)


@pytest.mark.parametrize("precision", ["float32", "int8", "int16x8"])
@pytest.mark.parametrize("last", ["linear", "tanh", "relu"])
def test_what_has_no_score_is_its_own(last, precision) -> None:
    graph = network(1, last)
    graph = graph if precision == "float32" else quantize(graph, X, precision)
    assert before_last_activation(graph) is graph


def test_another_output_is_refused() -> None:
    graph = network(1, "sigmoid")
    assert explained_graph(graph, "probability") is graph
    with pytest.raises(UnsupportedError, match="'odds'"):
        explained_graph(graph, "odds")
