# SPDX-License-Identifier: Apache-2.0
"""The training step as a graph: its face, and its gradients against finite differences."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgeling import losses, metrics, optimizers
from edgeling.graph import Graph, run
from edgeling.layers import Activation, BatchNormalization, Dense, Dropout, Flatten, Input
from edgeling.models import Sequential
from edgeling.network.network import inference_graph
from edgeling.training.graphs import Objective, evaluation_graph, training_graph
from edgeling.utils import set_random_seed
from tests.support.finite import require_gradient

ROWS = 8  # its inverse, which batches are normalised by, is exact in float32


def _model(*layers: Any) -> Sequential:
    set_random_seed(4)
    return Sequential([Input((3,)), *layers])


def _step(model: Sequential, loss: Any = None, optimizer: Any = None, weighted: bool = False) -> Graph:
    objective = Objective(loss or losses.MeanSquaredError(), (metrics.MeanAbsoluteError(),), model.output_shape[1] or 1)
    return training_graph(model._as_network(), objective, optimizer or optimizers.Adam(), ROWS, weighted)


def test_inputs_outputs_and_variables_come_in_the_promised_order() -> None:
    graph = _step(_model(Dense(4, activation="relu"), Dropout(0.5), Dense(2)), weighted=True)
    assert graph.inputs == ("x", "y", "sample_weight", "learning_rate", "seed")
    assert [graph.types[o].shape for o in graph.outputs] == [(), ()]
    assert list(graph.variables)[:4] == ["dense_1_kernel", "dense_1_bias", "dense_2_kernel", "dense_2_bias"]
    slots = set(list(graph.variables)[4:])
    assert {"step", "beta_1_power", "dense_1_kernel_momentum", "dense_2_bias_velocity"} <= slots
    assert {v for v, _ in graph.updates} == set(graph.variables)


def test_a_layer_that_is_not_trainable_keeps_its_weights_and_has_no_slots() -> None:
    graph = _step(_model(Dense(4, trainable=False), Dense(2)))
    moved = {v for v, _ in graph.updates}
    assert not any(name.startswith("dense_1") for name in moved)
    assert "dense_1_kernel_momentum" not in graph.variables


def test_evaluation_has_the_weights_alone_and_always_weights_rows() -> None:
    model = _model(Dense(4), BatchNormalization(), Dropout(0.5), Dense(2))
    graph = evaluation_graph(model._as_network(), Objective(losses.MeanSquaredError(), (), 2))
    assert graph.inputs == ("x", "y", "sample_weight")
    assert list(graph.variables) == list(model._as_network().names.values())
    assert graph.updates == ()


def test_inference_freezes_the_weights_under_the_layers_names() -> None:
    model = Sequential([Input((2, 3)), Flatten(), Dense(2, name="the outputs", use_bias=False), Activation("softmax")])
    graph = inference_graph(model, metadata={"labels": ["a", "b"]})
    assert not graph.variables
    np.testing.assert_array_equal(graph.constants["the_outputs_kernel"], model.get_weights()[0])
    assert graph.metadata == {"labels": ["a", "b"]}
    assert list(inference_graph(model, frozen=False).variables) == ["the_outputs_kernel"]


NETWORKS = {
    "dense": [Dense(4, activation="tanh"), Dense(2)],
    "regularised": [Dense(4, activation="softplus", kernel_regularizer="l2", bias_regularizer="l1"), Dense(2)],
    "batch normalization": [Dense(4), BatchNormalization(), Activation("gelu"), Dense(2)],
    "dropout": [Dense(8, activation="silu"), Dropout(0.4), Dense(2)],
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("weighted", [False, True])
def test_a_step_of_plain_descent_is_the_gradient_by_finite_differences(name: str, weighted: bool) -> None:
    model = _model(*[type(x).from_config(x.get_config()) for x in NETWORKS[name]])
    graph = _step(model, losses.LogCosh(), optimizers.SGD(), weighted)
    draw = np.random.default_rng(1)
    inputs = {"x": draw.normal(size=(ROWS, 3)), "y": draw.normal(size=(ROWS, 2)), "learning_rate": 1.0, "seed": 9}
    inputs["sample_weight"] = draw.uniform(size=ROWS)
    inputs = {k: v for k, v in inputs.items() if k in graph.inputs}
    held = {k: v.astype(np.float64) if v.dtype.kind == "f" else v for k, v in graph.variables.items()}
    held |= {k: v + 0.05 for k, v in held.items() if k.endswith("bias")}  # away from |w|'s corner at zero

    after = run(graph, inputs, held, float64=True).variables
    for weight in model._as_network().trainable():
        require_gradient(replace(graph, variables=held), inputs, weight, held[weight] - after[weight])


def test_signed_losses_see_minus_one_where_labels_are_zero() -> None:
    model = _model(Dense(1))
    plain = Objective(losses.Hinge(), (metrics.BinaryAccuracy(),), 1)
    binary = Objective(losses.Hinge(), (metrics.BinaryAccuracy(),), 1, binary_labels=True)
    x, zeros, ones = np.ones((1, 3), np.float32), np.zeros((1, 1), np.float32), np.ones(1, np.float32)
    signed = run(evaluation_graph(model._as_network(), plain), [x, zeros - 1, ones]).outputs
    converted = run(evaluation_graph(model._as_network(), binary), [x, zeros, ones]).outputs
    assert converted[0] == signed[0] != run(evaluation_graph(model._as_network(), plain), [x, zeros, ones]).outputs[0]
    prediction = float(model.predict(x)[0, 0])
    assert float(converted[1]) == float(prediction <= 0.5)  # accuracy sees the labels as they were given
