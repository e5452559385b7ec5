# SPDX-License-Identifier: Apache-2.0
"""What a model file says of the layers: Keras's configuration, checked to be known layers, in a chain or as called.

Nothing in it is ever executed: layers come from a table of classes by their names, functions likewise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgeling.configurable import custom_object, refuse_custom
from edgeling.errors import UnsupportedError
from edgeling.files import strict_json
from edgeling.formats.archive import malformed
from edgeling.formats.masks import without_masks
from edgeling.formats.wiring import Wiring, wiring_of
from edgeling.models.describing import OPERATIONS

MAX_LAYERS = 500
_MODELS = ("Sequential", "Functional", "Model")
_DEEPEST = 16
_REMEDY = "Sequential([...]), Model(inputs, outputs), or custom_objects={name: class} of one of one's own"
_REMEDIES = {
    "Lambda": "a Lambda layer holds Python code, which is never run: put a supported layer such as Activation or"
    " Rescaling in its place",
}


@dataclass(frozen=True)
class Description:
    """Layers as plain data.

    Attributes:
        kind: "Sequential" or "Functional".
        name: the model's.
        inputs: of each the name, or None, and the shape with the batch first; None where the first layer states it.
        layers: Keras's description of each, without inputs; of a model within its own.
        wiring: what is computed of what; None of a chain.
        trainable: whether training moves its weights.
    """

    kind: str
    name: str
    inputs: tuple[tuple[str | None, tuple[int | None, ...] | None], ...]
    layers: tuple[dict[str, Any] | Description, ...]
    wiring: Wiring | None = None
    trainable: bool = True

    @property
    def plain(self) -> Iterator[dict[str, Any]]:
        """Every layer's description, those of models within too."""
        for layer in self.layers:
            yield from layer.plain if isinstance(layer, Description) else (layer,)


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


def describe(model: Mapping[str, Any], depth: int = 0) -> Description:
    """The layers of a model's configuration (of Keras 3, or 2).

    Args:
        model: ``{"class_name": "Sequential", "config": {...}}``.
        depth: how many models it is within.

    Raises:
        UnsupportedError: custom objects; a layer called in a special way; models within models within...
        ArtifactError: a configuration that makes no sense.
    """
    refuse_custom({key: value for key, value in model.items() if key not in ("config", "inbound_nodes", "module")})
    kind, config = model.get("class_name"), model.get("config")
    if kind not in _MODELS or depth > _DEEPEST:
        raise UnsupportedError("a model is Sequential or Functional", received=repr(kind), remedy=_REMEDY)
    config = {"layers": config} if isinstance(config, list) else config  # before Keras 2.3
    if not isinstance(config, dict) or not isinstance(config.get("layers"), (list, tuple)):
        raise malformed("a model without a list of layers")
    if not config["layers"] or len(config["layers"]) > MAX_LAYERS:
        raise malformed(f"{len(config['layers'])} layers, where 1 to {MAX_LAYERS} are read")
    config = {**config, "layers": without_masks(config["layers"])}
    layers = [describe(x, depth + 1) if _is_model(x) else _layer(x) for x in config["layers"]]
    if kind == "Sequential":
        return _chain(model, config, layers)
    return _functional(config, layers)


def _is_model(given: Any) -> bool:
    return isinstance(given, Mapping) and given.get("class_name") in _MODELS


def _functional(config: Mapping[str, Any], layers: Sequence[dict[str, Any] | Description]) -> Description:
    called = [
        (str(held.get("name") or _name_of(x)), _kind_of(x), held.get("inbound_nodes"))
        for x, held in zip(layers, config["layers"], strict=True)
    ]
    wiring = wiring_of(config, called)
    given = {_name_of(x): _shape_of(x["config"]) for x in layers if isinstance(x, dict) and _kind_of(x) == "InputLayer"}
    inputs = tuple((name, given[name]) for name in wiring.inputs)
    others = tuple(x for x in layers if _kind_of(x) != "InputLayer")
    name, trainable = str(config.get("name") or "functional"), config.get("trainable") is not False
    return Description("Functional", name, inputs, others, wiring, trainable)


def _name_of(layer: dict[str, Any] | Description) -> str:
    return layer.name if isinstance(layer, Description) else str(layer["config"].get("name"))


def _kind_of(layer: dict[str, Any] | Description) -> str:
    return layer.kind if isinstance(layer, Description) else str(layer["class_name"])


def _shape_of(given: Mapping[str, Any]) -> tuple[int | None, ...] | None:
    shape = given.get("batch_shape") or given.get("batch_input_shape")
    if not isinstance(shape, (list, tuple, type(None))):
        raise malformed(f"an input of shape {shape!r}")
    return tuple(shape) if shape else None


def _chain(
    model: Mapping[str, Any], config: Mapping[str, Any], layers: list[dict[str, Any] | Description]
) -> Description:
    built = config.get("build_input_shape") or (model.get("build_config") or {}).get("input_shape")
    first = layers[0]
    given = layers.pop(0)["config"] if isinstance(first, dict) and _kind_of(first) == "InputLayer" else {}  # type: ignore[index]
    shape = _shape_of(given) or _shape_of({"batch_shape": built})
    name, own = (_optional_text(each.get("name")) for each in (config, given))
    trainable = config.get("trainable") is not False
    return Description("Sequential", name or "sequential", ((own, shape),), tuple(layers), trainable=trainable)


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
    if str(given.get("module", "")).startswith(OPERATIONS):  # a function of Keras, registered by its own name
        return {**given, "config": config}
    refuse_custom({key: value for key, value in given.items() if key != "inbound_nodes"})
    if "activation" in config:
        config["activation"] = _activation(config["activation"], config.get("name"))
    if kind == "BatchNormalization":
        config["axis"] = _single(config.get("axis", -1))
    return {**given, "class_name": kind, "config": config}


def _activation(given: Any, layer: Any) -> Any:
    if custom_object(given) is not None:
        return given
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
