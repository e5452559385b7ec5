# SPDX-License-Identifier: Apache-2.0
"""Training one network on prepared rows: when it stops, what is kept of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Literal

from edgeling import targets
from edgeling.callbacks import Callback, EarlyStopping
from edgeling.errors import TargetError
from edgeling.graph.types import Array
from edgeling.models import Sequential
from edgeling.utils import set_random_seed
from edgeling.workflow.problem import Problem
from edgeling.workflow.progress import Progress
from edgeling.workflow.recipes import Recipe, network_for
from edgeling.workflow.settings import Settings

StoppedBy = Literal["patience", "epochs", "interrupt"]


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained network, with the weights of its best epoch.

    Attributes:
        history: a value an epoch by Keras's names; errors of an estimate in the target's unit, losses not.
        best_epoch: 1 is the first.
        stopped_by: no better epoch for as long as was waited, all epochs done, or Ctrl-C.
    """

    network: Sequential
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
    keep_interrupted: bool = False,
) -> Fitted:  # fmt: skip
    """Train, watching the loss of the validation rows (of the training rows, where there are no others).

    Args:
        train, validation: positions of rows.

    Raises:
        TrainingError: the loss was not finite.
        TargetError: the network's weights alone do not fit a target.
        KeyboardInterrupt: Ctrl-C, unless an interrupted network is to be kept and there is one.
    """
    settings = problem.settings
    set_random_seed(settings.seed)
    network = network_for(problem.preparation, settings, len(train), recipe)
    _require_room(network, settings)
    rows = problem.learned(train)
    held = problem.stopping(validation, train).parts if len(validation) else None
    epochs = recipe.most_epochs(settings)
    patience = epochs if recipe.epochs else settings.patience
    stopper = EarlyStopping("val_loss" if held else "loss", patience=patience, restore_best_weights=True)
    interrupted = False
    with progress.training(epochs) as line:
        hooks: list[Callback] = [
            _InTheTargetsUnit(problem.preparation.target.scale), stopper, *([line] if line else [])
        ]  # fmt: skip
        start = perf_counter()
        try:
            network.fit(
                rows.x, rows.y, sample_weight=rows.weights, batch_size=settings.batch_size or recipe.batch_size,
                epochs=epochs, verbose=0, validation_data=held, callbacks=hooks,
            )  # fmt: skip
        except KeyboardInterrupt:
            if not keep_interrupted or not _keep_best(network, stopper):
                raise
            interrupted = True
        seconds = perf_counter() - start
        progress.kept(stopper.best_epoch)
    assert network.history
    history = network.history.history
    if interrupted:
        kept = f"the network of epoch {stopper.best_epoch + 1}, the best of {len(network.history.epoch)}"
        progress.note(f"Stopped by Ctrl-C: going on with {kept}. Ctrl-C again gives up.")
    stopped_by: StoppedBy = "interrupt" if interrupted else "patience" if stopper.stopped_epoch else "epochs"
    return Fitted(network, history, stopper.best_epoch + 1, stopped_by, seconds)


def fit_again(problem: Problem, recipe: Recipe, rows: Array, epochs: int) -> Sequential:
    """A network trained on these rows for so many epochs, watching nothing."""
    settings = problem.settings
    set_random_seed(settings.seed)
    network = network_for(problem.preparation, settings, len(rows), recipe)
    learned = problem.learned(rows)
    network.fit(
        learned.x, learned.y, sample_weight=learned.weights, batch_size=settings.batch_size or recipe.batch_size,
        epochs=epochs, verbose=0,
    )  # fmt: skip
    return network


def _keep_best(network: Sequential, stopper: EarlyStopping) -> bool:
    """Give a network that was interrupted the weights of its best whole epoch, if there was one."""
    done = len(network.history.epoch) if network.history else 0
    if stopper.best_weights is None or stopper.best_epoch >= done:
        return False
    network.set_weights(stopper.best_weights)
    return True


class _InTheTargetsUnit(Callback):
    """The network learns a standardised target; people read its mean error in the target's unit."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self._scale = scale

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        for name in ("mae", "val_mae"):
            if logs and name in logs:
                logs[name] *= self._scale


def _require_room(network: Sequential, settings: Settings) -> None:
    """Weights that alone exceed a target's flash are found out before training, not after.

    Whether the rest fits too, the linker says.
    """
    weights_bytes = network.count_params() * (1 if settings.precision in ("int8", "int16x8") else 4)
    for chip in map(targets.get, settings.targets):
        if 0 < chip.flash_bytes < weights_bytes:
            raise TargetError(
                f"a program must fit {chip.name} ({chip.flash_bytes:,} bytes flash)",
                received=f"a network whose weights alone take {weights_bytes:,} bytes",
                remedy="fewer units (hidden, --hidden), int8, which takes a quarter (precision, --precision), "
                "or another chip (targets, --for)",
            )
