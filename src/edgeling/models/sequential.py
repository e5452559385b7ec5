# SPDX-License-Identifier: Apache-2.0
"""A chain of layers."""

from __future__ import annotations

from edgeling.models.stack import Stack


class Sequential(Stack):
    """Layers one after another.

    Args:
        layers: the layers; the first may be an ``Input``, or state ``input_shape`` itself. Without either the shape is
            taken from the data of the first ``fit``.
        name: what summaries call it.

    Example:
        >>> model = Sequential([Input((4,)), Dense(8, activation="relu"), Dense(3, activation="softmax")])
        >>> model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        >>> history = model.fit(x, y, epochs=100, verbose=0)
    """
