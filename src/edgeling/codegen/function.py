# SPDX-License-Identifier: Apache-2.0
"""One entry function as C text: buffers with their layouts, then one call a line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from edgeling.codegen.block import BlockWriter, PlannedBlock, planned
from edgeling.codegen.extras import refusal
from edgeling.codegen.interface import Interface
from edgeling.codegen.layout import Member, Tables
from edgeling.codegen.memory import MemoryPlan
from edgeling.codegen.names import Names
from edgeling.codegen.program import ARENA, WEIGHTS, EntryPoint, Port
from edgeling.codegen.text import wrap_code
from edgeling.graph.types import Graph, TensorType
from edgeling.targets import Target

Ports = list[tuple[str, Port]]  # with their names in C


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
    plan: MemoryPlan


def write_function(
    graph: Graph,
    function: str,
    program: str,
    members: Mapping[str, Member],
    tables: Tables,
    target: Target | None,
    interface: Interface | None = None,
) -> Function:
    """Write one graph as ``void FUNCTION(weights, arena, inputs..., outputs...)``, with the kernels of a target.

    ``weights`` is left out where it reads no variables, and ``const`` where it updates none; ``arena`` is left out
    where it needs none.

    Args:
        interface: of a deployed network, whose function returns a status: ``PROGRAM_OK``, or what it does not answer.
    """
    return _Writer(planned(graph, target), members, tables, interface).write(function, program)


class _Writer:
    def __init__(
        self, block: PlannedBlock, members: Mapping[str, Member], tables: Tables, interface: Interface | None
    ) -> None:
        self._block, self._work, self._members, self._tables = block, block.work, members, tables
        self._interface = interface
        self._names = Names(tables.names)
        for argument in (WEIGHTS, ARENA):
            self._names.take(argument)
        self._expressions: dict[str, str] = {}

    def write(self, function: str, program: str) -> Function:
        graph = self._work.graph
        inputs = [self._port(name, name) for name in graph.inputs]
        outputs = [self._port(name, made) for name, made in zip(graph.outputs, self._work.outputs, strict=True)]
        self._expressions |= {v: f"{WEIGHTS}->{self._members[v].c_name}" for v in graph.variables}
        writer = BlockWriter(self._block, self._names, self._tables, self._expressions)
        declarations, statements = writer.write()
        returns = "void" if self._interface is None else "int"
        ports = tuple(p for _, p in inputs), tuple(p for _, p in outputs)
        entry = EntryPoint(function, *ports, returns, self._access(), self._block.memory.words > 0)
        prototype = self._prototype(entry, program, inputs, outputs)
        headers = frozenset(writer.headers)
        if self._interface is not None:
            (x, _), (y, _) = *inputs, *outputs
            refused = refusal(program, graph, self._interface, self._tables, x, y)
            statements, headers = [*refused, *statements, f"return {program.upper()}_OK;"], headers | {"answer"}
        body = self._body(prototype, declarations, statements)
        return Function(entry, prototype, body, headers, self._block.memory)

    def _port(self, name: str, value: str) -> tuple[str, Port]:
        c_name = self._expressions[value] = self._names.take(name)
        return c_name, Port(name, self._work.types[value])

    def _access(self) -> Literal["", "read", "updated"]:
        if self._work.updates:
            return "updated"
        read = {self._work.roots[value] for node in self._work.nodes for value in node.inputs}
        return "read" if read & self._work.graph.variables.keys() else ""

    def _prototype(self, entry: EntryPoint, program: str, inputs: Ports, outputs: Ports) -> str:
        owned = zip(entry.memory_types(program), entry.memory(WEIGHTS, ARENA), strict=True)
        arguments = [f"{c_type}EDGELING_RESTRICT {c_name}" for c_type, c_name in owned]
        arguments += [f"const {_pointer(port.type)} {c_name}" for c_name, port in inputs]
        arguments += [f"{_pointer(port.type)} {c_name}" for c_name, port in outputs]
        return f"{entry.returns} {entry.function}({', '.join(arguments)})"

    def _body(self, prototype: str, declarations: list[str], statements: list[str]) -> str:
        head = [*declarations, *(f"(void){name};" for name in self._unused())]
        lines = [*head, "", *statements] if head else statements
        text = "\n".join(wrap_code(line, "    ") for line in lines)
        once = "" if self._interface is None else "EDGELING_ONCE "
        return f"{wrap_code(once + prototype)} {{\n{text}\n}}\n"

    def _unused(self) -> list[str]:
        """Arguments that a compiler would complain of."""
        read = {self._work.roots[value] for node in self._work.nodes for value in node.inputs}
        return [self._expressions[name] for name in self._work.graph.inputs if name not in read]


def _pointer(kind: TensorType) -> str:
    return f"{kind.dtype.c_name} *EDGELING_RESTRICT"
