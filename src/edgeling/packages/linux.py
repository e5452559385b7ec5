# SPDX-License-Identifier: Apache-2.0
"""A command for Linux and its like: rows as lines of JSON in, answers as lines of JSON out."""

from __future__ import annotations

from edgeling.codegen.facts import c_string
from edgeling.packages.calling import glue, started
from edgeling.packages.layout import sources
from edgeling.packages.shipment import Shipment
from edgeling.packages.text_c import template


def linux_files(shipment: Shipment) -> dict[str, str]:
    """Sources, a Makefile and a CMakeLists.txt."""
    name = shipment.name
    values = {"NAME": name, "UPPER": shipment.upper}
    command = template("c/command.c", {
        **values, "GLUE": glue(shipment) + _tables(shipment), "ANSWER": _answer(shipment), "START": started(shipment),
        "ABOUT": c_string(f"{shipment.answer} from {len(shipment.columns)} columns"),
        "LONGEST_NAME": str(max(len(column.name.encode("utf-8", "replace")) for column in shipment.columns) + 1),
    })  # fmt: skip
    return {
        **sources(shipment, "src", "src", always_text=True), "src/main.c": command,
        "Makefile": template("c/Makefile", values), "CMakeLists.txt": template("c/command.cmake", values),
    }  # fmt: skip


def _tables(shipment: Shipment) -> str:
    columns = shipment.columns
    wrong = [f"    {c_string('the column takes ' + _asked(held))}," for held in (c.held for c in columns)]
    kinds = [f"    {c_string(column.sentence)}," for column in columns]
    numbers = ", ".join("1" if column.held == "number" else "0" for column in columns)
    return (
        f"\nstatic const char *const {shipment.upper}_WRONG[] = {{\n" + "\n".join(wrong) + "\n};\n"
        f"static const char *const {shipment.upper}_KINDS[] = {{\n" + "\n".join(kinds) + "\n};\n"
        f"static const unsigned char {shipment.upper}_IS_NUMBER[] = {{{numbers}}};\n"
    )


def _asked(held: str) -> str:
    return {"number": "a number that a float holds", "category": "a category", "time": "a time of day, 17:30"}.get(
        held, "a date, 2024-05-31 or 2024-05-31 17:30"
    )


def _answer(shipment: Shipment) -> str:
    finite = " && ".join(f"all_finite(told_{i}, {port.type.size})" for i, port in enumerate(shipment.run.outputs))
    check = (
        "static int all_finite(const float *numbers, int count) {\n    int finite = 1;\n"
        "    for (int i = 0; i < count; i++) {\n        finite = finite && is_finite((double)numbers[i]);\n    }\n"
        f"    return finite;\n}}\n\nstatic int has_numbers(void) {{ return {finite}; }}\n\n"
    )
    body = _classes(shipment) if shipment.interface.decision else _numbers(shipment)
    reasons = _reasons(shipment) if shipment.why else ""
    return f"{check}/* Without the brace that ends it. */\nstatic void write_answer(int chosen) {{\n{body}{reasons}}}\n"


def _classes(shipment: Shipment) -> str:
    """The class and the probability of each."""
    share = "i ? told_0[0] : 1.0f - told_0[0]" if shipment.interface.decision == "threshold" else "told_0[i]"
    longest = max(len(label.encode("utf-8", "replace")) for label in shipment.labels) + 1
    return f"""    static char label[{longest}];
    {shipment.name}_label_name(chosen, label, (int)sizeof label);
    fputs("{{\\"answer\\": ", stdout);
    write_text(label);
    fputs(", \\"probabilities\\": {{", stdout);
    for (int i = 0; i < {len(shipment.labels)}; i++) {{
        const float share = {share};
        {shipment.name}_label_name(i, label, (int)sizeof label);
        write_numbers(label, &share, 1, i ? ", " : "");
    }}
    putchar('}}');
"""


def _numbers(shipment: Shipment) -> str:
    """One output as ``answer``, several by their names."""
    outputs = shipment.run.outputs
    if len(outputs) == 1:
        return f'    (void)chosen;\n    write_numbers("answer", told_0, {outputs[0].type.size}, "{{");\n'
    lines = ["    (void)chosen;", '    fputs("{\\"answers\\": {", stdout);']
    for i, port in enumerate(outputs):
        before = '", "' if i else '""'
        lines.append(f"    write_numbers({c_string(port.name)}, told_{i}, {port.type.size}, {before});")
    return "\n".join([*lines, "    putchar('}');\n"])


def _reasons(shipment: Shipment) -> str:
    assert shipment.why is not None
    columns, count = (port.type.size for port in shipment.why.outputs[1:])
    return f"""    for (int i = 0; i < {columns}; i++) {{
        fputs(i ? ", " : ", \\"attributions\\": {{", stdout);
        write_column(i);
        fputs(": ", stdout);
        write_number((double)attributions[i]);
    }}
    for (int k = 0; k < {count} && reasons[k] >= 0; k++) {{
        fputs(k ? ", " : "}}, \\"reasons\\": [", stdout);
        write_column((int)reasons[k]);
    }}
    fputs(reasons[0] >= 0 ? "]" : "}}, \\"reasons\\": []", stdout);
"""
