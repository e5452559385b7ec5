# SPDX-License-Identifier: Apache-2.0
"""Type rules: from the types of a node's inputs and its attributes to the types of its outputs.

Generated C is called with bare pointers, so that a type let through here is memory read or written out of bounds there.
Every rule therefore holds to what the operation's kernel relies on: element types (one table for all operations, in
which what is not said is float32), ranks, and every length. What attributes may hold is in ``attributes.py``, what the
constants of int8 nodes may hold in ``limits.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from edgeling.errors import GraphError
from edgeling.graph import integer, integer16, recurrent
from edgeling.graph.calendar import DAY_MINUTES
from edgeling.graph.limits import LARGEST_SUM, check_type
from edgeling.graph.losses import LOSSES
from edgeling.graph.requiring import TypeRule, Types, require
from edgeling.graph.scan import scan_types
from edgeling.graph.types import Attribute, DType, TensorType
from edgeling.graph.window_rules import WINDOW_RULES

SCALAR = TensorType(())

_FLOAT, _INT8, _INT16, _INT32, _UINT32 = DType.FLOAT32, DType.INT8, DType.INT16, DType.INT32, DType.UINT32
ANY = tuple(DType)
STORED = (_INT8, _INT16)  # what activations are stored as
_MOVED = (_FLOAT, *STORED)
# The element types of each input, in order, of the operations that do not take float32 alone; none where the rule
# itself says.
ELEMENT_TYPES: Mapping[str, tuple[tuple[DType, ...], ...]] = {
    "scan": (),
    "reshape": (ANY,),
    **dict.fromkeys(("dropout_mask", "noise", "random_affine"), ((_UINT32,), (_UINT32,))),
    "count": ((_UINT32,),),
    "quantize": ((_FLOAT,), (_INT8,), (_INT32,), STORED),
    "dequantize": (STORED,),
    "dense_int8": ((_INT8,), (_INT8,), (_INT32,), (_INT32,), (_INT8,)),
    "softmax_int8": ((_INT8,),),
    "lookup_int8": ((_INT8,), STORED),
    "curves_int8": ((_INT8,), (_INT8,), (_INT32,), (_INT32,), (_INT8,)),
    "dense_int16": ((_INT16,), (_INT8,), (_INT32,), (_INT16,), (_INT8,)),
    "lookup_int16": ((_INT16,), (_INT16,)),
    "softmax_int16": ((_INT16,), (_INT16,), (_INT16,)),
    **dict.fromkeys(("gather", "broadcast"), (_MOVED,)),
    "concatenate": (),
    **dict.fromkeys(("add_quantized", "subtract_quantized", "multiply_quantized"), (STORED, STORED)),
    **dict.fromkeys(("requantize", "sum_quantized"), (STORED,)),
    "scale_quantized": (STORED, (_INT8,), (_INT32,), (_INT32,), (_INT8,)),
}


def _require_element_types(operation: str, types: Types) -> None:
    taken = ELEMENT_TYPES.get(operation, ((_FLOAT,),) * len(types))
    fits = all(t.dtype in allowed for t, allowed in zip(types, taken, strict=bool(taken)))
    require(fits, "takes " + ", ".join("/".join(d.value for d in allowed) for allowed in taken), types)


def _like(x: TensorType, shape: Sequence[int]) -> Types:
    return (TensorType(tuple(shape), x.dtype),)


def _float(shape: Sequence[int]) -> Types:
    return (TensorType(tuple(shape)),)


def _int8(shape: Sequence[int]) -> Types:
    return (TensorType(tuple(shape), DType.INT8),)


def _same(types: Types, _: Mapping[str, Any]) -> Types:
    return (types[0],)


def _clip(types: Types, attributes: Mapping[str, Any]) -> Types:
    require(attributes["minimum"] <= attributes["maximum"], "minimum and maximum are in order", types)
    return (types[0],)


def _same_pair(types: Types, _: Mapping[str, Any]) -> Types:
    require(types[0] == types[1], "both inputs have one type", types)
    return (types[0],)


def _last_axis(rule: TypeRule) -> TypeRule:
    """Of operations over the last axis, which a scalar does not have."""

    def checked(types: Types, attributes: Mapping[str, Any]) -> Types:
        require(len(types[0].shape) >= 1, "the first input has an axis", types)
        return rule(types, attributes)

    return checked


def _broadcast_all(types: Types, _: Mapping[str, Any]) -> Types:
    require(len({kind.dtype for kind in types}) == 1, "the inputs have one element type", types)
    try:
        return _like(types[0], np.broadcast_shapes(*(kind.shape for kind in types)))
    except ValueError:
        raise GraphError(
            "the shapes broadcast", received=", ".join(map(str, types)), remedy="reshape one of them"
        ) from None


def _broadcast(types: Types, attributes: Mapping[str, Any]) -> Types:
    shape = tuple(attributes["shape"])
    result = _broadcast_all((types[0], TensorType(shape, types[0].dtype)), attributes)
    require(result[0].shape == shape, f"the input broadcasts to {list(shape)}", types)
    return result


def _dense(types: Types, _: Mapping[str, Any]) -> Types:
    x, kernel, bias = types
    fits = len(x.shape) == len(kernel.shape) == 2 and x.shape[1] == kernel.shape[0]
    require(fits and bias.shape == kernel.shape[1:], "dense takes [n,i], [i,o] and [o]", types)
    return _float((x.shape[0], kernel.shape[1]))


def _matmul(types: Types, attributes: Mapping[str, Any]) -> Types:
    (*heads, _, _), (*others, _, _) = ((1, 1, *t.shape) if len(t.shape) < 2 else t.shape for t in types)
    fits = min(len(t.shape) for t in types) >= 2 and heads == others
    require(fits, "matmul takes two matrices, or as many of each", types)
    a = types[0].shape[:-3:-1] if attributes["transpose_a"] else types[0].shape[-2:]
    b = types[1].shape[:-3:-1] if attributes["transpose_b"] else types[1].shape[-2:]
    require(a[1] == b[0], "matmul's inner lengths agree", types)
    return _float((*heads, a[0], b[1]))


def _sum(types: Types, attributes: Mapping[str, Any]) -> Types:
    (x,), axes = types, attributes["axes"]
    require(all(0 <= axis < len(x.shape) for axis in axes), "sum's axes exist", types)
    require(len(set(axes)) == len(axes), "sum's axes are named once", types)
    return _float([1 if i in axes else n for i, n in enumerate(x.shape)])


def _reshape(types: Types, attributes: Mapping[str, Any]) -> Types:
    result = TensorType(tuple(attributes["shape"]), types[0].dtype)
    require(result.size == types[0].size, "reshape keeps the number of elements", (*types, result))
    return (result,)


def _per_column(types: Types, _: Mapping[str, Any]) -> Types:
    x, *columns = types
    rank = len(columns[0].shape)
    held = x.shape[-rank:] if 1 <= rank < len(x.shape) else None
    require(all(c.shape == held for c in columns), "the parameters have one value a column", types)
    return (x,)


def _gather(types: Types, attributes: Mapping[str, Any]) -> Types:
    (x,) = types
    fits = len(x.shape) == 2 and all(0 <= i < x.shape[1] for i in attributes["indices"])
    require(fits, "gather's indices name columns of a matrix", types)
    return _like(x, (x.shape[0], len(attributes["indices"])))


def _scatter(types: Types, attributes: Mapping[str, Any]) -> Types:
    (x,), columns, indices = types, attributes["columns"], attributes["indices"]
    fits = len(x.shape) == 2 and x.shape[1] == len(indices) and all(0 <= i < columns for i in indices)
    require(fits, f"scatter takes a matrix, and as many indices below {columns} as it has columns", types)
    return _float((x.shape[0], columns))


def _calendar(types: Types, attributes: Mapping[str, Any]) -> Types:
    (x,), parts = types, attributes["parts"]
    require(len(x.shape) == 2 and x.shape[1] == 1 and len(parts) > 0, "calendar takes [n,1] and a part", types)
    require(DAY_MINUTES % attributes["units_per_day"] == 0, "calendar's units_per_day divides 1440", types)
    return _float((x.shape[0], len(parts)))


def _one_hot(types: Types, attributes: Mapping[str, Any]) -> Types:
    require(len(types[0].shape) == 2 and types[0].shape[1] == 1, "one_hot takes [n,1]", types)
    return _float((types[0].shape[0], attributes["depth"]))


def _blocks(types: Types, codes: TensorType, depth: int, attributes: Mapping[str, Any]) -> None:
    """Column i of the codes [n, k] counts rows of a table [depth, ...] from ``starts[i]``, ``sizes[i]`` of them."""
    starts, sizes = attributes["starts"], attributes["sizes"]
    fits = len(codes.shape) == 2 and len(starts) == len(sizes) == codes.shape[1]
    fits = fits and all(a >= 0 and n >= 1 and a + n <= depth for a, n in zip(starts, sizes, strict=False))
    require(fits, f"starts and sizes say, for each column of [n,k], which of {depth} rows it names", types)


def _embedding(types: Types, attributes: Mapping[str, Any]) -> Types:
    codes, table = types
    require(len(table.shape) == 2, "the table is a matrix", types)
    _blocks(types, codes, table.shape[0], attributes)
    return _float((codes.shape[0], codes.shape[1] * table.shape[1]))


def _embedding_gradient(types: Types, attributes: Mapping[str, Any]) -> Types:
    dy, codes = types
    _blocks(types, codes, attributes["depth"], attributes)
    fits = len(dy.shape) == 2 and dy.shape[0] == codes.shape[0] and dy.shape[1] % codes.shape[1] == 0
    require(fits, "takes [n,k*w] and [n,k]", types)
    return _float((attributes["depth"], dy.shape[1] // codes.shape[1]))


def _concatenate(types: Types, _: Mapping[str, Any]) -> Types:
    heads = {(t.shape[:-1], t.dtype) for t in types}
    fits = len(heads) == 1 and all(t.shape for t in types) and types[0].dtype in _MOVED
    require(fits, "concatenate's inputs differ only in their last axis", types)
    return _like(types[0], (*types[0].shape[:-1], sum(t.shape[-1] for t in types)))


def _rows(types: Types, attributes: Mapping[str, Any]) -> Types:
    """Of a loss or a metric: (y_true, y_pred) -> one value a row."""
    truth, prediction = types[-2:]
    function = attributes["function"]
    sparse = LOSSES[function].sparse if function in LOSSES else str(function).startswith("sparse")
    require(len(prediction.shape) == 2, "the prediction is a matrix", types)
    wanted = (prediction.shape[0], 1) if sparse else prediction.shape
    require(truth.shape == wanted, f"the truth of {function} is {list(wanted)}", types)
    return _float(prediction.shape[:1])


def _loss_gradient(types: Types, attributes: Mapping[str, Any]) -> Types:
    require(types[:1] == _rows(types, attributes), "one gradient a row", types)
    return (types[-1],)


def _cross_entropy(types: Types, attributes: Mapping[str, Any]) -> Types:
    require(types[1] == types[2], "a probability for each logit", types)
    return _rows(types[:2], attributes)


def _scalars(count: int) -> TypeRule:
    """The last ``count`` inputs are scalars; gives the first input's type."""

    def rule(types: Types, _: Mapping[str, Any]) -> Types:
        require(all(t.shape == () for t in types[len(types) - count :]), f"the last {count} are scalars", types)
        return (types[0],)

    return rule


def _scalar(_: Types, __: Mapping[str, Any]) -> Types:
    return (SCALAR,)


def _penalty_gradient(types: Types, _: Mapping[str, Any]) -> Types:
    require(types[0].shape == (), "the gradient of a penalty is a scalar", types)
    return (types[1],)


def _dropout_mask(types: Types, attributes: Mapping[str, Any]) -> Types:
    require(all(t.shape == () for t in types), "seed and step are scalars", types)
    return _float(attributes["shape"])


def _random_affine(types: Types, attributes: Mapping[str, Any]) -> Types:
    lengths = [len(attributes[key]) for key in ("shape", "size", "low", "high")]
    require(lengths == [2] * 4, "shape, size, low and high are 2 numbers each", types)
    require(attributes["shape"][1] == 6, "a map is 6 numbers", types)
    return _dropout_mask(types, attributes)


def _update(slots: int) -> TypeRule:
    """(parameter, gradient, slots..., scalars...) -> (parameter, slots...)."""

    def rule(types: Types, _: Mapping[str, Any]) -> Types:
        updated, scalars = (types[0], *types[2 : 2 + slots]), types[2 + slots :]
        require(all(t == types[0] for t in (*updated, types[1])), "slots and gradient have w's type", types)
        require(bool(scalars) and all(t.shape == () for t in scalars), "what follows the slots are scalars", types)
        return updated

    return rule


def rmsprop_slots(attributes: Mapping[str, Any]) -> int:
    """How many slots RMSprop keeps a parameter."""
    return 1 + bool(attributes["centered"]) + (attributes["momentum"] > 0)


def _rmsprop(types: Types, attributes: Mapping[str, Any]) -> Types:
    slots = rmsprop_slots(attributes)
    require(len(types) == slots + 3, f"takes w, its gradient, {slots} slots and lr", types)
    return _update(slots)(types, attributes)


def _normalize_batch(types: Types, _: Mapping[str, Any]) -> Types:
    x, gamma, beta, share = types
    require(len(x.shape) > 1 and share.shape == (), "takes rows, and a scalar last", types)
    require(gamma.shape == beta.shape == x.shape[-1:], "gamma and beta have one value a column", types)
    return x, gamma, gamma


def _normalize_batch_gradient(types: Types, attributes: Mapping[str, Any]) -> Types:
    dy, x, gamma, beta, mean, variance, share = types
    made = _normalize_batch((x, gamma, beta, share), attributes)
    require((dy, mean, variance) == made, "dy, mean and variance are as normalize_batch gives them", types)
    return x, gamma, beta


def _adafactor(types: Types, _: Mapping[str, Any]) -> Types:
    w, g, *slots, lr, step = types
    require(len(w.shape) in (1, 2) and g == w, "takes a vector or a matrix, and its gradient", types)
    means = [TensorType(w.shape[:1]), TensorType(w.shape[1:])] if len(w.shape) == 2 else []
    require(
        slots == [*means, w], "the slots are the means of rows and columns (of a matrix), then one of w's type", types
    )
    require(lr.shape == step.shape == (), "lr and t are scalars", types)
    return (w, *slots)


def _quantize(types: Types, attributes: Mapping[str, Any]) -> Types:
    require(len(types[0].shape) >= 2, "quantize takes rows of columns", types)
    require(all(c.shape == types[0].shape[-1:] for c in types[1:]), "the parameters have one value a column", types)
    return _like(types[3], types[0].shape)


def _dequantize(types: Types, attributes: Mapping[str, Any]) -> Types:
    integer.split_scale(attributes["scale"], attributes["zero_point"], types[0].dtype.numpy)
    return _float(types[0].shape)


def _dense_int8(types: Types, attributes: Mapping[str, Any]) -> Types:
    x, weights, *channels = types
    fits = len(x.shape) == len(weights.shape) == 2 and x.shape[1] == weights.shape[1]
    fits = fits and all(c.shape == weights.shape[:1] for c in channels)
    require(fits, "takes [n,i], [o,i] and three of [o]", types)
    _clip(types, attributes)
    return _like(x, (x.shape[0], weights.shape[0]))


def _softmax_int8(types: Types, attributes: Mapping[str, Any]) -> Types:
    most = integer.MAXIMUM_CLASSES
    require(types[0].shape[-1] <= most, f"takes at most {most} classes", types)
    shifted = attributes["minimum_difference"] << attributes["left_shift"]
    require(shifted >= -(31 << 26), "minimum_difference, shifted, lies between -31 * 2**26 and 0", types)
    return (TensorType(types[0].shape, DType.INT16),) if attributes["fine"] else _int8(types[0].shape)


def _lookup_int8(types: Types, _: Mapping[str, Any]) -> Types:
    require(types[1].shape == (256,), "the table has 256 entries", types)
    return _like(types[1], types[0].shape)


def _curves_int8(types: Types, attributes: Mapping[str, Any]) -> Types:
    x, tables, *channels = types
    shifts = attributes["shifts"]
    fits = len(x.shape) == len(tables.shape) == 2 and x.shape[1] == len(shifts)
    fits = fits and tables.shape[1] == sum(256 >> shift for shift in shifts)
    fits = fits and all(c.shape == tables.shape[:1] for c in channels)
    require(fits, "takes [n,c], [o,e] and three of [o], of each column 256 entries, shifted", types)
    _clip(types, attributes)
    return _like(x, (x.shape[0], tables.shape[0]))


def _lookup_int16(types: Types, _: Mapping[str, Any]) -> Types:
    fits = all(t.shape == (integer16.TABLE_LENGTH,) for t in types[1:])
    require(fits, f"a table has {integer16.TABLE_LENGTH} entries", types)
    return (types[0],)


def _softmax_int16(types: Types, attributes: Mapping[str, Any]) -> Types:
    most = integer16.MAXIMUM_CLASSES
    require(types[0].shape[-1] <= most, f"takes at most {most} classes", types)
    return _lookup_int16(types, attributes)


def _quantized_sum(types: Types, attributes: Mapping[str, Any]) -> Types:
    for which in "ab":
        part = attributes[f"multiplier_{which}"] >> attributes[f"right_shift_{which}"]
        require(part <= 1 << 30, "a multiplier of an operand is at most one half", types)
    return _quantized_pair(types, attributes)


def _quantized_pair(types: Types, attributes: Mapping[str, Any]) -> Types:
    _clip(types, attributes)
    _require_held(types, attributes, "minimum", "maximum", "zero_point_a", "zero_point_b")
    return _broadcast_all(types, attributes)


def _require_held(types: Types, attributes: Mapping[str, Any], *names: str) -> None:
    limits = np.iinfo(types[0].dtype.numpy)
    held = all(limits.min <= attributes[name] <= limits.max for name in names)
    require(held, f"{', '.join(names)} are values that {types[0].dtype.value} holds", types)


def _scale_quantized(types: Types, _: Mapping[str, Any]) -> Types:
    x, *channels = types
    require(all(c.shape == x.shape[-1:] for c in channels), "the parameters have one value a last axis", types)
    return (x,)


def _sum_quantized(types: Types, attributes: Mapping[str, Any]) -> Types:
    (x,), axes = types, attributes["axes"]
    _sum(types, attributes)
    reach = (1 << 8 * x.dtype.bytes) + abs(attributes["input_zero_point"])
    require(reach * prod(x.shape[axis] for axis in axes) <= LARGEST_SUM, "its sums fit int32", types)
    return _like(x, [1 if i in axes else n for i, n in enumerate(x.shape)])


def _reverse(types: Types, attributes: Mapping[str, Any]) -> Types:
    require(0 <= attributes["axis"] < len(types[0].shape), "the axis exists", types)
    return (types[0],)


TYPE_RULES: dict[str, TypeRule] = {
    **dict.fromkeys(("add", "subtract", "multiply", "divide", "maximum", "minimum"), _broadcast_all),
    **dict.fromkeys(("compare", "select"), _broadcast_all),
    **dict.fromkeys(("square", "logarithm", "stop_gradient", "reciprocal_sqrt", "activation"), _same),
    **dict.fromkeys(("trigonometric", "whole"), _same),
    "clip": _clip,
    **dict.fromkeys(("softmax", "log_softmax", "normalize"), _last_axis(_same)),
    "activation_gradient": _same_pair,
    **dict.fromkeys(("softmax_gradient", "log_softmax_gradient", "normalize_gradient"), _last_axis(_same_pair)),
    **dict.fromkeys(("batch_normalization", "standardize", "impute"), _last_axis(_per_column)),
    "dense": _dense,
    "matmul": _matmul,
    "sum": _sum,
    "broadcast": _broadcast,
    "reshape": _reshape,
    "gather": _gather,
    "scatter": _scatter,
    "calendar": _calendar,
    "one_hot": _one_hot,
    "embedding": _embedding,
    "embedding_gradient": _embedding_gradient,
    "concatenate": _concatenate,
    "loss": _rows,
    "loss_gradient": _loss_gradient,
    "cross_entropy": _cross_entropy,
    "cross_entropy_gradient": _loss_gradient,
    "metric": _rows,
    "penalty": _scalar,
    "penalty_gradient": _penalty_gradient,
    **dict.fromkeys(("dropout_mask", "noise"), _dropout_mask),
    "random_affine": _random_affine,
    "count": _scalars(1),
    "normalize_batch": _normalize_batch,
    "normalize_batch_gradient": _normalize_batch_gradient,
    "sgd_update": _update(0),
    "momentum_update": _update(1),
    "rmsprop_update": _rmsprop,
    "adagrad_update": _update(1),
    "adam_update": _update(2),
    "amsgrad_update": _update(3),
    "adamax_update": _update(2),
    "nadam_update": _update(2),
    "lion_update": _update(1),
    "adadelta_update": _update(2),
    "ftrl_update": _update(2),
    "lamb_update": _update(2),
    "adafactor_update": _adafactor,
    "decay": _scalars(1),
    "adam_alpha": _scalars(3),
    **dict.fromkeys(("adamax_alpha", "nadam_product"), _scalars(2)),
    **dict.fromkeys(("power_step", "clip_scale"), _scalars(1)),
    "norm": _scalar,
    "quantize": _quantize,
    "dequantize": _dequantize,
    "dense_int8": _dense_int8,
    "softmax_int8": _last_axis(_softmax_int8),
    "lookup_int8": _lookup_int8,
    "curves_int8": _curves_int8,
    "dense_int16": _dense_int8,
    "lookup_int16": _lookup_int16,
    "softmax_int16": _last_axis(_softmax_int16),
    **dict.fromkeys(("add_quantized", "subtract_quantized"), _quantized_sum),
    "multiply_quantized": _quantized_pair,
    "requantize": _same,
    "scale_quantized": _last_axis(_scale_quantized),
    "sum_quantized": _sum_quantized,
    "scan": scan_types,
    "reverse": _reverse,
    **WINDOW_RULES,
    **recurrent.RULES,
}


def infer(operation: str, types: Types, attributes: Mapping[str, Attribute]) -> Types:
    """Types of the outputs of one node; a quantisation is not among what is inferred.

    Raises:
        GraphError: the inputs' types break the operation's rule, or an output is of no legal type.
    """
    bare = tuple(TensorType(t.shape, t.dtype) for t in types)
    try:
        _require_element_types(operation, bare)
        outputs = TYPE_RULES[operation](bare, attributes)
        for output in outputs:
            check_type(output)
    except GraphError as error:
        raise GraphError(f"{operation}: {error.rule}", received=error.received, remedy=error.remedy) from None
    return outputs
