# SPDX-License-Identifier: Apache-2.0
"""From what people hand over to float32 arrays.

NumPy arrays, lists, and anything NumPy can read (pandas, Polars, PyTorch's tensors) are taken. Every refusal is a
DataError.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeling.errors import DataError
from edgeling.graph.types import Array

Floats = NDArray[np.float32]


def by_itself(given: Any, *dimensions: int) -> Any:
    """An array of that many dimensions that came in a list of one, which Keras takes for the only input or output."""
    alone = isinstance(given, (list, tuple)) and len(given) == 1 and hasattr(given[0], "shape")
    return given[0] if alone and len(given[0].shape) in dimensions else given


class Several:
    """Arrays of as many rows, side by side: what a model of several inputs or outputs takes and gives.

    Args:
        parts: arrays [rows, ...]; None where there is nothing, such as weights of rows of one output.
    """

    def __init__(self, parts: Sequence[Array | None]) -> None:
        self.parts = tuple(parts)

    def __len__(self) -> int:
        return next(len(part) for part in self.parts if part is not None)

    def __getitem__(self, rows: Any) -> Several:
        """Some of the rows: by an array of their numbers, or a slice."""
        return Several([None if part is None else part[rows] for part in self.parts])

    @property
    def nbytes(self) -> int:
        """Of all parts."""
        return sum(part.nbytes for part in self.parts if part is not None)


Rows = Array | Several
"""[rows, ...] of one value, or of several."""


def parts_of(rows: Rows | None) -> tuple[Array | None, ...]:
    """The arrays that stand side by side."""
    return rows.parts if isinstance(rows, Several) else (rows,)


def side_by_side(parts: Sequence[Any]) -> Any:
    """An array for itself, several together."""
    return parts[0] if len(parts) == 1 else Several(parts)


def joined(rows: Sequence[Any]) -> Any:
    """Rows one after the other."""
    if not isinstance(rows[0], Several):
        return np.concatenate(rows)
    columns = zip(*(each.parts for each in rows), strict=True)
    return Several([None if column[0] is None else np.concatenate(column) for column in columns])


def numbers(values: Any, what: str, finite: bool = True) -> Floats:
    """As a contiguous float32 array, every value finite (unless told otherwise).

    Raises:
        DataError: text, dates, ragged rows, NaN or infinite values, or no rows.
    """
    array = _numeric(values, what)
    if array.ndim == 0 or not len(array):
        raise DataError(
            f"{what} has at least one row", received=f"shape {array.shape}",
            remedy="rows; an empty table has nothing to learn from",
        )  # fmt: skip
    if not finite and array.dtype == np.float32:
        return np.require(array, requirements=("C", "A"))
    with np.errstate(over="ignore", invalid="ignore"):
        floats = np.require(array, np.float32, ("C", "A"))
        total = floats.sum() if finite else 0.0
    if not np.isfinite(total):
        _check_finite(floats, what)
    return floats


def is_batch(value: Any) -> bool:
    """Whether one element of a list is a batch of rows: an array, or a tuple that begins with one."""
    first = value[0] if isinstance(value, tuple) and value else value
    while isinstance(first, (list, tuple, Mapping)) and first and isinstance(value, tuple):  # of several inputs
        first = next(iter(first.values() if isinstance(first, Mapping) else first))
    return len(getattr(first, "shape", ())) > 1


def stacked(x: Any) -> Any:
    """Batches of rows as one array; anything else as it is.

    Raises:
        DataError: no batches, or batches of rows of different shapes.
    """
    if hasattr(x, "__array__") or hasattr(x, "toarray") or not hasattr(x, "__iter__"):
        return x
    parts = x if isinstance(x, (list, tuple)) else list(x)
    if parts and not all(map(is_batch, parts)):
        return parts
    arrays = [numbers(part[0] if isinstance(part, tuple) else part, "x", finite=False) for part in parts]
    if len({array.shape[1:] for array in arrays}) != 1:
        raise DataError(
            "batches hold rows of one shape", received=str(sorted({a.shape[1:] for a in arrays})),
            remedy="pad or cut the rows to one shape",
        )  # fmt: skip
    return np.concatenate(arrays)


def _numeric(values: Any, what: str) -> NDArray[Any]:
    if hasattr(values, "toarray"):  # SciPy's sparse matrices
        values = values.toarray()
    try:
        if hasattr(values, "detach"):  # PyTorch's tensors, which may lie elsewhere or be asked for gradients
            values = values.detach().cpu().numpy()
        array = np.asarray(values)
        if array.dtype.kind == "O":
            array = np.asarray([list(r) if np.ndim(r) else r for r in array], dtype=np.float64)
    except (TypeError, ValueError, RuntimeError):
        received, remedy = _unclear(values, what)
        raise DataError(
            f"{what} holds numbers in rows of one length", received=received or _form_of(values), remedy=remedy
        ) from None
    if array.dtype.kind not in "fiub":
        raise DataError(
            f"{what} holds numbers", received=f"{array.dtype} values", remedy=_TEXT_REMEDY.get(what, _TEXT_REMEDY["x"])
        )
    return array


def _unclear(values: Any, what: str) -> tuple[str, str]:
    """What stands among values that are no numbers, and what to do about it; "" where their lengths are the matter."""
    if callable(values) and not hasattr(values, "shape"):
        name = getattr(values, "__name__", type(values).__name__)
        return f"{name}, which is to be called", f"{name}(): what gives batches, not what makes it"
    if isinstance(values, list) and values and all(isinstance(x, list) and x and is_batch(x[0]) for x in values):
        return (
            f"{len(values)} lists of arrays, {_form_of(values)}",
            "batches as tuples, [(x, y), ...]; several inputs as a list of arrays",
        )
    for one in np.asarray(values, object).ravel() if hasattr(values, "shape") else ():
        if isinstance(one, str):
            return f"the text {one[:40]!r}", _TEXT_REMEDY.get(what, _TEXT_REMEDY["x"])
        if one is None or type(one).__name__ in ("NAType", "NaTType"):
            return "values that are missing", "rows without them, or numbers in their place: df.fillna(0)"
        if hasattr(one, "year"):
            return (
                f"the date {one}",
                "numbers of dates, such as days since the first, or `edgeling train` from the table",
            )
    return "", "an array" if values is None else "numbers in rows of one length: pad or cut them"


def _form_of(values: Any) -> str:
    """What was given in the place of numbers, for people."""
    if not isinstance(values, (list, tuple)) or not values:
        shape = getattr(values, "shape", None)
        return "None" if values is None else f"shape {shape}" if shape else type(values).__name__
    parts = list(dict.fromkeys(map(_form_of, values)))
    return f"a {type(values).__name__} of {len(values)}: {' and '.join(parts[:3])}" + ", ..." * (len(parts) > 3)


_TEXT_REMEDY = {
    "x": "turn text into numbers first (one-hot encoding), or train from the table with `edgeling train`",
    "y": "turn labels into class numbers: np.unique(y, return_inverse=True)[1]",
}


def _check_finite(floats: Floats, what: str) -> None:
    bad = np.argwhere(~np.isfinite(floats))
    if len(bad):
        where = tuple(bad[0].tolist())
        raise DataError(
            f"{what} holds finite numbers",
            received=f"{len(bad)} that are NaN or infinite in float32, the first at {where}",
            remedy="drop those rows, or fill them in",
        )
