# SPDX-License-Identifier: Apache-2.0
"""A program as a shared library for this machine, out of the cache or compiled now.

The library holds, besides the program's own functions, one generated function per entry point, which native.py calls::

    void edgeling_rows_FUNCTION(void *weights, void *arena, size_t rows, void *const *ports);

It runs the entry on ``rows`` consecutive rows of every port.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache as memoize
from functools import partial
from pathlib import Path

from edgeling.codegen.generate import kernel_files
from edgeling.codegen.program import EntryPoint, Port, Program
from edgeling.notebook.waiting import told_if_long
from edgeling.system.side_by_side import side_by_side
from edgeling.toolchain import cache
from edgeling.toolchain.compilers import (
    HOST,
    host_compiler,
    resource,
    run,
    write_sources,
)
from edgeling.toolchain.linked import Specialised, kernels, linked
from edgeling.toolchain.processor import architecture_flag, cpu_identity
from edgeling.toolchain.threads import processors

# For what is compiled once a machine: GCC takes a third less time without these passes, and its code is as fast.
_WITHOUT = tuple(
    f"-fno-{each}"
    for each in """tree-pre code-hoisting tree-vrp tree-tail-merge thread-jumps tree-switch-conversion store-merging
    gcse crossjumping cse-follow-jumps rerun-cse-after-loop reorder-blocks-and-partition ree peephole2 caller-saves
    tree-slp-vectorize schedule-insns2 ipa-cp-clone unswitch-loops split-loops tree-loop-distribution""".split()  # noqa: SIM905
)

# Headers whose loops are written in vectors: what more a compiler can do with loops only makes them slower.
_IN_VECTORS = frozenset(
    """gemm gemm_each dense_gemm gemm_parallel conv_direct conv_direct_input conv_direct_kernel depthwise
    depthwise_kernel windows_parallel winograd winograd_parallel normalize_batch normalize_batch_parallel""".split()  # noqa: SIM905
)
# Kernels that are compiled as one object: those of the same tiles share code, and to start a compiler for each of what
# most networks of a kind call would take longer than to compile it.
_TOGETHER = {
    "convolutions.c": (
        "conv_direct", "conv_direct_parallel", "conv_direct_input_gradient", "conv_direct_input_gradient_parallel",
    ),
    "depthwise.c": (
        "depthwise", "depthwise_parallel", "depthwise_input_gradient", "depthwise_input_gradient_parallel",
    ),
    "winograd.c": (
        "winograd", "winograd_parallel", "winograd_input_gradient", "winograd_input_gradient_parallel",
    ),
    "products.c": ("dense_packed", "gemm", "gemm_keep", "gemm_kept", "gemm_parallel", "gemm_each"),
    "kernel_gradients.c": ("conv_direct_kernel_gradient", "conv_direct_kernel_gradient_parallel"),
    "pools.c": ("max_pool", "max_pool_gradient", "average_pool", "average_pool_gradient"),
    "normalization.c": (
        "normalize_batch_parallel", "normalize_batch_gradient_parallel", "normalize_by_moments",
    ),
    "usual.c": (
        "adam_alpha", "adam_update", "power_step", "decay", "sum", "broadcast EDGELING_SCALAR",
        "multiply EDGELING_FULL EDGELING_FULL", "activation EDGELING_RELU", "activation_gradient EDGELING_RELU",
        "add EDGELING_FULL EDGELING_FULL", "multiply EDGELING_FULL EDGELING_SCALAR", "sum_parallel",
    ),
    "classes.c": (
        "softmax", "categorical_cross_entropy_loss", "categorical_cross_entropy_gradient",
        "metric EDGELING_SPARSE_CATEGORICAL_ACCURACY",
    ),
    "binary.c": (
        "activation EDGELING_SIGMOID", "binary_cross_entropy_loss", "binary_cross_entropy_gradient",
        "metric EDGELING_BINARY_ACCURACY",
    ),
}  # fmt: skip
"""By name of the source; those that take longest first, so that a processor is not left alone with one."""
_UNIT = "edgeling_rows.c"
_LIBRARY = "program.dll" if sys.platform == "win32" else "program.so"


@dataclass(frozen=True)
class Unit:
    """A C source that knows nothing of the program it is linked to, so that it is compiled once a machine.

    Attributes:
        name: of the file, among ``files``.
        files: the source and the headers it includes, path to text.
        has_loops: whether the compiler is to make vectors of its loops.
    """

    name: str
    files: Mapping[str, str]
    has_loops: bool = False


def compile_program(program: Program, extra_files: Mapping[str, str] | None = None, units: Sequence[Unit] = ()) -> Path:
    """Compiles ``NAME.c``, and every C source among ``extra_files`` beside it; ``units`` are linked to them.

    Raises:
        CompilerNotFoundError: there is no C compiler.
        ToolchainError: a file does not compile; the message carries the compiler's first lines.
    """
    return _compile(_with_rows(program, extra_files), f"compiling {program.name}", (), units)


def compile_linked(program: Program, extra_files: Mapping[str, str] | None = None, units: Sequence[Unit] = ()) -> Path:
    """As :func:`compile_program`, with kernels that were compiled once a machine: ready in hundredths of a second."""
    files = _with_rows(program, extra_files)
    return _compile(files, f"compiling {program.name}", ("-O1",), units, _with_kernels, _state_of_linking())


def _with_kernels(files: Mapping[str, str], units: Sequence[Unit]) -> tuple[Mapping[str, str], Sequence[Unit]]:
    files, called = linked(files)
    return files, list({unit.name: unit for unit in (*_kernels(called), *units)}.values())


@memoize
def _state_of_linking() -> str:
    """Another wherever what decides how kernels are called and compiled apart has changed."""
    own = Path(__file__)
    states = [path.stat() for path in (own, own.with_name("linked.py"))]
    return repr([(state.st_size, state.st_mtime_ns) for state in states])


def _with_rows(program: Program, extra_files: Mapping[str, str] | None) -> dict[str, str]:
    extra = extra_files or {}
    return {**program.files, **extra, _UNIT: _source(program, extra)}


def _kernels(called: Sequence[Specialised]) -> Iterator[Unit]:
    """An object for each, but one for those that go together."""
    alone = list(called)
    for name, members in _together().items():
        if not members.isdisjoint(called):
            files = kernel_files({each.kernel.header for each in members})
            text = "".join(sorted(each.unit for each in members))
            yield Unit(name, {**files, name: text}, any(map(_has_loops, members)))
            yield threads_unit()  # some of them call it
            alone = [each for each in alone if each not in members]
    yield from map(_kernel, alone)


@memoize
def _together() -> Mapping[str, frozenset[Specialised]]:
    """Kernels that are compiled as one object, by the name of its source."""
    return {name: frozenset(map(_specialised, members)) for name, members in _TOGETHER.items()}


def _specialised(told: str) -> Specialised:
    """Of a kernel's name and the words that choose its code."""
    name, *words = told.split()
    return Specialised(kernels()[name], tuple(words))


def _kernel(call: Specialised) -> Unit:
    files = {**kernel_files([call.kernel.header]), f"{call.symbol}.c": call.unit}
    return Unit(f"{call.symbol}.c", files, _has_loops(call))


def _has_loops(call: Specialised) -> bool:
    return call.kernel.header not in _IN_VECTORS


def _source(program: Program, extra: Mapping[str, str]) -> str:
    """One translation unit: a compiler takes longer to start than to compile a list of calls."""
    return rows_source(program) + "".join(f'#include "{name}"\n' for name in extra if name.endswith(".c"))


@memoize
def threads_unit() -> Unit:
    """The threads that kernels share work with (``c/threads.h``)."""
    own = {name: resource(name) for name in ("threads.h", "threads.c")}
    return Unit("threads.c", {**kernel_files(["parallel"]), **own})


@memoize
def rows_unit() -> Unit:
    """Many rows of an entry shared by threads (``c/rows.c``); goes with :func:`threads_unit`."""
    return Unit("rows.c", {**threads_unit().files, "rows.c": resource("rows.c")})


def _object(unit: Unit) -> Path:
    compiler = host_compiler()
    flags = (*_flags(), "-O3" if unit.has_loops else "-O2", *(_WITHOUT if compiler.is_gcc else ()))
    key = cache.key_of(["object", compiler.identity, cpu_identity(), *flags, unit.name], unit.files)

    def make(workspace: Path, result: Path) -> None:
        write_sources(workspace, unit.files)
        command = [*compiler.command, *flags, "-c", unit.name, "-o", str(result)]
        run(workspace, f"compiling {unit.name}", command)

    return cache.get_or_make(key, "unit.o", make)


def compile_glue() -> Path:
    """The library that lets CPython call the others (``c/python_call.c``)."""
    name = "python_call.c"
    return _compile({_UNIT: resource(name)}, "compiling the Python bridge")


def rows_source(program: Program) -> str:
    """The generated translation unit: the program, and a loop over rows for each entry.

    Entries are not inlined into their loops: a large one would be compiled twice, for a nanosecond a row.
    """
    head = f'#include <stddef.h>\n#include "{program.name}.h"\n'
    declared = "".join(_declaration(program, entry) for entry in program.entries)
    loops = "\n".join(_rows_function(entry) for entry in program.entries if not entry.takes_rows)
    return f'{head}{declared}#include "{program.name}.c"\n\n{loops}'


def rows_symbol(entry: EntryPoint) -> str:
    """The name of the generated function for an entry."""
    return f"edgeling_rows_{entry.function}"


def _rows_function(entry: EntryPoint) -> str:
    ports = [(port, "const ") for port in entry.inputs] + [(port, "") for port in entry.outputs]
    arguments = entry.memory("weights", "arena")
    arguments += [_argument(port, const, i) for i, (port, const) in enumerate(ports)]
    head = f"void {rows_symbol(entry)}(void *weights, void *arena, size_t rows, void *const *ports)"
    return (
        f"{head};\n{head} {{\n"
        f"    (void)weights;\n    (void)arena;\n"
        f"    for (size_t row = 0; row < rows; row++)\n"
        f"        {entry.function}({', '.join(arguments)});\n}}\n"
    )


def _declaration(program: Program, entry: EntryPoint) -> str:
    types = [*entry.memory_types(program.name), *(["int"] if entry.takes_rows else [])]
    types += [*(f"const {port.type.dtype.c_name} *" for port in entry.inputs)]
    types += [f"{port.type.dtype.c_name} *" for port in entry.outputs]
    return f"__attribute__((noinline)) {entry.returns} {entry.function}({', '.join(types)});\n"


def _argument(port: Port, const: str, index: int) -> str:
    return f"({const}{port.type.dtype.c_name} *)ports[{index}] + row * {port.type.size}"


def _flags() -> tuple[str, ...]:
    return (*HOST, architecture_flag(host_compiler().is_zig), "-fno-semantic-interposition", "-I.")


Sources = tuple[Mapping[str, str], Sequence[Unit]]


def _compile(
    files: Mapping[str, str], purpose: str, more: Sequence[str] = (), units: Sequence[Unit] = (),
    changed: Callable[..., Sources] = lambda files, units: (files, units), told: str = "",
) -> Path:  # fmt: skip
    """A library of these files and units; where there is none yet, of what becomes of them when they are ``changed``,
    which depends on nothing but them and what is ``told``."""
    compiler, flags = host_compiler(), (*_flags(), *more)
    made_from = ["library", told, compiler.identity, cpu_identity(), *flags]
    beside = {f"{unit.name}/{name}": text for unit in units for name, text in unit.files.items()}
    # Linking through `zig cc` would first build a C library that a program does not need.
    link = [compiler.command[0], "ld.lld"] if compiler.is_zig and sys.platform == "linux" else list(compiler.command)

    def make(workspace: Path, result: Path) -> None:
        sources, needed = changed(files, units)
        write_sources(workspace, sources)

        def compile_it() -> None:
            run(workspace, purpose, [*compiler.command, *flags, "-c", _UNIT, "-o", f"{_UNIT}.o"])

        with told_if_long(purpose):
            objects = side_by_side(processors(), compile_it, *(partial(_object, unit) for unit in needed))[1:]
            run(workspace, purpose, [*link, "-shared", f"{_UNIT}.o", *map(str, objects), "-o", str(result)])

    return cache.get_or_make(cache.key_of(made_from, {**files, **beside}), _LIBRARY, make)
