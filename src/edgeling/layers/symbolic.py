# SPDX-License-Identifier: Apache-2.0
"""The functional API: ``Dense(3)(x)`` of what is not there yet says what will be computed of what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from edgeling.errors import UnsupportedError


class Symbolic:
    """What stands for a batch of rows before there is one: an ``Input``, or what a layer makes of others.

    Operators on it are those of :mod:`edgeling.ops`: ``2 * x + 1``, ``x[:, :3]``, ``x > 0``.

    Attributes:
        row: the shape of one row.
    """

    row: tuple[int, ...]
    dtype = "float32"
    __array_priority__ = 1000  # of two operands NumPy's array is not the one that computes

    @property
    def shape(self) -> tuple[int | None, ...]:
        """With the batch: ``(None, ...)``, where its input states no size of batches."""
        return (self.batch_size, *self.row)

    @property
    def batch_size(self) -> int | None:
        """The size of batches that its first input states."""
        return None

    @property
    def ndim(self) -> int:
        """How many axes there are, with the batch's."""
        return len(self.shape)

    def __array_ufunc__(self, function: Any, method: str, *inputs: Any, **how: Any) -> Any:
        ours = _OF_NUMPY.get(function.__name__)
        if ours is None or method != "__call__" or how:
            raise _not_there(f"NumPy's {function.__name__}", f"edgeling.ops.{ours or function.__name__}")
        return _operation(ours)(*inputs)

    def __array_function__(self, function: Any, *_: Any) -> Any:
        raise _not_there(f"NumPy's {function.__name__}", f"edgeling.ops.{function.__name__}")

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise _not_there("an array made of it", "the functions of edgeling.ops in the place of NumPy's")

    def __bool__(self) -> bool:
        raise _not_there("`if`, `while`, `and`, `or` or `not` on it", "edgeling.ops.where(condition, x, y)")

    def __float__(self) -> float:
        raise _not_there("a number made of it", "compute with it as it is")

    __int__ = __float__

    def __len__(self) -> int:
        raise _not_there("its length", "x.shape")

    def __iter__(self) -> Iterator[Any]:
        raise _not_there("a loop over it", "edgeling.ops.split(x, n, axis=1)")


def _not_there(received: str, remedy: str) -> UnsupportedError:
    return UnsupportedError("what is not computed yet has no values to look at", received=received, remedy=remedy)


def _operation(name: str) -> Callable[..., Any]:
    """A function of :mod:`edgeling.ops`, which knows layers; they do not know it."""
    found: Callable[..., Any] = getattr(import_module("edgeling.ops"), name)
    return found


def _operator(name: str, reflected: bool = False) -> Callable[..., Any]:
    def operator(self: Any, *others: Any) -> Any:
        return _operation(name)(*(*others, self) if reflected else (self, *others))

    return operator


_BINARY = {"add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "pow": "power", "matmul": "matmul",
           "floordiv": "floor_divide", "mod": "mod", "and": "logical_and", "or": "logical_or"}  # fmt: skip
_COMPARED = {"lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}
_OF_NUMPY = {
    **{name: name for name in (*_BINARY.values(), *_COMPARED.values(), "negative", "absolute", "maximum", "minimum")},
    "true_divide": "divide",
    "absolute": "abs",
    "remainder": "mod",
}


def with_operators(owner: type) -> None:
    """Give a class the operators of symbolic values."""
    for operator, name in {
        **_BINARY,
        **_COMPARED,
        "neg": "negative",
        "abs": "abs",
        "invert": "logical_not",
        "getitem": "get_item",
    }.items():
        setattr(owner, f"__{operator}__", _operator(name))
    for operator, name in _BINARY.items():
        setattr(owner, f"__r{operator}__", _operator(name, reflected=True))


with_operators(Symbolic)


Arguments = tuple[tuple[Any, ...], Mapping[str, Any]]
"""Positional and named arguments of a call, with a :class:`ArgumentPlace` for each symbolic value among them."""


@dataclass(frozen=True)
class ArgumentPlace:
    """Where in a call's arguments the ``index``-th of its symbolic values stands."""

    index: int


@dataclass(frozen=True, eq=False)
class SymbolicCall:
    """One call of a layer on symbolic values.

    Attributes:
        layer: what was called.
        inputs: the symbolic values among its arguments, in their order.
        outputs: what stands for what it gives, in order.
        arguments: all positional and named arguments, an :class:`ArgumentPlace` for each of ``inputs``; None where a
            layer is called on its inputs alone.
    """

    layer: Any
    inputs: tuple[Any, ...]
    rows: tuple[tuple[int, ...], ...]
    arguments: Arguments | None = None

    def __post_init__(self) -> None:
        made = tuple(SymbolicOutput(row, self, index) for index, row in enumerate(self.rows))
        object.__setattr__(self, "outputs", made)
        object.__setattr__(self, "batch_size", self.inputs[0].batch_size if self.inputs else None)

    outputs: tuple[SymbolicOutput, ...] = ()
    batch_size: int | None = None


@dataclass(frozen=True, eq=False)
class SymbolicOutput(Symbolic):
    """What a call of a layer gives; of several outputs, one."""

    row: tuple[int, ...]
    call: SymbolicCall
    index: int = 0

    @property
    def layer(self) -> Any:
        """Whose output it is."""
        return self.call.layer

    @property
    def inputs(self) -> tuple[Any, ...]:
        """What it is made of."""
        return self.call.inputs

    @property
    def batch_size(self) -> int | None:
        """As its first input's."""
        return self.call.batch_size

    @property
    def name(self) -> str:
        """The layer's."""
        return str(self.layer.name)


def leaves_of(value: Any) -> Iterator[Any]:
    """What stands in lists, tuples and mappings, in order; mappings as Keras flattens them, by key."""
    if isinstance(value, Mapping):
        value = [value[key] for key in sorted(value)]
    if isinstance(value, (list, tuple)):
        for part in value:
            yield from leaves_of(part)
    else:
        yield value


def mapped(value: Any, change: Callable[[Any], Any]) -> Any:
    """Lists, tuples and mappings as they are, with what stands in them changed; in the order of :func:`leaves_of`."""
    if isinstance(value, Mapping):
        changed = {key: mapped(value[key], change) for key in sorted(value)}
        return {key: changed[key] for key in value}
    if isinstance(value, (list, tuple)):
        return type(value)(mapped(part, change) for part in value)
    return change(value)


def symbols_among(value: Any) -> tuple[Any, ...]:
    """The symbolic values among a call's arguments, in order."""
    return tuple(one for one in leaves_of(value) if isinstance(one, Symbolic))
