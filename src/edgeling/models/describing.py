# SPDX-License-Identifier: Apache-2.0
"""Calls of layers in the form of Keras's files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgeling.configurable import serialize
from edgeling.layers.base import Layer
from edgeling.layers.input import InputLayer
from edgeling.layers.symbolic import ArgumentPlace
from edgeling.network.network import LayerCall

FUNCTIONAL = "keras.src.models.functional"
OPERATIONS = "keras.src.ops."


def arguments_in_files(layer: Layer, call: LayerCall, tensors: Sequence[Any]) -> dict[str, Any]:
    """What one call takes: ``args`` and ``kwargs``.

    Args:
        tensors: how files name the values that it is called on, in order.
    """
    if call.arguments is None:
        return {"args": [list(tensors)] if layer.takes_several else list(tensors), "kwargs": {}}
    places, named = layer.call_arguments(call.arguments)
    return {"args": [_plain(x, tensors) for x in places], "kwargs": {k: _plain(x, tensors) for k, x in named.items()}}


def _plain(value: Any, tensors: Sequence[Any]) -> Any:
    if isinstance(value, ArgumentPlace):
        return tensors[value.index]
    if isinstance(value, slice):
        config = {"start": value.start, "stop": value.stop, "step": value.step}
        return {"class_name": "__slice__", "config": config}
    if value is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(value, (np.ndarray, np.generic)):
        held = {"value": value.tolist(), "dtype": value.dtype.name}
        return {"class_name": "__numpy__", "config": held} if np.ndim(value) else value.item()
    if isinstance(value, (list, tuple)):
        return [_plain(part, tensors) for part in value]
    return {key: _plain(part, tensors) for key, part in value.items()} if isinstance(value, Mapping) else value


def in_model_files(layer: Any) -> dict[str, Any]:
    """A layer's description; Keras finds a functional model by its module alone."""
    described = serialize(layer)
    if layer.is_operation:
        kind, module = layer.class_name, f"{OPERATIONS}{layer.function.module}"
        return {"module": module, "class_name": kind, "config": layer.get_config(), "registered_name": kind}
    if layer.module == FUNCTIONAL:
        described["registered_name"] = described["class_name"]
    return described


def from_files(value: Any) -> Any:
    """An argument as files hold it, but for tensors, as it was given."""
    if isinstance(value, Mapping) and value.get("class_name") == "__slice__":
        return slice(*(value["config"][end] for end in ("start", "stop", "step")))
    if isinstance(value, Mapping) and value.get("class_name") == "__ellipsis__":
        return Ellipsis
    if isinstance(value, Mapping) and value.get("class_name") == "__numpy__":
        return np.asarray(value["config"]["value"], np.dtype(str(value["config"]["dtype"])))
    if isinstance(value, Mapping):
        return {str(key): from_files(part) for key, part in value.items()}
    return [from_files(part) for part in value] if isinstance(value, (list, tuple)) else value


def build_config(layer: Any) -> dict[str, Any]:
    """What files say of the shape that a layer is built for; nothing of inputs and models."""
    if layer.input_row is None or isinstance(layer, InputLayer) or hasattr(layer, "layers_of_files"):
        return {}
    return {"build_config": {"input_shape": [None, *layer.input_row]}}
