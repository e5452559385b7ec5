# SPDX-License-Identifier: Apache-2.0
"""Keras's older place of :mod:`edgeling.config`, and of what is asked of types."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgeling.config import (
    backend,
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from edgeling.layers.symbolic import Symbolic
from edgeling.utils import clear_session, standardize_dtype

__all__ = [
    "backend", "clear_session", "epsilon", "floatx", "image_data_format", "is_float_dtype", "is_int_dtype",
    "is_keras_tensor", "result_type", "set_epsilon", "set_floatx", "set_image_data_format", "standardize_dtype",
]  # fmt: skip


def is_float_dtype(dtype: Any) -> bool:
    """Whether a type, or its name, is of numbers with a point."""
    return standardize_dtype(dtype).startswith("float")


def is_int_dtype(dtype: Any) -> bool:
    """Whether a type, or its name, is of whole numbers."""
    return standardize_dtype(dtype).startswith(("int", "uint"))


def is_keras_tensor(x: Any) -> bool:
    """Whether x stands for what is not computed yet."""
    return isinstance(x, Symbolic)


def result_type(*dtypes: Any) -> str:
    """The type of what is computed of values of ``dtypes``: "float32" if one of them is of numbers with a point."""
    names = [standardize_dtype(one) for one in dtypes]
    return "float32" if any(map(is_float_dtype, names)) or not names else str(np.result_type(*names))
