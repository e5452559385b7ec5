# SPDX-License-Identifier: Apache-2.0
"""Files that people hand over in a table's place: arrays, pictures, sound, models; each is said what to do with."""

from __future__ import annotations

from collections.abc import Mapping

from edgeling.errors import DataError

_ARRAYS = "read them in Python and model.fit() (docs/tutorials/sensors.md); rows of columns: numpy.savetxt() as CSV"
_PICTURES = "read their pixels in Python and model.fit() (docs/tutorials/images.md)"
_SOUND = "cut its samples into windows in Python and model.fit() (docs/tutorials/sensors.md)"
_MODEL = "edgeling build, or edgeling.models.load_model() in Python; a table to train from as CSV"
# What a file is, how its name ends, how it begins, and what to do.
_OTHERS: Mapping[str, tuple[tuple[str, ...], tuple[bytes, ...], str]] = {
    "arrays": ((".npy", ".npz", ".mat"), (b"\x93NUMPY", b"MATLAB "), _ARRAYS),
    "a picture": (
        (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp"),
        (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*"), _PICTURES,
    ),
    "sound": ((".wav", ".flac", ".mp3", ".ogg"), (b"RIFF", b"fLaC", b"OggS", b"ID3"), _SOUND),
    "a model": ((".keras", ".h5", ".hdf5"), (b"\x89HDF",), _MODEL),
}  # fmt: skip
_FORMATS = "a .csv, .tsv, .txt, .jsonl, .parquet, .feather or .xlsx file, or one of text in .gz or .zip"


def require_no_other(name: str, suffix: str, content: bytes) -> None:
    """Raise unless a file that is no text may be a table, by its name and how it begins.

    Raises:
        DataError: arrays, a picture, sound or a model; with what to do instead.
    """
    for what, (ends, marks, remedy) in _OTHERS.items():
        if suffix in ends or content.startswith(marks):
            raise DataError(f"a table is {_FORMATS}", received=f"{what}, {name!r}", remedy=remedy)


def other(name: str) -> DataError:
    """The error for bytes of which nothing is known."""
    return DataError(f"a table is {_FORMATS}", received=f"{name!r}", remedy="export the table as CSV")
