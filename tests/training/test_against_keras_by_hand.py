# SPDX-License-Identifier: Apache-2.0
"""Optimizers' steps by hand, and regularizers called with arrays, against Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgeling import optimizers, regularizers
from edgeling.errors import DataError, EdgelingError
from edgeling.layers import Dense
from edgeling.network.weights import Weight
from edgeling.optimizers import stepping
from tests.support.close import require_close
from tests.support.rounding import interpreted_bounds

keras: Any = pytest.importorskip("keras")
pytestmark = pytest.mark.keras

RNG = np.random.default_rng(11)
VALUES = [RNG.normal(size=shape).astype(np.float32) for shape in ((3, 2), (2,), ())]
GRADIENTS = [[RNG.normal(size=v.shape).astype(np.float32) for v in VALUES] for _ in range(4)]
SETTINGS: dict[str, dict[str, Any]] = {
    "SGD": {"momentum": 0.9, "nesterov": True}, "RMSprop": {"centered": True}, "Adagrad": {},
    "Adam": {"amsgrad": True, "global_clipnorm": 1.0}, "AdamW": {}, "Adamax": {}, "Nadam": {"clipvalue": 0.3},
}  # fmt: skip


@pytest.mark.parametrize("name", SETTINGS)
def test_steps_by_hand_are_keras_steps(name: str) -> None:
    ours, theirs = (getattr(k.optimizers, name)(learning_rate=0.1, **SETTINGS[name]) for k in (KERAS, keras))
    mine = [Weight(f"w{i}", v) for i, v in enumerate(VALUES)]
    their = [keras.Variable(v) for v in VALUES]

    def train() -> None:
        for gradients in GRADIENTS:
            assert ours.apply_gradients(zip(gradients, mine, strict=True)) == ours.iterations
            theirs.apply_gradients(zip(gradients, their, strict=True))

    _, allowed = interpreted_bounds(stepping, train)
    for i, (a, b) in enumerate(zip(mine, their, strict=True)):
        allowed[f"weight_{i}"].require(a.value, "ours")
        allowed[f"weight_{i}"].require(np.asarray(b), "Keras's")


def test_gradients_must_fit_their_weights() -> None:
    weight = Weight("w", np.zeros(3, np.float32))
    for gradients in ([np.zeros(2)], [None], []):
        with pytest.raises(DataError, match="gradient"):
            optimizers.SGD().apply(gradients, [weight])


@pytest.mark.parametrize(
    ("kind", "settings"), [("L1", {"l1": 0.3}), ("L2", {"l2": 0.3}), ("L1L2", {"l1": 0.1, "l2": 2.0})]
)
def test_regularizers_of_arrays_are_keras(kind: str, settings: dict[str, float]) -> None:
    ours, theirs = (getattr(k.regularizers, kind)(**settings) for k in (KERAS, keras))
    require_close(float(theirs(VALUES[0])), ours(VALUES[0]), VALUES[0].size + 4)  # sums of squares, two products; ours


class KERAS:
    """Edgeling by Keras's module names."""

    optimizers, regularizers = optimizers, regularizers


REFUSED: dict[str, tuple[Any, str]] = {
    "a step of one's own": (lambda: type("Mine", (optimizers.SGD,), {"update_step": print}), "update_step of a SGD"),
    "weight decay": (lambda: optimizers.SGD(weight_decay=-1.0), "weight_decay is a number from 0"),
    "clipping": (lambda: optimizers.SGD(clipnorm="1"), "SGD: clipnorm is a number"),
    "rate": (lambda: optimizers.SGD(learning_rate="fast"), "learning_rate is a number.*'fast'"),
    "text as penalty": (lambda: regularizers.L1("a"), "l1 is a number.*received 'a'"),
    "penalty below zero": (lambda: regularizers.L2(-0.1), "l2 is a number from 0; received -0.1"),
    "infinite penalty": (lambda: regularizers.L2(float("inf")), "l2 is finite"),
    "a weight's shape": (lambda: Weight("w", np.zeros(3, np.float32)).assign(np.zeros(2)), r"w has shape \(3,\)"),
    "a weight's text": (lambda: Weight("w", np.zeros(3, np.float32)).assign("text"), "w holds numbers"),
    "units": (lambda: Dense(True), "units is a whole number.*True"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_meaning_is_refused(name: str) -> None:
    attempt, message = REFUSED[name]
    with pytest.raises(EdgelingError, match=message):
        attempt()
