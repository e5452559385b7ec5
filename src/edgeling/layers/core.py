# SPDX-License-Identifier: Apache-2.0
"""Dense layers, activations, dropout, and reshaping to rows."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, ClassVar

import numpy as np

from edgeling import activations, constraints, initializers, regularizers
from edgeling.checking import number, whole
from edgeling.errors import UnsupportedError
from edgeling.graph import GraphBuilder
from edgeling.layers.axes import Last, axes_of, axis_argument
from edgeling.layers.base import Layer, Shape, size
from edgeling.layers.told_masks import require_as_many, require_mask
from edgeling.layers.windows import channels_last
from edgeling.network.tracing import Tracer
from edgeling.network.weights import Weight


class Dense(Layer):
    """``activation(x @ kernel + bias)``: [rows, ..., inputs] -> [rows, ..., units]."""

    supports_masking = True
    arguments = (
        "units", "activation", "use_bias", "kernel_initializer", "bias_initializer", "kernel_regularizer",
        "bias_regularizer", "kernel_constraint", "bias_constraint",
    )  # fmt: skip
    refused = (*Layer.refused, "lora_rank", "lora_alpha", "quantization_config")

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units = whole("units", units)
        self.activation, self.use_bias = activations.get(activation), bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.bias: Weight | None = None

    def weight_shapes(self, row: Shape) -> list[Shape]:
        return [(row[-1], self.units), *([(self.units,)] if self.use_bias else [])]

    def _make(self, row: Shape) -> None:
        self.kernel = self._keep("kernel", self.kernel_initializer((row[-1], self.units)))
        if self.use_bias:
            self.bias = self._keep("bias", self.bias_initializer((self.units,)))

    def output_shape_of(self, row: Shape) -> Shape:
        return (*row[:-1], self.units)

    def trace(self, tracer: Tracer, x: str) -> str:
        self.penalize(tracer)
        b, shape = tracer.builder, tracer.builder.type_of(x).shape
        bias = tracer.value(self.bias) if self.bias else no_bias(tracer, self.units)
        y = b.add("dense", as_matrix(b, x), tracer.value(self.kernel), bias)
        y = activations.get(self.activation).trace(b, y)
        return y if len(shape) == 2 else b.add("reshape", y, shape=(*shape[:-1], self.units))


LARGE_NEGATIVE = -3e4  # what masked scores become in Keras's softmax of float32


def no_bias(tracer: Tracer, outputs: int) -> str:
    """Zeros, [outputs]."""
    return tracer.builder.constant(np.zeros(outputs, np.float32), "no_bias")


def as_matrix(builder: GraphBuilder, x: str) -> str:
    """[rows, ..., columns] -> [rows * ..., columns]."""
    *rows, columns = builder.type_of(x).shape
    return x if len(rows) == 1 else builder.add("reshape", x, shape=(prod(rows), columns))


class Activation(Layer):
    """An activation function as a layer."""

    takes_vectors = supports_masking = True

    arguments = ("activation",)

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def trace(self, tracer: Tracer, x: str) -> str:
        return self.activation.trace(tracer.builder, x)


class ReLU(Layer):
    """``x`` above the threshold (at most ``max_value``), ``negative_slope * (x - threshold)`` below."""

    takes_vectors = supports_masking = True
    arguments = ("max_value", "negative_slope", "threshold")

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.max_value = None if max_value is None else number("max_value", max_value, 0.0)
        self.negative_slope = number("negative_slope", negative_slope, 0.0)
        self.threshold = number("threshold", threshold, 0.0)

    def trace(self, tracer: Tracer, x: str) -> str:
        b = tracer.builder
        if self.negative_slope and self.max_value is None and not self.threshold:
            return activations.ActivationFunction("leaky_relu", float(self.negative_slope)).trace(b, x)
        y = self._above(tracer, x)
        if not self.negative_slope:
            return y
        below = b.add("subtract", tracer.number(self.threshold, "threshold"), x)
        below = b.add("multiply", activations.relu.trace(b, below), tracer.number(self.negative_slope, "slope"))
        return b.add("subtract", y, below)

    def _above(self, tracer: Tracer, x: str) -> str:
        b = tracer.builder
        if self.max_value == 6 and not self.threshold:
            return activations.relu6.trace(b, x)
        y = activations.relu.trace(b, x)
        if self.threshold:
            counts = b.add("compare", x, tracer.number(self.threshold, "threshold"), function="greater")
            y = b.add("multiply", y, counts)
        return y if self.max_value is None else b.add("minimum", y, tracer.number(self.max_value, "max_value"))


class LeakyReLU(Layer):
    """``x`` above zero, ``negative_slope * x`` below."""

    takes_vectors = supports_masking = True
    arguments = ("negative_slope",)

    def __init__(self, negative_slope: float = 0.3, *, alpha: float | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.negative_slope = number("negative_slope", negative_slope if alpha is None else alpha, 0.0)

    def trace(self, tracer: Tracer, x: str) -> str:
        return activations.ActivationFunction("leaky_relu", self.negative_slope).trace(tracer.builder, x)


class ELU(Layer):
    """``x`` above zero, ``alpha * (exp(x) - 1)`` below."""

    takes_vectors = supports_masking = True
    arguments = ("alpha",)

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = number("alpha", alpha)

    def trace(self, tracer: Tracer, x: str) -> str:
        return activations.ActivationFunction("elu", self.alpha).trace(tracer.builder, x)


class Softmax(Layer):
    """Softmax over an axis, or over several as if they were one.

    A call takes ``mask``, of the shape of what it is called on, or 1 along axes: what is not above 0.5 there has no
    share.
    """

    takes_vectors = supports_masking = True
    takes_arguments = ("mask",)
    arguments = ("axis",)

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis_argument(axis)

    def output_shape_of(self, row: Shape) -> Shape:
        axes_of(self.name, self.axis, len(row) + 1)
        return row

    def output_rows_of(self, rows: Sequence[Shape], arguments: Any = None) -> tuple[Shape, ...]:
        if arguments is None:
            return super().output_rows_of(rows)
        require_mask(self.name, rows, arguments, rows[0], broadcast=True)
        return (self.output_shape_of(rows[0]),)

    def trace(self, tracer: Tracer, x: str, mask: Any = None) -> str:
        b, shape, own = tracer.builder, tracer.builder.type_of(x).shape, tracer.mask_of(x)
        last = Last.of(b, x, axes_of(self.name, self.axis, len(shape)))
        if mask is None and not own:
            return last.back(activations.softmax.trace(b, last.there(x)))
        if mask is None and len(shape) != 2:
            raise UnsupportedError(
                "softmax of what is masked is over the steps", received=f"layer {self.name!r} on rows {shape[1:]}",
                remedy="Reshape((steps,)) before it, or mask=",
            )  # fmt: skip
        if mask is not None:
            require_as_many(self.name, b.type_of(mask).shape[0], shape[0])
        counts = own if mask is None else b.add("compare", mask, tracer.number(0.5), function="greater")
        some = last.there(b.add("select", counts, x, tracer.number(LARGE_NEGATIVE, "masked")))
        y = b.add("select", counts, last.back(activations.softmax.trace(b, some)), tracer.number(0.0))
        return y if mask is None else tracer.masked(y, own)


class Dropout(Layer):
    """While training, sets a share ``rate`` of the inputs to zero and scales up the rest.

    What is dropped follows the step and ``seed``; without one, the seed of the fit.

    Args:
        noise_shape: of what is drawn, with the batch: an axis of length 1 is dropped as one, None is drawn whole.
    """

    supports_masking = True
    arguments: ClassVar[tuple[str, ...]] = ("rate", "noise_shape", "seed")

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= number("rate", rate) < 1:
            raise UnsupportedError("a dropout rate lies from 0 to below 1", received=str(rate), remedy="rate=0.5")
        self.rate, self.seed = float(rate), None if seed is None else whole("seed", seed, 0)
        if not isinstance(noise_shape, (list, tuple, type(None))):
            raise UnsupportedError("noise_shape is a tuple", received=repr(noise_shape), remedy="(None, 1, None)")
        if odd := [n for n in noise_shape or () if n is not None and (not isinstance(n, int) or n < 1)]:
            raise UnsupportedError(
                "each length of noise_shape is None or a whole number above zero", received=repr(odd[0]),
                remedy="(None, 1, None)",
            )  # fmt: skip
        self.noise_shape = None if noise_shape is None else tuple(noise_shape)

    def output_shape_of(self, row: Shape) -> Shape:
        self.drawn((1, *row))
        return row

    def drawn(self, shape: Sequence[int]) -> tuple[int, ...]:
        """The shape of the mask of a batch.

        Raises:
            UnsupportedError: it does not broadcast to the batch, or names a number of rows.
        """
        given = self.noise_shape or (None,) * len(shape)
        wrong = len(given) != len(shape) or given[0] not in (None, 1)
        if wrong or any(n not in (None, 1, own) for n, own in zip(given[1:], shape[1:], strict=True)):
            raise UnsupportedError(
                "noise_shape has the axes of a batch, each None or of length 1 (of a row's axes its own length too)",
                received=f"noise_shape={self.noise_shape} on rows {tuple(shape[1:])}", remedy="(None, 1, None)",
            )  # fmt: skip
        return tuple(own if n is None else n for n, own in zip(given, shape, strict=True))

    def trace(self, tracer: Tracer, x: str) -> str:
        if not tracer.training or not self.rate:
            return x
        return tracer.builder.add("multiply", x, self.kept(tracer, x))

    def kept(self, tracer: Tracer, x: str) -> str:
        """What training multiplies by: 0, or 1 / (1 - rate)."""
        return tracer.mask(self.drawn(tracer.builder.type_of(x).shape), self.rate, self.seed)


class Identity(Layer):
    """Gives what it gets."""

    takes_vectors = supports_masking = True

    def trace(self, tracer: Tracer, x: str) -> str:
        return x


class Reshape(Layer):
    """Rows of one shape to rows of another: ``target_shape`` without the batch; one length may be -1."""

    arguments = ("target_shape",)

    def __init__(self, target_shape: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_shape = tuple(whole("a length of target_shape", n, -1) for n in target_shape)
        if 0 in self.target_shape or self.target_shape.count(-1) > 1 or not self.target_shape:
            raise UnsupportedError(
                "target_shape has positive lengths, and at most one -1", received=str(self.target_shape),
                remedy="target_shape=(-1,)",
            )  # fmt: skip

    def output_shape_of(self, row: Shape) -> Shape:
        known = prod(n for n in self.target_shape if n != -1)
        rest = size(row) // known
        shape = tuple(rest if n == -1 else n for n in self.target_shape)
        if prod(shape) != size(row):
            raise UnsupportedError(
                f"rows of layer {self.name!r} become {self.target_shape}, of as many values",
                received=f"rows {row}, {size(row)} values", remedy="target_shape=(-1,)",
            )  # fmt: skip
        return shape

    def trace(self, tracer: Tracer, x: str) -> str:
        batch, *row = tracer.builder.type_of(x).shape
        return tracer.builder.add("reshape", x, shape=(batch, *self.output_shape_of(tuple(row))))


class Flatten(Layer):
    """Rows of any shape to rows of one dimension."""

    arguments = ("data_format",)

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = channels_last(data_format)

    def output_shape_of(self, row: Shape) -> Shape:
        return (size(row),)

    def trace(self, tracer: Tracer, x: str) -> str:
        batch, *row = tracer.builder.type_of(x).shape
        return x if len(row) == 1 else tracer.builder.add("reshape", x, shape=(batch, size(tuple(row))))


class Lambda(Layer):
    """Refused: its Python code would not become C."""

    def __init__(self, function: Any, *_: Any, **__: Any) -> None:
        raise UnsupportedError(
            "a Lambda layer holds Python code, which is never compiled",
            received=f"Lambda({getattr(function, '__name__', function)!r})",
            remedy="the layers of edgeling.layers (Rescaling, Activation, Add...)",
        )
