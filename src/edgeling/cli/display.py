# SPDX-License-Identifier: Apache-2.0
"""Results as tables in a terminal of 80 columns: what the report says, at a glance. Drawn on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

from edgeling.cli.live import RichProgress
from edgeling.cli.terminal import bar, console, one_line
from edgeling.report import units

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

    from edgeling.diagnosis import Finding
    from edgeling.explaining import PermutationImportance
    from edgeling.report.content import Content, Deployment, Evaluation
    from edgeling.toolchain.prove_learning import LearningProof

__all__ = ["RichProgress", "show_content", "show_deployments", "show_learned", "show_mapping"]

MAX_CLASSES = 12
MAX_FEATURES = 10
MAX_ROWS = 50
MAX_COLUMNS = 6  # of records that are told by their names
BAR_WIDTH = 24
NAME_WIDTH = 24
_JUDGED = {"good": ("✓", "bold green"), "bad": ("✗", "bold red"), "open": ("!", "bold yellow")}


def show_content(content: Content, artifact: Path | None) -> None:
    """Warnings, scores, importance and programs, and where everything was written."""
    screen = console()
    for part in _parts(content, screen):
        screen.print()
        screen.print(part)
    if artifact is not None:
        screen.print()
        screen.print(
            f"Written to {one_line(str(artifact))}; open {one_line(str(artifact / 'report.html'))}", soft_wrap=True
        )


def show_deployments(deployments: Sequence[Deployment]) -> None:
    """What programs take on their targets, and whether they were proven."""
    screen = console()
    screen.print(_programs(deployments, screen.width))
    screen.print(_made_with(deployments))
    screen.print(_verdict(deployments))


def show_learned(proof: LearningProof) -> None:
    """What steps of learning cost on a target, and whether the weights are those they should be."""
    from rich.text import Text

    table = small_table("a step", "instr.", "time", "flash B", "RAM B", "weights B", "stack B", "error", "drift")
    error = units.figure(proof.max_relative_error) if proof.max_relative_error else "exact"
    costs = (units.count(n) for n in (proof.flash_bytes, proof.ram_bytes, proof.weights_bytes, proof.stack_bytes))
    worst = Text(error, "green" if proof.matches else "bold red")
    drift = units.figure(proof.drift) if proof.drift else "none"
    time = units.latency(proof.estimated_latency_us)
    table.add_row(_name(proof.target), units.count(proof.instructions), time, *costs, worst, drift)
    mark, style = _JUDGED["good" if proof.matches else "bad"]
    verdict = "the same weights as here" if proof.matches else "other weights than here"
    rejected = f", of which {proof.rejected} would have lost and were not adopted" if proof.rejected else ""
    screen = console()
    screen.print(table)
    screen.print(Text.assemble((f"{mark} ", style), (f"{proof.steps} steps{rejected}: {verdict}.", "bold")))


def show_mapping(mapping: Mapping[str, Any]) -> None:
    """Plain values by name, nested ones indented; on standard output, for here they are the answer."""
    screen = console(sys.stdout)
    for renderable in _entries(mapping):
        screen.print(renderable)


def _parts(content: Content, screen: Console) -> Iterator[RenderableType]:
    if content.data and content.data.warnings:
        yield _warnings(content.data.warnings)
    if content.findings:
        yield _findings(content.findings)
    if content.evaluation:
        yield _metrics(content.evaluation)
        if content.evaluation.per_class:
            yield _beside(screen, *_classes(content.evaluation))
    if content.importance and content.importance.feature_names:
        yield _importance(content.importance, "R² lost" if content.task == "regression" else "log loss gained")
    if content.deployments:
        yield _programs(content.deployments, screen.width)
        yield _made_with(content.deployments)
        yield _verdict(content.deployments)


def _warnings(warnings: Sequence[str]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 1, 0, 0))
    for warning in warnings:
        table.add_row(Text("!", "bold yellow"), Text(one_line(warning)))
    return table


def _findings(findings: Sequence[Finding]) -> Table:
    """What is wrong, and what to do, the worst first."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 1, 0, 0))
    for finding in findings:
        mark, style = _JUDGED["bad" if finding.severity == "error" else "open"]
        seen, advice = map(one_line, finding.sentences)
        said = f"{seen} ", (advice, "bold")
        table.add_row(Text(mark, style), Text.assemble(*said))
    return table


def small_table(*columns: str, right_from: int = 1) -> Table:
    """A table with one rule under its head; columns from ``right_from`` on hold figures."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, header_style="dim", padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for i, name in enumerate(columns):
        table.add_column(_name(name), justify="right" if i >= right_from else "left", no_wrap=i >= right_from)
    return table


def _name(text: str, width: int = NAME_WIDTH) -> Text:
    """A name from the data, cut to a width."""
    from rich.text import Text

    return Text(units.shorten(one_line(text), width))


def _metrics(evaluation: Evaluation) -> Table:
    against = bool(evaluation.baseline)
    heads = ("model", "simplest guess") if against else ("model",)
    rows = f"{evaluation.rows:,} row{'s' * (evaluation.rows != 1)}"
    table = small_table(f"{rows} never seen" if evaluation.unseen else rows, *heads)
    for name, value in evaluation.metrics.items():
        guess = [units.metric(name, evaluation.baseline.get(name))] if against else []
        table.add_row(_name(units.metric_name(name), 40), units.metric(name, value), *guess)
    return table


def _classes(evaluation: Evaluation) -> Iterator[Table]:
    """Scores of each class, and for few classes the confusion matrix."""
    table = small_table("class", "precision", "recall", "F1", "rows")
    for s in evaluation.per_class:
        rates = (units.percent(rate) for rate in (s.precision, s.recall, s.f1))
        table.add_row(_name(s.label), *rates, units.count(s.support))
    yield table
    if evaluation.confusion is not None and len(evaluation.per_class) == len(evaluation.confusion) <= MAX_CLASSES:
        yield _confusion(evaluation)


def _confusion(evaluation: Evaluation) -> Table:
    """Rows true, columns predicted; classes go by letters where their names would not fit over the columns."""
    labels = [one_line(score.label) for score in evaluation.per_class]
    lettered = max(map(len, labels)) > max(3, 40 // len(labels))
    letters = ascii_lowercase[: len(labels)]
    rows = [f"{letter} = {label}" for letter, label in zip(letters, labels, strict=True)] if lettered else labels
    table = small_table("true \N{RIGHTWARDS ARROW} taken for", *(letters if lettered else labels))
    for i, name in enumerate(rows):
        counts = [int(n) for n in evaluation.confusion[i]]  # type: ignore[index]
        table.add_row(_name(name), *(_count(n, i == j) for j, n in enumerate(counts)))
    return table


def _count(count: int, right: bool) -> Text:
    from rich.text import Text

    if not count:
        return Text("·", "dim")
    return Text(f"{count:,}", "bold green" if right else "bold red")


def _beside(screen: Console, *tables: Table) -> RenderableType:
    """Side by side if they fit, else one above the other."""
    from rich.console import Group
    from rich.table import Table

    if sum(screen.measure(table).maximum for table in tables) + 4 * (len(tables) - 1) > screen.width:
        return Group(tables[0], *(each for table in tables[1:] for each in ("", table)))
    grid = Table.grid(padding=(0, 4, 0, 0))
    grid.add_row(*tables)
    return grid


def _importance(importance: PermutationImportance, unit: str) -> Table:
    table = small_table("what matters", "", unit, right_from=2)
    most = max(float(importance.mean.max()), 1e-30)
    for i in importance.ranking[:MAX_FEATURES]:
        mean, std = float(importance.mean[i]), float(importance.std[i])
        table.add_row(_name(importance.feature_names[i]), _bar(mean / most), units.spread(mean, std))
    return table


def _bar(share: float) -> Text:
    from rich.text import Text

    return Text(bar(share, BAR_WIDTH), "cyan")


def _programs(deployments: Sequence[Deployment], width: int) -> Table:
    """A line a program; left out is what nobody measured, and then from the right what has no room."""
    measures = {
        "acc. %": [units.percent(d.metrics.get("accuracy")).removesuffix(" %") for d in deployments],
        "R²": [units.figure(d.metrics.get("r2"), 3) for d in deployments],
        "flash B": [units.count(d.flash_bytes) for d in deployments],
        "RAM B": [units.count(d.ram_bytes) for d in deployments],
        "instr.": [units.count(d.instructions) for d in deployments],
        "time": [units.latency(d.estimated_latency_us) for d in deployments],
        "energy": [units.energy(d.energy and d.energy[1]) for d in deployments],
        "stack B": [units.count(d.stack_bytes) for d in deployments],
    }
    known = {name: cells for name, cells in measures.items() if set(cells) != {units.UNKNOWN}}
    room = width - _widest("target", [d.target for d in deployments]) - 2 * len("float32") - 4
    while known and sum(_widest(*column) + 2 for column in known.items()) > room:
        known.popitem()
    table = small_table("target", "", *known, "error", right_from=2)
    for i, d in enumerate(deployments):
        table.add_row(_name(d.target), d.precision, *(cells[i] for cells in known.values()), _error(d))
    return table


def _widest(head: str, cells: Sequence[str]) -> int:
    return max(map(len, (head, *cells)))


def _error(deployment: Deployment) -> Text:
    from rich.text import Text

    error = "exact" if deployment.max_error == 0 else units.figure(deployment.max_error)
    return Text(error, "green" if deployment.matches else "bold red")


def _made_with(deployments: Sequence[Deployment]) -> Text:
    """Compilers and flags behind the figures, a line a target."""
    from rich.text import Text

    lines = dict.fromkeys(f"{d.target}: {d.made_with}" for d in deployments if d.made_with)
    return Text("\n".join(lines), "dim")


def _verdict(deployments: Sequence[Deployment]) -> Text:
    from rich.text import Text

    from edgeling.report.headline import judge

    kind, sentence = judge(deployments)
    mark, style = _JUDGED[kind]
    return Text.assemble((f"{mark} ", style), (sentence, "bold"))


def _entries(mapping: Mapping[str, Any]) -> Iterator[RenderableType]:
    """A line for each plain value, a table for each list of records, the rest indented."""
    from rich.padding import Padding
    from rich.text import Text

    widest = max((len(str(key)) for key, value in mapping.items() if not _nested(value)), default=0)
    for key, value in mapping.items():
        label = one_line(str(key)).replace("_", " ")
        if not _nested(value):
            yield Text.assemble((f"{label:<{widest}}  ", "dim"), _scalar(value))
            continue
        yield Text(label, "bold")
        yield from (Padding(each, (0, 0, 0, 2), expand=False) for each in _inner(value, mapping))


def _inner(value: Any, beside: Mapping[str, Any]) -> Iterable[RenderableType]:
    """What a nested value shows below its name."""
    if not isinstance(value, Mapping):
        return [_records(value) if isinstance(value[0], Mapping) else _matrix(value, beside)]
    records = [*value.values()]
    alike = len(records) > 1 and all(isinstance(r, Mapping) and list(r) == list(records[0]) for r in records)
    if alike and len(records[0]) <= MAX_COLUMNS and not any(_nested(v) for r in records for v in r.values()):
        return [_records([{"": name, **record} for name, record in value.items()])]
    return _entries(value)


def _nested(value: Any) -> bool:
    """Whether a value takes lines of its own: what it holds has names, or rows."""
    return bool(value) and (
        isinstance(value, Mapping) or (isinstance(value, list | tuple) and isinstance(value[0], Mapping | list | tuple))
    )


def _matrix(rows: Sequence[Sequence[Any]], beside: Mapping[str, Any]) -> RenderableType:
    """A table a row a line; of a confusion matrix with the classes that are named beside it."""
    classes = beside.get("classes")
    named = isinstance(classes, Mapping) and len(classes) == len(rows) == len(rows[0])
    names = [str(name) for name in classes] if named and classes else [str(i) for i in range(len(rows))]
    heads = names if named and len(names) <= MAX_CLASSES else [str(i) for i in range(len(rows[0]))]
    table = small_table("true \N{RIGHTWARDS ARROW} taken for" if named else "", *heads)
    for name, row in zip(names[:MAX_ROWS], rows, strict=False):
        table.add_row(_name(name), *(_scalar(each) for each in row))
    return table


def _records(records: Sequence[Mapping[str, Any]]) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    table = small_table(*(str(key).replace("_", " ") for key in records[0]), right_from=len(records[0]))
    for record in records[:MAX_ROWS]:
        table.add_row(*(Text(_scalar(record.get(key))) for key in records[0]))
    rest = len(records) - MAX_ROWS
    return Group(table, Text(f"and {rest:,} more", "dim")) if rest > 0 else table


def _scalar(value: Any) -> str:
    if value is None or value == "":
        return units.UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return units.figure(value)
    if isinstance(value, int):
        return units.count(value)
    if isinstance(value, list | tuple):
        return ", ".join(_scalar(each) for each in value)
    return one_line(str(value))
