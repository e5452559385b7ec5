# SPDX-License-Identifier: Apache-2.0
"""Models that live in this process as Keras objects: in, and the trained weights back. Keras is not imported here."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from inspect import isfunction
from typing import Any

import numpy as np

from edgeling import activations
from edgeling.errors import ArtifactError, UnsupportedError
from edgeling.formats.archive import distrust
from edgeling.formats.assemble import Parts, Shape, assemble, keyed, require_shapes
from edgeling.formats.compiling import compile_model
from edgeling.formats.description import describe
from edgeling.formats.optimizer_state import take_over
from edgeling.graph.types import Array
from edgeling.layers import Layer, Normalization
from edgeling.models import Model

_PACKAGES = ("keras", "tf_keras", "tensorflow")
_TRAINING = frozenset({
    "train_step", "test_step", "compute_loss", "compute_metrics", "make_train_function", "make_test_function",
    "compile", "fit", "evaluate", "get_metrics_result", "reset_metrics",
})  # fmt: skip
_METRICS = ("metrics", "weighted_metrics")


def is_keras_model(value: object) -> bool:
    """Whether an object is a model of Keras (any backend; also tf_keras)."""
    return any(c.__name__ == "Model" and _is_keras(c) for c in type(value).__mro__)


def from_keras(keras_model: Any, compile: bool = True) -> Model:
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
    layers = dict(_by_names(keras_model))
    _require_untouched([keras_model, *layers.values()], _TRAINING if not compile else ())

    def weights(key: str, names: Sequence[str], shapes: Sequence[Shape], parts: Parts) -> list[Array]:
        return list(layers[tuple(names)].get_weights())

    with distrust("a Keras model"):
        config = {"class_name": kind, "config": _with_functions(keras_model.get_config(), layers)}
        if keras_model.built:
            config["build_config"] = {"input_shape": keras_model.input_shape}
        model = assemble(describe(config), weights)
    if compile and getattr(keras_model, "compiled", False):
        raw = getattr(getattr(keras_model, "_compile_config", None), "config", {})
        compile_model(model, _marked(keras_model.get_compile_config(), raw))
        _take_optimizer(model, keras_model.optimizer)
    return model


def _by_names(model: Any, names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every layer, those of models within too, by the names that lead to it."""
    for layer in model.layers:
        path = (*names, layer.name)
        yield path, layer
        if is_keras_model(layer):
            yield from _by_names(layer, path)


def _require_untouched(parts: Sequence[Any], but_for: Collection[str]) -> None:
    """Raise if somebody put a function in the place of a method that Keras calls: nothing here would.

    Raises:
        UnsupportedError: somebody did.
    """
    for part in parts:
        replaced = sorted(_replaced(part) - set(but_for))
        if replaced:
            training = " or, to take it without training settings, compile=False" if set(replaced) <= _TRAINING else ""
            raise UnsupportedError(
                "methods of a Keras model and its layers are Keras's own",
                received=f"{', '.join(replaced)} set on {part.name!r}",
                remedy=f"a model without them{training}",
            )


def _replaced(value: Any) -> set[str]:
    """Methods of a Keras object that are somebody's functions."""
    held = getattr(value, "__dict__", {})
    return {
        name for name, method in held.items()
        if callable(method) and callable(getattr(type(value), name, None)) and not _is_keras(method)
    }  # fmt: skip


def _with_functions(
    config: dict[str, Any], layers: Mapping[tuple[str, ...], Any], names: tuple[str, ...] = ()
) -> dict[str, Any]:
    """The model's configuration, with activations that say what they are: Keras writes the name of a function that
    goes by the name of one of its own.
    """

    def described(part: Any) -> Any:
        own = part.get("config") if isinstance(part, Mapping) else None
        path = (*names, own.get("name", "")) if isinstance(own, Mapping) else names
        if isinstance(own, dict) and "layers" in own and is_keras_model(layers.get(path)):
            return {**part, "config": _with_functions(own, layers, path)}
        live = getattr(layers.get(path), "activation", None) if isinstance(own, Mapping) else None
        if own is None or not callable(live) or _is_layer(live):
            return part
        known = activations.get(live, written=False)
        return {**part, "config": {**own, "activation": activations.serialize(known)}}

    return {**config, "layers": [described(part) for part in config.get("layers", ())]}


def _is_layer(value: Any) -> bool:
    return any(c.__name__ == "Layer" for c in type(value).__mro__)


def _marked(config: Any, raw: Any, takes_functions: bool = False) -> Any:
    """Training settings in which a user's function, or object that holds one, does not pass for Keras's own.

    Args:
        config: as Keras describes them.
        raw: as ``compile`` was given them.
        takes_functions: a function is what it is: a metric is any function of (y_true, y_pred).
    """
    if isinstance(raw, Mapping) and isinstance(config, Mapping):
        return {key: _marked(each, raw.get(key), takes_functions or key in _METRICS) for key, each in config.items()}
    if isinstance(raw, (list, tuple)) and isinstance(config, (list, tuple)):
        return [_marked(each, theirs, takes_functions) for each, theirs in zip(config, raw, strict=True)]
    theirs = isfunction(raw) and not _is_keras(raw)
    if theirs and takes_functions:
        return raw
    held = getattr(raw, "__dict__", {}).values()
    if isinstance(config, Mapping) and (theirs or any(isfunction(each) and not _is_keras(each) for each in held)):
        return {**config, "module": getattr(raw, "__module__", None), "registered_name": "Python>function"}
    if isinstance(config, Mapping) and config.get("class_name") == "Huber":  # whose delta Keras does not describe
        return {**config, "config": {**getattr(raw, "_fn_kwargs", {}), **config["config"]}}
    return config


def _take_optimizer(model: Model, theirs: Any) -> None:
    """Go on where Keras stopped; an optimizer that did no step yet has nothing to take."""
    if model.optimizer is None or not getattr(theirs, "built", False):
        return

    def state(shapes: Sequence[Shape]) -> list[Array]:
        arrays = [np.asarray(variable) for variable in theirs.variables]
        require_shapes([a.shape for a in arrays], shapes, theirs.name)
        return arrays

    take_over(model, state)


def to_keras(model: Model, keras_model: Any) -> None:
    """Write a model's weights into the live Keras model it came from (or one of the same layers).

    Raises:
        ArtifactError: the Keras model has other layers or shapes; nothing is changed.
    """
    theirs = [x for _, x in _by_names(keras_model) if type(x).__name__ != "InputLayer" and not is_keras_model(x)]
    mine = [layer for _, _, layer in keyed(model)]
    kinds, expected = [type(x).__name__ for x in theirs], [type(x).__name__ for x in mine]
    if kinds != expected:
        raise ArtifactError(f"the Keras model has the layers {expected}", received=str(kinds), remedy="the same layers")
    pairs = [(their, _for_keras(layer, their)) for layer, their in zip(mine, theirs, strict=True)]
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
        return [*layer.held(layer.input_row), held[2]]
    return layer.get_weights()


def _kind(keras_model: Any) -> str:
    found = type(keras_model)
    if is_keras_model(keras_model) and _is_keras(found):
        return found.__name__
    raise UnsupportedError(
        "a Keras model is Sequential, or functional and a chain",
        received=f"{found.__module__}.{found.__name__}",
        remedy="Model(inputs, outputs); or its class with `import edgeling as keras`, and load_model of its file",
    )


def _is_keras(found: Any) -> bool:
    """Whether a class or function is from one of Keras's packages."""
    return str(getattr(found, "__module__", "")).split(".")[0] in _PACKAGES
