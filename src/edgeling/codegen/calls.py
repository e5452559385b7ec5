# SPDX-License-Identifier: Apache-2.0
"""The C call of every operation: which kernel header it needs, and the line that calls it.

To add an operation, add its row here (what only training needs: ``calls_training.py``; int8: ``calls_int8.py``) and its
kernel under ``kernels/``.
"""

from __future__ import annotations

from collections.abc import Mapping

from edgeling.codegen.broadcast import binary_call, broadcast_call, sum_call
from edgeling.codegen.calls_int8 import INT8_CALLS
from edgeling.codegen.calls_training import TRAINING_CALLS
from edgeling.codegen.schedule import COPY
from edgeling.codegen.site import Call, Line, Site
from edgeling.errors import UnsupportedError
from edgeling.graph.types import Node

# From this many products on, tiles held in registers beat plain loops (which compilers unroll whole if they are small).
LARGE_PRODUCT = 1024

# Operations that need no call, and why.
NO_CALL: Mapping[str, str] = {
    "reshape": "another name for the same memory: the schedule resolves it, nothing runs",
    "scan": "a loop around the calls of its body: `block.py` writes it",
}


def _elementwise(name: str, *attributes: str) -> Line:
    return lambda site: site.call(name, site.size(), *(site.float(a) for a in attributes))


def _by_row(name: str) -> Line:
    """Kernels over the last axis: (rows, columns)."""
    return lambda site: site.call(name, site.rows(), site.length(0, -1))


def _by_column(name: str, *attributes: str) -> Line:
    """Kernels with a parameter a column: the first axis is rows, the others are columns."""

    def line(site: Site) -> str:
        columns = site.dimensions.product(site.node.inputs[0], range(1, len(site.input_types[0].shape)))
        return site.call(name, site.length(0, 0), columns, *(site.float(a) for a in attributes))

    return line


def _activation(name: str) -> Line:
    return lambda site: site.call(name, site.size(), site.function(), site.float("alpha"))


def _products(site: Site) -> int:
    """How many multiplications a matrix product takes."""
    return site.output_types[0].size * site.input_types[0].size // site.output_types[0].shape[0]


def _sized(name: str) -> Line:
    """The name, with ``_large`` where tiles are worth their code."""
    return lambda site: name + ("_large" if _products(site) >= LARGE_PRODUCT else "")


def _dense(site: Site) -> str:
    sizes = site.length(0, 0), site.length(0, 1), site.length(1, 1)
    return site.call(_sized("dense")(site), *sizes, site.function(), site.float("alpha"))


def _matmul(site: Site) -> str:
    flip_a, flip_b = bool(site.attributes["transpose_a"]), bool(site.attributes["transpose_b"])
    name = _sized("matmul")(site) + ("_ta" if flip_a else "") + ("_tb" if flip_b else "")
    return site.call(name, site.output_length(0), site.length(0, 0 if flip_a else 1), site.output_length(1))


def _copy(site: Site) -> str:
    return site.call(f"copy_{site.input_types[0].dtype.value}", site.size())


def _gather(site: Site) -> str:
    columns = site.table(f"{site.node.output}_columns", "int", site.attributes["indices"])
    return site.call("gather", site.length(0, 0), site.length(0, 1), site.output_length(1), columns)


def _scatter(site: Site) -> str:
    columns = site.table(f"{site.node.output}_columns", "int", site.attributes["indices"])
    return site.call("scatter", site.length(0, 0), site.length(0, 1), site.output_length(1), columns)


def _calendar(site: Site) -> str:
    parts = site.table(f"{site.node.output}_parts", "int", site.attributes["parts"])
    counted = str(site.attributes["units_per_day"]), str(site.attributes["epoch_days"])
    return site.call("calendar", site.length(0, 0), site.output_length(1), *counted, parts)


def _one_hot(site: Site) -> str:
    return site.call("one_hot", site.length(0, 0), site.output_length(1))


def _concatenate(site: Site) -> str:
    lines, first = [], 0
    for index, kind in enumerate(site.input_types):
        sizes = site.rows(index), site.length(index, -1), site.output_length(-1), str(first)
        lines.append(f"edgeling_concatenate({', '.join(sizes)}, {site.x[index]}, {site.y[0]});")
        first += kind.shape[-1]
    return "\n".join(lines)


def _binary(name: str) -> Call:
    return Call("elementwise", lambda site: binary_call(site, name), in_place=(0, 1))


FLOAT_CALLS: Mapping[str, Call] = {
    **{name: _binary(name) for name in ("add", "subtract", "multiply", "divide")},
    "square": Call("elementwise", _elementwise("square"), in_place=(0,)),
    "reciprocal_sqrt": Call("elementwise", _elementwise("reciprocal_sqrt", "epsilon"), in_place=(0,)),
    "clip": Call("elementwise", _elementwise("clip", "minimum", "maximum"), in_place=(0,)),
    "broadcast": Call("elementwise", broadcast_call),
    "sum": Call("sum", sum_call),
    "activation": Call("activation", _activation("activation"), in_place=(0,)),
    "activation_gradient": Call("activation", _activation("activation_gradient"), in_place=(0, 1)),
    "dense": Call(_sized("dense"), _dense, parameters=(1, 2)),
    "matmul": Call(_sized("matmul"), _matmul),
    "softmax": Call("softmax", _by_row("softmax"), in_place=(0,)),
    "softmax_gradient": Call("softmax", _by_row("softmax_gradient"), in_place=(0, 1)),
    "log_softmax": Call("softmax", _by_row("log_softmax"), in_place=(0,)),
    "log_softmax_gradient": Call("softmax", _by_row("log_softmax_gradient"), in_place=(0, 1)),
    "batch_normalization": Call(
        "prepare", _by_column("batch_normalization", "epsilon"), in_place=(0,), parameters=(1, 2, 3, 4)
    ),
    "impute": Call("prepare", _by_column("impute"), in_place=(0,), parameters=(1,)),
    "standardize": Call("prepare", _by_column("standardize"), in_place=(0,), parameters=(1, 2)),
    "gather": Call("prepare", _gather),
    "scatter": Call("prepare", _scatter),
    "calendar": Call("calendar", _calendar),
    "one_hot": Call("prepare", _one_hot),
    "concatenate": Call("prepare", _concatenate),
    COPY: Call("copy", _copy),
}

CALLS: Mapping[str, Call] = {**FLOAT_CALLS, **TRAINING_CALLS, **INT8_CALLS}


def call_of(node: Node) -> Call:
    """The row of a node's operation.

    Raises:
        UnsupportedError: the operation has no kernel.
    """
    if node.operation not in CALLS:
        raise UnsupportedError("an operation needs a kernel to become C", received=node.operation)
    return CALLS[node.operation]


def parameters_of(node: Node) -> tuple[int, ...]:
    """The inputs that the kernel of a node reads as parameters; none where no kernel runs."""
    return () if node.operation in NO_CALL else call_of(node).parameters


def in_place(node: Node) -> tuple[int, ...]:
    """The inputs over which a node's outputs may be written."""
    return () if node.operation in NO_CALL else call_of(node).in_place
