# SPDX-License-Identifier: Apache-2.0
"""The C call of every operation: which kernel header it needs, and the line that calls it.

A row may list several kernels, in order: the first that is right for the target and the sizes is called; the last is
right everywhere. To add an operation, add its row here (products: ``calls_products.py``; windows: ``calls_windows.py``;
what only training needs: ``calls_training.py``; int8: ``calls_int8.py``) and its kernel under ``kernels/``.
"""

from __future__ import annotations

from collections.abc import Mapping

from edgeling.codegen.broadcast import (
    binary_call,
    broadcast_call,
    is_rows_and_columns,
    is_sum_of_shared_rows,
    shared_sum_call,
    sum_call,
)
from edgeling.codegen.calls_int8 import INT8_CALLS
from edgeling.codegen.calls_normalizing import BY_MOMENTS, NORMALIZING_CALLS
from edgeling.codegen.calls_products import DENSE_CALLS, MATMUL_CALLS
from edgeling.codegen.calls_separable import SEPARABLE_CALL
from edgeling.codegen.calls_training import TRAINING_CALLS
from edgeling.codegen.calls_windows import REPEATED, WINDOW_CALLS
from edgeling.codegen.curves import CURVES_CALL
from edgeling.codegen.schedule import COPY, CURVES, SEPARABLE
from edgeling.codegen.site import Call, Line, Setting, Site, has_wide_rows, stored_calls
from edgeling.errors import UnsupportedError
from edgeling.graph.types import Node

# Operations that need no call, and why.
NO_CALL: Mapping[str, str] = {
    "reshape": "another name for the same memory: the schedule resolves it, nothing runs",
    "scan": "a loop around the calls of its body: `block.py` writes it",
}


def _elementwise(name: str, *attributes: str) -> Line:
    return lambda site: site.by_elements(name, *(site.float(a) for a in attributes))


def _by_row(name: str) -> Line:
    """Kernels over the last axis: (rows, columns)."""
    return lambda site: site.by_rows(name, (site.rows(), site.length(0, -1)))


def _normalize(name: str) -> Line:
    def line(site: Site) -> str:
        return site.by_rows(name, (site.rows(), site.length(0, -1)), site.float("epsilon"), site.flag("centered"))

    return line


def _by_column(name: str, *attributes: str) -> Line:
    """Kernels with a parameter a column: the axes of the parameters are columns, those before them rows."""

    def line(site: Site) -> str:
        rank, of_each = (len(kind.shape) for kind in site.input_types[:2])
        rows, columns = (
            site.dimensions.product(site.node.inputs[0], axes)
            for axes in (range(rank - of_each), range(rank - of_each, rank))
        )
        return site.call(name, rows, columns, *(site.float(a) for a in attributes))

    return line


def _activation(name: str) -> Line:
    return lambda site: site.by_elements(name, site.function(), site.float("alpha"))


def _by_function(name: str) -> Line:
    return lambda site: site.by_elements(name, site.function())


def _copy(site: Site) -> str:
    return site.call(f"copy_{site.input_types[0].dtype.value}", site.size())


def _gather(site: Site) -> str:
    columns = site.table(f"{site.node.output}_columns", "int", site.attributes["indices"])
    return site.call(site.stored("gather"), site.length(0, 0), site.length(0, 1), site.output_length(1), columns)


def _scatter(site: Site) -> str:
    columns = site.table(f"{site.node.output}_columns", "int", site.attributes["indices"])
    return site.call("scatter", site.length(0, 0), site.length(0, 1), site.output_length(1), columns)


def _calendar(site: Site) -> str:
    parts = site.table(f"{site.node.output}_parts", "int", site.attributes["parts"])
    counted = str(site.attributes["units_per_day"]), str(site.attributes["epoch_days"])
    return site.call("calendar", site.length(0, 0), site.output_length(1), *counted, parts)


def _one_hot(site: Site) -> str:
    return site.call("one_hot", site.length(0, 0), site.output_length(1))


def _embedding(site: Site) -> str:
    return site.call("embedding", site.length(0, 0), site.length(0, 1), site.length(1, 1), *_blocks(site))


def _embedding_gradient(site: Site) -> str:
    sizes = site.length(1, 0), site.length(1, 1), site.output_length(1), site.output_length(0)
    return site.call("embedding_gradient", *sizes, *_blocks(site))


def _blocks(site: Site) -> tuple[str, ...]:
    """Where the rows that each code names begin in the table, and how many there are."""
    return tuple(site.table(f"{site.node.output}_{key}", "int", site.attributes[key]) for key in ("starts", "sizes"))


def _concatenate(site: Site) -> str:
    lines, first = [], 0
    for index, kind in enumerate(site.input_types):
        sizes = site.rows(index), site.length(index, -1), site.output_length(-1), str(first)
        lines.append(f"edgeling_{site.stored('concatenate')}({', '.join(sizes)}, {site.x[index]}, {site.y[0]});")
        first += kind.shape[-1]
    return "\n".join(lines)


def _binary(name: str) -> Call:
    return Call("elementwise", lambda site: binary_call(site, name), in_place=(0, 1))


def _gates(name: str) -> Line:
    def line(site: Site) -> str:
        units = next(i for i, kind in enumerate(site.input_types) if kind.shape == site.input_types[-1].shape)
        recurrent = f"EDGELING_{site.attributes['recurrent_function'].upper()}"
        alphas = site.float("alpha"), site.float("recurrent_alpha")
        return site.call(name, site.length(units, 0), site.length(units, 1), site.function(), recurrent, *alphas)

    return line


def _reverse(site: Site) -> str:
    axis, value = site.attributes["axis"], site.node.inputs[0]
    rank = len(site.input_types[0].shape)
    sizes = (site.dimensions.product(value, axes) for axes in (range(axis), (axis,), range(axis + 1, rank)))
    return site.call("reverse", *sizes)


FLOAT_CALLS: Mapping[str, Call | tuple[Call, ...]] = {
    **{name: _binary(name) for name in ("add", "subtract", "multiply", "divide")},
    "maximum": Call("elementwise", lambda site: binary_call(site, "maximum_of"), in_place=(0, 1)),
    "minimum": Call("elementwise", lambda site: binary_call(site, "minimum_of"), in_place=(0, 1)),
    "compare": Call("compare", lambda site: binary_call(site, "compare", site.function()), in_place=(0, 1)),
    "select": Call("compare", lambda site: binary_call(site, "select"), in_place=(0, 1, 2)),
    "larger_gradient": Call("elementwise", _elementwise("larger_gradient"), in_place=(0, 1, 2)),
    "square": Call("elementwise", _elementwise("square"), in_place=(0,)),
    "logarithm": Call("power", _elementwise("logarithm"), in_place=(0,)),
    "trigonometric": Call("trigonometry", _by_function("trigonometric_of"), in_place=(0,)),
    "whole": Call("whole", _by_function("whole_numbers"), in_place=(0,)),
    "stop_gradient": Call("copy", _copy),
    "reciprocal_sqrt": Call("elementwise", _elementwise("reciprocal_sqrt", "epsilon"), in_place=(0,)),
    "clip": Call("elementwise", _elementwise("clip", "minimum", "maximum"), in_place=(0,)),
    "broadcast": (
        *stored_calls("move", broadcast_call),
        Call("elementwise", broadcast_call, fits=is_rows_and_columns),
        REPEATED,
    ),
    "sum": (Call("sum_parallel", shared_sum_call, fits=is_sum_of_shared_rows), Call("sum", sum_call)),
    "activation": Call("activation", _activation("activation"), in_place=(0,)),
    "activation_gradient": Call("activation", _activation("activation_gradient"), in_place=(0, 1)),
    "lstm_gates": Call("gates", _gates("lstm_gates"), in_place=(0, 1, 2)),
    "lstm_gates_gradient": Call("gates", _gates("lstm_gates_gradient"), in_place=(0, 1, 2, 3)),
    "gru_gates": Call("gates", _gates("gru_gates"), in_place=(0, 1, 2)),
    "gru_gates_gradient": Call("gates", _gates("gru_gates_gradient"), in_place=(0, 1, 2, 3)),
    "reverse": Call("gates", _reverse),
    "dense": DENSE_CALLS,
    "matmul": MATMUL_CALLS,
    "softmax": (
        Call("softmax_wide", _by_row("softmax_wide"), in_place=(0,), fits=has_wide_rows),
        Call("softmax", _by_row("softmax"), in_place=(0,)),
    ),
    "softmax_gradient": (
        Call("softmax_wide", _by_row("softmax_gradient_wide"), in_place=(0, 1), fits=has_wide_rows),
        Call("softmax", _by_row("softmax_gradient"), in_place=(0, 1)),
    ),
    "log_softmax": Call("softmax", _by_row("log_softmax"), in_place=(0,)),
    "log_softmax_gradient": Call("softmax", _by_row("log_softmax_gradient"), in_place=(0, 1)),
    "normalize": (
        Call("normalize_wide", _normalize("normalize_wide"), in_place=(0,), fits=has_wide_rows),
        Call("normalize", _normalize("normalize"), in_place=(0,)),
    ),
    "normalize_gradient": (
        Call("normalize_wide", _normalize("normalize_gradient_wide"), in_place=(0, 1), fits=has_wide_rows),
        Call("normalize", _normalize("normalize_gradient"), in_place=(0, 1)),
    ),
    "batch_normalization": (
        BY_MOMENTS,
        Call("prepare", _by_column("batch_normalization", "epsilon"), in_place=(0,), parameters=(1, 2, 3, 4)),
    ),
    "impute": Call("prepare", _by_column("impute"), in_place=(0,), parameters=(1,), may_be_held=True),
    "standardize": Call("prepare", _by_column("standardize"), in_place=(0,), parameters=(1, 2)),
    "gather": (*stored_calls("move", _gather), Call("prepare", _gather)),
    "scatter": Call("prepare", _scatter),
    "calendar": Call("calendar", _calendar),
    "embedding": Call("embedding", _embedding, parameters=(1,)),
    "embedding_gradient": Call("embedding", _embedding_gradient),
    "one_hot": Call("prepare", _one_hot),
    "concatenate": (*stored_calls("move", _concatenate), Call("prepare", _concatenate)),
    COPY: Call("copy", _copy),
    CURVES: CURVES_CALL,
    SEPARABLE: SEPARABLE_CALL,
}

CALLS: Mapping[str, tuple[Call, ...]] = {
    name: row if isinstance(row, tuple) else (row,)
    for name, row in {**FLOAT_CALLS, **WINDOW_CALLS, **NORMALIZING_CALLS, **TRAINING_CALLS, **INT8_CALLS}.items()
}


def call_of(setting: Setting) -> Call:
    """The kernel for a setting: the first candidate of the operation's row that is right for it.

    Raises:
        UnsupportedError: the operation has no kernel.
    """
    operation = setting.node.operation
    if operation not in CALLS:
        raise UnsupportedError(
            "an operation needs a kernel to become C", received=operation,
            remedy="write a row for it in the table of calls (docs/architecture.md)",
        )  # fmt: skip
    return next(call for call in CALLS[operation] if call.fits(setting))


def has_call(setting: Setting) -> bool:
    """Whether one of the row's kernels is right: of an operation that only some targets put together from others."""
    return any(call.fits(setting) for call in CALLS[setting.node.operation])


def may_be_held(node: Node) -> bool:
    """Whether the portable kernel of a node is there for parameters in RAM too, beside others in flash."""
    return node.operation not in NO_CALL and CALLS[node.operation][-1].may_be_held


def parameters_of(node: Node) -> tuple[int, ...]:
    """The inputs that the portable kernel of a node reads as parameters; none where no kernel runs."""
    return () if node.operation in NO_CALL else CALLS[node.operation][-1].parameters
