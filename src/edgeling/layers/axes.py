# SPDX-License-Identifier: Apache-2.0
"""Axes by Keras's numbers, and values with the axes in question last, where the graph's operations want them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from edgeling.checking import whole
from edgeling.errors import UnsupportedError
from edgeling.graph import GraphBuilder
from edgeling.graph.limits import MAX_RANK


def axis_argument(axis: Any, name: str = "axis") -> Any:
    """An axis, or a list of several, as a layer keeps it.

    Raises:
        UnsupportedError: no whole numbers.
    """
    if isinstance(axis, (list, tuple)):
        return [whole(f"one of {name}", one, -MAX_RANK) for one in axis]
    return whole(name, axis, -MAX_RANK)


def axes_of(layer: str, axis: Any, rank: int) -> tuple[int, ...]:
    """Axes in order, counted from 0, the batch's.

    Args:
        layer: whose, for people.
        axis: one or several, as Keras counts them: with the batch, or from the end.
        rank: of a batch of rows.

    Raises:
        UnsupportedError: one is not there, twice there, or the batch's: rows are answered each for itself.
    """
    given = tuple(axis) if isinstance(axis, (list, tuple)) else (axis,)
    places = sorted(n + rank if n < 0 else n for n in (whole("axis", one, -rank) for one in given))
    if not places or len({*places}) != len(places) or places[0] < 1 or places[-1] >= rank:
        raise UnsupportedError(
            f"axis names axes of a row, 1 to {rank - 1} or -1 to {1 - rank}",
            received=f"axis={axis} of layer {layer!r} on rows of {rank - 1} dimensions", remedy="axis=-1",
        )  # fmt: skip
    return tuple(places)


def one_axis(layer: str, axis: Any, rank: int) -> int:
    """As :func:`axes_of`, of one axis."""
    (place,) = axes_of(layer, whole("axis", axis, -rank), rank)
    return place


@dataclass(frozen=True)
class Last:
    """A value with some of its axes last, and there as one.

    Attributes:
        builder: where nodes are added.
        shape: of the value as it was.
        axes: which, in order.
    """

    builder: GraphBuilder
    shape: tuple[int, ...]
    axes: tuple[int, ...]

    @classmethod
    def of(cls, builder: GraphBuilder, x: str, axes: Sequence[int]) -> Last:
        """For values of the shape of ``x``."""
        return cls(builder, builder.type_of(x).shape, tuple(axes))

    @property
    def order(self) -> tuple[int, ...]:
        """The axes as they lie then."""
        return (*(n for n in range(len(self.shape)) if n not in self.axes), *self.axes)

    @property
    def moved(self) -> tuple[int, ...]:
        """The shape of a value with its axes in that order."""
        return tuple(self.shape[n] for n in self.order)

    def there(self, x: str) -> str:
        """The value with the axes last, as one."""
        if self.order != tuple(range(len(self.shape))):
            x = self.builder.add("transpose", x, permutation=self.order)
        if len(self.axes) == 1:
            return x
        rest = self.moved[: len(self.shape) - len(self.axes)]
        return self.builder.add("reshape", x, shape=(*rest, prod(self.moved[len(rest) :])))

    def back(self, y: str) -> str:
        """The value with the axes where they were."""
        if len(self.axes) > 1:
            y = self.builder.add("reshape", y, shape=self.moved)
        if self.order == tuple(range(len(self.shape))):
            return y
        order = tuple(self.order.index(n) for n in range(len(self.shape)))
        return self.builder.add("transpose", y, permutation=order)


def side_by_side(builder: GraphBuilder, values: Sequence[str], axis: int) -> str:
    """Values one behind the other along an axis, counted from 0. What follows the axis lies together anyway: nothing
    is put in another order."""
    shapes = [builder.type_of(value).shape for value in values]
    lead, rest = shapes[0][:axis], shapes[0][axis + 1 :]
    if not rest:
        return builder.add("concatenate", *values)
    flat = (builder.add("reshape", v, shape=(*lead, prod(s[axis:]))) for v, s in zip(values, shapes, strict=True))
    return builder.add("reshape", builder.add("concatenate", *flat), shape=(*lead, sum(s[axis] for s in shapes), *rest))
