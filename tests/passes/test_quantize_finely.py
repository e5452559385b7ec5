# SPDX-License-Identifier: Apache-2.0
"""Probabilities of an int8 network told as finely as its logits: rare classes, thresholds between two logits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgeling.codegen.interface import Interface
from edgeling.graph import DType, Graph, GraphBuilder, run_rows
from edgeling.graph.integer_tables import FINE_LOGISTIC, FINE_REACH, Affine, fine_logistic_table
from edgeling.passes import optimize
from edgeling.passes.integer_ends import integer_ends
from edgeling.passes.quantize import quantize
from edgeling.targets import get
from edgeling.workflow.deploy import deployable
from tests.support.tflite_reference import Operator, Tensor, run_operator

RNG = np.random.default_rng(3)
ROWS = RNG.normal(size=(400, 5)).astype(np.float32)


def rare(bias: float = -7.0) -> Graph:
    """A class of about one row in a hundred and fifty."""
    b, rng = GraphBuilder("rare"), np.random.default_rng(4)
    hidden = b.add(
        "dense", b.input("x", (1, 5)), b.constant(rng.normal(0, 0.5, (5, 8))), b.constant(np.zeros(8)),
        function="relu", alpha=0.0,
    )  # fmt: skip
    last = b.constant(rng.normal(0, 0.7, (8, 1))), b.constant(np.array([bias]))
    return optimize(b.build([b.add("dense", hidden, *last, function="sigmoid", alpha=0.0)]))


def rare_of_three(biases: tuple[float, ...] = (0.0, -1.0, -6.5)) -> Graph:
    """Three classes, the last of them of about one row in five hundred."""
    b, rng = GraphBuilder("rare_of_three"), np.random.default_rng(5)
    hidden = b.add(
        "dense", b.input("x", (1, 5)), b.constant(rng.normal(0, 0.5, (5, 8))), b.constant(np.zeros(8)),
        function="relu", alpha=0.0,
    )  # fmt: skip
    last = b.constant(rng.normal(0, 0.7, (8, 3))), b.constant(np.array(biases))
    return optimize(b.build([b.add("softmax", b.add("dense", hidden, *last, function="linear", alpha=0.0))]))


def told(graph: Graph, rows: np.ndarray = ROWS) -> np.ndarray:
    return run_rows(graph, rows)[0][:, 0]


def test_the_table_is_the_sigmoid_to_a_half_step_and_rises_with_every_logit() -> None:
    """Within its reach two logits a step of int8 apart have probabilities that differ: a threshold tells them apart."""
    given = Affine(2 * FINE_REACH / 255, 0)
    table = np.roll(fine_logistic_table(given).astype(np.int64), 128)  # of -128 to 127
    logits = given.scale * np.arange(-128, 128)
    exact = np.clip(2.0**16 / (1 + np.exp(-logits)), 0, 2**16 - 1)
    assert np.abs(table - FINE_LOGISTIC.zero_point - exact).max() <= 0.5
    inside = np.abs(logits) < 8
    assert (np.diff(table[inside]) > 0).all()
    assert (np.diff(table) >= 0).all()


def test_answers_are_as_fine_as_logits_and_close_to_the_networks() -> None:
    graph = rare()
    coarse, fine = (told(quantize(graph, ROWS, fine=asked)) for asked in (False, True))
    exact = told(graph)
    assert len(np.unique(fine)) > 2 * len(np.unique(coarse))
    assert np.abs(np.log(fine / exact)).mean() < np.abs(np.log(np.maximum(coarse, 1 / 512) / exact)).mean() / 2


def test_a_threshold_orders_rows_as_the_stored_logits_do() -> None:
    fine = quantize(rare(), ROWS, fine=True)
    (table,) = (node for node in fine.nodes if node.operation == "lookup_int8")
    stored = run_rows(replace(fine, outputs=(table.inputs[0],)), ROWS)[0][:, 0]
    answers = told(fine)
    reached = stored[answers > 1 / (1 + np.exp(8))]  # below, steps of 2^-16 are those that are coarse
    assert len(np.unique(reached)) > 20
    for logit in np.unique(reached)[:-1]:
        between = (answers[stored == logit].max() + answers[stored > logit].min()) / 2
        np.testing.assert_array_equal(answers > between, stored > logit)


def test_a_rare_class_of_three_is_told_as_finely_as_logits_are() -> None:
    graph = rare_of_three()
    coarse, fine, exact = (
        run_rows(each, ROWS)[0] for each in (quantize(graph, ROWS), quantize(graph, ROWS, fine=True), graph)
    )
    assert len(np.unique(fine[:, 2])) > 4 * len(np.unique(coarse[:, 2]))
    halves = (fine, 2.0**-17), (coarse, 2.0**-9)  # of a step, for what is told as 0
    error = [np.abs(np.log(np.maximum(each[:, 2], half) / exact[:, 2])).mean() for each, half in halves]
    assert error[0] < error[1] / 2
    assert np.abs(fine.sum(axis=1) - 1).max() <= 3 / 2**16  # each rounded, or held below 1


def test_the_bits_are_those_of_tensorflow_lites_softmax_to_int16() -> None:
    fine = quantize(rare_of_three(), ROWS, fine=True)
    (node,) = (node for node in fine.nodes if node.operation == "softmax_int8")
    stored = [run_rows(replace(fine, outputs=(name,)), ROWS)[0] for name in (node.inputs[0], node.output)]
    kinds = [fine.types[name].quantization for name in (node.inputs[0], node.output)]
    x, y = (
        Tensor(array.shape, str(array.dtype), kind.scale, kind.zero_point[0])
        for array, kind in zip(stored, kinds, strict=True)
        if kind is not None
    )
    expected = run_operator(Operator("SOFTMAX", "SoftmaxOptions", {"beta": 1.0}), [x], y, stored[0])
    np.testing.assert_array_equal(stored[1], expected)


@pytest.mark.parametrize("precision", ["int8", "int16x8"])
def test_only_int8_is_told_finer(precision: str) -> None:
    plain, fine = (quantize(rare(), ROWS, precision, fine=asked) for asked in (False, True))
    (end,) = (node for node in fine.nodes if node.operation == "dequantize")
    assert fine.types[end.inputs[0]].dtype is DType.INT16
    assert (plain.types == fine.types) == (precision == "int16x8")


def test_buffers_of_int8_hold_a_softmax_of_theirs() -> None:
    ends = [integer_ends(quantize(rare_of_three(), ROWS, fine=asked)) for asked in (False, True)]
    assert [graph.types[graph.outputs[0]] for graph in ends] == [ends[0].types[ends[0].outputs[0]]] * 2


def test_buffers_of_int8_hold_what_they_hold_anyway() -> None:
    """To a step: the table is made of the fine one."""
    inner = [integer_ends(quantize(rare(), ROWS, fine=asked)) for asked in (False, True)]
    assert [graph.types[graph.outputs[0]] for graph in inner][1] == inner[0].types[inner[0].outputs[0]]
    b = quantize(rare(), ROWS, fine=True)
    (first,) = (node for node in b.nodes if node.operation == "quantize")
    stored = run_rows(replace(b, outputs=(first.output,)), ROWS)[0]
    steps = (told(inner[1], stored).astype(int) + 128) - told(b) * 256
    assert np.abs(steps).max() <= 0.5


DECIDED = {
    "two classes": (rare, Interface(decision="threshold", threshold=0.004)),
    "three classes": (rare_of_three, Interface(decision="largest", counts=(1, 2, 400))),
}


@pytest.mark.parametrize("target", ["cortex-m0plus", "cortex-m4", "wasm32"])
@pytest.mark.parametrize("classes", DECIDED)
def test_the_c_has_the_interpreters_bits(classes: str, target: str) -> None:
    graph, interface = DECIDED[classes]
    made = deployable("rare", graph(), ROWS[:40], ROWS, ("int8",), interface)
    proof = made.prove("int8", get(target))
    assert proof.matches
    assert len(np.unique(told(made.graphs["int8"], ROWS))) > 20


def test_who_decides_at_a_half_has_the_table_of_bytes() -> None:
    for threshold, dtype in ((0.5, DType.INT8), (0.02, DType.INT16)):
        interface = Interface(decision="threshold", threshold=threshold)
        graph = deployable("rare", rare(), ROWS[:4], ROWS, ("int8",), interface).graphs["int8"]
        (end,) = (node for node in graph.nodes if node.operation == "dequantize")
        assert graph.types[end.inputs[0]].dtype is dtype
