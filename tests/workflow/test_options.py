# SPDX-License-Identifier: Apache-2.0
"""What a person can choose about columns, rows and classes, and what the run then says of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeling.callbacks import EarlyStopping
from edgeling.data import Table, from_arrays, from_data, read_table
from edgeling.errors import DataError, EdgelingError, TargetError
from edgeling.workflow import fitting
from edgeling.workflow.progress import Progress
from edgeling.workflow.save import save
from edgeling.workflow.store import command_of, load, manifest
from edgeling.workflow.summary import trained_content
from edgeling.workflow.train import Trained, train
from tests.support.close import allowed
from tests.support.preparing import prepare
from tests.support.rounding import prediction_bound

ROWS = 240
RNG = np.random.default_rng(3)
A, B = RNG.normal(size=ROWS), RNG.normal(size=ROWS)
RARE = np.where(A + B > 1.6, "yes", "no")
CELLS = {
    "a": A,
    "b": B,
    "when": np.arange(ROWS) // 4 + 2000.0,
    "who": np.array([f"p{i % 30}" for i in range(ROWS)]),
    "zip": np.array([10.0, 20.0, 30.0])[np.arange(ROWS) % 3],
    "y": RARE,
}
TABLE = from_data(CELLS)


def run(table: Table | Path = TABLE, target: str = "y", **how: Any) -> Trained:
    usual = {"targets": ("native",), "epochs": 3, "importance": False, "precision": "float32"}
    return train(table, target, **{**usual, "recipe": "plain", "refit": False, **how})


# -------------------------------------------------------------------------------------------------------- columns


def test_columns_are_chosen_by_name() -> None:
    assert run(columns="a, b").pipeline.preparation.names == ("a", "b")
    assert run(drop=("who", "when")).pipeline.preparation.names == ("a", "b", "zip")
    assert run(columns=("a", "b", "who"), drop="who").pipeline.preparation.names == ("a", "b")


@pytest.mark.parametrize(
    "how",
    [{"drop": "whoo"}, {"columns": ("a", "whoo")}, {"categorical": "whoo"}, {"numeric": "whoo"},
     {"split": "group:whoo"}, {"split": "time:whoo"}],
)  # fmt: skip
def test_a_column_that_is_not_there_offers_the_nearest(how: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"'whoo'.*'who'"):
        run(**how)


def test_a_name_with_a_comma_is_that_column() -> None:
    table = from_data({**CELLS, "size, cm": A + B})
    assert run(table, columns=("size, cm", "a")).pipeline.preparation.names == ("a", "size, cm")


def test_the_target_is_not_dropped() -> None:
    with pytest.raises(DataError, match="target"):
        run(drop="y")


# ----------------------------------------------------------------------------------------------------------- rows


def test_by_time_the_past_is_learned_from_and_the_last_judges() -> None:
    division = run(split="time:when").division
    when = TABLE.column("when").values
    past, held, last = (when[part] for part in (division.parts.train, division.parts.validation, division.parts.test))
    assert past.max() < held.min()
    assert held.max() < last.min()
    assert len(last) == pytest.approx(0.2 * ROWS, abs=4)
    assert len(held) == pytest.approx(0.15 * ROWS, abs=4)
    assert "when" not in division.check.features
    assert any("'when' divides the rows" in note for note in division.notes)


def test_dates_divide_as_they_come_not_as_they_are_spelt(tmp_path: Path) -> None:
    path = tmp_path / "days.csv"
    days = [f"{1 + i % 28}/{1 + i // 28}/2024" for i in range(ROWS)]
    path.write_text("a,day,y\n" + "".join(f"{a},{d},{y}\n" for a, d, y in zip(A, days, RARE, strict=True)))
    parts = run(path, split="time:day", drop="day", day_first=True).division.parts
    assert parts.train.max() < parts.validation.min()
    assert parts.validation.max() < parts.test.min()


def test_a_column_that_is_dropped_or_a_category_may_hold_anything(tmp_path: Path) -> None:
    path = tmp_path / "mixed.csv"
    mixed = [*map(str, range(1, ROWS - 1)), "oops", "n.b."]
    path.write_text("a,note,y\n" + "".join(f"{a},{m},{y}\n" for a, m, y in zip(A, mixed, RARE, strict=True)))
    with pytest.raises(DataError, match="oops"):
        run(path)
    assert run(path, drop="note").pipeline.preparation.names == ("a",)
    assert run(path, categorical="note").pipeline.preparation.names[0] == "a"


def test_by_group_no_group_lies_in_two_parts() -> None:
    first, other = (run(split="group:who", seed=seed).division for seed in (1, 2))
    who = np.array(TABLE.column("who").texts())
    parts = [set(who[part]) for part in (first.parts.train, first.parts.validation, first.parts.test)]
    assert sum(map(len, parts)) == len(set().union(*parts)) == 30
    assert parts[2] != set(who[other.parts.test])


def test_a_dividing_column_asked_for_by_name_is_learned_from_too() -> None:
    assert "when" in run(split="time:when", numeric="when").pipeline.preparation.names


def test_a_dividing_column_must_be_known_and_leave_each_class_something() -> None:
    gaps = np.where(np.arange(ROWS) == 7, np.nan, TABLE.column("when").values)
    with pytest.raises(DataError, match=r"row 8"):
        run(from_data({"a": A, "b": B, "when": gaps, "y": RARE}), split="time:when")
    late = from_data({"a": A, "when": CELLS["when"], "y": np.where(np.arange(ROWS) > 230, "yes", "no")})
    with pytest.raises(DataError, match=r"'yes' only in the others"):
        run(late, split="time:when")


def test_a_test_table_judges_and_none_of_it_is_learned(tmp_path: Path) -> None:
    path = tmp_path / "later.csv"
    path.write_text(
        "b,a,y\n" + "".join(f"{b},{a},{y}\n" for a, b, y in zip(A[:50], B[:50], RARE[:50], strict=True)) + "1,1,\n"
    )
    trained = run(columns="a,b", test=path)
    assert len(trained.division.parts.test) == 0
    assert len(trained.division.parts.train) + len(trained.division.parts.validation) == ROWS
    np.testing.assert_array_equal(trained.held_out[0], np.float32(np.stack([A, B], axis=1)[:50]))
    assert any("1 row of the test table" in note for note in trained.notes)
    content = trained_content(trained, "")
    assert content.evaluation
    assert content.evaluation.source == "later.csv"
    assert content.data
    assert content.data.split_rows == {"train": 204, "validation": 36}
    assert f"--test {path}" in command_of(trained)
    path.write_text("b,a,y\n1,2,maybe\n")
    with pytest.raises(DataError, match="maybe"):
        run(columns="a,b", test=path)


# --------------------------------------------------------------------------------------------------------- classes


def test_the_positive_class_is_the_one_told() -> None:
    usual, turned = run(), run(positive="no")
    assert usual.pipeline.labels == ("no", "yes")
    assert turned.pipeline.labels == ("yes", "no")
    assert manifest(turned, "")["positive"] == "no"
    found = turned.pipeline.predict(TABLE)
    assert found.probabilities is not None
    np.testing.assert_array_equal(found.values == "no", found.probabilities[:, 1] > 0.5)
    assert (found.values == RARE).mean() > 0.7
    with pytest.raises(DataError, match=r"'noo'.*'no'"):
        run(positive="noo")
    with pytest.raises(DataError, match="one of two classes"):
        run(target="a", positive="1")


def test_nothing_is_weighted_unasked() -> None:
    trained = run()
    assert (trained.learned.balancing.how, trained.learned.balancing.counted) == ("none", {})
    assert manifest(trained, "")["balance"]["counted"] is None
    assert not any("count" in note for note in trained.notes)


@pytest.mark.parametrize("choice", [None, {"yes": 5, "no": 0.5}, {"yes": 3.0}])
def test_weights_are_told_and_decide_when_to_stop(choice: Any) -> None:
    """The validation loss is the mean of each row's cross-entropy by hand, times what its class counts."""
    trained = run(balance="weights", class_weight=choice, epochs=1)
    weights, preparation = trained.learned.balancing.counted, trained.pipeline.preparation
    codes = preparation.encode_target(TABLE.take(trained.division.parts.train))
    if choice is None:  # told of all rows that are not held out; those learned from are as unequal, but for a row
        weights = dict(zip(("no", "yes"), len(codes) / (2 * np.bincount(codes)), strict=True))
    else:
        assert weights == {"no": 1.0, **choice}
    held = TABLE.take(trained.division.parts.validation)
    bound = prediction_bound(trained.fitted.network, prepare(preparation, preparation.transform(held)))
    y, shares = preparation.encode_target(held), bound.exact[:, 0]
    right, weight = np.where(y == 1, shares, 1 - shares), np.array([*weights.values()])[y]
    by_hand = np.mean(-np.log(right) * weight)
    # A logarithm passes on its argument's relative error; then as many terms are summed as there are rows.
    room = np.mean(bound.room[:, 0] / right * weight) + allowed(by_hand, len(y) + 8)
    assert abs(trained.fitted.history["val_loss"][0] - by_hand) <= room
    told = trained.learned.balancing.counted
    assert manifest(trained, "")["balance"]["counted"] == told
    assert any("rows count by their class" in note for note in trained.notes)
    content = trained_content(trained, "")
    assert content.training
    assert content.training.class_weight == told
    assert "--balance weights" in command_of(trained)
    assert ("--class-weight" in command_of(trained)) == (choice is not None)


def test_a_pipeline_says_how_it_decides_wherever_it_answers(tmp_path: Path) -> None:
    from edgeling.workflow.explain import explain

    folder = save(run(columns="a,b", balance="weights"), tmp_path / "m.edgeling")
    (tmp_path / "t.csv").write_text("a,b,y\n" + "".join(f"{a},{b},{y}\n" for a, b, y in zip(A, B, RARE, strict=True)))
    assert "'yes' where its probability is above" in load(folder).deciding
    content, _ = explain(folder, tmp_path / "t.csv")
    assert content.data
    assert content.data.warnings == (load(folder).deciding,)
    assert load(save(run(columns="a,b"), tmp_path / "n.edgeling")).deciding == ""


def test_weights_of_no_class_are_refused() -> None:
    with pytest.raises(DataError, match=r"'yess'.*'yes'"):
        run(class_weight={"yess": 5})
    with pytest.raises(DataError, match="classes"):
        run(target="a", balance="weights")


def test_labels_that_are_numbers_are_named_as_numbers() -> None:
    table = from_arrays(np.stack([A, B], axis=1), (RARE == "yes").astype(int))
    assert run(table, "target", class_weight={1: 4, 0: 1}).learned.balancing.counted == {"0": 1.0, "1": 4.0}


# ------------------------------------------------------------------------------------------------ stopping, keeping


class CtrlC(Progress):
    """Ctrl-C in an epoch; notes what it is told."""

    def __init__(self, epoch: int) -> None:
        self.epoch, self.notes = epoch, []

    def training(self, epochs: int) -> Any:
        from contextlib import contextmanager

        from edgeling.callbacks import LambdaCallback

        def stop(epoch: int, logs: Any = None) -> None:
            if epoch == self.epoch:
                raise KeyboardInterrupt

        @contextmanager
        def watched() -> Any:
            yield LambdaCallback(on_epoch_begin=stop)

        return watched()

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_an_interrupted_run_is_the_one_with_as_many_epochs(tmp_path: Path) -> None:
    progress = CtrlC(5)
    stopped, whole = run(epochs=1000, progress=progress, keep_interrupted=True), run(epochs=5, learning_rate=0.01)
    assert stopped.fitted.stopped_by == "interrupt"
    assert stopped.fitted.epochs == stopped.settings.epochs == 5
    for mine, other in zip(stopped.fitted.network.get_weights(), whole.fitted.network.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)
    assert f"epoch {whole.fitted.best_epoch}, the best of 5" in progress.notes[0]
    assert "--learning-rate 0.01" in command_of(stopped)
    assert "--epochs 5" in command_of(stopped)
    assert any("Ctrl-C after 5 epochs" in note for note in stopped.notes)
    details = load(save(stopped, tmp_path / "m.edgeling")).details
    assert details["training"]["stopped_by"] == "interrupt"


@pytest.mark.parametrize(("epoch", "keep"), [(0, True), (3, False)])
def test_without_a_whole_epoch_or_the_wish_there_is_nothing_to_keep(epoch: int, keep: bool) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(progress=CtrlC(epoch), epochs=9, keep_interrupted=keep)


def test_patience_and_the_rest_reach_training(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    class Seen(EarlyStopping):
        def __init__(self, *given: Any, patience: int, **others: Any) -> None:
            seen.append(patience)
            super().__init__(*given, patience=patience, **others)

    monkeypatch.setattr(fitting, "EarlyStopping", Seen)
    trained = run(epochs=60, patience=2, learning_rate=0.1, batch_size=8)
    assert set(seen) == {2}
    assert trained.fitted.stopped_by == "patience"
    assert trained.fitted.epochs == trained.fitted.best_epoch + 2 < 60
    assert trained.fitted.network.optimizer.learning_rate == 0.1
    assert trained.importance is None
    assert manifest(trained, "")["importance"] is None
    assert "--batch-size 8 --learning-rate 0.1 --patience 2" in command_of(trained)
    assert command_of(trained).endswith("--no-importance")


def test_the_mean_error_by_epoch_is_in_the_targets_unit() -> None:
    table = from_arrays(np.stack([A, B], axis=1), 1000 * A + 50_000)
    fitted = run(table, "target", epochs=1).fitted
    spread = np.mean(np.abs(A - A.mean())) * 1000
    assert 0.2 * spread < fitted.history["val_mae"][0] < 3 * spread


def test_rows_that_cannot_validate_are_not_called_validation() -> None:
    few = from_arrays(np.array([[3.0], [1.0], [4.0], [1.5]]), np.array(["p", "q", "p", "q"]))
    trained = run(few, "target")
    assert not any(name.startswith("val_") for name in trained.fitted.history)
    assert any("no row was left to validate" in note for note in trained.notes)


def test_a_column_constant_in_the_rows_learned_from_is_said_to_be_left_out() -> None:
    parts = run(columns="a,b").division.parts
    x = np.zeros(ROWS)
    x[parts.test[0]] = 1.0
    trained = run(from_data({"a": A, "b": B, "once": x, "y": RARE}))
    assert trained.pipeline.preparation.names == ("a", "b")
    assert any("'once' is left out" in note for note in trained.notes)
    content = trained_content(trained, "")
    assert content.data
    assert {c.name: c.role for c in content.data.columns}["once"] == "left out"


def test_everything_chosen_is_remembered(tmp_path: Path) -> None:
    trained = run(drop="who", split="time:when", class_weight={"yes": 2}, positive="no", patience=7)
    found = load(save(trained, tmp_path / "m.edgeling")).details["settings"]
    assert (found["drop"], found["split"], found["positive"]) == (["who"], "time:when", "no")
    assert (found["class_weight"], found["patience"], found["test"]) == ({"yes": 2.0}, 7, None)


def test_scores_without_a_value_are_null_in_the_manifest(tmp_path: Path) -> None:
    """All rows that judge are of one class: there is no ROC curve."""
    path = tmp_path / "one.csv"
    path.write_text("a,b,y\n" + "1,2,no\n" * 5)
    trained = run(columns="a,b", test=path)
    details = load(save(trained, tmp_path / "m.edgeling")).details
    assert details["metrics"]["roc_auc"] is None
    assert details["metrics"]["log_loss"] > 0
    assert read_table(path).rows == trained.held_out[0].shape[0]


def test_every_refusal_is_edgelings_own() -> None:
    for how in (
        {"split": "time"}, {"split": "random:x"}, {"split": "month:x"}, {"patience": 0}, {"importance": "no"},
        {"class_weight": "auto"}, {"class_weight": {"yes": 0}}, {"class_weight": {}}, {"drop": 3},
    ):  # fmt: skip
        with pytest.raises(EdgelingError):
            run(**how)


# ------------------------------------------------------------------------------------------------- too large a chip


@pytest.mark.parametrize(("precision", "units"), [("float32", 200), ("auto", 200), ("int8", 400)])
def test_weights_that_alone_exceed_the_flash_are_told_before_training(
    monkeypatch: pytest.MonkeyPatch, precision: str, units: int
) -> None:
    """131,072 bytes: of float32 a quarter as many weights as of int8."""
    monkeypatch.setattr(fitting.Model, "fit", lambda *_, **__: pytest.fail("trained"))
    with pytest.raises(TargetError, match=r"must fit cortex-m0plus \(131,072 bytes flash\); received.*weights alone"):
        run(columns="a, b, when, zip", hidden=(units, units), precision=precision, targets=("native", "cortex-m0plus"))


def test_weights_that_fit_are_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    """As int8 those fit that as float32 do not; and this machine has room for any."""
    monkeypatch.setattr(fitting.Model, "fit", lambda *_, **__: (_ for _ in ()).throw(StopIteration))
    for how in ({"precision": "int8", "targets": ("cortex-m0plus",)}, {"targets": ("native",)}):
        with pytest.raises((StopIteration, RuntimeError)):
            run(columns="a, b, when, zip", hidden=(200, 200), **how)


def test_activation_and_weight_decay_are_the_networks() -> None:
    trained = run(hidden=(3,), activation="tanh", weight_decay=0.25, epochs=2)
    first, _ = trained.fitted.network.layers
    assert first.get_config()["activation"] == "tanh"
    assert trained.fitted.network.optimizer.weight_decay == 0.25  # type: ignore[union-attr]
    assert [layer.units for layer in run(hidden=(), epochs=2).fitted.network.layers] == [1]  # type: ignore[attr-defined]


def test_a_table_in_memory_to_judge_on_is_told_in_the_command() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": A, "b": B, "y": np.where(A > 0, "p", "q")})
    trained = train(
        frame[:50], "y", test=frame[50:], targets="native", recipe="plain", epochs=1, importance=False
    )  # fmt: skip
    assert "--test TABLE" in command_of(trained)
