# SPDX-License-Identifier: Apache-2.0
"""Each input of each operation with each wrong type, and each attribute with each wrong value: refused, or meant.

Driven by the table of operations. What is let through is held to three things that know nothing of the type rules:
the meaning gives what was inferred, C is written for it, and that C runs under the sanitizers.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from edgeling.codegen import generate
from edgeling.errors import GraphError, UnsupportedError
from edgeling.graph import Graph, GraphBuilder, run
from edgeling.graph.operations import MANY, OPERATIONS
from edgeling.graph.types import DType, TensorType
from tests.graph.examples import ODD_ATTRIBUTES, Example, Given, example_of
from tests.support.sanitized import any_values, missing, run_sanitized

# The element types that the first input (of quantize: the last) may have beside the example's, alone.
TAKES = {
    "reshape": set(DType),
    **{key: {DType.INT8, DType.INT16} for key in ("gather", "broadcast")},
    **{key: {DType.INT16} for key in ("requantize", "scale_quantized", "sum_quantized", "dequantize", "quantize")},
    "lookup_int8": {DType.INT16},
}
SMALL = 10_000


def node(operation: str, example: Example) -> Graph:
    """A graph of one node; GraphError where it is not legal."""
    b = GraphBuilder(operation)
    names = [_value(b, i, given) for i, given in enumerate(example.inputs)]
    return b.build(b.add_many(operation, *names, **example.attributes))


def _value(b: GraphBuilder, index: int, given: Given) -> str:
    if isinstance(given, TensorType):
        return b.input(f"in_{index}", given.shape, given.dtype)
    return b.constant(given, f"in_{index}")


def type_of(given: Given) -> TensorType:
    return given if isinstance(given, TensorType) else TensorType(given.shape, DType.of(given))


def as_type(given: Given, kind: TensorType) -> Given:
    """The same sort of input in another type; a constant keeps the values that fit."""
    if isinstance(given, TensorType):
        return kind
    return np.resize(given.astype(kind.dtype.numpy), kind.shape)


def changed(example: Example, index: int, kind: TensorType) -> Example:
    inputs = list(example.inputs)
    inputs[index] = as_type(inputs[index], kind)
    return Example(tuple(inputs), example.attributes)


def other_shapes(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    found = [(), (1,), (2,), (3,), (2, 1), (1, 3), (3, 2), (3, 3), (1, 1, 1), (*shape, 1), (*shape, 2), (1, *shape)]
    found += [(2, *shape), (*shape, 0), shape[::-1], shape[1:], shape[:-1], (6,), (2, 3, 1), (1,) * 17]
    found += [(*shape[:i], n, *shape[i + 1 :]) for i in range(len(shape)) for n in (0, -1, shape[i] + 1, 2**40)]
    return [s for s in dict.fromkeys(found) if s != shape]


def variants(operation: str) -> Iterator[Example]:
    """The example with one shape, or one attribute, changed."""
    example = example_of(operation)
    yield example
    for index, given in enumerate(example.inputs):
        kind = type_of(given)
        for shape in other_shapes(kind.shape):
            if isinstance(given, TensorType) or (min(shape, default=1) >= 0 and np.prod(shape, dtype=float) < SMALL):
                yield changed(example, index, TensorType(shape, kind.dtype))
    for name in OPERATIONS[operation].attributes:
        for value in ODD_ATTRIBUTES:
            yield Example(example.inputs, {**example.attributes, name: value})


@cache
def accepted(operation: str) -> tuple[Graph, ...]:
    graphs = []
    for variant in variants(operation):
        try:
            graphs.append(node(operation, variant))
        except GraphError:
            continue
    return tuple(graphs)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_has_a_legal_example(operation: str) -> None:
    """If this fails for a new operation, it needs a row in ``examples.py``."""
    assert node(operation, example_of(operation)).nodes


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_input_of_another_element_type_is_refused(operation: str) -> None:
    example = example_of(operation)
    for index, given in enumerate(example.inputs):
        kind = type_of(given)
        free = index == {"quantize": 3, "lookup_int8": 1}.get(operation, 0)
        taken = TAKES.get(operation, set()) if free else set()
        for dtype in set(DType) - {kind.dtype} - taken:
            with pytest.raises(GraphError, match=operation):
                node(operation, changed(example, index, TensorType(kind.shape, dtype)))
        for dtype in taken:
            made = node(operation, changed(example, index, TensorType(kind.shape, dtype)))
            assert made.types[made.outputs[0]].dtype is (DType.FLOAT32 if operation == "dequantize" else dtype)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_output_of_another_type_than_the_rule_says_is_refused(operation: str) -> None:
    b = GraphBuilder("g")
    example = example_of(operation)
    names = [_value(b, i, given) for i, given in enumerate(example.inputs)]
    (first, *rest) = b.add_many(operation, *names, **example.attributes)
    kind = b.type_of(first)
    for wrong in (TensorType((*kind.shape, 1), kind.dtype), TensorType((7,), kind.dtype),
                  *(TensorType(kind.shape, dtype) for dtype in set(DType) - {kind.dtype})):  # fmt: skip
        b._types[first] = wrong
        with pytest.raises(GraphError):
            b.build([first, *rest])


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_input_too_few_or_too_many_is_refused(operation: str) -> None:
    example = example_of(operation)
    if OPERATIONS[operation].inputs != MANY:
        for inputs in (example.inputs[:-1], (*example.inputs, example.inputs[-1])):
            with pytest.raises(GraphError):
                node(operation, Example(inputs, example.attributes))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_is_accepted_means_what_was_inferred(operation: str) -> None:
    for graph in accepted(operation):
        if sum(graph.types[v].size for v in graph.types) > SMALL:
            continue
        with np.errstate(all="ignore"):
            result = run(graph, [any_values(graph.types[name], 1) for name in graph.inputs])
        for output, array in zip(graph.outputs, result.outputs, strict=True):
            assert array.shape == graph.types[output].shape  # the interpreter casts, but never reshapes


@pytest.mark.skipif(bool(missing()), reason=missing())
def test_what_is_accepted_runs_in_c_without_a_fault(tmp_path: Path) -> None:
    every = [graph for operation in OPERATIONS for graph in accepted(operation)]
    graphs = [g for g in every if sum(kind.size for kind in g.types.values()) <= SMALL and _becomes_c(g)]
    assert {graph.nodes[0].operation for graph in graphs} >= OPERATIONS.keys()
    run_sanitized(graphs, tmp_path)


def _becomes_c(graph: Graph) -> bool:
    try:
        return bool(generate(graph, "one").files)
    except UnsupportedError:  # an order of axes that no kernel has, said before anything runs
        return False
