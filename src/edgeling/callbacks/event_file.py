# SPDX-License-Identifier: Apache-2.0
"""TensorBoard's event files, written by hand: TFRecords of ``Event`` messages.

Formats: ``tensorflow/core/lib/io/record_writer.h`` (lengths and data, each with a masked CRC-32C),
``tensorboard/compat/proto/event.proto`` and ``summary.proto`` (field numbers below are theirs).
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterable
from functools import cache
from itertools import count
from pathlib import Path
from time import time
from typing import BinaryIO

import numpy as np

from edgeling.graph.types import Array

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types of protocol buffers
_POLYNOMIAL = 0x82F63B78  # Castagnoli's, reflected
_BUCKETS = 30
_numbers = count()


class EventFile:
    """One file of events in a folder, which is made if it is not there; closed with :meth:`close`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{int(time()):010d}.{socket.gethostname()}.{os.getpid()}.{next(_numbers)}.v2"
        self._file: BinaryIO = (folder / name).open("xb")
        self._write(_text(3, "brain.Event:2"))

    def scalar(self, tag: str, value: float, step: int) -> None:
        """One number."""
        self._summary(_text(1, tag) + _key(2, _FIXED32) + struct.pack("<f", value), step)

    def histogram(self, tag: str, values: Array, step: int) -> None:
        """How numbers are distributed."""
        self._summary(_text(1, tag) + _message(5, _histogram(np.asarray(values, np.float64).ravel())), step)

    def flush(self) -> None:
        """Have readers see what was written."""
        self._file.flush()

    def close(self) -> None:
        """Nothing is written afterwards."""
        self._file.close()

    def _summary(self, value: bytes, step: int) -> None:
        self._write(_key(2, _VARINT) + _varint(step) + _message(5, _message(1, value)))

    def _write(self, event: bytes) -> None:
        event = _double(1, time()) + event
        length = struct.pack("<Q", len(event))
        self._file.write(length + _masked_crc(length) + event + _masked_crc(event))


def _histogram(values: Array) -> bytes:
    counts, edges = np.histogram(values, bins=_BUCKETS)
    sums = (values.min(), values.max(), values.size, values.sum(), (values * values).sum())
    moments = b"".join(_double(field, float(number)) for field, number in enumerate(sums, start=1))
    return moments + _doubles(6, edges[1:]) + _doubles(7, counts)


def _varint(value: int) -> bytes:
    parts = []
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def _key(field: int, wire_type: int) -> bytes:
    return _varint(field << 3 | wire_type)


def _message(field: int, content: bytes) -> bytes:
    return _key(field, _BYTES) + _varint(len(content)) + content


def _text(field: int, text: str) -> bytes:
    return _message(field, text.encode())


def _double(field: int, value: float) -> bytes:
    return _key(field, _FIXED64) + struct.pack("<d", value)


def _doubles(field: int, values: Iterable[float]) -> bytes:
    return _message(field, b"".join(struct.pack("<d", v) for v in values))


@cache
def _crc_table() -> tuple[int, ...]:
    def entry(byte: int) -> int:
        for _ in range(8):
            byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
        return byte

    return tuple(map(entry, range(256)))


def crc32c(data: bytes) -> int:
    """CRC-32C (RFC 3720, appendix B.4)."""
    crc, table = 0xFFFFFFFF, _crc_table()
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def _masked_crc(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
