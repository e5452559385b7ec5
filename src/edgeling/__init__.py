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
    "Initializer": "edgeling.initializers",
    "Input": "edgeling.layers",
    "Layer": "edgeling.layers",
    "Loss": "edgeling.losses",
    "Metric": "edgeling.metrics",
    "Model": "edgeling.models",
    "Optimizer": "edgeling.optimizers",
    "Regularizer": "edgeling.regularizers",
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
    "activations", "applications", "backend", "callbacks", "config", "constraints", "errors", "initializers", "layers",
    "losses", "metrics", "models", "ops", "optimizers", "random", "regularizers", "saving", "sklearn", "targets",
    "utils",
)  # fmt: skip
# What Keras has beside these, and what to write in its place.
_ELSEWHERE = {
    "datasets": "arrays of your own, or keras.datasets, which gives NumPy's",
    "mixed_precision": "float32, and edgeling.build(model, precision='int8')",
    "preprocessing": "edgeling.utils",
    "quantizers": "edgeling.build(model, precision='int8')",
    "tree": "edgeling.layers and edgeling.ops, which take lists and mappings",
    "Variable": "layer.add_weight()",
}

__all__ = ["__version__", *_FUNCTIONS, *_MODULES]  # noqa: PLE0604  (names of functions and modules are strings)

if TYPE_CHECKING:
    from edgeling.errors import EdgelingError as EdgelingError
    from edgeling.initializers import Initializer as Initializer
    from edgeling.layers import Input as Input
    from edgeling.layers import Layer as Layer
    from edgeling.losses import Loss as Loss
    from edgeling.metrics import Metric as Metric
    from edgeling.models import Model as Model
    from edgeling.models import Sequential as Sequential
    from edgeling.optimizers import Optimizer as Optimizer
    from edgeling.regularizers import Regularizer as Regularizer
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
        raise import_module("edgeling.errors").absent(__name__, name, _ELSEWHERE)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
