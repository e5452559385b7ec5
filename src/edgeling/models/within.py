# SPDX-License-Identifier: Apache-2.0
"""What layers are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from edgeling.layers.base import Layer


def all_within(layers: Iterable[Layer]) -> Iterator[Layer]:
    """The layers, and all that they are made of, wherever those stand; one that stands in two places twice."""
    for layer in layers:
        yield layer
        yield from all_within(layer.layers_within())
