# SPDX-License-Identifier: Apache-2.0
"""Arguments of fit, evaluate and predict: what each may be, and who is refused by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edgeling import config
from edgeling.checking import whole
from edgeling.configurable import refuse
from edgeling.errors import UnsupportedError

DEFAULT_BATCH_SIZE = 32


def leaves(given: Any) -> Iterator[Any]:
    """Each of what stands in lists and mappings of outputs, as Keras's ``compile`` takes losses and metrics."""
    if isinstance(given, Mapping) and "class_name" not in given:
        given = list(given.values())
    if isinstance(given, (list, tuple)):
        for part in given:
            yield from leaves(part)
    elif given is not None:
        yield given


def verbosity(given: Any) -> int:
    """0, 1 or 2; "auto" is 1, unless :func:`edgeling.config.disable_interactive_logging` was called.

    Raises:
        UnsupportedError: anything else.
    """
    if given not in ("auto", 0, 1, 2):
        raise UnsupportedError("verbose is 'auto', 0, 1 or 2", received=repr(given), remedy="verbose='auto'")
    return int(config.is_interactive_logging_enabled() if given == "auto" else given)


def batch_size_of(given: Any, rows: int | None = None) -> int:
    """Rows of a batch: 32 unless given, at most as many as there are.

    Raises:
        UnsupportedError: not a whole positive number.
    """
    size = DEFAULT_BATCH_SIZE if given is None else whole("batch_size", given)
    return size if rows is None else min(size, rows)


def refuse_beside_batches(sample_weight: Any, validation_split: float, batch_size: Any) -> None:
    """Raise if anything is given that only makes sense with rows.

    Raises:
        UnsupportedError: it is.
    """
    refuse("data in batches", "sample_weight", sample_weight, "yield (x, y, sample_weight)")
    refuse("data in batches", "validation_split", validation_split or None, "validation_data")
    refuse("data in batches", "batch_size", batch_size, "leave it out: batches have their size")
