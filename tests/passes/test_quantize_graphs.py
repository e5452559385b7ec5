# SPDX-License-Identifier: Apache-2.0
"""Quantising any graph: skip connections, branches, several inputs and outputs; accuracy, and the C's bits."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
from sklearn import datasets
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from edgeling.codegen import generate
from edgeling.errors import DataError, UnsupportedError
from edgeling.graph import DType, Graph, GraphBuilder, run_rows
from edgeling.graph.types import Array
from edgeling.passes import optimize
from edgeling.passes.integer_ends import integer_ends
from edgeling.passes.quantize import quantize
from edgeling.targets.target import get
from edgeling.toolchain.prove import prove

WIDTH = 6
# Of the answers' spread. A step of an int8 tensor is 1/255 of its range, some 1/40 of its spread; beside int16, what is
# left is the rounding of int8 weights.
LARGEST_ERROR = {"int8": 0.03, "int16x8": 0.01}


class Net:
    """Builds networks of random dense layers."""

    def __init__(self, seed: int = 0) -> None:
        self.b, self.rng = GraphBuilder("net"), np.random.default_rng(seed)

    def input(self, name: str = "x", width: int = WIDTH) -> str:
        return self.b.input(name, (1, width))

    def dense(self, x: str, width: int = WIDTH, function: str = "linear", name: str = "") -> str:
        inputs = self.b.type_of(x).shape[-1]
        kernel = self.b.constant(self.rng.normal(0, inputs**-0.5, (inputs, width)), "kernel")
        return self.b.add("dense", x, kernel, self.b.constant(self.rng.normal(0, 0.3, width), "bias"),
                          function=function, name=name)  # fmt: skip

    def vector(self, width: int = WIDTH, low: float = 0.5, high: float = 2.0) -> str:
        return self.b.constant(self.rng.uniform(low, high, width), "vector")

    def build(self, *outputs: str) -> Graph:
        return optimize(self.b.build(outputs))


def skip(n: Net) -> Graph:
    """Two blocks with a skip connection each, the first from the standardised features."""
    x = n.b.add("standardize", n.input(), n.vector(low=-1, high=1), n.vector())
    for _ in range(2):
        inner = n.dense(n.dense(x, 9, "relu"))
        x = n.b.add("activation", n.b.add("add", x, inner), function="relu")
    return n.build(n.dense(x, 3))


def two_inputs(n: Net) -> Graph:
    left, right = n.input("left", 4), n.input("right", 5)
    scaled = n.b.add("standardize", right, n.vector(5, -1, 1), n.vector(5))
    both = n.b.add("concatenate", n.dense(left, 3, "tanh"), n.dense(scaled, 4, "relu"))
    return n.build(n.b.add("softmax", n.dense(both, 3)))


def two_outputs(n: Net) -> Graph:
    """A head that the other head reads."""
    hidden = n.dense(n.input(), 8, "relu")
    first = n.dense(hidden, 2, "linear", "first")
    return n.build(first, n.dense(n.b.add("concatenate", hidden, first), 1, "sigmoid", "second"))


def gated(n: Net) -> Graph:
    x = n.input()
    gate, value = n.dense(x, WIDTH, "sigmoid"), n.dense(x)
    return n.build(n.b.add("subtract", n.b.add("multiply", gate, value), n.dense(x, WIDTH, "tanh")))


def columns(n: Net) -> Graph:
    """What is affine in columns, where nothing takes it up: read twice, or after an activation."""
    x = n.dense(n.input(), WIDTH, "relu")
    y = n.b.add("batch_normalization", x, n.vector(), n.vector(), n.vector(), n.vector(), epsilon=1e-3)
    y = n.b.add("divide", n.b.add("subtract", n.vector(), y), n.vector())
    return n.build(n.b.add("multiply", y, x), n.b.add("add", y, n.b.constant(0.7)))


def moved(n: Net) -> Graph:
    """Reshapes, chosen columns, sums, limits."""
    grid = n.b.add("reshape", n.dense(n.input(), 12), shape=(1, 3, 4))
    pooled = n.b.add("reshape", n.b.add("sum", grid, axes=(1,)), shape=(1, 4))
    clipped = n.b.add("clip", n.b.add("gather", pooled, indices=(2, 0, 0)), minimum=-1.0, maximum=1.5)
    return n.build(n.dense(clipped, 2), n.b.add("reshape", pooled, shape=(1, 2, 2)))


def broadcasting(n: Net) -> Graph:
    x = n.dense(n.input())
    gate = n.b.add("add", n.dense(x, 1, "sigmoid"), n.vector())
    kernel = n.b.constant(n.rng.normal(0, 0.4, (4, WIDTH)), "matrix")
    return n.build(n.b.add("matmul", n.b.add("multiply", x, gate), kernel, transpose_b=True))


def branches(n: Net) -> Graph:
    """Each branch prepares columns of its own; one column is a category."""
    x = n.input()
    numbers = n.b.add("impute", n.b.add("gather", x, indices=(0, 1, 2)), n.vector(3))
    left = n.b.add("standardize", numbers, n.vector(3), n.vector(3))
    right = n.b.add("one_hot", n.b.add("gather", x, indices=(3,)), depth=3)
    return n.build(n.b.add("add", n.dense(left, 4, "relu"), n.dense(right, 4, "relu")))


def images(n: Net) -> Graph:
    """Features of three axes: a scale for each of the last, whoever reads them; a constant among the features."""
    x = n.b.input("x", (1, 2, 3))
    y = n.b.add("add", x, n.b.constant(n.rng.normal(0, 1, (2, 3))))
    total = n.b.add("reshape", n.b.add("sum", n.b.add("activation", y, function="tanh"), axes=(1,)), shape=(1, 3))
    flat = n.b.add("reshape", y, shape=(1, 6))
    both = n.b.add("concatenate", flat, n.b.constant(n.rng.normal(0, 1, (1, 2))))
    return n.build(n.b.add("add", n.dense(both, 3, "relu"), total))


NETWORKS: dict[str, Callable[[Net], Graph]] = {
    f.__name__: f for f in (skip, two_inputs, two_outputs, gated, columns, moved, broadcasting, branches, images)
}  # fmt: skip


def rows_of(graph: Graph, count: int, seed: int = 0) -> list[Array]:
    rng = np.random.default_rng(seed)
    given = [rng.normal(0, 1, (count, *graph.types[x].shape[1:])).astype(np.float32) for x in graph.inputs]
    for array in given if "one_hot" in {node.operation for node in graph.nodes} else ():
        array[:, 3] = rng.integers(-1, 3, count)
        array[::7, 1] = np.nan
    return given


def calibrated(graph: Graph, rows: list[Array], precision: str = "int8") -> Graph:
    return quantize(graph, dict(zip(graph.inputs, rows, strict=True)), precision)


@pytest.mark.parametrize("precision", LARGEST_ERROR)
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("seed", [0, 1])
def test_answers_are_the_float_networks_to_within_rounding(name, seed, precision):
    graph = NETWORKS[name](Net(seed))
    rows = rows_of(graph, 400)
    integers = calibrated(graph, rows, precision)
    for in_float, stored in zip(run_rows(graph, *rows), run_rows(integers, *rows), strict=True):
        assert in_float.shape == stored.shape
        assert np.sqrt(np.mean((in_float - stored) ** 2)) < LARGEST_ERROR[precision] * np.std(in_float)
    assert (integers.inputs, integers.outputs) == (graph.inputs, graph.outputs)


@pytest.mark.parametrize(("precision", "dtype"), [("int8", DType.INT8), ("int16x8", DType.INT16)])
@pytest.mark.parametrize("name", NETWORKS)
def test_between_the_ends_everything_is_integer(name, precision, dtype):
    graph = NETWORKS[name](Net())
    integers = calibrated(graph, rows_of(graph, 100), precision)
    prepared = {"branches": {"gather", "one_hot"}, "images": {"add", "reshape", "concatenate"}}.get(name, set())
    for node in integers.nodes:
        if node.operation not in {"quantize", "dequantize", *prepared}:
            assert integers.types[node.output].dtype is dtype, node
            assert integers.types[node.output].quantization is not None
    assert integers.metadata["precision"] == precision


@pytest.mark.parametrize("target", ["native", "cortex-m0plus", "cortex-m4", "wasm32"])
def test_the_c_has_the_interpreters_bits(target):
    """All networks, one after the other, on rows that reach beyond those of calibration."""
    for name, make in NETWORKS.items():
        graph = make(Net())
        rows = [2 * array for array in rows_of(graph, 15, seed=1)]
        for precision in LARGEST_ERROR:
            integers = calibrated(graph, rows_of(graph, 100), precision)
            proof = prove(generate(integers, "net"), get(target), rows, run_rows(integers, *rows), 0.0)
            assert proof.matches, (name, precision)


# ------------------------------------------------------------------------------------------------ on real data


def trained(x: Array, y: Array, seed: int) -> MLPClassifier:
    model = MLPClassifier((12,), max_iter=150, learning_rate_init=0.02, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(x, y)


def scores(b: GraphBuilder, x: str, model: MLPClassifier) -> str:
    """An MLP of scikit-learn up to its logits."""
    for kernel, bias, function in zip(model.coefs_, model.intercepts_, ["relu", "linear"], strict=True):
        x = b.add("dense", x, b.constant(kernel), b.constant(bias), function=function)
    return x


def test_a_network_beside_a_linear_model_keeps_its_accuracy():
    x, y = datasets.load_wine(return_X_y=True)
    x, x_test, y, y_test = train_test_split(x, y, test_size=0.3, random_state=0, stratify=y)
    scaler = StandardScaler().fit(x)
    linear = LogisticRegression(max_iter=1000).fit(scaler.transform(x), y)
    b = GraphBuilder("wine")
    features = b.add("standardize", b.input("x", (1, 13)), b.constant(scaler.mean_), b.constant(scaler.scale_))
    skipped = b.add("dense", features, b.constant(linear.coef_.T), b.constant(linear.intercept_))
    both = b.add("add", scores(b, features, trained(scaler.transform(x), y, 0)), skipped)
    graph = optimize(b.build([b.add("softmax", both)]))
    _compare_accuracy(graph, {"x": x}, [x_test], y_test)


def test_two_halves_of_an_image_keep_their_accuracy():
    x, y = datasets.load_digits(return_X_y=True)
    images = x.reshape(-1, 8, 8) / 16
    halves = [images[:, :, :4].reshape(-1, 32), images[:, :, 4:].reshape(-1, 32)]
    train, test = np.arange(len(y)) % 3 > 0, np.arange(len(y)) % 3 == 0
    b = GraphBuilder("digits")
    parts = [
        scores(b, b.input(name, (1, 32)), trained(half[train], y[train], 0))
        for name, half in zip(("left", "right"), halves, strict=True)
    ]
    graph = optimize(b.build([b.add("softmax", b.add("add", *parts))]))
    calibration = {name: half[train][:500] for name, half in zip(("left", "right"), halves, strict=True)}
    _compare_accuracy(graph, calibration, [half[test] for half in halves], y[test])


def _compare_accuracy(graph: Graph, calibration: dict[str, Array], rows: list[Array], labels: Array) -> None:
    (in_float,), (in_int8,) = run_rows(graph, *rows), run_rows(quantize(graph, calibration), *rows)
    accuracy = np.mean(in_float.argmax(1) == labels)
    assert accuracy > 0.9
    assert np.mean(in_int8.argmax(1) == labels) >= accuracy - 0.02  # of 54 wines, one
    assert np.mean(np.abs(in_float - in_int8)) < 0.015


# ---------------------------------------------------------------------------------------------------- what is shared


def test_features_are_quantised_once_for_all_who_read_them():
    n = Net()
    x = n.b.add("standardize", n.input(), n.vector(), n.vector())
    graph = n.build(n.b.add("add", n.dense(x, 3), n.b.add("add", n.dense(x, 3, "relu"), n.dense(x, 3, "tanh"))))
    int8 = calibrated(graph, rows_of(graph, 50))
    assert [node.operation for node in int8.nodes].count("quantize") == 1


def test_a_clamp_after_a_sum_is_part_of_it():
    int8 = calibrated(skip(Net()), rows_of(skip(Net()), 50))
    assert "lookup_int8" not in {node.operation for node in int8.nodes}
    sums = [node for node in int8.nodes if node.operation == "add_quantized"]
    assert [node.attributes["minimum"] for node in sums] == [-128, -128]
    assert [int8.types[node.output].quantization.zero_point for node in sums] == [(-128,), (-128,)]


def test_zero_is_a_stored_value_wherever_arithmetic_goes_on():
    """What a convolution pads with is the zero point, a byte."""
    for make in NETWORKS.values():
        graph = make(Net())
        int8 = calibrated(graph, rows_of(graph, 50))
        read = {i for node in int8.nodes if node.operation.endswith("_quantized") for i in node.inputs}
        for name in read - set(int8.constants):
            if (stored := int8.types[name].quantization).axis is None:
                assert -128 <= stored.zero_point[0] <= 127


def test_an_output_that_is_handed_out_twice_is_dequantised_once():
    n = Net()
    logits = n.dense(n.input(), 600)
    graph = n.build(logits, n.b.add("softmax", logits), logits)
    int8 = calibrated(graph, rows_of(graph, 50))
    assert int8.outputs == graph.outputs
    assert [node.operation for node in int8.nodes].count("dequantize") == 1


def test_features_that_never_change_may_stand_beside_layers():
    n = Net()
    x = n.input()
    graph = n.build(n.dense(n.b.add("concatenate", n.dense(x, 2, "relu"), n.b.add("square", n.input("y", 3))), 2))
    rows = [array * (0 if name == "y" else 1e-6) for name, array in zip("xy", rows_of(graph, 50), strict=True)]
    (in_float,), (in_int8,) = run_rows(graph, *rows), run_rows(calibrated(graph, rows), *rows)
    np.testing.assert_allclose(in_int8, in_float, atol=0.02)


# -------------------------------------------------------------------------------------------------------- refusals


def refusal(make: Callable[[Net, str], str], match: str) -> None:
    n = Net()
    graph = n.b.build([make(n, n.dense(n.input()))])
    with pytest.raises(UnsupportedError, match=match):
        calibrated(graph, rows_of(graph, 20))


def test_what_has_no_rule_is_refused_by_name():
    refusal(lambda n, x: n.b.add("divide", n.vector(), x, name="ratio"), "divide that makes 'ratio'")
    refusal(lambda n, x: n.b.add("matmul", x, x, transpose_b=True, name="square"), "matmul that makes 'square'")
    refusal(lambda n, x: n.b.add("impute", x, n.vector(), name="filled"), "impute that makes 'filled'")
    refusal(lambda n, x: n.b.add("reshape", x, shape=(2, 3), name="rows"), "'rows'")
    refusal(lambda n, x: n.b.add("reciprocal_sqrt", x, name="root"), "reciprocal_sqrt that makes 'root'")


def test_rows_are_asked_for_each_input():
    graph = two_inputs(Net())
    left, right = rows_of(graph, 20)
    for given in (left, {"left": left}, {"left": left, "right": right[:5]}, {"left": left, "right": left}):
        with pytest.raises(DataError, match="calibration rows"):
            quantize(graph, given)


def test_integer_buffers_are_for_graphs_whose_input_is_read_once():
    graph = branches(Net())
    int8 = calibrated(graph, rows_of(graph, 50))
    for refused in (int8, calibrated(images(Net()), rows_of(images(Net()), 50))):
        with pytest.raises(UnsupportedError, match=r"prepares its input in float|int8 buffers"):
            integer_ends(refused)
    assert integer_ends(calibrated(skip(Net()), rows_of(skip(Net()), 50))).types["x"].dtype is DType.INT8
