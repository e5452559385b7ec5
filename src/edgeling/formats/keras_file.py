# SPDX-License-Identifier: Apache-2.0
"""Keras's model files: ``.keras`` (Keras 3) in and out, ``.h5`` (Keras 2 and 3) in. Keras itself is not needed.

A ``.keras`` file is a zip archive of ``metadata.json``, ``config.json`` (layers, and how the model was compiled) and
``model.weights.h5``: every layer's weights under ``layers/KIND_NUMBER/vars``, the optimizer's under ``optimizer/vars``
(``keras/src/saving/saving_lib.py``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from edgeling import __version__
from edgeling.configurable import Configurable, custom_object, custom_object_scope, is_ours, registered_name
from edgeling.errors import UnsupportedError
from edgeling.files.whole import write_file
from edgeling.formats import hdf5
from edgeling.formats.archive import MAX_FILE_BYTES, distrust, malformed, read_file, read_members, zip_of
from edgeling.formats.assemble import Parts, Plan, Shape, assemble, finite, keyed, layer_of, planned
from edgeling.formats.compiling import compile_model, from_keras_2, require_supported
from edgeling.formats.description import Description, describe, parse_json
from edgeling.formats.optimizer_state import state_arrays, take_over
from edgeling.graph.types import Array
from edgeling.layers import Layer, Normalization
from edgeling.layers.symbolic import leaves_of
from edgeling.metrics import MeanMetricWrapper
from edgeling.models import Model, Sequential
from edgeling.models.describing import in_model_files
from edgeling.models.within import all_within

METADATA, CONFIG, WEIGHTS = "metadata.json", "config.json", "model.weights.h5"
_MAX_JSON_BYTES = 16 << 20
_LIMITS = {METADATA: 1 << 20, CONFIG: _MAX_JSON_BYTES, WEIGHTS: MAX_FILE_BYTES}
_KERAS_VERSION = "3.6.0"  # the oldest Keras that the files we write are meant for


def load_keras(path: str | Path, compile: bool = True) -> Model:
    """Read a model that Keras saved: a ``.keras`` file, or a whole-model ``.h5`` file.

    Args:
        compile: also take over optimizer (of a ``.keras`` file with its state), loss and metrics. Each of these that is
            not supported is named in a warning; the others are taken over.

    Raises:
        UnsupportedError: a layer, or a setting of one, that is not supported; a model that is not a chain; custom
            objects (code in a file is never run); h5py is not installed.
        ArtifactError: no such file; a file that is corrupt, too large or inconsistent; weights that are not finite.
    """
    content = read_file(path)
    with distrust("a model"):
        if content.startswith(b"\x89HDF\r\n\x1a\n"):
            return _load_h5(content, compile)
        if content.startswith(b"PK"):
            return _load_zip(content, compile)
    raise malformed(f"neither a zip archive nor HDF5 in {Path(path).name!r}")


def save_keras(model: Model, path: str | Path) -> None:
    """Write a ``.keras`` file that Keras 3 loads.

    Raises:
        UnsupportedError: the model is not built, or holds classes of one's own; h5py is not installed.
        ArtifactError: the file cannot be written; what was there stays.
    """
    if not model.built:
        raise UnsupportedError(
            "a model is saved with the shape of its input",
            received="a model that is not built",
            remedy="begin with Input((features,)), or fit it",
        )
    config = _config(model)
    members = {
        METADATA: _json({"keras_version": _KERAS_VERSION, "date_saved": _now(), "written_by": _writer()}),
        CONFIG: _json(config),
        WEIGHTS: weights_content(model),
    }
    write_file(Path(path).expanduser(), zip_of(members))


def _require_readable(config: dict[str, Any]) -> None:
    """What nobody could read again is not written; classes and functions of one's own are read with custom_objects."""
    own = model_class(config)
    for part in [config] if own else describe(config).plain:
        try:
            own.from_config(config["config"]) if own else layer_of(part)
        except TypeError as error:
            raise UnsupportedError(
                "a class of one's own gives its constructor's arguments", received=f"{part['class_name']}: {error}",
                remedy="get_config(self), with super().get_config() and the arguments by name",
            ) from None  # fmt: skip
    require_supported(config["compile_config"])


def _json(value: Any, **how: Any) -> bytes:
    try:
        return json.dumps(value, allow_nan=False, **how).encode()
    except (TypeError, ValueError) as error:
        raise UnsupportedError(
            "a model file holds plain finite values", received=str(error), remedy="give the layers numbers and names"
        ) from error


def _is_rule(argument: str) -> bool:
    return argument.endswith(("_constraint", "_regularizer"))


def own_objects(model: Model) -> dict[str, Any]:
    """Classes and functions of one's own that a model is made of, by the names that files have for them."""
    told = [model.loss, *model.metrics_told]
    held = [model, *model._whole_chain, *(part for part in told if part is not None)]
    found = [one for one in leaves_of(held) if not isinstance(one, str)]
    found += [layer for one in found if isinstance(one, Layer) for layer in all_within([one]) if layer is not one]
    found += [one.activity_regularizer for one in found if isinstance(one, Layer) and one.activity_regularizer]
    found += [one.fn for one in found if isinstance(one, MeanMetricWrapper)]
    found += [getattr(one, name) for one in found if isinstance(one, Layer) for name in one.arguments if _is_rule(name)]
    found += [one.activation.function for one in found if hasattr(getattr(one, "activation", None), "described")]
    owners = [type(one) if isinstance(one, Configurable) else one for one in found]
    return {registered_name(one): one for one in owners if callable(one) and not is_ours(one)}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d@%H:%M:%S")


def _writer() -> str:
    return f"edgeling {__version__}"


def _config(model: Model) -> dict[str, Any]:
    """What ``config.json`` holds.

    Raises:
        UnsupportedError: what nobody could read again.
    """
    with custom_object_scope(own_objects(model)):
        config = {**in_model_files(model), "compile_config": model.get_compile_config() or {}}
        if model.built and (model.traces_calls or (not model.takes_several and model._structures[0].is_alone)):
            config["build_config"] = {"input_shape": model.input_shape}
        _require_readable(config)
    return config


def to_json(model: Model, **how: Any) -> str:
    """A model without its weights, as Keras's ``to_json`` gives it.

    Args:
        how: arguments of :func:`json.dumps`.

    Raises:
        UnsupportedError: it holds classes of one's own.
    """
    return _json(_config(model), **how).decode()


def from_json(text: str | bytes) -> Model:
    """The inverse of :func:`to_json`, also of what Keras wrote: the same layers with new weights, compiled alike.

    Raises:
        UnsupportedError: a layer, or a setting of one, that is not supported; custom objects.
        ArtifactError: no such description.
    """
    with distrust("a model"):
        config = parse_json(text, "JSON")
        compile_config = config.pop("compile_config", None)
        model = from_config(config)
        compile_model(model, compile_config)
        return model


def from_config(config: dict[str, Any]) -> Model:
    """The layers of a configuration, ``{"class_name": ..., "config": ...}``, with new weights.

    Raises:
        UnsupportedError: a layer, or a setting of one, that is not supported; custom objects.
    """
    if model_class(config):
        return written_model(config)
    description = describe(config)
    if description.wiring is None and description.inputs[0][1] is None:
        layers = [layer.model() if isinstance(layer, Plan) else layer for layer in Plan.of(description).layers]
        return Sequential(layers, name=description.name)
    return planned(description).model()


def weights_content(model: Model) -> bytes:
    """HDF5 as it stands in a ``.keras`` file, and by itself as ``.weights.h5``: weights, and the optimizer's state."""
    groups: dict[str, tuple[str, Sequence[Array]]] = {"": (model.name, ())}
    for key, _, layer in keyed(model):
        parts = divided(key, layer.parts_in_files, layer.get_weights())
        groups |= {path: (layer.name, arrays) for path, arrays in parts}
    if model.optimizer is not None:
        groups["optimizer"] = (model.optimizer.name, state_arrays(model, model.optimizer))
    return hdf5.write(groups)


def _load_zip(content: bytes, compile: bool) -> Model:
    members = read_members(content, _LIMITS)
    parse_json(members[METADATA], METADATA)
    config = parse_json(members[CONFIG], CONFIG)
    compile_config = config.pop("compile_config", None)
    if model_class(config):
        model = written_model(config)
        held = hdf5.read(members[WEIGHTS])
        for layer, arrays in arrays_by_key(model, held):
            layer._restore(arrays)
    else:
        description = describe(config)
        held = hdf5.read(members[WEIGHTS])
        model = assemble(description, lambda key, names, shapes, parts: arrays_of(held, key, parts, shapes, names[-1]))
    if compile:
        compile_model(model, compile_config)
        restore_optimizer(model, held)
    return model


def model_class(config: Mapping[str, Any]) -> type[Model] | None:
    """The class of one's own whose model is described, if it is one that we were told."""
    own = custom_object(config)
    return own if isinstance(own, type) and issubclass(own, Model) else None


def written_model(config: Mapping[str, Any]) -> Model:
    """A model of a class of one's own, with new weights, for the rows that it was built for.

    Raises:
        UnsupportedError: it was not.
    """
    kind = model_class(config)
    assert kind
    made: Model = kind.from_config(config.get("config", {}))
    shape = (config.get("build_config") or {}).get("input_shape")
    if not made.built and shape is None:
        raise UnsupportedError(
            "a model file states the shape of the input", received=f"a {kind.__name__} that was never built",
            remedy="build((None, features)), or fit it, before it is saved",
        )  # fmt: skip
    if not made.built:
        made.build(shape)
    return made


def arrays_by_key(model: Model, held: hdf5.Contents) -> list[tuple[Layer, list[Array]]]:
    """Of Keras 3's layout: each layer's arrays.

    Raises:
        ArtifactError: weights of another model, or not finite.
    """
    found = []
    for key, _, layer in keyed(model):
        shapes = _stored_shapes(layer, held.count(f"{key}/vars".lstrip("/")))
        arrays = arrays_of(held, key, layer.parts_in_files, shapes, layer.name)
        found.append((layer, [finite(a, layer.name) for a in arrays]))
    return found


def _stored_shapes(layer: Layer, stored: int) -> list[Shape]:
    """What is read for a layer; a normalisation without stored moments keeps its own."""
    if isinstance(layer, Normalization):
        return layer.kept_shapes(layer.input_row or ()) if stored else []
    return [w.shape for w in layer.weights]


def restore_optimizer(model: Model, held: hdf5.Contents) -> None:
    """Take the optimizer's state over, or say that it starts afresh."""
    path = "optimizer/vars"
    if model.optimizer is None or not held.count(path):
        return
    if held.array(f"{path}/0", ()):  # else no step was done
        take_over(model, lambda shapes: numbered(held, path, shapes, "optimizer"))


_Stored = TypeVar("_Stored")


def divided(key: str, parts: Parts, weights: Sequence[_Stored]) -> list[tuple[str, Sequence[_Stored]]]:
    """The groups of a layer in a file, and what of its weights is in which."""
    if not parts:
        return [(key, weights)]
    ends = [sum(count for _, count in parts[: at + 1]) for at in range(len(parts))]
    paths = [f"{key}/{part}".strip("/") for part, _ in parts]
    held = [(path, weights[end - n : end]) for path, (_, n), end in zip(paths, parts, ends, strict=True)]
    return held if parts[0][0] == "" else [(key, ()), *held]


def arrays_of(held: hdf5.Contents, key: str, parts: Parts, shapes: Sequence[Shape], name: str) -> list[Array]:
    """A layer's arrays of a file.

    Raises:
        ArtifactError: another number of them, or other shapes.
    """
    groups = divided(key, parts, shapes)
    return [array for path, some in groups for array in numbered(held, f"{path}/vars".lstrip("/"), some, name)]


def numbered(held: hdf5.Contents, path: str, shapes: Sequence[Shape], name: str) -> list[Array]:
    """The arrays ``0``, ``1``... of a group.

    Raises:
        ArtifactError: another number of them, or other shapes.
    """
    if shapes and held.count(path) != len(shapes):
        raise malformed(f"{held.count(path)} weights of layer {name!r}, where {len(shapes)} are needed")
    return [held.array(f"{path}/{i}", shape) for i, shape in enumerate(shapes)]


def _load_h5(content: bytes, compile: bool) -> Model:
    held = hdf5.read(content)
    if "@model_config" not in held.values:
        raise malformed("an HDF5 file of weights alone", "save the whole model: model.save('model.keras')")
    description = describe(_attribute(held, "model_config"))
    if "@keras_version" in held.values and held.texts("", "keras_version")[0].startswith("2"):
        _require_lasting(description)
    model = assemble(description, lambda _, names, shapes, __: _named(held, names, shapes))
    if compile and "@training_config" in held.values:
        compile_model(model, from_keras_2(_attribute(held, "training_config")))
    return model


def _require_lasting(description: Description) -> None:
    """Raise where a name meant something else in Keras 2.

    Raises:
        UnsupportedError: it did.
    """
    for layer in description.plain:
        if layer["config"].get("activation") == "hard_sigmoid":
            raise UnsupportedError(
                "hard_sigmoid of Keras 2 is another function than Keras 3's, and not supported",
                received=f"activation of {layer['config'].get('name')!r}",
                remedy="train with Keras 3, or with activation='sigmoid'",
            )


def _attribute(held: hdf5.Contents, name: str) -> dict[str, Any]:
    (text,) = held.texts("", name)
    return parse_json(text, name)


def _named(held: hdf5.Contents, names: Sequence[str], shapes: Sequence[Shape]) -> list[Array]:
    """The arrays that a layer's group lists by name."""
    if not shapes:
        return []
    if len(names) != 1:
        raise UnsupportedError(
            "models within a model are read from .keras files", received=f"{names[0]!r} in an .h5 file",
            remedy="save it with Keras 3: model.save('model.keras')",
        )  # fmt: skip
    name = names[0]
    path = f"model_weights/{name}"
    listed = held.texts(path, "weight_names")
    if len(listed) != len(shapes):
        raise malformed(f"{len(listed)} weights of layer {name!r}, where {len(shapes)} are needed")
    return [held.array(f"{path}/{each}", shape) for each, shape in zip(listed, shapes, strict=True)]
