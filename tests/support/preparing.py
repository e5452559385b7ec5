# SPDX-License-Identifier: Apache-2.0
"""Prepared rows: as the graph makes them, and written out by hand."""

from __future__ import annotations

import numpy as np

from edgeling.data import Preparation
from edgeling.graph import run_rows
from edgeling.graph.types import Array


def prepare(preparation: Preparation, raw: Array) -> Array:
    """What the network sees of raw vectors: float32 [rows, prepared_size]."""
    return run_rows(preparation.graph(), raw)[0]


def by_hand(preparation: Preparation, raw: Array) -> Array:
    """The same without a graph, to the bit."""
    parts: list[Array] = []
    dates = [feature.expand(raw[:, [i]]) for i, feature in preparation.dates]
    numbers = np.concatenate([raw[:, list(preparation.numbers)], *dates], axis=1)
    if preparation.imputes:
        numbers = np.where(np.isnan(numbers), preparation._parameter("fill"), numbers)
    if preparation.numbers:
        parts.append((numbers - preparation._parameter("mean")) / preparation._parameter("scale"))
    parts += [raw[:, [i]] == np.arange(len(feature.categories)) for i, feature in preparation.indicated]
    parts += [raw[:, [i]] for i, _ in preparation.embedded]
    return np.concatenate(parts, axis=1, dtype=np.float32)
