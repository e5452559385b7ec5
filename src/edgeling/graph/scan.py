# SPDX-License-Identifier: Apache-2.0
"""The one loop a graph may hold: a body graph run a fixed number of times.

``scan`` takes, in this order, values *carried* from step to step, *sequences* of which the body sees one slice a step,
and values *captured*: the same at each step. Its body takes a value for each of them, and gives the next carried
values, then the step's *results*. The scan gives the carried values after the last step, then the stacked results.

    carried, results = initial, []
    for step in (reversed(range(length)) if reverse else range(length)):
        carried, made = body(carried, sequences[step], captured)
        results[step] = made

``axes`` names the axis of each sequence, then of each stack of results, along which a step's slice lies. Recurrent
layers have batches first and so carry along axis 1. Precedents: JAX ``lax.scan``, ONNX ``Scan``, XLA ``While``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from edgeling.errors import GraphError
from edgeling.graph.types import Graph, TensorType

MAX_LENGTH = 1 << 24
T = TypeVar("T")


@dataclass(frozen=True)
class Scan:
    """The attributes of a ``scan`` node by name.

    Attributes:
        body: run at each step.
        length: how many steps.
        carried: how many of the inputs (and outputs) are carried.
        axes: of each sequence, then of each stack, the axis the steps lie along.
        reverse: from the last slice to the first; what the first slice gives lies first all the same.
    """

    body: Graph
    length: int
    carried: int
    axes: tuple[int, ...]
    reverse: bool

    @classmethod
    def of(cls, attributes: Mapping[str, Any]) -> Scan:
        """What a node's attributes say."""
        return cls(*(attributes[name] for name in ("body", "length", "carried", "axes", "reverse")))

    @property
    def attributes(self) -> dict[str, Any]:
        """For a node."""
        return dict(vars(self))

    @property
    def stacked(self) -> int:
        """How many results are stacked."""
        return len(self.body.outputs) - self.carried

    @property
    def scanned(self) -> int:
        """How many sequences there are."""
        return len(self.axes) - self.stacked

    @property
    def sequence_axes(self) -> tuple[int, ...]:
        """The axis of each sequence."""
        return self.axes[: self.scanned]

    @property
    def stack_axes(self) -> tuple[int, ...]:
        """The axis of each stack of results."""
        return self.axes[self.scanned :]

    @property
    def steps(self) -> Sequence[int]:
        """Which slice each step takes."""
        order = range(self.length)
        return order[::-1] if self.reverse else order

    def split_inputs(self, values: Sequence[T]) -> tuple[Sequence[T], Sequence[T], Sequence[T]]:
        """(carried, sequences, captured) of what belongs to the node's inputs, or to the body's."""
        end = self.carried + self.scanned
        return values[: self.carried], values[self.carried : end], values[end:]

    def split_outputs(self, values: Sequence[T]) -> tuple[Sequence[T], Sequence[T]]:
        """(carried, stacked) of what belongs to the node's outputs, or to the body's."""
        return values[: self.carried], values[self.carried :]


def slice_type(kind: TensorType, axis: int) -> TensorType:
    """What one step sees of a sequence."""
    return TensorType(kind.shape[:axis] + kind.shape[axis + 1 :], kind.dtype)


def stack_type(kind: TensorType, axis: int, length: int) -> TensorType:
    """``length`` values of one type side by side along a new axis."""
    return TensorType((*kind.shape[:axis], length, *kind.shape[axis:]), kind.dtype)


def scan_types(types: tuple[TensorType, ...], attributes: Mapping[str, Any]) -> tuple[TensorType, ...]:
    """The type rule.

    Raises:
        GraphError: the body does not take what the scan is given, or does not give what it carries.
    """
    scan = Scan.of(attributes)
    _check_counts(scan, types)
    _check_inputs(scan, types)
    after, results = scan.split_outputs([scan.body.types[o] for o in scan.body.outputs])
    for given, kind in zip(types, after, strict=False):
        _require((given.shape, given.dtype) == (kind.shape, kind.dtype), f"the body carries {given} on", str(kind))
    stacks = []
    for kind, axis in zip(results, scan.stack_axes, strict=True):
        _require(0 <= axis <= len(kind.shape), "a stack's axis exists", f"axis {axis} of {kind}")
        stacks.append(stack_type(kind, axis, scan.length))
    return (*(TensorType(kind.shape, kind.dtype) for kind in after), *stacks)


def _check_counts(scan: Scan, types: Sequence[TensorType]) -> None:
    body = scan.body
    _require(not (body.variables or body.updates), "a body keeps nothing", str(list(body.variables)))
    _require(1 <= scan.length <= MAX_LENGTH, f"a scan has 1 to {MAX_LENGTH} steps", str(scan.length))
    _require(len(body.inputs) == len(types), f"the body takes {len(types)} values", str(len(body.inputs)))
    fits = 0 <= scan.carried <= len(body.outputs) and scan.scanned >= 0
    fits = fits and scan.carried + scan.scanned <= len(types)
    _require(fits, "carried values and axes are those of inputs and outputs", f"{scan.carried}, {scan.axes}")


def _check_inputs(scan: Scan, types: Sequence[TensorType]) -> None:
    carried, sequences, captured = scan.split_inputs(types)
    seen = list(carried)
    for kind, axis in zip(sequences, scan.sequence_axes, strict=True):
        fits = 0 <= axis < len(kind.shape) and kind.shape[axis] == scan.length
        _require(fits, f"a sequence has {scan.length} slices", f"axis {axis} of {kind}")
        seen.append(slice_type(kind, axis))
    for given, name in zip((*seen, *captured), scan.body.inputs, strict=True):
        wanted = scan.body.types[name]
        _require((given.shape, given.dtype) == (wanted.shape, wanted.dtype), f"{name!r} is {wanted}", str(given))


def _require(holds: bool, rule: str, received: str) -> None:
    if not holds:
        raise GraphError(rule, received=received, remedy="give the body inputs and outputs of these types")
