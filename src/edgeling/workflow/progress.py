# SPDX-License-Identifier: Apache-2.0
"""How a long run tells what it is doing. The base says nothing; the command line's draws."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgeling.callbacks import Callback
    from edgeling.workflow.tuning.proposals import TunedTrial


class Stage:
    """One stage under way."""

    def at(self, what: str) -> None:
        """Say what it is at, in a few words."""

    def done(self, result: str) -> None:
        """Say what came of it, in a few words."""


class SearchLine:
    """A search under way."""

    def tell(self, done: int, best: TunedTrial | None) -> None:
        """How many trials there are, and the best of them that keeps the limits."""


class Progress:
    """Tells nobody. Subclasses override what they tell."""

    @contextmanager
    def stage(self, title: str) -> Iterator[Stage]:
        """A stage of the run, for as long as the block lasts."""
        yield Stage()

    @contextmanager
    def training(self, epochs: int) -> Iterator[Callback | None]:
        """The training, for as long as the block lasts; the callback is told of every epoch."""
        yield None

    @contextmanager
    def searching(self, trials: int | None) -> Iterator[SearchLine]:
        """A search for at most so many trials (None: as many as time allows), for as long as the block lasts."""
        yield SearchLine()

    def kept(self, epoch: int) -> None:
        """Which epoch's network the training under way has kept; 0 is the first."""

    def note(self, text: str) -> None:
        """Something to know at once."""
