# SPDX-License-Identifier: Apache-2.0
"""Small data sets with a network, a split for every seed, and a score: what accuracy is compared on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Task:
    """A data set of scikit-learn's and how a network is trained on it.

    Attributes:
        name: ``load_NAME`` of ``sklearn.datasets``.
        hidden: units of the hidden relu layers.
        outputs, activation: of the last layer.
        loss: Keras's name.
    """

    name: str
    hidden: tuple[int, ...]
    outputs: int
    activation: str
    loss: str
    epochs: int
    batch_size: int

    def model(self, sequential: Any, dense: Any) -> Any:
        """The network, of whoever's classes; its weights drawn anew."""
        model = sequential()
        units = [*((n, "relu") for n in self.hidden), (self.outputs, self.activation)]
        for count, activation in units:
            model.add(dense(count, activation=activation))
        return model


@dataclass(frozen=True)
class Split:
    """x float32 [n, features], standardised; y float32 [n, 1]: class numbers, or standardised values."""

    x_train: Array
    y_train: Array
    x_test: Array
    y_test: Array


_CLASSES = ("softmax", "sparse_categorical_crossentropy")
TASKS = {
    task.name: task
    for task in (
        Task("iris", (8,), 3, *_CLASSES, epochs=60, batch_size=10),
        Task("wine", (8,), 3, *_CLASSES, epochs=30, batch_size=16),
        Task("breast_cancer", (8,), 1, "sigmoid", "binary_crossentropy", epochs=15, batch_size=32),
        Task("digits", (32,), 10, *_CLASSES, epochs=15, batch_size=32),
        Task("diabetes", (8,), 1, "linear", "mean_squared_error", epochs=60, batch_size=32),
    )
}


def split(task: Task, seed: int) -> Split:
    """A quarter of the rows to test on, the same proportion of every class, drawn by the seed."""
    from sklearn import datasets
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    x, y = getattr(datasets, f"load_{task.name}")(return_X_y=True)
    classes = None if task.activation == "linear" else y
    parts = train_test_split(x, y.reshape(-1, 1), test_size=0.25, random_state=seed, stratify=classes)
    x_train, x_test, y_train, y_test = (np.asarray(part, np.float64) for part in parts)
    if classes is None:
        scaler = StandardScaler().fit(y_train)
        y_train, y_test = scaler.transform(y_train), scaler.transform(y_test)
    scaler = StandardScaler().fit(x_train)
    arrays = scaler.transform(x_train), y_train, scaler.transform(x_test), y_test
    return Split(*(np.ascontiguousarray(array, np.float32) for array in arrays))


def score(task: Task, prediction: Array, y: Array) -> float:
    """Accuracy; R² where the task is regression."""
    prediction = np.asarray(prediction, np.float64)
    if task.activation == "linear":
        return float(1 - np.mean((prediction - y) ** 2) / np.var(y))
    chosen = prediction > 0.5 if task.outputs == 1 else prediction.argmax(axis=1, keepdims=True)
    return float(np.mean(chosen == y))
