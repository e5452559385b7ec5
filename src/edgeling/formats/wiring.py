# SPDX-License-Identifier: Apache-2.0
"""Which layer of a functional model is called on which outputs, as a file of Keras 2 or 3 says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError
from typing import Any

from edgeling.errors import UnsupportedError
from edgeling.formats.archive import malformed
from edgeling.layers.symbolic import ArgumentPlace
from edgeling.models.describing import from_files
from edgeling.models.linking import Structure
from edgeling.network.network import LayerCall, leading_to

_MOST_OUTPUTS = 1000  # of a call
Node = tuple[str, int, int]  # a layer's name, which of its calls, which of its outputs


@dataclass(frozen=True)
class Wiring:
    """What is computed of what.

    Attributes:
        inputs: names of the input layers, in order.
        calls: of the other layers, counted without inputs.
        ends: the values that are outputs.
        forms: how inputs and outputs stand: alone, in lists, by names.
    """

    inputs: tuple[str, ...]
    calls: tuple[LayerCall, ...]
    ends: tuple[int, ...]
    forms: tuple[Structure, Structure]


@dataclass(frozen=True)
class _Call:
    """A call as a file holds it."""

    reads: tuple[Node, ...]
    arguments: Any


def wiring_of(config: Mapping[str, Any], layers: Sequence[tuple[Any, Any, Any]]) -> Wiring:
    """The calls that lead to the outputs, each after those it reads.

    Among the outputs (not where layers are called on them) Keras counts the calls of models within from 1, for making
    one is a call to Keras.

    Args:
        layers: of each its name, its kind, and its calls as the file holds them.

    Raises:
        UnsupportedError: a layer called in a special way; inputs that nothing is made of.
        ArtifactError: a call of a layer that is not there, or that reads what is made of it.
    """
    (given, firsts), (made, lasts) = (_ends(config.get(key)) for key in ("input_layers", "output_layers"))
    models = {name for name, kind, _ in layers if kind in ("Functional", "Model")}
    lasts = [(name, max(0, place - 1) if name in models else place, at) for name, place, at in lasts]
    inputs = [name for name, kind, _ in layers if kind == "InputLayer"]
    if sorted(map(str, inputs)) != sorted(name for name, _, _ in firsts) or not firsts or not lasts:
        raise UnsupportedError(
            "a functional model has inputs and outputs, and its input layers are the inputs",
            received=f"the inputs {[name for name, *_ in firsts]} and the outputs {[name for name, *_ in lasts]}",
            remedy="Model(inputs, outputs)",
        )
    calls = {
        (name, place): _call(call, name)
        for name, kind, held in layers if kind != "InputLayer"
        for place, call in enumerate(_calls(held, name))
    }  # fmt: skip
    order = _order(lasts, calls, firsts)
    unused = {name for name, kind, _ in layers if kind != "InputLayer"} - {name for name, _ in order}
    if unused:
        raise malformed(f"layers that do not lead to the output: {', '.join(sorted(map(str, unused)))[:200]}")
    outputs = {key: 1 + max(node[2] for node in (*lasts, *_read(calls)) if node[:2] == key) for key in order}
    numbers = {node: place for place, node in enumerate(firsts)}
    for key in order:
        numbers.update({(*key, at): len(numbers) + at for at in range(outputs[key])})
    others = [name for name, kind, _ in layers if kind != "InputLayer"]
    wired = tuple(
        LayerCall(others.index(key[0]), tuple(numbers[node] for node in calls[key].reads), outputs[key],
                  calls[key].arguments)
        for key in order
    )  # fmt: skip
    return Wiring(tuple(name for name, *_ in firsts), wired, tuple(numbers[node] for node in lasts), (given, made))


def _read(calls: Mapping[Any, _Call]) -> list[Node]:
    return [node for call in calls.values() for node in call.reads]


def _calls(calls: Any, name: Any) -> Sequence[Any]:
    if not isinstance(calls, (list, tuple)):
        raise malformed(f"a layer {name!r} without calls")
    return calls


def _order(
    lasts: Sequence[Node], calls: Mapping[tuple[str, int], _Call], firsts: Sequence[Node]
) -> list[tuple[str, int]]:
    """The calls that lead to the outputs, each after those it reads."""
    begins = set(firsts)

    def read_by(key: tuple[str, int]) -> list[tuple[str, int]]:
        return [_made(node) for node in calls[key].reads if node not in begins]

    def _made(node: Node) -> tuple[str, int]:
        if node[:2] not in calls:
            raise malformed(f"a call that reads what is not there: {node[0]!r}")
        return node[:2]

    found: dict[tuple[str, int], None] = {}
    for last in lasts:
        if last not in begins:
            try:
                found |= dict.fromkeys(leading_to(_made(last), read_by))
            except CycleError as error:
                raise malformed(f"a call that reads itself: {error.args[0][0]!r}") from None
    return list(found)


def _ends(ends: Any) -> tuple[Structure, list[Node]]:
    """``["dense", 0, 0]``, a list or a mapping of such."""
    found: list[Node] = []

    def placed(value: Any) -> Any:
        if isinstance(value, Mapping):
            made = {str(key): placed(value[key]) for key in sorted(value, key=str)}
            return {str(key): made[str(key)] for key in value}
        if isinstance(value, (list, tuple)) and not (value and isinstance(value[0], str)):
            return [placed(part) for part in value]
        found.append(_node(value))
        return ArgumentPlace(len(found) - 1)

    form = placed([] if ends is None else ends)
    return Structure(form[0] if isinstance(form, list) and len(form) == 1 else form), found


def _node(history: Any) -> Node:
    """``[layer, call, output]``."""
    kinds = (str, int, int)
    if not isinstance(history, (list, tuple)) or len(history) < 3 or not all(map(isinstance, history, kinds)):
        raise malformed(f"a place of an output {str(history)[:100]!r}")
    name, call, output = history[:3]
    if not 0 <= output < _MOST_OUTPUTS:
        raise malformed(f"output {output} of {name!r}")
    return name, call, output


def _call(call: Any, name: Any) -> _Call:
    """What a call takes; Keras 3's form is a mapping, Keras 2's a list of lists."""
    if not isinstance(call, Mapping):
        if not isinstance(call, (list, tuple)):
            raise malformed(f"a call of {name!r} {str(call)[:100]!r}")
        parts = [call] if call and isinstance(call[0], str) else list(call)
        _refuse_settings([part[3] for part in parts if len(part) > 3], name)
        return _Call(tuple(_node(part) for part in parts), None)
    reads: list[Node] = []

    def placed(value: Any) -> Any:
        history = value.get("config", {}).get("keras_history") if _is_tensor(value) else None
        if history is not None:
            reads.append(_node(history))
            return ArgumentPlace(len(reads) - 1)
        if isinstance(value, (list, tuple)):
            return [placed(part) for part in value]
        if isinstance(value, Mapping) and "class_name" not in value:
            made = {str(key): placed(value[key]) for key in sorted(value, key=str)}
            return {str(key): made[str(key)] for key in value}
        return from_files(value)

    named = {
        key: value for key, value in (call.get("kwargs") or {}).items() if value is not None and value is not False
    }
    arguments = [placed(part) for part in call.get("args", ())], {key: placed(named[key]) for key in sorted(named)}
    return _Call(tuple(reads), arguments)


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("class_name") == "__keras_tensor__"


def _refuse_settings(settings: Sequence[Any], name: Any) -> None:
    for given in settings:
        held = given if isinstance(given, Mapping) else {}
        switched_on = [key for key, value in held.items() if value is not None and value is not False]
        if switched_on:
            raise special(name, str(switched_on))


def special(name: Any, received: str) -> UnsupportedError:
    """The error of a layer called in a way that is not supported."""
    return UnsupportedError(
        f"layer {name!r} is called without special settings", received=received, remedy="leave them out"
    )
