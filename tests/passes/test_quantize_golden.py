# SPDX-License-Identifier: Apache-2.0
"""The int8 graphs of dense networks, and their answers, keep their bits.

Weights and rows are small multiples of powers of two, so that every float is exact on every machine.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from edgeling.graph import Graph, GraphBuilder, run_rows
from edgeling.graph.fingerprint import fingerprint
from edgeling.passes import optimize
from edgeling.passes.quantize import quantize

NETWORKS = {
    "pima": ([8, 10, 1], ["relu", "sigmoid"]),
    "iris": ([4, 4, 3], ["relu", "softmax"]),
    "regression": ([5, 7, 2], ["relu", "linear"]),
    "tanh": ([5, 7, 2], ["relu6", "tanh"]),
    "clamps": ([6, 9, 4, 3], ["relu6", "hard_tanh", "leaky_relu"]),
    "wide": ([3, 8, 600], ["relu", "softmax"]),
}
GOLDEN = {
    "pima": ("bb55716a7ed83850", "d04e501f07fa5dbd"),
    "iris": ("a70db04d48d2cfca", "3ea2c263c69ff1fe"),
    "regression": ("3ec6a38bda338291", "0133aa0a9350a428"),
    "tanh": ("1bbe4c55b049e304", "579ce6dd0ce1fd9d"),
    "clamps": ("1596b533164f724e", "36adf76c7b1e0615"),
    "wide": ("3022edf9ff134503", "11bb30859399f005"),
}


def eighths(dice: np.random.Generator, largest: int, *shape: int) -> np.ndarray:
    return dice.integers(-largest, largest + 1, shape) / 8


def network(name: str, dice: np.random.Generator) -> Graph:
    sizes, functions = NETWORKS[name]
    b = GraphBuilder(name)
    x = b.input("x", (1, sizes[0]))
    for inputs, outputs, function in zip(sizes, sizes[1:], functions, strict=False):
        kernel, bias = b.constant(eighths(dice, 8, inputs, outputs)), b.constant(eighths(dice, 8, outputs))
        softmax = function == "softmax"
        x = b.add("dense", x, kernel, bias, function="linear" if softmax else function, alpha=0.25)
        x = b.add("softmax", x) if softmax else x
    return optimize(b.build([x]))


@pytest.mark.parametrize("name", NETWORKS)
def test_graphs_and_answers_keep_their_bits(name):
    dice = np.random.default_rng(len(name))
    graph = network(name, dice)
    width = graph.types["x"].size
    int8 = quantize(graph, eighths(dice, 16, 200, width))
    integers = int8 if name != "wide" else optimize(GraphBuilder.of(int8).build([int8.nodes[-2].inputs[0]]))
    (answers,) = run_rows(integers, eighths(dice, 40, 50, width))
    assert (fingerprint(int8)[:16], hashlib.sha256(answers.tobytes()).hexdigest()[:16]) == GOLDEN[name]
