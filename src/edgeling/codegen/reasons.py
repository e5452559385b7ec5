# SPDX-License-Identifier: Apache-2.0
"""``NAME_reasons`` of a program that explains itself: the answer, what each column adds to it, which pushed most."""

from __future__ import annotations

from edgeling.codegen.extras import Extra
from edgeling.codegen.interface import Interface
from edgeling.codegen.program import ARENA, EntryPoint, Port
from edgeling.codegen.text import comment, wrap_code, wrap_prototype
from edgeling.graph.types import DType, TensorType

SUFFIX = "reasons"


def reasons_extra(name: str, run: EntryPoint, explain: EntryPoint, interface: Interface) -> Extra:
    """The function that runs, explains the class answered, and names the columns that pushed most.

    Args:
        run, explain: functions of one row: input to output; input (and how much of each output) to attributions.
    """
    upper, (x,), (y,), (pushes,) = name.upper(), run.inputs, run.outputs, explain.outputs
    told = Port("reasons", TensorType((interface.reasons,), DType.INT32))
    several = len(explain.inputs) == 2
    sizes = {"columns": x.type.size, "outputs": y.type.size}
    body = [*_answered(name, run, interface, sizes), *_explained(name, explain, several)]
    if interface.decision == "threshold":
        body += ["if (chosen == 0) {", f"    edgeling_negate({sizes['columns']}, attributions);", "}"]
    either = 0 if interface.decision else 1
    body += [f"edgeling_reasons({sizes['columns']}, {interface.reasons}, {either}, attributions, reasons);",
             f"return {upper}_OK;"]  # fmt: skip
    entry = EntryPoint(
        f"{name}_{SUFFIX}", (x,), (y, pushes, told), "int", "", run.takes_arena or explain.takes_arena
    )  # fmt: skip
    owned = [f"{name}_arena *{ARENA}"] if entry.takes_arena else []
    arguments = [*owned, "const float *input", "float *output", "float *attributions", "int32_t *reasons"]
    prototype = wrap_prototype(f"int {entry.function}({', '.join(arguments)})")
    text = "".join(f"{wrap_code(line, '    ')}\n" for line in body)
    return Extra(entry, comment(_told(name, interface, sizes)), prototype, text, ("answer", "reasons"))


def _answered(name: str, run: EntryPoint, interface: Interface, sizes: dict[str, int]) -> list[str]:
    arguments = [*run.memory("", ARENA), "input", "output"]
    given = ", ".join(arguments)
    refused = [
        f"    edgeling_fill_nan({sizes['columns']}, attributions);",
        *(f"    reasons[{k}] = -1;" for k in range(interface.reasons)),
        f"    return {name.upper()}_NOT_FINITE;",
        "}",
    ]
    if not interface.decision:
        return [f"if ({run.function}({given}) != (int){name.upper()}_OK) {{", *refused]
    return [f"const int chosen = {name}_classify({given});", "if (chosen < 0) {", *refused]


def _explained(name: str, explain: EntryPoint, several: bool) -> list[str]:
    arguments = [*explain.memory("", ARENA), "input", *(["of"] if several else []), "attributions"]
    call = f"if ({explain.function}({', '.join(arguments)}) != (int){name.upper()}_OK) {{"
    lines = [call, f"    return {name.upper()}_NOT_FINITE;", "}"]
    if not several:
        return lines
    size = explain.inputs[1].type.size
    return [f"float of[{size}];", f"edgeling_one_at({size}, chosen, of);", *lines]


def _told(name: str, interface: Interface, sizes: dict[str, int]) -> list[str]:
    whose = "to the class answered" if interface.decision else "to the answer"
    rule = "those that pushed most towards it" if interface.decision else "those that pushed most, whichever way"
    return [
        f"Runs the network, explains the answer, and gives reasons for it: {rule}.",
        "",
        f"  in  input: float [1,{sizes['columns']}]",
        f"  out output: float [1,{sizes['outputs']}]",
        f"  out attributions: float [1,{sizes['columns']}], what each column adds {whose}",
        f"  out reasons: int32_t [{interface.reasons}], positions of columns, the first pushed most; -1: no more",
        "",
        f"Gives {name.upper()}_OK, or {name.upper()}_NOT_FINITE where there is no answer: then attributions are NaN.",
    ]
