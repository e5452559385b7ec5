# SPDX-License-Identifier: Apache-2.0
"""C that explains itself, run on chips against its graph, subsets in NumPy, and itself."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import edgeling
from edgeling.errors import UnsupportedError
from edgeling.explaining.scores import before_last_activation
from edgeling.explaining.shapley import exact_row
from edgeling.graph import GraphBuilder, run_rows
from edgeling.layers import Dense
from edgeling.models import Sequential
from edgeling.targets import get
from edgeling.toolchain import emulator, firmware
from edgeling.workflow.deploy import deployable
from edgeling.workflow.explained import COMPLETE, prove_explanation, with_explanation
from tests.explaining.test_first_layer import network, rows
from tests.support import avr
from tests.support.rounding import row_bounds

X = rows()
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wsign-conversion", "-Wshadow",
          "-Wdouble-promotion", "-Wundef", "-Wcast-qual", "-Wvla", "-Werror"]  # fmt: skip


def deployed(units=(5, 3)):
    graph = network(units, "relu")
    made = deployable("net", graph, X[:20], X, ["float32", "int8"])
    told = replace(
        made.interface, decision="largest" if units[-1] > 1 else "threshold", may_be_missing=(True,) * 4,
        input_names=("a", "b", "c", "when"),
    )  # fmt: skip
    return replace(made, interface=told)


def proven(units, precision, method, target, background=X[20:22], model_output="probability"):
    plain = deployed(units).for_target(get(target))
    chip = get(target)
    explaining = with_explanation(plain, precision, method, background, model_output=model_output)
    return prove_explanation(explaining, precision, chip, plain.prove(precision, chip)), explaining


@pytest.mark.parametrize(
    ("units", "precision", "method", "target"),
    [
        ((5, 3), "float32", "gradient", "cortex-m4"), ((5, 3), "float32", "integrated", "cortex-m4"),
        ((5, 1), "float32", "shapley", "cortex-m4"), ((5, 1), "int8", "integrated", "cortex-m4"),
        ((5, 3), "int8", "shapley", "cortex-m0plus"), ((5, 1), "float32", "gradient", "cortex-m0plus"),
        ((5, 3), "float32", "shapley", "wasm32"), ((5, 1), "float32", "integrated", "native"),
    ],
)  # fmt: skip
def test_a_chip_explains_what_the_graph_means_and_it_adds_up(units, precision, method, target):
    found, _ = proven(units, precision, method, target)
    assert found.matches
    assert found.rows > 0
    if method == "gradient":
        assert found.completeness is None
    else:
        assert found.completeness <= COMPLETE
    if target != "native":
        assert found.flash_bytes > found.added_flash_bytes > 0
        assert found.instructions > 0


@pytest.mark.parametrize(
    ("units", "precision", "method"),
    [((5, 1), "float32", "gradient"), ((5, 3), "float32", "integrated"), ((5, 1), "int8", "shapley")],
)
def test_scores_are_explained_where_they_are_asked_about(units, precision, method):
    found, explaining = proven(units, precision, method, "cortex-m4", model_output="raw")
    assert found.matches
    assert found.completeness is None or found.completeness <= COMPLETE
    assert "the score, what" in explaining.program(precision).files["net.h"]
    if method != "gradient":  # which is of the answer itself, beside no usual one
        answering = explaining.graphs[precision if method == "shapley" else "float32"]
        told = run_rows(before_last_activation(answering), X[20:22])[0].astype(np.float64).mean(axis=0)
        np.testing.assert_array_equal(np.asarray(found.base), told.astype(np.float32))


@pytest.mark.parametrize(("precision", "method"), [("float32", "integrated"), ("int8", "shapley")])
def test_an_avr_explains_it_too_and_keeps_constants_in_flash(precision, method, tmp_path):
    avr.require()
    made = with_explanation(deployed((5, 3)), precision, method, X[20:22], model_output="raw")
    program, of = made.program(precision), np.eye(3, dtype=np.float32)
    explain = next(entry for entry in program.entries if entry.function == "net_explain")
    avr.write(program, tmp_path, avr.driver(program, [(explain, [list(pair) for pair in zip(X, of, strict=False)])]))
    ran = avr.run(avr.build(tmp_path, "net", "atmega2560", ("avr-gcc", "-std=c99")), "atmega2560")
    found = np.frombuffer(ran, np.float32).reshape(3, 4)
    (bound,) = row_bounds(made.explanation.graph, X[:3], of)
    bound.require(found.reshape(bound.exact.shape))
    assert avr.sizes(tmp_path / "model.o")[1:] == (0, 0)


@pytest.mark.parametrize("units", [(5, 3), (5, 1)])
def test_integrated_gradients_of_integers_add_up_to_what_the_integers_answer(units):
    made = with_explanation(deployed(units), "int8", "integrated", X[20:22])
    answers = run_rows(made.graphs["int8"], X[:9])[0].astype(np.float64)
    base = run_rows(made.graphs["int8"], X[20:22])[0].astype(np.float64).mean(axis=0)
    of = np.eye(units[-1], dtype=np.float32)[np.zeros(9, int)]
    found = made.explanation.attributions(X[:9], of if units[-1] > 1 else None).astype(np.float64)
    room = 2**8 * np.finfo(np.float32).eps  # some dozen sums, of parts that are below one
    assert np.all(np.abs(found.sum(axis=1) - (answers - base)[:, 0]) <= room)


def test_integers_explain_themselves_to_the_bit_of_what_they_answer():
    """Shapley values of an int8 program are those of its own answers: all subsets of its columns, asked in NumPy."""
    found, explaining = proven((5, 3), "int8", "shapley", "cortex-m4")
    assert found.matches
    small = explaining.graphs["int8"]
    for row in X[[0, 3]]:
        exact, _ = exact_row(lambda r: run_rows(small, r.astype(np.float32))[0], row, X[20:22])
        of = np.eye(3, dtype=np.float32)[2]
        room = 2**7 * np.finfo(np.float32).eps  # sums of 16 x 2 answers of at most 1, whose weights add up to two
        off = np.abs(explaining.explanation.attributions(row[None], of)[0] - exact[:, 2])
        assert np.all(off <= room)


@pytest.mark.parametrize("sizes", [(8, 10, 1), (4, 4, 3), (16, 24, 12, 1)])
def test_gradients_take_at_most_three_times_the_memory(sizes):
    model = Sequential([Dense(sizes[1], activation="relu", input_dim=sizes[0])])
    for size in sizes[2:-1]:
        model.add(Dense(size, activation="relu"))
    model.add(Dense(sizes[-1], activation="softmax" if sizes[-1] > 1 else "sigmoid"))
    built = edgeling.build(model, target="cortex-m4", explain="gradient")
    assert built.matches
    assert built.explanation.ram_bytes <= 3 * built.explanation.inference_ram_bytes
    assert built.explanation.inference_ram_bytes == built.ram_bytes


def on_the_chip(explaining, given, precision="float32"):
    program, chip = explaining.program(precision), get("cortex-m4")
    built = firmware.build(program, chip, f"{program.name}_reasons")
    return emulator.CortexM(built).run([given])


@pytest.mark.parametrize(("units", "reasons"), [((5, 3), 2), ((5, 1), 4)])
def test_reasons_are_the_columns_that_push_towards_the_class_answered(units, reasons):
    _, explaining = proven(units, "float32", "shapley", "cortex-m4")
    explaining = with_explanation(explaining, "float32", "shapley", X[20:22], reasons)
    given = X[:12]
    ran = on_the_chip(explaining, given)
    _, pushes, told = ran.outputs
    assert not ran.status.any()
    answers = run_rows(explaining.graphs["float32"], given)[0]
    chosen = np.argmax(answers, axis=1) if units[-1] > 1 else (answers[:, 0] > 0.5).astype(int)
    for i in range(len(given)):
        of = np.eye(3, dtype=np.float32)[chosen[i]] if units[-1] > 1 else None
        wanted = explaining.explanation.attributions(given[i : i + 1], of)[0]
        wanted = -wanted if units[-1] == 1 and chosen[i] == 0 else wanted
        room = 2**9 * np.finfo(np.float32).eps  # both sum 16 x 2 answers of at most 1 of a network of some dozen sums
        assert np.all(np.abs(pushes[i] - wanted) <= room)
        order = [c for c in np.argsort(-pushes[i], kind="stable") if pushes[i][c] > 0][:reasons]
        assert told[i].ravel().tolist() == order + [-1] * (reasons - len(order))


def test_of_a_number_reasons_push_whichever_way():
    b = GraphBuilder("sum")
    x = b.input("x", (1, 3))
    kernel = b.constant(np.array([[1.0], [-5.0], [2.0]]))
    graph = b.build([b.add("dense", x, kernel, b.constant([0.0]))])
    made = deployable("total", graph, X[:8, :3] * 0 + 1, None, ["float32"])
    explaining = with_explanation(made, "float32", "gradient", np.zeros((1, 3), np.float32), 3)
    ran = on_the_chip(explaining, np.array([[1, 1, 1], [0, 0, 1]], np.float32))
    np.testing.assert_array_equal(ran.outputs[1].reshape(2, 3), [[1, -5, 2], [0, 0, 2]])
    assert ran.outputs[2].reshape(2, 3).tolist() == [[1, 2, 0], [2, -1, -1]]


def test_a_row_without_an_answer_has_no_reasons():
    _, explaining = proven((5, 3), "float32", "shapley", "cortex-m4")
    given = X[:2].copy()
    given[1, 2] = np.inf
    ran = on_the_chip(explaining, given)
    assert ran.status.tolist() == [0, 1]
    assert np.isnan(ran.outputs[1][1]).all()
    assert ran.outputs[2][1].ravel().tolist() == [-1, -1]


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """The C of every method in one folder each."""
    folder = tmp_path_factory.mktemp("explained")
    for method in ("gradient", "integrated", "shapley"):
        made = with_explanation(deployed((5, 3)), "float32", method, X[20:22])
        for path, text in made.program("float32").files_and_examples.items():
            (folder / method / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / method / path).write_text(text)
    return folder


@pytest.mark.parametrize("method", ["gradient", "integrated", "shapley"])
def test_it_is_clean_under_strict_warnings_and_the_example_names_columns(written, method):
    if shutil.which("gcc") is None or shutil.which("make") is None:
        pytest.skip("needs gcc and make")
    folder = written / method
    subprocess.run(["gcc", *STRICT, "-c", "net.c", "-o", "net.o"], cwd=folder, check=True)
    subprocess.run(["make", "reasons", "example"], cwd=folder / "example", check=True, capture_output=True)
    values = [f"{v:.6f}" for v in np.nan_to_num(X[1])]
    done = subprocess.run(
        [folder / "example" / "reasons", *values], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert len(done) >= 3
    assert all(line.startswith("because of ") for line in done[3:])
    assert all(line.split()[2].rstrip(":") in ("a", "b", "c", "when") for line in done[3:])


def test_the_header_tells_what_is_told(written):
    text = (written / "shapley" / "net.h").read_text()
    assert "int net_explain(net_arena *arena, const float *x, const float *of, float *attributions);" in text
    assert "NET_REASONS_SIZE 2" in text
    assert "They add up to the answer less" in text


def test_what_cannot_be_is_refused():
    made = deployed((5, 3))
    with pytest.raises(UnsupportedError, match="gradient, integrated, shapley"):
        with_explanation(made, "float32", "guess", X[:1])
    with pytest.raises(UnsupportedError, match="from 0 to the 4 columns"):
        with_explanation(made, "float32", "gradient", X[:1], 5)
    with pytest.raises(UnsupportedError, match="probability or what"):
        with_explanation(made, "float32", "gradient", X[:1], model_output="odds")
    only = replace(made, graphs={"int8": made.graphs["int8"]})
    with pytest.raises(UnsupportedError, match="in float32"):
        with_explanation(only, "int8", "gradient", X[:1])
    model = Sequential([Dense(2, activation="relu", input_dim=13), Dense(1, activation="sigmoid")])
    with pytest.raises(UnsupportedError, match="12 columns"):
        edgeling.build(model, explain="shapley")
    with pytest.raises(UnsupportedError, match="takes floats"):
        edgeling.build(model, explain="gradient", selftest=True)
    with pytest.raises(UnsupportedError, match="rows of 13 numbers"):
        edgeling.build(model, explain="gradient", background=np.zeros((2, 3)))
