# SPDX-License-Identifier: Apache-2.0
"""Layers that normalise each row by itself: its features, groups of them, or their length."""

from __future__ import annotations

from math import prod
from typing import Any

from edgeling import constraints, initializers, regularizers
from edgeling.checking import number, whole
from edgeling.errors import UnsupportedError
from edgeling.graph import GraphBuilder
from edgeling.layers.axes import Last, axes_of, axis_argument, one_axis
from edgeling.layers.base import Layer, Shape
from edgeling.network.tracing import Tracer
from edgeling.network.weights import Weight

Axes = int | list[int]


class NormalizedRows(Layer):
    """What the layers below share that end in ``gamma * y + beta``."""

    supports_masking = True
    center: bool
    scale: bool

    def _take(
        self, center: bool, scale: bool, initial: tuple[Any, Any], regularizer: tuple[Any, Any],
        constraint: tuple[Any, Any],
    ) -> None:  # fmt: skip
        self.center, self.scale = bool(center), bool(scale)
        self.beta_initializer, self.gamma_initializer = map(initializers.get, initial)
        self.beta_regularizer, self.gamma_regularizer = map(regularizers.get, regularizer)
        self.beta_constraint, self.gamma_constraint = map(constraints.get, constraint)
        self.gamma: Weight | None = None
        self.beta: Weight | None = None

    def parameters(self, row: Shape) -> Shape:
        """The shape of gamma and of beta."""
        raise NotImplementedError

    def weight_shapes(self, row: Shape) -> list[Shape]:
        return [self.parameters(row)] * (self.scale + self.center)

    def output_shape_of(self, row: Shape) -> Shape:
        self.parameters(row)
        return row

    def _make(self, row: Shape) -> None:
        shape = self.parameters(row)
        if self.scale:
            self.gamma = self._keep("gamma", self.gamma_initializer(shape))
        if self.center:
            self.beta = self._keep("beta", self.beta_initializer(shape))

    def _affine(self, tracer: Tracer, y: str) -> str:
        """Of a value with the axes of the parameters last, as one."""
        if self.gamma:
            y = tracer.builder.add("multiply", y, flat(tracer, self.gamma))
        return tracer.builder.add("add", y, flat(tracer, self.beta)) if self.beta else y


def flat(tracer: Tracer, weight: Weight) -> str:
    """A weight as one axis."""
    value, count = tracer.value(weight), prod(weight.shape)
    return value if weight.shape == (count,) else tracer.builder.add("reshape", value, shape=(count,))


class LayerNormalization(NormalizedRows):
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta``, the moments those of each row over ``axis``.

    Ba, Kiros and Hinton, arXiv 1607.06450.
    """

    arguments = (
        "axis", "epsilon", "center", "scale", "beta_initializer", "gamma_initializer", "beta_regularizer",
        "gamma_regularizer", "beta_constraint", "gamma_constraint",
    )  # fmt: skip
    refused = (*NormalizedRows.refused, "rms_scaling")

    def __init__(
        self,
        axis: Axes = -1,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.axis, self.epsilon = axis_argument(axis), number("epsilon", epsilon, 0.0)
        initial, penalties = (beta_initializer, gamma_initializer), (beta_regularizer, gamma_regularizer)
        self._take(center, scale, initial, penalties, (beta_constraint, gamma_constraint))

    def parameters(self, row: Shape) -> Shape:
        axes_of(self.name, self.axis, len(row) + 1)
        axes = sorted(self.axis) if isinstance(self.axis, (list, tuple)) else [self.axis]
        return tuple(row[axis - (axis > 0)] for axis in axes)  # those from the end first, as in Keras

    def trace(self, tracer: Tracer, x: str) -> str:
        self.penalize(tracer)
        b = tracer.builder
        last = Last.of(b, x, axes_of(self.name, self.axis, len(b.type_of(x).shape)))
        return last.back(self._affine(tracer, b.add("normalize", last.there(x), epsilon=self.epsilon)))


class GroupNormalization(NormalizedRows):
    """As :class:`LayerNormalization` over each of ``groups`` groups of channels and all positions; -1 groups: each
    channel by itself.

    Wu and He, ECCV 2018.
    """

    arguments = (
        "groups", "axis", "epsilon", "center", "scale", "beta_initializer", "gamma_initializer", "beta_regularizer",
        "gamma_regularizer", "beta_constraint", "gamma_constraint",
    )  # fmt: skip

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.groups = -1 if groups == -1 else whole("groups", groups)
        self.axis, self.epsilon = axis_argument(axis), number("epsilon", epsilon, 0.0)
        initial, penalties = (beta_initializer, gamma_initializer), (beta_regularizer, gamma_regularizer)
        self._take(center, scale, initial, penalties, (beta_constraint, gamma_constraint))

    def parameters(self, row: Shape) -> Shape:
        channels = row[one_axis(self.name, self.axis, len(row) + 1) - 1]
        if channels % self.groups:
            raise UnsupportedError(
                "groups divide the channels", received=f"{self.groups} groups of {channels} channels: {self.name!r}",
                remedy="groups=1, or groups=-1 for each channel by itself",
            )  # fmt: skip
        return (channels,)

    def trace(self, tracer: Tracer, x: str) -> str:
        self.penalize(tracer)
        b = tracer.builder
        last = Last.of(b, x, [one_axis(self.name, self.axis, len(b.type_of(x).shape))])
        return last.back(self._affine(tracer, self._grouped(b, last.there(x))))

    def _grouped(self, b: GraphBuilder, x: str) -> str:
        """[n, ..., channels], each group of channels normalised with all positions."""
        shape = b.type_of(x).shape
        n, positions, channels = shape[0], prod(shape[1:-1]), shape[-1]
        groups = channels if self.groups == -1 else self.groups
        apart = groups > 1 and positions > 1  # else the elements of a group lie side by side
        if apart:
            x = b.add("reshape", x, shape=(n, positions, groups, channels // groups))
            x = b.add("transpose", x, permutation=(0, 2, 1, 3))
        y = b.add("reshape", x, shape=(n, groups, positions * channels // groups))
        y = b.add("normalize", y, epsilon=self.epsilon)
        if apart:
            y = b.add("reshape", y, shape=(n, groups, positions, channels // groups))
            y = b.add("transpose", y, permutation=(0, 2, 1, 3))
        return b.add("reshape", y, shape=shape)


class RMSNormalization(Layer):
    """``scale * x / sqrt(mean(x^2) + epsilon)``, the mean over ``axis``; the scale, of those axes' lengths, is one of
    the last axes, as in Keras.

    Zhang and Sennrich, NeurIPS 2019.
    """

    arguments = ("axis", "epsilon")

    def __init__(self, axis: Axes = -1, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis, self.epsilon = axis_argument(axis), number("epsilon", epsilon, 0.0)

    def parameters(self, row: Shape) -> Shape:
        """The shape of the scale.

        Raises:
            UnsupportedError: it does not broadcast with a row.
        """
        shape = tuple(row[axis - 1] for axis in axes_of(self.name, self.axis, len(row) + 1))
        if any(n not in (1, own) for n, own in zip(shape[::-1], row[::-1], strict=False)):
            raise UnsupportedError(
                "the scale broadcasts with the last axes", received=f"{shape} in layer {self.name!r} on rows {row}",
                remedy="axis=-1, or Permute() before it",
            )  # fmt: skip
        return shape

    def weight_shapes(self, row: Shape) -> list[Shape]:
        return [self.parameters(row)]

    def _make(self, row: Shape) -> None:
        self.scale = self._keep("scale", initializers.Ones()(self.parameters(row)))

    def trace(self, tracer: Tracer, x: str) -> str:
        b = tracer.builder
        last = Last.of(b, x, axes_of(self.name, self.axis, len(b.type_of(x).shape)))
        y = last.back(b.add("normalize", last.there(x), epsilon=self.epsilon, centered=False))
        return b.add("multiply", y, tracer.value(self.scale))


class UnitNormalization(Layer):
    """``x`` divided by its length, the root of the sum of squares over ``axis``; zeros stay."""

    supports_masking = True
    arguments = ("axis",)

    def __init__(self, axis: Axes = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis_argument(axis)

    def output_shape_of(self, row: Shape) -> Shape:
        axes_of(self.name, self.axis, len(row) + 1)
        return row

    def trace(self, tracer: Tracer, x: str) -> str:
        return of_length_one(tracer, x, axes_of(self.name, self.axis, len(tracer.builder.type_of(x).shape)), 1e-12)


def of_length_one(tracer: Tracer, x: str, axes: tuple[int, ...], epsilon: float) -> str:
    """``x / length``, of lengths from ``epsilon`` on."""
    b = tracer.builder
    last = Last.of(b, x, axes)
    moved = last.there(x)
    count = b.type_of(moved).shape[-1]
    y = b.add("normalize", moved, epsilon=epsilon * epsilon / count, centered=False)
    return last.back(b.add("multiply", y, tracer.number(count**-0.5, "share")))
