# SPDX-License-Identifier: Apache-2.0
"""A depthwise convolution and the one of one pixel behind it, as one call with what is between them never whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from edgeling.codegen import calls_convolutions, calls_separable, generate
from edgeling.graph import Graph
from edgeling.graph.builder import GraphBuilder
from edgeling.toolchain.native import THIS_MACHINE
from tests.codegen.harness import Case, check
from tests.support import sanitized
from tests.support.sanitized import missing


def pair(
    image: tuple[int, int, int, int], outputs: int, *, size: tuple[int, int] = (3, 3), functions: str = "relu linear",
    keeps_first: bool = False, **moved: object,
) -> Case:  # fmt: skip
    rng, channels = np.random.default_rng(0), image[3]
    x, (first, second) = rng.normal(size=image).astype(np.float32), functions.split()
    b = GraphBuilder("net")
    kernel, bias = b.constant(rng.normal(size=(*size, 1, channels))), b.constant(rng.normal(size=channels))
    between = b.add("conv", b.input("x", image), kernel, bias, groups=channels, function=first, **moved)
    kernel, bias = b.constant(rng.normal(size=(1, 1, channels, outputs))), b.constant(rng.normal(size=outputs))
    y = b.add("conv", between, kernel, bias, function=second)
    return Case(b.build([y, between] if keeps_first else [y]), (x,), f"{image} {outputs} {functions} {moved}")


def cases() -> Iterator[Case]:
    same = {"padding": (1, 1, 1, 1)}
    for channels, outputs in ((4, 1), (8, 16), (11, 8), (16, 33), (37, 5), (64, 64), (70, 12)):
        yield pair((2, 9, 7, channels), outputs, **same, functions="relu6 relu")
    yield pair((2, 48, 48, 8), 16, **same)  # several blocks of rows
    yield pair((1, 7, 300, 16), 4, strides=(2, 2), padding=(0, 1, 0, 1))  # a row is more than a block
    yield pair((3, 31, 1, 40), 24, size=(5, 1))
    yield pair((1, 8, 9, 20), 6, dilations=(2, 3), padding=(2, 2, 3, 3), functions="linear sigmoid")


@pytest.fixture(autouse=True)
def however_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls_separable, "LEAST_BETWEEN", 1)


def is_one_call(graph: Graph) -> bool:
    return "edgeling_separable(" in generate(graph, "net", target=THIS_MACHINE).files["net.c"]


def test_both_at_once_give_what_the_graph_means(monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(is_one_call(item.graph) for item in cases())
    check([*cases()], target=THIS_MACHINE, linked=True)
    monkeypatch.setattr(calls_convolutions, "SHARED_PRODUCTS", 1)
    check([*cases()], target=replace(THIS_MACHINE, threads=2), linked=True)


def test_what_lies_between_takes_no_memory_but_for_some_rows() -> None:
    for image in ((1, 48, 48, 8), (8, 48, 48, 8)):
        whole = int(np.prod(image))
        program = generate(pair(image, 8, padding=(1, 1, 1, 1)).graph, "net", target=THIS_MACHINE)
        assert program.arena_bytes <= 4 * calls_separable.FLOATS < 4 * whole


def test_a_pair_is_left_alone_where_the_first_is_wanted_too_or_limits_nothing() -> None:
    same = {"padding": (1, 1, 1, 1)}
    assert is_one_call(pair((1, 9, 7, 8), 4, **same).graph)
    left = (pair((1, 9, 7, 8), 4, keeps_first=True, **same), pair((1, 9, 7, 8), 4, functions="tanh relu", **same))
    assert not any(is_one_call(item.graph) for item in left)
    check([*left], target=THIS_MACHINE, linked=True)


def test_small_images_between_stay_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls_separable, "LEAST_BETWEEN", 8192)
    assert not is_one_call(pair((1, 25, 5, 64), 64, padding=(1, 1, 1, 1)).graph)
    assert is_one_call(pair((1, 24, 24, 32), 32, padding=(1, 1, 1, 1)).graph)


def stack(image: tuple[int, int, int, int], size: tuple[int, int], keeps_image: bool = False, **moved: object) -> Case:
    """Two pairs of as many rows, columns and channels as the image they begin with, which is made first."""
    rng, channels = np.random.default_rng(1), image[3]
    b = GraphBuilder("net")
    y = given = b.add("activation", b.input("x", image), function="tanh")
    for function in ("relu6", "elu"):
        kernel, bias = b.constant(rng.normal(size=(*size, 1, channels))), b.constant(rng.normal(size=channels))
        y = b.add("conv", y, kernel, bias, groups=channels, function=function, **moved)
        y = b.add("conv", y, b.constant(rng.normal(size=(1, 1, channels, channels))), bias, function="relu")
    graph = b.build([b.add("add", y, given) if keeps_image else y])
    return Case(graph, (rng.normal(size=image).astype(np.float32),), f"{image} {size} {moved}")


def test_without_vectors_a_result_takes_the_place_of_its_image() -> None:
    images = [
        stack((1, 25, 5, 8), (3, 3), padding=(1, 1, 1, 1)),
        stack((2, 9, 4, 11), (5, 2), padding=(3, 1, 0, 1)),
        stack((1, 12, 3, 4), (3, 1), dilations=(2, 1), padding=(4, 0, 0, 0)),  # nothing of the rows below
        stack((1, 12, 3, 4), (3, 1), padding=(0, 2, 0, 0)),  # nor of those above
    ]
    check([*images, stack((1, 9, 7, 8), (3, 3), keeps_image=True, padding=(1, 1, 1, 1))])
    for item in images:
        program = generate(item.graph, "net")
        _, _, *of_row = item.inputs[0].shape
        kept = item.graph.nodes[1].attributes["padding"][0] + 1
        assert program.files["net.c"].count("edgeling_separable_rows(") == 2
        assert program.arena_bytes == 4 * (item.inputs[0].size + kept * int(np.prod(of_row)))  # one image, some rows


@pytest.mark.skipif(bool(missing()), reason=missing() or "sanitizers")
def test_no_element_beside_its_arrays_is_read_or_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sanitized, "generate", partial(generate, target=THIS_MACHINE))
    sanitized.run_sanitized([item.graph for item in cases()], tmp_path)


@pytest.mark.skipif(bool(missing()), reason=missing() or "sanitizers")
def test_nor_without_vectors(tmp_path: Path) -> None:
    images = stack((2, 9, 4, 11), (5, 2), padding=(3, 1, 0, 1)), stack((1, 7, 7, 8), (3, 3), padding=(1, 1, 1, 1))
    sanitized.run_sanitized([item.graph for item in images], tmp_path)
