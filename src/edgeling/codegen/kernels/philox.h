/* SPDX-License-Identifier: Apache-2.0 */
/* Counter-based randomness: Philox4x32-10 (Salmon et al., SC11). The same numbers as graph/random.py, bit for bit.
 *
 *   key      [2] words: seed, substream
 *   counter  [4] words: block, step, stream, 0
 *   word     [4] words out, each uniform over all 2^32 values
 */
#ifndef EDGELING_PHILOX_H
#define EDGELING_PHILOX_H

#include <stdint.h>

#define EDGELING_SHUFFLE_STREAM 0x53485546u
#define EDGELING_DROPOUT_STREAM 0x44524F50u
#define EDGELING_NOISE_STREAM 0x4E4F4953u
#define EDGELING_AFFINE_STREAM 0x41464649u

static inline void edgeling_philox(
    uint32_t seed, uint32_t substream, uint32_t block, uint32_t step, uint32_t stream, uint32_t word[4]) {
    uint32_t c0 = block, c1 = step, c2 = stream, c3 = 0u, k0 = seed, k1 = substream;
    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)c0 * 0xD2511F53u, p1 = (uint64_t)c2 * 0xCD9E8D57u;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    word[0] = c0;
    word[1] = c1;
    word[2] = c2;
    word[3] = c3;
}

#endif
