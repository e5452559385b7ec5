# SPDX-License-Identifier: Apache-2.0
"""One entry function as C text: buffers with their layouts, then one call a line."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from edgeling.codegen.block import BlockWriter, PlannedBlock, planned
from edgeling.codegen.extras import refusal, takes_finite_only
from edgeling.codegen.interface import Interface
from edgeling.codegen.layout import Member, Tables
from edgeling.codegen.memory import MemoryPlan
from edgeling.codegen.names import Names
from edgeling.codegen.program import ARENA, ROWS, WEIGHTS, EntryPoint, Pack, Part, Port
from edgeling.codegen.text import shape_text, wrap_code, wrap_prototype
from edgeling.errors import GraphError
from edgeling.graph.types import DType, Graph, TensorType
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
    pack: Pack | None = None,
    any_rows: bool = False,
) -> Function:
    """Write one graph as ``void FUNCTION(weights, arena, inputs..., outputs...)``, with the kernels of a target.

    ``weights`` is left out where it reads no variables, and ``const`` where it updates none; ``arena`` is left out
    where it needs none.

    Args:
        interface: of a deployed network, whose function returns a status: ``PROGRAM_OK``, or what it does not answer.
        pack: values that are one argument.
        any_rows: the length of the first input's first axis is an argument, the graph's at most.
    """
    finite = graph.inputs if interface is not None and takes_finite_only(graph, interface) else ()
    block = planned(graph, target, finite)
    return _Writer(block, members, tables, interface, pack, any_rows).write(function, program)


class _Writer:
    def __init__(
        self, block: PlannedBlock, members: Mapping[str, Member], tables: Tables, interface: Interface | None,
        pack: Pack | None, any_rows: bool,
    ) -> None:  # fmt: skip
        self._block, self._work, self._members, self._tables = block, block.work, members, tables
        self._interface, self._pack = interface, pack
        self._unpacked: list[str] = []  # declarations of the values in a pack
        self._names = Names(tables.names)
        for argument in (WEIGHTS, ARENA, ROWS):
            self._names.take(argument)
        self._rows = ROWS if any_rows else ""
        self._expressions: dict[str, str] = {}

    def write(self, function: str, program: str) -> Function:
        graph = self._work.graph
        inputs = self._inputs(graph.inputs)
        outputs = self._outputs(list(zip(graph.outputs, self._work.outputs, strict=True)))
        self._expressions |= {v: f"{WEIGHTS}->{self._members[v].c_name}" for v in graph.variables}
        writer = BlockWriter(self._block, self._names, self._tables, self._expressions, rows=self._rows)
        declarations, statements = writer.write()
        declarations += self._unpacked
        returns = "void" if self._interface is None else "int"
        ports = tuple(p for _, p in inputs), tuple(p for _, p in outputs)
        arena = self._block.memory.words > 0
        entry = EntryPoint(function, *ports, returns, self._access(), arena, bool(self._rows))
        prototype = self._prototype(entry, program, inputs, outputs)
        headers = frozenset(writer.headers)
        if self._interface is not None:
            refused = refusal(program, self._interface, self._tables, inputs, outputs)
            statements = [*refused, *statements, f"return {program.upper()}_OK;"]
            whole = any(port.type.dtype is not DType.FLOAT32 for _, port in outputs)  # whose answer is then 0
            headers |= {"answer", "slice"} if refused and whole else {"answer"}
        body = self._body(prototype, declarations, statements)
        return Function(entry, prototype, body, headers, self._block.memory)

    def _inputs(self, names: tuple[str, ...]) -> Ports:
        packed = len(self._pack.parts) if self._pack and self._pack.of == "inputs" else 0
        together = [(name, name) for name in names[:packed]]
        ports = self._packed(together, self._read(), "const ") if packed else []
        return [*ports, *(self._port(name, name) for name in names[packed:])]

    def _outputs(self, values: list[tuple[str, str]]) -> Ports:
        packed = len(self._pack.parts) if self._pack and self._pack.of == "outputs" else 0
        alone, together = values[: len(values) - packed], values[len(values) - packed :]
        ports = [self._port(name, made) for name, made in alone]
        return [*ports, *self._packed(together, {made for _, made in together}, "")] if packed else ports

    def _packed(self, values: Sequence[tuple[str, str]], used: Collection[str], const: str) -> Ports:
        """One argument for all of them, and a pointer for each that is used."""
        assert self._pack
        whole, parts, at = self._names.take(self._pack.name), [], 0
        for name, (port, value) in zip(self._pack.parts, values, strict=True):
            kind = self._work.graph.types[port]
            if kind.dtype is not DType.FLOAT32:
                raise GraphError(
                    "values are packed as floats", received=f"{name}: {kind}", remedy="store it as float32"
                )
            parts.append(Part(name, kind, at))
            if value in used:
                c_name = self._expressions[value] = self._names.take(name)
                line = f"{const}float *const {c_name} = &{whole}[{at}]; /* {shape_text(kind)} */"
                self._unpacked.append(line)
            at += kind.size
        if not self._unpacked:
            self._unpacked.append(f"(void){whole};")
        return [(whole, Port(self._pack.name, TensorType((at,)), tuple(parts)))]

    def _port(self, name: str, value: str) -> tuple[str, Port]:
        c_name = self._expressions[value] = self._names.take(name)
        return c_name, Port(name, self._work.graph.types[name])  # not of the value that a reshape names anew

    def _access(self) -> Literal["", "read", "updated"]:
        if self._work.updates:
            return "updated"
        return "read" if self._read() & self._work.graph.variables.keys() else ""

    def _prototype(self, entry: EntryPoint, program: str, inputs: Ports, outputs: Ports) -> str:
        owned = zip(entry.memory_types(program), entry.memory(WEIGHTS, ARENA), strict=True)
        arguments = [f"{c_type}EDGELING_RESTRICT {c_name}" for c_type, c_name in owned]
        arguments += [f"int {ROWS}"] if entry.takes_rows else []
        arguments += [f"const {_pointer(port.type)} {c_name}" for c_name, port in inputs]
        arguments += [f"{_pointer(port.type)} {c_name}" for c_name, port in outputs]
        return f"{entry.returns} {entry.function}({', '.join(arguments)})"

    def _body(self, prototype: str, declarations: list[str], statements: list[str]) -> str:
        head = [*declarations, *(f"(void){name};" for name in self._unused())]
        lines = [*head, "", *statements] if head else statements
        text = "\n".join(wrap_code(line, "    ") for line in lines)
        once = "" if self._interface is None else "EDGELING_ONCE "
        return f"{wrap_prototype(once + prototype)} {{\n{text}\n}}\n"

    def _unused(self) -> list[str]:
        """Arguments that a compiler would complain of."""
        alone = [name for name in self._work.graph.inputs if name in self._expressions]
        return [self._expressions[name] for name in alone if name not in self._read()]

    def _read(self) -> set[str]:
        """Owners of memory that is read."""
        return {self._work.roots[value] for node in self._work.nodes for value in node.inputs}


def _pointer(kind: TensorType) -> str:
    return f"{kind.dtype.c_name} *EDGELING_RESTRICT"
