# SPDX-License-Identifier: Apache-2.0
"""The table of quantisation: for each operation the rule that makes its integer form, or why there is none.

A rule is given the context and a node of the float graph; it adds nodes to the integer graph, and gives the value that
stands for the node's output. What stands before the first rule of a branch prepares features: it is taken over by the
scales of ``quantize``, or computed in float.
"""

from __future__ import annotations

from collections.abc import Mapping

from edgeling.graph.operations import BACKWARDS, INT8, OPERATIONS, QUANTIZED, TRAINING, UPDATES
from edgeling.passes import quantization_arithmetic as arithmetic
from edgeling.passes import quantization_layers as layers
from edgeling.passes.quantization import Rule

_PREPARES = "it prepares features, before the first layer"
_TRAINING = "it trains; an integer network is deployed"
_INTEGER = "it is integer already"
_LATER = "its integer form is not written yet"

LAYERS = frozenset({"dense", "activation", "softmax"})
"""The operations that end a preparation: their output is integer whatever they read."""

PREPARATION = frozenset({
    "gather", "impute", "standardize", "calendar", "one_hot", "embedding", "concatenate", "batch_normalization", "add",
    "subtract", "multiply", "divide", "clip", "square", "reshape", "sum", "broadcast", "reciprocal_sqrt",
    "trigonometric", "whole",
})  # fmt: skip
"""The operations that may stand before the first layer: absorbed by the input's scales, or computed in float."""

RULES: Mapping[str, Rule | str] = {
    **dict.fromkeys(OPERATIONS, _LATER),
    **dict.fromkeys((*TRAINING, *UPDATES, *BACKWARDS, "scatter"), _TRAINING),
    **dict.fromkeys((*INT8, *QUANTIZED), _INTEGER),
    "dense": layers.dense,
    "matmul": layers.matmul,
    "activation": layers.activation,
    "softmax": layers.softmax,
    "add": arithmetic.add,
    "subtract": arithmetic.subtract,
    "multiply": arithmetic.multiply,
    **dict.fromkeys(("divide", "standardize", "batch_normalization"), arithmetic.columnwise),
    **dict.fromkeys(("clip", "square"), arithmetic.table),
    "sum": arithmetic.total,
    **dict.fromkeys(("reshape", "gather", "broadcast"), arithmetic.moved),
    "concatenate": arithmetic.concatenate,
    **dict.fromkeys(("impute", "calendar", "one_hot", "embedding"), _PREPARES),
}
