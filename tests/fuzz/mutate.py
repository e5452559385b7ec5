# SPDX-License-Identifier: Apache-2.0
"""Changes at random, the same for the same dice: of bytes, of plain JSON values, of arrays."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

import numpy as np

from edgeling.graph.types import Array

ODD_BYTES = (b"\0", b"\xff", b"\x7f", b"\x80", b"\n", b"\r", b'"', b",", b";", b"\xef\xbb\xbf", b"\xff\xfe", b"NaN",
             b"1e999", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80")  # fmt: skip
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 127, 128, 255, 2**31 - 1, 2**31, -(2**31), 2**32, 2**63, 2**70, 10**400, 0.0,
    -0.0, 0.5, 1e-320, 1e38, 1e39, 1e308, "", "a", "\u202e", "\0", "*/", "float32", "int8", "int32", "uint32", "relu",
    "add", "softmax", "quantize", "../x", "x" * 300, [], {}, [[]], [1], [0], [-1], [1, 1], [2**40], ["a"],
    {"a": 1}, [None],
)  # fmt: skip


def mutate_bytes(data: bytes, dice: random.Random) -> bytes:
    """One to eight changes: bytes flipped, pieces removed, repeated, moved or replaced by odd ones, the end cut off."""
    changed = bytearray(data)
    for _ in range(dice.choice((1, 1, 1, 2, 4, 8))):
        _change(changed, dice)
    return bytes(changed)


def _change(data: bytearray, dice: random.Random) -> None:
    start = dice.randrange(len(data) + 1)
    end = min(len(data), start + dice.choice((1, 1, 2, 4, 16, 64)))
    match dice.randrange(6):
        case 0:
            data[start:end] = bytes(dice.randrange(256) for _ in range(end - start))
        case 1:
            del data[start:end]
        case 2:
            data[start:start] = data[start:end] * dice.choice((1, 2, 50))
        case 3:
            data[start:start] = dice.choice(ODD_BYTES)
        case 4:
            data[start:end] = dice.choice(ODD_BYTES)
        case _:
            del data[len(data) - dice.randrange(1 + len(data) // 2) :]


def mutate_json(value: Any, dice: random.Random) -> Any:
    """A copy with one to four changes: a value replaced, removed, repeated, or exchanged with another of the text."""
    changed = copy.deepcopy(value)
    for _ in range(dice.choice((1, 1, 2, 4))):
        places = list(_places(changed))
        if not places:
            return dice.choice(ODD_VALUES)
        _replace(*dice.choice(places), dice.choice(places), dice)
    return dice.choice(ODD_VALUES) if dice.random() < 0.01 else changed


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


def _replace(parent: Any, key: Any, other: tuple[Any, Any], dice: random.Random) -> None:
    match dice.randrange(6):
        case 0 | 1:
            parent[key] = copy.deepcopy(dice.choice(ODD_VALUES))
        case 2:
            parent[key] = copy.deepcopy(other[0][other[1]])
        case 3:
            parent[key] = _near(parent[key], dice)
        case 4:
            del parent[key]
        case _:
            if isinstance(parent, list):
                parent.insert(key, copy.deepcopy(parent[key]))
            else:
                parent[str(key) + "x"] = copy.deepcopy(parent[key])


def _near(value: Any, dice: random.Random) -> Any:
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int | float):
        return dice.choice((value + 1, value - 1, -value, value * 2, float(value), int(value)))
    return value + value if isinstance(value, str | list) else value


def mutate_array(array: Array, dice: random.Random) -> Array:
    """Other bits, another element type or another shape."""
    match dice.randrange(4):
        case 0:
            return np.frombuffer(mutate_same_size(array.tobytes(), dice), array.dtype).reshape(array.shape)
        case 1:
            return array.astype(dice.choice(("float32", "int8", "int32", "uint32", "float64", "bool")))
        case 2:
            return array.reshape(-1) if dice.random() < 0.5 else array[..., None]
        case _:
            return np.resize(array, (dice.randrange(4),) * dice.randrange(3))


def mutate_same_size(data: bytes, dice: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(min(len(data), dice.choice((1, 2, 8)))):
        changed[dice.randrange(len(changed))] = dice.choice((0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)))
    return bytes(changed)
