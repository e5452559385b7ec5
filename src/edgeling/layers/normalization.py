# SPDX-License-Identifier: Apache-2.0
"""Layers that bring values to a common scale."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from edgeling import constraints, initializers, regularizers
from edgeling.checking import flag, number, whole
from edgeling.errors import DataError, UnsupportedError
from edgeling.graph.limits import MAX_RANK
from edgeling.graph.types import Array
from edgeling.layers.axes import Last, axes_of, one_axis
from edgeling.layers.base import Layer, Shape
from edgeling.layers.core import as_matrix
from edgeling.layers.told_masks import counting_each, require_mask
from edgeling.network.arrays import numbers, stacked
from edgeling.network.tracing import Tracer
from edgeling.network.weights import Weight

_SMALLEST_DEVIATION = 1e-7  # keras.backend.epsilon()


class BatchNormalization(Layer):
    """Normalises each column of ``axis`` by the batch's moments while training, by their moving averages afterwards.

    A call takes ``mask``, of the shape of what it is called on without the features: while training those places count
    that are not 0 there; without it those that its input's own mask says. Ioffe and Szegedy, ICML 2015. The moving
    variance follows the batch's biased variance, as in Keras 3.
    """

    supports_masking = True
    takes_arguments = ("mask",)
    arguments = (
        "axis", "momentum", "epsilon", "center", "scale", "beta_initializer", "gamma_initializer",
        "moving_mean_initializer", "moving_variance_initializer", "beta_regularizer", "gamma_regularizer",
        "beta_constraint", "gamma_constraint",
    )  # fmt: skip
    refused = (*Layer.refused, "renorm", "renorm_clipping", "synchronized")
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
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("renorm_momentum", None)
        super().__init__(**kwargs)
        self.axis, self.momentum = whole("axis", axis, -MAX_RANK), number("momentum", momentum, 0.0, 1.0)
        self.epsilon = number("epsilon", epsilon, 0.0)
        self.center, self.scale = bool(center), bool(scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)

    def columns(self, row: Shape) -> Shape:
        """The shape of what is kept for rows of that shape.

        Raises:
            UnsupportedError: they have no such axis.
        """
        return (row[one_axis(self.name, self.axis, len(row) + 1) - 1],)

    def weight_shapes(self, row: Shape) -> list[Shape]:
        return [self.columns(row)] * (2 + self.scale + self.center)

    def _make(self, row: Shape) -> None:
        columns = self.columns(row)
        if self.scale:
            self.gamma = self._keep("gamma", self.gamma_initializer(columns))
        if self.center:
            self.beta = self._keep("beta", self.beta_initializer(columns))
        self.moving_mean = self._keep("moving_mean", self.moving_mean_initializer(columns), trainable=False)
        self.moving_variance = self._keep("moving_variance", self.moving_variance_initializer(columns), trainable=False)

    def output_rows_of(self, rows: Sequence[Shape], arguments: Any = None) -> tuple[Shape, ...]:
        if arguments is None:
            return super().output_rows_of(rows)
        require_mask(self.name, rows, arguments, rows[0][:-1], broadcast=False)
        return (self.output_shape_of(rows[0]),)

    def trace(self, tracer: Tracer, x: str, mask: Any = None) -> str:
        self.penalize(tracer)
        last = Last.of(tracer.builder, x, [one_axis(self.name, self.axis, len(tracer.builder.type_of(x).shape))])
        (counts,) = counting_each(tracer, [x], [mask] if mask else None)
        counted = last.there(self._each_counted(tracer, x, counts)) if counts and tracer.training else ""
        return tracer.masked(last.back(self._of_last(tracer, last.there(x), counted)), counts)

    def trace_steps(self, tracer: Tracer, x: str, counts: str) -> str:
        """Train on a value [rows, steps, ...], each step for itself: by its own moments, which the moving averages
        follow in the order of the steps.

        Args:
            counts: which places before the features count; "" for all.
        """
        self.penalize(tracer)
        shape = tracer.builder.type_of(x).shape
        last = Last.of(tracer.builder, x, [1, one_axis(self.name, self.axis, len(shape) - 1) + 1])
        counted = last.there(self._each_counted(tracer, x, counts)) if counts else ""
        return last.back(self._of_last(tracer, last.there(x), counted, shape[1]))

    def _each_counted(self, tracer: Tracer, x: str, mask: str) -> str:
        """Of each element of [rows, steps, features] whether its step counts: 1 or 0."""
        shape, steps = tracer.builder.type_of(x).shape, tracer.builder.type_of(mask).shape
        if steps != shape[:-1]:
            raise UnsupportedError(
                "a mask tells of everything before the features whether it counts",
                received=f"one of rows {steps[1:]} for layer {self.name!r} on rows {shape[1:]}",
                remedy="leave the mask out",
            )  # fmt: skip
        return tracer.builder.add("broadcast", tracer.builder.add("reshape", mask, shape=(*steps, 1)), shape=shape)

    def _of_last(self, tracer: Tracer, x: str, counted: str, steps: int = 1) -> str:
        """Of a value whose last axis is normalised, and which of its elements count; "" for all.

        Args:
            steps: how many times the columns lie there, one step after another.
        """
        mean, variance = tracer.value(self.moving_mean), tracer.value(self.moving_variance)
        affine = self._gamma(tracer, steps), self._beta(tracer, steps)
        if not tracer.learning:
            return tracer.builder.add("batch_normalization", x, *affine, mean, variance, epsilon=self.epsilon)
        moves = self.trainable and tracer.training
        if moves and not counted:
            return self._by_batch(tracer, x, affine, steps)
        shape = tracer.builder.type_of(x).shape
        matrix = as_matrix(tracer.builder, x)
        if moves:
            mean, variance = self._moments_of_those(tracer, matrix, as_matrix(tracer.builder, counted))
            self._follow(tracer, mean, variance, steps)
        y = self._normalized(tracer, matrix, mean, variance, affine)
        return y if len(shape) == 2 else tracer.builder.add("reshape", y, shape=shape)

    def _by_batch(self, tracer: Tracer, x: str, affine: tuple[str, str], steps: int) -> str:
        """By the batch's mean and biased variance; the moving averages follow them."""
        b = tracer.builder
        share = tracer.share(x, prod(b.type_of(x).shape[1:-1]))
        y, *moments = b.add_many("normalize_batch", x, *affine, share, epsilon=self.epsilon)
        self._follow(tracer, moments[0], moments[1], steps)
        return y

    def _moments_of_those(self, tracer: Tracer, x: str, counted: str) -> tuple[str, str]:
        """Of the rows that count the mean and the biased variance, each [1, columns]."""
        b = tracer.builder
        count = b.add("add", b.add("sum", counted, axes=(0,)), tracer.number(_SMALLEST_DEVIATION, "epsilon"))
        share = b.add("divide", tracer.number(1.0, "one"), count)

        def of_those_counted(value: str) -> str:
            return b.add("sum", b.add("select", counted, value, tracer.number(0.0)), axes=(0,))

        mean = b.add("multiply", of_those_counted(x), share, name="batch_mean")
        squares = b.add("square", b.add("subtract", x, mean))
        return mean, b.add("multiply", of_those_counted(squares), share, name="batch_variance")

    def _follow(self, tracer: Tracer, mean: str, variance: str, steps: int) -> None:
        """Have the moving averages follow the moments of so many steps, one after another."""
        b, shape = tracer.builder, self.moving_mean.shape
        shares = (1 - self.momentum) * self.momentum ** np.arange(steps - 1.0, -1.0, -1.0)
        for weight, moment in ((self.moving_mean, mean), (self.moving_variance, variance)):
            old = b.add("multiply", tracer.value(weight), tracer.number(self.momentum**steps, "momentum"))
            if steps == 1:
                new = b.add("multiply", b.add("reshape", moment, shape=shape), tracer.number(shares[0], "momentum"))
            else:
                each = b.add("reshape", moment, shape=(steps, *shape))
                new = b.add("matmul", b.constant(shares[None].astype(np.float32), "shares"), each)
            new = b.add("reshape", new, shape=shape)
            tracer.update(weight, b.add("add", old, new, name=f"{tracer.value(weight)}_next"))

    def _normalized(self, tracer: Tracer, x: str, mean: str, variance: str, affine: tuple[str, str]) -> str:
        """Built of operations that have gradients."""
        b = tracer.builder
        y = b.add("multiply", b.add("subtract", x, mean), b.add("reciprocal_sqrt", variance, epsilon=self.epsilon))
        y = b.add("multiply", y, affine[0]) if self.scale else y
        return b.add("add", y, affine[1]) if self.center else y

    def _gamma(self, tracer: Tracer, steps: int) -> str:
        ones = np.ones(self.moving_mean.shape[0] * steps, np.float32)
        return _again(tracer, self.gamma, steps) if self.scale else tracer.builder.constant(ones, "no_scale")

    def _beta(self, tracer: Tracer, steps: int) -> str:
        zeros = np.zeros(self.moving_mean.shape[0] * steps, np.float32)
        return _again(tracer, self.beta, steps) if self.center else tracer.builder.constant(zeros, "no_center")


def _again(tracer: Tracer, weight: Weight, steps: int) -> str:
    """A weight of columns, once for each step."""
    b, value, (columns,) = tracer.builder, tracer.value(weight), weight.shape
    if steps == 1:
        return value
    row = b.add("reshape", value, shape=(1, columns))
    return b.add("reshape", b.add("broadcast", row, shape=(steps, columns)), shape=(steps * columns,))


class Normalization(Layer):
    """``(x - mean) / sqrt(variance)``, with given moments or those of :meth:`adapt`; inverted ``x * sqrt(variance) +
    mean``.

    Args:
        axis: the axes along which moments differ, counted with the batch; None: there is one of each.
        mean, variance: numbers, or one for each place of those axes.
        invert: whether normalised values come back to what they were.
    """

    supports_masking = True
    arguments = ("axis", "mean", "variance", "invert")

    def __init__(
        self, axis: Any = -1, mean: Any = None, variance: Any = None, invert: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if (mean is None) != (variance is None):
            raise DataError(
                "mean and variance are given together", received=f"mean={mean}, variance={variance}",
                remedy="give both, or none and call adapt(x)",
            )  # fmt: skip
        if np.shape(mean) != np.shape(variance):
            raise DataError(
                "mean and variance have one shape", received=f"{np.shape(mean)} and {np.shape(variance)}",
                remedy=f"arrays of one shape, such as {np.shape(mean)}",
            )  # fmt: skip
        self.mean, self.variance = (None if v is None else np.asarray(v, np.float64).tolist() for v in (mean, variance))
        several = tuple(axis) if isinstance(axis, (list, tuple)) else () if axis is None else (axis,)
        self.axis, self.invert = tuple(whole("axis", one, -MAX_RANK) for one in several), flag("invert", invert)
        if mean is not None and np.ndim(mean) > len(self.axis):
            raise DataError(
                f"mean has at most {len(self.axis)} axes, those of axis={axis}", received=str(np.shape(mean)),
                remedy=f"a value for each place along axis={self.axis}",
            )  # fmt: skip

    def adapt(self, data: Any) -> None:
        """Take mean and variance from an array of rows, [rows, ...], or from batches of such rows.

        Raises:
            DataError: no rows, NaN or an infinity among them, or other columns than the layer was built for.
        """
        rows = np.asarray(numbers(stacked(data), "x"), np.float64)
        if rows.ndim < 2:
            raise DataError(
                "adapt takes rows, [rows, ...]", received=f"shape {rows.shape}", remedy="x.reshape(len(x), -1)"
            )
        row = rows.shape[1:]
        if self.input_row is not None and self.kept_shapes(self.input_row) != self.kept_shapes(row):
            raise DataError(
                f"layer {self.name!r} was built for rows of shape {self.input_row}",
                received=f"an incompatible shape, {row}",
                remedy="rows of that shape, or a new layer",
            )
        others = tuple(n for n in range(rows.ndim) if n not in self._kept(row))
        self.set_moments(rows.mean(axis=others), rows.var(axis=others))
        self.build((None, *row))

    def set_moments(self, mean: Array, variance: Array) -> None:
        """Normalise by these moments, one for each place of the axes."""
        self.mean, self.variance = (np.asarray(v, np.float32).tolist() for v in (mean, variance))
        Weight.changes.value += 1  # its moments are part of what is compiled

    def _kept(self, row: Shape) -> tuple[int, ...]:
        return axes_of(self.name, self.axis, len(row) + 1) if self.axis else ()

    def output_shape_of(self, row: Shape) -> Shape:
        kept, given = self.kept_shapes(row)[0], () if self.mean is None else np.shape(self.mean)
        if any(n not in (1, own) for n, own in zip(given[::-1], kept[::-1], strict=False)):
            raise UnsupportedError(
                f"mean and variance have a value for each place along axis={self.axis}, shape {kept}",
                received=f"shape {given} in layer {self.name!r} on rows {row}", remedy="adapt(x), or one for all",
            )  # fmt: skip
        return row

    def weight_shapes(self, row: Shape) -> list[Shape]:
        return self.kept_shapes(row) if self.mean is None else []

    def kept_shapes(self, row: Shape) -> list[Shape]:
        """Of what Keras's files keep: mean, variance, how many rows they are of."""
        shape = tuple(row[axis - 1] for axis in self._kept(row))
        return [shape, shape, ()]

    def _restore(self, arrays: Sequence[Array]) -> None:
        if arrays:
            self.set_moments(*arrays[:2])

    def held(self, row: Shape) -> list[Array]:
        """What Keras's files keep of the moments: those of each place of the axes."""
        return [np.broadcast_to(np.float32(v), self.kept_shapes(row)[0]) for v in self._given()]

    def _given(self) -> tuple[Any, Any]:
        if self.mean is None:
            raise DataError(
                f"layer {self.name!r} knows the mean of its columns", received="none", remedy="call adapt(x) first"
            )
        return self.mean, self.variance

    def moments(self, row: Shape) -> tuple[Array, Array]:
        """Mean and standard deviation, float32, of shapes that broadcast with a row; a number for each column where
        all axes but the last share them.

        Raises:
            DataError: neither given nor adapted.
        """
        kept = self._kept(row)
        first = min(kept, default=len(row))
        shape = [n if axis in kept else 1 for axis, n in enumerate(row, 1) if axis >= first]
        held = (np.asarray(v, np.float32) for v in self._given())
        spread = (np.broadcast_to(_at_ends(v, kept, first, len(row)), shape) for v in held)
        mean, variance = spread if kept else (np.broadcast_to(v, row[-1:]) for v in spread)
        return mean, np.maximum(np.sqrt(variance), np.float32(_SMALLEST_DEVIATION))

    def trace(self, tracer: Tracer, x: str) -> str:
        b = tracer.builder
        moments = self.moments(b.type_of(x).shape[1:])
        mean, scale = (b.constant(v, name) for v, name in zip(moments, ("mean", "scale"), strict=True))
        if self.invert:
            return b.add("add", b.add("multiply", x, scale), mean)
        if b.type_of(mean).shape == b.type_of(x).shape[-len(moments[0].shape) :]:
            return b.add("standardize", x, mean, scale)
        return b.add("divide", b.add("subtract", x, mean), scale)


def _at_ends(value: Array, kept: Sequence[int], first: int, rank: int) -> Array:
    """One number for each place of the last of the kept axes, as they lie in a row from its axis ``first`` on."""
    own = kept[len(kept) - value.ndim :]
    lengths = dict(zip(own, value.shape, strict=True))
    return value.reshape([lengths.get(axis, 1) for axis in range(first, rank + 1)])


class Rescaling(Layer):
    """``x * scale + offset``, each a number, or one for each place of the last axes."""

    supports_masking = True
    takes_vectors = True
    arguments = ("scale", "offset")

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale, self.offset = _number_or_several("scale", scale), _number_or_several("offset", offset)

    def output_shape_of(self, row: Shape) -> Shape:
        for name in ("scale", "offset"):
            shape = np.shape(getattr(self, name))
            if len(shape) > len(row) or any(n not in (1, own) for n, own in zip(shape[::-1], row[::-1], strict=False)):
                raise UnsupportedError(
                    f"{name} broadcasts to a row", received=f"{name} {shape} in layer {self.name!r} on rows {row}",
                    remedy=f"a number, or {row[-1]} of them",
                )  # fmt: skip
        return row

    def trace(self, tracer: Tracer, x: str) -> str:
        y = tracer.builder.add("multiply", x, tracer.builder.constant(self.scale, "scale"))
        return tracer.builder.add("add", y, tracer.builder.constant(self.offset, "offset"))


def _number_or_several(name: str, value: Any) -> Any:
    """A number, or lists of numbers; Keras describes arrays as mappings.

    Raises:
        UnsupportedError: anything else.
    """
    if isinstance(value, dict) and value.get("class_name") == "__numpy__" and isinstance(value.get("config"), dict):
        value = value["config"].get("value")
    if not isinstance(value, (list, tuple, np.ndarray)) or np.ndim(value) == 0:
        return number(name, value)
    return [_number_or_several(name, one) for one in value]
