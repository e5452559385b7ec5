# SPDX-License-Identifier: Apache-2.0
"""Names that nobody has yet."""

from __future__ import annotations

from collections.abc import Container


def unused(name: str, taken: Container[str]) -> str:
    """``name``, or the first of ``name_2``, ``name_3``... that is not taken."""
    candidate, number = name, 2
    while candidate in taken:
        candidate, number = f"{name}_{number}", number + 1
    return candidate
