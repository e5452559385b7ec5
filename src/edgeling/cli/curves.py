# SPDX-License-Identifier: Apache-2.0
"""The curves that the report draws, as ``--json`` tells them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from edgeling.graph.types import Array
    from edgeling.report.content import Evaluation

MAX_POINTS = 1000


def curves(evaluation: Evaluation | None) -> dict[str, Any]:
    """``roc`` and ``precision_recall``, each class's, and ``calibration``; nothing for regression.

    Of more points than a thousand so many are told, evenly taken, with both ends; areas are of all.
    """
    if evaluation is None or evaluation.calibration is None:
        return {}
    of_classes = {"roc": evaluation.roc, "precision_recall": evaluation.precision_recall}
    told = {
        name: [{"class": c.label, "area": c.area, "x": _thinned(c.x), "y": _thinned(c.y)} for c in found]
        for name, found in of_classes.items()
    }
    return {**told, "calibration": dict(vars(evaluation.calibration))}


def _thinned(values: Array) -> Array:
    kept = np.linspace(0, len(values) - 1, min(len(values), MAX_POINTS)).round().astype(int)
    return values[kept]
