# SPDX-License-Identifier: Apache-2.0
"""The C calls of what is normalised by a batch's own moments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgeling.codegen.site import SHARED_ELEMENTS, Call, Line, Setting, Site
from edgeling.codegen.text import limits

ROWS = 64  # of a block, as in normalize_batch.h
LEAST_ROWS = 4  # for which slopes are worth computing apart


def _line(name: str) -> Line:
    def line(site: Site) -> str:
        low, high = limits(site.attributes["function"])
        return site.call(name, site.rows(), site.length(0, -1), site.float("epsilon"), low, high, site.scratch)

    return line


def _floats(setting: Setting) -> int:
    rows, columns = setting.input_types[0].size // setting.input_types[0].shape[-1], setting.input_types[0].shape[-1]
    return (2 * -(-rows // ROWS) + 3) * columns


def _is_shared(setting: Setting) -> bool:
    return setting.threads > 1 and setting.input_types[0].size >= SHARED_ELEMENTS


def _calls(name: str, in_place: Sequence[int] = ()) -> tuple[Call, ...]:
    return (
        Call(
            "normalize_batch_parallel", _line(f"{name}_parallel"), tuple(in_place), fits=_is_shared,
            scratch_floats=_floats,
        ),
        Call("normalize_batch", _line(name), tuple(in_place), scratch_floats=_floats),
    )  # fmt: skip


def _by_moments(site: Site) -> str:
    """Axes of the moments are columns, those before them rows."""
    rank, of_each = (len(kind.shape) for kind in site.input_types[:2])
    axes = range(rank - of_each), range(rank - of_each, rank)
    sizes = (site.dimensions.product(site.node.inputs[0], some) for some in axes)
    return site.call("normalize_by_moments", *sizes, site.float("epsilon"), site.scratch)


def _has_vectors_and_rows(setting: Setting) -> bool:
    few = setting.input_types[0].size < LEAST_ROWS * setting.input_types[1].size
    return setting.target is not None and setting.target.has_vectors and not few


BY_MOMENTS = Call(
    "normalize_batch", _by_moments, in_place=(0,), fits=_has_vectors_and_rows,
    scratch_floats=lambda setting: setting.input_types[1].size,
)  # fmt: skip
NORMALIZING_CALLS: Mapping[str, tuple[Call, ...]] = {
    "normalize_batch": _calls("normalize_batch"),
    "normalize_batch_gradient": _calls("normalize_batch_gradient", (0, 1)),
}
