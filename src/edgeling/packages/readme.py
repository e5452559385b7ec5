# SPDX-License-Identifier: Apache-2.0
"""The README of a package, and its licence."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from importlib.resources import files

from edgeling import __version__
from edgeling.packages.shipment import VERSION, Shipment
from edgeling.packages.text_c import template
from edgeling.packages.typical import typed

_PAGES: Mapping[str, str] = {name: f"readme/{name}.md" for name in (
    "arduino", "platformio", "esp-idf", "zephyr", "cmake", "web", "linux",
)}  # fmt: skip


def readme_files(name: str, shipment: Shipment) -> dict[str, str]:
    """``README.md`` and ``LICENSE``."""
    page = template(_PAGES[name], {
        "NAME": shipment.name, "UPPER": shipment.upper, "VERSION": VERSION, "COLUMNS": _columns(shipment),
        "ROW": _row(shipment), "FACTS": _facts(shipment), "ANSWER": plain(shipment.answer),
        "FUNCTIONS": _functions(shipment),
    })  # fmt: skip
    return {"README.md": page, "LICENSE": licence()}


def licence() -> str:
    """Apache-2.0, of the kernels."""
    return files("edgeling.packages").joinpath("LICENSE").read_text("utf-8")


def plain(text: str) -> str:
    """A person's words on one line, nothing of them HTML or Markdown."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return re.sub(r"([\\`*_{}\[\]()#+!|])", r"\\\1", html.escape(line, quote=False))


def one_line(text: str) -> str:
    """A person's words on one line, for files of settings."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _columns(shipment: Shipment) -> str:
    if not shipment.is_named:
        return f"{len(shipment.columns):,} numbers, in order.\n"
    rows = "".join(f"| {plain(c.name)} | {plain(c.sentence)} |\n" for c in shipment.columns)
    return f"| column | what it holds |\n|---|---|\n{rows}"


def _row(shipment: Shipment) -> str:
    """A line that could be sent, in code."""
    return "`" + row_of_cells(shipment).replace("`", "'") + "`"


def row_of_cells(shipment: Shipment) -> str:
    """A usual row as its cells are typed."""
    cells = ", ".join(typed(column) for column in shipment.columns[:12])
    return cells + (", ..." if len(shipment.columns) > 12 else "")


def _facts(shipment: Shipment) -> str:
    told = {
        "model": f"`{shipment.program.model_hash[:16]}`", "precision": shipment.precision,
        "C written for": shipment.target.name, "RAM of the arena": f"{shipment.program.arena_bytes:,} bytes",
        "RAM of variables": f"{shipment.program.weights_bytes:,} bytes",
        "constants in flash": f"{shipment.program.constant_bytes:,} bytes", **shipment.figures,
        "written by": f"Edgeling {__version__}",
    }  # fmt: skip
    return "| | |\n|---|---|\n" + "".join(f"| {name} | {value} |\n" for name, value in told.items())


def _functions(shipment: Shipment) -> str:
    known = [shipment.run, *shipment.program.entries[1:], *shipment.program.extras]
    return ", ".join(f"`{each.function}`" for each in dict.fromkeys(known)) + "."
