# SPDX-License-Identifier: Apache-2.0
"""From what people hand over to float32 arrays.

NumPy arrays, lists, and anything NumPy can read (pandas, Polars, PyTorch's tensors) are taken. Every refusal is a
DataError.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeling.errors import DataError

Floats = NDArray[np.float32]


def numbers(values: Any, what: str, finite: bool = True) -> Floats:
    """As a contiguous float32 array, every value finite (unless told otherwise).

    Raises:
        DataError: text, dates, ragged rows, NaN or infinite values, or no rows.
    """
    array = _numeric(values, what)
    if array.ndim == 0 or not len(array):
        raise DataError(f"{what} has at least one row", received=f"shape {array.shape}")
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
        raise DataError("batches hold rows of one shape", received=str(sorted({a.shape[1:] for a in arrays})))
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
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"{what} holds numbers in rows of one length", received=str(error)) from None
    if array.dtype.kind not in "fiub":
        raise DataError(
            f"{what} holds numbers", received=f"{array.dtype} values", remedy=_TEXT_REMEDY.get(what, _TEXT_REMEDY["x"])
        )
    return array


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
