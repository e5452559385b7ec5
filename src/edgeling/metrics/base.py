# SPDX-License-Identifier: Apache-2.0
"""What every metric shares: variables that take in one batch after another, and what they amount to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from math import inf
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import ArrayLike

from edgeling import initializers
from edgeling.checking import Limits, require_float32
from edgeling.configurable import Configurable, is_ours, snake_case
from edgeling.errors import UnsupportedError
from edgeling.graph.types import Array
from edgeling.losses import same_rank
from edgeling.network.weights import Weight

EPSILON = 1e-7  # Keras's


class Variable(NDArrayOperatorsMixin):
    """One array of a metric's state. Kept in float64, so that counts stay exact; NumPy's functions take it."""

    def __init__(self, value: Array, name: str) -> None:
        self.value, self.name = np.asarray(value, np.float64), name

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the value."""
        return self.value.shape

    def assign(self, value: Any) -> None:
        """Replace the value.

        Raises:
            ValueError: another shape.
        """
        self.value = np.broadcast_to(np.asarray(value, np.float64), self.shape).copy()

    def assign_add(self, value: Any) -> None:
        """Add to the value."""
        self.assign(self.value + np.asarray(value))

    def assign_sub(self, value: Any) -> None:
        """Subtract from the value."""
        self.assign(self.value - np.asarray(value))

    def numpy(self) -> Array:
        """A copy, float32."""
        return self.value.astype(np.float32)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.value, dtype=dtype)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        plain = (x.value if isinstance(x, Variable) else x for x in inputs)
        return getattr(ufunc, method)(*plain, **options)

    def __getitem__(self, index: Any) -> Any:
        return self.value[index]

    def __float__(self) -> float:
        return float(self.value)

    def __repr__(self) -> str:
        return f"<Variable {self.name} {self.value}>"


class Metric(Configurable):
    """Takes in batches (:meth:`update_state`) and says what they amount to (:meth:`result`).

    A subclass of one's own makes its variables with :meth:`add_variable` and overrides those two. In ``fit`` and
    ``evaluate`` it gets NumPy arrays, batch by batch: ``y_true`` [rows, outputs] (class numbers: [rows, 1]; [rows] if
    that is how the targets are given), ``y_pred`` [rows, outputs], and as a weighted metric ``sample_weight`` [rows].

    Attributes:
        sparse: needs class numbers (True), one column an output (False), or takes what there is (None).
        signed: as :attr:`edgeling.losses.Loss.signed`.
        additive: the state is a sum over rows, so that many batches may be taken in at once.
        as_given: targets that ``fit`` is given as [rows] are handed over so, as Keras does, not as [rows, 1].
        direction: whether larger is better ("up"), smaller ("down"), or nobody knows.
    """

    module: ClassVar[str] = "keras.metrics"
    sparse: ClassVar[bool | None] = None
    signed: ClassVar[bool] = False
    additive: ClassVar[bool] = False
    as_given: ClassVar[bool] = True
    limits: ClassVar[Limits] = {
        **dict.fromkeys(("top_k", "k", "num_classes"), (1, inf)), "class_id": (0, inf), "num_regressors": (0, inf),
    }  # fmt: skip
    direction: ClassVar[Literal["up", "down"] | None] = None

    def __init__(self, dtype: Any = None, name: str | None = None) -> None:
        require_float32(type(self).__name__, dtype)
        self.dtype, self.name = "float32", name or snake_case(type(self).__name__)
        self._variables: list[Variable] = []

    @property
    def variables(self) -> list[Variable]:
        """What the metric remembers, and what metrics that are its attributes do."""
        found: dict[int, Variable] = {}
        for held in _inside(vars(self)):
            of_it = held.variables if isinstance(held, Metric) else [held]
            found |= {id(variable): variable for variable in of_it}
        return list(found.values())

    def add_variable(
        self,
        shape: Iterable[int] = (),
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: Any = None,
        name: str | None = None,
    ) -> Variable:
        """A new variable, which :meth:`reset_state` sets to zero.

        Args:
            initializer: how it begins: a name, an initializer, a function of the shape, or an array.
        """
        given = "zeros" if initializer is None else initializer
        begin = given if isinstance(given, np.ndarray) else initializers.get(given)(tuple(shape))
        variable = Variable(begin, name or f"variable_{len(self._variables)}")
        self._variables.append(variable)
        return variable

    def add_weight(
        self, shape: Iterable[int] = (), initializer: Any = None, dtype: Any = None, name: str | None = None
    ) -> Variable:
        """As :meth:`add_variable`."""
        return self.add_variable(shape, initializer, dtype, name=name)

    def get_config(self) -> dict[str, Any]:
        """Keras's; a class of one's own adds its arguments."""
        return super().get_config() if is_ours(type(self)) else {"name": self.name, "dtype": self.dtype}

    def reset_state(self) -> None:
        """Forget every batch."""
        for variable in self.variables:
            variable.assign(0.0)

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Take in one batch."""
        raise NotImplementedError(f"{type(self).__name__} has no update_state(y_true, y_pred, sample_weight=None)")

    def result(self) -> Any:
        """What the batches amount to: float32, a number or an array."""
        raise NotImplementedError(f"{type(self).__name__} has no result()")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Take in one batch; the result so far."""
        self.update_state(*args, **kwargs)
        return self.result()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def _inside(value: Any) -> Iterator[Any]:
    """Variables and metrics in a value, and in lists and dicts of it."""
    if isinstance(value, (Variable, Weight, Metric)):
        yield value
    elif isinstance(value, (Mapping, list, tuple)):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _inside(part)


def batch(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[Array, Array]:
    """Truth and prediction, float32 of one rank."""
    return same_rank(np.asarray(y_true, np.float32), np.asarray(y_pred, np.float32))


def ratio(numerator: Any, denominator: Any) -> Array:
    """The quotient, and 0 where the denominator is 0."""
    n, d = np.broadcast_arrays(np.asarray(numerator, np.float64), np.asarray(denominator, np.float64))
    return np.divide(n, d, out=np.zeros(n.shape), where=d != 0)


def single(value: Any) -> Any:
    """float32: a number, or an array if it has a shape."""
    array = np.asarray(value, np.float32)
    return array if array.ndim else np.float32(array)


class Sum(Metric):
    """The sum of values, each weighted."""

    additive = True

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(dtype, name)
        self.total = self.add_variable(name="total")

    def update_state(self, values: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        self.total.assign_add(_by_row(values, sample_weight, np.sum)[0].sum())

    def result(self) -> Any:
        return single(self.total)


class Mean(Metric):
    """The mean of values, each weighted: their sum by the sum of the weights; 0 of none."""

    additive = True

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(dtype, name)
        self.total, self.count = self.add_variable(name="total"), self.add_variable(name="count")

    def update_state(self, values: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        rows, weights = _by_row(values, sample_weight, np.mean)
        self.total.assign_add(rows.sum())
        self.count.assign_add(rows.size if weights is None else weights.sum())

    def result(self) -> Any:
        return single(ratio(self.total, self.count))


def _by_row(
    values: ArrayLike, sample_weight: ArrayLike | None, reduce: Callable[..., Any]
) -> tuple[Array, Array | None]:
    """One weighted value a row, and the weights: float64 [rows]."""
    rows, weights = np.asarray(values, np.float64), None
    if sample_weight is not None:
        rows, weights = same_rank(rows, np.asarray(sample_weight, np.float64))
        given = weights.ndim
        if rows.ndim > given:
            rows = reduce(rows, axis=tuple(range(given, rows.ndim)))
        weights = np.broadcast_to(weights, rows.shape)
        rows = rows * weights
        weights = reduce(weights, axis=tuple(range(1, given))) if given > 1 else weights
    return (reduce(rows, axis=tuple(range(1, rows.ndim))) if rows.ndim > 1 else rows), weights


class MeanMetricWrapper(Mean):
    """The mean of a function of (y_true, y_pred), which gives one value a row, or several."""

    additive = False

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any) -> None:
        super().__init__(name or getattr(fn, "__name__", None), dtype)
        if not callable(fn):
            raise UnsupportedError(
                "fn is a function of (y_true, y_pred)", received=repr(fn),
                remedy="a function such as edgeling.losses.mean_squared_error",
            )  # fmt: skip
        self.fn, self._kwargs = fn, kwargs

    def update_state(  # type: ignore[override]
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> None:
        super().update_state(self.values_of(y_true, y_pred), sample_weight)

    def values_of(self, y_true: Any, y_pred: Any) -> Any:
        """What the function gives."""
        return self.fn(y_true, y_pred, **self._kwargs)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": self.dtype, "fn": self.fn, **self._kwargs}
