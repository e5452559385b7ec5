# SPDX-License-Identifier: Apache-2.0
"""``keras.ops``, ``keras.random`` and what cases use of ``keras.backend``: NumPy, for the cases' own arrays."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from edgeling import ops
from edgeling.layers import Input
from edgeling.layers.symbolic import Symbolic, leaves_of
from edgeling.network.weights import Weight
from tests.keras_suite.outcomes import InternalsError, NotThereError


def tensor(values: Any, dtype: Any = None, **_: Any) -> np.ndarray:
    """As Keras makes tensors: floats in single precision."""
    array = np.asarray(values)
    if dtype is not None:
        return array.astype(_numpy_name(dtype))
    return array.astype({"float64": "float32", "int64": "int32"}.get(array.dtype.name, array.dtype))


def _numpy_name(dtype: Any) -> Any:
    if dtype in ("bfloat16", "float8_e4m3fn", "float8_e5m2"):
        raise InternalsError(f"NumPy has no {dtype}")
    return dtype


def _made(function: Any) -> Any:
    return lambda *a, dtype="float32", **k: tensor(function(*a, **k), dtype)


def one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = "float32", **_: Any) -> np.ndarray:
    """[...] -> [..., num_classes]."""
    return np.eye(num_classes, dtype=dtype)[np.asarray(x)]


class Ops:
    """Of symbolic values ``edgeling.ops``, of the cases' own arrays NumPy under Keras's names."""

    __path__ = ()
    __name__ = "keras.ops"

    convert_to_tensor = staticmethod(tensor)
    array = staticmethod(tensor)
    convert_to_numpy = staticmethod(np.asarray)
    cast = staticmethod(lambda x, dtype: np.asarray(x).astype(_numpy_name(dtype)))
    shape = staticmethod(np.shape)
    one_hot = staticmethod(one_hot)
    zeros, ones, full = map(staticmethod, map(_made, (np.zeros, np.ones, np.full)))
    zeros_like, ones_like = staticmethod(np.zeros_like), staticmethod(np.ones_like)
    relu = staticmethod(lambda x: np.maximum(x, 0))
    sigmoid = staticmethod(lambda x: 1 / (1 + np.exp(-x)))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if not hasattr(np, name) and not hasattr(ops, name):
            raise InternalsError(f"keras.ops.{name}")

        def function(*a: Any, **k: Any) -> Any:
            symbolic = any(isinstance(leaf, (Symbolic, Weight)) for leaf in leaves_of((a, k)))
            if symbolic or not hasattr(np, name):
                return getattr(ops, name)(*a, **k)
            return _single(getattr(np, name)(*a, **k))

        return function


def _single(value: Any) -> Any:
    return tensor(value) if isinstance(value, (np.ndarray, np.generic)) else value


class Random:
    """``keras.random``."""

    __path__ = ()
    __name__ = "keras.random"

    def __getattr__(self, name: str) -> Any:
        draws = np.random.default_rng(0)
        made = {
            "uniform": lambda shape, minval=0.0, maxval=1.0: draws.uniform(minval, maxval, shape),
            "normal": lambda shape, mean=0.0, stddev=1.0: draws.normal(mean, stddev, shape),
            "randint": lambda shape, minval, maxval: draws.integers(minval, maxval, shape),
        }
        if name not in made:
            raise InternalsError(f"keras.random.{name}")
        return lambda *a, dtype=None, seed=None, **k: tensor(made[name](*a, **k), dtype)


Ops.random = Random()  # type: ignore[attr-defined]  # cases find it there too


class Variable(NDArrayOperatorsMixin, Weight):  # type: ignore[misc]
    """``keras.Variable``: the weight of a layer that optimizers are handed."""

    def __init__(
        self, initializer: Any, shape: Any = None, dtype: Any = None, trainable: bool = True, name: Any = None, **_: Any
    ) -> None:
        value = initializer(shape) if callable(initializer) else initializer
        super().__init__(name or "variable", np.array(value, np.float32), trainable)

    __hash__ = Weight.__hash__

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        plain = (x.value if isinstance(x, Variable) else x for x in inputs)
        return getattr(ufunc, method)(*plain, **options)


class _OfSymbols(type):
    """A class that symbolic values are of, and that makes inputs."""

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, Symbolic)

    def __call__(cls, shape: Any = None, dtype: Any = None, **_: Any) -> Any:
        return Input(batch_shape=tuple(shape), dtype=dtype)


class KerasTensor(metaclass=_OfSymbols):
    """``keras.KerasTensor``."""


def set_mask(x: Any, mask: Any) -> None:
    """What Keras notes on a tensor; on an array of another kind than layers make it cannot be noted."""
    try:
        x._keras_mask = mask
    except AttributeError:
        raise InternalsError("a mask noted on an array") from None


def _only(known: str, name: str) -> None:
    if name != known:
        raise NotThereError(name)


class Backend:
    """What is public of ``keras.backend`` and ``keras.config``; the rest is internals."""

    Variable = Variable
    SUPPORTS_SPARSE_TENSORS = SUPPORTS_RAGGED_TENSORS = SUPPORTS_COMPLEX_DTYPES = False
    convert_to_tensor = staticmethod(tensor)
    convert_to_numpy = staticmethod(np.asarray)
    cast = Ops.cast
    shape = staticmethod(np.shape)
    random = Random()
    backend = staticmethod(lambda: "jax")
    floatx = staticmethod(lambda: "float32")
    epsilon = staticmethod(lambda: 1e-7)
    image_data_format = staticmethod(lambda: "channels_last")
    is_tensor = staticmethod(lambda x: isinstance(x, np.ndarray))
    standardize_dtype = staticmethod(lambda dtype: np.dtype(_numpy_name(dtype)).name)
    is_float_dtype = staticmethod(lambda dtype: "float" in str(dtype))
    numpy = SimpleNamespace(zeros=_made(np.zeros), ones=_made(np.ones))
    KerasTensor = KerasTensor
    enable_flash_attention = disable_flash_attention = staticmethod(lambda: None)
    is_flash_attention_enabled = staticmethod(lambda: False)
    get_keras_mask = staticmethod(lambda x: getattr(x, "_keras_mask", None))
    set_keras_mask = staticmethod(set_mask)
    set_floatx = staticmethod(lambda name: _only("float32", name))
    set_image_data_format = staticmethod(lambda name: _only("channels_last", name))
    standardize_shape = staticmethod(tuple)

    __path__ = ()
    __name__ = "keras.backend"

    @property
    def config(self) -> Any:
        return self

    @config.setter
    def config(self, _: Any) -> None:
        """Importing a module sets it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise InternalsError(f"keras.src.backend.{name}")
