# SPDX-License-Identifier: Apache-2.0
"""Programs of large graphs are found again: by what is computed, never by what variables hold."""

from __future__ import annotations

import numpy as np
import pytest

from edgeling.codegen import Program, generate
from edgeling.graph import Graph, GraphBuilder
from edgeling.training import stored
from edgeling.training.stored import WORTH_STORING, stored_program


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("EDGELING_CACHE_DIR", str(tmp_path))


def chain(nodes: int, held: float = 1.0, shift: float = 1.0, last: str = "square") -> Graph:
    b = GraphBuilder("chain")
    value = b.add("add", b.input("x", (1, 4)), b.variable(np.full((1, 4), held, np.float32), "w"))
    value = b.add("add", value, b.constant(np.full((1, 4), shift, np.float32), "shift"))
    for _ in range(nodes - 3):
        value = b.add("square", value)
    return b.build([b.add(last, value)])


class Writer:
    """Counts what is written."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.times = graph, 0

    def __call__(self) -> Program:
        self.times += 1
        return generate(self.graph, "chain")


def written(graph: Graph, told: str = "") -> int:
    """How often it was written, of two times that it was asked for; what is found is what is written."""
    writer = Writer(graph)
    for _ in range(2):
        assert stored_program(told, [graph], writer) == generate(graph, "chain")
    return writer.times


def test_a_large_program_is_written_once_whatever_its_variables_hold() -> None:
    assert written(chain(WORTH_STORING)) == 1
    assert written(chain(WORTH_STORING, held=2.0)) == 0


def test_a_small_one_is_written_each_time() -> None:
    assert written(chain(WORTH_STORING - 1)) == 2


def test_another_graph_setting_or_version_is_written_anew(monkeypatch) -> None:
    graph = chain(WORTH_STORING)
    assert written(graph) == 1
    assert written(chain(WORTH_STORING, last="reciprocal_sqrt")) == 1
    assert written(chain(WORTH_STORING, shift=2.0)) == 1
    assert written(graph, told="two threads") == 1
    monkeypatch.setattr(stored, "_state_of_writers", lambda: "another version")
    assert written(graph) == 1


def test_what_was_changed_on_the_disk_is_written_anew(tmp_path) -> None:
    graph = chain(WORTH_STORING)
    assert written(graph) == 1
    (entry,) = tmp_path.rglob("program.pickle")
    entry.write_bytes(entry.read_bytes()[:-1] + b"x")
    assert written(graph) == 1
