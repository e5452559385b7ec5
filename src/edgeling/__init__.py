# SPDX-License-Identifier: Apache-2.0
"""Edgeling: from a data file to a neural network proven on an emulated chip.

``import edgeling`` loads NumPy at most; everything else loads when it is asked for. Keras's own module names
(``edgeling.layers``, ``edgeling.models``...) stand beside the few functions that go beyond Keras.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Public name -> where it lives. Modules stand for themselves.
_FUNCTIONS = {
    "EdgelingError": "edgeling.errors",
    "Input": "edgeling.layers",
    "Sequential": "edgeling.models",
    "build": "edgeling.workflow.build",
    "explain": "edgeling.workflow.explain",
    "find_learning_rate": "edgeling.workflow.learning_rate",
    "load": "edgeling.workflow.store",
    "save": "edgeling.workflow.save",
    "select": "edgeling.workflow.select",
    "train": "edgeling.workflow.train",
    "tune": "edgeling.workflow.tune",
    "verify": "edgeling.workflow.build",
}
_MODULES = (
    "activations", "callbacks", "constraints", "initializers", "layers", "losses", "metrics", "models", "optimizers",
    "regularizers", "targets", "utils",
)  # fmt: skip

__all__ = ["__version__", *_FUNCTIONS, *_MODULES]  # noqa: PLE0604  (names of functions and modules are strings)

if TYPE_CHECKING:
    from edgeling.errors import EdgelingError as EdgelingError
    from edgeling.layers import Input as Input
    from edgeling.models import Sequential as Sequential
    from edgeling.workflow.build import build as build
    from edgeling.workflow.build import verify as verify
    from edgeling.workflow.explain import explain as explain
    from edgeling.workflow.learning_rate import find_learning_rate as find_learning_rate
    from edgeling.workflow.save import save as save
    from edgeling.workflow.select import select as select
    from edgeling.workflow.store import load as load
    from edgeling.workflow.train import train as train
    from edgeling.workflow.tune import tune as tune


def __getattr__(name: str) -> Any:
    if name in _FUNCTIONS:
        value = getattr(import_module(_FUNCTIONS[name]), name)
    elif name in _MODULES:
        value = import_module(f"edgeling.{name}")
    else:
        raise AttributeError(f"module 'edgeling' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
