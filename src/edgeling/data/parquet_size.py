# SPDX-License-Identifier: Apache-2.0
"""What a Parquet file unpacks to, from its own description and without unpacking anything.

The footer tells where the pages of each column lie; each page's header tells how long it is packed and unpacked, which
is what a reader allocates. Both are structures in Thrift's compact protocol (Apache Thrift,
``thrift-compact-protocol.md``; Apache Parquet, ``parquet.thrift``).
"""

from __future__ import annotations

import struct
from typing import Any

_LONGEST_LIST = 10_000_000
_DEEPEST = 16
_ROW_GROUPS, _COLUMNS, _COLUMN_DATA = 4, 1, 3
_PACKED_BYTES, _DATA_PAGE, _DICTIONARY_PAGE = 7, 9, 11
_PAGE_UNPACKED_BYTES, _PAGE_PACKED_BYTES = 2, 3


def unpacked_bytes(content: bytes) -> int:
    """The bytes of all pages once unpacked.

    Raises:
        ValueError: the description is broken.
    """
    try:
        footer_bytes = int.from_bytes(content[-8:-4], "little")
        if content[-4:] != b"PAR1" or footer_bytes + 8 > len(content):
            raise ValueError("its end is not that of a Parquet file")
        footer = _Reader(content, len(content) - 8 - footer_bytes).structure()
        columns = (c for group in footer.get(_ROW_GROUPS, ()) for c in group.get(_COLUMNS, ()))
        return sum(_column_bytes(content, column.get(_COLUMN_DATA, {})) for column in columns)
    except (IndexError, TypeError, AttributeError, KeyError, struct.error) as error:
        raise ValueError("its description is broken") from error


def _column_bytes(content: bytes, column: dict[int, Any]) -> int:
    """The pages of one column of one row group, one header after the other."""
    place = min(p for key in (_DATA_PAGE, _DICTIONARY_PAGE) if (p := column.get(key)))
    end, total = place + column[_PACKED_BYTES], 0
    while place < end:
        reader = _Reader(content, place)
        page = reader.structure()
        total += max(page[_PAGE_UNPACKED_BYTES], page[_PAGE_PACKED_BYTES], 0)
        if page[_PAGE_PACKED_BYTES] < 0:
            raise ValueError("a page is shorter than nothing")
        place = reader.place + page[_PAGE_PACKED_BYTES]
    return total


class _Reader:
    """Structures of the compact protocol as dicts by field number; what is not needed is read all the same."""

    def __init__(self, content: bytes, place: int) -> None:
        if place < 0:
            raise ValueError("it points outside")
        self.content, self.place = content, place

    def structure(self, depth: int = 0) -> dict[int, Any]:
        if depth > _DEEPEST:
            raise ValueError("its description is too deep")
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._signed()
            kind = head & 15
            fields[number] = kind == 1 if kind in (1, 2) else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in (1, 2, 3):
            return self._byte()
        if kind in (4, 5, 6):
            return self._signed()
        if kind == 7:
            return self._take(8)
        if kind == 8:
            return self._take(self._unsigned())
        if kind in (9, 10):
            return self._list(depth)
        if kind == 12:
            return self.structure(depth + 1)
        raise ValueError("its description holds an unknown type")

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        size = head >> 4 if head >> 4 < 15 else self._unsigned()
        if size > min(_LONGEST_LIST, len(self.content)):
            raise ValueError("its description is too long")
        return [self._value(head & 15, depth) for _ in range(size)]

    def _byte(self) -> int:
        self.place += 1
        return self.content[self.place - 1]

    def _take(self, size: int) -> bytes:
        self.place += size
        if self.place > len(self.content):
            raise ValueError("it ends too early")
        return self.content[self.place - size : self.place]

    def _unsigned(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
            if shift > 63:
                raise ValueError("a number is too long")

    def _signed(self) -> int:
        value = self._unsigned()
        return (value >> 1) ^ -(value & 1)
