# SPDX-License-Identifier: Apache-2.0
"""What training reports beside the loss: Keras's metrics, in ``compile`` or by themselves.

By themselves they take in one batch after another::

    auc = AUC(curve="PR")
    auc.update_state(y_true, y_pred, sample_weight=weights)
    auc.result()
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgeling import losses
from edgeling.configurable import find, resolve, serialize, table_of
from edgeling.errors import UnsupportedError
from edgeling.losses import LossFunction
from edgeling.metrics.auc import AUC
from edgeling.metrics.base import Mean, MeanMetricWrapper, Metric, Sum
from edgeling.metrics.confusion import (
    FalseNegatives,
    FalsePositives,
    Precision,
    PrecisionAtRecall,
    Recall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
    TrueNegatives,
    TruePositives,
)
from edgeling.metrics.iou import BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU
from edgeling.metrics.rows import (
    Accuracy,
    BinaryAccuracy,
    BinaryCrossentropy,
    CategoricalAccuracy,
    CategoricalCrossentropy,
    CategoricalHinge,
    ConcordanceCorrelation,
    CosineSimilarity,
    Hinge,
    KLDivergence,
    LogCoshError,
    LossMetric,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    NativeMetric,
    PearsonCorrelation,
    Poisson,
    RootMeanSquaredError,
    SparseCategoricalAccuracy,
    SparseCategoricalCrossentropy,
    SparseTopKCategoricalAccuracy,
    SquaredHinge,
    TopKCategoricalAccuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from edgeling.metrics.scores import F1Score, FBetaScore, R2Score

CLASSES: tuple[type[Metric], ...] = (
    AUC, Accuracy, BinaryAccuracy, BinaryCrossentropy, BinaryIoU, CategoricalAccuracy, CategoricalCrossentropy,
    CategoricalHinge, ConcordanceCorrelation, CosineSimilarity, F1Score, FBetaScore, FalseNegatives, FalsePositives,
    Hinge, IoU, KLDivergence, LogCoshError, Mean, MeanAbsoluteError, MeanAbsolutePercentageError, MeanIoU,
    MeanMetricWrapper, MeanSquaredError, MeanSquaredLogarithmicError, OneHotIoU, OneHotMeanIoU, PearsonCorrelation,
    Poisson, Precision, PrecisionAtRecall, R2Score, Recall, RecallAtPrecision, RootMeanSquaredError,
    SensitivityAtSpecificity, SparseCategoricalAccuracy, SparseCategoricalCrossentropy, SparseTopKCategoricalAccuracy,
    SpecificityAtSensitivity, SquaredHinge, Sum, TopKCategoricalAccuracy, TrueNegatives, TruePositives,
)  # fmt: skip
TABLE = table_of(
    CLASSES, bce=BinaryCrossentropy, BCE=BinaryCrossentropy, mse=MeanSquaredError, MSE=MeanSquaredError,
    mae=MeanAbsoluteError, MAE=MeanAbsoluteError, msle=MeanSquaredLogarithmicError, kl_divergence=KLDivergence,
    MSLE=MeanSquaredLogarithmicError, kld=KLDivergence, logcosh=LogCoshError, mape=MeanAbsolutePercentageError,
    MAPE=MeanAbsolutePercentageError,
)  # fmt: skip
_CLASS_OF: dict[Any, type[Metric]] = {
    binary_accuracy: BinaryAccuracy,
    categorical_accuracy: CategoricalAccuracy,
    sparse_categorical_accuracy: SparseCategoricalAccuracy,
    top_k_categorical_accuracy: TopKCategoricalAccuracy,
    sparse_top_k_categorical_accuracy: SparseTopKCategoricalAccuracy,
}
FUNCTIONS: dict[str, Any] = {**losses.FUNCTIONS, **{function.__name__: function for function in _CLASS_OF}}
_OF_LOSSES = {c.loss_class: c for c in CLASSES if issubclass(c, LossMetric) and c is not RootMeanSquaredError}

__all__ = [
    "AUC", "Accuracy", "BinaryAccuracy", "BinaryCrossentropy", "BinaryIoU", "CategoricalAccuracy",
    "CategoricalCrossentropy", "CategoricalHinge", "ConcordanceCorrelation", "CosineSimilarity", "F1Score",
    "FBetaScore", "FalseNegatives", "FalsePositives", "Hinge", "IoU", "KLDivergence", "LogCoshError", "Mean",
    "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanIoU", "MeanMetricWrapper", "MeanSquaredError",
    "MeanSquaredLogarithmicError", "Metric", "NativeMetric", "OneHotIoU", "OneHotMeanIoU", "PearsonCorrelation",
    "Poisson", "Precision", "PrecisionAtRecall", "R2Score", "Recall", "RecallAtPrecision", "RootMeanSquaredError",
    "SensitivityAtSpecificity", "SparseCategoricalAccuracy", "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy", "SpecificityAtSensitivity", "SquaredHinge", "Sum", "TopKCategoricalAccuracy",
    "TrueNegatives", "TruePositives", "binary_accuracy", "categorical_accuracy", "deserialize", "get", "serialize",
    "sparse_categorical_accuracy", "sparse_top_k_categorical_accuracy", "top_k_categorical_accuracy",
]  # fmt: skip


def get(identifier: Any, width: int | None = None, sparse: bool = False) -> Metric:
    """A metric from its name, class, description, function or itself. A name is also what the metric is reported as.

    A function of (y_true, y_pred) that gives one value a row, or several, is reported as their mean.

    Args:
        width: columns of the model's output; "accuracy" is resolved by it as Keras does.
        sparse: the targets are class numbers.

    Raises:
        UnsupportedError: no such metric.
    """
    if isinstance(identifier, str) and identifier.lower() in ("accuracy", "acc"):
        return (Accuracy if width is None else _accuracy(width, sparse))(name=identifier)
    if isinstance(identifier, str):
        return _by_name(identifier)
    if isinstance(identifier, LossFunction):
        return _of_loss(identifier)
    if not isinstance(identifier, (dict, Metric, type)):
        if not callable(identifier):
            find("metric", TABLE, identifier)
        known = _CLASS_OF.get(identifier)
        return known(name=identifier.__name__) if known else MeanMetricWrapper(identifier)
    return resolve("metric", Metric, TABLE, identifier)


def _by_name(name: str) -> Metric:
    found: Any = find("metric", TABLE, name)
    try:
        return found(name=name)
    except TypeError:
        remedy = f"an object: {found.__name__}(...)"
        raise UnsupportedError("a metric with settings of its own is no name", received=name, remedy=remedy) from None


def _of_loss(function: LossFunction) -> Metric:
    if function.loss_class is losses.CosineSimilarity or function.loss_class not in _OF_LOSSES:
        return MeanMetricWrapper(function, name=function.__name__)
    return _OF_LOSSES[function.loss_class](name=function.__name__)


deserialize: Callable[[Any], Metric] = get


def _accuracy(width: int, sparse: bool) -> type[Metric]:
    if width == 1:
        return BinaryAccuracy
    return SparseCategoricalAccuracy if sparse else CategoricalAccuracy
