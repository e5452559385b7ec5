# SPDX-License-Identifier: Apache-2.0
"""What weights, inputs and outputs of a model are called in graphs and in C."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from edgeling.configurable import snake_case
from edgeling.graph.naming import unused
from edgeling.layers.base import Layer
from edgeling.network.weights import Weight


def names_of_weights(layers: Iterable[Layer], readable: bool) -> dict[Weight, str]:
    """A C identifier for every weight: ``dense_1_kernel`` counted by kind, or the layer's own name before it."""
    names: dict[Weight, str] = {}
    kinds: Counter[str] = Counter()
    for layer in layers:
        kind = snake_case(type(layer).__name__)
        kinds[kind] += 1
        owner = identifier(layer.name) if readable else f"{kind}_{kinds[kind]}"
        for weight in layer.weights:
            if weight not in names:
                names[weight] = unused(f"{owner}_{identifier(weight.name)}", names.values())
    return names


def names_of_ports(alone: str, names: Sequence[str], readable: bool) -> list[str]:
    """C identifiers of inputs or outputs: ``x`` or ``y`` where there is one."""
    if len(names) == 1:
        return [alone]
    found: list[str] = []
    for place, name in enumerate(names):
        found.append(unused(identifier(name) if readable else f"{alone}_{place}", found))
    return found


def identifier(name: str) -> str:
    """The name with everything a C identifier cannot hold replaced by ``_``."""
    cleaned = re.sub(r"[^0-9A-Za-z_]", "_", name)
    return cleaned if cleaned[:1].isalpha() else f"m_{cleaned}"
