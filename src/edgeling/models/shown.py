# SPDX-License-Identifier: Apache-2.0
"""A model as a notebook shows it: the table of its layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeling.notebook.cards import card, figures

if TYPE_CHECKING:
    from edgeling.models.outline import Outline


def model_card(model: Outline) -> str:
    """Name and kind of each layer, the shape it gives, how many numbers it learns."""
    rows = [
        (layer.name, type(layer).__name__, str(layer.output_shape) if layer.built else "not built",
         f"{layer.count_params():,}")
        for layer in model.layers
    ]  # fmt: skip
    table = figures(("layer", "type", "output shape", "parameters"), rows, texts=3)
    if not model.built:
        return card(f"{type(model).__name__} {model.name!r}", table, "Not built: the shape of its input is not known.")
    trainable = sum(weight.value.size for weight in model.trainable_weights)
    total = model.count_params()
    return card(f"{type(model).__name__} {model.name!r}", table, f"{total:,} parameters, {trainable:,} trainable")
