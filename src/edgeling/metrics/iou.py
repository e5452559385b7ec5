# SPDX-License-Identifier: Apache-2.0
"""Intersection over union of classes, from a confusion matrix."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from edgeling.errors import DataError, UnsupportedError
from edgeling.graph.types import Array
from edgeling.metrics.base import EPSILON, Metric, single


class IoU(Metric):
    """Mean over ``target_class_ids`` of true positives / (true positives + false positives + false negatives).

    Args:
        dtype: of the matrix: whole numbers, or "float32" for weights that are not whole.
        sparse_y_true, sparse_y_pred: class numbers, or else one column a class.
        ignore_class: rows of this class do not count.
    """

    additive = True
    direction = "up"

    def __init__(
        self, num_classes: int, target_class_ids: Sequence[int], name: str | None = None, dtype: Any = None,
        ignore_class: int | None = None, sparse_y_true: bool = True, sparse_y_pred: bool = True, axis: int = -1,
    ) -> None:  # fmt: skip
        super().__init__(None, name)
        self.dtype = str(getattr(dtype, "name", dtype or "int"))
        if not self.dtype.startswith(("int", "uint", "float")):
            raise UnsupportedError(
                "the matrix's dtype is int or float32", received=f"dtype={dtype!r}", remedy="dtype='int'"
            )
        if max(target_class_ids) >= num_classes:
            received = f"class {max(target_class_ids)}"
            raise UnsupportedError(
                f"classes lie between 0 and {num_classes - 1}", received=received,
                remedy=f"num_classes={num_classes + 1}, or the number of a class",
            )  # fmt: skip
        self.num_classes, self.target_class_ids = num_classes, list(target_class_ids)
        self.ignore_class, self.axis = ignore_class, axis
        self.sparse_y_true, self.sparse_y_pred = sparse_y_true, sparse_y_pred
        self.total_cm = self.add_variable((num_classes, num_classes), name="total_confusion_matrix")

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        truth, prediction = np.asarray(y_true), np.asarray(y_pred)
        truth = truth if self.sparse_y_true else np.argmax(truth, axis=self.axis)
        prediction = prediction if self.sparse_y_pred else np.argmax(prediction, axis=self.axis)
        true, guessed = truth.ravel().astype(np.int64), prediction.ravel().astype(np.int64)
        if true.shape != guessed.shape:
            raise DataError(
                "y_true and y_pred hold as many classes", received=f"{np.shape(y_true)} and {np.shape(y_pred)}",
                remedy="y_true.reshape(y_pred.shape)",
            )  # fmt: skip
        weights = np.broadcast_to(self._whole(np.asarray(1 if sample_weight is None else sample_weight)), true.shape)
        n = self.num_classes
        known = (true >= 0) & (true < n) & (guessed >= 0) & (guessed < n) & (true != self._ignored())
        cells = true[known] * n + guessed[known]
        self.total_cm.assign_add(np.bincount(cells, weights=weights[known], minlength=n * n).reshape(n, n))

    def _whole(self, weights: Array) -> Array:
        """Keras's matrix is of whole numbers, unless its dtype is a float's, and so are its weights."""
        if "int" not in self.dtype:
            return weights.ravel()
        if weights.dtype.kind == "f":
            warnings.warn(
                "weights that are float lose their fractions in an int matrix by casting: give dtype='float32'",
                stacklevel=4,
            )
        return weights.ravel().astype(np.int64)

    def _ignored(self) -> int:
        return -1 if self.ignore_class is None else self.ignore_class

    def result(self) -> Any:
        matrix = np.asarray(self.total_cm)
        right = np.diag(matrix)[self.target_class_ids]
        union = (matrix.sum(axis=0) + matrix.sum(axis=1))[self.target_class_ids] - right
        seen = union > 1e-9
        shares = np.where(seen, right / (union + EPSILON), 0.0)
        return single(shares.sum() / (seen.sum() + EPSILON))


class MeanIoU(IoU):
    """The mean over all classes."""

    def __init__(
        self, num_classes: int, name: str | None = None, dtype: Any = None, ignore_class: int | None = None,
        sparse_y_true: bool = True, sparse_y_pred: bool = True, axis: int = -1,
    ) -> None:  # fmt: skip
        ids = range(num_classes)
        super().__init__(num_classes, ids, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)


class BinaryIoU(IoU):
    """Of two classes, where outputs from the threshold up are the second."""

    def __init__(
        self, target_class_ids: Sequence[int] = (0, 1), threshold: float = 0.5, name: str | None = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = threshold

    def update_state(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> None:
        super().update_state(y_true, np.asarray(y_pred, np.float32) >= np.float32(self.threshold), sample_weight)


class OneHotIoU(IoU):
    """Of one-hot truths."""

    def __init__(
        self, num_classes: int, target_class_ids: Sequence[int], name: str | None = None, dtype: Any = None,
        ignore_class: int | None = None, sparse_y_pred: bool = False, axis: int = -1,
    ) -> None:  # fmt: skip
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)


class OneHotMeanIoU(MeanIoU):
    """The mean over all classes, of one-hot truths."""

    def __init__(
        self, num_classes: int, name: str | None = None, dtype: Any = None, ignore_class: int | None = None,
        sparse_y_pred: bool = False, axis: int = -1,
    ) -> None:  # fmt: skip
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)
