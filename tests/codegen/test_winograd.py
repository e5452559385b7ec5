# SPDX-License-Identifier: Apache-2.0
"""Convolutions by Winograd's transforms: what they give, when they are chosen, and that nothing else changes a bit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from edgeling.codegen import calls_convolutions, calls_winograd, generate
from edgeling.graph.builder import GraphBuilder
from edgeling.graph.types import Graph
from edgeling.targets import get
from edgeling.toolchain.native import THIS_MACHINE, load, sharing_units
from tests.codegen import harness
from tests.codegen.harness import Case, check
from tests.codegen.test_kernels_windows import conv_cases, normal
from tests.support import sanitized
from tests.support.sanitized import missing

TWO_THREADS = replace(THIS_MACHINE, threads=2)


def cases() -> list[Case]:
    return [item for item in convolutions() if "kernel_gradient" not in item.title]


def convolutions() -> Iterator[Case]:
    """Every width of a vector and of a panel, tiles that are whole and not, all kinds of borders."""
    for channels, outputs in ((4, 8), (12, 4), (16, 20), (28, 16), (32, 48), (8, 68)):
        image = (2, channels % 7 + 3, outputs % 9 + 3, channels)
        yield from conv_cases(image, (3, 3), outputs, padding=(1, 1, 1, 1), function="relu")
    for padding in ((0, 0, 0, 0), (0, 1, 2, 0), (2, 2, 2, 2), (3, 0, 0, 3)):
        yield from conv_cases((3, 6, 5, 8), (3, 3), 12, padding=padding, function="relu6")
    yield from conv_cases((1, 3, 1, 4), (3, 3), 4, padding=(0, 0, 1, 1), function="sigmoid")  # fewer than a tile's
    yield from conv_cases((5, 12, 12, 4), (3, 3), 8, padding=(1, 1, 1, 1))  # blocks of several images


def of_size(monkeypatch: pytest.MonkeyPatch, size: int | None) -> None:
    monkeypatch.setattr(calls_winograd, "tile_size", lambda *_: size)


@pytest.mark.parametrize(
    ("size", "target"), [(2, THIS_MACHINE), (4, THIS_MACHINE), (4, TWO_THREADS)], ids=["two", "four", "threads"]
)
def test_they_give_what_a_convolution_means(size: int, target, monkeypatch) -> None:
    of_size(monkeypatch, size)
    monkeypatch.setattr(harness, "SAMPLES", 20)  # of few, some spreads are far too small
    monkeypatch.setattr(calls_convolutions, "SHARED_PRODUCTS", 1)
    check(cases(), target=target, linked=True)


@pytest.mark.parametrize(
    ("positions", "channels", "outputs", "size"),
    [
        ((32, 32), 16, 16, 4), ((16, 16), 32, 32, 4), ((8, 8), 64, 64, 4),  # ResNet-8's
        ((6, 6), 32, 32, 2),  # four tiles of 4 would be half empty
        ((2, 2), 64, 64, None), ((32, 32), 4, 4, None), ((96, 96), 4, 8, None),
        ((8, 8), 256, 256, 2), ((8, 8), 512, 512, None),  # kernels that no cache would hold
    ],
)  # fmt: skip
def test_tiles_are_chosen_by_counting(positions, channels: int, outputs: int, size: int | None) -> None:
    assert calls_winograd.tile_size(positions, channels, outputs) == size


def test_a_kernel_that_is_transformed_in_each_call_has_to_pay_for_it() -> None:
    assert calls_winograd.tile_size((4, 4), 64, 64) == 4
    assert calls_winograd.tile_size((4, 4), 64, 64, is_packed=False) is None
    assert calls_winograd.tile_size((8, 8), 64, 64, is_packed=False) == 4


def convolution(images: int, **how: object) -> Graph:
    x, b = (images, 16, 16, 16), GraphBuilder("net")
    attributes = {"strides": (1, 1), "padding": (1, 1, 1, 1), "dilations": (1, 1), "groups": 1, "function": "relu"}
    kernel = b.constant(normal(3, 3, 16, 32, seed=1))
    return b.build([b.add("conv", b.input("x", x), kernel, b.constant(normal(32, seed=2)), **{**attributes, **how})])


def has_transform(graph: Graph, target) -> bool:
    return "edgeling/winograd.h" in generate(graph, "net", target=target).files


def test_only_windows_of_three_by_three_that_move_by_one_and_only_on_this_machine() -> None:
    assert has_transform(convolution(1), THIS_MACHINE)
    for how in ({"strides": (2, 2)}, {"dilations": (2, 2)}):
        assert not has_transform(convolution(1, **how), THIS_MACHINE)
    for target in (None, get("cortex-m4"), get("wasm32-simd128")):  # kernels would take four times the flash
        assert not has_transform(convolution(1), target)


def test_a_rows_bits_depend_neither_on_other_rows_nor_on_threads(monkeypatch) -> None:
    monkeypatch.setattr(calls_convolutions, "SHARED_PRODUCTS", 1)
    x = normal(5, 16, 16, 16)
    found = []
    for rows, target in ((1, THIS_MACHINE), (5, THIS_MACHINE), (5, TWO_THREADS)):
        program = load(generate(convolution(rows), "net", target=target), units=sharing_units(), linked=True)
        answers = np.empty((5, 16, 16, 32), np.float32)
        for first in range(0, 5, rows):
            program.function("net_run")(x[first : first + rows], answers[first : first + rows])
        found.append(answers)
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])


@pytest.mark.skipif(bool(missing()), reason=missing() or "sanitizers")
def test_nothing_is_read_or_written_beside_its_arrays(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(sanitized, "generate", partial(generate, target=THIS_MACHINE))
    for size in calls_winograd.POINTS:
        of_size(monkeypatch, size)
        (tmp_path / str(size)).mkdir()
        sanitized.run_sanitized([item.graph for item in cases()[1::3]], tmp_path / str(size))
