# SPDX-License-Identifier: Apache-2.0
"""What a person can choose about a search, checked when it is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from edgeling.errors import TargetError, UnsupportedError
from edgeling.targets import Target, get
from edgeling.workflow.tuning.costs import Budget
from edgeling.workflow.tuning.judging import AUTO, METRICS
from edgeling.workflow.tuning.proposals import SAMPLERS

TRIALS = 100
_MOST = 1_000_000
_LEAST_STACK_BYTES = 1024  # of RAM, as the chip's linker script demands


@dataclass(frozen=True)
class TuneOptions:
    """The keyword arguments of :func:`edgeling.tune` that are not those of ``train``.

    Raises:
        UnsupportedError: a value of another kind, or out of range.
        TargetError: no such chip, several, or one whose costs nobody counts.
    """

    targets: str | Sequence[str] = "cortex-m4"
    flash_bytes: int | None = None
    ram_bytes: int | None = None
    instructions: int | None = None
    trials: int | None = None
    seconds: float | None = None
    sampler: str = "tpe"
    workers: int | None = None
    ray: str = ""
    journal: str | Path | None = None
    restart: bool = False
    metric: str = AUTO

    def __post_init__(self) -> None:
        for name in ("flash_bytes", "ram_bytes", "instructions", "trials", "workers"):
            _whole(name, getattr(self, name))
        if self.sampler not in SAMPLERS:
            raise UnsupportedError(
                f"sampler is {' or '.join(SAMPLERS)}", received=repr(self.sampler), remedy=f"sampler={SAMPLERS[0]!r}"
            )
        if self.metric not in METRICS:
            raise UnsupportedError(
                f"metric is one of {', '.join(METRICS)}", received=repr(self.metric), remedy=f"metric={METRICS[0]!r}"
            )
        seconds = self.seconds
        if seconds is not None and (not isinstance(seconds, Real) or not isfinite(seconds) or seconds <= 0):
            raise UnsupportedError("seconds is a number above zero", received=repr(seconds), remedy="30")
        if not isinstance(self.ray, str):
            raise UnsupportedError("ray is an address", received=repr(self.ray), remedy="'local'")
        self.chip  # noqa: B018  (is checked by being asked for)

    @property
    def chip(self) -> Target:
        """The target."""
        names = [self.targets] if isinstance(self.targets, str) else list(self.targets)
        if len(names) != 1:
            raise TargetError("a search is for one target", received=", ".join(names) or "none", remedy="cortex-m4")
        chip = get(names[0])
        if chip.core == "native":
            raise TargetError(
                "a search is for a target whose costs are counted", received=chip.name,
                remedy="cortex-m4, cortex-m0plus or wasm32",
            )  # fmt: skip
        return chip

    @property
    def budget(self) -> Budget:
        """The limits: those given, else the chip's own memory."""
        chip = self.chip
        room = max(chip.ram_bytes - _LEAST_STACK_BYTES, 0) or None
        return Budget(self.flash_bytes or chip.flash_bytes or None, self.ram_bytes or room, self.instructions)

    @property
    def most_trials(self) -> int | None:
        """When to stop; None: when time is up."""
        return self.trials or (TRIALS if self.seconds is None else None)

    def ends(self, now: float) -> float:
        """When time is up, by the clock that says ``now``."""
        return inf if self.seconds is None else now + self.seconds


def _whole(name: str, value: Any) -> None:
    is_whole = isinstance(value, Integral) and not isinstance(value, bool)
    if value is not None and (not is_whole or not 0 < int(value) < 1 << 31):
        raise UnsupportedError(f"{name} is a whole number above zero", received=repr(value), remedy=f"{name}=1")
