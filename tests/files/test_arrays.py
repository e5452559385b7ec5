# SPDX-License-Identifier: Apache-2.0
"""Arrays as bytes and back, and bytes that are none."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgeling.errors import ArtifactError
from edgeling.files.arrays import arrays_to_npz, npz_to_arrays

DTYPES = st.sampled_from(["float32", "float64", "float16", "int8", "int32", "int64", "uint8", "uint32", "bool"])
ARRAYS = arrays.arrays(DTYPES, arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
GOOD = arrays_to_npz({"w": np.arange(12, dtype=np.float32).reshape(3, 4), "b": np.zeros(4, np.int8)})


@given(st.dictionaries(st.sampled_from(["w", "dense/kernel", "ä", "a.npy"]), ARRAYS))
def test_there_and_back_again(given_arrays: dict[str, np.ndarray]) -> None:
    found = npz_to_arrays(arrays_to_npz(given_arrays))
    assert list(found) == list(given_arrays)
    for name, array in given_arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        np.testing.assert_array_equal(found[name], array)
        assert not found[name].flags.writeable


def test_numpy_reads_it_too() -> None:
    with np.load(io.BytesIO(GOOD), allow_pickle=False) as loaded:
        np.testing.assert_array_equal(loaded["w"], np.arange(12).reshape(3, 4))


def test_equal_arrays_give_equal_bytes() -> None:
    w = np.arange(12, dtype=np.float32).reshape(3, 4)
    transposed = np.ascontiguousarray(w.T).T  # the same values in another order of memory
    big_endian = w.astype(">f4")
    assert arrays_to_npz({"w": w}) == arrays_to_npz({"w": transposed}) == arrays_to_npz({"w": big_endian})
    assert b"\x00\x00\x21\x00" in arrays_to_npz({"w": w})  # 1980-01-01 00:00, not now


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([None]), np.array([1j]), np.zeros(1, [("a", "f4")])])
def test_what_is_no_plain_array_is_not_written(array: np.ndarray) -> None:
    with pytest.raises(ArtifactError, match="'w'"):
        arrays_to_npz({"w": array})


def npz(*members: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return stream.getvalue()


def npy(header: str, content: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H", len(text)) + text + content


def described(descr: str = "<f4", shape: str = "(2,)", order: str = "False") -> bytes:
    return npy(f"{{'descr': {descr!r}, 'fortran_order': {order}, 'shape': {shape}}}", bytes(8))


def test_the_helper_makes_good_arrays() -> None:
    assert npz_to_arrays(npz(("w.npy", described())))["w"].tolist() == [0, 0]


HOSTILE = {
    "nothing": b"",
    "no zip": b"PK\x03\x04" + bytes(100),
    "compressed": npz(("w.npy", described()), compression=zipfile.ZIP_DEFLATED),
    "no array": npz(("w.npy", b"hello")),
    "no suffix": npz(("w", described())),
    "pickle": npz(("w.npy", described("|O"))),
    "text": npz(("w.npy", described("<U2"))),
    "big-endian": npz(("w.npy", described(">f4"))),
    "complex": npz(("w.npy", described("<c8", "(1,)"))),
    "long double": npz(("w.npy", described("<f16", "(1,)"))),
    "record": npz(("w.npy", npy("{'descr': [('a','<f4')], 'fortran_order': False, 'shape': (2,)}", bytes(8)))),
    "column order": npz(("w.npy", described(order="True"))),
    "too few": npz(("w.npy", described(shape="(3,)"))),
    "too many": npz(("w.npy", described(shape="(1,)"))),
    "negative": npz(("w.npy", described(shape="(-1, -2)"))),
    "absurd": npz(("w.npy", described(shape="(1 << 60,)"))),
    "absurd number": npz(("w.npy", described(shape=f"({10**12},)"))),
    "absurd and empty": npz(("w.npy", npy(f"{{'descr': '<f4', 'fortran_order': False, 'shape': (0, {10**30})}}"))),
    "truth values as lengths": npz(("w.npy", described(shape="('2',)"))),
    "code": npz(("w.npy", npy("__import__('os').system('true')"))),
    "deep": npz(("w.npy", npy("(" * 9000))),
    "long header": npz(("w.npy", npy("{" + " " * 20_000 + "}"))),
    "version": npz(("w.npy", npy("{}", version=b"\x09\x00"))),
    "cut": GOOD[:-30],
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_bytes(content: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ArtifactError, match="npz"):
            npz_to_arrays(content)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name() -> None:
    with pytest.raises(ArtifactError, match="one name"):
        npz_to_arrays(npz(("w.npy", described()), ("w.npy", described())))


def test_members_that_claim_to_be_larger_than_the_file() -> None:
    size = struct.pack("<I", len(described()))
    content = npz(("w.npy", described())).replace(size, struct.pack("<I", 1 << 30))
    with pytest.raises(ArtifactError, match="larger"):
        npz_to_arrays(content)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_mutated_bytes(data: st.DataObject) -> None:
    content = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    try:
        found = npz_to_arrays(bytes(content))
    except ArtifactError:
        return
    assert sum(array.nbytes for array in found.values()) <= len(content)
