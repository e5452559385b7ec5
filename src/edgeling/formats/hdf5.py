# SPDX-License-Identifier: Apache-2.0
"""HDF5 as Keras writes it: plain arrays in groups. Files are read by another process, see ``hdf5_dump``."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from edgeling.errors import UnsupportedError
from edgeling.formats.archive import malformed
from edgeling.graph.types import Array
from edgeling.system import processes

_READER = Path(__file__).with_name("hdf5_dump.py")
_TIMEOUT_SECONDS = 120


@dataclass(frozen=True)
class Contents:
    """What an HDF5 file holds.

    Attributes:
        values: arrays by their path; texts of attributes by ``PATH@NAME``.
    """

    values: Mapping[str, Array]

    def array(self, path: str, shape: tuple[int, ...]) -> Array:
        """The numbers at a path, if they have that shape.

        Raises:
            ArtifactError: nothing there, or another shape.
        """
        found = self.values.get(path)
        if found is None or "@" in path:
            raise malformed(f"no array of numbers at {path!r}")
        if found.shape != shape:
            raise malformed(f"an array of shape {found.shape} at {path!r}, where {shape} is needed")
        return found

    def texts(self, path: str, name: str) -> list[str]:
        """The texts of an attribute.

        Raises:
            ArtifactError: none there.
        """
        found = self.values.get(f"{path}@{name}")
        if found is None:
            raise malformed(f"no texts {name!r} at {path!r}")
        return [str(x) for x in found]

    def count(self, path: str) -> int:
        """How many arrays a group holds itself."""
        return sum(key.rpartition("/")[0] == path for key in self.values if "@" not in key)


def read(content: bytes) -> Contents:
    """Everything in a file.

    Raises:
        UnsupportedError: h5py is not installed.
        ArtifactError: a file that is corrupt, or made to do harm.
    """
    _require_h5py()
    command, environment = [sys.executable, "-P", str(_READER)], processes.with_own_path()
    try:
        (done,) = processes.run([command], given=content, environment=environment, timeout_seconds=_TIMEOUT_SECONDS)
    except TimeoutError as error:
        raise malformed(f"weights that take longer than {_TIMEOUT_SECONDS} s to read") from error
    if done.status:
        lines = done.errors.decode(errors="replace").strip().splitlines() if done.status > 0 else []
        raise malformed(
            f"weights that cannot be read ({lines[-1] if lines else 'the HDF5 library crashed, or found no end'})"
        )
    with np.load(io.BytesIO(done.output), allow_pickle=False) as arrays:
        return Contents({name: arrays[name] for name in arrays.files})


def write(groups: Mapping[str, tuple[str, Sequence[Array]]]) -> bytes:
    """A file of groups ``PATH/vars`` with the arrays ``0``, ``1``...; each group knows a name.

    Raises:
        UnsupportedError: h5py is not installed.
    """
    _require_h5py()
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for path, (name, arrays) in groups.items():
            held = file.create_group(f"{path}/vars".lstrip("/"))
            held.attrs["name"] = name
            for i, values in enumerate(arrays):
                held[str(i)] = values
    return buffer.getvalue()


def _require_h5py() -> None:
    if find_spec("h5py") is None:
        raise UnsupportedError(
            "Keras's model files need the package h5py",
            received="none installed",
            remedy='pip install "edgeling[keras-files]"',
        )
