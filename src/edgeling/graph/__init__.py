# SPDX-License-Identifier: Apache-2.0
"""The graph: types, operations and their meaning, building, checking, printing, (de)serialising, interpreting."""

from edgeling.graph.builder import GraphBuilder
from edgeling.graph.check import check
from edgeling.graph.interpreter import Run, run, run_rows
from edgeling.graph.types import Array, DType, Graph, Node, Quantization, TensorType

__all__ = [
    "Array",
    "DType",
    "Graph",
    "GraphBuilder",
    "Node",
    "Quantization",
    "Run",
    "TensorType",
    "check",
    "run",
    "run_rows",
]
