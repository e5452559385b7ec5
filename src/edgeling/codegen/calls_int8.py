# SPDX-License-Identifier: Apache-2.0
"""The C calls of the int8 operations."""

from __future__ import annotations

from collections.abc import Mapping

from edgeling.codegen.site import Call, Site
from edgeling.graph.integer import split_scale


def _integers(site: Site, *attributes: str) -> tuple[str, ...]:
    return tuple(str(int(site.attributes[name])) for name in attributes)


def _quantize(site: Site) -> str:
    return site.call("quantize", site.rows(), site.length(0, -1))


def _dequantize(site: Site) -> str:
    zero_point = int(site.attributes["zero_point"])
    numbers = *split_scale(site.attributes["scale"], zero_point), zero_point
    return site.call("dequantize", site.size(), *map(str, numbers))


def _dense(site: Site) -> str:
    sizes = site.length(0, 0), site.length(0, 1), site.length(1, 0)
    return site.call("dense_s8", *sizes, *_integers(site, "zero_point", "minimum", "maximum"))


def _softmax(site: Site) -> str:
    numbers = _integers(site, "multiplier", "left_shift", "minimum_difference")
    return site.call("softmax_s8", site.rows(), site.length(0, -1), *numbers)


def _lookup(site: Site) -> str:
    return site.call("lookup_s8", site.size())


INT8_CALLS: Mapping[str, Call] = {
    "quantize": Call("quantize", _quantize, parameters=(1, 2, 3)),
    "dequantize": Call("dequantize", _dequantize),
    "dense_int8": Call("dense_s8", _dense, parameters=(1, 2, 3, 4)),
    "softmax_int8": Call("softmax_s8", _softmax, in_place=(0,)),
    "lookup_int8": Call("lookup_s8", _lookup, in_place=(0,), parameters=(1,)),
}
