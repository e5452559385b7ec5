# SPDX-License-Identifier: Apache-2.0
"""The C call of a depthwise convolution and the convolution of one pixel behind it, put together by a schedule."""

from __future__ import annotations

from edgeling.codegen.calls_convolutions import Geometry, is_vectors
from edgeling.codegen.site import Call, Setting, Site
from edgeling.codegen.text import float_literal
from edgeling.graph.types import Node
from edgeling.graph.windows import Window


def _fits(setting: Setting) -> bool:
    """Of as many rows, columns and channels as before, on cores without vectors, whose memory is small.

    On those with vectors nothing is gained: their caches hold what is between the two.
    """
    attributes, (x, kernel, _, second, _) = setting.node.attributes, setting.input_types
    if is_vectors(setting) or not attributes["is_last"] or x.shape != setting.output_types[0].shape:
        return False
    window = Window.of(attributes["first"], kernel.shape[:2])
    is_depthwise = attributes["first"]["groups"] == x.shape[3] == kernel.shape[3] > 1
    same = window.strides == (1, 1) and window.positions(x.shape[1:]) == x.shape[1:3]
    between = Node("conv", setting.node.inputs[2:], setting.node.outputs, attributes)
    behind = Setting(between, (x, second, setting.input_types[4]), setting.output_types, setting.target, {})
    return is_depthwise and same and Geometry(behind).is_pointwise


def _held_floats(setting: Setting) -> int:
    _, _, width, channels = setting.input_types[0].shape
    return (setting.node.attributes["first"]["padding"][0] + 1) * width * channels


def _line(site: Site) -> str:
    first, (x, kernel, *_) = site.attributes["first"], site.input_types
    w, image = Window.of(first, kernel.shape[:2]), x.shape[1:]
    lengths = *image, *image, *w.size, *w.strides, w.padding[0], w.padding[2], *w.dilations, first["groups"]
    functions = [
        text
        for attributes in (first, site.attributes)
        for text in (f"EDGELING_{attributes['function'].upper()}", float_literal(attributes["alpha"]))
    ]
    window = site.table(f"{site.node.output}_window", "int", lengths)
    return site.call("separable", site.length(0, 0), window, *functions, site.scratch)


SEPARABLE_CALL = Call(
    "separable", _line, in_place=(0,), parameters=(1, 2, 3, 4), fits=_fits, scratch_floats=_held_floats
)
