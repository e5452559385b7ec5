# SPDX-License-Identifier: Apache-2.0
"""Files of weights alone, in Keras's layouts: ``.weights.h5`` in and out; those in ``.keras`` files and in ``.h5``
files of Keras 2 in.

A ``.weights.h5`` file is what a ``.keras`` file holds as ``model.weights.h5``. Layers are found by their kind and
number, so that the model read into must have the layers of the one written, in that order; their names may differ.
"""

from __future__ import annotations

from pathlib import Path

from edgeling.errors import UnsupportedError
from edgeling.files.whole import write_file
from edgeling.formats import hdf5
from edgeling.formats.archive import MAX_FILE_BYTES, distrust, malformed, read_file, read_members
from edgeling.formats.assemble import finite, keyed
from edgeling.formats.keras_file import WEIGHTS, arrays_by_key, restore_optimizer, weights_content
from edgeling.graph.types import Array
from edgeling.layers import Layer
from edgeling.models import Model

_HDF5 = b"\x89HDF\r\n\x1a\n"


def save_weights(model: Model, path: Path) -> None:
    """Write a ``.weights.h5`` file that Keras 3 loads; whole or not at all.

    Raises:
        UnsupportedError: the model is not built; h5py is not installed.
        ArtifactError: the file cannot be written; what was there stays.
    """
    _require_built(model)
    write_file(path, weights_content(model))


def load_weights(model: Model, path: Path) -> None:
    """Take the weights of a file over, all or none; and the optimizer's state, if the file has one that fits.

    Raises:
        UnsupportedError: the model is not built; h5py is not installed.
        ArtifactError: no such file; a file that is corrupt or too large; weights of another model, or not finite.
    """
    _require_built(model)
    content = read_file(path)
    with distrust("weights"):
        if content.startswith(b"PK"):
            content = read_members(content, {WEIGHTS: MAX_FILE_BYTES})[WEIGHTS]
        if not content.startswith(_HDF5):
            raise malformed(f"neither HDF5 nor a .keras file in {path.name!r}")
        held = hdf5.read(content)
        found = _by_order(model, held) if "@layer_names" in held.values else arrays_by_key(model, held)
        for layer, arrays in found:
            layer._restore(arrays)
        restore_optimizer(model, held)


def _require_built(model: Model) -> None:
    if not model.built:
        raise UnsupportedError(
            "weights are of a model that knows the shape of its input",
            received="a model that is not built",
            remedy="begin with Input((features,)), or call build((None, features))",
        )


def _by_order(model: Model, held: hdf5.Contents) -> list[tuple[Layer, list[Array]]]:
    """Of Keras 2's layout: layers that have weights, one after the other; their arrays are listed by name."""
    listed = [(name, held.values.get(f"{name}@weight_names", ())) for name in held.texts("", "layer_names")]
    groups = [[f"{name}/{each}" for each in names] for name, names in listed if len(names)]
    layers = [layer for _, _, layer in keyed(model) if layer.weights]
    if len(groups) != len(layers):
        raise malformed(f"{len(groups)} layers with weights, where {len(layers)} are needed")
    return [(layer, _listed(held, paths, layer)) for layer, paths in zip(layers, groups, strict=True)]


def _listed(held: hdf5.Contents, paths: list[str], layer: Layer) -> list[Array]:
    if len(paths) != len(layer.weights):
        raise malformed(f"{len(paths)} weights of layer {layer.name!r}, where {len(layer.weights)} are needed")
    return [finite(held.array(p, w.shape), layer.name) for p, w in zip(paths, layer.weights, strict=True)]
