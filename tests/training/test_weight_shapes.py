# SPDX-License-Identifier: Apache-2.0
"""Layers say what they will hold before they hold it."""

from __future__ import annotations

import numpy as np
import pytest

from edgeling.errors import UnsupportedError
from edgeling.layers import (
    ELU,
    Activation,
    BatchNormalization,
    Dense,
    Dropout,
    Flatten,
    Layer,
    Normalization,
    Reshape,
    Softmax,
)

LAYERS = {
    "dense": Dense(3),
    "dense without bias": Dense(3, use_bias=False),
    "batch_normalization": BatchNormalization(),
    "batch_normalization without scale": BatchNormalization(scale=False),
    "batch_normalization without both": BatchNormalization(scale=False, center=False),
    "normalization with moments": Normalization(mean=0.5, variance=2.0),
    **{kind.__name__: kind() for kind in (ELU, Softmax, Flatten)},
    "activation": Activation("relu"),
    "dropout": Dropout(0.5),
    "reshape": Reshape((2, 2)),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_a_layer_makes_the_weights_it_said_it_would(kind: str) -> None:
    layer = LAYERS[kind]
    said = layer.weight_shapes((4,))
    layer.build((None, 4))
    assert said == [weight.shape for weight in layer.weights]


def test_normalization_is_kept_with_its_moments_and_restored() -> None:
    layer = Normalization()
    assert layer.weight_shapes((2,)) == [(2,), (2,), ()]
    layer._restore([np.float32([1, 2]), np.float32([4, 9]), np.float32(5)])
    np.testing.assert_array_equal(layer([[3.0, 5.0]]), [[1.0, 1.0]])


def test_a_layer_of_ones_own_that_makes_weights_says_which() -> None:
    class Own(Layer):
        def _make(self, row: tuple[int, ...]) -> None:
            self._keep("scale", np.ones(row, np.float32))

    with pytest.raises(UnsupportedError, match="without weight_shapes"):
        Own().weight_shapes((4,))
