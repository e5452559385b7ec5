# SPDX-License-Identifier: Apache-2.0
"""Pixels as the MobileNets expect them."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgeling.layers.symbolic import Symbolic
from edgeling.layers.windows import channels_last
from edgeling.ops import divide, subtract


def preprocess_input(x: Any, data_format: str | None = None) -> Any:
    """Pixels from 0 to 255 brought to -1 to 1, as Keras's function of this name does for MobileNets.

    Args:
        x: an array of any shape, which stays as it is, or a symbolic value.

    Returns:
        float32 of the same shape.

    Raises:
        UnsupportedError: another ``data_format`` than channels last.
    """
    channels_last(data_format)
    if isinstance(x, Symbolic):
        return subtract(divide(x, 127.5), 1.0)
    return np.asarray(x, np.float32) / np.float32(127.5) - np.float32(1)
