# SPDX-License-Identifier: Apache-2.0
"""The page: legal HTML, nothing fetched, nothing of the data taken for markup, its numbers on it."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeling.explaining import PermutationImportance
from edgeling.report.content import (
    Calibration,
    ClassScore,
    ColumnSummary,
    Content,
    Curve,
    DataSummary,
    Evaluation,
    LayerSummary,
    NetworkSummary,
    Reproduction,
    TrainingSummary,
)
from edgeling.report.page import render
from tests.support.deployments import deployment

VOID = {"meta", "br", "col"}
OPTIONAL = [f.name for f in fields(Content) if f.name not in ("name", "task", "target")]


class Reader(HTMLParser):
    """Checks that every tag is closed in order; gathers tags, attributes, ids and text."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes, self.ids, self.texts = [], [], [], [], []

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute twice in <{tag}>"
        self.tags.append(tag)
        self.attributes += attrs
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).replace("\N{NO-BREAK SPACE}", " ").split())


def read(page):
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def full_content(name="Iris", labels=("setosa", "versicolor", "virginica"), features=("length", "width")):
    return Content(
        name=name,
        task="multiclass",
        target=name,
        data=DataSummary(
            f"{name}.csv",
            1234,
            tuple(ColumnSummary(f, "number", missing=17, distinct=35, summary=f"most often {f}") for f in features),
            {"training": 900, "testing": 334},
            dict(zip(labels, (1000, 200, 34), strict=True)),
            warnings=(f"{name} is odd.",),
        ),
        training=TrainingSummary(
            {"loss": [1.0, 0.5, 0.3], "val_loss": [1.1, 0.6, 0.7], "accuracy": [0.4, 0.8, 0.9], name: [3.0, 2.0, 1.0]},
            best_epoch=2,
            optimizer=f"Adam {name}",
            loss="cross-entropy",
            batch_size=16,
            seconds=0.0042,
        ),
        evaluation=Evaluation(
            334,
            {"accuracy": 0.9333, "loss": 0.1234, name: 5.678},
            tuple(ClassScore(0.912, 0.823, 0.734, 111, label) for label in labels),
            np.array([[271, 2, 3], [4, 55, 6], [7, 8, 9]]),
            baseline={"accuracy": 0.811},
            roc=tuple(Curve(np.array([0, 0.2, 1]), np.array([0, 0.7, 1]), 0.7512, label) for label in labels),
            precision_recall=(Curve(np.array([0, 1]), np.array([1, 0.4]), 0.6543, name),),
            calibration=Calibration(np.array([0.1, 0.9]), np.array([0.2, 0.8]), np.array([3, 30]), name),
        ),
        importance=PermutationImportance(features, np.array([0.321, -0.01]), np.array([0.05, 0.02]), 0.9333, 10),
        network=NetworkSummary(
            features,
            (
                LayerSummary("Standardise", 2, 4),
                LayerSummary("Dense", 5, 4321, "relu", np.linspace(-1, 1, 10).reshape(2, 5)),
                LayerSummary("Dense", 3, 18, "softmax", np.linspace(-1, 1, 15).reshape(5, 3)),
            ),
        ),
        deployments=(
            deployment(
                "cortex-m4",
                "int8",
                1988,
                1760,
                228,
                32,
                88,
                611,
                clock_hz=168_000_000,
                rows=334,
                metrics={"accuracy": 0.9301},
                note=name,
            ),
            deployment(
                "cortex-m4",
                "float32",
                2304,
                1972,
                332,
                48,
                104,
                757,
                clock_hz=168_000_000,
                rows=334,
                max_error=1.2e-7,
                metrics={"accuracy": 0.9333},
            ),
        ),
        reproduction=Reproduction(f"edgeling train {name}.csv", 7, "0.1.0", {f"{name}.bin": "ab" * 32}),
        created="a Tuesday",
    )


def regression_content(y_true, y_predicted, target_values):
    return Content(
        "Diabetes",
        "regression",
        "progression",
        data=DataSummary("d.csv", len(y_true), target_values=target_values),
        evaluation=Evaluation(
            len(y_true), {"mae": 43.21, "r2": 0.517}, y_true=y_true, y_predicted=y_predicted, baseline={"mae": 65.7}
        ),
    )


def test_a_full_page_is_well_formed_with_every_section():
    reader = read(render(full_content()))
    assert render(full_content()).startswith("<!DOCTYPE html>\n<html")
    assert reader.tags.count("section") == 7
    assert len(reader.ids) == len(set(reader.ids))


def test_equal_contents_make_equal_pages():
    assert render(full_content()) == render(full_content())


@pytest.mark.parametrize(
    "number",
    """93.3 %|1,234 rows|1,988 B|1,760 B|228 B|611|3.64 µs|168 MHz|4,321|0.1234|5.678|271|91.2 %|82.3 %|73.4 %|81.1 %
    |0.321 ± 0.050|1.2 \N{MULTIPLICATION SIGN} 10⁻⁷|seed 7|4.20 ms|best: epoch 2|a Tuesday|34 values missing
    |1,000 (81.0 %)|most often width|4,343 parameters|abababababababababab""".replace("\n    ", "").split("|"),
)
def test_numbers_of_the_content_are_on_the_page(number):
    assert number in read(render(full_content())).text


def test_the_better_of_two_programs_is_set_in_bold():
    page = render(full_content())
    assert '<td class="num best">1,988 B</td>' in page
    assert '<td class="num">2,304 B</td>' in page


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "</style></title>&lt;"]
)
def test_hostile_names_are_shown_and_never_obeyed(hostile):
    plain = read(render(full_content()))
    page = render(full_content(hostile, (hostile, hostile + "2", hostile + "3"), (hostile, hostile + "x")))
    reader = read(page)
    assert reader.tags == plain.tags
    assert [name for name, _ in reader.attributes] == [name for name, _ in plain.attributes]
    assert hostile in reader.text
    assert len(reader.ids) == len(set(reader.ids))


@settings(max_examples=40, deadline=None)
@given(st.text(min_size=1, max_size=60))
def test_any_text_makes_a_legal_page_that_can_be_written(name):
    page = render(full_content(name, (name, name + "2", name + "3"), (name, name + "x")))
    read(page)
    page.encode("utf-8")
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", page)


def test_nothing_is_fetched_and_nothing_runs():
    page = render(full_content())
    reader = read(page)
    assert not {"script", "link", "img", "iframe", "object", "embed", "base", "form"} & set(reader.tags)
    assert not {"src", "href", "srcset", "data", "action", "xlink:href"} & {name for name, _ in reader.attributes}
    assert not [name for name, _ in reader.attributes if name.startswith("on")]
    for fetcher in ("http:", "https:", "url(", "@import", "//"):
        assert fetcher not in page


def test_every_drawing_is_named_for_those_who_cannot_see_it():
    page = render(replace(full_content(), training=TrainingSummary({"a b <c>": [1.0, 2.0], "loss": [1.0]})))
    reader = read(page)
    labels = [value for name, value in reader.attributes if name == "aria-labelledby"]
    assert all(len(label.split()) == 2 for label in labels)
    assert len(labels) == page.count("<svg ") - page.count('aria-hidden="true"') >= 5
    for label in labels:
        assert set(label.split()) <= set(reader.ids)


@pytest.mark.parametrize("left_out", OPTIONAL)
def test_any_part_may_be_missing(left_out):
    empty = {"deployments": (), "created": ""}.get(left_out)
    page = render(replace(full_content(), **{left_out: empty}))
    read(page)
    assert "None" not in page


def test_a_bare_content_makes_a_page():
    reader = read(render(Content("Bare", "binary", "y")))
    assert "section" not in reader.tags
    assert "Bare" in reader.text


def test_a_classifier_shows_its_curves():
    reader = read(render(full_content(labels=("p", "q", "r"))))
    assert {"roc-title", "precision-recall-title", "calibration-title"} <= set(reader.ids)
    assert "Area: p 0.751, q 0.751 and r 0.751." in reader.text
    assert "told 90.0 %, true in 80.0 % of 30 rows" in reader.text
    many = tuple(Curve(np.array([0, 1]), np.array([0, 1]), i / 20, f"class {i}") for i in range(20))
    content = full_content()
    text = read(render(replace(content, evaluation=replace(content.evaluation, roc=many)))).text
    assert "The 6 classes of 20 with the least area. Area: class 0 0" in text
    assert "class 6" not in text


def test_rows_that_may_have_been_trained_on_are_not_called_unseen():
    content = full_content()
    text = read(render(replace(content, evaluation=replace(content.evaluation, unseen=False, source="new.csv")))).text
    assert "334 rows of new.csv" in text
    assert "took no part" not in text
    assert "never seen" not in text


def test_regression_shows_its_plots():
    rng = np.random.default_rng(0)
    y = rng.normal(size=80)
    page = render(regression_content(y, y + rng.normal(size=80) * 0.1, y))
    reader = read(page)
    assert page.count("<circle") == 160
    assert {"scatter-title", "residual-scatter-title", "residuals-title", "target-title"} <= set(reader.ids)
    assert "43.21" in reader.text
    assert "0.5170" in reader.text


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0, 1e30, -1e-30])
def test_strange_numbers_leave_a_page(value):
    y = np.array([1.0, value, 1.0])
    content = replace(
        regression_content(y, y, y),
        training=TrainingSummary({"loss": [1.0, value], "val_loss": [value, value]}, best_epoch=1),
        importance=PermutationImportance(("a",), np.array([value]), np.array([value]), value, 1),
        deployments=(deployment("host", "float32", max_error=value, matches=False, metrics={"accuracy": value}),),
    )
    page = render(content)
    read(page)
    assert not re.search(r'="-?(nan|inf)', page)


def test_many_classes_and_columns_stay_a_page():
    labels = tuple(f"class {i}" for i in range(300))
    data = DataSummary(
        "wide.csv",
        10,
        tuple(ColumnSummary(f"c{i}", "number") for i in range(2000)),
        class_counts=dict.fromkeys(labels, 3),
    )
    scores = tuple(ClassScore(1, 1, 1, 3, label) for label in labels)
    evaluation = Evaluation(900, {"accuracy": 1.0}, scores, np.eye(300, dtype=int) * 3)
    reader = read(render(Content("Wide", "multiclass", "y", data=data, evaluation=evaluation)))
    assert "270 more classes not drawn" in reader.text
    assert "All 2,000 columns" in reader.text


@pytest.mark.parametrize(
    ("matches", "sentence"),
    [
        ((True, True), "Proven on m4 and m0."),
        ((True, False), "Does not match the specification on m0."),
        ((False, False), "Does not match the specification on m4 and m0."),
    ],
)
def test_the_verdict_says_no_more_than_was_found(matches, sentence):
    deployments = tuple(deployment(t, "int8", matches=m) for t, m in zip(("m4", "m0"), matches, strict=True))
    text = read(render(Content("V", "binary", "y", deployments=deployments))).text
    assert sentence in text
    assert ("Proven" in sentence) == ("Proven" in text)


def test_bit_exact_is_said_only_of_an_error_of_zero():
    def said(error):
        found = deployment("m4", "int8", max_error=error)
        return read(render(Content("V", "binary", "y", deployments=(found,)))).text

    assert "int8 bit-exact" in said(0.0)
    assert "bit-exact" not in said(1e-9)
