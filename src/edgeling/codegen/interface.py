# SPDX-License-Identifier: Apache-2.0
"""What a deployed program tells and offers beyond what its graph computes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

from edgeling.graph.types import Array, Graph

Decision = Literal["", "threshold", "largest"]
THRESHOLD = 0.5


@dataclass(frozen=True, eq=False)
class Golden:
    """Inputs, and what the network answers to them, one row after the other: what ``NAME_selftest`` compares.

    Attributes:
        inputs: of each input [rows, ...], float32 or int8 as it is.
        outputs: of each output, likewise.
        tolerance: absolute; 0 for integers and where every bit is to be equal.
    """

    inputs: tuple[Array, ...]
    outputs: tuple[Array, ...]
    tolerance: float


@dataclass(frozen=True)
class LearningInterface:
    """What a program that learns on its own offers beside its graphs.

    Attributes:
        row, truth: the inputs of what is learned from.
        classes: how many, where the truth is the number of one: others are refused; 0 where it is any numbers.
        remembered: rows of the ring that an update must not lose on; 0: every update is adopted.
    """

    row: str
    truth: str
    classes: int = 0
    remembered: int = 0


@dataclass(frozen=True, eq=False)
class Interface:
    """How one deployed network is spoken to.

    Attributes:
        decision: how the one output chooses a class: ``"threshold"`` of a single probability, ``"largest"`` of several;
            empty where they choose none.
        threshold: above this probability the class is the second of two; float32 holds it.
        counts: what the probability of each of several classes counts, whole numbers from 1 to 32767, before the
            largest is taken; empty: all the same.
        labels: class names, in order.
        input_names: of the columns of its one input, in order.
        categories: by position among the columns, what the codes 0, 1... stand for.
        may_be_missing: of each column, of one input after the other, whether NaN stands for a missing value there;
            empty where it does in none.
        missing: for an int8 input, what is stored for NaN, one a column.
        golden: for ``NAME_selftest``; None writes none.
        learning: of a program that learns; the functions of its other graphs refuse what ``NAME_run`` refuses.
        classes: by input, of how many classes it holds the number of one.
        steps: by input, how many steps there are at most, of which it tells how many are there.
        port_macros: whether ``NAME_INPUT_SIZE`` and ``NAME_OUTPUT_SIZE`` are of the ports of this function.
        reasons: of a program with ``NAME_explain``, how many columns ``NAME_reasons`` names; 0 writes none.
    """

    decision: Decision = ""
    threshold: float = THRESHOLD
    counts: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    input_names: tuple[str, ...] = ()
    categories: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    may_be_missing: tuple[bool, ...] = ()
    missing: tuple[int, ...] = ()
    golden: Golden | None = None
    learning: LearningInterface | None = None
    classes: Mapping[str, int] = field(default_factory=dict)
    steps: Mapping[str, int] = field(default_factory=dict)
    port_macros: bool = True
    reasons: int = 0

    @property
    def decides_finely(self) -> bool:
        """Whether a threshold, or what classes count, tells rare from common, for which steps of 1/256 are coarse."""
        return bool(self.counts) or (self.decision == "threshold" and self.threshold != THRESHOLD)

    @property
    def initializer(self) -> str:
        """The suffix of the function that fills the variables."""
        return "reset" if self.learning else "init"

    def beside(self, run: Graph, graph: Graph) -> Interface:
        """That of the function of another graph of the same program: what it refuses of the inputs of ``run``, it
        refuses; of others it takes finite numbers."""
        flags = iter(self.may_be_missing)
        known = {x: list(islice(flags, run.types[x].size)) for x in run.inputs}
        allowed = [f for x in graph.inputs for f in known.get(x) or [False] * graph.types[x].size]
        classes = {self.learning.truth: self.learning.classes} if self.learning and self.learning.classes else {}
        return Interface(may_be_missing=tuple(allowed), classes=classes, port_macros=False)
