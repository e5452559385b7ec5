# SPDX-License-Identifier: Apache-2.0
"""What the rules of quantisation see: a float graph with its values on the calibration rows, and the integer graph
that grows beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgeling.errors import DataError, UnsupportedError
from edgeling.graph import integer
from edgeling.graph.builder import GraphBuilder
from edgeling.graph.integer_tables import FINE_REACH, Affine
from edgeling.graph.interpreter import run_rows
from edgeling.graph.types import Array, Attribute, DType, Graph, Node, Quantization, TensorType
from edgeling.passes.absorb import Absorbed, Absorber
from edgeling.passes.scales import column_scales, far_centre, hidden_scale, output_scale
from edgeling.passes.schemes import Scheme


@dataclass(frozen=True)
class Stored:
    """An integer value of the new graph.

    Attributes:
        rows: the value for the calibration rows.
        affine: of the whole tensor; None for a feature, which has one a column.
        columns: of a feature, what one step of each column is worth to whoever takes the scales up.
        offset: of a feature, what the value is where a column stores 0.
    """

    name: str
    rows: Array
    affine: Affine | None = None
    columns: Array | float = 1.0
    offset: Array | float = 0.0

    @property
    def step(self) -> float:
        """What one step of it is worth: the scale, or 1 where ``columns`` says it."""
        return self.affine.scale if self.affine else 1.0


Rule = Callable[["Context", Node], Stored]  # adds to the integer graph what stands for a float node's output


class Context:
    """A quantisation under way.

    Attributes:
        graph: the float graph.
        float: its values on the calibration rows, by name, and its constants.
        scheme: of the precision.
        fine: what a sigmoid or softmax answers is told in steps of 2^-16, whatever the scheme.
        builder: of the integer graph.
    """

    def __init__(self, graph: Graph, values: Mapping[str, Array], scheme: Scheme, fine: bool = False) -> None:
        self.graph, self.float, self.scheme, self.fine = graph, {**graph.constants, **values}, scheme, fine
        self.builder = GraphBuilder(graph.name)
        self._absorber = Absorber(graph, self.builder, self.float)
        self._stored: dict[str, Stored] = {}  # integer values, by the name of the float value they stand for
        self._features: dict[str, Stored] = {}  # float values, stored with a scale a column
        self._made: dict[tuple[str, Affine | None], Stored] = {}  # what `once` made
        self._quantized: dict[tuple[str, bytes], str] = {}  # nodes that quantise, by what they do
        self._rows: dict[str, Array] = {}  # what values of the new graph hold for the calibration rows
        self._tail = {node.output: node for node in graph.nodes if self._is_tail(node)}
        self._finals = {self._tail[y].inputs[0] if y in self._tail else y for y in graph.outputs}

    # ------------------------------------------------------------------------------------------- the float graph

    def is_integer(self, value: str) -> bool:
        """Whether a float value has its integer form already."""
        return value in self._stored

    def is_tail(self, node: Node) -> bool:
        """Whether a node is computed in float, after ``dequantize``."""
        return node.outputs[0] in self._tail

    def is_final(self, value: str) -> bool:
        """Whether a value leaves the integer part of the graph."""
        return value in self._finals

    def is_told_finely(self, node: Node) -> bool:
        """Whether a node is the answering sigmoid or softmax of an int8 network that tells probabilities finely."""
        answers = self.is_final(node.output) and not self.is_read(node.output)
        kind = node.operation == "softmax" or node.attributes.get("function") == "sigmoid"
        return self.fine and self.scheme.dtype is DType.INT8 and answers and kind

    def is_read(self, value: str) -> bool:
        """Whether integer arithmetic goes on from a value."""
        return any(value in node.inputs and not self.is_tail(node) for node in self.graph.nodes)

    def clamp_after(self, node: Node) -> Node | None:
        """The activation that alone reads a node's output, if it only limits what is stored."""
        readers = [other for other in self.graph.nodes if node.output in other.inputs]
        found = readers[0] if len(readers) == 1 and not self.is_final(node.output) else None
        clamps = (
            found is not None and found.operation == "activation" and found.attributes["function"] in integer.CLAMPS
        )
        return found if clamps else None

    def array(self, value: str) -> Array:
        """A constant of the float graph, in double precision."""
        return self.graph.constants[value].astype(np.float64)

    def reach(self, value: str) -> Array:
        """What the range of a value has to hold: for softmax, nothing that is far below the maximum."""
        y = self.float[value]
        readers = [node for node in self.graph.nodes if value in node.inputs]
        if {node.operation for node in readers} != {"softmax"} or value in self.graph.outputs:
            return y
        reach = FINE_REACH if any(map(self.is_told_finely, readers)) else self.scheme.softmax_reach
        return np.maximum(y, y.max(axis=-1, keepdims=True) - reach)

    def choose(self, value: str, least: float, least_hidden: float = 0.0, reach: Array | None = None) -> Affine:
        """How a value is stored: no finer than ``least``, nor ``least_hidden`` where it stays in the graph."""
        values = self.float[value] if reach is None else reach
        require_finite(values, value)
        if not self.is_final(value):
            return hidden_scale(values, max(least, least_hidden), self.scheme.dtype)
        return output_scale(np.append(values, 0.0) if self.is_read(value) else values, least, self.scheme.dtype)

    def limits(self, clamp: str, out: Affine) -> dict[str, int]:
        """``minimum`` and ``maximum`` of what is stored so, behind an activation that is a clamp."""
        ends = integer.activation_range(clamp, out.scale, out.zero_point, self.scheme.dtype.numpy)
        return dict(zip(("minimum", "maximum"), ends, strict=True))

    def centre(self, value: str, reach: Array) -> float:
        """What of a final value is left to its zero point: the sums of int16, finer than int8's, reach less far."""
        if self.scheme.dtype is not DType.INT16 or not self.is_final(value) or self.is_read(value):
            return 0.0
        return far_centre(reach)

    def is_wide_softmax(self, node: Node) -> bool:
        """Whether a node is a softmax over more classes than the scheme's integers can sum."""
        return node.operation == "softmax" and self.graph.types[node.output].shape[-1] > self.scheme.most_classes

    def _is_tail(self, node: Node) -> bool:
        read = any(node.outputs[0] in other.inputs for other in self.graph.nodes)
        return self.is_wide_softmax(node) and node.outputs[0] in self.graph.outputs and not read

    # ---------------------------------------------------------------------------------------- reading and writing

    def columns(self, value: str) -> Stored:
        """A value as a dense layer reads it: a feature, not yet stored as integers, has a scale a column."""
        if value in self._stored:
            return self._stored[value]
        if value not in self._features:
            self._features[value] = self._feature(value)
        return self._features[value]

    def keep(self, value: str, stored: Stored) -> None:
        """From now on a float value has this integer form."""
        self._stored[value] = stored

    def once(self, value: str, out: Affine | None, make: Callable[[], Stored]) -> Stored:
        """A value in a scale that several nodes may ask for: made for the first that does."""
        if (value, out) not in self._made:
            self._made[value, out] = make()
        return self._made[value, out]

    def constant(self, array: Array, name: str, quantization: Quantization | None = None) -> str:
        """A constant of the new graph."""
        return self.builder.constant(array, name, quantization)

    def emit(
        self, operation: str, value: str, out: Affine, inputs: Sequence[str], like: str = "",
        dtype: DType | None = None, /, **attributes: Attribute,
    ) -> Stored:  # fmt: skip
        """Add a node whose output stands for a float value, and has one scale; run it on the calibration rows.

        Args:
            like: the float value whose shape it has, where ``value`` is none of the float graph's.
            dtype: of the output, where it is not the scheme's.
        """
        kind = TensorType(self.graph.types[like or value].shape, dtype or self.scheme.dtype, out.quantization)
        made = self._add(operation, value, kind, *inputs, **attributes)
        return Stored(made, self._rows[made], out)

    def tail(self, output: str) -> Node | None:
        """The node that computes an output in float."""
        return self._tail.get(output)

    def stored(self, value: str) -> Stored:
        """The integer form of a float value."""
        if value not in self._stored:
            raise refused(f"an output, {value!r}, that no layer makes")
        return self._stored[value]

    def _feature(self, value: str) -> Stored:
        """Float nodes that are not absorbed, then ``quantize``."""
        absorbed = self._absorber.absorb(value)
        filled = np.where(np.isnan(absorbed.rows), absorbed.missing, absorbed.rows)
        require_finite(filled, value)
        bits, zero_point = column_scales(filled.reshape(-1, filled.shape[-1]), absorbed.slope, self.scheme.dtype)
        scale = np.ldexp(1.0, -bits)
        dtype = self.scheme.dtype.numpy
        missing = integer.quantize(absorbed.missing, scale, zero_point, np.zeros(len(bits), dtype), dtype)
        parameters: dict[str, Array] = {
            "fraction_bits": bits.astype(np.int8),
            "zero_point": zero_point.astype(np.int32),
        }
        name = self._quantize(value, absorbed, {**parameters, "missing": missing}, scale)
        worth = scale * absorbed.slope
        return Stored(name, self._rows[name], columns=worth, offset=absorbed.offset - zero_point * worth)

    def _quantize(self, value: str, absorbed: Absorbed, parameters: Mapping[str, Array], scale: Array) -> str:
        """A ``quantize`` node, or the one that does the same already."""
        key = absorbed.base, b"".join(array.tobytes() for array in parameters.values())
        if key not in self._quantized:
            self._rows[absorbed.base] = absorbed.rows
            names = [self.constant(array, name) for name, array in parameters.items()]
            shape = self.graph.types[value].shape
            points = tuple(parameters["zero_point"].tolist())
            stored = Quantization(tuple(scale.tolist()), points, axis=len(shape) - 1)
            kind = TensorType(shape, self.scheme.dtype, stored)
            self._quantized[key] = self._add("quantize", value, kind, absorbed.base, *names)
        return self._quantized[key]

    def _add(self, operation: str, value: str, kind: TensorType, *inputs: str, **attributes: Attribute) -> str:
        name = f"{value}_{kind.dtype.value}"
        (made,) = self.builder.add_many(operation, *inputs, name=name, types=[kind], **attributes)
        self._rows[made] = self._run(made)
        return made

    def _run(self, made: str) -> Array:
        """The newest value, for the calibration rows: its node is a graph of its own."""
        whole = self.builder.graph([made])
        node = whole.nodes[-1]
        given = tuple(i for i in dict.fromkeys(node.inputs) if i in self._rows)
        constants = {i: whole.constants[i] for i in node.inputs if i not in self._rows}
        types = {name: whole.types[name] for name in (*node.inputs, made)}
        alone = Graph(made, given, (made,), (node,), types, constants)
        (rows,) = run_rows(alone, *(self._rows[i] for i in given))
        return rows


def values_on(graph: Graph, rows: Sequence[Array]) -> dict[str, Array]:
    """Every value of a float graph that depends on its inputs, on all rows."""
    known = set(graph.inputs)
    for node in graph.nodes:
        known.update(node.outputs if known.intersection(node.inputs) else ())
    made = tuple(name for name in graph.types if name in known)
    if mixed := [name for name in made if graph.types[name].shape[:1] != (1,)]:
        raise refused(f"{mixed[0]!r}", "its first axis is not that of the rows, of length one")
    whole = Graph(graph.name, graph.inputs, made, graph.nodes, graph.types, graph.constants)
    with np.errstate(invalid="ignore", over="ignore"):
        return dict(zip(made, run_rows(whole, *rows), strict=True))


def refused(received: str, reason: str = "") -> UnsupportedError:
    """The error for what has no integer form."""
    return UnsupportedError(
        "every node of an integer network has a rule to quantise it, or prepares its features",
        received=f"{received} ({reason})" if reason else received,
        remedy="float32 (precision='float32', --precision float32)",
    )


def named(node: Node) -> str:
    """A node for a person: its operation and what it makes."""
    return f"{node.operation} that makes {node.outputs[0]!r}"


def require_finite(values: Array, name: str) -> None:
    """Raise a DataError if a value is not finite on some calibration row."""
    if not np.isfinite(values).all():
        raise DataError(
            "a network's values on the calibration rows are finite",
            received=f"NaN or infinity in {name!r}",
            remedy="leave rows with missing or infinite numbers out, or train with imputation",
        )
