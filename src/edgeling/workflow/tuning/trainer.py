# SPDX-License-Identifier: Apache-2.0
"""What a choice scores, by cross-validation, with an eye on when to give it up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import inf
from typing import Any

import numpy as np

from edgeling.errors import ArtifactError
from edgeling.graph import Graph, run_rows
from edgeling.graph.types import Array
from edgeling.models import Model
from edgeling.network.network import inference_graph
from edgeling.optimizers import Adam
from edgeling.utils import set_random_seed
from edgeling.workflow.deploy import Deployable, deployable
from edgeling.workflow.pipeline import interface_for, whole_graph
from edgeling.workflow.recipes import network_for
from edgeling.workflow.settings import Settings
from edgeling.workflow.tuning.folds import Folds
from edgeling.workflow.tuning.judging import BY_LOOKING, WORST, scored
from edgeling.workflow.tuning.programs import Programs
from edgeling.workflow.tuning.space import Choice, SearchSpace

MOST_EPOCHS = 200
PATIENCE = 5  # looks at the validation loss that bring nothing
ROWS_A_LOOK = 1000  # learned from between two looks, in at most ten epochs
CALIBRATION_ROWS = 300
_ROOM = (8, 32, 128)  # units that programs have room for


@dataclass(frozen=True)
class Pruning:
    """Losses above which a trial is given up, for nobody would choose it.

    Attributes:
        looks: at each look at the first fold.
        folds: of the mean over the folds so far.
    """

    looks: tuple[float, ...] = ()
    folds: tuple[float, ...] = ()

    def after(self, losses: list[float]) -> bool:
        """Whether to give up at this look at the first fold."""
        return len(losses) <= len(self.looks) and losses[-1] > self.looks[len(losses) - 1]

    def between(self, folds: list[float]) -> bool:
        """Whether to give up after these folds."""
        return len(folds) <= len(self.folds) and float(np.mean(folds)) > self.folds[len(folds) - 1]


@dataclass(frozen=True)
class TrialResult:
    """What a choice came to.

    Attributes:
        score: in the metric, on rows not learned from, mean of the folds; of integers less what they cost.
        spread: standard error of that mean: the folds' standard deviation over the root of their number.
        loss: mean of the folds.
        epochs: until the best look, mean of the folds.
        pruned: given up before the end; the figures are those of the folds that were done.
        looks: the loss at each look at the first fold.
        folds: the loss of each fold.
        scores: of what was learned, in every precision of the space, by its name; empty if pruned.
    """

    score: float
    spread: float
    loss: float
    epochs: float
    pruned: bool
    looks: tuple[float, ...]
    folds: tuple[float, ...]
    scores: tuple[tuple[str, float], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> TrialResult:
        """Read what ``to_json`` wrote, trusting nothing.

        Raises:
            ArtifactError: anything else.
        """
        try:
            numbers = {name: _number(value[name]) for name in ("score", "spread", "loss", "epochs")}
            looks, folds = (tuple(map(_number, value[name])) for name in ("looks", "folds"))
            scores = tuple((str(name), _number(score)) for name, score in value["scores"])
            return cls(**numbers, pruned=bool(value["pruned"]), looks=looks, folds=folds, scores=scores)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(
                "a result is written as tune writes it", received=str(error), remedy="--restart, which begins anew"
            ) from error


def _number(value: Any) -> float:
    """A number; JSON has none that is not finite."""
    return inf if value is None else float(value)


@dataclass
class _Fold:
    """One fold as it is learned: the loss at each look, and what was best."""

    losses: list[float] = field(default_factory=list)
    score: float = -inf
    epochs: int = 0
    variables: Mapping[str, Array] = field(default_factory=dict)
    pruned: bool = False

    @property
    def loss(self) -> float:
        """The least."""
        return min(self.losses, default=inf)

    @property
    def rests(self) -> bool:
        """Whether the last looks brought nothing."""
        return len(self.losses) - 1 - int(np.argmin(self.losses)) >= PATIENCE


class Trainer:
    """Scores choices. It keeps what was compiled, and serves one thread at a time.

    Args:
        folds: the rows.
        space: what choices are made of; programs have room for its largest batch.
    """

    def __init__(self, folds: Folds, space: SearchSpace) -> None:
        self._folds, self._space = folds, space
        self._programs: dict[tuple[int, int, str], Programs] = {}

    def __call__(self, choice: Choice, pruning: Pruning | None = None) -> TrialResult:
        """Train a choice on every fold.

        Raises:
            KeyboardInterrupt: Ctrl-C.
        """
        programs, pruning, done = self._for(choice), pruning or Pruning(), list[_Fold]()
        for number in range(len(self._folds.parts)):
            done.append(self._fold(programs, choice, number, pruning if not number else Pruning()))
            losses = [fold.loss for fold in done]
            if done[-1].pruned or not np.isfinite(losses[-1]) or pruning.between(losses):
                break
        pruned = len(done) < len(self._folds.parts) or done[-1].pruned or not np.isfinite(losses[-1])
        told = self._told(programs, choice, done, ("float32",) if pruned else self._space.precisions)
        scores = [fold.score if np.isfinite(fold.score) else self._worst for fold in done]
        if self._folds.metric not in BY_LOOKING:
            scores = told["float32"]
        mean = float(np.mean(scores))
        lost = {p: float(np.mean(told["float32"]) - np.mean(told[p])) for p in self._space.precisions if p in told}
        each = {} if pruned else {p: mean - lost[p] for p in self._space.precisions}
        return TrialResult(
            each.get(choice.precision, mean), float(np.std(scores) / np.sqrt(len(scores))), float(np.mean(losses)),
            float(np.mean([fold.epochs for fold in done])), pruned, tuple(done[0].losses), tuple(losses),
            tuple(each.items()),
        )  # fmt: skip

    @property
    def _worst(self) -> float:
        """The score of a network that gives no numbers."""
        return WORST[self._folds.metric]

    def _for(self, choice: Choice) -> Programs:
        room = next((room for room in _ROOM if max(choice.hidden, default=0) <= room), max(choice.hidden, default=0))
        activation = choice.activation if choice.hidden else "relu"
        key = len(choice.hidden), room if choice.hidden else 0, activation
        if key not in self._programs:
            rooms, recipe = (room,) * len(choice.hidden), self._folds.recipes[0]
            self._programs[key] = Programs(self._folds, rooms, activation, self._space.batches[-1], recipe)
        return self._programs[key]

    def _fold(self, programs: Programs, choice: Choice, number: int, pruning: Pruning) -> _Fold:
        """Learn until the validation loss rests, looking every few epochs."""
        learn, judge = programs.parts[number]
        seed, found, epochs = self._folds.settings.seed + 1000 * number, _Fold(), 0
        every = int(np.clip(ROWS_A_LOOK // len(learn.x), 1, 10))
        recipe, settings = self._folds.recipe(choice.recipe), choice.applied(self._folds.settings)
        optimizer = Adam(recipe.rate(settings, len(learn.x)))
        programs.begin(choice, seed)
        while epochs < min(MOST_EPOCHS, recipe.most_epochs(settings)):
            epochs += every
            optimizer.iterations = (epochs - every) * -(-len(learn.x) // choice.batch_size)
            run = programs.engine.run_epochs(
                learn, batch_size=choice.batch_size, epochs=every, seed=seed, first_epoch=epochs - every,
                learning_rates=np.asarray(optimizer.learning_rates(every * -(-len(learn.x) // choice.batch_size))),
                planned_steps=1,
            )  # fmt: skip
            if run.interrupted:
                raise KeyboardInterrupt
            means = programs.engine.evaluate(judge)
            if run.diverged or not np.isfinite(means[0]):
                break
            self._look(programs, found, means, epochs, judge.y)
            found.pruned = pruning.after(found.losses)
            if found.pruned or (found.rests and not recipe.epochs):
                break
        return found

    def _look(self, programs: Programs, found: _Fold, means: Array, epochs: int, truth: Array) -> None:
        better = float(means[0]) < found.loss
        found.losses.append(float(means[0]))
        if better:
            classes = bool(self._folds.preparation.target.labels)
            found.score = float(means[1]) if classes else 1 - float(means[0]) / max(float(np.var(truth)), 1e-12)
            found.epochs, found.variables = epochs, programs.engine.weights()

    def _told(
        self, programs: Programs, choice: Choice, done: Sequence[_Fold], precisions: Sequence[str]
    ) -> dict[str, list[float]]:  # fmt: skip
        """What each precision scores, fold by fold; of float32 in any case."""
        asked = tuple(dict.fromkeys(("float32", *precisions)))
        if asked == ("float32",) and self._folds.metric in BY_LOOKING:
            return {"float32": [0.0]}  # nothing is compared with it
        model, found = sized(self._folds, choice), {p: list[float]() for p in asked}
        for fold, (learn, judge) in zip(done, self._folds.parts, strict=False):
            if not fold.variables:
                found = {p: [*scores, self._worst] for p, scores in found.items()}
                continue
            programs.hand_over(choice, fold.variables, model)
            graphs = deployed(self._folds, model, learn[:CALIBRATION_ROWS], *asked).graphs
            found = {p: [*scores, self._scored(graphs[p], judge)] for p, scores in found.items()}
        return found

    def _scored(self, graph: Graph, rows: Array) -> float:
        (answers,) = run_rows(graph, self._folds.raw[rows])
        return scored(self._folds.metric, self._folds.preparation, self._folds.y[rows], answers)


def sized(folds: Folds, choice: Choice, seed: int = 0) -> Model:
    """A network of the choice's own size, its weights drawn."""
    set_random_seed(seed)
    settings: Settings = replace(choice.applied(folds.settings), seed=seed)
    return network_for(folds.preparation, settings, len(folds.y), folds.recipe(choice.recipe))


def deployed(folds: Folds, model: Model, calibration: Array, *precisions: str) -> Deployable:
    """What a network deploys, preparation included; integers are calibrated on these rows, and so is the proof."""
    graph, rows = whole_graph("model", folds.preparation, inference_graph(model)), folds.raw[calibration]
    once = tuple(dict.fromkeys(precisions))
    return deployable("model", graph, rows[:16], rows, once, interface_for(folds.preparation))
