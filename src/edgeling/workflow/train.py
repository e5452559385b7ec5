# SPDX-License-Identifier: Apache-2.0
"""From a table to a trained, explained, compiled and proven pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import PurePath
from time import perf_counter
from typing import Any, Unpack

import numpy as np

from edgeling import targets
from edgeling.callbacks import Callback, EarlyStopping
from edgeling.data import (
    Preparation,
    Reading,
    ReadingOptions,
    Split,
    TableCheck,
    Task,
    balanced_class_weight,
    check,
    split,
    table_and_target,
    table_stem,
)  # fmt: skip
from edgeling.errors import EdgelingError, GraphError, TargetError
from edgeling.explaining import PermutationImportance
from edgeling.graph.types import Array
from edgeling.layers import Dense, Input
from edgeling.models import Sequential
from edgeling.models.sequential import CALIBRATION_ROWS
from edgeling.optimizers import Adam
from edgeling.toolchain.prove import Proof
from edgeling.training.graphs import inference_graph
from edgeling.utils import set_random_seed
from edgeling.workflow.deploy import PRECISIONS, PROOF_ROWS, deployable, identifier
from edgeling.workflow.pipeline import Pipeline, interface_for, main_metric, whole_graph
from edgeling.workflow.progress import Progress
from edgeling.workflow.settings import DEFAULT_TARGETS, PrecisionChoice, Settings

LARGEST_INT8_LOSS = 0.01  # of accuracy or R²: what "auto" gives up for a smaller program
PATIENCE_EPOCHS = 40
IMBALANCE = 3.0  # classes more unequal than this are weighted


@dataclass(frozen=True, eq=False)
class Trained:
    """Everything a training run found out.

    Attributes:
        scores: by precision, on the held-out rows, by the C itself.
        proofs: by precision, then by target.
    """

    source: str
    settings: Settings
    check: TableCheck
    split: Split
    pipeline: Pipeline
    model: Sequential
    history: Mapping[str, Sequence[float]]
    training_seconds: float
    scores: Mapping[str, Mapping[str, Any]]
    importance: PermutationImportance
    proofs: Mapping[str, Mapping[str, Proof]]
    held_out: tuple[Array, Array]


def train(
    data: Any,
    target: Any,
    *,
    task: Task | None = None,
    precision: PrecisionChoice = "auto",
    hidden: Sequence[int] | int | None = None,
    epochs: int = 500,
    batch_size: int = 16,
    learning_rate: float = 0.01,
    seed: int = 0,
    targets: Sequence[str] | str = DEFAULT_TARGETS,
    name: str = "",
    progress: Progress | None = None,
    **reading: Unpack[ReadingOptions],
) -> Trained:
    """Train a network on a table, and prove its C on the targets.

    Args:
        data: a file by its path, a pandas or polars DataFrame, a dict of columns, or an array [rows, columns].
        target: the name of the column to predict; or its values, one a row.
        task: "binary", "multiclass" or "regression", instead of the one told from the target column.
        precision: what is deployed; "auto" takes int8 where it is smaller and loses at most 1 % accuracy or R².
        hidden: units of each hidden layer; None sizes them by the table.
        epochs: at the most; training stops once the validation loss has not improved for a while.
        targets: where the C is proven.
        name: of the program; by default the file's.
        progress: is told of every stage.
        reading: how a file is written, where that cannot be told from it: encoding, separator, comment, decimal,
            missing, day_first, sheet (see ``edgeling.data.Reading``).

    Returns:
        Everything that was found out; nothing is written before ``save``.

    Raises:
        DataError: the table cannot be learned from.
        UnsupportedError: a setting of another kind, or out of range.
        TrainingError: the loss was not finite.
        CompilerNotFoundError: there is no C compiler.
        KeyboardInterrupt: nothing has been written.
    """
    settings = Settings(task, precision, hidden, epochs, batch_size, learning_rate, seed, targets)  # type: ignore[arg-type]
    return _train(data, target, name, settings, Reading(**reading), progress or Progress())  # type: ignore[arg-type]


def _train(data: Any, target: Any, name: str, settings: Settings, reading: Reading, progress: Progress) -> Trained:
    with progress.stage("Reading the table") as stage:
        table, target = table_and_target(data, target, reading)
        checked = check(table, target, task=settings.task)
        stage.done(f"{checked.table.rows} rows, {len(checked.features)} columns, {checked.task}")
    parts = split(checked.table.rows, checked.codes, seed=settings.seed)
    preparation = Preparation.fit(checked, parts.train, reading)
    network, history, seconds = _fit(checked, parts, preparation, settings, progress)
    is_file = isinstance(data, str | PurePath)
    label = identifier(name or (table_stem(data) if is_file else "model"))
    pipeline = _pipeline(label, checked, parts, preparation, network, settings, progress)
    raw, truth = _held_out(checked, pipeline, parts.test)
    with progress.stage("Evaluating on held-out rows") as stage:
        scores = {p: pipeline.scores(raw, truth, p) for p in pipeline.deployable.graphs}
        stage.done(", ".join(f"{_headline(found)} as {p}" for p, found in scores.items()))
    proofs = _prove(pipeline, settings.targets, progress)
    pipeline = replace(pipeline, precision=_chosen(scores, proofs))
    importance = _importance(pipeline, raw, truth, settings, progress)
    source = str(data) if is_file else "a table"
    return Trained(
        source, settings, checked, parts, pipeline, network, history, seconds, scores, importance, proofs, (raw, truth)
    )


def _fit(
    checked: TableCheck, parts: Split, preparation: Preparation, settings: Settings, progress: Progress
) -> tuple[Sequential, Mapping[str, Sequence[float]], float]:
    set_random_seed(settings.seed)
    network = _network(preparation, settings, len(parts.train))
    _require_room(network, settings)
    x, y, x_validation, y_validation = _training_arrays(checked, parts, preparation)
    weights = _class_weight(y, len(checked.labels)) if checked.task != "regression" else None
    with progress.training(settings.epochs) as line:
        callbacks: list[Callback] = [line] if line else []
        start = perf_counter()
        history = network.fit(
            x, y, batch_size=settings.batch_size, epochs=settings.epochs, verbose=0, class_weight=weights,
            validation_data=(x_validation, y_validation),
            callbacks=[EarlyStopping(patience=PATIENCE_EPOCHS, restore_best_weights=True), *callbacks],
        )  # fmt: skip
    return network, history.history, perf_counter() - start


def _require_room(network: Sequential, settings: Settings) -> None:
    """Weights that alone exceed a target's flash are found out before training, not after.

    Whether the rest fits too, the linker says.
    """
    weights_bytes = network.count_params() * (1 if settings.precision == "int8" else 4)
    for chip in map(targets.get, settings.targets):
        if 0 < chip.flash_bytes < weights_bytes:
            raise TargetError(
                f"a program must fit {chip.name} ({chip.flash_bytes:,} bytes flash)",
                received=f"a network whose weights alone take {weights_bytes:,} bytes",
                remedy="fewer units with --hidden, or --precision int8, which takes a quarter",
            )


def _network(preparation: Preparation, settings: Settings, rows: int) -> Sequential:
    target = preparation.target
    units = len(target.labels) if len(target.labels) > 2 else 1
    activation = {"binary": "sigmoid", "multiclass": "softmax", "regression": "linear"}[target.task]
    hidden = settings.hidden if settings.hidden is not None else _hidden_sizes(preparation.prepared_size, rows)
    layers = [Dense(size, activation="relu") for size in hidden]
    model = Sequential([Input((preparation.prepared_size,)), *layers, Dense(units, activation=activation)])
    losses = {"binary": "binary_crossentropy", "multiclass": "sparse_categorical_crossentropy", "regression": "mse"}
    metrics = ["mae"] if target.task == "regression" else ["accuracy"]
    model.compile(optimizer=Adam(learning_rate=settings.learning_rate), loss=losses[target.task], metrics=metrics)
    return model


def _hidden_sizes(inputs: int, rows: int) -> tuple[int, ...]:
    """One hidden layer of about twice the inputs for small tables, two for large ones; multiples of four."""
    width = int(np.clip(4 * -(-inputs // 2), 8, 32))
    return (width,) if rows < 1000 else (width, width)


def _training_arrays(checked: TableCheck, parts: Split, preparation: Preparation) -> tuple[Array, ...]:
    result: list[Array] = []
    for rows in (parts.train, parts.validation if len(parts.validation) else parts.train):
        table = checked.table.take(rows)
        result += [preparation.prepare(preparation.transform(table)), preparation.encode_target(table)]
    return tuple(result)


def _class_weight(y: Array, classes: int) -> dict[int, float] | None:
    counts = np.bincount(y, minlength=classes)
    return balanced_class_weight(y, classes) if counts.max() > IMBALANCE * counts.min() else None


def _pipeline(
    name: str, checked: TableCheck, parts: Split, preparation: Preparation, network: Sequential,
    settings: Settings, progress: Progress,
) -> Pipeline:  # fmt: skip
    with progress.stage("Compiling to C99") as stage:
        graph = whole_graph(name, preparation, inference_graph(network))
        told = interface_for(preparation)
        rows = preparation.transform(checked.table.take(parts.test[:PROOF_ROWS]))
        calibration = preparation.transform(checked.table.take(parts.train[:CALIBRATION_ROWS]))
        try:
            precisions = PRECISIONS if settings.precision == "auto" else (settings.precision,)
            deployed = deployable(name, graph, rows, calibration, precisions, told)
        except GraphError:  # numbers near the ends of float32 have no int8 scale
            if settings.precision != "auto":
                raise
            deployed = deployable(name, graph, rows, None, ("float32",), told)
        for precision in deployed.graphs:
            deployed.program(precision)
        stage.done(" and ".join(deployed.graphs))
    return Pipeline(preparation, deployed, next(iter(deployed.graphs)), network.get_config())


def _held_out(checked: TableCheck, pipeline: Pipeline, rows: Array) -> tuple[Array, Array]:
    table = checked.table.take(rows)
    return pipeline.preparation.transform(table), pipeline.truth(table)


def _chosen(scores: Mapping[str, Mapping[str, Any]], proofs: Mapping[str, Mapping[str, Proof]]) -> str:
    """int8 where it costs little and its program is smaller on the chips; else float32, or what there is."""
    if len(scores) == 1:
        return next(iter(scores))
    loss = main_metric(scores["float32"])[1] - main_metric(scores["int8"])[1]
    sizes = {p: sum(proof.flash_bytes or 0 for proof in by_target.values()) for p, by_target in proofs.items()}
    return "int8" if loss <= LARGEST_INT8_LOSS and sizes["int8"] < sizes["float32"] else "float32"


def _headline(scores: Mapping[str, Any]) -> str:
    name, value = main_metric(scores)
    return f"accuracy {value:.1%}" if name == "accuracy" else f"R² {value:.3f}"


def _importance(
    pipeline: Pipeline, raw: Array, truth: Array, settings: Settings, progress: Progress
) -> PermutationImportance:
    with progress.stage("Asking what matters") as stage:
        found = pipeline.importance(raw, truth, settings.seed)
        stage.done(f"{found.feature_names[found.ranking[0]]} most of all")
    return found


def _prove(pipeline: Pipeline, targets: Sequence[str], progress: Progress) -> dict[str, dict[str, Proof]]:
    """Every precision on every target; two at a time, for most of the work is other programs'."""
    jobs = [(p, t) for t in targets for p in pipeline.deployable.graphs]
    proofs: dict[str, dict[str, Proof]] = {p: {} for p in pipeline.deployable.graphs}
    with ThreadPoolExecutor(2) as pool, progress.stage("Proving it on " + ", ".join(targets)) as stage:
        for (precision, target), proof in zip(
            jobs, pool.map(lambda j: pipeline.deployable.prove(*j), jobs), strict=True
        ):
            proofs[precision][target] = proof
        _require_matches(proofs)
        stage.done("the C computes what the graph means")
    return proofs


def _require_matches(proofs: Mapping[str, Mapping[str, Proof]]) -> None:
    for precision, by_target in proofs.items():
        for target, proof in by_target.items():
            if not proof.matches:
                raise EdgelingError(
                    f"the {precision} program on {target} computes what the graph means",
                    received=f"a difference of {proof.max_error:g}",
                    remedy="report this as a bug, with the table if you can share it",
                )
