# SPDX-License-Identifier: Apache-2.0
"""What a function of :mod:`edgeling.ops` is: nodes appended to the graph that is being written, an operation among the
layers of a model where it is called on symbolic values, and a computation where it is called on arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import Signature, signature
from typing import Any

import numpy as np

from edgeling.configurable import automatic_name, refuse, snake_case
from edgeling.errors import UnsupportedError
from edgeling.graph import GraphBuilder, run
from edgeling.layers.base import Layer, Shape
from edgeling.layers.symbolic import (
    ArgumentPlace,
    Arguments,
    Symbolic,
    SymbolicOutput,
    leaves_of,
    mapped,
    symbols_among,
)
from edgeling.layers.traced import TracedValue, present, scratch, tracing
from edgeling.network.arrays import numbers
from edgeling.network.tracing import Tracer
from edgeling.network.weights import Weight

TABLE: dict[str, TensorFunction] = {}
"""By the name of Keras's class: those that its files hold."""
_ROWS = 2  # of the graph that shapes are read from


@dataclass(frozen=True, eq=False)
class TensorFunction:
    """A function of :mod:`edgeling.ops`.

    Attributes:
        body: what it does to traced values.
        module: of Keras, where its operation stands.
        settings: arguments that belong to the operation, not to the call, in Keras's files.
        numbers: arguments that are no tensors.
        of_arrays: what computes it of arrays, in the place of the graph.
    """

    body: Callable[..., Any]
    module: str
    settings: tuple[str, ...]
    numbers: tuple[str, ...]
    told: Signature
    of_arrays: Callable[..., Any] | None = None

    @property
    def name(self) -> str:
        """Keras's name of the function."""
        return self.body.__name__

    @property
    def class_name(self) -> str:
        """Keras's name of the operation."""
        return "".join(part[:1].upper() + part[1:] for part in self.name.split("_"))

    def __call__(self, *places: Any, **named: Any) -> Any:
        """On traced values inside a function of one's own, on symbolic ones, or on arrays."""
        if present() is not None:
            return self.body(*places, **named)
        if symbols_among((places, named)):
            return TensorOperation(self).on(places, named)
        return self._computed(places, named)

    def _computed(self, places: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
        """Of arrays, in NumPy."""
        if self.name == "cast" and not any(isinstance(one, Weight) for one in places):
            return np.asarray(places[0]).astype(self.told.bind(*places, **named).arguments["dtype"])
        if self.of_arrays is not None:
            return mapped(
                self.of_arrays(*places, **named), lambda one: one if one.dtype.kind == "i" else np.float32(one)
            )
        given = self.told.bind(*places, **named).arguments
        builder, arrays = GraphBuilder("ops"), dict[str, Any]()

        def value(x: Any) -> Any:
            if isinstance(x, Weight):
                x = x.value
            if x is None or isinstance(x, (str, slice)) or (np.ndim(x) == 0 and np.isfinite(x)):
                return x
            array = numbers(np.atleast_1d(x), "x", finite=False).reshape(np.shape(x))
            name = builder.input(f"x_{len(arrays)}", array.shape)
            arrays[name] = array
            return TracedValue(tracer, name, False)

        tracer = Tracer(builder, {}, lazily=True)
        given = {key: x if key in self.numbers else _mapped_arrays(x, value) for key, x in given.items()}
        with tracing(tracer):
            result = self.body(**given)
        made = [one for one in leaves_of(result) if isinstance(one, TracedValue)]
        done = iter(run(builder.build([one.name for one in made]), arrays).outputs)
        return mapped(result, lambda one: next(done) if isinstance(one, TracedValue) else one)


def _mapped_arrays(x: Any, change: Callable[[Any], Any]) -> Any:
    """Arrays one by one where they stand in a list; a list of numbers is one."""
    if isinstance(x, (list, tuple)) and any(hasattr(part, "shape") or isinstance(part, (list, tuple)) for part in x):
        return [change(part) for part in x]
    return change(x)


def operation(
    module: str = "numpy",
    settings: Sequence[str] = (),
    numbers: Sequence[str] = (),
    of_arrays: Callable[..., Any] | None = None,
) -> Callable[[Callable[..., Any]], TensorFunction]:
    """Make a function of :mod:`edgeling.ops` of one that computes with traced values.

    Args:
        module, settings, numbers, of_arrays: see :class:`TensorFunction`.
    """

    def decorated(body: Callable[..., Any]) -> TensorFunction:
        made = TensorFunction(body, module, tuple(settings), (*settings, *numbers), signature(body), of_arrays)
        for name in ("__doc__", "__name__", "__wrapped__"):
            object.__setattr__(made, name, body if name == "__wrapped__" else getattr(body, name))
        TABLE[f"{module}.{made.class_name}"] = made
        return made

    return decorated


class TensorOperation(Layer):
    """A function of :mod:`edgeling.ops` in a functional model."""

    is_operation = True

    def __init__(self, function: Any, name: str | None = None, told: Mapping[str, Any] | None = None) -> None:
        super().__init__(name=name or automatic_name(function.class_name))
        self.function, self.told = function, dict(told or {})

    @property
    def class_name(self) -> str:
        """Keras's name of the operation."""
        return str(self.function.class_name)

    def on(self, places: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
        """What stands for the result."""
        given = self.function.told.bind(*places, **named).arguments
        self.told = {key: given.pop(key) for key in self.function.settings if key in given}
        symbols = symbols_among(given)
        numbered = iter(range(len(symbols)))
        placed = mapped(given, lambda x: ArgumentPlace(next(numbered)) if isinstance(x, Symbolic) else x)
        outputs = self.called_on(symbols, ((), placed))
        return outputs[0] if len(outputs) == 1 else list(outputs)

    def called_on(self, symbols: Sequence[Any], arguments: Arguments | None = None) -> tuple[SymbolicOutput, ...]:
        made = super().called_on(symbols, ((), self._by_name(arguments)))
        self.output_row = made[0].row
        return made

    def _by_name(self, arguments: Arguments | None) -> dict[str, Any]:
        """A call's arguments by their names, but for the settings."""
        places, named = arguments or ((), {})
        given = [key for key in self.function.told.parameters if key not in self.function.settings]
        return {**dict(zip(given, places, strict=False)), **named}

    def call_arguments(self, arguments: Arguments) -> Arguments:
        given = dict(arguments[1])
        places = []
        for key in self.function.told.parameters:
            if key in self.function.settings:
                continue
            if key not in given:
                break
            places.append(given.pop(key))
        return tuple(places), given

    def output_rows_of(self, rows: Sequence[Shape], arguments: Arguments | None = None) -> tuple[Shape, ...]:
        tracer = scratch()
        given = [tracer.builder.input(f"x_{i}", (_ROWS, *row)) for i, row in enumerate(rows)]
        made = self.traced(tracer, given, arguments)
        return tuple(tracer.builder.type_of(name).shape[1:] for name in made)

    def _prepare(self, shapes: Sequence[tuple[int | None, ...]]) -> None:
        row: Any = tuple(shapes[0][1:])
        self.input_row, self.output_row = row, ()

    def traced(self, tracer: Tracer, values: Sequence[str], arguments: Arguments | None = None) -> tuple[str, ...]:
        told = self._by_name(arguments)
        given = mapped(told, lambda x: TracedValue(tracer, values[x.index], True) if _is_place(x) else x)
        with tracing(tracer):
            made = tuple(leaves_of(self.function.body(**given, **self.told)))
        if not all(isinstance(one, TracedValue) and one.per_row for one in made):
            raise UnsupportedError(
                "each row of a batch is answered for itself", received=f"{self.function.name} of all rows together",
                remedy="an axis from 1 on",
            )  # fmt: skip
        return tuple(one.name for one in made)

    def signature(self) -> list[Any]:
        """What the compiled code depends on, but for the calls' arguments."""
        return [self.function.name, self.told]

    def get_config(self) -> dict[str, Any]:
        """Keras's configuration: the name and the settings."""
        defaults = {key: self.function.told.parameters[key].default for key in self.function.settings}
        return {"name": self.name, **defaults, **self.told}

    @classmethod
    def of_file(cls, module: str, class_name: str, config: Mapping[str, Any]) -> TensorOperation:
        """From what a file holds.

        Raises:
            UnsupportedError: no such operation, or a setting of it that is not supported.
        """
        known = TABLE.get(f"{module.rpartition('.')[2]}.{class_name}")
        if known is None:
            raise UnsupportedError(
                "the operation is not supported", received=f"{module}.{class_name}",
                remedy=f"one of {', '.join(sorted(each.name for each in TABLE.values()))}",
            )  # fmt: skip
        told = {key: value for key, value in config.items() if key in known.settings}
        for key in config.keys() - told.keys() - {"name", "trainable", "dtype"}:
            refuse(known.name, key, config[key])
        return cls(known, config.get("name") or snake_case(class_name), told)


def _is_place(x: Any) -> bool:
    return isinstance(x, ArgumentPlace)
