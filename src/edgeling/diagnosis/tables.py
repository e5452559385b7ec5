# SPDX-License-Identifier: Apache-2.0
"""What is wrong with the data itself: columns that give the answer away, copies, drift, scales, rare classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from edgeling.diagnosis.finding import Finding
from edgeling.diagnosis.relation import most_related, some, told_by_one
from edgeling.graph.types import Array

GIVEN_AWAY = 0.999  # what is left is a thirtieth of the target's deviation: one quantity, told twice
GIVEN_CLASSES = 0.9995  # of rows; rounds to an accuracy of 1.000
LARGEST_SCALE = 10.0
"""Initialisers are made for inputs of size 1 (Glorot and Bengio, 2010). The step that a column of size r bears is
1 / r ** 2 as long; where sizes differ by 10, the same rate is a hundred times too long for one or too short for others
(LeCun et al., "Efficient BackProp", 1998)."""
COPIED_SHARE, LEAST_COPIES = 0.05, 3
LARGE_DRIFT = 0.8  # standard deviations: "large" by Cohen, "Statistical Power Analysis", 1988
MOST_ROWS = 5000
RARE = 10.0  # times rarer than the commonest class


def giving_away(columns: dict[str, Array], y: Array, classes: int) -> Iterator[Finding]:
    """A column that tells the target by itself. (Of one column alone there is nothing else to tell it.)"""
    varied = {name: column for name, column in columns.items() if len(column) and np.min(column) < np.max(column)}
    if len(varied) < 2 or len(y) < 20:
        return
    chosen = some(len(y), MOST_ROWS)
    truth = np.asarray(y)[chosen]
    likely = most_related({name: np.asarray(column)[chosen] for name, column in varied.items()}, truth, classes)
    told = {name: told_by_one(column, truth, classes) for name, column in likely.items()}
    least = GIVEN_CLASSES if classes else GIVEN_AWAY
    guilty = [name for name, share in sorted(told.items(), key=lambda each: -each[1]) if share >= least]
    if guilty:
        figure = f"accuracy {told[guilty[0]]:.4f}" if classes else f"R² {told[guilty[0]]:.4f}"
        more = f" (and so do {', '.join(map(repr, guilty[1:4]))})" if guilty[1:] else ""
        yield Finding(
            "leaking_column", "error",
            f"column {guilty[0]!r} gives the answer away: alone it tells the target with {figure}{more}",
            "leave it out (drop, --drop) unless it is really known before the answer is",
        )  # fmt: skip


def copies(x: Array, y: Array, held_x: Array, held_y: Array, held: str) -> Iterator[Finding]:
    """Rows to judge on that are among those learned from, more of them than chance explains.

    Chance is bounded by the columns being independent: the product over columns of how often two rows agree.
    """
    kept = some(len(held_x), MOST_ROWS)
    held_x, held_y = held_x[kept], held_y[kept]
    seen = some(len(x), 20 * MOST_ROWS)
    x, y = x[seen], y[seen]
    rows, judged = (_as_bytes(np.column_stack([_flat(a), _flat(b)])) for a, b in ((x, y), (held_x, held_y)))
    known = set(rows)
    count = sum(row in known for row in judged)
    both = np.column_stack([_flat(x), _flat(y)])[some(len(x), MOST_ROWS)]
    alike = [float(np.sum(np.square(np.unique(column, return_counts=True)[1] / len(both)))) for column in both.T]
    expected = len(held_x) * min(1.0, len(x) * float(np.prod(alike)))
    enough = max(LEAST_COPIES, COPIED_SHARE * len(held_x), 10 * expected)
    if count >= enough:
        yield Finding(
            "duplicates_across", "error",
            f"{count:,} of the {len(held_x):,} {held} rows are also among those learned from "
            f"(chance explains {expected:.1g})",
            "remove copies before dividing the rows, or divide by what makes rows one case (--split group:COLUMN)",
        )  # fmt: skip


def _flat(array: Array) -> Array:
    return np.asarray(array, np.float32).reshape(len(array), -1)


def _as_bytes(rows: Array) -> list[bytes]:
    return [row.tobytes() for row in np.ascontiguousarray(rows + np.float32(0))]  # -0 is 0


def drift(before: dict[str, Array], after: dict[str, Array], held: str) -> Iterator[Finding]:
    """Columns whose values lie elsewhere in the rows to judge on: by 0.8 deviations, and by four standard errors."""
    moved = {name: _shift(before[name], after[name]) for name in before if name in after}
    far = [name for name, (size, sure) in moved.items() if size >= LARGE_DRIFT and sure]
    far.sort(key=lambda name: -moved[name][0])
    if far:
        more = f", and {len(far) - 1} more" if far[1:] else ""
        yield Finding(
            "drift", "warning",
            f"column {far[0]!r} has moved: its mean in the {held} rows is {moved[far[0]][0]:.1f} standard deviations "
            f"from that of the rows learned from{more}",
            "learn from later rows, or from what does not drift (differences, ratios, time since), and watch it once "
            "deployed",
        )  # fmt: skip


def _shift(before: Array, after: Array) -> tuple[float, bool]:
    """How many deviations the mean has moved, and whether that is more than four of its standard errors."""
    one, other = (np.asarray(part, np.float64)[np.isfinite(part)] for part in (before, after))
    if len(one) < 10 or len(other) < 10:
        return 0.0, False
    deviation = float(np.sqrt((one.var() + other.var()) / 2))
    distance = abs(float(other.mean() - one.mean()))
    if deviation == 0:
        return (np.inf, True) if distance > 0 else (0.0, False)
    error = float(np.sqrt(one.var() / len(one) + other.var() / len(other)))
    return distance / deviation, distance > 4 * error


def scales(x: Array, names: Sequence[str] = ()) -> Iterator[Finding]:
    """Inputs of sizes that no initialiser is made for; size is the root of the mean square."""
    flat = np.asarray(x, np.float64).reshape(len(x), -1)
    sizes = np.sqrt(np.mean(np.square(flat), axis=0))
    largest, least = float(sizes.max(initial=0.0)), float(sizes[sizes > 0].min(initial=np.inf))
    place = int(np.argmax(sizes))
    name = repr(names[place]) if len(names) == len(sizes) else str(place)
    if largest > LARGEST_SCALE:
        others = f", the smallest {least:.3g}" if len(sizes) > 1 else ""
        yield Finding(
            "unscaled_inputs", "warning",
            f"inputs are not scaled: values of column {name} are about {largest:.3g} in size{others}",
            "standardise the columns ((x - mean) / deviation), as `edgeling train` does by itself, or begin with "
            "BatchNormalization()",
        )  # fmt: skip
    elif 0 < largest < 1 / LARGEST_SCALE:
        yield Finding(
            "unscaled_inputs", "warning",
            f"inputs are not scaled: the largest column is about {largest:.3g} in size",
            "standardise the columns ((x - mean) / deviation), or begin with BatchNormalization()",
        )  # fmt: skip


def target_scale(y: Array) -> Iterator[Finding]:
    """Numbers to predict that are far from the size 1 which a network's output begins with."""
    flat = np.asarray(y, np.float64)
    size, deviation = float(np.sqrt(np.mean(np.square(flat)))), float(flat.std())
    if size > LARGEST_SCALE or 0 < size < 1 / LARGEST_SCALE**2:
        yield Finding(
            "unscaled_targets", "warning",
            f"targets are not scaled: they are about {size:.3g} in size (mean {flat.mean():.3g}, deviation "
            f"{deviation:.3g}), and a network begins with outputs around 1",
            "learn (y - mean) / deviation and undo it afterwards, as `edgeling train` does by itself",
        )  # fmt: skip


def imbalance(labels: Array, chosen: Array, classes: int, names: Sequence[str] = ()) -> Iterator[Finding]:
    """A rare class that the network does not find: fewer than half of its rows, by two standard errors."""
    counts = np.bincount(labels, minlength=classes)[:classes]
    present = np.flatnonzero(counts)
    if len(present) < 2:
        return
    rare = present[np.argmin(counts[present])]
    found = int(np.sum(chosen[labels == rare] == rare))
    recall, rows = found / counts[rare], int(counts[rare])
    upper = recall + 2 * float(np.sqrt(max(recall * (1 - recall), 1 / rows) / rows))
    if counts.max() >= RARE * rows and rows >= 5 and upper < 0.5:
        label = repr(names[rare]) if len(names) == classes else str(rare)
        yield Finding(
            "class_imbalance", "warning",
            f"class {label} is rare (1 row in {len(labels) / rows:.0f}) and hardly ever found: {found} of {rows} rows",
            "judge by balanced accuracy or the area under the precision-recall curve, and weight or balance the "
            "classes, or lower the threshold",
        )  # fmt: skip
