# SPDX-License-Identifier: Apache-2.0
"""What the emitted C looks like, and what it refuses."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgeling
from edgeling.codegen import generate
from edgeling.codegen.names import Names, identifier
from edgeling.codegen.text import comment, float_literal, initializer
from edgeling.errors import GraphError, UnsupportedError
from edgeling.graph.builder import GraphBuilder
from edgeling.graph.types import Graph
from edgeling.toolchain.native import load
from tests.codegen.harness import Case, check
from tests.codegen.networks import TUTORIALS
from tests.codegen.random_graphs import random_graph

KERNELS = Path(edgeling.__file__).parent / "codegen" / "kernels"
GOLDEN = Path(__file__).parent / "golden"
UPDATE = "EDGELING_UPDATE_GOLDEN"  # set it to write the golden files anew, then read the difference


@pytest.mark.parametrize("name", TUTORIALS)
@pytest.mark.parametrize("suffix", ["h", "c"])
def test_golden_text(name, suffix):
    made = generate(TUTORIALS[name], name).files[f"{name}.{suffix}"]
    golden = GOLDEN / f"{name}.{suffix}"
    if os.environ.get(UPDATE):
        GOLDEN.mkdir(exist_ok=True)
        golden.write_text(made, "utf-8")
    assert made == golden.read_text("utf-8")


def test_the_same_graphs_give_the_same_text():
    first, second = (generate({"a": random_graph(5), "b": TUTORIALS["iris"]}, "twice") for _ in range(2))
    assert first == second


def test_only_the_kernels_that_are_used_are_carried_along():
    files = generate(TUTORIALS["diabetes"], "diabetes").files
    names = {"activation", "common", "dense", "elementary", "flash", "load_multiple"}
    assert set(files) == {"diabetes.h", "diabetes.c", *(f"edgeling/{n}.h" for n in names)}


def test_no_two_kernel_headers_define_one_name():
    """Any of them may stand in one program."""
    places: dict[str, set[str]] = {}
    for path in KERNELS.glob("*.h"):
        for name in re.findall(r"^(?:EDGELING_KERNEL|static inline)[^;{(]*?\b(edgeling_\w+)\(", path.read_text(), re.M):
            places.setdefault(name, set()).add(path.name)
    assert len(places) > 100
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_library_header_is_included():
    for text in generate(TUTORIALS["iris"], "iris").files.values():
        assert set(re.findall(r"#include <(.*)>", text)) <= {"stdint.h", "avr/pgmspace.h"}


@pytest.mark.parametrize("path", sorted(KERNELS.glob("*.h")), ids=lambda path: path.name)
def test_kernels_are_cplusplus_and_fit_an_int_of_16_bits(path):
    """``restrict`` is C's alone; ``1 << 15`` and beyond need a type that holds them."""
    text = re.sub(r"/\*.*?\*/", "", path.read_text("utf-8"), flags=re.DOTALL)
    if path.name != "common.h":
        assert not re.findall(r"\brestrict\b", text)
    assert not re.findall(r"\b\d+u? << (?:1[5-9]|[23]\d)", text)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_float_literals_read_back_as_the_same_number(value):
    text = float_literal(value)
    assert text.endswith("f")
    assert np.float32(text[:-1]) == np.float32(value)
    assert np.signbit(np.float32(text[:-1])) == np.signbit(np.float32(value))
    assert re.fullmatch(r"-?\d+(\.\d+)?(e[+-]\d+)?f", text)
    assert "." in text or "e" in text


def test_initializers_of_every_type():
    assert initializer(np.array([-128, 127], np.int8)) == "{-128, 127}"
    assert initializer(np.array([-(2**31)], np.int32)) == "{(-2147483647 - 1)}"
    assert initializer(np.array([2**32 - 1], np.uint32)) == "{4294967295u}"
    assert initializer(np.array([np.inf, -np.inf], np.float32)) == "{EDGELING_INFINITY, -EDGELING_INFINITY}"


@given(st.text())
def test_identifiers_are_legal(text):
    assert re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", identifier(text))


@pytest.mark.parametrize("name", ["int", "state", "edgeling_dense", "INT8_MAX", "dense/kernel:0", "3d", "", "größe"])
def test_awkward_names_compile_and_run(name):
    b = GraphBuilder("awkward")
    x = b.input(name, (1, 2))
    y = b.add("dense", x, b.constant(np.ones((2, 2)), name + "_"), b.variable(np.ones(2), name + "__"))
    check([Case(b.build([b.add("softmax", y)]), (np.ones((1, 2), "f"),))])


@given(st.lists(st.text(max_size=20) | st.text("*/?\\ ", max_size=20), max_size=4))
def test_a_comment_ends_only_at_its_end(lines):
    text = comment(lines)
    assert text.endswith("*/\n")
    assert text.index("*/") == len(text) - 3
    assert text.count("/*") == 1
    assert "??" not in text


def test_names_are_handed_out_once():
    names = Names()
    inner = Names(names)
    assert [names.take("a b"), names.take("a_b"), inner.take("a b")] == ["a_b", "a_b_2", "a_b_3"]
    inner.take("local")
    assert names.take("local") == "local_2"


def test_the_header_says_what_the_inputs_are():
    header = generate(TUTORIALS["iris"], "iris").files["iris.h"]
    for words in ("sepal length (cm)", "2: virginica", "float [1,4]", "RAM: 28 bytes"):
        assert words in header


def accumulator(start: float) -> Graph:
    b = GraphBuilder("accumulate")
    total, x = b.variable(np.full((2,), start, np.float32), "total"), b.input("x", (2,))
    after = b.add("add", total, x)
    b.update("total", after)
    return b.build([after])


def reader() -> Graph:
    b = GraphBuilder("read")
    total = b.variable(np.zeros(2), "total")
    b.input("x", (2,))
    return b.build([b.add("square", total)])


def test_graphs_of_one_program_share_variables_and_arena():
    made = generate({"add": accumulator(1), "read": reader()}, "shared", initial_values=True)
    assert [e.function for e in made.entries] == ["shared_add", "shared_read"]
    assert list(made.variable_offsets) == ["total"]
    assert (made.weights_bytes, made.arena_bytes) == (8, 0)
    assert made.initializer == "shared_init"
    native = load(made)
    x, y = np.array([2, 3], np.float32), np.empty(2, np.float32)
    native.function("shared_add")(x, y)
    native.function("shared_read")(x, y)
    np.testing.assert_array_equal(y, [9, 16])


def test_an_initialiser_is_written_only_when_asked_for():
    made = generate(accumulator(1), "plain")
    assert made.initializer == ""
    assert "plain_init" not in made.files["plain.c"]


def test_a_variable_has_one_type():
    b = GraphBuilder("other")
    b.variable(np.zeros(3), "total")
    other = b.build([b.add("square", "total")])
    with pytest.raises(GraphError, match="one type"):
        generate({"a": accumulator(0), "b": other}, "p")


@pytest.mark.parametrize("name", ["a b", "", "int", "1st"])
def test_a_program_is_named_by_an_identifier(name):
    with pytest.raises(GraphError, match="identifier"):
        generate(accumulator(0), name)


def test_what_has_no_kernel_is_refused_by_name():
    b = GraphBuilder("cube")
    x = b.input("x", (2, 3, 2))
    with pytest.raises(UnsupportedError, match="neighbours"):
        generate(b.build([b.add("sum", x, axes=(0, 2))]), "cube")
