# SPDX-License-Identifier: Apache-2.0
"""Convolutions and batch normalisation with the kernels of this machine, for one thread and in parts for several."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from edgeling.codegen import calls_convolutions, calls_normalizing, calls_windows, generate
from edgeling.graph.builder import GraphBuilder
from edgeling.graph.types import Array
from edgeling.graph.windows import Window
from edgeling.toolchain.native import THIS_MACHINE
from tests.codegen.harness import Case, case, check
from tests.codegen.test_kernels import window_cases
from tests.support import sanitized
from tests.support.sanitized import missing

TWO_THREADS = replace(THIS_MACHINE, threads=2)
Pair = tuple[int, int]


def normal(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def conv_cases(
    image: tuple[int, int, int, int], size: Pair, outputs: int, strides: Pair = (1, 1), dilations: Pair = (1, 1),
    padding: tuple[int, int, int, int] = (0, 0, 0, 0), groups: int = 1, function: str = "linear",
) -> Iterator[Case]:  # fmt: skip
    """A convolution of the caller's arrays, one of constant kernel and bias, and its gradients."""
    x, kernel = normal(*image), normal(*size, image[3] // groups, outputs, seed=1)
    bias, moved = normal(outputs, seed=2), {"strides": strides, "padding": padding, "dilations": dilations}
    how = {**moved, "groups": groups}
    found = case("conv", x, kernel, bias, function=function, **how)
    yield found
    b = GraphBuilder("conv")
    held = b.add("conv", b.input("x", x.shape), b.constant(kernel), b.constant(bias), function=function, **how)
    yield Case(b.build([held]), (x,), f"{found.title}, constants")
    dy = normal(*found.graph.types["conv"].shape, seed=3)
    yield case("conv_input_gradient", dy, kernel, shape=x.shape, **how)
    yield case("conv_kernel_gradient", x, dy, size=size, **how)


def drawn_cases(seed: int) -> Iterator[Case]:
    """Anything a window may be, on images that it fits."""
    dice = np.random.default_rng(seed)
    while True:
        groups = int(dice.choice([1, 1, 2, 3]))
        channels, outputs = (groups * int(dice.integers(1, 20)) for _ in range(2))
        if dice.random() < 0.3:
            groups = outputs = channels = int(dice.choice([1, 3, 4, 5, 8, 12, 16, 19, 37]))
        image = (int(dice.integers(1, 4)), *(int(n) for n in dice.integers(1, 20, 2)), channels)
        size = tuple(int(n) for n in dice.integers(1, 5, 2))
        strides, dilations = (tuple(int(n) for n in dice.choice([1, 1, 2, 3], 2)) for _ in range(2))
        padding = tuple(int(n) for n in dice.integers(0, 4, 4))
        if min(Window(size, strides, padding, dilations).positions(image[1:3])) >= 1:
            function = str(dice.choice(["linear", "relu", "relu6", "sigmoid"]))
            yield from conv_cases(image, size, outputs, strides, dilations, padding, groups, function)
            return


def plain_cases() -> Iterator[Case]:
    """Wide, narrow and deep: every width of a tile, every rest, borders on all sides and on none."""
    for width in (1, 2, 7, 13, 14, 27):
        yield from conv_cases((2, 3, width, 3), (3, 3), 36, padding=(1, 1, 1, 1), function="relu")
    for outputs in (1, 2, 5, 8, 12, 31, 32, 33, 50, 70):
        yield from conv_cases((1, 4, 5, 2), (2, 2), outputs)
        yield from conv_cases((2, 3, 4, 7), (1, 1), outputs, function="relu6")
    yield from conv_cases((5, 7, 7, 130), (1, 1), 36, function="relu")  # several blocks of all images' positions
    yield from conv_cases((9, 1, 1, 20), (1, 1), 8)
    for channels in (4, 6, 11, 16, 33, 70):
        yield from conv_cases((2, 12, 5, channels), (3, 3), channels, padding=(1, 1, 1, 1), groups=channels)
        yield from conv_cases((1, 9, 8, channels), (3, 2), channels, (2, 2), padding=(0, 1, 1, 0), groups=channels)
    for width in (1, 2, 9, 20):  # three columns, by one and by two
        yield from conv_cases((1, 4, width, 12), (3, 3), 12, padding=(1, 1, 1, 1), groups=12, function="relu6")
        yield from conv_cases((1, 5, width, 36), (3, 3), 36, (2, 2), padding=(1, 1, 1, 1), groups=36)
    yield from conv_cases((2, 25, 10, 1), (10, 4), 20, (2, 2), padding=(4, 4, 1, 1))  # rows from above and below
    yield from conv_cases((1, 60, 40, 4), (3, 3), 8, padding=(1, 1, 1, 1))  # several blocks of padded rows
    yield from conv_cases((2, 6, 51, 3), (3, 3), 8, (2, 2), padding=(0, 1, 0, 1), function="relu6")  # terms in pairs
    yield from conv_cases((1, 4, 26, 2), (2, 2), 8, padding=(1, 0, 0, 0), function="relu")
    yield from conv_cases((2, 40, 1, 24), (5, 1), 24, (2, 1), padding=(2, 1, 0, 0), groups=24)  # columns laid down
    yield from conv_cases((1, 28, 1, 5), (3, 1), 9, padding=(1, 1, 0, 0))
    yield from conv_cases((1, 7, 7, 5), (1, 1), 8, (3, 2))  # pixels that nobody sees
    yield from conv_cases((3, 2, 2, 6), (3, 3), 4, padding=(2, 2, 2, 2))


def pool_cases() -> Iterator[Case]:
    for channels in (1, 16, 19, 40):
        x, moved = np.round(2 * normal(5, 7, 6, channels)), {"size": (3, 2), "strides": (2, 1), "padding": (1, 1, 0, 1)}
        dy = normal(*case("max_pool", x, **moved).graph.types["max_pool"].shape, seed=1)
        spoiled = np.where(x == 2, np.float32(np.nan), x)
        yield case("max_pool", x, **moved, exact=True)
        yield case("average_pool", x, **moved)
        yield case("max_pool_gradient", dy, x, **moved)
        yield case("max_pool_gradient", dy, spoiled, **moved)
        yield case("average_pool_gradient", dy, shape=x.shape, **moved)


def batch_cases() -> Iterator[Case]:
    for shape in ((1, 3), (7, 1), (64, 5), (65, 16), (9, 8, 3, 21), (300, 4), (2, 3, 43)):
        x, columns = 3 * normal(*shape) + 2, shape[-1]
        gamma, beta = normal(columns, seed=1), normal(columns, seed=2)
        share = np.float32(columns / x.size).reshape(())
        rows = x.reshape(-1, columns).astype(np.float64)
        moments = rows.mean(axis=0).astype(np.float32), rows.var(axis=0).astype(np.float32)
        for function in ("linear", "relu", "relu6"):
            how = {"epsilon": 1e-3, "function": function}
            yield case("normalize_batch", x, gamma, beta, share, **how)
            yield case("batch_normalization", x, gamma, beta, *moments, epsilon=1e-3)
            yield case("normalize_batch_gradient", normal(*shape, seed=3), x, gamma, beta, *moments, share, **how)


FAMILIES = {
    "known": window_cases,
    "plain": plain_cases,
    "drawn": lambda: [item for seed in range(40) for item in drawn_cases(seed)],
    "pools": pool_cases,
    "batch": batch_cases,
}


@pytest.mark.parametrize("target", [THIS_MACHINE, TWO_THREADS], ids=["one", "two"])
@pytest.mark.parametrize("family", FAMILIES)
def test_kernels_of_this_machine_give_what_the_meaning_gives(family: str, target, monkeypatch) -> None:
    monkeypatch.setattr(calls_windows, "SHARED_ELEMENTS", 1)
    for calls, least in ((calls_convolutions, "SHARED_PRODUCTS"), (calls_normalizing, "SHARED_ELEMENTS")):
        monkeypatch.setattr(calls, least, 1)
    check([*FAMILIES[family]()], target=target, linked=True)


def test_portable_batch_normalisation() -> None:
    check([*batch_cases()])


def test_every_window_has_a_kernel_with_vectors() -> None:
    """But those that have strides and dilations along one axis, and several outputs for each of many channels."""
    slow = {"conv_depthwise", "conv", "conv_gradient"}
    for item in plain_cases():
        program = generate(item.graph, "net", target=THIS_MACHINE)
        assert not {f"edgeling/{name}.h" for name in slow} & set(program.files), item.title


@pytest.mark.skipif(bool(missing()), reason=missing() or "sanitizers")
def test_no_kernel_of_this_machine_reads_or_writes_beside_its_arrays(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(sanitized, "generate", partial(generate, target=THIS_MACHINE))
    drawn = [item for seed in range(100, 112) for item in drawn_cases(seed)]
    sanitized.run_sanitized([item.graph for item in (*drawn, *pool_cases(), *batch_cases())], tmp_path)
