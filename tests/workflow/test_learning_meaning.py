# SPDX-License-Identifier: Apache-2.0
"""Steps of learning as C makes them, judged one by one: right ones pass however long they go on, wrong ones do not."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from edgeling.graph import run
from edgeling.graph.roundings import room_of_roundings
from edgeling.graph.types import Array
from edgeling.targets import get
from edgeling.workflow.build import as_learning
from edgeling.workflow.learning import Learning, LearningModel
from edgeling.workflow.learning_meaning import REJECTED, UPDATED, StepMeaning
from tests.codegen.networks import dense_network
from tests.support.rounding import run_rounded

RATE = 0.01
ROWS = np.random.default_rng(1).normal(size=(160, 4)).astype(np.float32) * 3
TRUTHS = (ROWS[:, 0] > 0).astype(np.float32)[:, None] + (ROWS[:, 1] > 2)[:, None]


@cache
def model(optimizer: str, remember: int = 0) -> LearningModel:
    """A network that soon is sure of its answers: its gradients are what is left of 1 less almost 1."""
    graph = dense_network("sure", (4, 16, 3), ("relu", "linear"), softmax=True)
    return as_learning(graph, Learning(layers="all", optimizer=optimizer, remember=remember))


def step(optimizer: str = "sgd", remember: int = 0) -> tuple[StepMeaning, dict[str, Array], dict[str, Array]]:
    """One step, and the weights before and after it."""
    meaning = StepMeaning(model(optimizer, remember).learner)
    held = dict(meaning.learner.learn.variables)
    after = meaning.after(held, ROWS[0], TRUTHS[0], RATE)
    assert after is not None
    return meaning, held, after


@pytest.mark.parametrize("target", ["native", "cortex-m4", "wasm32"])
@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_many_right_steps_are_right(optimizer, target) -> None:
    proof = model(optimizer).prove(get(target), model(optimizer).lessons(ROWS, TRUTHS), RATE)
    assert (proof.matches, proof.steps) == (True, len(ROWS))
    assert proof.max_relative_error <= proof.tolerance


@pytest.mark.parametrize(("optimizer", "share"), [("sgd", 2e-6), ("momentum", 2e-6), ("adam", 1e-4)])
def test_one_weight_that_is_off_is_found(optimizer, share) -> None:
    """By little more than the tolerance; of Adam, which divides by what may be rounding, by more."""
    meaning, held, after = step(optimizer)
    assert meaning.judged(held, after, UPDATED, ROWS[0], TRUTHS[0], RATE).matches
    for name in meaning.learner.weights:
        wrong = {**after, name: after[name].copy()}
        wrong[name].flat[0] += share * np.abs(wrong[name]).max()
        assert not meaning.judged(held, wrong, UPDATED, ROWS[0], TRUTHS[0], RATE).matches


def test_what_the_optimizer_keeps_is_looked_at_too() -> None:
    meaning, held, after = step("momentum")
    (name, *_) = [n for n in after if n not in meaning.learner.weights]
    assert not meaning.judged(held, {**after, name: after[name] * 1.01}, UPDATED, ROWS[0], TRUTHS[0], RATE).matches


def test_an_update_that_should_be_adopted_is_not_called_rejected() -> None:
    meaning, held, after = step("sgd", remember=4)
    assert meaning.judged(held, after, UPDATED, ROWS[0], TRUTHS[0], RATE).matches
    assert not meaning.judged(held, held, REJECTED, ROWS[0], TRUTHS[0], RATE).matches
    assert not meaning.judged(held, after, REJECTED, ROWS[0], TRUTHS[0], RATE).matches


def test_room_of_roundings_is_what_they_come_to() -> None:
    """The interpreter in float32 and in double precision differ by no more, and half a thousandth of it is too little:
    beside the bounds that tests draw, which know of each operation what it subtracts."""
    graph = model("adam").learner.learn
    given = [ROWS[:1], TRUTHS[:1], np.float32(RATE)]
    values = run(graph, given).values
    rooms = room_of_roundings(graph, values)
    exact = run_rounded(graph, dict(zip(graph.inputs, given, strict=True)), None)
    share = {n: float((np.abs(values[n] - exact[n]) / (rooms[n] + 1e-30)).max()) for n in rooms}
    assert max(share.values()) <= 1
    assert 2000 * max(share.values()) >= 1
