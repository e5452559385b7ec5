# SPDX-License-Identifier: Apache-2.0
"""What ``fit``, ``evaluate`` and ``predict`` do with batches, hooks and arguments, against Keras."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeling import callbacks, layers, losses, metrics, optimizers
from edgeling.errors import DataError, EdgelingError, TrainingError, UnsupportedError
from edgeling.models import Sequential
from tests.support.rounding import prediction_bound, training_bounds

keras: Any = pytest.importorskip("keras")

from tests.training.keras_pairs import assert_within  # noqa: E402

pytestmark = pytest.mark.keras

RNG = np.random.default_rng(2)
X = RNG.normal(size=(22, 3)).astype(np.float32)
Y = (X @ [1.0, -2.0, 0.5] + 0.1).astype(np.float32)
WEIGHTS = RNG.uniform(0.5, 2, 22).astype(np.float32)


class KERAS:
    """Edgeling by Keras's module names."""

    Sequential, layers, callbacks, losses, metrics, optimizers = (
        Sequential, layers, callbacks, losses, metrics, optimizers,
    )  # fmt: skip


BOTH = (KERAS, keras)


def model_of(k: Any, loss: Any = "mse", **compiled: Any) -> Any:
    """One dense unit whose weights begin alike everywhere."""
    model = k.Sequential([k.layers.Input((3,)), k.layers.Dense(1, kernel_initializer="ones")])
    model.compile(**{"optimizer": k.optimizers.SGD(0.05), "loss": loss, **compiled})
    return model


def batches(sizes: list[int], weighted: bool = False) -> Iterator[Any]:
    """The rows in batches of these sizes."""
    at = 0
    for size in sizes:
        part = slice(at, at + size)
        yield (X[part], Y[part], WEIGHTS[part]) if weighted else (X[part], Y[part])
        at += size


def assert_same_training(make: Callable[[Any], Any], train: Callable[[Any, Any], dict[str, Any]]) -> None:
    """A model here and in Keras: ``train(module, model)`` gives the same values by name and leaves the same weights."""
    ours, theirs = make(KERAS), make(keras)
    allowed = training_bounds(ours, lambda twin: [*train(KERAS, twin).values()], samples=6)
    got, expected = train(KERAS, ours), train(keras, theirs)
    assert got.keys() == expected.keys()
    assert_within(
        allowed, [*got.values(), *ours.get_weights()], [*(expected[name] for name in got), *theirs.get_weights()]
    )


@pytest.mark.parametrize("sizes", [[8, 8, 6], [4, 8, 2, 8]], ids=["even", "uneven"])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
def test_a_generator_trains_as_in_keras(sizes: list[int], weighted: bool) -> None:
    def train(k: Any, model: Any) -> Any:
        source = (batch for _ in range(2) for batch in batches(sizes, weighted))
        told = {"epochs": 2, "steps_per_epoch": len(sizes), "validation_data": (X, Y), "verbose": 0}
        return model.fit(source, **told).history

    assert_same_training(lambda k: model_of(k, metrics=["mae"]), train)


def test_lists_generators_and_loaders_train_alike() -> None:
    class Indexed:
        def __len__(self) -> int:
            return 3

        def __getitem__(self, i: int) -> Any:
            return list(batches([8, 8, 6]))[i]

    class Endless:
        def __iter__(self) -> Iterator[Any]:
            while True:
                yield from batches([8, 8, 6])

    expected = model_of(KERAS).fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0).history["loss"]
    for source, steps in ((list(batches([8, 8, 6])), None), (Indexed(), None), (Endless(), 3), (iter(Endless()), 3)):
        model = model_of(KERAS)
        found = model.fit(source, epochs=2, steps_per_epoch=steps, shuffle=False, verbose=0).history["loss"]
        assert found == expected
        (mean, *_) = training_bounds(model, lambda twin: [twin.evaluate(X, Y, verbose=0)])
        mean.require(model.evaluate(source, steps=3, verbose=0))
        prediction_bound(model, X).require(model.predict(source, steps=3, verbose=0))


def test_class_weights_hold_for_batches() -> None:
    weights, y = {0: 0.5, 1: 3.0}, (Y > 0).astype(np.float32)
    told = {"class_weight": weights, "shuffle": False, "verbose": 0}

    def train(k: Any, model: Any) -> Any:
        by_rows = (X, y, 11) if k is keras else ([(X[:11], y[:11]), (X[11:], y[11:])],)
        return model.fit(*by_rows, **told).history

    assert_same_training(model_of, train)


@pytest.mark.parametrize("given", ["list", "balanced"])
def test_class_weights_are_also_a_list_or_balanced(given: str) -> None:
    y = (Y > 0.5).astype(np.float32)
    counts = np.bincount(y.astype(int))
    as_mapping = {0: 0.5, 1: 3.0} if given == "list" else {i: len(y) / (2 * count) for i, count in enumerate(counts)}
    fitted = [
        model_of(KERAS).fit(X, y, class_weight=weights, shuffle=False, verbose=0).history["loss"]
        for weights in ([0.5, 3.0] if given == "list" else "balanced", as_mapping)
    ]
    assert fitted[0] == fitted[1]


@pytest.mark.parametrize("steps", [2, 3, 5])
def test_an_epoch_of_some_steps_goes_on_where_the_last_one_stopped(steps: int) -> None:
    told = {"batch_size": 8, "epochs": 4, "steps_per_epoch": steps, "shuffle": False, "verbose": 0}

    def train(k: Any, model: Any) -> Any:
        with pytest.warns(UserWarning, match="ran out of data|ran out after") if steps != 3 else nullcontext():
            return model.fit(X, Y, **told).history

    assert_same_training(model_of, train)


def test_metrics_of_one_name_are_told_apart() -> None:
    assert_same_training(
        lambda k: model_of(k, metrics=["mae", k.metrics.MeanSquaredError(name="mae")], weighted_metrics=["mae"]),
        lambda k, model: model.fit(X, Y, sample_weight=WEIGHTS, shuffle=False, verbose=0).history,
    )


class Spy:
    """Writes down every hook with its number and the names in its logs."""

    HOOKS = ("train", "test", "predict")

    @classmethod
    def of(cls, k: Any) -> Any:
        said: list[Any] = []

        def hook(name: str) -> Any:
            def write(self: Any, *index: Any, logs: Any = None) -> None:
                *index, logs = index if index and isinstance(index[-1], dict | None) else (*index, logs)
                said.append((name, *index, *sorted(logs or {})))

            return write

        names = [f"on_{kind}_{when}" for kind in cls.HOOKS for when in ("begin", "end", "batch_begin", "batch_end")]
        kind = type("Spy", (k.callbacks.Callback,), {n: hook(n) for n in (*names, "on_epoch_begin", "on_epoch_end")})
        spy = kind()
        spy.said = said
        return spy


@pytest.mark.parametrize("per_call", [1, 2])
def test_every_hook_is_called_when_keras_calls_it(per_call: int) -> None:
    said = []
    for k in BOTH:
        spy, model = Spy.of(k), model_of(k, metrics=["mae"], steps_per_execution=per_call)
        model.fit(X, Y, batch_size=8, epochs=2, validation_data=(X, Y), callbacks=[spy], shuffle=False, verbose=0)
        model.evaluate(X, Y, batch_size=8, callbacks=[spy], verbose=0)
        model.predict(X, batch_size=8, callbacks=[spy], verbose=0)
        said.append([entry for entry in spy.said if entry[0] != "on_train_end"])
    assert said[0] == said[1]


def test_hooks_of_tests_see_what_was_judged_so_far() -> None:
    def train(k: Any, model: Any) -> Any:
        values: list[float] = []
        watch = k.callbacks.LambdaCallback(on_test_batch_end=lambda batch, logs: values.append(logs["mae"]))
        model.evaluate(X, Y, batch_size=8, callbacks=[watch], verbose=0)
        return {"seen": values}

    assert_same_training(lambda k: model_of(k, metrics=["mae"]), train)


def test_columns_of_a_table_of_epochs_are_keras(tmp_path: Path) -> None:
    headers = []
    for name, validation in (("plain", None), ("validated", (X, Y))):
        for number, k in enumerate(BOTH):
            path = tmp_path / f"{name}{number}.csv"
            model_of(k, metrics=["mae"]).fit(
                X, Y, validation_data=validation, callbacks=[k.callbacks.CSVLogger(str(path))], verbose=0
            )
            with path.open() as file:
                headers.append(next(csv.reader(file)))
    assert headers[0] == headers[1]
    assert headers[2] == headers[3]


def test_a_recompiled_model_goes_on_with_the_same_optimizer() -> None:
    def train(k: Any, model: Any) -> Any:
        losses = []
        for _ in range(2):
            model.compile(model.optimizer, "mse")
            losses += model.fit(X, Y, epochs=3, shuffle=False, verbose=0).history["loss"]
        return {"losses": losses}

    assert_same_training(lambda k: model_of(k, optimizer=k.optimizers.Adam(0.1)), train)
    with pytest.raises(UnsupportedError, match="another model"):
        model_of(KERAS).compile(_used(), "mse")


def _used() -> Any:
    optimizer = optimizers.Adam()
    model_of(KERAS, optimizer=optimizer).fit(X, Y, verbose=0)
    return optimizer


LABELS = np.where(Y > 0, 1.0, -1.0).astype(np.float32)[:, None]


@pytest.mark.parametrize("train", ["-1 and 1", "0 and 1"])
@pytest.mark.parametrize("validate", ["-1 and 1", "0 and 1", "only 1"])
def test_hinge_decides_on_the_labels_it_is_given(train: str, validate: str) -> None:
    labels = {"-1 and 1": LABELS, "0 and 1": (LABELS + 1) / 2, "only 1": np.ones_like(LABELS)}
    told = {"validation_data": (X, labels[validate]), "shuffle": False, "verbose": 0}
    assert_same_training(
        lambda k: model_of(k, "hinge", metrics=["squared_hinge"]),
        lambda k, model: model.fit(X, labels[train], **told).history,
    )


def test_a_loss_that_is_not_finite_is_in_the_history_as_in_keras() -> None:
    histories = []
    for k in BOTH:
        model = model_of(k, optimizer=k.optimizers.SGD(1e30), metrics=["mae"])
        quiet = k.callbacks.TerminateOnNaN()
        histories.append(model.fit(X, Y, batch_size=4, epochs=5, validation_data=(X, Y), callbacks=[quiet], verbose=0))
    ours, theirs = histories
    assert ours.epoch == theirs.epoch == [0]
    assert ours.history.keys() == theirs.history.keys()
    assert not np.isfinite(ours.history["loss"]).any()
    model = model_of(KERAS, optimizer=optimizers.SGD(1e30))
    with pytest.raises(TrainingError, match="finite"):
        model.fit(X, Y, batch_size=4, callbacks=callbacks.TerminateOnNaN(raise_error=True), verbose=0)


def test_a_monitor_nobody_logs_is_refused_as_in_keras() -> None:
    for k in BOTH:
        with pytest.raises(ValueError, match="nope"):
            model_of(k).fit(X, Y, callbacks=[k.callbacks.EarlyStopping(monitor="nope")], verbose=0)
        with pytest.warns(UserWarning, match="nope"):
            model_of(k).fit(X, Y, callbacks=[k.callbacks.EarlyStopping(monitor="nope", mode="min")], verbose=0)


def test_an_endless_generator_is_stopped_by_a_callback() -> None:
    def endless() -> Iterator[Any]:
        while True:
            yield X, Y

    model, count = model_of(KERAS), []

    def stop(attribute: str) -> Any:
        def after(batch: int, logs: Any) -> None:
            count.append(batch)
            setattr(model, attribute, batch == 4)

        return after

    model.evaluate(endless(), callbacks=callbacks.LambdaCallback(on_test_batch_end=stop("stop_evaluating")), verbose=0)
    rows = model.predict(endless(), callbacks=callbacks.LambdaCallback(on_predict_batch_end=stop("stop_predicting")))
    assert (count, len(rows)) == ([0, 1, 2, 3, 4] * 2, 5 * len(X))


class Tensor:
    """As PyTorch's: an array only when detached, and elsewhere than it is needed."""

    def __init__(self, values: np.ndarray) -> None:
        self._values, self.shape = values, values.shape

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise RuntimeError("Can't call numpy() on Tensor that requires grad")

    def __len__(self) -> int:
        return len(self._values)

    def detach(self) -> Tensor:
        return self

    cpu = detach

    def numpy(self) -> np.ndarray:
        return self._values


def test_tensors_of_pytorch_are_taken() -> None:
    model = model_of(KERAS)
    told = {"shuffle": False, "verbose": 0}
    assert model.fit(Tensor(X), Tensor(Y), **told).history == model_of(KERAS).fit(X, Y, **told).history
    np.testing.assert_array_equal(model.predict(Tensor(X)), model.predict(X))


REFUSED: dict[str, tuple[Any, str]] = {
    "epochs of text": (lambda m: m.fit(X, Y, epochs="3"), "epochs is a whole number"),
    "half a batch": (lambda m: m.fit(X, Y, batch_size=2.5), "batch_size is a whole number"),
    "no batch": (lambda m: m.evaluate(X, Y, batch_size=0), "batch_size is a whole number"),
    "verbose": (lambda m: m.fit(X, Y, verbose="loud"), "verbose is"),
    "shuffle": (lambda m: m.fit(X, Y, shuffle="batch"), "shuffle is True or False"),
    "steps": (lambda m: m.fit(X, Y, steps_per_epoch=1.5), "steps_per_epoch is a whole number"),
    "steps of validation": (
        lambda m: m.fit(X, Y, validation_data=(X, Y), validation_steps=0), "validation_steps is a whole number",
    ),
    "frequency": (lambda m: m.fit(X, Y, validation_data=(X, Y), validation_freq=0), "validation_freq is a whole"),
    "split": (lambda m: m.fit(X, Y, validation_split="half"), "validation_split is a number"),
    "validation": (lambda m: m.fit(X, Y, validation_data=X), "validation_data is"),
    "first epoch": (lambda m: m.fit(X, Y, initial_epoch=-1), "initial_epoch is a whole number"),
    "class weights of one class": (lambda m: m.fit(X, Y > 0, class_weight=[1.0]), "class_weight"),
    "class weights of text": (lambda m: m.fit(X, Y > 0, class_weight="even"), "class_weight"),
    "class weights below zero": (lambda m: m.fit(X, Y > 0, class_weight={0: -1.0}), "class_weight"),
    "callbacks": (lambda m: m.fit(X, Y, callbacks=[len]), "callbacks are objects"),
    "targets beside batches": (lambda m: m.fit(batches([22]), Y), "targets come with the batches"),
    "batch size beside batches": (lambda m: m.fit(batches([22]), batch_size=4), "batch_size"),
    "weights beside batches": (lambda m: m.fit(batches([22]), sample_weight=WEIGHTS), "sample_weight"),
    "no batches": (lambda m: m.fit(iter([])), "at least one batch"),
    "batches without targets": (lambda m: m.fit(iter([X])), "needs targets"),
    "some weights": (lambda m: m.fit(iter([*batches([8]), *batches([8], True)])), "all batches have sample weights"),
    "steps of prediction": (lambda m: m.predict(X, steps=1.5), "steps is a whole number"),
    "a mapping": (lambda m: m.fit({"a": X}, Y), "go by the names"),
    "another shape": (lambda m: m.build((None, 4)), r"\(3,\)"),
    "loss": (lambda m: m.compile("sgd", 3), "loss"),
    "what a loss gives": (lambda m: (m.compile("sgd", lambda t, p: 0), m.fit(X, Y)), "a value for each row"),
    "weights of losses": (lambda m: m.compile("sgd", "mse", loss_weights=[2.0]), "loss_weights"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_meaning_is_refused_by_name(name: str) -> None:
    attempt, message = REFUSED[name]
    with pytest.raises(EdgelingError, match=message) as refused:
        attempt(model_of(KERAS))
    assert refused.type in (DataError, UnsupportedError)
