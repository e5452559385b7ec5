# SPDX-License-Identifier: Apache-2.0
"""The example next to a generated model: a ``main.c`` that calls it, and a Makefile that builds it."""

from __future__ import annotations

from edgeling.codegen.program import EntryPoint, Port
from edgeling.graph.types import DType

_MAIN = """\
/* An example: takes the inputs of {function} from the command line, in order (0 where none is given),
 * and prints its outputs, one a line. */
#include <stdio.h>
#include <stdlib.h>

#include "{name}.h"

int main(int count, char **words) {{
    static {name}_state state;
{declarations}
    int next = 1;
{init}{reads}
    {function}(&state, {arguments});
{prints}
    return 0;
}}
"""

_MAKEFILE = """\
# make && ./example NUMBERS...
CFLAGS ?= -std=c99 -O2 -Wall -Wextra

example: main.c {name}.c {name}.h
	$(CC) $(CFLAGS) main.c {name}.c -o example

clean:
	rm -f example
.PHONY: clean
"""


def example_files(name: str, entry: EntryPoint, has_init: bool) -> dict[str, str]:
    """``main.c`` and ``Makefile`` for an entry point.

    They use the C library of the machine they are built on, so they are no part of the program itself.
    """
    inputs = [(f"in_{i}", port) for i, port in enumerate(entry.inputs)]
    outputs = [(f"out_{i}", port) for i, port in enumerate(entry.outputs)]
    declarations = [f"    static {p.type.dtype.c_name} {c}[{p.type.size}]; /* {p.name} */" for c, p in inputs + outputs]
    main = _MAIN.format(
        name=name,
        function=entry.function,
        declarations="\n".join(declarations),
        init=f"    {name}_init(&state);\n" if has_init else "",
        reads="\n".join(_read(c, p) for c, p in inputs),
        arguments=", ".join(c for c, _ in inputs + outputs),
        prints="\n".join(_print(c, p) for c, p in outputs),
    )
    return {"main.c": main, "Makefile": _MAKEFILE.format(name=name)}


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
