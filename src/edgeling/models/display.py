# SPDX-License-Identifier: Apache-2.0
"""What a person sees while a model trains, and the table of its layers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

_REFRESH_PER_SECOND = 12


def numbers(logs: dict[str, Any]) -> str:
    """``loss 0.1234 · accuracy 0.9667``: loss first, then metrics, then validation."""
    names = sorted(logs, key=lambda n: (n.startswith("val_"), not n.endswith("loss"), n))
    return " · ".join(f"{name} {_short(logs[name])}" for name in names)


def _short(value: Any) -> str:
    if getattr(value, "ndim", 0):
        return f"[{' '.join(map(_short, value))}]"
    return f"{value:.4f}" if value == 0 or abs(value) >= 1e-3 else f"{value:.3e}"


class Display:
    """The progress of a fit: a live line on a terminal, else (and with ``verbose=2``) a line an epoch."""

    def __init__(self, verbose: int, first_epoch: int, last_epoch: int) -> None:
        self._last, self._progress = last_epoch, None
        if verbose == 1 and sys.stdout.isatty():
            self._progress = self._live(first_epoch, last_epoch)

    def _live(self, first_epoch: int, last_epoch: int) -> Any:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        progress = Progress(
            TextColumn("[bold]Epoch"), MofNCompleteColumn(), BarColumn(24), TextColumn("{task.fields[logs]}"),
            TimeElapsedColumn(), refresh_per_second=_REFRESH_PER_SECOND,
        )  # fmt: skip
        progress.start()
        self._task = progress.add_task("", total=last_epoch, completed=first_epoch, logs="compiling")
        return progress

    def epoch(self, epoch: int, logs: dict[str, float], seconds: float, steps: int) -> None:
        """Show one finished epoch."""
        if self._progress:
            self._progress.update(self._task, completed=epoch + 1, logs=numbers(logs))
            return
        width = len(str(self._last))
        print(f"Epoch {epoch + 1:{width}}/{self._last}  {steps} steps in {_duration(seconds)}  {numbers(logs)}")

    def close(self) -> None:
        """Leave the last state on the screen."""
        if self._progress:
            self._progress.stop()


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


def print_summary(model: Any, print_fn: Callable[[str], object] | None = None) -> None:
    """Keras's table of layers: name and type, shape of the output, number of parameters."""
    say = print_fn or print
    rows = [("Layer (type)", "Output shape", "Parameters")]
    rows += [(f"{x.name} ({type(x).__name__})", _shape(x), f"{x.count_params():,}") for x in model.layers]
    trainable = sum(w.value.size for w in model.trainable_weights)
    total = model.count_params() if model.built else 0
    say(f'Model: "{model.name}"')
    for line in _table(rows):
        say(line)
    say(f"Total parameters: {total:,} ({_bytes(total)})")
    say(f"Trainable: {trainable:,} ({_bytes(trainable)})")
    say(f"Non-trainable: {total - trainable:,} ({_bytes(total - trainable)})")


def _shape(layer: Any) -> str:
    return str(layer.output_shape) if layer.built else "not built"


def _bytes(count: int) -> str:
    size = 4 * count
    return f"{size} B" if size < 1024 else f"{size / 1024:.2f} KB"


def _table(rows: Sequence[tuple[str, str, str]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = [f"  {a:<{widths[0]}}   {b:<{widths[1]}}   {c:>{widths[2]}}" for a, b, c in rows]
    return [lines[0], "  " + "─" * (len(lines[0]) - 2), *lines[1:]]
