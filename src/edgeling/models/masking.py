# SPDX-License-Identifier: Apache-2.0
"""Which outputs of a model are masked: some of their steps do not count in losses and metrics."""

from __future__ import annotations

from typing import Any

from edgeling.errors import UnsupportedError
from edgeling.graph import GraphBuilder
from edgeling.models.within import all_within
from edgeling.network.tracing import Tracer


def masked_outputs(model: Any) -> list[int]:
    """Of each output how many axes its mask has, with the rows'; 0 where it carries none."""
    if not (any(map(_begins_masks, all_within(model.layers))) or any(_tells_mask(call) for call in model._layer_calls)):
        return [0] * len(model.output_rows)
    network, tracer = model._as_network(), Tracer(GraphBuilder("masks"), {}, lazily=True)
    given = [tracer.builder.input(name, (1, *row)) for name, row in network.inputs.items()]
    masks = (tracer.mask_of(value) for value in network.answer(tracer, given))
    return [len(tracer.builder.type_of(mask).shape) if mask else 0 for mask in masks]


def _begins_masks(layer: Any) -> bool:
    return type(layer).__name__ == "Masking" or getattr(layer, "mask_zero", False) or layer.says_masks


def _tells_mask(call: Any) -> bool:
    return call.arguments is not None and (call.arguments[1].get("mask") is not None or len(call.arguments[0]) > 1)


def require_steps(label: str, row: tuple[int, ...], axes: int) -> None:
    """Raise if the mask of an output does not tell of everything before the features whether it counts.

    Raises:
        UnsupportedError: it has more axes, or fewer.
    """
    if len(row) < 2 or axes != len(row):
        raise UnsupportedError(
            f"the mask of an output tells of everything before the features whether it counts: {label!r}",
            received=f"a mask of {axes} axes for rows of shape {row}",
            remedy="edgeling.layers.Flatten() behind it, which ends the mask",
        )  # fmt: skip
