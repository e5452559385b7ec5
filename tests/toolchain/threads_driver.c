/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels in parts against the same kernels whole, bit for bit, in pools of several sizes, two of them at a time. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "edgeling/gemm_parallel.h"
#include "edgeling/update.h"
#include "threads.h"

static const int shapes[][5] = {
    /* m, k, n, transposed a, transposed b */
    {1, 1, 1, 0, 0},   {5, 3, 31, 0, 1},   {7, 9, 33, 1, 0},    {131, 17, 97, 0, 0},
    {97, 20, 5, 1, 0}, {49, 12, 129, 0, 1}, {200, 4, 64, 1, 1}, {13, 70, 65, 0, 0},
};

static float *drawn(int size, unsigned *seed) {
    float *made = malloc(sizeof(float) * (size_t)size);
    for (int i = 0; i < size; i++) made[i] = (float)rand_r(seed) / (float)RAND_MAX - 0.5f;
    return made;
}

static void nap(void) {
    const struct timespec short_time = {0, 300000}; /* long enough for helpers to fall asleep */
    nanosleep(&short_time, 0);
}

static int products(const int *s, int threads, unsigned *seed) {
    const int m = s[0], k = s[1], n = s[2];
    float *a = drawn(m * k, seed), *b = drawn(k * n, seed), *start = drawn(n, seed);
    float *whole = drawn(m * n, seed), *parts = drawn(m * n, seed);
    float *scratch = drawn(threads * EDGELING_GEMM_SCRATCH(k), seed);
    edgeling_gemm(m, k, n, s[3], s[4], scratch, a, b, start, whole);
    edgeling_gemm_parallel(m, k, n, s[3], s[4], scratch, a, b, start, parts);
    const int same = !memcmp(whole, parts, sizeof(float) * (size_t)(m * n));
    free(a), free(b), free(start), free(whole), free(parts), free(scratch);
    return same;
}

static void adam(void *const *arrays, int first, int count) {
    float *w = (float *)arrays[0] + first, *m = (float *)arrays[2] + first, *v = (float *)arrays[3] + first;
    edgeling_adam_update(count, 0.1f, 0.001f, 1e-7f, w, (const float *)arrays[1] + first, m, v, arrays[4], w, m, v);
}

static int updates(int size, unsigned *seed) {
    float rate = 0.01f;
    float *whole = drawn(4 * size, seed), *parts = malloc(sizeof(float) * 4 * (size_t)size);
    for (int i = 3 * size; i < 4 * size; i++) whole[i] *= whole[i];
    memcpy(parts, whole, sizeof(float) * 4 * (size_t)size);
    void *const all[] = {whole, whole + size, whole + 2 * size, whole + 3 * size, &rate};
    void *const shared[] = {parts, parts + size, parts + 2 * size, parts + 3 * size, &rate};
    adam(all, 0, size);
    edgeling_by_elements(adam, shared, size);
    const int same = !memcmp(whole, parts, sizeof(float) * 4 * (size_t)size);
    free(whole), free(parts);
    return same;
}

static void *in_a_pool(void *argument) {
    const int threads = *(const int *)argument;
    unsigned seed = (unsigned)threads;
    int right = 1;
    for (int again = 0; again < 2; again++) {
        edgeling_pool *pool = edgeling_threads_begin(threads);
        right &= edgeling_thread_count() == (threads < 1 ? 1 : threads);
        for (unsigned i = 0; i < sizeof shapes / sizeof *shapes; i++) right &= products(shapes[i], threads, &seed);
        nap();
        for (int size = 1; size < 90000; size = size * 5 + 1) right &= updates(size, &seed);
        edgeling_threads_end(pool);
        right &= edgeling_thread_count() == 1;
    }
    return right ? argument : 0;
}

int main(void) {
    static const int counts[] = {1, 2, 3, 7};
    pthread_t pools[4];
    int right = 1;
    for (int i = 0; i < 4; i += 2) {
        for (int j = i; j < i + 2; j++) pthread_create(&pools[j], 0, in_a_pool, (void *)(uintptr_t)&counts[j]);
        for (int j = i; j < i + 2; j++) {
            void *result = 0;
            pthread_join(pools[j], &result);
            right &= result != 0;
        }
    }
    puts(right ? "same" : "different");
    return right ? 0 : 1;
}
