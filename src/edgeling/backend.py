# SPDX-License-Identifier: Apache-2.0
"""What programs written for Keras ask its backend: there is one here, of float32, channels last."""

from __future__ import annotations

from edgeling.utils import clear_session

__all__ = ["backend", "clear_session", "epsilon", "floatx", "image_data_format"]


def backend() -> str:
    """Always "edgeling"."""
    return "edgeling"


def floatx() -> str:
    """Always "float32"."""
    return "float32"


def epsilon() -> float:
    """How near to 0 and 1 losses let probabilities come: 1e-7."""
    return 1e-7


def image_data_format() -> str:
    """Always "channels_last"."""
    return "channels_last"
