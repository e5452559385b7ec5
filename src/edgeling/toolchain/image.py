# SPDX-License-Identifier: Apache-2.0
"""What is in a built ELF file: bytes to load, symbols, sections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgeling.errors import ToolchainError


@dataclass(frozen=True)
class Image:
    """An ELF file, read.

    Attributes:
        segments: load address (where it lies in flash) and bytes.
        symbols: address by name; of a Thumb function, with its lowest bit set.
        functions: address range and name, by address.
        sections: address range of every section that takes memory.
    """

    segments: tuple[tuple[int, bytes], ...]
    symbols: Mapping[str, int]
    functions: tuple[tuple[range, str], ...]
    sections: Mapping[str, range]

    def function_at(self, address: int) -> str:
        """The name of the function an address lies in, or ``no function``."""
        return next((name for span, name in self.functions if address in span), "no function")


def read_image(path: Path) -> Image:
    """Reads an ELF file.

    Raises:
        ToolchainError: it is not one.
    """
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    try:
        with path.open("rb") as stream:
            return _image(ELFFile(stream))
    except (ELFError, OSError) as error:
        raise ToolchainError(
            "a firmware image must be an ELF file", received=str(error), remedy="build it again: edgeling build"
        ) from error


def _image(elf) -> Image:  # type: ignore[no-untyped-def]
    table = list(elf.get_section_by_name(".symtab").iter_symbols())
    segments = [(part["p_paddr"], part.data()) for part in elf.iter_segments("PT_LOAD") if part["p_filesz"]]
    sections = {
        part.name: range(part["sh_addr"], part["sh_addr"] + part["sh_size"])
        for part in elf.iter_sections()
        if part["sh_flags"] & 2  # SHF_ALLOC
    }
    functions = [
        (range(symbol["st_value"] & ~1, (symbol["st_value"] & ~1) + symbol["st_size"]), symbol.name)
        for symbol in table
        if symbol["st_info"]["type"] == "STT_FUNC"
    ]
    symbols = {symbol.name: symbol["st_value"] for symbol in table if symbol.name}
    return Image(tuple(segments), symbols, tuple(functions), sections)
