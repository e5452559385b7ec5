# SPDX-License-Identifier: Apache-2.0
"""The tutorial networks as C, within what they may cost on a chip; int8 to the last bit everywhere."""

from __future__ import annotations

import numpy as np
import pytest

from edgeling.codegen import generate
from edgeling.graph import run_rows
from edgeling.passes import optimize
from edgeling.passes.quantize import quantize
from edgeling.targets import get, names
from edgeling.toolchain.prove import prove
from edgeling.workflow.build import build
from tests.codegen.networks import TUTORIALS, dense_network
from tests.support.rounding import row_bounds

NETWORKS = {
    **TUTORIALS,
    "16-16-16": dense_network("wide", (16, 16, 16), ("relu", "linear"), softmax=False),
    "64-32-10": dense_network("digits", (64, 32, 10), ("relu", "linear"), softmax=True),
}
# On a Cortex-M4, whole runs, with the compiler that comes with the package.
MOST_INSTRUCTIONS = {
    ("iris", "float32"): 210, ("diabetes", "float32"): 281, ("64-32-10", "float32"): 4108, ("16-16-16", "float32"): 907,
    ("iris", "int8"): 330, ("diabetes", "int8"): 361, ("64-32-10", "int8"): 4003, ("16-16-16", "int8"): 1106,
}  # fmt: skip
NAIVE_INSTRUCTIONS = {"diabetes": 668, "iris": 457}  # plain C at -O2 with its weights inline


def rows_of(name: str) -> np.ndarray:
    width = TUTORIALS[name].types["x"].size
    return np.random.default_rng(1).normal(size=(40, width)).astype(np.float32)


def rows_for(graph):
    return np.random.default_rng(1).normal(size=(40, graph.types["x"].size)).astype(np.float32)


@pytest.mark.parametrize(("name", "precision"), MOST_INSTRUCTIONS, ids=" ".join)
def test_what_a_run_on_the_m4_costs(name, precision):
    graph = NETWORKS[name]
    built = build(graph, "cortex-m4", precision=precision, calibration_data=rows_for(graph))
    assert built.matches
    assert built.instructions <= MOST_INSTRUCTIONS[name, precision]


@pytest.mark.parametrize(("precision", "times"), [("float32", 2.8), ("int8", 4.5)])
def test_vectors_save_steps_in_webassembly(precision, times):
    graph = NETWORKS["64-32-10"]
    given = {"precision": precision, "calibration_data": rows_for(graph)}
    plain, vectors = (build(graph, target, **given) for target in ("wasm32", "wasm32-simd128"))
    assert vectors.matches
    assert times * vectors.instructions <= plain.instructions


@pytest.mark.parametrize("inputs", [16, 17, 18, 23, 32, 100])
def test_an_int8_layer_takes_fewer_instructions_than_a_float_layer(inputs):
    """From sixteen inputs on; quantising is no part of it."""
    graph = dense_network("layer", (inputs, 16), ("relu",), softmax=False)
    rows = rows_for(graph)
    float32 = build(graph, "cortex-m4", precision="float32")
    int8 = build(graph, "cortex-m4", precision="int8", io="int8", calibration_data=rows)
    assert int8.matches
    assert int8.instructions < float32.instructions


@pytest.mark.parametrize("name", TUTORIALS)
def test_float_on_the_m4_beats_naive_c_in_three_kilobytes(name):
    graph, rows = TUTORIALS[name], rows_of(name)
    proof = prove(
        generate(graph, "network"),
        get("cortex-m4"),
        [rows],
        run_rows(graph, rows),
        row_bounds(graph, rows)[0].tolerance,
    )
    assert proof.matches
    assert proof.instructions <= NAIVE_INSTRUCTIONS[name]
    assert proof.flash_bytes <= 3 * 1024


@pytest.mark.parametrize("target", names())
@pytest.mark.parametrize("name", TUTORIALS)
def test_int8_bits_are_the_interpreters_on_every_target(name, target):
    rows = rows_of(name)
    graph = optimize(quantize(TUTORIALS[name], rows))
    assert prove(generate(graph, "network"), get(target), [rows], run_rows(graph, rows), 0).matches


@pytest.mark.parametrize("name", TUTORIALS)
def test_int8_costs_less_than_float_without_a_float_unit(name):
    rows, target = rows_of(name), get("cortex-m0plus")
    exact, small = TUTORIALS[name], optimize(quantize(TUTORIALS[name], rows))
    tolerance = row_bounds(exact, rows)[0].tolerance
    float32 = prove(generate(exact, "network"), target, [rows], run_rows(exact, rows), tolerance)
    int8 = prove(generate(small, "network"), target, [rows], run_rows(small, rows), 0)
    assert float32.matches
    assert 4 * int8.instructions < float32.instructions
    assert int8.flash_bytes < float32.flash_bytes


@pytest.mark.parametrize("sizes", [(19, 13, 23, 6), (64, 32, 32), (5, 2, 7)])
def test_two_products_an_instruction_have_the_bits_of_one(sizes):
    rows = np.random.default_rng(2).normal(size=(30, sizes[0])).astype(np.float32) * 3
    graph = optimize(quantize(dense_network("odd", sizes, ("relu",) * (len(sizes) - 1), softmax=False), rows))
    program, expected = generate(graph, "network"), run_rows(graph, rows)
    assert prove(program, get("cortex-m4"), [rows], expected, 0).matches
