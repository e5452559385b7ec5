# SPDX-License-Identifier: Apache-2.0
"""Training one network on prepared rows: its size, what its classes weigh, when it stops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Literal

import numpy as np

from edgeling import targets
from edgeling.callbacks import Callback, EarlyStopping
from edgeling.data import Preparation, Split, TableCheck, class_weights
from edgeling.errors import TargetError
from edgeling.graph import run_rows
from edgeling.graph.types import Array
from edgeling.layers import Dense, Input, Layer
from edgeling.models import Sequential
from edgeling.optimizers import Adam
from edgeling.utils import set_random_seed
from edgeling.workflow.category_embedding import WIDTH, CategoryEmbedding
from edgeling.workflow.progress import Progress
from edgeling.workflow.settings import Settings

StoppedBy = Literal["patience", "epochs", "interrupt"]


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained network, with the weights of its best epoch.

    Attributes:
        history: a value an epoch by Keras's names; errors of an estimate in the target's unit, losses not.
        best_epoch: 1 is the first.
        stopped_by: no better epoch for as long as was waited, all epochs done, or Ctrl-C.
        class_weight: what a row of each class counted, by label; empty where all counted the same.
    """

    network: Sequential
    history: Mapping[str, Sequence[float]]
    best_epoch: int
    stopped_by: StoppedBy
    seconds: float
    class_weight: Mapping[str, float]

    @property
    def epochs(self) -> int:
        """How many were trained, the best one and those after it."""
        return max(map(len, self.history.values()))


def settled(settings: Settings, preparation: Preparation) -> Settings:
    """The settings with what was left to the table."""
    batch_size, learning_rate = (256, 0.002) if preparation.embedded else (16, 0.01)  # a category is in few rows
    return replace(
        settings,
        batch_size=settings.batch_size or batch_size,
        learning_rate=settings.learning_rate or learning_rate,
    )


def fit_network(
    checked: TableCheck, parts: Split, preparation: Preparation, settings: Settings, progress: Progress,
    keep_interrupted: bool,
) -> Fitted:  # fmt: skip
    """Train, watching the loss of the validation rows (of the training rows, where there are no others).

    Raises:
        TrainingError: the loss was not finite.
        TargetError: the network's weights alone do not fit a target.
        KeyboardInterrupt: Ctrl-C, unless an interrupted network is to be kept and there is one.
    """
    set_random_seed(settings.seed)
    network = network_for(preparation, settings, len(parts.train))
    _require_room(network, settings)
    x, y = _arrays(checked, parts.train, preparation)
    weights = class_weights(settings.class_weight, y, checked.labels)
    held = _weighted(*_arrays(checked, parts.validation, preparation), weights) if len(parts.validation) else None
    stopper = EarlyStopping("val_loss" if held else "loss", patience=settings.patience, restore_best_weights=True)
    interrupted = False
    with progress.training(settings.epochs) as line:
        hooks: list[Callback] = [_InTheTargetsUnit(preparation.target.scale), stopper, *([line] if line else [])]
        start = perf_counter()
        try:
            network.fit(
                x, y, batch_size=settings.batch_size, epochs=settings.epochs, verbose=0, validation_data=held,
                class_weight=dict(enumerate(weights.values())) or None, callbacks=hooks,
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
    return Fitted(network, history, stopper.best_epoch + 1, stopped_by, seconds, weights)


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


def network_for(preparation: Preparation, settings: Settings, rows: int) -> Sequential:
    """The network that these settings ask for, compiled, its weights drawn from the global seed.

    Args:
        rows: how many are learned from.
    """
    target = preparation.target
    units = len(target.labels) if len(target.labels) > 2 else 1
    activation = {"binary": "sigmoid", "multiclass": "softmax", "regression": "linear"}[target.task]
    hidden = settings.hidden if settings.hidden is not None else hidden_sizes(preparation, rows)
    layers: list[Layer] = [Dense(size, activation=settings.activation) for size in hidden]
    if preparation.embedded:
        layers.insert(0, CategoryEmbedding([len(feature.categories) for _, feature in preparation.embedded]))
    model = Sequential([Input((preparation.prepared_size,)), *layers, Dense(units, activation=activation)])
    losses = {"binary": "binary_crossentropy", "multiclass": "sparse_categorical_crossentropy", "regression": "mse"}
    optimizer = Adam(learning_rate=settings.learning_rate, weight_decay=settings.weight_decay or None)
    metrics = ["mae"] if target.task == "regression" else ["accuracy"]
    model.compile(optimizer=optimizer, loss=losses[target.task], metrics=metrics)
    return model


def hidden_sizes(preparation: Preparation, rows: int) -> tuple[int, ...]:
    """One hidden layer of about twice the inputs for small tables, two for large ones; multiples of four.

    What is learned of many categories wants one only: two find what holds in the rows learned from alone.
    """
    embedded = len(preparation.embedded)
    inputs = preparation.prepared_size + embedded * (WIDTH - 1)
    width = int(np.clip(4 * -(-inputs // 2), 8, 32))
    return (width,) if rows < 1000 or embedded else (width, width)


def _arrays(checked: TableCheck, rows: Array, preparation: Preparation) -> tuple[Array, Array]:
    table = checked.table.take(rows)
    return run_rows(preparation.graph(), preparation.transform(table))[0], preparation.encode_target(table)


def _weighted(x: Array, y: Array, weights: Mapping[str, float]) -> tuple[Array, ...]:
    """Validation rows, weighted as those trained on: what decides when to stop is what is learned."""
    return (x, y, np.array([*weights.values()], np.float32)[y]) if weights else (x, y)
