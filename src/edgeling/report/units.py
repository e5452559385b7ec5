# SPDX-License-Identifier: Apache-2.0
"""Numbers as people read them. A figure that is not known is a dash, and one that is not finite says so."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgeling.report.content import Task

UNKNOWN = "\N{EN DASH}"

_METRICS = {
    "accuracy": "Accuracy",
    "average_precision": "Average precision",
    "balanced_accuracy": "Balanced accuracy",
    "expected_calibration_error": "Expected calibration error",
    "f1": "F1",
    "log_loss": "Log loss",
    "loss": "Loss",
    "neg_log_loss": "Log loss, negative",
    "mae": "Mean absolute error",
    "mse": "Mean squared error",
    "r2": "R²",
    "rmse": "Root mean squared error",
    "roc_auc": "Area under the ROC curve",
}
_RATES = ("accuracy", "precision", "recall", "f1", "calibration_error")
_FIGURES = ("average_precision",)  # the area under a curve, which nobody writes as per cent


def count(value: int | None) -> str:
    """1,234"""
    return UNKNOWN if value is None else f"{value:,}"


def size(value_bytes: int | None) -> str:
    """1,234 B; from 100,000 bytes on in KiB."""
    if value_bytes is None:
        return UNKNOWN
    return f"{value_bytes:,} B" if value_bytes < 100_000 else f"{value_bytes / 1024:,.1f} KiB"


def percent(share: float | None) -> str:
    """93.3 %, of a share in 0 to 1."""
    if share is None:
        return UNKNOWN
    return f"{100 * share:.1f} %" if math.isfinite(share) else "not finite"


def figure(value: float | None, digits: int = 4) -> str:
    """Four significant digits: 0.1234, 12.34, 12,345, 1.2e-7."""
    if value is None:
        return UNKNOWN
    if not math.isfinite(value):
        return "not finite"
    if value == 0:
        return "0"
    if not 1e-4 <= abs(value) < 1e9:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"


def spread(mean: float, std: float, *, percent: bool = False) -> str:
    """0.263 ± 0.074; in percentage points 26.3 ± 7.4."""
    return f"{100 * mean:.1f} ± {100 * std:.1f}" if percent else f"{mean:.3f} ± {std:.3f}"


def duration(seconds: float | None) -> str:
    """4.9 µs, 12 ms, 3.4 s, 2 min 5 s."""
    if seconds is None:
        return UNKNOWN
    if not math.isfinite(seconds):
        return "not finite"
    if seconds >= 60:
        return f"{int(seconds // 60):,} min {int(seconds % 60)} s"
    for unit, scale in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= scale:
            return f"{figure(seconds / scale, 3)} {unit}"
    return f"{figure(seconds * 1e6, 3)} µs"


def metric_name(name: str) -> str:
    """A metric's name for people: "f1_macro" is "F1, macro"."""
    if name in _METRICS:
        return _METRICS[name]
    first, _, rest = name.partition("_")
    known = _METRICS.get(first, first.capitalize())
    return f"{known}, {rest.replace('_', ' ')}" if rest else known


def latency(microseconds: float | None) -> str:
    """The same, of microseconds."""
    return duration(None if microseconds is None else microseconds * 1e-6)


def energy(microjoules: float | None) -> str:
    """Rounded to three digits: "1.2 µJ"."""
    if microjoules is None:
        return UNKNOWN
    for scale, unit in ((1e3, "mJ"), (1.0, "µJ")):
        if microjoules >= scale:
            return f"{figure(microjoules / scale, 3)} {unit}"
    return f"{figure(microjoules * 1e3, 3)} nJ"


def is_rate(name: str) -> bool:
    """Whether a metric is a share in 0 to 1, by its name."""
    return name not in _FIGURES and any(rate in name for rate in _RATES)


def metric(name: str, value: float | None) -> str:
    """A metric's value: rates as per cent, everything else as a figure."""
    return percent(value) if is_rate(name) else figure(value)


def headline_metric(task: Task) -> str:
    """The metric a task is first judged by."""
    return "r2" if task == "regression" else "accuracy"


def shorten(text: str, length: int) -> str:
    """At most ``length`` characters, an ellipsis for what is left out."""
    return text if len(text) <= length else text[: length - 1] + "…"
