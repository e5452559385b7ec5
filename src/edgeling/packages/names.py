# SPDX-License-Identifier: Apache-2.0
"""Names that a program may have in every package."""

from __future__ import annotations

# A program's NAME.h would be found in place of a header of the system's or of a platform's, on file systems that do not
# tell Wire.h from wire.h too; and a Makefile's or CMake's own words would be taken for it.
_HEADERS = """alloca arduino binary ble client device eeprom endian ethernet features ipaddress kernel keyboard malloc
    memory mouse newlib platform print printable sched sdkconfig sd serial server servo spi stepper stream strings
    syslimits udp unistd wifi wire wstring xlocale zephyr"""
_WORDS = "all build clean cmake docs example examples help include install lib license main makefile package src test"
_TAKEN = frozenset(f"{_HEADERS} {_WORDS}".split())


def legal_name(name: str) -> str:
    """A C identifier as close to ``name`` as can be that no platform takes for something of its own."""
    return f"{name}_model" if name in _TAKEN or name.startswith("arduino") else name
