# SPDX-License-Identifier: Apache-2.0
"""Post-training quantisation: a float network becomes an int8 one, float in and float out.

Requires: an inference graph of one float input and one float output (nothing variable), folded and fused, made of
preparation nodes, then dense layers, activations and softmax one after the other; weights constant; calibration rows
that reach the ranges the network will see.
Ensures: the same input and output, to within the rounding of int8; every node between ``quantize`` and ``dequantize``
is integer, and its C gives the interpreter's bits on every target. Metadata ``precision`` becomes ``int8``.

What is chosen, and why:

- The input has a scale of its own for each column, a power of two, and a zero point wherever the column lies, so that
  the device needs no float arithmetic. Standardisation and every other affine step before the first dense layer go
  into its weights; imputation becomes the stored value of NaN (without one, NaN is stored as 0, the middle).
- Weights are symmetric, one scale an output channel, -127 to 127 (TensorFlow Lite's scheme).
- A bias is set so that the mean of the layer's output over the calibration rows is the float network's: it takes up
  the zero point of the input, and what rounding in the layers before has shifted.
- Activations that are no clamp of what is stored (linear, relu, relu6, hard_tanh) are tables of 256. Where one
  saturates, what lies beyond is left out of the range of its input.
- A softmax over more classes than TensorFlow Lite's integers can sum is computed in float, after ``dequantize``.
- The output's scale has few significant bits, so that dequantising it is exact and needs integers only (1/256 for
  sigmoid and softmax, as TensorFlow Lite demands). Other outputs get some room beyond the range seen.

Sources: B. Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference" (2018); M. Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction" (2019).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from edgeling.errors import DataError, UnsupportedError
from edgeling.graph import integer
from edgeling.graph.builder import GraphBuilder
from edgeling.graph.integer_tables import Affine, activation_table
from edgeling.graph.limits import LARGEST_SUM, largest_sum
from edgeling.graph.meaning import MEANINGS, evaluate
from edgeling.graph.types import Array, Attribute, DType, Graph, Node, Quantization, TensorType
from edgeling.passes.absorb import Absorber
from edgeling.passes.quantizable import LAYER, PREPARATION, QUANTIZATION
from edgeling.passes.scales import LEAST_HIDDEN_SCALE, column_scales, hidden_scale, output_scale, quantize_layer

# Beyond these inputs the stored output hardly changes: by less than a step of 1/256 (tanh: 1/128).
SATURATION = {"sigmoid": 6.5, "hard_sigmoid": 3.0, "tanh": 3.5}
SOFTMAX_REACH = 8.0  # below the row's maximum
LOGISTIC = Affine(integer.LOGISTIC_SCALE, integer.LOGISTIC_ZERO_POINT)
FIXED = {"sigmoid": LOGISTIC, "tanh": Affine(integer.TANH_SCALE, integer.TANH_ZERO_POINT)}


@dataclass(frozen=True)
class Stored:
    """An int8 value of the new graph.

    Attributes:
        rows: the value for the calibration rows.
        affine: of the whole tensor; None for the input, which has one a column.
        columns: for the input, what one step of each column is worth to the first layer, whose weights take it up.
    """

    name: str
    rows: Array
    affine: Affine | None = None
    columns: Array | float = 1.0

    @property
    def step(self) -> float:
        """What one step of it is worth: the scale, or 1 where ``columns`` says it."""
        return self.affine.scale if self.affine else 1.0


def quantize(graph: Graph, calibration_rows: ArrayLike) -> Graph:
    """The int8 graph of a float inference graph.

    Args:
        calibration_rows: float32 [rows, features], inputs as the graph takes them (training rows).

    Raises:
        UnsupportedError: what has no int8 form here, named.
        DataError: calibration rows of the wrong shape, none at all, or not finite.
    """
    _require_supported(graph)
    return _Quantizer(graph, _require_rows(graph, np.asarray(calibration_rows, np.float32))).run()


class _Quantizer:
    """Walks a graph from its first layer to its output, keeping the calibration rows in float and in int8."""

    def __init__(self, graph: Graph, rows: Array) -> None:
        self._graph = graph
        self._float = _float_values(graph, rows)
        self._builder = GraphBuilder(graph.name)
        self._stored: dict[str, Stored] = {}

    def run(self) -> Graph:
        (x,), (y,) = self._graph.inputs, self._graph.outputs
        self._builder.input(x, self._graph.types[x].shape)
        layers = [node for node in self._graph.nodes if QUANTIZATION[node.operation] == LAYER]
        wide = layers.pop() if self._is_too_wide(layers[-1]) and len(layers) > 1 else None
        self._last = layers[-1].output
        self._stored[layers[0].inputs[0]] = self._features(layers[0].inputs[0])
        for node in layers:
            self._stored[node.output] = self._layer(node)
        self._builder.describe(**{**self._graph.metadata, "precision": "int8"})
        answer = self._dequantize(self._last)
        return self._builder.build([self._builder.add("softmax", answer, name=y) if wide else answer])

    def _features(self, value: str) -> Stored:
        """The input of the first layer: float nodes that are not absorbed, then ``quantize``."""
        absorbed = Absorber(self._graph, self._builder, self._float).absorb(value)
        filled = np.where(np.isnan(absorbed.rows), absorbed.missing, absorbed.rows)
        _require_finite(filled, value)
        bits, zero_point = column_scales(filled, absorbed.slope)
        scale = np.ldexp(1.0, -bits)
        missing = integer.quantize(absorbed.missing, scale, zero_point, missing=np.zeros(len(bits), np.int8))
        rows = integer.quantize(absorbed.rows, scale, zero_point, missing)
        parameters = [
            self._builder.constant(bits.astype(np.int8), "fraction_bits"),
            self._builder.constant(zero_point.astype(np.int32), "zero_point"),
            self._builder.constant(missing, "missing"),
        ]
        kind = Quantization(tuple(scale.tolist()), tuple(zero_point.tolist()), axis=1)
        name = self._add("quantize", value, rows.shape[1], kind, absorbed.base, *parameters)
        return Stored(name, rows, columns=scale * absorbed.slope)

    def _layer(self, node: Node) -> Stored:
        x = self._stored.get(node.inputs[0])
        if x is None or (x.affine is None and node.operation != "dense"):
            raise _unsupported(f"{node.operation} that makes {node.output!r}")
        if node.operation == "dense":
            return self._dense(x, node)
        return self._softmax(x, node) if node.operation == "softmax" else self._lookup(x, node)

    def _dense(self, x: Stored, node: Node) -> Stored:
        kernel, bias = (self._graph.constants[name].astype(np.float64) for name in node.inputs[1:])
        linear = self._float[node.inputs[0]].astype(np.float64) @ kernel + bias
        _require_finite(linear, node.output)
        function = str(node.attributes["function"])
        if function in integer.CLAMPS:
            return self._dense_int8(node.output, x, node, linear, self._reach(node.output))
        limit = SATURATION.get(function, np.inf)
        before = self._dense_int8(f"{node.output}_linear", x, node, linear, np.clip(linear, -limit, limit))
        return self._lookup(before, node)

    def _reach(self, value: str) -> Array:
        """What the range of a layer's output has to hold: for softmax, nothing that is far below the maximum."""
        y = self._float[value]
        readers = {node.operation for node in self._graph.nodes if value in node.inputs}
        return np.maximum(y, y.max(axis=1, keepdims=True) - SOFTMAX_REACH) if readers == {"softmax"} else y

    def _dense_int8(self, name: str, x: Stored, node: Node, linear: Array, reach: Array) -> Stored:
        """A dense node's sums, and its activation if that is a clamp."""
        kernel = self._graph.constants[node.inputs[1]] * np.reshape(x.columns, (-1, 1))
        scale, weights, bias = quantize_layer(kernel, x.step, x.rows, linear)
        _require_fits(node, weights, bias)
        final = name == self._last
        # Two steps of the sum to a step of the output, at least, so that the multiplier is a fraction.
        least = max(2 * x.step * float(scale.max()), 0.0 if final else LEAST_HIDDEN_SCALE)
        out = output_scale(reach, least) if final else hidden_scale(reach, least)
        multiplier, shift = integer.quantize_multipliers(x.step * scale / out.scale)
        kind = Quantization(tuple(scale.tolist()), (0,) * len(scale), axis=0)
        arrays = [weights, bias.astype(np.int32), multiplier, (-shift).astype(np.int8)]
        names = [self._builder.constant(weights, f"{name}_weights", kind)]
        for part, array in zip(("bias", "multiplier", "right_shift"), arrays[1:], strict=True):
            names.append(self._builder.constant(array, f"{name}_{part}"))
        clamp = str(node.attributes["function"]) if name == node.output else "linear"
        minimum, maximum = integer.activation_range(clamp, out.scale, out.zero_point)
        limits = {"zero_point": out.zero_point, "minimum": minimum, "maximum": maximum}
        return self._affine("dense_int8", name, out, x, arrays, names, **limits)

    def _lookup(self, x: Stored, node: Node) -> Stored:
        """An activation as a table, indexed by what ``x`` stores."""
        function, alpha = str(node.attributes["function"]), float(node.attributes["alpha"])
        before = _affine_of(x)
        out = self._affine_after(function, node.output, before)
        table = activation_table(function, alpha, before, out)
        name = self._builder.constant(table, f"{node.output}_table")
        return self._affine("lookup_int8", node.output, out, x, [table], [name])

    def _affine_after(self, function: str, value: str, before: Affine) -> Affine:
        """How the output of an activation is stored."""
        if function in FIXED:
            return FIXED[function]
        if function == "relu6" and value != self._last:
            return before
        choose = output_scale if value == self._last else hidden_scale
        return choose(self._float[value], 0.0)

    def _is_too_wide(self, node: Node) -> bool:
        return node.operation == "softmax" and self._graph.types[node.output].shape[-1] > integer.MAXIMUM_CLASSES

    def _softmax(self, x: Stored, node: Node) -> Stored:
        if self._is_too_wide(node):
            raise _unsupported(f"softmax over {x.rows.shape[1]} classes ({integer.MAXIMUM_CLASSES} at most)")
        multiplier, left_shift, least = integer.softmax_multiplier(_affine_of(x).scale)
        numbers = {"multiplier": multiplier, "left_shift": left_shift, "minimum_difference": least}
        return self._affine("softmax_int8", node.output, LOGISTIC, x, [], [], **numbers)

    def _affine(
        self,
        operation: str,
        value: str,
        out: Affine,
        x: Stored,
        arrays: list[Array],
        names: list[str],
        **attributes: int,
    ) -> Stored:
        """Add a node whose output has one scale, and run it on the calibration rows."""
        rows = MEANINGS[operation](attributes, x.rows, *arrays)
        name = self._add(operation, value, rows.shape[1], out.quantization, x.name, *names, **attributes)
        return Stored(name, rows, out)

    def _add(
        self, operation: str, value: str, width: int, kind: Quantization, *inputs: str, **attributes: Attribute
    ) -> str:
        batch = self._graph.types[self._graph.inputs[0]].shape[0]
        types = [TensorType((batch, width), DType.INT8, kind)]
        (name,) = self._builder.add_many(operation, *inputs, name=f"{value}_int8", types=types, **attributes)
        return name

    def _dequantize(self, value: str) -> str:
        y = self._stored[value]
        affine = _affine_of(y)
        return self._builder.add("dequantize", y.name, name=value, scale=affine.scale, zero_point=affine.zero_point)


def _affine_of(x: Stored) -> Affine:
    assert x.affine is not None, "only dense reads the quantised input"
    return x.affine


def _float_values(graph: Graph, rows: Array) -> dict[str, Array]:
    """Every value of the float graph on all rows at once (its own batch is usually 1)."""
    values: dict[str, Array] = {graph.inputs[0]: rows, **graph.constants}
    with np.errstate(invalid="ignore", over="ignore"):
        for node in graph.nodes:
            (values[node.output],) = evaluate(node, (values[i] for i in node.inputs))
    return values


def _unsupported(received: str) -> UnsupportedError:
    return UnsupportedError(
        "an int8 network is preparation, then dense layers, activations and softmax one after the other",
        received=received,
        remedy="float32 (precision='float32', --precision float32)",
    )


def _require_supported(graph: Graph) -> None:
    if graph.variables or len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise _unsupported(
            f"{len(graph.inputs)} inputs, {len(graph.outputs)} outputs and {len(graph.variables)} variables"
        )
    places = [QUANTIZATION[node.operation] for node in graph.nodes]
    first = places.index(LAYER) if LAYER in places else len(places)
    for i, node in enumerate(graph.nodes):
        if places[i] != (PREPARATION if i < first else LAYER):
            raise _unsupported(f"{node.operation} that makes {node.output!r} ({places[i]})")
        if node.operation == "dense" and not all(name in graph.constants for name in node.inputs[1:]):
            raise _unsupported(f"dense that makes {node.output!r}, whose weights are not constant")
    if first == len(graph.nodes) or graph.nodes[-1].output != graph.outputs[0]:
        raise _unsupported(f"an output, {graph.outputs[0]!r}, that no layer makes last")


def _require_rows(graph: Graph, rows: Array) -> Array:
    width = graph.types[graph.inputs[0]].shape[1:]
    if rows.ndim != 2 or rows.shape[1:] != width or len(rows) == 0:
        raise DataError(
            f"calibration rows have the shape [rows, {', '.join(map(str, width))}]", received=str(rows.shape)
        )
    return rows


def _require_finite(values: Array, name: str) -> None:
    if not np.isfinite(values).all():
        raise DataError(
            "a network's values on the calibration rows are finite",
            received=f"NaN or infinity in {name!r}",
            remedy="leave rows with missing or infinite numbers out, or train with imputation",
        )


def _require_fits(node: Node, weights: Array, bias: Array) -> None:
    largest = largest_sum(weights, bias)
    if largest > LARGEST_SUM:
        raise _unsupported(f"dense that makes {node.output!r}, whose sums may leave int32 ({largest})")
