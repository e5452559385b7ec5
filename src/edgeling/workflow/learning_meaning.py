# SPDX-License-Identifier: Apache-2.0
"""What a step of learning means, remembered rows included; and whether a step that C has made is one.

C is judged step by step, each from the weights that C itself had: two paths of learning that began alike drift apart by
what roundings do to the steps after them, however right each step is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgeling.codegen.learning import RING_COUNT, RING_ROWS, RING_TRUTHS
from edgeling.graph import Graph, run
from edgeling.graph.interpreter import Run
from edgeling.graph.roundings import room_of_roundings
from edgeling.graph.types import Array
from edgeling.toolchain.prove_learning import JudgedStep, relative_error
from edgeling.training.on_device import Learner

UPDATED, REJECTED = 0, 3  # NAME_OK and NAME_REJECTED
# Of a weight, relative to the largest of its array: some roundings. Where a step makes more of them (a gradient that
# cancels, which Adam divides by its own size) it is what drawn roundings of that very step come to.
TOLERANCE = 1e-6


@dataclass(frozen=True)
class StepMeaning:
    """One step, as the graphs of a network that learns mean it."""

    learner: Learner

    def after(self, held: dict[str, Array], row: Array, truth: Array, rate: float) -> dict[str, Array] | None:
        """The variables after one step; None where the update is not adopted."""
        after = self._moved(held, row, truth, rate).variables
        if not self.learner.remembered:
            return after
        return after if self._loss(after) <= self._loss(self._remembering(held, row, truth)) else None

    def judged(
        self, held: dict[str, Array], found: dict[str, Array], state: int | None, row: Array, truth: Array, rate: float
    ) -> JudgedStep:
        """Whether C that had the variables ``held`` may have come to those ``found``.

        Args:
            state: what its call returned; None where nobody knows.
        """
        stayed = all(found[name].tobytes() == array.tobytes() for name, array in held.items())
        if self.learner.remembered and (state == REJECTED or (state is None and stayed)):
            right = stayed and self._may_reject(held, row, truth, rate)
            return JudgedStep(right, 0.0, TOLERANCE, rejected=True)
        made = self._moved(held, row, truth, rate)
        right = state in (None, UPDATED) and (not self.learner.remembered or self._may_adopt(held, made, row, truth))
        wanted = made.variables
        error, worst = max((relative_error(found[name], wanted[name]), name) for name in self.learner.weights)
        off = [name for name, want in wanted.items() if not _is_near(found[name], want)]
        if not off:
            return JudgedStep(right, error, TOLERANCE, rejected=False)
        rooms = self._rooms(made)
        right &= all(name in rooms and _is_near(found[name], wanted[name], rooms[name]) for name in off)
        room = rooms[worst].flat[np.abs(found[worst] - wanted[worst]).argmax()] / _largest(wanted[worst])
        return JudgedStep(right, error, max(TOLERANCE, float(room)), rejected=False)

    def _rooms(self, made: Run) -> dict[str, Array]:
        """What roundings may do to each number of this step; twice, for both it and C are rounded."""
        graph = self.learner.learn
        rooms, new = room_of_roundings(graph, made.values), dict(graph.updates)
        return {name: 2 * rooms[new.get(name, name)] for name in graph.variables if new.get(name, name) in rooms}

    def _may_adopt(self, held: dict[str, Array], made: Run, row: Array, truth: Array) -> bool:
        before, after = self._remembering(held, row, truth), made.variables
        return self._loss(after) <= self._loss(before) or self._is_tie(before, after)

    def _may_reject(self, held: dict[str, Array], row: Array, truth: Array, rate: float) -> bool:
        before, after = self._remembering(held, row, truth), self._moved(held, row, truth, rate).variables
        return not self._loss(after) <= self._loss(before) or self._is_tie(before, after)

    def _is_tie(self, before: dict[str, Array], after: dict[str, Array]) -> bool:
        """Whether roundings may make either the larger."""
        gap = abs(self._loss(after) - self._loss(before))
        rooms = [
            float(room_of_roundings(self.learner.loss, one.values)[self.learner.loss.outputs[0]].max())
            for held in (before, after)
            for one in self._losses(held)
        ]
        return gap <= 2 * sum(rooms)

    def _moved(self, held: dict[str, Array], row: Array, truth: Array, rate: float) -> Run:
        """A step, adopted or not."""
        graph = self.learner.learn
        if self.learner.remembered:
            held = self._remembering(held, row, truth)
        return run(graph, [*_shaped(graph, row, truth), np.float32(rate)], held)

    def _losses(self, held: dict[str, Array]) -> list[Run]:
        """Of what is remembered."""
        graph = self.learner.loss
        known = min(int(held[RING_COUNT][0]), self.learner.remembered)
        given = {name: held[name] for name in graph.variables}
        pairs = zip(held[RING_ROWS][:known], held[RING_TRUTHS][:known], strict=True)
        return [run(graph, _shaped(graph, row, truth), given) for row, truth in pairs]

    def _loss(self, held: dict[str, Array]) -> float:
        """The sum of the losses of what is remembered, added as the C adds."""
        total = np.float32(0)
        for one in self._losses(held):
            total = total + np.float32(one.outputs[0].reshape(-1)[0])
        return float(total)

    def _remembering(self, held: dict[str, Array], row: Array, truth: Array) -> dict[str, Array]:
        rows = self.learner.remembered
        new = {name: held[name].copy() for name in (RING_ROWS, RING_TRUTHS, RING_COUNT)}
        count = int(new[RING_COUNT][0])
        new[RING_ROWS][count % rows], new[RING_TRUTHS][count % rows] = row.reshape(-1), truth.reshape(-1)
        new[RING_COUNT][0] = count + 1 if count + 1 < 2 * rows else rows
        return {**held, **new}


def _is_near(found: Array, want: Array, room: Array | float = 0.0) -> bool:
    """To the bit, but floats to the tolerance, or within the room."""
    if want.dtype != np.float32:
        return found.tobytes() == want.tobytes()
    with np.errstate(invalid="ignore"):
        off = np.abs(found.astype(np.float64) - want.astype(np.float64))
        near = off <= np.maximum(TOLERANCE * _largest(want), room)
    return bool((near | (found == want) | (np.isnan(found) & np.isnan(want))).all())


def _largest(array: Array) -> float:
    return float(np.abs(array).max(initial=0.0, where=np.isfinite(array))) or 1.0


def _shaped(graph: Graph, row: Array, truth: Array) -> list[Array]:
    """A row and its truth, as the graph takes them."""
    return [array.reshape(graph.types[name].shape) for name, array in zip(graph.inputs, (row, truth), strict=False)]
