# SPDX-License-Identifier: Apache-2.0
"""The two tutorial programs, word for word, with nothing changed but the import lines."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgeling.utils import set_random_seed

DIABETES = """
from keras.models import Sequential
from keras.layers import Dense
model = Sequential()
model.add(Dense(10, input_dim=8, activation='relu'))
model.add(Dense(1, activation='sigmoid'))
model.compile(optimizer='adam', loss='binary_crossentropy', metrics=['accuracy'])
history = model.fit(X_train, y_train, epochs=10, batch_size=32)
"""
IRIS = """
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from tensorflow.keras.models import Sequential
from tensorflow.keras.layers import Dense
iris = load_iris(); X, y = iris.data, iris.target
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=42)
scaler = StandardScaler(); X_train = scaler.fit_transform(X_train); X_test = scaler.transform(X_test)
model = Sequential()
model.add(Dense(4, input_dim=4, activation='relu'))
model.add(Dense(3, activation='softmax'))
model.compile(loss='sparse_categorical_crossentropy', optimizer='adam', metrics=['accuracy'])
model.fit(X_train, y_train, epochs=100, batch_size=10, verbose=0)
loss, accuracy = model.evaluate(X_test, y_test, verbose=0)
"""


def _run(program: str, **given: Any) -> dict[str, Any]:
    set_random_seed(1)
    names = dict(given)
    exec(program.replace("from tensorflow.keras", "from edgeling").replace("from keras", "from edgeling"), names)
    return names


def test_the_diabetes_program() -> None:
    draw = np.random.default_rng(7)
    x = draw.normal(size=(614, 8))
    left = _run(DIABETES, X_train=x, y_train=(x @ draw.normal(size=8) > 0).astype(int))
    losses = left["history"].history["loss"]
    assert len(losses) == 10
    assert losses[-1] < losses[0]
    assert left["model"].predict(x).shape == (614, 1)


def test_the_iris_program() -> None:
    pytest.importorskip("sklearn")
    left = _run(IRIS)
    assert left["accuracy"] > 0.8
    assert 0 < left["loss"] < 0.6
