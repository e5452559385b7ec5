# SPDX-License-Identifier: Apache-2.0
"""The largest or the mean of windows, or of all steps and pixels, channel by channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from edgeling.graph.windows import Window
from edgeling.layers.base import Shape
from edgeling.layers.merging import each_step
from edgeling.layers.told_masks import require_mask
from edgeling.layers.windows import Ranked, Windowed, as_image, as_rows, channels_last, lengths
from edgeling.network.tracing import Tracer


class Pooling(Windowed):
    """What the layers below share."""

    arguments = ("pool_size", "padding", "strides", "data_format")
    operation: ClassVar[str]

    def __init__(
        self, pool_size: Any = 2, strides: Any = None, padding: str = "valid", data_format: str | None = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.pool_size = lengths("pool_size", pool_size, self.rank)
        self.strides = self.pool_size if strides is None else lengths("strides", strides, self.rank)
        self._set_padding(padding)
        self.data_format = channels_last(data_format)

    def _window(self, row: Shape) -> Window:
        return self.window(row, self.pool_size, self.strides)

    def output_shape_of(self, row: Shape) -> Shape:
        return (*self.moved(self._window(row), row), row[-1])

    def trace(self, tracer: Tracer, x: str) -> str:
        b = tracer.builder
        window = self._window(b.type_of(x).shape[1:])
        moved = {"size": window.size, "strides": window.strides, "padding": window.padding}
        (y,) = b.add_many(self.operation, as_image(b, x), **moved)  # type: ignore[arg-type]
        return as_rows(b, y, self.rank)


class MaxPooling1D(Pooling):
    """The largest of neighbouring steps: [steps, channels] -> [fewer, channels]."""

    rank, operation = 1, "max_pool"


class MaxPooling2D(Pooling):
    """The largest of neighbouring pixels: [height, width, channels] -> [fewer, fewer, channels]."""

    rank, operation = 2, "max_pool"


class AveragePooling1D(Pooling):
    """The mean of neighbouring steps; padding does not count."""

    rank, operation = 1, "average_pool"


class AveragePooling2D(Pooling):
    """The mean of neighbouring pixels; padding does not count."""

    rank, operation = 2, "average_pool"


class GlobalPooling(Ranked):
    """What the layers below share: one window as large as the row."""

    arguments = ("data_format", "keepdims")
    operation: ClassVar[str]

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format, self.keepdims = channels_last(data_format), bool(keepdims)

    def output_shape_of(self, row: Shape) -> Shape:
        self.require_rank(row)
        return (*((1,) * self.rank if self.keepdims else ()), row[-1])

    def trace(self, tracer: Tracer, x: str) -> str:
        b = tracer.builder
        image = as_image(b, x)
        batch, *size, _ = b.type_of(image).shape
        pooled = b.add(self.operation, image, size=tuple(size))
        row = b.type_of(x).shape[1:]
        return b.add("reshape", pooled, shape=(batch, *self.output_shape_of(row)))


class GlobalMaxPooling1D(GlobalPooling):
    """The largest of all steps: [steps, channels] -> [channels]."""

    rank, operation = 1, "max_pool"


class GlobalMaxPooling2D(GlobalPooling):
    """The largest of all pixels: [height, width, channels] -> [channels]."""

    rank, operation = 2, "max_pool"


class GlobalAveragePooling1D(GlobalPooling):
    """The mean of all steps that are not masked: [steps, channels] -> [channels].

    A call takes ``mask``, [rows, steps]: the steps that count are not 0 there. Without it those count that its input's
    own mask says.
    """

    rank, operation = 1, "average_pool"
    supports_masking = ends_masks = True
    takes_arguments = ("mask",)

    def output_rows_of(self, rows: Sequence[Shape], arguments: Any = None) -> tuple[Shape, ...]:
        if arguments is None:
            return super().output_rows_of(rows)
        require_mask(self.name, rows, arguments, rows[0][:1], broadcast=False)
        return (self.output_shape_of(rows[0]),)

    def trace(self, tracer: Tracer, x: str, mask: Any = None) -> str:
        b = tracer.builder
        rows, steps, channels = b.type_of(x).shape
        each = each_step(tracer, x)
        if mask is not None:
            each = b.add("reshape", b.add("compare", mask, tracer.number(0.0)), shape=(rows, steps, 1))
        if not each:
            return super().trace(tracer, x)
        total = b.add("sum", b.add("select", each, x, tracer.number(0.0)), axes=(1,))
        mean = b.add("divide", total, b.add("sum", each, axes=(1,)))
        return b.add("reshape", mean, shape=(rows, *self.output_shape_of((steps, channels))))


class GlobalAveragePooling2D(GlobalPooling):
    """The mean of all pixels: [height, width, channels] -> [channels]."""

    rank, operation = 2, "average_pool"
