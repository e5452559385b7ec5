# SPDX-License-Identifier: Apache-2.0
"""The kernels of matrix products: which is right for how many rows and products, on cores with vectors and without."""

from __future__ import annotations

from math import prod

import numpy as np

from edgeling.codegen.packing import dense_panels
from edgeling.codegen.site import WIDEST, Call, Line, Setting, Site

# From this many products on, tiles held in registers beat plain loops (which compilers unroll whole if they are small).
LARGE_PRODUCT = 1024
# A panel is worth its copy from this many rows on.
PANEL_ROWS = 4
# Threads are worth waking from this many products on: some microseconds of them.
SHARED_PRODUCTS = 1 << 19
# Activations that round once at most: an element's bits are the same wherever in a vector it is computed.
EXACT = frozenset({"relu", "relu6", "leaky_relu"})
# As in gemm.h.
GEMM_COLUMNS, GEMM_ROWS, GEMM_ALIGNED = 32, 12, 16


def _products(setting: Setting) -> int:
    """How many multiplications the product of two matrices takes."""
    return prod(setting.output_types[0].shape[-2:]) * _terms(setting)


def _terms(setting: Setting) -> int:
    """How many products an element of the result is the sum of."""
    flipped = setting.node.attributes.get("transpose_a", False)
    return setting.input_types[0].shape[-2 if flipped else -1]


def _is_many(setting: Setting) -> bool:
    """Whether there are several pairs of matrices."""
    return len(setting.output_types[0].shape) > 2


def _is_large(setting: Setting) -> bool:
    return _products(setting) >= LARGE_PRODUCT


def _is_rectified_row(setting: Setting) -> bool:
    """Whether it is one row, much of which is zero, and the zeros make nothing but zeros of the kernel."""
    target, kernel = setting.target, setting.constants.get(1)
    if target is None or not target.has_vectors or not setting.rectified or kernel is None:
        return False
    rows, outputs = setting.output_types[0].shape
    return rows == 1 and outputs >= WIDEST and _is_large(setting) and bool(np.isfinite(kernel).all())


def _has_panels(setting: Setting) -> bool:
    """Whether the target has vectors, and enough rows share a panel."""
    target = setting.target
    return target is not None and target.has_vectors and setting.output_types[0].shape[-2] >= PANEL_ROWS


def panel_floats(terms: int) -> int:
    """The scratch of gemm.h for sums of so many products."""
    return (terms + 1 + GEMM_ROWS) * GEMM_COLUMNS + GEMM_ALIGNED


def _panel_floats(setting: Setting) -> int:
    return panel_floats(_terms(setting))


def _has_kept_panels(setting: Setting) -> bool:
    """Whether the second matrix (and the bias) is the same at each step of a loop: its panels are packed before it."""
    if not _has_panels(setting) or _is_many(setting) or setting.node.attributes.get("transpose_a"):
        return False
    return setting.unchanged.issuperset(range(1, len(setting.input_types)))


def _kept_floats(setting: Setting) -> int:
    """What gemm.h keeps of a matrix."""
    panels = -(-setting.output_types[0].shape[-1] // GEMM_COLUMNS)
    return (_terms(setting) + 1) * panels * GEMM_COLUMNS + GEMM_ROWS * GEMM_COLUMNS + GEMM_ALIGNED


def _is_shared(setting: Setting) -> bool:
    if not _has_panels(setting) or setting.threads < 2 or _is_many(setting):
        return False
    return _products(setting) >= SHARED_PRODUCTS


def _are_shared(setting: Setting) -> bool:
    """Whether threads share many products."""
    if not _has_panels(setting) or setting.threads < 2 or not _is_many(setting):
        return False
    return setting.output_types[0].size * _terms(setting) >= SHARED_PRODUCTS


def _shared_panel_floats(setting: Setting) -> int:
    return setting.threads * _panel_floats(setting)


def _dense(name: str) -> Line:
    def line(site: Site) -> str:
        sizes = site.length(0, 0), site.length(0, 1), site.length(1, 1)
        return site.call(name, *sizes, site.function(), site.float("alpha"))

    return line


def _dense_gemm(site: Site) -> str:
    return _product_of_layer(site, "gemm")


def _dense_gemm_parallel(site: Site) -> str:
    if site.attributes["function"] not in EXACT:
        return _product_of_layer(site, "gemm_parallel", site.after)
    after = site.parts("activation", site.function(), site.float("alpha"), pointers=(site.y[0], site.y[0]))
    return _product_of_layer(site, "gemm_parallel", after)


def _product_of_layer(site: Site, name: str, *after: str) -> str:
    """The product; then the activation, if there is one, and the product does not do it itself."""
    x, kernel, bias, y = *site.x, *site.y
    sizes = site.length(0, 0), site.length(0, 1), site.length(1, 1)
    product = f"edgeling_{name}({', '.join((*sizes, '0', '0', site.scratch, x, kernel, bias, y, *after))});"
    if after and after[0] != site.after:  # the product does it
        return product
    return _activated(site, product)


def _activated(site: Site, product: str) -> str:
    """The product, then the activation over it, if there is one."""
    if site.attributes["function"] == "linear":
        return product
    pointers = site.y[0], site.y[0]
    return f"{product}\n{site.by_elements('activation', site.function(), site.float('alpha'), pointers=pointers)}"


def _is_constant(setting: Setting) -> bool:
    """Whether panels are packed at build time."""
    return _has_panels(setting) and {1, 2} <= set(setting.constants)


def _dense_packed(site: Site) -> str:
    return _activated(site, site.call("dense_packed", site.length(0, 0), site.length(0, 1), site.output_length(1)))


def _keep(site: Site) -> str:
    """The statement that packs panels."""
    flipped, start = ("0", site.x[2]) if site.node.operation == "dense" else (site.flag("transpose_b"), "0")
    rows, columns = site.length(0, 1), site.output_length(-1)
    return f"edgeling_gemm_keep({rows}, {columns}, {flipped}, {site.x[1]}, {start}, {site.kept});"


def _kept(site: Site) -> str:
    sizes = site.output_length(0), site.length(0, 1), site.output_length(1)
    return f"edgeling_gemm_kept({', '.join((*sizes, site.x[0], site.kept, site.y[0]))});"


def _dense_kept(site: Site) -> str:
    return _activated(site, _kept(site))


def _matmul_sizes(site: Site) -> tuple[str, ...]:
    return site.output_length(-2), site.length(0, -2 if site.attributes["transpose_a"] else -1), site.output_length(-1)


def _matmul(name: str) -> Line:
    def line(site: Site) -> str:
        flips = [suffix for suffix in ("a", "b") if site.attributes[f"transpose_{suffix}"]]
        return _each(site, "_t".join([name, *flips]), _matmul_sizes(site))

    return line


# A name that no value of a graph has (names.py).
_PAIR = "edgeling_pair"


def _each(site: Site, name: str, before: tuple[str, ...], between: tuple[str, ...] = ()) -> str:
    """``edgeling_NAME(before..., a, b, between..., y);`` for each pair of matrices."""
    pointers = (*site.x, *site.y)
    if _is_many(site):
        sizes = (site.dimensions.product(value, (-2, -1)) for value in (*site.node.inputs, *site.node.outputs))
        pointers = tuple(f"{p} + {_PAIR} * ({size})" for p, size in zip(pointers, sizes, strict=True))
    call = f"edgeling_{name}({', '.join((*before, *pointers[:2], *between, *pointers[2:]))});"
    if not _is_many(site):
        return call
    return f"for (int {_PAIR} = 0; {_PAIR} < {_pairs(site)}; {_PAIR}++) {{\n    {call}\n}}"


def _pairs(site: Site) -> str:
    """How many pairs of matrices there are."""
    return site.dimensions.product(site.node.outputs[0], range(len(site.output_types[0].shape) - 2))


def _flips(site: Site) -> tuple[str, ...]:
    return site.flag("transpose_a"), site.flag("transpose_b")


def _matmul_gemm(site: Site) -> str:
    return _each(site, "gemm", (*_matmul_sizes(site), *_flips(site), site.scratch), ("0",))


def _matmul_gemm_parallel(site: Site) -> str:
    arguments = *_matmul_sizes(site), *_flips(site), site.scratch, *site.x, "0", *site.y, site.after
    return f"edgeling_gemm_parallel({', '.join(arguments)});"


def _matmul_gemm_each(site: Site) -> str:
    return site.call("gemm_each", _pairs(site), *_matmul_sizes(site), *_flips(site), site.scratch)


DENSE_CALLS = (
    Call("gemm_parallel", _dense_gemm_parallel, fits=_is_shared, scratch_floats=_shared_panel_floats),
    Call("dense_gemm", _dense_packed, fits=_is_constant, pack=dense_panels),
    Call("dense_gemm", _dense_kept, fits=_has_kept_panels, before=_keep, kept_floats=_kept_floats),
    Call("dense_gemm", _dense_gemm, fits=_has_panels, scratch_floats=_panel_floats),
    Call("dense_rectified", _dense("dense_rectified"), parameters=(1, 2), fits=_is_rectified_row),
    Call("dense_large", _dense("dense_large"), parameters=(1, 2), fits=_is_large, may_be_held=True),
    Call("dense", _dense("dense"), parameters=(1, 2), may_be_held=True),
)
MATMUL_CALLS = (
    Call("gemm_each", _matmul_gemm_each, fits=_are_shared, scratch_floats=_shared_panel_floats),
    Call("gemm_parallel", _matmul_gemm_parallel, fits=_is_shared, scratch_floats=_shared_panel_floats),
    Call("gemm", _kept, fits=_has_kept_panels, before=_keep, kept_floats=_kept_floats),
    Call("gemm", _matmul_gemm, fits=_has_panels, scratch_floats=_panel_floats),
    Call("matmul_large", _matmul("matmul_large"), fits=_is_large),
    Call("matmul", _matmul("matmul")),
)
