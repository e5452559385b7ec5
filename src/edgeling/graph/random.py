# SPDX-License-Identifier: Apache-2.0
"""Counter-based randomness: the same numbers in NumPy, in C, on the workstation and on a chip.

Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11): a keyed bijection of a
128-bit counter. Nothing is carried from one number to the next, so any of them can be made alone and in any order.
"""

from __future__ import annotations

import numpy as np

from edgeling.graph.types import Array

_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (np.uint64(0x9E3779B9), np.uint64(0xBB67AE85))
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)

# Who draws: the third counter word, so that no two uses of one seed share a number.
SHUFFLE_STREAM = 0x53485546
DROPOUT_STREAM = 0x44524F50
INITIALIZER_STREAM = 0x494E4954
AFFINE_STREAM = 0x41464649
SPLIT_STREAM = 0x53504C49
NOISE_STREAM = 0x4E4F4953


def philox(key: tuple[int, int], counter: Array) -> Array:
    """Philox4x32-10 of counters [n, 4] (uint32) under a 2-word key: uint32 [n, 4]."""
    words = [counter[:, i].astype(np.uint64) for i in range(4)]
    k = [np.uint64(key[0]), np.uint64(key[1])]
    for _ in range(10):
        p0, p1 = words[0] * _MULTIPLIERS[0], words[2] * _MULTIPLIERS[1]
        words = [(p1 >> _HALF) ^ words[1] ^ k[0], p1 & _LOW, (p0 >> _HALF) ^ words[3] ^ k[1], p0 & _LOW]
        k = [(k[0] + _WEYL[0]) & _LOW, (k[1] + _WEYL[1]) & _LOW]
    return np.stack(words, axis=1).astype(np.uint32)


def random_bits(size: int, *, seed: int, step: int = 0, stream: int = 0, substream: int = 0) -> Array:
    """``size`` uint32 words: element i is word i % 4 of philox((seed, substream), (i // 4, step, stream, 0))."""
    blocks = -(-size // 4)
    counter = np.zeros((blocks, 4), np.uint32)
    counter[:, 0] = np.arange(blocks, dtype=np.uint32)
    counter[:, 1], counter[:, 2] = step & 0xFFFFFFFF, stream & 0xFFFFFFFF
    return philox((seed & 0xFFFFFFFF, substream & 0xFFFFFFFF), counter).reshape(-1)[:size]


def random_uniform(size: int, *, seed: int, step: int = 0, stream: int = 0, substream: int = 0) -> Array:
    """``size`` float32 in [0, 1), multiples of 2**-24."""
    bits = random_bits(size, seed=seed, step=step, stream=stream, substream=substream)
    return (bits >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)


def random_normal(size: int, *, seed: int, step: int = 0, stream: int = 0, substream: int = 0) -> Array:
    """``size`` float32 of the standard normal distribution: of two neighbouring uniform numbers u and v the pair
    sqrt(-2 log(1 - u)) times the cosine and the sine of 2 pi v (Box and Muller, 1958)."""
    pairs = random_uniform(size + size % 2, seed=seed, step=step, stream=stream, substream=substream).reshape(-1, 2)
    radius, turn = np.sqrt(-2 * np.log(1 - pairs[:, 0].astype(np.float64))), 2 * np.pi * pairs[:, 1].astype(np.float64)
    both = np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1)
    return both.reshape(-1)[:size].astype(np.float32)


def permutation(size: int, *, seed: int, step: int = 0) -> Array:
    """A random order of ``range(size)``: Fisher-Yates from the end, the i-th exchange drawn from word i.

    The draw is ``(bits * (i + 1)) >> 32`` (Lemire's multiplication, whose bias is below size / 2**32).
    """
    order = list(range(size))
    bits = random_bits(size, seed=seed, step=step, stream=SHUFFLE_STREAM).tolist()
    for i in range(size - 1, 0, -1):
        j = (bits[i] * (i + 1)) >> 32
        order[i], order[j] = order[j], order[i]
    return np.asarray(order, dtype=np.int32)
