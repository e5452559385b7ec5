# SPDX-License-Identifier: Apache-2.0
"""Examples that read rows and print answers: a sketch for Arduino, and C programs for consoles."""

from __future__ import annotations

from dataclasses import dataclass

from edgeling.codegen.facts import c_string
from edgeling.packages.calling import glue, started
from edgeling.packages.readme import row_of_cells
from edgeling.packages.shipment import Shipment
from edgeling.packages.text_c import template

_LEAST_LINE, _LONGEST_LINE = 64, 1024


def sketch(shipment: Shipment) -> str:
    """An Arduino sketch that reads the serial port."""
    values = {**_values(shipment), "START": started(shipment, "  "), "PRINT": _SERIAL.lines(shipment)}
    return template("c/sketch.ino" if shipment.is_named else "c/sketch_numbers.ino", values)


def console(shipment: Shipment, main: str, main_of_numbers: str, includes: str = "") -> str:
    """A C program; its ``main`` is the platform's.

    Args:
        main: calls ``answer_line()`` with a line in ``line``; ``START`` in it is where variables are filled.
        main_of_numbers: of a network of too many columns for lines: calls ``print_answer(answer(values))``.
    """
    chosen = main if shipment.is_named else main_of_numbers
    begun = chosen.replace("    START;\n", started(shipment))
    values = {**_values(shipment), "MAIN": begun, "PRINT": _STDIO.lines(shipment), "INCLUDES": includes}
    return template("c/console.c" if shipment.is_named else "c/console_numbers.c", values)


def _values(shipment: Shipment) -> dict[str, str]:
    return {
        "NAME": shipment.name, "UPPER": shipment.upper, "GLUE": glue(shipment), "LINE": str(_line_bytes(shipment)),
        "COLUMNS": str(len(shipment.columns)), "PROMPT": c_string(f"A row, please, such as: {row_of_cells(shipment)}"),
    }  # fmt: skip


def _line_bytes(shipment: Shipment) -> int:
    """Room for a row by names."""
    names = sum(len(column.name.encode("utf-8", "replace")) + 16 for column in shipment.columns)
    return min(_LONGEST_LINE, max(_LEAST_LINE, names))


def _label_bytes(shipment: Shipment) -> int:
    return max(len(label.encode("utf-8", "replace")) for label in shipment.labels) + 1


@dataclass(frozen=True)
class _Printer:
    """How a platform prints: statements in which ``{}`` is a text, a class's number, or a number told.

    Attributes:
        indent: of a line in a function.
        storage: of a text's room: ``static``, where stacks are small.
        size: of an array ``{}``, as an argument.
    """

    indent: str
    storage: str
    size: str
    text: str
    number: str
    told: str
    reason: tuple[str, ...]

    def lines(self, shipment: Shipment) -> str:
        """What prints an answer."""
        lines = self._answer(shipment)
        for i, port in enumerate(shipment.run.outputs):
            lines += [f"for (int i = 0; i < {port.type.size}; i++) {{",
                      f"{self.indent}{self.told.format(f'told_{i}[i]')}", "}"]  # fmt: skip
        if shipment.why:
            name = f"{shipment.name}_column_name((int)reasons[k], line, {self.size.format('line')});"
            lines += [f"for (int k = 0; k < {shipment.why.outputs[2].type.size} && reasons[k] >= 0; k++) {{",
                      *(f"{self.indent}{line}" for line in (name, *self.reason)), "}"]  # fmt: skip
        return "".join(f"{self.indent}{line}\n" for line in lines)

    def _answer(self, shipment: Shipment) -> list[str]:
        if not shipment.interface.decision:
            return ["(void)chosen;"]
        if not shipment.is_named:
            return [self.number.format("chosen")]
        label_name = f"{shipment.name}_label_name(chosen, label, {self.size.format('label')});"
        return [f"{self.storage}char label[{_label_bytes(shipment)}];", label_name, self.text.format("label")]


_SERIAL = _Printer(
    "  ", "", "sizeof {}", "Serial.println({});", "Serial.println({});", "Serial.println({}, 6);",
    ('Serial.print(F("because of "));', "Serial.println(line);"),
)  # fmt: skip
_STDIO = _Printer(
    "    ", "static ", "(int)sizeof {}", 'printf("%s\\n", {});', 'printf("%d\\n", {});',
    'printf("%.7g\\n", (double){});', ('printf("because of %s\\n", line);',),
)  # fmt: skip
