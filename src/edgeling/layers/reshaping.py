# SPDX-License-Identifier: Apache-2.0
"""Layers that surround rows, cut them, repeat them, or put their axes in another order."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, ClassVar

import numpy as np

from edgeling.checking import whole
from edgeling.errors import UnsupportedError
from edgeling.graph import GraphBuilder
from edgeling.layers.base import Layer, Shape
from edgeling.layers.windows import Ranked, channels_last, lengths
from edgeling.network.tracing import Tracer

Sides = tuple[tuple[int, int], ...]  # of each axis, how much before and after


def _sides(name: str, value: Any, rank: int) -> Sides:
    """One number for all sides, one for each axis, or (before, after) of each axis."""
    if rank == 1 and isinstance(value, (tuple, list)):
        before, after = lengths(name, value, 2, 0)
        return ((before, after),)
    several = value if isinstance(value, (tuple, list)) else (value,) * rank
    if len(several) != rank:
        raise UnsupportedError(f"{name} says how much on each of {rank} axes", received=repr(value), remedy=f"{name}=1")
    pairs = [lengths(name, one, 2, 0) for one in several]
    return tuple((before, after) for before, after in pairs)


class ZeroPadding(Ranked):
    """What the layers below share."""

    arguments: ClassVar[tuple[str, ...]] = ("padding", "data_format")
    sides: Sides

    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sides = _sides("padding", padding, self.rank)
        self.padding = self.sides if self.rank > 1 else self.sides[0]
        self.data_format = channels_last(data_format)

    def output_shape_of(self, row: Shape) -> Shape:
        self.require_rank(row)
        return (*(n + a + b for n, (a, b) in zip(row, self.sides, strict=False)), row[-1])

    def trace(self, tracer: Tracer, x: str) -> str:
        b = tracer.builder
        batch, *row = b.type_of(x).shape
        begin = (0, *(before for before, _ in self.sides), 0)
        return b.add("pad", x, begin=begin, shape=(batch, *self.output_shape_of(tuple(row))))


class ZeroPadding1D(ZeroPadding):
    """Zeros before and after the steps: ``padding=(before, after)``, or one number."""

    rank = 1


class ZeroPadding2D(ZeroPadding):
    """Zeros around the image: ``padding=((top, bottom), (left, right))``, (rows, columns), or one number."""

    rank = 2


class Cropping(Ranked):
    """What the layers below share."""

    arguments: ClassVar[tuple[str, ...]] = ("cropping", "data_format")

    def __init__(self, cropping: Any, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.sides = _sides("cropping", cropping, self.rank)
        self.cropping = self.sides if self.rank > 1 else self.sides[0]
        self.data_format = channels_last(data_format)

    def output_shape_of(self, row: Shape) -> Shape:
        self.require_rank(row)
        left = tuple(n - a - b for n, (a, b) in zip(row, self.sides, strict=False))
        if min(left) < 1:
            raise UnsupportedError(
                f"something is left of the rows of layer {self.name!r}", received=f"rows {row}, cropping {self.sides}",
                remedy="crop less",
            )  # fmt: skip
        return (*left, row[-1])

    def trace(self, tracer: Tracer, x: str) -> str:
        b = tracer.builder
        batch, *row = b.type_of(x).shape
        begin = (0, *(before for before, _ in self.sides), 0)
        return b.add("slice", x, begin=begin, shape=(batch, *self.output_shape_of(tuple(row))))


class Cropping1D(Cropping):
    """Cuts steps off: ``cropping=(before, after)``, or one number."""

    rank = 1
    arguments: ClassVar[tuple[str, ...]] = ("cropping",)

    def __init__(self, cropping: Any = (1, 1), **kwargs: Any) -> None:
        super().__init__(cropping, **kwargs)


class Cropping2D(Cropping):
    """Cuts the image: ``cropping=((top, bottom), (left, right))``, (rows, columns), or one number."""

    rank = 2

    def __init__(self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(cropping, data_format, **kwargs)


class UpSampling(Ranked):
    """What the layers below share: each element repeated along each axis."""

    size: tuple[int, ...]

    def output_shape_of(self, row: Shape) -> Shape:
        self.require_rank(row)
        return (*(n * times for n, times in zip(row, self.size, strict=False)), row[-1])

    def trace(self, tracer: Tracer, x: str) -> str:
        b = tracer.builder
        batch, *row = b.type_of(x).shape
        apart = [length for n in row[:-1] for length in (n, 1)]
        repeated = [length for n, times in zip(row, self.size, strict=False) for length in (n, times)]
        y = b.add("reshape", x, shape=(batch, *apart, row[-1]))
        y = b.add("broadcast", y, shape=(batch, *repeated, row[-1]))
        return b.add("reshape", y, shape=(batch, *self.output_shape_of(tuple(row))))


class UpSampling1D(UpSampling):
    """Each step ``size`` times."""

    rank = 1
    arguments = ("size",)

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = lengths("size", size, 1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size[0]}


class UpSampling2D(UpSampling):
    """Each pixel ``size`` times down and to the right ("nearest"), or what lies between them on straight lines
    ("bilinear")."""

    rank = 2
    arguments = ("size", "data_format", "interpolation")

    def __init__(
        self, size: Any = (2, 2), data_format: str | None = None, interpolation: str = "nearest", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if interpolation not in ("nearest", "bilinear"):
            raise UnsupportedError(
                "interpolation is nearest or bilinear", received=repr(interpolation), remedy="interpolation='bilinear'"
            )
        self.size, self.data_format = lengths("size", size, 2), channels_last(data_format)
        self.interpolation = interpolation

    def trace(self, tracer: Tracer, x: str) -> str:
        if self.interpolation == "nearest":
            return super().trace(tracer, x)
        for axis, times in enumerate(self.size, 1):
            x = _between(tracer.builder, x, axis, times)
        return x


def _between(b: GraphBuilder, x: str, axis: int, times: int) -> str:
    """An axis ``times`` as long: a product with how much each of its places is worth at each of the new ones."""
    shape = b.type_of(x).shape
    length, order = shape[axis], (*(i for i in range(len(shape)) if i != axis), axis)
    at = np.clip((np.arange(length * times) + 0.5) / times - 0.5, 0, length - 1)  # centres of pixels, as Keras has them
    worth = np.maximum(1 - np.abs(at - np.arange(length)[:, None]), 0).astype(np.float32)
    moved = b.add("transpose", x, permutation=order)
    rows = prod(shape) // length
    y = b.add("matmul", b.add("reshape", moved, shape=(rows, length)), b.constant(worth, "between"))
    y = b.add("reshape", y, shape=(*(shape[i] for i in order[:-1]), length * times))
    return b.add("transpose", y, permutation=tuple(order.index(i) for i in range(len(shape))))


class Permute(Layer):
    """The axes of a row in another order; ``dims`` counts them from 1."""

    arguments = ("dims",)

    def __init__(self, dims: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = tuple(whole("an axis of dims", n) for n in dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise UnsupportedError(
                "dims names each axis once, from 1", received=str(tuple(dims)),
                remedy=f"dims={tuple(range(1, len(dims) + 1))}",
            )  # fmt: skip

    def output_shape_of(self, row: Shape) -> Shape:
        if len(row) != len(self.dims):
            raise UnsupportedError(
                f"dims={self.dims} names all axes of a row", received=f"layer {self.name!r} on rows {row}",
                remedy=f"dims={tuple(range(len(row), 0, -1))}",
            )  # fmt: skip
        return tuple(row[n - 1] for n in self.dims)

    def trace(self, tracer: Tracer, x: str) -> str:
        return tracer.builder.add("transpose", x, permutation=(0, *self.dims))


class RepeatVector(Layer):
    """A row of one dimension ``n`` times: [features] -> [n, features]."""

    arguments = ("n",)

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n = whole("n", n)

    def output_shape_of(self, row: Shape) -> Shape:
        if len(row) != 1:
            raise UnsupportedError(
                "rows of one dimension are repeated", received=f"layer {self.name!r} on rows {row}", remedy="Flatten()"
            )
        return (self.n, *row)

    def trace(self, tracer: Tracer, x: str) -> str:
        b = tracer.builder
        batch, features = b.type_of(x).shape
        y = b.add("reshape", x, shape=(batch, 1, features))
        return b.add("broadcast", y, shape=(batch, self.n, features))
