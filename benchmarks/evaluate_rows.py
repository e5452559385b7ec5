# SPDX-License-Identifier: Apache-2.0
"""What judging a row costs beside a step of training on it, in batches of 32: six networks, one thread."""

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
    ours = Contender("an evaluation", partial(_evaluating, name))
    step = Contender("a training step", partial(_training, name), goal=1 / SHARE)
    return Comparison(f"{name}, a row", "s", ours, (step,), repetitions=15, work=widths.predicting(name))


def _evaluating(name: str) -> Measure:
    (x, y), model = rows_of(name), edgeling_model(name)
    measure = seconds_per_call(lambda: model.evaluate(x, y, verbose=0))
    return lambda: measure() / len(x)


def _training(name: str) -> Measure:
    (x, y), model = rows_of(name), edgeling_model(name)
    measure = seconds_per_call(lambda: model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, verbose=0))
    return lambda: measure() / (EPOCHS * len(x))
