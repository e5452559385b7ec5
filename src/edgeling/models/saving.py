# SPDX-License-Identifier: Apache-2.0
"""Models on disk."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from edgeling.configurable import Configurable, custom_object_scope, refuse, registered_name, serialize
from edgeling.errors import ArtifactError, DataError, UnsupportedError
from edgeling.files.arrays import arrays_to_npz, npz_to_arrays
from edgeling.files.whole import write_file
from edgeling.metrics import MeanMetricWrapper
from edgeling.metrics import get as get_metric
from edgeling.notebook.waiting import told_if_long

# File formats know models, not the other way round: the format's module is looked up when it is needed.
_KERAS, _WEIGHTS = "edgeling.formats.keras_file", "edgeling.formats.weights_file"


def save(model: Any, path: Path, overwrite: bool) -> None:
    """Write a model in the format its name's ending says.

    Raises:
        UnsupportedError: no such format.
        DataError: the file is there and may not be overwritten.
    """
    if path.suffix != ".keras":
        raise UnsupportedError(
            "a model is saved as .keras", received=path.name, remedy="edgeling.save(...) for an .edgeling folder"
        )
    _may_write(path, overwrite)
    import_module(_KERAS).save_keras(model, path)


@told_if_long("reading the model")
def load_model(
    filepath: str | Path, custom_objects: Mapping[str, Any] | None = None, compile: bool = True, safe_mode: bool = True
) -> Any:
    """Read a model that :meth:`Sequential.save` or Keras wrote: a ``.keras`` file, or a whole-model ``.h5`` file.

    Args:
        custom_objects: layers, losses and metrics of one's own by the names that the file has for them.
        compile: also take over optimizer, loss and metrics.
        safe_mode: as if always True: code in a file is never run.

    Returns:
        Sequential: the model.

    Raises:
        UnsupportedError, ArtifactError: see :func:`edgeling.formats.keras_file.load_keras`.
    """
    with custom_object_scope(_named(custom_objects)):
        return import_module(_KERAS).load_keras(filepath, compile)


def _named(custom_objects: Any) -> Mapping[str, Any]:
    """The objects by their names.

    Raises:
        UnsupportedError: something else.
    """
    if isinstance(custom_objects, Mapping) and all(callable(one) for one in custom_objects.values()):
        return custom_objects
    if custom_objects:
        raise UnsupportedError(
            "custom_objects are classes and functions by name", received=repr(custom_objects)[:80],
            remedy="custom_objects={'MyLayer': MyLayer}",
        )  # fmt: skip
    return {}


def save_model(model: Any, filepath: str | Path, overwrite: bool = True, zipped: bool | None = None) -> None:
    """As ``model.save(filepath)``.

    Args:
        model: one that is built.
        zipped: Keras's; a ``.keras`` file always is.
    """
    model.save(filepath, overwrite=overwrite, zipped=zipped)


def save_weights(model: Any, path: Path, overwrite: bool) -> None:
    """Write the weights alone: ``.weights.h5``, which Keras reads too, or NumPy's ``.npz``; whole or not at all.

    Raises:
        UnsupportedError: no such format.
        DataError: the file is there and may not be overwritten.
        ArtifactError: it cannot be written; what was there stays.
    """
    if not path.name.endswith((".weights.h5", ".npz")):
        raise UnsupportedError(
            "weights are saved as .weights.h5 or .npz", received=path.name, remedy="save(...) for the whole model"
        )
    _may_write(path, overwrite)
    if path.suffix == ".npz":
        write_file(path, arrays_to_npz({f"arr_{i}": array for i, array in enumerate(model.get_weights())}))
    else:
        import_module(_WEIGHTS).save_weights(model, path)


def load_weights(model: Any, path: Path) -> None:
    """Take over weights that :func:`save_weights` or Keras wrote.

    Raises:
        DataError: an ``.npz`` file that is not there, not one of ours, or of another model.
        UnsupportedError, ArtifactError: see :func:`edgeling.formats.weights_file.load_weights`.
    """
    if path.suffix != ".npz":
        import_module(_WEIGHTS).load_weights(model, path)
        return
    try:
        stored = npz_to_arrays(path.read_bytes())
        model.set_weights([stored[f"arr_{i}"] for i in range(len(stored))])
    except (OSError, ArtifactError, KeyError) as error:
        raise DataError(
            "weights are read from what save_weights wrote", received=f"{path}: {error}",
            remedy="model.save_weights(path) writes one",
        ) from None  # fmt: skip


def to_json(model: Any, **how: Any) -> str:
    """See :func:`edgeling.formats.keras_file.to_json`."""
    text: str = import_module(_KERAS).to_json(model, **how)
    return text


def model_from_json(json_string: str | bytes, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """A model from what :meth:`Sequential.to_json` or Keras's wrote: the same layers with new weights, compiled alike.

    Raises:
        UnsupportedError, ArtifactError: see :func:`edgeling.formats.keras_file.from_json`.
    """
    with custom_object_scope(_named(custom_objects)):
        return import_module(_KERAS).from_json(json_string)


def clone_model(
    model: Any,
    input_tensors: Any = None,
    clone_function: Callable[[Any], Any] | None = None,
    call_function: Any = None,
    recursive: bool = False,
) -> Any:
    """The same layers with new weights, not compiled.

    Args:
        clone_function: from each layer to the one that takes its place.
        recursive: changes nothing, for no model holds another.

    Returns:
        Sequential: the copy.

    Raises:
        UnsupportedError: ``input_tensors`` or ``call_function``; no model.
    """
    for name, value in {"input_tensors": input_tensors, "call_function": call_function}.items():
        refuse("clone_model", name, value)
    if not hasattr(model, "_called_layers"):
        raise UnsupportedError("a model is cloned", received=type(model).__name__, remedy="layer.from_config(config)")
    if model.traces_calls:
        refuse("clone_model of a class with call()", "clone_function", clone_function)
        copy = type(model).from_config(model.get_config())
        if model.built and not copy.built:
            copy.build(model.input_shape)
        return copy
    if clone_function is None:
        copies = [type(layer).from_config(layer.get_config()) for layer in model._whole_chain]
    else:
        copies = [clone_function(layer) for layer in model.layers_of_files]
    copy = model.of_layers(copies)
    if model.built and not copy.built:
        copy.build(model.input_shape)
    return copy


def _may_write(path: Path, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise DataError("a file is there already", received=str(path), remedy="overwrite=True")


def compile_config(
    optimizer: Any, loss: Any, metrics: Any, weighted_metrics: Any, loss_weights: Any = None, **settings: Any
) -> dict[str, Any]:
    """What ``compile`` was told, in Keras's form."""
    return {
        "optimizer": serialize(optimizer),
        "loss": _structured(loss, _plain),
        "loss_weights": loss_weights,
        "metrics": _structured(metrics, _metric) or None,
        "weighted_metrics": _structured(weighted_metrics, _metric) or None,
        **settings,
    }


def _structured(told: Any, change: Callable[[Any], Any]) -> Any:
    """What stands in lists and mappings of outputs, changed; what becomes None in a list is left out."""
    if isinstance(told, Mapping) and "class_name" not in told:
        return {key: _structured(value, change) for key, value in told.items()}
    if isinstance(told, (list, tuple)):
        changed = [_structured(value, change) for value in told]
        return [new for old, new in zip(told, changed, strict=True) if new is not None or old is None]
    return None if told is None else change(told)


def _metric(metric: Any) -> Any:
    """As a file holds it: what is written in Python by its name, by which ``custom_objects`` knows it again."""
    found = get_metric(metric, 1)
    function = found.fn if isinstance(found, MeanMetricWrapper) else None
    if function is not None and not str(getattr(function, "__name__", "<")).isidentifier():
        rule = f"the metric {found.name!r} has no name that a file could hold"
        warnings.warn(f"{rule}: compile the model again when it was loaded", stacklevel=4)
        return None
    if not isinstance(metric, MeanMetricWrapper):
        return _plain(metric)
    described = serialize(metric)
    name = registered_name(metric.fn)
    how = {"module": "builtins", "class_name": "function", "config": name, "registered_name": name}
    return {**described, "config": {**described["config"], "fn": how}}


def _plain(value: Any) -> Any:
    if isinstance(value, type) and issubclass(value, Configurable):
        value = value()
    if isinstance(value, Configurable):
        return serialize(value)
    return registered_name(value) if hasattr(value, "__name__") else value  # as functions do
