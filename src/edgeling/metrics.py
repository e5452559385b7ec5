# SPDX-License-Identifier: Apache-2.0
"""What training reports beside the loss: Keras's metrics that are a mean over rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import sqrt
from typing import Any, ClassVar

from edgeling import losses
from edgeling.configurable import Configurable, find, resolve, snake_case, table_of
from edgeling.graph import GraphBuilder


@dataclass(frozen=True)
class Metric(Configurable):
    """One value a row, reported as the mean over the rows.

    Attributes:
        sparse: needs class numbers (True), one column an output (False), or takes what there is (None).
        signed: as :attr:`edgeling.losses.Loss.signed`.
    """

    module: ClassVar[str] = "keras.metrics"
    sparse: ClassVar[bool | None] = False
    signed: ClassVar[bool] = False

    name: str | None = field(default=None, kw_only=True)
    dtype: Any = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name or snake_case(type(self).__name__))

    def trace(self, builder: GraphBuilder, y_true: str, y_pred: str) -> str:
        """Append the metric to a graph: two matrices -> [n]."""
        raise NotImplementedError

    def result(self, mean: float) -> float:
        """What is reported, from the mean over the rows."""
        return mean


@dataclass(frozen=True)
class BinaryAccuracy(Metric):
    """Share of outputs on the right side of the threshold."""

    threshold: float = 0.5

    def trace(self, builder: GraphBuilder, y_true: str, y_pred: str) -> str:
        return builder.add("metric", y_true, y_pred, function="binary_accuracy", threshold=float(self.threshold))


class CategoricalAccuracy(Metric):
    """Share of rows whose largest output is the one-hot class."""

    def trace(self, builder: GraphBuilder, y_true: str, y_pred: str) -> str:
        return builder.add("metric", y_true, y_pred, function="categorical_accuracy")


class SparseCategoricalAccuracy(Metric):
    """Share of rows whose largest output is the class number."""

    sparse = True

    def trace(self, builder: GraphBuilder, y_true: str, y_pred: str) -> str:
        return builder.add("metric", y_true, y_pred, function="sparse_categorical_accuracy")


@dataclass(frozen=True)
class LossMetric(Metric):
    """A loss, reported."""

    loss_class: ClassVar[type[losses.Loss]]

    @property
    def loss(self) -> losses.Loss:
        """The loss with this metric's options."""
        options = {k: v for k, v in self.get_config().items() if k not in ("name", "dtype")}
        return self.loss_class(**options)

    def trace(self, builder: GraphBuilder, y_true: str, y_pred: str) -> str:
        return self.loss.trace(builder, y_true, y_pred)


class MeanSquaredError(LossMetric):
    """Mean of squared errors."""

    loss_class = losses.MeanSquaredError


class RootMeanSquaredError(MeanSquaredError):
    """Root of the mean of squared errors over all rows."""

    def result(self, mean: float) -> float:
        return sqrt(mean)


class MeanAbsoluteError(LossMetric):
    """Mean of absolute errors."""

    loss_class = losses.MeanAbsoluteError


class MeanSquaredLogarithmicError(LossMetric):
    """Mean of squared differences of logarithms."""

    loss_class = losses.MeanSquaredLogarithmicError


@dataclass(frozen=True)
class LogCoshError(LossMetric):
    """Mean of the logarithm of the error's hyperbolic cosine."""

    loss_class = losses.LogCosh
    name: str | None = field(default="logcosh", kw_only=True)


@dataclass(frozen=True)
class BinaryCrossentropy(LossMetric):
    """Cross-entropy of independent yes/no outputs."""

    loss_class = losses.BinaryCrossentropy
    from_logits: bool = False
    label_smoothing: float = 0.0


@dataclass(frozen=True)
class CategoricalCrossentropy(LossMetric):
    """Cross-entropy of classes, one-hot."""

    loss_class = losses.CategoricalCrossentropy
    from_logits: bool = False
    label_smoothing: float = 0.0


@dataclass(frozen=True)
class SparseCategoricalCrossentropy(LossMetric):
    """Cross-entropy of classes, class numbers."""

    sparse = True
    loss_class = losses.SparseCategoricalCrossentropy
    from_logits: bool = False


@dataclass(frozen=True)
class KLDivergence(LossMetric):
    """Kullback-Leibler divergence."""

    loss_class = losses.KLDivergence
    name: str | None = field(default="kl_divergence", kw_only=True)


class Poisson(LossMetric):
    """Mean of ``y_pred - y_true * log(y_pred)``."""

    loss_class = losses.Poisson


class Hinge(LossMetric):
    """Mean of ``max(1 - y_true * y_pred, 0)``."""

    signed = True
    loss_class = losses.Hinge


class SquaredHinge(LossMetric):
    """Mean of ``max(1 - y_true * y_pred, 0)^2``."""

    signed = True
    loss_class = losses.SquaredHinge


class CategoricalHinge(LossMetric):
    """Mean of the categorical hinge loss."""

    loss_class = losses.CategoricalHinge


CLASSES: tuple[type[Metric], ...] = (
    BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy, MeanSquaredError, RootMeanSquaredError,
    MeanAbsoluteError, MeanSquaredLogarithmicError, LogCoshError, BinaryCrossentropy, CategoricalCrossentropy,
    SparseCategoricalCrossentropy, KLDivergence, Poisson, Hinge, SquaredHinge, CategoricalHinge,
)  # fmt: skip
TABLE = table_of(
    CLASSES, bce=BinaryCrossentropy, BCE=BinaryCrossentropy, mse=MeanSquaredError, MSE=MeanSquaredError,
    mae=MeanAbsoluteError, MAE=MeanAbsoluteError, msle=MeanSquaredLogarithmicError, kl_divergence=KLDivergence,
    MSLE=MeanSquaredLogarithmicError, kld=KLDivergence, logcosh=LogCoshError,
)  # fmt: skip


def get(identifier: Any, width: int, sparse: bool) -> Metric:
    """A metric from its name, class, description or itself. A name is also what the metric is reported as.

    Args:
        width: columns of the model's output; "accuracy" is resolved by it as Keras does.
        sparse: the targets are class numbers.

    Raises:
        UnsupportedError: no such metric.
    """
    if isinstance(identifier, str) and identifier.lower() in ("accuracy", "acc"):
        return _accuracy(width, sparse)(name=identifier)
    if isinstance(identifier, str):
        return find("metric", TABLE, identifier)(name=identifier)
    if not isinstance(identifier, (dict, Metric, type)):
        find("metric", TABLE, identifier)
    return resolve("metric", Metric, TABLE, identifier)


def _accuracy(width: int, sparse: bool) -> type[Metric]:
    if width == 1:
        return BinaryAccuracy
    return SparseCategoricalAccuracy if sparse else CategoricalAccuracy
