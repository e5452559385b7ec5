# SPDX-License-Identifier: Apache-2.0
"""Estimators of scikit-learn's as graphs: what they answer, they answer."""

import numpy as np
import pandas as pd
import pytest

import edgeling
from edgeling.errors import UnsupportedError
from edgeling.formats.scikit_learn import converted, preparing
from edgeling.layers import Dense, Input
from edgeling.models import Sequential
from edgeling.network.network import inference_graph
from edgeling.utils import set_random_seed
from tests.support.rounding import require_rows

pytest.importorskip("sklearn")
from sklearn import decomposition, feature_selection, linear_model, neural_network, pipeline, preprocessing
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV

random = np.random.default_rng(3)
X = random.normal(random.normal(0, 50, 5), random.uniform(0.1, 20, 5), (120, 5)).astype(np.float32)
NUMBER = ((X - X.mean(axis=0)) / X.std(axis=0)) @ random.normal(size=5)
TWO, FOUR = (NUMBER > 0).astype(int), np.digitize(NUMBER, np.quantile(NUMBER, [0.25, 0.5, 0.75]))
TRANSFORMERS = [
    preprocessing.StandardScaler(), preprocessing.StandardScaler(with_mean=False),
    preprocessing.StandardScaler(with_std=False), preprocessing.MinMaxScaler(), preprocessing.MaxAbsScaler(),
    preprocessing.MinMaxScaler((-1, 3), clip=True), preprocessing.RobustScaler(),
    preprocessing.RobustScaler(with_centering=False), preprocessing.PolynomialFeatures(2),
    preprocessing.PolynomialFeatures(3, interaction_only=True, include_bias=False), preprocessing.FunctionTransformer(),
    decomposition.PCA(3), decomposition.PCA(2, whiten=True), decomposition.TruncatedSVD(3),
    feature_selection.SelectKBest(k=2), feature_selection.VarianceThreshold(1.0),
    feature_selection.SelectFromModel(linear_model.Lasso()),
    pipeline.make_union(preprocessing.StandardScaler(), decomposition.PCA(2)),
    pipeline.make_pipeline("passthrough", preprocessing.RobustScaler(), preprocessing.PolynomialFeatures()),
]  # fmt: skip
MLP = {"hidden_layer_sizes": (6, 4), "max_iter": 15, "random_state": 0}
ESTIMATORS = [
    (neural_network.MLPClassifier(**MLP), TWO), (neural_network.MLPClassifier(**MLP, activation="tanh"), FOUR),
    (neural_network.MLPClassifier(**MLP, activation="logistic"), FOUR.astype(str)),
    (neural_network.MLPClassifier(**MLP, activation="identity"), np.stack([TWO, 1 - TWO, FOUR > 1], axis=1)),
    (neural_network.MLPRegressor(**MLP), NUMBER), (neural_network.MLPRegressor(**MLP), np.stack([NUMBER, -NUMBER], 1)),
    (linear_model.LogisticRegression(), TWO), (linear_model.LogisticRegression(), FOUR),
    (linear_model.LogisticRegressionCV(cv=2, Cs=2, l1_ratios=(0.0,), use_legacy_attributes=False), FOUR),
    (linear_model.LinearRegression(), NUMBER), (linear_model.Ridge(), np.stack([NUMBER, -NUMBER], axis=1)),
    (linear_model.Lasso(0.1), NUMBER), (linear_model.HuberRegressor(), NUMBER),
    (linear_model.SGDClassifier(loss="log_loss", random_state=0), TWO),
    (linear_model.PoissonRegressor(), np.abs(NUMBER)), (linear_model.GammaRegressor(), np.abs(NUMBER) + 1),
]  # fmt: skip


def answers(estimator, rows):
    """In the order in which a graph answers: of two classes the second's probability alone."""
    if not hasattr(estimator, "predict_proba"):
        found = estimator.predict(rows)
        return found[:, None] if found.ndim == 1 else found
    found = estimator.predict_proba(rows)
    return found[:, 1:] if found.shape[1] == 2 else found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=lambda t: type(t).__name__)
def test_transformers(transformer):
    fitted = clone(transformer).fit(X, TWO)
    width = fitted.transform(X).shape[1]
    same = Sequential([Input((width,)), Dense(width, use_bias=False)])
    same.set_weights([np.eye(width, dtype=np.float32)])
    graph = preparing(fitted, inference_graph(same), 4).graph
    require_rows(graph, fitted.transform(X.astype(np.float64)), X)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("estimator", "y"), ESTIMATORS, ids=lambda e: type(e).__name__)
def test_estimators(estimator, y):
    whole = pipeline.make_pipeline(preprocessing.StandardScaler(), clone(estimator)).fit(X, y)
    found = converted(whole, 4)
    require_rows(found.graph, answers(whole, X.astype(np.float64)), X)
    if found.decision:
        assert found.labels == tuple(map(str, whole.classes_))


def table():
    words = np.array(["red", "green", "blue"], object)
    return pd.DataFrame({
        "size": np.where(np.arange(90) % 7 == 0, np.nan, random.normal(5, 2, 90)),
        "color": np.where(np.arange(90) % 11 == 0, None, words[np.arange(90) % 3]),
        "grade": np.arange(90) % 4 * 2.5,
        "spare": random.normal(size=90),
    })  # fmt: skip


def codes(found, rows):
    """The rows as the C takes them: words by their number, what is missing or unknown as NaN."""
    columns = []
    for place, name in enumerate(found.names):
        known = {word: code for code, word in enumerate(found.categories.get(place, ()))}
        columns.append([known.get(value, np.nan) if known else value for value in rows[name]])
    return np.array(columns, np.float32).T


@pytest.mark.parametrize("drop", [None, "first", "if_binary"])
def test_a_table_of_words_and_numbers(drop):
    rows = table()
    words = pipeline.make_pipeline(
        SimpleImputer(strategy="most_frequent"),
        preprocessing.OneHotEncoder(drop=drop, handle_unknown="ignore" if drop is None else "error"),
    )
    numbers = pipeline.make_pipeline(SimpleImputer(), preprocessing.StandardScaler())
    whole = pipeline.make_pipeline(
        ColumnTransformer(
            [("n", numbers, ["size"]), ("w", words, ["color"]), ("g", preprocessing.OneHotEncoder(), ["grade"])],
            remainder="drop",
        ),
        linear_model.LogisticRegression(),
    ).fit(rows, np.arange(90) % 2)
    found = converted(whole, 16)
    assert found.names == tuple(rows.columns)
    assert found.categories == {1: ("blue", "green", "red")}
    assert found.filled == {0, 1}
    exact = rows.assign(size=rows["size"].astype(np.float32).astype(np.float64))
    require_rows(found.graph, answers(whole, exact), codes(found, rows))


def test_ordinal_codes_and_unknown_words():
    rows = table()[["color", "grade"]].fillna({"color": "none"})
    encoder = preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    whole = pipeline.make_pipeline(encoder, linear_model.Ridge()).fit(rows, np.arange(90.0))
    found = converted(whole, 4)
    other = pd.DataFrame({"color": ["red", "violet"], "grade": [2.5, 99.0]})
    require_rows(found.graph, answers(whole, other), codes(found, other))


def test_c_of_a_pipeline_and_of_a_network_behind_its_scaler(tmp_path):
    scaler = preprocessing.StandardScaler().fit(X)
    search = GridSearchCV(neural_network.MLPClassifier(max_iter=5), {"hidden_layer_sizes": [(3,)]}, cv=2)
    whole = pipeline.make_pipeline(scaler, search)
    with pytest.warns(Warning, match="iterations"):
        whole.fit(X, FOUR)
    built = edgeling.build(whole, "native", out=tmp_path / "c", name="fours")
    assert built.matches
    assert (
        "FOURS_LABELS" in (tmp_path / "c" / "fours.h").read_text()
        or "labels" in (tmp_path / "c" / "fours.h").read_text()
    )
    set_random_seed(0)  # of which one in many had the scaler within the kernel round more than the two apart
    network = Sequential([Input((5,)), Dense(2, activation="softmax")])
    assert edgeling.verify(network, "native", preprocessing=scaler, rows=X[:9]).matches
    folder = edgeling.save(network, tmp_path / "n.edgeling", preprocessing=scaler)
    expected = network.predict(scaler.transform(X).astype(np.float32), verbose=0)
    require_rows(preparing(scaler, inference_graph(network), 4).graph, expected, X)
    require_rows(preparing(scaler, inference_graph(network), 4).graph, edgeling.load(folder).predict(X), X)
    require_rows(edgeling.load(folder).graph, edgeling.load(folder).predict(X), X)
    assert edgeling.verify(whole, "native", precision="int8", calibration_data=X).matches


class Own(preprocessing.StandardScaler):
    """Computes who knows what."""


@pytest.mark.parametrize(
    ("steps", "word"),
    [
        ([preprocessing.QuantileTransformer(n_quantiles=9), linear_model.Ridge()], "QuantileTransformer"),
        ([Own(), linear_model.Ridge()], "Own"),
        ([linear_model.RidgeClassifier()], "RidgeClassifier"),
        ([linear_model.SGDClassifier()], "log_loss"),
        ([preprocessing.FunctionTransformer(np.abs), linear_model.Ridge()], "func="),
        ([SimpleImputer(add_indicator=True), linear_model.Ridge()], "add_indicator"),
        ([SimpleImputer(missing_values=0), linear_model.Ridge()], "missing_values"),
    ],
)
def test_what_has_no_graph_is_named(steps, word):
    whole = pipeline.make_pipeline(*map(clone, steps)).fit(X, TWO)
    with pytest.raises(UnsupportedError, match=word):
        edgeling.build(whole, "native")


def test_what_is_not_fitted_or_does_not_fit():
    with pytest.raises(UnsupportedError, match=r"estimator\.fit"):
        edgeling.build(linear_model.Ridge(), "native")
    scaler = preprocessing.StandardScaler().fit(X)
    with pytest.raises(UnsupportedError, match="5 columns"):
        edgeling.build(Sequential([Input((4,)), Dense(2)]), "native", preprocessing=scaler)
    with pytest.raises(UnsupportedError, match="leave preprocessing out"):
        edgeling.build(linear_model.Ridge().fit(X, TWO), "native", preprocessing=scaler)
