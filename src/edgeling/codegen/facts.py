# SPDX-License-Identifier: Apache-2.0
"""The macros and enums of a deployed program's header: sizes, names, scales, and which model it is."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from edgeling import __version__
from edgeling.codegen.interface import Interface
from edgeling.codegen.names import Names
from edgeling.codegen.text import LINE, comment, float_literal, wrap_items
from edgeling.graph.fingerprint import fingerprint
from edgeling.graph.types import DType, Graph, Quantization

STATUS = ("OK", "NOT_FINITE")
STEPS_STATUS = ("WRONG_STEPS",)
LEARNING_STATUS = ("UNKNOWN_CLASS", "REJECTED", "NOTHING_KEPT", "STORE_FAILED")
SIZES = ("WEIGHTS_BYTES", "ARENA_BYTES")  # macros of every program
# What a program's name may be followed by in C, whether or not there is such a function.
RESERVED = ("weights", "arena", "word", "run", "init", "classify", "quantize", "dequantize", "selftest")
LEARNING_RESERVED = (
    "learn", "step", "loss", "observe", "reset", "export", "import", "store", "save", "restore",
)  # fmt: skip
ALIGNMENT_BYTES = 4  # of every element type, and of the structs


def facts(name: str, graph: Graph, interface: Interface, constant_bytes: int) -> list[str]:
    """Blocks of text, for the header of one deployed graph.

    Args:
        name: the program's; in capitals it begins every macro and enumerator.
    """
    writer = _Writer(name)
    held = {kind.dtype for kind in graph.types.values()}
    kind = "int16x8" if DType.INT16 in held else "int8" if DType.INT8 in held else "float32"
    writer.define("EDGELING_VERSION", c_string(__version__))
    writer.define("MODEL_HASH", c_string(fingerprint(graph)), "SHA-256 of graph and weights")
    writer.define("PRECISION", c_string(kind))
    for way, ports in (("INPUT", graph.inputs), ("OUTPUT", graph.outputs)):
        for i, port in enumerate(ports):
            which = "" if len(ports) == 1 else f"_{_upper(port, i)}"
            writer.define(f"{way}{which}_SIZE", str(graph.types[port].size))
    writer.define("CONSTANT_BYTES", str(constant_bytes))
    writer.define("ALIGNMENT", str(ALIGNMENT_BYTES), "bytes; no buffer needs more")
    if interface.labels:
        writer.define_list("LABELS", map(c_string, interface.labels))
    if interface.reasons:
        writer.define("REASONS_SIZE", str(interface.reasons))
    blocks = ["".join(writer.lines)]
    blocks += filter(None, (_scales(writer, graph, interface), _threshold(writer, interface)))
    return blocks + _enums(writer, interface)


def model_macro(name: str, graph: Graph) -> str:
    """A macro that only the header of this very model defines."""
    return f"{name.upper()}_MODEL_{fingerprint(graph)[:8].upper()}"


def _scales(writer: _Writer, graph: Graph, interface: Interface) -> str:
    """Scales and zero points of an int8 network's ends: of the caller's buffers, or of what floats become."""
    taken, given = input_quantization(graph), output_quantization(graph)
    if taken is None or given is None:
        return ""
    writer.lines.clear()
    kind, quantization = taken
    writer.define_list(f"{kind}_SCALES", map(float_literal, quantization.scale))
    writer.define_list(f"{kind}_ZERO_POINTS", map(str, quantization.zero_point))
    if interface.missing:
        writer.define_list(f"{kind}_MISSING", map(str, interface.missing))
    writer.define("OUTPUT_SCALE", float_literal(given.scale[0]))
    writer.define("OUTPUT_ZERO_POINT", f"({given.zero_point[0]})")
    missing = "; a missing value is stored as MISSING" if interface.missing else ""
    where = "a column" if kind == "INPUT" else "a column of what the first layer sees"
    return comment([f"value = scale * (stored - zero point), one {where} going in{missing}."]) + "".join(writer.lines)


def _threshold(writer: _Writer, interface: Interface) -> str:
    if interface.decision != "threshold":
        return ""
    macro = writer.take("THRESHOLD")
    told = comment([f"A probability above it is class 1. -D{macro}=0.8f, or a definition before this, moves it."])
    return f"{told}#ifndef {macro}\n#define {macro} {float_literal(interface.threshold)}\n#endif\n"


def _enums(writer: _Writer, interface: Interface) -> list[str]:
    blocks = [writer.enum("status", "", _status(interface), commented=False)]
    if interface.input_names:
        blocks.append(writer.enum("column", "COLUMN", interface.input_names))
    if interface.labels:
        blocks.append(writer.enum("label", "LABEL", interface.labels))
    for column, categories in interface.categories.items():
        title = interface.input_names[column]
        blocks.append(writer.enum(_lower(title, column), _upper(title, column), categories, unknown=True))
    return blocks


def _status(interface: Interface) -> tuple[str, ...]:
    return STATUS + (STEPS_STATUS if interface.steps else ()) + (LEARNING_STATUS if interface.learning else ())


def input_quantization(graph: Graph) -> tuple[str, Quantization] | None:
    """How an int8 network's input is stored, one scale a column; ``INPUT``, or ``PREPARED`` where it is made first.

    None for a network of floats, one of several inputs, and one that stores its input in several ways.
    """
    if len(graph.inputs) != 1:
        return None
    (x,) = graph.inputs
    if graph.types[x].quantization:
        return "INPUT", graph.types[x].quantization  # type: ignore[return-value]
    found = [n for n in graph.nodes if n.operation == "quantize"]
    if len(found) != 1 or (stored := graph.types[found[0].output].quantization) is None:
        return None
    (node,) = found
    return ("INPUT" if node.inputs[0] == x else "PREPARED"), stored


def output_quantization(graph: Graph) -> Quantization | None:
    """How an int8 network's output is stored, one scale for all of it; None where there are several."""
    if len(graph.outputs) != 1:
        return None
    (y,) = graph.outputs
    node = next((n for n in graph.nodes if n.operation == "dequantize" and n.output == y), None)
    if node is None:
        return graph.types[y].quantization
    return Quantization((float(node.attributes["scale"]),), (int(node.attributes["zero_point"]),))


class _Writer:
    """Hands out macros and enumerators, each once, and keeps the lines of definitions."""

    def __init__(self, name: str) -> None:
        self._name, self._prefix = name, name.upper()
        self._names = Names()
        capitals = *STATUS, *STEPS_STATUS, *LEARNING_STATUS, *SIZES, "EXPORT_BYTES", "H"
        small = *RESERVED, *LEARNING_RESERVED
        for taken in (*(f"{self._prefix}_{s}" for s in capitals), *(f"{name}_{s}" for s in small)):
            self._names.take(taken)
        self.lines: list[str] = []

    def take(self, suffix: str) -> str:
        return self._names.take(f"{self._prefix}_{suffix}")

    def define(self, suffix: str, value: str, note: str = "") -> None:
        told = f" {comment([note])}" if note else "\n"
        self.lines.append(f"#define {self.take(suffix)} {value}{told}")

    def define_list(self, suffix: str, values: Iterable[str]) -> None:
        """A macro that stands where an array is initialised."""
        head, items = f"#define {self.take(suffix)} {{", list(values)
        if len(head) + len(text := ", ".join(items)) < LINE:
            self.lines.append(f"{head}{text}}}\n")
            return
        rows = (line.strip() for line in wrap_items(items, "    "))
        self.lines.append(f"{head} \\\n" + "".join(f"    {row} \\\n" for row in rows) + "}\n")

    def enum(
        self, tag: str, prefix: str, texts: Sequence[str], *, unknown: bool = False, commented: bool = True
    ) -> str:
        rows = [(self.take(f"{prefix}_UNKNOWN"), -1, "")] if unknown else []
        for i, text in enumerate(texts):
            word = _upper(text, i)
            own = f"{self._prefix}_{text}" if not prefix else self.take(f"{prefix}_{word}")
            rows.append((own, i, text if commented and word != text.upper() else ""))
        lines = [
            f"    {own} = {value}{',' if at < len(rows) - 1 else ''}" + (f" {comment([text])}" if text else "\n")
            for at, (own, value, text) in enumerate(rows)
        ]
        return f"enum {self._names.take(f'{self._name}_{tag}')} {{\n{''.join(lines)}}};\n"


def _upper(text: str, position: int) -> str:
    """A person's word as part of a macro; its position where nothing of it is a letter C knows."""
    plain = unicodedata.normalize("NFKD", text.upper()).encode("ascii", "ignore").decode()
    return re.sub("[^0-9A-Z]+", "_", plain).strip("_") or str(position)


def _lower(text: str, position: int) -> str:
    return _upper(text, position).lower()


def c_string(text: str) -> str:
    """A C string literal: what is not plain ASCII as octal escapes of its UTF-8, and nothing a trigraph."""
    safe = [chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}" for b in text.encode("utf-8", "replace")]
    return f'"{"".join(safe)}"'
