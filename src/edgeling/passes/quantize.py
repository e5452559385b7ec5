# SPDX-License-Identifier: Apache-2.0
"""Post-training quantisation: a float network becomes an integer one, float in and float out.

Requires: an inference graph (nothing variable) of float inputs with a first axis of length one, folded and fused, any
directed acyclic graph of operations that ``quantization_rules.py`` has a rule for, and of preparation before them;
weights constant; calibration rows that reach the ranges the network will see.
Ensures: the same inputs and outputs, to within the rounding of the precision; every node between ``quantize`` and
``dequantize`` is integer, and its C gives the interpreter's bits on every target. Metadata ``precision`` says which.

What is chosen, and why:

- Features have a scale of their own for each column, a power of two, and a zero point wherever the column lies, so
  that the device needs no float arithmetic. Standardisation and every other affine step before the first dense layer
  go into its weights; imputation becomes the stored value of NaN (without one, NaN is stored as 0, the middle).
- Weights are symmetric, one scale an output channel, -127 to 127 (TensorFlow Lite's scheme).
- A bias is set so that the mean of the layer's output over the calibration rows is the float network's: it takes up
  the zero point of the input, and what rounding in the layers before has shifted.
- Activations that are no clamp of what is stored (linear, relu, relu6, hard_tanh) are tables: of 256, and of 513 with
  straight lines between them for int16. Where one saturates, what lies beyond is left out of the range of its input.
- A network that is a sum over columns (``workflow/each_column.py``) is, in int8, a table for each column and output:
  what a column adds for every value it can have, to half a step.
- A softmax over more classes than TensorFlow Lite's integers can sum is computed in float, after ``dequantize``.
- Where rare classes are told apart (``fine``), the table of the last sigmoid holds int16: its entries cost 256 bytes
  more, and a threshold between two of them is one between two logits.
- The output's scale has few significant bits, so that dequantising it is exact and needs integers only (1/256 for
  sigmoid and softmax, as TensorFlow Lite demands). Other outputs get some room beyond the range seen.

Sources: B. Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference" (2018); M. Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction" (2019).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from edgeling.errors import DataError, GraphError, UnsupportedError
from edgeling.graph.integer import split_scale
from edgeling.graph.types import Array, DType, Graph, Node
from edgeling.passes.contracts import contract, integers_inside, same_face
from edgeling.passes.quantization import Context, named, refused, values_on
from edgeling.passes.quantization_arithmetic import affine_of, tensor
from edgeling.passes.quantization_curves import ColumnSum, column_sums, curves
from edgeling.passes.quantization_rules import LAYERS, PREPARATION, RULES
from edgeling.passes.scales import output_scale
from edgeling.passes.schemes import SCHEMES


@contract(same_face, ensures=(integers_inside,))
def quantize(
    graph: Graph, calibration_rows: ArrayLike | Mapping[str, ArrayLike], precision: str = "int8", *, fine: bool = False
) -> Graph:  # fmt: skip
    """The integer graph of a float inference graph.

    Args:
        calibration_rows: float32 [rows, features], inputs as the graph takes them (training rows); of a graph of
            several inputs, such an array for each, by name.
        precision: ``"int8"``, or ``"int16x8"`` for int16 activations with int8 weights.
        fine: a probability is told in steps of 2^-16 instead of int8's 1/256, as fine as its logit is.

    Raises:
        UnsupportedError: another precision, or what has no integer form here, named.
        DataError: calibration rows of the wrong shape, none at all, or not finite.
    """
    if precision not in SCHEMES:
        raise UnsupportedError(
            f"an integer precision is {' or '.join(SCHEMES)}", received=repr(precision),
            remedy=f"precision={next(iter(SCHEMES))!r}",
        )  # fmt: skip
    if graph.variables:
        raise refused(f"{len(graph.variables)} variables", "an integer network learns nothing")
    context = Context(graph, values_on(graph, _require_rows(graph, calibration_rows)), SCHEMES[precision], fine)
    for name in graph.inputs:
        context.builder.input(name, graph.types[name].shape)
    sums = column_sums(graph) if context.scheme.dtype is DType.INT8 else {}
    later = {id(unit) for found in sums.values() for unit in found.units}
    for node in graph.nodes:
        if id(node) not in later:
            found = sums.get(node.outputs[0])
            _quantize_sum(context, node, found) if found else _quantize_node(context, node)
    return _finish(context)


def _quantize_sum(context: Context, node: Node, found: ColumnSum) -> None:
    """A sum over columns as tables; where it stands behind other layers, node by node."""
    if (made := curves(context, node, found)) is not None:
        context.keep(node.output, made)
        return
    for unit in (*found.units, node):
        _quantize_node(context, unit)


def _quantize_node(context: Context, node: Node) -> None:
    """Apply a node's rule, unless it prepares features or is computed in float at the end."""
    if context.is_integer(node.outputs[0]):  # the rule of a node before made it too
        return
    integer = node.operation in LAYERS or any(map(context.is_integer, node.inputs))
    rule = RULES[node.operation]
    in_float = context.is_tail(node) and context.is_integer(node.inputs[0])
    if in_float or (not integer and node.operation in PREPARATION):
        return
    if isinstance(rule, str):
        raise refused(named(node), rule)
    try:
        context.keep(node.output, rule(context, node))
    except GraphError as error:  # numbers beyond what integers can be scaled to
        raise GraphError(f"{named(node)}: {error.rule}", received=error.received, remedy=error.remedy) from None


def _finish(context: Context) -> Graph:
    """Every output in float again, once."""
    graph, builder = context.graph, context.builder
    builder.describe(**{**graph.metadata, "precision": context.scheme.name})
    tails = {output: context.tail(output) for output in graph.outputs}
    floats = {tail.inputs[0] if tail else output: "" for output, tail in tails.items()}
    floats = {value: _dequantize(context, value) for value in floats}
    for output, tail in tails.items():
        if tail is not None:
            floats[output] = builder.add(tail.operation, floats[tail.inputs[0]], name=output, **tail.attributes)
    return builder.build([floats[output] for output in graph.outputs])


def _dequantize(context: Context, value: str) -> str:
    """From a scale that makes that exact: what has another is brought to one first."""
    stored = context.stored(value)
    affine = affine_of(stored)
    try:
        split_scale(affine.scale, affine.zero_point, stored.rows.dtype)
    except GraphError:
        affine = output_scale(context.float[value], affine.scale, context.scheme.dtype)
    numbers = {"scale": affine.scale, "zero_point": affine.zero_point}
    return context.builder.add("dequantize", tensor(context, value, affine).name, name=value, **numbers)


def _require_rows(graph: Graph, given: ArrayLike | Mapping[str, ArrayLike]) -> list[Array]:
    """The calibration rows of each input, in order, as many of each."""
    by_name = given if isinstance(given, Mapping) else dict(zip(graph.inputs, [given], strict=False))
    if set(by_name) != set(graph.inputs):
        raise DataError(
            "calibration rows are one array, or one by name for each input of a graph that has several",
            received=f"{len(by_name)} for {', '.join(graph.inputs)}",
            remedy=f"calibration_data={{{graph.inputs[0]!r}: rows, ...}}",
        )
    rows = [np.asarray(by_name[name], np.float32) for name in graph.inputs]
    for name, array in zip(graph.inputs, rows, strict=True):
        shape = graph.types[name].shape[1:]
        if array.shape[1:] != shape or array.ndim != 1 + len(shape) or not 0 < len(array) == len(rows[0]):
            raise DataError(
                f"calibration rows have the shape [rows, {', '.join(map(str, shape))}]", received=str(array.shape),
                remedy=f"rows.reshape({(-1, *shape)})",
            )  # fmt: skip
    return rows
