/* SPDX-License-Identifier: Apache-2.0 */
#include "edgeling_fit.h"

#include <string.h>

#include "edgeling/parallel.h"
#include "edgeling/philox.h"
#include "threads.h"

/* Fisher-Yates from the end; exchange i draws word i (graph/random.py, permutation). Words are made several blocks at
 * a time, so that the compiler can make them side by side in vectors. */
enum { EDGELING_SHUFFLE_BLOCKS = 8, EDGELING_SHUFFLE_WORDS = 4 * EDGELING_SHUFFLE_BLOCKS };

static void edgeling_shuffle(int32_t *order, int32_t size, uint32_t seed, uint32_t epoch) {
    uint32_t word[EDGELING_SHUFFLE_WORDS];
    for (int32_t i = 0; i < size; ++i) order[i] = i;
    int32_t i = size - 1;
    for (int32_t first = i - i % EDGELING_SHUFFLE_WORDS; first >= 0; first -= EDGELING_SHUFFLE_WORDS) {
        for (int32_t block = 0; block < EDGELING_SHUFFLE_BLOCKS; ++block)
            edgeling_philox(seed, 0u, (uint32_t)(first / 4 + block), epoch, EDGELING_SHUFFLE_STREAM, word + 4 * block);
        for (; i >= first; --i) {
            const int32_t j = (int32_t)(((uint64_t)word[i - first] * (uint64_t)(i + 1)) >> 32);
            const int32_t held = order[i];
            order[i] = order[j];
            order[j] = held;
        }
    }
}

enum { EDGELING_SHORT_ROW = 32 }; /* copied sooner than a function is called */

static void edgeling_gather(const float *from, float *to, const int32_t *order, int32_t count, int32_t size) {
    for (int32_t i = 0; i < count; ++i, to += size) {
        const float *row = from + (int64_t)order[i] * size;
        if (size < EDGELING_SHORT_ROW)
            for (int32_t j = 0; j < size; ++j) to[j] = row[j];
        else
            memcpy(to, row, (size_t)size * sizeof(float));
    }
}

enum { EDGELING_PARTS_GATHERED = 8, EDGELING_SHARED_FLOATS = 1 << 14 }; /* from which many on it takes microseconds */

typedef struct {
    const edgeling_run *run;
    edgeling_network net;
    const int32_t *order;
    int32_t count, rows; /* of all, and of a part */
} edgeling_gathering;

static void edgeling_gather_part(const void *work, int part, int thread) {
    const edgeling_gathering *all = (const edgeling_gathering *)work;
    const edgeling_run *run = all->run;
    const int32_t first = part * all->rows, left = all->count - first, count = left < all->rows ? left : all->rows;
    const int64_t row = first;
    (void)thread;
    edgeling_gather(run->x, run->batch_x + row * all->net.x_size, all->order + first, count, all->net.x_size);
    edgeling_gather(run->y, run->batch_y + row * all->net.y_size, all->order + first, count, all->net.y_size);
    if (run->sample_weight) edgeling_gather(run->sample_weight, run->batch_weight + row, all->order + first, count, 1);
}

static void edgeling_gather_shared(const edgeling_run *run, edgeling_network net, const int32_t *order, int32_t count) {
    const int large = (int64_t)count * (net.x_size + net.y_size) >= EDGELING_SHARED_FLOATS;
    const int32_t rows = large ? (count - 1) / EDGELING_PARTS_GATHERED + 1 : count;
    const edgeling_gathering work = {run, net, order, count, rows};
    edgeling_in_parts(edgeling_gather_part, &work, (int)sizeof work, (count - 1) / rows + 1);
}

static edgeling_batch edgeling_take(edgeling_run *run, edgeling_network net, int32_t count) {
    const int64_t start = (int64_t)run->batch * run->batch_size;
    edgeling_batch batch = {run->x + start * net.x_size, run->y + start * net.y_size, 0, run->learning_rates, 0,
                            &run->seed, 0, count};
    if (run->sample_weight) batch.sample_weight = run->sample_weight + start;
    if (run->learning_rate_count > 1) batch.learning_rate += run->step;
    if (!run->shuffle) return batch;
    edgeling_gather_shared(run, net, run->order + start, count);
    batch.x = run->batch_x, batch.y = run->batch_y;
    if (run->sample_weight) batch.sample_weight = run->batch_weight;
    return batch;
}

/* Keep the truth and the weights of a batch beside the predictions its step is going to leave. */
static void edgeling_keep(edgeling_run *run, edgeling_network net, edgeling_batch *batch, int32_t count) {
    if (!run->kept_prediction) return;
    const size_t rows = (size_t)count, size = sizeof(float);
    memcpy(run->kept_y + run->kept * net.y_size, batch->y, rows * (size_t)net.y_size * size);
    if (batch->sample_weight) memcpy(run->kept_weight + run->kept, batch->sample_weight, rows * size);
    batch->prediction = run->kept_prediction + run->kept * net.prediction_size;
    run->kept += count;
}

static void edgeling_begin_epoch(edgeling_run *run) {
    run->kept = 0;
    for (int32_t i = 0; i < run->log_count; ++i) run->sums[i] = 0.0;
    if (run->shuffle) edgeling_shuffle(run->order, run->rows, run->seed, run->first_epoch + (uint32_t)run->epoch);
}

static void edgeling_end_epoch(edgeling_run *run) {
    const int64_t full = (int64_t)run->batches_per_epoch * run->batch_size;
    const double seen = (double)(full < run->rows ? full : run->rows);
    for (int32_t i = 0; i < run->log_count; ++i)
        run->logs[(int64_t)run->epoch * run->log_count + i] = (float)(run->sums[i] / seen);
    edgeling_copy_shared(run->last_good, run->weights, run->weights_bytes);
    run->batch = 0;
    ++run->epoch;
}

/* Small numbers below 2^-126 are flushed to zero where the processor is slow with them. */
static uint32_t edgeling_flush_denormals(void) {
#if defined(__x86_64__) && defined(__SSE__)
    const uint32_t before = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(before | 0x8040u);
    return before;
#else
    return 0u;
#endif
}

static void edgeling_restore_denormals(uint32_t before) {
#if defined(__x86_64__) && defined(__SSE__)
    __builtin_ia32_ldmxcsr(before);
#else
    (void)before;
#endif
}

static int edgeling_is_finite(float value) { return value - value == 0.0f; }

/* What a batch does: the last of a step moves the weights, others add their gradients up. */
static edgeling_step edgeling_step_of(edgeling_run *run, edgeling_network net, int32_t count) {
    const int is_tail = count < run->batch_size;
    if (++run->accumulated < run->batches_a_step) return is_tail ? net.tail_adding : net.full_adding;
    run->accumulated = 0;
    return is_tail ? net.tail : net.full;
}

static int32_t edgeling_fit_steps(edgeling_run *run, edgeling_network net, int64_t step_budget) {
    float logs[EDGELING_MAX_LOGS];
    while (run->epoch < run->epochs) {
        if (step_budget-- == 0) return EDGELING_PAUSED;
        if (run->batch == 0) edgeling_begin_epoch(run);
        const int64_t left = run->rows - (int64_t)run->batch * run->batch_size;
        const int32_t count = left < run->batch_size ? (int32_t)left : run->batch_size;
        edgeling_batch batch = edgeling_take(run, net, count);
        const float share = (float)(1.0 / count);
        batch.share = &share;
        edgeling_keep(run, net, &batch, count);
        edgeling_step_of(run, net, count)(run->weights, run->arena, &batch, logs);
        if (!edgeling_is_finite(logs[0])) return EDGELING_NOT_FINITE;
        for (int32_t i = 0; i < run->log_count; ++i) run->sums[i] += (double)logs[i] * count;
        ++run->step;
        if (++run->batch == run->batches_per_epoch) edgeling_end_epoch(run);
    }
    return EDGELING_DONE;
}

int32_t edgeling_fit(edgeling_run *run, edgeling_network net, int64_t step_budget) {
    const uint32_t before = edgeling_flush_denormals();
    edgeling_pool *pool = edgeling_threads_begin(run->threads); /* they flush as this one does now */
    const int32_t status = edgeling_fit_steps(run, net, step_budget);
    edgeling_threads_end(pool);
    edgeling_restore_denormals(before);
    return status;
}

/* Rows of a part, whatever the threads: sums of parts are added in their order. */
enum { ROWS_OF_A_PART = 1024, MOST_PARTS = EDGELING_EVALUATED_ROWS / ROWS_OF_A_PART };

typedef struct {
    edgeling_rows rows;
    edgeling_evaluation net;
    double (*sums)[EDGELING_MAX_LOGS]; /* of each part */
} edgeling_evaluated;

static int32_t edgeling_smaller(int32_t one, int32_t other) { return one < other ? one : other; }

static void edgeling_evaluate_part(const void *work, int part, int thread) {
    const edgeling_evaluated *all = (const edgeling_evaluated *)work;
    const edgeling_rows rows = all->rows;
    const edgeling_evaluation net = all->net;
    const int32_t end = edgeling_smaller(rows.rows, (part + 1) * ROWS_OF_A_PART);
    double *sums = all->sums[part];
    float logs[EDGELING_MAX_LOGS];
    int32_t count = 0;
    for (int64_t row = (int64_t)part * ROWS_OF_A_PART; row < end; row += count) {
        const int32_t left = (int32_t)(end - row), rest = net.rest == net.together ? left : 1;
        count = left < net.batch_size ? rest : net.batch_size;
        const float share = (float)(1.0 / count);
        const edgeling_batch some = {rows.x + row * net.x_size, rows.y + row * net.y_size,
                                     rows.sample_weight ? rows.sample_weight + row : 0, 0, &share, 0,
                                     rows.predictions ? rows.predictions + row * net.prediction_size : 0, count};
        (count < net.batch_size ? net.rest : net.together)(rows.weights, rows.arenas[thread], &some, logs);
        for (int32_t i = 0; i < net.log_count; ++i) sums[i] += (double)logs[i] * count;
    }
}

void edgeling_evaluate(edgeling_rows rows, edgeling_evaluation net, float *means) {
    double sums[MOST_PARTS][EDGELING_MAX_LOGS] = {{0.0}};
    const edgeling_evaluated all = {rows, net, sums};
    const int32_t parts = (rows.rows - 1) / ROWS_OF_A_PART + 1;
    edgeling_pool *pool = edgeling_threads_begin(edgeling_smaller(rows.threads, parts));
    edgeling_in_parts(edgeling_evaluate_part, &all, (int)sizeof all, parts);
    edgeling_threads_end(pool);
    for (int32_t i = 0; i < net.log_count; ++i) {
        for (int32_t part = 1; part < parts; ++part) sums[0][i] += sums[part][i];
        means[i] = (float)(sums[0][i] / rows.rows);
    }
}
