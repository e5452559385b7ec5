# SPDX-License-Identifier: Apache-2.0
"""The parts of a search: one program for networks of any width, costs, fronts, worth, pruning, the journal."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import edgeling
from edgeling import targets
from edgeling.data import IRIS, Preparation, read_table
from edgeling.errors import ArtifactError, TargetError, UnsupportedError
from edgeling.layers import Dense, Input
from edgeling.models import Sequential
from edgeling.optimizers import Adam
from edgeling.utils import next_seed, set_random_seed
from edgeling.workflow.division import divided
from edgeling.workflow.recipes import PLAIN
from edgeling.workflow.settings import Settings
from edgeling.workflow.tuning.costs import Budget, ChipCost, Costs
from edgeling.workflow.tuning.folds import Folds, folded
from edgeling.workflow.tuning.front import dominates, front, worth
from edgeling.workflow.tuning.journal import TuneJournal
from edgeling.workflow.tuning.options import TuneOptions
from edgeling.workflow.tuning.programs import Programs
from edgeling.workflow.tuning.proposals import Proposer, TunedTrial, neighbour, pruning_of
from edgeling.workflow.tuning.space import WIDTHS, Choice, SearchSpace
from edgeling.workflow.tuning.trainer import Pruning, Trainer, TrialResult
from tests.support.close import DOUBLE, require_close
from tests.support.rounding import training_bounds

SPACE = SearchSpace(WIDTHS[:8], (8, 16), ("float32", "int8"))
LITTLE = 32  # bytes: constants of other values are loaded otherwise
TINY = Choice((3,), "tanh", 0.03, 8, 0.25, "float32")


def folds(**how: Any) -> Folds:
    settings = Settings(**how)
    division = divided(read_table(IRIS), "species", settings)
    preparation = Preparation.fit(division.check, division.parts.train)
    return folded(division, preparation, settings)


# ------------------------------------------------------------------------------------------------------- programs


@pytest.mark.parametrize("hidden", [(3,), (3, 2)])
def test_units_that_are_zero_stay_so_and_change_nothing(hidden: tuple[int, ...]) -> None:
    """Against a network of just that size, trained by ``fit`` on the same rows in the same order."""
    rows, choice = folds(), replace(TINY, hidden=hidden)
    programs = Programs(rows, (8,) * len(hidden), choice.activation, 16, PLAIN)
    learn, judge = programs.parts[0]
    programs.begin(choice, 5)
    sizes = [*hidden, 3]
    layers = [Dense(n, activation="tanh") for n in hidden]
    model = Sequential([Input((4,)), *layers, Dense(3, activation="softmax")])
    model.compile(Adam(choice.learning_rate, weight_decay=choice.weight_decay), "sparse_categorical_crossentropy")
    programs.hand_over(choice, programs.engine.weights(), model)

    def train(twin: Sequential) -> list[float]:
        set_random_seed(7)
        twin.fit(learn.x, learn.y[:, 0].astype(int), batch_size=8, epochs=2, verbose=0)
        return [twin.evaluate(judge.x, judge.y[:, 0].astype(int), verbose=0)]

    allowed = training_bounds(model, train, samples=5)
    set_random_seed(7)
    rates = np.array([choice.learning_rate], np.float32)
    programs.engine.run_epochs(learn, batch_size=8, epochs=2, seed=next_seed(), learning_rates=rates)
    learned = programs.engine.weights()
    programs.hand_over(choice, learned, model)
    results = [programs.engine.evaluate(judge)[0], *model.get_weights()]
    for bound, result in zip(allowed, results, strict=True):
        bound.require(result)
    kernels = [array for name, array in learned.items() if name.endswith("kernel")]
    for kernel, before, after in zip(kernels, [4, *hidden], sizes, strict=True):
        assert not kernel[before:].any()
        assert not kernel[:, after:].any()


def test_every_row_is_scored_once_and_each_class_dealt_out_alike() -> None:
    rows = folds()
    judged = np.concatenate([judge for _, judge in rows.parts])
    np.testing.assert_array_equal(np.sort(judged), np.arange(len(rows.y)))
    for learn, judge in rows.parts:
        assert not set(learn) & set(judge)
        assert np.ptp(np.bincount(rows.y[judge])) <= 1


def test_rows_divided_by_time_keep_their_division() -> None:
    learn, judge = folds(split="time:petal_width_cm").parts[0]
    assert max(learn) < min(judge)


def test_a_score_is_the_shares_of_right_answers_on_rows_not_learned_from() -> None:
    rows = folds()
    result = Trainer(rows, SPACE)(TINY)
    assert len(result.folds) == len(rows.parts) == 5
    assert not result.pruned
    right = round(result.score * len(rows.y))
    require_close(result.score, right / len(rows.y), 2 + len(rows.parts), of=1.0)  # folds of equal numbers of rows


def test_a_trial_is_given_up_at_the_first_look_that_is_too_bad() -> None:
    trainer = Trainer(folds(), SPACE)
    given_up = trainer(TINY, Pruning(looks=(inf, 0.0)))
    assert given_up.pruned
    assert (len(given_up.looks), len(given_up.folds)) == (2, 1)
    between = trainer(TINY, Pruning(folds=(inf, 0.0)))
    assert between.pruned
    assert len(between.folds) == 2
    assert trainer(TINY, Pruning(looks=(inf,) * 30, folds=(inf,) * 5)) == trainer(TINY)


def test_rates_that_blow_up_score_as_badly_as_can_be() -> None:
    with np.errstate(all="ignore"):
        result = Trainer(folds(), SPACE)(replace(TINY, activation="relu", learning_rate=1e30))
    assert result.pruned
    assert result.score < 0.7
    assert TrialResult.from_json(json.loads(json.dumps(result.to_json()).replace("Infinity", "null"))) == result


# ---------------------------------------------------------------------------------------------------------- costs


def test_what_was_measured_is_told_as_measured_and_ram_is_known_before() -> None:
    costs = Costs(folds(), targets.get("cortex-m0plus"))
    small, large = (Choice(hidden, "relu", 0.01, 8, 0.0, "int8") for hidden in ((), (16,)))
    costs.measure([small])
    guess = costs(large)
    costs.measure([large, small])
    told, proof = costs(large), costs.proofs[large.structure]
    assert (guess.measured, told.measured) == (False, True)
    assert told == ChipCost(proof.flash_bytes, proof.ram_bytes, proof.instructions, True)  # type: ignore[arg-type]
    assert guess.ram_bytes == told.ram_bytes
    assert guess.flash_bytes > costs(small).flash_bytes
    assert guess.instructions > costs(small).instructions
    assert costs.error() is not None


def test_scaling_that_a_trained_layer_cannot_take_up_is_part_of_the_estimate() -> None:
    """Of Iris's linear network weights grow to 4, and columns lie seven deviations from 0: one float32 for both rounds
    too much. A program that was built from drawn weights is half as large, and its limit is not kept."""
    none = Choice((), "relu", 0.01, 8, 0.0, "float32")
    costs = Costs(folds(), targets.get("cortex-m4"))
    costs.measure([none])
    trained = edgeling.train(
        read_table(IRIS), "species", hidden=(), recipe="plain", targets=("cortex-m4",), precision="float32",
        importance=False,
    )  # fmt: skip
    proof = trained.proofs["float32"]["cortex-m4"]
    assert costs(none).ram_bytes == proof.ram_bytes
    assert costs(none).flash_bytes >= proof.flash_bytes - LITTLE


def test_a_budget_is_exceeded_by_its_worst_limit() -> None:
    budget = Budget(flash_bytes=1000, instructions=100)
    assert budget.excess(ChipCost(1000, 10**9, 100)) <= 0
    require_close(budget.excess(ChipCost(1100, 0, 150)), 0.5, 2, of=1.0, unit=DOUBLE)
    assert Budget().excess(ChipCost(1, 1, 1)) <= 0
    assert str(budget) == "1,000 bytes flash, 100 instructions"


# ----------------------------------------------------------------------------------------------- front and worth

Points = st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=12)


@given(Points)
def test_the_front_is_what_no_other_beats(points: list[tuple[int, int, int]]) -> None:
    found = front(points, lambda point: point)
    beaten = {
        p for p, q in itertools.product(points, points) if q[0] >= p[0] and q[1] <= p[1] and q[2] <= p[2] and q != p
    }
    assert set(found) == set(points) - beaten
    assert len(found) == len(set(found))
    assert [p[0] for p in found] == sorted((p[0] for p in found), reverse=True)
    assert not any(dominates(p, q) for p in found for q in found)


def test_worth_tells_apart_what_was_tried_together() -> None:
    """An additive score of two settings that are correlated, as a sampler makes them; a third does nothing."""
    rng = np.random.default_rng(0)
    first = rng.integers(0, 2, 400)
    second = np.where(rng.random(400) < 0.8, first, 1 - first)
    third = rng.integers(0, 2, 400)
    settings = [
        {"a": f"a{i}", "b": f"b{j}", "c": f"c{k}", "d": 1} for i, j, k in zip(first, second, third, strict=True)
    ]
    a, b, c = worth(settings, 0.8 + 0.10 * first + 0.02 * second)
    assert (a.name, b.name, c.name) == ("a", "b", "c")  # and "d" never differed
    assert a.levels[0][0] == "a1"
    assert 4 * b.gain < a.gain < 6 * b.gain  # 5, though they go together in four trials of five
    assert 10 * c.gain < b.gain
    assert sum(each.share for each in (a, b, c)) < 1  # what goes with both is neither's


def test_a_gain_is_that_of_the_model_a_little_doubted() -> None:
    """Of a balanced setting of two levels in n trials, ridge regression by 1 leaves the share n / (n + 2)."""
    trials = 400
    level = np.arange(trials) % 2
    (found,) = worth([{"a": f"a{i}"} for i in level], 0.5 + 0.25 * level)
    require_close(found.gain, 0.25 * trials / (trials + 2), 2 * trials, of=1.0, unit=DOUBLE)
    require_close(found.share, (trials / (trials + 2)) ** 2, 2 * trials, of=1.0, unit=DOUBLE)


def test_numbers_of_many_values_are_told_by_ranges() -> None:
    rates = np.geomspace(0.001, 0.1, 40)
    (found,) = worth([{"learning rate": float(rate)} for rate in rates], np.log(rates))
    assert len(found.levels) == 4
    assert found.levels[0][0].endswith(" to 0.1")
    assert found.levels[-1][0].startswith("0.001 to ")


# ----------------------------------------------------------------------------------------- proposals and pruning


def trial(number: int, choice: Choice, cost: tuple[int, int], losses: list[float], pruned: bool = False) -> TunedTrial:
    result = TrialResult(1 - losses[-1], 0.0, losses[-1], 1.0, pruned, tuple(losses), tuple(losses[-1:] * 2))
    return TunedTrial(number, choice, ChipCost(cost[0], 1, cost[1]), result)


def test_trials_are_given_up_only_beside_five_that_take_no_more() -> None:
    rivals = [trial(i, TINY, (100, 100), [2.0 + i, 1.0 + i]) for i in range(5)]
    assert pruning_of(ChipCost(100, 1, 99), rivals) == Pruning()
    assert pruning_of(ChipCost(100, 1, 100), rivals[:4]) == Pruning()
    assert (
        pruning_of(
            ChipCost(100, 1, 100), [*rivals[:4], replace(rivals[4], result=replace(rivals[4].result, pruned=True))]
        )
        == Pruning()
    )
    pruning = pruning_of(ChipCost(100, 1, 100), rivals)
    assert pruning.looks == (2.0 * 6.0, 2.0 * 5.0)
    assert pruning.folds == (1.25 * 5.0, 1.25 * 5.0)


def proposer(sampler: str = "tpe", budget: Budget = Budget(), seed: int = 0) -> Proposer:  # noqa: B008
    pytest.importorskip("optuna")

    def cost(choice: Choice) -> ChipCost:
        return ChipCost(100 * sum(choice.hidden) + 100, 1, 10 * sum(choice.hidden) + 10)

    first = list(SPACE.ladder(0.01, 8))
    return Proposer(SPACE, cost, budget, first[0], first, sampler, seed)


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_proposals_keep_the_limits_and_repeat(sampler: str) -> None:
    done = [trial(i, c, (200, 20), [0.5, 0.3]) for i, c in enumerate(SPACE.ladder(0.01, 8))] * 4
    rounds = [proposer(sampler, Budget(flash_bytes=500)).round(4, done) for _ in range(2)]
    assert rounds[0] == rounds[1]
    assert len(rounds[0]) == 10
    assert all(100 * sum(choice.hidden) + 100 <= 550 for choice in rounds[0])
    assert proposer(sampler, Budget(flash_bytes=500), seed=1).round(4, done) != rounds[0]


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=7, max_size=7), st.sampled_from([(), (1,), (8, 3), (12,)]))
def test_a_neighbour_is_a_choice_of_the_space_and_no_larger(draws: list[float], hidden: tuple[int, ...]) -> None:
    choice = replace(TINY, hidden=hidden)
    near = neighbour(choice, SPACE, draws)
    assert sum(near.hidden) <= sum(hidden)
    assert SPACE.choice(SPACE.values(near)) == near  # type: ignore[arg-type]


def test_later_rounds_look_near_the_front() -> None:
    done = [trial(i, replace(TINY, hidden=(3,)), (200, 20), [0.5, 0.3]) for i in range(40)]
    near = proposer().round(4, done)[:3]
    assert all(sum(choice.hidden) <= 3 for choice in near)
    assert len(set(near)) == 3


def test_where_hardly_anything_fits_what_surely_does_is_proposed() -> None:
    assert all(choice.hidden == () for choice in proposer(budget=Budget(flash_bytes=100)).round(5, []))


@given(st.integers(0, 2**32 - 1))
def test_a_choice_and_its_values_are_the_same_thing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    drawn = {
        name: int(rng.integers(limits[0], limits[1] + 1)) if kind == "int"
        else float(np.exp(rng.uniform(*np.log(limits)))) if kind == "log"
        else limits[rng.integers(len(limits))]
        for name, (kind, *limits) in SPACE.parameters.items()
    }  # fmt: skip
    choice = SPACE.choice(drawn)
    assert SPACE.choice(SPACE.values(choice)) == choice  # type: ignore[arg-type]
    assert Choice.from_json(json.loads(json.dumps(choice.to_json()))) == choice


# -------------------------------------------------------------------------------------------------------- journal

RESULT = TrialResult(0.5, 0.1, 1.0, 3.0, False, (2.0, 1.0), (1.0,))


def test_a_journal_gives_back_what_it_keeps(tmp_path: Path) -> None:
    path = tmp_path / "a.tune.json"
    TuneJournal(path, "this").keep([(TINY, RESULT)])
    assert TuneJournal(path, "this").results == {0: (TINY, RESULT)}
    with pytest.raises(ArtifactError, match="another search"):
        TuneJournal(path, "that")
    assert TuneJournal(path, "that", restart=True).results == {}
    assert [p.name for p in tmp_path.iterdir()] == ["a.tune.json"]


DAMAGED = [
    b"", b"{", b"[]", b'{"a": 1}', b'{"edgeling_tune": 1}', b'{"edgeling_tune": 1, "about": "this"}',
    b'{"edgeling_tune": 1, "about": "this", "trials": [{"number": "x"}]}',
    b'{"edgeling_tune": 1, "about": "this", "trials": [{"number": 0, "choice": {"hidden": [-1]}, "result": {}}]}',
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(DAMAGED)))
def test_a_damaged_journal_is_refused(tmp_path: Path, number: int) -> None:
    path = tmp_path / "a.tune.json"
    path.write_bytes(DAMAGED[number])
    with pytest.raises(ArtifactError):
        TuneJournal(path, "this")


def test_a_file_of_somebody_elses_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "a.tune.json"
    path.write_text('{"notes": "mine"}')
    with pytest.raises(ArtifactError, match="tune wrote"):
        TuneJournal(path, "this", restart=True)


@pytest.mark.parametrize(
    "changed",
    [{"hidden": [0]}, {"hidden": [True]}, {"hidden": 3}, {"activation": "sigmoid"}, {"learning_rate": "fast"},
     {"learning_rate": -1.0}, {"batch_size": 0}, {"precision": "int4"}, {"recipe": "soup"}, {"more": 1}],
)  # fmt: skip
def test_a_choice_out_of_a_file_is_checked(changed: dict[str, Any]) -> None:
    with pytest.raises(ArtifactError):
        Choice.from_json({**TINY.to_json(), **changed})


# -------------------------------------------------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("how", "word"),
    [({"trials": 0}, "trials"), ({"trials": 2.5}, "trials"), ({"seconds": -1}, "seconds"), ({"workers": 0}, "workers"),
     ({"sampler": "grid"}, "sampler"), ({"flash_bytes": "4k"}, "flash_bytes"), ({"instructions": True}, "instructions"),
     ({"ray": 1}, "ray")],
)  # fmt: skip
def test_an_option_out_of_range_is_refused_by_name(how: dict[str, Any], word: str) -> None:
    with pytest.raises(UnsupportedError, match=word):
        TuneOptions(**how)


@pytest.mark.parametrize("chips", ["native", ("cortex-m4", "cortex-m0plus"), (), "cortex-m5"])
def test_a_search_is_for_one_chip_whose_costs_are_counted(chips: Any) -> None:
    with pytest.raises(TargetError):
        TuneOptions(chips)


def test_limits_are_those_given_else_the_chips_memory() -> None:
    chip = targets.get("cortex-m4")
    assert TuneOptions(ram_bytes=512).budget == Budget(chip.flash_bytes, 512, None)
    assert TuneOptions("wasm32").budget == Budget()
    assert (TuneOptions().most_trials, TuneOptions(seconds=3).most_trials) == (100, None)


def test_recipes_that_differ_in_more_than_the_rate_are_not_searched() -> None:
    assert [recipe.name for recipe in folds().recipes] == ["plain"]  # 24 epochs of 96 rows are no training
    with pytest.raises(UnsupportedError, match="recipes"):
        folds(recipe="clipped-32")


def test_what_is_learned_is_scored_in_every_precision() -> None:
    result = Trainer(folds(), SPACE)(TINY)
    assert [name for name, _ in result.scores] == ["float32", "int8"]
    assert dict(result.scores)[TINY.precision] == result.score
    assert Trainer(folds(), SPACE)(replace(TINY, precision="int8")).scores == result.scores
