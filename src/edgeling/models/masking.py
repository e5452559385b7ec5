# SPDX-License-Identifier: Apache-2.0
"""Which outputs of a model are masked: some of their steps do not count in losses and metrics."""

from __future__ import annotations

from typing import Any

from edgeling.errors import UnsupportedError
from edgeling.graph import GraphBuilder
from edgeling.models.within import all_within
from edgeling.network.tracing import Tracer


def masked_outputs(model: Any) -> list[bool]:
    """Of each output whether it carries a mask."""
    if not any(type(x).__name__ == "Masking" or getattr(x, "mask_zero", False) for x in all_within(model.layers)):
        return [False] * len(model.output_rows)
    network, tracer = model.network(), Tracer(GraphBuilder("masks"), {}, lazily=True)
    given = [tracer.builder.input(name, (1, *row)) for name, row in network.inputs.items()]
    return [bool(tracer.mask_of(value)) for value in network.answer(tracer, given)]


def require_steps(label: str, row: tuple[int, ...]) -> None:
    """Raise if a masked output is no sequence of vectors.

    Raises:
        UnsupportedError: it has more axes, or fewer.
    """
    if len(row) != 2:
        raise UnsupportedError(
            f"a masked output has rows of steps and features, for a loss of each step: {label!r}",
            received=f"rows of shape {row}", remedy="edgeling.layers.Flatten() behind it, which ends the mask",
        )  # fmt: skip
