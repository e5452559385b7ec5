# SPDX-License-Identifier: Apache-2.0
"""How many steps C takes before Python looks for Ctrl-C, and with how many threads.

Two threads are not always faster than one: somebody else may need the other core, or lines of cache go slowly between
the two. So both are timed, again every few seconds, and the faster goes on. No bit depends on how many there are.
"""

from __future__ import annotations

from collections import defaultdict, deque

SLICE_SECONDS = 0.05
_TRIAL_SECONDS = 0.005
_TIMES = 3
_SLICES = 24  # the last of which are trials: a second, and some hundredths
_PRODUCTS_A_SECOND = 5e9  # of a slow core, before anything was timed
_MOST_STEPS_AT_FIRST = 2000


class Pace:
    """What steps have taken so far.

    Args:
        products: multiplications of a step.
    """

    def __init__(self, products: int) -> None:
        # Of a step, the last few times, by the number of threads. The least counts: others may have been disturbed.
        self._seconds: defaultdict[int, deque[float]] = defaultdict(lambda: deque(maxlen=_TIMES))
        self._guess = max(products / _PRODUCTS_A_SECOND, _TRIAL_SECONDS / _MOST_STEPS_AT_FIRST)
        self._is_warm, self._slices = False, 0

    def next(self, most: int) -> tuple[int, int]:
        """Threads, at most so many, and steps of the next slice."""
        fewest = min((most, 1), key=lambda threads: len(self._seconds[threads]))
        if len(self._seconds[fewest]) < _TIMES:
            return fewest, self._steps(_TRIAL_SECONDS, self._guess)
        threads = min((most, 1), key=lambda threads: min(self._seconds[threads]))
        self._slices += 1
        if most > 1 and self._slices % _SLICES >= _SLICES - _TIMES:
            return 1 + most - threads, self._steps(_TRIAL_SECONDS, self._guess)
        return threads, self._steps(SLICE_SECONDS, self._guess)

    def took(self, threads: int, steps: int, seconds: float) -> None:
        """A slice is done. The first tells little: its memory was new."""
        if steps:
            self._guess = max(seconds / steps, 1e-9)
            if self._is_warm:
                self._seconds[threads].append(self._guess)
            self._is_warm = True

    @staticmethod
    def _steps(seconds: float, of_each: float) -> int:
        return max(1, int(seconds / of_each))
