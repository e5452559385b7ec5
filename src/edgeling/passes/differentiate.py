# SPDX-License-Identifier: Apache-2.0
"""Reverse-mode differentiation: a graph in, the same graph with its gradients as further outputs.

Requires: pre-activations in reach, so differentiate before fusing activations whose derivative is computed from their
input. Ensures: every node of the result is one the whole house can run; nothing dead is left behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from edgeling.errors import UnsupportedError
from edgeling.graph.activations import ACTIVATIONS
from edgeling.graph.builder import GraphBuilder
from edgeling.graph.operations import BACKWARDS, INT8, QUANTIZED, UPDATES
from edgeling.graph.types import Graph, Node
from edgeling.passes.contracts import contract, more_outputs, only_what_is_needed
from edgeling.passes.dead import remove_dead
from edgeling.passes.scan_gradient import scan_gradient

# (builder, node, gradient of each output) -> gradient of each input; "" where there is none
Gradient = Callable[..., Sequence[str]]


@contract(more_outputs, ensures=(only_what_is_needed,))
def differentiate(graph: Graph, loss: str, with_respect_to: Sequence[str]) -> Graph:
    """Append the gradient of a scalar to a graph's outputs.

    Args:
        graph: a legal graph.
        loss: the name of a value of shape ``()`` (or of one element).
        with_respect_to: values to differentiate by; each gives one more output, of its own type, in this order.

    Raises:
        UnsupportedError: an operation on the way has no gradient; the message says why.

    Source: reverse accumulation (Griewank & Walther, "Evaluating Derivatives", 2008, ch. 3).
    """
    builder = GraphBuilder.of(graph)
    one = builder.constant(np.ones(graph.types[loss].shape, np.float32), "one")
    return _with_gradients(graph, builder, [(loss, one)], with_respect_to)


@contract(more_outputs, ensures=(only_what_is_needed,))
def vector_jacobian(graph: Graph, outputs: Sequence[str], with_respect_to: Sequence[str]) -> Graph:
    """Append the products of cotangents with the Jacobian of any number of outputs.

    Args:
        outputs: values of the graph, float; each gives one more input, its cotangent, of its type, in this order.
        with_respect_to: values to differentiate by; each gives one more output, of its own type, in this order.

    Raises:
        UnsupportedError: an operation on the way has no gradient; the message says why.
    """
    builder = GraphBuilder.of(graph)
    seeds = [(value, builder.input(builder.unique(f"d_{value}"), graph.types[value].shape)) for value in outputs]
    return _with_gradients(graph, builder, seeds, with_respect_to)


def _with_gradients(
    graph: Graph, builder: GraphBuilder, seeds: Iterable[tuple[str, str]], with_respect_to: Sequence[str]
) -> Graph:
    wanted = _moved(graph, with_respect_to)
    gradients: dict[str, str] = {}
    for value, seed in seeds:
        _accumulate(builder, gradients, value, seed)
    for node in reversed(graph.nodes):
        if wanted.intersection(node.outputs) and gradients.keys() & set(node.outputs):
            _back_through(builder, node, gradients, wanted)
    ends = [gradients.get(v) or _zeros(builder, v) for v in with_respect_to]
    return remove_dead(builder.build([*graph.outputs, *ends]))


def _moved(graph: Graph, sources: Iterable[str]) -> set[str]:
    """The values that have a derivative by any of the sources."""
    reached = set(sources)
    for node in graph.nodes:
        if reached.intersection(node.inputs) and GRADIENTS[node.operation] is not _nowhere:
            reached.update(node.outputs)
    return reached


def _back_through(builder: GraphBuilder, node: Node, gradients: dict[str, str], wanted: set[str]) -> None:
    rule = GRADIENTS[node.operation]
    if isinstance(rule, str):
        raise UnsupportedError(f"{node.operation} has no gradient: {rule}", remedy="differentiate before it")
    arriving = [gradients.get(output, "") for output in node.outputs]
    for value, gradient in zip(node.inputs, rule(builder, node, *arriving), strict=True):
        if gradient and value in wanted:
            _accumulate(builder, gradients, value, gradient)
    if node.operation in ("loss", "cross_entropy") and node.inputs[0] in wanted:
        _accumulate(builder, gradients, node.inputs[0], _of_truth(builder, node, arriving[0]))


def _accumulate(builder: GraphBuilder, gradients: dict[str, str], value: str, gradient: str) -> None:
    before = gradients.get(value)
    gradients[value] = builder.add("add", before, gradient) if before else gradient


def _zeros(builder: GraphBuilder, value: str) -> str:
    return builder.constant(np.zeros(builder.type_of(value).shape, np.float32), "zero")


def _to_shape_of(builder: GraphBuilder, gradient: str, value: str) -> str:
    """Undo broadcasting: sum the gradient over the axes along which ``value`` was repeated."""
    have, want = builder.type_of(gradient).shape, builder.type_of(value).shape
    lead = len(have) - len(want)
    gradient = builder.sum(gradient, [i for i, n in enumerate(have) if n != 1 and (i < lead or want[i - lead] == 1)])
    return gradient if builder.type_of(gradient).shape == want else builder.add("reshape", gradient, shape=want)


def _add(b: GraphBuilder, node: Node, dy: str) -> Sequence[str]:
    return [_to_shape_of(b, dy, v) for v in node.inputs]


def _subtract(b: GraphBuilder, node: Node, dy: str) -> Sequence[str]:
    negative = b.add("multiply", dy, b.constant(-1.0, "number"))
    return [_to_shape_of(b, dy, node.inputs[0]), _to_shape_of(b, negative, node.inputs[1])]


def _multiply(b: GraphBuilder, node: Node, dy: str) -> Sequence[str]:
    left, right = node.inputs
    return [
        _to_shape_of(b, b.add("multiply", dy, right), left),
        _to_shape_of(b, b.add("multiply", dy, left), right),
    ]


def _divide(b: GraphBuilder, node: Node, dy: str) -> Sequence[str]:
    left, right = node.inputs
    d_left = b.add("divide", dy, right)
    d_right = b.add("multiply", b.add("multiply", d_left, node.output), b.constant(-1.0, "number"))
    return [_to_shape_of(b, d_left, left), _to_shape_of(b, d_right, right)]


def _square(b: GraphBuilder, node: Node, dy: str) -> Sequence[str]:
    return [b.add("multiply", b.add("multiply", dy, node.inputs[0]), b.constant(2.0, "number"))]


def _logarithm(b: GraphBuilder, node: Node, dy: str) -> Sequence[str]:
    return [b.add("divide", dy, node.inputs[0])]


def _trigonometric(b: GraphBuilder, node: Node, dy: str) -> Sequence[str]:
    (x,) = node.inputs
    if node.attributes["function"] == "arctan":
        return [b.add("divide", dy, b.add("add", b.add("square", x), b.constant(1.0, "one")))]
    other = "cos" if node.attributes["function"] == "sin" else "sin"
    slope = b.add("multiply", dy, b.add("trigonometric", x, function=other))
    return [slope if other == "cos" else b.add("multiply", slope, b.constant(-1.0, "number"))]


def _reciprocal_sqrt(b: GraphBuilder, node: Node, dy: str) -> Sequence[str]:
    cube = b.add("multiply", b.add("square", node.output), node.output)
    return [b.add("multiply", b.add("multiply", dy, cube), b.constant(-0.5, "number"))]


def _activation(b: GraphBuilder, node: Node, dy: str) -> Sequence[str]:
    function = str(node.attributes["function"])
    if function == "linear":
        return [dy]
    seen = node.inputs[0] if ACTIVATIONS[function].from_input else node.output
    return [b.add("activation_gradient", dy, seen, **node.attributes)]


def _dense(b: GraphBuilder, node: Node, dy: str) -> Sequence[str]:
    x, kernel, bias = node.inputs
    function = str(node.attributes["function"])
    if ACTIVATIONS[function].from_input:
        raise UnsupportedError(f"dense with {function} inside has no gradient", remedy="differentiate before fusing")
    if function != "linear":
        dy = b.add("activation_gradient", dy, node.output, **node.attributes)
    return [
        b.add("matmul", dy, kernel, transpose_b=True),
        b.add("matmul", x, dy, transpose_a=True, name=f"{kernel}_gradient"),
        _to_shape_of(b, dy, bias),
    ]


def _matmul(b: GraphBuilder, node: Node, dy: str) -> Sequence[str]:
    left, right = node.inputs
    ta, tb = bool(node.attributes["transpose_a"]), bool(node.attributes["transpose_b"])
    d_left = (right, dy, tb, True) if ta else (dy, right, False, not tb)
    d_right = (dy, left, True, ta) if tb else (left, dy, not ta, False)
    return [b.add("matmul", p, q, transpose_a=s, transpose_b=t) for p, q, s, t in (d_left, d_right)]


def _conv(b: GraphBuilder, node: Node, dy: str) -> Sequence[str]:
    x, kernel, bias = node.inputs
    function = str(node.attributes["function"])
    if ACTIVATIONS[function].from_input:
        raise UnsupportedError(f"conv with {function} inside has no gradient", remedy="differentiate before fusing")
    if function != "linear":
        dy = b.add("activation_gradient", dy, node.output, function=function, alpha=node.attributes["alpha"])
    window = {key: node.attributes[key] for key in ("strides", "padding", "dilations", "groups")}
    size = b.type_of(kernel).shape[:2]
    return [
        b.add("conv_input_gradient", dy, kernel, shape=b.type_of(x).shape, **window),
        b.add("conv_kernel_gradient", x, dy, size=size, name=f"{kernel}_gradient", **window),
        _to_shape_of(b, dy, bias),
    ]


def _conv_input_gradient(b: GraphBuilder, node: Node, dx: str) -> Sequence[str]:
    """Of a transposed convolution, which is linear in both: the convolution's own, the other way round."""
    dy, kernel = node.inputs
    window = {key: node.attributes[key] for key in ("strides", "padding", "dilations", "groups")}
    zeros = b.constant(np.zeros(b.type_of(kernel).shape[3:], np.float32), "no_bias")
    size = b.type_of(kernel).shape[:2]
    return [b.add("conv", dx, kernel, zeros, **window), b.add("conv_kernel_gradient", dx, dy, size=size, **window)]


def _normalize_batch(
    b: GraphBuilder, node: Node, dy: str, d_mean: str = "", d_variance: str = ""
) -> Sequence[str]:  # fmt: skip
    if d_mean or d_variance or not dy:
        raise UnsupportedError("moments of a batch are not differentiated on their own", remedy="sum(x) * share")
    x, gamma, beta, share = node.inputs
    given = dy, x, gamma, beta, *node.outputs[1:], share
    return [*b.add_many("normalize_batch_gradient", *given, **node.attributes), ""]


def _max_pool(b: GraphBuilder, node: Node, dy: str) -> Sequence[str]:
    return [b.add("max_pool_gradient", dy, *node.inputs, **node.attributes)]


def _average_pool(b: GraphBuilder, node: Node, dy: str) -> Sequence[str]:
    return [b.add("average_pool_gradient", dy, shape=b.type_of(node.inputs[0]).shape, **node.attributes)]


def _normalize(b: GraphBuilder, node: Node, dy: str) -> Sequence[str]:
    return [b.add("normalize_gradient", dy, *node.inputs, **node.attributes)]


def _transpose(b: GraphBuilder, node: Node, dy: str) -> Sequence[str]:
    return [b.add("transpose", dy, permutation=tuple(np.argsort(node.attributes["permutation"]).tolist()))]


def _pad(b: GraphBuilder, node: Node, dy: str) -> Sequence[str]:
    return [b.add("slice", dy, begin=node.attributes["begin"], shape=b.type_of(node.inputs[0]).shape)]


def _slice(b: GraphBuilder, node: Node, dy: str) -> Sequence[str]:
    return [b.add("pad", dy, begin=node.attributes["begin"], shape=b.type_of(node.inputs[0]).shape)]


def _larger(b: GraphBuilder, node: Node, dy: str) -> Sequence[str]:
    """Where both are equal each has half (as in JAX)."""
    shape = b.type_of(dy).shape
    left, right = (v if b.type_of(v).shape == shape else b.add("broadcast", v, shape=shape) for v in node.inputs)
    pairs = [(left, right), (right, left)] if node.operation == "maximum" else [(right, left), (left, right)]
    gradients = [b.add("larger_gradient", dy, *pair) for pair in pairs]
    return [_to_shape_of(b, gradient, value) for gradient, value in zip(gradients, node.inputs, strict=True)]


def _select(b: GraphBuilder, node: Node, dy: str) -> Sequence[str]:
    condition, *values = node.inputs
    zero = b.constant(0.0, "number")
    gradients = [b.add("select", condition, *pair) for pair in ((dy, zero), (zero, dy))]
    return ["", *(_to_shape_of(b, gradient, value) for gradient, value in zip(gradients, values, strict=True))]


def _nowhere(_: GraphBuilder, node: Node, __: str) -> Sequence[str]:
    """Of what is constant wherever it has a derivative, or is to be taken for constant."""
    return [""] * len(node.inputs)


def _sum(b: GraphBuilder, node: Node, dy: str) -> Sequence[str]:
    return [b.add("broadcast", dy, shape=b.type_of(node.inputs[0]).shape)]


def _broadcast(b: GraphBuilder, node: Node, dy: str) -> Sequence[str]:
    return [_to_shape_of(b, dy, node.inputs[0])]


def _reshape(b: GraphBuilder, node: Node, dy: str) -> Sequence[str]:
    return [b.add("reshape", dy, shape=b.type_of(node.inputs[0]).shape)]


def _affine_transform(b: GraphBuilder, node: Node, dy: str) -> Sequence[str]:
    return [b.add("affine_transform_gradient", dy, node.inputs[1], **node.attributes), ""]


def _softmax(b: GraphBuilder, node: Node, dy: str) -> Sequence[str]:
    return [b.add(f"{node.operation}_gradient", dy, node.output)]


def _loss(b: GraphBuilder, node: Node, dy: str) -> Sequence[str]:
    return ["", b.add("loss_gradient", dy, *node.inputs, **node.attributes)]


_SYMMETRIC = (
    "mean_squared_error", "mean_absolute_error", "huber", "log_cosh", "mean_squared_logarithmic_error",
    "cosine_similarity",
)  # fmt: skip


def _of_truth(b: GraphBuilder, node: Node, dy: str) -> str:
    """The gradient of a loss by what it compares with, where that is learned too.

    Raises:
        UnsupportedError: a loss that is another with its two values exchanged.
    """
    function = node.attributes.get("function", "categorical_crossentropy")
    if function not in _SYMMETRIC:
        raise UnsupportedError(
            f"what {function} compares with is data, or a loss that is the same both ways",
            received=f"{node.inputs[0]!r}, which is learned", remedy="edgeling.ops.stop_gradient(y_true)",
        )  # fmt: skip
    return b.add("loss_gradient", dy, *reversed(node.inputs), **node.attributes)


def _cross_entropy(b: GraphBuilder, node: Node, dy: str) -> Sequence[str]:
    """With respect to the logits, the way through the probabilities included: those lead nowhere else."""
    truth, _, probabilities = node.inputs
    return ["", b.add("cross_entropy_gradient", dy, truth, probabilities, **node.attributes), ""]


def _penalty(b: GraphBuilder, node: Node, dy: str) -> Sequence[str]:
    return [b.add("penalty_gradient", dy, *node.inputs, **node.attributes)]


def _standardize(b: GraphBuilder, node: Node, dy: str) -> Sequence[str]:
    return [b.add("divide", dy, node.inputs[2]), "", ""]


def _concatenate(b: GraphBuilder, node: Node, dy: str) -> Sequence[str]:
    ends = np.cumsum([b.type_of(v).shape[-1] for v in node.inputs]).tolist()
    starts = [0, *ends[:-1]]
    if len(b.type_of(dy).shape) != 2:
        begins = [(*(0,) * (len(b.type_of(dy).shape) - 1), start) for start in starts]
        return [b.add("slice", dy, begin=p, shape=b.type_of(v).shape) for p, v in zip(begins, node.inputs, strict=True)]
    return [b.add("gather", dy, indices=tuple(range(i, j))) for i, j in zip(starts, ends, strict=True)]


def _gather(b: GraphBuilder, node: Node, dy: str) -> Sequence[str]:
    columns = b.type_of(node.inputs[0]).shape[1]
    return [b.add("scatter", dy, indices=node.attributes["indices"], columns=columns)]


def _embedding(b: GraphBuilder, node: Node, dy: str) -> Sequence[str]:
    codes, table = node.inputs
    depth = b.type_of(table).shape[0]
    return ["", b.add("embedding_gradient", dy, codes, depth=depth, **node.attributes)]


def _lstm_gates(b: GraphBuilder, node: Node, dh: str, dc: str, _: str) -> Sequence[str]:
    c = node.inputs[2]
    arriving = (dh or _zeros(b, c), dc or _zeros(b, c), node.outputs[2], c)
    dz, dc = b.add_many("lstm_gates_gradient", *arriving, **node.attributes)
    return [dz, dz, dc]


def _gru_gates(b: GraphBuilder, node: Node, dh: str, _: str) -> Sequence[str]:
    _, g, h = node.inputs
    return b.add_many("gru_gates_gradient", dh, node.outputs[1], g, h, **node.attributes)


def _scan(b: GraphBuilder, node: Node, *arriving: str) -> Sequence[str]:
    return scan_gradient(vector_jacobian, b, node, arriving)


_ONCE = "gradients are taken once"
_LAST = "an update is the last thing a step does"
_STEP = "its value does not depend continuously on its inputs"
GRADIENTS: Mapping[str, Gradient | str] = {
    "add": _add,
    "subtract": _subtract,
    "multiply": _multiply,
    "divide": _divide,
    "square": _square,
    "logarithm": _logarithm,
    "trigonometric": _trigonometric,
    "whole": _nowhere,
    "stop_gradient": _nowhere,
    "reciprocal_sqrt": _reciprocal_sqrt,
    "activation": _activation,
    "dense": _dense,
    "matmul": _matmul,
    "conv": _conv,
    "conv_input_gradient": _conv_input_gradient,
    "conv_kernel_gradient": _ONCE,
    "normalize": _normalize,
    "normalize_batch": _normalize_batch,
    "max_pool": _max_pool,
    "average_pool": _average_pool,
    "transpose": _transpose,
    "pad": _pad,
    "slice": _slice,
    **dict.fromkeys(("maximum", "minimum"), _larger),
    "compare": _nowhere,
    "select": _select,
    "sum": _sum,
    "broadcast": _broadcast,
    "reshape": _reshape,
    "softmax": _softmax,
    "log_softmax": _softmax,
    "standardize": _standardize,
    "concatenate": _concatenate,
    "gather": _gather,
    "scatter": lambda b, node, dy: [b.add("gather", dy, indices=node.attributes["indices"])],
    "embedding": _embedding,
    "scan": _scan,
    "lstm_gates": _lstm_gates,
    "gru_gates": _gru_gates,
    "reverse": lambda b, node, dy: [b.add("reverse", dy, axis=node.attributes["axis"])],
    "loss": _loss,
    "cross_entropy": _cross_entropy,
    "penalty": _penalty,
    "batch_normalization": "it is the deployed form; training normalises with the batch's own moments",
    "clip": "it limits gradients, which are not differentiated",
    "affine_transform": _affine_transform,
    **dict.fromkeys(("impute", "calendar", "one_hot", "metric"), _STEP),
    **dict.fromkeys(("dropout_mask", "noise", "random_affine", "count"), _STEP),
    **dict.fromkeys(BACKWARDS, _ONCE),
    **dict.fromkeys(UPDATES, _LAST),
    **dict.fromkeys((*INT8, *QUANTIZED), "integers are the deployed form; quantise what has been trained"),
}  # fmt: skip
