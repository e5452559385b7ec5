# SPDX-License-Identifier: Apache-2.0
"""On a chip, what no layer alone shows: masks handed over, states, lengths, several ends, networks in networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from edgeling import layers
from edgeling.codegen import generate
from edgeling.graph.types import Array, Graph
from edgeling.models import Model, Sequential
from edgeling.models.views import for_lengths
from edgeling.network.network import inference_graph
from edgeling.passes import optimize
from edgeling.targets import get
from edgeling.toolchain import firmware
from edgeling.toolchain.emulator import CortexM
from edgeling.workflow.shorter import shorter_graph
from tests.support.rounding import prediction_bound, row_bounds

CHIP, ROWS, STEPS, FEATURES, MOST = get("cortex-m4"), 3, 6, 3, 24


def normal(*shape: int) -> Array:
    return np.random.default_rng(list(shape)).normal(size=shape).astype(np.float32)


def moved(model: Any) -> Any:
    """Weights that are not those it begins with, variances above zero."""
    dice = np.random.default_rng(0)
    model.set_weights([(w + 0.1 * np.abs(dice.normal(size=w.shape))).astype(np.float32) for w in model.get_weights()])
    return model


def marks(*shape: int) -> Array:
    """Which count: ones and zeros, the first always one."""
    found = (normal(*shape) > 0).astype(np.float32)
    found[..., 0] = 1
    return found


def told_normalization() -> tuple[Any, list[Array]]:
    x, mask = layers.Input((STEPS, FEATURES)), layers.Input((STEPS,))
    y = layers.BatchNormalization()(layers.Masking()(x), mask=mask)
    return Model([x, mask], layers.GRU(3)(y, mask=mask)), [normal(ROWS, STEPS, FEATURES), marks(ROWS, STEPS)]


def attention() -> tuple[Any, list[Array]]:
    x, mask, pairs = (layers.Input(row) for row in ((STEPS, 4), (STEPS,), (STEPS, STEPS)))
    y = layers.MultiHeadAttention(2, 3)(x, x, attention_mask=pairs)
    z = layers.Attention()([y, y], mask=[mask, mask], use_causal_mask=True)
    return Model([x, mask, pairs], z), [normal(ROWS, STEPS, 4), marks(ROWS, STEPS), marks(ROWS, STEPS, STEPS)]


def two_ends() -> tuple[Any, list[Array]]:
    a, b = layers.Input((8, FEATURES)), layers.Input((4,))
    y = layers.ReLU()(layers.BatchNormalization()(layers.Conv1D(4, 3, padding="same", use_bias=False)(a)))
    both = layers.Concatenate()([layers.GlobalAveragePooling1D()(y), layers.Dense(3)(b)])
    drawn = layers.BatchNormalization()(layers.Conv1DTranspose(2, 3, strides=2)(y))
    ends = [layers.Dense(2, activation="softmax")(both), drawn]
    return Model([a, b], ends), [normal(ROWS, 8, FEATURES), normal(ROWS, 4)]


def nested() -> tuple[Any, list[Array]]:
    parts = [layers.SeparableConv1D(4, 3), layers.BatchNormalization(), layers.MaxPooling1D(2), layers.ReLU()]
    inner = Sequential([layers.Input((8, FEATURES)), Sequential(parts), layers.Bidirectional(layers.LSTM(2))])
    a, b = layers.Input((8, FEATURES)), layers.Input((8, FEATURES))
    x = normal(ROWS, 8, FEATURES)
    return Model([a, b], layers.Subtract()([inner(a), inner(b)])), [x, x[::-1]]


NETWORKS: dict[str, Callable[[], tuple[Any, list[Array]]]] = {
    made.__name__: made for made in (told_normalization, attention, two_ends, nested)
}


def stateful() -> tuple[Any, Any]:
    """A model that keeps its states, and one of the same weights over all rows in one piece."""
    made = []
    for steps, how in ((STEPS, {"stateful": True}), (ROWS * STEPS, {})):
        parts = [layers.GRU(3, return_sequences=True, **how), layers.LSTM(2, return_sequences=True, **how)]
        made.append(Sequential([layers.Input((steps, FEATURES)), *parts]))
    made[1].set_weights(moved(made[0]).get_weights())
    return made[0], made[1]


def open_ended() -> Any:
    y = x = layers.Input((None, FEATURES))
    for layer in (layers.Bidirectional(layers.GRU(3, return_sequences=True)), layers.BatchNormalization(),
                  layers.GlobalAveragePooling1D(), layers.Dense(2)):  # fmt: skip
        y = layer(y)
    return moved(Model(x, y))


def on_the_chip(graph: Graph, *rows: Array) -> Sequence[Array]:
    program = generate(optimize(graph), "net", target=CHIP, initial_values=True)
    return CortexM(firmware.build(program, CHIP)).run(rows).outputs


@pytest.mark.parametrize("name", NETWORKS)
def test_masks_several_ends_and_networks_in_networks(name: str) -> None:
    model, rows = NETWORKS[name]()
    graph = inference_graph(moved(model))
    for bound, found in zip(row_bounds(graph, *rows), on_the_chip(graph, *rows), strict=True):
        bound.rounded_more(3).require(found)


def test_states_go_on_from_call_to_call_through_several_layers() -> None:
    kept, whole = stateful()
    x = normal(ROWS, STEPS, FEATURES)
    (found,) = on_the_chip(inference_graph(kept), x)
    prediction_bound(whole, x.reshape(1, -1, FEATURES)).require(found)


def test_short_and_long_sequences_of_one_program() -> None:
    """What lies behind a sequence's end is nothing to its answer."""
    model, lengths, x = open_ended(), (1, MOST, 7, MOST - 1), normal(4, MOST, FEATURES)
    (found,) = on_the_chip(shorter_graph(model, MOST), x, np.array(lengths, np.float32)[:, None])
    for row, length in enumerate(lengths):
        part = x[row : row + 1, :length]
        row_bounds(inference_graph(for_lengths(model, length)), part)[0].require(found[row])
