# SPDX-License-Identifier: Apache-2.0
"""What a deployed program tells and offers beyond what its graph computes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from edgeling.graph.types import Array

Decision = Literal["", "threshold", "largest"]
THRESHOLD = 0.5


@dataclass(frozen=True, eq=False)
class Golden:
    """Inputs, and what the network answers to them, one row after the other: what ``NAME_selftest`` compares.

    Attributes:
        inputs: of each input [rows, ...], float32 or int8 as it is.
        outputs: of each output, likewise.
        tolerance: absolute; 0 for integers and where every bit is to be equal.
    """

    inputs: tuple[Array, ...]
    outputs: tuple[Array, ...]
    tolerance: float


@dataclass(frozen=True, eq=False)
class Interface:
    """How one deployed network is spoken to.

    Attributes:
        decision: how the one output chooses a class: ``"threshold"`` of a single probability, ``"largest"`` of several;
            empty where they choose none.
        labels: class names, in order.
        input_names: of the columns of its one input, in order.
        categories: by position among the columns, what the codes 0, 1... stand for.
        may_be_missing: of each column, of one input after the other, whether NaN stands for a missing value there;
            empty where it does in none.
        missing: for an int8 input, what is stored for NaN, one a column.
        golden: for ``NAME_selftest``; None writes none.
    """

    decision: Decision = ""
    labels: tuple[str, ...] = ()
    input_names: tuple[str, ...] = ()
    categories: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    may_be_missing: tuple[bool, ...] = ()
    missing: tuple[int, ...] = ()
    golden: Golden | None = None
