# SPDX-License-Identifier: Apache-2.0
"""Images seen through affine maps that are drawn anew for each: what augmentation means in NumPy.

A map is [a0, a1, a2, b0, b1, b2], as Keras's ``affine_transform`` has them: the pixel in column x of row y is taken
from column ``a0 x + a1 y + a2`` of row ``b0 x + b1 y + b2``. Between pixels it is interpolated; what lies outside the
image is filled as Keras's modes say:

    constant  k k k | a b c | k k k        nearest  a a a | a b c | c c c
    reflect   c b a | a b c | c b a        wrap     a b c | a b c | a b c
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np

from edgeling.graph.random import AFFINE_STREAM, random_uniform
from edgeling.graph.types import Array

AFFINES = ("translation", "rotation", "zoom", "flip")
FILLS = ("constant", "nearest", "reflect", "wrap")
FURTHEST = 2.0**20  # pixels from the image's first: what is further away, or not a number, is taken to be there
_WORDS = 4  # of randomness for each image, of which two are used

Map = tuple[Any, ...]  # of all images: a0, a1, a2, b0, b1, b2
Tap = tuple[Array, Array]  # of each pixel, where along an axis something is taken from (-1: nowhere), and its weight


def random_affine(a: Mapping[str, Any], seed: Array, step: Array) -> Array:
    """A map for each of ``shape[0]`` images: float32 [images, 6].

    Two numbers of each lie between ``low`` and ``high``, of which the first is about rows, the second about columns:
    shares of ``size`` to translate by, turns to rotate by (the first), factors to zoom by. With ``together`` the second
    is the first. A flip happens to half of the images, along the axes whose ``high`` is above zero.
    """
    images = a["shape"][0]
    drawn = random_uniform(
        images * _WORDS, seed=int(seed), step=int(step), stream=AFFINE_STREAM, substream=a["stream"]
    ).reshape(images, _WORDS)  # fmt: skip
    places = drawn[:, [0, 0] if a["together"] else [0, 1]]
    low, high = (np.asarray(a[key], np.float32) for key in ("low", "high"))
    if a["function"] == "flip":
        places, low = np.where(drawn[:, :1] <= np.float32(0.5), np.float32(1), np.float32(0)), 0 * low
    down, right = (low + (high - low) * places).T
    rows = np.broadcast_arrays(*_MAPS[a["function"]](*(np.float32(n) for n in a["size"]), down, right))
    return np.stack(rows, axis=1).astype(np.float32)


def _translation(height: Any, width: Any, down: Array, right: Array) -> Map:
    return 1, 0, -right * width, 0, 1, -down * height


def _rotation(height: Any, width: Any, turns: Array, _: Array) -> Map:
    angle = 2 * np.pi * turns.astype(np.float64)
    c, s, y, x = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32), (height - 1) / 2, (width - 1) / 2
    return c, -s, x - x * c + y * s, s, c, y - x * s - y * c


def _zoom(height: Any, width: Any, down: Array, right: Array) -> Map:
    return right, 0, (width - 1) / 2 * (1 - right), 0, down, (height - 1) / 2 * (1 - down)


def _flip(height: Any, width: Any, down: Array, right: Array) -> Map:
    rows, columns = down > 0, right > 0
    return (
        np.where(columns, -1, 1),
        0,
        np.where(columns, width - 1, 0),
        0,
        np.where(rows, -1, 1),
        np.where(rows, height - 1, 0),
    )


_MAPS: Mapping[str, Callable[..., Map]] = {
    "translation": _translation, "rotation": _rotation, "zoom": _zoom, "flip": _flip,
}  # fmt: skip


def affine_transform(a: Mapping[str, Any], x: Array, maps: Array) -> Array:
    """x [n,h,w,c] through maps [n,6]."""
    y = np.zeros_like(x)
    for image, row, column, weight in _corners(a, x.shape, maps):
        seen = np.where(
            (row < 0) | (column < 0), x.dtype.type(a["fill_value"]), x[image, row, column].transpose(3, 0, 1, 2)
        )
        y += weight[..., None] * seen.transpose(1, 2, 3, 0)
    return y


def affine_transform_gradient(a: Mapping[str, Any], dy: Array, maps: Array) -> Array:
    """dy [n,h,w,c] back to where it was taken from."""
    dx = np.zeros_like(dy)
    for image, row, column, weight in _corners(a, dy.shape, maps):
        inside = (row >= 0) & (column >= 0)
        places = tuple(np.broadcast_to(index, inside.shape)[inside] for index in (image, row, column))
        np.add.at(dx, places, (weight[..., None] * dy)[inside])
    return dx


def _corners(a: Mapping[str, Any], shape: tuple[int, ...], maps: Array) -> Iterator[tuple[Array, Array, Array, Array]]:
    """What each pixel is made of, corner by corner: numbers of image, row and column, and the weight."""
    images, height, width, _ = shape
    y, x = np.arange(height, dtype=maps.dtype)[:, None], np.arange(width, dtype=maps.dtype)
    a0, a1, a2, b0, b1, b2 = maps.T[:, :, None, None]
    rows = _taps(a, b0 * x + b1 * y + b2, height)
    columns = _taps(a, a0 * x + a1 * y + a2, width)
    image = np.arange(images)[:, None, None]
    for (row, of_row), (column, of_column) in product(rows, columns):
        yield image, row, column, of_row * of_column


def _taps(a: Mapping[str, Any], place: Array, length: int) -> list[Tap]:
    """Of places along an axis: the pixels before and after with their shares, or the nearest one."""
    place = np.where(np.isnan(place), -FURTHEST, np.clip(place, -FURTHEST, FURTHEST)).astype(place.dtype)
    if not a["bilinear"]:
        nearest = np.trunc(place + np.copysign(place.dtype.type(0.5), place))
        return [(_filled(a["function"], nearest.astype(np.int64), length), np.ones_like(place))]
    before = np.floor(place)
    share, index = place - before, before.astype(np.int64)
    return [
        (_filled(a["function"], index, length), 1 - share),
        (_filled(a["function"], index + 1, length), share),
    ]


def _filled(fill: str, index: Array, length: int) -> Array:
    """Which pixel stands for the one at an index that may lie outside; -1 for none."""
    if fill == "constant":
        return np.where((index >= 0) & (index < length), index, -1)
    if fill == "nearest":
        return np.clip(index, 0, length - 1)
    if fill == "wrap":
        return index % length
    place = index % (2 * length)
    return np.where(place < length, place, 2 * length - 1 - place)
