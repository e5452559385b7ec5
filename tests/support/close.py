# SPDX-License-Identifier: Apache-2.0
"""Floats compared where their roundings can be counted; :mod:`tests.support.rounding` is for where they cannot.

``n`` roundings to the nearest, each half an ulp, move a sum or a product of positive numbers by no more than the share
``n u / (1 - n u)`` of it, in any order (N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2002, lemma 3.1).
Where signs differ, it is that share of the sum of the magnitudes. Two results that both round are each so near the
truth, and so near each other as both counts allow.
"""

from __future__ import annotations

from typing import Any

import numpy as np

SINGLE, DOUBLE = 2.0**-24, 2.0**-53  # half an ulp of 1 in float32 and float64
LEAST = 2.0**-126  # below the normal numbers of float32, of which some processors make zero


def allowed(exact: Any, roundings: Any, of: Any = None, unit: float = SINGLE) -> Any:
    """How far so many roundings may lead from the truth; ``of``: the sum of magnitudes, by default the truth's own."""
    magnitude = np.abs(np.asarray(exact, np.float64)) if of is None else np.abs(np.asarray(of, np.float64))
    return roundings * unit / (1 - roundings * unit) * magnitude + (LEAST if unit == SINGLE else 0.0)


def require_close(found: Any, exact: Any, roundings: Any, of: Any = None, unit: float = SINGLE, what: str = "") -> None:
    """AssertionError unless every element is as near as :func:`allowed` says, NaN and infinities the same."""
    found, exact = (np.asarray(x, np.float64) for x in (found, exact))
    room = np.broadcast_to(allowed(exact, roundings, of, unit), exact.shape)
    assert found.shape == exact.shape, f"{what}: shape {found.shape} for {exact.shape}"
    finite = np.isfinite(exact)
    np.testing.assert_array_equal(found[~finite], exact[~finite], what)
    off = np.abs(found[finite] - exact[finite])
    with np.errstate(divide="ignore", invalid="ignore"):
        times = np.nan_to_num(off / room[finite], nan=0.0, posinf=np.inf)
    assert np.all(off <= room[finite]), f"{what}: {times.max():.3g} times what {roundings} roundings may cost"


def half_unit(exact: Any, digits: int) -> Any:
    """How far the nearest decimal number of so many significant digits may be: half a unit of its last one."""
    return 0.5 * 10.0 ** (np.floor(np.log10(np.abs(exact))) - digits + 1)


def product_magnitude(x: Any, kernel: Any, bias: Any = 0.0) -> Any:
    """The sums of the magnitudes of what is summed in ``x @ kernel + bias``."""
    x, kernel, bias = (np.abs(np.asarray(a, np.float64)) for a in (x, kernel, bias))
    return x @ kernel + bias
