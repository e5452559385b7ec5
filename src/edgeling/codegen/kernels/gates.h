/* SPDX-License-Identifier: Apache-2.0 */
/* The gates of recurrent cells, and the way back through them; gates in Keras's order.
 *
 *   x, g, dz, dx, dg, gates   [rows,4 * units] of an LSTM: input, forget, new, output
 *                             [rows,3 * units] of a GRU: update, reset, new
 *   h, c, following, dh, dc   [rows,units]
 *
 * gates: what the way back reads of each gate: its activation, or of functions whose derivative is told by their input
 * what is activated. Each output may lie where an input of its size does.
 */
#ifndef EDGELING_GATES_H
#define EDGELING_GATES_H

#include "activation.h"

/* Whether the derivative of a function is told by its input. */
EDGELING_KERNEL int edgeling_from_input(int function) {
    switch (function) {
    case EDGELING_GELU:
    case EDGELING_GELU_TANH:
    case EDGELING_SILU:
    case EDGELING_HARD_SILU:
    case EDGELING_MISH:
    case EDGELING_SOFTPLUS:
    case EDGELING_SPARSE_PLUS:
    case EDGELING_TANH_SHRINK:
    case EDGELING_YEO_JOHNSON_INVERSE: return 1;
    default: return 0;
    }
}

/* What is kept of a gate, and its activation again. */
EDGELING_KERNEL float edgeling_gate_kept(int function, float z, float value) {
    return edgeling_from_input(function) ? z : value;
}

EDGELING_KERNEL float edgeling_gate_of(int function, float alpha, float kept) {
    return edgeling_from_input(function) ? edgeling_activate(function, alpha, kept) : kept;
}

/* following = f c + i n, h = o activation(following) */
EDGELING_KERNEL void edgeling_lstm_gates(
    int rows, int units, int function, int recurrent_function, float alpha, float recurrent_alpha, const float *x,
    const float *g, const float *c, float *h, float *following, float *gates) {
    for (int row = 0; row < rows; row++) {
        const float *const x_row = x + row * 4 * units, *const g_row = g + row * 4 * units;
        const float *const c_row = c + row * units;
        float *const h_row = h + row * units, *const next = following + row * units;
        float *const kept = gates + row * 4 * units;
        EDGELING_INDEPENDENT
        for (int u = 0; u < units; u++) {
            const float z_i = x_row[u] + g_row[u], z_f = x_row[units + u] + g_row[units + u];
            const float z_n = x_row[2 * units + u] + g_row[2 * units + u];
            const float z_o = x_row[3 * units + u] + g_row[3 * units + u];
            const float i = edgeling_activate(recurrent_function, recurrent_alpha, z_i);
            const float f = edgeling_activate(recurrent_function, recurrent_alpha, z_f);
            const float n = edgeling_activate(function, alpha, z_n);
            const float o = edgeling_activate(recurrent_function, recurrent_alpha, z_o);
            const float held = f * c_row[u] + i * n;
            kept[u] = edgeling_gate_kept(recurrent_function, z_i, i);
            kept[units + u] = edgeling_gate_kept(recurrent_function, z_f, f);
            kept[2 * units + u] = edgeling_gate_kept(function, z_n, n);
            kept[3 * units + u] = edgeling_gate_kept(recurrent_function, z_o, o);
            next[u] = held;
            h_row[u] = o * edgeling_activate(function, alpha, held);
        }
    }
}

/* dz, and dc of the step before */
EDGELING_KERNEL void edgeling_lstm_gates_gradient(
    int rows, int units, int function, int recurrent_function, float alpha, float recurrent_alpha, const float *dh,
    const float *dc, const float *gates, const float *c, float *dz, float *dc_before) {
    for (int row = 0; row < rows; row++) {
        const float *const kept = gates + row * 4 * units, *const c_row = c + row * units;
        const float *const dh_row = dh + row * units, *const dc_row = dc + row * units;
        float *const z_row = dz + row * 4 * units, *const before = dc_before + row * units;
        EDGELING_INDEPENDENT
        for (int u = 0; u < units; u++) {
            const float k_i = kept[u], k_f = kept[units + u], k_n = kept[2 * units + u], k_o = kept[3 * units + u];
            const float i = edgeling_gate_of(recurrent_function, recurrent_alpha, k_i);
            const float f = edgeling_gate_of(recurrent_function, recurrent_alpha, k_f);
            const float n = edgeling_gate_of(function, alpha, k_n);
            const float o = edgeling_gate_of(recurrent_function, recurrent_alpha, k_o);
            const float old = c_row[u], held = f * old + i * n, out = edgeling_activate(function, alpha, held);
            const float slope = edgeling_activation_derivative(function, alpha, edgeling_gate_kept(function, held, out));
            const float d_out = dh_row[u], total = dc_row[u] + d_out * o * slope;
            z_row[u] = total * n * edgeling_activation_derivative(recurrent_function, recurrent_alpha, k_i);
            z_row[units + u] = total * old * edgeling_activation_derivative(recurrent_function, recurrent_alpha, k_f);
            z_row[2 * units + u] = total * i * edgeling_activation_derivative(function, alpha, k_n);
            z_row[3 * units + u] = d_out * out * edgeling_activation_derivative(recurrent_function, recurrent_alpha, k_o);
            before[u] = total * f;
        }
    }
}

/* following = z h + (1 - z) n, n = activation(x_n + r g_n) */
EDGELING_KERNEL void edgeling_gru_gates(
    int rows, int units, int function, int recurrent_function, float alpha, float recurrent_alpha, const float *x,
    const float *g, const float *h, float *following, float *gates) {
    for (int row = 0; row < rows; row++) {
        const float *const x_row = x + row * 3 * units, *const g_row = g + row * 3 * units;
        const float *const h_row = h + row * units;
        float *const next = following + row * units, *const kept = gates + row * 3 * units;
        EDGELING_INDEPENDENT
        for (int u = 0; u < units; u++) {
            const float z_z = x_row[u] + g_row[u], z_r = x_row[units + u] + g_row[units + u];
            const float z = edgeling_activate(recurrent_function, recurrent_alpha, z_z);
            const float r = edgeling_activate(recurrent_function, recurrent_alpha, z_r);
            const float z_n = x_row[2 * units + u] + r * g_row[2 * units + u];
            const float n = edgeling_activate(function, alpha, z_n);
            const float mixed = z * h_row[u] + (1.0f - z) * n;
            kept[u] = edgeling_gate_kept(recurrent_function, z_z, z);
            kept[units + u] = edgeling_gate_kept(recurrent_function, z_r, r);
            kept[2 * units + u] = edgeling_gate_kept(function, z_n, n);
            next[u] = mixed;
        }
    }
}

/* dx, dg, and the part of dh that goes past both */
EDGELING_KERNEL void edgeling_gru_gates_gradient(
    int rows, int units, int function, int recurrent_function, float alpha, float recurrent_alpha, const float *dh,
    const float *gates, const float *g, const float *h, float *dx, float *dg, float *dh_before) {
    for (int row = 0; row < rows; row++) {
        const float *const kept = gates + row * 3 * units, *const g_row = g + row * 3 * units;
        const float *const dh_row = dh + row * units, *const h_row = h + row * units;
        float *const x_row = dx + row * 3 * units, *const dg_row = dg + row * 3 * units;
        float *const before = dh_before + row * units;
        EDGELING_INDEPENDENT
        for (int u = 0; u < units; u++) {
            const float k_z = kept[u], k_r = kept[units + u], k_n = kept[2 * units + u];
            const float z = edgeling_gate_of(recurrent_function, recurrent_alpha, k_z);
            const float r = edgeling_gate_of(recurrent_function, recurrent_alpha, k_r);
            const float n = edgeling_gate_of(function, alpha, k_n), d = dh_row[u];
            const float d_n = d * (1.0f - z) * edgeling_activation_derivative(function, alpha, k_n);
            const float d_z = d * (h_row[u] - n) * edgeling_activation_derivative(recurrent_function, recurrent_alpha, k_z);
            const float slope = edgeling_activation_derivative(recurrent_function, recurrent_alpha, k_r);
            const float d_r = d_n * g_row[2 * units + u] * slope;
            x_row[u] = d_z;
            x_row[units + u] = d_r;
            x_row[2 * units + u] = d_n;
            dg_row[u] = d_z;
            dg_row[units + u] = d_r;
            dg_row[2 * units + u] = d_n * r;
            before[u] = d * z;
        }
    }
}

/* y [outer,length,inner] = x with the slices of the middle axis in reverse order */
EDGELING_KERNEL void edgeling_reverse(
    int outer, int length, int inner, const float *EDGELING_RESTRICT x, float *EDGELING_RESTRICT y) {
    for (int o = 0; o < outer; o++) {
        for (int step = 0; step < length; step++) {
            const float *const from = x + (o * length + length - 1 - step) * inner;
            float *const to = y + (o * length + step) * inner;
            for (int i = 0; i < inner; i++) {
                to[i] = from[i];
            }
        }
    }
}

#endif
