# SPDX-License-Identifier: Apache-2.0
"""Type rules of what moves windows over images, and of what moves, cuts and surrounds values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgeling.graph.requiring import TypeRule, Types, require
from edgeling.graph.types import TensorType
from edgeling.graph.windows import Window

_LARGEST_INDEX = 2**31 - 1  # what C counts with


def _positions(window: Window, image: TensorType, types: Types) -> tuple[int, int]:
    """How many places a window has over [n, h, w, c]; at least one each way."""
    require(len(image.shape) == 4, "an image is [n,height,width,channels]", types)
    down, right = window.positions(image.shape[1:3])
    require(down >= 1 and right >= 1, "the window fits the padded image", types)
    strided = max(a * s for a, s in zip((down, right), window.strides, strict=True))
    require(strided + max(window.reach) <= _LARGEST_INDEX, "the padded image is not too large to index", types)
    return down, right


def _window(attributes: Mapping[str, Any], types: Types, size: Sequence[int] = ()) -> Window:
    """A node's window, each of its attributes as long as it has to be."""
    lengths = {"size": 2, "strides": 2, "padding": 4, "dilations": 2}
    for name, length in lengths.items():
        if name in attributes:
            require(len(attributes[name]) == length, f"{name} is {length} numbers", types)
    return Window.of(attributes, size)


def _conv(types: Types, attributes: Mapping[str, Any]) -> Types:
    x, kernel, bias = types
    require(len(kernel.shape) == 4, "a kernel is [rows,columns,channels,outputs]", types)
    down, right = _positions(_window(attributes, types, kernel.shape[:2]), x, types)
    _channels(types, attributes, x.shape[3], kernel.shape)
    require(bias.shape == kernel.shape[3:], "the bias has one value an output", types)
    return (TensorType((x.shape[0], down, right, kernel.shape[3])),)


def _channels(types: Types, attributes: Mapping[str, Any], channels: int, kernel: Sequence[int]) -> None:
    groups = attributes["groups"]
    fits = kernel[2] * groups == channels and kernel[3] % groups == 0
    require(fits, f"the kernel has the channels of one of {groups} groups, and as many outputs for each", types)


def _conv_input_gradient(types: Types, attributes: Mapping[str, Any]) -> Types:
    dy, kernel = types
    result = TensorType(tuple(attributes["shape"]))
    bias = TensorType(kernel.shape[3:])
    require(_conv((result, kernel, bias), attributes) == (dy,), "dy is what the convolution gives", types)
    return (result,)


def _conv_kernel_gradient(types: Types, attributes: Mapping[str, Any]) -> Types:
    x, dy = types
    require(len(x.shape) == len(dy.shape) == 4, "takes two images", types)
    groups = attributes["groups"]
    require(x.shape[3] % groups == 0, "the groups divide the channels", types)
    kernel = TensorType((*attributes["size"], x.shape[3] // groups, dy.shape[3]))
    bias = TensorType(dy.shape[3:])
    require(len(kernel.shape) == 4, "size is 2 numbers", types)
    require(_conv((x, kernel, bias), attributes) == (dy,), "dy is what the convolution gives", types)
    return (kernel,)


def _pool(types: Types, attributes: Mapping[str, Any]) -> Types:
    (x,), window = types, _window(attributes, types)
    down, right = _positions(window, x, types)
    top, bottom, left, right_side = window.padding
    covered = max(top, bottom) < window.size[0] and max(left, right_side) < window.size[1]
    require(covered, "every window sees the image: the padding is less than the window", types)
    return (TensorType((x.shape[0], down, right, x.shape[3])),)


def _max_pool_gradient(types: Types, attributes: Mapping[str, Any]) -> Types:
    dy, x = types
    require(_pool((x,), attributes) == (dy,), "dy is what the pool gives", types)
    return (x,)


def _average_pool_gradient(types: Types, attributes: Mapping[str, Any]) -> Types:
    result = TensorType(tuple(attributes["shape"]))
    require(_pool((result,), attributes) == types, "dy is what the pool gives", types)
    return (result,)


def _transpose(types: Types, attributes: Mapping[str, Any]) -> Types:
    (x,), order = types, attributes["permutation"]
    require(sorted(order) == list(range(len(x.shape))), "the permutation names each axis once", types)
    return (TensorType(tuple(x.shape[axis] for axis in order)),)


def _require_part(part: Sequence[int], whole: Sequence[int], attributes: Mapping[str, Any], types: Types) -> None:
    begin = attributes["begin"]
    same = len(begin) == len(part) == len(whole) > 0
    inside = same and all(b >= 0 and b + p <= w for b, p, w in zip(begin, part, whole, strict=True))
    require(inside, f"begin and shape lie in {list(whole)}", types)


def _pad(types: Types, attributes: Mapping[str, Any]) -> Types:
    _require_part(types[0].shape, attributes["shape"], attributes, types)
    return (TensorType(tuple(attributes["shape"])),)


def _slice(types: Types, attributes: Mapping[str, Any]) -> Types:
    _require_part(attributes["shape"], types[0].shape, attributes, types)
    return (TensorType(tuple(attributes["shape"])),)


def _affine_transform(types: Types, _: Mapping[str, Any]) -> Types:
    x, maps = types
    require(len(x.shape) == 4, "an image is [n,height,width,channels]", types)
    require(maps.shape == (x.shape[0], 6), "there is a map of 6 numbers for each image", types)
    require(max(x.shape[1:3]) <= 1 << 15, "no side of an image is longer than 32,768", types)
    return (x,)


def _larger_gradient(types: Types, _: Mapping[str, Any]) -> Types:
    require(types[0] == types[1] == types[2], "all three have one type", types)
    return (types[0],)


WINDOW_RULES: Mapping[str, TypeRule] = {
    "conv": _conv,
    "conv_input_gradient": _conv_input_gradient,
    "conv_kernel_gradient": _conv_kernel_gradient,
    "max_pool": _pool,
    "max_pool_gradient": _max_pool_gradient,
    "average_pool": _pool,
    "average_pool_gradient": _average_pool_gradient,
    "transpose": _transpose,
    "pad": _pad,
    "slice": _slice,
    **dict.fromkeys(("affine_transform", "affine_transform_gradient"), _affine_transform),
    "larger_gradient": _larger_gradient,
}
