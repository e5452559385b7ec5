/* SPDX-License-Identifier: Apache-2.0 */
/* The gradient of conv_direct.h's kernel: tiles of its elements are held in registers while the positions of an image go
 * by.
 *
 * x [images,height,width,channels], dy [images,down,right,outputs], dkernel [rows,columns,channels/groups,outputs].
 *   scratch  [height,seen width,channels] for each thread, where the window reaches over the image's left or right end
 */
#ifndef EDGELING_CONV_DIRECT_KERNEL_H
#define EDGELING_CONV_DIRECT_KERNEL_H

#include "conv_direct.h"

/* The steps of a tile: positions down and to the right, and the outputs that dy and dkernel have. */
typedef struct {
    int down, right, outputs;
    int x_row, x_position, dy_row;
} edgeling_conv_kernel_steps;

#if defined(EDGELING_X86_TILES)

/* A row of dy begins where the one before it ends. */
EDGELING_KERNEL edgeling_x86_steps edgeling_conv_kernel_x86_steps(const edgeling_conv_kernel_steps *s) {
    const int64_t outputs = EDGELING_X86_BYTES(s->outputs);
    const edgeling_x86_steps steps = {
        s->down, 1, s->right, EDGELING_X86_BYTES(1), EDGELING_X86_BYTES(s->x_position), 0, EDGELING_X86_BYTES(s->x_row),
        outputs, outputs, outputs, 0, 0.0f, 0.0f};
    return steps;
}

#define EDGELING_CONV_KERNEL_BEGIN(s) const edgeling_x86_steps steps = edgeling_conv_kernel_x86_steps(s);
#define EDGELING_CONV_KERNEL_TILE(lanes, vectors, elements)
#define EDGELING_CONV_KERNEL_CASE(lanes, vectors, elements)                                                           \
    case elements:                                                                                                    \
        EDGELING_X86_TILE(lanes, vectors, elements, steps, x, dy, dkernel, dkernel);                                  \
        break;

#else

#define EDGELING_CONV_KERNEL_BEGIN(s)
/* dkernel [elements,vectors * lanes] += what the positions of an image give. */
#define EDGELING_CONV_KERNEL_TILE(lanes, vectors, elements)                                                           \
    EDGELING_VECTOR_FUNCTION void edgeling_conv_kernel_tile_##lanes##_##vectors##_##elements(                         \
        const edgeling_conv_kernel_steps *steps, const float *x, const float *dy, float *dkernel) {                   \
        const edgeling_conv_kernel_steps s = *steps;                                                                  \
        edgeling_vector_##lanes sum[elements][vectors];                                                               \
        EDGELING_VECTOR_UNROLL                                                                                        \
        for (int e = 0; e < (elements); e++) {                                                                        \
            EDGELING_VECTOR_UNROLL                                                                                    \
            for (int v = 0; v < (vectors); v++) {                                                                     \
                sum[e][v] = EDGELING_CONST_AT(lanes, dkernel + e * s.outputs + v * (lanes));                          \
            }                                                                                                         \
        }                                                                                                             \
        for (int row = 0; row < s.down; row++) {                                                                      \
            const float *seen = x + row * s.x_row, *given = dy + row * s.dy_row;                                      \
            int left = s.right;                                                                                       \
            do {                                                                                                      \
                if ((elements) * (vectors) == 1) {                                                                    \
                    EDGELING_VECTOR_FUSED(sum[0][0]);                                                                 \
                }                                                                                                     \
                EDGELING_VECTOR_UNROLL                                                                                \
                for (int e = 0; e < (elements); e++) {                                                                \
                    EDGELING_VECTOR_UNROLL                                                                            \
                    for (int v = 0; v < (vectors); v++) {                                                             \
                        sum[e][v] += seen[e] * EDGELING_CONST_AT(lanes, given + v * (lanes));                         \
                    }                                                                                                 \
                }                                                                                                     \
                seen += s.x_position;                                                                                 \
                given += s.outputs;                                                                                   \
            } while (--left);                                                                                         \
        }                                                                                                             \
        EDGELING_VECTOR_UNROLL                                                                                        \
        for (int e = 0; e < (elements); e++) {                                                                        \
            EDGELING_VECTOR_UNROLL                                                                                    \
            for (int v = 0; v < (vectors); v++) {                                                                     \
                EDGELING_AT(lanes, dkernel + e * s.outputs + v * (lanes)) = sum[e][v];                                \
            }                                                                                                         \
        }                                                                                                             \
    }

#define EDGELING_CONV_KERNEL_CASE(lanes, vectors, elements)                                                           \
    case elements:                                                                                                    \
        edgeling_conv_kernel_tile_##lanes##_##vectors##_##elements(s, x, dy, dkernel);                                \
        break;

#endif

#define EDGELING_CONV_KERNEL_WIDTH(lanes, vectors, most)                                                              \
    EDGELING_CONV_TILES_TO_##most(EDGELING_CONV_KERNEL_TILE, lanes, vectors)                                          \
    EDGELING_VECTOR_FUNCTION void edgeling_conv_kernel_tiles_##lanes##_##vectors(                                     \
        int count, const edgeling_conv_kernel_steps *s, const float *x, const float *dy, float *dkernel) {            \
        EDGELING_CONV_KERNEL_BEGIN(s)                                                                                 \
        while (count > 0) {                                                                                           \
            const int elements = edgeling_conv_taken(count, most);                                                    \
            switch (elements) {                                                                                       \
                EDGELING_CONV_TILES_TO_##most(EDGELING_CONV_KERNEL_CASE, lanes, vectors)                              \
            default:                                                                                                  \
                break;                                                                                                \
            }                                                                                                         \
            count -= elements;                                                                                        \
            x += elements;                                                                                            \
            dkernel += elements * s->outputs;                                                                         \
        }                                                                                                             \
    }

EDGELING_CONV_WIDTHS(EDGELING_CONV_KERNEL_WIDTH)

/* Fewer than 4 outputs. */
EDGELING_VECTOR_FUNCTION void edgeling_conv_kernel_narrow(
    int outputs, int count, const edgeling_conv_kernel_steps *s, const float *x, const float *dy, float *dkernel) {
    for (int e = 0; e < count; e++) {
        for (int o = 0; o < outputs; o++) {
            float sum = dkernel[e * s->outputs + o];
            for (int row = 0; row < s->down; row++) {
                for (int j = 0; j < s->right; j++) {
                    sum += x[row * s->x_row + j * s->x_position + e] * dy[row * s->dy_row + j * s->outputs + o];
                }
            }
            dkernel[e * s->outputs + o] = sum;
        }
    }
}

/* `count` elements of the kernel that lie one below the other, `outputs` of a group. */
EDGELING_VECTOR_FUNCTION void edgeling_conv_kernel_elements(
    int outputs, int count, const edgeling_conv_kernel_steps *s, const float *x, const float *dy, float *dkernel) {
    int width = 0;
    for (int o = 0; o < outputs; o += width) {
        width = edgeling_conv_width(outputs - o);
        if (outputs - o < 4) {
            edgeling_conv_kernel_narrow(outputs - o, count, s, x, dy + o, dkernel + o);
            continue;
        }
        switch (width) {
#if defined(EDGELING_CONV_32)
        case 32:
            EDGELING_CONV_32(edgeling_conv_kernel_tiles)(count, s, x, dy + o, dkernel + o);
            break;
#endif
#if defined(EDGELING_CONV_16)
        case 16:
            EDGELING_CONV_16(edgeling_conv_kernel_tiles)(count, s, x, dy + o, dkernel + o);
            break;
#endif
#if defined(EDGELING_CONV_8)
        case 8:
            EDGELING_CONV_8(edgeling_conv_kernel_tiles)(count, s, x, dy + o, dkernel + o);
            break;
#endif
        default:
            EDGELING_CONV_4(edgeling_conv_kernel_tiles)(count, s, x, dy + o, dkernel + o);
            break;
        }
    }
}

/* A block is up to EDGELING_CONV_TILE_ROWS elements of the kernel that meet values side by side. */
typedef struct {
    const int *lengths;
    int blocks_of_a_part;
    float *padded; /* of the first thread */
    int images;
    const float *x, *dy;
    float *dkernel;
} edgeling_conv_kernel_work;

/* The elements of the window that meet values side by side: those of a row, where neither groups nor gaps part them. */
EDGELING_KERNEL int edgeling_conv_joined(edgeling_window w) {
    return w.groups == 1 && w.dilation_right == 1 ? w.columns : 1;
}

EDGELING_KERNEL int edgeling_conv_blocks_of_a_run(edgeling_window w) {
    const int terms = edgeling_conv_joined(w) * (w.channels / w.groups);
    return (terms - 1) / EDGELING_CONV_TILE_ROWS + 1;
}

EDGELING_KERNEL int edgeling_conv_blocks(edgeling_window w) {
    return w.groups * w.rows * (w.columns / edgeling_conv_joined(w)) * edgeling_conv_blocks_of_a_run(w);
}

/* One block's share of an image; seen: its rows, `width` pixels each. */
EDGELING_VECTOR_FUNCTION void edgeling_conv_kernel_block(
    const edgeling_window *window, int block, int is_first, int width, const float *seen, const float *dy,
    float *dkernel) {
    const edgeling_window w = *window;
    const int inputs = w.channels / w.groups, outputs = w.outputs / w.groups, joined = edgeling_conv_joined(w);
    const int of_run = edgeling_conv_blocks_of_a_run(w), runs = w.columns / joined, run = block / of_run;
    const int term = block % of_run * EDGELING_CONV_TILE_ROWS, left = joined * inputs - term;
    const int column = run % runs, row = run / runs % w.rows, group = run / runs / w.rows;
    const int count = left < EDGELING_CONV_TILE_ROWS ? left : EDGELING_CONV_TILE_ROWS;
    const int above = w.top - row * w.dilation_down; /* positions see row i * stride_down - above */
    const int first = above > 0 ? (above - 1) / w.stride_down + 1 : 0;
    const int below = w.height + above, end = below > 0 ? (below - 1) / w.stride_down + 1 : 0;
    const int last = end < w.down ? end : w.down;
    const edgeling_conv_kernel_steps s = {
        last - first, w.right, w.outputs, w.stride_down * width * w.channels, w.stride_right * w.channels,
        w.right * w.outputs};
    float *to = dkernel + ((row * w.columns + column) * inputs + term) * w.outputs + group * outputs;
    for (int e = 0; e < count && is_first; e++) {
        edgeling_vector_fill_floats(outputs, 0.0f, to + e * w.outputs);
    }
    if (last > first) {
        edgeling_conv_kernel_elements(
            outputs, count, &s,
            seen + ((first * w.stride_down - above) * width + column * w.dilation_right) * w.channels + group * inputs +
                term,
            dy + first * w.right * w.outputs + group * outputs, to);
    }
}

/* Some blocks' gradient, of all images. */
EDGELING_KERNEL void edgeling_conv_kernel_part(const void *work, int part, int thread) {
    const edgeling_conv_kernel_work *k = (const edgeling_conv_kernel_work *)work;
    const edgeling_window w = edgeling_window_of(k->lengths);
    const int blocks = edgeling_conv_blocks(w), is_padded = edgeling_is_padded(w);
    const int first = part * k->blocks_of_a_part, end = first + k->blocks_of_a_part;
    const int width = is_padded ? edgeling_seen_width(w) : w.width;
    float *padded = k->padded + thread * (is_padded ? w.height * width * w.channels : 0);
    for (int image = 0; image < k->images; image++) {
        const float *x = k->x + image * (w.height * w.width * w.channels);
        if (is_padded) {
            edgeling_pad_rows(&w, 0, w.height, x, padded);
        }
        for (int block = first; block < end && block < blocks; block++) {
            edgeling_conv_kernel_block(
                &w, block, image == 0, width, is_padded ? padded : x, k->dy + image * (w.down * w.right * w.outputs),
                k->dkernel);
        }
    }
}

EDGELING_KERNEL void edgeling_conv_direct_kernel_gradient(
    int images, const int *lengths, float *EDGELING_RESTRICT scratch, const float *EDGELING_RESTRICT x,
    const float *EDGELING_RESTRICT dy, float *EDGELING_RESTRICT dkernel) {
    const edgeling_conv_kernel_work work = {
        lengths, edgeling_conv_blocks(edgeling_window_of(lengths)), scratch, images, x, dy, dkernel};
    edgeling_conv_kernel_part(&work, 0, 0);
}

#endif
