# SPDX-License-Identifier: Apache-2.0
"""Steps in blocks of rows: of which networks, and that they mean what they meant, in C with any number of threads."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgeling import layers
from edgeling.graph import Graph, GraphBuilder
from edgeling.graph.interpreter import run
from edgeling.graph.scan import Scan
from edgeling.graph.types import Array
from edgeling.models import Model
from edgeling.passes import divide_rows as blocks
from edgeling.passes import optimize
from edgeling.toolchain.native import THIS_MACHINE, load
from edgeling.training import engine
from edgeling.utils import set_random_seed
from tests.codegen.harness import Case, compile_cases, run_case
from tests.support.rounding import graph_bounds

ROWS = 12


@pytest.fixture(autouse=True)
def _small_networks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "LEAST_PRODUCTS", 1)
    monkeypatch.setattr(blocks, "LEAST_USES", 0)


def attention() -> Any:
    x = layers.Input((5, 6))
    h = layers.LayerNormalization()(layers.Add()([x, layers.MultiHeadAttention(2, 3, dropout=0.2, seed=1)(x, x)]))
    h = layers.Add()([h, layers.Dense(6)(layers.Dropout(0.3, seed=2)(layers.Dense(12, activation="gelu")(h)))])
    return Model(
        x, layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling1D()(layers.LayerNormalization()(h)))
    )


def images() -> Any:
    x = layers.Input((6, 5, 2))
    h = layers.MaxPooling2D(2, padding="same")(layers.Dense(4, activation="relu")(x))
    h = layers.Concatenate()([layers.AveragePooling2D(1)(h), layers.UpSampling2D(1)(h)])
    h = layers.Cropping2D(((0, 1), (0, 0)))(layers.ZeroPadding2D(1)(h))
    h = layers.Flatten()(layers.Permute((2, 1, 3))(h))
    return Model(x, layers.Dense(3, activation="softmax")(h))


def words() -> Any:
    x = layers.Input((4,))
    h = layers.Maximum()([layers.Embedding(7, 6)(x), layers.Embedding(7, 6)(x)])
    h = layers.UnitNormalization()(layers.PReLU()(layers.Dense(6)(h)))
    return Model(x, layers.Dense(3, kernel_regularizer="l2")(layers.GlobalMaxPooling1D()(h)))


def batch_normalised() -> Any:
    x = layers.Input((4,))
    return Model(x, layers.Dense(3)(layers.BatchNormalization()(layers.Dense(5)(x))))


def convolutional() -> Any:
    x = layers.Input((5, 4, 2))
    return Model(x, layers.Dense(3)(layers.Flatten()(layers.Conv2D(3, 2)(x))))


def recurrent() -> Any:
    x = layers.Input((4, 2))
    return Model(x, layers.Dense(3)(layers.GRU(3)(x)))


def data_of(model: Any) -> tuple[Array, Array]:
    rng = np.random.default_rng(4)
    shape = (2 * ROWS + 5, *model.input_shape[1:])
    x = rng.integers(0, 7, shape) if len(shape) == 2 else rng.normal(size=shape)
    return x.astype(np.float32), rng.integers(0, 3, len(x))


def step_of(made: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, *, weighted: bool = False) -> Graph:
    """The training step of so many rows, its weights drawn."""
    kept: list[Graph] = []
    whole = engine.divide_rows

    def keep(graph: Graph, rows: int) -> Graph:
        kept.append(graph)
        return whole(graph, rows)

    monkeypatch.setattr(engine, "divide_rows", keep)
    set_random_seed(5)
    model = made()
    is_probable = model.layers[-1].get_config()["activation"] == "softmax"
    loss, metrics = ("sparse_categorical_crossentropy", ["accuracy"]) if is_probable else ("mse", [])
    model.compile("adam", loss, metrics=metrics)
    x, y = data_of(model)
    truth = y if is_probable else np.eye(3, dtype=np.float32)[y]
    weight = np.linspace(0.5, 2, len(x)).astype(np.float32) if weighted else None
    model.fit(x, truth, sample_weight=weight, batch_size=ROWS, verbose=0)
    return kept[0]


def given(graph: Graph) -> list[Any]:
    rng = np.random.default_rng(1)

    def drawn(name: str) -> Any:
        kind = graph.types[name]
        if name == "y":
            return rng.integers(0, 3, kind.shape).astype(np.float32)
        if name == "x" and len(kind.shape) == 2:
            return rng.integers(0, 7, kind.shape).astype(np.float32)
        return {"share": np.float32(1 / ROWS), "seed": np.uint32(3), "learning_rate": np.float32(1e-3)}.get(
            name, np.abs(rng.normal(size=kind.shape)).astype(np.float32)
        )

    return [drawn(name) for name in graph.inputs]


@pytest.mark.parametrize("made", [attention, images, words])
def test_blocks_mean_what_all_rows_together_mean(made: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    graph = step_of(made, monkeypatch, weighted=made is images)
    divided = blocks.divide_rows(graph, ROWS)
    (loop,) = [Scan.of(node.attributes) for node in divided.nodes if node.operation == "scan"]
    assert (loop.length, loop.carried) == (6, 0)
    inputs = given(graph)
    allowed = graph_bounds(graph, inputs, samples=8)
    item = Case(divided, inputs)
    native = compile_cases([item], target=THIS_MACHINE, linked=True)
    outputs, variables = run_case(native, 0, item)
    after = run(divided, inputs)
    for bound, found in zip(allowed, [*after.outputs, *after.variables.values()], strict=True):
        bound.require(found, "interpreter")
    for bound, result in zip(allowed, [*outputs, *variables.values()], strict=True):
        bound.require(result, "C")


@pytest.mark.parametrize("made", [batch_normalised, convolutional, recurrent])
def test_what_mixes_rows_convolves_or_loops_is_left_as_it_is(
    made: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = step_of(made, monkeypatch)
    assert blocks.divide_rows(graph, ROWS) is graph


def test_what_waits_for_a_sum_over_rows_is_left_as_it_is() -> None:
    b = GraphBuilder("net")
    x = b.input("x", (ROWS, 4))
    product = b.add("dense", x, b.variable(np.ones((4, 4)), "kernel"), b.variable(np.ones(4), "bias"))
    mean = b.add("sum", product, axes=(0,))
    graph = b.build([b.add("sum", b.add("subtract", product, mean), axes=(0,))])
    assert blocks.divide_rows(graph, ROWS) is graph


def test_a_bias_as_long_as_a_batch_is_not_cut() -> None:
    b = GraphBuilder("net")
    x = b.input("x", (ROWS, ROWS))
    product = b.add("matmul", x, b.variable(np.eye(ROWS), "kernel"))
    graph = b.build(
        [b.add("sum", b.add("add", product, b.variable(np.arange(ROWS, dtype=np.float32), "bias")), axes=(0,))]
    )
    divided = blocks.divide_rows(graph, ROWS)
    assert divided is not graph
    exact = np.arange(ROWS * ROWS, dtype=np.float32).reshape(ROWS, ROWS)
    np.testing.assert_array_equal(run(divided, [exact]).outputs[0], run(graph, [exact]).outputs[0])


@pytest.mark.parametrize(("least", "uses", "rows"), [(1 << 20, 0, ROWS), (1, 1 << 20, ROWS), (1, 0, 13)])
def test_little_work_large_sums_and_rows_without_divisors_are_left(
    least: int, uses: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "LEAST_PRODUCTS", least)
    monkeypatch.setattr(blocks, "LEAST_USES", uses)
    b = GraphBuilder("net")
    x = b.input("x", (rows, 4))
    product = b.add("matmul", x, b.variable(np.ones((4, 4)), "kernel"))
    graph = optimize(b.build([b.add("matmul", x, product, transpose_a=True)]))
    assert blocks.divide_rows(graph, rows) is graph


@pytest.mark.skipif(os.name != "posix", reason="threads are POSIX's")
def test_every_bit_is_the_same_however_many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_SHARED_PRODUCTS", 1)
    monkeypatch.setattr("edgeling.codegen.row_blocks.SHARED_PRODUCTS", 1)
    handed = []
    monkeypatch.setattr(engine, "load", lambda program, *a, **k: handed.append(program) or load(program, *a, **k))
    results = []
    for threads in (1, 2, 3, 7):
        monkeypatch.setenv("EDGELING_THREADS", str(threads))
        set_random_seed(5)
        model = attention()
        model.compile("adam", "sparse_categorical_crossentropy")
        x, y = data_of(model)
        losses = model.fit(x, y, batch_size=ROWS, epochs=2, verbose=0).history["loss"]
        results.append([np.array(losses), *model.get_weights()])
        source = "".join(text for path, text in handed[-1].files.items() if path.endswith("network.c"))
        assert ("edgeling_in_parts(network_rows" in source) == (threads > 1)
    for other in results[1:]:
        for one, same in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(one, same)
