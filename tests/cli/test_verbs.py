# SPDX-License-Identifier: Apache-2.0
"""Each verb does its work, and says it in one JSON object."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest

from edgeling.workflow.deploy import FLOAT32_TOLERANCE
from tests.support.close import DOUBLE, SINGLE, require_close

FIGURES = {
    "flash_bytes", "flash_code_bytes", "flash_weights_bytes", "ram_bytes", "stack_bytes", "instructions",
    "max_error", "matches",
}  # fmt: skip


def test_train_says_everything_by_its_name(trained_once) -> None:
    folder, said = trained_once
    assert said["task"] == "multiclass"
    assert said["metrics"]["accuracy"] > 0.9
    assert set(said["metrics"]["classes"]) == {"setosa", "versicolor", "virginica"}
    assert set(said["importance"]) == set(said["inputs"])
    written = json.loads((folder / said["artifact"] / "manifest.json").read_text())
    assert written["command"] == said["command"] == "edgeling train flowers.csv --target species --seed 0"
    for target in ("native", "cortex-m4", "wasm32"):
        assert set(said["targets"][target]) >= FIGURES
        assert said["targets"][target]["matches"] is True


def test_both_precisions_are_measured_and_int8_is_bit_exact(trained_once) -> None:
    both = trained_once[1]["precisions"]
    assert both["int8"]["targets"]["cortex-m4"]["max_error"] == 0
    assert both["float32"]["targets"]["cortex-m4"]["max_error"] <= FLOAT32_TOLERANCE  # what is promised, of at most 1
    right = [round(30 * both[precision]["metrics"]["accuracy"]) for precision in ("int8", "float32")]
    assert abs(right[0] - right[1]) <= 1  # of 30 rows held out


def test_the_artifact_is_whole(trained_once) -> None:
    folder = trained_once[0] / "flowers.edgeling"
    names = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert names >= {"manifest.json", "preparation.json", "report.html", "graph_float32.json", "weights_float32.npz"}
    assert {"c/float32/flowers.c", "c/float32/flowers.h", "c/int8/flowers.c"} <= names


def test_the_report_is_a_page(trained_once) -> None:
    page = (trained_once[0] / "flowers.edgeling" / "report.html").read_text()
    HTMLParser().feed(page)
    assert "versicolor" in page
    assert "cortex-m4" in page


def test_the_same_seed_gives_the_same_files(trained_once, edgeling) -> None:
    edgeling.json("train", "flowers.csv", "--target", "species")
    for name in ("weights_float32.npz", "weights_int8.npz", "c/float32/flowers.c", "preparation.json"):
        first = (trained_once[0] / "flowers.edgeling" / name).read_bytes()
        assert first == (edgeling.folder / "flowers.edgeling" / name).read_bytes(), name


def test_predict_writes_csv(trained) -> None:
    done = trained.run("predict", "flowers.edgeling", "flowers.csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    with (trained.folder / "flowers.csv").open() as file:
        truth = [row["species"] for row in csv.DictReader(file)]
    right = sum(row["species"] == t for row, t in zip(rows, truth, strict=True))
    assert right / len(truth) > 0.93
    told = [v for k, v in rows[0].items() if k.startswith("probability")]
    half_units = sum(0.5 * 10.0 ** -len(v.partition(".")[2]) for v in told)  # as far as so many decimals are off
    require_close(sum(map(float, told)), 1.0, 1, of=1 + half_units / SINGLE)


def test_predict_as_json_needs_no_target(trained) -> None:
    lines = (trained.folder / "flowers.csv").read_text().splitlines()
    (trained.folder / "new.csv").write_text("\n".join(line.rsplit(",", 1)[0] for line in lines[:4]))
    said = trained.json("predict", "flowers.edgeling", "new.csv")
    assert said["predictions"] == ["setosa"] * 3
    assert said["labels"] == ["setosa", "versicolor", "virginica"]


def test_predict_without_a_compiler_uses_the_interpreter_and_says_so(trained) -> None:
    with_compiler = trained.run("predict", "flowers.edgeling", "flowers.csv")
    without = trained.run("predict", "flowers.edgeling", "flowers.csv", EDGELING_CC="none")
    assert without.returncode == 0
    assert "interpreter" in without.stderr
    labels = [[line.split(",")[0] for line in done.stdout.splitlines()] for done in (with_compiler, without)]
    assert labels[0] == labels[1]


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("target", ["cortex-m4", "cortex-m0plus", "wasm32", "native"])
def test_build_writes_and_measures(trained, target: str, precision: str) -> None:
    said = trained.json("build", "flowers.edgeling", "--for", target, "--precision", precision, "--out", "firmware")
    assert said["targets"][target]["matches"] is True
    assert (trained.folder / "firmware" / "flowers.h").exists()
    if target != "native":
        assert 0 < said["targets"][target]["flash_bytes"] < 10_000


def test_the_example_builds_and_runs(trained) -> None:
    trained.json("build", "flowers.edgeling", "--for", "native", "--out", "firmware")
    folder = trained.folder / "firmware" / "example"
    done = subprocess.run(["make"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    program = next(p for p in folder.iterdir() if p.is_file() and p.stat().st_mode & 0o100)
    assert subprocess.run([program], capture_output=True, text=True, check=True).stdout


def test_verify_leaves_out_rows_that_cannot_be_answered(trained) -> None:
    lines = (trained.folder / "flowers.csv").read_text().splitlines()
    (trained.folder / "gaps.csv").write_text("\n".join([lines[0], "," + lines[1].partition(",")[2], *lines[2:20]]))
    (trained.folder / "none.csv").write_text("\n".join([lines[0], "," + lines[1].partition(",")[2]]))
    done = trained.run("verify", "flowers.edgeling", "--for", "native", "--data", "gaps.csv")
    assert done.returncode == 0, done.stderr
    assert "Left out: 1 of 19 rows of gaps.csv, which cannot be answered; the first is row 1:" in done.stderr
    for refused in (["gaps.csv", "--strict"], ["none.csv"]):
        said = trained.refused("verify", "flowers.edgeling", "--for", "native", "--data", *refused)
        assert "row 1:" in said


def test_verify_proves(trained) -> None:
    said = trained.json("verify", "flowers.edgeling", "--for", "cortex-m4", "--data", "flowers.csv")
    assert said["targets"]["cortex-m4"]["rows"] == 150
    assert said["targets"]["cortex-m4"]["matches"] is True


def test_the_curves_of_the_report_are_told(trained) -> None:
    said = trained.json("explain", "flowers.edgeling", "flowers.csv", "--out", "curves.html")
    for name, score in (("roc", "roc_auc"), ("precision_recall", "average_precision")):
        curves = said["curves"][name]
        assert [curve["class"] for curve in curves] == ["setosa", "versicolor", "virginica"]
        mean = sum(curve["area"] for curve in curves) / 3
        require_close(mean, said["metrics"][score], 8, unit=DOUBLE)  # three sums and a division, twice
        assert all(len(curve["x"]) == len(curve["y"]) > 1 for curve in curves)
    assert sum(said["curves"]["calibration"]["rows"]) == 150


def test_explain_writes_a_page(trained) -> None:
    said = trained.json("explain", "flowers.edgeling", "flowers.csv", "--out", "page.html")
    assert said["metrics"]["accuracy"] > 0.93
    assert max(said["importance"], key=said["importance"].get).startswith("petal")
    assert "petal" in (trained.folder / "page.html").read_text()


@pytest.mark.parametrize("path", ["flowers.edgeling", "flowers.csv"])
def test_info(trained, path: str) -> None:
    assert trained.json("info", path)
    assert trained.run("info", path).returncode == 0


def test_targets_and_doctor(trained) -> None:
    assert "cortex-m4" in trained.json("targets")["targets"]
    assert trained.json("doctor")["healthy"] is True
    assert "cortex-m0plus" in trained.run("targets").stdout


def test_regression_is_told_from_the_target(edgeling) -> None:
    lines = ["x,y,z"] + [f"{i % 17},{i % 5},{2 * (i % 17) - (i % 5) + 0.25:.2f}" for i in range(200)]
    (edgeling.folder / "numbers.csv").write_text("\n".join(lines))
    said = edgeling.json("train", "numbers.csv", "--target", "z")
    assert said["task"] == "regression"
    assert said["metrics"]["r2"] > 0.95
    assert json.loads((edgeling.folder / "numbers.edgeling" / "manifest.json").read_text())["task"] == "regression"


def test_a_table_of_everything(edgeling) -> None:
    """Numbers with gaps, categories with gaps, a constant column, a yes/no answer."""
    lines = ["size,colour,site,answer"]
    for i in range(160):
        size = "" if i % 9 == 0 else f"{i % 13}"
        colour = "" if i % 11 == 0 else ("red", "green", "blue")[i % 3]
        lines.append(f"{size},{colour},lab,{'yes' if i % 3 == 0 else 'no'}")
    (edgeling.folder / "mixed.csv").write_text("\n".join(lines))
    said = edgeling.json("train", "mixed.csv", "--target", "answer")
    assert said["task"] == "binary"
    assert said["inputs"] == ["size", "colour"]
    assert said["metrics"]["accuracy"] > 0.85
    assert all(figures["matches"] for figures in said["targets"].values())


def test_the_targets_can_be_chosen(edgeling) -> None:
    said = edgeling.json(
        "train", "flowers.csv", "--target", "species", "--for", "cortex-m0plus,native", "--precision", "int8"
    )
    assert set(said["targets"]) == {"cortex-m0plus", "native"}
    assert "--for cortex-m0plus,native" in said["command"]


def test_a_parquet_file(edgeling) -> None:
    polars = pytest.importorskip("polars")
    polars.read_csv(edgeling.folder / "flowers.csv").write_parquet(edgeling.folder / "flowers.parquet")
    assert edgeling.json("train", "flowers.parquet", "--target", "species")["metrics"]["accuracy"] > 0.9


@pytest.mark.parametrize(
    "verb", ["demo", "train", "predict", "build", "verify", "explain", "info", "targets", "doctor"]
)
def test_help_has_an_example(edgeling, verb: str) -> None:
    assert f"edgeling {verb}" in edgeling.run(verb, "--help").stdout


def test_demo(edgeling) -> None:
    said = edgeling.json("demo")
    assert said["metrics"]["accuracy"] > 0.9
    assert Path(edgeling.folder, said["artifact"], "report.html").exists()


def test_predict_writes_the_file_and_says_it_in_json(trained) -> None:
    said = trained.json("predict", "flowers.edgeling", "flowers.csv", "--out", "answers.csv")
    with (trained.folder / "answers.csv").open(newline="") as file:
        assert [row["species"] for row in csv.DictReader(file)] == said["predictions"]


def test_names_that_standard_output_cannot_encode(edgeling) -> None:
    rows = "".join(f"{i % 7},{i % 5},{'né' if i % 7 > 3 else 'à'}\n" for i in range(60))
    (edgeling.folder / "accents.csv").write_text("größe,b,é\n" + rows, "utf-8")
    edgeling.json("train", "accents.csv", "--target", "é", "--epochs", "1")
    for command in (["predict", "accents.edgeling", "accents.csv"], ["info", "accents.edgeling"]):
        done = edgeling.run(*command, PYTHONIOENCODING="ascii")
        assert done.returncode == 0, done.stderr
        assert "\\xe9" in done.stdout


def test_a_terminal_one_character_wide(trained) -> None:
    assert trained.run("build", "flowers.edgeling", "--out", "firmware", COLUMNS="1").returncode == 0


def test_predicting_without_a_compiler_says_so_in_a_line(trained) -> None:
    done = trained.run("predict", "flowers.edgeling", "flowers.csv", EDGELING_CC="none")
    assert done.returncode == 0
    assert done.stderr.startswith("Warning: predicting with the slow interpreter")
    assert done.stderr.count("\n") == 1


def test_explain_leaves_out_rows_without_a_target(trained) -> None:
    lines = (trained.folder / "flowers.csv").read_text().splitlines()
    unknown = [line.rsplit(",", 1)[0] + "," for line in lines[1:]]
    (trained.folder / "some.csv").write_text("\n".join([*lines, *unknown[:20]]))
    assert trained.json("explain", "flowers.edgeling", "some.csv")["rows"] == 150
    (trained.folder / "none.csv").write_text("\n".join([lines[0], *unknown]))
    assert "target" in trained.refused("explain", "flowers.edgeling", "none.csv")


def test_train_takes_what_a_person_chooses(edgeling) -> None:
    """Options as typed, a division in two words among them; all of it is in the command that does it again."""
    lines = [f"{i},{i % 7},{i % 5},{i // 30},{'yes' if i % 7 + i % 5 > 7 else 'no'}" for i in range(150)]
    (edgeling.folder / "rows.csv").write_text("id,a,b,batch,y\n" + "\n".join(lines) + "\n")
    said = edgeling.json(
        "train", "rows.csv", "--target", "y", "--drop", "id", "--split", "group", "batch",
        "--class-weight", "yes=3,no=1", "--positive", "no", "--no-importance",
        "--epochs", "2", "--for", "native", "--precision", "float32",
    )  # fmt: skip
    assert said["inputs"] == ["a", "b"]
    assert said["balance"] | {"tried": None, "left_out": []} == {
        "method": "weights", "counted": {"yes": 3.0, "no": 1.0}, "tried": None, "left_out": [],
    }  # fmt: skip
    assert 0 < said["decision"]["threshold"] < 1
    rows = said["training"]["rows"]  # groups are left out in turn: all but those to test on
    assert said["correction"]["rows"] == rows["train"] + rows["validation"]
    assert said["positive"] == "no"
    assert said["importance"] is None
    assert said["training"]["stopped_by"] == "epochs"
    assert "--split group:batch" in said["command"]
    assert any("rows count by their class" in warning for warning in said["warnings"])
    again = edgeling.json(*said["command"].split()[1:])
    assert again["metrics"] == said["metrics"]
    shown = edgeling.run("info", "rows.edgeling").stdout
    assert "true → taken for  yes" in shown


@pytest.mark.parametrize("twice", [False, True])
def test_ctrl_c_while_training_keeps_the_best_network_and_a_second_gives_up(edgeling, twice: bool) -> None:
    code = "from edgeling.cli import main; main()"
    command = [sys.executable, "-c", code, "train", "flowers.csv", "--target", "species", "--json", "--for", "native",
               "--epochs", "10000000", "--patience", "10000000"]  # fmt: skip
    process = subprocess.Popen(command, cwd=edgeling.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr
    assert process.stdout
    assert "Reading" in process.stderr.readline()
    time.sleep(1.5)  # should training not have ended an epoch by then, nothing is kept, and that is right too
    process.send_signal(signal.SIGINT)
    line = process.stderr.readline() + process.stderr.readline()
    if twice:
        process.send_signal(signal.SIGINT)
    said, message = process.communicate(timeout=120)
    assert "Traceback" not in message
    if twice or "Stopped by Ctrl-C" not in line:  # the second may come when all is written, or Python is leaving
        assert process.returncode in (0, 130, -signal.SIGINT), message
    else:
        assert process.returncode == 0, message
        assert json.loads(said)["training"]["stopped_by"] == "interrupt"
    left = {p.name for p in edgeling.folder.iterdir()}
    assert left <= {"flowers.csv", "flowers.edgeling"}
    if process.returncode == 130:
        assert left == {"flowers.csv"}
        assert json.loads(said)["error"]["type"] == "KeyboardInterrupt"
    elif "flowers.edgeling" in left:
        assert edgeling.json("info", "flowers.edgeling")["training"]["stopped_by"] == "interrupt"
