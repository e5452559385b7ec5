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

static void halve(void *const *arrays, int first, int count) {
    for (int i = first; i < first + count; i++) ((float *)arrays[0])[i] *= 0.5f;
}

static int products(const int *s, int threads, unsigned *seed) {
    const int m = s[0], k = s[1], n = s[2];
    float *a = drawn(m * k, seed), *b = drawn(k * n, seed), *start = drawn(n, seed);
    float *whole = drawn(m * n, seed), *parts = drawn(m * n, seed);
    float *scratch = drawn(threads * EDGELING_GEMM_SCRATCH(k), seed);
    edgeling_gemm(m, k, n, s[3], s[4], scratch, a, b, start, whole);
    void *const arrays[] = {parts};
    edgeling_gemm_parallel(m, k, n, s[3], s[4], scratch, a, b, start, parts, halve, arrays);
    halve((void *[]){whole}, 0, m * n);
    const int same = !memcmp(whole, parts, sizeof(float) * (size_t)(m * n));
    free(a), free(b), free(start), free(whole), free(parts), free(scratch);
    return same;
}

/* Panels packed once, for several products. */
static int kept(const int *s, unsigned *seed) {
    const int m = s[0], k = s[1], n = s[2];
    float *a = drawn(m * k, seed), *b = drawn(k * n, seed), *start = drawn(n, seed);
    float *whole = drawn(m * n, seed), *found = drawn(m * n, seed);
    float *scratch = drawn(EDGELING_GEMM_SCRATCH(k), seed), *panels = drawn(EDGELING_GEMM_KEPT(k, n), seed);
    edgeling_gemm_keep(k, n, s[4], b, s[3] ? start : 0, panels);
    int same = 1;
    for (int times = 0; times < 2; times++) {
        edgeling_gemm(m, k, n, 0, s[4], scratch, a, b, s[3] ? start : 0, whole);
        edgeling_gemm_kept(m, k, n, a, panels, found);
        same = same && !memcmp(whole, found, sizeof(float) * (size_t)(m * n));
        for (int i = 0; i < m * k; i++) a[i] = -a[i] * a[i];
    }
    free(a), free(b), free(start), free(whole), free(found), free(scratch), free(panels);
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

/* Rows of 37 are weighed by a number of their own. */
static void weigh(void *const *arrays, int first, int count) {
    const float *x = (const float *)arrays[0] + first * 37, *weight = (const float *)arrays[1] + first;
    float *y = (float *)arrays[2] + first * 37;
    for (int row = 0; row < count; row++)
        for (int c = 0; c < 37; c++) y[row * 37 + c] = x[row * 37 + c] * weight[row];
}

/* More jobs than a round takes before it waits, of all kinds, some too small for parts. */
static int rounds(int threads, unsigned *seed) {
    enum { JOBS = 20, MOST = 1000 };
    float *x[JOBS], *weight[JOBS], *whole[JOBS], *parts[JOBS], *scratch[JOBS];
    void *arrays[JOBS][3];
    int right = 1;
    for (int i = 0; i < JOBS; i++) {
        x[i] = drawn(MOST * 37, seed), weight[i] = drawn(MOST * 37, seed), scratch[i] = drawn(threads * EDGELING_GEMM_SCRATCH(37), seed);
        whole[i] = drawn(MOST * 37, seed), parts[i] = malloc(sizeof(float) * MOST * 37);
        memcpy(parts[i], whole[i], sizeof(float) * MOST * 37);
        void *const all[] = {x[i], weight[i], whole[i]};
        if (i % 2) weigh(all, 0, MOST - i);
        else edgeling_gemm(101, 37, 41, 0, 0, scratch[i], x[i], weight[i], 0, whole[i]);
        memcpy(arrays[i], (void *[]){x[i], weight[i], parts[i]}, sizeof arrays[i]);
    }
    edgeling_begin_round();
    for (int i = 0; i < JOBS; i++) {
        if (i % 2) edgeling_by_rows(weigh, arrays[i], MOST - i, 37);
        else edgeling_gemm_parallel(101, 37, 41, 0, 0, scratch[i], x[i], weight[i], 0, parts[i], 0, 0);
    }
    edgeling_end_round();
    for (int i = 0; i < JOBS; i++) {
        right &= !memcmp(whole[i], parts[i], sizeof(float) * MOST * 37);
        edgeling_copy_shared(x[i], parts[i], sizeof(float) * MOST * 37);
        right &= !memcmp(x[i], parts[i], sizeof(float) * MOST * 37);
        free(x[i]), free(weight[i]), free(whole[i]), free(parts[i]), free(scratch[i]);
    }
    return right;
}

static void *in_a_pool(void *argument) {
    const int threads = *(const int *)argument;
    unsigned seed = (unsigned)threads;
    int right = 1;
    for (int again = 0; again < 2; again++) {
        edgeling_pool *pool = edgeling_threads_begin(threads);
        right &= edgeling_thread_count() == (threads < 1 ? 1 : threads);
        for (unsigned i = 0; i < sizeof shapes / sizeof *shapes; i++) right &= products(shapes[i], threads, &seed) & kept(shapes[i], &seed);
        nap();
        for (int size = 1; size < 90000; size = size * 5 + 1) right &= updates(size, &seed);
        right &= rounds(threads, &seed);
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
