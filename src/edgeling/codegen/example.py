# SPDX-License-Identifier: Apache-2.0
"""The example next to a generated model: a ``main.c`` that calls it, and a Makefile that builds it.

They stand in a folder of their own, for build systems take every C file beside the model's into the firmware.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edgeling.codegen.facts import c_string
from edgeling.codegen.program import EntryPoint, Port
from edgeling.codegen.text import comment
from edgeling.graph.types import DType, TensorType

FOLDER = "example"

_MAIN = """\
/* An example: takes the inputs of {function} from the command line, in order (0 where none is given),
 * and prints its outputs, one a line. */
#include <stdio.h>
#include <stdlib.h>

#include "{name}.h"

int main(int count, char **words) {{
{declarations}
    int next = 1;
{init}{reads}
{calls}
{prints}
    return 0;
}}
"""

_MAKEFILE = """\
# make && ./example NUMBERS...
CFLAGS ?= -std=c99 -O2 -Wall -Wextra

example: main.c ../{name}.c ../{name}.h
	$(CC) $(CFLAGS) -I.. main.c ../{name}.c -o example

clean:
	rm -f example
.PHONY: clean
"""


def example_files(name: str, entry: EntryPoint, initializer: str) -> dict[str, str]:
    """``main.c`` and ``Makefile`` for an entry point.

    They use the C library of the machine they are built on, so they are no part of the program itself.
    """
    inputs = [(f"in_{i}", port) for i, port in enumerate(entry.inputs)]
    outputs = [(f"out_{i}", port) for i, port in enumerate(entry.outputs)]
    said = inputs, outputs
    before, after = "", ""
    buffers = inputs + outputs
    if _is_stored(entry):
        said = [("values", _as_float(inputs[0][1]))], [("answers", _as_float(outputs[0][1]))]
        before, after = _checked(name, f"{name}_quantize(values, in_0)"), f"    {name}_dequantize(out_0, answers);\n"
        buffers = [*said[0], *buffers, *said[1]]
    owned = entry.memory(f"    static {name}_weights weights;", f"    static {name}_arena arena;")
    arguments = [*entry.memory("&weights", "&arena"), *(c for c, _ in inputs + outputs)]
    call = f"{entry.function}({', '.join(arguments)})"
    run = _checked(name, call) if entry.returns == "int" else f"    {call};\n"
    main = _MAIN.format(
        name=name,
        function=entry.function,
        declarations="\n".join(
            [
                *owned,
                *(
                    f"    static {p.type.dtype.c_name} {c}[{p.type.size}]; {comment([p.name])}".rstrip("\n")
                    for c, p in buffers
                ),
            ]
        ),
        init=f"    {name}_{initializer}(&weights);\n" if initializer and entry.weights else "",
        reads="\n".join(_read(c, p) for c, p in said[0]),
        calls=f"{before}{run}{after}".rstrip("\n"),
        prints="\n".join(_print(c, p) for c, p in said[1]),
    )
    return {f"{FOLDER}/main.c": main, f"{FOLDER}/Makefile": _MAKEFILE.format(name=name)}


def _is_stored(entry: EntryPoint) -> bool:
    """Whether a deployed network's buffers hold int8: then there are functions that convert."""
    one = len(entry.inputs) == len(entry.outputs) == 1
    return one and entry.returns == "int" and entry.inputs[0].type.dtype is DType.INT8


def _as_float(port: Port) -> Port:
    return Port(port.name, TensorType(port.type.shape))


def _checked(name: str, call: str) -> str:
    return (
        f"    if ({call} != {name.upper()}_OK) {{\n"
        f'        fprintf(stderr, "an input has no answer: it is NaN or infinite\\n");\n        return 1;\n    }}\n'
    )


def _read(c_name: str, port: Port) -> str:
    word = f"({port.type.dtype.c_name})strtod(words[next], NULL)"
    return (
        f"    for (int i = 0; i < {port.type.size} && next < count; i++, next++) {{\n"
        f"        {c_name}[i] = {word};\n    }}"
    )


def _print(c_name: str, port: Port) -> str:
    style, cast = ("%.7g", "(double)") if port.type.dtype is DType.FLOAT32 else ("%ld", "(long)")
    return (
        f'    for (int i = 0; i < {port.type.size}; i++) {{\n        printf("{style}\\n", {cast}{c_name}[i]);\n    }}'
    )


_REASONS = """\
/* An example: takes a row from the command line, as main.c does, and prints the answer and the reasons for it. */
#include <stdio.h>
#include <stdlib.h>

#include "{name}.h"

static const char *const columns[{columns}] = {{
{names}
}};

int main(int count, char **words) {{
{arena}    static float input[{columns}], output[{outputs}], attributions[{columns}];
    static int32_t reasons[{reasons}];
    for (int i = 0; i < {columns} && i + 1 < count; i++) {{
        input[i] = (float)strtod(words[i + 1], NULL);
    }}
    if ({call} != {upper}_OK) {{
        fprintf(stderr, "an input has no answer: it is NaN or infinite\\n");
        return 1;
    }}
    for (int i = 0; i < {outputs}; i++) {{
        printf("%.7g\\n", (double)output[i]);
    }}
    for (int k = 0; k < {reasons} && reasons[k] >= 0; k++) {{
        printf("because of %s: %+.3g\\n", columns[reasons[k]], (double)attributions[reasons[k]]);
    }}
    return 0;
}}
"""


def with_reasons(files: Mapping[str, str], name: str, entry: EntryPoint, names: Sequence[str]) -> dict[str, str]:
    """The example's files with one that prints reasons by the columns' names."""
    (x,), (y, _, told) = entry.inputs, entry.outputs
    known = names or [f"column {i}" for i in range(x.type.size)]
    given = ", ".join([*entry.memory("", "&arena"), "input", "output", "attributions", "reasons"])
    program = _REASONS.format(
        name=name, upper=name.upper(), columns=x.type.size, outputs=y.type.size, reasons=told.type.size,
        names="\n".join(f"    {c_string(each)}," for each in known).rstrip(","),
        arena=f"    static {name}_arena arena;\n" if entry.takes_arena else "",
        call=f"{entry.function}({given})",
    )  # fmt: skip
    build = files[f"{FOLDER}/Makefile"].replace("\nclean:", _REASONS_TARGET.format(name=name) + "\nclean:")
    build = build.replace("rm -f example\n", "rm -f example reasons\n")
    return {**files, f"{FOLDER}/reasons.c": program, f"{FOLDER}/Makefile": build}


_REASONS_TARGET = """
reasons: reasons.c ../{name}.c ../{name}.h
	$(CC) $(CFLAGS) -I.. reasons.c ../{name}.c -o reasons
"""
