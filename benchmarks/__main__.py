# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks``: every benchmark, or one, as a table of ratios or as JSON."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from importlib import import_module
from typing import TYPE_CHECKING

from benchmarks.comparison import Comparison, Line, quantity, run

if TYPE_CHECKING:
    from rich.console import Console

NAMES = ("fit_iris", "predict_row", "cold_demo", "cortex_m", "train_accuracy")


def main() -> None:
    """Runs what was asked for. The exit status tells of crashes, not of missed goals: figures depend on the machine."""
    from rich.console import Console

    options = _options()
    os.environ.setdefault("KERAS_BACKEND", "jax")
    console, results = Console(stderr=options.json), []
    for name in [options.only] if options.only else NAMES:
        for comparison in import_module(f"benchmarks.{name}").comparisons():
            lines = run(comparison, quick=options.quick)
            results.append(_as_json(name, comparison, lines))
            _show(console, comparison, lines)
    if options.json:
        print(json.dumps(results, indent=2))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Edgeling beside its peers, as ratios.")
    parser.add_argument("--only", choices=NAMES, help="this benchmark alone")
    parser.add_argument("--json", action="store_true", help="JSON on standard output; the tables go to standard error")
    parser.add_argument("--quick", action="store_true", help="three repetitions at the most")
    return parser.parse_args()


def _as_json(name: str, comparison: Comparison, lines: list[Line]) -> dict[str, object]:
    return {"benchmark": name, "title": comparison.title, "unit": comparison.unit, "lines": [asdict(x) for x in lines]}


def _show(console: Console, comparison: Comparison, lines: list[Line]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=comparison.title, title_justify="left", title_style="bold")
    table.add_column("")
    for heading in ("figure", "ratio to Edgeling"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("goal", no_wrap=True)
    for line in lines:
        table.add_row(*_cells(line, comparison.unit))
    console.print(table)
    for line in lines:
        if line.skipped:
            console.print(f"  {line.name} skipped: {escape(line.skipped)}")


def _cells(line: Line, unit: str) -> tuple[str, ...]:
    if line.value is None:
        return line.name, "skipped", "", line.goal
    verdict = {None: "", True: ": [green]met[/]", False: ": [red]missed[/]"}[line.met]
    ratio = "" if line.ratio is None else f"{line.ratio:,.0f}x" if line.ratio >= 100 else f"{line.ratio:.3g}x"
    return line.name, quantity(line.value, unit), ratio, line.goal + verdict


if __name__ == "__main__":
    main()
