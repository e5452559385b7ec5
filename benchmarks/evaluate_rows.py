# SPDX-License-Identifier: Apache-2.0
"""What a row of validation costs beside a step of training on a row, in batches of 32: six networks, one thread.

A fit that validates, less the same fit that does not: what a call of `evaluate` costs before it sees a row is no part.
"""

from __future__ import annotations

from functools import partial

from benchmarks import widths
from benchmarks.comparison import Comparison, Contender, Measure, seconds_per_call
from benchmarks.train_networks import EPOCHS, edgeling_model, rows_of

BATCH = 32
SHARE = 0.4  # of a step, at most


def comparisons() -> list[Comparison]:
    """One a network: seconds of a row."""
    return [_comparison(name) for name in widths.SIZES]


def _comparison(name: str) -> Comparison:
    ours = Contender("validation", partial(_validating, name))
    step = Contender("a training step", partial(_fit, name), goal=1 / SHARE)
    return Comparison(f"{name}, a row", "s", ours, (step,), repetitions=15, work=widths.predicting(name))


def _validating(name: str) -> Measure:
    without, validating = _fit(name), _fit(name, validated=True)
    return lambda: validating() - without()


def _fit(name: str, *, validated: bool = False) -> Measure:
    """Seconds of a fit, for a row of an epoch."""
    (x, y), model = rows_of(name), edgeling_model(name)
    held_out = (x, y) if validated else None
    how = {"batch_size": BATCH, "epochs": EPOCHS, "validation_data": held_out, "verbose": 0}
    measure = seconds_per_call(lambda: model.fit(x, y, **how))
    return lambda: measure() / (EPOCHS * len(x))
