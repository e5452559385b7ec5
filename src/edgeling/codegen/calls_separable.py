# SPDX-License-Identifier: Apache-2.0
"""The C calls of a depthwise convolution and the convolution of one pixel behind it, put together by a schedule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from edgeling.codegen import calls_convolutions
from edgeling.codegen.calls_convolutions import Geometry, is_vectors, packed, takes_depthwise
from edgeling.codegen.site import Call, Setting, Site
from edgeling.codegen.text import LIMITS, float_literal, limits
from edgeling.graph.types import Array, Node, TensorType
from edgeling.graph.windows import Window

FLOATS = 4096  # as in separable.h
# Where less lies between the two, the near cache holds it, and nothing is gained.
LEAST_BETWEEN = 8192


def _first(setting: Setting) -> Setting:
    """The depthwise convolution."""
    x, kernel, bias, *_ = setting.input_types
    attributes = setting.node.attributes["first"]
    down, right = Window.of(attributes, kernel.shape[:2]).positions(x.shape[1:])
    made = TensorType((x.shape[0], down, right, kernel.shape[3]), x.dtype)
    node = Node("conv", setting.node.inputs[:3], ("between",), attributes)
    return Setting(node, (x, kernel, bias), (made,), setting.target, setting.constants)


def _second(setting: Setting) -> Setting:
    """The convolution of one pixel."""
    between = _first(setting).output_types[0]
    attributes = {name: value for name, value in setting.node.attributes.items() if name not in ("first", "is_last")}
    node = Node("conv", ("between", *setting.node.inputs[3:]), setting.node.outputs, attributes)
    known = {1: setting.constants.get(3), 2: setting.constants.get(4)}
    constants = {place: array for place, array in known.items() if array is not None}
    return Setting(node, (between, *setting.input_types[3:]), setting.output_types, setting.target, constants)


def _fits(setting: Setting) -> bool:
    if not {1, 2, 3, 4} <= set(setting.constants):
        return False
    first = _first(setting)
    is_limited = first.node.attributes["function"] in LIMITS
    is_large = first.output_types[0].size >= LEAST_BETWEEN
    return takes_depthwise(first) and is_limited and is_large and Geometry(_second(setting)).is_pointwise


def _is_shared(setting: Setting) -> bool:
    products = Geometry(_second(setting)).products
    return setting.threads > 1 and _fits(setting) and products >= calls_convolutions.SHARED_PRODUCTS


def _floats(setting: Setting) -> int:
    _, down, right, channels = _first(setting).output_types[0].shape
    return setting.threads * min(down, max(1, FLOATS // (right * channels))) * right * channels


def _packed(setting: Setting) -> Mapping[str, Array]:
    kernel, bias = setting.constants[1], setting.constants[2]
    depthwise = np.concatenate([bias.ravel(), kernel.ravel()]).astype(np.float32)
    return {"depthwise": depthwise, **packed(_second(setting))}


def _line(site: Site, name: str) -> str:
    function, first = site.attributes["function"], _first(site)
    window = site.table(f"{site.node.output}_window", "int", Geometry(first).lengths)
    within = *limits(first.node.attributes["function"]), *limits(function)
    call = site.call(name, site.length(0, 0), window, site.output_length(3), *within, site.scratch)
    if function in LIMITS:
        return call
    y = site.y[0]
    return f"{call}\n{site.by_elements('activation', site.function(), site.float('alpha'), pointers=(y, y))}"


def _fits_in_place(setting: Setting) -> bool:
    """Of as many rows, columns and channels as before, on cores without vectors, whose memory is small."""
    if is_vectors(setting) or not setting.node.attributes["is_last"]:
        return False
    first = Geometry(_first(setting))
    same = setting.input_types[0].shape == first.result.shape == setting.output_types[0].shape
    return same and first.is_depthwise and first.window.strides == (1, 1) and Geometry(_second(setting)).is_pointwise


def _held_floats(setting: Setting) -> int:
    _, _, width, channels = setting.input_types[0].shape
    return (setting.node.attributes["first"]["padding"][0] + 1) * width * channels


def _in_place(site: Site) -> str:
    first = site.node.attributes["first"]
    x, kernel = site.input_types[:2]
    window = Window.of(first, kernel.shape[:2])
    lengths = (
        *x.shape[1:], *x.shape[1:], *window.size, 1, 1, window.padding[0], window.padding[2], *window.dilations,
        first["groups"],
    )  # fmt: skip
    table = site.table(f"{site.node.output}_window", "int", lengths)
    both = [(a["function"].upper(), float_literal(a["alpha"])) for a in (first, site.attributes)]
    functions = [text for function, alpha in both for text in (f"EDGELING_{function}", alpha)]
    return site.call("separable_rows", site.length(0, 0), table, *functions, site.scratch)


_ALONE = Call("separable", lambda site: _line(site, "separable"), fits=_fits, scratch_floats=_floats, pack=_packed)
SEPARABLE_CALLS: tuple[Call, ...] = (
    replace(_ALONE, header="windows_parallel", line=lambda site: _line(site, "separable_parallel"), fits=_is_shared),
    _ALONE,
    Call(
        "separable_rows", _in_place, in_place=(0,), parameters=(1, 2, 3, 4), fits=_fits_in_place,
        scratch_floats=_held_floats,
    ),
)  # fmt: skip
