# SPDX-License-Identifier: Apache-2.0
"""The shortest way from an array of rows to its answers: one C function, made for rows of one number and shape.

NumPy's arrays are read as its ABI lays them out, which is looked at first; where they are not so, there is no such way.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeling.toolchain import binding
from edgeling.toolchain.native import NativeProgram

Answer = Callable[[NDArray[Any]], NDArray[Any]]
_METH_O = 0x8
_EMPTY = 184  # the place of PyArray_Empty in NumPy's table


@dataclass(frozen=True)
class Step:
    """An entry called ``calls`` times, on rows one after another from ``first`` on."""

    program: NativeProgram
    entry: str
    first: int
    calls: int


class _Step(ctypes.Structure):
    """``edgeling_step`` of ``c/python_call.c``."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("run", "weights", "arena")),
        *((name, ctypes.c_ssize_t) for name in ("first", "calls")),
    ]


class _Answer(ctypes.Structure):
    """``edgeling_answer``."""

    _objects_ = ("array_type", "float32", "float64", "astype")
    _fields_ = [
        ("changes", ctypes.c_void_p),
        ("seen", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in _objects_),
        ("empty", ctypes.c_void_p),
        ("dimensions", ctypes.c_ssize_t),
        ("shape", ctypes.c_void_p),
        ("out_dimensions", ctypes.c_ssize_t),
        ("out_shape", ctypes.c_void_p),
        *((name, ctypes.c_ssize_t) for name in ("row_bytes", "out_row_bytes", "steps")),
        ("step", ctypes.c_void_p),
    ]


class _Array(ctypes.Structure):
    """``numpy_array``."""

    _fields_ = [
        ("references", ctypes.c_ssize_t),
        *((name, ctypes.c_void_p) for name in ("type", "data")),
        ("dimensions", ctypes.c_int),
        *((name, ctypes.c_void_p) for name in ("shape", "strides", "base", "dtype")),
        ("flags", ctypes.c_int),
    ]


def direct(
    steps: Sequence[Step], shape: tuple[int, ...], out_shape: tuple[int, ...], changes: ctypes.c_int64
) -> Answer | None:
    """``answer(x)``: float32 ``x`` of that shape, or float64, gives a new float32 array.

    It holds Python's global lock. Whatever else it is given, and once ``changes`` counts more than now, it raises
    TypeError.

    Args:
        steps: what answers the rows; a later one may answer again what an earlier one did.
        changes: counts what makes the answers wrong.

    Returns:
        None where this interpreter and this NumPy are not the ones it is written for.
    """
    bridge = binding.glue()
    if bridge is None or not _is_known_layout():
        return None
    # These arrays are read by C later: `builtin` keeps each of them for as long as the function lives.
    described = (_Step * len(steps))(*map(_step, steps))
    lengths, out_lengths = ((ctypes.c_ssize_t * len(s))(*s) for s in (shape, out_shape))
    float32 = np.dtype(np.float32)
    objects = (np.ndarray, float32, np.dtype(np.float64), np.ndarray.astype)
    sizes = tuple(4 * int(np.prod(row[1:], dtype=int)) for row in (shape, out_shape))
    answer = _Answer(
        ctypes.addressof(changes), changes.value, *map(id, objects), _empty(), len(shape), ctypes.addressof(lengths),
        len(out_shape), ctypes.addressof(out_lengths), *sizes, len(steps), ctypes.addressof(described),
    )  # fmt: skip
    method = binding.MethodDef(b"answer", binding.address(bridge.edgeling_answer_rows), _METH_O, None)
    return binding.builtin(method, answer, described, lengths, out_lengths, objects, changes, bridge, tuple(steps))


def _step(step: Step) -> _Step:
    program = step.program
    places = program.rows_address(step.entry), program.weights.ctypes.data, program.arena.ctypes.data
    return _Step(*places, step.first, step.calls)


@cache
def _empty() -> int:
    """The address of ``PyArray_Empty``: NumPy's table of functions for extensions has kept its order since 1.0."""
    pointer = ctypes.pythonapi["PyCapsule_GetPointer"]
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_void_p]
    # NumPy's capsule has no name: None is NULL here.
    table = pointer(import_module("numpy._core._multiarray_umath")._ARRAY_API, None)
    return ctypes.c_void_p.from_address(table + _EMPTY * ctypes.sizeof(ctypes.c_void_p)).value or 0


@cache
def _is_known_layout() -> bool:
    if sys.implementation.name != "cpython":
        return False
    array = np.zeros((2, 3), np.float32)
    # In CPython `id` is an object's address. What C will read is compared once with what NumPy says of an array.
    head = _Array.from_address(id(array))
    read = head.type, head.data, head.dimensions, head.dtype, head.flags
    if read != (id(np.ndarray), array.ctypes.data, array.ndim, id(array.dtype), array.flags.num):
        return False
    return tuple((ctypes.c_ssize_t * array.ndim).from_address(head.shape)) == array.shape
