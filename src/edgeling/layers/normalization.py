# SPDX-License-Identifier: Apache-2.0
"""Layers that bring values to a common scale."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from edgeling import initializers, regularizers
from edgeling.checking import number
from edgeling.errors import DataError, UnsupportedError
from edgeling.graph.types import Array
from edgeling.layers.base import Layer, Shape
from edgeling.layers.core import as_matrix
from edgeling.network.arrays import numbers, stacked
from edgeling.network.tracing import Tracer
from edgeling.network.weights import Weight

_SMALLEST_DEVIATION = 1e-7  # keras.backend.epsilon()


class BatchNormalization(Layer):
    """Normalises each column by the batch's moments while training, by their moving averages afterwards.

    Ioffe and Szegedy, ICML 2015. The moving variance follows the batch's biased variance, as in Keras 3.
    """

    supports_masking = True
    arguments = (
        "axis", "momentum", "epsilon", "center", "scale", "beta_initializer", "gamma_initializer",
        "moving_mean_initializer", "moving_variance_initializer", "beta_regularizer", "gamma_regularizer",
    )  # fmt: skip
    refused = (*Layer.refused, "beta_constraint", "gamma_constraint", "renorm", "renorm_clipping", "synchronized")
    ignored = frozenset({"dtype", "renorm_momentum"})

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("renorm_momentum", None)
        super().__init__(**kwargs)
        self.axis, self.momentum = axis, number("momentum", momentum, 0.0, 1.0)
        self.epsilon = number("epsilon", epsilon, 0.0)
        self.center, self.scale = bool(center), bool(scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)

    def columns(self, row: Shape) -> Shape:
        """The shape of what is kept for rows of that shape.

        Raises:
            UnsupportedError: the axis is not the last.
        """
        if self.axis not in (-1, len(row)):
            raise UnsupportedError(
                "batch normalisation is over the last axis",
                received=f"rows {row}, axis={self.axis}",
                remedy="axis=-1, or put Flatten() before it",
            )
        return row[-1:]

    def weight_shapes(self, row: Shape) -> list[Shape]:
        return [self.columns(row)] * (2 + self.scale + self.center)

    def make(self, row: Shape) -> None:
        columns = self.columns(row)
        if self.scale:
            self.gamma = self.add_weight("gamma", self.gamma_initializer(columns))
        if self.center:
            self.beta = self.add_weight("beta", self.beta_initializer(columns))
        self.moving_mean = self.add_weight("moving_mean", self.moving_mean_initializer(columns), trainable=False)
        self.moving_variance = self.add_weight(
            "moving_variance", self.moving_variance_initializer(columns), trainable=False
        )

    def trace(self, tracer: Tracer, x: str) -> str:
        self.penalize(tracer)
        mean, variance = tracer.value(self.moving_mean), tracer.value(self.moving_variance)
        if not tracer.training:
            affine = self._gamma(tracer, x), self._beta(tracer, x)
            return tracer.builder.add("batch_normalization", x, *affine, mean, variance, epsilon=self.epsilon)
        shape = tracer.builder.type_of(x).shape
        y = self._of_matrix(tracer, as_matrix(tracer.builder, x), prod(shape[1:-1]))
        return y if len(shape) == 2 else tracer.builder.add("reshape", y, shape=shape)

    def _of_matrix(self, tracer: Tracer, x: str, of_each: int) -> str:
        mean, variance = tracer.value(self.moving_mean), tracer.value(self.moving_variance)
        if self.trainable:
            mean, variance = self._batch_moments(tracer, x, of_each)
        return self._normalized(tracer, x, mean, variance)

    def _batch_moments(self, tracer: Tracer, x: str, of_each: int) -> tuple[str, str]:
        """The batch's mean and biased variance, each [1, columns]; the moving averages follow them."""
        b = tracer.builder
        share = tracer.share(x, of_each)
        mean = b.add("multiply", b.add("sum", x, axes=(0,)), share, name="batch_mean")
        squares = b.add("square", b.add("subtract", x, mean))
        variance = b.add("multiply", b.add("sum", squares, axes=(0,)), share, name="batch_variance")
        for weight, moment in ((self.moving_mean, mean), (self.moving_variance, variance)):
            old = b.add("multiply", tracer.value(weight), tracer.number(self.momentum, "momentum"))
            flat = b.add("reshape", moment, shape=weight.shape)
            new = b.add("multiply", flat, tracer.number(1 - self.momentum, "momentum"))
            tracer.update(weight, b.add("add", old, new, name=f"{tracer.value(weight)}_next"))
        return mean, variance

    def _normalized(self, tracer: Tracer, x: str, mean: str, variance: str) -> str:
        """Built of operations that have gradients."""
        b = tracer.builder
        y = b.add("multiply", b.add("subtract", x, mean), b.add("reciprocal_sqrt", variance, epsilon=self.epsilon))
        if self.scale:
            y = b.add("multiply", y, tracer.value(self.gamma))
        return b.add("add", y, tracer.value(self.beta)) if self.center else y

    def _gamma(self, tracer: Tracer, x: str) -> str:
        ones = np.ones(tracer.builder.type_of(x).shape[-1:], np.float32)
        return tracer.value(self.gamma) if self.scale else tracer.builder.constant(ones, "no_scale")

    def _beta(self, tracer: Tracer, x: str) -> str:
        zeros = np.zeros(tracer.builder.type_of(x).shape[-1:], np.float32)
        return tracer.value(self.beta) if self.center else tracer.builder.constant(zeros, "no_center")


class Normalization(Layer):
    """``(x - mean) / sqrt(variance)`` of each column, with given moments or those of :meth:`adapt`."""

    supports_masking = True
    arguments = ("axis", "mean", "variance", "invert")

    def __init__(
        self, axis: Any = -1, mean: Any = None, variance: Any = None, invert: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if (mean is None) != (variance is None):
            raise DataError("mean and variance are given together", received=f"mean={mean}, variance={variance}")
        if invert or axis not in (-1, 1, [-1], (-1,), [1], (1,)):
            raise UnsupportedError("columns are normalised", received=f"axis={axis}, invert={invert}")
        self.mean, self.variance = (None if v is None else np.asarray(v, np.float64).tolist() for v in (mean, variance))
        self.axis, self.invert = axis, False

    def adapt(self, data: Any) -> None:
        """Take mean and variance from the rows of a table, [rows, columns], or of batches of such rows.

        Raises:
            DataError: not a table, no rows, or NaN or an infinity among them.
        """
        table = np.asarray(numbers(stacked(data), "x"), np.float64)
        if table.ndim != 2:
            raise DataError("adapt takes a table of finite numbers", received=f"shape {table.shape}")
        self.set_moments(table.mean(axis=0), table.var(axis=0))
        self.build((None, table.shape[1]))

    def set_moments(self, mean: Array, variance: Array) -> None:
        """Normalise by these moments of the columns."""
        self.mean, self.variance = (np.asarray(v, np.float32).tolist() for v in (mean, variance))
        Weight.changes.value += 1  # its moments are part of what is compiled

    def output_shape_of(self, row: Shape) -> Shape:
        if len(row) != 1:
            raise UnsupportedError("rows of one dimension are normalised", received=str(row))
        return row

    def weight_shapes(self, row: Shape) -> list[Shape]:
        return [row, row, ()] if self.mean is None else []  # mean, variance, how many rows they are of

    def restore(self, arrays: Sequence[Array]) -> None:
        if arrays:
            self.set_moments(*arrays[:2])

    def moments(self, row: Shape) -> tuple[Array, Array]:
        """Mean and standard deviation of each column, float32.

        Raises:
            DataError: neither given nor adapted.
        """
        if self.mean is None:
            raise DataError(
                f"layer {self.name!r} knows the mean of its columns", received="none", remedy="call adapt(x) first"
            )
        mean, variance = (np.broadcast_to(np.ravel(np.float32(v)), row) for v in (self.mean, self.variance))
        return mean, np.maximum(np.sqrt(variance), np.float32(_SMALLEST_DEVIATION))

    def trace(self, tracer: Tracer, x: str) -> str:
        mean, scale = self.moments(tracer.builder.type_of(x).shape[1:])
        columns = tracer.builder.constant(mean, "mean"), tracer.builder.constant(scale, "scale")
        return tracer.builder.add("standardize", x, *columns)


class Rescaling(Layer):
    """``x * scale + offset``."""

    supports_masking = True
    takes_vectors = True
    arguments = ("scale", "offset")

    def __init__(self, scale: float, offset: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale, self.offset = number("scale", scale), number("offset", offset)

    def trace(self, tracer: Tracer, x: str) -> str:
        y = tracer.builder.add("multiply", x, tracer.number(self.scale, "scale"))
        return tracer.builder.add("add", y, tracer.number(self.offset, "offset"))
