# SPDX-License-Identifier: Apache-2.0
"""Metrics by themselves: Keras's results over batches, with weights or without, for every argument that matters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

keras = pytest.importorskip("keras")

from edgeling import losses, metrics  # noqa: E402
from edgeling.errors import UnsupportedError  # noqa: E402
from edgeling.metrics import base, rows, scores  # noqa: E402
from tests.support.close import require_close  # noqa: E402
from tests.support.rounding import function_bound  # noqa: E402

pytestmark = pytest.mark.keras

LABELS = 3
TEN = st.integers(0, 10).map(lambda n: n / 10)  # many ties, and predictions on thresholds
FINE = st.integers(0, 1000).map(lambda n: n / 1000)
THRESHOLDS = st.none() | TEN | st.lists(TEN, min_size=2, max_size=4) | st.just([0.0, 0.5, 1.0])
COUNTS = {"thresholds": THRESHOLDS}
RATES = {
    "thresholds": THRESHOLDS, "top_k": st.none() | st.integers(1, 2), "class_id": st.none() | st.integers(0, 2),
}  # fmt: skip
UNDER = {"num_thresholds": st.sampled_from([1, 5, 200]), "class_id": st.none() | st.integers(0, 2)}
AVERAGE = st.sampled_from([None, "micro", "macro", "weighted"])
AREA = {
    "num_thresholds": st.sampled_from([2, 11, 200]),
    "curve": st.sampled_from(["ROC", "PR", "PRGAIN"]),
    "summation_method": st.sampled_from(["interpolation", "minoring", "majoring"]),
    "thresholds": st.none() | st.lists(TEN, min_size=1, max_size=4, unique=True),
    "from_logits": st.booleans(),
    "label_weights": st.none() | st.just([0.5, 2.0, 1.0]),
    "multi_label": st.booleans(),
}

# Of matrices of zeros and ones against predictions between 0 and 1.
OF_LABELS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("TruePositives", "FalsePositives", "TrueNegatives", "FalseNegatives"), COUNTS),
    **dict.fromkeys(("Precision", "Recall"), RATES),
    "SensitivityAtSpecificity": {**UNDER, "specificity": TEN},
    "SpecificityAtSensitivity": {**UNDER, "sensitivity": TEN},
    "PrecisionAtRecall": {**UNDER, "recall": TEN},
    "RecallAtPrecision": {**UNDER, "precision": TEN},
    "AUC": AREA,
    "FBetaScore": {"average": AVERAGE, "beta": st.sampled_from([0.5, 2.0]), "threshold": st.none() | st.just(0.5)},
    "F1Score": {"average": AVERAGE, "threshold": st.none() | st.just(0.5)},
    "Accuracy": {},
    "BinaryAccuracy": {"threshold": TEN},
    "BinaryIoU": {"threshold": st.just(0.5), "target_class_ids": st.sampled_from([(0, 1), (1,)])},
}


@st.composite
def batches(draw: Any, of: Any = FINE | TEN) -> list[tuple[Any, Any, Any]]:
    """Two batches of truths, predictions and weights."""
    weighted, result = draw(st.booleans()), []
    for _ in range(2):
        rows = draw(st.integers(1, 6))
        truth = draw(st.lists(st.integers(0, 1), min_size=rows * LABELS, max_size=rows * LABELS))
        predicted = draw(st.lists(of, min_size=rows * LABELS, max_size=rows * LABELS))
        weights = draw(st.lists(st.sampled_from([0.0, 0.5, 1.0, 3.0]), min_size=rows, max_size=rows))
        matrices = (np.reshape(np.asarray(a, np.float32), (rows, LABELS)) for a in (truth, predicted))
        result.append((*matrices, np.asarray(weights, np.float32) if weighted else None))
    return result


def agree(name: str, options: dict[str, Any], given: list[tuple[Any, Any, Any]], require: Any) -> None:
    """Ours over two batches is Keras's; again after it forgot, and made anew from its configuration.

    Args:
        require: (ours, Keras's) -> None, if they are near enough.
    """
    theirs, ours = getattr(keras.metrics, name)(**options), getattr(metrics, name)(**options)
    for metric in (ours, type(ours).from_config(ours.get_config())):
        theirs.reset_state()
        for truth, predicted, weights in given:
            theirs.update_state(truth, predicted, sample_weight=weights)
            metric.update_state(truth, predicted, sample_weight=weights)
        got, expected = metric.result(), np.asarray(theirs.result())
        assert np.asarray(got).dtype == np.float32
        require(got, expected)
    metric.reset_state()
    assert all(not np.any(v) for v in metric.variables)


def of_counts(options: dict[str, Any]) -> Any:
    """Counts are exact on both sides, for weights are a few halves. Ours divides and adds in double, Keras in float32.

    That is a sum over thresholds or labels, and per term at most 16 operations with numbers around 1, or with ratios of
    two counts, of at most 36 answers (areas under PRGAIN).
    """
    terms = max(options.get("num_thresholds", 1), LABELS) if "num_thresholds" in options else LABELS
    ratio = 36 if options.get("curve") == "PRGAIN" else 1

    def require(ours: Any, theirs: Any) -> None:
        require_close(theirs, ours, terms + 16, of=ratio + np.abs(ours))

    return require


@pytest.mark.parametrize("name", OF_LABELS)
def test_a_metric_of_labels_is_kerass(name: str) -> None:
    @settings(max_examples=20, deadline=None)
    @given(batches(), st.fixed_dictionaries(OF_LABELS[name]))
    def check(given: Any, options: dict[str, Any]) -> None:
        if name == "AUC" and options["thresholds"] is not None:
            options = {**options, "num_thresholds": 200}
        if name == "BinaryIoU":  # whose weights are whole numbers
            given = [(t, p, None if w is None else np.repeat(w.astype(int), LABELS)) for t, p, w in given]
        agree(name, options, given, of_counts(options))

    check()


def classes(seed: int, rows: int = 9, count: int = 6) -> Any:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(rows, count)).astype(np.float32)
    return rng.integers(0, count, (rows, 1)), np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


WEIGHTS = [None, np.linspace(0, 2, 9).astype(np.float32)]
OF_CLASSES = {
    "CategoricalAccuracy": [{}], "CategoricalCrossentropy": [{}, {"label_smoothing": 0.1}],
    "TopKCategoricalAccuracy": [{}, {"k": 2}], "OneHotIoU": [{"num_classes": 6, "target_class_ids": [1, 3]}],
    "OneHotMeanIoU": [{"num_classes": 6}], "CategoricalHinge": [{}], "KLDivergence": [{}],
}  # fmt: skip
OF_NUMBERS = {
    "SparseCategoricalAccuracy": [{}], "SparseCategoricalCrossentropy": [{}, {"from_logits": True}],
    "SparseTopKCategoricalAccuracy": [{}, {"k": 2}],
    "IoU": [{"num_classes": 6, "target_class_ids": [1, 3], "sparse_y_pred": False}, {
        "num_classes": 6, "target_class_ids": [1, 3], "sparse_y_pred": False, "ignore_class": 2}],
    "MeanIoU": [{"num_classes": 6, "sparse_y_pred": False}],
}  # fmt: skip
_ERRORS = (
    "MeanSquaredError", "RootMeanSquaredError", "MeanAbsoluteError", "MeanAbsolutePercentageError", "LogCoshError",
    "CosineSimilarity", "PearsonCorrelation", "ConcordanceCorrelation", "Hinge", "SquaredHinge",
)  # fmt: skip
OF_VALUES: dict[str, list[dict[str, Any]]] = {
    **{name: [{}] for name in _ERRORS},
    "R2Score": [
        {}, {"class_aggregation": None}, {"class_aggregation": "variance_weighted_average"}, {"num_regressors": 2},
    ],
}  # fmt: skip


def _matrices(seed: int) -> Any:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(9, 4)).astype(np.float32), rng.normal(size=(9, 4)).astype(np.float32)


MODULES = (base, rows, scores, losses)


def of_arrays(name: str, options: dict[str, Any], data: list[Any], weights: Any) -> Any:
    """Two right results of what the metric computes from truths and predictions; scores of variances are 1 less one."""

    def result(*arrays: Any) -> Any:
        metric = getattr(metrics, name)(**options)
        for truth, predicted in zip(arrays[::2], arrays[1::2], strict=True):
            metric.update_state(truth, predicted, sample_weight=weights)
        return metric.result()

    flat = [array for pair in data for array in pair]
    largest = 2 if name in ("R2Score", "LogCoshError") else 0
    bound = function_bound(result, *flat, modules=MODULES, terms=flat[1].size, summand=largest)

    def require(ours: Any, theirs: Any) -> None:
        bound.require(theirs, "Keras's")
        bound.require(ours, "ours")

    return require


@pytest.mark.parametrize("weights", WEIGHTS, ids=("plain", "weighted"))
@pytest.mark.parametrize("name", [*OF_CLASSES, *OF_NUMBERS, *OF_VALUES])
def test_a_metric_of_classes_or_values_is_kerass(name: str, weights: Any) -> None:
    for options in {**OF_CLASSES, **OF_NUMBERS, **OF_VALUES}[name]:
        data = [_matrices(s) if name in OF_VALUES else classes(s) for s in range(2)]
        if name in OF_CLASSES:
            data = [(np.eye(6, dtype=np.float32)[labels[:, 0]], p) for labels, p in data]
        used = weights if weights is None or "IoU" not in name else np.round(weights).astype(int)
        agree(name, options, [(t, p, used) for t, p in data], of_arrays(name, options, data, used))


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from(["Mean", "Sum"]),
    st.lists(st.lists(TEN, min_size=2, max_size=2), min_size=3, max_size=3),
    st.sampled_from([None, 2.0, [0.0, 1.0, 3.0], [[1.0, 2.0], [0.0, 1.0], [1.0, 1.0]], [[1.0], [0.0], [2.0]]]),
    st.booleans(),
)
def test_means_and_sums_weigh_values_as_kerass(name: str, values: Any, weights: Any, flat: bool) -> None:
    given = [row[0] for row in values] if flat else values
    if flat and np.ndim(weights) == 2:
        weights = [row[:1] for row in weights]
    theirs, ours = getattr(keras.metrics, name)(), getattr(metrics, name)("mine")
    for _ in range(2):
        expected, got = theirs(given, sample_weight=weights), ours(given, sample_weight=weights)
        require_close(np.asarray(expected), got, 12 + 1)  # at most 12 terms, a quotient; ours is double until its end
    assert ours.name == "mine"


def test_every_metric_of_keras_is_there() -> None:
    public = {name for name in dir(keras.metrics) if name[0].isupper()}
    assert public <= set(dir(metrics))
    for name in public - {"Metric", "MeanMetricWrapper"}:
        assert metrics.TABLE[name].__name__ == name
    functions = {"binary_accuracy", "categorical_accuracy", "top_k_categorical_accuracy"}
    labels, probabilities = classes(4)
    for name in functions:
        t = np.eye(6, dtype=np.float32)[labels[:, 0]]
        expected = np.asarray(getattr(keras.metrics, name)(t, probabilities))
        np.testing.assert_array_equal(getattr(metrics, name)(t, probabilities), expected)


def test_a_metric_of_ones_own_and_a_function_by_themselves() -> None:
    class Largest(metrics.Metric):
        def __init__(self, name: str = "largest") -> None:
            super().__init__(name=name)
            self.seen = self.add_weight(name="seen", initializer="zeros")

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            self.seen.assign(np.maximum(self.seen, np.max(np.abs(y_true - y_pred))))

        def result(self) -> Any:
            return self.seen

    metric = Largest()
    assert float(metric(np.array([1.0, 5.0]), np.array([2.0, 3.0]))) == 2.0
    metric.reset_state()
    assert float(metric.seen) == 0.0
    metric.seen.assign_sub(1)
    assert metric.seen + 1 == 0.0
    wrapped = metrics.MeanMetricWrapper(lambda t, p: np.abs(t - p), name="own")
    assert wrapped(np.array([1.0, 5.0]), np.array([2.0, 3.0])) == 1.5


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: metrics.Precision(thresholds=1.5), lambda: metrics.AUC(curve="ROCK"), lambda: metrics.AUC(1),
        lambda: metrics.AUC(num_labels=2), lambda: metrics.F1Score(average="all"), lambda: metrics.FBetaScore(beta=1),
        lambda: metrics.F1Score(threshold=2.0), lambda: metrics.R2Score("median"), lambda: metrics.R2Score(None, -1),
        lambda: metrics.SensitivityAtSpecificity(2.0), lambda: metrics.PrecisionAtRecall(0.5, 0),
        lambda: metrics.IoU(2, [2]), lambda: metrics.Mean(dtype="float16"), lambda: metrics.get("RecallAtPrecision"),
        lambda: metrics.Precision(class_id=0)([1.0], [0.5]), lambda: metrics.Precision()([1, 2, 3], [[0.1, 0.9]] * 3),
        lambda: metrics.F1Score()([1.0], [0.5]), lambda: metrics.PearsonCorrelation(axis=0),
    ],
)  # fmt: skip
def test_what_keras_refuses_is_refused(wrong: Any) -> None:
    with pytest.raises(UnsupportedError, match="received"):
        wrong()
