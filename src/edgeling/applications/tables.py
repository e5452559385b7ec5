# SPDX-License-Identifier: Apache-2.0
"""Networks of dense layers: rows of a table to classes, rows of features to themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgeling.applications.parts import Shape, Weights, begun, classified, finished, several, share
from edgeling.checking import flag, whole
from edgeling.layers import BatchNormalization, Dense, Dropout, Flatten, ReLU
from edgeling.models import Model


def mlp(
    input_shape: Shape = (16,), classes: int = 3, *, hidden: Sequence[int] = (64, 32), dropout: float = 0.0,
    include_top: bool = True, weights: Weights = None, input_tensor: Any = None, classifier_activation: Any = "softmax",
    name: str = "mlp",
) -> Model:  # fmt: skip
    """Dense layers with rectifiers: a row of a table to classes.

    13,068 bytes of weights, 384 bytes of RAM and 3,168 multiply-accumulates as it stands.

    Args:
        input_shape: of one row; rows of several axes are made flat.
        hidden: units of each hidden layer.
        dropout: the share of units that is left out while it trains.

    Raises:
        UnsupportedError: an argument that has no meaning here.
    """
    x = given = begun("mlp", input_shape, input_tensor)
    x = Flatten()(x) if len(given.row) > 1 else x
    for units in several("hidden", hidden, (64, 32)):
        x = Dense(units, activation="relu")(x)
        x = Dropout(share("dropout", dropout))(x)
    x = classified(x, classes, classifier_activation) if flag("include_top", include_top) else x
    return finished(given, x, weights, name)


def dense_autoencoder(
    input_shape: Shape = (640,), *, hidden: Sequence[int] = (128, 128, 128, 128), code: int = 8,
    weights: Weights = None, input_tensor: Any = None, name: str = "dense_autoencoder",
) -> Model:  # fmt: skip
    """Dense layers to a few numbers and back: a row of features to itself. How far the two are apart tells anomalies.

    1,063,456 bytes of weights, 1,056 bytes of RAM and 264,192 multiply-accumulates as it stands, which is MLPerf Tiny's
    anomaly detector. ``model.fit(x, x)`` trains it.

    Args:
        input_shape: of one row: [features].
        hidden: units on the way to the code; on the way back in the other order.
        code: how many numbers a row is pressed into.

    Raises:
        UnsupportedError: an argument that has no meaning here.
    """
    x = given = begun("dense_autoencoder", input_shape, input_tensor, ("features",))
    wide = several("hidden", hidden, (128, 128))
    for units in (*wide, whole("code", code), *reversed(wide)):
        x = ReLU()(BatchNormalization()(Dense(units)(x)))
    return finished(given, Dense(given.row[0])(x), weights, name)
