# SPDX-License-Identifier: Apache-2.0
"""The C calls of convolutions by Winograd's transforms (``kernels/winograd.h``), where fewer products pay.

Which tiles, if any, is told by counting, not by timing, so that it is the same everywhere: of an image an instruction a
product, one to read a weight for each block of tiles, and those that transforms take, arithmetic, loads and stores. How
many images there are is not asked: a row's answer does not depend on the rows beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import prod

import numpy as np

from edgeling.codegen.calls_convolutions import Geometry, candidates, is_vectors, limited, window
from edgeling.codegen.site import Call, Line, Setting, Site
from edgeling.graph.types import Array

# As in winograd.h and winograd_tile.h.
BLOCK, PANEL, BESIDE, PARALLEL = 8, 32, 16, "winograd_parallel"
POINTS = {2: (Fraction(0), Fraction(1), Fraction(-1)), 4: tuple(Fraction(n, 8) for n in (0, 5, -5, 12, -12))}
# Instructions for a channel of a tile's pixels, for an output of it on the way back, for weights between the two.
TRANSFORMS = {2: (96, 60, 60), 4: (288, 220, 126)}
# What must be saved for memory and roundings to be worth it, and how large a transformed kernel may be: caches hold it.
WORTHWHILE, LARGEST_KERNEL = 0.75, 1 << 20


def elements(size: int) -> int:
    """Of the transform of a tile of ``size`` by ``size`` results."""
    return (size + 2) ** 2


def weights_of(size: int) -> Array:
    """``G [size + 2, 3]`` in double precision: what three weights become, along one axis."""
    points = POINTS[size]
    rows = []
    for point in points:
        apart = prod((point - other for other in points if other != point), start=Fraction(1))
        rows.append([point**power / apart for power in range(3)])
    if size == 2:  # of which the transform of pixels has the sign
        rows[0] = [-number for number in rows[0]]
    return np.array([*rows, [0, 0, 1]], np.float64)


def transformed(kernel: Array, size: int) -> Array:
    """The table of winograd.h of a kernel ``[3, 3, channels, outputs]``."""
    g = weights_of(size)
    each = np.einsum("ip,jq,pqco->ijco", g, g, kernel.astype(np.float64)).reshape(-1, *kernel.shape[2:])
    panels = [each[..., first : first + PANEL].ravel() for first in range(0, kernel.shape[3], PANEL)]
    return np.concatenate(panels).astype(np.float32)


def tile_size(positions: tuple[int, ...], channels: int, outputs: int, is_packed: bool = True) -> int | None:
    """How many results each way a tile of an image should have; None: a direct convolution is as good.

    Args:
        is_packed: whether the kernel is transformed at build time.
    """
    direct = prod(positions) * 9 * channels * outputs
    costs = {size: _cost(size, positions, channels, outputs, is_packed) for size in POINTS}
    best = min(costs, key=costs.__getitem__)
    return best if costs[best] <= WORTHWHILE * direct else None


def _cost(size: int, positions: tuple[int, ...], channels: int, outputs: int, is_packed: bool) -> float:
    tiles, kernel = prod(-(-n // size) for n in positions), elements(size) * channels * outputs
    if kernel > LARGEST_KERNEL:
        return np.inf
    of_pixels, of_results, of_weights = TRANSFORMS[size]
    products = (tiles + -(-tiles // BLOCK)) * kernel + (0 if is_packed else of_weights * channels * outputs)
    return products + tiles * (of_pixels * channels + of_results * outputs)


def size_for(setting: Setting, is_packed: bool) -> int | None:
    """The size of tiles for a node; None: its window is not one of 3 by 3 neighbouring pixels that moves by one, its
    channels come not in fours, it does not pay, or the C travels, where kernels of several times the size do not."""
    geometry = Geometry(setting)
    w, images = geometry.window, (geometry.image, geometry.result)
    seen, made = images[::-1] if setting.node.operation == "conv_input_gradient" else images
    plain = (w.size, w.strides, w.dilations, geometry.groups) == ((3, 3), (1, 1), (1, 1), 1)
    here = is_vectors(setting) and setting.target is not None and setting.target.core == "native"
    if not here or not plain or seen.shape[3] % 4 or made.shape[3] % 4:
        return None
    return tile_size(made.shape[1:3], seen.shape[3], made.shape[3], is_packed)


def _is_packed(setting: Setting) -> bool:
    return setting.node.operation == "conv" and {1, 2} <= set(setting.constants)


def _takes(setting: Setting) -> bool:
    return size_for(setting, _is_packed(setting)) is not None


def _takes_packed(setting: Setting) -> bool:
    return _is_packed(setting) and _takes(setting)


def _chosen(setting: Setting) -> int:
    size = size_for(setting, _is_packed(setting))
    assert size
    return size


def _block_floats(setting: Setting, channels: int, outputs: int) -> int:
    """Of all threads: as ``edgeling_winograd_floats`` has it, and what alignment takes."""
    size, panel = _chosen(setting), min(outputs, PANEL)
    of_element = BLOCK * (channels + panel) + 2 * BESIDE
    return setting.threads * (elements(size) * of_element + size**2 * panel + BESIDE) + BESIDE


def _packed_floats(setting: Setting) -> int:
    geometry = Geometry(setting)
    return _block_floats(setting, geometry.image.shape[3], geometry.result.shape[3])


def _kernel_floats(setting: Setting) -> int:
    return elements(_chosen(setting)) * setting.input_types[1].size // 9


def _forward_floats(setting: Setting) -> int:
    return _kernel_floats(setting) + _packed_floats(setting)


def _input_floats(setting: Setting) -> int:
    geometry = Geometry(setting)
    blocks = _block_floats(setting, geometry.result.shape[3], geometry.image.shape[3])
    return _kernel_floats(setting) + max(blocks, setting.input_types[1].size + BESIDE)


def _pack(setting: Setting) -> Mapping[str, Array]:
    return {"transformed": transformed(setting.constants[1], _chosen(setting)), "bias": setting.constants[2]}


def _forward(name: str) -> Line:
    return lambda site: limited(site, name, str(_chosen(site)), site.scratch)


def _gradient(name: str) -> Line:
    def line(site: Site) -> str:
        return site.call(name, site.length(0, 0), window(site), str(_chosen(site)), site.scratch)

    return line


CONV_CALLS: Sequence[Call] = (
    *candidates("winograd_packed", "winograd", _takes_packed, _packed_floats, _forward, PARALLEL, pack=_pack),
    *candidates("winograd", "winograd", _takes, _forward_floats, _forward, PARALLEL),
)
INPUT_GRADIENT_CALLS: Sequence[Call] = candidates(
    "winograd_input_gradient", "winograd", _takes, _input_floats, _gradient, PARALLEL
)
