# SPDX-License-Identifier: Apache-2.0
"""What is known of the columns while transformers are taken over, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from edgeling.errors import UnsupportedError
from edgeling.graph import GraphBuilder
from edgeling.graph.types import Array


@dataclass
class Raw:
    """The columns that the C takes, as far as transformers tell.

    Attributes:
        names: of the columns.
        categories: by place, what the codes 0, 1... stand for, of columns that are no numbers.
        filled: places of which missing values are filled in.
        center, scale: typical values of each column, to try the program on.
    """

    names: tuple[str, ...]
    categories: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    filled: set[int] = field(default_factory=set)
    center: Array = field(default_factory=lambda: np.zeros(0))
    scale: Array = field(default_factory=lambda: np.ones(0))

    def __post_init__(self) -> None:
        self.center, self.scale = np.zeros(len(self.names)), np.ones(len(self.names))

    def code(self, place: int, categories: Sequence[Any]) -> None:
        """KnownColumn ``place`` holds the number of one of these.

        Raises:
            UnsupportedError: it was said to hold the number of one of others.
        """
        told = self.categories.setdefault(place, tuple(categories))
        if told != tuple(categories):
            raise UnsupportedError(
                "a column of words is encoded once, or with the same categories each time",
                received=f"column {self.names[place]!r} with {list(told)} and {list(categories)}",
                remedy="OneHotEncoder(categories=[...]) in both",
            )


@dataclass(frozen=True)
class KnownColumn:
    """One column of what a transformer is given.

    Attributes:
        place: among the raw columns, if it is one of them unchanged but for what was missing.
        fill: what a missing word of it is taken for; None: nothing.
    """

    place: int | None = None
    fill: Any = None


@dataclass(frozen=True)
class State:
    """A value [1, columns] of the graph that is being built.

    Attributes:
        value: its name.
        columns: what is known of each.
    """

    builder: GraphBuilder
    raw: Raw
    value: str
    columns: tuple[KnownColumn, ...]

    @property
    def width(self) -> int:
        """How many columns."""
        return len(self.columns)

    def numbers(self, value: str, width: int | None = None) -> State:
        """Computed columns in the place of these."""
        return replace(self, value=value, columns=(KnownColumn(),) * (self.width if width is None else width))

    def taken(self, indices: Sequence[int]) -> State:
        """Some of the columns, in that order."""
        if list(indices) == list(range(self.width)):
            return self
        value = self.builder.add("gather", self.value, indices=tuple(map(int, indices)))
        return replace(self, value=value, columns=tuple(self.columns[i] for i in indices))

    def constant(self, array: Any, name: str) -> str:
        """A float32 constant of the graph."""
        return self.builder.constant(np.asarray(array, np.float32), name=name)

    def typical(self, center: Any, scale: Any) -> None:
        """Raw columns were found to be about these: an answer to them is worth more than one to any numbers."""
        for column, middle, spread in zip(self.columns, center, scale, strict=True):
            if column.place is not None and np.isfinite(middle) and np.isfinite(spread):
                self.raw.center[column.place], self.raw.scale[column.place] = middle, abs(spread) or 1.0


def side_by_side(parts: Sequence[State]) -> State:
    """Columns of several, one after the other."""
    if len(parts) == 1:
        return parts[0]
    value = parts[0].builder.add("concatenate", *(each.value for each in parts))
    return replace(parts[0], value=value, columns=tuple(c for each in parts for c in each.columns))
