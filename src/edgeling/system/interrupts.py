# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C and its kin at a better moment."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Ctrl-C, and signals that somebody handles in Python, take effect at the end of the block.

    Python lets only the main thread do this, and only there do signals arrive.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    before = {n: handler for n in numbers if callable(handler := signal.getsignal(n))}
    received: list[int] = []
    for number in before:
        signal.signal(number, lambda number, _: received.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in received[:1]:
            signal.raise_signal(number)
