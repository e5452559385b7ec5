/* SPDX-License-Identifier: Apache-2.0 */
/* The training loop around a compiled step: shuffle, gather, step, sum the logs, keep the last whole epoch.
 * edgeling_fit.c knows nothing of a program, and is compiled once a machine.
 *
 * The step is a pointer, so one loop serves every network. Rows are float32, row-major:
 *   x [rows][x_size], y [rows][y_size], sample_weight [rows] or null, order [rows]
 *   batch_x [batch_size][x_size], batch_y, batch_weight: where shuffled rows are gathered
 *   learning_rates [learning_rate_count]: one for every step of the run, or a single one for all
 *   logs [epochs][log_count]: means over the rows of an epoch
 *   kept_prediction [rows][prediction_size], kept_y [rows][y_size], kept_weight [rows]: what an epoch's steps saw, in
 *   their order, and predicted before they moved the weights; null where nobody asks
 *   weights [weights_bytes]: the program's NAME_weights; last_good: their copy at the end of the last whole epoch
 *   arena: its NAME_arena
 */
#ifndef EDGELING_FIT_H
#define EDGELING_FIT_H

#include <stdint.h>

typedef struct {
    const float *x, *y, *sample_weight, *learning_rate, *share; /* share: 1 / rows */
    const uint32_t *seed;
    float *prediction; /* where the step leaves its predictions, if it gives them */
    int32_t rows;
} edgeling_batch;

typedef void (*edgeling_step)(void *weights, void *arena, const edgeling_batch *batch, float *logs);

/* What the loop is compiled for: the steps of a full batch and of the rest, the same of a batch that only adds its
 * gradients up (null where each moves the weights), and the lengths of a row. */
typedef struct {
    edgeling_step full, tail, full_adding, tail_adding;
    int32_t x_size, y_size, prediction_size;
} edgeling_network;

enum { EDGELING_MAX_LOGS = 32, EDGELING_EVALUATED_ROWS = 65536 };
enum { EDGELING_DONE = 0, EDGELING_PAUSED = 1, EDGELING_NOT_FINITE = 2 };

typedef struct {
    void *weights, *arena, *last_good;
    const float *x, *y, *sample_weight, *learning_rates;
    float *batch_x, *batch_y, *batch_weight, *logs;
    float *kept_prediction, *kept_y, *kept_weight;
    int32_t *order;
    int64_t weights_bytes, learning_rate_count, step, kept;
    int32_t rows, batch_size, log_count, batches_per_epoch, shuffle;
    int32_t epochs, epoch, batch; /* how many to run, and where the run is */
    int32_t threads, batches_a_step, accumulated; /* accumulated: batches of the present step that were seen */
    uint32_t seed, first_epoch;
    double sums[EDGELING_MAX_LOGS];
} edgeling_run;

typedef void (*edgeling_score)(const void *weights, void *arena, const edgeling_batch *batch, float *logs);

/* What an evaluation is compiled for: a batch of rows, and the rest (one by one, or at once where it is the same), and
 * the lengths of a row. */
typedef struct {
    edgeling_score together, rest;
    int32_t batch_size, x_size, y_size, prediction_size, log_count;
} edgeling_evaluation;

/* Rows to evaluate: x [rows][x_size], y [rows][y_size], sample_weight [rows] or null; predictions
 * [rows][prediction_size], or null where the steps give none. arenas: one for each of `threads`. */
typedef struct {
    const void *weights;
    void *const *arenas;
    const float *x, *y, *sample_weight;
    float *predictions;
    int32_t rows, threads;
} edgeling_rows;

#define EDGELING_LOOP __attribute__((visibility("hidden")))

/* Run at most step_budget steps of the run: EDGELING_DONE, EDGELING_PAUSED (call again), or EDGELING_NOT_FINITE. */
EDGELING_LOOP int32_t edgeling_fit(edgeling_run *run, edgeling_network net, int64_t step_budget);
/* Mean logs over the rows, EDGELING_EVALUATED_ROWS at most. */
EDGELING_LOOP void edgeling_evaluate(edgeling_rows rows, edgeling_evaluation net, float *means);

#endif
