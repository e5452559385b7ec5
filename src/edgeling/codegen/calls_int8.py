# SPDX-License-Identifier: Apache-2.0
"""The C calls of the integer operations."""

from __future__ import annotations

from collections.abc import Mapping

from edgeling.codegen.broadcast import binary_call, sum_call
from edgeling.codegen.packing import (
    exponentials,
    float_steps,
    pairs,
    takes_exponentials,
    takes_float_steps,
    takes_pairs,
)
from edgeling.codegen.site import Call, Line, Setting, Site, stored_calls, stored_kernel
from edgeling.graph.integer import split_scale
from edgeling.graph.types import DType


def _integers(site: Site, *attributes: str) -> tuple[str, ...]:
    return tuple(str(int(site.attributes[name])) for name in attributes)


def _ends(kernel: str, dtype: DType) -> str:
    """The kernel that stores floats, or gives floats back."""
    return kernel if dtype is DType.INT8 else stored_kernel(kernel, dtype)


def _quantize(site: Site) -> str:
    return site.call(_ends("quantize", site.output_types[0].dtype), site.rows(), site.length(0, -1))


def _quantize_float(site: Site) -> str:
    return site.call("quantize_finite" if site.finite else "quantize_float", site.rows(), site.length(0, -1))


def _dequantize(site: Site) -> str:
    zero_point = int(site.attributes["zero_point"])
    dtype = site.input_types[0].dtype
    numbers = *split_scale(site.attributes["scale"], zero_point, dtype.numpy), zero_point
    return site.call(_ends("dequantize", dtype), site.size(), *map(str, numbers))


def _dense(name: str) -> Line:
    def line(site: Site) -> str:
        sizes = site.length(0, 0), site.length(0, 1), site.length(1, 0)
        return site.call(name, *sizes, *_integers(site, "zero_point", "minimum", "maximum"))

    return line


_SOFTMAX = ("multiplier", "left_shift", "minimum_difference")


def _softmax(site: Site) -> str:
    return site.call("softmax_s8", site.rows(), site.length(0, -1), *_integers(site, *_SOFTMAX))


def _softmax_wide(site: Site) -> str:
    return site.call("softmax_s8_s16", site.rows(), site.length(0, -1), *_integers(site, *_SOFTMAX))


def _softmax_table(site: Site) -> str:
    (table,) = site.packed.values()
    return site.call("softmax_s8_table", site.rows(), site.length(0, -1), str(table.size))


def _softmax_int16(site: Site) -> str:
    numbers = _integers(site, "left_shift", "multiplier", "right_shift")
    return site.call("softmax_s16", site.rows(), site.length(0, -1), *numbers)


def _lookup(site: Site) -> str:
    return site.call(site.stored("lookup"), site.size())


def _curves(site: Site) -> str:
    sizes = site.length(0, 0), site.length(0, 1), site.output_length(1)
    shifts = site.table(f"{site.node.output}_shifts", "int", site.attributes["shifts"])
    return site.call("curves_s8", *sizes, shifts, *_integers(site, "zero_point", "minimum", "maximum"))


def _lookup_wide(site: Site) -> str:
    return site.call("lookup_s8_s16", site.size())


def _gives_int16(setting: Setting) -> bool:
    return setting.output_types[0].dtype is DType.INT16


_SUM = (
    "zero_point_a", "multiplier_a", "right_shift_a", "zero_point_b", "multiplier_b", "right_shift_b", "multiplier",
    "right_shift", "zero_point", "minimum", "maximum",
)  # fmt: skip
_PRODUCT = ("zero_point_a", "zero_point_b", "multiplier", "right_shift", "zero_point", "minimum", "maximum")
_RESCALE = ("multiplier", "right_shift", "zero_point")


def _binary(name: str, *attributes: str) -> Line:
    return lambda site: binary_call(site, site.stored(name), *_integers(site, *attributes))


def _requantize(site: Site) -> str:
    numbers = _integers(site, "input_zero_point", "left_shift", *_RESCALE)
    return site.call(site.stored("requantize"), site.size(), *numbers)


def _scale(site: Site) -> str:
    return site.call(site.stored("scale"), site.rows(), site.length(0, -1), *_integers(site, "zero_point"))


def _total(site: Site) -> str:
    return sum_call(site, *_integers(site, "input_zero_point", *_RESCALE))


INT8_CALLS: Mapping[str, Call | tuple[Call, ...]] = {
    "quantize": (
        Call("quantize_float", _quantize_float, fits=takes_float_steps, pack=float_steps),
        Call("quantize", _quantize, parameters=(1, 2, 3)),
    ),
    "dequantize": Call("dequantize", _dequantize),
    "dense_int8": (
        Call("dense_s8_pairs", _dense("dense_s8_pairs"), fits=takes_pairs, pack=pairs),
        Call("dense_s8", _dense("dense_s8"), parameters=(1, 2, 3, 4)),
    ),
    "softmax_int8": (
        Call("softmax_s8_s16", _softmax_wide, fits=_gives_int16),
        Call("softmax_s8_table", _softmax_table, in_place=(0,), fits=takes_exponentials, pack=exponentials),
        Call("softmax_s8", _softmax, in_place=(0,)),
    ),
    "lookup_int8": (
        Call("lookup_s8_s16", _lookup_wide, fits=_gives_int16, parameters=(1,)),
        Call("lookup_s8", _lookup, in_place=(0,), parameters=(1,)),
    ),
    "curves_int8": Call("curves_s8", _curves, parameters=(1, 2, 3, 4)),
    "dense_int16": Call("dense_s16", _dense("dense_s16"), parameters=(1, 2, 3, 4)),
    "softmax_int16": Call("softmax_s16", _softmax_int16, in_place=(0,), parameters=(1, 2)),
    "lookup_int16": Call("lookup_s16", _lookup, in_place=(0,), parameters=(1,)),
    "add_quantized": stored_calls("elementwise", _binary("add", *_SUM), in_place=(0, 1)),
    "subtract_quantized": stored_calls("elementwise", _binary("subtract", *_SUM), in_place=(0, 1)),
    "multiply_quantized": stored_calls("elementwise", _binary("multiply", *_PRODUCT), in_place=(0, 1)),
    "requantize": stored_calls("elementwise", _requantize, in_place=(0,)),
    "scale_quantized": stored_calls("elementwise", _scale, in_place=(0,), parameters=(1, 2, 3, 4)),
    "sum_quantized": stored_calls("elementwise", _total),
}
