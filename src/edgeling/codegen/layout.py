# SPDX-License-Identifier: Apache-2.0
"""What a program keeps: its struct of weights (the variables) and its constant tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from edgeling.codegen.memory import WORD_BYTES, words_of
from edgeling.codegen.names import Names, identifier
from edgeling.codegen.text import initializer, shape_text, wrap_code
from edgeling.errors import GraphError
from edgeling.graph.types import Array, DType, Graph, TensorType


@dataclass(frozen=True)
class Member:
    """One variable in the struct of weights: its C name, type, byte offset and initial contents."""

    c_name: str
    type: TensorType
    offset: int
    initial: Array


def weight_members(graphs: Iterable[Graph]) -> dict[str, Member]:
    """The variables of all graphs in order of first appearance; those of one name are one variable.

    Raises:
        GraphError: two graphs give one name different types.
    """
    members: dict[str, Member] = {}
    names, offset = Names(), 0
    for graph in graphs:
        for name, initial in graph.variables.items():
            kind = graph.types[name]
            if name not in members:
                members[name] = Member(names.take(name), kind, offset, initial)
                offset += words_of(kind) * WORD_BYTES
            elif members[name].type != kind:
                raise GraphError(
                    f"variable {name!r} has one type in every graph", received=str(kind),
                    remedy="give the variable the same type in both",
                )  # fmt: skip
    return members


@dataclass
class Tables:
    """The ``static const`` arrays of a file, and its parts of calls.

    Equal weights are kept once, and so are equal tables under one name.
    Their names begin with the program's, so that the sources of two programs may be compiled as one.
    ``parameters_in_flash``: every parameter of every kernel is such an array, so all of those may stay in flash.
    ``layers_shared``: the file's functions run the same layers, as learning does what answers do.
    """

    names: Names
    program: str
    parameters_in_flash: bool
    layers_shared: bool = False
    _texts: list[str] = field(default_factory=list)
    _known: dict[tuple[str, str, bytes], str] = field(default_factory=dict)
    bytes: int = 0

    def constant(self, name: str, array: Array, parameter: bool) -> str:
        """The C name of a constant's array, added on first use; ``parameter``: a kernel reads it as one."""
        kind = TensorType(array.shape, DType.of(array))
        # Zeros of two layers are equal by chance: trained they are not, and ``tune`` asks before that what they take.
        by_chance = array.size == 0 or bool(np.all(array == array.flat[0]))
        return self._once(name, kind.dtype.c_name, array, shape_text(kind), parameter, named=by_chance)

    def table(self, name: str, c_type: str, numbers: Sequence[int]) -> str:
        """The C name of an array of integers that a kernel needs beside its tensors."""
        stored = np.asarray(numbers, np.int8 if c_type == "int8_t" else np.int32)
        return self._once(name, c_type, stored, f"[{len(numbers)}]", True, named=True)

    def _once(self, name: str, c_type: str, array: Array, shape: str, parameter: bool, *, named: bool) -> str:
        place = "EDGELING_FLASH" if parameter and self.parameters_in_flash else "EDGELING_CONSTANT"
        key = (name if named else "", f"{c_type} {place} {shape}", array.tobytes())
        if key not in self._known:
            self._known[key] = self._add(name, c_type, place, array, shape)
        return self._known[key]

    def _add(self, name: str, c_type: str, place: str, array: Array, shape: str) -> str:
        c_name = self.names.take(f"{self.program}_{identifier(name)}")
        head = f"static const {c_type} {c_name}[{array.size}] {place}"
        self._texts.append(f"{head} = {initializer(array)}; /* {shape} */\n")
        self.bytes += array.nbytes
        return c_name

    def task(self, statement: str) -> str:
        """The C name of a function that does this for elements ``[first, first + count)`` of ``arrays``."""
        key = ("", "task", statement.encode())
        if key not in self._known:
            c_name = self._known[key] = self.names.take(f"{self.program}_part")
            body = wrap_code(statement, "    ")
            head = f"static void {c_name}(void *const *arrays, int first, int count)"
            self._texts.append(f"{head} {{\n{body}\n}}\n")
        return self._known[key]

    def loop(self, lines: Sequence[str]) -> str:
        """The C name of a function that does this for a part of a loop's rows; ``arrays`` is what it is handed."""
        c_name, arena = self.names.take(f"{self.program}_rows"), f"{self.program}_arena"
        head = f"static void {c_name}(const void *work, int part, int thread)"
        handed = ["void *const *const arrays = (void *const *)work;", f"{arena} *const arena = ({arena} *)arrays[0];"]
        body = "\n".join(wrap_code(line, "    ") for line in (*handed, "(void)thread;", *lines))
        self._texts.append(f"{head} {{\n{body}\n}}\n")
        return c_name

    def shared(self, name: str, parameters: Sequence[str], statement: str) -> str:
        """The C name of a function of these parameters that does this, one for all calls."""
        key = (name, ", ".join(parameters), statement.encode())
        if key not in self._known:
            c_name = self._known[key] = self.names.take(f"{self.program}_{name}")
            head = wrap_code(f"EDGELING_SHARED void {c_name}({', '.join(parameters)})")
            self._texts.append(f"{head} {{\n{wrap_code(statement, '    ')}\n}}\n")
        return self._known[key]

    @property
    def text(self) -> str:
        """The definitions, in the order of first use."""
        return "\n".join(self._texts)
