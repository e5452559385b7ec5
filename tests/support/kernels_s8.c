/* SPDX-License-Identifier: Apache-2.0 */
/* Calls one int8 kernel: `kernels_s8 KERNEL NUMBER...`, buffers on standard input one after the other, the result on
 * standard output. Every buffer has a heap block of its own size, so that the address sanitizer sees a step outside. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dense_s8.h"
#include "dequantize.h"
#include "lookup_s8.h"
#include "quantize.h"
#include "softmax_s8.h"

static int32_t n[8];

static void *take(int32_t count, size_t size) {
    void *buffer = malloc((size_t)count * size);
    if (buffer == NULL || fread(buffer, size, (size_t)count, stdin) != (size_t)count) {
        exit(2);
    }
    return buffer;
}

static void *give(int32_t count, size_t size) {
    void *buffer = calloc((size_t)count, size);
    if (buffer == NULL) {
        exit(2);
    }
    return buffer;
}

static void finish(void *buffer, int32_t count, size_t size) {
    if (fwrite(buffer, size, (size_t)count, stdout) != (size_t)count) {
        exit(2);
    }
    free(buffer);
}

static void multiply(void) { /* count, shift */
    int32_t *a = take(n[0], 4), *b = take(n[0], 4);
    for (int32_t i = 0; i < n[0]; ++i) {
        a[i] = edgeling_divide_by_power_of_two(edgeling_multiply_high(a[i], b[i]), n[1]);
    }
    free(b);
    finish(a, n[0], 4);
}

static void dense(void) { /* batch, inputs, outputs, output zero point, minimum, maximum */
    int8_t *x = take(n[0] * n[1], 1), *weights = take(n[2] * n[1], 1);
    int32_t *bias = take(n[2], 4), *multiplier = take(n[2], 4);
    int8_t *shift = take(n[2], 1), *y = give(n[0] * n[2], 1);
    edgeling_dense_s8(n[0], n[1], n[2], n[3], n[4], n[5], x, weights, bias, multiplier, shift, y);
    free(x), free(weights), free(bias), free(multiplier), free(shift);
    finish(y, n[0] * n[2], 1);
}

static void softmax(void) { /* batch, classes, multiplier, left shift, minimum difference */
    int8_t *x = take(n[0] * n[1], 1);
    edgeling_softmax_s8(n[0], n[1], n[2], n[3], n[4], x, x);
    finish(x, n[0] * n[1], 1);
}

static void lookup(void) { /* count */
    int8_t *x = take(n[0], 1), *table = take(256, 1);
    edgeling_lookup_s8(n[0], x, table, x);
    free(table);
    finish(x, n[0], 1);
}

static void quantize(void) { /* batch, columns */
    float *x = take(n[0] * n[1], 4);
    int8_t *fraction_bits = take(n[1], 1);
    int32_t *zero_point = take(n[1], 4);
    int8_t *missing = take(n[1], 1), *y = give(n[0] * n[1], 1);
    edgeling_quantize(n[0], n[1], x, fraction_bits, zero_point, missing, y);
    free(x), free(fraction_bits), free(zero_point), free(missing);
    finish(y, n[0] * n[1], 1);
}

static void dequantize(void) { /* count, multiplier, fraction bits, zero point */
    int8_t *x = take(n[0], 1);
    float *y = give(n[0], 4);
    edgeling_dequantize(n[0], n[1], n[2], n[3], x, y);
    free(x);
    finish(y, n[0], 4);
}

int main(int argc, char **argv) {
    for (int i = 2; i < argc; ++i) {
        n[i - 2] = (int32_t)strtol(argv[i], NULL, 10);
    }
    const struct {
        const char *name;
        void (*call)(void);
    } kernels[] = {{"multiply", multiply}, {"dense", dense},       {"softmax", softmax},
                                  {"lookup", lookup},     {"quantize", quantize}, {"dequantize", dequantize}};
    for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; ++i) {
        if (strcmp(argv[1], kernels[i].name) == 0) {
            kernels[i].call();
            return 0;
        }
    }
    return 1;
}
