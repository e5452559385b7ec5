# SPDX-License-Identifier: Apache-2.0
"""Sums in the order in which the C adds, wherever the order can be told.

While no partial sum can leave the range of the floats, orders differ by roundings, and NumPy's fast ones are taken.
Where one might, the order decides between infinity and NaN, and it is part of the meaning: terms are added one after
the other, from the first (of a product of matrices: from the bias, else from 0). Sums over neighbouring elements, 16
and more, run in 16 partial sums, of which the upper half is added to the lower until one is left.

A fused multiply-add does not round, and so does not overflow, in between: a product beyond the range that the sum so
far brings back is finite on cores that fuse.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from edgeling.graph.types import Array

PARTIAL_SUMS = 16
_ROOM = 4  # times what sums are bounded by; their roundings need far less


def product(left: Array, right: Array, start: Array | None = None) -> Array:
    """``left @ right + start``: [n,k], [k,m] and, where given, [m]."""
    with np.errstate(over="ignore", invalid="ignore"):
        result = left @ right if start is None else left @ right + start
        reach = _largest(left, axis=1) * _largest(right) * left.shape[1] + (0 if start is None else _largest(start))
        far = ~_holds(reach, result.dtype)
        if far.any():
            result[far] = _product_in_order(left[far], right, start)
    return result


def products(left: Array, right: Array) -> Array:
    """``left @ right`` of each of many: [..., n, k] and [..., k, m]."""
    with np.errstate(over="ignore", invalid="ignore"):
        if _holds(_largest(left) * _largest(right) * left.shape[-1], left.dtype):
            return np.asarray(left @ right)
    shape = (*left.shape[:-1], right.shape[-1])
    pairs = zip(left.reshape(-1, *left.shape[-2:]), right.reshape(-1, *right.shape[-2:]), strict=True)
    return np.stack([product(*pair) for pair in pairs]).reshape(shape)


def row_sum(x: Array) -> Array:
    """Over the last axis, which is kept with length 1: [..., n] to [..., 1]."""
    if _holds(_largest(x) * x.shape[-1], x.dtype):
        return np.asarray(np.sum(x, axis=-1, keepdims=True))
    return _in_order(x)


def axes_sum(x: Array, axes: Sequence[int]) -> Array:
    """Over neighbouring axes (those of length 1 do not count), which are kept with length 1."""
    if _holds(_largest(x) * x.size, x.dtype):
        return np.asarray(np.sum(x, axis=tuple(axes), keepdims=True))
    shape = tuple(1 if axis in axes else length for axis, length in enumerate(x.shape))
    long = [axis for axis in axes if x.shape[axis] > 1] or [0]
    inner = prod(x.shape[max(long) + 1 :])
    rows = np.moveaxis(x.reshape(-1, prod(x.shape[axis] for axis in axes), inner), 1, 2)
    return (_in_parts(rows) if inner == 1 else _in_order(rows)).reshape(shape)


def _holds(reach: Array, dtype: np.dtype[np.floating]) -> Array:
    """Whether sums so large cannot overflow; NaN may."""
    return np.asarray(reach * _ROOM < float(np.finfo(dtype).max))


def _largest(x: Array, axis: int | None = None) -> Array:
    """In double precision, so that products of two do not overflow."""
    return np.abs(x).max(axis=axis, initial=0).astype(np.float64)


def _product_in_order(left: Array, right: Array, start: Array | None) -> Array:
    total = np.zeros((len(left), right.shape[1]), left.dtype)
    if start is not None:
        total = total + start
    for term in range(left.shape[1]):
        total = total + left[:, term, None] * right[term]
    return total


def _in_order(x: Array) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.add.accumulate(x, axis=-1)[..., -1:]


def _in_parts(x: Array) -> Array:
    """As ``edgeling_reduce_terms`` adds."""
    whole = x.shape[-1] // PARTIAL_SUMS * PARTIAL_SUMS
    if not whole:
        return _in_order(x)
    with np.errstate(over="ignore", invalid="ignore"):
        parts = np.add.accumulate(x[..., :whole].reshape(*x.shape[:-1], -1, PARTIAL_SUMS), axis=-2)[..., -1, :]
        half = PARTIAL_SUMS // 2
        while half:
            parts = parts[..., :half] + parts[..., half : 2 * half]
            half //= 2
        return _in_order(np.concatenate([parts, x[..., whole:]], axis=-1))
