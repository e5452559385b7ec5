# SPDX-License-Identifier: Apache-2.0
"""Which symbolic values are masked, as tracing what leads to them tells."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from edgeling.errors import EdgelingError
from edgeling.layers.lengths import EXAMPLES, filled
from edgeling.layers.symbolic import SymbolicCall
from edgeling.layers.traced import scratch
from edgeling.network.tracing import Tracer

_ROWS = 2  # of a graph that nobody runs


def masked_axes(symbol: Any) -> int:
    """How many axes the mask of a symbolic value has, without the rows'; 0 where all counts."""
    for length, _ in EXAMPLES:  # in the place of what is not known
        with suppress(EdgelingError):
            tracer = scratch()
            mask = tracer.mask_of(_traced(symbol, tracer, {}, length))
            return len(tracer.builder.type_of(mask).shape) - 1 if mask else 0
    return 0


def _traced(symbol: Any, tracer: Tracer, names: dict[Any, str], length: int) -> str:
    """The name of a symbolic value in the graph, which is what leads to it."""
    if symbol not in names:
        call = symbol.call
        if isinstance(call, SymbolicCall):
            given = [_traced(each, tracer, names, length) for each in call.inputs]
            names.update(zip(call.outputs, tracer.through(call.layer, given, call.arguments), strict=True))
        else:  # an Input
            names[symbol] = tracer.builder.input(f"x_{len(names)}", (_ROWS, *filled(symbol.row, length)))
    return names[symbol]
