# SPDX-License-Identifier: Apache-2.0
"""The contracts of passes are held in every test, and can be broken."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from edgeling.errors import GraphError
from edgeling.graph import Graph, GraphBuilder
from edgeling.passes.contracts import (
    Contracts,
    contract,
    integers_inside,
    more_outputs,
    nothing_left_to_compute,
    only_what_is_needed,
    same_face,
    same_or_changed,
)


def graph(dead: bool = False, constant: bool = False) -> Graph:
    b = GraphBuilder("g")
    x, two = b.input("x", (1, 2)), b.constant(np.float32(2), "two")
    if dead:
        b.add("square", x, name="unread")
    y = b.add("square", two) if constant else two
    return b.build([b.add("multiply", x, y, name="y")])


def test_they_are_enforced_in_tests_and_never_for_users() -> None:
    asked = "from edgeling.passes.contracts import Contracts; print(Contracts.enforced)"
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout
    assert (Contracts.enforced, told.strip()) == (True, "False")


@pytest.mark.parametrize(
    ("condition", "broken"),
    [
        (only_what_is_needed, graph(dead=True)),
        (nothing_left_to_compute, graph(constant=True)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_graph_that_is_not_so_is_refused(condition, broken) -> None:  # type: ignore[no-untyped-def]
    condition(graph())
    with pytest.raises(AssertionError):
        condition(broken)


def test_floats_among_integers_are_refused() -> None:
    b = GraphBuilder("g")
    x = b.input("x", (1, 1))
    numbers = (np.int8([0]), np.int32([0]), np.int8([0]))
    names = ("fraction_bits", "zero_point", "missing")
    parameters = [b.constant(array, name) for array, name in zip(numbers, names, strict=True)]
    stored = b.add("quantize", x, *parameters)
    kind = b.type_of(stored)
    sound = b.build([b.add("dequantize", stored, scale=1.0, zero_point=0)])
    integers_inside(sound)
    floating = replace(sound, types={**sound.types, stored: replace(kind, dtype=b.type_of(x).dtype)})
    with pytest.raises(AssertionError, match="floats"):
        integers_inside(floating)


def test_a_pass_that_breaks_its_word_is_caught() -> None:
    given = graph()

    def broken(how):  # type: ignore[no-untyped-def]
        return contract(same_face, same_or_changed)(how)

    broken(lambda g: g)(given)
    for breaking in (
        lambda g: replace(g, name="other"),
        lambda g: replace(g, outputs=("x",)),
        lambda g: replace(g, metadata={}),  # an equal copy
    ):
        with pytest.raises(AssertionError):
            broken(breaking)(given)
    with pytest.raises(GraphError):
        broken(lambda g: replace(g, nodes=()))(given)


def test_outputs_keep_their_places() -> None:
    given = graph()
    more_outputs(given, replace(given, outputs=("y", "x")))
    with pytest.raises(AssertionError):
        more_outputs(given, replace(given, outputs=("x", "y")))


def test_where_they_are_not_enforced_a_pass_is_only_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Contracts, "enforced", False)
    assert contract(same_face)(lambda g: replace(g, name="other"))(graph()).name == "other"
