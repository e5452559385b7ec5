# SPDX-License-Identifier: Apache-2.0
"""Programs of large steps, found again by what their graphs compute: to write a ResNet's C takes a tenth of a second.

They lie beside the libraries that are compiled of them, and are believed as those are: no other user can have written
them, and their hash is right.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from edgeling.codegen.program import Program
from edgeling.graph.fingerprint import fingerprint
from edgeling.graph.types import Graph, bodies
from edgeling.toolchain.cache import get_or_make, key_of

WORTH_STORING = 100
"""Nodes. The C of fewer is written in the time that it takes to look for it."""
_WRITERS = ("codegen", "graph", "passes", "targets", "training")  # rooms whose code decides what the C is
_SOURCES = {".py", ".h", ".c"}


def stored_program(told: str, graphs: Iterable[Graph], make: Callable[[], Program]) -> Program:
    """The program that ``make`` gives; where its graphs are large, as it was given before.

    Args:
        told: what it depends on beside its graphs.

    Raises:
        ToolchainError: the cache takes no files; and whatever ``make`` raises.
    """
    graphs = list(graphs)
    if sum(map(_size, graphs)) < WORTH_STORING:
        return make()

    def write(_: Path, result: Path) -> None:
        result.write_bytes(pickle.dumps(make()))

    key = key_of(["program", _state_of_writers(), told, *map(_form, graphs)])
    program = pickle.loads(get_or_make(key, "program.pickle", write).read_bytes())
    assert isinstance(program, Program)
    return program


def _size(graph: Graph) -> int:
    """Nodes, those of bodies too."""
    return sum(1 + sum(map(_size, bodies(node).values())) for node in graph.nodes)


def _form(graph: Graph) -> str:
    """What a graph computes, whatever its variables hold: no C depends on that."""
    empty = {name: np.zeros_like(contents) for name, contents in graph.variables.items()}
    return fingerprint(replace(graph, variables=empty))


@cache
def _state_of_writers() -> str:
    """Another wherever a file of theirs has changed: also while somebody works on them."""
    home = Path(__file__).parents[1]
    sources = [path for room in _WRITERS for path in sorted((home / room).rglob("*.*")) if path.suffix in _SOURCES]
    states = [(path.relative_to(home).as_posix(), path.stat()) for path in sources]
    return repr([(name, state.st_size, state.st_mtime_ns) for name, state in states])
