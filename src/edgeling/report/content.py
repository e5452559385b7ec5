# SPDX-License-Identifier: Apache-2.0
"""What a report says, as plain values: everything optional may be left out, and its part of the page with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from edgeling.data.decision import ThresholdScore
from edgeling.data.probabilities import Calibration, Curve
from edgeling.data.scores import ClassScore
from edgeling.diagnosis import Finding
from edgeling.explaining import PermutationImportance
from edgeling.explaining.findings import ColumnFindings, RowFindings
from edgeling.explaining.proof import ExplanationProof
from edgeling.explaining.selection import ColumnSelection
from edgeling.graph.types import Array
from edgeling.report.comparing import Comparison
from edgeling.report.tuning import SearchSummary
from edgeling.toolchain.prove import TIME_BASIS, Proof

Task = Literal["binary", "multiclass", "regression"]


@dataclass(frozen=True)
class ColumnSummary:
    """One column of the table.

    Attributes:
        type: what it was read as, for people: "number", "category", "yes/no", ...
        missing: cells without a value.
        distinct: number of different values.
        summary: its range or its commonest values, for people: "4.3 to 7.9, mean 5.84".
        role: "input", "target" or "left out".
    """

    name: str
    type: str
    missing: int = 0
    distinct: int | None = None
    summary: str = ""
    role: Literal["input", "target", "left out"] = "input"


@dataclass(frozen=True, eq=False)
class DataSummary:
    """The table learned from.

    Attributes:
        source: file name, for people.
        rows: all rows, those without a target too, however they were split.
        split_rows: rows of each part, by name: {"train": 96, "validation": 24, "test": 30}.
        class_counts: rows of each class; empty for regression.
        target_values: for regression, the target column [rows], drawn as a histogram.
        warnings: what was noticed and done about it, a sentence each.
        split: how the rows were split, for people; empty: at random.
    """

    source: str
    rows: int
    columns: tuple[ColumnSummary, ...] = ()
    split_rows: Mapping[str, int] = field(default_factory=dict)
    class_counts: Mapping[str, int] = field(default_factory=dict)
    target_values: Array | None = None
    warnings: tuple[str, ...] = ()
    split: str = ""


@dataclass(frozen=True)
class TrainingSummary:
    """How training went.

    Attributes:
        history: a value an epoch by Keras's names ("loss", "val_loss", "accuracy", "val_accuracy", ...).
        best_epoch: 1 is the first; the epoch whose weights were kept.
        optimizer: name and settings, for people: "Adam, learning rate 0.001".
        loss: name, for people.
        seconds: wall-clock time of the fit.
        stopped_by: why it ended, for people.
        class_weight: what a row of each class counted, by label; empty where all counted the same.
    """

    history: Mapping[str, Sequence[float]]
    best_epoch: int | None = None
    optimizer: str = ""
    loss: str = ""
    batch_size: int | None = None
    seconds: float | None = None
    stopped_by: str = ""
    class_weight: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Results on rows with known answers.

    Attributes:
        rows: number of rows evaluated.
        metrics: by name: "accuracy", "f1_macro", ...; "mae", "rmse", "r2" (in the target's units where it has them).
        per_class: one a class; empty for regression.
        confusion: [classes, classes] counts, rows true, columns predicted, in the order of ``per_class``.
        y_true, y_predicted: for regression, [rows].
        baseline: metrics of the simplest guess (commonest class, mean), by the same names.
        roc: true positive rate over false positive rate, of each class against the rest; of two classes one.
        precision_recall: precision over recall, likewise.
        unseen: whether it is known that training never saw these rows.
        source: the file the rows are from, where it is not the table learned from.
        before: the same with probabilities as the network tells them, and the likelier class chosen.
        correction, decision: what is done to them since, and how a class is chosen, for people.
        thresholds: of two classes, what several would do.
    """

    rows: int
    metrics: Mapping[str, float]
    per_class: tuple[ClassScore, ...] = ()
    confusion: Array | None = None
    y_true: Array | None = None
    y_predicted: Array | None = None
    baseline: Mapping[str, float] = field(default_factory=dict)
    roc: tuple[Curve, ...] = ()
    precision_recall: tuple[Curve, ...] = ()
    calibration: Calibration | None = None
    unseen: bool = True
    source: str = ""
    before: Evaluation | None = None
    correction: str = ""
    decision: str = ""
    thresholds: tuple[ThresholdScore, ...] = ()


@dataclass(frozen=True, eq=False)
class LayerSummary:
    """One layer of the network, or one step of the preparation before it.

    Attributes:
        kind: "Dense", "Standardise", ...
        output_size: number of values it hands on, per row.
        parameters: trainable and fixed numbers it holds.
        weights: [inputs, outputs], drawn as the connections of a small dense network.
    """

    kind: str
    output_size: int
    parameters: int = 0
    activation: str = ""
    weights: Array | None = None


@dataclass(frozen=True, eq=False)
class NetworkSummary:
    """Input names in order, and the layers in order."""

    inputs: tuple[str, ...]
    layers: tuple[LayerSummary, ...]


@dataclass(frozen=True, kw_only=True)
class Deployment(Proof):
    """The proof of one program on one target, and what people are told beside it.

    Attributes:
        precision: "float32", "int8" or "int16x8".
        metrics: by name, of this program on the held-out rows.
        note: the core and what it was run on, for people: "Cortex-M4F, emulated".
    """

    precision: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    note: str = ""

    @property
    def energy(self) -> tuple[str, float] | None:
        """A board, and the microjoules an inference is estimated to take there; None where none is known."""
        return next(iter(self.estimated_energy_uj.items()), None)

    @property
    def made_with(self) -> str:
        """Compiler and flags behind the figures, and what the time rests on; empty where nothing was counted."""
        time = f"; its time is an estimate: {TIME_BASIS}" if self.estimated_latency_us is not None else ""
        time += f"; its energy one of an {self.energy[0]}" if self.energy else ""
        return f"{self.compiler}, {self.compiler_flags}{time}" if self.compiler else ""


@dataclass(frozen=True)
class Reproduction:
    """How to get the same result again; ``hashes`` maps a file to its SHA-256, in hexadecimal."""

    command: str
    seed: int | None = None
    version: str = ""
    hashes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Content:
    """Everything on the page.

    Attributes:
        importance: in log loss for classification, in R² for regression.
        deployments: the recommended precision first; the headline is about the first measured on a chip.
        created: printed as given, so that equal contents make equal pages.
        search: the one that the network came of.
        findings: what is wrong, the worst cause first.
        explained: what it takes on each target to tell there what columns add.
    """

    name: str
    task: Task
    target: str
    data: DataSummary | None = None
    training: TrainingSummary | None = None
    comparison: Comparison | None = None
    evaluation: Evaluation | None = None
    importance: PermutationImportance | None = None
    network: NetworkSummary | None = None
    deployments: tuple[Deployment, ...] = ()
    reproduction: Reproduction | None = None
    created: str = ""
    row: RowFindings | None = None
    columns: ColumnFindings | None = None
    selection: ColumnSelection | None = None
    search: SearchSummary | None = None
    findings: tuple[Finding, ...] = ()
    explained: Mapping[str, ExplanationProof] = field(default_factory=dict)
