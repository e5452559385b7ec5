# SPDX-License-Identifier: Apache-2.0
"""Several seeds that answer as one, and networks that begin at the linear reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgeling.data import Preparation, check, from_data
from edgeling.errors import TargetError, UnsupportedError
from edgeling.network.network import inference_graph
from edgeling.passes.scaled_logits import logits
from edgeling.utils import set_random_seed
from edgeling.workflow.committee import together
from edgeling.workflow.problem import Problem
from edgeling.workflow.recipes import NAMED, network_for
from edgeling.workflow.reference import reference
from edgeling.workflow.seeds_choice import USUAL_SEEDS, seeds_worth
from edgeling.workflow.settings import Settings
from edgeling.workflow.store import command_of, manifest
from edgeling.workflow.train import train
from tests.support.rounding import row_bounds

ROWS = 90
RNG = np.random.default_rng(3)
A, B = RNG.normal(size=(2, ROWS))
WORDS = np.array(["low", "mid", "high"])[np.digitize(A + B, [-0.7, 0.7])]
WHOLE = np.arange(ROWS)


def problem(answers: Any, **settings: Any) -> Problem:
    checked = check(from_data({"a": A, "b": B, "y": answers}), "y")
    return Problem.of(checked, Preparation.fit(checked, WHOLE), Settings(**settings))


def drawn(known: Problem, recipe: str, seed: int) -> Any:
    set_random_seed(seed)
    network = network_for(known.preparation, known.settings, ROWS, NAMED[recipe])
    NAMED[recipe].begin(network, known, WHOLE, known.x)
    noise = np.random.default_rng(seed)
    network.set_weights([w + noise.normal(size=w.shape).astype(np.float32) for w in network.get_weights()])
    if NAMED[recipe].clips:
        network.layers[0].fit(known.x)
    return network


@pytest.mark.parametrize(("recipe", "hidden", "dense"), [
    ("smoothed-64", (5,), 2), ("smoothed-64", (5, 3), 7), ("clipped-128", (5,), 2), ("residual-24", (5,), 2),
])  # fmt: skip
@pytest.mark.parametrize("answers", [WORDS, A * B], ids=["classes", "numbers"])
def test_networks_answer_the_mean_of_what_they_would(
    recipe: str, hidden: tuple[int, ...], dense: int, answers: Any
) -> None:
    """Before the last activation; hidden layers of one each are one."""
    known = problem(answers, hidden=hidden)
    members = [drawn(known, recipe, seed) for seed in range(3)]
    whole = together(members, known.preparation, skips=NAMED[recipe].skips)
    graphs = [inference_graph(model) for model in (*members, whole)]
    assert sum(node.operation == "dense" for node in graphs[-1].nodes) == dense
    if known.classes:
        graphs = [logits(graph) for graph in graphs]
    *each, ours = [row_bounds(graph, known.x)[0] for graph in graphs]
    off = np.abs(ours.exact - np.mean([bound.exact for bound in each], axis=0))
    assert np.all(off <= ours.tolerance)  # weights divided by three are rounded once


@pytest.mark.parametrize("answers", [WORDS, A > B, A * B], ids=["classes", "two classes", "numbers"])
def test_a_residual_network_begins_at_the_linear_reference(answers: Any) -> None:
    known = problem(answers)
    set_random_seed(0)
    network = network_for(known.preparation, known.settings, ROWS, NAMED["residual-8"])
    NAMED["residual-8"].begin(network, known, WHOLE, known.x)
    bound = row_bounds(inference_graph(reference(known, WHOLE)), known.x)[0]
    bound.require(row_bounds(inference_graph(network), known.x)[0].exact.astype(np.float32))


def test_as_many_seeds_as_are_asked_for_are_deployed_and_proven() -> None:
    table = from_data({"a": A, "b": B, "y": A * B})
    trained = train(table, "y", recipe="residual-24", seeds=3, targets=("native", "cortex-m4"), importance=False)
    assert trained.learned.deployed == manifest(trained, "")["training"]["recipe"] == "residual-24-x3"
    assert trained.learned.asked == "residual-24"
    single, several = (trained.selection.candidates[name] for name in ("residual-24", "residual-24-x3"))
    hidden = [network.layers_within()[0] for network in (trained.fitted.network, single.network)]
    assert hidden[0].units == 3 * hidden[1].units
    assert several.network.count_params() < 3 * single.network.count_params()  # columns are seen once
    assert all(proof.matches for proofs in trained.proofs.values() for proof in proofs.values())
    assert "--recipe residual-24 --seeds 3" in command_of(trained)


def test_left_to_choose_several_seeds_need_time_room_and_nobody_who_asked_for_one_network() -> None:
    known = problem(A * B)
    trained = train(from_data({"a": A, "b": B, "y": A * B}), "y", recipe="plain", targets=("native",), importance=False)
    single = trained.selection.candidates["plain"]
    cut = [(WHOLE[10:], WHOLE[:10])]

    def worth(left_ns: float, **settings: Any) -> int:
        asked = problem(A * B, **settings)
        return seeds_worth(asked, single, cut, left_ns)

    assert known.settings.seeds == "auto"
    assert worth(1e12) == USUAL_SEEDS
    assert worth(0) == worth(1e12, hidden=4) == worth(1e12, recipe="plain") == worth(1e12, seeds=1) == 1
    assert worth(0, seeds=7) == 7


def test_what_cannot_be_is_refused() -> None:
    for wrong in (0, 65, 2.0, True, "two"):
        with pytest.raises(UnsupportedError, match="'auto' or a whole number between 1 and 64"):
            Settings(seeds=wrong)  # type: ignore[arg-type]
    for how in ({"hidden": ()}, {"recipe": "linear"}, {"recipe": "additive"}):
        with pytest.raises(UnsupportedError, match="hidden layers that see all columns"):
            Settings(seeds=2, **how)  # type: ignore[arg-type]
    table = from_data({"a": A, "b": B, "y": A * B})
    with pytest.raises(TargetError, match="bytes flash"):
        train(table, "y", recipe="residual-8", hidden=(400, 400), seeds=2, epochs=1, targets=("cortex-m4",))
