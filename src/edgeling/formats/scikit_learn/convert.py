# SPDX-License-Identifier: Apache-2.0
"""A fitted estimator, or a pipeline that ends with one, as one graph from raw columns to answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from edgeling.errors import UnsupportedError
from edgeling.formats.scikit_learn.columns import KnownColumn, Raw, State
from edgeling.formats.scikit_learn.transformers import TRANSFORMERS, refuse, rule_of, transformed
from edgeling.graph import Graph, GraphBuilder
from edgeling.graph.types import Array
from edgeling.network.network import inference_graph

_ACTIVATIONS = {"identity": "linear", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}
_SEARCHES = ("GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV")


@dataclass(frozen=True, eq=False)
class Converted:
    """What an estimator computes, and what is to be told of its columns and answers.

    Attributes:
        graph: from ``[1, columns]``; of columns of words the number of each, as ``categories`` has them.
        names: of the columns.
        categories: by place, what the codes 0, 1... stand for.
        filled: places of which missing values are filled in.
        labels: of classes; empty of numbers.
        decision: how the answers choose a class.
        rows: float32 [rows, columns], typical ones.
    """

    graph: Graph
    names: tuple[str, ...]
    categories: Mapping[int, tuple[str, ...]]
    filled: frozenset[int]
    labels: tuple[str, ...]
    decision: Literal["", "threshold", "largest"]
    rows: Array


def is_estimator(value: object) -> bool:
    """Whether an object is an estimator: one of scikit-learn's, or of :mod:`edgeling.sklearn`."""
    return any(c.__name__ == "BaseEstimator" and c.__module__.split(".")[0] == "sklearn" for c in type(value).__mro__)


def converted(estimator: Any, rows: int) -> Converted:
    """The graph of a fitted estimator or pipeline.

    Args:
        rows: how many typical ones to make up.

    Raises:
        UnsupportedError: it is not fitted, or a part of it has no graph; the message names it.
    """
    estimator = _best(estimator)
    steps = [step for _, step in estimator.steps] if type(estimator).__name__ == "Pipeline" else [estimator]
    state = _begun(estimator)
    for step in steps[:-1]:
        state = transformed(state, step)
    last = _best(steps[-1])
    answer, decision = rule_of(ESTIMATORS, last, "estimator at the end")(state, last)
    labels = tuple(str(each) for each in last.classes_) if decision else ()
    return _finished(state, answer, labels, decision, rows)


def preparing(transformer: Any, network: Graph, rows: int) -> Converted:
    """A network behind a fitted transformer, as one graph.

    Raises:
        UnsupportedError: as :func:`converted`; or the transformer gives another number of columns than the network
            takes.
    """
    state = transformed(_begun(transformer), transformer)
    (x,) = network.inputs if len(network.inputs) == 1 else ("",)
    if not x or network.types[x].shape != (1, state.width):
        taken = " and ".join(str(network.types[each].shape[1:]) for each in network.inputs)
        raise UnsupportedError(
            "a network behind preprocessing takes what that gives", remedy="the transformer it was trained behind",
            received=f"{state.width} columns, and a network that takes {taken}",
        )  # fmt: skip
    (answer,) = state.builder.inline(network, state.value)
    return _finished(state, answer, (), "", rows)


def _begun(estimator: Any) -> State:
    first = next((part for part in _parts(estimator) if hasattr(part, "n_features_in_")), None)
    if first is None:
        raise UnsupportedError(
            "an estimator is fitted before it is compiled", remedy="estimator.fit(X, y)",
            received=f"{type(estimator).__name__} without n_features_in_",
        )  # fmt: skip
    count, names = int(first.n_features_in_), getattr(first, "feature_names_in_", None)
    told = tuple(map(str, names)) if names is not None else tuple(f"x{i}" for i in range(count))
    builder, raw = GraphBuilder(type(estimator).__name__.lower()), Raw(told)
    return State(builder, raw, builder.input("input", (1, count)), tuple(KnownColumn(i) for i in range(count)))


def _parts(estimator: Any) -> Iterator[Any]:
    """Itself, then its steps: one that passes its columns through knows nothing of them."""
    yield estimator
    for _, step in getattr(estimator, "steps", ()):
        yield from _parts(step)


def _finished(state: State, answer: str, labels: tuple[str, ...], decision: Any, rows: int) -> Converted:
    raw = state.raw
    categories = {i: tuple(map(str, found)) for i, found in raw.categories.items()}
    return Converted(
        state.builder.build([answer]), raw.names, categories, frozenset(raw.filled), labels, decision, _rows(raw, rows)
    )


def _rows(raw: Raw, count: int) -> Array:
    """Drawn about what scalers have seen; of words any, of what is filled in some missing."""
    random = np.random.default_rng(0)
    rows = raw.center + raw.scale * random.standard_normal((count, len(raw.names)))
    for place, categories in raw.categories.items():
        rows[:, place] = random.integers(len(categories), size=count)
    for place in raw.filled:
        rows[random.random(count) < 0.1, place] = np.nan
    return rows.astype(np.float32)


def _best(estimator: Any) -> Any:
    if type(estimator).__name__ in _SEARCHES and hasattr(estimator, "best_estimator_"):
        return estimator.best_estimator_
    return estimator


Answer = tuple[str, Literal["", "threshold", "largest"]]


def _dense(state: State, kernel: Any, bias: Any, function: str) -> State:
    kernel = np.asarray(kernel, np.float64)
    named = state.constant(kernel, "kernel"), state.constant(np.broadcast_to(bias, kernel.shape[1:]), "bias")
    value = state.builder.add("dense", state.value, *named, function=function)
    return state.numbers(value, kernel.shape[1])


def _perceptron(state: State, it: Any) -> Answer:
    """MLPClassifier and MLPRegressor."""
    for kernel, bias in zip(it.coefs_[:-1], it.intercepts_[:-1], strict=True):
        state = _dense(state, kernel, bias, _ACTIVATIONS[it.activation])
    classes = it.out_activation_ == "softmax"
    state = _dense(state, it.coefs_[-1], it.intercepts_[-1], "linear" if classes else _ACTIVATIONS[it.out_activation_])
    answer = state.builder.add("softmax", state.value) if classes else state.value
    if it.out_activation_ == "identity" or (not classes and state.width > 1):
        return answer, ""
    return answer, "largest" if classes else "threshold"


def _linear(state: State, it: Any) -> Answer:
    kernel = np.atleast_2d(it.coef_)
    return _dense(state, kernel.T, np.atleast_1d(it.intercept_), "linear").value, ""


def _log_linear(state: State, it: Any) -> Answer:
    """Numbers above zero, whose logarithm is linear: McCullagh and Nelder, Generalized Linear Models, 1989."""
    return _dense(state, np.atleast_2d(it.coef_).T, np.atleast_1d(it.intercept_), "exponential").value, ""


def _descended(state: State, it: Any) -> Answer:
    """SGDClassifier, which tells probabilities where its loss is the logistic one."""
    if it.loss != "log_loss":
        refuse(it, "loss", "SGDClassifier(loss='log_loss')")
    return _logistic(state, it)


def _logistic(state: State, it: Any) -> Answer:
    if len(it.classes_) == 2:
        return _dense(state, it.coef_.T, it.intercept_, "sigmoid").value, "threshold"
    one_by_one = getattr(it, "multi_class", "") == "ovr" or getattr(it, "solver", "liblinear") == "liblinear"
    if one_by_one:
        raise UnsupportedError(
            "logistic regression of several classes is multinomial", received="one class against the rest",
            remedy="LogisticRegression(solver='lbfgs')",
        )  # fmt: skip
    state = _dense(state, it.coef_.T, it.intercept_, "linear")
    return state.builder.add("softmax", state.value), "largest"


def _edgeling(state: State, it: Any) -> Answer:
    """EdgelingClassifier and EdgelingRegressor."""
    (answer,) = state.builder.inline(inference_graph(it.model_), transformed(state, it.scaler_).value)
    classes = len(getattr(it, "classes_", ()))
    if classes:
        return answer, "largest" if classes > 2 else "threshold"
    spread, level = state.constant(it.target_scale_, "target_scale"), state.constant(it.target_mean_, "target_mean")
    return state.builder.add("add", state.builder.add("multiply", answer, spread), level), ""


_LINEAR = (
    "ARDRegression", "BayesianRidge", "ElasticNet", "ElasticNetCV", "HuberRegressor", "Lars", "LarsCV", "Lasso",
    "LassoCV", "LassoLars", "LassoLarsCV", "LassoLarsIC", "LinearRegression", "LinearSVR", "OrthogonalMatchingPursuit",
    "QuantileRegressor", "Ridge", "RidgeCV", "SGDRegressor", "TheilSenRegressor",
)  # fmt: skip

ESTIMATORS: Mapping[str, Callable[[State, Any], Answer]] = {
    "MLPClassifier": _perceptron,
    "MLPRegressor": _perceptron,
    "LogisticRegression": _logistic,
    "LogisticRegressionCV": _logistic,
    "SGDClassifier": _descended,
    "GammaRegressor": _log_linear,
    "PoissonRegressor": _log_linear,
    "EdgelingClassifier": _edgeling,
    "EdgelingRegressor": _edgeling,
    **dict.fromkeys(_LINEAR, _linear),
}

__all__ = ["TRANSFORMERS", "Converted", "converted", "is_estimator", "preparing"]
