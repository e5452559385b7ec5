# SPDX-License-Identifier: Apache-2.0
"""Makes Python callables out of C addresses: through ``c/python_call.c``, or ctypes where CPython's API is missing."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache as memoize
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeling.codegen.program import EntryPoint, Port
from edgeling.errors import ToolchainError
from edgeling.graph.types import DType
from edgeling.toolchain.library import compile_glue
from edgeling.toolchain.loading import open_library

Owned = tuple[NDArray[np.uint8], NDArray[np.uint8]]  # the bytes of weights, and of the arena
_METH_FASTCALL = 0x80
_MAX_PORTS = 64  # as in python_call.c
_FORMATS = {DType.FLOAT32: b"f", DType.INT32: b"il", DType.UINT32: b"IL", DType.INT8: b"b", DType.INT16: b"h"}


class _Api(ctypes.Structure):
    """``edgeling_python_api``."""

    _functions = (
        "PyObject_GetBuffer",
        "PyBuffer_Release",
        "PyObject_CheckBuffer",
        "PyTuple_GetItem",
        "PyLong_AsVoidPtr",
        "Py_IncRef",
        "Py_DecRef",
        "PyErr_Clear",
        "PyErr_Format",
        "PyObject_CallFunctionObjArgs",
    )
    # Their addresses are handed over as numbers, without a reference: they live as long as the interpreter.
    _objects_ = (TypeError, ValueError, None)
    _fields_ = [(f"slot{i}", ctypes.c_void_p) for i in range(len(_functions) + len(_objects_))]


class _Port(ctypes.Structure):
    """``edgeling_port``."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("dtype", ctypes.c_char_p),
        ("row_bytes", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("is_output", ctypes.c_int),
        ("formats", ctypes.c_char * 4),
    ]


class _Binding(ctypes.Structure):
    """``edgeling_binding``."""

    _fields_ = [
        ("run", ctypes.c_void_p),
        ("weights", ctypes.c_void_p),
        ("arena", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("n_ports", ctypes.c_ssize_t),
        ("ports", ctypes.c_void_p),
        ("takes_rows", ctypes.c_int),
    ]


class MethodDef(ctypes.Structure):
    """``PyMethodDef``."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    ]


def bind(entry: EntryPoint, run: int, owned: Owned, *, takes_rows: bool, keep: object) -> Callable[..., None]:
    """A callable of the entry's inputs and outputs that runs ``run`` (a generated rows function).

    Args:
        entry: names, sizes and element types of the ports.
        run: address of ``void (*)(void *weights, void *arena, size_t rows, void *const *ports)``.
        owned: weights and arena; kept alive by the callable.
        takes_rows: whether arrays hold any number of rows, or exactly one.
        keep: anything else that must live as long (the library).

    Raises:
        ToolchainError: more than 64 ports, or a port without elements.
    """
    ports = [*entry.inputs, *entry.outputs]
    if len(ports) > _MAX_PORTS or not all(port.type.size for port in ports):
        raise ToolchainError(
            f"an entry has at most {_MAX_PORTS} ports, none empty", received=entry.function,
            remedy="fewer inputs and outputs: Concatenate() them",
        )  # fmt: skip
    bridge = glue()
    if bridge is None:
        return _ctypes_call(entry, run, owned, takes_rows, keep)
    return _builtin(bridge, entry, run, owned, takes_rows, keep)


@memoize
def glue() -> ctypes.CDLL | None:
    """The bridge with CPython's addresses filled in; None where this interpreter does not have them."""
    try:
        addresses = [address(getattr(ctypes.pythonapi, name)) for name in _Api._functions]
    except AttributeError:
        return None
    library = open_library(compile_glue())
    api = _Api.in_dll(library, "edgeling_python")
    for i, value in enumerate([*addresses, *map(id, _Api._objects_)]):
        setattr(api, f"slot{i}", value)
    return library


def _builtin(
    bridge: ctypes.CDLL, entry: EntryPoint, run: int, owned: Owned, takes_rows: bool, keep: object
) -> Callable[..., None]:
    name = entry.function.encode()
    ports = _ports(entry)
    # Numbers keep nothing alive: what they point to goes into the callable's owner, below.
    addresses = (memory.ctypes.data for memory in owned)
    binding = _Binding(run, *addresses, name, len(ports), ctypes.addressof(ports), takes_rows)
    method = MethodDef(name, address(bridge.edgeling_call), _METH_FASTCALL, None)
    return builtin(method, binding, ports, owned, keep, bridge)


def builtin(method: MethodDef, described: ctypes.Structure, *keep: object) -> Callable[..., Any]:
    """A CPython function whose ``self`` is a tuple: the address of what describes it, then what must live as long."""
    new = ctypes.pythonapi["PyCFunction_NewEx"]
    new.restype = ctypes.py_object
    new.argtypes = [ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p]
    # CPython lets a method definition live in what its own `self` owns (see meth_dealloc).
    owner = (ctypes.addressof(described), described, method, *keep)
    made: Callable[..., Any] = new(ctypes.addressof(method), owner, None)
    return made


def _ports(entry: EntryPoint) -> ctypes.Array[_Port]:
    described = [_port(port, is_output=False) for port in entry.inputs]
    described += [_port(port, is_output=True) for port in entry.outputs]
    return (_Port * len(described))(*described)


def _port(port: Port, *, is_output: bool) -> _Port:
    dtype = port.type.dtype
    name, dtype_name = port.name.encode(), dtype.value.encode()
    return _Port(name, dtype_name, port.type.bytes, dtype.bytes, is_output, _FORMATS[dtype])


def _ctypes_call(entry: EntryPoint, run: int, owned: Owned, takes_rows: bool, keep: object) -> Callable[..., None]:
    # PYFUNCTYPE keeps the global lock, as the bridge does: weights and arena are nobody else's during a call.
    function = ctypes.PYFUNCTYPE(None, *[ctypes.c_void_p] * 2, ctypes.c_size_t, ctypes.c_void_p)(run)
    ports = [(port, False) for port in entry.inputs] + [(port, True) for port in entry.outputs]
    pointers = (ctypes.c_void_p * len(ports))()
    addresses, pointers_address = [memory.ctypes.data for memory in owned], ctypes.addressof(pointers)
    # The closure holds the function, and the function what its addresses lead to.
    function.keep = (owned, keep)  # type: ignore[attr-defined]

    def call(*arrays: NDArray[Any]) -> None:
        if len(arrays) != len(ports):
            raise TypeError(f"{entry.function} takes {len(ports)} arrays; received {len(arrays)}")
        rows = arrays[0].nbytes // ports[0][0].type.bytes if takes_rows else 1
        for i, ((port, is_output), array) in enumerate(zip(ports, arrays, strict=True)):
            _check(entry, port, array, rows, is_output)
            pointers[i] = array.ctypes.data
        function(*addresses, rows, pointers_address)

    return call


def _check(entry: EntryPoint, port: Port, array: NDArray[Any], rows: int, is_output: bool) -> None:
    where = f"{entry.function}: {port.name}"
    if not isinstance(array, np.ndarray) or array.dtype != port.type.dtype.numpy:
        raise TypeError(f"{where} must be an array of {port.type.dtype.value}")
    if not array.flags.c_contiguous or not array.flags.aligned or (is_output and not array.flags.writeable):
        raise ValueError(f"{where} must be a C-contiguous{', writable' if is_output else ''} array")
    if array.nbytes != rows * port.type.bytes:
        raise ValueError(f"{where} must be {rows * port.type.bytes} bytes; received {array.nbytes} bytes")


def address(function: Any) -> int:
    """Where the code of a ctypes function lies."""
    return ctypes.cast(function, ctypes.c_void_p).value or 0
