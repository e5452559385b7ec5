# SPDX-License-Identifier: Apache-2.0
"""What a choice takes on the chip: from its graph and memory plan while searching, measured where it matters.

RAM and constants are what the generated C declares. Instructions and code are a line through programs that were really
built and run for the target in this very search (the first of them before it begins): so many for each product, unit
and layer, drawn to what such networks took elsewhere as long as few have been measured. Whatever would stand on the
front is measured in the end, and only what was measured is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeling.graph.cost import cost
from edgeling.graph.types import Array
from edgeling.layers import Dense
from edgeling.models import Model
from edgeling.targets import Target
from edgeling.toolchain.prove import Proof
from edgeling.workflow.deploy import Deployable
from edgeling.workflow.tuning.folds import Folds
from edgeling.workflow.tuning.space import Choice
from edgeling.workflow.tuning.trainer import CALIBRATION_ROWS, deployed, sized

Structure = tuple[tuple[int, ...], str, str]

# For each product, unit, layer, and unit with an activation other than relu: instructions, then bytes of code. Seen on
# 52 networks of 4 and 30 inputs; a place to begin, from which what is measured leads away.
_SLOPES: Mapping[tuple[str, bool], tuple[tuple[float, ...], tuple[float, ...]]] = {
    ("cortex-m4", True): ((1.2, 12, 0, 37), (0, 29, 100, 19)),
    ("cortex-m4", False): ((1.0, 11, 0, 4), (0, 15, 190, 21)),
    ("cortex-m0plus", True): ((204, 0, 0, 2800), (0, 43, 360, 27)),
    ("cortex-m0plus", False): ((7.1, 49, 0, 4), (0, 7, 130, 10)),
    ("wasm32", True): ((12, 0, 0, 78), (0, 55, 30, 0)),
    ("wasm32", False): ((15, 0, 0, 0), (0, 16, 340, 25)),
}
_UNSURE = 0.5  # how far slopes may be from those: a standard deviation, as a share; the least is one unit's
_GROWN, _GROWN_ALONE = 2.0, 8.0
"""Times that learning makes weights of the columns larger than they are drawn: behind no hidden layer they grow with
every row that is told apart."""
_ROUGHNESS = 0.08  # how far programs lie from a line, as a share: unrolling comes and goes


@dataclass(frozen=True)
class ChipCost:
    """What a program takes.

    Attributes:
        ram_bytes: without the stack.
        measured: on the built binary; else estimated.
    """

    flash_bytes: int
    ram_bytes: int
    instructions: int
    measured: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dict(vars(self))


@dataclass(frozen=True)
class Budget:
    """Limits of the device; None: no limit."""

    flash_bytes: int | None = None
    ram_bytes: int | None = None
    instructions: int | None = None

    def excess(self, cost: ChipCost) -> float:
        """By what share the limit that is furthest exceeded is; 0 or less where all are kept."""
        limits = {name: limit for name, limit in vars(self).items() if limit is not None}
        return max((getattr(cost, name) / limit - 1 for name, limit in limits.items()), default=0.0)

    def __str__(self) -> str:
        units = {"flash_bytes": "{:,} bytes flash", "ram_bytes": "{:,} bytes RAM", "instructions": "{:,} instructions"}
        return ", ".join(text.format(getattr(self, name)) for name, text in units.items() if getattr(self, name))


@dataclass(frozen=True)
class _Sketch:
    """A program before it is built: what its line is drawn by, its constants and its RAM."""

    features: Array
    constant_bytes: int
    ram_bytes: int


class Costs:
    """Estimates and measurements for one target, by structure.

    Args:
        folds: the rows, which calibrate integers, and their preparation, which is part of each program.
    """

    def __init__(self, folds: Folds, target: Target) -> None:
        self._folds, self._target = folds, target
        self._sketches: dict[Structure, _Sketch] = {}
        self._lines: dict[str, Array] = {}
        self.proofs: dict[Structure, Proof] = {}

    def __call__(self, choice: Choice) -> ChipCost:
        """What is known of a choice: measured, if it was; else estimated."""
        if choice.structure in self.proofs:
            return _of(self.proofs[choice.structure])
        sketch = self._sketch(choice)
        instructions, code = sketch.features @ self._line(choice.precision)
        flash = sketch.constant_bytes + max(int(code), 0)
        return ChipCost(flash, sketch.ram_bytes, max(int(instructions), 1))

    def measure(self, choices: Iterable[Choice]) -> None:
        """Build and run what was not yet, two at a time, and draw the lines anew."""
        todo = {c.structure: c for c in choices if c.structure not in self.proofs}
        programs = [(self._program(choice), choice.precision) for choice in todo.values()]
        with ThreadPoolExecutor(2) as pool:
            proofs = list(pool.map(lambda job: job[0].prove(job[1], self._target), programs))
        for choice in todo.values():
            self._sketch(choice)
        self.proofs |= dict(zip(todo, proofs, strict=True))
        self._lines.clear()

    def error(self) -> float | None:
        """How far off estimates were: each measured program's from the line through the others, the mean as a share."""
        structures, kept = list(self.proofs), dict(self.proofs)
        errors = []
        for structure in structures:
            others = [s for s in structures if s[2] == structure[2] and s != structure]
            if others:
                flash, instructions = self._predicted(structure, self._fitted(structure[2], others))
                errors += [abs(flash / _of(kept[structure]).flash_bytes - 1),
                           abs(instructions / _of(kept[structure]).instructions - 1)]  # fmt: skip
        return float(np.mean(errors)) if errors else None

    def _predicted(self, structure: Structure, line: Array) -> tuple[float, float]:
        sketch = self._sketches[structure]
        instructions, code = sketch.features @ line
        return sketch.constant_bytes + code, instructions

    def _program(self, choice: Choice) -> Deployable:
        """A network of these sizes, not trained, in C for the target."""
        model, rows = _grown(self._folds, choice), np.arange(min(CALIBRATION_ROWS, len(self._folds.y)))
        found = deployed(self._folds, model, rows, choice.precision).for_target(self._target)
        found.program(choice.precision)
        return found.for_emulation(choice.precision, self._target)

    def _sketch(self, choice: Choice) -> _Sketch:
        if choice.structure not in self._sketches:
            model, rows = _grown(self._folds, choice), np.arange(min(CALIBRATION_ROWS, len(self._folds.y)))
            found = deployed(self._folds, model, rows[:8], choice.precision).for_target(self._target)
            program, products = found.program(choice.precision), cost(found.graphs[choice.precision])
            curved = sum(choice.hidden) if choice.activation != "relu" else 0
            counts = [1, products.multiply_accumulates, sum(choice.hidden), len(choice.hidden), curved]
            self._sketches[choice.structure] = _Sketch(
                np.array(counts, float), program.constant_bytes, program.arena_bytes + program.weights_bytes
            )
        return self._sketches[choice.structure]

    def _line(self, precision: str) -> Array:
        if precision not in self._lines:
            self._lines[precision] = self._fitted(precision, [s for s in self.proofs if s[2] == precision])
        return self._lines[precision]

    def _fitted(self, precision: str, structures: Sequence[Structure]) -> Array:
        """Coefficients [features, 2]: least squares of shares, around the slopes seen elsewhere (ridge regression)."""
        known = _SLOPES.get((self._target.core, precision == "float32"))
        prior = np.array([(0.0, 0.0), *zip(*known, strict=True)] if known else np.zeros((5, 2)), float)
        lines = []
        for column in range(2):
            mean = prior[:, column]
            unsure = np.maximum(np.abs(mean) * _UNSURE, 1.0)
            unsure[0] = 1e9  # where it begins is measured
            rows = [self._observed(s, column) for s in structures]
            a = np.array([x / (y * _ROUGHNESS) for x, y, _ in rows] + list(np.diag(1 / unsure)))
            b = np.array([left / (y * _ROUGHNESS) for x, y, left in rows] + list(mean / unsure))
            lines.append(np.linalg.lstsq(a, b, rcond=None)[0])
        return np.stack(lines, axis=1)

    def _observed(self, structure: Structure, column: int) -> tuple[Array, float, float]:
        """Features, what is to be told to a share of itself, and what of it is the line's."""
        sketch, found = self._sketches[structure], _of(self.proofs[structure])
        if column == 0:
            return sketch.features, found.instructions, found.instructions
        return sketch.features, found.flash_bytes, found.flash_bytes - sketch.constant_bytes


def _grown(folds: Folds, choice: Choice) -> Model:
    """A network of the choice's size, weights of the columns about as large as learning makes them.

    Whether the first layer can take up the scaling of columns without rounding too much, or that stays a step of its
    own, depends on them.
    """
    model = sized(folds, choice)
    first = next(layer for layer in model.layers if isinstance(layer, Dense))
    kernel, *others = first.get_weights()
    first.set_weights([kernel * (_GROWN if choice.hidden else _GROWN_ALONE), *others])
    return model


def _of(proof: Proof) -> ChipCost:
    return ChipCost(proof.flash_bytes or 0, proof.ram_bytes or 0, proof.instructions or 0, measured=True)
