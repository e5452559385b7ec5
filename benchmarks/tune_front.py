# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks.tune_front``: what a search of 100 trials costs, and its front beside a grid of 60 settings.

The grid is scored on the same folds and measured on the same chip. A point of the grid is covered if some network of
the front is nowhere worse: in score, flash and instructions.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

from edgeling import targets
from edgeling.workflow.settings import Settings
from edgeling.workflow.tune import _folds, tune
from edgeling.workflow.tuning.costs import Costs
from edgeling.workflow.tuning.folds import Folds
from edgeling.workflow.tuning.front import Values
from edgeling.workflow.tuning.space import WIDTHS, Choice, SearchSpace
from edgeling.workflow.tuning.trainer import Trainer

TABLES = ("iris", "breast_cancer")
CHIPS = ("cortex-m4",)
SEEDS = (0, 1, 2)
GRID = [
    Choice(hidden, activation, rate, 16, 0.0, precision)
    for hidden, activation, rate, precision in product(
        ((), (2,), (4,), (8,), (16,)), ("relu", "tanh"), (0.003, 0.01, 0.03), ("float32", "int8")
    )
]


def main() -> None:
    """Prints a table: CPU of the whole command with its children, then how much of the grid each front covers."""
    with tempfile.TemporaryDirectory() as folder:
        for table in TABLES:
            path = _written(table, Path(folder))
            for again in ("first run", "run again"):
                print(
                    f"{table:14} {'cortex-m4':14} {again:10} {_cpu_seconds(path, Path(folder)):5.1f} s of CPU",
                    flush=True,
                )
        for table, chip in product(TABLES, CHIPS):
            path = Path(folder) / f"{table}.csv"
            folds = _rows(path)
            grid = _grid(folds, chip)
            for seed in SEEDS:
                front = [each.values for each in tune(path, "target", targets=chip, seed=seed, importance=False).front]
                if seed:
                    folds = _rows(path, seed)
                    grid = _grid(folds, chip)
                covered = sum(any(_covers(f, point) for f in front) for point in grid)
                print(f"{table:14} {chip:14} seed {seed}  {len(front)} cover {covered} of {len(grid)}", flush=True)


def _written(table: str, folder: Path) -> Path:
    from sklearn import datasets

    path = folder / f"{table}.csv"
    getattr(datasets, f"load_{table}")(as_frame=True).frame.to_csv(path, index=False)
    return path


def _cpu_seconds(path: Path, folder: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [
        sys.executable,
        "-m",
        "edgeling",
        "tune",
        str(path),
        "--target",
        "target",
        "--trials",
        "100",
        "--restart",
    ]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _rows(path: Path, seed: int = 0) -> Folds:
    from edgeling.data import Reading, table_and_target

    settings = Settings(seed=seed)
    table, target = table_and_target(path, "target", Reading(), {})
    return _folds(table, target, settings, Reading())[0]


def _grid(folds: Folds, chip: str) -> list[Values]:
    trainer, costs = (
        Trainer(folds, SearchSpace(WIDTHS, (16, 32, 64), ("float32", "int8"))),
        Costs(folds, targets.get(chip)),
    )
    costs.measure(GRID)
    found: list[Any] = [(trainer(choice).score, costs(choice)) for choice in GRID]
    return [(score, cost.flash_bytes, cost.instructions) for score, cost in found]


def _covers(one: Values, other: Values) -> bool:
    return one[0] >= other[0] and one[1] <= other[1] and one[2] <= other[2]


if __name__ == "__main__":
    main()
