# SPDX-License-Identifier: Apache-2.0
"""Everything behind a classifier's logits: probabilities that come true, and the class they choose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from edgeling.data import Preparation
from edgeling.data.correction import Correction, fit_correction
from edgeling.data.decision import Decision, best_decision
from edgeling.data.probabilities import probability_scores
from edgeling.files.strict_json import finite
from edgeling.graph import Graph
from edgeling.graph.types import Array
from edgeling.passes.scaled_logits import scale_logits
from edgeling.workflow.balancing import Balancing, Unseen
from edgeling.workflow.settings import Settings, costs


@dataclass(frozen=True, eq=False)
class Answering:
    """What is done behind the logits.

    Attributes:
        correction: of the logits.
        decision: from probabilities to a class.
        chosen_by: how the decision came about, for people; empty where the likelier class is chosen, unasked.
        unseen: what the correction and the decision were fitted on; None: nothing was.
    """

    correction: Correction = field(default_factory=Correction)
    decision: Decision = field(default_factory=Decision)
    chosen_by: str = ""
    unseen: Unseen | None = None

    def corrected(self, network: Graph) -> Graph:
        """An inference graph whose probabilities are corrected."""
        return scale_logits(network, 1 / self.correction.temperature, self.correction.shift)

    def deciding(self, preparation: Preparation) -> Preparation:
        """A preparation that says how classes are chosen."""
        return replace(preparation, target=replace(preparation.target, decision=self.decision))

    @property
    def before(self) -> Array:
        """What was told of the unseen rows before anything was corrected, float64 [rows, classes]."""
        assert self.unseen is not None
        return Correction().probabilities(self.unseen.logits)

    @property
    def after(self) -> Array:
        """What is told of them now."""
        assert self.unseen is not None
        return self.correction.probabilities(self.unseen.logits)

    @property
    def chosen(self) -> Array:
        """The classes that they are taken for, int64 [rows]."""
        after = self.after
        return self.decision.choose(after[:, 1:] if after.shape[1] == 2 else after)

    @property
    def correction_sentence(self) -> str:
        """What is done to the logits, for people."""
        if self.unseen is None:
            return "nothing is corrected, for there were no rows left out"
        rows = f"{len(self.unseen.truth):,} rows" + (" left out in turn" if self.unseen.folds > 1 else " left out")
        shift = ", ".join(f"{each:+.3g}" for each in self.correction.shift)
        shifted = f" and shifted by {shift}" if any(self.correction.shift) else ""
        return f"logits divided by {self.correction.temperature:.3g}{shifted}, as {rows} say"

    def sentences(self, balancing: Balancing, labels: Sequence[str]) -> Iterator[str]:
        """What a person should know."""
        if balancing.how != "none":
            yield _balanced(balancing)
        if balancing.tried:
            each = ", ".join(f"{way} {precision:.3f}" for way, (precision, _) in balancing.tried.items())
            yield f"ways to balance tried on rows left out in turn, by average precision: {each}"
        for sentence in balancing.left_out:
            yield f"not tried: {sentence}"
        if self.chosen_by and (how := self.decision.sentence(labels)):
            yield f"{how}; {self.chosen_by}" if self.chosen_by != "given" else how

    def to_json(self, balancing: Balancing) -> dict[str, Any]:
        """For manifest and ``--json``: ``balance``, ``correction``, ``decision``."""
        decision, unseen = self.decision, self.unseen
        return {
            "balance": balancing.to_json(),
            "correction": None if unseen is None else {
                "temperature": self.correction.temperature,
                "shift": list(self.correction.shift),
                "rows": len(unseen.truth),
                "folds": unseen.folds,
                "before": finite(probability_scores(unseen.truth, self.before)),
                "after": finite(probability_scores(unseen.truth, self.after)),
            },
            "decision": {
                "threshold": None if decision.counts else decision.threshold,
                "counts": list(decision.counts) or None,
                "chosen_by": self.chosen_by or None,
            },
        }  # fmt: skip


def _balanced(balancing: Balancing) -> str:
    each = ", ".join(f"{label} \N{MULTIPLICATION SIGN} {w:.3g}" for label, w in balancing.counted.items())
    what = {"weights": "rows count by their class", "smote": "rows are made between neighbours of a class (SMOTE)"}
    made = what.get(balancing.how, f"rows of rare classes come again ({balancing.how})")
    return f"{made}: {each}, in training and in the loss that decides when to stop; probabilities are corrected for it"


def answering(unseen: Unseen | None, balancing: Balancing, counts: Array, settings: Settings) -> Answering:
    """Fit what is behind the logits.

    Args:
        unseen: None: nothing is corrected, and a threshold is the one that is known in theory.
        counts: int [classes], rows of each class among those that are not held out; empty of a target of numbers.
    """
    if not len(counts):
        return Answering()
    told = np.empty((0, len(counts))) if unseen is None else None
    correction = Correction()
    if unseen is not None and np.isfinite(unseen.logits).all():
        correction = fit_correction(unseen.logits, unseen.truth, unseen.log_weights)
        told = correction.probabilities(unseen.logits)
    decision, chosen_by = _decision(told, unseen, balancing, counts, settings)
    return Answering(correction, decision, chosen_by, unseen)


def _decision(
    told: Array | None, unseen: Unseen | None, balancing: Balancing, counts: Array, settings: Settings
) -> tuple[Decision, str]:
    asked = settings.threshold
    if isinstance(asked, float):
        return Decision(float(np.float32(asked))), "given"
    if asked is None and settings.class_weight is not None:
        importance, why = np.array([*balancing.counted.values()]), "for errors that cost what the classes weigh"
    elif isinstance(asked, str) and (pair := costs(asked)):
        importance, why = (
            np.array([pair[1], pair[0]]),
            f"for rows missed that cost {pair[0]:g} to a false alarm's {pair[1]:g}",
        )
    elif asked == "auto" or settings.balance != "none":
        importance, why = 1 / counts, "for the best balanced accuracy"
    else:
        return Decision(), ""
    truth = np.empty(0, np.int64) if unseen is None else unseen.truth
    return best_decision(np.empty((0, len(counts))) if told is None else told, truth, importance), why
