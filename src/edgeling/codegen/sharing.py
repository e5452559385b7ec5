# SPDX-License-Identifier: Apache-2.0
"""Calls of one kernel with the same sizes: one function of the file serves them all, where that is smaller.

Kernels are specialised by inlining them with constant sizes, which repeats their code at every call. A call of a
function costs a few instructions; so layers are shared whose products outweigh that, and only where flash counts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from edgeling.codegen.layout import Tables
from edgeling.codegen.site import Call, Setting, Site
from edgeling.graph.types import DType

LAYERS = ("dense", "dense_int8")
LEAST_PRODUCTS = 64
MANY_PRODUCTS = 512  # of which a call more is next to nothing


class Sharing:
    """Says which calls share a function, and writes it.

    Args:
        calls: all calls of a block, with what they were chosen by.
        among_others: other functions of the program run the same layers, as learning does what answers do.
    """

    def __init__(self, calls: Iterable[tuple[Call, Setting]], among_others: bool = False) -> None:
        self._among_others = among_others
        self._counts = Counter(_key(call, setting) for call, setting in calls if setting.node.operation in LAYERS)

    def covers(self, call: Call, setting: Setting) -> bool:
        """Whether this call is one of several that may share a function."""
        target = setting.target
        if setting.node.operation not in LAYERS or call.scratch_floats(setting):
            return False
        products = setting.output_types[0].size * setting.input_types[0].shape[-1]
        counts_flash = target is None or target.flash_bytes > 0
        often = self._counts[_key(call, setting)] > 1 or (self._among_others and products >= MANY_PRODUCTS)
        return counts_flash and products >= LEAST_PRODUCTS and often

    def line(self, call: Call, site: Site, tables: Tables) -> str:
        """The call of the shared function, which is added to the file."""
        kinds = [kind for i, kind in enumerate(site.input_types) if not (site.packed and i in site.constants)]
        types = [kind.dtype.c_name for kind in kinds] + [DType.of(table).c_name for table in site.packed.values()]
        x, y = tuple(f"x{i}" for i in range(len(site.x))), tuple(f"y{i}" for i in range(len(site.y)))
        parameters = [f"const {kind} *EDGELING_RESTRICT {name}" for kind, name in zip(types, x, strict=True)]
        parameters += [f"{kind.dtype.c_name} *EDGELING_RESTRICT {name}"
                       for kind, name in zip(site.output_types, y, strict=True)]  # fmt: skip
        statement = _with_numbers(call.line(replace(site, x=x, y=y)), site)
        name = tables.shared(call.header, parameters, statement)
        return f"{name}({', '.join((*site.x, *site.y))});"


def _key(call: Call, setting: Setting) -> tuple[object, ...]:
    attributes = tuple(sorted((name, repr(value)) for name, value in setting.node.attributes.items()))
    shapes = tuple((kind.shape, kind.dtype) for kind in (*setting.input_types, *setting.output_types))
    return call.header, setting.node.operation, attributes, shapes


def _with_numbers(statement: str, site: Site) -> str:
    """Lengths have names in the function that calls only."""
    named = site.dimensions.named
    return re.sub(r"\b[A-Z_][A-Z0-9_]*\b", lambda found: str(named.get(found[0], found[0])), statement)
