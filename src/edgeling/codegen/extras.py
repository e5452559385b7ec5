# SPDX-License-Identifier: Apache-2.0
"""The functions a deployed program has beside ``NAME_run``: which class, to and from int8, and a test of itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from edgeling.codegen.facts import input_quantization, output_quantization
from edgeling.codegen.interface import Golden, Interface
from edgeling.codegen.layout import Tables
from edgeling.codegen.program import ARENA, WEIGHTS, EntryPoint, Port
from edgeling.codegen.text import comment, float_literal, wrap_code
from edgeling.errors import GraphError
from edgeling.graph.integer import split_scale
from edgeling.graph.types import DType, Graph, Quantization, TensorType


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
        GraphError: more columns are described than the input has.
    """
    (x,) = graph.inputs
    if any(len(told) not in (0, graph.types[x].size) for told in (interface.input_names, interface.may_be_missing)):
        raise GraphError("an interface describes every column of the input", received=f"{graph.types[x]}")
    return list(_Maker(run, graph, interface, tables, name).make())


def refusal(name: str, graph: Graph, interface: Interface, tables: Tables, x: str, y: str) -> list[str]:
    """Lines that answer an input nobody can answer with NaN and a status; none where every input is one."""
    size = f"{name.upper()}_INPUT_SIZE"
    condition = answerable(name, graph, interface, tables, size, x)
    if not condition:
        return []
    return [
        f"if (!{condition}) {{",
        f"    edgeling_fill_nan({name.upper()}_OUTPUT_SIZE, {y});",
        f"    return {name.upper()}_NOT_FINITE;",
        "}",
    ]


def takes_finite_only(graph: Graph, interface: Interface) -> bool:
    """Whether what comes behind the refusal sees no NaN and no infinity in the input."""
    return graph.types[graph.inputs[0]].dtype is DType.FLOAT32 and not any(interface.may_be_missing)


def answerable(name: str, graph: Graph, interface: Interface, tables: Tables, size: str, x: str) -> str:
    """The C expression that says whether an input can be answered; empty for integers, which always can."""
    if graph.types[graph.inputs[0]].dtype is not DType.FLOAT32:
        return ""
    return missing_check(interface, tables, size, x)


def missing_check(interface: Interface, tables: Tables, size: str, x: str) -> str:
    """Of floats: finite, except that NaN may stand for what is missing."""
    allowed = interface.may_be_missing
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
        self._x, self._y = graph.types[graph.inputs[0]], graph.types[graph.outputs[0]]
        self._is_int8 = self._x.dtype is DType.INT8

    def make(self) -> Iterator[Extra]:
        if self._interface.decision:
            yield self._classify()
        if self._is_int8:
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
        element = self._x.dtype.c_name
        told = [
            f"Runs the network as {self._name}_run does, and gives the class:",
            *(["the position of the largest output."] if self._interface.decision == "largest" else
              [f"1 where the probability is above {self._upper}_THRESHOLD, else 0."]),
            "-1 where there is no answer.",
        ]  # fmt: skip
        run = f"{self._run.function}({', '.join([*self._run.memory(WEIGHTS, ARENA), 'input', 'output'])})"
        body = [f"if ({run} != (int){self._upper}_OK) {{", "    return -1;", "}", f"return {self._choice()};"]
        owned = zip(self._run.memory_types(self._name), self._run.memory(WEIGHTS, ARENA), strict=True)
        arguments = [f"{c_type}{c_name}" for c_type, c_name in owned]
        arguments += [f"const {element} *input", f"{self._y.dtype.c_name} *output"]
        ports = (Port("input", self._x),), (Port("output", self._y),)
        made = self._extra("classify", told, ", ".join(arguments), body, "answer", inputs=ports[0], outputs=ports[1])
        entry = replace(made.entry, weights=self._run.weights, takes_arena=self._run.takes_arena)
        return replace(made, entry=entry)

    def _choice(self) -> str:
        if self._interface.decision == "largest":
            return f"edgeling_class_of{'_s8' if self._is_int8 else ''}({self._upper}_OUTPUT_SIZE, output)"
        if not self._is_int8:
            return f"edgeling_is_above(output[0], {self._upper}_THRESHOLD)"
        # Constants alone: whoever compiles folds the division away. Both sides are above zero.
        steps = f"(int32_t)({self._upper}_THRESHOLD / {self._upper}_OUTPUT_SCALE)"
        return f"output[0] - {self._upper}_OUTPUT_ZERO_POINT > {steps} ? 1 : 0"

    def _quantize(self, stored: Quantization) -> Extra:
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
            f"return {missing_check(self._interface, self._tables, size, 'values')} ? {self._upper}_OK",
            f"    : {self._upper}_NOT_FINITE;",
        ]
        told = [
            f"Stores the input as int8: float values [{self._x.size}] to input [{self._x.size}].",
            f"Gives {self._upper}_OK, or {self._upper}_NOT_FINITE where a value is {missing_note(self._interface)}:",
            "such an input has no answer.",
        ]
        return self._extra(
            "quantize", told, "const float *values, int8_t *input", body, "answer", "quantize",
            inputs=(Port("values", TensorType(self._x.shape)),), outputs=(Port("input", self._x),),
        )  # fmt: skip

    def _dequantize(self, stored: Quantization) -> Extra:
        zero_point = stored.zero_point[0]
        numbers = *split_scale(stored.scale[0], zero_point), zero_point
        size = f"{self._upper}_OUTPUT_SIZE"
        body = [f"edgeling_dequantize({size}, {', '.join(map(str, numbers))}, output, values);"]
        told = [f"What stored outputs stand for: int8 output [{self._y.size}] to float values [{self._y.size}]."]
        return self._extra(
            "dequantize", told, "const int8_t *output, float *values", body, "dequantize", returns="void",
            inputs=(Port("output", self._y),), outputs=(Port("values", TensorType(self._y.shape)),),
        )  # fmt: skip

    def _selftest(self, golden: Golden) -> Extra:
        rows, suffix = len(golden.inputs), "_s8" if self._is_int8 else ""
        given, wanted = (
            self._tables.constant(f"selftest_{kind}", np.ascontiguousarray(array), True)
            for kind, array in (("inputs", golden.inputs), ("outputs", golden.outputs))
        )
        took, gave = f"{self._upper}_INPUT_SIZE", f"{self._upper}_OUTPUT_SIZE"
        tolerance = "" if self._is_int8 else f"{float_literal(golden.tolerance)}, "
        owned = self._run.memory(f"{self._name}_weights {WEIGHTS};", f"{self._name}_arena {ARENA};")
        arguments = ", ".join([*self._run.memory(f"&{WEIGHTS}", f"&{ARENA}"), "input", "output"])
        body = [
            *owned,
            f"{self._x.dtype.c_name} input[{took}];",
            f"{self._y.dtype.c_name} output[{gave}];",
            *([f"{self._name}_init(&{WEIGHTS});"] if self._run.weights else []),
            f"for (int row = 0; row < {rows}; row++) {{",
            f"    edgeling_load{suffix}({took}, {given} + row * {took}, input);",
            f"    if ({self._run.function}({arguments}) != (int){self._upper}_OK) {{",
            "        return row + 1;",
            "    }",
            f"    if (!edgeling_all_close{suffix}({gave}, {tolerance}output, {wanted} + row * {gave})) {{",
            "        return row + 1;",
            "    }",
            "}",
            "return 0;",
        ]
        exact = "to the last bit" if golden.tolerance == 0 else f"to {golden.tolerance:.2g}"
        told = [
            f"Runs {rows} inputs whose answers are known, and compares {exact}: 0 where all are right,",
            "else the number of the first that is not. All it needs lies on the stack.",
        ]
        return self._extra("selftest", told, "void", body, "answer")
