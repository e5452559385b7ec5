# SPDX-License-Identifier: Apache-2.0
"""C around a program: from a row of floats, one a column, to what it answers."""

from __future__ import annotations

from dataclasses import replace

from edgeling.codegen.program import EntryPoint, Port
from edgeling.graph.types import DType
from edgeling.packages.shipment import Shipment


def started(shipment: Shipment, indent: str = "    ") -> str:
    """The call that fills variables, if there are any."""
    program = shipment.program
    return f"{indent}{program.initializer}(&weights);\n" if program.initializer and shipment.run.weights else ""


def glue(shipment: Shipment) -> str:
    """Memory, and ``int answer(const float *values)``: the class, or 0 where none is chosen; -1: there is no answer.

    Answers lie in ``told_0``, ``told_1``..., floats of the outputs in order.
    """
    name, run, stored = shipment.name, shipment.run, shipment.is_stored
    is_plain = [p.type.dtype is DType.FLOAT32 for p in run.outputs]
    direct = len(run.inputs) == 1 and run.inputs[0].type.dtype is DType.FLOAT32
    lines = run.memory(f"static {name}_weights weights;", f"static {name}_arena arena;")
    lines += [] if direct else [_buffer(p, f"in_{i}") for i, p in enumerate(run.inputs)]
    lines += [
        f"static float told_{i}[{p.type.size}];" + ("" if plain else f" {_buffer(p, f'out_{i}')}")
        for i, (p, plain) in enumerate(zip(run.outputs, is_plain, strict=True))
    ]
    body = _stored(shipment) if stored else [] if direct else _copies(shipment)
    given = ["values"] if direct else [f"in_{i}" for i in range(len(run.inputs))]
    taken = [f"{'told' if plain else 'out'}_{i}" for i, plain in enumerate(is_plain)]
    if why := shipment.why:
        columns, reasons = why.outputs[1].type.size, why.outputs[2].type.size
        lines += [f"static float attributions[{columns}];", f"static int32_t reasons[{reasons}];"]
        body += _refused(shipment, _call(why, [*given, *taken, "attributions", "reasons"]))
    asked = replace(run, function=f"{name}_classify") if shipment.interface.decision else run
    status = "" if shipment.interface.decision else f" == (int){shipment.upper}_OK ? 0 : -1"
    body.append(f"    const int chosen = {_call(asked, [*given, *taken])}{status};")
    body += _told(shipment, is_plain)
    return "\n".join([*lines, "\nstatic int answer(const float *values) {", *body, "    return chosen;\n}\n"])


def _call(entry: EntryPoint, arguments: list[str]) -> str:
    return f"{entry.function}({', '.join([*entry.memory('&weights', '&arena'), *arguments])})"


def _refused(shipment: Shipment, call: str) -> list[str]:
    """What gives a status, and no answer where that is another than OK."""
    return [f"    if ({call} != (int){shipment.upper}_OK) {{", "        return -1;", "    }"]


def _stored(shipment: Shipment) -> list[str]:
    """From floats to the buffer of int8."""
    return _refused(shipment, f"{shipment.name}_quantize(values, in_0)")


def _buffer(port: Port, name: str) -> str:
    return f"static {port.type.dtype.c_name} {name}[{port.type.size}];"


def _copies(shipment: Shipment) -> list[str]:
    """From values to each input."""
    lines, at = list[str](), 0
    for i, port in enumerate(shipment.run.inputs):
        cast = "" if port.type.dtype is DType.FLOAT32 else f"({port.type.dtype.c_name})"
        lines.append(f"    for (int i = 0; i < {port.type.size}; i++) {{")
        lines.append(f"        in_{i}[i] = {cast}values[{f'{at} + ' if at else ''}i];\n    }}")
        at += port.type.size
    return lines


def _told(shipment: Shipment, is_plain: list[bool]) -> list[str]:
    if shipment.is_stored:
        return [f"    {shipment.name}_dequantize(out_0, told_0);"]
    return [
        f"    for (int i = 0; i < {port.type.size}; i++) {{\n        told_{k}[i] = (float)out_{k}[i];\n    }}"
        for k, port in enumerate(shipment.run.outputs)
        if not is_plain[k]
    ]
