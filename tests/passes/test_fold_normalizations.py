# SPDX-License-Identifier: Apache-2.0
"""Batch normalisation becomes part of the layer before it, whatever that is, wherever something else may stand."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

from edgeling import layers
from edgeling.graph import run_rows
from edgeling.models import Model, Sequential
from edgeling.network.network import inference_graph
from edgeling.passes import optimize
from tests.support.rounding import Bound, row_bounds

STEPS, PIXELS = (8, 4), (6, 5, 4)


def of(name: str, *arguments: Any, **how: Any) -> Callable[..., Any]:
    return lambda **more: getattr(layers, name)(*arguments, **how, **more)


def at_each_step(make: Callable[..., Any]) -> Callable[..., Any]:
    return lambda **more: layers.TimeDistributed(make(**more))


BEFORE: dict[str, tuple[tuple[int, ...], Callable[..., Any]]] = {
    "Dense": ((5,), of("Dense", 4)),
    "Dense of pixels": (PIXELS, of("Dense", 4)),
    "Dense at each step": (STEPS, at_each_step(of("Dense", 4))),
    "Conv1D": (STEPS, of("Conv1D", 4, 3, strides=2, padding="same")),
    "Conv1D, causal": (STEPS, of("Conv1D", 4, 3, padding="causal", dilation_rate=2)),
    "Conv1D, groups": (STEPS, of("Conv1D", 4, 3, groups=2)),
    "Conv2D": (PIXELS, of("Conv2D", 4, 3)),
    "Conv2D at each step": ((2, *PIXELS), at_each_step(of("Conv2D", 4, 3))),
    "DepthwiseConv1D": (STEPS, of("DepthwiseConv1D", 3, depth_multiplier=2)),
    "DepthwiseConv2D": (PIXELS, of("DepthwiseConv2D", 3, padding="same")),
    "SeparableConv1D": (STEPS, of("SeparableConv1D", 4, 3)),
    "SeparableConv2D": (PIXELS, of("SeparableConv2D", 4, 3)),
    "Conv1DTranspose": (STEPS, of("Conv1DTranspose", 4, 3, strides=2)),
    "Conv2DTranspose": (PIXELS, of("Conv2DTranspose", 4, 3, strides=2, padding="same")),
    "Conv2DTranspose, dilated": (PIXELS, of("Conv2DTranspose", 4, 3, dilation_rate=2)),
}
AFTER: dict[str, Callable[[], list[Any]]] = {
    "alone": lambda: [layers.BatchNormalization()],
    "ReLU": lambda: [layers.BatchNormalization(scale=False), layers.ReLU(6.0)],
    "Activation": lambda: [layers.BatchNormalization(center=False), layers.Activation("tanh")],
    "neither": lambda: [layers.Dropout(0.3), layers.BatchNormalization(scale=False, center=False), layers.LeakyReLU()],
    "nested": lambda: [Sequential([layers.BatchNormalization(), layers.ReLU()])],
    "twice": lambda: [layers.BatchNormalization(), layers.BatchNormalization()],
}


def filled(model: Any) -> Any:
    """Weights of which no two are alike, variances and scales above zero."""
    dice = np.random.default_rng(0)
    model.set_weights([dice.uniform(0.2, 0.7, w.shape).astype(np.float32) for w in model.get_weights()])
    return model


def rounded(graph: Any, *rows: Any) -> Bound:
    """Of a kernel's factor, of what is added and of the sum that they are in one rounding more for each."""
    return row_bounds(graph, *rows)[0].rounded_more(3)


def operations(graph: Any) -> list[str]:
    return [node.operation for node in graph.nodes]


def numbers(graph: Any) -> int:
    return sum(array.size for array in graph.constants.values())


@pytest.mark.parametrize(("before", "after"), [*product(BEFORE, AFTER)])
def test_it_becomes_part_of_the_layer_before_it(before: str, after: str) -> None:
    row, make = BEFORE[before]
    alone = optimize(inference_graph(Sequential([layers.Input(row), make()])))
    for bias in (True, False):
        whole = inference_graph(filled(Sequential([layers.Input(row), make(use_bias=bias), *AFTER[after]()])))
        fused = optimize(whole)
        assert "batch_normalization" not in operations(fused)
        assert numbers(fused) == numbers(alone)
        x = np.random.default_rng(1).normal(size=(2, *row)).astype(np.float32)
        rounded(whole, x).require(run_rows(fused, x)[0])


SHAPES: dict[str, list[Any]] = {
    "pool of steps": [layers.Conv1D(4, 3), layers.MaxPooling1D(2), layers.BatchNormalization(), layers.ReLU()],
    "mean": [layers.Conv1DTranspose(4, 3), layers.GlobalAveragePooling1D(), layers.BatchNormalization()],
    "at each step": [layers.Dense(3), layers.TimeDistributed(layers.BatchNormalization()), layers.Activation("relu")],
    "shape": [layers.Conv1D(4, 3), layers.Reshape((2, 3, 4)), layers.BatchNormalization()],
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_and_pools_may_stand_between(name: str) -> None:
    whole = inference_graph(filled(Sequential([layers.Input(STEPS), *SHAPES[name]])))
    fused = optimize(whole)
    assert "batch_normalization" not in operations(fused)
    x = np.random.default_rng(1).normal(size=(2, *STEPS)).astype(np.float32)
    rounded(whole, x).require(run_rows(fused, x)[0])


def read_twice() -> Any:
    x = layers.Input(STEPS)
    y = layers.Conv1D(4, 3)(x)
    return Model(x, layers.Add()([y, layers.BatchNormalization()(y)]))


STAY: dict[str, Callable[[], Any]] = {
    "before zeros around": lambda: [layers.BatchNormalization(), layers.ReLU(), layers.Conv1D(4, 3, padding="same")],
    "before zeros, no activation": lambda: [layers.BatchNormalization(), layers.Conv1D(4, 3, padding="same")],
    "of what is read twice": read_twice,
    "of the largest of either sign": lambda: [layers.Dense(9), layers.MaxPooling1D(), layers.BatchNormalization()],
    "of steps": lambda: [layers.Conv1D(4, 3), layers.BatchNormalization(axis=1)],
    "of a loop of several results": lambda: [
        layers.LSTM(3, return_sequences=True), layers.TimeDistributed(layers.BatchNormalization()),
    ],
    "of places": lambda: [layers.Conv1D(4, 3), layers.Flatten(), layers.BatchNormalization()],
    "of an activation": lambda: [layers.Conv1D(4, 3, activation="tanh"), layers.BatchNormalization()],
    "of a transposed one's activation": lambda: [
        layers.Conv1DTranspose(4, 3, activation="tanh"), layers.BatchNormalization(),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", STAY)
def test_where_it_would_mean_something_else_it_stays(name: str) -> None:
    made = STAY[name]()
    model = made if isinstance(made, Model) else Sequential([layers.Input(STEPS), *made])
    filled(model)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.gamma.assign(np.resize([0.5, -0.5], layer.gamma.shape))
    whole = inference_graph(model)
    fused = optimize(whole)
    assert "batch_normalization" in operations(fused)
    x = np.random.default_rng(1).normal(size=(2, *STEPS)).astype(np.float32)
    rounded(whole, x).require(run_rows(fused, x)[0])
