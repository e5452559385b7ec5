# SPDX-License-Identifier: Apache-2.0
"""Models that live in this process as Keras objects: in, and the trained weights back. Keras is not imported here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgeling.errors import ArtifactError, UnsupportedError
from edgeling.formats.archive import distrust
from edgeling.formats.assemble import Shape, assemble, require_shapes
from edgeling.formats.compiling import compile_model
from edgeling.formats.description import describe
from edgeling.formats.optimizer_state import restore_state
from edgeling.graph.types import Array
from edgeling.layers import Layer, Normalization
from edgeling.models import Sequential

_PACKAGES = ("keras", "tf_keras", "tensorflow")


def is_keras_model(value: object) -> bool:
    """Whether an object is a model of Keras (any backend; also tf_keras)."""
    return any(c.__name__ == "Model" and _is_keras(c) for c in type(value).__mro__)


def from_keras(keras_model: Any, compile: bool = True) -> Sequential:
    """A model with the layers, weights and (where supported) compile settings of a live Keras model.

    Args:
        keras_model: ``Sequential``, or functional and a chain; built.
        compile: also take over optimizer (with its state), loss and metrics; as
            :func:`edgeling.formats.keras_file.load_keras` does.

    Raises:
        UnsupportedError: not a Keras model; subclassed; not a chain; a layer or setting that is not supported.
        ArtifactError: weights that are not finite.
    """
    kind = _kind(keras_model)
    layers = {layer.name: layer for layer in keras_model.layers}

    def weights(key: str, name: str, shapes: Sequence[Shape]) -> list[Array]:
        return list(layers[name].get_weights())

    with distrust("a Keras model"):
        config = {"class_name": kind, "config": keras_model.get_config()}
        if keras_model.built:
            config["build_config"] = {"input_shape": tuple(keras_model.input_shape)}
        model = assemble(describe(config), weights)
    if compile and getattr(keras_model, "compiled", False) and compile_model(model, keras_model.get_compile_config()):
        _take_optimizer(model, keras_model.optimizer)
    return model


def _take_optimizer(model: Sequential, theirs: Any) -> None:
    """Go on where Keras stopped; an optimizer that did no step yet has nothing to take."""
    if model.optimizer is None or not getattr(theirs, "built", False):
        return

    def state(shapes: Sequence[Shape]) -> list[Array]:
        arrays = [np.asarray(variable) for variable in theirs.variables]
        require_shapes([a.shape for a in arrays], shapes, theirs.name)
        return arrays

    restore_state(model, model.optimizer, state)


def to_keras(model: Sequential, keras_model: Any) -> None:
    """Write a model's weights into the live Keras model it came from (or one of the same layers).

    Raises:
        ArtifactError: the Keras model has other layers or shapes; nothing is changed.
    """
    theirs = [x for x in keras_model.layers if type(x).__name__ != "InputLayer"]
    kinds, expected = [type(x).__name__ for x in theirs], [type(x).__name__ for x in model.layers]
    if kinds != expected:
        raise ArtifactError(f"the Keras model has the layers {expected}", received=str(kinds), remedy="the same layers")
    pairs = [(their, _for_keras(layer, their)) for layer, their in zip(model.layers, theirs, strict=True)]
    for their, arrays in pairs:
        require_shapes([a.shape for a in arrays], [w.shape for w in their.get_weights()], their.name)
    for their, arrays in pairs:
        their.set_weights(arrays)
        if arrays and hasattr(their, "finalize_state"):
            their.finalize_state()  # Normalization computes from its moments only here...
            _forget_compiled(keras_model)


def _forget_compiled(keras_model: Any) -> None:
    """...and functions that Keras compiled before hold the old ones as constants."""
    keras_model.train_function = keras_model.test_function = keras_model.predict_function = None


def _for_keras(layer: Layer, their: Any) -> list[Array]:
    """A layer's weights in Keras's order."""
    held = their.get_weights()
    if isinstance(layer, Normalization) and held and layer.input_row:
        mean, variance = (np.broadcast_to(np.float32(x), layer.input_row) for x in (layer.mean, layer.variance))
        return [mean, variance, held[2]]
    return layer.get_weights()


def _kind(keras_model: Any) -> str:
    found = type(keras_model)
    if is_keras_model(keras_model) and _is_keras(found):
        return found.__name__
    raise UnsupportedError(
        "a Keras model is Sequential, or functional and a chain",
        received=f"{found.__module__}.{found.__name__}",
        remedy="a model without a call() of its own",
    )


def _is_keras(found: type) -> bool:
    return found.__module__.split(".")[0] in _PACKAGES
