# SPDX-License-Identifier: Apache-2.0
"""Arrays as bytes: NumPy's ``.npz``, uncompressed, the same bytes for the same arrays, read without trust."""

from __future__ import annotations

import io
from collections.abc import Mapping
from math import prod
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgeling.errors import ArtifactError

if TYPE_CHECKING:
    from zipfile import ZipFile

MAX_ARRAYS = 10_000
_MAX_HEADER_BYTES = 10_000
_KINDS = "biuf"
_SUFFIX = ".npy"
_TIMESTAMP = (1980, 1, 1, 0, 0, 0)
"""The earliest a zip file can hold: the time of writing would make equal arrays unequal files."""


def arrays_to_npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The arrays as an ``.npz`` file, in the mapping's order; equal arrays give equal bytes.

    Raises:
        ArtifactError: an array of something other than bools, integers or floats.
    """
    from zipfile import ZipFile, ZipInfo

    stream = io.BytesIO()
    with ZipFile(stream, "w") as archive:
        for name, array in arrays.items():
            member = ZipInfo(name + _SUFFIX, _TIMESTAMP)
            member.create_system = 3  # zipfile would note which system wrote it
            archive.writestr(member, _npy(name, np.asarray(array)))
    return stream.getvalue()


def npz_to_arrays(content: bytes) -> dict[str, NDArray[Any]]:
    """Read what ``arrays_to_npz`` wrote. The arrays are read-only.

    Nothing is allocated on the word of a header: members are stored plainly, so that all of them together cannot
    be larger than the file, and a shape must match the bytes that are there.

    Raises:
        ArtifactError: anything else.
    """
    from zipfile import ZipFile

    try:
        with ZipFile(io.BytesIO(content)) as archive:
            _require_plain(archive, len(content))
            return {info.filename.removesuffix(_SUFFIX): _array(archive.read(info)) for info in archive.infolist()}
    # The parsers below us were not written for hostile bytes and raise nearly anything.
    except Exception as error:
        raise ArtifactError(
            "arrays are kept as a plain .npz file",
            received=f"{type(error).__name__}: {str(error)[:200]}",
            remedy="copy the whole folder again, or train again",
        ) from error


def _npy(name: str, array: NDArray[Any]) -> bytes:
    if not _is_plain(array.dtype):
        raise ArtifactError(
            "an array holds bools, integers or floats", received=f"{name!r} of {array.dtype}", remedy="convert it"
        )
    stream = io.BytesIO()
    little_endian = np.ascontiguousarray(array).reshape(array.shape).astype(array.dtype.newbyteorder("<"), copy=False)
    np.lib.format.write_array(stream, little_endian, version=(1, 0), allow_pickle=False)
    return stream.getvalue()


def _require_plain(archive: ZipFile, size: int) -> None:
    members = archive.infolist()
    if len(members) > MAX_ARRAYS or len({member.filename for member in members}) != len(members):
        raise ValueError("too many members, or two of one name")
    if any(m.compress_type != 0 or not m.filename.endswith(_SUFFIX) for m in members):
        raise ValueError("a member that is compressed or no array")
    if sum(member.file_size for member in members) > size:
        raise ValueError("members larger than the file")


def _array(content: bytes) -> NDArray[Any]:
    stream = io.BytesIO(content)
    shape, fortran_order, dtype = _header(stream)
    if fortran_order or not _is_plain(dtype) or dtype != dtype.newbyteorder("<") or min(shape, default=0) < 0:
        raise ValueError("an array of unexpected order, type or shape")
    if prod(shape) * dtype.itemsize != len(content) - stream.tell():
        raise ValueError("a shape that does not match the bytes")
    return np.frombuffer(stream.read(), dtype).reshape(shape)


def _is_plain(dtype: np.dtype[Any]) -> bool:
    """Up to 8 bytes: ``longdouble`` is another type on every system."""
    return dtype.kind in _KINDS and dtype.itemsize <= 8


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("an array of an unexpected format version")
    return np.lib.format.read_array_header_1_0(stream, max_header_size=_MAX_HEADER_BYTES)
