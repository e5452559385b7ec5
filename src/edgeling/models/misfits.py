# SPDX-License-Identifier: Apache-2.0
"""Warnings of losses that do not fit a model's last activation, its units or the targets: each told once."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any, Literal

from edgeling import losses
from edgeling.diagnosis import Finding
from edgeling.diagnosis.fitting_loss import Output, of_output, of_targets
from edgeling.errors import DataError
from edgeling.graph.types import Array
from edgeling.network.network import inference_graph


def is_plain(model: Any) -> bool:
    """Whether a model has one input and one output of one dimension, which the rules here are about."""
    return len(model.input_rows) == len(model.output_rows) == 1 and len(model.output_rows[0]) == 1


Told = Literal["", "output", "targets"]
"""How far a compiled model has been looked at: not at all, without targets, with them."""


def tell_of_output(model: Any, loss: Any) -> Told:
    """Warn of what is known when a model is compiled; of one that is not built, nothing is.

    Warns:
        UserWarning: what was seen, and what to do.
    """
    if not model.built or not is_plain(model) or loss in (None, "crossentropy", "ce"):
        return ""
    try:
        graph = inference_graph(model._as_network(), frozen=False)
    except DataError:  # a layer that has not been adapted yet
        return ""
    _warn(of_output(Output.of(graph, losses.get(loss))))
    return "output"


def tell_of_targets(model: Any, loss: losses.Loss, y: Array, told: Told) -> Told:
    """Warn of what is known when a model is first fitted to targets y [rows, k].

    Warns:
        UserWarning: what was seen, and what to do.
    """
    if told != "targets":
        output = Output.of(inference_graph(model._as_network(), frozen=False), loss)
        _warn([*(of_output(output) if not told else []), *of_targets(output, y)])
    return "targets"


def _warn(found: Iterable[Finding]) -> None:
    for finding in list(found)[:1]:
        warnings.warn(str(finding), UserWarning, stacklevel=5)
