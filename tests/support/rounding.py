# SPDX-License-Identifier: Apache-2.0
"""How far float32 may be from the truth: the same graph in double precision, and again with every rounding drawn.

Monte Carlo arithmetic (D. S. Parker, "Monte Carlo Arithmetic", 1997): each operand of each operation is changed by a
random share of an ulp, more where many terms are summed, and so is each result. The spread of a few such runs is what
roundings of any order of sums, with or without fused products, do to each result: that of the largest summands where
they cancel, and no more than an ulp or two where nothing does. It depends on no machine, for no float32 is computed.

Two correct implementations lie within ``FACTOR`` spreads of the double precision's result, and so may differ by twice
that. A wrong formula does not: ``tests/support/test_rounding.py`` shows it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from math import inf, prod
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np

from edgeling.graph import Graph
from edgeling.graph.batch import with_batch
from edgeling.graph.meaning import evaluate
from edgeling.graph.recurrent import gru_gates, lstm_gates
from edgeling.graph.scan import Scan
from edgeling.graph.types import Array, DType, Node
from edgeling.models import session
from edgeling.models.linking import in_order
from edgeling.network.network import inference_graph
from tests.support import winograd
from tests.support.close import SINGLE
from tests.support.interpreter_engine import InterpreterEngine

UNIT = SINGLE  # what one rounding to float32 may cost
ELEMENTARY = 4  # ulps that an elementary function may be off, ours and others
FACTOR, SAMPLES = 4.0, 10
SUMMANDS: dict[str, Callable[[Array], Array]] = {
    **dict.fromkeys(("gelu", "gelu_tanh", "tanh_shrink", "squareplus"), np.abs),
    "hard_sigmoid": lambda x: 0.5 * (np.abs(x) < 4),  # x / 6 + 0.5
    "hard_silu": lambda x: 0.5 * np.abs(x) * (np.abs(x) < 4),
}
"""The largest number within an activation that it is left of when another has been taken away."""
OF_ROWS = {"softmax", "softmax_gradient", "log_softmax", "log_softmax_gradient", "loss", "loss_gradient", "metric"}
OF_ROWS |= {"cross_entropy", "cross_entropy_gradient", "normalize", "normalize_gradient"}
TERMS: dict[str, Callable[[list[tuple[int, ...]], Mapping[str, Any]], int]] = {
    "dense": lambda shapes, _: shapes[1][0],
    "matmul": lambda shapes, a: shapes[0][-2 if a["transpose_a"] else -1],
    "conv": lambda shapes, _: prod(shapes[1][:3]),
    "conv_input_gradient": lambda shapes, a: prod(shapes[1]) // shapes[1][2] // a["groups"],
    "conv_kernel_gradient": lambda shapes, _: prod(shapes[1][:3]),
    **dict.fromkeys(("average_pool", "average_pool_gradient", "max_pool_gradient"), lambda _, a: prod(a["size"])),
    "affine_transform": lambda *_: 4,
    "affine_transform_gradient": lambda shapes, _: prod(shapes[0][1:3]),
    "normalize_batch": lambda shapes, _: prod(shapes[0][:-1]),
    "normalize_batch_gradient": lambda shapes, _: prod(shapes[0][:-1]),
    **dict.fromkeys(("penalty", "norm", "lamb_update", "adafactor_update"), lambda shapes, _: max(map(prod, shapes))),
}
"""How many terms a result is the sum of, by the shapes of the inputs and the attributes."""
LEAST = 2.0**-119
"""Exponentials below 2**-126 are zero; up to that they may be multiplied by their own argument, below 2**7."""


@dataclass(frozen=True)
class Bound:
    """The result in double precision, and how far float32 may be from each element."""

    exact: Array
    spread: Array

    @property
    def room(self) -> Array:
        """What rounding may cost; also that of the result itself, a mean of means perhaps, and of the least numbers."""
        return FACTOR * self.spread + ELEMENTARY * UNIT * np.abs(self.exact) + LEAST

    def error(self, found: Any) -> float:
        """The largest error in units of what is allowed: at most 1 where the result is right.

        NaN and infinities are where they belong, or the error is infinite.
        """
        wide, finite = np.asarray(found, np.float64).reshape(self.exact.shape), np.isfinite(self.exact)
        if not np.array_equal(wide[~finite], self.exact[~finite], equal_nan=True):
            return inf
        times = np.abs(wide[finite] - self.exact[finite]) / self.room[finite]
        return float(np.max(times, initial=0.0)) if np.isfinite(wide[finite]).all() else inf

    def require(self, found: Any, what: str = "") -> None:
        """AssertionError where a result is further from the double precision's than rounding explains."""
        assert self.error(found) <= 1, f"{what}: {self.error(found):.3g} times what rounding may cost"

    def rounded_more(self, times: float) -> Bound:
        """Where a result is rounded so many times more, of numbers around 1."""
        return Bound(self.exact, self.spread + times * UNIT * (1 + np.abs(self.exact)) / FACTOR)

    @property
    def tolerance(self) -> float:
        """How far apart two right results may be, anywhere."""
        return 2 * float(np.max(self.room[np.isfinite(self.exact)], initial=0.0))


def bounds(run: Callable[[np.random.Generator | None], Sequence[Array]], samples: int = SAMPLES) -> list[Bound]:
    """A bound for each result of ``run``, which takes the dice for its roundings, or None for double precision."""
    with np.errstate(invalid="ignore"):  # NaN and infinities have no spread
        exact = [np.asarray(value, np.float64) for value in run(None)]
        drawn = [run(np.random.default_rng(seed)) for seed in range(samples)]
        spreads = [
            np.sqrt(np.mean([np.square(np.asarray(d[i], np.float64) - e) for d in drawn], axis=0))
            for i, e in enumerate(exact)
        ]
    return [Bound(e, s) for e, s in zip(exact, spreads, strict=True)]


def run_rounded(graph: Graph, given: dict[str, Any], dice: np.random.Generator | None) -> dict[str, Array]:
    """Every value of a graph from its inputs and variables, in double precision, roundings drawn from the dice."""
    values = {
        name: _wide(graph, name, array) for name, array in {**graph.constants, **graph.variables, **given}.items()
    }
    for node in graph.nodes:
        operands = [_drawn(values[name], _terms(graph, node), dice) for name in node.inputs]
        made = _run_node(graph, node, operands, dice)
        for name, result, summand in zip(node.outputs, made, _summands(node, operands), strict=True):
            values[name] = _off(_drawn(_wide(graph, name, result), ELEMENTARY**2, dice), summand, dice)
    return values


def _run_node(graph: Graph, node: Node, operands: Sequence[Array], dice: np.random.Generator | None) -> Sequence[Array]:
    if node.operation == "scan":
        return _run_scan(node, operands, dice)
    if dice is not None and (size := winograd.tile_of(graph, node)):
        x, kernel, *bias = operands
        found = winograd.drawn(size, node, x, kernel, bias[0] if bias else None, dice)
        return evaluate(replace(node, operation="activation"), [found]) if bias else [found]
    return evaluate(node, operands)


def _run_scan(node: Node, operands: Sequence[Array], dice: np.random.Generator | None) -> list[Array]:
    """As its meaning, with the roundings of each step."""
    scan = Scan.of(node.attributes)
    carried, sequences, captured = scan.split_inputs(operands)
    results: dict[int, Sequence[Array]] = {}
    for step in scan.steps:
        slices = [np.take(x, step, axis) for x, axis in zip(sequences, scan.sequence_axes, strict=True)]
        given = dict(zip(scan.body.inputs, (*carried, *slices, *captured), strict=True))
        values = run_rounded(scan.body, given, dice)
        carried, results[step] = scan.split_outputs([values[name] for name in scan.body.outputs])
    each = zip(*(results[step] for step in range(scan.length)), strict=True)
    return [*carried, *(np.stack(made, axis) for made, axis in zip(each, scan.stack_axes, strict=True))]


def _wide(graph: Graph, name: str, array: Any) -> Array:
    kind = graph.types[name]
    return np.asarray(array, np.float64 if kind.dtype is DType.FLOAT32 else kind.dtype.numpy).reshape(kind.shape)


def _terms(graph: Graph, node: Node) -> float:
    """How many terms a result of the node is the sum of."""
    shapes = [graph.types[name].shape for name in node.inputs]
    if node.operation in TERMS:
        return TERMS[node.operation](shapes, node.attributes)
    if node.operation == "sum":
        return prod(shapes[0]) // prod(graph.types[node.output].shape)
    return shapes[-1][-1] if node.operation in OF_ROWS else 1


def _summands(node: Node, operands: Sequence[Array]) -> list[Any]:
    """For each result, the largest number within the operation that it is left of when others have been taken away."""
    function, (first, *others) = node.attributes.get("function", ""), operands
    if node.operation in OWN_SUMMANDS:
        return OWN_SUMMANDS[node.operation](node.attributes, *operands)
    if node.operation == "ftrl_update":
        _, accumulator, _, rate = others  # powers of the accumulator before and after, divided by the rate, times w
        powers = np.power(accumulator, node.attributes["power"]) / rate
        return [np.abs(first) + node.attributes["l1"] / powers, 0.0, powers * np.abs(first)]
    if node.operation in ("loss", "loss_gradient", "normalize_gradient"):
        return [_loss_summand(function, *operands) if function else _normalized_summand(node.attributes, *operands)]
    if node.operation == "activation_gradient":
        # mish's has x * (1 - t * t), t = tanh(softplus(x)), which is 1 to the last bit from x = 10 on
        return [np.abs(first) * (1 + np.minimum(np.abs(others[0]), 10) if function == "mish" else 1)]
    if function in SUMMANDS:
        before = replace(node, attributes={**node.attributes, "function": "linear"})
        return [SUMMANDS[function](first if node.operation == "activation" else evaluate(before, operands)[0])]
    return [0.0] * len(node.outputs)


def _lstm_summands(a: Mapping[str, Any], x: Array, g: Array, c: Array) -> list[Any]:
    """Of gates: a state is the sum of two parts."""
    i, f, n, o = np.abs(np.split(lstm_gates(a, x, g, c)[2], 4, axis=1))
    parts = f * np.abs(c) + (1 + i) * n
    return [(1 + o) * parts, parts, 1.0]


def _lstm_gradient_summands(_: Mapping[str, Any], *operands: Array) -> list[Any]:
    """Of gradients: slopes such as 1 - t * t are in them."""
    dh, dc, gates, c = map(np.abs, operands)
    total = (dh + dc) * (1 + sum(np.split(gates, 4, axis=1)) + c) ** 2
    return [np.tile(total, 4), total]


def _gru_summands(a: Mapping[str, Any], x: Array, g: Array, h: Array) -> list[Any]:
    z, r, n = np.abs(np.split(gru_gates(a, x, g, h)[1], 3, axis=1))
    return [(1 + z) * (np.abs(h) + n), 1 + np.tile(r * np.abs(np.split(g, 3, axis=1)[2]), 3)]


def _gru_gradient_summands(_: Mapping[str, Any], *operands: Array) -> list[Any]:
    dh, gates, g, h = map(np.abs, operands)
    total = dh * (1 + sum(np.split(gates, 3, axis=1)) + h) * (1 + np.split(g, 3, axis=1)[2])
    return [np.tile(total, 3), np.tile(total, 3), total]


def _normalized_summand(attributes: Mapping[str, Any], dy: Array, x: Array) -> Array:
    """dy, which its share along y and its mean are taken away from."""
    rest = x - np.mean(x, axis=-1, keepdims=True) if attributes["centered"] else x
    deviation = np.sqrt(np.mean(np.square(rest), axis=-1, keepdims=True) + attributes["epsilon"])
    return np.asarray(np.max(np.abs(dy), axis=-1, keepdims=True) / deviation)


def _affine_summand(height: int, width: int) -> Any:
    """Shifts are what is left of the middle when it has been turned or scaled."""
    return np.array([1, 1, width, 1, 1, height])


def _batch_summands(attributes: Mapping[str, Any], *operands: Array) -> list[Any]:
    """Of what is normalised by a batch's moments, or of its gradient: see :func:`_normalized_summand`."""
    *dy, x, gamma, beta = operands[: -1 if len(operands) == 4 else -3]
    rest = x - np.mean(x, axis=tuple(range(x.ndim - 1)))
    slope = np.abs(gamma) / np.sqrt(np.mean(np.square(rest), axis=tuple(range(x.ndim - 1))) + attributes["epsilon"])
    rows = np.sqrt(x.size / x.shape[-1])
    if not dy:
        return [slope * np.abs(rest).max(axis=tuple(range(x.ndim - 1))) + np.abs(beta), 0.0, 0.0]
    most = np.abs(dy[0]).max()
    return [slope * most, rows * most, rows * most]


def _loss_summand(function: str, *operands: Array) -> Any:
    """Of the loss of each row, or (three operands) of its gradient."""
    *d_rows, truth, prediction = operands
    if function == "log_cosh" and not d_rows:
        return 1.0  # log 2
    if function == "mean_squared_logarithmic_error" and not d_rows:  # the square of a difference of logarithms
        one, other = (np.log1p(np.maximum(x, 0)) for x in (truth, prediction))
        return np.mean(2 * np.abs(one - other) * (1 + one + other), axis=-1)
    if function == "cosine_similarity" and d_rows:
        return np.abs(d_rows[0] / np.linalg.norm(prediction, axis=-1))[:, None]
    return 0.0


OWN_SUMMANDS: dict[str, Callable[..., list[Any]]] = {
    "lstm_gates": _lstm_summands,
    "lstm_gates_gradient": _lstm_gradient_summands,
    "gru_gates": _gru_summands,
    "gru_gates_gradient": _gru_gradient_summands,
    **dict.fromkeys(("normalize_batch", "normalize_batch_gradient"), _batch_summands),
    "log_softmax": lambda *_: [1.0],  # the sum of exponentials whose logarithm is taken
    "random_affine": lambda a, *_: [_affine_summand(*a["size"])],
}


def _off(array: Array, summand: Any, dice: np.random.Generator | None) -> Array:
    if dice is None or array.dtype.kind != "f":
        return array
    return array + ELEMENTARY * UNIT * summand * dice.uniform(-1, 1, array.shape)


def _drawn(array: Array, terms: float, dice: np.random.Generator | None) -> Array:
    """Each element changed by up to ``sqrt(terms)`` roundings: so many of random sign add up to ``terms`` in a sum.

    Numbers of few bits stay: labels, the ends of what saturates, and their sums are exact in any order.
    """
    if dice is None or array.dtype.kind != "f":
        return array
    rounded = array * (1 + UNIT * (1 + np.sqrt(terms)) * dice.uniform(-1, 1, array.shape))
    return np.where(np.rint(array * 256) == array * 256, array, rounded)


def interpreted_bounds(module: Any, function: Callable[[], Any]) -> tuple[list[Bound], dict[str, Bound]]:
    """Of what a function has a module interpret, graph after graph: the last one's outputs, and all variables then."""
    with patch.object(module, "run", wraps=module.run) as spy:
        function()
    calls = [call.args[:2] for call in spy.call_args_list]
    last, names = calls[-1][0], list(calls[-1][0].variables)

    def run(dice: np.random.Generator | None) -> list[Array]:
        held: dict[str, Array] = {}
        for graph, given in calls:
            values = run_rounded(graph, {**held, **{k: v for k, v in given.items() if k in graph.types}}, dice)
            held |= {name: values[dict(graph.updates).get(name, name)] for name in graph.variables}
        return [*(values[name] for name in last.outputs), *(held[name] for name in names)]

    found = bounds(run)
    return found[: len(last.outputs)], dict(zip(names, found[len(last.outputs) :], strict=True))


@contextmanager
def in_double(*modules: Any) -> Iterator[None]:
    """Where these modules ask NumPy for float32, they get float64."""
    wide = SimpleNamespace(**{**vars(np), "float32": np.float64})
    with ExitStack() as patches:
        for module in modules:
            patches.enter_context(patch.object(module, "np", wide))
        yield


def function_bound(
    function: Callable[..., Any], *arrays: Any, modules: Sequence[Any], terms: float = 1, summand: Any = 0.0
) -> Bound:
    """Of what a function of arrays gives, as of a node: its operands rounded and its result, where terms are summed.

    Args:
        modules: those whose float32 must be float64 for the function to compute in double precision.
        summand: see :func:`_summands`.
    """

    def run(dice: np.random.Generator | None) -> list[Array]:
        operands = [_drawn(np.asarray(a, np.float64), terms, dice) for a in arrays]
        result = np.asarray(function(*operands), np.float64)
        return [_off(_drawn(result, ELEMENTARY**2, dice), summand, dice)]

    with in_double(*modules):
        return bounds(run)[0]


class RoundedEngine(InterpreterEngine):
    """Trains in double precision, with roundings drawn from ``dice``."""

    dice: np.random.Generator | None = None
    logged = np.float64

    def _run(self, graph: Graph, given: dict[str, Any], held: dict[str, Any]) -> tuple[list[Array], dict[str, Array]]:
        values = run_rounded(graph, {**held, **given}, self.dice)
        updates = dict(graph.updates)
        return [values[o] for o in graph.outputs], {v: values[updates.get(v, v)] for v in graph.variables}


@contextmanager
def trained_rounded(dice: np.random.Generator | None) -> Iterator[None]:
    """Models compiled inside train in double precision."""
    engine = type("Engine", (RoundedEngine,), {"dice": dice})
    with patch.object(session, "Engine", engine), patch.object(session, "_kept", type(session._kept)()):
        yield


def training_bounds(model: Any, train: Callable[[Any], Sequence[Any]], samples: int = SAMPLES) -> list[Bound]:
    """Bounds of what ``train`` gives for a copy of the model, then of its weights."""

    def run(dice: np.random.Generator | None) -> list[Array]:
        with trained_rounded(dice):
            twin = copy.deepcopy(model)
            logs = [np.asarray(value, np.float64) for value in train(twin)]
            return [*logs, *(np.asarray(w.value, np.float64) for w in twin.weights)]

    return bounds(run, samples)


def graph_bounds(
    graph: Graph, inputs: Sequence[Any], variables: Mapping[str, Any] | None = None, samples: int = SAMPLES
) -> list[Bound]:
    """Of the outputs of a graph run once, then of its variables afterwards."""
    given = {**graph.variables, **(variables or {}), **dict(zip(graph.inputs, inputs, strict=True))}
    names = [*graph.outputs, *(dict(graph.updates).get(name, name) for name in graph.variables)]

    def run(dice: np.random.Generator | None) -> list[Array]:
        values = run_rounded(graph, given, dice)
        return [values[name] for name in names]

    return bounds(run, samples)


def row_bounds(graph: Graph, *inputs: Any) -> list[Bound]:
    """Of the outputs of a graph of one row, for each of many rows."""
    return graph_bounds(with_batch(graph, len(inputs[0])), inputs)


def require_rows(graph: Graph, found: Any, *inputs: Any, what: str = "") -> None:
    """The first output of a graph of one row, for each of many rows, is what it means up to rounding."""
    row_bounds(graph, *inputs)[0].require(found, what)


def prediction_bound(model: Any, x: Array) -> Bound:
    """Of what a built model answers for rows."""
    return row_bounds(inference_graph(model), x)[0]


def require_same_answers(ours: Any, theirs: Any, x: Any) -> None:
    """Two models predict the same for rows, up to rounding; of several inputs and outputs too."""
    allowed = row_bounds(inference_graph(ours), *ours._in_order(x, "inputs"))
    structure, outputs = ours._structures[1], range(len(ours.output_rows))
    for name, model in (("theirs", theirs), ("ours", ours)):
        answers = model.predict(x, verbose=0)
        given = (
            [answers]
            if structure.is_alone or isinstance(answers, np.ndarray)
            else in_order(answers, structure, ours.output_labels, "outputs")
        )
        for place in outputs:
            allowed[place].require(given[place], f"{name}, output {place}")


def require_same_evaluation(ours: Any, theirs: Any, *data: Any, **how: Any) -> None:
    """Two models report the same loss and metrics, up to rounding."""

    def evaluated(model: Any) -> dict[str, Any]:
        return model.evaluate(*data, **how, verbose=0, return_dict=True)

    allowed = training_bounds(ours, lambda twin: [*evaluated(twin).values()])
    mine, other = evaluated(ours), evaluated(theirs)
    assert mine.keys() == other.keys()
    for bound, name in zip(allowed, mine, strict=False):  # the weights' follow
        bound.require(other[name], f"their {name}")
        bound.require(mine[name], f"our {name}")


def weight_bounds(model: Any, *data: Any, **how: Any) -> list[Bound]:
    """Of the weights that a fit of the model will leave."""

    def fit(twin: Any) -> list[Any]:
        twin.fit(*data, **how)
        return []

    return training_bounds(model, fit, samples=6)
