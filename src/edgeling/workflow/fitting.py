# SPDX-License-Identifier: Apache-2.0
"""Training one network on prepared rows: when it stops, what is kept of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Literal

from edgeling.callbacks import Callback, EarlyStopping
from edgeling.graph.types import Array
from edgeling.models import Model
from edgeling.utils import set_random_seed
from edgeling.workflow.committee import together
from edgeling.workflow.problem import Problem
from edgeling.workflow.progress import Progress
from edgeling.workflow.recipes import Recipe, network_for
from edgeling.workflow.room import require_room

StoppedBy = Literal["patience", "epochs", "interrupt"]


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained network, with the weights of its best epoch.

    Attributes:
        history: a value an epoch by Keras's names; errors of an estimate in the target's unit, losses not.
        best_epoch: 1 is the first.
        stopped_by: no better epoch for as long as was waited, all epochs done, or Ctrl-C.
    """

    network: Model
    history: Mapping[str, Sequence[float]]
    best_epoch: int
    stopped_by: StoppedBy
    seconds: float

    @property
    def epochs(self) -> int:
        """How many were trained, the best one and those after it."""
        return max(map(len, self.history.values()))


def fit_network(
    problem: Problem, recipe: Recipe, train: Array, validation: Array, progress: Progress,
    keep_interrupted: bool = False, watched_by: Sequence[Callback] = (),
) -> Fitted:  # fmt: skip
    """Train, watching the loss of the validation rows (of the training rows, where there are no others).

    A recipe of so many epochs keeps its last; else it is the best that is kept.

    Args:
        train, validation: positions of rows.
        watched_by: callbacks that see the weights which are kept.

    Raises:
        TrainingError: the loss was not finite.
        TargetError: the network's weights alone do not fit a target.
        KeyboardInterrupt: Ctrl-C, unless an interrupted network is to be kept and there is one.
    """
    settings = problem.settings
    set_random_seed(settings.seed)
    rows, taught = problem.learned(train), problem.teacher is not None
    network = network_for(problem.preparation, settings, len(rows.x), recipe)
    require_room(network.count_params(), settings)
    recipe.begin(network, problem, train, rows.x)
    held = None
    if len(validation):
        told = problem.stopping(validation, train)
        held = replace(told, y=recipe.truth(told.y, problem.classes, taught=taught)).parts
    epochs = recipe.most_epochs(settings)
    stopper = EarlyStopping("val_loss" if held else "loss", patience=settings.patience, restore_best_weights=True)
    interrupted = False
    with progress.training(epochs) as line:
        target = problem.preparation.target
        hooks: list[Callback] = [_InTheTargetsUnit(0.0 if target.curve else target.scale)]
        hooks += [*([] if recipe.epochs else [stopper]), *([line] if line else []), *watched_by]
        start = perf_counter()
        try:
            network.fit(
                rows.x, recipe.truth(rows.y, problem.classes, taught=taught), sample_weight=rows.weights,
                batch_size=settings.batch_size or recipe.batch_size,
                epochs=epochs, verbose=0, validation_data=held, callbacks=hooks,
            )  # fmt: skip
        except KeyboardInterrupt:
            if not keep_interrupted or not (_done(network) if recipe.epochs else _keep_best(network, stopper)):
                raise
            interrupted = True
        seconds = perf_counter() - start
        best = _done(network) if recipe.epochs else stopper.best_epoch + 1
        progress.kept(best - 1)
    assert network.history
    history = network.history.history
    if interrupted:
        kept = f"the network of epoch {best}, {'the last' if recipe.epochs else f'the best of {_done(network)}'}"
        progress.note(f"Stopped by Ctrl-C: going on with {kept}. Ctrl-C again gives up.")
    stopped_by: StoppedBy = "interrupt" if interrupted else "patience" if stopper.stopped_epoch else "epochs"
    return Fitted(network, history, best, stopped_by, seconds)


def fit_again(problem: Problem, recipe: Recipe, rows: Array, epochs: int, member: int = 0) -> Model:
    """A network trained on these rows for so many epochs, watching nothing.

    Args:
        member: counted from the seed of the settings, whose it is.
    """
    settings = problem.settings
    set_random_seed((settings.seed + member) % 2**32)
    learned, taught = problem.learned(rows), problem.teacher is not None
    network = network_for(problem.preparation, settings, len(learned.x), recipe)
    recipe.begin(network, problem, rows, learned.x)
    network.fit(
        learned.x, recipe.truth(learned.y, problem.classes, taught=taught), sample_weight=learned.weights,
        batch_size=settings.batch_size or recipe.batch_size, epochs=epochs, verbose=0,
    )  # fmt: skip
    return network


def fit_several(
    problem: Problem, recipe: Recipe, rows: Array, epochs: int, seeds: int, first: Model | None = None
) -> Model:
    """Networks trained on these rows that differ in their seed alone, answering as one.

    Args:
        first: that of the settings' own seed, if it is there already.

    Raises:
        TargetError: their weights alone do not fit a target.
    """
    members = [first or fit_again(problem, recipe, rows, epochs)]
    if seeds == 1:
        return members[0]
    require_room(seeds * members[0].count_params(), problem.settings)
    members += [fit_again(problem, recipe, rows, epochs, member) for member in range(1, seeds)]
    return together(members, problem.preparation, skips=recipe.skips)


def _done(network: Model) -> int:
    """How many whole epochs were trained."""
    return len(network.history.epoch) if network.history else 0


def _keep_best(network: Model, stopper: EarlyStopping) -> bool:
    """Give a network that was interrupted the weights of its best whole epoch, if there was one."""
    if stopper.best_weights is None or stopper.best_epoch >= _done(network):
        return False
    network.set_weights(stopper.best_weights)
    return True


class _InTheTargetsUnit(Callback):
    """The network learns a standardised target; people read its mean error in the target's unit, if it has one."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self._scale = scale

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        for name in ("mae", "val_mae"):
            if logs and name in logs:
                logs[name] *= self._scale
                if not self._scale:
                    del logs[name]
