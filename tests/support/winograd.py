# SPDX-License-Identifier: Apache-2.0
"""Convolutions by fewer products, in double precision with every rounding drawn: what ``rounding.py`` bounds them by.

Of the method (A. Lavin, S. Gray, 2016) only its points are taken from the package. Results along an axis are
``A[(G k) * (B x)]``: A's columns are the powers of the points, G is what Lagrange's formula says, and B is the only
matrix for which this is a convolution.
"""

from __future__ import annotations

from functools import cache
from math import sqrt

import numpy as np

from edgeling.codegen.calls_winograd import POINTS, size_for
from edgeling.codegen.site import Setting
from edgeling.graph.types import Array, Graph, Node
from edgeling.toolchain.native import THIS_MACHINE
from tests.support.close import SINGLE


def tile_of(graph: Graph, node: Node) -> int:
    """How many results each way a tile of a convolution's kernel on this machine has; 0: it takes all products."""
    if node.operation not in ("conv", "conv_input_gradient"):
        return 0
    inputs, outputs = (tuple(graph.types[name] for name in names) for names in (node.inputs, node.outputs))
    return size_for(Setting(node, inputs, outputs, THIS_MACHINE, {}), is_packed=True) or 0


@cache
def matrices(size: int) -> tuple[Array, Array, Array]:
    """A ``[size, elements]``, G ``[elements, 3]`` and B ``[elements, elements]``."""
    points = np.array([float(p) for p in POINTS[size]])
    powers = np.vander(points, size, increasing=True).T
    a = np.concatenate([powers, np.eye(size)[:, -1:]], axis=1)
    apart = np.array([np.prod([p - q for q in points if q != p]) for p in points])
    g = np.concatenate([np.vander(points, 3, increasing=True) / apart[:, None], np.eye(3)[-1:]])
    seen = np.array([np.eye(size + 2)[i + j] for i in range(size) for j in range(3)])
    b = np.linalg.lstsq(np.array([a[i] * g[:, j] for i in range(size) for j in range(3)]), seen, rcond=None)[0]
    return a, g, b


def drawn(size: int, node: Node, x: Array, kernel: Array, bias: Array | None, dice: np.random.Generator) -> Array:
    """A convolution of images, or the gradient of one's image, of which `x` is the gradient of the results."""
    a, g, b = matrices(size)
    above, below, before, after = node.attributes["padding"]
    if bias is None:
        kernel = kernel[::-1, ::-1].swapaxes(2, 3)
        above, below, before, after = (2 - side for side in (above, below, before, after))
    down, right = x.shape[1] + above + below - 2, x.shape[2] + before + after - 2
    tiles = -(-down // size), -(-right // size)
    whole = np.zeros((x.shape[0], tiles[0] * size + 2, tiles[1] * size + 2, x.shape[3]))
    image = x[:, max(-above, 0) :, max(-before, 0) :]
    image = np.pad(image, ((0, 0), (max(above, 0), 0), (max(before, 0), 0), (0, 0)))
    image = image[:, : whole.shape[1], : whole.shape[2]]
    whole[:, : image.shape[1], : image.shape[2]] = image
    seen = np.lib.stride_tricks.sliding_window_view(whole, (size + 2, size + 2), axis=(1, 2))[:, ::size, ::size]
    # Elements first, then images, rows and columns of tiles, channels.
    pixels = _both_ways(b, seen, dice).transpose(4, 5, 0, 1, 2, 3)
    weights = _both_ways(g, kernel.transpose(2, 3, 0, 1), dice).transpose(2, 3, 0, 1)[:, :, None, None]
    made = np.matmul(*(_rounded(operand, kernel.shape[2], dice) for operand in (pixels, weights)))
    results = _both_ways(a, made.transpose(2, 3, 4, 5, 0, 1), dice).transpose(0, 1, 4, 2, 5, 3)
    results = results.reshape(x.shape[0], tiles[0] * size, tiles[1] * size, -1)[:, :down, :right]
    return results if bias is None else results + bias


def _both_ways(matrix: Array, x: Array, dice: np.random.Generator) -> Array:
    """``matrix x matrix'`` of the last two axes: each sum may be off by roundings of its largest parts."""
    for axis in (-1, -2):
        moved = np.swapaxes(x, axis, -1)
        exact, parts = moved @ matrix.T, np.abs(moved) @ np.abs(matrix).T
        x = np.swapaxes(exact + SINGLE * sqrt(matrix.shape[1]) * parts * dice.uniform(-1, 1, exact.shape), axis, -1)
    return x


def _rounded(x: Array, terms: int, dice: np.random.Generator) -> Array:
    """As operands of sums of so many terms: see ``rounding.py``."""
    return x * (1 + SINGLE * (1 + sqrt(terms)) * dice.uniform(-1, 1, x.shape))
