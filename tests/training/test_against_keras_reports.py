# SPDX-License-Identifier: Apache-2.0
"""Streaming metrics and reductions in ``fit`` and ``evaluate``: the logs are Keras's, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from edgeling import callbacks, losses, metrics  # noqa: E402
from edgeling.errors import UnsupportedError  # noqa: E402
from edgeling.models import Sequential, load_model  # noqa: E402
from tests.support.close import require_close  # noqa: E402
from tests.support.rounding import training_bounds  # noqa: E402
from tests.training.keras_pairs import assert_within, network, rows, twin  # noqa: E402

pytestmark = pytest.mark.keras
L = keras.layers
COUNT, CLASSES, BATCH = 44, 3, 8  # a last batch of four
X = rows(0, COUNT)
LABELS = np.random.default_rng(1).integers(0, CLASSES, COUNT)
ONE_HOT = np.eye(CLASSES, dtype=np.float32)[LABELS]
WEIGHTS = np.linspace(0.1, 2, COUNT).astype(np.float32)
HOW: dict[str, Any] = {"batch_size": BATCH, "epochs": 3, "shuffle": False, "verbose": 0}


def _pair(units: int = CLASSES, activation: str = "softmax") -> tuple[Any, Sequential]:
    keras.utils.set_random_seed(7)
    model = network(L.Dense(6, activation="tanh"), L.Dense(units, activation=activation))
    return model, twin(model)


# How many thresholds or classes a metric adds up, of counts that are exact: Keras in float32, we in double.
COUNTED = {"AUC": 200, "auc": 200, "pr": 20, "f1": CLASSES, "f1_score": CLASSES, "p1": 1, "r2": 1, "wp": 1}
COUNTED["precision_at_recall"] = 1


def _assert_same_reports(ours: Any, theirs: Any, *calls: Callable[[Any], Any]) -> dict[str, Any]:
    """What a model reports is the same here as in Keras, and so are the weights it leaves; ours is given back.

    Args:
        calls: of the model, made one after another; each gives values by name.
    """

    def report(model: Any) -> dict[tuple[int, str], Any]:
        said = (call(model) for call in calls)
        return {(i, name): value for i, values in enumerate(said) for name, value in values.items()}

    allowed = training_bounds(ours, lambda twin: [*report(twin).values()], samples=6)
    got, expected = report(ours), report(theirs)
    assert got.keys() == expected.keys()
    for i, (_, name) in enumerate(got):
        terms = COUNTED.get(name.removeprefix("val_").removeprefix("weighted_"))
        allowed[i] = allowed[i].rounded_more(terms + 16) if terms else allowed[i]
    theirs_in_order = [np.asarray(expected[name]) for name in got]
    assert_within(allowed, [*got.values(), *ours.get_weights()], [*theirs_in_order, *theirs.get_weights()])
    return {name: value for (_, name), value in got.items()}


def _of_classes(m: Any) -> dict[str, Any]:
    plain = ["accuracy", "AUC", m.AUC(curve="PR", name="pr", num_thresholds=20), m.F1Score(name="f1"),
             m.Precision(class_id=1, name="p1"), m.Recall(top_k=2, name="r2"), m.TopKCategoricalAccuracy(k=2),
             "categorical_crossentropy"]  # fmt: skip
    return {"metrics": plain, "weighted_metrics": [m.AUC(name="AUC"), "accuracy", m.Precision(name="wp"), "mse"]}


def test_streaming_metrics_of_classes_in_fit_and_evaluate() -> None:
    model, ours = _pair()
    model.compile(keras.optimizers.Adam(0.02), "categorical_crossentropy", **_of_classes(keras.metrics))
    ours.compile("adam", "categorical_crossentropy", **_of_classes(metrics))
    ours.optimizer.learning_rate = 0.02
    how = {**HOW, "sample_weight": WEIGHTS, "validation_data": (X[:9], ONE_HOT[:9])}
    test = {"batch_size": BATCH, "verbose": 0, "return_dict": True, "sample_weight": WEIGHTS}
    _assert_same_reports(
        ours, model, lambda m: m.fit(X, ONE_HOT, **how).history, lambda m: m.evaluate(X, ONE_HOT, **test)
    )
    assert {"weighted_AUC", "weighted_accuracy"} < set(ours.metrics_names)


def test_streaming_metrics_of_numbers_in_fit() -> None:
    model, ours = _pair(2, "linear")
    y = np.tanh(X[:, :2] + X[:, 1:3])

    def told(m: Any) -> list[Any]:
        return [m.R2Score(class_aggregation=None), m.RootMeanSquaredError(), "mape", m.CosineSimilarity(), "mse", "mse"]

    model.compile(keras.optimizers.SGD(0.05), "mse", metrics=told(keras.metrics))
    ours.compile("sgd", "mse", metrics=told(metrics))
    ours.optimizer.learning_rate = 0.05
    how = {**HOW, "validation_split": 0.25}
    got = _assert_same_reports(ours, model, lambda m: m.fit(X, y, **how).history)
    assert got["r2_score"][0].shape == (2,)


@pytest.mark.parametrize(("reduction", "weighted"), [("sum", False), ("sum", True), ("mean_with_sample_weight", True)])
def test_a_reduction_in_fit_and_evaluate(reduction: str, weighted: bool) -> None:
    keras.utils.set_random_seed(7)
    model = network(L.Dense(CLASSES, activation="softmax", kernel_regularizer="l2"))
    ours = twin(model)
    model.compile(keras.optimizers.SGD(0.01), keras.losses.CategoricalFocalCrossentropy(reduction=reduction))
    ours.compile("sgd", losses.CategoricalFocalCrossentropy(reduction=reduction))
    weights = {"sample_weight": WEIGHTS} if weighted else {}
    test = {"batch_size": BATCH, "verbose": 0, "return_dict": True, **weights}
    _assert_same_reports(
        ours,
        model,
        lambda m: m.fit(X, ONE_HOT, **HOW, **weights).history,
        lambda m: m.evaluate(X, ONE_HOT, **test),
    )


def test_a_loss_of_every_row_is_no_training_loss() -> None:
    _, ours = _pair()
    ours.compile("sgd", losses.CategoricalCrossentropy(reduction=None))
    with pytest.raises(UnsupportedError, match="reduction"):
        ours.fit(X, ONE_HOT, verbose=0)
    rows_of = losses.CategoricalCrossentropy(reduction="none")(ONE_HOT, np.full((COUNT, CLASSES), 1 / 3))
    require_close(rows_of, np.full(COUNT, np.log(3)), 4)  # a third, its share of three thirds, a logarithm


class Spread(metrics.Metric):
    """Not a sum over rows: the largest mean of a batch."""

    def __init__(self, name: str = "spread") -> None:
        super().__init__(name=name)
        self.most = self.add_variable(name="most")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.most.assign(np.maximum(self.most, np.mean(y_pred[:, 0])))

    def result(self) -> Any:
        return self.most


def share(y_true: Any, y_pred: Any) -> Any:
    return np.abs(y_true - y_pred)


class Doubled(metrics.MeanSquaredError):
    def result(self) -> Any:
        return 2 * super().result()


def test_metrics_of_ones_own_see_batches(tmp_path: Path) -> None:
    _, ours = _pair()
    ours.compile("sgd", "categorical_crossentropy", metrics=[Spread(), share, Doubled(name="doubled"), "mse", "mae"])
    ours.optimizer.learning_rate = 0.0
    history = ours.fit(X, ONE_HOT, **HOW).history
    means = [ours.predict(X[i : i + BATCH])[:, 0].mean() for i in range(0, COUNT, BATCH)]
    # Sums of as many float32 terms as a batch has, once in their order and once in NumPy's.
    require_close(history["spread"], np.full(3, max(means)), 2 * BATCH + 2)
    require_close(history["share"], history["mae"], 2 * (COUNT + CLASSES))
    require_close(history["doubled"], 2 * np.asarray(history["mse"]), 2 * (COUNT + CLASSES))
    ours.save(tmp_path / "m.keras")
    mine = {"Spread": Spread, "share": share, "Doubled": Doubled}
    assert load_model(tmp_path / "m.keras", custom_objects=mine).metrics_names == ours.metrics_names
    with pytest.warns(UserWarning, match="is left out") as told:
        assert load_model(tmp_path / "m.keras").metrics_names == ["loss", "mse", "mae"]
    assert [str(w.message).split("'")[1] for w in told] == ["Spread", "share", "Doubled"]


def test_batches_are_seen_one_by_one_where_callbacks_look() -> None:
    seen: list[float] = []
    look = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(logs["auc"]))
    ends = []
    for watched in ([], [look]):
        _, ours = _pair()
        ours.compile("sgd", "categorical_crossentropy", metrics=[metrics.AUC()])
        ends.append(ours.fit(X, ONE_HOT, callbacks=watched, **HOW).history["auc"])
    assert ends[0] == ends[1] == seen[5::6]
    assert len(set(seen)) > 6


def test_files_hold_streaming_metrics_both_ways(tmp_path: Path) -> None:
    _, ours = _pair()
    told = {"metrics": [metrics.AUC(thresholds=[0.2, 0.7]), metrics.F1Score("macro")],
            "weighted_metrics": [metrics.PrecisionAtRecall(0.4)]}  # fmt: skip
    ours.compile("adam", losses.CategoricalFocalCrossentropy(gamma=3.0, reduction="sum"), **told)
    ours.fit(X, ONE_HOT, **HOW)
    ours.save(tmp_path / "ours.keras")
    theirs = keras.models.load_model(tmp_path / "ours.keras")
    how = {"verbose": 0, "return_dict": True, "batch_size": BATCH}
    _assert_same_reports(ours, theirs, lambda m: m.evaluate(X, ONE_HOT, **how))
    theirs.save(tmp_path / "theirs.keras")
    again = load_model(tmp_path / "theirs.keras")
    assert again.evaluate(X, ONE_HOT, **how) == ours.evaluate(X, ONE_HOT, **how)


def test_callbacks_are_told_which_way_is_better() -> None:
    _, ours = _pair()
    ours.compile("sgd", "categorical_crossentropy", metrics=["AUC", "mape", share], weighted_metrics=["recall"])
    directions = [ours.metric_direction(n) for n in ("loss", "AUC", "mape", "recall", "share", "nope")]
    assert directions == ["down", "up", "down", "up", None, None]
    with pytest.raises(UnsupportedError, match="mode='min'"):
        ours.fit(X, ONE_HOT, callbacks=[callbacks.EarlyStopping("share")], **HOW)
