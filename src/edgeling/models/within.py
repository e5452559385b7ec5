# SPDX-License-Identifier: Apache-2.0
"""What layers are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from edgeling.errors import UnsupportedError
from edgeling.layers.base import Layer


def all_within(layers: Iterable[Layer]) -> Iterator[Layer]:
    """The layers, and all that they are made of, wherever those stand; one that stands in two places twice."""
    for layer in layers:
        yield layer
        yield from all_within(layer.layers_within())


def listed(layers: Any) -> Iterable[Layer]:
    """The layers that a chain is made of.

    Raises:
        UnsupportedError: they stand in no list.
    """
    if layers is not None and (isinstance(layers, (Layer, str)) or not isinstance(layers, Iterable)):
        raise UnsupportedError(
            "the layers of a chain stand in a list", received=type(layers).__name__,
            remedy="Sequential([Input((4,)), Dense(8)])",
        )  # fmt: skip
    return layers or ()
