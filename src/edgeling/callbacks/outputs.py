# SPDX-License-Identifier: Apache-2.0
"""One output of a fit by itself, of a model that may have several inputs and outputs: its targets and its loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from edgeling.graph.types import Array, Graph
from edgeling.network.network import inference_graph
from edgeling.passes import remove_dead
from edgeling.training.engine import TrainingData
from edgeling.training.graphs import Objective


@dataclass(frozen=True)
class FitOutput:
    """An output whose rows are vectors, with a loss that sees each row by itself.

    Attributes:
        label: what it goes by; "" where it is the only one.
        place: which of the outputs it is.
        start, width: its columns of the targets; a width of 0: all.
    """

    label: str
    place: int
    loss: Any
    start: int = 0
    width: int = 0

    def rows(self, data: TrainingData) -> TrainingData:
        """The rows with this output's targets alone."""
        return replace(data, y=data.y[:, self.columns]) if self.width else data

    @property
    def columns(self) -> slice:
        """Of the targets."""
        return slice(self.start, self.start + self.width) if self.width else slice(None)

    def graph(self, model: Any) -> Graph:
        """From the model's inputs to this output."""
        whole = inference_graph(model._as_network(), frozen=False)
        return remove_dead(replace(whole, outputs=(whole.outputs[self.place],)))


def outputs_of(model: Any, objective: Objective, loss: Any) -> list[FitOutput]:
    """The outputs that can be looked at; none of sequences, of pictures, and of losses that see all rows together."""
    if not objective.outputs:
        return [FitOutput("", 0, loss)]
    labels = model.output_labels if len(objective.outputs) > 1 else [""]
    found = []
    for place, (label, output) in enumerate(zip(labels, objective.outputs, strict=True)):
        own = None if output.objective is None else output.objective.loss
        if own is not None and len(output.row) == 1 and not getattr(own, "mixes_rows", False):
            found.append(FitOutput(label, place, own, output.start, output.width))
    return found


def inputs_of(model: Any, x: Array) -> list[Array]:
    """Rows as they stand side by side, apart again for each input."""
    rows = model.input_rows
    if len(rows) == 1:
        return [x]
    ends = [sum(map(prod, rows[: place + 1])) for place in range(len(rows))]
    return [x[:, end - prod(row) : end].reshape(len(x), *row) for end, row in zip(ends, rows, strict=True)]


def targets_of(objective: Objective, y: Array) -> Array | Sequence[Array]:
    """Targets as they stand side by side, apart again for each output that has a loss."""
    if not objective.outputs:
        return y
    told = [one for one in objective.outputs if one.objective is not None]
    apart = [y[:, one.start : one.start + one.width] for one in told]
    return apart[0] if len(objective.outputs) == 1 else apart
