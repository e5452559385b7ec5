# SPDX-License-Identifier: Apache-2.0
"""Public names: each is documented, each argument explained in its docstring or in docs/arguments.md, errors named."""

from __future__ import annotations

import ast
import inspect
import pkgutil
import re
import textwrap
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

import edgeling
from edgeling import errors

PAGE = (Path(__file__).parents[1] / "docs" / "arguments.md").read_text("utf-8")
EXPLAINED = {name for row in re.findall(r"^\| (`.*?`) \|", PAGE, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
MODULES = edgeling._MODULES
ERRORS = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, ValueError)}


def names_of(module: Any) -> list[str]:
    own = [n for n, v in vars(module).items() if getattr(v, "__module__", "") == module.__name__]
    return [name for name in getattr(module, "__all__", own) if not name.startswith("_")]


def public() -> Iterator[tuple[str, Any]]:
    """Classes and functions by their public names."""
    for name in edgeling._FUNCTIONS:
        yield f"edgeling.{name}", getattr(edgeling, name)
    for part in MODULES:
        if part == "sklearn" and not any(m.name == "sklearn" for m in pkgutil.iter_modules()):
            continue
        module = import_module(f"edgeling.{part}")
        for name in names_of(module):
            yield f"edgeling.{part}.{name}", getattr(module, name)


PUBLIC = {name: value for name, value in public() if inspect.isclass(value) or inspect.isfunction(value)}


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_a_public_name_is_documented_with_its_arguments(name: str) -> None:
    value = PUBLIC[name]
    told = inspect.getdoc(value) or ""
    assert told.strip()
    if inspect.isclass(value):
        told += "\n" + (inspect.getdoc(value.__init__) or "")
    named = [p for p in inspect.signature(value).parameters if p.strip("_") and p not in ("self", "args", "kwargs")]
    missing = [p for p in named if p not in EXPLAINED and not re.search(rf"\b{re.escape(p)}\b", told)]
    assert not missing, f"say what {', '.join(missing)} of {name} is, there or in docs/arguments.md"


@pytest.mark.parametrize("name", sorted(n for n, value in PUBLIC.items() if isinstance(value, FunctionType)))
def test_a_public_function_names_the_errors_it_raises(name: str) -> None:
    function = inspect.unwrap(PUBLIC[name])
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    raised = {
        getattr(node.exc.func, "id", "")
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
    }
    told = inspect.getdoc(function) or ""
    assert {error for error in raised & ERRORS if error not in told} == set(), f"name them under Raises: of {name}"


def test_public_methods_are_documented() -> None:
    """Those that stand for something of their own; hooks and what a base class documents have the base's words."""
    bare = [
        f"{name}.{method}"
        for name, value in PUBLIC.items()
        if inspect.isclass(value)
        for method, found in vars(value).items()
        if isinstance(found, FunctionType) and not method.startswith(("_", "on_")) and not inspect.getdoc(found)
    ]
    assert bare == []
