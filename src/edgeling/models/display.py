# SPDX-License-Identifier: Apache-2.0
"""What a person sees while a model trains, and the table of its layers."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from edgeling.checking import number, whole
from edgeling.errors import UnsupportedError
from edgeling.notebook.cards import progress_card
from edgeling.notebook.live import LiveOutput, in_notebook

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
    """The progress of a fit: a live line on a terminal or in a notebook; else, and with ``verbose=2``, a line each."""

    def __init__(self, verbose: int, first_epoch: int, last_epoch: int) -> None:
        self._last, self._progress, self._output = last_epoch, None, None
        self.is_live = verbose == 1 and (in_notebook() or sys.stdout.isatty())
        if verbose == 1 and in_notebook():
            self._told = f"Epoch {first_epoch:,}/{last_epoch:,}  compiling"
            self._output, self._share = LiveOutput(progress_card(self._told, 0.0)), 0.0
        elif verbose == 1 and sys.stdout.isatty():
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
        if self._output:
            self._told, self._share = f"Epoch {epoch + 1:,}/{self._last:,}  {numbers(logs)}", (epoch + 1) / self._last
            self._output.show(progress_card(self._told, self._share), last=False)
            return
        width = len(str(self._last))
        print(f"Epoch {epoch + 1:{width}}/{self._last}  {steps} steps in {_duration(seconds)}  {numbers(logs)}")

    def close(self) -> None:
        """Leave the last state on the screen."""
        if self._progress:
            self._progress.stop()
        if self._output:
            self._output.show(progress_card(self._told, self._share))


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


def shown_layers(layers: Sequence[Any], between: Sequence[str] | None) -> Sequence[Any]:
    """The layers from the first to the last whose names match (Keras's rule).

    Raises:
        UnsupportedError: not two names, or none matches.
    """
    if between is None:
        return layers
    pair = between if isinstance(between, (list, tuple)) else ()
    found = [[i for i, layer in enumerate(layers) if re.match(str(name), layer.name)] for name in pair]
    if len(found) != 2 or not all(found):
        names = [layer.name for layer in layers]
        raise UnsupportedError("layer_range is the names of two layers", received=repr(between), remedy=f"of {names}")
    return layers[min(map(min, found)) : max(map(max, found)) + 1]


def print_summary(
    model: Any,
    layers: Sequence[Any],
    print_fn: Callable[[str], object] | None = None,
    line_length: int | None = None,
    positions: Sequence[float] | None = None,
    show_trainable: bool = False,
    expand_nested: bool = False,
) -> None:
    """Keras's table of layers: name and type, shape of the output, number of parameters, what it is called on."""
    say = print if print_fn is None else print_fn
    if not callable(say):
        raise UnsupportedError("print_fn is a function of one line", received=repr(print_fn), remedy="print_fn=print")
    reads = connections(model)
    heads = *["Trainable"] * show_trainable, *["Connected to"] * bool(reads)
    rows = [("Layer (type)", "Output shape", "Parameters", *heads)]
    for depth, x in _nested(layers, expand_nested):
        told = *["NY"[x.trainable]] * show_trainable, *[", ".join(reads.get(x, ()))] * bool(reads)
        rows.append((f"{'  ' * depth}{x.name} ({_kind(x)})", _shape(x), f"{x.count_params():,}", *told))
    trainable = sum(w.value.size for w in model.trainable_weights)
    total = model.count_params() if model.built else 0
    say(f'Model: "{model.name}"')
    for line in _table(rows, _widths(rows, line_length, positions)):
        say(line)
    say(f"Total parameters: {total:,} ({_bytes(total)})")
    say(f"Trainable: {trainable:,} ({_bytes(trainable)})")
    say(f"Non-trainable: {total - trainable:,} ({_bytes(total - trainable)})")


def connections(model: Any) -> dict[Any, list[str]]:
    """By layer the names of what it is called on; none of a chain."""
    if model.traces_calls:  # its own function calls them
        return {}
    makers: list[Any] = list(model.input_layers)
    found: dict[Any, list[str]] = {}
    layers = model._called_layers
    for call in model._layer_calls:
        found.setdefault(layers[call.layer], []).extend(makers[place].name for place in call.inputs)
        makers += [layers[call.layer]] * call.outputs
    return found


def _nested(layers: Sequence[Any], expand: bool, depth: int = 0) -> Iterator[tuple[int, Any]]:
    """The layers, each followed by those of a model that it is, with how deep they lie."""
    for layer in layers:
        yield depth, layer
        if expand and hasattr(layer, "layers_in_summary"):
            yield from _nested(layer.layers_in_summary, expand, depth + 1)


def _kind(layer: Any) -> str:
    return str(layer.class_name if layer.is_operation else type(layer).__name__)


def _shape(layer: Any) -> str:
    return str(layer.output_shape) if layer.built else "not built"


def _bytes(count: int) -> str:
    size = 4 * count
    return f"{size} B" if size < 1024 else f"{size / 1024:.2f} KB"


_INDENT, _GAP = 2, 3


def _widths(rows: Sequence[Sequence[str]], line_length: int | None, positions: Sequence[float] | None) -> Sequence[int]:
    """Characters of each column: what its texts need, and more where a line or a position asks for it."""
    needed = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if positions is not None:
        if not isinstance(positions, (list, tuple)) or len(positions) < len(needed):
            raise UnsupportedError(
                f"positions has {len(needed)} numbers", received=repr(positions),
                remedy=f"positions={[round((i + 1) / len(needed), 2) for i in range(len(needed))]}",
            )  # fmt: skip
        share = (line_length or 98) if positions[-1] <= 1 else 1  # Keras's length of a line
        ends = [int(share * number("positions", p, 0)) for p in positions]
        given = [end - start - _GAP for start, end in zip([_INDENT - _GAP, *ends], ends, strict=False)]
        return [max(pair) for pair in zip(needed, given, strict=False)]
    missing = 0 if line_length is None else whole("line_length", line_length) - _line(needed)
    return [needed[0] + max(missing, 0), *needed[1:]]


def _line(widths: Sequence[int]) -> int:
    return _INDENT + sum(widths) + _GAP * (len(widths) - 1)


def _table(rows: Sequence[Sequence[str]], widths: Sequence[int]) -> list[str]:
    """Numbers stand to the right."""
    gap = " " * _GAP
    lines = [
        " " * _INDENT
        + gap.join(f"{text:{'>' if i == 2 else '<'}{widths[i]}}" for i, text in enumerate(row))
        for row in rows
    ]  # fmt: skip
    return [lines[0].rstrip(), "  " + "─" * (_line(widths) - _INDENT), *(line.rstrip() for line in lines[1:])]
