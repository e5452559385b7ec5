# SPDX-License-Identifier: Apache-2.0
"""What layers that move windows share: their arguments, and sequences as images of one row."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar

from edgeling.errors import UnsupportedError
from edgeling.graph import GraphBuilder
from edgeling.graph.windows import Window, same_padding
from edgeling.layers.base import Layer, Shape

PADDINGS = ("valid", "same")


def lengths(name: str, value: Any, rank: int, least: int = 1) -> tuple[int, ...]:
    """One whole number for every axis, or one for all of them.

    Raises:
        UnsupportedError: neither.
    """
    several = tuple(value) if isinstance(value, (tuple, list)) else (value,) * rank
    whole = all(isinstance(n, Integral) and not isinstance(n, bool) and int(n) >= least for n in several)
    if not whole or len(several) != rank:
        raise UnsupportedError(
            f"{name} is {rank} whole numbers from {least} up, or one", received=repr(value),
            remedy=f"{name}={max(least, 1)}",
        )  # fmt: skip
    return tuple(int(n) for n in several)


def channels_last(data_format: Any) -> str:
    """Raises UnsupportedError for another order than "channels_last"."""
    if data_format not in (None, "channels_last"):
        raise UnsupportedError(
            "channels come last", received=f"data_format={data_format!r}", remedy="Permute() the data"
        )
    return "channels_last"


class Ranked(Layer):
    """A layer of rows [steps, channels] or [height, width, channels].

    Attributes:
        rank: how many axes there are besides the channels.
    """

    rank: ClassVar[int]

    def require_rank(self, row: Shape) -> None:
        """Raises UnsupportedError for rows of another shape."""
        if len(row) != self.rank + 1:
            shape = ("steps, channels", "height, width, channels")[self.rank - 1]
            raise UnsupportedError(
                f"{type(self).__name__} takes rows of shape ({shape})", received=f"layer {self.name!r} on rows {row}",
                remedy="Reshape() before it",
            )  # fmt: skip


class Windowed(Ranked):
    """A layer that moves a window over them."""

    paddings: ClassVar[tuple[str, ...]] = PADDINGS
    padding: str

    def _set_padding(self, padding: Any) -> None:
        if padding not in self.paddings:
            raise UnsupportedError(
                f"padding is one of {', '.join(self.paddings)}", received=repr(padding),
                remedy=f"padding={self.paddings[0]!r}",
            )  # fmt: skip
        self.padding = padding

    def window(self, row: Shape, size: Sequence[int], strides: Sequence[int], dilations: Sequence[int] = ()) -> Window:
        """The window on rows of that shape, with the padding that is asked for.

        Raises:
            UnsupportedError: rows of another shape, or that the window does not fit.
        """
        self.require_rank(row)
        bare = Window(pair(size), pair(strides), (0, 0, 0, 0), pair(dilations or (1,) * self.rank))
        image = pair(row[:-1])
        if self.padding == "same":
            around = same_padding(bare, image)
        else:
            around = (0, 0, bare.reach[1] - 1 if self.padding == "causal" else 0, 0)
        window = Window(bare.size, bare.strides, around, bare.dilations)
        if min(window.positions(image)) < 1:
            raise UnsupportedError(
                f"the window of layer {self.name!r} fits its rows", received=f"a window of {tuple(size)} on rows {row}",
                remedy="padding='same', or a smaller one",
            )  # fmt: skip
        return window

    def moved(self, window: Window, row: Shape) -> Shape:
        """The positions of a window on rows of that shape."""
        return window.positions(pair(row[:-1]))[2 - self.rank :]


def pair(lengths: Sequence[int]) -> tuple[int, int]:
    """Those of a sequence are those of an image of one row."""
    down, right = (1, *lengths)[-2:]
    return down, right


def as_image(builder: GraphBuilder, x: str) -> str:
    """[n, steps, channels] as [n, 1, steps, channels]; an image as it is."""
    shape = builder.type_of(x).shape
    return x if len(shape) == 4 else builder.add("reshape", x, shape=(shape[0], 1, *shape[1:]))


def as_rows(builder: GraphBuilder, image: str, rank: int) -> str:
    """The inverse of :func:`as_image`."""
    shape = builder.type_of(image).shape
    return image if rank == 2 else builder.add("reshape", image, shape=(shape[0], *shape[2:]))


def attributes(window: Window) -> dict[str, Any]:
    """A convolution's attributes."""
    return {"strides": window.strides, "padding": window.padding, "dilations": window.dilations}
