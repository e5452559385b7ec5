# SPDX-License-Identifier: Apache-2.0
"""What a build may add to a network: int8 at its ends, and answers it can test itself with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgeling.codegen.interface import Golden, Interface
from edgeling.errors import UnsupportedError
from edgeling.graph import integer
from edgeling.graph.random import random_uniform
from edgeling.graph.types import Array
from edgeling.passes.integer_ends import conversions, integer_ends
from edgeling.workflow.deploy import Deployable, tolerance_of

SELFTEST_ROWS = 3


def with_integer_ends(deployed: Deployable, precision: str) -> Deployable:
    """The int8 network with int8 buffers, and the rows to prove it on as its caller would store them.

    Raises:
        UnsupportedError: it is not int8, prepares its input in float, or has several inputs or outputs.
    """
    if precision != "int8":
        raise UnsupportedError(
            "buffers hold int8 where the network does",
            received=f"precision {precision!r}",
            remedy="precision='int8' (--precision int8), or leave io (--io) out",
        )
    interface, graph = deployed.interface or Interface(), deployed.graphs[precision]
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise UnsupportedError(
            "int8 buffers (io) are for networks of one input and one output",
            received=f"{deployed.name}, which has {len(graph.inputs)} and {len(graph.outputs)}",
            remedy="leave io (--io) out",
        )
    (node, _) = conversions(graph)
    bits, zero_point, missing = (graph.constants[name] for name in node.inputs[1:])
    rows = integer.quantize(deployed.rows[0], np.ldexp(np.float32(1), -bits.astype(np.int32)), zero_point, missing)
    return replace(
        deployed, graphs={precision: integer_ends(graph)}, rows=(rows,), programs={},
        interface=replace(interface, missing=tuple(missing.tolist())),
    )  # fmt: skip


def with_golden(deployed: Deployable, precision: str) -> Deployable:
    """The network with inputs and answers it can test itself with; the inputs are made up, nobody's data.

    Raises:
        UnsupportedError: an input or output holds other integers than int8.
    """
    rows = tuple(_made_up(x, seed) for seed, x in enumerate(deployed.rows, start=1))
    expected = deployed.answers(precision, rows)
    if odd := [x.dtype for x in (*rows, *expected) if x.dtype not in (np.float32, np.int8)]:
        raise UnsupportedError(
            "a self-test compares float32 and int8", received=str(odd[0]), remedy="leave selftest (--selftest) out"
        )
    golden = Golden(rows, expected, tolerance_of(precision, expected))
    return replace(deployed, interface=replace(deployed.interface or Interface(), golden=golden), programs={})


def _made_up(rows: Array, seed: int) -> Array:
    """Uniform within each column's range, and whole where the column is, as codes of categories are."""
    known = np.where(np.isfinite(rows), rows.astype(np.float64), np.nan)
    low, high = np.nanmin(known, axis=0, initial=np.inf), np.nanmax(known, axis=0, initial=-np.inf)
    low, high = np.where(low <= high, low, 0.0), np.where(low <= high, high, 0.0)
    drawn = random_uniform(SELFTEST_ROWS * rows[0].size, seed=seed).reshape(SELFTEST_ROWS, *rows.shape[1:])
    made = low + drawn * (high - low)
    whole = (known == np.rint(known)) | np.isnan(known)
    return np.where(whole.all(axis=0), np.rint(made), made).astype(rows.dtype)
