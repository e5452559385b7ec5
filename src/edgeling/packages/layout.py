# SPDX-License-Identifier: Apache-2.0
"""Where a program's files lie in a package."""

from __future__ import annotations

from edgeling.packages.shipment import Shipment
from edgeling.packages.text_c import text_files


def sources(shipment: Shipment, folder: str, headers: str, *, always_text: bool = False) -> dict[str, str]:
    """The program, and what reads its columns from text: sources and kernels in one folder, the headers in another."""
    own = dict(shipment.program.files)
    if always_text or shipment.is_named:
        own |= text_files(shipment)
    public = {f"{shipment.name}.h", f"{shipment.name}_text.h"}
    return {f"{headers if path in public else folder}/{path}": text for path, text in own.items()}


def units(shipment: Shipment) -> list[str]:
    """The names of the C files."""
    return [f"{shipment.name}.c", *([f"{shipment.name}_text.c"] if shipment.is_named else [])]
