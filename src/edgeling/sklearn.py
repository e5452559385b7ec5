# SPDX-License-Identifier: Apache-2.0
"""Estimators for scikit-learn: small networks that train in milliseconds, in pipelines, searches and cross-validation.

Arguments are those of scikit-learn's ``MLPClassifier`` and ``MLPRegressor`` where they mean the same. A fitted
estimator, or a pipeline that ends with one, compiles to C: ``edgeling.build(pipeline)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from edgeling.errors import UnsupportedError

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.preprocessing import FunctionTransformer, LabelEncoder, StandardScaler
    from sklearn.utils import check_random_state
    from sklearn.utils.class_weight import compute_sample_weight
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
except ImportError as error:
    raise UnsupportedError(
        "edgeling.sklearn needs scikit-learn", received=str(error), remedy="pip install 'edgeling[scikit-learn]'"
    ) from None

from edgeling.callbacks import EarlyStopping
from edgeling.graph.types import Array
from edgeling.layers import Dense, Input
from edgeling.models import Sequential
from edgeling.optimizers import AdamW
from edgeling.utils import seeds_apart, set_random_seed

__all__ = ["EdgelingClassifier", "EdgelingRegressor"]


class _Network(BaseEstimator):
    """What both estimators have in common."""

    def __init__(
        self, hidden_layer_sizes: Sequence[int] = (32,), activation: str = "relu", *, alpha: float = 1e-4,
        batch_size: int | str = "auto", learning_rate_init: float = 0.01, max_iter: int = 100,
        early_stopping: bool = False, validation_fraction: float = 0.1, n_iter_no_change: int = 10,
        standardize: bool = True, random_state: Any = None,
    ) -> None:  # fmt: skip
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.standardize = standardize
        self.random_state = random_state

    def _fit(self, X: Array, y: Array, last: Dense, loss: str, weights: Array | None) -> Self:
        random = check_random_state(self.random_state)
        seed = int(random.randint(2**31))
        X, y, weights = _merged(X, y, weights)
        if self.early_stopping:  # the last ones are kept apart
            order = random.permutation(len(X))
            X, y, weights = X[order], y[order], None if weights is None else weights[order]
        scaled = np.asarray(self._scaler(X, weights).transform(X), np.float32)
        with seeds_apart():
            set_random_seed(seed)
            return self._trained(scaled, y, last, loss, weights)

    def _scaler(self, X: Array, weights: Array | None) -> Any:
        if self.standardize:
            self.scaler_ = StandardScaler().fit(X, sample_weight=weights)
        else:
            self.scaler_ = FunctionTransformer().fit(X)
        return self.scaler_

    def _trained(self, X: Array, y: Array, last: Dense, loss: str, weights: Array | None) -> Self:
        hidden = [Dense(int(n), activation=self.activation) for n in self.hidden_layer_sizes]
        self.model_ = Sequential([Input((X.shape[1],)), *hidden, last])
        self.model_.compile(AdamW(self.learning_rate_init, weight_decay=self.alpha), loss)
        watch = "val_loss" if self.early_stopping else "loss"
        stopping = EarlyStopping(watch, patience=self.n_iter_no_change, restore_best_weights=self.early_stopping)
        kept = self.validation_fraction if self.early_stopping else 0.0
        size = 32 if self.batch_size == "auto" else int(self.batch_size)
        history = self.model_.fit(
            X, y, batch_size=min(size, len(X)), epochs=self.max_iter, sample_weight=weights,
            validation_split=kept, callbacks=[stopping], verbose=0,
        )  # fmt: skip
        self.loss_curve_ = [float(each) for each in history.history["loss"]]
        self.n_iter_, self.loss_ = len(self.loss_curve_), self.loss_curve_[-1]
        return self

    def _answers(self, X: Any) -> Array:
        check_is_fitted(self)
        X = validate_data(self, X, reset=False)
        return self.model_.predict(np.asarray(self.scaler_.transform(X), np.float32), verbose=0)


class EdgelingClassifier(ClassifierMixin, _Network):
    """A network that tells classes.

    Args:
        hidden_layer_sizes: units of each hidden layer; () for none.
        activation: of the hidden layers, by Keras's name ("relu", "tanh", "sigmoid", "gelu"...).
        alpha: the share of each weight, times the learning rate, that a step takes away (AdamW's ``weight_decay``).
        batch_size: rows a step; "auto": 32, or all if there are fewer.
        learning_rate_init: of AdamW.
        max_iter: epochs at the most.
        early_stopping: keep a ``validation_fraction`` of the rows apart, stop once their loss has not improved
            for ``n_iter_no_change`` epochs, and take the best weights; else the loss of the rows learned
            from is watched.
        standardize: subtract means and divide by standard deviations first; in the C too.
        random_state: repeats a fit.
        class_weight: "balanced", or what each class counts.

    Attributes:
        classes_: in the order of ``predict_proba``.
        model_: the :class:`edgeling.Sequential`; it takes what ``scaler_`` gives.
        loss_curve_, loss_, n_iter_: of the rows learned from, an epoch each; its last; how many.

    Example:
        >>> EdgelingClassifier((16,)).fit(X, y).predict_proba(X)  # doctest: +SKIP
    """

    def __init__(
        self, hidden_layer_sizes: Sequence[int] = (32,), activation: str = "relu", *, alpha: float = 1e-4,
        batch_size: int | str = "auto", learning_rate_init: float = 0.01, max_iter: int = 100,
        early_stopping: bool = False, validation_fraction: float = 0.1, n_iter_no_change: int = 10,
        standardize: bool = True, random_state: Any = None,
        class_weight: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            hidden_layer_sizes, activation, alpha=alpha, batch_size=batch_size, learning_rate_init=learning_rate_init,
            max_iter=max_iter, early_stopping=early_stopping, validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change, standardize=standardize, random_state=random_state,
        )  # fmt: skip
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from rows [n, columns] and their classes [n].

        Raises:
            ValueError: what scikit-learn's estimators raise it for: shapes, missing values, a single class.
        """
        X, y = validate_data(self, X, y)
        weights = _weights(X, sample_weight)
        check_classification_targets(y)
        self._encoder = LabelEncoder().fit(y)
        self.classes_ = self._encoder.classes_
        seen = self.classes_ if weights is None else np.unique(y[weights > 0])
        if len(seen) < 2:
            raise ValueError(f"Classifier can't train when only one class is present: {seen.tolist()}")
        if self.class_weight is not None:
            balanced = compute_sample_weight(self.class_weight, y)
            weights = balanced if weights is None else weights * balanced
        several = len(self.classes_) > 2
        last = Dense(len(self.classes_), activation="softmax") if several else Dense(1, activation="sigmoid")
        loss = "sparse_categorical_crossentropy" if several else "binary_crossentropy"
        return self._fit(X, self._encoder.transform(y).astype(np.float32), last, loss, weights)

    def predict_proba(self, X: Any) -> Array:
        """float32 [n, classes], in the order of ``classes_``."""
        told = self._answers(X)
        return np.column_stack([1 - told, told]) if told.shape[1] == 1 else told / told.sum(axis=1, keepdims=True)

    def predict(self, X: Any) -> Array:
        """The likeliest class of each row."""
        likeliest = self.predict_proba(X).argmax(axis=1)
        return self.classes_[likeliest]


class EdgelingRegressor(RegressorMixin, _Network):
    """A network that tells a number. Arguments and attributes as of :class:`EdgelingClassifier`.

    Example:
        >>> EdgelingRegressor((16,)).fit(X, y).predict(X)  # doctest: +SKIP
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from rows [n, columns] and a number for each [n].

        Raises:
            ValueError: what scikit-learn's estimators raise it for: shapes and missing values.
        """
        X, y = validate_data(self, X, y, y_numeric=True)
        y, weights = np.asarray(y, np.float64), _weights(X, sample_weight)
        self.target_mean_ = float(np.average(y, weights=weights))
        self.target_scale_ = float(np.sqrt(np.average(np.square(y - self.target_mean_), weights=weights))) or 1.0
        scaled = ((y - self.target_mean_) / self.target_scale_).astype(np.float32)
        return self._fit(X, scaled, Dense(1), "mse", weights)

    def predict(self, X: Any) -> Array:
        """float32 [n]."""
        told = self._answers(X)[:, 0] * self.target_scale_ + self.target_mean_
        return told.astype(np.float32)


def _merged(X: Array, y: Array, weights: Array | None) -> tuple[Array, Array, Array | None]:
    """Rows that are the same as one that counts as often: a row given twice is one of weight two, to the last bit."""
    rows, place = np.unique(np.column_stack([X, y]), axis=0, return_inverse=True)
    if weights is None and len(rows) == len(X):
        return X, y, None
    counts = np.bincount(place.ravel(), weights, len(rows))
    rows, counts = rows[counts > 0], counts[counts > 0]
    return rows[:, :-1], rows[:, -1].astype(y.dtype), counts / counts.mean()


def _weights(X: Array, sample_weight: Any) -> Array | None:
    return None if sample_weight is None else _check_sample_weight(sample_weight, X)
