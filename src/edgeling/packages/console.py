# SPDX-License-Identifier: Apache-2.0
"""Examples that read rows and print answers: a sketch for Arduino, and C programs for consoles."""

from __future__ import annotations

from edgeling.codegen.facts import c_string
from edgeling.packages.calling import glue, started
from edgeling.packages.readme import row_of_cells
from edgeling.packages.shipment import Shipment
from edgeling.packages.text_c import template

_LEAST_LINE, _LONGEST_LINE = 64, 1024


def sketch(shipment: Shipment) -> str:
    """An Arduino sketch that reads the serial port."""
    values = {**_values(shipment), "START": started(shipment, "  "), "PRINT": _serial(shipment)}
    return template("c/sketch.ino" if shipment.is_named else "c/sketch_numbers.ino", values)


def console(shipment: Shipment, main: str, main_of_numbers: str, includes: str = "") -> str:
    """A C program; its ``main`` is the platform's.

    Args:
        main: calls ``answer_line()`` with a line in ``line``; ``START`` in it is where variables are filled.
        main_of_numbers: of a network of too many columns for lines: calls ``print_answer(answer(values))``.
    """
    chosen = main if shipment.is_named else main_of_numbers
    begun = chosen.replace("    START;\n", started(shipment))
    values = {**_values(shipment), "MAIN": begun, "PRINT": _printed(shipment), "INCLUDES": includes}
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


def _serial(shipment: Shipment) -> str:
    """What prints an answer in a sketch."""
    if shipment.interface.decision and shipment.is_named:
        lines = [f"  char label[{_label_bytes(shipment)}];",
                 f"  {shipment.name}_label_name(chosen, label, sizeof label);", "  Serial.println(label);"]  # fmt: skip
    else:
        lines = ["  Serial.println(chosen);" if shipment.interface.decision else "  (void)chosen;"]
    lines += [_each(i, port.type.size, f"Serial.println(told_{i}[i], 6);", "  ")
              for i, port in enumerate(shipment.run.outputs)]  # fmt: skip
    if shipment.why:
        lines += [f"  for (int k = 0; k < {shipment.why.outputs[2].type.size} && reasons[k] >= 0; k++) {{",
                  f"    {shipment.name}_column_name((int)reasons[k], line, sizeof line);",
                  '    Serial.print(F("because of "));', "    Serial.println(line);", "  }"]  # fmt: skip
    return "".join(f"{line}\n" for line in lines)


def _printed(shipment: Shipment) -> str:
    """What prints an answer in C."""
    if shipment.interface.decision and shipment.is_named:
        lines = [f"    static char label[{_label_bytes(shipment)}];",
                 f"    {shipment.name}_label_name(chosen, label, (int)sizeof label);",
                 '    printf("%s\\n", label);']  # fmt: skip
    else:
        lines = ['    printf("%d\\n", chosen);' if shipment.interface.decision else "    (void)chosen;"]
    lines += [_each(i, port.type.size, f'printf("%.7g\\n", (double)told_{i}[i]);', "    ")
              for i, port in enumerate(shipment.run.outputs)]  # fmt: skip
    if shipment.why:
        lines += [f"    for (int k = 0; k < {shipment.why.outputs[2].type.size} && reasons[k] >= 0; k++) {{",
                  f"        {shipment.name}_column_name((int)reasons[k], line, (int)sizeof line);",
                  '        printf("because of %s\\n", line);', "    }"]  # fmt: skip
    return "".join(f"{line}\n" for line in lines)


def _each(output: int, size: int, statement: str, indent: str) -> str:
    del output
    inner = indent * 2
    return f"{indent}for (int i = 0; i < {size}; i++) {{\n{inner}{statement}\n{indent}}}"
