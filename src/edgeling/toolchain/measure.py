# SPDX-License-Identifier: Apache-2.0
"""What a program costs, read from the image it was linked into."""

from __future__ import annotations

from dataclasses import dataclass

from edgeling.toolchain.firmware import Firmware
from edgeling.toolchain.image import read_image


@dataclass(frozen=True)
class Footprint:
    """Memory, in bytes, of the program and of everything it links; not of the harness around it.

    Attributes:
        flash_bytes: code, constants, and the initial contents of writable data.
        flash_code_bytes: code, with what the compiler keeps among it (literal pools, jump tables).
        flash_weights_bytes: read-only data.
        ram_bytes: the state, and whatever static data the program has; neither buffers nor stack.
    """

    flash_bytes: int
    flash_code_bytes: int
    flash_weights_bytes: int
    ram_bytes: int


def measure(firmware: Firmware) -> Footprint:
    """Reads the sections that ``c/cortex_m.ld`` keeps apart from the harness.

    Raises:
        ToolchainError: the image cannot be read.
    """
    sections = read_image(firmware.path).sections
    code, weights, data, zeroed = (len(sections.get(name, ())) for name in (".text", ".rodata", ".data", ".bss"))
    return Footprint(code + weights + data, code, weights, data + zeroed)
