# SPDX-License-Identifier: Apache-2.0
"""What training makes small: Keras's loss classes. Their meaning lives in :mod:`edgeling.graph.losses`.

Formulas are those of a row; ``mean`` and ``sum`` go over its columns. Probabilities are kept 1e-7 from 0 and 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from importlib import import_module
from math import prod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from edgeling import configurable
from edgeling.checking import require_float32
from edgeling.configurable import Configurable, find, is_ours, refuse, resolve, snake_case, table_of
from edgeling.errors import DataError, UnsupportedError
from edgeling.graph import GraphBuilder
from edgeling.graph.losses import LOSSES, Options
from edgeling.graph.types import Array
from edgeling.layers.traced import TracedValue, present, traced
from edgeling.network.tracing import Tracer

_OPTIONS = tuple(field.name for field in fields(Options))
REDUCTIONS = ("sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none", None)
_EACH_ROW = ("none", None)
# Never broadcast; the cosine is, but of vectors of length one.
_EXACTLY = (
    "binary_crossentropy", "binary_focal_crossentropy", "categorical_crossentropy", "categorical_focal_crossentropy",
)  # fmt: skip
_LATER = ("cosine_similarity",)


@dataclass
class Loss(Configurable):
    """One value a row, and how a batch's values become one (``reduction``, Keras's names):

    - ``"sum_over_batch_size"``, ``"mean"``: ``sum(value * sample_weight) / rows``;
    - ``"sum"``: ``sum(value * sample_weight)``;
    - ``"mean_with_sample_weight"``: ``sum(value * sample_weight) / sum(sample_weight)``;
    - ``"none"``, ``None``: all values, which only a call gives; ``fit`` refuses it.

    Attributes:
        sparse: ``y_true`` holds class numbers, [n, 1], not one column an output.
        signed: labels are -1 and 1; a data set of only 0 and 1 is converted (decided over all rows when ``fit``
            or ``evaluate`` begins, where Keras decides batch by batch).
        aligns: the function and the metric of that name bring [n] and [n, 1] to one shape, as the loss does; else, as
            in Keras, they pair each truth with every prediction.
    """

    module: ClassVar[str] = "keras.losses"
    sparse: ClassVar[bool] = False
    signed: ClassVar[bool] = False
    aligns: ClassVar[bool] = True
    mixes_rows = False  # no annotation: it is no argument

    name: str | None = field(default=None, kw_only=True)
    reduction: str | None = field(default="sum_over_batch_size", kw_only=True)
    dtype: Any = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        self.check_fields()
        self.name = self.name or snake_case(type(self).__name__)
        if self.reduction not in REDUCTIONS:
            raise UnsupportedError(
                "a reduction is one of Keras's", received=f"reduction={self.reduction!r}",
                remedy=f"one of {', '.join(map(repr, REDUCTIONS))}",
            )  # fmt: skip
        require_float32(type(self).__name__, self.dtype)
        refuse(type(self).__name__, "ignore_class", getattr(self, "ignore_class", None))
        axis = getattr(self, "axis", -1)
        if axis not in (-1, 1):
            raise UnsupportedError("a loss goes over the last axis", received=f"axis={axis!r}", remedy="axis=-1")

    @property
    def is_written(self) -> bool:
        """Whether somebody else's Python says what it computes."""
        owner = next(kind for kind in type(self).__mro__ if "call" in vars(kind))
        return "call" in vars(self) or not is_ours(owner)

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

    def traced(self, tracer: Tracer, y_true: str, y_pred: str, weighted: bool) -> str:
        """As :meth:`trace`, for whoever needs more of the graph that is being written.

        Args:
            weighted: rows have weights.
        """
        return self.trace(tracer.builder, y_true, y_pred)

    def of_steps(self, tracer: Tracer, y_true: str, y_pred: str) -> str:
        """As :meth:`trace`, of the steps of rows one below another."""
        return self.trace(tracer.builder, y_true, y_pred)

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> Any:
        """The loss of a batch of rows, [n, k] each: one number, or with ``reduction=None`` one a row."""
        if present() is not None:
            return _traced_reduced(self.call(y_true, y_pred), sample_weight, self.reduction)
        if type(self).call is not Loss.call:  # takes arrays, as everywhere in Keras
            y_true, y_pred = np.asarray(y_true, np.float32), np.asarray(y_pred, np.float32)
        return reduced(np.asarray(self.call(y_true, y_pred)), sample_weight, self.reduction)

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> Any:
        """What a call reduces: the loss of each row. A subclass of one's own overrides it, with :mod:`edgeling.ops`."""
        if present() is not None:
            return self.rows(y_true, y_pred)
        truth, prediction = np.asarray(y_true, np.float32), np.asarray(y_pred, np.float32)
        return self.rows(*same_rank(truth, prediction))

    def require_form(self, dimensions: int) -> None:
        """Raise if targets of so many dimensions mean nothing to this loss.

        Raises:
            DataError: they do not.
        """

    def get_config(self) -> dict[str, Any]:
        """Keras's; a class of one's own adds its arguments."""
        if not is_ours(type(self)):
            return {"name": self.name, "reduction": self.reduction}
        return {key: value for key, value in super().get_config().items() if key != "dtype"}

    def rows(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        """The loss of each row, [n], as the function of Keras gives it.

        Raises:
            DataError: shapes that do not go together.
        """
        if present() is not None:
            return _traced_rows(self, y_true, y_pred)
        truth, prediction = np.asarray(y_true, np.float32), np.asarray(y_pred, np.float32)
        if self.sparse:
            truth = class_numbers(truth, prediction)
        else:
            truth, prediction = same_rank(truth, prediction) if self.aligns else (truth, prediction)
            both = _of_one_shape(truth, prediction, exactly=self.function in _EXACTLY)
            truth, prediction = (truth, prediction) if self.function in _LATER else both
        if self.signed and np.isin(truth, (0, 1)).all():
            truth = 2 * truth - 1
        return LOSSES[self.function].value(truth, prediction, Options(**self.options))

    def each(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        """What the reduction makes one: the loss of each row [n], of each of its steps, or the one number of all."""
        return self.rows(y_true, y_pred)

    def steps(self, y_true: ArrayLike, y_pred: ArrayLike) -> Array:
        """The loss of each step, [n, steps], of rows [steps, outputs]."""
        return self.rows(y_true, y_pred)


def _traced_rows(loss: Loss, y_true: Any, y_pred: Any) -> Any:
    """The loss of each row of traced values: what somebody's own loss is made of."""
    tracer = present()
    assert tracer is not None
    truth, prediction = traced(y_true, tracer), traced(y_pred, tracer)
    *heads, width = prediction.lengths or (1,)
    wanted = (prod(heads), 1 if loss.sparse else width)
    if prod(truth.lengths) != prod(wanted):
        raise DataError(
            "y_true and y_pred have one shape", received=f"{truth.shape} and {prediction.shape}",
            remedy="edgeling.ops.reshape(y_true, shape)",
        )  # fmt: skip
    names = [
        tracer.builder.add("reshape", one.name, shape=shape)
        for one, shape in ((truth, wanted), (prediction, (prod(heads), width)))
    ]
    rows = tracer.builder.add("reshape", loss.trace(tracer.builder, *names), shape=tuple(heads))
    return TracedValue(tracer, rows, prediction.per_row)


def _traced_reduced(values: Any, sample_weight: Any, reduction: str | None) -> Any:
    """Traced values of rows, weighted and made one as a reduction says."""
    ops: Any = import_module("edgeling.ops")
    weighted = values if sample_weight is None else values * sample_weight
    if reduction in _EACH_ROW:
        return weighted
    if reduction == "mean_with_sample_weight" and sample_weight is not None:
        return ops.sum(weighted) / ops.sum(sample_weight)
    return ops.sum(weighted) if reduction == "sum" else ops.mean(weighted)


def class_numbers(truth: Array, prediction: Array) -> Array:
    """Class numbers with a last axis of one, [..., 1], for predictions [..., classes].

    Raises:
        DataError: another shape.
    """
    given = truth if truth.ndim == prediction.ndim and truth.shape[-1:] == (1,) else truth[..., None]
    if prediction.ndim < 2 or given.shape != (*prediction.shape[:-1], 1):
        raise DataError(
            "y_true holds one class number for each row of y_pred", received=f"{truth.shape} and {prediction.shape}",
            remedy="y_true of shape [rows]; y.argmax(axis=1) for one-hot rows",
        )  # fmt: skip
    return given


def _of_one_shape(truth: Array, prediction: Array, exactly: bool) -> tuple[Array, Array]:
    """Of one shape, or (but for some cross-entropies) brought to one by broadcasting."""
    if truth.shape == prediction.shape:
        return truth, prediction
    try:
        if not exactly:
            truth, prediction = np.broadcast_arrays(truth, prediction)
            return truth, prediction
    except ValueError:
        pass
    raise DataError(
        "y_true and y_pred have one shape", received=f"{truth.shape} and {prediction.shape}",
        remedy="y_true.reshape(y_pred.shape)",
    )  # fmt: skip


def same_rank(first: Array, second: Array) -> tuple[Array, Array]:
    """Two arrays, one of which has a last axis of length 1 more, brought to one rank (Keras's rule)."""
    if first.ndim == second.ndim + 1 and first.shape[-1] == 1:
        return (first, second[..., None]) if second.ndim == 1 else (first[..., 0], second)
    if second.ndim == first.ndim + 1 and second.shape[-1] == 1:
        return (first[..., None], second) if first.ndim == 1 else (first, second[..., 0])
    return first, second


def reduced(values: Array, sample_weight: ArrayLike | None, reduction: str | None) -> Any:
    """Values of rows, weighted and made one as a reduction says; float32."""
    weights = None if sample_weight is None else np.asarray(sample_weight, np.float32)
    if weights is not None:
        values, weights = same_rank(values, weights)
        values = values * weights
    if reduction in _EACH_ROW or values.ndim == 0:
        return values
    total = values.sum(dtype=np.float64)
    if reduction == "sum":
        return np.float32(total)
    by_weight = reduction == "mean_with_sample_weight" and weights is not None
    count = weights.sum(dtype=np.float64) if by_weight and weights is not None else values.size
    return np.float32(total / count if count else 0.0)


class MeanSquaredError(Loss):
    """``mean((y_true - y_pred)^2)``."""


class MeanAbsoluteError(Loss):
    """``mean(|y_true - y_pred|)``."""


class MeanSquaredLogarithmicError(Loss):
    """``mean((log(y_true + 1) - log(y_pred + 1))^2)``."""


class MeanAbsolutePercentageError(Loss):
    """``100 * mean(|y_true - y_pred| / |y_true|)``."""


@dataclass
class CosineSimilarity(Loss):
    """``-sum(y_true * y_pred)``, both divided by their length: -1 where they point the same way."""

    axis: int = -1


class LogCosh(Loss):
    """``mean(log(cosh(y_pred - y_true)))``."""


@dataclass
class Huber(Loss):
    """Squared up to an error of ``delta``, linear beyond (Huber, 1964)."""

    delta: float = 1.0

    def get_config(self) -> dict[str, Any]:
        """Keras's, which leaves out a delta of 1."""
        config = super().get_config()
        return config if self.delta != 1.0 else {key: value for key, value in config.items() if key != "delta"}


@dataclass
class BinaryCrossentropy(Loss):
    """``-mean(y_true * log(y_pred) + (1 - y_true) * log(1 - y_pred))``: independent yes/no outputs."""

    aligns = False
    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: int = -1


@dataclass
class BinaryFocalCrossentropy(Loss):
    """Binary cross-entropy, times ``(1 - p) ** gamma`` of the truth's probability p (Lin et al., ICCV 2017).

    ``apply_class_balancing``: ones weigh ``alpha``, zeros ``1 - alpha``.
    """

    aligns = False
    apply_class_balancing: bool = False
    alpha: float = 0.25
    gamma: float = 2.0
    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: int = -1


@dataclass
class CategoricalCrossentropy(Loss):
    """``-sum(y_true * log(y_pred))``, ``y_true`` one-hot; ``y_pred`` is divided by its sum."""

    aligns = False
    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: int = -1


@dataclass
class CategoricalFocalCrossentropy(Loss):
    """Cross-entropy of classes, each class's part times ``alpha * (1 - p) ** gamma``; ``y_true`` one-hot."""

    aligns = False
    alpha: float = 0.25
    gamma: float = 2.0
    from_logits: bool = False
    label_smoothing: float = 0.0
    axis: int = -1

    def __post_init__(self) -> None:
        super().__post_init__()
        if np.ndim(self.alpha):
            raise UnsupportedError("alpha is one number for all classes", received=repr(self.alpha), remedy="0.25")


@dataclass
class CategoricalGeneralizedCrossEntropy(Loss):
    """``(1 - p ** q) / q`` of the truth's probability p, class numbers from 0 (Zhang and Sabuncu, NeurIPS 2018).

    Class numbers are [n]; of [n, 1] Keras pairs each with every row, which is refused.
    """

    sparse = True
    q: float = 0.5

    def require_form(self, dimensions: int) -> None:
        if dimensions != 1:
            raise DataError(
                "CategoricalGeneralizedCrossEntropy takes class numbers [rows]", received=f"{dimensions} dimensions",
                remedy="y[:, 0]",
            )  # fmt: skip

    def call(self, y_true: ArrayLike, y_pred: ArrayLike) -> Any:
        if present() is not None:
            return super().call(y_true, y_pred)
        self.require_form(np.ndim(y_true))
        labels, classes = np.asarray(y_true), np.shape(y_pred)[-1]
        if not ((labels >= 0) & (labels < classes)).all():
            raise DataError(
                f"class numbers lie between 0 and {classes - 1}", received=f"up to {labels.max():g}",
                remedy="number the classes from 0, or widen y_pred",
            )  # fmt: skip
        return super().call(y_true, y_pred)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.q < 1:
            raise UnsupportedError("q lies between 0 and 1", received=f"q={self.q}", remedy="q=0.5")


@dataclass
class SparseCategoricalCrossentropy(Loss):
    """``-log(y_pred[y_true])``, ``y_true`` class numbers from 0; ``y_pred`` is divided by its sum."""

    sparse = True
    from_logits: bool = False
    ignore_class: int | None = None
    axis: int = -1


class KLDivergence(Loss):
    """``sum(y_true * log(y_true / y_pred))``."""

    aligns = False


class Poisson(Loss):
    """``mean(y_pred - y_true * log(y_pred))``."""

    aligns = False


class Hinge(Loss):
    """``mean(max(1 - y_true * y_pred, 0))``."""

    signed, aligns = True, False


class SquaredHinge(Loss):
    """``mean(max(1 - y_true * y_pred, 0)^2)``."""

    signed, aligns = True, False


class CategoricalHinge(Loss):
    """``max(0, max((1 - y_true) * y_pred) - sum(y_true * y_pred) + 1)``."""

    aligns = False


class LossFunction:
    """A loss as a function, ``losses.huber(y_true, y_pred, delta=2.0)``: one value a row. ``compile`` takes it too."""

    def __init__(self, loss_class: type[Loss]) -> None:
        self.loss_class, self.__name__ = loss_class, snake_case(loss_class.__name__)
        self.__doc__ = loss_class.__doc__

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike, **options: Any) -> Array:
        """[n, k] and [n, k] -> [n]."""
        return self.loss_class(**options).rows(y_true, y_pred)

    def __eq__(self, other: object) -> bool:
        """The same function, or the loss that it is without options: ``get("mse") == mean_squared_error``."""
        return self is other or (type(other) is self.loss_class and other == self.loss_class())

    def __hash__(self) -> int:
        return hash(self.loss_class())


mean_squared_error, mean_absolute_error = LossFunction(MeanSquaredError), LossFunction(MeanAbsoluteError)
mean_squared_logarithmic_error, log_cosh = LossFunction(MeanSquaredLogarithmicError), LossFunction(LogCosh)
huber, poisson, kl_divergence = LossFunction(Huber), LossFunction(Poisson), LossFunction(KLDivergence)
binary_crossentropy, categorical_crossentropy = LossFunction(BinaryCrossentropy), LossFunction(CategoricalCrossentropy)
sparse_categorical_crossentropy = LossFunction(SparseCategoricalCrossentropy)
hinge, squared_hinge = LossFunction(Hinge), LossFunction(SquaredHinge)
categorical_hinge, cosine_similarity = LossFunction(CategoricalHinge), LossFunction(CosineSimilarity)
mean_absolute_percentage_error = LossFunction(MeanAbsolutePercentageError)
binary_focal_crossentropy = LossFunction(BinaryFocalCrossentropy)
categorical_focal_crossentropy = LossFunction(CategoricalFocalCrossentropy)
categorical_generalized_cross_entropy = LossFunction(CategoricalGeneralizedCrossEntropy)

FUNCTIONS: dict[str, LossFunction] = {f.__name__: f for f in vars().copy().values() if isinstance(f, LossFunction)}
CLASSES: tuple[type[Loss], ...] = (
    MeanSquaredError, MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredLogarithmicError, LogCosh, Huber,
    CosineSimilarity, BinaryCrossentropy, BinaryFocalCrossentropy, CategoricalCrossentropy,
    CategoricalFocalCrossentropy, CategoricalGeneralizedCrossEntropy, SparseCategoricalCrossentropy, KLDivergence,
    Poisson, Hinge, SquaredHinge, CategoricalHinge,
)  # fmt: skip
ALIASES: dict[str, type[Loss]] = {
    "bce": BinaryCrossentropy, "BCE": BinaryCrossentropy, "kld": KLDivergence, "KLD": KLDivergence,
    "kl_divergence": KLDivergence, "mae": MeanAbsoluteError, "MAE": MeanAbsoluteError, "mse": MeanSquaredError,
    "MSE": MeanSquaredError, "msle": MeanSquaredLogarithmicError, "MSLE": MeanSquaredLogarithmicError,
    "logcosh": LogCosh, "mape": MeanAbsolutePercentageError, "MAPE": MeanAbsolutePercentageError,
}  # fmt: skip
TABLE = table_of(CLASSES, **ALIASES)


def get(identifier: Any, width: int | None = None, target_width: int | None = None) -> Loss:
    """A loss from its name, class, description or itself.

    Args:
        width: columns of the model's output, by which "crossentropy" is resolved.
        target_width: columns of the targets, likewise.

    Raises:
        UnsupportedError: no such loss.
    """
    if identifier in ("crossentropy", "ce"):
        if width == 1:
            return BinaryCrossentropy()
        return SparseCategoricalCrossentropy() if target_width == 1 else CategoricalCrossentropy()
    if isinstance(identifier, LossFunction):
        return identifier.loss_class()
    written: Any = import_module("edgeling.written_losses")
    if not isinstance(identifier, (str, dict, Loss, type)):
        if not callable(identifier):
            find("loss", TABLE, identifier)
        found: Loss = written.of_function(identifier)
        return found
    found = resolve("loss", Loss, TABLE, identifier)
    if found.is_written and not isinstance(found, written.WrittenLoss):
        return written.of_class(found)
    if type(found) not in CLASSES and type(found).trace is Loss.trace and not found.is_written:
        raise UnsupportedError(
            "a loss of one's own says what it computes", received=f"{type(found).__name__} without call()",
            remedy="call(self, y_true, y_pred), which computes with edgeling.ops",
        )  # fmt: skip
    return found


serialize, deserialize = configurable.serialize, get
