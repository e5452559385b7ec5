# SPDX-License-Identifier: Apache-2.0
"""Post-training quantisation: accuracy, what is absorbed, what is refused, and the same bits from the C."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import ArrayLike
from sklearn import datasets
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from edgeling.codegen import generate
from edgeling.errors import DataError, GraphError, UnsupportedError
from edgeling.graph import DType, Graph, GraphBuilder, Node, check, integer, run_rows
from edgeling.graph.activations import ACTIVATIONS
from edgeling.graph.integer_tables import TFLITE
from edgeling.graph.meaning import MEANINGS
from edgeling.graph.serialize import from_json, to_json
from edgeling.passes import optimize
from edgeling.passes.integer_ends import integer_ends
from edgeling.passes.quantize import quantize
from edgeling.targets.target import get
from edgeling.toolchain.prove import Proof, prove
from tests.support.rounding import row_bounds
from tests.support.tflite_reference import Operator, Tensor, run_operator, schema

INT8_NODES = {"quantize", "dense_int8", "lookup_int8", "softmax_int8", "dequantize"}


def network(
    layers: list[tuple[np.ndarray, np.ndarray, str]], mean: ArrayLike = (), scale: ArrayLike = (), alpha: float = 0.0
) -> Graph:
    """Standardisation if asked for, then dense layers of (kernel, bias, activation); softmax is one too."""
    b = GraphBuilder("net")
    x = b.input("x", (1, len(layers[0][0])))
    if len(np.asarray(mean)):
        x = b.add("standardize", x, b.constant(mean), b.constant(scale))
    for kernel, bias, function in layers:
        dense = {"function": "linear" if function == "softmax" else function, "alpha": alpha}
        x = b.add("dense", x, b.constant(kernel), b.constant(bias), **dense)
        x = b.add("softmax", x) if function == "softmax" else x
    return optimize(b.build([x]))


def random_network(sizes: list[int], activations: list[str], seed: int = 0, alpha: float = 0.0) -> Graph:
    rng = np.random.default_rng(seed)
    shapes = zip(sizes, sizes[1:], activations, strict=False)
    return network([(rng.normal(0, i**-0.5, (i, o)), rng.normal(0, 0.3, o), f) for i, o, f in shapes], alpha=alpha)


def all_values(graph: Graph, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Every value for all rows at once; the interpreter itself takes one row."""
    values = {graph.inputs[0]: np.asarray(rows, np.float32), **graph.constants}
    for node in graph.nodes:
        values[node.output] = MEANINGS[node.operation](node.attributes, *(values[i] for i in node.inputs))
    return values


def outputs(graph: Graph, rows: np.ndarray) -> np.ndarray:
    return all_values(graph, rows)[graph.outputs[0]]


def trained(name: str, hidden: tuple[int, ...], activation: str, seed: int) -> tuple[Graph, np.ndarray, tuple]:
    """An MLP of scikit-learn as a graph, its training rows, and held-out rows and labels."""
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    x, x_test, y, y_test = train_test_split(x, y, test_size=0.3, random_state=seed, stratify=y)
    scaler = StandardScaler().fit(x)
    model = MLPClassifier(hidden, activation=activation, max_iter=150, learning_rate_init=0.02, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(scaler.transform(x), y)
    last = {"logistic": "sigmoid", "softmax": "softmax"}[model.out_activation_]
    functions = [activation] * len(hidden) + [last]
    layers = list(zip(model.coefs_, model.intercepts_, functions, strict=True))
    return network(layers, scaler.mean_, scaler.scale_), x, (x_test, y_test)


def step_of(graph: Graph, name: str) -> np.ndarray:
    """What a stored 1 is worth: of a tensor, of each column, or of each row of weights."""
    quantization = graph.types[name].quantization
    scale = np.array(quantization.scale, np.float64)
    return scale[:, None] if quantization.axis == 0 else scale


def steps_error(int8: Graph, rows: np.ndarray) -> float:
    """The variance that rounding to steps adds to the answers.

    That of the inputs is known (a column of few values has no uniform error); other tensors, weights included, are off
    by a twelfth of a step's square. Errors of one after another are independent and add up; each operation passes those
    of its input on by its derivative.
    """
    values, error = all_values(int8, rows), 0.0
    for node in int8.nodes:
        x, y = node.inputs[0], node.output
        if node.operation == "quantize":
            stored = (values[y] - values[node.inputs[2]].astype(np.float64)) * step_of(int8, y)
            error = np.nanmean((values[x] - stored) ** 2, axis=0)
        elif node.operation == "dense_int8":
            weights, step = values[node.inputs[1]], step_of(int8, node.inputs[1])
            spread = np.var(values[x] * step_of(int8, x), axis=0)
            error = np.sum((weights * step) ** 2 * error, axis=1) + np.sum(spread) * step[:, 0] ** 2 / 12
        elif node.operation == "lookup_int8":
            table = np.roll(values[node.inputs[1]].astype(np.float64), 128)  # of -128 to 127
            slope = np.gradient(table)[values[x].astype(int) + 128] * step_of(int8, y) / step_of(int8, x)
            error = np.mean(slope**2 * error, axis=0)
        elif node.operation == "softmax_int8":
            p = (values[y] + 128.0) / 256
            error = np.mean(p**2 * (1 - 2 * p + np.sum(p**2, axis=1, keepdims=True)), axis=0) * np.mean(error)
        if node.operation in INT8_NODES - {"quantize", "dequantize"}:
            error = error + step_of(int8, y) ** 2 / 12
    return float(np.mean(error))


def require_steps_error(graph: Graph, int8: Graph, rows: np.ndarray) -> None:
    """int8 costs what steps do, within three standard deviations: weights are rounded once, and that is one draw."""
    in_float = outputs(graph, rows)
    error, expected = np.mean((in_float - outputs(int8, rows)) ** 2), steps_error(int8, rows)
    assert error <= 3**2 * expected, f"{np.sqrt(error / expected):.3g} times what steps cost"


def labels(answers: np.ndarray) -> np.ndarray:
    return answers[:, 0] > 0.5 if answers.shape[1] == 1 else answers.argmax(axis=1)


@pytest.mark.parametrize(
    ("name", "hidden"), [("iris", (4,)), ("wine", (8,)), ("breast_cancer", (10,)), ("digits", (32,))]
)
@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("seed", [0, 1])
def test_accuracy_stays(name, hidden, activation, seed):
    graph, rows, (x, y) = trained(name, hidden, activation, seed)
    int8 = quantize(graph, rows)
    accuracy = np.mean(labels(outputs(graph, x)) == y)
    assert accuracy > 0.9
    assert np.mean(labels(outputs(int8, x)) == y) > accuracy - 0.015
    require_steps_error(graph, int8, x)


def test_regression_stays():
    x, y = datasets.load_diabetes(return_X_y=True)
    scaler, scale = StandardScaler().fit(x), y.std()
    model = MLPRegressor(hidden_layer_sizes=(16,), alpha=1, learning_rate_init=0.01, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(scaler.transform(x), (y - y.mean()) / scale)
    (first, last), (bias, last_bias) = model.coefs_, model.intercepts_
    layers = [(first, bias, "relu"), (last * scale, last_bias * scale + y.mean(), "linear")]
    graph = network(layers, scaler.mean_, scaler.scale_)
    require_steps_error(graph, quantize(graph, x), x)  # an answer beyond those would end at the last step


def test_an_answer_far_from_zero_keeps_its_steps():
    rng = np.random.default_rng(0)
    layers = [
        (rng.normal(0, 1, (4, 8)), rng.normal(0, 1, 8), "relu"),
        (rng.normal(0, 1, (8, 1)), np.array([1e5]), "linear"),
    ]
    rows = rng.normal(0, 1, (300, 4))
    graph = network(layers)
    require_steps_error(graph, quantize(graph, rows), rows)


@pytest.mark.parametrize("function", [*ACTIVATIONS, "softmax"])
@pytest.mark.parametrize("place", ["hidden", "last"])
def test_every_activation(function, place):
    if (function, place) == ("softmax", "hidden"):
        pytest.skip("softmax is an output")
    functions = [function, "linear"] if place == "hidden" else ["relu", function]
    graph = random_network([6, 12, 4], functions, seed=3, alpha=0.1)
    rows = np.random.default_rng(1).normal(0, 1, (400, 6))
    int8 = quantize(graph, rows)
    require_steps_error(graph, int8, rows)
    assert {node.operation for node in int8.nodes} <= INT8_NODES


def test_types_say_how_values_are_stored():
    int8 = quantize(random_network([3, 5, 2], ["relu", "softmax"]), np.random.default_rng(0).normal(0, 1, (50, 3)))
    inner = [node.output for node in int8.nodes if node.operation != "dequantize"]
    assert all(int8.types[name].dtype is DType.INT8 and int8.types[name].quantization for name in inner)
    assert int8.types[inner[-1]].quantization.scale == (1 / 256,)
    (weights,) = [n for n in int8.constants if n.endswith("weights") and int8.constants[n].shape == (5, 3)]
    assert int8.types[weights].quantization.axis == 0
    assert int8.metadata["precision"] == "int8"
    assert (int8.inputs, int8.outputs) == (("x",), ("softmax",))
    assert from_json(*to_json(int8)).nodes == int8.nodes


@pytest.mark.parametrize("function", ["softmax", "leaky_relu", "elu", "hard_silu", "sigmoid", "tanh"])
def test_every_layer_is_what_tensorflow_lites_kernels_make_of_the_same_types(function):
    rows = np.random.default_rng(0).normal(0, 1, (200, 7))
    functions = ["relu6", "hard_tanh", *(["relu", "softmax"] if function == "softmax" else [function, "sigmoid"])]
    int8 = quantize(random_network([7, 20, 16, 12, 5], functions, seed=8, alpha=slope(function)), rows)
    values = all_values(int8, rows)
    tables = [tables_operator(f) for f in functions if f in TFLITE and f not in integer.CLAMPS]
    softmax = Operator("SOFTMAX", "SoftmaxOptions", {"beta": 1.0})
    fused = iter([fully_connected(f) for f in ("RELU6", "RELU_N1_TO_1", "RELU" if not tables else "NONE", "NONE")])
    others = iter(tables)
    for node in int8.nodes:
        if node.operation in ("quantize", "dequantize"):
            continue
        operator = {"dense_int8": fused, "lookup_int8": others, "softmax_int8": iter([softmax])}[node.operation]
        x, y = (tensor(int8, name, values[name]) for name in (node.inputs[0], node.output))
        weights = [] if len(node.inputs) < 3 else weight_tensors(int8, node, x)
        expected = run_operator(next(operator), [x, *weights], y, values[node.inputs[0]])
        np.testing.assert_array_equal(values[node.output], expected)
        assert len(np.unique(expected)) > 50
    assert not [*fused, *others]


def slope(function: str) -> float:
    return 1.0 if function == "elu" else 0.3  # there is no operator for an elu of another scale


def tables_operator(function: str) -> Operator:
    options = {"leaky_relu": ("LeakyReluOptions", {"alpha": slope(function)}), "hard_silu": ("HardSwishOptions", {})}
    return Operator(TFLITE[function], *options.get(function, ()))


def fully_connected(activation: str) -> Operator:
    fused = getattr(schema.ActivationFunctionType, activation)
    return Operator("FULLY_CONNECTED", "FullyConnectedOptions", {"fusedActivationFunction": fused})


def tensor(graph: Graph, name: str, value: np.ndarray) -> Tensor:
    stored = graph.types[name].quantization
    if stored.axis is None:
        return Tensor(value.shape, scale=stored.scale, zero_point=stored.zero_point[0])
    return Tensor(value.shape, scale=[1.0])  # the input, whose scales the first layer's weights have taken up


def weight_tensors(graph: Graph, node: Node, x: Tensor) -> list[Tensor]:
    """Weights, and the bias as TensorFlow Lite keeps it: next to inputs whose zero point is subtracted."""
    weights, bias = (graph.constants[name] for name in node.inputs[1:3])
    scale = graph.types[node.inputs[1]].quantization.scale
    unfolded = bias + x.zero_point * weights.astype(np.int32).sum(axis=1, dtype=np.int32)
    bias_scale = np.float32(x.scale[0]) * np.array(scale, np.float32)
    return [Tensor(weights.shape, scale=scale, data=weights), Tensor(bias.shape, "int32", bias_scale, data=unfolded)]


def test_means_over_the_calibration_rows_are_kept():
    graph = random_network([10, 8, 3], ["relu", "linear"], seed=5)
    rows = np.random.default_rng(2).normal(3, 1, (500, 10))
    difference = outputs(quantize(graph, rows), rows) - outputs(graph, rows)
    # Of an error with mean 0, what a relu lets through has a mean of at most half the error's deviation.
    assert np.all(np.abs(difference.mean(axis=0)) <= difference.std(axis=0) / 2)


def prepared(imputes: bool = True) -> Graph:
    """Two numbers far from zero and a category, as a preparation makes them."""
    b = GraphBuilder("net")
    x = b.input("x", (1, 3))
    numbers = b.add("gather", x, indices=(0, 2))
    if imputes:
        numbers = b.add("impute", numbers, b.constant([101325.0, -2.5], "fill"))
    numbers = b.add("standardize", numbers, b.constant([101300.0, 0.0]), b.constant([400.0, 3.0]))
    category = b.add("one_hot", b.add("gather", x, indices=(1,)), depth=3)
    both = b.add("concatenate", numbers, category)
    rng = np.random.default_rng(0)
    hidden = b.add(
        "dense", both, b.constant(rng.normal(0, 1, (5, 8))), b.constant(rng.normal(0, 1, 8)), function="relu"
    )
    return optimize(b.build([b.add("dense", hidden, b.constant(rng.normal(0, 1, (8, 1))), b.constant([0.2]))]))


def mixed_rows(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    columns = rng.normal(101300, 400, count), rng.integers(-1, 3, count), rng.normal(0, 3, count)
    return np.stack(columns, axis=1).astype(np.float32)


def test_preparation_is_absorbed():
    graph, rows = prepared(), mixed_rows(600)
    rows[::7, 0], rows[::5, 2] = np.nan, np.nan
    int8 = quantize(graph, rows[:400])
    assert {node.operation for node in int8.nodes} - INT8_NODES == {"gather", "one_hot", "concatenate"}
    require_steps_error(graph, int8, rows)


def test_a_missing_number_is_stored_as_what_imputation_makes_of_it():
    graph, rows = prepared(), mixed_rows(300)
    int8 = quantize(graph, rows)
    missing, filled = np.array([[np.nan, 1, np.nan]]), np.array([[101325.0, 1, -2.5]])
    np.testing.assert_array_equal(outputs(int8, missing), outputs(int8, filled))


def test_categories_are_stored_exactly():
    int8 = quantize(prepared(imputes=False), mixed_rows(300))
    bits, zero_point = int8.constants["fraction_bits"], int8.constants["zero_point"]
    np.testing.assert_array_equal(bits[2:], [7, 7, 7])
    np.testing.assert_array_equal(zero_point[2:], [-64, -64, -64])


def test_a_constant_column_and_dead_neurons_do_no_harm():
    layers = [
        (np.array([[1.0, 0, 0], [0.5, 0, -1]]), np.array([0, -5.0, 0]), "relu"),
        (np.eye(3), np.zeros(3), "linear"),
    ]
    graph = network(layers)
    rows = np.stack([np.random.default_rng(0).normal(0, 1, 100), np.full(100, 7.0)], axis=1)
    require_steps_error(graph, quantize(graph, rows), rows)


def test_a_network_of_nothing_but_zeros():
    graph = network([(np.zeros((2, 2)), np.zeros(2), "relu"), (np.zeros((2, 3)), np.zeros(3), "softmax")])
    np.testing.assert_array_equal(outputs(quantize(graph, np.zeros((4, 2))), np.ones((1, 2))), [[85 / 256] * 3])


# -------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("operation", "index", "wrong"),
    [("quantize", 1, 101), ("quantize", 2, 2**23), ("dense_int8", 1, -128), ("dense_int8", 2, 2**31 - 1),
     ("dense_int8", 3, -1), ("dense_int8", 4, 32), ("dense_int8", 4, -1)],
)  # fmt: skip
def test_constants_that_would_leave_int32_are_refused(operation, index, wrong):
    graph = quantize(random_network([3, 4, 2], ["relu", "softmax"]), np.random.default_rng(0).normal(0, 1, (9, 3)))
    node = next(node for node in graph.nodes if node.operation == operation)
    forged = graph.constants[node.inputs[index]].copy()
    forged.flat[0] = wrong
    with pytest.raises(GraphError, match=operation):
        check(replace(graph, constants={**graph.constants, node.inputs[index]: forged}))


@pytest.mark.parametrize("forged", [{"multiplier": 7}, {"left_shift": 32}, {"minimum_difference": -(2**20)}])
def test_a_softmax_that_would_leave_its_tables_is_refused(forged):
    graph = quantize(random_network([3, 4, 2], ["relu", "softmax"]), np.random.default_rng(0).normal(0, 1, (9, 3)))
    softmax = next(node for node in graph.nodes if node.operation == "softmax_int8")
    wrong = replace(softmax, attributes={**softmax.attributes, **forged})
    with pytest.raises(GraphError, match=next(iter(forged))):
        check(replace(graph, nodes=tuple(wrong if node is softmax else node for node in graph.nodes)))


def test_a_softmax_over_too_many_classes_is_computed_in_float():
    rng, classes = np.random.default_rng(0), integer.MAXIMUM_CLASSES + 89
    rows = rng.normal(0, 1, (50, 3))
    graph = random_network([3, 8, classes], ["relu", "softmax"])
    int8 = quantize(graph, rows)
    assert [node.operation for node in int8.nodes][-3:] == ["dense_int8", "dequantize", "softmax"]
    require_steps_error(graph, int8, rows)
    with pytest.raises(UnsupportedError, match="softmax over 600 classes"):
        integer_ends(int8)


def test_what_has_no_int8_form_is_refused_by_name():
    graph = random_network([3, 4, 2], ["relu", "softmax"])
    rows = np.zeros((1, 3))
    softmax = graph.nodes[-1]
    log_softmax = replace(graph, nodes=(*graph.nodes[:-1], replace(softmax, operation="log_softmax")))
    with pytest.raises(UnsupportedError, match="log_softmax that makes 'softmax'"):
        quantize(log_softmax, rows)
    b = GraphBuilder.of(random_network([3, 4, 2], ["relu", "linear"]))
    with pytest.raises(UnsupportedError, match="divide that makes 'ratio'"):
        quantize(b.build([b.add("divide", "dense_2", "dense_2", name="ratio")]), rows)
    b = GraphBuilder("no_layer")
    x = b.input("x", (1, 3))
    with pytest.raises(UnsupportedError, match="no layer"):
        quantize(b.build([b.add("square", x)]), rows)
    b = GraphBuilder("training")
    x = b.input("x", (1, 3))
    dense = b.add("dense", x, b.variable(np.zeros((3, 2)), "w"), b.constant(np.zeros(2)))
    with pytest.raises(UnsupportedError, match="1 variables"):
        quantize(b.build([dense]), rows)


def test_calibration_rows_are_checked():
    graph = random_network([3, 4, 2], ["relu", "softmax"])
    for rows in (np.zeros((0, 3)), np.zeros((5, 4)), np.zeros(3)):
        with pytest.raises(DataError, match=r"shape \[rows, 3\]"):
            quantize(graph, rows)
    for number in (np.nan, np.inf):
        with pytest.raises(DataError, match="finite"):
            quantize(graph, np.full((2, 3), number))


# ------------------------------------------------------------------------------------------------------------- C


def proof(graph: Graph, rows: np.ndarray, target: str, tolerance: float = 0.0) -> Proof:
    rows = rows.astype(np.float32)
    return prove(generate(graph, "net"), get(target), [rows], run_rows(graph, rows), tolerance)


@pytest.mark.parametrize("target", ["native", "cortex-m0plus", "cortex-m4", "wasm32"])
def test_the_c_has_the_interpreters_bits(target):
    odd = np.array([[np.nan, 0, 1e30], [np.inf, -1, -np.inf], [0, 2, np.nan], [-1e-40, 5, 1e-40]], np.float32)
    rows = np.concatenate([mixed_rows(20, seed=1), odd])
    assert proof(quantize(prepared(), mixed_rows(200)), rows, target).matches
    rng = np.random.default_rng(4)
    far = network([(rng.normal(0, 1, (3, 1)), np.array([1e5]), "linear")])
    assert proof(quantize(far, rng.normal(0, 1, (50, 3))), rng.normal(0, 1, (20, 3)), target).matches
    for functions in (["relu6", "tanh", "softmax"], ["elu", "gelu", "sigmoid"], ["tanh", "relu", "linear"]):
        graph = random_network([5, 9, 7, 3], functions, seed=6, alpha=1.0)
        assert proof(quantize(graph, rng.normal(0, 1, (200, 5))), rng.normal(0, 2, (20, 5)), target).matches


@pytest.mark.parametrize(("sizes", "last"), [([8, 10, 1], "sigmoid"), ([4, 4, 3], "softmax")])
def test_both_tutorial_networks_are_smaller_and_faster_than_float_on_cortex_m0plus(sizes, last):
    graph = random_network(sizes, ["relu", last])
    rows = np.random.default_rng(0).normal(0, 1, (20, sizes[0]))
    in_float = proof(graph, rows, "cortex-m0plus", row_bounds(graph, rows)[0].tolerance)
    in_int8 = proof(quantize(graph, rows), rows, "cortex-m0plus")
    assert in_float.matches
    assert in_int8.matches
    assert in_int8.instructions < in_float.instructions / 4
    assert in_int8.flash_bytes < in_float.flash_bytes * 0.7
    assert in_int8.ram_bytes < in_float.ram_bytes
