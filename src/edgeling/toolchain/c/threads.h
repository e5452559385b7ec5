/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that one call into a program lends to its kernels: begun with the call, ended with it.
 *
 * None outlives the call, so a process that forks between two calls, or another thread that forks during one, leaves
 * nothing behind that a child could wait for. New threads take over how the caller rounds and flushes.
 */
#ifndef EDGELING_THREADS_H
#define EDGELING_THREADS_H

#include <stdint.h>

typedef struct edgeling_pool edgeling_pool;

/* Threads for the kernels that this thread calls: `threads` with itself. Null where there are to be no more than it, or
 * the system gives none: kernels then run here. */
__attribute__((visibility("hidden"))) edgeling_pool *edgeling_threads_begin(int threads);
__attribute__((visibility("hidden"))) void edgeling_threads_end(edgeling_pool *pool);
/* A memcpy, in parts. */
__attribute__((visibility("hidden"))) void edgeling_copy_shared(void *to, const void *from, int64_t bytes);

#endif
