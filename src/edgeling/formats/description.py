# SPDX-License-Identifier: Apache-2.0
"""What a model file says of the layers: Keras's configuration, checked to be a plain chain of known layers.

Nothing in it is ever executed: layers come from a table of classes by their names, functions likewise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgeling.configurable import refuse_custom
from edgeling.errors import UnsupportedError
from edgeling.files import strict_json
from edgeling.formats.archive import malformed

MAX_LAYERS = 500
_CHAINS = ("Sequential", "Functional", "Model")
_ONE_CHAIN = "keep a chain of layers, such as Sequential([Input((4,)), Dense(8), Dense(3)])"
_REMEDIES = {
    "Lambda": "a Lambda layer holds Python code, which is never run: put a supported layer such as Activation or"
    " Rescaling in its place",
    **dict.fromkeys(_CHAINS, "put the inner model's layers into the outer one"),
}


@dataclass(frozen=True)
class Description:
    """A chain of layers as plain data.

    Attributes:
        name: the model's.
        input_shape: with the batch first; None where the first layer states it itself.
        input_name: the input layer's, if there is one.
        layers: Keras's description of each, without the input.
    """

    name: str
    input_shape: tuple[int | None, ...] | None
    input_name: str | None
    layers: tuple[dict[str, Any], ...]


def parse_json(text: str | bytes, what: str) -> dict[str, Any]:
    """The object of a JSON text.

    Raises:
        ArtifactError: not JSON, not an object, a number that is not finite, or a name twice in one object.
    """
    try:
        value = strict_json.parse(text)
    except ValueError as error:
        raise malformed(f"{what} that is not JSON ({error})") from error
    if not isinstance(value, dict):
        raise malformed(f"{what} that is not an object")
    return value


def describe(model: Mapping[str, Any]) -> Description:
    """The chain of layers of a model's configuration (of Keras 3, or 2).

    Args:
        model: ``{"class_name": "Sequential", "config": {...}}``.

    Raises:
        UnsupportedError: not a chain; custom objects; a layer used twice or called in a special way.
        ArtifactError: a configuration that makes no sense.
    """
    refuse_custom({key: value for key, value in model.items() if key != "config"})
    kind, config = model.get("class_name"), model.get("config")
    if kind not in _CHAINS:
        raise UnsupportedError(
            "a model is Sequential, or Functional and a chain", received=repr(kind), remedy=_ONE_CHAIN
        )
    config = {"layers": config} if isinstance(config, list) else config  # before Keras 2.3
    if not isinstance(config, dict) or not isinstance(config.get("layers"), (list, tuple)):
        raise malformed("a model without a list of layers")
    layers = [_layer(x) for x in config["layers"]]
    if not layers or len(layers) > MAX_LAYERS:
        raise malformed(f"{len(layers)} layers, where 1 to {MAX_LAYERS} are read")
    if kind != "Sequential":
        _require_chain(config, layers)
    return _description(model, config, layers)


def _description(model: Mapping[str, Any], config: dict[str, Any], layers: list[dict[str, Any]]) -> Description:
    shape = config.get("build_input_shape") or (model.get("build_config") or {}).get("input_shape")
    given = layers.pop(0)["config"] if layers[0]["class_name"] == "InputLayer" else {}
    shape = given.get("batch_shape") or given.get("batch_input_shape") or shape
    if not isinstance(shape, (list, tuple, type(None))):
        raise malformed(f"an input of shape {shape!r}")
    names = (_optional_text(each.get("name")) for each in (config, given))
    return Description(next(names) or "sequential", tuple(shape) if shape else None, next(names), tuple(layers))


def _optional_text(value: Any) -> str | None:
    return None if value is None else str(value)


def _layer(given: Any) -> dict[str, Any]:
    """One layer's description in the form of Keras 3."""
    if not isinstance(given, Mapping) or not isinstance(given.get("config"), Mapping):
        raise malformed("a layer without a configuration")
    kind, config = given.get("class_name"), dict(given["config"])
    if kind in _REMEDIES:
        raise UnsupportedError(
            f"{kind} is not supported inside a model", received=repr(config.get("name")), remedy=_REMEDIES[kind]
        )
    refuse_custom(given)
    if "activation" in config:
        config["activation"] = _activation(config["activation"], config.get("name"))
    if kind == "BatchNormalization":
        config["axis"] = _single(config.get("axis", -1))
    return {**given, "class_name": kind, "config": config}


def _activation(given: Any, layer: Any) -> Any:
    name = function_name(given)
    if isinstance(name, Mapping) and name.get("class_name") == "Activation" and "module" not in name:
        return name  # what activations.serialize wrote
    if name is not None and not isinstance(name, str):
        kind = name.get("class_name") if isinstance(name, Mapping) else None
        raise UnsupportedError(
            "an activation is one of Keras's own functions",
            received=f"{kind or 'code, which is never run,'} as activation of {layer!r}",
            remedy="name a function, such as 'relu', or put a layer such as LeakyReLU() after it",
        )
    return name


def function_name(value: Any) -> Any:
    """The name of a function that Keras describes; anything else as it is."""
    if isinstance(value, Mapping) and value.get("class_name") == "function" and isinstance(value.get("config"), str):
        return value["config"]
    return value


def _single(axis: Any) -> Any:
    """Keras 2 writes ``[1]`` where Keras 3 writes ``1``."""
    return axis[0] if isinstance(axis, (list, tuple)) and len(axis) == 1 else axis


def _require_chain(config: Mapping[str, Any], layers: Sequence[Mapping[str, Any]]) -> None:
    """Each layer of a functional model is called once, on the output of the layer before it."""
    before = None
    for layer in layers:
        name, calls = layer["config"].get("name"), layer.get("inbound_nodes")
        if not isinstance(calls, (list, tuple)) or len(calls) != (before is not None):
            raise _not_a_chain(
                f"layer {name!r} is called {len(calls) if isinstance(calls, (list, tuple)) else 'no'} times"
            )
        if before is not None and _inputs(calls[0], name) != [before]:
            raise _not_a_chain(f"layer {name!r} does not take the output of {before!r} alone")
        before = name
    if _names(config.get("output_layers")) != [before]:
        raise _not_a_chain(f"the outputs are {_names(config.get('output_layers'))}")


def _not_a_chain(received: str) -> UnsupportedError:
    return UnsupportedError(
        "a functional model is a chain: one input, no branches", received=received, remedy=_ONE_CHAIN
    )


def _inputs(call: Any, name: Any) -> list[Any]:
    """Names of the layers whose outputs a call takes; Keras 3's form is a mapping, Keras 2's a list of lists."""
    if not isinstance(call, Mapping):
        _refuse_settings([x[3] for x in call if len(x) > 3], name)
        return [x[0] for x in call]
    _refuse_settings([call.get("kwargs") or {}], name)
    return [source for x in call.get("args", ()) for source in _sources(x)]


def _sources(argument: Any) -> list[Any]:
    """``keras_history`` names the layer whose output an argument is; anything but outputs is given as it is."""
    if isinstance(argument, (list, tuple)):
        return [source for part in argument for source in _sources(part)]
    return [argument["config"]["keras_history"][0] if isinstance(argument, Mapping) else argument]


def _refuse_settings(settings: Sequence[Mapping[str, Any]], name: Any) -> None:
    for given in settings:
        switched_on = [key for key, value in given.items() if value is not None and value is not False]
        if switched_on:
            raise UnsupportedError(
                f"layer {name!r} is called without special settings", received=str(switched_on), remedy="leave them out"
            )


def _names(ends: Any) -> list[Any]:
    """``["dense", 0, 0]`` or ``[["dense", 0, 0]]`` -> ``["dense"]``."""
    if isinstance(ends, (list, tuple)) and ends and isinstance(ends[0], str):
        return [ends[0]]
    return [x[0] for x in ends or () if isinstance(x, (list, tuple)) and x]
