# SPDX-License-Identifier: Apache-2.0
"""What code generation hands to the toolchain: C files and how to call them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edgeling.graph.types import TensorType


@dataclass(frozen=True)
class Port:
    """One argument of an entry point: a pointer to ``type.size`` contiguous elements of ``type.dtype.c_name``."""

    name: str
    type: TensorType


@dataclass(frozen=True)
class EntryPoint:
    """A C function ``function(NAME_state *state, const IN *in..., OUT *out...)``, inputs first, in order.

    Attributes:
        returns: ``void``, or ``int``: the status of a deployed network's functions.
        takes_state: whether there is a first argument ``state``.
    """

    function: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    returns: str = "void"
    takes_state: bool = True


@dataclass(frozen=True)
class Program:
    """Freestanding C99 ready to compile.

    Attributes:
        name: C identifier; ``NAME.h`` and ``NAME.c`` are among the files, and ``NAME_state`` is the state struct
            (an array of 4-byte words, so its size is ``state_bytes`` on every target).
        files: relative path to text. Kernel headers lie under ``edgeling/``.
        examples: files that go beside them for people (under ``example/``), no part of the program.
        entries: the graphs' functions.
        state_bytes: variables plus arena, what the caller must own.
        arena_bytes: the scratch part of the state.
        constant_bytes: weights and tables, which live in flash.
        variable_offsets: byte offset in the state of every variable, in order.
        initializer: the function ``void NAME_init(NAME_state *state)`` that fills them; empty if there is none, and the
            caller does.
        extras: the functions of a deployed network beside its run.
        model_hash: of a deployed network: SHA-256 of its graph and weights.
    """

    name: str
    files: Mapping[str, str]
    entries: tuple[EntryPoint, ...]
    state_bytes: int
    arena_bytes: int
    constant_bytes: int
    variable_offsets: Mapping[str, int] = field(default_factory=dict)
    examples: Mapping[str, str] = field(default_factory=dict)
    initializer: str = ""
    extras: tuple[EntryPoint, ...] = ()
    model_hash: str = ""

    @property
    def files_and_examples(self) -> dict[str, str]:
        """What a folder for people holds: relative path to text."""
        return {**self.files, **self.examples}
