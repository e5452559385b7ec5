# SPDX-License-Identifier: Apache-2.0
"""Lengths that are not known before there are rows: ``Input((None, 6))``, sequences of any number of steps.

What a layer makes of them is seen by asking it twice, of rows of two lengths: what differs between the answers depends
on the length, and is not known either. So no layer has rules of its own for it, and each is traced for lengths that
are known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from edgeling.errors import EdgelingError, UnsupportedError
from edgeling.layers.shapes import Shape

EXAMPLES = ((240, 480), (5040, 10080))
"""Pairs of lengths to ask with: many numbers divide them; the larger ones are for windows that leave little."""

Rows = tuple[Shape, ...]


def is_known(row: Sequence[Any]) -> bool:
    """Whether all lengths are."""
    return None not in row


def fits(row: Sequence[Any], declared: Sequence[Any] | None) -> bool:
    """Whether a row is one of those declared: each length is as it is there, or not known there."""
    return declared is not None and len(row) == len(declared) and all(
        b is None or a == b for a, b in zip(row, declared, strict=True)
    )  # fmt: skip


def filled(row: Sequence[Any], length: int) -> Shape:
    """The row with a length in the place of those that are not known."""
    return tuple(length if n is None else n for n in row)


def asked(question: Callable[[Rows], Sequence[Shape]], rows: Sequence[Sequence[Any]]) -> Rows:
    """What a question about rows has for answer, in lengths that may not be known.

    Args:
        question: from rows whose lengths are known to the rows of what is made of them.

    Raises:
        UnsupportedError: what the question raises, of all lengths that are tried.
    """
    if all(map(is_known, rows)):
        return tuple(question(tuple(map(tuple, rows))))
    first: EdgelingError | None = None
    for pair in (*EXAMPLES, *((n, n) for n in _beside_unknown(rows))):
        try:
            one, other = (question(tuple(filled(row, length) for row in rows)) for length in pair)
        except EdgelingError as error:
            first = first or error
            continue
        return tuple(map(common, one, other))
    assert first is not None
    raise first


def require_lasting(layer: Any, row: Sequence[Any]) -> None:
    """Raise if weights of a layer would be of other shapes for other lengths.

    Raises:
        UnsupportedError: they would.
    """
    one, other = (layer.weight_shapes(filled(row, length)) for length in EXAMPLES[0])
    if one != other:
        raise UnsupportedError(
            "weights have shapes that no unknown length changes",
            received=f"layer {layer.name!r} ({type(layer).__name__}) on rows of shape {tuple(row)}",
            remedy="a layer that sums over the steps before it, such as GlobalAveragePooling1D or LSTM, or an Input of "
            "known lengths",
        )


def common(one: Sequence[Any], other: Sequence[Any]) -> Any:
    """The row with no length where these two differ."""
    return tuple(a if a == b else None for a, b in zip(one, other, strict=True))


def _beside_unknown(rows: Sequence[Sequence[Any]]) -> list[int]:
    """Lengths that stand where others are not known."""
    places = {at for row in rows for at, n in enumerate(row) if n is None}
    return sorted({row[at] for row in rows for at in places if at < len(row) and row[at] is not None})
