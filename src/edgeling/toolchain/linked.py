# SPDX-License-Identifier: Apache-2.0
"""Kernels compiled once a machine, for programs that run in this process.

A program is a list of calls. Compiled whole, its kernels are inlined into it and specialised for its sizes, which takes
a compiler half a second a layer. Here each kernel is an object file of its own, made when a program first calls it and
kept in the cache; the list of calls alone is compiled, in hundredths of a second. Sizes are then arguments; what
chooses code and not lengths (an activation, how an operand is broadcast) still is part of the object's name:
``edgeling_add(R, C, EDGELING_FULL, EDGELING_ROW, a, b, y)`` calls
``edgeling_linked_add_EDGELING_FULL_EDGELING_ROW(R, C, a, b, y)``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from edgeling.codegen.generate import kernel_text

_DEFINITION = re.compile(r"^(?:EDGELING_KERNEL|static inline) void edgeling_(\w+)\(([^)]*)\)\s*\{", re.MULTILINE)
_CALL = re.compile(r"\bedgeling_(\w+)\(([^;]*)\);")
_WORD = re.compile(r"\bEDGELING_[A-Z0-9_]+\b")
_CHOOSING = re.compile(r"\w*function|fill_mode|interpolation|layout\w*")  # parameters that choose code


@dataclass(frozen=True)
class Kernel:
    """A kernel's signature: the header it stands in, and (type, name) of its parameters."""

    header: str
    name: str
    parameters: tuple[tuple[str, str], ...]

    @property
    def choosing(self) -> tuple[int, ...]:
        """Which parameters choose code."""
        return tuple(i for i, (_, name) in enumerate(self.parameters) if _CHOOSING.fullmatch(name))


@dataclass(frozen=True)
class Specialised:
    """A kernel with what chooses its code."""

    kernel: Kernel
    words: tuple[str, ...]

    @property
    def symbol(self) -> str:
        """The object's one function."""
        return "_".join(["edgeling_linked", self.kernel.name, *self.words])

    @property
    def prototype(self) -> str:
        """Its declaration, without the semicolon; hidden, so that a call is no detour."""
        left = [f"{kind}{name}" for i, (kind, name) in enumerate(self.kernel.parameters) if i not in self._chosen]
        return f'__attribute__((visibility("hidden"))) void {self.symbol}({", ".join(left)})'

    @property
    def unit(self) -> str:
        """The C source of the object."""
        names = [self._chosen.get(i, name) for i, (_, name) in enumerate(self.kernel.parameters)]
        call = f"edgeling_{self.kernel.name}({', '.join(names)});"
        return f'#include "edgeling/{self.kernel.header}.h"\n{self.prototype};\n{self.prototype} {{ {call} }}\n'

    @property
    def _chosen(self) -> dict[int, str]:
        return dict(zip(self.kernel.choosing, self.words, strict=True))


def linked(program_files: Mapping[str, str]) -> tuple[dict[str, str], tuple[Specialised, ...]]:
    """A program's files with declarations for kernels, and the kernels it calls."""
    called = tuple(dict.fromkeys(_called(program_files)))
    headers = {call.kernel.header for call in called}
    declared = {f"edgeling/{header}.h" for header in (*headers, "dense_gemm")}
    texts = {path: '#include "linked.h"\n' if path in declared else text for path, text in program_files.items()}
    kept = [path for path in ("flash", "elementary", "parallel") if f"edgeling/{path}.h" in program_files]
    return {**texts, "edgeling/linked.h": _declarations(called, kept)}, called


@cache
def kernels() -> Mapping[str, Kernel]:
    """Every kernel there is, by name."""
    found = {}
    for resource in files("edgeling.codegen").joinpath("kernels").iterdir():
        header = resource.name.removesuffix(".h")
        for name, parameters in _DEFINITION.findall(kernel_text(header)):
            found[name] = Kernel(header, name, tuple(map(_parameter, parameters.split(","))))
    return found


def _parameter(text: str) -> tuple[str, str]:
    """``const float *x`` as its type and its name."""
    words = " ".join(text.split()).split("[")[0]  # an array parameter is a pointer
    start = re.search(r"\w+$", words)
    assert start
    return words[: start.start()] + ("*" if "[" in text else ""), start[0]


def _called(program_files: Mapping[str, str]) -> Iterator[Specialised]:
    for path, text in program_files.items():
        if path.endswith(".c"):
            for name, arguments in _CALL.findall(text):
                if name in kernels():
                    kernel = kernels()[name]
                    yield Specialised(kernel, tuple(_WORD.findall(arguments))[: len(kernel.choosing)])


def _declarations(called: tuple[Specialised, ...], kept: Sequence[str]) -> str:
    redirected = "".join(_redirection(kernel) for kernel in dict.fromkeys(call.kernel for call in called))
    prototypes = "".join(f"{call.prototype};\n" for call in called)
    included = "".join(f'#include "{header}.h"\n' for header in ("common", *kept))
    return f"#ifndef EDGELING_LINKED_H\n#define EDGELING_LINKED_H\n{included}{prototypes}{redirected}#endif\n"


def _redirection(kernel: Kernel) -> str:
    names = [f"p{i}" for i in range(len(kernel.parameters))]
    symbol = "##_##".join([f"edgeling_linked_{kernel.name}", *(names[i] for i in kernel.choosing)])
    left = [name for i, name in enumerate(names) if i not in kernel.choosing]
    return f"#define edgeling_{kernel.name}({', '.join(names)}) {symbol}({', '.join(left)})\n"
