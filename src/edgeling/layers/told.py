# SPDX-License-Identifier: Apache-2.0
"""What constructors of layers of one's own were told: their configuration, where the class says none."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import FunctionType
from typing import Any

from edgeling.configurable import is_ours
from edgeling.errors import UnsupportedError
from edgeling.layers.symbolic import leaves_of

_TOLD = "_told"
_PLAIN = (str, int, float, bool, type(None))
_BEGUN = frozenset({
    "_weights", "_called", "_calls", "name", "_trainable", "output_row", "input_row", "declared", "_ports", "_is_inner",
    "_metrics", "optimizer", "loss", "_network", "_views",
})  # fmt: skip
"""What every layer has once its constructor ran."""


def require_begun(layer: Any, name: str) -> None:
    """Raise where something is missing because ``super().__init__()`` was never called.

    Raises:
        UnsupportedError: it was not.
    """
    if name in _BEGUN and "_weights" not in vars(layer):
        kind = type(layer).__name__
        raise UnsupportedError(
            "a class of one's own begins with super().__init__()", received=f"{kind} whose __init__ has not called it",
            remedy=f"super().__init__() as the first line of {kind}.__init__",
        )  # fmt: skip


def require_free(layer: Any, name: str) -> None:
    """Raise where an attribute of a class of one's own has the name of something that we compute with.

    Raises:
        UnsupportedError: it has.
    """
    kind = type(layer)
    if is_ours(kind):
        return
    held = next((vars(part)[name] for part in kind.__mro__ if name in vars(part)), None)
    if isinstance(held, property) and held.fset is None:
        held = held.fget
    if isinstance(held, FunctionType) and held.__module__.partition(".")[0] == __name__.partition(".")[0]:
        raise UnsupportedError(
            "an attribute of one's own has a name that layers and models do not use", received=f"self.{name} = ...",
            remedy=f"self.my_{name} = ...",
        )  # fmt: skip


def remember(layer: Any, args: Any, kwargs: Mapping[str, Any]) -> None:
    """Keep a constructor's arguments, defaults too, if all are plain; None if one is not, as in Keras."""
    signature = inspect.signature(type(layer).__init__)
    try:
        bound = signature.bind(layer, *args, **kwargs)
    except TypeError:  # which the constructor will raise
        return
    bound.apply_defaults()
    told: dict[str, Any] | None = {}
    for place, (name, parameter) in enumerate(signature.parameters.items()):
        if place == 0 or told is None:
            continue
        value = bound.arguments[name]
        if parameter.kind is parameter.VAR_KEYWORD:
            told.update(value)
        elif parameter.kind in (parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY):
            told = None if value or parameter.kind is parameter.POSITIONAL_ONLY else told
        else:
            told[name] = value
    if told is not None and not all(isinstance(leaf, _PLAIN) for leaf in _leaves(told)):
        told = None
    vars(layer)[_TOLD] = told


def _leaves(told: Mapping[str, Any]) -> list[Any]:
    try:
        return list(leaves_of(told))
    except TypeError:  # keys that have no order
        return [object()]


def with_arguments(layer: Any, base: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a layer of one's own: what every layer has, and where the class does not say its own, its
    constructor's arguments; without what that does not take."""
    kind = type(layer)
    if any("get_config" in vars(part) for part in kind.__mro__[:-1] if not is_ours(part)):
        return base
    told = vars(layer).get(_TOLD) or {}
    return {**taken(kind, base), **{name: value for name, value in told.items() if name not in base}}


def taken(kind: type, config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration without name, trainable and dtype where a constructor does not take them."""
    known = inspect.signature(kind.__init__).parameters.values()  # type: ignore[misc]
    if any(each.kind is each.VAR_KEYWORD for each in known):
        return dict(config)
    names = {each.name for each in known}
    return {key: value for key, value in config.items() if key in names or key not in ("name", "trainable", "dtype")}
