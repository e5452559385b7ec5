# SPDX-License-Identifier: Apache-2.0
"""Code and weights that do not grow: with the number of steps, or with how often a layer is called."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgeling import layers, ops
from edgeling.codegen import generate
from edgeling.models import Model, Sequential
from edgeling.models.views import for_lengths
from edgeling.network.network import inference_graph
from edgeling.passes import optimize
from edgeling.targets import get

FEATURES = 3
FEW, MANY = 200, 1000  # of few rows a dense layer's kernel is the one for few


class Leaky(layers.Layer):
    """A cell of one's own."""

    state_size = FEATURES

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight(shape=(input_shape[-1], FEATURES))

    def call(self, x: Any, states: Any) -> Any:
        state = 0.5 * states[0] + ops.tanh(ops.matmul(x, self.kernel))
        return state, [state]


def recurrent(kind: str) -> dict[str, Callable[[], list[Any]]]:
    make = getattr(layers, kind)
    return {
        kind: lambda: [make(4)],
        f"{kind} stacked": lambda: [make(4, return_sequences=True), make(2, go_backwards=True)],
        f"{kind} masked": lambda: [layers.Masking(), make(4, return_sequences=True)],
        f"{kind} both ways": lambda: [layers.Masking(), layers.Bidirectional(make(4)), layers.Dense(2)],
        f"{kind} stateful": lambda: [make(4, stateful=True, return_sequences=True)],
        f"{kind} unrolled": lambda: [make(4, unroll=True)],
        f"{kind} twice": lambda: [make(FEATURES, return_sequences=True)] * 2,
    }


CHAINS: dict[str, Callable[[], list[Any]]] = {
    **recurrent("SimpleRNN"), **recurrent("LSTM"), **recurrent("GRU"),
    "GRU reset before": lambda: [layers.GRU(4, reset_after=False)],
    "a cell of one's own": lambda: [layers.Masking(), layers.RNN(Leaky(), return_sequences=True)],
    "cells": lambda: [layers.RNN([layers.LSTMCell(4), layers.GRUCell(3)], return_sequences=True)],
    "StackedRNNCells": lambda: [
        layers.Bidirectional(layers.RNN(layers.StackedRNNCells([layers.GRUCell(4), layers.SimpleRNNCell(3)])))
    ],
    "TimeDistributed": lambda: [layers.TimeDistributed(layers.Dense(4, activation="relu")), layers.GRU(2)],
    "a network at each step": lambda: [
        layers.TimeDistributed(Sequential([layers.Input((FEATURES,)), layers.Dense(4), layers.LayerNormalization()]))
    ],
    "convolution": lambda: [layers.Conv1D(4, 3, padding="causal"), layers.MaxPooling1D(2), layers.LSTM(3)],
    "mean": lambda: [layers.GRU(2, return_sequences=True), layers.GlobalAveragePooling1D()],
}  # fmt: skip


def filled(model: Any) -> Any:
    """Weights of which no two are alike."""
    dice = np.random.default_rng(0)
    model.set_weights([dice.uniform(0.2, 0.7, w.shape).astype(np.float32) for w in model.get_weights()])
    return model


def stored(source: str) -> int:
    """How many float32 numbers a source holds, beside single ones."""
    sizes = re.findall(r"static const float \w+\[(\d+)\]", source)
    return sum(int(size) for size in sizes if int(size) > 1)


@pytest.mark.parametrize("name", CHAINS)
def test_only_numbers_differ_between_few_steps_and_many(name: str) -> None:
    """And every weight is there once."""
    y = x = layers.Input((None, FEATURES))
    for layer in CHAINS[name]():
        y = layer(y)
    model, texts = filled(Model(x, y)), []
    for target in (None, get("cortex-m4")):
        for steps in (FEW, MANY):
            graph = optimize(inference_graph(for_lengths(model, steps)))
            texts.append(generate(graph, "net", target=target).files["net.c"])
            assert stored(texts[-1]) == model.count_params()
    few, many, few_on_chip, many_on_chip = (re.sub(r"\s+", " ", re.sub(r"\d+", "#", text)) for text in texts)
    assert few == many
    assert few_on_chip == many_on_chip


def siamese() -> Any:
    """One network of two inputs."""
    parts = [layers.Conv1D(4, 3), layers.BatchNormalization(), layers.ReLU(), layers.GlobalMaxPooling1D()]
    inner = Sequential([layers.Input((8, FEATURES)), *parts])
    a, b = layers.Input((8, FEATURES)), layers.Input((8, FEATURES))
    return Model([a, b], layers.Subtract()([inner(a), inner(b)]))


def again(*parts: Any) -> Callable[[], Any]:
    """Layers called on what they gave before."""

    def made() -> Any:
        y = x = layers.Input((8, FEATURES))
        for layer in (*parts, *parts, *parts):
            y = layer(y)
        return Model(x, y)

    return made


def attending() -> Any:
    a, b = layers.Input((8, 4)), layers.Input((8, 4))
    heads = layers.MultiHeadAttention(2, 2)
    return Model([a, b], [heads(a, a), heads(b, a)])


def convolved(kind: str, **how: Any) -> Any:
    return getattr(layers, kind)(FEATURES, 3, padding="same", **how)


SHARED: dict[str, tuple[Callable[[], Any], int]] = {
    "siamese": (siamese, 4 * 3 * FEATURES + 4),
    "dense": (again(layers.Dense(FEATURES), layers.BatchNormalization()), 12),
    "convolution": (again(convolved("Conv1D"), layers.BatchNormalization()), 30),
    "without biases": (again(convolved("Conv1D", use_bias=False), layers.BatchNormalization()), 30),
    "transposed": (again(convolved("Conv1DTranspose"), layers.BatchNormalization()), 30),
    "separable": (again(convolved("SeparableConv1D"), layers.BatchNormalization()), 9 + 9 + 3 + 3 * 3),  # and zeros
    "both ways": (again(layers.Bidirectional(layers.LSTM(FEATURES, return_sequences=True), merge_mode="sum")), 168),
    "attention": (attending, 80),
}
"""Networks that call a layer several times, and how many numbers they hold once normalisation is part of it."""


@pytest.mark.parametrize("name", SHARED)
@pytest.mark.parametrize("target", ["cortex-m4", "native"])
def test_a_layer_that_is_called_several_times_is_stored_once(name: str, target: str) -> None:
    make, numbers = SHARED[name]
    source = generate(optimize(inference_graph(filled(make()))), "net", target=get(target)).files["net.c"]
    if "_packed[" not in source and "_transformed[" not in source:  # which are wider: whole vectors
        assert stored(source) == numbers
    assert len({*(tables := re.findall(r"= \{([^}]{99,})\}", source))}) == len(tables)
