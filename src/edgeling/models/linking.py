# SPDX-License-Identifier: Apache-2.0
"""From symbolic values to layers in Keras's order and their calls: what leads from inputs to outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError
from typing import Any

from edgeling.errors import DataError, UnsupportedError
from edgeling.layers.base import Layer
from edgeling.layers.input import InputLayer
from edgeling.layers.symbolic import ArgumentPlace, Symbolic, SymbolicCall, SymbolicOutput, leaves_of, mapped
from edgeling.network.arrays import Several
from edgeling.network.network import LayerCall, leading_to


@dataclass(frozen=True)
class Linked:
    """What leads from inputs to outputs.

    Attributes:
        layers: without the inputs, in Keras's order; operations of :mod:`edgeling.ops` among them.
        calls: what is computed of what.
        ends: of each output the value that it is, numbered as :class:`LayerCall` says.
        order: inputs and layers together, as Keras's files list them.
    """

    layers: tuple[Layer, ...]
    calls: tuple[LayerCall, ...]
    ends: tuple[int, ...]
    order: tuple[Layer, ...]


@dataclass(frozen=True)
class Structure:
    """How people hand over and receive several values: alone, in lists, or by names.

    Attributes:
        form: a :class:`ArgumentPlace` for each value, in lists and mappings as they stand.
    """

    form: Any

    @classmethod
    def of(cls, what: str, given: Any) -> tuple[Structure, tuple[Any, ...]]:
        """The structure of symbolic values, and these in order.

        Raises:
            UnsupportedError: there is none, or something else.
        """
        values = tuple(leaves_of(given))
        if not values or not all(isinstance(value, Symbolic) for value in values):
            kinds = ", ".join(type(value).__name__ for value in values)
            raise UnsupportedError(
                f"a model's {what} are Inputs, or what layers make of them", received=kinds or "none",
                remedy="Model(inputs, outputs), each a value, a list or a mapping of names to values",
            )  # fmt: skip
        numbered = iter(range(len(values)))
        return cls(mapped(given, lambda _: ArgumentPlace(next(numbered)))), values

    @property
    def keys(self) -> list[str] | None:
        """The names, in order, where the values stand in a mapping of them."""
        if not isinstance(self.form, Mapping) or not all(isinstance(v, ArgumentPlace) for v in self.form.values()):
            return None
        return [str(key) for key in sorted(self.form)]

    @property
    def is_alone(self) -> bool:
        """Whether it is one value by itself."""
        return isinstance(self.form, ArgumentPlace)

    def answered(self, made: Any) -> Any:
        """What a model gave as it is handed out: of one output by itself, unless it goes by a name."""
        if isinstance(made, Several):
            return self.filled(made.parts)
        return self.filled([made]) if self.is_mapping else made

    @property
    def is_mapping(self) -> bool:
        """Whether values go by names."""
        return isinstance(self.form, Mapping)

    def filled(self, values: Sequence[Any]) -> Any:
        """The values in their places."""
        return mapped(self.form, lambda place: values[place.index])


def linked(inputs: Sequence[Symbolic], outputs: Sequence[Symbolic]) -> Linked:
    """What leads from inputs to outputs.

    Raises:
        UnsupportedError: outputs begin with another input; inputs that nothing is made of, or that are given twice; a
            value that is made of itself; two layers of one name.
    """
    calls = _calls(inputs, outputs)
    order = _in_keras_order(inputs, outputs, calls)
    layers = tuple(layer for layer in order if id(layer) not in {id(one) for one in inputs})
    _require_names(order)
    places: dict[int, int] = {id(symbol): place for place, symbol in enumerate(inputs)}
    position = {layer: place for place, layer in enumerate(layers)}
    wired = []
    for call in calls:
        read = tuple(places[id(given)] for given in call.inputs)
        wired.append(LayerCall(position[call.layer], read, len(call.outputs), call.arguments))
        places.update({id(made): len(places) + at for at, made in enumerate(call.outputs)})
    return Linked(layers, tuple(wired), tuple(places[id(symbol)] for symbol in outputs), order)


def _calls(inputs: Sequence[Symbolic], outputs: Sequence[Symbolic]) -> list[SymbolicCall]:
    """The calls that lead to the outputs, each after those it reads: depth first, as Keras goes."""
    given = {id(symbol) for symbol in inputs}
    if len(given) != len(inputs):
        raise UnsupportedError("each input is given once", received="one twice", remedy="name each input once")
    used: set[int] = set()

    def read_by(call: SymbolicCall) -> list[SymbolicCall]:
        made = []
        for symbol in call.inputs:
            if id(symbol) in given:
                used.add(id(symbol))
            elif isinstance(symbol, SymbolicOutput):
                made.append(symbol.call)
            else:
                raise _begins_elsewhere(symbol)
        return made

    found: dict[SymbolicCall, None] = {}
    for output in outputs:
        if id(output) in given:
            used.add(id(output))
        elif not isinstance(output, SymbolicOutput):
            raise _begins_elsewhere(output)
        else:
            try:
                found |= dict.fromkeys(leading_to(output.call, read_by))
            except CycleError as error:
                name = error.args[0].layer.name
                raise UnsupportedError(
                    "no value is made of itself", received=f"a call of {name!r} that is",
                    remedy="a new value for what the layer gives",
                ) from None  # fmt: skip
    if not found:
        raise UnsupportedError("a model has layers", received="an input as output", remedy="Identity()(x)")
    unused = [_name(symbol) for symbol in inputs if id(symbol) not in used]
    if unused:
        raise UnsupportedError(
            "the outputs are made of all inputs", received=f"{', '.join(unused)}, which nothing is made of",
            remedy="leave it out of inputs",
        )  # fmt: skip
    return list(found)


def _begins_elsewhere(symbol: Any) -> UnsupportedError:
    return UnsupportedError(
        "the outputs follow from the inputs", received=f"another input, {_name(symbol)}", remedy="add it to inputs"
    )


def _name(symbol: Any) -> str:
    return repr(symbol.name)


def _in_keras_order(
    inputs: Sequence[Symbolic], outputs: Sequence[Symbolic], calls: Sequence[SymbolicCall]
) -> tuple[Layer, ...]:
    """The furthest from the outputs first; equals as they are met on the way from the outputs."""
    depth_of_call: dict[int, int] = {}
    depths: dict[Any, int] = {}
    for call in reversed(calls):
        depth = max(depth_of_call.get(id(call), 0), depths.get(call.layer, 0))
        depths[call.layer] = depth_of_call[id(call)] = depth
        for given in call.inputs:
            if isinstance(given, SymbolicOutput) and given not in inputs:
                depth_of_call[id(given.call)] = max(depth + 1, depth_of_call.get(id(given.call), 0))
            else:
                depths[given] = max(depth + 1, depths.get(given, 0))
    depths = {**dict.fromkeys(inputs, 0), **depths}
    met = {layer: place for place, layer in enumerate(_met(inputs, outputs))}
    return tuple(sorted(depths, key=lambda layer: (-depths[layer], met[layer])))


def _met(inputs: Sequence[Symbolic], outputs: Sequence[Symbolic]) -> list[Any]:
    """Each layer, inputs too, as it is met on the way from the outputs, depth first."""
    found: dict[Any, None] = {}
    seen: set[int] = set()
    waiting: list[Any] = list(reversed(outputs))
    while waiting:
        symbol = waiting.pop()
        if not isinstance(symbol, SymbolicOutput) or symbol in inputs:
            found.setdefault(symbol)
        elif id(symbol.call) not in seen:
            seen.add(id(symbol.call))
            found.setdefault(symbol.layer)
            waiting += reversed(symbol.inputs)
    return list(found)


def _require_names(layers: Sequence[Layer]) -> None:
    names = [layer.name for layer in layers]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UnsupportedError(
            "layers of a model have different names", received=repr(twice[0]), remedy="name='hidden_2' for one of them"
        )


def began_with(symbol: Symbolic) -> InputLayer:
    """The input that a model begins with where it is told to begin with a layer's output."""
    return symbol if isinstance(symbol, InputLayer) else InputLayer(shape=symbol.row)


def in_order(given: Any, structure: Structure, names: Sequence[str], what: str) -> list[Any]:
    """What is given for several values, one for each, in their order: alone, a list, or by names.

    Args:
        structure: how the values stand.
        names: of each, by which they may be given too.
        what: is given, for messages.

    Raises:
        DataError: for others, or for some only.
    """
    keys = structure.keys or names
    if not structure.is_alone and len(names) > 1 and hasattr(given, "columns") and hasattr(given, "__getitem__"):
        given = {str(name): given[name] for name in given.columns}  # a table: its columns by their names
    if isinstance(given, Mapping):
        found = [key for key in (keys, names) if set(map(str, given)) == set(key)]
        if not found:
            raise DataError(
                f"{what} go by the names {', '.join(keys)}", received=", ".join(map(str, given)) or "none",
                remedy=f"a mapping of {', '.join(map(repr, keys))}",
            )  # fmt: skip
        return [given[name] for name in found[0]]
    if structure.is_alone or (len(names) == 1 and not isinstance(given, (list, tuple))):  # as Keras takes it too
        return [given]
    if not isinstance(given, (list, tuple)) or len(given) != len(names):
        raise DataError(
            f"{what} are a list of {len(names)}, for {', '.join(keys)}, or a mapping by these names",
            received=f"{len(given)} of them" if isinstance(given, (list, tuple)) else type(given).__name__,
            remedy=f"a list of {len(names)}",
        )
    return list(given) if is_flat(structure.form) else list(leaves_of(given))


def is_flat(form: Any) -> bool:
    """Whether values stand in a list, none of them in one within."""
    return isinstance(form, (list, tuple)) and not any(isinstance(part, (list, tuple, Mapping)) for part in form)
