# SPDX-License-Identifier: Apache-2.0
"""Dense layers of constants with the kernels of this machine: of one row that a rectifier made, what meets its zeros is
not read; of several rows the kernel's panels are packed. Answers are as they were."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from edgeling.codegen import generate
from edgeling.graph.builder import GraphBuilder
from edgeling.graph.types import Array, Graph
from edgeling.toolchain.native import THIS_MACHINE, load
from tests.codegen.harness import Case, check
from tests.support import sanitized

RECTIFIED, PACKED = "edgeling/dense_rectified.h", "edgeling_dense_packed("


def normal(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


def layers(inputs: int, outputs: int, function: str = "linear", rows: int = 1, kernel: Array | None = None) -> Graph:
    b = GraphBuilder("layers")
    rectified = b.add("activation", b.input("x", (rows, inputs)), function="relu", alpha=0.0)
    held = b.constant(normal(inputs, outputs, seed=1) if kernel is None else kernel)
    return b.build([b.add("dense", rectified, held, b.constant(normal(outputs, seed=2)), function=function, alpha=0.0)])


def packed_cases() -> Iterator[Case]:
    """Every width of a tile and every rest of columns and rows."""
    for outputs in (1, 3, 4, 7, 12, 16, 20, 31, 39, 64, 66):
        for rows in (4, 7, 19):
            x = normal(rows, 21, seed=outputs)
            yield Case(layers(21, outputs, "relu", rows), (x,), f"{rows} rows to {outputs}")
    yield Case(layers(130, 40, "sigmoid", 32), (normal(32, 130),), "sigmoid")


def rectified_cases() -> Iterator[Case]:
    """Every width of a tile and every rest, several blocks of terms; nothing but zeros, none, and NaN among them."""
    for inputs, outputs in [(64, 16), (70, 129), (128, 640), (300, 77), (33, 35), (257, 31)]:
        for function in ("linear", "sigmoid"):
            yield Case(layers(inputs, outputs, function), (normal(1, inputs),), f"{inputs} {outputs} {function}")
    graph = layers(128, 48)
    for spoiled in (-1.0, 1.0, np.inf, np.nan):
        x = normal(1, 128)
        x[:, 5:] = spoiled
        yield Case(graph, (x,), f"{spoiled}")


def test_answers_are_what_the_meaning_gives() -> None:
    rectified, packed = list(rectified_cases()), list(packed_cases())
    check([*rectified, *packed], target=THIS_MACHINE, linked=True)
    assert all(RECTIFIED in generate(item.graph, "net", target=THIS_MACHINE).files for item in rectified)
    assert all(PACKED in generate(item.graph, "net", target=THIS_MACHINE).files["net.c"] for item in packed)


def test_a_row_has_the_same_answer_among_others() -> None:
    one, many = (load(generate(layers(70, 45, rows=rows), "net", target=THIS_MACHINE), linked=True) for rows in (1, 19))
    x, alone, among = normal(19, 70), np.empty((19, 45), np.float32), np.empty((19, 45), np.float32)
    one.rows("net_run")(x, alone)
    many.function("net_run")(x, among)
    np.testing.assert_array_equal(alone, among)


def test_other_rows_have_other_kernels() -> None:
    """Several rows, too few outputs, a kernel of which zeros make NaN, chips."""
    spoiled = normal(64, 32)
    spoiled[3, 4] = np.inf
    for graph in (layers(64, 32, rows=2), layers(640, 8), layers(64, 32, kernel=spoiled)):
        assert RECTIFIED not in generate(graph, "net", target=THIS_MACHINE).files
    assert RECTIFIED not in generate(layers(64, 32), "net").files
    check([Case(layers(64, 32, kernel=spoiled), (normal(1, 64),))], target=THIS_MACHINE, linked=True)


@pytest.mark.skipif(bool(sanitized.missing()), reason=sanitized.missing() or "sanitizers")
def test_nothing_is_read_or_written_beside_its_arrays(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(sanitized, "generate", partial(generate, target=THIS_MACHINE))
    sanitized.run_sanitized([item.graph for item in (*rectified_cases(), *packed_cases())], tmp_path)
