# SPDX-License-Identifier: Apache-2.0
"""Networks that differ in their seed alone, answering as one: the mean of their logits, or of the numbers they tell.

The mean of several is nearer to the truth than they are on average (Krogh and Vedelsby, 1994). Their last layers are
linear, so their mean is one last layer over what is hidden in all. Hidden layers stand side by side: where there
is one of each, they are one wide layer, and the whole is a network like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from edgeling.data import Preparation
from edgeling.layers import Concatenate, Dense, Input, Layer
from edgeling.models import Model
from edgeling.workflow.problem import LOSSES, last_layer


def together(members: Sequence[Model], preparation: Preparation, *, skips: bool = False) -> Model:
    """One model that answers the mean of what these would, before its last activation.

    Args:
        members: of one structure; their weights are taken over.
        skips: their last layers see the columns too, behind what is hidden.
    """
    columns = Input((preparation.prepared_size,))
    hidden = _side_by_side(columns, members)
    last = last_layer(preparation)
    seen = [*hidden, *([columns] if skips else [])]
    model = Model(columns, last(Concatenate()(seen) if len(seen) > 1 else seen[0]))
    last.set_weights(_mean([member.layers[-1].get_weights() for member in members], preparation, skips))
    model.compile(loss=LOSSES[preparation.target.task], metrics=["accuracy" if preparation.target.labels else "mae"])
    return model


def _side_by_side(columns: Any, members: Sequence[Model]) -> list[Any]:
    """What is hidden in each member, called on the columns; of one wide layer, if that can be."""
    hidden = [member.layers_within()[:-1] for member in members]
    chains = [[layer for layer in layers if not isinstance(layer, Concatenate)] for layers in hidden]
    while chains[0][0].weights and not chains[0][0].trainable_weights:
        columns = chains[0][0](columns)  # what it knows of the columns comes of the rows, not of a seed
        chains = [chain[1:] for chain in chains]
    if len(chains[0]) == 1 and isinstance(chains[0][0], Dense):
        return [_wide([chain[0] for chain in chains])(columns)]
    return [reduce(lambda value, layer: layer(value), chain, columns) for chain in chains]


def _wide(layers: Sequence[Any]) -> Layer:
    """One dense layer of the units of several."""
    kernels, biases = zip(*(layer.get_weights() for layer in layers), strict=True)
    wide = Dense(sum(bias.size for bias in biases), activation=layers[0].activation)
    wide.build((None, kernels[0].shape[0]))
    wide.set_weights([np.concatenate(kernels, axis=1), np.concatenate(biases)])
    return wide


def _mean(weights: Sequence[Sequence[Any]], preparation: Preparation, skips: bool) -> list[Any]:
    """Kernel and bias of the last layer: hidden units by member, then columns, which all members see."""
    kernels, biases = zip(*weights, strict=True)
    units = kernels[0].shape[0] - (preparation.prepared_size if skips else 0)
    stacked = [kernel[:units] / np.float32(len(kernels)) for kernel in kernels]
    return [np.concatenate([*stacked, np.mean([k[units:] for k in kernels], axis=0)]), np.mean(biases, axis=0)]
