# SPDX-License-Identifier: Apache-2.0
"""The verbs as tools for agents: what their options are, as JSON Schema, and how a call becomes a command line.

Nothing is said twice: names, kinds, limits and explanations are those of the verbs' own signatures.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from typer.models import ArgumentInfo, OptionInfo

from edgeling.errors import UnsupportedError

_KINDS = {bool: "boolean", int: "integer", float: "number", str: "string", Path: "string"}
_NAMES = "LIST"  # the metavar of names separated by commas


@dataclass(frozen=True)
class Parameter:
    """One argument of a tool.

    Attributes:
        flags: how it is written on the command line, and how its contrary is; none of a positional one.
        schema: its JSON Schema.
        required: it has no default.
    """

    name: str
    flags: tuple[str, ...]
    schema: Mapping[str, Any]
    required: bool

    def words(self, value: Any) -> list[str]:
        """What stands for a value on the command line. ``--name=value`` is one word, for a value may begin with ``-``.

        Raises:
            UnsupportedError: the value is of another kind.
        """
        if isinstance(value, bool) or self.schema["type"] == "boolean":
            return self._switch(value)
        if isinstance(value, (list, tuple)):
            texts = [_text(self.name, each) for each in value]
            texts = texts if self.repeats else [",".join(texts)]
        else:
            texts = [_text(self.name, value)]
        return [f"{self.flags[0]}={text}" for text in texts] if self.flags else texts

    @property
    def repeats(self) -> bool:
        """Whether it is given once for each value."""
        return bool(self.schema.get("x-repeats"))

    def _switch(self, value: Any) -> list[str]:
        if self.schema["type"] != "boolean" or not isinstance(value, bool):
            kind = self.schema["type"]
            raise UnsupportedError(f"{self.name} is a {kind}", received=repr(value), remedy="the kind its schema says")
        return [self.flags[0]] if value else list(self.flags[1:])


def _text(name: str, value: Any) -> str:
    if not isinstance(value, (str, int, float)) or isinstance(value, bool):
        raise UnsupportedError(
            f"{name} is text, a number, or a list of these", received=repr(value)[:200], remedy="leave it out, or text"
        )
    return str(value)


@dataclass(frozen=True)
class VerbTool:
    """A verb as an agent sees it."""

    name: str
    description: str
    parameters: tuple[Parameter, ...]

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of its arguments."""
        properties = {p.name: {k: v for k, v in p.schema.items() if k != "x-repeats"} for p in self.parameters}
        required = [p.name for p in self.parameters if p.required]
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}

    def command(self, arguments: Mapping[str, Any]) -> list[str]:
        """The command line of a call. Of what is None nothing is said.

        Raises:
            UnsupportedError: an argument that there is not, that is missing, or of another kind.
        """
        known = {p.name: p for p in self.parameters}
        given = {name: value for name, value in arguments.items() if value is not None}
        unknown = [name for name in given if name not in known]
        missing = [p.name for p in self.parameters if p.required and p.name not in given]
        if unknown or missing:
            raise UnsupportedError(
                f"{self.name} takes {', '.join(known) or 'no arguments'}",
                received=f"{unknown[0]!r}" if unknown else f"no {missing[0]!r}",
                remedy="one of these" if unknown else f"{missing[0]}: {known[missing[0]].schema.get('description')}",
            )
        options = [word for p in self.parameters if p.flags and p.name in given for word in p.words(given[p.name])]
        places = [word for p in self.parameters if not p.flags and p.name in given for word in p.words(given[p.name])]
        return [sys.executable, "-m", "edgeling", self.name, *options, "--json", "--", *places]


def tools_of(verbs: Sequence[Callable[..., None]]) -> tuple[VerbTool, ...]:
    """A tool for each verb that can answer as JSON."""
    return tuple(_tool(verb) for verb in verbs if "as_json" in inspect.signature(verb).parameters)


def _tool(verb: Callable[..., None]) -> VerbTool:
    return VerbTool(verb.__name__, inspect.getdoc(verb) or "", tuple(_parameters(verb)))


def _parameters(verb: Callable[..., None]) -> Iterator[Parameter]:
    hints = get_type_hints(verb, include_extras=True)
    for name, parameter in inspect.signature(verb).parameters.items():
        if name != "as_json":
            kind, info = get_args(hints[name])
            yield _parameter(name, kind, info, parameter.default)


def _parameter(name: str, kind: Any, info: ArgumentInfo | OptionInfo, default: Any) -> Parameter:
    flags: tuple[str, ...] = ()
    if isinstance(info, OptionInfo):
        told = [text for text in (info.default, *(info.param_decls or ())) if isinstance(text, str)]
        plain = "--" + name.replace("_", "-")
        flags = tuple(told[0].split("/")) if told else (plain, plain.replace("--", "--no-", 1))
        name = flags[0].removeprefix("--").replace("-", "_")
    required = default is inspect.Parameter.empty
    schema = {**_kind(kind, info), "description": _help(info)}
    if default not in (inspect.Parameter.empty, None, "", []):
        schema["default"] = str(default) if isinstance(default, Path) else default
    return Parameter(name, flags, schema, required)


def _help(info: ArgumentInfo | OptionInfo) -> str:
    choices = f" ({info.metavar})" if info.metavar and "|" in info.metavar else ""
    usual = f" By default {info.show_default}." if isinstance(info.show_default, str) else ""
    return f"{info.help or ''}{choices}{usual}"


def _kind(kind: Any, info: ArgumentInfo | OptionInfo) -> dict[str, Any]:
    if get_origin(kind) in (Union, UnionType):
        (kind,) = (each for each in get_args(kind) if each is not NoneType)
    if get_origin(kind) is list:
        return {"type": "array", "items": {"type": "string"}, "x-repeats": True}
    if info.metavar == _NAMES:
        return {"type": "array", "items": {"type": "string"}}
    limits = {"minimum": info.min, "maximum": info.max}
    return {"type": _KINDS[kind], **{name: limit for name, limit in limits.items() if limit is not None}}
