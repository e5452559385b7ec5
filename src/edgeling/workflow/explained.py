# SPDX-License-Identifier: Apache-2.0
"""C that explains itself: ``NAME_explain`` beside ``NAME_run``, and what it costs and gives on a target.

Gradients are of the float32 network, which integers follow; Shapley values ask the program that is deployed.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from edgeling.codegen.interface import Interface
from edgeling.codegen.program import Program
from edgeling.codegen.reasons import SUFFIX as REASONS_SUFFIX
from edgeling.errors import UnsupportedError
from edgeling.explaining.graphs import METHODS, ExplanationGraph, Method, explanation_graph
from edgeling.explaining.proof import ExplanationProof
from edgeling.explaining.scores import explained_graph
from edgeling.graph import Graph, run_rows
from edgeling.graph.cost import cost
from edgeling.graph.types import Array
from edgeling.targets import Target
from edgeling.toolchain.predictor import Predictor, compiled
from edgeling.toolchain.prove import Proof, prove
from edgeling.workflow.deploy import EMULATED_PRODUCTS, FLOAT32_TOLERANCE, Deployable
from edgeling.workflow.pipeline import Pipeline
from edgeling.workflow.typical import read_typical_rows

MOST_BACKGROUND = 8  # rows in flash
REASONS = 2
COMPLETE = 1e-3  # of the answers' size: how far attributions may be from adding up
_ROOM = 10  # times the tolerance of answers: attributions are sums of many
LEFT_OVER = 2e-2  # of the answers' size: what steps may leave over, to be shared out
_FEWEST_STEPS, _MOST_STEPS = 16, 256
_KINK_STEPS = 4  # what of integrated gradients may lie the other way of a kink, in the largest attribution's share


def with_explanation(
    deployed: Deployable, precision: str, method: str, background: Array, reasons: int | None = None,
    model_output: str = "probability", steps: int = 0,
) -> Deployable:  # fmt: skip
    """The network with ``NAME_explain`` and, unless ``reasons`` is 0, ``NAME_reasons``.

    Args:
        background: float32 [rows, columns] to compare with.
        model_output: what is explained, the answer or with ``"raw"`` the score before its sigmoid or softmax.
        reasons: how many columns are named; None: two, of one column one.
        steps: of integrated gradients; 0: as many as leave little over on the rows at hand.

    Raises:
        UnsupportedError: a method or a network that cannot be explained so, or more reasons than columns.
    """
    if method not in METHODS:
        raise UnsupportedError(
            f"explain is {', '.join(METHODS)}", received=repr(method), remedy=f"explain={METHODS[0]!r}"
        )
    chosen: Method = method
    graph = explained_graph(deployed.graphs[_explained(deployed, precision, chosen)], model_output)
    rows = _compared(background, chosen)
    if chosen == "integrated":
        answering = explained_graph(deployed.graphs[precision], model_output)
        enough = steps or _enough_steps(graph, rows, deployed.rows[0], deployed.name)
        made = explanation_graph(graph, chosen, rows, enough, answering=answering)
    else:
        made = explanation_graph(graph, chosen, rows)
    columns = graph.types[graph.inputs[0]].shape[1]
    decided = made.base.shape[1] == 1 or (deployed.interface or Interface()).decision == "largest"
    count = reasons if reasons is not None else min(REASONS, columns) if decided else 0
    if count and not decided:
        raise UnsupportedError(
            "reasons are for one answer", received=f"{made.base.shape[1]} outputs that choose no class",
            remedy="reasons=0 (--reasons 0)",
        )  # fmt: skip
    if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= columns:
        raise UnsupportedError(
            f"reasons is a whole number from 0 to the {columns} columns", received=repr(reasons), remedy="reasons=3"
        )
    told = replace(made.graph, metadata={**made.graph.metadata, "description": _description(made, model_output)})
    interface = replace(deployed.interface or Interface(), reasons=count)
    return replace(deployed, explanation=replace(made, graph=told), interface=interface, programs={})


def _explained(deployed: Deployable, precision: str, method: Method) -> str:
    """The precision whose graph is explained."""
    chosen = precision if method == "shapley" else "float32"
    if chosen not in deployed.graphs:
        raise UnsupportedError(
            "gradients are of the network in float32", received=f"{deployed.name} in {precision} only",
            remedy="explain='shapley' (--explain shapley), or train with precision='auto'",
        )  # fmt: skip
    return chosen


def _compared(background: Array, method: Method) -> Array:
    """All rows for a mean; a few, evenly chosen, to stand in flash."""
    rows = np.asarray(background, np.float32)
    if method == "gradient" or len(rows) <= MOST_BACKGROUND:
        return rows
    return rows[np.linspace(0, len(rows) - 1, MOST_BACKGROUND).astype(int)]


def _enough_steps(graph: Graph, background: Array, rows: Array, name: str) -> int:
    """As many steps of integrated gradients as leave little over on these rows."""
    rows = rows[np.isfinite(rows).all(axis=1)][:32]
    answers = Predictor(graph, partial(compiled, graph, name))(rows)
    steps = _FEWEST_STEPS
    while steps < _MOST_STEPS and len(rows):
        rough = explanation_graph(graph, "integrated", background, steps, complete=False)
        given, of = _given(rough, rows, answers)
        (found,) = Predictor(rough.graph, partial(compiled, rough.graph, name)).answers(*given)
        if _incomplete(rough, found, answers, of) <= LEFT_OVER * _size(answers):
            break
        steps *= 2
    return steps


def _description(made: ExplanationGraph, model_output: str) -> str:
    answer, of = ("score", ", what the last sigmoid or softmax is of") if model_output == "raw" else ("answer", "")
    what = {
        "gradient": "the derivative times how far it is from a mean row",
        "integrated": f"integrated gradients in {made.steps} steps from each of {made.rows} rows",
        "shapley": f"exact Shapley values over {made.steps} subsets, compared with {made.rows} rows",
    }[made.method]
    whose = "; of says how much of each output (1 for a class, 0 for others)" if made.base.shape[1] > 1 else ""
    base = ", ".join(f"{value:.6g}" for value in made.base[0])
    start = "" if made.method == "gradient" else f" They add up to the {answer} less {base}."
    return f"What each column adds to the {answer}{of}: {what}{whose}.{start}"


def _given(made: ExplanationGraph, rows: Array, answers: Array) -> tuple[tuple[Array, ...], Array]:
    """What the explanation takes for these rows: each one's own class is asked about."""
    outputs = made.base.shape[1]
    if outputs == 1:
        return (rows,), np.ones((len(rows), 1), np.float32)
    of = np.eye(outputs, dtype=np.float32)[np.argmax(answers, axis=1)]
    return (rows, of), of


def _incomplete(made: ExplanationGraph, found: Array, answers: Array, of: Array) -> float:
    wanted = ((answers.astype(np.float64) - made.base) * of).sum(axis=1)
    return float(np.max(np.abs(found.astype(np.float64).sum(axis=1) - wanted), initial=0))


def _size(answers: Array) -> float:
    return max(1.0, float(np.max(np.abs(answers), initial=0, where=np.isfinite(answers))))


def prove_explanation(deployed: Deployable, precision: str, chip: Target, inference: Proof) -> ExplanationProof:
    """Explain rows on a target, compare with what the graph means, and see whether attributions add up.

    Args:
        inference: the proof of the same network without an explanation.
    """
    made, program = deployed.explanation, deployed.program(precision)
    assert made is not None
    rows = _emulated(deployed.rows[0][deployed.answerable(deployed.rows)], made.graph, chip)
    answers = run_rows(made.explained, rows)[0]
    given, of = _given(made, rows, answers)
    expected = made.attributions(rows, of)
    largest = float(np.max(np.abs(expected), initial=0))
    tolerance = _ROOM * FLOAT32_TOLERANCE * max(_size(answers), largest)
    if made.method == "integrated":  # in one step a relu may lie the other way of its kink
        tolerance += _KINK_STEPS * largest / (made.steps * made.rows)
    proof = prove(program, chip, given, [expected], tolerance, entry=f"{program.name}_explain")
    off = None if made.method == "gradient" else _incomplete(made, expected, answers, of) + proof.max_error
    complete = off is None or off <= COMPLETE * _size(answers)
    whole = _whole_flash(program, chip, rows[:1], proof, inference)
    added = None if whole is None or inference.flash_bytes is None else whole - inference.flash_bytes
    return ExplanationProof(
        method=made.method, columns=rows.shape[1], background_rows=made.rows, steps=made.steps,
        reasons=deployed.interface.reasons if deployed.interface else 0, base=tuple(map(float, made.base[0])),
        flash_bytes=whole, added_flash_bytes=added, ram_bytes=proof.ram_bytes, inference_ram_bytes=inference.ram_bytes,
        instructions=proof.instructions, stack_bytes=proof.stack_bytes, max_error=proof.max_error, completeness=off,
        matches=proof.matches and complete, rows=proof.rows,
    )  # fmt: skip


def _emulated(rows: Array, graph: Graph, chip: Target) -> Array:
    """No more rows than an emulator of this chip explains in seconds."""
    products = EMULATED_PRODUCTS // (30 if chip.float_unit == "none" else 1)
    work = cost(graph)
    return rows[: max(1, products // max(1, work.multiply_accumulates + work.elementary))]


def _whole_flash(program: Program, chip: Target, rows: Array, proof: Proof, inference: Proof) -> int | None:
    """Of run, explain and reasons together; where no function calls both, of each apart, what they share twice."""
    why = next((entry for entry in program.extras if entry.function == f"{program.name}_{REASONS_SUFFIX}"), None)
    if proof.flash_bytes is None or inference.flash_bytes is None:
        return None
    if why is None:
        return proof.flash_bytes + inference.flash_bytes
    nothing = [np.zeros((len(rows), *port.type.shape), port.type.dtype.numpy) for port in why.outputs]
    return prove(program, chip, (rows,), nothing, np.inf, entry=why.function).flash_bytes


def background_of(found: Any, given: Any, columns: int) -> Array:
    """float32 [rows, columns] to compare with: those given; averages that an artifact tells; the mean of the rows last
    fitted; of a network of which nothing is known, zeros."""
    if given is not None:
        rows = np.asarray(given, np.float32)
    elif isinstance(found, Pipeline):
        rows = read_typical_rows(found.preparation, found.details.get("typical_rows"))
    elif (fitted := getattr(found, "calibration_rows", None)) is not None:
        rows = np.asarray(fitted, np.float32).mean(axis=0, keepdims=True)
    else:
        rows = np.zeros((1, columns), np.float32)
    if rows.ndim != 2 or rows.shape[1] != columns or not len(rows):
        raise UnsupportedError(
            f"the background holds rows of {columns} numbers", received=f"an array of shape {rows.shape}",
            remedy=f"the rows the network was trained on, {columns} numbers each",
        )  # fmt: skip
    return rows
