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
from edgeling.codegen.text import shape_text, wrap_code
from edgeling.graph.types import Graph, TensorType


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


def write_function(graph: Graph, function: str, state: str, members: Mapping[str, Member], tables: Tables) -> Function:
    """Write one graph as ``void FUNCTION(STATE *state, inputs..., outputs...)``."""
    return _Writer(planned(graph), members, tables).write(function, state)


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

<<<<<<< HEAD
    def _bind_state(self) -> None:
        for variable in self._work.graph.variables:
            self._expressions[variable] = f"state->{self._members[variable].c_name}"
        for value, variable in self._memory.in_variable.items():
            self._expressions[value] = self._expressions[variable]

    def _buffer(self, value: str) -> str:
        kind, offset = self._work.types[value], self._memory.offsets[value]
        c_name = self._expressions[value] = self._names.take(value)
        c_type = kind.dtype.c_name
        return f"{c_type} *const {c_name} = ({c_type} *)(state->arena + {offset}); /* {shape_text(kind)} */"

    def _call(self, node: Node, dimensions: Dimensions) -> str:
        row, types = call_of(node), self._work.types
        site = Site(
            node, tuple(types[i] for i in node.inputs), tuple(types[o] for o in node.outputs),
            tuple(self._expression(value, i in row.parameters) for i, value in enumerate(node.inputs)),
            tuple(self._expression(o) for o in node.outputs),
            dimensions, self._tables.table,
        )  # fmt: skip
        self._headers.add(row.header_for(site))
        return row.line(site)

    def _expression(self, value: str, parameter: bool = False) -> str:
        root = self._work.roots[value]
        if root in self._work.graph.constants:
            return self._tables.constant(root, self._work.graph.constants[root], parameter)
        return self._expressions[root]

=======
>>>>>>> 3a4b202 (Loops in C: scan becomes a for loop, its body planned in the same arena; gather has a gradient)
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
