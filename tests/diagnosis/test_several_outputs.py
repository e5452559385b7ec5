# SPDX-License-Identifier: Apache-2.0
"""Of models of several inputs and outputs each output is looked at by itself, and what is wrong names it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgeling.callbacks import Diagnose
from edgeling.layers import Concatenate, Dense, Input, Reshape
from edgeling.models import Model
from edgeling.optimizers import Adam
from edgeling.utils import set_random_seed

DICE = np.random.default_rng(2)
A, B = (DICE.normal(size=(250, n)).astype(np.float32) for n in (3, 2))
SUM = (A[:, :1] + B[:, :1]).astype(np.float32)
CLASS = (A[:, 1] + B[:, 1] > 0).astype(int)


def model(rate: float = 0.01, positive: bool = False, steps: bool = False) -> Model:
    a, b = Input((3,), name="a"), Input((2,), name="b")
    h = Dense(8, activation="relu", name="h")(Concatenate()([a, b]))
    total = Dense(1, activation="relu" if positive else None, name="total")(h)
    outputs = {"total": total, "kind": Dense(2, activation="softmax", name="kind")(h)}
    if steps:
        outputs["steps"] = Reshape((4, 2), name="steps")(h)
    made: Model = Model({"a": a, "b": b}, outputs)
    loss = {"total": "mse", "kind": "sparse_categorical_crossentropy", **({"steps": "mse"} if steps else {})}
    made.compile(Adam(rate), loss)
    return made


def found(made: Model, y: dict[str, Any], **how: Any) -> list[Any]:
    asked = Diagnose(verbose=0)
    made.fit({"a": A, "b": B}, y, verbose=0, callbacks=[asked], **{"epochs": 40, **how})
    return list(asked.findings)


def test_a_healthy_fit_has_no_findings() -> None:
    set_random_seed(1)
    held = ({"a": A[:100], "b": B[:100]}, {"total": SUM[:100], "kind": CLASS[:100]})
    told = found(model(), {"total": SUM, "kind": CLASS}, validation_data=held)
    assert [f.name for f in told] == ["duplicates_across"]  # which is of the inputs, and told once


def test_what_is_wrong_with_one_output_names_it() -> None:
    set_random_seed(1)
    shuffled = found(model(), {"total": SUM, "kind": DICE.permutation(CLASS)})
    assert [f.name for f in shuffled] == ["shuffled_labels"]
    assert shuffled[0].seen.startswith("output 'kind': ")
    (misfit,) = found(model(positive=True), {"total": SUM, "kind": CLASS})
    assert misfit.name == "loss_does_not_fit"
    assert misfit.seen.startswith("output 'total': ")


def test_what_keeps_all_outputs_from_learning_is_tried_with_all_of_them() -> None:
    set_random_seed(1)
    told = found(model(1e-6), {"total": SUM, "kind": CLASS})
    assert {f.name for f in told} == {"learning_rate_too_small"}
    assert {f.seen.split(":")[0] for f in told} == {"output 'total'", "output 'kind'"}


def test_sequences_are_left_alone() -> None:
    set_random_seed(1)
    steps = np.repeat(A[:, None, :2], 4, axis=1)
    told = found(model(steps=True), {"total": SUM, "kind": CLASS, "steps": steps}, epochs=5)
    assert not any("'steps'" in f.seen for f in told)


def test_a_loss_that_is_not_finite_is_told() -> None:
    set_random_seed(1)
    a, b = Input((3,)), Input((2,))
    made = Model([a, b], Dense(1)(Dense(64)(Concatenate()([a, b]))))
    made.compile("sgd", "mse")
    made.optimizer.learning_rate = 1e4
    asked = Diagnose(verbose=0)
    with pytest.raises(Exception, match="finite"):
        made.fit([A, B], SUM, epochs=20, verbose=0, callbacks=[asked])
    assert asked.findings[0].name == "learning_rate_too_large"
