# SPDX-License-Identifier: Apache-2.0
"""Edgeling in Keras's place: every ``import`` of Keras inside a case leads to Edgeling's module of that name."""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edgeling import saving
from edgeling.configurable import custom_object_scope
from tests.keras_suite import cases, tensors
from tests.keras_suite.outcomes import ElsewhereError, InternalsError, NotThereError

ROOMS = {
    "activations": "activations", "callbacks": "callbacks", "constraints": "constraints",
    "initializers": "initializers", "layers": "layers",
    "losses": "losses", "metrics": "metrics", "models": "models", "optimizers": "optimizers",
    "regularizers": "regularizers", "schedules": "optimizers.schedules", "utils": "utils", "saving": "models",
}  # fmt: skip
FRAMEWORKS = {"tensorflow", "torch", "grain", "orbax", "requests"}
_LEADING = ("keras.src.", "keras.")


class _Missing(type):
    """A class that stands for a name, and says what became of it as soon as anything is asked of it."""

    error: Exception

    def __call__(cls, *_: Any, **__: Any) -> Any:
        raise cls.error

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise cls.error

    def __instancecheck__(cls, _: Any) -> bool:
        raise cls.error


def missing(name: str, error: Exception) -> Any:
    """A stand-in that may be imported, named and subclassed; using it raises the error."""
    return _Missing(name.rpartition(".")[2], (), {"error": error})


class Shim(ModuleType):
    """``keras`` or a module below it."""

    def __init__(self, name: str, source: Path, public: frozenset[str]) -> None:
        super().__init__(name)
        self.__path__: list[str] = []
        self._source, self._public = source, public
        parts = [part for part in name.split(".") if part in ROOMS]
        room = "schedules" if "schedules" in parts else next(iter(parts), None)
        self._room = importlib.import_module(f"edgeling.{ROOMS[room]}") if room else None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        for find in (self._special, self._submodule, self._ours):
            found = find(name)
            if found is not None:
                return found
        return self._nothing(name)

    def _special(self, name: str) -> Any:
        return SPECIAL.get(name)

    def _submodule(self, name: str) -> Any:
        inside = self.__name__.removeprefix("keras").removeprefix(".src").strip(".").replace(".", "/")
        path = self._source / inside / name
        if path.is_dir() or path.with_suffix(".py").is_file() or (name in ROOMS and inside == ""):
            return importlib.import_module(f"{self.__name__}.{name}")
        return None

    def _ours(self, name: str) -> Any:
        rooms = [self._room] if self._room else [importlib.import_module(f"edgeling.{r}") for r in ("models", "layers")]
        found = next((getattr(room, name) for room in rooms if hasattr(room, name)), None)
        return found or next((x for room in rooms for x in vars(room).values() if _is_called(x, name)), None)

    def _nothing(self, name: str) -> Any:
        public = any(known.rpartition(".")[2] == name for known in self._public)
        error = NotThereError if public else InternalsError
        return missing(name, error(f"{self.__name__}.{name}"))


def _is_called(thing: Any, name: str) -> bool:
    """Whether it is the class that Keras's source calls so, and exports under another name."""
    return isinstance(thing, type) and thing.__name__ == name and thing.__module__.startswith("edgeling.layers")


def _skip_if_backend(name: str, reason: str) -> Any:
    return pytest.mark.skipif(name == "jax", reason=reason)


@contextlib.contextmanager
def _scope(*_: Any, **__: Any) -> Any:
    yield


def _flatten(x: Any) -> list[Any]:
    if isinstance(x, dict):
        x = [x[key] for key in sorted(x)]
    return [leaf for each in x for leaf in _flatten(each)] if isinstance(x, (list, tuple)) else [x]


def _map_structure(function: Any, x: Any, *others: Any) -> Any:
    if isinstance(x, dict):
        return {key: _map_structure(function, x[key], *(o[key] for o in others)) for key in x}
    if isinstance(x, (list, tuple)):
        return type(x)([_map_structure(function, *each) for each in zip(x, *others, strict=True)])
    return function(x, *others)


def _same_structure(x: Any, y: Any, **_: Any) -> None:
    kinds = (dict, list, tuple)
    assert isinstance(x, kinds) == isinstance(y, kinds), (x, y)
    if isinstance(x, dict):
        assert x.keys() == y.keys()
        x, y = [x[key] for key in x], [y[key] for key in x]
    if isinstance(x, kinds):
        assert len(x) == len(y), (x, y)
        for one, other in zip(x, y, strict=True):
            _same_structure(one, other)


def _set_policy(policy: Any) -> None:
    if policy != "float32":
        raise NotThereError(f"a policy of {policy}")


_POLICIES = SimpleNamespace(dtype_policy=SimpleNamespace(dtype_policy=lambda: "float32", set_dtype_policy=_set_policy))
_FALSE = {name: lambda: False for name in ("uses_gpu", "uses_tpu", "jax_uses_gpu", "jax_uses_tpu", "torch_uses_gpu")}
_FALSE |= {name: lambda: False for name in ("tensorflow_uses_gpu", "tensorflow_uses_tpu")}
MODULES: dict[str, Any] = {
    "backend": tensors.Backend(), "config": tensors.Backend(), "ops": tensors.Ops(), "random": tensors.Random(),
}  # fmt: skip
SPECIAL: dict[str, Any] = {
    **MODULES,
    "KerasTensor": tensors.KerasTensor,
    "convert_to_tensor": tensors.tensor, "Variable": tensors.Variable, "name_scope": _scope, "device": _scope,
    "TestCase": cases.TestCase, "custom_object_scope": custom_object_scope, "CustomObjectScope": custom_object_scope,
    **{name: getattr(saving, name) for name in saving.__all__ if "weights" not in name}, "dtype_policies": _POLICIES,
    "tree": SimpleNamespace(map_structure=_map_structure, flatten=_flatten, assert_same_structure=_same_structure),
    **_FALSE,
}  # fmt: skip


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Makes every module of Keras a :class:`Shim`, and other frameworks a stand-in."""

    def __init__(self, source: Path, public: frozenset[str], load: Callable[[Path], Any]) -> None:
        self._source, self._public, self._load = source, public, load

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        root = name.split(".", maxsplit=1)[0]
        if root in FRAMEWORKS:
            raise ElsewhereError(f"{root} is another framework")
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if root == "keras" else None

    def create_module(self, spec: Any) -> ModuleType:
        if spec.name.endswith("testing.test_utils"):
            return self._copied(spec.name)
        if spec.name.endswith("_test"):
            return self._cases(spec.name)
        if spec.name.rpartition(".")[2] in MODULES:
            return MODULES[spec.name.rpartition(".")[2]]
        return Shim(spec.name, self._source, self._public)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is left to do."""

    def _cases(self, name: str) -> ModuleType:
        """A file of cases, of which others take classes."""
        module = ModuleType(name)
        path = self._source.joinpath(*name.removeprefix("keras.src.").split(".")).with_suffix(".py")
        module.__dict__.update(self._load(path)[0])
        return module

    def _copied(self, name: str) -> ModuleType:
        """Helpers of the cases that need nothing of Keras."""
        module = ModuleType(name)
        text = (self._source / "testing" / "test_utils.py").read_text("utf-8")
        exec(compile(text, name, "exec"), module.__dict__)
        return module


def install(source: Path, public: frozenset[str], load: Callable[[Path], Any]) -> None:
    """From here on ``keras`` means Edgeling in this process.

    Args:
        load: gives the names of a file of cases, and what else it finds there.
    """
    for name in [n for n in sys.modules if n.split(".")[0] == "keras"]:
        del sys.modules[name]
    sys.meta_path.insert(0, Finder(source, public, load))
    sys.modules["conftest"] = SimpleNamespace(skip_if_backend=_skip_if_backend)  # type: ignore[assignment]
    pytest.raises = cases.raises  # type: ignore[assignment]  # in this process, which runs nothing else
    np.random.seed(0)
