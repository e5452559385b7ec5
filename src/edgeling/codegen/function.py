# SPDX-License-Identifier: Apache-2.0
"""One entry function as C text: buffers with their layouts, then one call a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgeling.codegen.block import BlockWriter, Planned, planned
from edgeling.codegen.layout import Member, Tables
from edgeling.codegen.memory import Plan
from edgeling.codegen.names import Names
from edgeling.codegen.program import EntryPoint, Port
from edgeling.codegen.text import wrap_code
from edgeling.graph.types import Graph, TensorType
from edgeling.targets import Target


@dataclass(frozen=True)
class Function:
    """A written entry function.

    Attributes:
        entry: how to call it.
        prototype: without the semicolon.
        body: the definition's text.
        headers: names of the kernel headers it uses.
        plan: its memory.
    """

    entry: EntryPoint
    prototype: str
    body: str
    headers: frozenset[str]
    plan: Plan


def write_function(
    graph: Graph, function: str, state: str, members: Mapping[str, Member], tables: Tables, target: Target | None
) -> Function:
    """Write one graph as ``void FUNCTION(STATE *state, inputs..., outputs...)``, with the kernels of a target."""
    return _Writer(planned(graph, target), members, tables).write(function, state)


class _Writer:
    def __init__(self, block: Planned, members: Mapping[str, Member], tables: Tables) -> None:
        self._block, self._work, self._members, self._tables = block, block.work, members, tables
        self._names = Names(tables.names)
        self._expressions: dict[str, str] = {}

    def write(self, function: str, state: str) -> Function:
        graph = self._work.graph
        inputs = [self._port(name, name) for name in graph.inputs]
        outputs = [self._port(name, made) for name, made in zip(graph.outputs, self._work.outputs, strict=True)]
        self._expressions |= {v: f"state->{self._members[v].c_name}" for v in graph.variables}
        writer = BlockWriter(self._block, self._names, self._tables, self._expressions)
        declarations, statements = writer.write()
        prototype = self._prototype(function, state, inputs, outputs)
        entry = EntryPoint(function, tuple(p for _, p in inputs), tuple(p for _, p in outputs))
        body = self._body(prototype, declarations, statements)
        return Function(entry, prototype, body, frozenset(writer.headers), self._block.memory)

    def _port(self, name: str, value: str) -> tuple[str, Port]:
        c_name = self._expressions[value] = self._names.take(name)
        return c_name, Port(name, self._work.types[value])

    def _prototype(
        self, function: str, state: str, inputs: list[tuple[str, Port]], outputs: list[tuple[str, Port]]
    ) -> str:
        arguments = [f"{state} *EDGELING_RESTRICT state"]
        arguments += [f"const {_pointer(port.type)} {c_name}" for c_name, port in inputs]
        arguments += [f"{_pointer(port.type)} {c_name}" for c_name, port in outputs]
        return f"void {function}({', '.join(arguments)})"

    def _body(self, prototype: str, declarations: list[str], statements: list[str]) -> str:
        head = [*declarations, *(f"(void){name};" for name in self._unused((*declarations, *statements)))]
        lines = [*head, "", *statements] if head else statements
        text = "\n".join(wrap_code(line, "    ") for line in lines)
        return f"{wrap_code(prototype)} {{\n{text}\n}}\n"

    def _unused(self, lines: Sequence[str]) -> list[str]:
        """Arguments that a compiler would complain of."""
        read = {self._work.roots[value] for node in self._work.nodes for value in node.inputs}
        state = [] if any("state->" in line for line in lines) else ["state"]
        return state + [self._expressions[name] for name in self._work.graph.inputs if name not in read]


def _pointer(kind: TensorType) -> str:
    return f"{kind.dtype.c_name} *EDGELING_RESTRICT"
