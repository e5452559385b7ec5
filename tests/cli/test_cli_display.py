# SPDX-License-Identifier: Apache-2.0
"""What the terminal shows: all of it in 80 columns, no name obeyed, plain characters where there are no others."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeling.cli import display
from edgeling.cli.live import RichProgress, TrainingLine
from edgeling.cli.terminal import bar, one_line, sparkline
from edgeling.data.scores import ClassScore
from edgeling.explaining import PermutationImportance
from edgeling.report.content import Content, DataSummary, Evaluation
from tests.support.deployments import deployment

HOSTILE = "a\x1b[31mb\nc\r[bold]d[/bold]:smile:\x07"


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("FORCE_COLOR", "NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)


def content(labels=("setosa", "versicolor"), features=("length", "width"), warning="Few rows."):
    n = len(labels)
    return Content(
        "Iris",
        "multiclass",
        "species",
        data=DataSummary("iris.csv", 150, warnings=(warning,)),
        evaluation=Evaluation(
            30,
            {"accuracy": 0.9333, "loss": 0.1234},
            tuple(ClassScore(0.912, 0.823, 0.734, 15, label) for label in labels),
            np.arange(n * n).reshape(n, n) * 11,
            baseline={"accuracy": 0.5},
        ),
        importance=PermutationImportance(features, np.array([0.4, 0.1]), np.array([0.02, 0.01]), 0.93, 10),
        deployments=(
            deployment(
                "cortex-m4", "int8", 988, 760, 228, 32, 88, 611, clock_hz=168_000_000, metrics={"accuracy": 0.93}
            ),
            deployment(
                "cortex-m0plus", "float32", 12004, 9000, 3004, 48, 104, 123456, clock_hz=48_000_000, max_error=1.2e-7
            ),
        ),
    )


def shown(capsys, *arguments):
    display.show_content(*arguments)
    out, err = capsys.readouterr()
    assert out == ""
    return err


def test_the_figures_are_on_standard_error(capsys, tmp_path):
    text = shown(capsys, content(), tmp_path / "iris.edgeling")
    for figure in (
        "93.3 %",
        "50.0 %",
        "0.1234",
        "91.2 %",
        "82.3 %",
        "73.4 %",
        "33",
        "0.400 ± 0.020",
        "988",
        "611",
        "123,456",
    ):
        assert figure in text
    for words in ("Few rows.", "exact", "1.2e-7", "Proven on cortex-m4 and cortex-m0plus.", "iris.edgeling"):
        assert words in text


@pytest.mark.parametrize("classes", [2, 3, 6, 12, 40])
@pytest.mark.parametrize("length", [1, 9, 200])
def test_everything_fits_in_80_columns(capsys, classes, length):
    labels = tuple(f"{i}".zfill(length) for i in range(classes))
    text = shown(capsys, content(labels, ("f" * length, "g" * length)), None)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in next(line for line in text.splitlines() if "cortex-m4" in line)


def test_long_class_names_give_way_to_letters(capsys):
    text = shown(capsys, content(tuple(f"a rather long class name {i}" for i in range(5))), None)
    assert "a = a rather long" in text


@pytest.mark.parametrize("place", ["labels", "features", "warning"])
def test_a_terminal_obeys_no_name(capsys, place):
    value = {"labels": (HOSTILE, "b"), "features": (HOSTILE, "b"), "warning": HOSTILE}[place]
    text = shown(capsys, content(**{place: value}), None)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
    assert "[bold]d" in text


def test_an_ascii_stream_gets_ascii(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")
    monkeypatch.setattr("sys.stderr", stream)
    display.show_content(content(), None)
    with RichProgress().training(2) as line:
        for loss in (1.0, 0.5):
            line.on_epoch_end(0, {"loss": loss})
    stream.flush()
    assert b"+ Proven on cortex-m4" in stream.buffer.getvalue()


def test_what_is_missing_is_left_out(capsys):
    text = shown(capsys, Content("Bare", "regression", "y"), None)
    assert text == ""
    display.show_deployments([deployment("host", "float32", matches=False, max_error=0.5)])
    text = capsys.readouterr().err
    assert "flash" not in text
    assert "0.5000" in text
    assert "Does not match the specification on host." in text


def test_a_mapping_is_a_line_a_value_and_a_table_a_list(capsys):
    display.show_mapping(
        {
            "healthy": True,
            "none": None,
            "share": 0.25,
            "labels": ["a", "b"],
            "empty": [],
            "targets": {"cortex-m4": {"flash_bytes": 1234}},
            "columns": [{"name": HOSTILE, "missing": 0}] * 60,
        }
    )
    out, err = capsys.readouterr()
    assert err == ""
    for words in ("yes", "0.2500", "a, b", "flash bytes", "1,234", "and 10 more"):
        assert words in out
    assert "\x1b" not in out


def test_stages_are_plain_lines_where_there_is_no_terminal(capsys):
    progress = RichProgress()
    with progress.stage("Reading the table") as stage:
        stage.done("150 rows")
    with pytest.raises(KeyboardInterrupt), progress.stage("Compiling"):
        raise KeyboardInterrupt
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("✓ Reading the table")
    assert "150 rows" in first
    assert second.startswith("✗ Compiling")


def test_training_tells_where_it_led(capsys):
    with RichProgress().training(500) as line:
        for epoch in range(87):
            line.on_epoch_end(
                epoch, {"loss": 1 / (epoch + 1), "accuracy": 0.98, "val_loss": 2.0, "val_accuracy": 0.958}
            )
    text = capsys.readouterr().err
    assert "87 epochs  accuracy 98.0 %  val 95.8 %" in text
    assert len(text.splitlines()) == 1
    assert "epoch 87/500  loss 0.01149" in str(line.__rich__())


def test_training_without_metrics_or_with_none_at_all():
    line = TrainingLine(5)
    assert "epoch 0/5" in str(line.__rich__())
    line.on_epoch_end(0, {"loss": float("nan")})
    assert line.summary().startswith("1 epoch  loss not finite")


def test_a_sparkline_goes_from_low_to_high():
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8) == "▁▂▃▄▅▆▇█"
    assert sparkline([7, 0], 8) == "█▁"
    assert sparkline([0.1] * 87, 8) == "▁" * 8
    assert sparkline([-1.7e308, 1.7e308], 8) == "▁█"
    assert sparkline([float("nan")], 8) == ""


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True)), st.integers(1, 40))
def test_a_sparkline_never_outgrows_its_width(values, width):
    assert len(sparkline(values, width)) <= width


@pytest.mark.parametrize(("share", "drawn"), [(0, ""), (1, "████"), (0.5, "██"), (0.375, "█▌"), (-3, ""), (9, "████")])
def test_bars_are_as_long_as_their_share(share, drawn):
    assert bar(share, 4) == drawn


@given(st.text())
def test_one_line_is_one_printable_line(text):
    assert len(one_line(text).splitlines()) <= 1
    assert not re.search("[\x00-\x1f\x7f-\x9f]", one_line(text))
