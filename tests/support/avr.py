# SPDX-License-Identifier: Apache-2.0
"""Runs generated C on an emulated AVR: `int` has 16 bits, flash is not in the address space, floats are in software."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from edgeling.codegen.memory import WORD_BYTES, words_of
from edgeling.codegen.program import EntryPoint, Port, Program
from edgeling.graph.types import Array

OPTIONS = ("-Os", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror")
_DRIVER = Path(__file__).with_name("avr_driver.h")


def require() -> None:
    """Skips the test where a tool is missing."""
    for tool in ("avr-gcc", "avr-g++", "avr-size", "simavr"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")


def write(program: Program, folder: Path, driver: str) -> None:
    """The program's files, and ``main.cpp`` as an Arduino sketch would be compiled."""
    for name, text in program.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    (folder / "avr_driver.h").write_text(_DRIVER.read_text("utf-8"), "utf-8")
    (folder / "main.cpp").write_text(driver, "utf-8")


def driver(
    program: Program, calls: Sequence[tuple[EntryPoint, Sequence[Sequence[Array]]]], weights: bytes = b""
) -> str:
    """``main.cpp``: every entry on all of its rows, outputs on the serial port; ``weights``: what they start as."""
    name, largest = program.name, max(_bytes(entry.inputs) + _bytes(entry.outputs) for entry, _ in calls)
    parts = [f'#include "{name}.h"\n#include "avr_driver.h"\n', _owned(program)]
    parts += [f"static uint32_t buffer[{(largest + 3) // 4 + 16}];", _table("initial", weights or b"\0")]
    body = [f"    fetch(&weights, initial, {len(weights)}u);"] if weights else []
    for i, (entry, rows) in enumerate(calls):
        parts.append(_table(f"rows_{i}", b"".join(_padded(x) for row in rows for x in row) or b"\0"))
        body.append(_loop(entry, f"rows_{i}", len(rows)))
    return "\n".join([*parts, "int main(void) {", "    start();", *body, "    stop();", "}\n"])


def build(folder: Path, name: str, chip: str, c_compiler: Sequence[str] = ("avr-gcc", "-std=c99")) -> Path:
    """``NAME.c`` with one compiler, the driver with avr-g++, linked."""
    flags = [f"-mmcu={chip}", *OPTIONS]
    for command in ([*c_compiler, *flags, f"{name}.c", "-c", "-o", "model.o"],
                    ["avr-g++", "-std=gnu++11", *flags, "main.cpp", "model.o", "-o", "firmware.elf"]):  # fmt: skip
        subprocess.run(command, cwd=folder, check=True)
    return folder / "firmware.elf"


def run(firmware: Path, chip: str) -> bytes:
    """What the firmware sent."""
    command = ["simavr", "-m", chip, "-f", "16000000", str(firmware)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stderr
    return bytes.fromhex("".join(re.findall(r"\x1b\[32m([0-9a-f]*)\.", said)))


def sizes(path: Path) -> tuple[int, int, int]:
    """Bytes of code and constants in flash, of initialised and of zeroed RAM."""
    said = subprocess.run(["avr-size", str(path)], capture_output=True, text=True, check=True).stdout
    text, data, bss = map(int, said.splitlines()[1].split()[:3])
    return text, data, bss


def _owned(program: Program) -> str:
    sizes = {"weights": program.weights_bytes, "arena": program.arena_bytes}
    return " ".join(f"static {program.name}_{what} {what};" for what, size in sizes.items() if size)


def _bytes(ports: Sequence[Port]) -> int:
    return sum(words_of(port.type) * WORD_BYTES for port in ports)


def _padded(array: Array) -> bytes:
    """Ports begin at multiples of four bytes."""
    contents = np.ascontiguousarray(array).tobytes()
    return contents + b"\0" * (-len(contents) % 4)


def _table(name: str, contents: bytes) -> str:
    return f"static const uint8_t {name}[] PROGMEM = {{{','.join(map(str, contents))}}};"


def _loop(entry: EntryPoint, table: str, rows: int) -> str:
    arguments, sends, at = entry.memory("&weights", "&arena"), [], 0
    taken = _bytes(entry.inputs)
    for port in (*entry.inputs, *entry.outputs):
        c_name = port.type.dtype.c_name
        arguments.append(f"reinterpret_cast<{c_name} *>(buffer + {at // 4})")
        if at >= taken:
            sends.append(f"        send(buffer + {at // 4}, {port.type.bytes}u);")
        at += words_of(port.type) * WORD_BYTES
    call = f"        {entry.function}({', '.join(arguments)});"
    fetch = f"        fetch(buffer, {table} + row * {taken}u, {taken}u);"
    return "\n".join([f"    for (uint16_t row = 0; row < {rows}; row++) {{", fetch, call, *sends, "    }"])
