# SPDX-License-Identifier: Apache-2.0
"""What the optimizer updates mean: Keras 3's rules (``keras.optimizers``), the scalars of a step computed once.

Each takes (attributes, parameter, gradient, slots..., scalars...) and gives the new parameter and slots.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from edgeling.graph.type_rules import rmsprop_slots
from edgeling.graph.types import Array

Attributes = Mapping[str, Any]
SMALLEST_POWER = 1e-30  # below it a power of beta is zero: 1 - power is 1 long before, and denormals are slow
NADAM_DECAY = 0.96


def _momentum(a: Attributes, w: Array, g: Array, m: Array, lr: Array) -> tuple[Array, ...]:
    m = a["momentum"] * m - lr * g
    return (w + a["momentum"] * m - lr * g if a["nesterov"] else w + m), m


def _rmsprop(a: Attributes, w: Array, g: Array, *rest: Array) -> tuple[Array, ...]:
    slots, lr = list(rest[: rmsprop_slots(a)]), rest[-1]
    rho = a["rho"]
    slots[0] = rho * slots[0] + (1 - rho) * g * g
    spread = slots[0]
    if a["centered"]:
        slots[1] = rho * slots[1] + (1 - rho) * g
        spread = slots[0] - slots[1] * slots[1]
    step = lr * g / np.sqrt(spread + a["epsilon"])
    if a["momentum"] > 0:
        slots[-1] = step = a["momentum"] * slots[-1] + step
    return (w - step, *slots)


def _adagrad(a: Attributes, w: Array, g: Array, accumulator: Array, lr: Array) -> tuple[Array, ...]:
    accumulator = accumulator + g * g
    return w - lr * g / np.sqrt(accumulator + a["epsilon"]), accumulator


def _moments(a: Attributes, g: Array, m: Array, v: Array) -> tuple[Array, Array]:
    return m + (g - m) * (1 - a["beta_1"]), v + (g * g - v) * (1 - a["beta_2"])


def _adam(a: Attributes, w: Array, g: Array, m: Array, v: Array, alpha: Array) -> tuple[Array, ...]:
    m, v = _moments(a, g, m, v)
    return w - m * alpha / (np.sqrt(v) + a["epsilon"]), m, v


def _amsgrad(a: Attributes, w: Array, g: Array, m: Array, v: Array, v_hat: Array, alpha: Array) -> tuple[Array, ...]:
    m, v = _moments(a, g, m, v)
    v_hat = np.maximum(v_hat, v)
    return w - m * alpha / (np.sqrt(v_hat) + a["epsilon"]), m, v, v_hat


def _adamax(a: Attributes, w: Array, g: Array, m: Array, u: Array, alpha: Array) -> tuple[Array, ...]:
    m = m + (g - m) * (1 - a["beta_1"])
    u = np.maximum(a["beta_2"] * u, np.abs(g))
    return w - alpha * m / (u + a["epsilon"]), m, u


def _nadam(
    a: Attributes, w: Array, g: Array, m: Array, v: Array,
    lr: Array, decay_power: Array, u_product: Array, beta_2_power: Array,
) -> tuple[Array, ...]:  # fmt: skip
    u = a["beta_1"] * (1 - 0.5 * decay_power)
    u_next = a["beta_1"] * (1 - 0.5 * NADAM_DECAY * decay_power)
    m, v = _moments(a, g, m, v)
    m_hat = u_next * m / (1 - u_product * u_next) + (1 - u) * g / (1 - u_product)
    return w - m_hat * lr / (np.sqrt(v / (1 - beta_2_power)) + a["epsilon"]), m, v


def _lion(a: Attributes, w: Array, g: Array, m: Array, lr: Array) -> tuple[Array, ...]:
    step = np.sign(a["beta_1"] * m + (1 - a["beta_1"]) * g)
    return w - lr * step, a["beta_2"] * m + (1 - a["beta_2"]) * g


def _adadelta(a: Attributes, w: Array, g: Array, squares: Array, steps: Array, lr: Array) -> tuple[Array, ...]:
    rho = a["rho"]
    squares = rho * squares + (1 - rho) * g * g
    step = np.sqrt(steps + a["epsilon"]) * g / np.sqrt(squares + a["epsilon"])
    return w - lr * step, squares, rho * steps + (1 - rho) * step * step


def _ftrl(a: Attributes, w: Array, g: Array, accumulator: Array, linear: Array, lr: Array) -> tuple[Array, ...]:
    total = accumulator + g * g
    after, before = (np.power(x, np.asarray(a["power"], w.dtype)) for x in (total, accumulator))
    linear = linear + (g + 2 * a["l2_shrinkage"] * w) - (after - before) / lr * w
    quadratic = after / lr + 2 * (a["l2"] + a["beta"] / (2 * lr))
    return (np.clip(linear, -a["l1"], a["l1"]) - linear) / quadratic, total, linear


def _norm(x: Array) -> Array:
    return np.sqrt(np.sum(x * x))


def _lamb(
    a: Attributes, w: Array, g: Array, m: Array, v: Array, lr: Array, power_1: Array, power_2: Array
) -> tuple[Array, ...]:
    m, v = _moments(a, g, m, v)
    step = m / (1 - power_1) / (np.sqrt(v / (1 - power_2)) + a["epsilon"])
    lengths = _norm(w), _norm(step)
    ratio = lengths[0] / lengths[1] if min(lengths) > 0 else 1.0
    return w - ratio * lr * step, m, v


def _adafactor(a: Attributes, w: Array, g: Array, *rest: Array) -> tuple[Array, ...]:
    *slots, lr, t = rest
    kept = 1 - np.power(t, np.asarray(a["decay"], w.dtype))
    squares = g * g + a["epsilon_1"]
    if w.ndim == 2:
        means = [np.mean(squares, axis=1), np.mean(squares, axis=0)]
        r, c = (kept * old + (1 - kept) * new for old, new in zip(slots, means, strict=False))
        slots = [r, c, np.outer(r / np.mean(r), c).astype(w.dtype)]
    else:
        slots = [kept * slots[0] + (1 - kept) * squares]
    step = g / np.sqrt(slots[-1])
    size = w.size**0.5
    step = step / np.maximum(1, _norm(step) / size / a["clip_threshold"])
    rate = np.maximum(a["epsilon_2"], _norm(w) / size) * np.minimum(lr, 1 / np.sqrt(t))
    return (w - rate * step, *slots)


def _power(power: Array, factor: float | Array) -> Array:
    product = np.asarray(power * factor, dtype=power.dtype)
    return np.where(product < SMALLEST_POWER, np.zeros_like(product), product)


UPDATE_MEANINGS: dict[str, Callable[..., Any]] = {
    "sgd_update": lambda _, w, g, lr: w - lr * g,
    "momentum_update": _momentum,
    "rmsprop_update": _rmsprop,
    "adagrad_update": _adagrad,
    "adam_update": _adam,
    "amsgrad_update": _amsgrad,
    "adamax_update": _adamax,
    "nadam_update": _nadam,
    "lion_update": _lion,
    "adadelta_update": _adadelta,
    "ftrl_update": _ftrl,
    "lamb_update": _lamb,
    "adafactor_update": _adafactor,
    "decay": lambda a, w, lr: w - w * (a["rate"] * lr),
    "power_step": lambda a, p: _power(p, a["beta"]),
    "adam_alpha": lambda _, lr, p1, p2: lr * np.sqrt(1 - p2) / (1 - p1),
    "adamax_alpha": lambda _, lr, p1: lr / (1 - p1),
    "nadam_product": lambda a, u, p: _power(u, a["beta_1"] * (1 - 0.5 * p)),
    "norm": lambda _, *xs: np.sqrt(sum(np.sum(x * x) for x in xs)),
    "clip_scale": lambda a, norm: a["limit"] / np.maximum(norm, a["limit"]),
}
