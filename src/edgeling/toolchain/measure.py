# SPDX-License-Identifier: Apache-2.0
"""What a program costs, read from the image it was linked into."""

from __future__ import annotations

from dataclasses import dataclass

from edgeling.targets import Target
from edgeling.toolchain.firmware import LEAST_STACK_BYTES, Firmware
from edgeling.toolchain.image import read_image


@dataclass(frozen=True)
class Footprint:
    """Memory, in bytes, of the program and of everything it links; not of the harness around it.

    Attributes:
        flash_bytes: code, constants, and the initial contents of writable data.
        flash_code_bytes: code, with what the compiler keeps among it (literal pools, jump tables).
        flash_weights_bytes: read-only data.
        ram_bytes: the state, and whatever static data the program has; neither buffers nor stack.
        flash_excess_bytes, ram_excess_bytes: by how much the whole image, with start-up, the caller's buffers and a
            stack of 1 KiB, is larger than the target's memory; 0 where it fits.
    """

    flash_bytes: int
    flash_code_bytes: int
    flash_weights_bytes: int
    ram_bytes: int
    flash_excess_bytes: int = 0
    ram_excess_bytes: int = 0


def measure(firmware: Firmware, target: Target | None = None) -> Footprint:
    """Reads the sections that ``c/cortex_m.ld`` keeps apart from the harness.

    Args:
        target: the chip it is to fit, if it was linked for one with more memory.

    Raises:
        ToolchainError: the image cannot be read.
    """
    image, target = read_image(firmware.path), target or firmware.target
    sections = image.sections
    code, weights, data, zeroed = (len(sections.get(name, ())) for name in (".text", ".rodata", ".data", ".bss"))
    flash_end = max((address + len(loaded) for address, loaded in image.segments), default=target.flash_base)
    ram_end = image.symbols["edgeling_stack_limit"] + LEAST_STACK_BYTES
    return Footprint(
        code + weights + data, code, weights, data + zeroed,
        flash_excess_bytes=max(0, flash_end - target.flash_base - target.flash_bytes),
        ram_excess_bytes=max(0, ram_end - target.ram_base - target.ram_bytes),
    )  # fmt: skip
