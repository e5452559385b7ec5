# SPDX-License-Identifier: Apache-2.0
"""Sizes of memory as people write them."""

from __future__ import annotations

import re
from typing import Annotated

import typer

_SIZE = re.compile(r"\s*(0x[0-9a-f]{1,8}|[0-9]{1,10})\s*(?:(k|m)(?:i?b)?|b|bytes)?\s*", re.IGNORECASE)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20}

Flash = Annotated[str, typer.Option(help="The chip's flash, such as 64k or 1M, instead of the target's.")]
Ram = Annotated[str, typer.Option(help="The chip's RAM, such as 8k, instead of the target's.")]


def size_bytes(option: str, text: str) -> int | None:
    """``64k``, ``64 KiB`` or ``65536`` in bytes; k and M are powers of 1024. None for nothing."""
    if not text:
        return None
    match = _SIZE.fullmatch(text)
    if match is None:
        raise typer.BadParameter(f"{text!r} is not a size such as 64k or 65536", param_hint=f"--{option}")
    number, unit = match.groups()
    return int(number, 0 if number.lower().startswith("0x") else 10) * _UNITS[(unit or "").lower()]
