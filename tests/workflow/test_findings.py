# SPDX-License-Identifier: Apache-2.0
"""A pipeline explained in its table's words: rows, columns, changes, and the rows that a device compares with."""

from __future__ import annotations

from html.parser import HTMLParser

import numpy as np
import pytest

import edgeling
from edgeling.data import IRIS
from edgeling.data.probabilities import log_losses
from edgeling.errors import ArtifactError, DataError, UnsupportedError
from edgeling.explaining.findings import rank_correlation
from edgeling.report.page import render
from edgeling.workflow.explain import explain
from edgeling.workflow.findings import column_findings, explain_row
from edgeling.workflow.store import manifest
from edgeling.workflow.typical import LEAST_ROWS, read_typical_rows
from tests.support.close import DOUBLE, SINGLE, require_close


def houses(rows=160, seed=3):
    """A price by area, city and year, gaps in area, a column of dates."""
    rng = np.random.default_rng(seed)
    area, city = rng.uniform(40, 200, rows), rng.integers(0, 3, rows)
    price = area * np.array([1800, 2000, 3000])[city] + rng.normal(size=rows) * 5000
    area = np.where(rng.random(rows) < 0.05, np.nan, area)
    years, days = rng.integers(1950, 2020, rows), rng.integers(1, 28, rows)
    built = [f"{year}-05-{day:02d}" for year, day in zip(years, days, strict=True)]
    return {"area": area, "city": np.array(["Graz", "Linz", "Wien"])[city], "built": built, "price": price}


@pytest.fixture(scope="module")
def priced():
    return edgeling.train(houses(), "price", targets=("native",), epochs=60, name="houses")


@pytest.fixture(scope="module")
def flowers():
    return edgeling.train(IRIS, "species", targets=("native",), epochs=60)


def adds_up(found):
    """A row's answer alone and among others comes of two kernels, which sum a layer of some dozens in other orders."""
    size = abs(found.base) + np.abs(found.values).sum() + abs(found.value)
    require_close(found.base + found.values.sum(), found.value, 2**7, of=size, unit=SINGLE)


def test_a_class_is_explained_and_every_other_too(flowers):
    pipeline = flowers.pipeline
    table = pipeline.read(IRIS)
    found = explain_row(pipeline, table, 101)
    assert (found.answer, found.explained, found.percent) == ("virginica", "probability of virginica", True)
    assert set(found.by_class) == {"setosa", "versicolor", "virginica"}
    adds_up(found)
    # Probabilities add up to one whatever is known, so what a column adds to all of them is nothing.
    total = np.sum(list(found.by_class.values()), axis=0)
    require_close(total, np.zeros(4), 8, of=np.full(4, 2.0), unit=SINGLE)
    other = explain_row(pipeline, table, 101, label="setosa")
    np.testing.assert_array_equal(other.values, found.by_class["setosa"])
    assert other.explained == "probability of setosa"


@pytest.mark.parametrize("row", [1, 101])
def test_scores_are_those_whose_softmax_was_answered(flowers, row):
    pipeline = flowers.pipeline
    table = pipeline.read(IRIS)
    found = explain_row(pipeline, table, row, model_output="raw")
    assert (found.explained, found.percent) == (f"score of {found.answer}", False)
    adds_up(found)
    usual = explain_row(pipeline, table, row)
    assert usual.changes == found.changes
    score = {name: found.by_class[name].sum() for name in found.by_class}
    assert max(score, key=score.get) == found.answer
    with pytest.raises(UnsupportedError, match="model_output"):
        explain_row(pipeline, table, row, model_output="odds")


def test_log_odds_are_of_either_class(tmp_path):
    """Against the logarithms of what is answered, in float32, where that is far from 0 and 1."""
    data = houses()
    data["dear"] = np.where(np.nan_to_num(data.pop("price")) > 250_000, "yes", "no")
    pipeline = edgeling.train(data, "dear", targets=(), epochs=20, precision="float32", importance=False).pipeline
    table = pipeline.read(data)
    for label, sign in (("yes", 1), ("no", -1)):
        found = explain_row(pipeline, table, 3, label=label, model_output="raw")
        p = float(pipeline.answers(pipeline.preparation.transform(table))[2, 0])
        room = 2**7 * np.finfo(np.float32).eps * (1 / (p * (1 - p)) + abs(found.value))
        assert abs(found.value - sign * np.log(p / (1 - p))) <= room
        assert found.explained == f"log-odds of {label}"
        adds_up(found)


def test_integrated_gradients_of_the_same_rows_add_up_to_the_same(flowers):
    found = explain_row(flowers.pipeline, flowers.pipeline.read(IRIS), 60)
    exact = flowers.pipeline.answers(flowers.pipeline.preparation.transform(flowers.pipeline.read(IRIS)), "float32")
    place = flowers.pipeline.labels.index(found.answer)
    off = found.integrated.sum() - (exact[59, place] - exact[np.linspace(0, 149, 100).astype(int), place].mean())
    assert abs(off) < 0.03  # of midpoints through kinks of relu: less than what a person reads


def test_a_change_that_is_told_changes_the_answer(flowers):
    pipeline = flowers.pipeline
    table = pipeline.read(IRIS)
    found = explain_row(pipeline, table, 71, change=("petal_width_cm", "petal_length_cm"))
    assert found.changes
    for change in found.changes:
        cells = dict(zip(found.names, found.given, strict=True)) | {n: to for n, (_, to) in change.columns.items()}
        assert set(change.columns) <= {"petal_width_cm", "petal_length_cm"}
        again = pipeline.predict({name: [float(cell)] for name, cell in cells.items()})
        assert again.values[0] == change.answer != found.answer
    nearest = [change.distance for change in found.changes]
    assert nearest == sorted(nearest)
    (least, *_) = explain_row(pipeline, table, 71, reach="setosa").changes
    assert least.answer == "setosa"


def test_a_number_its_gaps_categories_and_dates(priced):
    pipeline = priced.pipeline
    table = houses()
    gap = int(np.flatnonzero(np.isnan(table["area"]))[0]) + 1
    found = explain_row(pipeline, pipeline.read(table), gap, reach="1000")
    assert dict(zip(found.names, found.given, strict=True)) == {
        "area": "missing", "city": table["city"][gap - 1], "built": table["built"][gap - 1],
    }  # fmt: skip
    assert (found.explained, found.percent, found.by_class) == ("price", False, {})
    adds_up(found)
    assert found.wanted == "at most 1000"
    assert not explain_row(pipeline, pipeline.read(table), gap).changes


def test_columns_are_told_by_their_own_values(priced):
    raw, _ = priced.held_out
    found = column_findings(priced.pipeline, raw, [1, 0, 2])
    city, area, built = found.curves
    assert (city.points, city.is_category) == (("Graz", "Linz", "Wien"), True)
    assert city.dependence.mean[2, 0] > city.dependence.mean[1, 0]
    assert len(area.points) == len(area.dependence.grid) == 25
    assert "days since" in built.axis
    assert {each.precision for each in found.shifts} == {"int8"}
    assert all(-1 <= each.correlation <= 1 for each in found.shifts)
    assert len(found.together) == 3


def test_the_pages_show_it(flowers, priced):
    content, plain = explain(flowers.pipeline, IRIS, row=17)
    page = render(content)
    HTMLParser().feed(page)
    assert "Why row 17 is answered setosa" in page
    assert "What answers depend on" in page
    assert "usual answer" in page
    assert plain["row"]["answer"] == "setosa"
    assert set(plain["dependence"]) == set(flowers.pipeline.preparation.names)
    without = {name: values for name, values in houses().items() if name != "price"}
    content, plain = explain(priced.pipeline, without, row=2)
    assert "metrics" not in plain
    assert "Why row 2 is answered" in render(content)


@pytest.mark.parametrize(
    ("row", "asked", "said"),
    [
        (0, {}, "1 to 150"), (151, {}, "1 to 150"), (3, {"label": "rose"}, "'rose'"), (3, {"reach": "rose"}, "'rose'"),
        (3, {"change": ("petal",)}, "'petal'"),
        (3, {"change": ("sepal_width_cm", "petal_width_cm", "petal_length_cm")}, "one or two"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_refused(flowers, row, asked, said):
    with pytest.raises(DataError, match=said):
        explain_row(flowers.pipeline, flowers.pipeline.read(IRIS), row, **asked)


def test_a_number_has_no_classes_and_no_word_is_reached(priced):
    table = priced.pipeline.read(houses())
    with pytest.raises(DataError, match="for a number"):
        explain_row(priced.pipeline, table, 1, label="Graz")
    with pytest.raises(DataError, match="'much'"):
        explain_row(priced.pipeline, table, 1, reach="much")


def test_each_class_is_told_by_itself(flowers):
    content, plain = explain(flowers.pipeline, IRIS, individual=True)
    labels, importance = flowers.pipeline.labels, content.importance
    # Iris has fifty rows of each class: the mean over all rows is that of the classes' means. No loss is above 16.
    together = np.mean([importance.by_class[label] for label in labels], axis=0)
    require_close(together, importance.mean, 2 * 150, of=16.0, unit=DOUBLE)
    assert plain["importance_by_class"] == {
        label: dict(zip(importance.feature_names, importance.by_class[label], strict=True)) for label in labels
    }
    for told in plain["dependence"].values():
        assert set(told["mean"]) == set(told["individual"]) == set(labels)
        for label in labels:
            curves = np.array(told["individual"][label])
            assert curves.shape[1] == len(told["values"])
            require_close(curves.mean(axis=0), np.array(told["mean"][label]), 2 * len(curves), of=1.0, unit=DOUBLE)
    for pair in plain["interactions"]:
        squares = sum(each["size"] ** 2 for each in pair["by_class"].values())
        require_close(squares, pair["size"] ** 2, 150, of=1.0, unit=DOUBLE)
    page = render(content)
    for words in ("Log loss gained by the rows of each class", "Each class by itself", "Most in"):
        assert words in page


def test_of_a_number_there_are_no_classes_and_curves_are_plain_lists(priced):
    content, plain = explain(priced.pipeline, houses(), individual=True)
    assert "importance_by_class" not in plain
    told = plain["dependence"]["area"]
    assert np.array(told["individual"]).shape == (len(content.columns.curves[0].dependence.curves), len(told["values"]))
    assert "individual" not in content.columns.to_json()["dependence"]["area"]


def test_a_class_without_rows_has_no_loss_of_its_own():
    truth, told = np.array([0, 0, 1]), np.array([[0.5, 0.3, 0.2], [0.2, 0.7, 0.1], [0.1, 0.6, 0.3]])
    found = log_losses(truth, told)
    wanted = [np.mean(-np.log([0.5, 0.2, 0.6])), np.mean(-np.log([0.5, 0.2])), -np.log(0.6)]
    require_close(found[:3], np.array(wanted), 8, of=np.full(3, 2.0), unit=DOUBLE)
    assert np.isnan(found[3])


def test_the_manifest_tells_averages_of_several_rows_each(flowers, priced):
    told = manifest(flowers, "")["typical_rows"]
    names = flowers.pipeline.preparation.names
    learned = flowers.check.table.take(flowers.division.parts.train)
    for label, row in zip(flowers.pipeline.labels, told, strict=True):
        place = flowers.check.labels.index(label)
        chosen = flowers.check.codes[flowers.division.parts.train] == place
        assert chosen.sum() >= LEAST_ROWS
        means = [learned.column(name).values[chosen].mean() for name in names]
        require_close(row, means, 2)
    rows = read_typical_rows(priced.pipeline.preparation, manifest(priced, "")["typical_rows"])
    assert rows.shape == (4, 3)
    assert set(rows[:, 1]) <= {0.0, 1.0, 2.0}


@pytest.mark.parametrize("told", [[], [[1.0]], [[1.0, 2.0, None]], "rows", [[1.0, 2.0, 1e300]], [[0.0] * 3] * 99, {}])
def test_forged_typical_rows_are_refused(priced, told):
    with pytest.raises(ArtifactError, match="typical rows"):
        read_typical_rows(priced.pipeline.preparation, told)


def test_an_older_artifact_has_one_row_of_means(priced):
    assert read_typical_rows(priced.pipeline.preparation, None).shape == (1, 3)


def test_rank_correlation_is_scipys():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(5)
    for _ in range(5):
        a, b = rng.integers(0, 5, 9), rng.normal(size=9)
        require_close(rank_correlation(a, b), stats.spearmanr(a, b).statistic, 64, of=1.0, unit=DOUBLE)
    assert rank_correlation(np.zeros(3), np.zeros(3)) == 1
    assert rank_correlation(np.zeros(3), np.arange(3)) == 0
