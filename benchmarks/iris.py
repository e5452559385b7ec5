# SPDX-License-Identifier: Apache-2.0
"""The Iris tutorial program's data: 120 rows to train on, 4 standardised features, 3 species."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

EPOCHS, BATCH_SIZE = 100, 10


def training_rows() -> tuple[NDArray[Any], NDArray[Any]]:
    """x float64 [120, 4], y int64 [120], as the tutorial hands them over."""
    from sklearn.datasets import load_iris
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    x, y = load_iris(return_X_y=True)
    x_train, _, y_train, _ = train_test_split(x, y, test_size=0.2, random_state=42)
    return np.asarray(StandardScaler().fit_transform(x_train)), np.asarray(y_train)
