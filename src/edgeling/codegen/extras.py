# SPDX-License-Identifier: Apache-2.0
"""The functions a deployed program has beside ``NAME_run``: which class, to and from int8, and a test of itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgeling.codegen.facts import input_quantization, output_quantization
from edgeling.codegen.interface import Golden, Interface
from edgeling.codegen.layout import Tables
from edgeling.codegen.names import Names
from edgeling.codegen.program import ARENA, WEIGHTS, EntryPoint, Port
from edgeling.codegen.text import comment, float_literal, wrap_code
from edgeling.errors import GraphError
from edgeling.graph.integer import split_scale
from edgeling.graph.types import DType, Graph, Quantization, TensorType

Ports = Sequence[tuple[str, Port]]  # with their names in C


@dataclass(frozen=True)
class Extra:
    """A function: how to call it, its comment, its prototype without semicolon, its body, kernel headers it uses."""

    entry: EntryPoint
    comment: str
    prototype: str
    body: str
    headers: tuple[str, ...]

    @property
    def declaration(self) -> str:
        """For the header."""
        return f"{self.comment}{self.prototype};\n"

    @property
    def definition(self) -> str:
        """For the source."""
        return f"{self.prototype} {{\n{self.body}}}\n"


def extras(run: EntryPoint, graph: Graph, interface: Interface, tables: Tables, name: str) -> list[Extra]:
    """What a deployed graph offers beside ``run``, in the order it is declared.

    Raises:
        GraphError: more columns are described than the inputs have.
    """
    columns = sum(graph.types[x].size for x in graph.inputs)
    if any(len(told) not in (0, columns) for told in (interface.input_names, interface.may_be_missing)):
        raise GraphError(
            "an interface describes every column of the inputs", received=f"{columns} columns",
            remedy=f"describe {columns} columns",
        )  # fmt: skip
    return list(_Maker(run, graph, interface, tables, name).make())


def refusal(name: str, interface: Interface, tables: Tables, inputs: Ports, outputs: Ports) -> list[str]:
    """Lines that answer inputs nobody can answer with NaN (0 of integers) and a status; none where all are answered."""
    condition = answerable(name, interface, tables, inputs)
    if not condition:
        return []
    sizes = sizes_of(f"{name.upper()}_OUTPUT" if interface.port_macros else "", outputs)
    filled = [f"    {_filled(port, size, y)}" for (y, port), size in zip(outputs, sizes, strict=True)]
    lines = [f"if (!{condition}) {{", *filled, f"    return {name.upper()}_NOT_FINITE;", "}"]
    for x, port in inputs:
        if port.name in interface.classes:
            told = f"!edgeling_is_class({x}[0], {interface.classes[port.name]})"
            lines += [f"if ({told}) {{", *filled, f"    return {name.upper()}_UNKNOWN_CLASS;", "}"]
        if port.name in interface.steps:
            told = f"!edgeling_is_class({x}[0] - 1.0f, {interface.steps[port.name]})"
            lines += [f"if ({told}) {{", *filled, f"    return {name.upper()}_WRONG_STEPS;", "}"]
    return lines


def takes_finite_only(graph: Graph, interface: Interface) -> bool:
    """Whether what comes behind the refusal sees no NaN and no infinity in the inputs."""
    floats = any(graph.types[x].dtype is DType.FLOAT32 for x in graph.inputs)
    return floats and not any(interface.may_be_missing)


def _filled(port: Port, size: str, y: str) -> str:
    if port.type.dtype is DType.FLOAT32:
        return f"edgeling_fill_nan({size}, {y});"
    return f"edgeling_fill_{port.type.dtype.value}({size}, 0, {y});"


def sizes_of(prefix: str, ports: Ports) -> list[str]:
    """C expressions of how many elements ports have: the macro of the only one, if there is one, else numbers."""
    return [f"{prefix}_SIZE"] if prefix and len(ports) == 1 else [str(port.type.size) for _, port in ports]


def answerable(name: str, interface: Interface, tables: Tables, inputs: Ports) -> str:
    """The C expression that says whether inputs can be answered; empty where all are integers, which always can."""
    checks, at = [], 0
    prefix = f"{name.upper()}_INPUT" if interface.port_macros else ""
    for (x, port), size in zip(inputs, sizes_of(prefix, inputs), strict=True):
        if port.type.dtype is DType.FLOAT32:
            checks.append(missing_check(interface.may_be_missing[at : at + port.type.size], tables, size, x))
        at += port.type.size
    return checks[0] if len(checks) == 1 else f"({' && '.join(checks)})" if checks else ""


def missing_check(allowed: Sequence[bool], tables: Tables, size: str, x: str) -> str:
    """Of floats: finite, except that NaN may stand for what is missing."""
    if not any(allowed):
        return f"edgeling_all_finite({size}, {x})"
    if all(allowed):
        return f"edgeling_none_infinite({size}, {x})"
    table = tables.table("may_be_missing", "int8_t", [int(a) for a in allowed])
    return f"edgeling_all_answerable({size}, {x}, {table})"


def missing_note(interface: Interface) -> str:
    """For people: which values the check refuses."""
    allowed = interface.may_be_missing
    if not any(allowed):
        return "infinite or NaN"
    return "infinite" if all(allowed) else "infinite, or NaN where nothing may be missing"


class _Maker:
    def __init__(self, run: EntryPoint, graph: Graph, interface: Interface, tables: Tables, name: str) -> None:
        self._run, self._name, self._upper = run, name, name.upper()
        self._graph, self._interface, self._tables = graph, interface, tables
        names = Names()
        for taken in (WEIGHTS, ARENA, "row"):
            names.take(taken)
        self._inputs = _argued(run.inputs, "input", names)
        self._outputs = _argued(run.outputs, "output", names)
        self._is_stored = len(run.inputs) == len(run.outputs) == 1 and run.inputs[0].type.dtype is DType.INT8

    def make(self) -> Iterator[Extra]:
        if self._interface.decision:
            yield self._classify()
        if self._is_stored:
            taken, given = input_quantization(self._graph), output_quantization(self._graph)
            assert taken is not None, "an int8 input says how it is stored"
            assert given is not None, "and so does its output"
            yield self._quantize(taken[1])
            yield self._dequantize(given)
        if self._interface.golden is not None:
            yield self._selftest(self._interface.golden)

    def _extra(
        self, suffix: str, told: list[str], arguments: str, body: list[str], *headers: str,
        inputs: tuple[Port, ...] = (), outputs: tuple[Port, ...] = (), returns: str = "int",
    ) -> Extra:  # fmt: skip
        entry = EntryPoint(f"{self._name}_{suffix}", inputs, outputs, returns)
        text = "".join(f"{wrap_code(line, '    ')}\n" for line in body)
        return Extra(entry, comment(told), f"{returns} {entry.function}({arguments})", text, headers)

    def _classify(self) -> Extra:
        told = [
            f"Runs the network as {self._name}_run does, and gives the class:",
            *(self._of_largest() if self._interface.decision == "largest" else
              [f"1 where the probability is above {self._upper}_THRESHOLD, else 0."]),
            "-1 where there is no answer.",
        ]  # fmt: skip
        body = [f"if ({self._call(WEIGHTS, ARENA)} != (int){self._upper}_OK) {{", "    return -1;", "}"]
        owned = zip(self._run.memory_types(self._name), self._run.memory(WEIGHTS, ARENA), strict=True)
        arguments = [f"{c_type}{c_name}" for c_type, c_name in owned]
        arguments += [f"const {port.type.dtype.c_name} *{x}" for x, port in self._inputs]
        arguments += [f"{port.type.dtype.c_name} *{y}" for y, port in self._outputs]
        made = self._extra(
            "classify", told, ", ".join(arguments), [*body, f"return {self._choice()};"], "answer",
            inputs=self._run.inputs, outputs=self._run.outputs,
        )  # fmt: skip
        entry = replace(made.entry, weights=self._run.weights, takes_arena=self._run.takes_arena)
        return replace(made, entry=entry)

    def _call(self, weights: str, arena: str) -> str:
        ports = [c_name for c_name, _ in (*self._inputs, *self._outputs)]
        return f"{self._run.function}({', '.join([*self._run.memory(weights, arena), *ports])})"

    def _of_largest(self) -> list[str]:
        counts = self._interface.counts
        if not counts:
            return ["the position of the largest output."]
        return [
            "the position of the largest output, each times what its class counts:",
            f"{', '.join(map(str, counts))}.",
        ]

    def _choice(self) -> str:
        size = f"{self._upper}_OUTPUT_SIZE"
        if self._interface.decision == "largest" and self._interface.counts:
            counts = self._tables.table("counts", "int32_t", self._interface.counts)
            if self._is_stored:
                zero = f"{self._upper}_OUTPUT_ZERO_POINT"
                return f"edgeling_class_of_weighted_s8({size}, output, {zero}, {counts})"
            return f"edgeling_class_of_weighted({size}, output, {counts})"
        if self._interface.decision == "largest":
            return f"edgeling_class_of{'_s8' if self._is_stored else ''}({size}, output)"
        if not self._is_stored:
            return f"edgeling_is_above(output[0], {self._upper}_THRESHOLD)"
        # Constants alone: whoever compiles folds the division away. Both sides are above zero.
        steps = f"(int32_t)({self._upper}_THRESHOLD / {self._upper}_OUTPUT_SCALE)"
        return f"output[0] - {self._upper}_OUTPUT_ZERO_POINT > {steps} ? 1 : 0"

    def _quantize(self, stored: Quantization) -> Extra:
        (x,) = self._run.inputs
        bits = [-int(np.frexp(scale)[1] - 1) for scale in stored.scale]
        missing = self._interface.missing or tuple(min(127, max(-128, z)) for z in stored.zero_point)
        tables = (
            self._tables.table("fraction_bits", "int8_t", bits),
            self._tables.table("zero_point", "int32_t", stored.zero_point),
            self._tables.table("missing", "int8_t", missing),
        )
        size = f"{self._upper}_INPUT_SIZE"
        body = [
            f"edgeling_quantize(1, {size}, values, {', '.join(tables)}, input);",
            f"return {missing_check(self._interface.may_be_missing, self._tables, size, 'values')} ? {self._upper}_OK",
            f"    : {self._upper}_NOT_FINITE;",
        ]
        told = [
            f"Stores the input as int8: float values [{x.type.size}] to input [{x.type.size}].",
            f"Gives {self._upper}_OK, or {self._upper}_NOT_FINITE where a value is {missing_note(self._interface)}:",
            "such an input has no answer.",
        ]
        return self._extra(
            "quantize", told, "const float *values, int8_t *input", body, "answer", "quantize",
            inputs=(Port("values", TensorType(x.type.shape)),), outputs=(Port("input", x.type),),
        )  # fmt: skip

    def _dequantize(self, stored: Quantization) -> Extra:
        (y,) = self._run.outputs
        zero_point = stored.zero_point[0]
        numbers = *split_scale(stored.scale[0], zero_point), zero_point
        size = f"{self._upper}_OUTPUT_SIZE"
        body = [f"edgeling_dequantize({size}, {', '.join(map(str, numbers))}, output, values);"]
        told = [f"What stored outputs stand for: int8 output [{y.type.size}] to float values [{y.type.size}]."]
        return self._extra(
            "dequantize", told, "const int8_t *output, float *values", body, "dequantize", returns="void",
            inputs=(Port("output", y.type),), outputs=(Port("values", TensorType(y.type.shape)),),
        )  # fmt: skip

    def _selftest(self, golden: Golden) -> Extra:
        taken = sizes_of(f"{self._upper}_INPUT", self._inputs)
        given = sizes_of(f"{self._upper}_OUTPUT", self._outputs)
        owned = self._run.memory(f"{self._name}_weights {WEIGHTS};", f"{self._name}_arena {ARENA};")
        buffers = zip((*self._inputs, *self._outputs), (*taken, *given), strict=True)
        loads, checks = [], [f"{self._call(f'&{WEIGHTS}', f'&{ARENA}')} != (int){self._upper}_OK"]
        for (x, port), size, array in zip(self._inputs, taken, golden.inputs, strict=True):
            table = self._tables.constant("selftest_inputs", np.ascontiguousarray(array), True)
            loads.append(f"    edgeling_load{_s8(port)}({size}, {table} + row * {size}, {x});")
        for (y, port), size, array in zip(self._outputs, given, golden.outputs, strict=True):
            table = self._tables.constant("selftest_outputs", np.ascontiguousarray(array), True)
            tolerance = "" if _s8(port) else f"{float_literal(golden.tolerance)}, "
            checks.append(f"!edgeling_all_close{_s8(port)}({size}, {tolerance}{y}, {table} + row * {size})")
        rows = len(golden.inputs[0])
        body = [
            *owned,
            *(f"{port.type.dtype.c_name} {c_name}[{size}];" for (c_name, port), size in buffers),
            *([f"{self._name}_{self._interface.initializer}(&{WEIGHTS});"] if self._run.weights else []),
            f"for (int row = 0; row < {rows}; row++) {{",
            *loads,
            *(line for check in checks for line in (f"    if ({check}) {{", "        return row + 1;", "    }")),
            "}",
            "return 0;",
        ]
        exact = "to the last bit" if golden.tolerance == 0 else f"to {golden.tolerance:.2g}"
        told = [
            f"Runs {rows} inputs whose answers are known, and compares {exact}: 0 where all are right,",
            "else the number of the first that is not. All it needs lies on the stack.",
        ]
        return self._extra("selftest", told, "void", body, "answer")


def _argued(ports: Sequence[Port], name: str, names: Names) -> Ports:
    """Ports with their names as arguments: ``name``, where there is one."""
    return [(names.take(name if len(ports) == 1 else port.name), port) for port in ports]


def _s8(port: Port) -> str:
    return "_s8" if port.type.dtype is DType.INT8 else ""
