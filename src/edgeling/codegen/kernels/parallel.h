/* SPDX-License-Identifier: Apache-2.0 */
/* Work in parts that threads share, for kernels on workstations; toolchain/c/threads.c does it.
 *
 * Where no threads are lent to whoever calls, all parts run here. Which thread does a part never changes its bits.
 */
#ifndef EDGELING_PARALLEL_H
#define EDGELING_PARALLEL_H

#include "common.h"

/* Part `part`, run as thread `thread`, from 0: no two parts at a time have the same. */
typedef void (*edgeling_task)(const void *work, int part, int thread);
/* Elements, or rows, [first, first + count) of a kernel over arrays of as many. */
typedef void (*edgeling_elements)(void *const *arrays, int first, int count);

/* Hidden: each library has its own. */
#define EDGELING_OF_LIBRARY __attribute__((visibility("hidden")))

/* How many threads may run parts, this one included. */
EDGELING_OF_LIBRARY int edgeling_thread_count(void);
/* Every part of [0, parts) of some work of `size` bytes, in any order; all are done when this returns. */
EDGELING_OF_LIBRARY void edgeling_in_parts(edgeling_task task, const void *work, int size, int parts);
/* What begins between the two is done when the second returns, in any order: one wait for all of it. */
EDGELING_OF_LIBRARY void edgeling_begin_round(void);
EDGELING_OF_LIBRARY void edgeling_end_round(void);
EDGELING_OF_LIBRARY void edgeling_by_elements(edgeling_elements task, void *const *arrays, int size);
EDGELING_OF_LIBRARY void edgeling_by_rows(edgeling_elements task, void *const *arrays, int rows, int columns);

#endif
