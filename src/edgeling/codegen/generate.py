# SPDX-License-Identifier: Apache-2.0
"""From graphs to a C program."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from functools import cache
from importlib.resources import files

import numpy as np

from edgeling.codegen.calls import may_be_held, parameters_of
from edgeling.codegen.example import example_files, with_reasons
from edgeling.codegen.extras import Extra, extras
from edgeling.codegen.facts import LEARNING_RESERVED, RESERVED
from edgeling.codegen.function import Function, write_function
from edgeling.codegen.header import Memory, header, init_prototype
from edgeling.codegen.interface import Interface, LearningInterface
from edgeling.codegen.layout import Member, Tables, weight_members
from edgeling.codegen.learning import guard_bytes, learning_extras
from edgeling.codegen.memory import WORD_BYTES, words_of
from edgeling.codegen.names import Names, identifier
from edgeling.codegen.program import EntryPoint, Pack, Program
from edgeling.codegen.reasons import SUFFIX as REASONS
from edgeling.codegen.reasons import reasons_extra
from edgeling.codegen.text import initializer, literal
from edgeling.errors import GraphError
from edgeling.graph.fingerprint import fingerprint
from edgeling.graph.types import DType, Graph, bodies
from edgeling.targets import Target

RUN, EXPLAIN = "run", "explain"

_IN_RAM = """\
#ifdef EDGELING_READS_FLASH
#error "compile this file apart from programs whose constants are read from flash"
#endif
#define EDGELING_PARAMETERS_IN_RAM
"""

# The kernels of two versions carry the same names: mixing them must not pass in silence.
_ONE_VERSION = """\
#if EDGELING_KERNELS != %s
#error "these kernels are of another version of Edgeling: compile each model apart, with its own edgeling/ beside it"
#endif
"""


def generate(
    graphs: Graph | Mapping[str, Graph],
    name: str,
    *,
    initial_values: bool = False,
    target: Target | None = None,
    interface: Interface | None = None,
    packs: Mapping[str, Pack] | None = None,
    more_rows: Mapping[str, Graph] | None = None,
) -> Program:
    """Write graphs as one freestanding C99 program.

    Args:
        graphs: one graph, which becomes ``NAME_run``; or several by suffix, which become ``NAME_SUFFIX``, share the
            variables that have the same name, and share one arena.
        name: a C identifier; files, functions and structs carry it.
        initial_values: also write ``NAME_init``, which fills the variables, if there are any. Big variables make big
            source text.
        target: whose kernels are called; None: C for any compiler and core.
        interface: for a graph that is to be deployed, the only one or that of the suffix ``run``: the header tells all
            about it, its function returns a status, as those of the others do, and functions for its users stand
            beside it.
        packs: by suffix, values that the caller handles as one array.
        more_rows: by suffix, the same graph for more rows. Where it gives the same C, the function is right for any
            number of rows up to its graph's, and takes it as an argument (``EntryPoint.takes_rows``).

    Raises:
        GraphError: ``name`` is no identifier, or two graphs disagree about a variable.
        UnsupportedError: an operation has no kernel.
    """
    if identifier(name) != name:
        raise GraphError("a program's name is a C identifier", received=repr(name), remedy=identifier(name))
    entries = {RUN: graphs} if isinstance(graphs, Graph) else dict(graphs)
    members = weight_members(entries.values())
    learning = interface.learning if interface else None
    in_flash = all(_reads_constants_only(graph, beside=learning is not None) for graph in entries.values())
    tables = Tables(Names(), name, in_flash, learning is not None)
    for suffix in {*_reserved(interface), *entries}:
        tables.names.take(f"{name}_{suffix}")
    functions = {
        suffix: _for_any_rows(graph, (more_rows or {}).get(suffix), f"{name}_{suffix}", name, members, tables, target)
        or write_function(
            graph, f"{name}_{suffix}", name, members, tables, target,
            interface if interface is None or suffix == RUN else interface.beside(entries[RUN], graph),
            (packs or {}).get(suffix),
        )
        for suffix, graph in entries.items()
    }  # fmt: skip
    more = _beside(name, entries[RUN], functions, interface, tables) if interface else []
    needed = max(f.plan.words for f in functions.values()) * WORD_BYTES
    if learning:
        more += _learning(name, entries, functions, members, learning, needed)
        needed += guard_bytes(members, learning)
    initializer = interface.initializer if interface else "init"
    start = initializer if initial_values and members else ""
    return _program(name, entries, functions, members, tables, needed, start, interface, more)


def _learning(
    name: str, graphs: Mapping[str, Graph], functions: Mapping[str, Function], members: Mapping[str, Member],
    learning: LearningInterface, arena_bytes: int,
) -> list[Extra]:  # fmt: skip
    """What a program that learns offers; its records are known by all of its graphs."""
    model = hashlib.sha256("".join(map(fingerprint, graphs.values())).encode()).hexdigest()
    return learning_extras(name, model, functions, members, learning, arena_bytes)


def _beside(
    name: str, run: Graph, functions: Mapping[str, Function], interface: Interface, tables: Tables
) -> list[Extra]:
    """What a deployed graph offers beside its run."""
    more = extras(functions[RUN].entry, run, interface, tables, name)
    if interface.reasons:
        more.append(reasons_extra(name, functions[RUN].entry, functions[EXPLAIN].entry, interface))
    return more


def _reserved(interface: Interface | None) -> set[str]:
    """Suffixes of functions that may stand beside those of the graphs."""
    learning = LEARNING_RESERVED if interface and interface.learning else ()
    return {*RESERVED, *learning, *([REASONS] if interface and interface.reasons else [])}


def _for_any_rows(
    graph: Graph, more: Graph | None, function: str, program: str, members: Mapping[str, Member], tables: Tables,
    target: Target | None,
) -> Function | None:  # fmt: skip
    """A function of any number of rows, if what is written for more rows differs in nothing but where things lie."""
    if more is None or any(node.operation == "scan" for node in graph.nodes):  # loops are over a number of rows
        return None
    written = write_function(graph, function, program, members, tables, target, any_rows=True)
    others = deepcopy(tables)
    other = write_function(more, function, program, members, others, target, any_rows=True)
    same = _anywhere(written.body) == _anywhere(other.body) and others.text == tables.text
    return written if same else None


def _anywhere(text: str) -> str:
    """C without places in the arena, and without comments, which say shapes."""
    return re.sub(r"(?<=arena->words)\[\d+\]|/\*.*?\*/|\s+", "", text)


def _reads_constants_only(graph: Graph, beside: bool) -> bool:
    """Whether every parameter of every kernel is a constant, in bodies too.

    Args:
        beside: kernels that are there for both do not count.
    """
    here = all(
        (beside and may_be_held(node)) or all(node.inputs[i] in graph.constants for i in parameters_of(node))
        for node in graph.nodes
    )
    return here and all(_reads_constants_only(body, False) for node in graph.nodes for body in bodies(node).values())


def _program(
    name: str,
    graphs: Mapping[str, Graph],
    functions: Mapping[str, Function],
    members: Mapping[str, Member],
    tables: Tables,
    arena_bytes: int,
    initializer: str,
    interface: Interface | None,
    more: Sequence[Extra],
) -> Program:
    weights_bytes = sum(words_of(m.type) for m in members.values()) * WORD_BYTES
    init = _init(name, members, initializer, tables.parameters_in_flash) if initializer else ""
    memory = Memory(members, weights_bytes, arena_bytes, tables.bytes)
    headers = set().union(*(f.headers for f in functions.values()), *(extra.headers for extra in more))
    headers |= {"flash"} if "edgeling_read_float" in init else set()
    bodies = [init, *(f.body for f in functions.values()), *(extra.definition for extra in more)]
    texts = {
        f"{name}.h": header(name, graphs, functions, memory, initializer, interface, more),
        f"{name}.c": _source(name, headers, tables, bodies, _ONE_VERSION % kernels_version() if interface else ""),
        **kernel_files({"common", *headers}),
    }
    first = functions[next(iter(functions))].entry
    guarded = tuple(extra.entry for extra in more if extra.entry.function == f"{name}_learn")
    return Program(
        name, texts, (*(f.entry for f in functions.values()), *guarded), weights_bytes, arena_bytes, tables.bytes,
        {variable: m.offset for variable, m in members.items()},
        _examples(name, first, initializer, interface, more), f"{name}_{initializer}" if init else "",
        tuple(extra.entry for extra in more if extra.entry not in guarded),
        fingerprint(graphs[RUN]) if interface else "",
        learns=bool(interface and interface.learning),
    )  # fmt: skip


def _examples(
    name: str, entry: EntryPoint, initializer: str, interface: Interface | None, more: Sequence[Extra]
) -> dict[str, str]:
    files = example_files(name, entry, initializer)
    why = next((extra.entry for extra in more if extra.entry.function == f"{name}_{REASONS}"), None)
    return with_reasons(files, name, why, interface.input_names) if why and interface else files


def _source(name: str, headers: Iterable[str], tables: Tables, bodies: Sequence[str], check: str) -> str:
    includes = "".join(f'#include "edgeling/{header}.h"\n' for header in sorted(headers))
    place = "" if tables.parameters_in_flash else _IN_RAM
    return "\n".join(part for part in (f'#include "{name}.h"\n', place, includes + check, tables.text, *bodies) if part)


def _init(name: str, members: Mapping[str, Member], suffix: str, in_flash: bool) -> str:
    lines, values = list[str](), dict[str, str]()
    for m in members.values():
        first = m.initial.flat[0] if m.initial.size else 0
        read = in_flash and m.type.dtype is DType.FLOAT32
        if np.all(m.initial == first):
            values[m.c_name] = literal(first, m.type.dtype) if first else "0"
            continue
        place = "EDGELING_FLASH" if read else "EDGELING_CONSTANT"
        head = f"static const {m.type.dtype.c_name} {m.c_name}[{m.type.size}] {place}"
        lines.append(f"    {head} = {initializer(m.initial, '    ')};\n")
        values[m.c_name] = f"edgeling_read_float({m.c_name} + i)" if read else f"{m.c_name}[i]"
    for m in members.values():
        value = values[m.c_name]
        lines.append(
            f"    for (int i = 0; i < {m.type.size}; i++) {{\n        weights->{m.c_name}[i] = {value};\n    }}\n"
        )
    return f"{init_prototype(name, suffix)} {{\n{''.join(lines)}}}\n"


def kernel_files(headers: Iterable[str]) -> dict[str, str]:
    """The texts of kernel headers and of all they include, by path in the program."""
    wanted, texts = sorted(headers), dict[str, str]()
    while wanted:
        header = wanted.pop()
        path = f"edgeling/{header}.h"
        if path not in texts:
            texts[path] = kernel_text(header)
            wanted += re.findall(r'^#include "(\w+)\.h"', texts[path], re.MULTILINE)
    guard = "#define EDGELING_COMMON_H\n"
    common = texts["edgeling/common.h"].replace(guard, f"{guard}#define EDGELING_KERNELS {kernels_version()}\n")
    return dict(sorted({**texts, "edgeling/common.h": common}.items()))


@cache
def kernels_version() -> str:
    """A number, as C text, that changes with any kernel."""
    folder = files("edgeling.codegen").joinpath("kernels")
    texts = sorted((kernel.name, kernel.read_bytes()) for kernel in folder.iterdir() if kernel.name.endswith(".h"))
    return f"0x{hashlib.sha256(repr(texts).encode()).hexdigest()[:8].upper()}u"


@cache
def kernel_text(header: str) -> str:
    """The text of ``kernels/HEADER.h``."""
    return files("edgeling.codegen").joinpath("kernels", f"{header}.h").read_text(encoding="utf-8")
