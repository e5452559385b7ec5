# SPDX-License-Identifier: Apache-2.0
"""Programs written by hand, with answers known without Edgeling."""

from __future__ import annotations

import numpy as np

from edgeling.codegen.program import EntryPoint, Port, Program
from edgeling.graph.types import DType, TensorType
from tests.support.close import allowed, product_magnitude, require_close

WEIGHTS = np.array([[0.5, -1.0, 0.25], [2.0, 0.125, -0.75]], np.float32)  # [outputs, inputs], exact in binary
BIAS = np.array([0.5, -1.5], np.float32)


def port(name: str, *shape: int, dtype: DType = DType.FLOAT32) -> Port:
    return Port(name, TensorType(shape, dtype))


def program(
    name: str,
    body: str,
    inputs: tuple[Port, ...],
    outputs: tuple[Port, ...],
    *,
    header: str = "",
    words: int = 0,
    variables: dict[str, int] | None = None,
) -> Program:
    """One entry ``NAME_run`` whose definition is in ``body``."""
    arguments = ", ".join(
        ([f"{name}_weights *weights"] if words else [])
        + [f"const {p.type.dtype.c_name} *{p.name}" for p in inputs]
        + [f"{p.type.dtype.c_name} *{p.name}" for p in outputs]
    )
    declared = f"typedef struct {{ uint32_t words[{words}]; }} {name}_weights;\n" if words else ""
    declared += f"void {name}_init({name}_weights *weights);\n" if variables else ""
    head = (
        f"#ifndef {name}_H\n#define {name}_H\n#include <stdint.h>\n"
        f"{declared}"
        f"void {name}_run({arguments});\n{header}\n#endif\n"
    )
    files = {f"{name}.h": head, f"{name}.c": f'#include "{name}.h"\n{body}'}
    entries = (EntryPoint(f"{name}_run", inputs, outputs, weights="updated" if words else ""),)
    init = f"{name}_init" if variables else ""
    return Program(name, files, entries, 4 * words, 0, 0, variables or {}, initializer=init)


def dense(name: str = "dense") -> Program:
    """``y[2] = max(0, W x[3] + b)``."""
    weights = ", ".join(f"{w!r}f" for w in WEIGHTS.ravel().tolist())
    bias = ", ".join(f"{b!r}f" for b in BIAS.tolist())
    body = f"""
static const float weights[6] = {{{weights}}};
static const float bias[2] = {{{bias}}};
void {name}_run(const float *x, float *y) {{
    for (int o = 0; o < 2; o++) {{
        float sum = bias[o];
        for (int i = 0; i < 3; i++) sum += weights[o * 3 + i] * x[i];
        y[o] = sum > 0.0f ? sum : 0.0f;
    }}
}}
"""
    return program(name, body, (port("x", 1, 3),), (port("y", 1, 2),))


def dense_answer(x: np.ndarray) -> np.ndarray:
    return np.maximum(x @ WEIGHTS.T + BIAS, 0).astype(np.float32)


def require_dense_answer(found: np.ndarray, x: np.ndarray) -> None:
    """Up to the roundings of three products and three sums, of which no term sees more than four."""
    magnitude = product_magnitude(x, WEIGHTS.T, BIAS)
    require_close(found, np.maximum(x.astype(np.float64) @ WEIGHTS.T + BIAS, 0), 4, of=magnitude)


def dense_tolerance(x: np.ndarray) -> float:
    """How far apart two right answers may be."""
    return float(np.max(2 * allowed(0, 4, of=product_magnitude(x, WEIGHTS.T, BIAS))))


def counter() -> Program:
    """Adds its int8 input to a running total that starts at 100."""
    body = """
void counter_init(counter_weights *weights) { weights->words[1] = 100; }
void counter_run(counter_weights *weights, const int8_t *x, int32_t *total) {
    const int32_t value = x[0];
    weights->words[1] += (uint32_t)value;
    total[0] = (int32_t)weights->words[1];
}
"""
    return program(
        "counter",
        body,
        (port("x", 1, dtype=DType.INT8),),
        (port("total", 1, dtype=DType.INT32),),
        words=2,
        variables={"total": 4},
    )
