# SPDX-License-Identifier: Apache-2.0
"""Convolutions over sequences and images: plain, depthwise, separable, transposed."""

from __future__ import annotations

from typing import Any

from edgeling import activations, constraints, initializers, regularizers
from edgeling.checking import whole
from edgeling.errors import UnsupportedError
from edgeling.graph.windows import Window
from edgeling.layers.base import Shape
from edgeling.layers.core import no_bias
from edgeling.layers.windows import Windowed, as_image, as_rows, attributes, channels_last, lengths, pair
from edgeling.network.tracing import Tracer
from edgeling.network.weights import Weight

_UNSUPPORTED = ("lora_rank", "lora_alpha", "quantization_config")


class Convolution(Windowed):
    """What the layers below share: a kernel, a bias and an activation."""

    refused = (*Windowed.refused, *_UNSUPPORTED)

    def __init__(
        self,
        kernel_size: Any,
        strides: Any,
        padding: str,
        data_format: str | None,
        dilation_rate: Any,
        activation: Any,
        use_bias: bool,
        bias_initializer: Any,
        bias_regularizer: Any,
        bias_constraint: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.kernel_size = lengths("kernel_size", kernel_size, self.rank)
        self.strides = lengths("strides", strides, self.rank)
        self.dilation_rate = lengths("dilation_rate", dilation_rate, self.rank)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise UnsupportedError(
                "a window has strides or dilations", received=f"strides={strides}, dilation_rate={dilation_rate}",
                remedy="strides=1, or dilation_rate=1",
            )  # fmt: skip
        self._set_padding(padding)
        self.data_format = channels_last(data_format)
        self.activation, self.use_bias = activations.get(activation), bool(use_bias)
        self.bias_initializer = initializers.get(bias_initializer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.bias_constraint = constraints.get(bias_constraint)
        self.bias: Weight | None = None

    def outputs_of(self, row: Shape) -> int:
        """How many channels an output row has."""
        raise NotImplementedError

    def kernel_shapes(self, row: Shape) -> dict[str, Shape]:
        """The kernels by their names, in Keras's order."""
        raise NotImplementedError

    def weight_shapes(self, row: Shape) -> list[Shape]:
        self.require_rank(row)
        return [*self.kernel_shapes(row).values(), *([(self.outputs_of(row),)] if self.use_bias else [])]

    def _make(self, row: Shape) -> None:
        self.output_shape_of(row)  # a window that does not fit makes no weights
        for name, shape in self.kernel_shapes(row).items():
            setattr(self, name, self._keep(name, getattr(self, f"{name}_initializer")(shape)))
        if self.use_bias:
            self.bias = self._keep("bias", self.bias_initializer((self.outputs_of(row),)))

    def window_on(self, row: Shape) -> Window:
        """The window on rows of that shape."""
        return self.window(row, self.kernel_size, self.strides, self.dilation_rate)

    def output_shape_of(self, row: Shape) -> Shape:
        return (*self.moved(self.window_on(row), row), self.outputs_of(row))

    def trace(self, tracer: Tracer, x: str) -> str:
        self.penalize(tracer)
        b = tracer.builder
        row = b.type_of(x).shape[1:]
        y = as_rows(b, self.convolved(tracer, as_image(b, x), row), self.rank)
        return activations.get(self.activation).trace(b, y)

    def convolved(self, tracer: Tracer, image: str, row: Shape) -> str:
        """[n, height, width, channels] to the same with the bias added."""
        raise NotImplementedError

    def kernel_of(self, tracer: Tracer, weight: Weight, shape: Shape = ()) -> str:
        """A kernel [rows, columns, channels, outputs], of one row where a sequence is convolved."""
        wanted = shape or ((1, *weight.shape) if self.rank == 1 else weight.shape)
        value = tracer.value(weight)
        return value if wanted == weight.shape else tracer.builder.add("reshape", value, shape=wanted)

    def bias_of(self, tracer: Tracer, outputs: int) -> str:
        """The bias, zeros where there is none."""
        return tracer.value(self.bias) if self.bias else no_bias(tracer, outputs)


class BaseConv(Convolution):
    """``activation(convolution + bias)`` with ``filters`` outputs."""

    kernel: Weight
    arguments = (
        "filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate", "groups", "activation",
        "use_bias", "kernel_initializer", "bias_initializer", "kernel_regularizer", "bias_regularizer",
        "activity_regularizer", "kernel_constraint", "bias_constraint",
    )  # fmt: skip

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        groups: int = 1,
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
        shared = (activation, use_bias, bias_initializer, bias_regularizer, bias_constraint)
        super().__init__(
            kernel_size, strides, padding, data_format, dilation_rate, *shared,
            activity_regularizer=activity_regularizer, **kwargs,
        )  # fmt: skip
        self.filters, self.groups = whole("filters", filters), whole("groups", groups)
        if self.filters % self.groups:
            raise UnsupportedError(
                "groups divide the filters",
                received=f"filters={filters}, groups={groups} of layer {self.name!r}",
                remedy="groups=1",
            )
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)

    def outputs_of(self, row: Shape) -> int:
        return self.filters

    def kernel_shapes(self, row: Shape) -> dict[str, Shape]:
        if row[-1] % self.groups:
            raise UnsupportedError(
                "groups divide the channels",
                received=f"groups={self.groups} of layer {self.name!r} on rows {row}",
                remedy="groups=1",
            )
        return {"kernel": (*self.kernel_size, row[-1] // self.groups, self.filters)}

    def convolved(self, tracer: Tracer, image: str, row: Shape) -> str:
        kernel, bias = self.kernel_of(tracer, self.kernel), self.bias_of(tracer, self.filters)
        how = attributes(self.window_on(row))
        return tracer.builder.add("conv", image, kernel, bias, groups=self.groups, **how)


class Conv1D(BaseConv):
    """A convolution over rows [steps, channels]; ``padding="causal"`` sees no later step."""

    rank = 1
    paddings = (*Convolution.paddings, "causal")


class Conv2D(BaseConv):
    """A convolution over rows [height, width, channels]."""

    rank = 2


class BaseDepthwiseConv(Convolution):
    """Each channel convolved for itself, ``depth_multiplier`` times."""

    kernel: Weight
    arguments = (
        "kernel_size", "strides", "padding", "depth_multiplier", "data_format", "dilation_rate", "activation",
        "use_bias", "depthwise_initializer", "bias_initializer", "depthwise_regularizer", "bias_regularizer",
        "activity_regularizer", "depthwise_constraint", "bias_constraint",
    )  # fmt: skip
    # Keras 2 wrote the last ones
    ignored = frozenset({"dtype", "groups", "kernel_initializer", "kernel_regularizer", "kernel_constraint"})

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        shared = (activation, use_bias, bias_initializer, bias_regularizer, bias_constraint)
        super().__init__(
            kernel_size, strides, padding, data_format, dilation_rate, *shared,
            activity_regularizer=activity_regularizer, **kwargs,
        )  # fmt: skip
        self.depth_multiplier = whole("depth_multiplier", depth_multiplier)
        self.depthwise_initializer = self.kernel_initializer = initializers.get(depthwise_initializer)
        self.depthwise_regularizer = self.kernel_regularizer = regularizers.get(depthwise_regularizer)
        self.depthwise_constraint = self.kernel_constraint = constraints.get(depthwise_constraint)

    def outputs_of(self, row: Shape) -> int:
        return row[-1] * self.depth_multiplier

    def kernel_shapes(self, row: Shape) -> dict[str, Shape]:
        return {"kernel": (*self.kernel_size, row[-1], self.depth_multiplier)}

    def convolved(self, tracer: Tracer, image: str, row: Shape) -> str:
        return depthwise(self, tracer, image, self.kernel, self.bias_of(tracer, self.outputs_of(row)), row)


def depthwise(layer: Convolution, tracer: Tracer, image: str, weight: Weight, bias: str, row: Shape) -> str:
    """A group for each channel: Keras's kernel [..., channels, multiplier] lies as the graph's [..., 1, outputs]."""
    *size, channels, multiplier = weight.shape
    kernel = layer.kernel_of(tracer, weight, (*(1,) * (2 - layer.rank), *size, 1, channels * multiplier))
    how = attributes(layer.window_on(row))
    return tracer.builder.add("conv", image, kernel, bias, groups=channels, **how)


class DepthwiseConv1D(BaseDepthwiseConv):
    """A depthwise convolution over rows [steps, channels]."""

    rank = 1
    paddings = (*Convolution.paddings, "causal")


class DepthwiseConv2D(BaseDepthwiseConv):
    """A depthwise convolution over rows [height, width, channels]."""

    rank = 2


class BaseSeparableConv(Convolution):
    """A depthwise convolution, then products over the channels of each position."""

    depthwise_kernel: Weight
    pointwise_kernel: Weight
    arguments = (
        "filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate", "depth_multiplier",
        "activation", "use_bias", "depthwise_initializer", "pointwise_initializer", "bias_initializer",
        "depthwise_regularizer", "pointwise_regularizer", "bias_regularizer", "activity_regularizer",
        "depthwise_constraint", "pointwise_constraint", "bias_constraint",
    )  # fmt: skip
    ignored = frozenset({"dtype", "groups", "kernel_initializer", "kernel_regularizer", "kernel_constraint"})

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        shared = (activation, use_bias, bias_initializer, bias_regularizer, bias_constraint)
        super().__init__(
            kernel_size, strides, padding, data_format, dilation_rate, *shared,
            activity_regularizer=activity_regularizer, **kwargs,
        )  # fmt: skip
        self.filters = whole("filters", filters)
        self.depth_multiplier = whole("depth_multiplier", depth_multiplier)
        self.depthwise_initializer = self.depthwise_kernel_initializer = initializers.get(depthwise_initializer)
        self.pointwise_initializer = self.pointwise_kernel_initializer = initializers.get(pointwise_initializer)
        self.depthwise_regularizer = self.depthwise_kernel_regularizer = regularizers.get(depthwise_regularizer)
        self.pointwise_regularizer = self.pointwise_kernel_regularizer = regularizers.get(pointwise_regularizer)
        self.depthwise_constraint = self.depthwise_kernel_constraint = constraints.get(depthwise_constraint)
        self.pointwise_constraint = self.pointwise_kernel_constraint = constraints.get(pointwise_constraint)

    def outputs_of(self, row: Shape) -> int:
        return self.filters

    def kernel_shapes(self, row: Shape) -> dict[str, Shape]:
        channels = row[-1] * self.depth_multiplier
        return {
            "depthwise_kernel": (*self.kernel_size, row[-1], self.depth_multiplier),
            "pointwise_kernel": (*(1,) * self.rank, channels, self.filters),
        }

    def convolved(self, tracer: Tracer, image: str, row: Shape) -> str:
        channels = row[-1] * self.depth_multiplier
        each = depthwise(self, tracer, image, self.depthwise_kernel, no_bias(tracer, channels), row)
        kernel = self.kernel_of(tracer, self.pointwise_kernel)
        return tracer.builder.add("conv", each, kernel, self.bias_of(tracer, self.filters))


class SeparableConv1D(BaseSeparableConv):
    """A separable convolution over rows [steps, channels]."""

    rank = 1
    paddings = (*Convolution.paddings, "causal")


class SeparableConv2D(BaseSeparableConv):
    """A separable convolution over rows [height, width, channels]."""

    rank = 2


class BaseConvTranspose(Convolution):
    """The gradient of a convolution by its input, as a layer: rows grow by the strides."""

    kernel: Weight
    arguments = (
        "filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate", "activation", "use_bias",
        "kernel_initializer", "bias_initializer", "kernel_regularizer", "bias_regularizer", "activity_regularizer",
        "kernel_constraint", "bias_constraint", "output_padding",
    )  # fmt: skip

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = 1,
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
        shared = (activation, use_bias, bias_initializer, bias_regularizer, bias_constraint)
        super().__init__(
            kernel_size, strides, padding, data_format, dilation_rate, *shared,
            activity_regularizer=activity_regularizer, **kwargs,
        )  # fmt: skip
        self.output_padding = self._output_padding(output_padding)
        self.filters = whole("filters", filters)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)

    def outputs_of(self, row: Shape) -> int:
        return self.filters

    def kernel_shapes(self, row: Shape) -> dict[str, Shape]:
        return {"kernel": (*self.kernel_size, self.filters, row[-1])}

    def output_shape_of(self, row: Shape) -> Shape:
        self.require_rank(row)
        return (*(grown for grown, _, _ in self._axes(row)), self.filters)

    def _output_padding(self, given: Any) -> tuple[int, ...] | None:
        if given is None:
            return None
        found = lengths("output_padding", given, self.rank, 0)
        if any(more >= stride for more, stride in zip(found, self.strides, strict=True)):
            raise UnsupportedError(
                "output_padding is less than the strides",
                received=f"output_padding={given!r} with strides={self.strides}", remedy="leave it out",
            )  # fmt: skip
        return found

    def _axes(self, row: Shape) -> list[tuple[int, int, int]]:
        """Of each axis the length of the output, and what is cut off before and after it: Keras's, on JAX.

        Raises:
            UnsupportedError: nothing would be left.
        """
        given = self.output_padding or (None,) * self.rank
        axes = zip(row[:-1], self.kernel_size, self.strides, self.dilation_rate, given, strict=True)
        found = [_transposed_axis(n, (k - 1) * d + 1, s, more, self.padding == "same") for n, k, s, d, more in axes]
        if min(grown for grown, _, _ in found) < 1:
            raise UnsupportedError(
                f"something is left of the rows of layer {self.name!r}",
                received=f"rows {row} with output_padding={self.output_padding}", remedy="padding='valid'",
            )  # fmt: skip
        return found

    def convolved(self, tracer: Tracer, image: str, row: Shape) -> str:
        b, axes = tracer.builder, [(1, 0, 0)] * (2 - self.rank) + self._axes(row)
        shape = (b.type_of(image).shape[0], *(grown for grown, _, _ in axes), self.filters)
        around = tuple(cut for _, before, after in axes for cut in (before, after))
        y = b.add(
            "conv_input_gradient", image, self.kernel_of(tracer, self.kernel), shape=shape,
            strides=pair(self.strides), padding=around, dilations=pair(self.dilation_rate),
        )  # fmt: skip
        return b.add("add", y, tracer.value(self.bias)) if self.bias else y


class Conv1DTranspose(BaseConvTranspose):
    """A transposed convolution over rows [steps, channels]."""

    rank = 1


class Conv2DTranspose(BaseConvTranspose):
    """A transposed convolution over rows [height, width, channels]."""

    rank = 2


def _transposed_axis(length: int, reach: int, stride: int, more: int | None, same: bool) -> tuple[int, int, int]:
    """The length of a transposed convolution's output, and what of all that windows reach is cut off before and after.

    Args:
        more: Keras's ``output_padding``; without it outputs are as long as inputs times the stride, or (valid) as
            what the windows and the strides reach.
    """
    least = reach % 2 if same else reach
    if more is None:
        more = stride - least if same else max(stride - reach, 0)
    whole, grown = (length - 1) * stride + reach, (length - 1) * stride + least + more
    before = max(0, reach - 1 - (reach + reach % 2 - 1 + more) // 2) if same else 0
    return grown, before, max(0, whole - grown - before)
