# SPDX-License-Identifier: Apache-2.0
"""Numbers as people read them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edgeling.markup import Markup, element, escape
from edgeling.report import units
from edgeling.report.charts import typeset
from edgeling.report.diagrams import confusion


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (units.size(1234), "1,234 B"),
        (units.size(0), "0 B"),
        (units.size(204800), "200.0 KiB"),
        (units.size(None), units.UNKNOWN),
        (units.percent(0.9333), "93.3 %"),
        (units.percent(math.nan), "not finite"),
        (units.count(1234567), "1,234,567"),
        (units.figure(0.12345), "0.1235"),
        (units.figure(12345.6), "12,346"),
        (units.figure(1.19e-7), "1.2e-7"),
        (units.figure(-3.5e12), "-3.5e12"),
        (units.figure(0.0), "0"),
        (units.figure(math.inf), "not finite"),
        (units.spread(0.263, 0.0741), "0.263 ± 0.074"),
        (units.spread(0.263, 0.0741, percent=True), "26.3 ± 7.4"),
        (units.duration(4.9e-6), "4.90 µs"),
        (units.duration(0.012), "12.0 ms"),
        (units.duration(125), "2 min 5 s"),
        (units.metric("accuracy", 0.5), "50.0 %"),
        (units.metric("r2", 0.5), "0.5000"),
        (units.metric_name("f1_macro"), "F1, macro"),
        (units.metric_name("mean_something"), "Mean, something"),
        (units.shorten("versicolor", 7), "versic…"),
        (units.shorten("short", 7), "short"),
    ],
)
def test_figures(text, expected):
    assert text == expected


def test_powers_of_ten_are_raised_and_minus_is_a_minus():
    assert typeset("1.2e-7") == "1.2\N{NO-BREAK SPACE}\N{MULTIPLICATION SIGN}\N{NO-BREAK SPACE}10⁻⁷"
    assert typeset("-0.5") == "\N{MINUS SIGN}0.5"
    assert typeset("sepal") == "sepal"


def test_elements_escape_text_and_attributes_but_not_markup():
    assert element("p", "<b>", Markup("<i></i>"), None, title='"&') == '<p title="&quot;&amp;">&lt;b&gt;<i></i></p>'
    assert element("rect", x=1.005, y=2, class_="a", stroke_width=None) == '<rect x="1" y="2" class="a"></rect>'
    assert escape("a\x00b\ud800") == "a\ufffdb\ufffd"


def test_the_confusion_matrix_is_as_strong_as_the_share_of_the_true_class():
    svg = confusion("c", "t", ("x", "y"), np.array([[3, 1], [0, 4]]))
    assert [f'fill-opacity="{v}"' in svg for v in ("0.78", "0.34", "0.05", "1")] == [True] * 4
    assert "true x, predicted y: 1 (25.0 %)" in svg
