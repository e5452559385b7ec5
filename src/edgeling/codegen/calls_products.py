# SPDX-License-Identifier: Apache-2.0
"""The kernels of matrix products: which is right for how many rows and products, on cores with vectors and without."""

from __future__ import annotations

from edgeling.codegen.site import Call, Line, Setting, Site

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
    """How many multiplications a matrix product takes."""
    return setting.output_types[0].size * _terms(setting)


def _terms(setting: Setting) -> int:
    """How many products an element of the result is the sum of."""
    flipped = setting.node.attributes.get("transpose_a", False)
    return setting.input_types[0].shape[0 if flipped else 1]


def _is_large(setting: Setting) -> bool:
    return _products(setting) >= LARGE_PRODUCT


def _has_panels(setting: Setting) -> bool:
    """Whether the target has vectors, and enough rows share a panel."""
    target = setting.target
    return target is not None and target.has_vectors and setting.output_types[0].shape[0] >= PANEL_ROWS


def panel_floats(terms: int) -> int:
    """The scratch of gemm.h for sums of so many products."""
    return (terms + 1 + GEMM_ROWS) * GEMM_COLUMNS + GEMM_ALIGNED


def _panel_floats(setting: Setting) -> int:
    return panel_floats(_terms(setting))


def _is_shared(setting: Setting) -> bool:
    return _has_panels(setting) and setting.threads > 1 and _products(setting) >= SHARED_PRODUCTS


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
    if site.attributes["function"] == "linear" or (after and after[0] != site.after):
        return product
    activation = site.by_elements("activation", site.function(), site.float("alpha"), pointers=(y, y))
    return f"{product}\n{activation}"


def _matmul_sizes(site: Site) -> tuple[str, ...]:
    return site.output_length(0), site.length(0, 0 if site.attributes["transpose_a"] else 1), site.output_length(1)


def _matmul(name: str) -> Line:
    def line(site: Site) -> str:
        flips = [suffix for suffix in ("a", "b") if site.attributes[f"transpose_{suffix}"]]
        return site.call("_t".join([name, *flips]), *_matmul_sizes(site))

    return line


def _matmul_gemm(site: Site) -> str:
    return _product(site, "gemm")


def _matmul_gemm_parallel(site: Site) -> str:
    return _product(site, "gemm_parallel", site.after)


def _product(site: Site, name: str, *after: str) -> str:
    flips = site.flag("transpose_a"), site.flag("transpose_b")
    arguments = *_matmul_sizes(site), *flips, site.scratch, *site.x, "0", *site.y, *after
    return f"edgeling_{name}({', '.join(arguments)});"


DENSE_CALLS = (
    Call("gemm_parallel", _dense_gemm_parallel, fits=_is_shared, scratch_floats=_shared_panel_floats),
    Call("dense_gemm", _dense_gemm, fits=_has_panels, scratch_floats=_panel_floats),
    Call("dense_large", _dense("dense_large"), parameters=(1, 2), fits=_is_large),
    Call("dense", _dense("dense"), parameters=(1, 2)),
)
MATMUL_CALLS = (
    Call("gemm_parallel", _matmul_gemm_parallel, fits=_is_shared, scratch_floats=_shared_panel_floats),
    Call("gemm", _matmul_gemm, fits=_has_panels, scratch_floats=_panel_floats),
    Call("matmul_large", _matmul("matmul_large"), fits=_is_large),
    Call("matmul", _matmul("matmul")),
)
