# SPDX-License-Identifier: Apache-2.0
"""The C a careful person writes by hand for one network, without a generator: plain loops, weights beside them.

It does what Edgeling's does: a row with an input that is no number has no answer. Compiled with
the target's own flags but plain -O2, and run on the same emulated core as Edgeling's. ``expf`` is the textbook's, as
small C libraries have it: range reduction and a polynomial, with its special cases.
"""

from __future__ import annotations

from benchmarks.networks import Array, Layer
from edgeling.codegen.program import EntryPoint, Port, Program
from edgeling.graph.types import TensorType

_HEADER = """\
#ifndef NAIVE_H
#define NAIVE_H
#include <stdint.h>
void naive_run(const float *x, float *y);
#endif
"""

_EXPF = """\
static float naive_expf(float x) {
    if (x != x) return x;
    if (x > 88.72283f) return 1.0f / 0.0f;
    if (x < -87.33654f) return 0.0f;
    const int n = (int)(x * 1.44269504f + (x < 0.0f ? -0.5f : 0.5f));
    const float r = x - (float)n * 0.693359375f + (float)n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    const union { uint32_t bits; float value; } power = {(uint32_t)(n + 127) << 23};
    return p * power.value;
}
"""

_LOOK = """\
    for (int i = 0; i < {inputs}; i++) {{
        const union {{ float value; uint32_t bits; }} x_i = {{x[i]}};
        if ((x_i.bits & 0x7F800000u) == 0x7F800000u) {{
            const union {{ uint32_t bits; float value; }} nan = {{0x7FC00000u}};
            for (int o = 0; o < {outputs}; o++) y[o] = nan.value;
            return;
        }}
    }}
"""

_ACTIVATIONS = {
    "relu": "for (int o = 0; o < {n}; o++) {y}[o] = {y}[o] > 0.0f ? {y}[o] : 0.0f;",
    "sigmoid": "for (int o = 0; o < {n}; o++) {y}[o] = 1.0f / (1.0f + naive_expf(-{y}[o]));",
    "softmax": """\
float largest = {y}[0], sum = 0.0f;
    for (int o = 1; o < {n}; o++) if ({y}[o] > largest) largest = {y}[o];
    for (int o = 0; o < {n}; o++) {y}[o] = naive_expf({y}[o] - largest);
    for (int o = 0; o < {n}; o++) sum += {y}[o];
    for (int o = 0; o < {n}; o++) {y}[o] /= sum;""",
}


def program(layers: tuple[Layer, ...]) -> Program:
    """One entry, ``naive_run(state, x, y)``."""
    tables = "".join(_tables(i, layer) for i, layer in enumerate(layers))
    body = "".join(_loops(i, layer, last=i == len(layers) - 1) for i, layer in enumerate(layers))
    look = _LOOK.format(inputs=len(layers[0].kernel), outputs=layers[-1].bias.size)
    head = "void naive_run(const float *x, float *y)"
    run = f"{head} {{\n{look}{body}}}\n"
    files = {"naive.h": _HEADER, "naive.c": f'#include "naive.h"\n{_EXPF}{tables}{run}'}
    ports = Port("x", TensorType((1, len(layers[0].kernel)))), Port("y", TensorType((1, layers[-1].bias.size)))
    entry = EntryPoint("naive_run", ports[:1], ports[1:])
    return Program("naive", files, (entry,), weights_bytes=0, arena_bytes=0, constant_bytes=0)


def _tables(i: int, layer: Layer) -> str:
    inputs, outputs = layer.kernel.shape
    return (
        f"static const float kernel{i}[{outputs}][{inputs}] = {{{_numbers(layer.kernel.T)}}};\n"
        f"static const float bias{i}[{outputs}] = {{{_numbers(layer.bias)}}};\n"
    )


def _numbers(values: Array) -> str:
    if values.ndim > 1:
        return ", ".join(f"{{{_numbers(row)}}}" for row in values)
    return ", ".join(f"{value!r}f" for value in values.tolist())


def _loops(i: int, layer: Layer, *, last: bool) -> str:
    inputs, n = layer.kernel.shape
    x, y = ("x" if i == 0 else f"y{i - 1}"), ("y" if last else f"y{i}")
    declared = "" if last else f"    float {y}[{n}];\n"
    return (
        f"{declared}    for (int o = 0; o < {n}; o++) {{\n        {y}[o] = bias{i}[o];\n"
        f"        for (int i = 0; i < {inputs}; i++) {y}[o] += kernel{i}[o][i] * {x}[i];\n    }}\n"
        f"    {_ACTIVATIONS[layer.activation].replace('{n}', str(n)).replace('{y}', y)}\n"
    )
