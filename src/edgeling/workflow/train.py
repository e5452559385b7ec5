# SPDX-License-Identifier: Apache-2.0
"""From a table to a trained, explained, compiled and proven pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import PurePath
from typing import Any, Literal, Unpack

import numpy as np

from edgeling.data import Preparation, Reading, ReadingOptions, TableCheck, Task, table_and_target, table_stem
from edgeling.data.balance import Balance
from edgeling.diagnosis import Finding
from edgeling.errors import EdgelingError, GraphError
from edgeling.explaining import PermutationImportance
from edgeling.explaining.findings import ColumnFindings
from edgeling.graph import Graph, run_rows
from edgeling.graph.types import Array
from edgeling.models.trained import CALIBRATION_ROWS
from edgeling.network.network import inference_graph
from edgeling.report.parts import plural
from edgeling.report.tuning import SearchSummary
from edgeling.targets import get
from edgeling.toolchain.prove import Proof
from edgeling.workflow.answering import Answering, answering
from edgeling.workflow.deploy import AUTO, PROOF_ROWS, Deployable, deployable, identifier
from edgeling.workflow.diagnosing import run_findings
from edgeling.workflow.division import Division, asked_roles, divided, judged
from edgeling.workflow.findings import column_findings
from edgeling.workflow.fitting import Fitted
from edgeling.workflow.kept import KeptExplanation, keep, require_explainable
from edgeling.workflow.learn import Learned, learn
from edgeling.workflow.notebook_progress import usual_progress
from edgeling.workflow.pipeline import Pipeline, interface_for, main_metric, whole_graph
from edgeling.workflow.problem import Problem
from edgeling.workflow.progress import Progress
from edgeling.workflow.provable import provable
from edgeling.workflow.recipes import settled
from edgeling.workflow.selection import Selection
from edgeling.workflow.settings import AUTO as BY_COMPARISON
from edgeling.workflow.settings import (
    DEFAULT_TARGETS,
    LINEAR,
    ClassWeight,
    ExplainChoice,
    PrecisionChoice,
    Settings,
    Threshold,
)
from edgeling.workflow.typical import typical_rows

LARGEST_INT8_LOSS = 0.01  # of any score of _COUNTS: what "auto" gives up for a smaller program


@dataclass(frozen=True, eq=False)
class Trained:
    """Everything a training run found out.

    Attributes:
        settings: those that give the same again: of an interrupted run, with the epochs that were done.
        division: the table's check, and which rows learned, validated and judged.
        answering: what is done behind the logits.
        scores: by precision, on the held-out rows, by the C itself.
        importance: None where nobody asked.
        proofs: by precision, then by target.
        held_out: raw vectors and answers of the rows that judged.
        notes: sentences for the person.
        uncorrected: of classes, what the network answered on those rows before anything was corrected.
        findings: what is wrong with the table or the training, the worst cause first.
        search: of which its settings came; None of plain training.
        kept: how the C that is stored explains itself; None: it does not.
    """

    source: str
    settings: Settings
    division: Division
    pipeline: Pipeline
    learned: Learned
    answering: Answering
    scores: Mapping[str, Mapping[str, Any]]
    importance: PermutationImportance | None
    proofs: Mapping[str, Mapping[str, Proof]]
    held_out: tuple[Array, Array]
    notes: tuple[str, ...]
    uncorrected: Array | None = None
    findings: tuple[Finding, ...] = ()
    search: SearchSummary | None = None
    kept: KeptExplanation | None = None

    def _repr_html_(self) -> str:
        from edgeling.workflow.shown import trained_card

        return trained_card(self)

    @property
    def fitted(self) -> Fitted:
        """How what is deployed was trained."""
        return self.learned.fitted

    @property
    def selection(self) -> Selection | None:
        """What was compared on rows left out."""
        return self.learned.selection

    @property
    def reading(self) -> Reading:
        """How the table was read."""
        return self.pipeline.preparation.reading

    @property
    def check(self) -> TableCheck:
        """What the table was found to be."""
        return self.division.check

    @cached_property
    def columns(self) -> ColumnFindings | None:
        """How answers depend on the columns that matter; None where nobody asked which do."""
        if self.importance is None:
            return None
        return column_findings(self.pipeline, self.held_out[0], self.importance.ranking, self.settings.seed)

    @cached_property
    def typical_rows(self) -> Array:
        """Averages of rows learned from, which explanations compare with."""
        return _averages(self.pipeline.preparation, self.division)

    def deployable(self, precision: str) -> Deployable:
        """What is stored in one precision."""
        return self.kept.deployables[precision] if self.kept else self.pipeline.deployable


def _averages(preparation: Preparation, division: Division) -> Array:
    learned = division.check.table.take(division.parts.train)
    return typical_rows(preparation, preparation.transform(learned), preparation.encode_target(learned))


def train(
    data: Any, target: Any, *,
    task: Task | None = None, precision: PrecisionChoice = "auto", hidden: Sequence[int] | int | None = None,
    activation: str | None = None, epochs: int = 500, batch_size: int | None = None, learning_rate: float | None = None,
    weight_decay: float | None = None, seed: int = 0,
    targets: Sequence[str] | str = DEFAULT_TARGETS, patience: int = 40, balance: Balance = "none",
    class_weight: ClassWeight = None, threshold: Threshold = None, positive: str | None = None,
    drop: Sequence[str] | str = (), columns: Sequence[str] | str = (),
    categorical: Sequence[str] | str = (), numeric: Sequence[str] | str = (), split: str = "random",
    test: Any = None, importance: bool = True, compiler: str = "", kernels: str = "", recipe: str = BY_COMPARISON,
    refit: bool = True, teacher: Any = None, seeds: int | Literal["auto"] = "auto",
    explain: ExplainChoice | None = None, reasons: int | None = None,
    name: str = "", progress: Progress | None = None, keep_interrupted: bool = False,
    **reading: Unpack[ReadingOptions],
) -> Trained:  # fmt: skip
    """Train a network on a table, and prove its C on the targets.

    Args:
        data: a file by its path, a pandas or polars DataFrame, a dict of columns, or an array [rows, columns].
        target: the name of the column to predict; or its values, one a row.
        name: of the program; by default the file's.
        progress: is told of every stage; by default a notebook shows them, and elsewhere nobody is told.
        keep_interrupted: after Ctrl-C while training, go on with the best network so far, if there is one.
        reading: how a file is written, where that cannot be told from it: encoding, separator, comment, decimal,
            missing, day_first, sheet (see ``edgeling.data.Reading``).

    The other arguments are what :class:`edgeling.workflow.settings.Settings` says of them.

    Returns:
        Everything that was found out; nothing is written before ``save``.

    Raises:
        DataError: the table cannot be learned from.
        UnsupportedError: a setting of another kind, or out of range.
        TrainingError: the loss was not finite.
        CompilerNotFoundError: there is no C compiler.
        ToolchainError: a target was chosen whose compiler or emulator is not installed (``edgeling[targets]``); the
            usual ones are left out then, and ``notes`` says so.
        KeyboardInterrupt: nothing has been written.
    """
    given = locals()
    settings = Settings(**{field.name: given[field.name] for field in fields(Settings)})
    how = Reading(**reading)  # type: ignore[arg-type]
    provable(settings.targets)  # before anything takes time
    return _train(data, target, name, settings, how, progress or usual_progress(), keep_interrupted)


def _train(
    data: Any, target: Any, name: str, settings: Settings, reading: Reading, progress: Progress, keep_interrupted: bool
) -> Trained:
    with progress.stage("Reading the table") as stage:
        table, target = table_and_target(data, target, reading, asked_roles(settings))
        division = divided(table, target, settings, reading)
        checked = division.check
        stage.done(f"{plural(checked.table.rows, 'row')}, {plural(len(checked.features), 'column')}, {checked.task}")
    others = tuple(column for column in table.names if column != target)
    parts = division.parts
    prepared = [parts.train, parts.validation] if settings.refit else [parts.train]
    preparation = Preparation.fit(checked, np.concatenate(prepared), reading, others)
    require_explainable(settings, preparation)
    division = judged(division, preparation)
    problem = Problem.of(checked, preparation, settings)
    learned = learn(problem, parts, progress, units=division.units, keep_interrupted=keep_interrupted)
    settings, fitted, preparation = settled(settings, learned.recipe), learned.fitted, learned.preparation
    if fitted.stopped_by == "interrupt":
        settings = replace(settings, epochs=fitted.epochs, recipe=learned.asked, seeds=learned.seeds, refit=False)
    is_file = isinstance(data, str | PurePath)
    label = identifier(name or (table_stem(data) if is_file else "model"))
    behind = answering(learned.unseen, learned.balancing, _class_counts(division), settings)
    preparation = behind.deciding(preparation)
    network = behind.corrected(inference_graph(fitted.network))
    pipeline = _pipeline(label, division, preparation, network, fitted.network.get_config(), settings, progress)
    held_out = preparation.transform(division.test), pipeline.truth(division.test)
    with progress.stage("Evaluating on held-out rows") as stage:
        scores = {p: pipeline.scores(*held_out, p) for p in pipeline.deployable.graphs}
        stage.done(", ".join(f"{_headline(found)} as {p}" for p, found in scores.items()))
    places, unproven = provable(settings.targets)
    proofs = _prove(pipeline, places, settings.compiler, progress)
    pipeline = replace(pipeline, precision=_chosen(scores, proofs))
    kept = keep(pipeline, _averages(preparation, division), settings, proofs, progress) if settings.explain else None
    importance = _importance(pipeline, *held_out, settings, progress) if settings.importance else None
    source = str(data) if is_file else "a table"
    notes = (*checked.warnings, *division.notes, *_notes(division, preparation, learned, behind), *unproven)
    if not isinstance(settings.teacher, str | None):
        notes = (*notes, "the teacher was fitted elsewhere: of rows that it has seen, scores tell too much")
    told = _uncorrected(inference_graph(fitted.network), preparation, held_out[0]) if pipeline.labels else None
    return Trained(
        source, settings, division, pipeline, learned, behind, scores, importance, proofs, held_out, notes, told,
        run_findings(division, preparation, settings, learned.findings, behind), kept=kept,
    )  # fmt: skip


def _uncorrected(network: Graph, preparation: Preparation, raw: Array) -> Array | None:
    """What the network answers as it was trained; None where that is not a number in some row."""
    (answers,) = run_rows(network, run_rows(preparation.graph(), raw)[0])
    return answers if np.isfinite(answers).all() else None


def _notes(division: Division, preparation: Preparation, learned: Learned, behind: Answering) -> Iterator[str]:
    """What a person should know of the run, besides what was odd in the table."""
    fitted = learned.fitted
    used = set(preparation.names)
    for name in division.check.features:
        if name not in used:
            yield f"column {name!r} is left out: all rows learned from have the same value"
    if not len(division.parts.validation):
        yield "no row was left to validate: training watched the loss of the rows it learned from"
    if fitted.stopped_by == "interrupt":
        yield f"training was stopped by Ctrl-C after {plural(fitted.epochs, 'epoch')}"
    if learned.selection:
        yield from deployed_instead(learned.deployed, learned.selection)
    if learned.lesson:
        yield learned.lesson.sentence
    if preparation.target.curve:
        yield preparation.target.curve.sentence
    yield from behind.sentences(learned.balancing, division.check.labels)


def deployed_instead(deployed: str, selection: Selection) -> Iterator[str]:
    """What a person should know who expected a network, or would be as well served without one."""
    best = max(selection.candidates, key=selection.score)
    if deployed == LINEAR and best != LINEAR:
        yield "the linear reference is deployed: on rows left out no network is better by more than chance"
    elif deployed == LINEAR:
        yield "the linear reference is deployed: on rows left out no network is better"
    elif best == LINEAR:
        yield "on rows left out the linear reference is better than the network (recipe='linear', --recipe linear)"


def _class_counts(division: Division) -> Array:
    """Rows of each class among those that are not held out; none of a target of numbers."""
    codes, parts = division.check.codes, division.parts
    known = np.concatenate([parts.train, parts.validation])
    return np.empty(0, np.int64) if codes is None else np.bincount(codes[known], minlength=len(division.check.labels))


def _pipeline(
    name: str, division: Division, preparation: Preparation, network: Graph, config: Mapping[str, Any],
    settings: Settings, progress: Progress,
) -> Pipeline:  # fmt: skip
    with progress.stage("Compiling to C99") as stage:
        graph = whole_graph(name, preparation, network)
        told = interface_for(preparation)
        rows = preparation.transform(division.test.take(np.arange(min(PROOF_ROWS, division.test.rows))))
        learned = division.check.table.take(division.parts.train[:CALIBRATION_ROWS])
        calibration = preparation.transform(learned)
        try:
            precisions = AUTO if settings.precision == "auto" else (settings.precision,)
            deployed = deployable(name, graph, rows, calibration, precisions, told)
        except GraphError:  # numbers near the ends of float32 have no int8 scale
            if settings.precision != "auto":
                raise
            deployed = deployable(name, graph, rows, None, ("float32",), told)
        deployed = deployed.for_target(get(settings.kernels)) if settings.kernels else deployed
        for precision in deployed.graphs:
            deployed.program(precision)
        stage.done(" and ".join(deployed.graphs))
    return Pipeline(preparation, deployed, next(iter(deployed.graphs)), config)


_COUNTS = ("accuracy", "balanced_accuracy", "roc_auc", "average_precision", "r2")


def _chosen(scores: Mapping[str, Mapping[str, Any]], proofs: Mapping[str, Mapping[str, Proof]]) -> str:
    """int8 where it costs little and its program is smaller on the chips; else float32, or what there is."""
    if len(scores) == 1:
        return next(iter(scores))
    lost = [scores["float32"][name] - scores["int8"][name] for name in _COUNTS if name in scores["float32"]]
    loss = max((each for each in lost if np.isfinite(each)), default=0.0)
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
        stage.done(_most(found))
    return found


def _most(found: PermutationImportance) -> str:
    first = found.ranking[0]
    return f"{found.feature_names[first]} most of all" if found.mean[first] > 0 else "no column on its own"


def _prove(
    pipeline: Pipeline, targets: Sequence[str], compiler: str, progress: Progress
) -> dict[str, dict[str, Proof]]:
    """Every precision on every target; two at a time, for most of the work is other programs'."""
    chips = {name: get(name) for name in targets}
    chips = {name: chip.with_compiler(compiler if chip.arm_flags else "") for name, chip in chips.items()}
    jobs = [(p, t) for t in targets for p in pipeline.deployable.graphs]
    proofs: dict[str, dict[str, Proof]] = {p: {} for p in pipeline.deployable.graphs}
    with ThreadPoolExecutor(2) as pool, progress.stage("Proving it on " + ", ".join(targets)) as stage:
        for (precision, target), proof in zip(
            jobs, pool.map(lambda j: pipeline.deployable.prove(j[0], chips[j[1]]), jobs), strict=True
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
