# SPDX-License-Identifier: Apache-2.0
"""Estimators for scikit-learn: what its own checks ask, and what people do with estimators."""

import pickle

import numpy as np
import pytest

import edgeling

pytest.importorskip("sklearn")
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import check_estimator

from edgeling.formats.scikit_learn import converted
from edgeling.sklearn import EdgelingClassifier, EdgelingRegressor
from tests.support.rounding import require_rows

IRIS = load_iris(return_X_y=True)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", [EdgelingClassifier, EdgelingRegressor])
def test_scikit_learns_own_checks(kind):
    check_estimator(kind())


def test_searched_cloned_pickled_and_compiled():
    X, y = IRIS
    words = np.array(["setosa", "versicolor", "virginica"])[y]
    whole = make_pipeline(MinMaxScaler(), EdgelingClassifier(random_state=0, max_iter=40))
    search = GridSearchCV(whole, {"edgelingclassifier__hidden_layer_sizes": [(), (8,)]}, cv=3).fit(X, words)
    assert search.best_score_ > 0.9
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(again.predict(X), search.predict(X))
    found = converted(search.best_estimator_, 4)
    assert found.labels == ("setosa", "versicolor", "virginica")
    require_rows(found.graph, again.predict_proba(X), X)
    assert edgeling.verify(again, "native").matches


def test_a_seed_repeats_and_none_differs():
    X, y = IRIS
    first, second = (EdgelingClassifier(random_state=7, max_iter=5).fit(X, y).predict_proba(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    other = EdgelingClassifier(random_state=8, max_iter=5).fit(X, y).predict_proba(X)
    assert not np.array_equal(first, other)


def test_numbers_in_their_own_unit_with_rows_kept_apart():
    X, y = load_diabetes(return_X_y=True)
    network = EdgelingRegressor((16,), early_stopping=True, random_state=0)
    assert cross_val_score(network, X, y * 1000, cv=3).mean() > 0.3
    fitted = clone(network).fit(X, y * 1000)
    require_rows(converted(fitted, 4).graph, fitted.predict(X)[:, None], X)


def test_class_weights_shift_what_is_told():
    X, y = IRIS
    rare = np.flatnonzero((y > 0) & ((y == 1) | (np.arange(150) % 7 == 0)))
    plain, balanced = (
        EdgelingClassifier((), class_weight=w, random_state=0, max_iter=60).fit(X[rare, :2], y[rare] == 2)
        for w in (None, "balanced")
    )
    assert balanced.predict_proba(X[:, :2])[:, 1].mean() > plain.predict_proba(X[:, :2])[:, 1].mean()
