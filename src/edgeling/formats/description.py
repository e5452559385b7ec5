# SPDX-License-Identifier: Apache-2.0
"""What a model file says of the layers: Keras's configuration, checked to be known layers, in a chain or as called.

Nothing in it is ever executed: layers come from a table of classes by their names, functions likewise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from edgeling.configurable import refuse_custom
from edgeling.errors import UnsupportedError
from edgeling.files import strict_json
from edgeling.formats.archive import malformed
from edgeling.formats.masks import without_masks
from edgeling.formats.wiring import calls_of
from edgeling.network.network import LayerCall, chain

MAX_LAYERS = 500
_CHAINS = ("Sequential", "Functional", "Model")
_ONE_CHAIN = "one input and one output, such as Sequential([Input((4,)), Dense(8), Dense(3)])"
_REMEDIES = {
    "Lambda": "a Lambda layer holds Python code, which is never run: put a supported layer such as Activation or"
    " Rescaling in its place",
    **dict.fromkeys(_CHAINS, "put the inner model's layers into the outer one"),
}


@dataclass(frozen=True)
class Description:
    """Layers as plain data.

    Attributes:
        name: the model's.
        input_shape: with the batch first; None where the first layer states it itself.
        input_name: the input layer's, if there is one.
        layers: Keras's description of each, without the input.
        calls: what is computed of what; none of a chain.
    """

    name: str
    input_shape: tuple[int | None, ...] | None
    input_name: str | None
    layers: tuple[dict[str, Any], ...]
    calls: tuple[LayerCall, ...] = ()


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
    """The layers of a model's configuration (of Keras 3, or 2).

    Args:
        model: ``{"class_name": "Sequential", "config": {...}}``.

    Raises:
        UnsupportedError: several inputs or outputs; custom objects; a layer called in a special way.
        ArtifactError: a configuration that makes no sense.
    """
    refuse_custom({key: value for key, value in model.items() if key != "config"})
    kind, config = model.get("class_name"), model.get("config")
    if kind not in _CHAINS:
        raise UnsupportedError("a model is Sequential or Functional", received=repr(kind), remedy=_ONE_CHAIN)
    config = {"layers": config} if isinstance(config, list) else config  # before Keras 2.3
    if not isinstance(config, dict) or not isinstance(config.get("layers"), (list, tuple)):
        raise malformed("a model without a list of layers")
    config = {**config, "layers": without_masks(config["layers"])} if len(config["layers"]) <= MAX_LAYERS else config
    layers = [_layer(x) for x in config["layers"]]
    if not layers or len(layers) > MAX_LAYERS:
        raise malformed(f"{len(layers)} layers, where 1 to {MAX_LAYERS} are read")
    calls = calls_of(config, layers) if kind != "Sequential" else ()
    return replace(_description(model, config, layers), calls=() if calls == chain(len(calls)) else calls)


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
