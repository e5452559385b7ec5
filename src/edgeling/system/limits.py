# SPDX-License-Identifier: Apache-2.0
"""Bounds that a process sets itself, where the system keeps them."""

from __future__ import annotations

from contextlib import suppress
from time import process_time


def bound_own_time(seconds: int) -> None:
    """End this process once it has had so many more seconds of the processor; waiting does not count.

    For processes that call libraries not made for hostile files: those may go round in circles, and whoever waits for
    the process may be gone.
    """
    with suppress(ImportError, OSError, ValueError):
        import resource

        end = int(process_time()) + seconds
        resource.setrlimit(resource.RLIMIT_CPU, (end, end))
