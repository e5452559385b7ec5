# SPDX-License-Identifier: Apache-2.0
"""Every gradient against finite differences in float64."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

from edgeling.errors import UnsupportedError
from edgeling.graph import GraphBuilder, run
from edgeling.graph.activations import ACTIVATIONS
from edgeling.graph.affine import FILLS
from edgeling.graph.losses import CROSS_ENTROPIES, LOSSES
from edgeling.graph.operations import TRIGONOMETRIC
from edgeling.passes import differentiate
from edgeling.passes.differentiate import GRADIENTS
from tests.support.finite import require_gradient


def check_gradients(build, shapes, seed=0, positive=False) -> None:
    """``build(builder, *values) -> value``: compare the gradients of a weighted sum of the result."""
    rng = np.random.default_rng(seed)
    b = GraphBuilder("g")
    arrays = [rng.uniform(0.2, 2, s) if positive else rng.normal(size=s) for s in shapes]
    variables = [b.variable(a, f"v{i}") for i, a in enumerate(arrays)]
    result = build(b, *variables)
    kind = b.type_of(result)
    weighted = b.add("multiply", result, b.constant(rng.normal(size=kind.shape), "weights"))
    total = b.add("reshape", b.add("sum", weighted, axes=tuple(range(len(kind.shape)))), shape=(), name="total")
    graph = differentiate(b.build([total]), total, variables)
    gradients = run(graph, [], float64=True).outputs[1:]
    for variable, gradient in zip(variables, gradients, strict=True):
        require_gradient(graph, [], variable, gradient)


BROADCASTS = [((3, 4), (3, 4)), ((3, 4), (4,)), ((3, 4), ()), ((3, 1), (3, 4)), ((1, 4), (3, 1)), ((4,), (3, 4))]


@pytest.mark.parametrize("shapes", BROADCASTS)
@pytest.mark.parametrize("operation", ["add", "subtract", "multiply", "divide"])
def test_binary(operation: str, shapes) -> None:
    check_gradients(lambda b, x, y: b.add(operation, x, y), shapes, positive=True)


def test_a_value_read_twice_gathers_both_gradients() -> None:
    check_gradients(lambda b, x: b.add("multiply", x, b.add("add", x, x)), [(2, 3)])


@pytest.mark.parametrize("function", ACTIVATIONS)
def test_activations(function: str) -> None:
    alpha = ACTIVATIONS[function].default_alpha
    check_gradients(lambda b, x: b.add("activation", x, function=function, alpha=alpha), [(5, 7)], seed=3)


@pytest.mark.parametrize("function", [f for f, a in ACTIVATIONS.items() if not a.from_input])
def test_dense_with_its_activation(function: str) -> None:
    alpha = ACTIVATIONS[function].default_alpha
    check_gradients(
        lambda b, x, k, c: b.add("dense", x, k, c, function=function, alpha=alpha), [(5, 4), (4, 3), (3,)], seed=5
    )


@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
def test_matmul(transpose_a: bool, transpose_b: bool) -> None:
    shapes = [(4, 2) if transpose_a else (2, 4), (3, 4) if transpose_b else (4, 3)]
    check_gradients(lambda b, x, y: b.add("matmul", x, y, transpose_a=transpose_a, transpose_b=transpose_b), shapes)
    many = [(2, 3, *shape) for shape in shapes]
    check_gradients(lambda b, x, y: b.add("matmul", x, y, transpose_a=transpose_a, transpose_b=transpose_b), many)


@pytest.mark.parametrize(
    ("operation", "attributes"),
    [
        ("square", {}),
        ("logarithm", {}),
        ("reciprocal_sqrt", {"epsilon": 0.1}),
        *(("trigonometric", {"function": function}) for function in TRIGONOMETRIC),
        ("softmax", {}),
        ("log_softmax", {}),
        ("normalize", {"epsilon": 0.1}),
        ("normalize", {"epsilon": 0.1, "centered": False}),
        ("sum", {"axes": (0,)}),
        ("sum", {"axes": (1,)}),
        ("sum", {"axes": (0, 1)}),
        ("reshape", {"shape": (4, 3)}),
        ("broadcast", {"shape": (2, 3, 4)}),
        ("penalty", {"l1": 0.3, "l2": 0.7}),
        ("gather", {"indices": (2, 0, 2)}),
        ("transpose", {"permutation": (1, 0)}),
        ("pad", {"begin": (0, 2), "shape": (4, 6), "value": 1.0}),
        ("slice", {"begin": (1, 0), "shape": (2, 3)}),
        ("scatter", {"indices": (1, 5, 1, 0), "columns": 6}),
    ],
)
def test_unary(operation: str, attributes) -> None:
    check_gradients(lambda b, x: b.add(operation, x, **attributes), [(3, 4)], positive=True)


def test_a_stopped_gradient_is_that_of_a_constant() -> None:
    b = GraphBuilder("stopped")
    x = b.input("x", (3,))
    total = b.add("sum", b.add("multiply", x, b.add("stop_gradient", b.add("square", x))), axes=(0,))
    loss = b.add("reshape", total, shape=())
    given = np.float32([1, -2, 3])
    np.testing.assert_array_equal(run(differentiate(b.build([loss]), loss, ["x"]), {"x": given}).outputs[1], given**2)


@pytest.mark.parametrize("function", ["linear", "relu", "relu6"])
def test_what_is_normalised_by_the_batchs_own_moments(function: str) -> None:
    def build(b, x, gamma, beta):
        how = {"epsilon": 0.1, "function": function}
        return b.add_many("normalize_batch", x, gamma, beta, b.constant(1 / 16, "share"), **how)[0]

    check_gradients(build, [(4, 2, 2, 3), (3,), (3,)])


def test_moments_of_a_batch_have_no_gradient_of_their_own() -> None:
    def build(b, x, gamma, beta):
        return b.add_many("normalize_batch", x, gamma, beta, b.constant(1 / 3, "share"))[1]

    with pytest.raises(UnsupportedError, match="on their own"):
        check_gradients(build, [(3, 4), (4,), (4,)])


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("function", ["linear", "tanh"])
def test_conv(groups: int, function: str) -> None:
    window = {"strides": (2, 1), "padding": (1, 0, 0, 2), "dilations": (1, 2), "groups": groups}
    shapes = [(2, 5, 4, 4), (2, 2, 4 // groups, 2), (2,)]
    check_gradients(lambda b, *v: b.add("conv", *v, function=function, **window), shapes)


def test_conv_input_gradient_which_is_a_transposed_convolution() -> None:
    window = {"strides": (2, 2), "padding": (0, 1, 1, 0), "shape": (2, 6, 5, 3)}
    shapes = [(2, 3, 2, 2), (2, 3, 3, 2)]
    check_gradients(lambda b, *v: b.add("conv_input_gradient", *v, **window), shapes)


@pytest.mark.parametrize("operation", ["max_pool", "average_pool"])
def test_pools(operation: str) -> None:
    window = {"size": (2, 3), "strides": (1, 2), "padding": (1, 0, 1, 1)}
    check_gradients(lambda b, x: b.add(operation, x, **window), [(2, 4, 5, 2)])


@pytest.mark.parametrize("bilinear", [True, False])
@pytest.mark.parametrize("fill", FILLS)
def test_images_through_affine_maps(fill: str, bilinear: bool) -> None:
    maps = np.float32([[0.8, 0.3, 0.4, -0.2, 1.1, -0.6], [1.2, 0.1, -1.7, 0.4, -0.9, 3.3]])

    def seen(b: GraphBuilder, x: str) -> str:
        return b.add("affine_transform", x, b.constant(maps, "maps"), function=fill, bilinear=bilinear, fill_value=0.7)

    check_gradients(seen, [(2, 4, 5, 2)])


@pytest.mark.parametrize("shapes", BROADCASTS)
@pytest.mark.parametrize("operation", ["maximum", "minimum"])
def test_the_larger_and_the_smaller(operation: str, shapes) -> None:
    check_gradients(lambda b, x, y: b.add(operation, x, y), shapes)


@pytest.mark.parametrize("shapes", [*BROADCASTS, ((3, 1), (3, 4)), ((), (3, 4))])
def test_one_of_two(shapes) -> None:
    condition = np.array([[1.0], [0.0], [-2.0]])
    check_gradients(lambda b, x, y: b.add("select", b.constant(condition, "condition"), x, y), shapes)


@pytest.mark.parametrize("functions", [("tanh", "sigmoid"), ("gelu", "silu"), ("softplus", "elu"), ("linear", "mish")])
@pytest.mark.parametrize("ends", [(0,), (1,), (0, 1)])
def test_gates(functions, ends) -> None:
    how = {"function": functions[0], "recurrent_function": functions[1], "recurrent_alpha": 1.0}

    def lstm(b, *v):
        made = b.add_many("lstm_gates", *v, **how)
        return b.add("concatenate", *(made[end] for end in ends))

    check_gradients(lstm, [(3, 8), (3, 8), (3, 2)])
    check_gradients(lambda b, *v: b.add_many("gru_gates", *v, **how)[0], [(3, 6), (3, 6), (3, 2)])


def test_slices_in_reverse_order() -> None:
    check_gradients(lambda b, x: b.add("reverse", x, axis=1), [(2, 3, 4)])


def test_comparisons_and_whole_numbers_are_no_way_for_a_gradient() -> None:
    def compared(b, x, y):
        return b.add("multiply", y, b.add("compare", x, b.constant(0.3), function="less"))

    def whole(b, x, y):
        return b.add("multiply", y, b.add("whole", x, function="floor"))

    for build in (compared, whole):
        check_gradients(build, [(3, 2), (3, 2)])


def test_equals_share_the_gradient_of_the_larger() -> None:
    b = GraphBuilder("g")
    v, w = b.variable([1.0, 2.0], "v"), b.variable([1.0, 3.0], "w")
    total = b.add("reshape", b.add("sum", b.add("maximum", v, w), axes=(0,)), shape=(), name="total")
    _, dv, dw = run(differentiate(b.build([total]), total, [v, w]), []).outputs
    np.testing.assert_array_equal(dv, [0.5, 0])
    np.testing.assert_array_equal(dw, [0.5, 1])


def test_standardize_and_concatenate() -> None:
    def build(b, x, y):
        scaled = b.add("standardize", x, b.constant([1.0, 2.0]), b.constant([0.5, 3.0]))
        return b.add("concatenate", scaled, y)

    check_gradients(build, [(3, 2), (3, 1)])


OPTIONS = [{}, {"from_logits": True}, {"label_smoothing": 0.1}, {"from_logits": True, "label_smoothing": 0.2}]
LOSS_CASES = [(f, {}) for f in LOSSES if "crossentropy" not in f] + [("huber", {"delta": 0.4})]
LOSS_CASES += [(f, o) for f in ("binary_crossentropy", "categorical_crossentropy") for o in OPTIONS]
LOSS_CASES += [("sparse_categorical_crossentropy", o) for o in OPTIONS[:2]]
FOCAL_OPTIONS = [{**o, "gamma": g} for o, g in zip(OPTIONS, (2.0, 1.5, 0.0, 3.0), strict=True)]
FOCAL_OPTIONS.append({"apply_class_balancing": True, "alpha": 0.7})
LOSS_CASES += [(f, o) for f in ("binary_focal_crossentropy", "categorical_focal_crossentropy") for o in FOCAL_OPTIONS]


@pytest.mark.parametrize(("function", "options"), LOSS_CASES)
def test_losses(function: str, options) -> None:
    rng = np.random.default_rng(2)
    rows, outputs = 6, 3
    if LOSSES[function].sparse:
        truth = rng.integers(0, outputs, (rows, 1)).astype(float)
    elif "hinge" in function and function != "categorical_hinge":
        truth = rng.choice([-1.0, 1.0], (rows, outputs))
    elif function in ("categorical_crossentropy", "categorical_hinge", "kl_divergence"):
        truth = np.eye(outputs)[rng.integers(0, outputs, rows)]
    else:
        truth = rng.uniform(0.1, 0.9, (rows, outputs))

    def build(b, p):
        if not options.get("from_logits") and "hinge" not in function:
            p = b.add("activation", p, function="sigmoid")
        return b.add("loss", b.constant(truth, "truth"), p, function=function, **options)

    check_gradients(build, [(rows, outputs)], seed=9)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("function", CROSS_ENTROPIES)
def test_cross_entropies_of_logits(function: str, smoothing: float) -> None:
    labels = np.random.default_rng(2).integers(0, 3, 6)
    sparse = LOSSES[function.replace("binary_kl", "kl")].sparse
    truth = labels[:, None].astype(float) if sparse else np.eye(3)[labels]

    def build(b, z):
        p = b.add("activation", z, function="sigmoid") if function.startswith("binary") else b.add("softmax", z)
        how = {"function": function, "label_smoothing": smoothing}
        return b.add("cross_entropy", b.constant(truth, "truth"), z, p, **how)

    check_gradients(build, [(6, 3)], seed=9)


def test_what_does_not_depend_on_the_variable_has_gradient_zero() -> None:
    b = GraphBuilder("g")
    v, w = b.variable([1.0, 2.0], "v"), b.variable([3.0, 4.0], "w")
    total = b.add("reshape", b.add("sum", b.add("square", v), axes=(0,)), shape=(), name="total")
    graph = differentiate(b.build([total]), total, [v, w])
    _, dv, dw = run(graph, []).outputs
    np.testing.assert_array_equal(dv, [2, 4])
    np.testing.assert_array_equal(dw, [0, 0])


@pytest.mark.parametrize("function", [f for f, a in ACTIVATIONS.items() if a.from_input])
def test_a_fused_activation_that_needs_its_input_is_refused(function: str) -> None:
    b = GraphBuilder("g")
    kernel = b.variable(np.ones((2, 1)), "kernel")
    y = b.add("dense", b.input("x", (1, 2)), kernel, b.constant([0.0]), function=function)
    total = b.add("reshape", y, shape=())
    with pytest.raises(UnsupportedError, match=function):
        differentiate(b.build([total]), total, [kernel])


def test_the_rows_that_codes_name() -> None:
    codes = [[0, 1], [2, 1], [2, -1], [0.5, 0], [2, 7]]
    check_gradients(
        lambda b, table: b.add("embedding", b.constant(codes), table, starts=(0, 3), sizes=(3, 2)), [(5, 3)]
    )


def test_an_operation_without_a_gradient_is_refused_with_its_reason() -> None:
    b = GraphBuilder("g")
    x = b.variable(np.ones((2, 3)), "x")
    y = b.add("sum", b.add("impute", x, b.constant([0.0] * 3)), axes=(0, 1))
    total = b.add("reshape", y, shape=())
    with pytest.raises(UnsupportedError, match="impute has no gradient"):
        differentiate(b.build([total]), total, [x])


def test_every_gradient_rule_is_checked_here() -> None:
    """By its name; loops have a file of their own."""
    nodes = ast.walk(ast.parse(Path(__file__).read_text("utf-8")))
    named = {node.value for node in nodes if isinstance(node, ast.Constant)}
    rules = {name for name, rule in GRADIENTS.items() if not isinstance(rule, str)}
    assert rules - {"scan"} <= named
