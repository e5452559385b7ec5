# SPDX-License-Identifier: Apache-2.0
"""A long run as a person watches it: a line a stage, a spinner on the one under way, the training in figures.

Everything goes to standard error. Where that is no terminal, each stage is one plain line when it is done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from time import perf_counter
from typing import TYPE_CHECKING

from edgeling.callbacks import Callback
from edgeling.cli.terminal import console, one_line, sparkline
from edgeling.markup import printable
from edgeling.notebook.waiting import untold
from edgeling.report import units
from edgeling.workflow.progress import Progress, Stage

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

TITLE_WIDTH = 27
SPARK_WIDTH = 8


class DrawnStage(Stage):
    """A stage that says what it is at, and remembers what came of it for its closing line."""

    def __init__(self, title: str = "") -> None:
        self.title, self.result, self.now = title, "", ""

    def at(self, what: str) -> None:
        self.now = what

    def done(self, result: str) -> None:
        self.result = result

    def __rich__(self) -> Text:
        from rich.text import Text

        line = Text.assemble(one_line(self.title), ("  " + one_line(self.now) if self.now else "", "dim"))
        line.no_wrap, line.overflow = True, "ellipsis"
        return line


class TrainingLine(Callback):
    """Epoch, loss, metric and a curve of the loss. An epoch only takes a note; the display's own thread draws."""

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self.epochs = epochs
        self.losses: list[float] = []
        self.logs: Mapping[str, float] = {}
        self.history: list[Mapping[str, float]] = []
        self.kept: int | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.logs = dict(logs or {})
        self.history.append(self.logs)
        self.losses.append(self.logs.get("val_loss", self.logs.get("loss", float("nan"))))

    def figures(self, *, loss: bool = True) -> str:
        """loss 0.0612  accuracy 98.9 %  val 95.8 %, as far as they are known; the loss if wanted or alone."""
        others = [n for n in self.logs if n not in ("loss", "lr", "learning_rate") and not n.startswith("val_")]
        name = others[0] if others else "loss"
        shown = {"loss": "loss"} if loss else {}
        shown |= {name: name, "val": f"val_{name}"}
        known = {label: units.metric(key, self.logs[key]) for label, key in shown.items() if key in self.logs}
        return "  ".join(f"{label} {value}" for label, value in known.items())

    def summary(self) -> str:
        """What stays on the screen: how many epochs, and the figures of the one whose network was kept."""
        epochs, kept = len(self.losses), ""
        if self.kept is not None and self.kept < epochs:
            self.logs, kept = self.history[self.kept], f", best {self.kept + 1:,}"
        return f"{epochs:,} epoch{'s' * (epochs != 1)}{kept}  {self.figures(loss=False)}  {self.curve()}"

    def curve(self) -> str:
        return sparkline(self.losses, SPARK_WIDTH)

    def __rich__(self) -> Text:
        from rich.text import Text

        line = Text.assemble(
            "Training  ",
            (f"epoch {len(self.losses):,}/{self.epochs:,}", "bold"),
            f"  {self.figures()}  ",
            (self.curve(), "cyan"),
        )
        line.no_wrap, line.overflow = True, "ellipsis"
        return line


class RichProgress(Progress):
    """Draws the stages of a run."""

    def __init__(self) -> None:
        self.console = console()

    @contextmanager
    def stage(self, title: str) -> Iterator[DrawnStage]:
        """A stage of the run, closed by a line with its figure and time, or with a cross if it fails."""
        drawn = DrawnStage(title)
        with self._line(title, drawn, drawn):
            yield drawn

    @contextmanager
    def training(self, epochs: int) -> Iterator[TrainingLine]:
        """The training, told of every epoch."""
        self.line, drawn = TrainingLine(epochs), DrawnStage()
        with self._line("Training", self.line, drawn):
            yield self.line
            drawn.done(self.line.summary())

    def kept(self, epoch: int) -> None:
        self.line.kept = epoch

    def note(self, text: str) -> None:
        from rich.text import Text

        self.console.print(Text.assemble(("! ", "bold yellow"), one_line(text)), soft_wrap=True)

    @contextmanager
    def _line(self, title: str, live: RenderableType, drawn: DrawnStage) -> Iterator[None]:
        start, mark = perf_counter(), "✗"
        try:
            with untold(), self._spinning(live):
                yield
            mark = "✓"
        finally:
            self._close(mark, title, drawn.result, perf_counter() - start)

    def _spinning(self, live: RenderableType) -> AbstractContextManager[object]:
        if not self.console.is_terminal or self.console.is_dumb_terminal:
            return nullcontext()
        from rich.live import Live
        from rich.spinner import Spinner

        spinner = Spinner("dots" if self.console.encoding.startswith("utf") else "line", live, style="cyan")
        return Live(spinner, console=self.console, transient=True, refresh_per_second=15)

    def _close(self, mark: str, title: str, result: str, seconds: float) -> None:
        from rich.text import Text

        line = Text.assemble(
            (mark, "bold green" if mark == "✓" else "bold red"),
            f" {one_line(title):<{TITLE_WIDTH}}  ",
            printable(result),
        )
        time = f"  {units.duration(seconds)}" if seconds >= 1e-3 else ""
        if not self.console.is_terminal or line.cell_len + len(time) <= self.console.width:
            line.append(time, "dim")
        self.console.print(line, soft_wrap=True)
