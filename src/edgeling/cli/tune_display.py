# SPDX-License-Identifier: Apache-2.0
"""A search as a person watches it, and what it found as tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from edgeling.cli.display import show_content, small_table
from edgeling.cli.live import DrawnStage, RichProgress
from edgeling.cli.terminal import bar, console
from edgeling.report import units
from edgeling.report.tuning import gain_text
from edgeling.workflow.progress import SearchLine
from edgeling.workflow.tuning.proposals import TunedTrial

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from edgeling.report.tuning import SearchSummary
    from edgeling.workflow.tune import Tuned

_BAR = 16
_MOST = 12


class DrawnSearch(SearchLine):
    """How far a search is, and its best so far. A trial only takes a note; the display's own thread draws."""

    def __init__(self, trials: int | None) -> None:
        self.trials, self.done, self.began = trials, 0, monotonic()
        self.best: TunedTrial | None = None

    def tell(self, done: int, best: TunedTrial | None) -> None:
        self.done, self.best = done, best

    def figures(self) -> str:
        """best 0.9750: 8 relu, float32"""
        if self.best is None:
            return ""
        choice = self.best.choice
        return f"best {units.figure(self.best.result.score)}: {choice.layers}, {choice.precision}"

    def __rich__(self) -> Text:
        from rich.text import Text

        of = f"/{self.trials:,}" if self.trials else f" in {units.duration(monotonic() - self.began)}"
        share = bar(self.done / self.trials, _BAR) if self.trials else ""
        line = Text.assemble("Searching  ", (f"{self.done:,}{of}  ", "bold"), (share, "cyan"), f"  {self.figures()}")
        line.no_wrap, line.overflow = True, "ellipsis"
        return line


class SearchProgress(RichProgress):
    """Draws the stages of a run, and a search."""

    @contextmanager
    def searching(self, trials: int | None) -> Iterator[DrawnSearch]:
        """The search, told of every trial."""
        line, drawn = DrawnSearch(trials), DrawnStage()
        with self._line("Searching", line, drawn):
            yield line
            drawn.done(f"{line.done:,} trial{'s' * (line.done != 1)}  {line.figures()}")


def show_tuned(found: Tuned, artifact: Path, command: str) -> None:
    """The front, what each choice was worth, then what ``train`` shows of the chosen network."""
    from edgeling.workflow.summary import trained_content

    screen, search = console(), found.summary
    for part in (_front(search), *([_worth(search)] if search.worth else [])):
        screen.print()
        screen.print(part)
    show_content(trained_content(found.trained, command), artifact)
    if found.journal:
        screen.print(f"Trials are kept in {found.journal}; the same command with more --trials goes on", soft_wrap=True)


def _front(search: SearchSummary) -> Table:
    table = small_table("the front", "", units.metric_name(search.metric), "flash B", "RAM B", "instr.", right_from=2)
    for point in search.front[:_MOST]:
        mark = "✓ " if point.chosen else "  "
        score = units.spread(point.score, point.spread, percent=units.is_rate(search.metric))
        costs = (point.flash_bytes, point.ram_bytes, point.instructions)
        table.add_row(f"{mark}{point.layers}", point.settings["precision"], score, *map(units.count, costs))
    return table


def _worth(search: SearchSummary) -> Table:
    table = small_table("what it was worth", "share", "worst to best", "best", "worst")
    for each in search.worth:
        ends = each.levels[0][0], each.levels[-1][0]
        table.add_row(each.name, units.percent(each.share), gain_text(search, each.gain), *ends)
    return table
