# SPDX-License-Identifier: Apache-2.0
"""Numbers, arrays and comments as C text. The same value always gives the same text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np

from edgeling.graph.types import Array, DType, TensorType

LINE = 116
# Control characters, line separators, those that turn the direction of writing, which compilers warn of, and halves of
# characters, which no file holds.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# The first of two characters that would mean something together, or a backslash at the end of its line.
_SPECIAL = re.compile(r"(\*(?=/)|/(?=\*)|\?(?=\?)|\\(?=\s*$))")


def float_literal(value: float) -> str:
    """The shortest C literal that reads back as the same float32.

    Example:
        >>> float_literal(0.1)
        '0.1f'
    """
    number = np.float32(value)
    if np.isnan(number):
        return "EDGELING_NAN"
    if np.isinf(number):
        return "EDGELING_INFINITY" if number > 0 else "-EDGELING_INFINITY"
    return _with_point(str(number)) + "f"


def _with_point(digits: str) -> str:
    return digits if "." in digits or "e" in digits else f"{digits}.0"


def literal(value: Any, dtype: DType) -> str:
    """One element as a C constant of its type."""
    if dtype is DType.FLOAT32:
        return float_literal(float(value))
    if dtype is DType.UINT32:
        return f"{int(value)}u"
    if dtype is DType.INT32 and int(value) == -(2**31):
        return "(-2147483647 - 1)"
    return str(int(value))


def initializer(array: Array, indent: str = "    ") -> str:
    """An array's elements between braces: on one line if they fit, else a row of the last axis at a time."""
    dtype = DType.of(array)
    flat = [literal(v, dtype) for v in array.reshape(-1)]
    if len(one_line := ", ".join(flat)) <= LINE - 40:
        return f"{{{one_line}}}"
    columns = array.shape[-1] if array.ndim > 1 and array.shape[-1] > 3 else len(flat)
    rows = [flat[i : i + columns] for i in range(0, len(flat), columns)]
    return "{\n" + "".join(f"{line}\n" for row in rows for line in wrap_items(row, indent)) + "}"


def wrap_code(line: str, indent: str = "") -> str:
    """A line of C, broken between words where it is too long."""
    text = line.lstrip(" ")
    indent += line[: len(line) - len(text)]
    return fill(text, LINE + 4, initial_indent=indent, subsequent_indent=indent + "    ", break_long_words=False,
                break_on_hyphens=False)  # fmt: skip


def wrap_prototype(text: str) -> str:
    """A function's head, broken between arguments where it is too long."""
    return wrap_code(re.sub("(?<!,) ", "\0", text)).replace("\0", " ")


def wrap_items(items: Sequence[str], indent: str) -> list[str]:
    """Items with commas behind them, on lines broken between items only."""
    lines, line = [], indent
    for item in items:
        if len(line) + len(item) + 2 > LINE and line != indent:
            lines.append(line.rstrip())
            line = indent
        line += f"{item}, "
    return [*lines, line.rstrip()]


def shape_text(kind: TensorType) -> str:
    """What a comment says of a buffer.

    Example:
        >>> shape_text(TensorType((1, 4)))
        '[1,4]'
    """
    return f"[{','.join(map(str, kind.shape))}]" if kind.shape else "scalar"


def comment(lines: Sequence[str]) -> str:
    """A block comment; what would end it, begin another, or be read as a trigraph or a spliced line, is defused."""
    safe = [_SPECIAL.sub(r"\1 ", _UNSEEN.sub(" ", line)) for line in lines]
    text = "/* " + "\n * ".join(safe) + ("\n */" if len(safe) > 1 else " */") + "\n"
    return text.replace(" * \n", " *\n")


# Activations that limit a value: low, high.
LIMITS: Mapping[str, tuple[float | None, float | None]] = {
    "linear": (None, None), "relu": (0.0, None), "relu6": (0.0, 6.0),
}  # fmt: skip


def limits(function: str) -> tuple[str, str]:
    """What an activation limits a value to, as C; of others infinities."""
    low, high = LIMITS.get(function, (None, None))
    return (
        "-EDGELING_INFINITY" if low is None else float_literal(low),
        "EDGELING_INFINITY" if high is None else float_literal(high),
    )
