# SPDX-License-Identifier: Apache-2.0
"""Deployed networks as firmware engineers meet them: several in one image, in C and C++, and what their headers say."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgeling.codegen import Program, generate
from edgeling.codegen.facts import facts
from edgeling.codegen.generate import kernels_version
from edgeling.codegen.interface import Interface
from edgeling.codegen.program import EntryPoint
from edgeling.graph import integer
from edgeling.graph.builder import GraphBuilder
from edgeling.graph.fingerprint import fingerprint
from edgeling.targets import get
from edgeling.toolchain import emulator, firmware
from edgeling.toolchain.prove import prove
from edgeling.workflow.deploy import Deployable, deployable
from edgeling.workflow.ends import SELFTEST_ROWS, with_golden, with_integer_ends
from tests.codegen.networks import TUTORIALS
from tests.codegen.test_builds import WARNINGS
from tests.support.host import write
from tests.support.rounding import require_rows, row_bounds

ROWS = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
NAN, INFINITY = np.float32(np.nan), np.float32(np.inf)
UNANSWERABLE = np.tile(ROWS[:1], (6, 1))
UNANSWERABLE[range(6), [0, 1, 2, 3, 0, 3]] = [NAN, INFINITY, -INFINITY, NAN, INFINITY, -NAN]


def deployed(name: str, precision: str, **interface: object) -> Deployable:
    made = deployable(name, TUTORIALS["iris"], ROWS, ROWS, [precision])
    return replace(made, interface=replace(made.interface, **interface))


@pytest.fixture(scope="module")
def models() -> dict[str, Program]:
    """The same network three times, each under a name of its own."""
    small = with_integer_ends(deployed("tiny", "int8"), "int8")
    return {
        "exact": with_golden(deployed("exact", "float32"), "float32").program("float32"),
        "small": with_golden(deployed("small", "int8"), "int8").program("int8"),
        "tiny": with_golden(small, "int8").program("int8"),
    }


DRIVER = """\
#include <stdio.h>
#include "exact/exact.h"
#include "small/small.h"
#include "tiny/tiny.h"

static exact_arena exact; static small_arena small; static tiny_arena tiny;

int main(void) {
    float x[EXACT_INPUT_SIZE], y[EXACT_OUTPUT_SIZE]; signed char in[TINY_INPUT_SIZE], out[TINY_OUTPUT_SIZE];
    if (sizeof exact != EXACT_ARENA_BYTES || sizeof small != SMALL_ARENA_BYTES || sizeof tiny != TINY_ARENA_BYTES)
        return 1;
    printf("%d %d %d\\n", exact_selftest(), small_selftest(), tiny_selftest());
    while (fread(x, sizeof x, 1, stdin) == 1) {
        printf("%d %d ", exact_run(&exact, x, y), exact_classify(&exact, x, y));
        printf("%.9g %.9g %.9g ", (double)y[0], (double)y[1], (double)y[2]);
        printf("%d %d ", small_run(&small, x, y), small_classify(&small, x, y));
        printf("%.9g %.9g %.9g ", (double)y[0], (double)y[1], (double)y[2]);
        printf("%d ", tiny_quantize(x, in));
        printf("%d %d ", tiny_run(&tiny, in, out), tiny_classify(&tiny, in, out));
        tiny_dequantize(out, y);
        printf("%.9g %.9g %.9g\\n", (double)y[0], (double)y[1], (double)y[2]);
    }
    return EXACT_LABEL_VIRGINICA == 2 && SMALL_COLUMN_PETAL_WIDTH == 3 ? 0 : 2;
}
"""
UNITY = '#include "exact/exact.c"\n#include "small/small.c"\n#include "tiny/tiny.c"\n'
CALLS = {
    "C, each compiled apart": (["gcc", *WARNINGS], "main.c", ["exact/exact.c", "small/small.c", "tiny/tiny.c"]),
    "C, all as one unit": (["gcc", *WARNINGS], "unity.c", []),
    "C++ calling C": (["g++", "-Wall", "-Wextra", "-Werror"], "main.cpp", ["exact.o", "small.o", "tiny.o"]),
}  # fmt: skip


def run_all(folder: Path, way: str, rows: np.ndarray) -> list[list[float]]:
    command, main, units = CALLS[way]
    if shutil.which(command[0]) is None or shutil.which("gcc") is None:
        pytest.skip(f"{command[0]} is not installed")
    for unit in units:
        if unit.endswith(".o"):
            name = unit.removesuffix(".o")
            subprocess.run(["gcc", *WARNINGS, "-O1", "-c", f"{name}/{name}.c", "-o", unit], cwd=folder, check=True)
    subprocess.run([*command, "-O1", main, *units, "-o", "driver"], cwd=folder, check=True)
    done = subprocess.run([folder / "driver"], input=rows.tobytes(), capture_output=True, check=True)
    return [[float(word) for word in line.split()] for line in done.stdout.decode().splitlines()]


@pytest.mark.parametrize("way", CALLS)
def test_several_models_in_one_image(models, way, tmp_path) -> None:
    for name, made in models.items():
        write(dict(made.files), tmp_path / name)
    write({"main.c": DRIVER, "main.cpp": DRIVER, "unity.c": UNITY + DRIVER}, tmp_path)
    rows = np.concatenate([ROWS, UNANSWERABLE])
    tests, *said = run_all(tmp_path, way, rows)
    assert tests == [0, 0, 0]
    exact, small = deployed("exact", "float32"), deployed("small", "int8")
    wanted = {"exact": exact.answers("float32", rows)[0], "small": small.answers("int8", rows)[0]}
    got = np.array(said)
    np.testing.assert_array_equal(np.isnan(got[:, 2:5]), np.isnan(wanted["exact"]))
    require_rows(TUTORIALS["iris"], got[:40, 2:5], ROWS)
    np.testing.assert_array_equal(got[:, 7:10], wanted["small"])
    refused = np.isnan(wanted["exact"]).any(axis=1)
    assert refused.tolist() == [False] * 40 + [True] * 6
    for status in (got[:, 0], got[:, 5], got[:, 10]):
        np.testing.assert_array_equal(status, refused)
    np.testing.assert_array_equal(got[:, 1], np.where(refused, -1, np.argmax(wanted["exact"], axis=1)))
    np.testing.assert_array_equal(got[:, 6], np.where(refused, -1, np.argmax(wanted["small"], axis=1)))
    np.testing.assert_array_equal(got[:40, 11], 0)
    np.testing.assert_array_equal(got[:40, 12], np.argmax(wanted["small"][:40], axis=1))
    np.testing.assert_array_equal(got[:40, 13:], wanted["small"][:40])


def compiles(folder: Path, text: str) -> str:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    (folder / "unit.c").write_text(text)
    done = subprocess.run(
        ["gcc", "-std=c99", "-fsyntax-only", "unit.c"], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.stderr


def test_two_models_of_one_name_are_told_apart(tmp_path) -> None:
    for precision in ("float32", "int8"):
        write(dict(deployed("iris", precision).program(precision).files), tmp_path / precision)
    assert compiles(tmp_path, '#include "int8/iris.h"\n#include "int8/iris.h"\n') == ""
    assert "two models are named iris" in compiles(tmp_path, '#include "float32/iris.h"\n#include "int8/iris.h"\n')


def test_kernels_of_two_versions_are_not_mixed_in_silence(models, tmp_path) -> None:
    """In one unit, or copied into one folder; compiled apart, each with its own, they do not meet."""
    for name in ("exact", "small"):
        write(dict(models[name].files), tmp_path / name)
    assert compiles(tmp_path, '#include "exact/exact.c"\n#include "small/small.c"\n') == ""
    common = tmp_path / "small" / "edgeling" / "common.h"
    common.write_text(common.read_text().replace(kernels_version(), "0x1u"))
    assert "another version" in compiles(tmp_path, '#include "small/small.c"\n')
    assert compiles(tmp_path, '#include "exact/exact.h"\n#include "small/small.h"\n') == ""


def entry(program: Program, suffix: str) -> EntryPoint:
    return next(e for e in (*program.entries, *program.extras) if e.function == f"{program.name}_{suffix}")


def on_the_chip(program: Program, core: str, suffix: str, *inputs: np.ndarray):
    built = firmware.build(program, get(core), entry(program, suffix).function)
    return emulator.CortexM(built).run(inputs)


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m0plus"])
@pytest.mark.parametrize("name", ["exact", "small", "tiny"])
def test_the_self_test_passes_on_the_chip_and_fails_where_a_weight_is_changed(models, name, core) -> None:
    program = models[name]
    assert on_the_chip(program, core, "selftest").status.tolist() == [0]
    source = program.files[f"{name}.c"]
    weights = re.search(rf"{name}_dense_1\w*(?:kernel|weights)\[16\][^=]*= \{{([^}}]*)\}}", source)
    assert weights is not None
    numbers = weights.group(1).split(",")
    halved = ", ".join(["0.0f" if "f" in number else "0" for number in numbers if number.strip()])
    broken = source.replace(weights.group(1), halved)
    spoilt = replace(program, files={**program.files, f"{name}.c": broken})
    assert 1 <= on_the_chip(spoilt, core, "selftest").status[0] <= SELFTEST_ROWS


def test_the_chip_says_what_it_does_not_answer(models) -> None:
    rows = np.concatenate([ROWS[:2], UNANSWERABLE])
    for name in ("exact", "small"):
        ran = on_the_chip(models[name], "cortex-m4", "run", rows)
        assert ran.status.tolist() == [0, 0] + [1] * 6
        assert np.isnan(ran.outputs[0][2:]).all()
        assert on_the_chip(models[name], "cortex-m4", "classify", rows).status[2:].tolist() == [-1] * 6


@pytest.mark.parametrize("allowed", [(True,) * 4, (True, False, True, False)])
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_nan_is_an_answer_only_where_values_may_be_missing(precision, allowed) -> None:
    b = GraphBuilder.of(TUTORIALS["iris"])
    graph = b.build(["y"])
    b = GraphBuilder("imputing")
    x = b.input("x", (1, 4))
    (y,) = b.inline(graph, b.add("impute", x, b.constant(np.array([0.5, -0.5, 0.25, 1], np.float32), "fill")))
    made = deployable("imputing", b.build([y]), ROWS, ROWS, [precision])
    assert made.interface is not None
    assert made.interface.may_be_missing == (True,) * 4
    made = replace(made, interface=replace(made.interface, may_be_missing=allowed))
    rows = np.concatenate([ROWS[:3], np.tile(ROWS[:1], (8, 1))])
    rows[range(3, 7), range(4)], rows[range(7, 11), range(4)] = NAN, INFINITY
    answers = made.answers(precision, rows)[0]
    unanswered = [False] * 3 + [not one for one in allowed] + [True] * 4
    assert np.isnan(answers).all(axis=1).tolist() == unanswered
    assert np.isnan(answers).any(axis=1).tolist() == unanswered
    tolerance = row_bounds(made.graphs[precision], rows[:3])[0].tolerance if precision == "float32" else 0
    for target in ("native", "cortex-m4"):
        assert prove(made.program(precision), get(target), [rows], [answers], tolerance).matches


def test_an_answer_costs_four_instructions_an_input_more() -> None:
    """Of which one loads and three look; and what a function that returns twice saves and restores."""
    for name in TUTORIALS:
        rows = np.random.default_rng(1).normal(size=(8, TUTORIALS[name].types["x"].size)).astype(np.float32)
        made = deployable(name, TUTORIALS[name], rows, precisions=["float32"])
        bare = replace(made, interface=None, programs={})
        counts = [d.prove("float32", "cortex-m4").instructions for d in (made, bare)]
        assert 0 < counts[0] - counts[1] <= 4 * rows.shape[1] + 12


@pytest.mark.parametrize(("threshold", "expected"), [("", 0.5), ("-DDIABETES_THRESHOLD=0.8f", 0.8)])
@pytest.mark.parametrize("io", ["float32", "int8"])
def test_one_macro_moves_the_threshold(io, threshold, expected, tmp_path) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    rows = np.random.default_rng(2).normal(size=(60, 8)).astype(np.float32)
    made = deployable("diabetes", TUTORIALS["diabetes"], rows, rows, [io])
    answers = made.answers(io, rows)[0][:, 0]
    assert (answers > expected).any()
    assert not (answers > expected).all()
    made = with_integer_ends(made, "int8") if io == "int8" else made
    main = """#include <stdio.h>
#include "diabetes.h"
static diabetes_arena arena;
int main(void) {{
    {kind} x[DIABETES_INPUT_SIZE], y[DIABETES_OUTPUT_SIZE];
    while (fread(x, sizeof x, 1, stdin) == 1) printf("%d\\n", diabetes_classify(&arena, x, y));
    return 0;
}}
""".format(kind="float" if io == "float32" else "signed char")
    write({**made.program(io).files, "main.c": main}, tmp_path)
    flags = [*WARNINGS, *filter(None, [threshold])]
    subprocess.run(["gcc", *flags, "main.c", "diabetes.c", "-o", "driver"], cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "driver"], input=made.rows[0].tobytes(), capture_output=True, check=True)
    assert [int(w) for w in done.stdout.split()] == (answers > expected).astype(int).tolist()


def test_scales_in_the_header_are_those_of_the_bits() -> None:
    """A caller who computes with the macros alone stores what NAME_quantize stores."""
    small = with_integer_ends(deployed("small", "int8"), "int8")
    text = small.program("int8").files["small.h"]

    def macro(name: str) -> np.ndarray:
        found = re.search(rf"#define SMALL_{name} [{{(](.*?)[}})]", text.replace("\\\n", ""), re.DOTALL)
        assert found is not None
        return np.array([float(word.strip().removesuffix("f")) for word in found.group(1).split(",")], np.float32)

    stored = integer.quantize(ROWS, macro("INPUT_SCALES"), macro("INPUT_ZERO_POINTS").astype(int))
    np.testing.assert_array_equal(stored, small.rows[0])
    assert '#define SMALL_PRECISION "int8"' in text
    assert "#define SMALL_OUTPUT_SCALE 0.00390625f" in text


def test_a_hash_is_of_what_is_computed() -> None:
    graph = TUTORIALS["iris"]
    renamed = replace(graph, name="other", metadata={})
    kernel = next(iter(graph.constants))
    nudged = replace(graph, constants={**graph.constants, kernel: graph.constants[kernel] + np.float32(1)})
    assert fingerprint(graph) == fingerprint(renamed) != fingerprint(nudged)
    assert (
        f'"{deployed("iris", "float32").program("float32").model_hash}"'
        in deployed("iris", "float32").program("float32").files["iris.h"]
    )


def test_labels_and_columns_of_any_text_make_a_header(tmp_path) -> None:
    labels = ("setosa", '??/ "x"', "größe")
    names = ("state", "label", "ok", "größe")
    told = {"labels": labels, "input_names": names, "categories": {0: ("OK", "-1", "1", ""), 3: ("unknown", "état")}}
    made = deployed("iris", "float32", **told)
    write(dict(made.program("float32").files), tmp_path)
    assert compiles(tmp_path, '#include "iris.h"\nstatic const char *const names[] = IRIS_LABELS;\n') == ""
    text = (tmp_path / "iris.h").read_text()
    enumerators = re.findall(r"^    (IRIS_\w+) = ", text, re.MULTILINE)
    assert len(enumerators) == len(set(enumerators)) == 2 + 4 + 3 + (1 + 4) + (1 + 2)
    assert "??/" not in text


def test_a_regression_has_no_class() -> None:
    b = GraphBuilder("line")
    x = b.input("x", (1, 2))
    graph = b.build([b.add("dense", x, b.constant(np.ones((2, 1)), "k"), b.constant(np.zeros(1), "b"))])
    program = deployable("line", graph, np.ones((2, 2), np.float32)).program("float32")
    assert "line_classify" not in program.files["line.h"]
    assert "line_classify" in generate(graph, "line", interface=Interface("threshold")).files["line.h"]
    assert facts("line", graph, Interface(), 12)[0].startswith("#define LINE_EDGELING_VERSION")
