# SPDX-License-Identifier: Apache-2.0
"""The attributes of a node: filled in, and of the kinds their defaults have. Generated C carries them, so that a string
is one of the table's names and never somebody's text."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from edgeling.errors import GraphError
from edgeling.graph.activations import ACTIVATIONS
from edgeling.graph.losses import LOSSES, METRICS
from edgeling.graph.operations import MANY, OPERATIONS
from edgeling.graph.types import LARGEST_FLOAT32, Attribute

FUNCTIONS: Mapping[str, Collection[str]] = {
    **dict.fromkeys(("activation", "activation_gradient", "dense"), ACTIVATIONS),
    **dict.fromkeys(("loss", "loss_gradient"), LOSSES),
    "metric": METRICS,
}


def complete_attributes(operation: str, inputs: int, attributes: Mapping[str, Any]) -> dict[str, Attribute]:
    """The attributes with defaults filled in.

    Raises:
        GraphError: an unknown operation or attribute, a value of another kind than the default, a function that is
            not in its table, or a wrong number of inputs.
    """
    if operation not in OPERATIONS:
        raise GraphError("a node's operation is one of the table's", received=repr(operation))
    spec = OPERATIONS[operation]
    if unknown := set(attributes) - set(spec.attributes):
        raise GraphError(f"{operation} has attributes {sorted(spec.attributes)}", received=str(sorted(unknown)))
    if spec.inputs not in (MANY, inputs) or inputs == 0:
        raise GraphError(f"{operation} takes {spec.inputs} inputs", received=str(inputs))
    for name, value in attributes.items():
        if not _fits(value, spec.attributes[name]):
            kind = type(spec.attributes[name]).__name__
            raise GraphError(f"{name!r} of {operation} is a {kind}", received=repr(value))
    complete = {**spec.attributes, **attributes}
    if operation in FUNCTIONS and complete["function"] not in FUNCTIONS[operation]:
        raise GraphError(
            f"the function of {operation} is one of {', '.join(FUNCTIONS[operation])}",
            received=repr(complete["function"]),
        )
    return complete


def _fits(value: Any, default: Attribute) -> bool:
    """Whether a value is of the default's kind; for a float any number that float32 holds."""
    if isinstance(default, bool):
        return isinstance(value, bool)
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST_FLOAT32
    if isinstance(default, tuple):
        return isinstance(value, tuple) and all(_fits(element, default[0]) for element in value)
    return isinstance(value, type(default)) and not isinstance(value, bool)
