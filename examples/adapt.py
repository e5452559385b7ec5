# SPDX-License-Identifier: Apache-2.0
"""A sensor drifts, and the chip that reads it learns: accuracy before and after, and what it costs.

A network is trained on windows of an accelerometer, compiled for a Cortex-M4 in int8 with a last layer that learns, and
put on the emulated chip. Then the sensor is worn another way. The chip meets the first recordings of it with their
labels, one row at a time, and is asked about others before and after.

With recordings of exercises (`gestures/exercises.parquet` in the folder that EDGELING_SHARED names) the data are real;
without them they are generated. Run it: python examples/adapt.py
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

import edgeling
from edgeling.errors import UnsupportedError
from edgeling.workflow.build import as_learning
from edgeling.workflow.learning import Learning

WINDOW, HOP = 200, 100  # samples, at 100 Hz
PASSES = 4  # over the few labelled rows
# STM32F405 (DS8626): 40 mA at 168 MHz, peripherals off; at 3.3 V and one cycle an instruction, an estimate.
NANOJOULE_AN_INSTRUCTION = 40e-3 * 3.3 / 168e6 * 1e9
Recordings = list[tuple[str, np.ndarray]]  # what was done, and [samples, 3] in g


def recordings() -> tuple[Recordings, str]:
    """Real ones, or where there are none, generated ones."""
    shared = Path(os.environ.get("EDGELING_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    table = shared / "data" / "gestures" / "exercises.parquet"
    if not table.exists():
        return generated(), "generated"
    import polars as pl

    parts = pl.read_parquet(table).sort("file", "time").partition_by("file")
    return [(p["activity"][0], p.select("x", "y", "z").to_numpy()) for p in parts], "exercises.parquet"


def generated() -> Recordings:
    """Movements along axes and at speeds of their own, in noise."""
    dice, kinds = np.random.default_rng(0), {"rest": (0.0, 0), "lift": (0.9, 2), "turn": (1.6, 0), "shake": (3.0, 1)}
    made = []
    for name, (hertz, axis) in kinds.items():
        for _ in range(8):
            time = np.arange(1000) / 100
            g = np.tile([0.0, 0.0, 1.0], (1000, 1)) + dice.normal(0, 0.1, (1000, 3))
            g[:, axis] += (0.8 if hertz else 0) * np.sin(2 * np.pi * hertz * time * dice.uniform(0.9, 1.1))
            made.append((name, g))
    return made


def worn_another_way(g: np.ndarray) -> np.ndarray:
    """The sensor turned by a quarter about z, its gain and offsets drifted."""
    return np.stack([g[:, 1], -g[:, 0], g[:, 2]], axis=1) * [1.15, 0.9, 1.1] + [0.15, -0.1, 0.05]


def windows(parts: Recordings) -> tuple[np.ndarray, list[str]]:
    """Statistics of windows, raw columns of the network: [rows, 15]."""
    rows, labels = [], []
    for label, g in parts:
        for start in range(0, len(g) - WINDOW + 1, HOP):
            part = g[start : start + WINDOW]
            change = np.abs(np.diff(part, axis=0)).mean(axis=0)
            rows.append(np.concatenate([part.mean(0), part.std(0), part.min(0), part.max(0), change]))
            labels.append(label)
    return np.asarray(rows, np.float32), labels


NAMES = [f"{what}_{axis}" for what in ("mean", "std", "min", "max", "change") for axis in "xyz"]


def table(parts: Recordings) -> dict[str, object]:
    rows, labels = windows(parts)
    return {**dict(zip(NAMES, rows.T, strict=True)), "activity": labels}


def split(parts: Recordings) -> tuple[Recordings, Recordings, Recordings]:
    """By recording, never by row: to train on, the first of each kind worn another way, others worn so."""
    kinds = sorted({label for label, _ in parts})
    each = [[part for part in parts if part[0] == kind] for kind in kinds]
    train = [part for group in each for part in group[: len(group) // 2]]
    moved = [[(label, worn_another_way(g)) for label, g in group[len(group) // 2 :]] for group in each]
    return train, [group[0] for group in moved], [part for group in moved for part in group[1:]]


def main() -> dict[str, float]:
    parts, source = recordings()
    train, few, later = split(parts)
    trained = edgeling.train(
        table(train), target="activity", hidden=(16,), recipe="plain", importance=False, targets=("native",), seed=1
    )
    pipeline, how = trained.pipeline, Learning(layers="last", remember=32, adapt="preparation")
    try:
        model = as_learning(pipeline, how, precision="int8")
    except UnsupportedError:  # a linear model did as well: it has no body that could be int8
        model = as_learning(pipeline, how, precision="float32")
    device, labels = model.device("cortex-m4"), list(pipeline.labels)

    def encoded(parts: Recordings) -> tuple[np.ndarray, np.ndarray]:
        _, names = windows(parts)
        return pipeline.preparation.transform(pipeline.read(table(parts))), np.array([labels.index(n) for n in names])

    def accuracy(parts: Recordings) -> float:
        rows, truths = encoded(parts)
        return float((device.answers(rows).argmax(axis=1) == truths).mean())

    before = accuracy(later)
    rows, truths = encoded(few)
    order = np.random.default_rng(0).permutation(np.tile(np.arange(len(rows)), PASSES))
    device.learn(rows[order], truths[order], rate=0.1)
    after = accuracy(later)
    step = device.step_instructions
    report = {
        "accuracy_before": before,
        "accuracy_after": after,
        "labelled_rows": len(rows),
        "steps": device.steps,
        "rejected": device.rejected,
        "step_instructions": step,
        "step_microjoule": step * NANOJOULE_AN_INSTRUCTION / 1e3,
        "answer_instructions": device.answer_instructions,
        "flash_bytes": device.footprint.flash_bytes,
        "ram_bytes": device.footprint.ram_bytes,
    }
    print(f"data                  {source}, {len(train)} recordings to train on")
    print(f"worn another way      {before:.1%} of {len(windows(later)[1])} windows right")
    print(f"after learning        {after:.1%}, from {len(rows)} labelled rows of {len(few)} recordings")
    print(f"steps                 {device.steps}, of which {device.rejected} would have lost and were not adopted")
    print(f"a step                {step:,} instructions, {report['step_microjoule']:.1f} uJ (estimate)")
    print(f"an answer             {device.answer_instructions:,} instructions")
    print(f"flash, RAM            {device.footprint.flash_bytes:,} B, {device.footprint.ram_bytes:,} B")
    return report


if __name__ == "__main__":
    main()
    sys.exit(0)
