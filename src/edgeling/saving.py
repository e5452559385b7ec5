# SPDX-License-Identifier: Apache-2.0
"""Models and their parts as files and as plain data, and what files may name of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from edgeling.configurable import (
    REGISTERED,
    Configurable,
    custom_object,
    custom_object_scope,
    registered_name,
    serialize,
)
from edgeling.errors import UnsupportedError
from edgeling.models.saving import load_model, save_model

__all__ = [
    "CustomObjectScope", "custom_object_scope", "deserialize_keras_object", "get_custom_objects", "get_registered_name",
    "get_registered_object", "load_model", "load_weights", "register_keras_serializable", "save_model", "save_weights",
    "serialize_keras_object",
]  # fmt: skip
CustomObjectScope = custom_object_scope
_Thing = TypeVar("_Thing")
_KINDS = (
    "layers",
    "losses",
    "metrics",
    "optimizers",
    "optimizers.schedules",
    "initializers",
    "regularizers",
    "constraints",
)


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[_Thing], _Thing]:
    """Have files name a class or function of one's own, so that models with it are read without ``custom_objects``.

    A decorator: ``@register_keras_serializable(package="Mine")``.

    Args:
        package: what stands before the name, so that nobody else's is taken for it.
        name: its name in files; its own if there is none.

    Raises:
        UnsupportedError: something else than a class with ``get_config`` or a function.
    """

    def registered(thing: _Thing) -> _Thing:
        if not callable(thing) or (isinstance(thing, type) and not hasattr(thing, "get_config")):
            raise UnsupportedError(
                "what is registered is a function, or a class with get_config", received=repr(thing)[:80],
                remedy="def get_config(self): return {**super().get_config(), 'units': self.units}",
            )  # fmt: skip
        REGISTERED[f"{package}>{name or thing.__name__}"] = thing  # type: ignore[attr-defined]
        return thing

    return registered


def get_custom_objects() -> dict[str, Any]:
    """What is registered, by its names in files; what is put into it is too."""
    return REGISTERED


def get_registered_name(obj: Any) -> str:
    """What files call a class or function of one's own."""
    return registered_name(obj)


def get_registered_object(name: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """What files mean by a name; None if nothing of one's own.

    Args:
        custom_objects: classes and functions of one's own by further names.
    """
    with custom_object_scope(custom_objects):
        return custom_object(name)


def serialize_keras_object(obj: Any) -> Any:
    """A layer, loss, metric, optimizer, initializer... as plain data, without weights.

    Raises:
        UnsupportedError: something else.
    """
    if isinstance(obj, Configurable):
        return serialize(obj)
    if callable(obj):
        return {
            "module": "builtins",
            "class_name": "function",
            "config": registered_name(obj),
            "registered_name": "function",
        }
    if obj is None or isinstance(obj, (bool, int, float, str, list, tuple, dict)):
        return obj
    raise UnsupportedError(
        "what is described has a get_config", received=type(obj).__name__, remedy="a layer, loss, metric, optimizer..."
    )


def deserialize_keras_object(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The inverse of :func:`serialize_keras_object`.

    Args:
        custom_objects: classes and functions of one's own by the names that descriptions have for them.

    Raises:
        UnsupportedError: a class that neither Edgeling nor ``custom_objects`` has.
    """
    if not isinstance(config, Mapping) or "class_name" not in config:
        return config
    with custom_object_scope(custom_objects):
        own = custom_object(config)
        if own is not None:
            return own.from_config(config["config"]) if hasattr(own, "from_config") else own
        if config["class_name"] in ("Sequential", "Functional", "Model"):
            return import_module("edgeling.formats.keras_file").from_config(config)
        module = str(config.get("module")).removeprefix("keras.")
        if module not in _KINDS:
            raise UnsupportedError(
                "a description is of one of Edgeling's classes, or of one's own",
                received=f"{config['class_name']!r} of {config.get('module')!r}",
                remedy="custom_objects={name: the class or function}",
            )  # fmt: skip
        return import_module(f"edgeling.{module}").get(config)


def save_weights(model: Any, filepath: str | Path, overwrite: bool = True) -> None:
    """As ``model.save_weights(filepath)``.

    Args:
        model: one that is built.
    """
    model.save_weights(filepath, overwrite=overwrite)


def load_weights(model: Any, filepath: str | Path, skip_mismatch: bool = False, objects_to_skip: Any = None) -> None:
    """As ``model.load_weights(filepath)``.

    Args:
        model: one of the same layers, built.
    """
    model.load_weights(filepath, skip_mismatch=skip_mismatch, objects_to_skip=objects_to_skip)
