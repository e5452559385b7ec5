# SPDX-License-Identifier: Apache-2.0
"""The C calls of convolutions and their gradients: direct convolutions and matrix products on cores with vectors, loops
that are right everywhere elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from edgeling.codegen.calls_products import EXACT, PANEL_ROWS, panel_floats
from edgeling.codegen.packing import PANEL, panels
from edgeling.codegen.site import Call, Line, Setting, Site
from edgeling.codegen.text import LIMITS, limits
from edgeling.graph.types import Array, TensorType
from edgeling.graph.windows import Window

# As in conv_direct.h.
PADDED_FLOATS = 4096
# Threads are worth waking from this many multiplications on.
SHARED_PRODUCTS = 1 << 19

Lengths = tuple[int, ...]
Fits = Callable[[Setting], bool]


def _laid_down(kind: TensorType) -> TensorType:
    images, down, right, channels = kind.shape
    return replace(kind, shape=(images, right, down, channels))


class Geometry:
    """A convolution's image, result and window, whichever of its three operations it is of."""

    def __init__(self, setting: Setting) -> None:
        operation, (first, second, *_) = setting.node.operation, setting.input_types
        made = setting.output_types[0]
        forward = operation == "conv"
        self.image: TensorType = made if operation == "conv_input_gradient" else first
        self.result: TensorType = made if forward else second if operation == "conv_kernel_gradient" else first
        kernel = made if operation == "conv_kernel_gradient" else second
        self.window = Window.of(setting.node.attributes, kernel.shape[:2])
        self._lay_down()
        self.groups: int = setting.node.attributes["groups"]
        self.terms: int = kernel.size // kernel.shape[3]

    def _lay_down(self) -> None:
        """Of a column of pixels a row, as long as the window sees no more: positions side by side go by tiles."""
        w, (_, down, right, _) = self.window, self.result.shape
        if (self.image.shape[2], right, w.size[1]) == (1, 1, 1) and not any(w.padding[2:]) and down > 1:
            self.window = Window(w.size[::-1], w.strides[::-1], (0, 0, *w.padding[:2]), w.dilations[::-1])
            self.image, self.result = _laid_down(self.image), _laid_down(self.result)

    @property
    def is_pointwise(self) -> bool:
        """Whether each position sees one pixel, and all of them are seen: a matrix product."""
        w = self.window
        return (w.size, w.strides, self.groups) == ((1, 1), (1, 1), 1) and not any(w.padding)

    @property
    def is_depthwise(self) -> bool:
        """Whether each channel is convolved for itself."""
        return self.groups == self.image.shape[3] > 1

    @property
    def products(self) -> int:
        """How many multiplications it takes."""
        return self.terms * self.result.size

    @property
    def lengths(self) -> Lengths:
        """What `window.h` describes; positions of a matrix product lie in one row."""
        w, image, result = self.window, self.image.shape[1:], self.result.shape[1:]
        if self.is_pointwise:
            image, result = (1, image[0] * image[1], image[2]), (1, result[0] * result[1], result[2])
        return (
            *image, *result, *w.size, *w.strides, w.padding[0], w.padding[2], *w.dilations, self.groups,
        )  # fmt: skip

    @property
    def seen_width(self) -> int:
        """Pixels of a row that positions see, what lies outside included."""
        return (self.result.shape[2] - 1) * self.window.strides[1] + self.window.reach[1]

    @property
    def is_padded(self) -> bool:
        """Whether they see what lies beside the image."""
        return bool(self.window.padding[2]) or self.seen_width > self.image.shape[2]


def is_vectors(setting: Setting) -> bool:
    """Whether the target has vectors."""
    return setting.target is not None and setting.target.has_vectors


def is_shared(setting: Setting) -> bool:
    return setting.threads > 1 and Geometry(setting).products >= SHARED_PRODUCTS


def _takes_direct(setting: Setting) -> bool:
    """conv_direct.h and its gradients: a window has strides or dilations."""
    geometry = Geometry(setting)
    both = any(s > 1 and d > 1 for s, d in zip(geometry.window.strides, geometry.window.dilations, strict=True))
    return is_vectors(setting) and not geometry.is_depthwise and not both


def _takes_packed(setting: Setting) -> bool:
    return _takes_direct(setting) and {1, 2} <= set(setting.constants)


def _takes_depthwise(setting: Setting) -> bool:
    """depthwise.h and its gradients: one output a channel, a vector of channels at least."""
    geometry = Geometry(setting)
    both = any(s > 1 and d > 1 for s, d in zip(geometry.window.strides, geometry.window.dilations, strict=True))
    channels, outputs = geometry.image.shape[3], geometry.result.shape[3]
    return is_vectors(setting) and geometry.is_depthwise and channels == outputs and channels >= 4 and not both


def _takes_product(setting: Setting) -> bool:
    geometry = Geometry(setting)
    enough = geometry.result.size // geometry.result.shape[3] >= PANEL_ROWS
    return is_vectors(setting) and geometry.is_pointwise and enough


def _both(one: Fits, other: Fits) -> Fits:
    return lambda setting: one(setting) and other(setting)


def _in_fours(n: int) -> int:
    return -(-n // 4) * 4


def _padded(geometry: Geometry) -> int:
    return max(PADDED_FLOATS, geometry.window.reach[0] * geometry.seen_width * geometry.image.shape[3])


def _forward_floats(setting: Setting) -> int:
    geometry = Geometry(setting)
    outputs = geometry.result.shape[3] // geometry.groups
    kernel = (geometry.terms + 1) * geometry.groups * _in_fours(outputs) if outputs % 4 else 0
    return kernel + _packed_floats(setting)


def _packed_floats(setting: Setting) -> int:
    geometry = Geometry(setting)
    return setting.threads * _padded(geometry) if geometry.is_padded else 0


def _input_floats(setting: Setting) -> int:
    geometry = Geometry(setting)
    (rows, columns), channels = geometry.window.size, geometry.image.shape[3] // geometry.groups
    outputs = geometry.result.shape[3]
    (down, right), width = geometry.window.reach, geometry.image.shape[2]
    padded = max(PADDED_FLOATS, down * (width + right) * outputs)
    return rows * columns * outputs * _in_fours(channels) + setting.threads * padded


def _kernel_floats(setting: Setting) -> int:
    geometry = Geometry(setting)
    _, height, _, channels = geometry.image.shape
    return setting.threads * height * geometry.seen_width * channels if geometry.is_padded else 0


def _depthwise_kernel_floats(setting: Setting) -> int:
    geometry = Geometry(setting)
    return setting.threads * geometry.image.shape[1] * geometry.seen_width * PANEL if geometry.is_padded else 0


def packed(setting: Setting) -> Mapping[str, Array]:
    """The table of conv_direct.h: panels of each group."""
    kernel, bias = setting.constants[1], setting.constants[2]
    groups: int = setting.node.attributes["groups"]
    parts: list[Array] = []
    for weights, start in zip(np.split(kernel, groups, axis=3), np.split(bias, groups), strict=True):
        parts += panels(weights.reshape(-1, len(start)), start)
    return {"packed": np.concatenate(parts).astype(np.float32)}


def window(site: Site) -> str:
    return site.table(f"{site.node.output}_window", "int", Geometry(site).lengths)


def limited(site: Site, name: str, *more: str) -> str:
    """A kernel that limits its results; then the activation, where that is not all of it."""
    function = site.attributes["function"]
    call = site.call(name, site.length(0, 0), window(site), *limits(function), *more)
    if function in LIMITS:
        return call
    y = site.y[0]
    return f"{call}\n{site.by_elements('activation', site.function(), site.float('alpha'), pointers=(y, y))}"


def _direct(name: str) -> Line:
    return lambda site: limited(site, name, site.scratch or "0")


def _depthwise(name: str) -> Line:
    return lambda site: limited(site, name)


def _gradient(name: str) -> Line:
    return lambda site: site.call(name, site.length(0, 0), window(site), site.scratch or "0")


def _product(name: str) -> Line:
    """Positions by channels times channels by outputs, then the activation."""

    def line(site: Site) -> str:
        sizes = site.rows(), site.length(0, -1), site.output_length(-1)
        function, y = site.attributes["function"], site.y[0]
        activation = "activation", site.function(), site.float("alpha")
        follows = name == "gemm_parallel" and function in EXACT
        after = [site.parts(*activation, pointers=(y, y)) if follows else "0, 0"] if name == "gemm_parallel" else []
        product = f"edgeling_{name}({', '.join((*sizes, '0', '0', site.scratch, *site.x, y, *after))});"
        if function == "linear" or follows:
            return product
        return f"{product}\n{site.by_elements(*activation, pointers=(y, y))}"

    return line


def _product_input(name: str) -> Line:
    def line(site: Site) -> str:
        sizes = site.rows(), site.length(0, -1), site.output_length(-1)
        after = [site.after] if name == "gemm_parallel" else []
        return f"edgeling_{name}({', '.join((*sizes, '0', '1', site.scratch, *site.x, '0', *site.y, *after))});"

    return line


def _panels(setting: Setting) -> int:
    return setting.threads * panel_floats(setting.input_types[0].shape[3])


def candidates(
    name: str,
    header: str,
    fits: Fits,
    scratch_floats: Callable[[Setting], int],
    line: Callable[[str], Line],
    parallel: str = "windows_parallel",
    **more: Any,
) -> tuple[Call, Call]:
    """A kernel whose parts threads share, where that pays; and the same for one thread."""
    alone = Call(header, line(name), fits=fits, scratch_floats=scratch_floats, **more)
    shared = _both(is_shared, fits)
    return replace(alone, header=parallel, line=line(f"{name}_parallel"), fits=shared), alone


def _products(line: Callable[[str], Line]) -> tuple[Call, Call]:
    shared = Call("gemm_parallel", line("gemm_parallel"), fits=_both(is_shared, _takes_product), scratch_floats=_panels)
    return shared, replace(shared, header="gemm", line=line("gemm"), fits=_takes_product)


def _no_scratch(_: Setting) -> int:
    return 0


def _kernel_size(setting: Setting) -> int:
    return setting.input_types[1].size


CONV_CALLS: Sequence[Call] = (
    *candidates("conv_packed", "conv_direct", _takes_packed, _packed_floats, _direct, pack=packed),
    *_products(_product),
    *candidates("conv_direct", "conv_direct", _takes_direct, _forward_floats, _direct),
    *candidates("depthwise", "depthwise", _takes_depthwise, _no_scratch, _depthwise),
)
INPUT_GRADIENT_CALLS: Sequence[Call] = (
    *_products(_product_input),
    *candidates("conv_direct_input_gradient", "conv_direct_input", _takes_direct, _input_floats, _gradient),
    *candidates("depthwise_input_gradient", "depthwise", _takes_depthwise, _kernel_size, _gradient),
)
KERNEL_GRADIENT_CALLS: Sequence[Call] = (
    *candidates("conv_direct_kernel_gradient", "conv_direct_kernel", _takes_direct, _kernel_floats, _gradient),
    *candidates("depthwise_kernel_gradient", "depthwise_kernel", _takes_depthwise, _depthwise_kernel_floats, _gradient),
)
