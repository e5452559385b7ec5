"""Real programs, generated from graphs, within what they may cost on a chip; int8 to the last bit everywhere."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from edgeling.codegen import generate
from edgeling.graph import Graph, GraphBuilder, run_rows
from edgeling.passes import optimize
from edgeling.passes.quantize import quantize
from edgeling.targets import get, names
from edgeling.toolchain.prove import prove


def network(sizes: tuple[int, ...], last: str) -> Graph:
    """Dense layers with relu between them, random weights, ``last`` at the end."""
    random = np.random.default_rng(0)
    builder = GraphBuilder("network")
    value = builder.input("x", (1, sizes[0]))
    for i, (inputs, outputs) in enumerate(pairwise(sizes)):
        kernel = builder.constant(random.normal(size=(inputs, outputs)).astype(np.float32) / 2, f"kernel_{i}")
        bias = builder.constant(random.normal(size=outputs).astype(np.float32), f"bias_{i}")
        value = builder.add("dense", value, kernel, bias)
        if i < len(sizes) - 2:
            value = builder.add("activation", value, function="relu")
    if last == "softmax":
        return optimize(builder.build([builder.add("softmax", value)]))
    return optimize(builder.build([builder.add("activation", value, function=last)]))


NETWORKS = {"8-10-1": network((8, 10, 1), "sigmoid"), "4-4-3": network((4, 4, 3), "softmax")}
NAIVE_INSTRUCTIONS = {"8-10-1": 668, "4-4-3": 457}  # plain C at -O2 with its weights inline


def rows_of(name: str) -> np.ndarray:
    width = int(name.split("-", maxsplit=1)[0])
    return np.random.default_rng(1).normal(size=(40, width)).astype(np.float32)


@pytest.mark.parametrize("name", NETWORKS)
def test_float_on_the_m4_beats_naive_c_in_three_kilobytes(name):
    graph, rows = NETWORKS[name], rows_of(name)
    proof = prove(generate(graph, "network"), get("cortex-m4"), [rows], [run_rows(graph, rows)], 1e-5)
    assert proof.matches
    assert proof.instructions <= NAIVE_INSTRUCTIONS[name]
    assert proof.flash_bytes <= 3 * 1024


@pytest.mark.parametrize("target", names())
@pytest.mark.parametrize("name", NETWORKS)
def test_int8_bits_are_the_interpreters_on_every_target(name, target):
    rows = rows_of(name)
    graph = optimize(quantize(NETWORKS[name], rows))
    assert prove(generate(graph, "network"), get(target), [rows], [run_rows(graph, rows)], 0).matches


@pytest.mark.parametrize("name", NETWORKS)
def test_int8_costs_less_than_float_without_a_float_unit(name):
    rows, target = rows_of(name), get("cortex-m0plus")
    exact, small = NETWORKS[name], optimize(quantize(NETWORKS[name], rows))
    float32 = prove(generate(exact, "network"), target, [rows], [run_rows(exact, rows)], 1e-5)
    int8 = prove(generate(small, "network"), target, [rows], [run_rows(small, rows)], 0)
    assert float32.matches
    assert 4 * int8.instructions < float32.instructions
    assert int8.flash_bytes < float32.flash_bytes
