# SPDX-License-Identifier: Apache-2.0
"""What a benchmark is: one quantity, smaller being better, of Edgeling and of its peers, as ratios.

A benchmark file has one function, ``comparisons() -> list[Comparison]``. Repetitions of all contenders are
interleaved, so that a busy machine slows all of them, and each is judged by its median. A repetition lasts long enough
that it is not the caches emptied by the contender before that are measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median
from time import perf_counter
from typing import Any

REPETITION_SECONDS = 0.02

Measure = Callable[[], float]
Prepare = Callable[[], Measure]
"""Imports what it needs (an ImportError means: not installed), warms up, and gives what measures once."""


@dataclass(frozen=True)
class Contender:
    """One side of a comparison.

    Attributes:
        name: for the table.
        prepare: see :data:`Prepare`.
        goal: how many times Edgeling's figure this one is to be, at least; None where it is only shown.
    """

    name: str
    prepare: Prepare
    goal: float | None = None


@dataclass(frozen=True)
class Comparison:
    """One quantity.

    Attributes:
        title: what is measured.
        unit: of every figure.
        ours: Edgeling.
        peers: whom it is compared with.
        limit: what our figure may be at most; None if only the ratios count.
        repetitions: how often each contender is measured; counts need one.
        work: products and sums that are measured, where their share of the core's peak is shown.
    """

    title: str
    unit: str
    ours: Contender
    peers: tuple[Contender, ...] = ()
    limit: float | None = None
    repetitions: int = 1
    work: int = 0


@dataclass(frozen=True)
class Line:
    """One contender's result. ``ratio`` is its figure over ours; ``met`` is None where nothing was promised."""

    name: str
    value: float | None
    ratio: float | None = None
    goal: str = ""
    met: bool | None = None
    skipped: str = ""


class CannotMeasureError(Exception):
    """A contender that is installed and does not run here; the message says why."""


def quoted(name: str, value: float, goal: float | None = None) -> Contender:
    """A figure measured elsewhere, once; shown beside what is measured here."""
    return Contender(f"{name} (quoted)", lambda: lambda: value, goal)


def seconds_per_call(call: Callable[[], object]) -> Measure:
    """Measures the mean wall time of a call, over as many as fill :data:`REPETITION_SECONDS`; two come before."""

    def seconds(calls: int) -> float:
        start = perf_counter()
        for _ in range(calls):
            call()
        return (perf_counter() - start) / calls

    return _long_enough(seconds)


def seconds_per_call_on_new(call: Callable[[Any], object], new: Callable[[], Any]) -> Measure:
    """As :func:`seconds_per_call`, each call on something new, the making of which is not counted."""

    def seconds(calls: int) -> float:
        total = 0.0
        for _ in range(calls):
            made = new()
            start = perf_counter()
            call(made)
            total += perf_counter() - start
        return total / calls

    return _long_enough(seconds)


def _long_enough(seconds: Callable[[int], float]) -> Measure:
    seconds(1)
    calls = ceil(REPETITION_SECONDS / max(seconds(1), 1e-9))
    return lambda: seconds(calls)


def quantity(value: float, unit: str) -> str:
    """A figure for people: seconds in ms or us where they are few."""
    scales = {"s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns")), "bytes": ((1e6, "MB"), (1, "bytes"))}
    for size, name in scales.get(unit, ()):
        if value >= size:
            value, unit = value / size, name
            break
    return f"{value:,.0f} {unit}" if value >= 1000 else f"{value:.3g} {unit}"


def run(comparison: Comparison, *, quick: bool = False) -> list[Line]:
    """Measures every contender; ours is the first line."""
    contenders = (comparison.ours, *comparison.peers)
    prepared = [_prepared(contender) for contender in contenders]
    repetitions = min(comparison.repetitions, 3) if quick else comparison.repetitions
    values = _interleaved([p for p in prepared if not isinstance(p, str)], repetitions)
    figures = [p if isinstance(p, str) else values.pop(0) for p in prepared]
    ours = figures[0] if isinstance(figures[0], float) else None
    theirs = zip(comparison.peers, figures[1:], strict=True)
    return [_our_line(comparison, figures[0]), *(_peer_line(peer, figure, ours) for peer, figure in theirs)]


def _prepared(contender: Contender) -> Measure | str:
    """What measures it, or why it is skipped."""
    try:
        return contender.prepare()
    except ImportError as error:
        return f"{error}; pip install 'edgeling[benchmarks]'"
    except CannotMeasureError as error:
        return str(error)


def _interleaved(measures: Sequence[Measure], repetitions: int) -> list[float]:
    rounds = [[measure() for measure in measures] for _ in range(repetitions)]
    return [float(median(values)) for values in zip(*rounds, strict=True)]


def _our_line(comparison: Comparison, figure: float | str) -> Line:
    name, limit = comparison.ours.name, comparison.limit
    if isinstance(figure, str):
        return Line(name, None, skipped=figure)
    if limit is None:
        return Line(name, figure)
    return Line(name, figure, goal=f"at most {quantity(limit, comparison.unit)}", met=figure <= limit)


def _peer_line(peer: Contender, figure: float | str, ours: float | None) -> Line:
    if isinstance(figure, str):
        return Line(peer.name, None, skipped=figure)
    ratio = figure / ours if ours else None
    if peer.goal is None:
        return Line(peer.name, figure, ratio)
    return Line(peer.name, figure, ratio, f"at least {peer.goal:g}x", None if ratio is None else ratio >= peer.goal)
