# SPDX-License-Identifier: Apache-2.0
"""A long run as a notebook shows it: one output, a line a stage, the one under way changing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING

from edgeling.callbacks import Callback
from edgeling.notebook.cards import card, figures, paragraph
from edgeling.notebook.live import LiveOutput, in_notebook
from edgeling.notebook.waiting import told_if_long, untold
from edgeling.report import units
from edgeling.workflow.progress import Progress, SearchLine, Stage

if TYPE_CHECKING:
    from edgeling.workflow.tuning.proposals import TunedTrial


def usual_progress() -> Progress:
    """What tells of a run where nobody says: a notebook's output, or a line on a terminal."""
    return NotebookProgress() if in_notebook() else TerminalProgress()


class TerminalProgress(Progress):
    """Tells what takes longer than a second."""

    @contextmanager
    def stage(self, title: str) -> Iterator[Stage]:
        with told_if_long(title.lower()):
            yield Stage()

    @contextmanager
    def training(self, epochs: int) -> Iterator[Callback | None]:
        with told_if_long("training"):
            yield None

    @contextmanager
    def searching(self, trials: int | None) -> Iterator[SearchLine]:
        with told_if_long("searching"):
            yield SearchLine()


class NotebookProgress(Progress):
    """Tells every stage in one output."""

    def __init__(self) -> None:
        self._lines: list[tuple[str, str, str, str]] = []
        self._notes: list[str] = []
        self._output = LiveOutput(self._html(("", "beginning", "", "")))

    @contextmanager
    def stage(self, title: str) -> Iterator[Stage]:
        with self._line(title) as line:
            yield line

    @contextmanager
    def training(self, epochs: int) -> Iterator[Callback | None]:
        with self._line("Training") as line:
            watch = EpochsShown(line, epochs)
            yield watch
            line.done(watch.told)

    @contextmanager
    def searching(self, trials: int | None) -> Iterator[SearchLine]:
        with self._line("Searching") as line:
            yield TrialsShown(line, trials)

    def note(self, text: str) -> None:
        self._notes.append(text)
        self._output.show(self._html())

    @contextmanager
    def _line(self, title: str) -> Iterator[ShownStage]:
        began, line, mark = perf_counter(), ShownStage(title, self), "✗"
        self.at(line, last=True)
        try:
            with untold():
                yield line
            mark = "✓"
        finally:
            self._lines.append((mark, title, line.result, units.duration(perf_counter() - began)))
            self._output.show(self._html())

    def at(self, line: ShownStage, *, last: bool = False) -> None:
        """Show a stage that is under way."""
        self._output.show(self._html(("…", line.title, line.result, "")), last=last)

    def _html(self, *under_way: tuple[str, str, str, str]) -> str:
        table = figures(("", "", "", ""), [*self._lines, *under_way], texts=3)
        return card("Edgeling", table, *(paragraph(f"! {note}") for note in self._notes))


class ShownStage(Stage):
    """A stage that shows what it is at."""

    def __init__(self, title: str, progress: NotebookProgress) -> None:
        self.title, self.result, self._progress = title, "", progress

    def at(self, what: str) -> None:
        self.result = what
        self._progress.at(self)

    def done(self, result: str) -> None:
        self.result = result


class EpochsShown(Callback):
    """Epochs as they end."""

    def __init__(self, line: ShownStage, epochs: int) -> None:
        super().__init__()
        self._line, self._epochs, self.told = line, epochs, ""

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        shown = "  ".join(f"{name} {units.metric(name, value)}" for name, value in (logs or {}).items())
        self.told = f"epoch {epoch + 1:,} of at most {self._epochs:,}  {shown}"
        self._line.at(self.told)


class TrialsShown(SearchLine):
    """Trials as they end."""

    def __init__(self, line: ShownStage, trials: int | None) -> None:
        self._line, self._trials = line, trials

    def tell(self, done: int, best: TunedTrial | None) -> None:
        found = f"  best {units.figure(best.result.score)}: {best.choice.layers}" if best else ""
        self._line.at(f"{done:,}{f' of {self._trials:,}' if self._trials else ''} trials{found}")
