# SPDX-License-Identifier: Apache-2.0
"""The benchmarks' own arithmetic, on contenders whose figures are known."""

from __future__ import annotations

import pytest

from benchmarks.comparison import (
    Comparison,
    Contender,
    Measure,
    Prepare,
    quantity,
    quoted,
    run,
    seconds_per_call,
    seconds_per_call_on_new,
)
from benchmarks.own_process import apart
from tests.support.close import DOUBLE, require_close


def giving(*values: float) -> Prepare:
    """A contender that measures these figures, one after the other."""

    def prepare() -> Measure:
        left = iter(values)
        return lambda: next(left)

    return prepare


def missing() -> Measure:
    raise ImportError("No module named 'peer'")


def comparison(ours: Prepare, *peers: Contender, repetitions: int = 1, limit: float | None = None) -> Comparison:
    return Comparison("title", "s", Contender("ours", ours), peers, limit, repetitions)


def test_ratio_is_of_medians() -> None:
    ours, theirs = run(comparison(giving(1, 9, 2), Contender("peer", giving(6, 6, 60)), repetitions=3))
    assert (ours.value, theirs.value, theirs.ratio) == (2, 6, 3)


def test_repetitions_are_interleaved() -> None:
    order: list[str] = []

    def noting(name: str) -> Prepare:
        return lambda: lambda: float(len(order.append(name) or order))

    run(comparison(noting("ours"), Contender("peer", noting("peer")), repetitions=3))
    assert order == ["ours", "peer"] * 3


def test_quick_measures_three_times_at_most() -> None:
    calls: list[int] = []
    run(comparison(lambda: lambda: float(len(calls.append(1) or calls)), repetitions=9), quick=True)
    assert len(calls) == 3


@pytest.mark.parametrize(("goal", "met"), [(2.9, True), (3.0, True), (3.1, False), (None, None)])
def test_goal_of_a_peer(goal: float | None, met: bool | None) -> None:
    assert run(comparison(giving(2), Contender("peer", giving(6), goal)))[1].met is met


@pytest.mark.parametrize(("limit", "met"), [(1.9, False), (2.0, True), (None, None)])
def test_limit_of_ours(limit: float | None, met: bool | None) -> None:
    assert run(comparison(giving(2), limit=limit))[0].met is met


def test_missing_peer_is_skipped_and_says_what_to_install() -> None:
    ours, theirs = run(comparison(giving(2), Contender("peer", missing, 1)))
    assert (ours.value, theirs.value, theirs.met) == (2, None, None)
    assert "No module named 'peer'" in theirs.skipped
    assert "edgeling[benchmarks]" in theirs.skipped


def test_a_peer_that_ends_before_it_is_measured_is_skipped() -> None:
    def breaking() -> Measure:
        return apart("benchmarks.no_such_module", "x", threads=1)

    ours, theirs = run(comparison(giving(2), Contender("peer", breaking, 1)))
    assert (ours.value, theirs.value) == (2, None)
    assert "ended before it was measured" in theirs.skipped


def test_peers_are_shown_without_ratio_where_ours_is_missing() -> None:
    ours, theirs = run(comparison(missing, Contender("peer", giving(6), 1)))
    assert ours.skipped
    assert (theirs.value, theirs.ratio, theirs.met) == (6, None, None)


def test_quoted_figures_say_so() -> None:
    line = run(comparison(giving(2), quoted("peer", 8)))[1]
    assert (line.name, line.value, line.ratio) == ("peer (quoted)", 8, 4)


class Clock:
    """Time that passes only when told to."""

    def __init__(self) -> None:
        self.now, self.calls = 0.0, 0

    def __call__(self) -> float:
        return self.now

    def call(self, seconds: object = 0.004) -> None:
        assert isinstance(seconds, float)
        self.now += seconds
        self.calls += 1


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("benchmarks.comparison.perf_counter", clock)
    return clock


def test_a_repetition_is_a_mean_over_calls_enough(clock: Clock) -> None:
    measure = seconds_per_call(clock.call)
    before = clock.calls
    require_close(measure(), 0.004, 8, of=clock.now, unit=DOUBLE)
    assert clock.calls - before == 5  # of 4 ms each, to fill 20


def test_a_long_call_is_made_once(clock: Clock) -> None:
    measure = seconds_per_call(lambda: clock.call(1.5))
    before = clock.calls
    require_close(measure(), 1.5, 8, of=clock.now, unit=DOUBLE)
    assert clock.calls - before == 1


def test_what_makes_something_new_is_not_counted(clock: Clock) -> None:
    def new() -> float:
        clock.now += 10
        return 0.004

    require_close(seconds_per_call_on_new(clock.call, new)(), 0.004, 8, of=clock.now, unit=DOUBLE)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (2.5, "s", "2.5 s"), (0.0013, "s", "1.3 ms"), (4.5e-6, "s", "4.5 us"), (5.1e-7, "s", "510 ns"),
        (1636, "bytes", "1,636 bytes"), (95.6e6, "bytes", "95.6 MB"), (301, "instructions", "301 instructions"),
    ],
)  # fmt: skip
def test_figures_for_people(value: float, unit: str, text: str) -> None:
    assert quantity(value, unit) == text
