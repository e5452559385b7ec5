# SPDX-License-Identifier: Apache-2.0
"""Explanations as graphs: against Shapley values by subsets in NumPy, finite differences, and themselves in C."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from edgeling.errors import UnsupportedError
from edgeling.explaining.columns import cut_columns
from edgeling.explaining.graphs import METHODS, explanation_graph
from edgeling.explaining.shapley import exact_row
from edgeling.graph import GraphBuilder, run, run_rows
from edgeling.passes.quantize import quantize
from edgeling.toolchain.predictor import Predictor, compiled
from tests.explaining.test_first_layer import network, rows
from tests.support.rounding import row_bounds

STEP = 2.0**-10


def in_double(graph):
    """Answers of raw rows in double precision."""
    return lambda x: np.concatenate([run(graph, [row[None]], float64=True).outputs[0] for row in x])


def weights(graph, which=0):
    """What to explain: one output of several; nothing has to be said of the only one."""
    outputs = graph.types[graph.outputs[0]].shape[1]
    return np.eye(outputs, dtype=np.float32)[which] if outputs > 1 else None


def given(graph, x, of):
    return (x,) if of is None else (x, np.repeat(of[None], len(x), axis=0))


@pytest.mark.parametrize("units", [(1,), (5, 1), (6, 5, 3)])
@pytest.mark.parametrize("background", [1, 4])
def test_shapley_values_are_those_of_all_subsets(units, background):
    graph, x = network(units, "tanh"), rows()
    of, others = weights(graph, 1), x[20 : 20 + background]
    explained = explanation_graph(graph, "shapley", others)
    for row in x[:2]:
        exact, _ = exact_row(in_double(graph), row, others)
        found = explained.attributions(row[None], of)[0]
        room = row_bounds(explained.graph, *given(graph, row[None], of))[0].tolerance
        np.testing.assert_allclose(found, exact[:, 0 if of is None else 1], rtol=0, atol=room)


def slopes(cut, z, of):
    """Central differences of the body by a prepared row, and how far those of twice the step are from them."""

    def at(step):
        ends = [[run(cut.body, [z + sign * step * unit], float64=True).outputs[0] @ of for unit in np.eye(z.shape[1])]
                for sign in (1, -1)]  # fmt: skip
        return (np.array(ends[0]) - np.array(ends[1]))[:, 0] / (2 * step)

    near, far = at(STEP), at(2 * STEP)
    return near + (near - far) / 3, np.abs(near - far)


@pytest.mark.parametrize("function", ["tanh", "gelu", "sigmoid"])
def test_gradients_are_those_of_finite_differences_and_integrated_ones_their_mean(function):
    graph, x = network((5, 3), function), rows()
    of, others = weights(graph, 2), x[20:23]
    cut = cut_columns(graph)
    prepared = run_rows(cut.head, x)[0].astype(np.float64)
    baselines = run_rows(cut.head, others)[0].astype(np.float64)
    cases = [("gradient", [1.0], baselines.mean(axis=0)[None]), ("integrated", (np.arange(4) + 0.5) / 4, baselines)]
    for method, points, starts in cases:
        explained = explanation_graph(graph, method, others, 4, complete=False)
        by_column = np.zeros((2, 4))
        for baseline in starts:
            away = prepared[0] - baseline
            slope, off = (np.mean(found, axis=0) for found in zip(
                *(slopes(cut, (baseline + share * away)[None], of) for share in points), strict=True))  # fmt: skip
            by_column += [np.bincount(cut.sources, weights=part, minlength=4) / len(starts)
                          for part in (slope * away, off * np.abs(away))]  # fmt: skip
        room = row_bounds(explained.graph, *given(graph, x[:1], of))[0].tolerance
        found = explained.attributions(x[:1], of)[0]
        assert np.all(np.abs(found - by_column[0]) <= by_column[1] + 2 * room)


def test_integrated_gradients_add_up_the_nearer_the_more_steps():
    graph, x = network((6, 1), "tanh"), rows()
    answers = in_double(graph)(x)[:, 0]
    off = []
    for steps in (4, 64):
        explained = explanation_graph(graph, "integrated", x[20:24], steps, complete=False)
        off.append(np.abs(explained.attributions(x).sum(axis=1) + explained.base[0, 0] - answers).max())
    assert off[1] < off[0] / 16  # midpoints: the error falls with the square of the step


@pytest.mark.parametrize("background", [1, 3])
@pytest.mark.parametrize("units", [(6, 1), (6, 5, 3)])
def test_what_steps_leave_over_is_shared_out_by_size(units, background):
    graph, x = network(units, "relu"), rows()
    of, others = weights(graph, 1), x[20 : 20 + background]
    rough, whole = (explanation_graph(graph, "integrated", others, 6, complete=c) for c in (False, True))
    answers = in_double(graph)(x[:9])[:, 0 if of is None else 1]
    found = whole.attributions(x[:9], of)
    room = row_bounds(whole.graph, *given(graph, x[:9], of))[0].tolerance
    base = whole.base[0, 0 if of is None else 1]
    assert np.all(np.abs(found.astype(np.float64).sum(axis=1) + base - answers) <= 8 * room)
    if background == 1:  # each column lacks the same share of its parts' sizes, at most all of it
        lacking = np.abs(answers - base - rough.attributions(x[:9], of).sum(axis=1))
        assert np.all(np.abs(found - rough.attributions(x[:9], of)) <= lacking[:, None] + room)


def test_a_category_and_a_date_are_one_column_each():
    graph, x = network((4, 1), "tanh"), rows()
    cut = cut_columns(graph)
    assert sorted(set(cut.sources)) == [0, 1, 2, 3]
    assert cut.sources.count(1) == 3  # a category of three
    assert cut.sources.count(3) == 3  # a count and two parts of the calendar
    for method in METHODS:
        assert explanation_graph(graph, method, x[:3], 4).attributions(x[:5]).shape == (5, 4)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("units", [(5, 1), (6, 5, 3)])
def test_compiled_for_many_rows_it_gives_what_it_means(method, units):
    graph, x = network(units, "relu"), rows()
    explained = explanation_graph(graph, method, x[:3], 6)
    arrays = given(graph, x, weights(graph))
    (found,) = Predictor(explained.graph, partial(compiled, explained.graph, "explained")).answers(*arrays)
    room = row_bounds(explained.graph, *arrays)[0].tolerance
    np.testing.assert_allclose(found, explained.attributions(x, weights(graph)), rtol=0, atol=2 * room)


def test_of_an_integer_network_subsets_are_asked_and_missing_values_stand_for_themselves():
    graph, x = network((6, 5, 3), "relu"), rows()
    small = quantize(graph, {"x": x}, "int8")
    explained = explanation_graph(small, "shapley", x[20:22])
    gaps = x[np.isnan(x[:, 0])][:2]
    assert len(gaps) == 2
    for row in (*gaps, x[1]):
        exact, _ = exact_row(lambda r: run_rows(small, r.astype(np.float32))[0], row, x[20:22])
        found = explained.attributions(row[None], weights(graph, 1))[0]
        room = 2**7 * np.finfo(np.float32).eps  # sums of 16 x 2 answers of at most 1, whose weights add up to two
        np.testing.assert_allclose(found, exact[:, 1], rtol=0, atol=room)


def test_what_cannot_be_explained_is_refused():
    graph, x = network(), rows()
    with pytest.raises(UnsupportedError, match="gradient, integrated, shapley"):
        explanation_graph(graph, "guess", x[:1])
    wide = GraphBuilder("wide")
    z = wide.input("x", (1, 13))
    many = wide.build([wide.add("sum", z, axes=(1,))])
    with pytest.raises(UnsupportedError, match="up to 12 columns"):
        explanation_graph(many, "shapley", np.zeros((1, 13), np.float32))
    two = GraphBuilder("two")
    a, b = two.input("a", (1, 2)), two.input("b", (1, 2))
    with pytest.raises(UnsupportedError, match="one input"):
        explanation_graph(two.build([two.add("add", a, b)]), "gradient", np.zeros((1, 2), np.float32))
    small = quantize(graph, {"x": x}, "int8")
    with pytest.raises(UnsupportedError, match="no gradient"):
        explanation_graph(small, "gradient", x[:1])
