# SPDX-License-Identifier: Apache-2.0
"""The C calls of what moves windows over images, and of what moves, cuts and surrounds values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from edgeling.codegen import calls_winograd
from edgeling.codegen.calls_convolutions import CONV_CALLS, INPUT_GRADIENT_CALLS, KERNEL_GRADIENT_CALLS
from edgeling.codegen.site import SHARED_ELEMENTS, Call, Line, Setting, Site, has_wide_rows
from edgeling.codegen.text import float_literal
from edgeling.graph.types import TensorType
from edgeling.graph.windows import Window

Axis = tuple[int, int, int]  # length, step in the input, step in the output


def _window(site: Site, image: TensorType, result: TensorType, size: Sequence[int] = ()) -> str:
    """The table of lengths that `window.h` describes."""
    window = Window.of(site.attributes, size)
    lengths = (
        *image.shape[1:], *result.shape[1:], *window.size, *window.strides, window.padding[0], window.padding[2],
        *window.dilations, site.attributes.get("groups", 1),
    )  # fmt: skip
    return site.table(f"{site.node.output}_window", "int", lengths)


def _conv(name: str) -> Line:
    def line(site: Site) -> str:
        x, kernel, _ = site.input_types
        window = _window(site, x, site.output_types[0], kernel.shape[:2])
        return site.call(name, site.length(0, 0), window, site.function(), site.float("alpha"))

    return line


def _conv_input_gradient(site: Site) -> str:
    dy, kernel = site.input_types
    window = _window(site, site.output_types[0], dy, kernel.shape[:2])
    return site.call("conv_input_gradient", site.length(0, 0), window)


def _conv_kernel_gradient(site: Site) -> str:
    x, dy = site.input_types
    return site.call("conv_kernel_gradient", site.length(0, 0), _window(site, x, dy))


def _pool(name: str) -> Line:
    return lambda site: _by_images(site, name, _window(site, site.input_types[0], site.output_types[0]))


def _pool_gradient(name: str) -> Line:
    return lambda site: _by_images(site, name, _window(site, site.output_types[0], site.input_types[0]))


def _by_images(site: Site, function: str, window: str) -> str:
    """``edgeling_FUNCTION(images, window, inputs..., outputs...);``, images shared by threads where that pays."""
    kinds = (*site.input_types, *site.output_types)
    widest, images = max(kind.size for kind in kinds), kinds[0].shape[0]
    if site.threads < 2 or widest < SHARED_ELEMENTS:
        return site.call(function, site.length(0, 0), window)
    parts = (f"(float *)arrays[{i}] + first * {kind.size // images}" for i, kind in enumerate(kinds))
    task = site.task(f"edgeling_{function}(count, {window}, {', '.join(parts)});")
    arrays = ", ".join(f"(void *){pointer}" for pointer in (*site.x, *site.y))
    return f"edgeling_by_rows({task}, (void *const[]){{{arrays}}}, {site.length(0, 0)}, {widest // images});"


def _is_depthwise(setting: Setting) -> bool:
    return bool(setting.input_types[1].shape[2] == 1)


def _steps(shape: Sequence[int]) -> list[int]:
    """How far apart neighbours along each axis lie."""
    return [prod(shape[axis + 1 :]) for axis in range(len(shape))]


def _moved(site: Site, outer: str, axes: Sequence[Axis], x: str, y: str, kernel: str = "strided") -> str:
    """Copy along axes, of which the first is ``outer`` long; others that lie as one are joined."""
    (_, *steps), *rest = axes
    joined: list[Axis] = []
    for length, of_x, of_y in rest:
        if joined and joined[-1][1:] == (length * of_x, length * of_y):
            joined[-1] = (joined[-1][0] * length, of_x, of_y)
        elif length > 1 or not joined:
            joined.append((length, of_x, of_y))
    joined = joined or [(1, 1, 1)]
    table = site.table(f"{site.node.output}_axes", "int", (*steps, *(n for axis in joined for n in axis)))
    call = f"edgeling_{kernel}({{}}, {len(joined)}, {table}, {{}}, {{}});"
    size = site.output_types[0].size
    if site.threads < 2 or size < SHARED_ELEMENTS:
        return call.format(outer, x, y)
    parts = (f"(float *)arrays[{at}] + first * {step}" for at, step in enumerate(steps))
    task, each = site.task(call.format("count", *parts)), size // axes[0][0]
    return f"edgeling_by_rows({task}, (void *const[]){{(void *)({x}), (void *)({y})}}, {outer}, {each});"


def _transpose(kernel: str) -> Line:
    return lambda site: _turned(site, kernel)


def _turned(site: Site, kernel: str) -> str:
    order, steps = site.attributes["permutation"], _steps(site.input_types[0].shape)
    shape = site.output_types[0].shape
    axes = list(zip(shape, [steps[axis] for axis in order], _steps(shape), strict=True))
    return _moved(site, site.output_length(0), axes, site.x[0], site.y[0], kernel)


def _keeps_rows(setting: Setting) -> bool:
    """Whether the last axis stays where it is, and a row of it is worth copying by vectors."""
    return (
        has_wide_rows(setting) and setting.node.attributes["permutation"][-1] == len(setting.output_types[0].shape) - 1
    )


def _part(site: Site, part: Sequence[int], whole: Sequence[int]) -> tuple[list[int], list[int], str]:
    """Steps in a part and in the whole, and where the part begins in it, as something to add to a pointer."""
    steps = _steps(whole)
    offset = sum(b * step for b, step in zip(site.attributes["begin"], steps, strict=True))
    return _steps(part), steps, f" + {offset}" if offset else ""


def _pad(site: Site) -> str:
    part, whole = site.input_types[0].shape, site.output_types[0].shape
    of_part, of_whole, offset = _part(site, part, whole)
    fill = f"edgeling_fill_float32({site.output_size()}, {float_literal(site.attributes['value'])}, {site.y[0]});"
    axes = list(zip(part, of_part, of_whole, strict=True))
    return f"{fill}\n{_moved(site, site.length(0, 0), axes, site.x[0], site.y[0] + offset)}"


def _slice(kernel: str) -> Line:
    return lambda site: _cut(site, kernel)


def _cut(site: Site, kernel: str) -> str:
    whole, part = site.input_types[0].shape, site.output_types[0].shape
    of_part, of_whole, offset = _part(site, part, whole)
    axes = list(zip(part, of_whole, of_part, strict=True))
    return _moved(site, site.output_length(0), axes, site.x[0] + offset, site.y[0], kernel)


def _repeated(site: Site) -> str:
    """A value broadcast along several axes that are no neighbours: an axis that is repeated has no step."""
    shape, given = site.output_types[0].shape, site.input_types[0].shape
    padded = (*(1,) * (len(shape) - len(given)), *given)
    steps = [0 if n == 1 else step for n, step in zip(padded, _steps(padded), strict=True)]
    axes = list(zip(shape, steps, _steps(shape), strict=True))
    return _moved(site, site.output_length(0), axes, site.x[0], site.y[0])


def _affine(site: Site, *numbers: str) -> str:
    sizes = (site.length(0, axis) for axis in range(4))
    fill = f"EDGELING_FILL_{site.attributes['function'].upper()}"
    interpolation = "EDGELING_BILINEAR" if site.attributes["bilinear"] else "EDGELING_NEAREST"
    return site.call(site.node.operation, *sizes, fill, interpolation, *numbers)


REPEATED = Call("strided", _repeated)
_CONV_CALLS = (
    *calls_winograd.CONV_CALLS,
    *CONV_CALLS,
    Call("conv_depthwise", _conv("conv_depthwise"), parameters=(1, 2), fits=_is_depthwise),
    Call("conv", _conv("conv"), parameters=(1, 2)),
)
WINDOW_CALLS: Mapping[str, Call | tuple[Call, ...]] = {
    "conv": _CONV_CALLS,
    "conv_input_gradient": (
        *calls_winograd.INPUT_GRADIENT_CALLS,
        *INPUT_GRADIENT_CALLS,
        Call("conv_gradient", _conv_input_gradient, parameters=(1,)),
    ),
    "conv_kernel_gradient": (*KERNEL_GRADIENT_CALLS, Call("conv_gradient", _conv_kernel_gradient)),
    "max_pool": Call("pool", _pool("max_pool")),
    "max_pool_gradient": Call("pool", _pool_gradient("max_pool_gradient")),
    "average_pool": Call("pool", _pool("average_pool")),
    "average_pool_gradient": Call("pool", _pool_gradient("average_pool_gradient")),
    "affine_transform": Call("affine", lambda site: _affine(site, site.float("fill_value"))),
    "affine_transform_gradient": Call("affine", _affine),
    "transpose": (
        Call("strided_rows", _transpose("strided_rows"), fits=_keeps_rows),
        Call("strided", _transpose("strided")),
    ),
    "pad": Call("padding", _pad),
    "slice": (
        Call("strided_rows", _slice("strided_rows"), fits=has_wide_rows),
        Call("strided", _slice("strided")),
    ),
}
