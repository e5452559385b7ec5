# SPDX-License-Identifier: Apache-2.0
"""Slices of a fit: told how long steps take, by clocks that the test winds."""

from __future__ import annotations

from collections.abc import Mapping

from edgeling.training.pace import SLICE_SECONDS, Pace


def run(pace: Pace, seconds: Mapping[int, float], slices: int, most: int = 2) -> list[tuple[int, int]]:
    """Slices of a machine on which a step takes so long, by the number of threads."""
    given = []
    for _ in range(slices):
        threads, steps = pace.next(most)
        pace.took(threads, steps, steps * seconds[threads])
        given.append((threads, steps))
    return given


def test_whichever_is_faster_goes_on() -> None:
    for faster, seconds in ((2, {1: 0.002, 2: 0.001}), (1, {1: 0.001, 2: 0.002})):
        slices = run(Pace(10**6), seconds, 200)[7:]
        others = [steps for threads, steps in slices if threads != faster]
        steps = [steps for threads, steps in slices if threads == faster]
        assert 0 < len(others) <= 200 / 8  # now and then, to see whether it still is
        assert sum(others) < sum(steps) / 50
        assert max(steps) in (int(SLICE_SECONDS / 0.001), int(SLICE_SECONDS / 0.001) - 1)  # as floats divide


def test_what_has_become_slow_is_left_and_taken_up_again() -> None:
    pace = Pace(10**6)
    run(pace, {1: 0.002, 2: 0.001}, 20)
    for better, seconds in ((1, {1: 0.002, 2: 0.02}), (2, {1: 0.002, 2: 0.001})):
        threads = [threads for threads, _ in run(pace, seconds, 200)]
        assert threads[50:].count(better) > 100


def test_a_slice_that_was_disturbed_changes_nothing() -> None:
    pace = Pace(10**6)
    run(pace, {1: 0.002, 2: 0.001}, 10)
    run(pace, {1: 0.002, 2: 0.02}, 1)
    assert {threads for threads, _ in run(pace, {1: 0.002, 2: 0.001}, 10)} == {2}


def test_the_first_slice_is_not_believed() -> None:
    pace = Pace(10**6)
    pace.took(pace.next(2)[0], 1, 0.0001)
    assert {threads for threads, _ in run(pace, {1: 0.001, 2: 0.002}, 20)[6:]} == {1}


def test_a_large_network_is_looked_at_before_a_second_has_passed() -> None:
    """A ResNet-8's step of 32 rows is over a thousand million multiplications, and takes 10 to 100 ms."""
    assert Pace(1_200_000_000).next(1) == (1, 1)
    assert Pace(40).next(1)[1] > 1000


def test_one_thread_alone_is_never_compared() -> None:
    assert {threads for threads, _ in run(Pace(10**6), {1: 0.001}, 100, most=1)} == {1}


def test_a_slice_that_took_no_step_tells_nothing() -> None:
    pace = Pace(10**6)
    before = pace.next(2)
    pace.took(before[0], 0, 5.0)
    assert pace.next(2) == before
