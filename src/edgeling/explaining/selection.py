# SPDX-License-Identifier: Apache-2.0
"""How few columns suffice, as it was found out.

Recommended is the smallest set that is no worse than the best by more than one standard error (Breiman et al.,
"Classification and regression trees", 1984, section 3.4.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from edgeling.graph.types import Array


@dataclass(frozen=True, eq=False)
class ColumnStep:
    """Networks of so many columns.

    Attributes:
        columns: those that stay longest over all divisions, the most important first.
        scores: float64 [divisions], accuracy or R² on rows that chose nothing.
        flash_bytes, ram_bytes, instructions: of the program of these columns on the target; None where nobody counts.
    """

    columns: tuple[str, ...]
    scores: Array
    flash_bytes: int | None = None
    ram_bytes: int | None = None
    instructions: int | None = None

    @property
    def mean(self) -> float:
        """Over the divisions."""
        return float(self.scores.mean())

    @property
    def std(self) -> float:
        """Over the divisions (of a sample); 0 of one."""
        return float(self.scores.std(ddof=1)) if len(self.scores) > 1 else 0.0

    @property
    def standard_error(self) -> float:
        """Of the mean."""
        return self.std / float(np.sqrt(len(self.scores)))


@dataclass(frozen=True, eq=False)
class ColumnSelection:
    """How few columns suffice.

    Attributes:
        steps: from one column to all.
        metric: "accuracy" or "r2".
        answer: the column to predict.
        target: what programs were measured on.
        precision: of these programs.
    """

    name: str
    task: Literal["binary", "multiclass", "regression"]
    answer: str
    steps: tuple[ColumnStep, ...]
    metric: str
    target: str
    precision: str
    warnings: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        from edgeling.notebook.cards import card, figures

        rows = [
            (
                f"{len(step.columns)}{' ✓' * (i == self.chosen)}", ", ".join(step.columns),
                f"{step.mean:.3f} ± {step.std:.3f}",
                *(f"{n:,}" if n else "" for n in (step.flash_bytes, step.instructions)),
            )
            for i, step in enumerate(self.steps)
        ]  # fmt: skip
        table = figures(("", "columns", self.metric, "flash B", "instructions"), rows, texts=2)
        return card(f"{self.name}: how few columns suffice for {self.answer}", table, *self.warnings)

    @property
    def best(self) -> int:
        """Position of the step with the best mean; of equals the smaller."""
        return int(np.argmax([step.mean for step in self.steps]))

    @property
    def chosen(self) -> int:
        """Position of the smallest step that is within one standard error of the best."""
        best = self.steps[self.best]
        return next(i for i, step in enumerate(self.steps) if step.mean >= best.mean - best.standard_error)

    @property
    def recommended(self) -> tuple[str, ...]:
        """The columns of that step."""
        return self.steps[self.chosen].columns

    def to_json(self) -> dict[str, Any]:
        """Plain values by name."""
        return {
            "target": self.answer,
            "task": self.task,
            "metric": self.metric,
            "recommended": list(self.recommended),
            "best": list(self.steps[self.best].columns),
            "measured_on": self.target,
            "precision": self.precision,
            "steps": [
                {
                    "columns": list(step.columns), "mean": step.mean, "std": step.std,
                    "standard_error": step.standard_error, "scores": step.scores.tolist(),
                    "flash_bytes": step.flash_bytes, "ram_bytes": step.ram_bytes, "instructions": step.instructions,
                }
                for step in self.steps
            ],
            "warnings": list(self.warnings),
        }  # fmt: skip
