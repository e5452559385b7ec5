# SPDX-License-Identifier: Apache-2.0
"""An explanation as a graph: a row in, what each of its columns adds to the answer out.

It runs where networks run: interpreted, compiled here for many rows, and on a chip. Three of them:

- ``gradient``: the derivative by what a column has become, times how far that is from the baseline's;
- ``integrated``: the mean of these derivatives along the straight way from a baseline (Sundararajan, Taly and Yan,
  "Axiomatic attribution for deep networks", 2017), which add up to the difference of the answers; and of several
  baselines the mean (Erion et al., "Improving performance of deep learning models with axiomatic attribution priors and
  expected gradients", 2021): a loop, or two;
- ``shapley``: the mean over all orders in which columns become known: a loop over all subsets, which the body counts
  through in binary, around a loop over the background.

A column is a raw one: what a category or a date has become counts together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from edgeling.errors import UnsupportedError
from edgeling.explaining.columns import CutColumns, baseline_row, cut_columns
from edgeling.explaining.shapley import MOST_EXACT, size_weights
from edgeling.graph import Graph, GraphBuilder, run_rows
from edgeling.graph.activations import ACTIVATIONS
from edgeling.graph.builder import GraphBuilder as Builder
from edgeling.graph.types import Array, Node
from edgeling.passes import optimize
from edgeling.passes.dead import part
from edgeling.passes.differentiate import vector_jacobian
from edgeling.passes.fuse import affine_columns

Method = Literal["gradient", "integrated", "shapley"]
METHODS: tuple[Method, ...] = ("gradient", "integrated", "shapley")
STEPS = 32
OF = "of"  # the input that says how much of each output is explained


@dataclass(frozen=True, eq=False)
class ExplanationGraph:
    """A graph that explains another.

    Attributes:
        graph: a row [1, columns], and where there are several outputs how much of each is explained [1, outputs] (1 for
            the class asked about, or 1 and -1 for two to compare); gives the attributions [1, columns].
        method: how.
        base: float32 [1, outputs], the answers that attributions start from.
        explained: the graph whose answers attributions add up to.
        steps: of the loop, 0 where there is none.
        rows: of the background, or one baseline.
    """

    graph: Graph
    method: Method
    base: Array
    explained: Graph
    steps: int
    rows: int

    def attributions(self, x: Array, of: Array | None = None) -> Array:
        """Interpreted: float32 [rows, columns] of rows [rows, columns], of the output or of the weights ``of``."""
        outputs = self.base.shape[1]
        if outputs == 1:
            return run_rows(self.graph, x)[0]
        weights = np.broadcast_to(np.asarray(of, np.float32), (len(x), outputs))
        return run_rows(self.graph, x, weights)[0]


def explanation_graph(
    graph: Graph, method: Method, background: Array, steps: int = STEPS, *, complete: bool = True,
    answering: Graph | None = None,
) -> ExplanationGraph:  # fmt: skip
    """The graph that explains a network of one input [1, columns] and one output [1, outputs].

    Args:
        graph: for ``gradient`` and ``integrated`` a float one; for ``shapley`` any.
        background: float32 [rows, columns] raw rows that a row is compared with, one after the other; ``gradient`` with
            the mean of what they become: of a category, its shares.
        steps: of ``integrated``.
        complete: whether what so many steps leave over of the difference of the answers is shared out among what the
            columns have become, each by the size of its part. Derivatives jump at the kinks of relu, so what is left
            over falls with the number of steps only; shared out, parts add up.
        answering: the integer form of ``graph``, to whose answers parts of ``integrated`` are to add up.

    Raises:
        UnsupportedError: a network that is not of that kind, or has no derivative; too many columns for ``shapley``.
    """
    if method not in METHODS:
        raise UnsupportedError(
            f"an explanation is {', '.join(METHODS)}", received=repr(method), remedy=repr(METHODS[0])
        )
    cut = cut_columns(graph)
    prepared = run_rows(cut.head, background)[0]
    if method == "gradient":
        prepared = baseline_row(prepared)
    columns = graph.types[graph.inputs[0]].shape[1]
    if method == "shapley" and columns > MOST_EXACT:
        raise UnsupportedError(
            f"exact Shapley values are for up to {MOST_EXACT} columns, whose subsets can all be asked",
            received=f"{columns} columns", remedy="'integrated' or 'gradient', which take one run or a few",
        )  # fmt: skip
    answering = answering if answering is not None and method == "integrated" else graph
    usual = run_rows(cut.body, prepared)[0] if method == "gradient" else run_rows(answering, background)[0]
    made = _Maker(graph, cut, columns, answering, usual).make(method, prepared, steps, complete)
    answers = usual.astype(np.float64).mean(axis=0, keepdims=True)
    count = {"gradient": 0, "integrated": steps, "shapley": 2**columns}[method]
    return ExplanationGraph(made, method, answers.astype(np.float32), answering, count, len(prepared))


class _Maker:
    def __init__(self, graph: Graph, cut: CutColumns, columns: int, answering: Graph, usual: Array) -> None:
        self._cut, self._columns, self._answering, self._usual = cut, columns, answering, usual
        self._outputs = cut.body.types[cut.body.outputs[0]].shape[-1]
        self._b = GraphBuilder(f"{graph.name}_explain")
        self._x = self._b.input(graph.inputs[0], graph.types[graph.inputs[0]].shape)
        self._of = self._b.input(self._b.unique(OF), (1, self._outputs)) if self._outputs > 1 else ""
        names = {key: graph.metadata[key] for key in ("input_names", "input_units") if key in graph.metadata}
        self._b.describe(**names)

    def make(self, method: Method, prepared: Array, steps: int, complete: bool) -> Graph:
        (seen,) = self._b.inline(self._cut.head, self._x)
        if method == "shapley":
            total = self._shapley(seen, prepared)
        elif method == "integrated":
            total = self._by_column(self._from_each(seen, prepared, steps, complete))
        else:
            slope = self._gradient(seen)  # before the other factor: what it needed of the way back is free then
            away = self._b.add("subtract", seen, self._b.constant(prepared, "baseline"))
            total = self._by_column(self._b.add("multiply", slope, away))
        return optimize(_named(self._b, total))

    def _by_column(self, value: str) -> str:
        if self._cut.sources == tuple(range(self._columns)):
            return value
        return self._b.add("scatter", value, indices=self._cut.sources, columns=self._columns)

    def _gradient(self, seen: str) -> str:
        """The derivative of what is explained by the prepared row."""
        derivative = _derivative(self._cut.body)
        (slope,) = self._b.inline(derivative, seen, self._of or self._one(self._b))
        return slope

    def _one(self, builder: Builder) -> str:
        return builder.constant(np.ones((1, 1), np.float32), "one")

    def _from_each(self, seen: str, background: Array, steps: int, complete: bool) -> str:
        """The mean over baselines of what is integrated from each."""
        (answer,) = self._b.inline(self._answering, self._x) if complete else ("",)
        usual = self._usual
        width, outputs = background.shape[1], self._outputs
        if len(background) == 1:
            ends = (answer, self._b.constant(usual, "usual")) if complete else ()
            return self._from_baseline(self._b, seen, self._b.constant(background, "baseline"), self._of, steps, ends)
        each = GraphBuilder("from_baseline")
        total, baseline = each.input("total", (1, width)), each.input("baseline", (1, width))
        before = each.input("usual", (1, outputs)) if complete else ""
        ports = [each.input("seen", (1, width)), *([each.input(OF, (1, outputs))] if self._of else [])]
        ends = (each.input("answer", (1, outputs)), before) if complete else ()
        found = self._from_baseline(each, ports[0], baseline, ports[1] if self._of else "", steps, ends)
        body = each.build([each.add("add", total, found)])
        rows = [self._b.constant(background[None], "baselines")]
        rows += [self._b.constant(usual[None], "usual")] if complete else []
        given = [self._nothing(self._b, width), *rows, seen, *([self._of] if self._of else []), *([answer] * complete)]
        summed = self._b.add(
            "scan", *given, body=optimize(body), length=len(background), carried=1, axes=(1,) * len(rows)
        )
        return self._b.add("multiply", summed, self._b.constant(np.float32(1 / len(background)), "share_of_a_row"))

    def _from_baseline(self, b: Builder, seen: str, baseline: str, of: str, steps: int, ends: tuple[str, ...]) -> str:
        """How far prepared numbers are from the baseline, times the mean derivative at the middles of equal steps.

        ``ends``: the answer here and there, if what is left over of their difference is to be shared out.
        """
        away = b.add("subtract", seen, baseline)
        inner, width = GraphBuilder("way"), b.type_of(seen).shape[1]
        share, total = inner.input("share", (1, 1)), inner.input("total", (1, width))
        start, way = inner.input("baseline", (1, width)), inner.input("away", (1, width))
        weights = inner.input(OF, (1, self._outputs)) if of else self._one(inner)
        point = inner.add("add", inner.add("multiply", way, share), start)
        (slope,) = inner.inline(_derivative(self._cut.body), point, weights)
        further = inner.add("add", share, inner.constant(np.float32(1 / steps), "step"))
        body = optimize(inner.build([further, inner.add("add", total, slope)]))
        half = b.constant(np.full((1, 1), 0.5 / steps, np.float32), "half_a_step")
        given = [half, self._nothing(b, width), baseline, away, *([of] if of else [])]
        _, summed = b.add_many("scan", *given, body=body, length=steps, carried=2, axes=())
        mean = b.add("multiply", summed, b.constant(np.float32(1 / steps), "share_of_a_step"))
        parts = b.add("multiply", mean, away)
        return _shared_out(b, parts, of, *ends) if ends else parts

    def _nothing(self, b: Builder, width: int) -> str:
        return b.constant(np.zeros((1, width), np.float32), "nothing")

    def _shapley(self, seen: str, background: Array) -> str:
        """The sum over subsets of how each counts for a column, times the answer where just those are known."""
        body = self._subset(background)
        none = self._nothing(self._b, self._columns)
        given = [none, none, seen, *([self._of] if self._of else [])]
        _, total = self._b.add_many("scan", *given, body=body, length=2**self._columns, carried=2, axes=())
        return total

    def _subset(self, background: Array) -> Graph:
        inner, columns = GraphBuilder("subset"), self._columns
        known, total = inner.input("known", (1, columns)), inner.input("total", (1, columns))
        captured = [inner.input("seen", (1, background.shape[1]))]
        captured += [inner.input(OF, (1, self._outputs))] if self._of else []
        answer = self._answer(inner, known, captured, background)
        both, without = _counts(inner, known, columns)
        counted = inner.add("subtract", inner.add("multiply", known, both), without)
        added = inner.add("add", total, inner.add("multiply", counted, answer))
        return optimize(inner.build([_next_subset(inner, known, columns), added]))

    def _answer(self, inner: Builder, known: str, captured: list[str], background: Array) -> str:
        """[1, 1]: the mean answer over the background where some columns are the row's."""
        spread = inner.add("gather", known, indices=self._cut.sources)
        if len(background) == 1:
            return self._mixed(inner, spread, captured, inner.constant(background, "baseline"))
        each = GraphBuilder("background_row")
        total = each.input("total", (1, 1))
        other = each.input("other", (1, background.shape[1]))
        ports = [each.input(name, inner.type_of(value).shape) for name, value in zip(
            ("spread", "seen", OF), (spread, *captured), strict=False)]  # fmt: skip
        body = each.build([each.add("add", total, self._mixed(each, ports[0], ports[1:], other))])
        rows = inner.constant(background[None], "background")
        nothing = inner.constant(np.zeros((1, 1), np.float32), "nothing")
        summed = inner.add(
            "scan", nothing, rows, spread, *captured, body=optimize(body), length=len(background), carried=1, axes=(1,)
        )
        return inner.add("multiply", summed, inner.constant(np.float32(1 / len(background)), "share_of_a_row"))

    def _mixed(self, b: Builder, spread: str, captured: list[str], other: str) -> str:
        """The answer to ``other`` with what is known in place."""
        away = b.add("subtract", captured[0], other)
        (answer,) = b.inline(self._cut.body, b.add("add", other, b.add("multiply", spread, away)))
        return b.add("sum", b.add("multiply", answer, captured[1]), axes=(1,)) if self._of else answer


def _named(builder: GraphBuilder, total: str) -> Graph:
    from edgeling.passes.rewrite import rename

    return rename(builder.build([total]), total, "attributions")


def _shared_out(b: Builder, parts: str, of: str, here: str, there: str) -> str:
    """Parts [1, n] with what they lack of the difference of two answers, each by its size."""
    difference = b.add("subtract", here, there)
    wanted = b.add("sum", b.add("multiply", difference, of), axes=(1,)) if of else difference
    lacking = b.add("subtract", wanted, b.add("sum", parts, axes=(1,)))
    twice = b.add("multiply", b.add("activation", parts, function="relu"), b.constant(np.float32(2), "two"))
    sizes = b.add("subtract", twice, parts)
    whole = b.add("add", b.add("sum", sizes, axes=(1,)), b.constant(np.float32(1e-30), "above_zero"))
    return b.add("add", parts, b.add("multiply", sizes, b.add("divide", lacking, whole)))


def _counts(b: Builder, known: str, columns: int) -> tuple[str, str]:
    """[1, 1] each, by how many columns are known: what the subset counts for one in it more than for one that is not,
    and against the latter."""
    with_it, without = size_weights(columns)
    table = b.constant(np.stack([with_it + without, without], axis=1), "counts")
    size = b.add("sum", known, axes=(1,))
    found = b.add("embedding", size, table, starts=(0,), sizes=(columns + 1,))
    return b.add("gather", found, indices=(0,)), b.add("gather", found, indices=(1,))


def _next_subset(b: Builder, known: str, columns: int) -> str:
    """The next number in binary: a column changes where all before it are known."""
    places = np.arange(columns)
    before = b.constant((places[:, None] < places).astype(np.float32), "before")
    carry = b.add("dense", known, before, b.constant(1.0 - places, "carried"), function="relu")
    both = b.add("multiply", b.add("multiply", known, carry), b.constant(np.float32(-2), "twice"))
    return b.add("add", b.add("add", known, carry), both)


def _derivative(body: Graph) -> Graph:
    """From a prepared row and a weight for each output to the derivative of their sum by the row."""
    opened = _opened(body)
    (z,), (y,) = opened.inputs, opened.outputs
    joint = vector_jacobian(opened, [y], [z])
    return part(joint, joint.inputs, joint.outputs[1:])


def _opened(graph: Graph) -> Graph:
    """With activations apart from their layers where the derivative needs their input, and normalisations as what they
    are: affine."""
    builder = GraphBuilder(graph.name)
    names = {x: builder.input(x, graph.types[x].shape) for x in graph.inputs}
    names |= {name: builder.constant(array, name) for name, array in graph.constants.items()}
    for node in graph.nodes:
        names |= dict(zip(node.outputs, _copied(graph, builder, node, names), strict=True))
    return builder.build([names[o] for o in graph.outputs])


def _copied(graph: Graph, b: Builder, node: Node, names: dict[str, str]) -> tuple[str, ...]:
    given = [names[i] for i in node.inputs]
    function = str(node.attributes.get("function", ""))
    if node.operation == "dense" and ACTIVATIONS[function].from_input:
        sums = b.add("dense", *given)
        return (b.add("activation", sums, **node.attributes),)
    columns = affine_columns(graph, node) if node.operation == "batch_normalization" else None
    if columns is not None:
        scaled = b.add("multiply", given[0], b.constant(columns[0]))
        return (b.add("add", scaled, b.constant(columns[1])),)
    return b.add_many(node.operation, *given, types=[graph.types[o] for o in node.outputs], **node.attributes)
