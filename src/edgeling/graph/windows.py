# SPDX-License-Identifier: Apache-2.0
"""Windows that move over [n, height, width, channels]: their geometry, and what convolutions and pools mean in NumPy.

What lies outside the image is left out of every sum, maximum and mean. Sums run over the window's rows, its columns,
then the channels of its group, from the bias.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeling.graph.sums import product
from edgeling.graph.types import Array

Pair = tuple[int, int]


@dataclass(frozen=True)
class Window:
    """How a window moves.

    Attributes:
        size: rows and columns of the window.
        strides: how far it moves, down and to the right.
        padding: rows above and below, columns left and right of the image, over which it may reach.
        dilations: how far apart its own rows and columns lie.
    """

    size: Pair
    strides: Pair
    padding: tuple[int, int, int, int]
    dilations: Pair = (1, 1)

    @classmethod
    def of(cls, attributes: Mapping[str, Any], size: Sequence[int] = ()) -> Window:
        """A node's; a kernel's ``size`` where the node does not say it."""
        rows, columns = size or attributes["size"]
        dilations = attributes.get("dilations", (1, 1))
        return cls((rows, columns), tuple(attributes["strides"]), tuple(attributes["padding"]), tuple(dilations))

    @property
    def reach(self) -> Pair:
        """Rows and columns from its first to its last element."""
        return (self.size[0] - 1) * self.dilations[0] + 1, (self.size[1] - 1) * self.dilations[1] + 1

    def positions(self, image: Sequence[int]) -> Pair:
        """How many places it has over an image (rows, columns), down and to the right; less than one where none."""
        top, bottom, left, right = self.padding
        down = (image[0] + top + bottom - self.reach[0]) // self.strides[0] + 1
        return down, (image[1] + left + right - self.reach[1]) // self.strides[1] + 1

    @property
    def elements(self) -> Iterator[Pair]:
        """(row, column) of each of its elements, row by row."""
        return ((y, x) for y in range(self.size[0]) for x in range(self.size[1]))

    def padded(self, image: Array, value: float = 0.0) -> Array:
        """[n, h, w, c] with the padding around it."""
        top, bottom, left, right = self.padding
        return np.pad(image, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=value)

    def seen(self, padded: Array, element: Pair, positions: Pair) -> Array:
        """What one element of the window sees of a padded image at each position: a view [n, down, right, c]."""
        starts = (k * d for k, d in zip(element, self.dilations, strict=True))
        rows, columns = (
            slice(start, start + (count - 1) * step + 1, step)
            for start, count, step in zip(starts, positions, self.strides, strict=True)
        )
        return padded[:, rows, columns]

    def inner(self, padded: Array) -> Array:
        """The image without its padding, a view."""
        top, bottom, left, right = self.padding
        return padded[:, top : padded.shape[1] - bottom, left : padded.shape[2] - right]


def same_padding(window: Window, image: Sequence[int]) -> tuple[int, int, int, int]:
    """The padding with which there are ``ceil(length / stride)`` positions, the larger half after (Keras's "same")."""
    found: list[int] = []
    for length, stride, reach in zip(image, window.strides, window.reach, strict=True):
        total = max(0, (-(-length // stride) - 1) * stride + reach - length)
        found += [total // 2, total - total // 2]
    return found[0], found[1], found[2], found[3]


def _groups(x: Array, kernel: Array, groups: int) -> Iterator[tuple[slice, slice]]:
    """Of each group its channels of the image, and of the result."""
    inputs, outputs = kernel.shape[2], kernel.shape[3] // groups
    for g in range(groups):
        yield slice(g * inputs, (g + 1) * inputs), slice(g * outputs, (g + 1) * outputs)


def convolve(a: Mapping[str, Any], x: Array, kernel: Array, bias: Array) -> Array:
    """x [n,h,w,c], kernel [kh,kw,c/groups,o], bias [o] -> [n,down,right,o]."""
    window = Window.of(a, kernel.shape[:2])
    positions, padded = window.positions(x.shape[1:3]), window.padded(x)
    seen = np.stack([window.seen(padded, element, positions) for element in window.elements], axis=3)
    y = np.empty((len(x), *positions, kernel.shape[3]), x.dtype)
    for inputs, outputs in _groups(x, kernel, a["groups"]):
        rows = seen[..., inputs].reshape(len(x) * positions[0] * positions[1], -1)
        weights = kernel[..., outputs].reshape(rows.shape[1], -1)
        y[..., outputs] = product(rows, weights, bias[outputs]).reshape(*y.shape[:3], -1)
    return y


def convolve_input_gradient(a: Mapping[str, Any], dy: Array, kernel: Array) -> Array:
    """dy [n,down,right,o], kernel [kh,kw,c/groups,o] -> dx of ``shape``."""
    window = Window.of(a, kernel.shape[:2])
    padded = window.padded(np.zeros(a["shape"], dy.dtype))
    for element in window.elements:
        seen = window.seen(padded, element, (dy.shape[1], dy.shape[2]))
        for inputs, outputs in _groups(padded, kernel, a["groups"]):
            seen[..., inputs] += dy[..., outputs] @ kernel[element][:, outputs].T
    return window.inner(padded)


def convolve_kernel_gradient(a: Mapping[str, Any], x: Array, dy: Array) -> Array:
    """x [n,h,w,c], dy [n,down,right,o] -> [*size, c/groups, o]."""
    window = Window.of(a)
    padded, columns = window.padded(x), dy.reshape(-1, dy.shape[3])
    gradient = np.zeros((*window.size, x.shape[3] // a["groups"], dy.shape[3]), x.dtype)
    for element in window.elements:
        seen = window.seen(padded, element, (dy.shape[1], dy.shape[2])).reshape(len(columns), -1)
        for inputs, outputs in _groups(x, gradient, a["groups"]):
            gradient[element][:, outputs] = seen[:, inputs].T @ columns[:, outputs]
    return gradient


def max_pool(a: Mapping[str, Any], x: Array) -> Array:
    """The largest in each window, channel by channel; NaN where one is among them."""
    window = Window.of(a)
    positions, padded = window.positions(x.shape[1:3]), window.padded(x, -np.inf)
    return np.max([window.seen(padded, element, positions) for element in window.elements], axis=0)


def max_pool_gradient(a: Mapping[str, Any], dy: Array, x: Array) -> Array:
    """The gradient goes to the first element that is the largest of its window, row by row."""
    window = Window.of(a)
    padded = window.padded(x, -np.inf)
    seen = np.stack([window.seen(padded, element, (dy.shape[1], dy.shape[2])) for element in window.elements])
    first, gradient = np.argmax(seen, axis=0), window.padded(np.zeros_like(x))
    for place, element in enumerate(window.elements):
        window.seen(gradient, element, (dy.shape[1], dy.shape[2]))[...] += np.where(first == place, dy, 0)
    return window.inner(gradient)


def _shares(window: Window, image: Sequence[int], dtype: Any) -> Array:
    """One over how many elements of the window lie in the image, at each position: [1, down, right, 1]."""
    inside, positions = window.padded(np.ones((1, *image, 1), dtype)), window.positions(image)
    counts = np.sum([window.seen(inside, element, positions) for element in window.elements], axis=0)
    return np.asarray(1 / counts, dtype)


def average_pool(a: Mapping[str, Any], x: Array) -> Array:
    """The mean of what each window sees of the image, channel by channel: their sum times one over their number."""
    window = Window.of(a)
    positions, padded = window.positions(x.shape[1:3]), window.padded(x)
    total = np.sum([window.seen(padded, element, positions) for element in window.elements], axis=0)
    return total * _shares(window, x.shape[1:3], x.dtype)


def average_pool_gradient(a: Mapping[str, Any], dy: Array) -> Array:
    """dy [n,down,right,c] -> dx of ``shape``."""
    window, shape = Window.of(a), a["shape"]
    each, gradient = dy * _shares(window, shape[1:3], dy.dtype), window.padded(np.zeros(shape, dy.dtype))
    for element in window.elements:
        window.seen(gradient, element, (dy.shape[1], dy.shape[2]))[...] += each
    return window.inner(gradient)
