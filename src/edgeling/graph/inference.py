# SPDX-License-Identifier: Apache-2.0
"""Type rules: from the types of a node's inputs and its attributes to the types of its outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from edgeling.errors import GraphError
from edgeling.graph import integer
from edgeling.graph.scan import scan_types
from edgeling.graph.types import Attribute, DType, TensorType

Types = tuple[TensorType, ...]
Rule = Callable[[Types, Mapping[str, Any]], Types]
SCALAR = TensorType(())


def require(holds: bool, rule: str, types: Types) -> None:
    """Raise a GraphError that names the rule and the types that break it."""
    if not holds:
        raise GraphError(rule, received=", ".join(map(str, types)))


def _float(shape: Sequence[int]) -> Types:
    return (TensorType(tuple(shape)),)


def _same(types: Types, _: Mapping[str, Any]) -> Types:
    return (types[0],)


def _same_pair(types: Types, _: Mapping[str, Any]) -> Types:
    require(types[0] == types[1], "both inputs have one type", types)
    return (types[0],)


def _broadcast(types: Types, _: Mapping[str, Any]) -> Types:
    try:
        return _float(np.broadcast_shapes(types[0].shape, types[1].shape))
    except ValueError:
        raise GraphError("the shapes broadcast", received=", ".join(map(str, types))) from None


def _dense(types: Types, _: Mapping[str, Any]) -> Types:
    x, kernel, bias = types
    fits = len(x.shape) == len(kernel.shape) == 2 and x.shape[1] == kernel.shape[0]
    require(fits and bias.shape == kernel.shape[1:], "dense takes [n,i], [i,o] and [o]", types)
    return _float((x.shape[0], kernel.shape[1]))


def _matmul(types: Types, attributes: Mapping[str, Any]) -> Types:
    require(all(len(t.shape) == 2 for t in types), "matmul takes two matrices", types)
    a = types[0].shape[::-1] if attributes["transpose_a"] else types[0].shape
    b = types[1].shape[::-1] if attributes["transpose_b"] else types[1].shape
    require(a[1] == b[0], "matmul's inner lengths agree", types)
    return _float((a[0], b[1]))


def _sum(types: Types, attributes: Mapping[str, Any]) -> Types:
    (x,) = types
    require(all(0 <= axis < len(x.shape) for axis in attributes["axes"]), "sum's axes exist", types)
    return _float([1 if i in attributes["axes"] else n for i, n in enumerate(x.shape)])


def _to_shape(types: Types, attributes: Mapping[str, Any]) -> Types:
    return (TensorType(tuple(attributes["shape"]), types[0].dtype),)


def _reshape(types: Types, attributes: Mapping[str, Any]) -> Types:
    (result,) = _to_shape(types, attributes)
    require(result.size == types[0].size, "reshape keeps the number of elements", (*types, result))
    return (result,)


def _per_column(types: Types, _: Mapping[str, Any]) -> Types:
    x, *columns = types
    require(all(c.shape == x.shape[1:] for c in columns), "the parameters have one value a column", types)
    return (x,)


def _gather(types: Types, attributes: Mapping[str, Any]) -> Types:
    (x,) = types
    fits = len(x.shape) == 2 and all(0 <= i < x.shape[1] for i in attributes["indices"])
    require(fits, "gather's indices name columns of a matrix", types)
    return _float((x.shape[0], len(attributes["indices"])))


def _scatter(types: Types, attributes: Mapping[str, Any]) -> Types:
    (x,), columns, indices = types, attributes["columns"], attributes["indices"]
    fits = len(x.shape) == 2 and x.shape[1] == len(indices) and all(0 <= i < columns for i in indices)
    require(fits, f"scatter takes a matrix, and as many indices below {columns} as it has columns", types)
    return _float((x.shape[0], columns))


def _one_hot(types: Types, attributes: Mapping[str, Any]) -> Types:
    require(len(types[0].shape) == 2 and types[0].shape[1] == 1, "one_hot takes [n,1]", types)
    return _float((types[0].shape[0], attributes["depth"]))


def _concatenate(types: Types, _: Mapping[str, Any]) -> Types:
    heads = {t.shape[:-1] for t in types}
    require(len(heads) == 1, "concatenate's inputs differ only in their last axis", types)
    return _float((*types[0].shape[:-1], sum(t.shape[-1] for t in types)))


def _rows(types: Types, _: Mapping[str, Any]) -> Types:
    truth, prediction = types[-2:]
    require(len(prediction.shape) == 2 and truth.shape[0] == prediction.shape[0], "one row each", types)
    return _float(prediction.shape[:1])


def _last(types: Types, _: Mapping[str, Any]) -> Types:
    return (types[-1],)


def _scalar(_: Types, __: Mapping[str, Any]) -> Types:
    return (SCALAR,)


def _update(slots: int) -> Rule:
    def rule(types: Types, _: Mapping[str, Any]) -> Types:
        updated = (types[0], *types[2 : 2 + slots])
        require(all(t == types[0] for t in (*updated, types[1])), "slots and gradient have w's type", types)
        return updated

    return rule


def rmsprop_slots(attributes: Mapping[str, Any]) -> int:
    """How many slots RMSprop keeps a parameter."""
    return 1 + bool(attributes["centered"]) + (attributes["momentum"] > 0)


def _rmsprop(types: Types, attributes: Mapping[str, Any]) -> Types:
    return _update(rmsprop_slots(attributes))(types, attributes)


def _has_dtypes(types: Types, *dtypes: DType) -> None:
    require([t.dtype for t in types] == list(dtypes), f"takes {', '.join(d.value for d in dtypes)}", types)


def _int8(shape: Sequence[int]) -> Types:
    return (TensorType(tuple(shape), DType.INT8),)


def _quantize(types: Types, attributes: Mapping[str, Any]) -> Types:
    _has_dtypes(types, DType.FLOAT32, DType.INT8, DType.INT32, DType.INT8)
    _per_column(types, attributes)
    return _int8(types[0].shape)


def _dequantize(types: Types, attributes: Mapping[str, Any]) -> Types:
    _has_dtypes(types, DType.INT8)
    integer.split_scale(attributes["scale"], attributes["zero_point"])
    return _float(types[0].shape)


def _dense_int8(types: Types, attributes: Mapping[str, Any]) -> Types:
    _has_dtypes(types, DType.INT8, DType.INT8, DType.INT32, DType.INT32, DType.INT8)
    x, weights, *channels = types
    fits = len(x.shape) == len(weights.shape) == 2 and x.shape[1] == weights.shape[1]
    fits = fits and all(c.shape == weights.shape[:1] for c in channels)
    require(fits, "takes [n,i], [o,i] and three of [o]", types)
    limits = -128 <= attributes["minimum"] <= attributes["maximum"] <= 127
    require(limits, "minimum and maximum are int8, in order", types)
    largest = integer.LARGEST_ZERO_POINT
    require(abs(attributes["zero_point"]) <= largest, f"zero_point lies between {-largest} and {largest}", types)
    return _int8((x.shape[0], weights.shape[0]))


def _softmax_int8(types: Types, attributes: Mapping[str, Any]) -> Types:
    _has_dtypes(types, DType.INT8)
    require(
        1 <= types[0].shape[-1] <= integer.MAXIMUM_CLASSES, f"takes at most {integer.MAXIMUM_CLASSES} classes", types
    )
    shift, least = attributes["left_shift"], attributes["minimum_difference"]
    require(2**30 <= attributes["multiplier"] < 2**31, "multiplier lies between 2**30 and 2**31", types)
    require(0 <= shift <= 31, "left_shift lies between 0 and 31", types)
    require(-(31 << 26) <= least << shift <= 0, "minimum_difference, shifted, lies between -31 * 2**26 and 0", types)
    return _int8(types[0].shape)


def _lookup_int8(types: Types, _: Mapping[str, Any]) -> Types:
    _has_dtypes(types, DType.INT8, DType.INT8)
    require(types[1].shape == (256,), "the table has 256 entries", types)
    return _int8(types[0].shape)


TYPE_RULES: dict[str, Rule] = {
    **dict.fromkeys(("add", "subtract", "multiply", "divide"), _broadcast),
    **dict.fromkeys(("square", "reciprocal_sqrt", "clip", "activation", "softmax", "log_softmax"), _same),
    **dict.fromkeys(("activation_gradient", "softmax_gradient", "log_softmax_gradient"), _same_pair),
    **dict.fromkeys(("batch_normalization", "standardize", "impute"), _per_column),
    "dense": _dense,
    "matmul": _matmul,
    "sum": _sum,
    "broadcast": _to_shape,
    "reshape": _reshape,
    "gather": _gather,
    "scatter": _scatter,
    "one_hot": _one_hot,
    "concatenate": _concatenate,
    "loss": _rows,
    "loss_gradient": _last,
    "metric": _rows,
    "penalty": _scalar,
    "penalty_gradient": _last,
    "dropout_mask": lambda _, attributes: _float(attributes["shape"]),
    "count": lambda _, __: (TensorType((), DType.UINT32),),
    "sgd_update": _update(0),
    "momentum_update": _update(1),
    "rmsprop_update": _rmsprop,
    "adagrad_update": _update(1),
    "adam_update": _update(2),
    "amsgrad_update": _update(3),
    "adamax_update": _update(2),
    "nadam_update": _update(2),
    "decay": _same,
    **dict.fromkeys(("power_step", "adam_alpha", "adamax_alpha", "nadam_product", "norm", "clip_scale"), _scalar),
    "quantize": _quantize,
    "dequantize": _dequantize,
    "dense_int8": _dense_int8,
    "softmax_int8": _softmax_int8,
    "lookup_int8": _lookup_int8,
    "scan": scan_types,
}


def infer(operation: str, types: Types, attributes: Mapping[str, Attribute]) -> Types:
    """Types of the outputs of one node.

    Raises:
        GraphError: the inputs' types break the operation's rule.
    """
    try:
        return TYPE_RULES[operation](types, attributes)
    except (GraphError, ValueError, IndexError) as error:
        received = getattr(error, "received", ", ".join(map(str, types)))
        raise GraphError(f"{operation}: {getattr(error, 'rule', error)}", received=received) from None
