# SPDX-License-Identifier: Apache-2.0
"""Functions of pictures, [rows, height, width, channels]."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgeling.errors import UnsupportedError
from edgeling.layers.traced import TracedValue
from edgeling.ops.operation import operation
from edgeling.ops.values import permuted, reshaped, taken, value

__all__ = ["extract_patches"]


def _pair(given: Any) -> tuple[int, int]:
    return (int(given), int(given)) if np.ndim(given) == 0 else (int(given[0]), int(given[1]))


@operation("image", settings=("size", "strides", "dilation_rate", "padding", "data_format"))
def extract_patches(
    images: Any, size: int | Sequence[int], strides: Any = None, dilation_rate: int = 1, padding: str = "valid",
    data_format: str | None = None,
) -> TracedValue:  # fmt: skip
    """Windows of pictures: [rows, h, w, c] -> [rows, down, across, size * size * c].

    Raises:
        UnsupportedError: pictures of another rank, windows larger than they are, other paddings or dilations.
    """
    given, (high, wide) = value(images), _pair(size)
    by_down, by_across = _pair(size if strides is None else strides)
    told = (padding, dilation_rate, data_format or "channels_last")
    if told != ("valid", 1, "channels_last") or len(given.lengths) != 4:
        raise UnsupportedError(
            "patches are of pictures [rows, height, width, channels], without padding",
            received=f"shape {given.shape}, padding={padding!r}, dilation_rate={dilation_rate}, "
            f"data_format={data_format!r}",
            remedy="ops.pad(images, ...) first, padding='valid'",
        )  # fmt: skip
    rows, height, width, channels = given.lengths
    if high > height or wide > width:
        raise UnsupportedError(
            f"patches lie within pictures of {height} by {width}",
            received=f"size={(high, wide)}",
            remedy="a smaller size",
        )
    down, across = (height - high) // by_down + 1, (width - wide) // by_across + 1
    lines = taken(given, [at * by_down + i for at in range(down) for i in range(high)], 1)
    both = taken(lines, [at * by_across + i for at in range(across) for i in range(wide)], 2)
    apart = reshaped(both, (rows, down, high, across, wide, channels))
    return reshaped(permuted(apart, (0, 1, 3, 2, 4, 5)), (rows, down, across, high * wide * channels))
