# SPDX-License-Identifier: Apache-2.0
"""What code generation hands to the toolchain: C files and how to call them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from edgeling.graph.types import TensorType

WEIGHTS, ARENA, ROWS = "weights", "arena", "rows"  # the arguments' names


@dataclass(frozen=True)
class Part:
    """One value among those of a :class:`Pack`: what it is called, its type, and the element it begins at."""

    name: str
    type: TensorType
    offset: int


@dataclass(frozen=True)
class Pack:
    """Values of a graph that its caller handles as one array of floats, one after the other.

    Attributes:
        name: of the argument.
        parts: what each of them is called, for people.
        of: they are the graph's first inputs, or its last outputs.
    """

    name: str
    parts: tuple[str, ...]
    of: Literal["inputs", "outputs"]


@dataclass(frozen=True)
class Port:
    """One argument of an entry point: a pointer to ``type.size`` contiguous elements of ``type.dtype.c_name``.

    Attributes:
        parts: of several values that are handed over as one; else empty.
    """

    name: str
    type: TensorType
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class EntryPoint:
    """A C function ``function(weights, arena, const IN *in..., OUT *out...)``, inputs first, in order.

    Attributes:
        returns: ``void``, or ``int``: the status of a deployed network's functions.
        weights: whether the first argument is ``const NAME_weights *`` (``"read"``), ``NAME_weights *``
            (``"updated"``), or left out.
        takes_arena: whether the next is ``NAME_arena *``.
        takes_rows: whether the next is ``int rows``, how many rows there are; the ports' types say how many at most.
    """

    function: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    returns: str = "void"
    weights: Literal["", "read", "updated"] = ""
    takes_arena: bool = False
    takes_rows: bool = False

    def memory(self, weights: str, arena: str) -> list[str]:
        """Of these two arguments, those it takes."""
        return [*([weights] if self.weights else []), *([arena] if self.takes_arena else [])]

    def memory_types(self, program: str) -> list[str]:
        """Their C types."""
        const = "const " if self.weights == "read" else ""
        return self.memory(f"{const}{program}_weights *", f"{program}_arena *")


@dataclass(frozen=True)
class Program:
    """Freestanding C99 ready to compile.

    Attributes:
        name: C identifier; ``NAME.h`` and ``NAME.c`` are among the files.
        files: relative path to text. Kernel headers lie under ``edgeling/``.
        examples: files that go beside them for people (under ``example/``), no part of the program.
        entries: the graphs' functions.
        weights_bytes: of ``NAME_weights``, the struct of what outlives a call: the graphs' variables. 0: there is none.
        arena_bytes: of ``NAME_arena``, the scratch of whichever function needs most. 0: there is none. Both are made
            of 4-byte words, so they are as large on every target.
        constant_bytes: constants and tables, which live in flash.
        variable_offsets: byte offset in the weights of every variable, in order.
        initializer: the function ``void NAME_init(NAME_weights *weights)`` that fills them; empty if there is none, and
            the caller does.
        extras: the functions of a deployed network beside its run.
        model_hash: of a deployed network: SHA-256 of its graph and weights.
        learns: whether it learns on the device: then it is measured with ``NAME_run`` and ``NAME_learn`` in it.
    """

    name: str
    files: Mapping[str, str]
    entries: tuple[EntryPoint, ...]
    weights_bytes: int
    arena_bytes: int
    constant_bytes: int
    variable_offsets: Mapping[str, int] = field(default_factory=dict)
    examples: Mapping[str, str] = field(default_factory=dict)
    initializer: str = ""
    extras: tuple[EntryPoint, ...] = ()
    model_hash: str = ""
    learns: bool = False

    @property
    def main_functions(self) -> tuple[str, ...]:
        """Functions that a device has in any case, called or not."""
        return (f"{self.name}_run", f"{self.name}_learn") if self.learns else ()

    @property
    def files_and_examples(self) -> dict[str, str]:
        """What a folder for people holds: relative path to text."""
        return {**self.files, **self.examples}
