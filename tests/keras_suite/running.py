# SPDX-License-Identifier: Apache-2.0
"""Loads Keras's test files statement by statement, and runs their cases one by one."""

from __future__ import annotations

import ast
import contextlib
import io
import os
import signal
import unittest
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from absl.testing import parameterized

from edgeling import layers, models
from tests.keras_suite.areas import LEFT_OUT_CASES, NOT_PORTABLE
from tests.keras_suite.names import missing
from tests.keras_suite.outcomes import outcome_of


class ExampleModel(models.Sequential):
    """The trainer's cases build this of a layer and an internal base class; the model is the same."""

    def __init__(self, units: int) -> None:
        super().__init__([layers.Dense(units, use_bias=False, kernel_initializer="ones")])


OURS = {"ExampleModel": ExampleModel}
_SECONDS = 60  # a case that takes longer has ended unclearly


@dataclass(frozen=True)
class Result:
    """What became of a case."""

    case: str
    outcome: str
    why: str = ""


def results_of(path: Path, source: Path) -> Iterator[Result]:
    """Every case of one file, with its outcome."""
    name = str(path.relative_to(source))
    space, broken = load(path)
    for kind in [v for v in space.values() if isinstance(v, type) and issubclass(v, parameterized.TestCase)]:
        if kind.__module__ == "keras_case":
            for method in unittest.defaultTestLoader.getTestCaseNames(kind):
                if not LEFT_OUT_CASES.match(method):
                    yield _result(f"{name}::{kind.__name__}.{method}", kind, method)
    for label, error in broken:
        yield Result(f"{name}::{label}", outcome_of(error), repr(error)[:300])


def load(path: Path) -> tuple[dict[str, Any], list[tuple[str, Exception]]]:
    """The file's names; and the cases of classes that could not even be made.

    Each statement at the top runs by itself. What fails becomes a stand-in that raises the same error when used, so
    that only the cases that need it are touched.
    """
    space: dict[str, Any] = {"__name__": "keras_case", "__file__": str(path)}
    broken: list[tuple[str, Exception]] = []
    for statement in ast.parse(path.read_text("utf-8")).body:
        try:
            exec(compile(ast.Module([statement], []), str(path), "exec"), space)
        except Exception as error:
            space |= {name: missing(name, error) for name in _names_of(statement)}
            broken += [(case, error) for case in _cases_of(statement)]
        space |= {name: OURS[name] for name in _names_of(statement) if name in OURS}
    return space, broken


def _names_of(statement: ast.stmt) -> list[str]:
    if isinstance(statement, (ast.ClassDef, ast.FunctionDef)):
        return [statement.name]
    inside = list(ast.walk(statement))
    imported = [alias for node in inside if isinstance(node, (ast.Import, ast.ImportFrom)) for alias in node.names]
    stored = [node.id for node in inside if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    return [(alias.asname or alias.name).split(".")[0] for alias in imported] + stored


def _cases_of(statement: ast.stmt) -> list[str]:
    if not isinstance(statement, ast.ClassDef) or not any("TestCase" in ast.unparse(b) for b in statement.bases):
        return []
    inside = [node.name for node in statement.body if isinstance(node, ast.FunctionDef)]
    return [f"{statement.name}.{name}" for name in inside if name.startswith("test")]


def _result(name: str, kind: Any, method: str) -> Result:
    if "mock" in _text_of(kind, method):
        return Result(name, "internals", "replaces parts of Keras")
    if _skipped(kind) or _skipped(getattr(kind, method)):
        return Result(name, "elsewhere", "skipped by Keras")
    try:
        with _quiet(), _limited():
            _run(kind, method)
    except (Exception, pytest.skip.Exception, pytest.fail.Exception) as error:
        if name in NOT_PORTABLE:
            return Result(name, "apart", NOT_PORTABLE[name])
        return Result(name, outcome_of(error), f"{type(error).__name__}: {error}".strip()[:300])
    return Result(name, "passed")


def _run(kind: Any, method: str) -> None:
    case = kind(method)
    before = os.getcwd()
    try:
        case.setUp()
        getattr(case, method)()
        case.tearDown()
    finally:
        case.doCleanups()
        os.chdir(before)


def _skipped(thing: Any) -> bool:
    """Whether a mark of pytest's, decided when the file was read, skips it."""
    marks = getattr(thing, "pytestmark", [])
    skips = any(mark.name == "skip" for mark in marks)
    return skips or any(m.name == "skipif" and m.args and m.args[0] is True for m in marks)


def _text_of(kind: Any, method: str) -> str:
    """The names a case's code uses."""
    function = getattr(kind, method)
    function = getattr(function, "__wrapped__", function)
    return " ".join(getattr(getattr(function, "__code__", None), "co_names", ()))


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise RuntimeError(f"takes longer than {_SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield
