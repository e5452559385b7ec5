# SPDX-License-Identifier: Apache-2.0
"""The C around a network's entries: the loops over batches and epochs, compiled once a machine, and what binds them."""

from __future__ import annotations

import ctypes
from collections.abc import Collection, Iterator
from functools import cache
from importlib.resources import files as resources
from itertools import count
from math import prod

from edgeling.codegen.generate import kernel_files
from edgeling.codegen.program import EntryPoint, Port, Program
from edgeling.toolchain.library import Unit, threads_unit

# As in c/edgeling_fit.h, whose buffers hold so many logs and no more, and whose evaluations have so many rows.
MAX_LOGS, EVALUATED_ROWS = 32, 65536
PAUSED, NOT_FINITE = 1, 2
EVALUATED_TOGETHER = 128  # rows


class FitRun(ctypes.Structure):
    """``edgeling_run`` of ``c/edgeling_fit.h``, field by field."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("weights", "arena", "last_good")),
        *((name, ctypes.c_void_p) for name in ("x", "y", "sample_weight", "learning_rates")),
        *((name, ctypes.c_void_p) for name in ("batch_x", "batch_y", "batch_weight", "logs")),
        *((name, ctypes.c_void_p) for name in ("kept_prediction", "kept_y", "kept_weight", "order")),
        *((name, ctypes.c_int64) for name in ("weights_bytes", "learning_rate_count", "step", "kept")),
        *((name, ctypes.c_int32) for name in ("rows", "batch_size", "log_count")),
        *((name, ctypes.c_int32) for name in ("batches_per_epoch", "shuffle", "epochs", "epoch", "batch")),
        *((name, ctypes.c_int32) for name in ("threads", "batches_a_step", "accumulated")),
        *((name, ctypes.c_uint32) for name in ("seed", "first_epoch")),
        ("sums", ctypes.c_double * MAX_LOGS),
    ]


class EvaluatedRows(ctypes.Structure):
    """``edgeling_rows`` of ``c/edgeling_fit.h``, field by field."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("weights", "arenas", "x", "y", "sample_weight", "predictions")),
        ("rows", ctypes.c_int32),
        ("threads", ctypes.c_int32),
    ]


def is_log(port: Port) -> bool:
    """A number, [] or [1] (a reshape is only another name); predictions are a matrix."""
    return len(port.type.shape) < 2


def prediction_size(entry: EntryPoint) -> int:
    """Numbers of a row's predictions among an entry's outputs; 0 if there are none. These may lie in a matrix that has
    a row for each step: a reshape is only another name."""
    rows = entry.inputs[0].type.shape[0]
    return sum(port.type.size for port in entry.outputs if not is_log(port)) // rows


@cache
def loop_units() -> tuple[Unit, ...]:
    """The loops, and the threads that they lend to kernels."""
    folder, threads = resources("edgeling.training").joinpath("c"), threads_unit()
    texts = {name: folder.joinpath(name).read_text("utf-8") for name in ("edgeling_fit.h", "edgeling_fit.c")}
    return Unit("edgeling_fit.c", {**threads.files, **kernel_files(["parallel", "philox"]), **texts}), threads


def loop_files(program: Program) -> dict[str, str]:
    """The loops' header, and the source that binds them to the program's entries."""
    return {
        "edgeling_fit.h": loop_units()[0].files["edgeling_fit.h"],
        f"{program.name}_fit.c": _source(program),
    }


def _source(program: Program) -> str:
    name, entries = program.name, {e.function.removeprefix(f"{program.name}_"): e for e in program.entries}
    parts = [f'#include "{name}.h"\n#include "edgeling_fit.h"\n', *(_adapter(e) for e in entries.values())]
    if "train" in entries:
        steps = [f"step_{name}_{entry}" if entry else "0" for entry in _steps(entries)]
        sizes = ", ".join(map(str, _sizes(entries["train"])))
        parts.append(
            f"int32_t {name}_fit(edgeling_run *run, int64_t step_budget) {{\n"
            f"    const edgeling_network net = {{{', '.join(steps)}, {sizes}}};\n"
            f"    return edgeling_fit(run, net, step_budget);\n}}\n"
        )
    if "evaluate" in entries:
        sizes = ", ".join(map(str, _sizes(entries["evaluate"])))
        logs = sum(map(is_log, entries["evaluate"].outputs))
        rest = "evaluate_row" if "evaluate_row" in entries else "evaluate"
        parts.append(
            f"void {name}_evaluate_rows(const edgeling_rows *rows, float *means) {{\n"
            f"    const edgeling_evaluation net = {{step_{name}_evaluate, step_{name}_{rest},\n"
            f"        {EVALUATED_TOGETHER}, {sizes}, {logs}}};\n"
            f"    edgeling_evaluate(*rows, net, means);\n}}\n"
        )
    return "\n".join(parts)


def _steps(entries: Collection[str]) -> Iterator[str]:
    """The entries for a full batch and for the rest; the same of one that is not the last of its step, if there are."""
    for step in ("train", "add"):
        full = step if step in entries else ""
        yield from (full, f"{step}_tail" if f"{step}_tail" in entries else full)


def _sizes(entry: EntryPoint) -> tuple[int, int, int]:
    """Lengths of a row of x, of y and of the predictions."""
    x, y = (prod(port.type.shape[1:]) for port in entry.inputs[:2])
    return x, y, prediction_size(entry)


def _adapter(entry: EntryPoint) -> str:
    arguments = [*entry.memory("weights", "arena"), *(["batch->rows"] if entry.takes_rows else [])]
    arguments += [f"batch->{port.name}" for port in entry.inputs]
    logs = count()
    arguments += [f"&logs[{next(logs)}]" if is_log(port) else "batch->prediction" for port in entry.outputs]
    const = "" if entry.weights == "updated" else "const "
    head = f"{const}void *weights, void *arena, const edgeling_batch *batch, float *logs"
    unused = "".join(f"    (void){name};\n" for name in ("weights", "arena"))
    return f"static void step_{entry.function}({head}) {{\n{unused}    {entry.function}({', '.join(arguments)});\n}}\n"
