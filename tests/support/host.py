# SPDX-License-Identifier: Apache-2.0
"""Generated C as a program of this machine that reads its inputs and writes its outputs."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgeling.codegen.program import EntryPoint, Port, Program

_DRIVER = """\
#include <stdio.h>
#include <stdlib.h>
#include "%(name)s.h"

static void *filled(size_t size) {
    void *memory = malloc(size);
    if (memory == NULL || fread(memory, 1, size, stdin) != size) exit(2);
    return memory;
}

int main(void) {
%(body)s
    return 0;
}
"""


def driver(program: Program) -> str:
    """``main``, C and C++: the weights are read first, then the inputs of each entry."""
    kinds = {"weights": ("filled", program.weights_bytes), "arena": ("malloc", program.arena_bytes)}
    lines = []
    for what, (how, size) in kinds.items():
        kind = f"{program.name}_{what}"
        lines += [f"    {kind} *{what} = ({kind} *){how}(sizeof({kind}));"] if size else []
    lines += [f"    {{\n{_one_call(entry)}    }}" for entry in program.entries]
    lines += [f"    free({what});" for what, (_, size) in kinds.items() if size]
    return _DRIVER % {"name": program.name, "body": "\n".join(lines)}


def _one_call(entry: EntryPoint) -> str:
    """Every argument in a block of exactly its size, so that the sanitizer sees the first byte beyond."""
    ins, outs = ([(f"{kind}{i}", p) for i, p in enumerate(ports)] for kind, ports in
                 (("in", entry.inputs), ("out", entry.outputs)))  # fmt: skip
    lines = [f"{_type(p)} *{c} = ({_type(p)} *)filled({p.type.bytes});" for c, p in ins]
    lines += [f"{_type(p)} *{c} = ({_type(p)} *)malloc({p.type.bytes});" for c, p in outs]
    lines += [f"{entry.function}({', '.join([*entry.memory('weights', 'arena'), *(c for c, _ in ins + outs)])});"]
    lines += [f"fwrite({c}, 1, {p.type.bytes}, stdout);" for c, p in outs]
    lines += [f"free({c});" for c, _ in ins + outs]
    return "".join(f"        {line}\n" for line in lines)


def _type(port: Port) -> str:
    return port.type.dtype.c_name


def write(files: Mapping[str, str], folder: Path) -> None:
    """Files, in folders of their own where their names say so."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")


def answers(program: Program, command: Sequence[str], fed: bytes, folder: Path) -> bytes:
    """What the program writes; AssertionError where it does not end well."""
    write({**program.files, "driver.c": driver(program)}, folder)
    subprocess.run([*command, "driver.c", f"{program.name}.c", "-o", "driver"], cwd=folder, check=True)
    done = subprocess.run([folder / "driver"], input=fed, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[:2000]
    return done.stdout


def links(command: Sequence[str]) -> bool:
    """Whether a compiler has the libraries that its flags ask for."""
    nothing = "#include <stdio.h>\nint main(void) { return 0; }\n"
    made = subprocess.run(
        [*command, "-x", "c", "-", "-o", "/dev/null"], input=nothing, text=True, capture_output=True, check=False
    )
    return made.returncode == 0
