# SPDX-License-Identifier: Apache-2.0
"""JSON that means the same to every reader."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from math import isfinite, isinf
from pathlib import Path
from typing import Any, NoReturn

_SURROGATE = re.compile(r"\\ud[89a-f]|[\ud800-\udfff]", re.IGNORECASE)


def parse(text: str | bytes) -> Any:
    """Plain values of JSON (bytes: in UTF-8).

    Raises:
        ValueError: not JSON; a name twice in one object; NaN, infinity or a number that float64 cannot hold; half a
            surrogate pair, which is no text; nesting deeper than Python follows.
    """
    try:
        decoded = text if isinstance(text, str) else text.decode()
        value = json.loads(
            decoded,
            object_pairs_hook=_no_repeats,
            parse_constant=_no_constants,
            parse_float=_finite,
        )
        if _SURROGATE.search(decoded):
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError(str(error)) from error
    return value


def finite(value: Any) -> Any:
    """Plain values that JSON can hold: numbers it cannot (NaN, infinity) are null, arrays lists, paths text."""
    if isinstance(value, Mapping):
        return {str(k): finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    if hasattr(value, "tolist"):  # an array or a number of NumPy, for which --help need not wait
        return finite(value.tolist())
    if isinstance(value, float) and not isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A name written twice would mean one thing to us and another to the next reader."""
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a name appears twice in one object")
    return dict(pairs)


def _no_constants(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if isinf(value):
        raise ValueError(f"{text[:40]} is too large a number")
    return value
