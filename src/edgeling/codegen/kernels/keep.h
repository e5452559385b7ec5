/* SPDX-License-Identifier: Apache-2.0 */
/* Weights as a record of bytes: handed over, or kept in two pages of flash memory that are written in turn.
 *
 * A record is words, least significant byte first: a mark, the model, a sequence number, the number of bytes of the
 * weights, the weights, 0 where the number of words would be odd, and the CRC-32 (ISO 3309) of all before. Its last
 * words are written last: however a page was left by a power cut, it holds a record whole or none.
 */
#ifndef EDGELING_KEEP_H
#define EDGELING_KEEP_H

#include "answer.h"

#define EDGELING_RECORD_MARK 0x4C474445u
#define EDGELING_RECORD_HEAD 4u /* words */
#define EDGELING_CHUNK_BYTES 32u

enum { EDGELING_NOTHING = 0, EDGELING_FOUND = 1, EDGELING_UNREADABLE = 2 };

/* The caller's two pages; 0 from a callback: done. */
typedef struct {
    void *context;
    int (*read)(void *context, int page, uint32_t offset, uint8_t *bytes, uint32_t size);
    int (*write)(void *context, int page, uint32_t offset, const uint8_t *bytes, uint32_t size);
    int (*erase)(void *context, int page);
} edgeling_pages;

/* Bytes in memory, for a record that is handed over. */
typedef struct {
    const uint8_t *from;
    uint8_t *to;
} edgeling_bytes;

EDGELING_SHARED uint32_t edgeling_checksum(uint32_t sum, const uint8_t *bytes, uint32_t size) {
    for (uint32_t i = 0u; i < size; i++) {
        sum ^= (uint32_t)bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            sum = (sum >> 1) ^ ((sum & 1u) != 0u ? 0xEDB88320u : 0u);
        }
    }
    return sum;
}

EDGELING_SHARED void edgeling_put_word(uint32_t word, uint8_t *bytes) {
    for (int i = 0; i < 4; i++) {
        bytes[i] = (uint8_t)((word >> (8 * i)) & 0xFFu);
    }
}

EDGELING_SHARED uint32_t edgeling_get_word(const uint8_t *bytes) {
    uint32_t word = 0u;
    for (int i = 3; i >= 0; i--) {
        word = (word << 8) | (uint32_t)bytes[i];
    }
    return word;
}

/* A 4-byte word of any type, as the machine has it. */
typedef union {
    uint32_t value;
    uint8_t bytes[4];
} edgeling_machine_word;

EDGELING_SHARED uint32_t edgeling_load_word(const void *memory, uint32_t index) {
    const uint8_t *const from = (const uint8_t *)memory + index * 4u;
    edgeling_machine_word word;
    for (int i = 0; i < 4; i++) {
        word.bytes[i] = from[i];
    }
    return word.value;
}

EDGELING_SHARED void edgeling_store_word(uint32_t value, void *memory, uint32_t index) {
    uint8_t *const to = (uint8_t *)memory + index * 4u;
    edgeling_machine_word word;
    word.value = value;
    for (int i = 0; i < 4; i++) {
        to[i] = word.bytes[i];
    }
}

/* Words of a whole record. */
EDGELING_KERNEL uint32_t edgeling_record_words(uint32_t words) {
    const uint32_t all = EDGELING_RECORD_HEAD + words + 1u;
    return all + all % 2u;
}

/* A record into a page, which is erased; 0: done. */
EDGELING_SHARED int edgeling_write_record(
    const edgeling_pages *pages, int page, uint32_t model, uint32_t sequence, uint32_t words, const void *memory) {
    const uint32_t head[4] = {EDGELING_RECORD_MARK, model, sequence, words * 4u};
    const uint32_t all = edgeling_record_words(words);
    uint8_t chunk[EDGELING_CHUNK_BYTES];
    uint32_t used = 0u, sum = 0xFFFFFFFFu;
    for (uint32_t i = 0u; i < all; i++) {
        uint32_t word = 0u;
        if (i < EDGELING_RECORD_HEAD) {
            word = head[i];
        } else if (i < EDGELING_RECORD_HEAD + words) {
            word = edgeling_load_word(memory, i - EDGELING_RECORD_HEAD);
        } else if (i + 1u == all) {
            word = sum ^ 0xFFFFFFFFu;
        } else {
            word = 0u; /* makes the number of words even */
        }
        edgeling_put_word(word, chunk + used);
        sum = edgeling_checksum(sum, chunk + used, 4u);
        used += 4u;
        if (used == EDGELING_CHUNK_BYTES || i + 1u == all) {
            if (pages->write(pages->context, page, (i + 1u) * 4u - used, chunk, used) != 0) {
                return 1;
            }
            used = 0u;
        }
    }
    return 0;
}

/* Whether a page holds a whole record of this model; its sequence number. memory [words] is filled, unless it is 0. */
EDGELING_SHARED int edgeling_read_record(
    const edgeling_pages *pages, int page, uint32_t model, uint32_t words, uint32_t *sequence, void *memory) {
    const uint32_t head[4] = {EDGELING_RECORD_MARK, model, 0u, words * 4u};
    const uint32_t all = edgeling_record_words(words);
    uint8_t chunk[EDGELING_CHUNK_BYTES];
    uint32_t size = 0u, sum = 0xFFFFFFFFu, at = 0u;
    for (uint32_t i = 0u; i < all; i++, at += 4u) {
        uint32_t word = 0u;
        if (at == size) {
            const uint32_t left = (all - i) * 4u;
            size = left < EDGELING_CHUNK_BYTES ? left : EDGELING_CHUNK_BYTES;
            at = 0u;
            if (pages->read(pages->context, page, i * 4u, chunk, size) != 0) {
                return EDGELING_UNREADABLE;
            }
        }
        word = edgeling_get_word(chunk + at);
        if (i == 2u) {
            *sequence = word;
        } else if ((i < EDGELING_RECORD_HEAD && word != head[i]) || (i + 1u == all && word != (sum ^ 0xFFFFFFFFu))) {
            return EDGELING_NOTHING;
        } else if (memory != 0 && i >= EDGELING_RECORD_HEAD && i < EDGELING_RECORD_HEAD + words) {
            edgeling_store_word(word, memory, i - EDGELING_RECORD_HEAD);
        } else {
            /* checked, or a word that makes their number even */
        }
        sum = edgeling_checksum(sum, chunk + at, 4u);
    }
    return EDGELING_FOUND;
}

/* The page of the newest record and its sequence number; page 1 and 0 where there is none. */
EDGELING_SHARED int edgeling_find_newest(
    const edgeling_pages *pages, uint32_t model, uint32_t words, int *page, uint32_t *sequence) {
    int found = EDGELING_NOTHING;
    *page = 1;
    *sequence = 0u;
    for (int i = 0; i < 2; i++) {
        uint32_t number = 0u;
        const int state = edgeling_read_record(pages, i, model, words, &number, 0);
        if (state == EDGELING_UNREADABLE) {
            return state;
        }
        /* numbers go round: the newer is less than half a turn ahead */
        if (state == EDGELING_FOUND && (found == EDGELING_NOTHING || number - *sequence < 0x80000000u)) {
            found = EDGELING_FOUND;
            *page = i;
            *sequence = number;
        }
    }
    return found;
}

/* The weights into the page that does not hold the newest; whether they can be read there now. */
EDGELING_SHARED int edgeling_save(const edgeling_pages *pages, uint32_t model, uint32_t words, const void *memory) {
    int newest = 1;
    uint32_t sequence = 0u, written = 0u;
    if (edgeling_find_newest(pages, model, words, &newest, &sequence) == EDGELING_UNREADABLE) {
        return 0; /* a page that cannot be read may be the good one */
    }
    if (pages->erase(pages->context, 1 - newest) != 0 ||
        edgeling_write_record(pages, 1 - newest, model, sequence + 1u, words, memory) != 0 ||
        edgeling_read_record(pages, 1 - newest, model, words, &written, 0) != EDGELING_FOUND) {
        return 0;
    }
    return written == sequence + 1u ? 1 : 0;
}

/* The newest weights. */
EDGELING_SHARED int edgeling_restore(const edgeling_pages *pages, uint32_t model, uint32_t words, void *memory) {
    int newest = 1;
    uint32_t sequence = 0u;
    const int found = edgeling_find_newest(pages, model, words, &newest, &sequence);
    if (found != EDGELING_FOUND) {
        return found;
    }
    return edgeling_read_record(pages, newest, model, words, &sequence, memory) == EDGELING_FOUND
        ? EDGELING_FOUND : EDGELING_UNREADABLE;
}

EDGELING_SHARED int edgeling_read_bytes(void *context, int page, uint32_t offset, uint8_t *bytes, uint32_t size) {
    const edgeling_bytes *const memory = (const edgeling_bytes *)context;
    (void)page;
    for (uint32_t i = 0u; i < size; i++) {
        bytes[i] = memory->from[offset + i];
    }
    return 0;
}

EDGELING_SHARED int edgeling_write_bytes(
    void *context, int page, uint32_t offset, const uint8_t *bytes, uint32_t size) {
    const edgeling_bytes *const memory = (const edgeling_bytes *)context;
    (void)page;
    for (uint32_t i = 0u; i < size; i++) {
        memory->to[offset + i] = bytes[i];
    }
    return 0;
}

EDGELING_SHARED void edgeling_export(uint32_t model, uint32_t words, const void *memory, uint8_t *bytes) {
    edgeling_bytes all = {0, 0};
    edgeling_pages pages = {0, edgeling_read_bytes, edgeling_write_bytes, 0};
    all.to = bytes;
    pages.context = &all;
    (void)edgeling_write_record(&pages, 0, model, 1u, words, memory);
}

/* Whether the bytes are a record of this model; then memory [words] holds its weights. */
EDGELING_SHARED int edgeling_import(uint32_t model, uint32_t words, const uint8_t *bytes, void *memory) {
    edgeling_bytes all = {0, 0};
    edgeling_pages pages = {0, edgeling_read_bytes, edgeling_write_bytes, 0};
    uint32_t sequence = 0u;
    all.from = bytes;
    pages.context = &all;
    if (edgeling_read_record(&pages, 0, model, words, &sequence, 0) != EDGELING_FOUND) {
        return 0;
    }
    return edgeling_read_record(&pages, 0, model, words, &sequence, memory) == EDGELING_FOUND ? 1 : 0;
}

#endif
