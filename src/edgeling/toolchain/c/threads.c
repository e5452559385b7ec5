/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parts of work shared by a few threads (parallel.h, threads.h).
 *
 * A round of work is one word: its number above, how many parts nobody has taken yet below. Whoever takes a part
 * exchanges the word for one with a part less; what the round does is written before its word, and only once every
 * part of the round before is done. So a thread that read an old word, or an old task, fails to take anything. Helpers
 * watch the word for a while, then sleep until they are woken.
 */
#define _GNU_SOURCE

#include "threads.h"

#include "edgeling/parallel.h"

enum { ELEMENTS_ALIGNED = 64, ELEMENTS_OF_A_PART = 8192 };

typedef struct {
    edgeling_elements task;
    void *const *arrays;
    int size, length; /* of all, and of a part */
} elements_work;

static void elements_part(const void *work, int part, int thread) {
    const elements_work *w = (const elements_work *)work;
    const int first = part * w->length, left = w->size - first;
    (void)thread;
    w->task(w->arrays, first, left < w->length ? left : w->length);
}

/* Parts begin where the vectors of all the elements would: an element is computed in the same place of a vector, or
 * alone behind the last, whatever the parts are. */
void edgeling_by_elements(edgeling_elements task, void *const *arrays, int size) {
    const int share = (size - 1) / (4 * edgeling_thread_count()) + 1;
    const int wanted = share > ELEMENTS_OF_A_PART ? share : ELEMENTS_OF_A_PART;
    const int length = (wanted + ELEMENTS_ALIGNED - 1) / ELEMENTS_ALIGNED * ELEMENTS_ALIGNED;
    const elements_work work = {task, arrays, size, length};
    edgeling_in_parts(elements_part, &work, (size - 1) / length + 1);
}

#if defined(__unix__) || defined(__APPLE__)

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#define WATCHED_NS 100000 /* before a helper sleeps, and before who waits for one lets others run */
enum { LOOKS_BETWEEN_TIMES = 64, NUMBER_SHIFT = 32 };

struct edgeling_pool {
    uint64_t round;
    edgeling_task task;
    const void *work;
    int done, sleeping, ended, next_thread, helpers;
    pthread_mutex_t lock;
    pthread_cond_t woken;
    pthread_t helper[];
};

static __thread edgeling_pool *lent;

static void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Takes parts of the present round until there are none. */
static void take_parts(edgeling_pool *pool, int thread) {
    uint64_t round = __atomic_load_n(&pool->round, __ATOMIC_ACQUIRE);
    while ((uint32_t)round) {
        const edgeling_task task = __atomic_load_n(&pool->task, __ATOMIC_RELAXED);
        const void *work = __atomic_load_n(&pool->work, __ATOMIC_RELAXED);
        if (__atomic_compare_exchange_n(&pool->round, &round, round - 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            task(work, (int)(uint32_t)round - 1, thread);
            __atomic_fetch_add(&pool->done, 1, __ATOMIC_RELEASE);
            round = __atomic_load_n(&pool->round, __ATOMIC_ACQUIRE);
        }
    }
}

/* Whether there is something for a helper: parts to take, or the end. */
static int is_called(edgeling_pool *pool) {
    return (uint32_t)__atomic_load_n(&pool->round, __ATOMIC_SEQ_CST) || __atomic_load_n(&pool->ended, __ATOMIC_SEQ_CST);
}

static int watch(edgeling_pool *pool) {
    const int64_t start = now_ns();
    while (now_ns() - start < WATCHED_NS) {
        for (int i = 0; i < LOOKS_BETWEEN_TIMES; i++) {
            if (is_called(pool)) return 1;
            pause_briefly();
        }
        sched_yield(); /* somebody may be waiting for this very core */
    }
    return 0;
}

/* Who calls writes the word, then looks whether anybody sleeps; who goes to sleep says so, then looks at the word. */
static void sleep_until_called(edgeling_pool *pool) {
    pthread_mutex_lock(&pool->lock);
    __atomic_fetch_add(&pool->sleeping, 1, __ATOMIC_SEQ_CST);
    while (!is_called(pool)) pthread_cond_wait(&pool->woken, &pool->lock);
    __atomic_fetch_sub(&pool->sleeping, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&pool->lock);
}

static void wake(edgeling_pool *pool) {
    if (!__atomic_load_n(&pool->sleeping, __ATOMIC_SEQ_CST)) return;
    pthread_mutex_lock(&pool->lock);
    pthread_cond_broadcast(&pool->woken);
    pthread_mutex_unlock(&pool->lock);
}

static void *help(void *argument) {
    edgeling_pool *pool = (edgeling_pool *)argument;
    const int thread = __atomic_add_fetch(&pool->next_thread, 1, __ATOMIC_RELAXED);
    while (!__atomic_load_n(&pool->ended, __ATOMIC_SEQ_CST)) {
        take_parts(pool, thread);
        if (!watch(pool)) sleep_until_called(pool);
    }
    return 0;
}

static void wait_until_done(edgeling_pool *pool, int parts) {
    const int64_t start = now_ns();
    for (int looks = 0; __atomic_load_n(&pool->done, __ATOMIC_ACQUIRE) != parts; looks++) {
        if (looks % LOOKS_BETWEEN_TIMES == LOOKS_BETWEEN_TIMES - 1 && now_ns() - start > WATCHED_NS)
            sched_yield(); /* a helper may be waiting for this very core */
        else
            pause_briefly();
    }
}

int edgeling_thread_count(void) { return lent ? lent->helpers + 1 : 1; }

void edgeling_in_parts(edgeling_task task, const void *work, int parts) {
    edgeling_pool *pool = lent;
    if (!pool || parts < 2) {
        for (int part = 0; part < parts; part++) task(work, part, 0);
        return;
    }
    const uint64_t number = (__atomic_load_n(&pool->round, __ATOMIC_RELAXED) >> NUMBER_SHIFT) + 1;
    __atomic_store_n(&pool->task, task, __ATOMIC_RELAXED);
    __atomic_store_n(&pool->work, work, __ATOMIC_RELAXED);
    __atomic_store_n(&pool->done, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&pool->round, number << NUMBER_SHIFT | (uint32_t)parts, __ATOMIC_SEQ_CST);
    lent = 0; /* a part that has parts of its own does them alone */
    wake(pool);
    take_parts(pool, 0);
    wait_until_done(pool, parts);
    lent = pool;
}

/* Linux may put a new thread on the core of the one that began it, and leave it waiting there for some milliseconds. */
static void send_elsewhere(pthread_t helper) {
#if defined(__linux__)
    cpu_set_t cores;
    const int here = sched_getcpu();
    if (here < 0 || sched_getaffinity(0, sizeof cores, &cores)) return;
    CPU_CLR((size_t)here, &cores);
    if (CPU_COUNT(&cores)) pthread_setaffinity_np(helper, sizeof cores, &cores);
#else
    (void)helper;
#endif
}

/* Signals go to the threads that were there before. */
static void begin_helpers(edgeling_pool *pool, int wanted) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (pool->helpers < wanted && !pthread_create(&pool->helper[pool->helpers], 0, help, pool))
        send_elsewhere(pool->helper[pool->helpers++]);
    pthread_sigmask(SIG_SETMASK, &before, 0);
}

edgeling_pool *edgeling_threads_begin(int threads) {
    if (threads < 2) return 0;
    edgeling_pool *pool = (edgeling_pool *)calloc(1, sizeof *pool + (size_t)(threads - 1) * sizeof pool->helper[0]);
    if (!pool) return 0;
    pthread_mutex_init(&pool->lock, 0);
    pthread_cond_init(&pool->woken, 0);
    begin_helpers(pool, threads - 1);
    lent = pool;
    return pool;
}

void edgeling_threads_end(edgeling_pool *pool) {
    if (!pool) return;
    lent = 0;
    __atomic_store_n(&pool->ended, 1, __ATOMIC_SEQ_CST);
    wake(pool);
    for (int i = 0; i < pool->helpers; i++) pthread_join(pool->helper[i], 0);
    pthread_cond_destroy(&pool->woken);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

#else

int edgeling_thread_count(void) { return 1; }

void edgeling_in_parts(edgeling_task task, const void *work, int parts) {
    for (int part = 0; part < parts; part++) task(work, part, 0);
}

edgeling_pool *edgeling_threads_begin(int threads) {
    (void)threads;
    return 0;
}

void edgeling_threads_end(edgeling_pool *pool) { (void)pool; }

#endif
