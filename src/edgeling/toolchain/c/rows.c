/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An entry run on many rows by a few threads, each with an arena of its own: what native.py calls instead of a program's
 * own loop over rows.
 */
#include <stddef.h>
#include <stdint.h>

#include "edgeling/parallel.h"
#include "threads.h"

typedef void (*edgeling_loop)(const void *weights, void *arena, size_t rows, void *const *ports);

/* ports [port_count]: where each array begins, and row_bytes how far its rows lie apart; arenas [threads] */
typedef struct {
    edgeling_loop loop;
    const void *weights;
    void *const *arenas;
    void *const *ports;
    const int64_t *row_bytes;
    int64_t rows;
    int32_t port_count, threads;
} edgeling_shared_rows;

__attribute__((visibility("default"))) void edgeling_share_rows(const edgeling_shared_rows *shared);

enum { MOST_PORTS = 64, PARTS_OF_A_THREAD = 4 };

static int64_t parts_of(const edgeling_shared_rows *shared) {
    const int64_t wanted = (int64_t)shared->threads * PARTS_OF_A_THREAD;
    return shared->rows < wanted ? shared->rows : wanted;
}

static void run_part(const void *work, int part, int thread) {
    const edgeling_shared_rows *shared = (const edgeling_shared_rows *)work;
    const int64_t parts = parts_of(shared), first = shared->rows * part / parts, end = shared->rows * (part + 1) / parts;
    void *ports[MOST_PORTS];
    for (int32_t i = 0; i < shared->port_count; i++) ports[i] = (char *)shared->ports[i] + first * shared->row_bytes[i];
    shared->loop(shared->weights, shared->arenas[thread], (size_t)(end - first), ports);
}

void edgeling_share_rows(const edgeling_shared_rows *shared) {
    edgeling_pool *pool = edgeling_threads_begin(shared->threads);
    edgeling_in_parts(run_part, shared, (int)sizeof *shared, (int)parts_of(shared));
    edgeling_threads_end(pool);
}
