# SPDX-License-Identifier: Apache-2.0
"""Run as a program: an HDF5 file on standard input, its arrays and texts as NumPy's ``.npz`` on standard output.

The HDF5 library is not made for hostile files: a few changed bytes can crash it. So it reads them in a process of its
own, which imports next to nothing of Edgeling and may die. Keys are paths; texts of attributes are at ``PATH@NAME``.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from edgeling.system.limits import bound_own_time

MAX_BYTES = 256 << 20
MAX_OBJECTS = 20_000
MAX_DEPTH = 16
MAX_TEXTS = 1000
# Of the processor; what waits for another process does not count.
OWN_SECONDS = 6
BYTES_A_SECOND = 4 << 20


def contents(file: Any) -> dict[str, Any]:
    """Everything of a file that is an array of numbers or a text; sizes are added up before anything is read."""
    found: dict[str, Any] = {}
    total = 0
    for count, (path, item) in enumerate(_walk(file, "", 0)):
        if count > MAX_OBJECTS:
            raise ValueError(f"more than {MAX_OBJECTS:,} objects")
        for name in item.attrs:
            found |= _texts(item, path, name)
        if not hasattr(item, "dtype") or item.dtype.kind not in "fiu":
            continue
        total += _bytes(item, path)
        if total > MAX_BYTES:
            raise ValueError(f"arrays of more than {MAX_BYTES:,} bytes")
        found[path] = np.asarray(item[()])
    return found


def _walk(group: Any, path: str, depth: int) -> Iterator[tuple[str, Any]]:
    """Groups and datasets below, by plain links only: soft and external links may lead to other files."""
    import h5py

    yield path, group
    if depth > MAX_DEPTH:
        raise ValueError(f"groups nested more than {MAX_DEPTH} deep")
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"a link out of the file at '{path}/{name}'")
        item, below = group[name], f"{path}/{name}".lstrip("/")
        if isinstance(item, h5py.Group):
            yield from _walk(item, below, depth + 1)
        elif isinstance(item, h5py.Dataset):
            yield below, item


def _bytes(dataset: Any, path: str) -> int:
    """Bytes of an array, which must lie in the file itself."""
    if dataset.is_virtual or dataset.external:
        raise ValueError(f"an array outside the file at '{path}'")
    if dataset.size and not dataset.id.get_storage_size():
        raise ValueError(f"an array without data at '{path}'")
    if prod(dataset.chunks or ()) * dataset.dtype.itemsize > MAX_BYTES:
        raise ValueError(f"pieces of more than {MAX_BYTES:,} bytes at '{path}'")
    return int(dataset.nbytes)


def _texts(item: Any, path: str, name: str) -> dict[str, Any]:
    held = item.attrs.get_id(name)
    if prod(held.shape or ()) > MAX_TEXTS:
        raise ValueError(f"more than {MAX_TEXTS} values in the attribute '{name}'")
    values = np.ravel(np.asarray(item.attrs[name], object))
    texts = [x.decode() if isinstance(x, bytes) else x for x in values]
    return {f"{path}@{name}": np.array(texts)} if texts and all(isinstance(x, str) for x in texts) else {}


def _bound_time(size: int) -> None:
    bound_own_time(OWN_SECONDS + size // BYTES_A_SECOND)


def main() -> None:
    import h5py

    content = sys.stdin.buffer.read()
    _bound_time(len(content))
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            found = contents(file)
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {error}")
    np.savez(sys.stdout.buffer, **found)


if __name__ == "__main__":
    main()
