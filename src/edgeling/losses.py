# SPDX-License-Identifier: Apache-2.0
"""What training makes small: Keras's loss classes. Their meaning lives in :mod:`edgeling.graph.losses`.

Formulas are those of a row; ``mean`` and ``sum`` go over its columns. Probabilities are kept 1e-7 from 0 and 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from edgeling.configurable import Configurable, find, refuse, resolve, snake_case, table_of
from edgeling.errors import UnsupportedError
from edgeling.graph import GraphBuilder
from edgeling.graph.losses import LOSSES, Options
from edgeling.graph.types import Array

_OPTIONS = ("from_logits", "label_smoothing", "delta")


@dataclass(frozen=True)
class Loss(Configurable):
    """One value a row; a batch's loss is ``sum(value * sample_weight) / rows``.

    Attributes:
        sparse: ``y_true`` holds class numbers, [n, 1], not one column an output.
        signed: labels are -1 and 1; a data set of only 0 and 1 is converted (decided over all rows when ``fit``
            or ``evaluate`` begins, where Keras decides batch by batch).
    """

    module: ClassVar[str] = "keras.losses"
    sparse: ClassVar[bool] = False
    signed: ClassVar[bool] = False

    name: str | None = field(default=None, kw_only=True)
    reduction: str = field(default="sum_over_batch_size", kw_only=True)
    dtype: Any = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name or snake_case(type(self).__name__))
        if self.reduction not in ("sum_over_batch_size", "mean"):
            raise UnsupportedError(
                "a loss is averaged over the rows",
                received=f"reduction={self.reduction!r}",
                remedy="leave reduction at 'sum_over_batch_size'",
            )
        refuse(type(self).__name__, "ignore_class", getattr(self, "ignore_class", None))

    @property
    def function(self) -> str:
        """The function's name in the graph."""
        return snake_case(type(self).__name__)

    @property
    def options(self) -> dict[str, Any]:
        """The attributes of the ``loss`` operation."""
        return {key: getattr(self, key) for key in _OPTIONS if hasattr(self, key)}

    def trace(self, builder: GraphBuilder, y_true: str, y_pred: str) -> str:
        """Append the loss to a graph: [n, k] and [n, k] (sparse: [n, 1] and [n, k]) -> [n]."""
        return builder.add("loss", y_true, y_pred, name="loss_rows", function=self.function, **self.options)

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """The loss of a batch of rows, [n, k] each."""
        rows = self.rows(np.asarray(y_true, np.float32), np.asarray(y_pred, np.float32))
        weights = 1.0 if sample_weight is None else np.asarray(sample_weight, np.float32)
        return float(np.mean(rows * weights))

    def rows(self, y_true: Array, y_pred: Array) -> Array:
        """The loss of each row, [n]."""
        if self.signed and np.isin(y_true, (0, 1)).all():
            y_true = 2 * y_true - 1
        if self.sparse and y_true.ndim < y_pred.ndim:
            y_true = y_true[:, None]
        return LOSSES[self.function].value(y_true, y_pred, Options(**self.options))


class MeanSquaredError(Loss):
    """``mean((y_true - y_pred)^2)``."""


class MeanAbsoluteError(Loss):
    """``mean(|y_true - y_pred|)``."""


class MeanSquaredLogarithmicError(Loss):
    """``mean((log(y_true + 1) - log(y_pred + 1))^2)``."""


class LogCosh(Loss):
    """``mean(log(cosh(y_pred - y_true)))``."""


@dataclass(frozen=True)
class Huber(Loss):
    """Squared up to an error of ``delta``, linear beyond (Huber, 1964)."""

    delta: float = 1.0


@dataclass(frozen=True)
class BinaryCrossentropy(Loss):
    """``-mean(y_true * log(y_pred) + (1 - y_true) * log(1 - y_pred))``: independent yes/no outputs."""

    ignored = frozenset({"dtype", "axis"})
    from_logits: bool = False
    label_smoothing: float = 0.0


@dataclass(frozen=True)
class CategoricalCrossentropy(Loss):
    """``-sum(y_true * log(y_pred))``, ``y_true`` one-hot; ``y_pred`` is divided by its sum."""

    ignored = frozenset({"dtype", "axis"})
    from_logits: bool = False
    label_smoothing: float = 0.0


@dataclass(frozen=True)
class SparseCategoricalCrossentropy(Loss):
    """``-log(y_pred[y_true])``, ``y_true`` class numbers from 0; ``y_pred`` is divided by its sum."""

    sparse = True
    from_logits: bool = False
    ignore_class: int | None = None


class KLDivergence(Loss):
    """``sum(y_true * log(y_true / y_pred))``."""


class Poisson(Loss):
    """``mean(y_pred - y_true * log(y_pred))``."""


class Hinge(Loss):
    """``mean(max(1 - y_true * y_pred, 0))``."""

    signed = True


class SquaredHinge(Loss):
    """``mean(max(1 - y_true * y_pred, 0)^2)``."""

    signed = True


class CategoricalHinge(Loss):
    """``max(0, max((1 - y_true) * y_pred) - sum(y_true * y_pred) + 1)``."""


class LossFunction:
    """A loss as a function, ``losses.huber(y_true, y_pred, delta=2.0)``: one value a row. ``compile`` takes it too."""

    def __init__(self, loss_class: type[Loss]) -> None:
        self.loss_class, self.__name__ = loss_class, snake_case(loss_class.__name__)
        self.__doc__ = loss_class.__doc__

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike, **options: Any) -> Array:
        """[n, k] and [n, k] -> [n]."""
        return self.loss_class(**options).rows(np.asarray(y_true, np.float32), np.asarray(y_pred, np.float32))


mean_squared_error, mean_absolute_error = LossFunction(MeanSquaredError), LossFunction(MeanAbsoluteError)
mean_squared_logarithmic_error, log_cosh = LossFunction(MeanSquaredLogarithmicError), LossFunction(LogCosh)
huber, poisson, kl_divergence = LossFunction(Huber), LossFunction(Poisson), LossFunction(KLDivergence)
binary_crossentropy, categorical_crossentropy = LossFunction(BinaryCrossentropy), LossFunction(CategoricalCrossentropy)
sparse_categorical_crossentropy = LossFunction(SparseCategoricalCrossentropy)
hinge, squared_hinge = LossFunction(Hinge), LossFunction(SquaredHinge)
categorical_hinge = LossFunction(CategoricalHinge)

CLASSES: tuple[type[Loss], ...] = (
    MeanSquaredError, MeanAbsoluteError, MeanSquaredLogarithmicError, LogCosh, Huber, BinaryCrossentropy,
    CategoricalCrossentropy, SparseCategoricalCrossentropy, KLDivergence, Poisson, Hinge, SquaredHinge,
    CategoricalHinge,
)  # fmt: skip
ALIASES: dict[str, type[Loss]] = {
    "bce": BinaryCrossentropy, "BCE": BinaryCrossentropy, "kld": KLDivergence, "KLD": KLDivergence,
    "kl_divergence": KLDivergence, "mae": MeanAbsoluteError, "MAE": MeanAbsoluteError, "mse": MeanSquaredError,
    "MSE": MeanSquaredError, "msle": MeanSquaredLogarithmicError, "MSLE": MeanSquaredLogarithmicError,
    "logcosh": LogCosh,
}  # fmt: skip
TABLE = table_of(CLASSES, **ALIASES)


def get(identifier: Any, width: int | None = None, target_width: int | None = None) -> Loss:
    """A loss from its name, class, description or itself.

    Args:
        width: columns of the model's output, by which "crossentropy" is resolved.
        target_width: columns of the targets, likewise.

    Raises:
        UnsupportedError: no such loss, or a Python function (there is no C for it).
    """
    if identifier in ("crossentropy", "ce"):
        if width == 1:
            return BinaryCrossentropy()
        return SparseCategoricalCrossentropy() if target_width == 1 else CategoricalCrossentropy()
    if isinstance(identifier, LossFunction):
        return identifier.loss_class()
    if not isinstance(identifier, (str, dict, Loss, type)):
        find("loss", TABLE, identifier)
    return resolve("loss", Loss, TABLE, identifier)
