# SPDX-License-Identifier: Apache-2.0
"""Layers of several inputs: element by element, or side by side."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any, ClassVar

import numpy as np

from edgeling.checking import flag
from edgeling.errors import DataError, UnsupportedError
from edgeling.layers.axes import Last, axis_argument, one_axis, side_by_side
from edgeling.layers.base import Layer, Shape, row_of, size
from edgeling.layers.eager import batch_of, call
from edgeling.layers.lengths import asked
from edgeling.layers.row_normalization import of_length_one
from edgeling.layers.symbolic import symbols_among
from edgeling.layers.traced import present
from edgeling.network.tracing import Tracer

_EPSILON = 1e-7  # keras.backend.epsilon()


class Merging(Layer):
    """What the layers below share: they are called on a list."""

    takes_several = supports_masking = True
    least: ClassVar[int] = 2

    def build(self, input_shape: Any) -> None:
        """Take inputs of these shapes, each with the batch.

        Raises:
            UnsupportedError: they do not meet.
        """
        rows = tuple(row_of(shape) for shape in input_shape)
        (made,) = asked(lambda some: [self.output_shape_of_all(some)], rows)
        self.input_row, self.output_row = rows[0], made

    def output_shape_of_all(self, rows: Sequence[Shape]) -> Shape:
        if len(rows) < self.least:
            raise UnsupportedError(
                f"layer {self.name!r} is called on a list of {self.least} inputs or more", received=str(len(rows)),
                remedy=f"{type(self).__name__}()([x, y])",
            )  # fmt: skip
        return self.merged(tuple(rows))

    def __call__(self, x: Any = None, *others: Any, training: bool | None = None, **named: Any) -> Any:
        """The layer's output for a list of batches of rows, [rows, ...] each, or of symbolic values.

        Raises:
            DataError: batches of different numbers of rows.
            UnsupportedError: shapes that do not meet; no list.
        """
        x = named.pop("inputs") if x is None and "inputs" in named else x
        if not isinstance(x, (list, tuple)):
            raise UnsupportedError(
                f"layer {self.name!r} is called on a list of inputs", received=f"{type(x).__name__} in no list",
                remedy=f"{type(self).__name__}()([x, y])",
            )  # fmt: skip
        if others or named or present() or symbols_among(x):
            return super().__call__(x, *others, training=training, **named)
        batches = [batch_of(each) for each in x]
        if len({len(batch) for batch in batches}) != 1:
            raise DataError(
                "all inputs have as many rows", received=str([len(batch) for batch in batches]),
                remedy="slice them to as many rows",
            )  # fmt: skip
        self.build([batch.shape for batch in batches])
        return call(lambda tracer, *values: tracer.through(self, values), {}, batches, bool(training), 0)

    def require_masks(self, inputs: Any, masks: Any) -> None:
        """Raise if masks are told that are no list, one or None for each of a list of inputs.

        Raises:
            DataError: they are not.
        """
        if masks is None:
            return
        for what, given in (("inputs", inputs), ("masks", masks)):
            if not isinstance(given, (list, tuple)):
                raise DataError(
                    f"{what} of layer {self.name!r} come in a list", received=type(given).__name__,
                    remedy="compute_mask([x, y], [mask, None])",
                )  # fmt: skip
        if not self.ends_masks and len(inputs) != len(masks):
            raise DataError(
                f"there is a mask or None for each input of layer {self.name!r}",
                received=f"{len(masks)} for {len(inputs)} inputs", remedy="None where all steps count",
            )  # fmt: skip

    def merged(self, rows: tuple[Shape, ...]) -> Shape:
        """The shape of an output row."""
        raise NotImplementedError

    def _do_not_meet(self, rows: Sequence[Shape]) -> UnsupportedError:
        return UnsupportedError(
            f"the inputs of layer {self.name!r} have shapes that meet", received=" and ".join(map(str, rows)),
            remedy="Reshape(), Dense() or cropping before it",
        )  # fmt: skip


class Elementwise(Merging):
    """Two inputs or more, of shapes that are equal but for lengths of one."""

    operation: ClassVar[str]

    def merged(self, rows: tuple[Shape, ...]) -> Shape:
        if len({len(row) for row in rows}) != 1:
            raise self._do_not_meet(rows)
        lengths = [set(axis) - {1} or {1} for axis in zip(*rows, strict=True)]
        if any(len(several) != 1 for several in lengths):
            raise self._do_not_meet(rows)
        return tuple(several.pop() for several in lengths)

    def trace(self, tracer: Tracer, x: Any) -> str:
        masks = [each_step(tracer, value) for value in x]
        b = tracer.builder
        shape = (b.type_of(x[0]).shape[0], *self.merged(tuple(b.type_of(v).shape[1:] for v in x)))
        values = [v if b.type_of(v).shape == shape else b.add("broadcast", v, shape=shape) for v in x]
        return self.together(tracer, values, masks)

    def together(self, tracer: Tracer, values: Sequence[str], masks: Sequence[str]) -> str:
        """One value of several of one shape.

        Args:
            masks: which steps of each count, of as many axes; "" where all do.
        """
        return reduce(lambda one, other: tracer.builder.add(self.operation, one, other), values)


class Extreme(Elementwise):
    """The largest or the smallest of what counts: where one input is masked, the others say."""

    def together(self, tracer: Tracer, values: Sequence[str], masks: Sequence[str]) -> str:
        b = tracer.builder
        (found, *others), (known, *others_known) = values, masks
        for value, counts in zip(others, others_known, strict=True):
            other = b.add("select", counts, value, found) if counts else value
            found = b.add("select", known, found, other) if known else found
            known = b.add("maximum", known, counts) if known and counts else ""
            found = b.add(self.operation, found, other)
        return found


def each_step(tracer: Tracer, value: str) -> str:
    """The mask of a value with as many axes as it has, "" if there is none."""
    mask, shape = tracer.mask_of(value), tracer.builder.type_of(value).shape
    known = tracer.builder.type_of(mask).shape if mask else ()
    return mask and tracer.builder.add("reshape", mask, shape=(*known, *(1,) * (len(shape) - len(known))))


class Add(Elementwise):
    """The sum of the inputs."""

    operation = "add"


class Subtract(Elementwise):
    """The first of two inputs less the second."""

    operation = "subtract"

    def merged(self, rows: tuple[Shape, ...]) -> Shape:
        if len(rows) != 2:
            raise UnsupportedError(
                "one input is subtracted from another", received=f"{len(rows)} inputs of layer {self.name!r}",
                remedy="call it on a list of two: [x, y]",
            )  # fmt: skip
        return super().merged(rows)


class Multiply(Elementwise):
    """The product of the inputs, element by element."""

    operation = "multiply"

    def together(self, tracer: Tracer, values: Sequence[str], masks: Sequence[str]) -> str:
        """What is masked is one; zero where everything is."""
        b, one = tracer.builder, tracer.number(1.0)
        given = (b.add("select", m, v, one) if m else v for m, v in zip(masks, values, strict=True))
        product = super().together(tracer, list(given), masks)
        if not all(masks):
            return product
        known = reduce(lambda one, other: b.add("maximum", one, other), masks)
        return b.add("select", known, product, tracer.number(0.0))


class Maximum(Extreme):
    """The largest of the inputs, element by element."""

    operation = "maximum"


class Minimum(Extreme):
    """The smallest of the inputs, element by element."""

    operation = "minimum"


class Average(Elementwise):
    """The mean of the inputs, element by element."""

    operation = "add"

    def trace(self, tracer: Tracer, x: Any) -> str:
        return tracer.builder.add("multiply", super().trace(tracer, x), tracer.number(1 / len(x), "share"))


class Dot(Merging):
    """The sums of products along one axis of each of two inputs: [i, n] and [n, j], axes (2, 1) -> [i, j].

    Args:
        axes: of the first and of the second input, counted with the batch; or one for both.
        normalize: divide by the lengths of the vectors: the cosine between them.
    """

    ends_masks = True
    arguments = ("axes", "normalize")

    def __init__(self, axes: int | Sequence[int], normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        pair = tuple(axes) if isinstance(axes, (list, tuple)) else (axes, axes)
        if len(pair) != 2:
            raise UnsupportedError(
                "axes is one number, or one for each of two inputs", received=repr(axes), remedy="axes=-1"
            )
        self.axes, self.normalize = axis_argument(axes, "axes"), flag("normalize", normalize)
        self._pair = pair

    def _along(self, rows: Sequence[Shape]) -> tuple[int, int]:
        """The axis of each input, counted with the batch."""
        if len(rows) != 2:
            raise UnsupportedError(
                f"layer {self.name!r} is called on a list of 2 inputs", received=str(len(rows)),
                remedy=f"{self.name}([x, y])",
            )  # fmt: skip
        one, other = (one_axis(self.name, axis, len(row) + 1) for axis, row in zip(self._pair, rows, strict=True))
        if rows[0][one - 1] != rows[1][other - 1]:
            raise self._do_not_meet(rows)
        return one, other

    def merged(self, rows: tuple[Shape, ...]) -> Shape:
        left = [(*row[: axis - 1], *row[axis:]) for axis, row in zip(self._along(rows), rows, strict=True)]
        return (*left[0], *left[1]) or (1,)

    def trace(self, tracer: Tracer, x: Any) -> str:
        b = tracer.builder
        rows = tuple(b.type_of(value).shape[1:] for value in x)
        batch = b.type_of(x[0]).shape[0]
        matrices = []
        for value, axis in zip(x, self._along(rows), strict=True):
            unit = of_length_one(tracer, value, (axis,), _EPSILON) if self.normalize else value
            last = Last.of(b, unit, [axis]).there(unit)
            *_, terms = b.type_of(last).shape
            matrices.append(b.add("reshape", last, shape=(batch, size(b.type_of(last).shape[1:-1]), terms)))
        product = b.add("matmul", *matrices, transpose_b=True)
        return b.add("reshape", product, shape=(batch, *self.merged(rows)))


class Concatenate(Merging):
    """The inputs side by side along an axis."""

    arguments = ("axis",)
    least = 1

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def _along(self, row: Shape) -> int:
        """The axis of a row, counted from 0.

        Raises:
            UnsupportedError: there is none.
        """
        axis = self.axis + len(row) + 1 if self.axis < 0 else self.axis
        if not 1 <= axis <= len(row):
            raise UnsupportedError(
                f"axis is one of a row of shape {row}, 1 to {len(row)} or -1 to {-len(row)}",
                received=f"axis={self.axis} of layer {self.name!r}", remedy="axis=-1",
            )  # fmt: skip
        return axis - 1

    def merged(self, rows: tuple[Shape, ...]) -> Shape:
        axis = self._along(rows[0])
        rests = {(*row[:axis], *row[axis + 1 :]) for row in rows}
        if len(rests) != 1 or len({len(row) for row in rows}) != 1:
            raise self._do_not_meet(rows)
        return (*rows[0][:axis], sum(row[axis] for row in rows), *rows[0][axis + 1 :])

    def trace(self, tracer: Tracer, x: Any) -> str:
        b = tracer.builder
        shapes = [b.type_of(value).shape for value in x]
        axis = self._along(shapes[0][1:]) + 1
        joined, masks = side_by_side(b, x, axis), [tracer.mask_of(value) for value in x]
        axes = {len(b.type_of(mask).shape) for mask in masks if mask}
        if not axes or axis >= min(axes) or len(axes) > 1:
            return joined
        pairs = zip(masks, (shape[: max(axes)] for shape in shapes), strict=True)
        each = [mask or b.constant(np.ones(shape, np.float32), "unmasked") for mask, shape in pairs]
        return tracer.masked(joined, side_by_side(b, each, axis))
