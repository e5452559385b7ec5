# SPDX-License-Identifier: Apache-2.0
"""A mask that a call is told: ``layer(x, mask=mask)``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgeling.errors import DataError, UnsupportedError
from edgeling.layers.symbolic import Arguments
from edgeling.network.tracing import Tracer

Shape = tuple[int, ...]


def require_mask(layer: str, rows: Sequence[Shape], arguments: Arguments, wanted: Shape, broadcast: bool) -> None:
    """Raise if a call is told a mask of another shape than ``wanted``, or one that is no batch of rows.

    Args:
        broadcast: axes of it may have length 1.

    Raises:
        UnsupportedError: it is.
    """
    places, named = arguments
    mask = named.get("mask", places[1] if len(places) > 1 else None)
    given = [row for at, row in enumerate(rows) if at == getattr(mask, "index", -1)]
    fits = [len(row) == len(wanted) and all(n == w or (n == 1 and broadcast) for n, w in zip(row, wanted, strict=True))
            for row in given]  # fmt: skip
    if fits != [True] * (mask is not None) or len(rows) != 1 + len(given):
        raise UnsupportedError(
            f"a mask of layer {layer!r} has rows of shape {wanted}", received=str(given[0] if given else repr(mask)),
            remedy=f"Input({wanted}), 1 where something counts",
        )  # fmt: skip


def require_masks(layer: str, told: Any, rows: Sequence[Shape], wanted: Sequence[Shape]) -> None:
    """Raise if a call on several values is told something else than a mask, or None, for each of the first two.

    Args:
        rows: of all values of the call, the masks among them.
        wanted: the rows of the masks.

    Raises:
        UnsupportedError: it is.
    """
    if told is None:
        return
    if not isinstance(told, (list, tuple)) or not 2 <= len(told) <= 3:
        raise UnsupportedError(
            f"the mask of layer {layer!r} is a list of the query's and the value's",
            received=f"{len(told)} of them" if isinstance(told, (list, tuple)) else type(told).__name__,
            remedy="mask=[query_mask, value_mask], None where all steps count",
        )
    for one, row in zip(told, wanted, strict=False):
        given = rows[one.index] if hasattr(one, "index") and not isinstance(one, (list, tuple)) else repr(one)
        if one is not None and given != row:
            raise UnsupportedError(
                f"a mask of layer {layer!r} has rows of shape {row}", received=str(given),
                remedy=f"Input({row}), 1 where something counts",
            )  # fmt: skip


def counting_each(tracer: Tracer, values: Sequence[str], told: Any) -> list[str]:
    """Of each value which of its steps count: as a call is told, else as its own mask says; "" where all do."""
    if told is None:
        return [tracer.mask_of(value) for value in values]
    nothing = tracer.number(0.0)
    return [tracer.builder.add("compare", mask, nothing) if mask else "" for mask in told[: len(values)]]


def require_rows(layer: str, batches: Sequence[Any], arguments: Arguments | None) -> None:
    """Raise if what a call is told beside its rows is neither of as many rows nor of one.

    Args:
        batches: the arrays among the call's arguments, in order.
        arguments: how they stand there; an ``attention_mask`` of two axes is for all rows.

    Raises:
        DataError: it is of another number of rows.
    """
    free = arguments[1].get("attention_mask") if arguments else None
    for at, batch in enumerate(batches):
        is_free = at == getattr(free, "index", -1) and batch.ndim == 2
        if len(batch) not in (1, len(batches[0])) and not is_free:
            raise DataError(
                f"what layer {layer!r} is called on has as many rows", received=f"{len(batches[0])} and {len(batch)}",
                remedy="a mask, a state or a value for each of the rows",
            )  # fmt: skip


def require_as_many(layer: str, masks: int, rows: int) -> None:
    """Raise if there are neither as many rows of a mask as rows that it masks, nor one for all.

    Raises:
        UnsupportedError: there are not.
    """
    if masks not in (1, rows):
        raise UnsupportedError(
            f"a mask of layer {layer!r} has a row for each row, or one for all",
            received=f"{masks} for {rows}", remedy=f"a mask of {rows} rows",
        )  # fmt: skip
