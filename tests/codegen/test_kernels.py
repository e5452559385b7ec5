# SPDX-License-Identifier: Apache-2.0
"""Every operation in C against its meaning in NumPy (int8 with tables of its own: `test_kernels_s8.py`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from edgeling.codegen import broadcast, calls_training, calls_windows, generate, site
from edgeling.codegen.calls import CALLS, FLOAT_CALLS, NO_CALL
from edgeling.codegen.calls_training import TRAINING_CALLS
from edgeling.codegen.calls_windows import WINDOW_CALLS
from edgeling.codegen.schedule import SCHEDULED
from edgeling.graph.activations import ACTIVATIONS, log_softmax, sigmoid
from edgeling.graph.affine import FILLS
from edgeling.graph.losses import CROSS_ENTROPIES, LOSSES, METRICS
from edgeling.graph.operations import COMPARISONS, OPERATIONS, TRIGONOMETRIC, WHOLE
from edgeling.graph.types import Array
from edgeling.toolchain.native import THIS_MACHINE
from tests.codegen.harness import Case, case, check
from tests.codegen.integer_cases import integer_cases
from tests.support import sanitized

EXTREME = np.array(
    [0.0, -0.0, 1e-45, -1e-40, 1e-20, 0.5, -0.5, 1, -1, 3, -3, 6, 20, -20, 87, -87, 89, -89, 104, -104, 1e10, -1e10,
     3e38, -3e38, np.inf, -np.inf, np.nan], np.float32,
)  # fmt: skip
SHAPES = [(1, 1), (1, 3), (2, 5), (3, 16), (7, 17), (10, 4), (32, 33)]


def normal(*shape: int, seed: int = 0, scale: float = 1.0) -> Array:
    return (np.random.default_rng([seed, *shape]).normal(size=shape) * scale).astype(np.float32)


def positive(*shape: int, seed: int = 0) -> Array:
    return np.abs(normal(*shape, seed=seed)) + np.float32(0.01)


def probabilities(*shape: int, seed: int = 0) -> Array:
    raw = np.exp(normal(*shape, seed=seed))
    return (raw / raw.sum(-1, keepdims=True)).astype(np.float32)


def test_every_operation_has_a_call_or_a_reason():
    assert set(OPERATIONS) == (set(CALLS) - SCHEDULED) | set(NO_CALL)
    assert not set(CALLS) & set(NO_CALL)


def binary_cases() -> Iterator[Case]:
    shapes = [((3, 5), (3, 5)), ((3, 5), (5,)), ((3, 5), (1, 5)), ((3, 5), (3, 1)), ((3, 5), ()), ((), (3, 5)),
              ((5,), (3, 5)), ((3, 1), (1, 5)), ((1, 4), (3, 1)), ((2, 3, 4), (2, 3, 4)), ((2, 3, 4), (3, 4)),
              ((2, 3, 4), (4,)), ((2, 3, 4), (2, 1, 1)), ((33, 65), (65,)), ((1,), (1,)), ((), ()),
              ((2, 3, 1, 2), (3, 5, 1)), ((2, 1, 3, 1, 2), (4, 1, 5, 1)), ((1, 3, 1, 4), (2, 3, 5, 4)),
              ((2, 1, 2), (1, 3, 1))]  # fmt: skip
    for operation, (a, b) in product(("add", "subtract", "multiply", "divide"), shapes):
        yield case(operation, normal(*a), positive(*b))
    for a, b in shapes:
        yield case("maximum", normal(*a), normal(*b), exact=True)
        yield case("minimum", normal(*a), normal(*b), exact=True)
    yield case("larger_gradient", normal(3, 5), np.round(normal(3, 5)), np.round(normal(3, 5, seed=1)), exact=True)
    for operation in ("add", "subtract", "multiply", "divide", "maximum", "minimum"):
        yield case(operation, EXTREME[:, None] + np.zeros(27, "f"), EXTREME, exact=True)


def choosing_cases() -> Iterator[Case]:
    shapes = [((3, 5), (3, 5)), ((3, 1), (3, 5)), ((3, 5), (5,)), ((), (3, 5)), ((2, 3, 1), (2, 3, 4))]
    for function, (a, b) in product(COMPARISONS, shapes):
        yield case("compare", np.round(normal(*a)), np.round(normal(*b, seed=1)), exact=True, function=function)
    for function in COMPARISONS:
        yield case("compare", EXTREME[:, None] + np.zeros(27, "f"), EXTREME, exact=True, function=function)
    for condition, a, b in [((3, 5), (3, 5), (3, 5)), ((3, 1), (3, 5), ()), ((3, 5), (), (5,)), ((), (3, 5), (3, 1)),
                            ((2, 3, 1), (2, 3, 4), (2, 3, 4)), ((33, 1), (33, 65), (33, 65))]:  # fmt: skip
        yield case("select", np.round(normal(*condition)), normal(*a, seed=1), normal(*b, seed=2), exact=True)
    yield case("select", EXTREME, EXTREME[::-1].copy(), EXTREME, exact=True)


def recurrent_cases() -> Iterator[Case]:
    pairs = [("tanh", "sigmoid"), ("relu", "hard_sigmoid"), ("gelu", "silu"), ("linear", "tanh"), ("elu", "softplus")]
    for (rows, units), (function, other) in product([(1, 3), (3, 16), (2, 33)], pairs):
        how = {"function": function, "alpha": 1.0, "recurrent_function": other, "recurrent_alpha": 0.5}
        one, two = normal(rows, units), normal(rows, units, seed=1)
        lstm, gru = normal(rows, 4 * units), normal(rows, 3 * units)
        yield case("lstm_gates", lstm, normal(rows, 4 * units, seed=2), one, **how)
        yield case("gru_gates", gru, normal(rows, 3 * units, seed=2), one, **how)
        yield case("lstm_gates_gradient", one, two, np.abs(lstm) % 1, normal(rows, units, seed=3), **how)
        yield case("gru_gates_gradient", one, np.abs(gru) % 1, normal(rows, 3 * units, seed=2), two, **how)
    for shape, axis in [((3, 4), 0), ((3, 4), 1), ((2, 5, 3), 1), ((7,), 0)]:
        yield case("reverse", normal(*shape), axis=axis, exact=True)


def elementwise_cases() -> Iterator[Case]:
    for shape in SHAPES:
        yield case("square", normal(*shape), exact=True)
        yield case("stop_gradient", normal(*shape), exact=True)
        yield case("logarithm", positive(*shape))
        yield case("reciprocal_sqrt", positive(*shape), epsilon=1e-3)
        for function in TRIGONOMETRIC:
            yield case("trigonometric", normal(*shape, scale=3), function=function)
        for function in WHOLE:
            yield case("whole", np.round(normal(*shape, scale=3) * 4) / 4, function=function, exact=True)
        yield case("clip", normal(*shape), minimum=-0.5, maximum=0.75, exact=True)
    for function in WHOLE:
        yield case("whole", EXTREME, function=function, exact=True)
    yield case("clip", EXTREME, minimum=-1.0, maximum=1.0, exact=True)
    yield case("broadcast", normal(1, 4), shape=(3, 4), exact=True)
    yield case("broadcast", normal(3, 1), shape=(3, 4), exact=True)
    yield case("broadcast", normal(4), shape=(2, 3, 4), exact=True)
    yield case("broadcast", normal(), shape=(2, 3), exact=True)
    yield case("broadcast", normal(2, 3, 1, 2, 1, 4), shape=(2, 3, 2, 2, 3, 4), exact=True)
    yield case("broadcast", normal(2, 1, 4), shape=(3, 2, 5, 4), exact=True)


def sum_cases() -> Iterator[Case]:
    for shape, axes in [((10, 4), (0,)), ((10, 4), (1,)), ((10, 4), (0, 1)), ((33,), (0,)), ((5, 67), (1,)),
                        ((70, 3), (0,)), ((2, 3, 4), (1,)), ((2, 3, 4), (0, 1)), ((2, 3, 4), (1, 2)), ((3, 1), (1,)),
                        ((1, 1), (0,)), ((64, 128), (0,)), ((3, 4), ())]:  # fmt: skip
        yield case("sum", normal(*shape), axes=axes)


def activation_cases() -> Iterator[Case]:
    wide = np.concatenate([EXTREME, normal(100, scale=3), normal(100, scale=30)])
    for name, row in ACTIVATIONS.items():
        alpha = row.default_alpha
        yield case("activation", wide, function=name, alpha=alpha)
        with np.errstate(all="ignore"):
            v = wide if row.from_input else row.value(wide, alpha)
        finite = np.isfinite(v)
        yield case("activation_gradient", normal(int(finite.sum())), v[finite], function=name, alpha=alpha)


def dense_cases() -> Iterator[Case]:
    for n, i, o in [(1, 4, 4), (1, 8, 10), (1, 10, 1), (10, 4, 3), (3, 5, 7), (32, 64, 48), (5, 17, 33), (1, 100, 20)]:
        for function in ("linear", "relu", "sigmoid"):
            yield case("dense", normal(n, i), normal(i, o), normal(o), function=function)
    yield case("dense", np.array([[np.nan, 1]], "f"), normal(2, 5), normal(5), function="relu")


def matmul_cases() -> Iterator[Case]:
    sizes = [(1, 1, 1), (10, 4, 3), (4, 10, 3), (3, 5, 17), (32, 33, 20), (17, 64, 31), (6, 40, 64), (5, 100, 6)]
    for (m, k, n), flip_a, flip_b in product(sizes, (False, True), (False, True)):
        a, b = normal(*((k, m) if flip_a else (m, k))), normal(*((n, k) if flip_b else (k, n)), seed=1)
        yield case("matmul", a, b, transpose_a=flip_a, transpose_b=flip_b)
    for (m, k, n), heads, flips in product([(3, 5, 2), (16, 20, 17)], [(1,), (3,), (2, 3)], range(4)):
        how = {"transpose_a": bool(flips & 1), "transpose_b": bool(flips & 2)}
        a, b = normal(*heads, *((k, m) if flips & 1 else (m, k))), normal(*heads, *((n, k) if flips & 2 else (k, n)))
        yield case("matmul", a, b, **how)
    big = np.full((2, 2, 3), 3e38, "f")  # whose sums overflow, so that their order tells
    yield case("matmul", big, np.float32([[[1], [-1], [1]]] * 2))


def affine_cases() -> Iterator[Case]:
    """Maps near the identity, far outside, not numbers at all; of the nearest pixel those whose places are exact."""
    for (n, h, w, c), fill in product([(3, 5, 6, 1), (2, 4, 9, 3)], FILLS):
        x, near = normal(n, h, w, c), np.float32([1, 0, 0, 0, 1, 0]) + normal(n, 6, seed=2) * np.float32(0.7)
        steps = np.float32([[1, 0, -7, 0, 1, 30], [-1, 0, w - 1, 0, 0.5, 0.25], [0, 1, 2, -2, 0, 0]])[:n]
        wild = np.float32([[1e30, 0, 0, 0, -1e30, 5], [np.nan, 0, 0, 0, 1, 0], [1, 0, 1e9, 0, 1, -1e9]])[:n]
        for maps in (near, steps, wild):
            yield case("affine_transform", x, maps, function=fill, fill_value=-0.5)
            yield case("affine_transform_gradient", x, maps, function=fill)
        for maps in (steps, wild):
            yield case("affine_transform", x, maps, function=fill, fill_value=0.3, bilinear=False, exact=True)
            yield case("affine_transform_gradient", x, maps, function=fill, bilinear=False)


def window_cases() -> Iterator[Case]:
    windows: list[tuple[tuple[int, int], dict[str, tuple[int, ...]]]] = [
        ((3, 3), {"strides": (1, 1), "padding": (1, 1, 1, 1)}), ((2, 3), {"strides": (2, 1), "padding": (1, 0, 0, 2)}),
        ((1, 4), {"strides": (1, 3), "padding": (0, 0, 3, 1)}), ((5, 4), {"strides": (4, 2), "padding": (0, 0, 0, 0)}),
    ]  # fmt: skip
    for n, h, w, c, (size, moved) in [(1, 5, 6, 3, windows[0]), (2, 7, 9, 4, windows[1]), (3, 1, 20, 2, windows[2]),
                                      (2, 9, 8, 8, windows[3]), (2, 6, 6, 16, windows[0])]:  # fmt: skip
        x = normal(n, h, w, c)
        shape = case("max_pool", x, size=size, **moved).graph.types["max_pool"].shape
        dy = normal(*shape, seed=1)
        yield case("max_pool", x, size=size, **moved, exact=True)
        yield case("average_pool", x, size=size, **moved)
        yield case("max_pool_gradient", dy, np.round(x), size=size, **moved)
        yield case("average_pool_gradient", dy, size=size, shape=x.shape, **moved)
        for groups, of_each in ((1, 5), (1, 16), (2, 3), (c, 1), (c, 2)):
            for dilations in ((1, 1), (1, 2)) if w > 12 else ((1, 1),):
                if c % groups == 0:
                    yield from conv_cases(x, size, groups, of_each, dilations=dilations, **moved)


def conv_cases(
    x: Array, size: tuple[int, int], groups: int, of_each: int, **moved: tuple[int, ...]
) -> Iterator[Case]:  # fmt: skip
    kernel = normal(*size, x.shape[3] // groups, groups * of_each, seed=2)
    found = case("conv", x, kernel, normal(groups * of_each, seed=3), groups=groups, **moved, function="relu")
    yield found
    dy = normal(*found.graph.types["conv"].shape, seed=4)
    yield case("conv_input_gradient", dy, kernel, groups=groups, shape=x.shape, **moved)
    yield case("conv_kernel_gradient", x, dy, groups=groups, size=size, **moved)


def shaping_cases() -> Iterator[Case]:
    for shape, order in [((2, 3), (1, 0)), ((2, 3, 4), (0, 2, 1)), ((2, 3, 4, 5), (0, 3, 1, 2)), ((1, 5), (0, 1)),
                         ((2, 1, 3, 1, 2), (4, 0, 3, 2, 1)), ((7,), (0,))]:  # fmt: skip
        yield case("transpose", normal(*shape), permutation=order, exact=True)
    for shape, begin, whole in [((2, 3), (0, 1), (2, 6)), ((3,), (2,), (5,)), ((1, 2, 3), (1, 0, 0), (4, 2, 3)),
                                ((2, 3, 4, 2), (0, 1, 2, 0), (2, 5, 6, 2))]:  # fmt: skip
        yield case("pad", normal(*shape), begin=begin, shape=whole, value=-1.5, exact=True)
        yield case("slice", normal(*whole), begin=begin, shape=shape, exact=True)


def softmax_cases() -> Iterator[Case]:
    for shape in [*SHAPES, (4,), (2, 3, 5)]:
        for scale in (1.0, 40.0):
            x, dy = normal(*shape, scale=scale), normal(*shape, seed=1)
            p = probabilities(*shape)
            yield case("softmax", x)
            yield case("log_softmax", x)
            yield case("softmax_gradient", dy, p)
            yield case("log_softmax_gradient", dy, np.log(p))
    for shape in SHAPES:
        for centered in (True, False):
            x = normal(*shape, scale=3.0) + 1
            yield case("normalize", x, epsilon=1e-3, centered=centered)
            yield case("normalize_gradient", normal(*shape, seed=1), x, epsilon=1e-3, centered=centered)
    spoiled = np.array([[1, np.nan, 2], [np.nan, 0, 1], [np.inf, 1, 2], [-np.inf, 0, 1], [-np.inf] * 3], np.float32)
    yield case("softmax", spoiled)
    yield case("log_softmax", spoiled)


def prepare_cases() -> Iterator[Case]:
    x = normal(5, 3)
    holes = np.where(x > 0.5, np.float32(np.nan), x)
    yield case("impute", holes, normal(3), exact=True)
    yield case("standardize", x, normal(3), positive(3))
    yield case("standardize", normal(1, 20), normal(20), positive(20))
    yield case("batch_normalization", x, normal(3), normal(3, seed=1), normal(3, seed=2), positive(3), epsilon=1e-3)
    yield case("batch_normalization", normal(4, 2, 3), *[positive(2, 3, seed=s) for s in range(4)], epsilon=1e-5)
    yield case("gather", x, indices=(2, 0, 0, 1), exact=True)
    yield case("gather", x, indices=(1,), exact=True)
    yield case("scatter", x, indices=(2, 0, 2), columns=4, exact=True)
    codes = np.array([[0, 1], [2, -1], [0.5, 3], [np.nan, 0], [2, np.inf]], np.float32)
    blocks = {"starts": (0, 3), "sizes": (3, 2)}
    yield case("embedding", codes, normal(5, 3), **blocks, exact=True)
    whole = np.arange(20, dtype=np.float32).reshape(5, 4)  # whose sums are exact
    yield case("embedding_gradient", whole, codes, **blocks, depth=5, exact=True)
    yield case("one_hot", np.array([[0], [2], [1], [5], [-1], [np.nan], [0.5]], np.float32), depth=3, exact=True)
    yield case("concatenate", x, normal(5, 1), normal(5, 7), exact=True)
    moments = np.concatenate([EXTREME, normal(40, scale=1e7), np.arange(-3, 3) * 1440, [1e9, -1e9, -0.5, 59.9]])
    column = moments.astype(np.float32)[:, None]
    yield case("calendar", column, parts=(0, 1, 2, 3), exact=True)
    yield case("calendar", column, parts=(5, 4, 3, 2, 1, 0), units_per_day=1440, epoch_days=19723, exact=True)
    yield case("concatenate", normal(2, 2, 3), normal(2, 2, 1), exact=True)


def _truth(name: str, shape: tuple[int, int], seed: int) -> Array:
    rng = np.random.default_rng(seed)
    n, k = shape
    if LOSSES[name.replace("binary_kl", "kl")].sparse:
        return rng.integers(0, k, (n, 1)).astype(np.float32)
    if "categorical" in name:
        return np.eye(k, dtype=np.float32)[rng.integers(0, k, n)]
    if "hinge" in name:
        return rng.choice([-1.0, 1.0], shape).astype(np.float32)
    if name.startswith("binary"):
        return rng.integers(0, 2, shape).astype(np.float32)
    return np.abs(rng.normal(size=shape)).astype(np.float32)


def loss_cases() -> Iterator[Case]:
    for name, shape in product(LOSSES, [(10, 3), (1, 1), (33, 1), (5, 20)]):
        variants = [{}]
        if "crossentropy" in name:
            variants = [{"from_logits": f, "label_smoothing": s} for f in (False, True) for s in (0.0, 0.1)]
        if name == "huber":
            variants = [{"delta": 0.3}, {"delta": 1.0}]
        if "focal" in name:
            variants = [{**v, "gamma": g} for v, g in zip(variants, (2.0, 1.5, 0.0, 3.0), strict=True)]
        if name == "binary_focal_crossentropy":
            variants += [{"from_logits": False, "apply_class_balancing": True, "alpha": 0.7}]
        if name == "categorical_generalized_cross_entropy":
            variants = [{"q": 0.3}, {"q": 0.7}]
        for seed, options in enumerate(variants):
            is_probability = "crossentropy" in name and not options.get("from_logits")
            is_probability = is_probability or name in (
                "kl_divergence",
                "poisson",
                "categorical_generalized_cross_entropy",
            )
            p = probabilities(*shape, seed=seed) if is_probability else normal(*shape, seed=seed)
            if shape[1] == 1 and is_probability:
                p = np.float32(0.5) * probabilities(shape[0], 2, seed=seed)[:, :1]
            t, d = _truth(name, shape, seed), normal(shape[0], seed=5)
            yield case("loss", t, p, function=name, **options)
            yield case("loss_gradient", d, t, p, function=name, **options)


def loss_edge_cases() -> Iterator[Case]:
    p = np.array([0, 1, 0.5, 1e-9, 1 - 1e-9, np.nan], np.float32)[:, None]
    for t in (0.0, 1.0):
        truth = np.full_like(p, t)
        yield case("loss", truth, p, function="binary_crossentropy")
        yield case("loss_gradient", np.ones(6, "f"), truth, p, function="binary_crossentropy")
    logits = np.array([[0, 200, -200], [1e4, 0, -1e4], [np.nan, 0, 0]], np.float32)
    for name in ("sparse_categorical_crossentropy",):
        labels = np.array([[0], [2], [7]], np.float32)  # a class that does not exist costs nothing
        yield case("loss", labels, logits, function=name, from_logits=True)
        yield case("loss_gradient", np.ones(3, "f"), labels, logits, function=name, from_logits=True)
        yield case("loss", labels, probabilities(3, 3), function=name)
        yield case("loss_gradient", np.ones(3, "f"), labels, probabilities(3, 3), function=name)
    certain = np.array([[1, 0, 0], [0, 1, 0]], np.float32)
    for t in (certain, certain[::-1].copy()):
        yield case("loss", t, certain, function="categorical_crossentropy")
        yield case("loss_gradient", np.ones(2, "f"), t, certain, function="categorical_crossentropy")


def cross_entropy_cases() -> Iterator[Case]:
    for name, shape, smoothing in product(CROSS_ENTROPIES, [(10, 3), (1, 1), (33, 1), (5, 20)], (0.0, 0.1)):
        t, d = _truth(name, shape, 1), normal(shape[0], seed=5)
        z = normal(*shape, scale=40.0)  # far beyond what a probability holds
        p = sigmoid(z) if name.startswith("binary") else np.exp(log_softmax(z))
        how = {"function": name, "label_smoothing": smoothing, "gamma": 1.5 + smoothing, "q": 0.3}
        how["apply_class_balancing"] = smoothing > 0
        yield case("cross_entropy", t, z, p, **how)
        yield case("cross_entropy_gradient", d, t, p, **how)
    unknown, z = np.array([[7], [1]], np.float32), np.array([[1, 2, 3], [np.nan, 0, 0]], np.float32)
    p = np.exp(log_softmax(z))  # a class that does not exist costs nothing
    yield case("cross_entropy", unknown, z, p, function="sparse_categorical_crossentropy")
    yield case("cross_entropy_gradient", np.ones(2, "f"), unknown, p, function="sparse_categorical_crossentropy")


def metric_cases() -> Iterator[Case]:
    ties = np.array([[1, 1, 0], [0, 1, 1], [0, np.nan, 5], [2, 1, 2]], np.float32)
    for name in METRICS:
        for shape in [(4, 3), (9, 1), (20, 11)]:
            p = ties if shape == (4, 3) else probabilities(*shape)
            truth = {"binary_accuracy": (normal(*shape) > 0).astype("f"), "categorical_accuracy": normal(*shape)}
            sparse = np.random.default_rng(0).integers(0, shape[1], (shape[0], 1)).astype("f")
            yield case("metric", truth.get(name, sparse), p, function=name, exact=True)
    yield case(
        "metric",
        (normal(6, 2) > 0).astype("f"),
        normal(6, 2),
        function="binary_accuracy",
        threshold=0.25,
        exact=True,
    )


def training_cases() -> Iterator[Case]:
    for shape in [(3,), (4, 5), (33, 7)]:
        for l1, l2 in [(0.0, 0.1), (0.01, 0.0), (0.01, 0.1)]:
            yield case("penalty", normal(*shape), l1=l1, l2=l2)
            yield case("penalty_gradient", normal(), normal(*shape), l1=l1, l2=l2)
    yield case("penalty_gradient", normal(), EXTREME, l1=0.1, l2=0.1)
    seed, step = np.array(12345, np.uint32), np.array(2**32 - 5, np.uint32)
    for shape, rate in [((3,), 0.5), ((10, 4), 0.2), ((7, 33), 0.9), ((1,), 0.0)]:
        yield case("dropout_mask", seed, step, shape=shape, rate=rate, stream=3, exact=True)
    for shape in [(3,), (10, 4), (7, 33), (1,)]:
        yield case("noise", seed, step, shape=shape, stream=3)
    drawn = {"translation": (-0.3, 0.2), "rotation": (-1.0, 1.0), "zoom": (0.4, 1.9), "flip": (0.0, 1.0)}
    for function, (low, high) in drawn.items():
        how = {"function": function, "size": (9, 14), "low": (low, 0.75 * low), "high": (high, 0.0), "stream": 2}
        for together in (False, True):
            yield case("random_affine", seed, step, shape=(27, 6), together=together, exact=function == "flip", **how)
    yield case("count", step)
    yield case("count", np.array(2**32 - 1, np.uint32))


def update_cases() -> Iterator[Case]:
    lr = np.float32(0.01).reshape(())
    for shape in [(3,), (4, 4), (5, 13)]:
        w, g = normal(*shape), normal(*shape, seed=1)
        m, v, u = normal(*shape, seed=2), positive(*shape, seed=3), positive(*shape, seed=4)
        yield case("sgd_update", w, g, lr)
        for nesterov in (False, True):
            yield case("momentum_update", w, g, m, lr, momentum=0.9, nesterov=nesterov)
        yield case("rmsprop_update", w, g, v, lr)
        yield case("rmsprop_update", w, g, v + 1, m, lr, centered=True)
        yield case("rmsprop_update", w, g, v, m, lr, momentum=0.9)
        yield case("rmsprop_update", w, g, v + 1, m, u, lr, momentum=0.9, centered=True)
        yield case("adagrad_update", w, g, v, lr)
        yield case("adam_update", w, g, m, v, lr)
        yield case("adam_update", w, g * 0, m * 0, v * 0, lr)
        yield case("amsgrad_update", w, g, m, v, u, lr)
        yield case("adamax_update", w, g, m, u, lr)
        p1, p2, p3 = (np.float32(x).reshape(()) for x in (0.96**3, 0.8, 0.999**3))
        yield case("nadam_update", w, g, m, v, lr, p1, p2, p3)
        yield case("lion_update", w, g, m, lr)
        yield case("adadelta_update", w, g, v, u, lr)
        for power in (0.5, 0.0, 0.7):
            yield case("ftrl_update", w, g, v, m, lr, power=power)
        yield case("ftrl_update", w, g, v, m, lr, l1=0.5, l2=0.1, l2_shrinkage=0.2, beta=0.3)
        yield case("lamb_update", w, g, m, v, lr, p2, p3)
        yield case("lamb_update", w * 0, g, m, v, lr, p2, p3)
        time = np.float32(7).reshape(())
        means = (v.mean(axis=1), v.mean(axis=0)) if v.ndim == 2 else ()
        yield case("adafactor_update", w, g, *means, v, lr, time)
        yield case("adafactor_update", w, 9 * g, *means, v, lr, time / 7, clip_threshold=0.5)
        yield case("decay", w, lr, rate=0.1)
        yield case("norm", w, g, m)
    for p in (1.0, 0.5, 1e-30, 0.0):
        power = np.float32(p).reshape(())
        yield case("power_step", power, beta=0.9, exact=True)
        yield case("nadam_product", power, np.float32(0.5).reshape(()), beta_1=0.9, exact=True)
    yield case("adam_alpha", lr, np.float32(0.9).reshape(()), np.float32(0.999).reshape(()))
    yield case("adamax_alpha", lr, np.float32(0.9).reshape(()))
    for norm in (0.0, 0.5, 3.0, np.inf, np.nan):
        yield case("clip_scale", np.float32(norm).reshape(()), limit=1.0)


FAMILIES = {
    "recurrent": (recurrent_cases,),
    "arithmetic": (binary_cases, choosing_cases, elementwise_cases, sum_cases),
    "linear": (dense_cases, matmul_cases),
    "windows": (window_cases, shaping_cases, affine_cases),
    "functions": (activation_cases, softmax_cases, prepare_cases),
    "losses": (loss_cases, loss_edge_cases, cross_entropy_cases, metric_cases),
    "training": (training_cases, update_cases),
    "integers": (integer_cases,),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_kernels_give_what_the_meaning_gives(family):
    check([item for cases in FAMILIES[family] for item in cases()])


def test_products_with_the_kernels_of_this_machine():
    cases = [*dense_cases(), *matmul_cases()]
    for m, k, n, flips in product((4, 5, 11, 12, 13, 31), (1, 3, 6), (1, 4, 7, 15, 16, 31, 33, 70), range(4)):
        a, b = normal(m, k), normal(k, n, seed=1)
        how = {"transpose_a": bool(flips & 1), "transpose_b": bool(flips & 2)}
        flipped = (a.T.copy() if flips & 1 else a), (b.T.copy() if flips & 2 else b)
        if (m + k + n + flips) % 3 == 0:
            cases.append(case("matmul", *flipped, **how))
    check(cases, target=THIS_MACHINE)


def wide_cases() -> Iterator[Case]:
    """Rows as long as vectors, of all lengths up to three of the widest, a NaN at each place of one; and many rows, of
    which threads have a part each."""
    for rows, columns in [(1, 16), (3, 17), (9, 31), (8, 32), (17, 64), (10, 47), (300, 65)]:
        x, dy = normal(rows, columns, scale=20.0), normal(rows, columns, seed=1)
        yield case("softmax", x)
        yield case("softmax_gradient", dy, probabilities(rows, columns))
        for centered in (True, False):
            yield case("normalize", x + 1, epsilon=1e-3, centered=centered)
            yield case("normalize_gradient", dy, x + 1, epsilon=1e-3, centered=centered)
    yield case("softmax", np.where(np.eye(19, dtype=bool), np.float32(np.nan), normal(19, 19)))
    yield case("softmax", np.concatenate([EXTREME[:24], -EXTREME[:24]]).reshape(2, 24))
    for n, order in product((3, 600), [(0, 2, 1, 3), (2, 1, 0, 3), (1, 2, 0, 3), (0, 1, 2, 3)]):
        yield case("transpose", normal(2, n, 4, 19), permutation=order, exact=True)
    yield case("transpose", normal(2, 3, 2, 2, 17), permutation=(3, 1, 0, 2, 4), exact=True)
    for begin, shape in [((0, 0, 3), (2, 4, 17)), ((1, 2, 0), (29, 30, 20)), ((0, 1, 4), (3, 1, 16))]:
        yield case("slice", normal(30, 33, 20), begin=begin, shape=shape, exact=True)
    for shape in [(7, 9), (64, 1), (13, 65), (20011,)]:
        yield case("dropout_mask", np.uint32(3), np.uint32(8), shape=shape, rate=0.3, stream=5, exact=True)
    for operand in (normal(300, 65, seed=1), normal(65), normal(300, 1), normal()):
        yield case("subtract", normal(300, 65), operand, exact=True)
    yield case("multiply", normal(20011), normal(20011, seed=1), exact=True)


@pytest.mark.parametrize("threads", [1, 2])
def test_long_rows_with_the_kernels_of_this_machine(threads: int, monkeypatch: pytest.MonkeyPatch):
    for module in (site, calls_windows, calls_training, broadcast):
        monkeypatch.setattr(module, "SHARED_ELEMENTS", 1)
    broadcasting = [item for item in (*binary_cases(), *choosing_cases()) if item.graph.name in ("add", "select")]
    check([*wide_cases(), *broadcasting], target=replace(THIS_MACHINE, threads=threads), linked=True)


@pytest.mark.skipif(bool(sanitized.missing()), reason=sanitized.missing() or "sanitizers")
def test_no_kernel_of_long_rows_reads_or_writes_beside_its_arrays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sanitized, "generate", partial(generate, target=THIS_MACHINE))
    sanitized.run_sanitized([item.graph for item in wide_cases()], tmp_path)


def test_every_float_operation_is_tried():
    tried = {item.graph.nodes[0].operation for family in FAMILIES.values() for cases in family for item in cases()}
    assert tried >= (set(FLOAT_CALLS) | set(WINDOW_CALLS) | set(TRAINING_CALLS)) - SCHEDULED


LENGTH = st.one_of(st.integers(1, 5), st.integers(1, 70))


@settings(max_examples=2, deadline=None, phases=[Phase.generate])
@given(st.lists(st.tuples(st.integers(1, 12), LENGTH, LENGTH), min_size=8, max_size=8, unique=True))
def test_shapes_of_all_kinds(sizes):
    cases = []
    for n, i, o in sizes:
        x, w, dy = normal(n, i), normal(i, o), normal(n, o, seed=1)
        cases += [
            case("dense", x, w, normal(o), function="tanh"),
            case("matmul", x, dy, transpose_a=True),
            case("matmul", dy, w, transpose_b=True),
            case("softmax", x),
            case("sum", x, axes=(0,)),
            case("sum", x, axes=(1,)),
            case("dropout_mask", np.uint32(i), np.uint32(o), shape=(n, i), rate=0.3, exact=True),
        ]
    check(cases)
