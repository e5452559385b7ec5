# SPDX-License-Identifier: Apache-2.0
"""Arguments held to what they are declared to be, and refused by name where they are not.

A constructor's annotations say what each argument may be: ``units: int``, ``name: str | None``. Whatever is not of that
kind has no meaning, and would be ignored, or fail far from here.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cache, wraps
from math import inf, isnan
from numbers import Integral
from os import PathLike
from typing import Any, SupportsFloat, TypeVar

import numpy as np

from edgeling.errors import UnsupportedError

Limits = Mapping[str, tuple[float, float]]
_Function = TypeVar("_Function", bound=Callable[..., Any])


def whole(name: str, value: Any, least: int = 1) -> int:
    """A whole number that an argument must be, from ``least`` up.

    Raises:
        UnsupportedError: it is not.
    """
    if not _is_whole(value) or value < least:
        raise UnsupportedError(
            f"{name} is a whole number from {least} up", received=repr(value), remedy=f"{name}={least + 1}"
        )
    return int(value)


def number(name: str, value: Any, least: float = -inf, most: float = inf) -> float:
    """A finite number that an argument must be, within limits that belong to it.

    Raises:
        UnsupportedError: it is not.
    """
    if not _is_number(value) or not least <= float(value) <= most:
        bounds = f" from {least:g}" * (least > -inf) + f" to {most:g}" * (most < inf)
        raise UnsupportedError(f"{name} is a number{bounds}", received=repr(value), remedy=_within(name, least, most))
    if float(value) in (inf, -inf):
        raise UnsupportedError(f"{name} is finite", received=repr(value), remedy=_within(name, least, most))
    return float(value)


def _within(name: str, least: float, most: float) -> str:
    """A value that an argument may have, as it is written."""
    known = [bound for bound in (least, most) if abs(bound) < inf]
    example = sum(known) / 2 if len(known) == 2 else known[0] + (1 if least > -inf else -1) if known else 1
    return f"{name.rsplit(': ', maxsplit=1)[-1]}={example:g}"


def flag(name: str, value: Any) -> bool:
    """True or False.

    Raises:
        UnsupportedError: anything else.
    """
    if not _is_flag(value):
        raise UnsupportedError(f"{name} is True or False", received=repr(value), remedy=f"{name}=True")
    return bool(value)


def require_float32(owner: str, dtype: Any) -> None:
    """Raise unless a dtype is left open or float32 (its name, NumPy's type, or Keras's policy of it).

    Raises:
        UnsupportedError: another one.
    """
    policy = dtype.get("config") or dtype if isinstance(dtype, Mapping) else None
    given = policy.get("name", "no policy") if isinstance(policy, Mapping) else getattr(dtype, "name", dtype)
    given = getattr(given, "__name__", given)
    if given not in (None, "float32"):
        raise UnsupportedError(f"{owner} computes in float32", received=f"dtype={dtype!r}", remedy="leave dtype out")


def checked(constructor: _Function) -> _Function:
    """A constructor whose arguments are held to their annotations before it begins; see :func:`check`."""
    signature = inspect.signature(constructor)

    @wraps(constructor)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        places = [name for name, one in signature.parameters.items() if one.kind is one.POSITIONAL_OR_KEYWORD][1:]
        given = {**dict(zip(places, args, strict=False)), **kwargs}
        check(type(self).__name__, signature, given, getattr(self, "limits", {}))
        constructor(self, *args, **kwargs)

    return init  # type: ignore[return-value]


def check(owner: str, signature: inspect.Signature, given: Mapping[str, Any], limits: Limits) -> None:
    """Raise unless arguments are what they are declared to be.

    Args:
        limits: the least and the most that some may be.

    Raises:
        UnsupportedError: one is not.
    """
    for name, value in given.items():
        parameter = signature.parameters.get(name)
        if parameter is None or parameter.kind is parameter.VAR_KEYWORD or not isinstance(parameter.annotation, str):
            continue
        kinds = _kinds(parameter.annotation)
        if kinds and not any(_KINDS[kind][0](value) for kind in kinds):
            words = " or ".join(_KINDS[kind][1] for kind in kinds)
            example = f"{name}={_KINDS[kinds[0]][2]}"
            raise UnsupportedError(f"{owner}: {name} is {words}", received=repr(value), remedy=example)
        if name in limits and _is_number(value):
            number(f"{owner}: {name}", value, *limits[name])


@cache
def _kinds(annotation: str) -> tuple[str, ...]:
    """``"int | None"`` -> ``("int", "None")``; nothing where some part may be anything."""
    parts = _alternatives(ast.parse(annotation, mode="eval").body)
    return parts if all(part in _KINDS for part in parts) else ()


def _alternatives(node: ast.expr) -> tuple[str, ...]:
    if isinstance(node, ast.BinOp):
        return _alternatives(node.left) + _alternatives(node.right)
    return (ast.unparse(node),)


def _is_flag(value: Any) -> bool:
    return isinstance(value, (bool, np.bool_)) or (isinstance(value, int) and value in (0, 1))


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    if not isinstance(value, SupportsFloat) or isinstance(value, (bool, str)) or np.ndim(value):  # type: ignore[arg-type]
        return False
    return not isnan(float(value))


def _several(each: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def test(value: Any) -> bool:
        return isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, str) and all(map(each, value))

    return test


_KINDS: dict[str, tuple[Callable[[Any], bool], str, str]] = {
    "bool": (_is_flag, "True or False", "True"),
    "int": (_is_whole, "a whole number", "1"),
    "float": (_is_number, "a number", "0.5"),
    "str": (lambda value: isinstance(value, str), "text", "'name'"),
    "Path": (lambda value: isinstance(value, PathLike), "a path", "'folder'"),
    "None": (lambda value: value is None, "None", "None"),
    "Sequence[int]": (_several(_is_whole), "whole numbers", "(1, 2)"),
    "Sequence[float]": (_several(_is_number), "numbers", "(0.5, 1.0)"),
}
