"""HDF5 as Keras writes it, read without trust: plain float arrays of an expected shape and nothing else."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from edgeling.errors import UnsupportedError
from edgeling.formats.archive import malformed
from edgeling.graph.types import Array

_MAX_TEXTS = 1000
_PLAIN_FILTERS = {"gzip", "lzf", None}


def h5py() -> Any:
    """The module h5py.

    Raises:
        UnsupportedError: it is not installed.
    """
    try:
        import h5py as module
    except ImportError as error:
        raise UnsupportedError(
            "Keras's model files need the package h5py",
            received="none installed",
            remedy='pip install "edgeling[keras-files]"',
        ) from error
    return module


def open_hdf5(content: bytes) -> Any:
    """An HDF5 file in memory, for reading."""
    return h5py().File(io.BytesIO(content), "r")


def group(parent: Any, path: str) -> Any:
    """The group at a path, reached through plain links only: soft and external ones may lead to other files.

    Raises:
        ArtifactError: nothing there, or not a group.
    """
    found = parent
    for part in path.split("/"):
        found = _child(found, part, path)
        if not isinstance(found, h5py().Group):
            raise malformed(f"no group at {path!r} in the weights")
    return found


def _child(parent: Any, name: str, path: str) -> Any:
    if name in ("", ".", "..") or name not in parent:
        raise malformed(f"no {path!r} in the weights")
    if parent.get(name, getclass=True, getlink=True) is not h5py().HardLink:
        raise malformed(f"a link out of the file at {path!r}")
    return parent[name]


def array(parent: Any, path: str, shape: tuple[int, ...]) -> Array:
    """The finite numbers at a path, of the file's type, if they have exactly that shape (checked before reading).

    Raises:
        ArtifactError: nothing there, another shape or type, data outside the file, values that are not finite.
    """
    folder, _, name = path.rpartition("/")
    dataset = _child(group(parent, folder) if folder else parent, name, path)
    if not isinstance(dataset, h5py().Dataset) or dataset.dtype.kind not in "fiu":
        raise malformed(f"no array of numbers at {path!r}")
    if dataset.shape != shape:
        raise malformed(f"an array of shape {dataset.shape} at {path!r}, where {shape} is needed")
    if dataset.is_virtual or dataset.external:
        raise malformed(f"an array outside the file at {path!r}")
    if dataset.size and not dataset.id.get_storage_size():
        raise malformed(f"an array without data at {path!r}")
    chunk_bytes = prod(dataset.chunks or ()) * dataset.dtype.itemsize
    if dataset.compression not in _PLAIN_FILTERS or chunk_bytes > 2 * dataset.nbytes + 65536:
        raise malformed(f"an unusual compression at {path!r}")
    return np.asarray(dataset[()])


def texts(parent: Any, name: str) -> list[str]:
    """The texts of an attribute.

    Raises:
        ArtifactError: no such attribute, not texts, or too many of them.
    """
    if name not in parent.attrs:
        raise malformed(f"no attribute {name!r} in the weights")
    shape = parent.attrs.get_id(name).shape  # known before the values are read
    if prod(shape or ()) > _MAX_TEXTS:
        raise malformed(f"the attribute {name!r} of shape {shape}")
    return [x.decode() if isinstance(x, bytes) else str(x) for x in np.ravel(np.asarray(parent.attrs[name], object))]


def numbered(groups: Mapping[str, tuple[str, Sequence[Array]]]) -> bytes:
    """An HDF5 file of groups ``PATH/vars`` with the arrays ``0``, ``1``...; each group knows a name."""
    buffer = io.BytesIO()
    with h5py().File(buffer, "w") as file:
        for path, (name, arrays) in groups.items():
            held = file.create_group(f"{path}/vars".lstrip("/"))
            held.attrs["name"] = name
            for i, values in enumerate(arrays):
                held[str(i)] = values
    return buffer.getvalue()
