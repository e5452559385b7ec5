# SPDX-License-Identifier: Apache-2.0
"""The section about what was compared before one was deployed: recipes of networks, and the linear reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgeling.markup import Markup, element, join
from edgeling.report import units
from edgeling.report.charts import drawing
from edgeling.report.diagrams import NAME_WIDTH, ROW, WIDTH, row_name, whisker_bar
from edgeling.report.parts import figure, pair, paragraph, plural, section, table


@dataclass(frozen=True)
class Compared:
    """One way to learn, judged on rows left out.

    Attributes:
        score: accuracy or R².
        error: its standard error.
        epochs: 0 where it knows none.
        parameters: numbers it learned.
    """

    name: str
    description: str
    score: float
    error: float
    epochs: int
    parameters: int


@dataclass(frozen=True)
class Comparison:
    """Everything that was compared.

    Attributes:
        ways: the linear reference first.
        chosen: the name of the one deployed.
        folds: parts the rows were left out in; 1: only the validation rows were.
        rows: how many were left out, in all.
        refitted: rows that what is deployed has learned from once more; 0: it has not.
        percent: scores are shares.
        kind: what was left out: "random" rows, whole groups ("group"), or what came later ("time").
        rate: a sentence about the learning rate; empty where one was given.
    """

    ways: tuple[Compared, ...]
    chosen: str
    folds: int
    rows: int
    refitted: int
    percent: bool
    rate: str = ""
    kind: str = "random"


def comparison_section(comparison: Comparison) -> Markup:
    """The scores as bars, best first, and what followed from them."""
    ranked = sorted(comparison.ways, key=lambda way: way.score, reverse=True)
    value = units.percent if comparison.percent else units.figure
    rows = [
        (way.name, value(way.score), units.count(way.epochs) if way.epochs else "", units.count(way.parameters),
         way.description)
        for way in ranked
    ]  # fmt: skip
    body = table(("Way to learn", "Score", "Epochs", "Parameters", ""), rows, numeric=(1, 2, 3))
    drawn = figure(
        bars(ranked, comparison.percent),
        f"{'Accuracy in percent' if comparison.percent else 'R²'} on rows left out; whiskers one standard error.",
    )
    return section("What was compared", pair(drawn, _reading(comparison)), body)


def _reading(comparison: Comparison) -> Markup:
    turns = {"random": "each left out once", "group": "each left out once, in whole groups",
             "time": "each later than those that were learned from"}  # fmt: skip
    parts = turns[comparison.kind] if comparison.folds > 1 else "the rows to validate"
    how = f"Each was fitted {plural(comparison.folds, 'time')} and judged on {plural(comparison.rows, 'row')}, {parts}."
    if comparison.chosen == "linear":
        why = "The linear reference is deployed: no network is ahead of it by more than chance, and it is the smallest."
    else:
        why = f"{comparison.chosen} is deployed."
    again = f" It has learned once more, from {plural(comparison.refitted, 'row')}." if comparison.refitted else ""
    rate = [paragraph(comparison.rate)] if comparison.rate else []
    return element("div", paragraph(why + again), *rate, paragraph(how, style="quiet"))


def bars(ways: Sequence[Compared], percent: bool) -> Markup:
    """A bar for each score, in percent where scores are shares, from zero; one below zero has none."""
    of = 100.0 if percent else 1.0
    most = max(max((of * (way.score + way.error) for way in ways), default=1.0), 1e-12)
    left, right = NAME_WIDTH + 4.0, WIDTH - 112.0

    def x(value: float) -> float:
        return left + min(max(value / most, 0.0), 1.0) * (right - left)

    rows = [
        join(row_name(i, way.name), whisker_bar(i, x, of * way.score, of * way.error)) for i, way in enumerate(ways)
    ]
    description = "; ".join(f"{way.name}: {units.figure(way.score)}" for way in ways)
    return drawing("compared", "Scores on rows left out", description, WIDTH, len(rows) * ROW + 4, *rows)
