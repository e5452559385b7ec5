/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parts of work shared by a few threads (parallel.h, threads.h).
 *
 * A round is some jobs, each cut into parts, and a wait until all are done. Each thread has a range of a job's parts, the
 * same in every round: what it left in its core's cache in one, it finds there in the next. Who is done with its own takes
 * from the others. A range is one word: the job's number above, how many parts nobody has taken yet below. Whoever takes
 * a part exchanges the word for one with a part less; what the job does is written before its words, and only once every
 * part of the round before is done. So a thread that read an old word, or an old task, fails to take anything. Helpers
 * watch the last job's number for a while, then sleep until they are woken.
 */
#define _GNU_SOURCE

#include "threads.h"

#include <string.h>

#include "edgeling/parallel.h"

enum { ALIGNED = 64, ELEMENTS_OF_A_PART = 8192 };

typedef struct {
    edgeling_elements task;
    void *const *arrays;
    int size, length; /* of all, and of a part: elements, or rows */
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
    edgeling_by_rows(task, arrays, size, 1);
}

/* The same of rows, should a compiler compute rows side by side. */
void edgeling_by_rows(edgeling_elements task, void *const *arrays, int rows, int columns) {
    const int share = (rows - 1) / (4 * edgeling_thread_count()) + 1, least = (ELEMENTS_OF_A_PART - 1) / columns + 1;
    const int wanted = share > least ? share : least;
    const int length = columns < ALIGNED ? (wanted + ALIGNED - 1) / ALIGNED * ALIGNED : wanted;
    const elements_work work = {task, arrays, rows, length};
    edgeling_in_parts(elements_part, &work, (int)sizeof work, (rows - 1) / length + 1);
}

enum { BYTES_OF_A_PART = 65536 };

typedef struct {
    char *to;
    const char *from;
    int64_t bytes;
} copy_work;

static void copy_part(const void *work, int part, int thread) {
    const copy_work w = *(const copy_work *)work;
    const int64_t first = (int64_t)part * BYTES_OF_A_PART, left = w.bytes - first;
    (void)thread;
    memcpy(w.to + first, w.from + first, (size_t)(left < BYTES_OF_A_PART ? left : BYTES_OF_A_PART));
}

void edgeling_copy_shared(void *to, const void *from, int64_t bytes) {
    const copy_work work = {(char *)to, (const char *)from, bytes};
    edgeling_in_parts(copy_part, &work, (int)sizeof work, (int)((bytes + BYTES_OF_A_PART - 1) / BYTES_OF_A_PART));
}

#if defined(__unix__) || defined(__APPLE__)

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#define WATCHED_NS 100000 /* before a helper sleeps, and before who waits for one lets others run */
enum { LOOKS_BETWEEN_TIMES = 64, NUMBER_SHIFT = 32 };
enum { JOBS_OF_A_ROUND = 16, STORED_BYTES = 128, CACHE_LINE = 64 };

typedef struct {
    edgeling_task task;
    const void *work;
    int parts;
    uint64_t stored[STORED_BYTES / sizeof(uint64_t)]; /* the work of one that is not waited for at once */
} job;

typedef struct {
    uint64_t left[JOBS_OF_A_ROUND]; /* parts of its range that nobody has taken, below the job's number */
    pthread_t thread;
    char apart[CACHE_LINE];
} member;

struct edgeling_pool {
    job jobs[JOBS_OF_A_ROUND];
    int given, open;  /* jobs of this round; whether more may come before somebody waits */
    int parts, done;  /* of this round */
    uint32_t number;  /* of the last job */
    int threads, sleeping, ended, next_thread, helpers;
    pthread_mutex_t lock;
    pthread_cond_t woken;
    member members[]; /* who calls, then helpers: should the system give fewer than `threads`, others do their parts */
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

/* Where the range of a thread ends, among so many parts; the range of the next one begins there. */
static int range_end(const edgeling_pool *pool, int parts, int thread) {
    return (int)((int64_t)parts * (thread + 1) / pool->threads);
}

/* Takes parts of the range of `owner` until there are none. */
static void take_range(edgeling_pool *pool, int place, int owner, int thread) {
    const job *of = &pool->jobs[place];
    uint64_t *const left = &pool->members[owner].left[place];
    uint64_t word = __atomic_load_n(left, __ATOMIC_ACQUIRE);
    while ((uint32_t)word) {
        const edgeling_task task = __atomic_load_n(&of->task, __ATOMIC_RELAXED);
        const void *work = __atomic_load_n(&of->work, __ATOMIC_RELAXED);
        const int end = range_end(pool, __atomic_load_n(&of->parts, __ATOMIC_RELAXED), owner);
        if (__atomic_compare_exchange_n(left, &word, word - 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            task(work, end - (int)(uint32_t)word, thread);
            __atomic_fetch_add(&pool->done, 1, __ATOMIC_RELEASE);
            word = __atomic_load_n(left, __ATOMIC_ACQUIRE);
        }
    }
}

static void take_parts(edgeling_pool *pool, int thread) {
    for (int i = 0; i < pool->threads; i++) /* its own parts of all jobs first */
        for (int place = 0; place < __atomic_load_n(&pool->given, __ATOMIC_ACQUIRE); place++)
            take_range(pool, place, (thread + i) % pool->threads, thread);
}

/* Whether there is something for a helper that has seen the jobs up to a number: another, or the end. */
static int is_called(edgeling_pool *pool, uint32_t seen) {
    return __atomic_load_n(&pool->number, __ATOMIC_SEQ_CST) != seen || __atomic_load_n(&pool->ended, __ATOMIC_SEQ_CST);
}

static int watch(edgeling_pool *pool, uint32_t seen) {
    const int64_t start = now_ns();
    while (now_ns() - start < WATCHED_NS) {
        for (int i = 0; i < LOOKS_BETWEEN_TIMES; i++) {
            if (is_called(pool, seen)) return 1;
            pause_briefly();
        }
        sched_yield(); /* somebody may be waiting for this very core */
    }
    return 0;
}

/* Who calls writes the number, then looks whether anybody sleeps; who goes to sleep says so, then looks at the number. */
static void sleep_until_called(edgeling_pool *pool, uint32_t seen) {
    pthread_mutex_lock(&pool->lock);
    __atomic_fetch_add(&pool->sleeping, 1, __ATOMIC_SEQ_CST);
    while (!is_called(pool, seen)) pthread_cond_wait(&pool->woken, &pool->lock);
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
        const uint32_t seen = __atomic_load_n(&pool->number, __ATOMIC_SEQ_CST);
        take_parts(pool, thread);
        if (!watch(pool, seen)) sleep_until_called(pool, seen);
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

int edgeling_thread_count(void) { return lent ? lent->threads : 1; }

static void give(edgeling_pool *pool, edgeling_task task, const void *work, int parts) {
    job *one = &pool->jobs[pool->given];
    const uint32_t number = pool->number + 1;
    if (!pool->given) pool->parts = 0, __atomic_store_n(&pool->done, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&one->task, task, __ATOMIC_RELAXED);
    __atomic_store_n(&one->work, work, __ATOMIC_RELAXED);
    __atomic_store_n(&one->parts, parts, __ATOMIC_RELAXED);
    for (int i = 0, first = 0, end; i < pool->threads; i++, first = end) {
        end = range_end(pool, parts, i);
        const uint64_t word = (uint64_t)number << NUMBER_SHIFT | (uint32_t)(end - first);
        __atomic_store_n(&pool->members[i].left[pool->given], word, __ATOMIC_RELEASE);
    }
    pool->parts += parts;
    __atomic_store_n(&pool->given, pool->given + 1, __ATOMIC_RELEASE);
    __atomic_store_n(&pool->number, number, __ATOMIC_SEQ_CST);
    wake(pool);
}

static void finish(edgeling_pool *pool) {
    lent = 0; /* a part that has parts of its own does them alone */
    take_parts(pool, 0);
    if (pool->given) wait_until_done(pool, pool->parts);
    __atomic_store_n(&pool->given, 0, __ATOMIC_RELAXED);
    lent = pool;
}

void edgeling_in_parts(edgeling_task task, const void *work, int size, int parts) {
    edgeling_pool *pool = lent;
    if (!pool || parts < 2) {
        for (int part = 0; part < parts; part++) task(work, part, 0);
        return;
    }
    const int is_stored = pool->open && size <= STORED_BYTES;
    give(pool, task, is_stored ? memcpy(pool->jobs[pool->given].stored, work, (size_t)size) : work, parts);
    if (!is_stored || pool->given == JOBS_OF_A_ROUND) finish(pool);
}

void edgeling_begin_round(void) {
    if (lent) lent->open = 1;
}

void edgeling_end_round(void) {
    if (!lent) return;
    finish(lent);
    lent->open = 0;
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
    while (pool->helpers < wanted && !pthread_create(&pool->members[pool->helpers + 1].thread, 0, help, pool))
        send_elsewhere(pool->members[++pool->helpers].thread);
    pthread_sigmask(SIG_SETMASK, &before, 0);
}

edgeling_pool *edgeling_threads_begin(int threads) {
    if (threads < 2) return 0;
    edgeling_pool *pool = (edgeling_pool *)calloc(1, sizeof *pool + (size_t)threads * sizeof pool->members[0]);
    if (!pool) return 0;
    pool->threads = threads;
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
    for (int i = 1; i <= pool->helpers; i++) pthread_join(pool->members[i].thread, 0);
    pthread_cond_destroy(&pool->woken);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

#else

int edgeling_thread_count(void) { return 1; }

void edgeling_begin_round(void) {}

void edgeling_end_round(void) {}

void edgeling_in_parts(edgeling_task task, const void *work, int size, int parts) {
    (void)size;
    for (int part = 0; part < parts; part++) task(work, part, 0);
}

edgeling_pool *edgeling_threads_begin(int threads) {
    (void)threads;
    return 0;
}

void edgeling_threads_end(edgeling_pool *pool) { (void)pool; }

#endif
