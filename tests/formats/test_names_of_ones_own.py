# SPDX-License-Identifier: Apache-2.0
"""Whatever only shares its name with something of Keras's is never taken for it; what else was said is kept."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgeling
from edgeling import activations, initializers, layers, losses, metrics, models, optimizers, regularizers
from edgeling.errors import UnsupportedError
from edgeling.formats.keras_file import load_keras, save_keras
from edgeling.formats.live_keras import from_keras
from edgeling.models import Sequential
from tests.formats.models import rows
from tests.support.rounding import require_same_answers, require_same_evaluation


def described(name: str, **where: Any) -> dict[str, Any]:
    return {"class_name": name, "config": {}, "registered_name": None, **where}


LOOKUPS: dict[str, tuple[Any, str]] = {
    "layer": (layers.get, "Flatten"),
    "loss": (losses.get, "MeanSquaredError"),
    "metric": (metrics.get, "MeanSquaredError"),
    "optimizer": (optimizers.get, "Adam"),
    "regularizer": (regularizers.get, "L2"),
    "initializer": (initializers.get, "Zeros"),
    "activation": (activations.get, "function"),
}


@pytest.mark.parametrize("kind", LOOKUPS)
@pytest.mark.parametrize("where", [{"module": "mine"}, {"module": None}, {"registered_name": "Mine>Adam"}], ids=str)
def test_a_description_of_something_else_by_a_known_name(kind: str, where: dict[str, Any]) -> None:
    get, name = LOOKUPS[kind]
    config = {"config": "relu"} if name == "function" else {}
    assert get(described(name, module="keras", **config)) is not None
    with pytest.raises(UnsupportedError, match="custom"):
        get({**described(name, module="keras", **config), **where})


def test_a_schedule_by_a_known_name_in_an_optimizer() -> None:
    schedule = {**described("CosineDecay", module="mine"), "config": {"initial_learning_rate": 1.0, "decay_steps": 9}}
    with pytest.raises(UnsupportedError, match="mine"):
        optimizers.get({**described("Adam", module="keras.optimizers"), "config": {"learning_rate": schedule}})


class Dense(layers.Dense):
    """Not Keras's."""

    def trace(self, tracer: Any, x: str) -> str:
        y = super().trace(tracer, x)
        return tracer.builder.add("multiply", y, tracer.builder.constant(np.float32([-1])))


class Adam(optimizers.SGD):
    """Not Keras's."""


@pytest.mark.parametrize("own", ["layer", "optimizer"])
def test_classes_of_ones_own_are_not_taken_for_those_of_a_known_name(tmp_path: Path, own: str) -> None:
    model = Sequential([layers.Input((2,)), (Dense if own == "layer" else layers.Dense)(1)])
    model.compile((Adam if own == "optimizer" else optimizers.Adam)(0.1), "mse")

    def written_and_read() -> None:
        save_keras(model, tmp_path / "m.keras")
        load_keras(tmp_path / "m.keras")

    with pytest.raises(UnsupportedError, match="test_names_of_ones_own"):
        written_and_read()


def test_copies_keep_classes_of_ones_own() -> None:
    model = Sequential([layers.Input((2,)), Dense(1, bias_initializer="ones")])
    copy = models.clone_model(model)
    assert isinstance(copy.layers[0], Dense)
    copy.set_weights(model.get_weights())
    x = np.ones((3, 2), np.float32)
    assert np.array_equal(copy.predict(x), model.predict(x))
    assert (copy.predict(np.zeros((1, 2))) == -1).all()


# ------------------------------------------------------------------------------------- methods put on an object


class Steps:
    """To be mixed with a model."""

    def train_step(self, data: Any) -> Any:
        raise AssertionError


METHODS = [
    (Sequential, "train_step"),
    (Sequential, "test_step"),
    (Sequential, "predict_step"),
    (Sequential, "call"),
    (Sequential, "compute_loss"),
    (Sequential, "make_train_function"),
    (lambda: layers.Dense(1), "call"),
    (optimizers.SGD, "update_step"),
    (optimizers.SGD, "apply_gradients"),
]


@pytest.mark.parametrize(("make", "name"), METHODS, ids=[name for _, name in METHODS])
def test_a_method_that_would_be_ignored_cannot_be_set(make: Any, name: str) -> None:
    with pytest.raises(UnsupportedError, match=f"{name} .* compiled to C") as caught:
        setattr(make(), name, lambda *_: None)
    assert caught.value.remedy


def test_nor_mixed_in() -> None:
    with pytest.raises(UnsupportedError, match="train_step"):
        type("Mine", (Steps, Sequential), {})


def test_a_metric_with_a_method_of_somebodys_is_asked() -> None:
    metric = metrics.MeanSquaredError(name="mine")
    metric.result = lambda: 7.0  # type: ignore[method-assign]
    model = Sequential([layers.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=[metric])
    x, y = rows()
    assert model.evaluate(x, y, verbose=0, return_dict=True)["mine"] == 7.0


def test_a_loss_with_a_method_of_somebodys_is_traced() -> None:
    loss = losses.MeanSquaredError()
    loss.call = lambda y_true, y_pred: 3 * y_pred[:, 0]  # type: ignore[method-assign]
    model = Sequential([layers.Input((2,)), layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", loss)
    assert model.evaluate(np.ones((2, 2)), np.zeros(2), verbose=0) == 6.0


# ------------------------------------------------------------------------------------- in Keras's models and files


def relu(x: Any) -> Any:
    return -x


def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    import keras

    return keras.ops.mean(keras.ops.abs(y_true - y_pred) * 3, axis=-1)


def accuracy(y_true: Any, y_pred: Any) -> Any:
    return mean_squared_error(y_true, y_pred) + 1


def a_model(activation: Any = None) -> Any:
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(2)
    return keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(5, activation), keras.layers.Dense(1)])


@pytest.mark.keras
def test_an_activation_of_ones_own_by_a_known_name() -> None:
    with pytest.raises(UnsupportedError, match="relu"):
        from_keras(a_model(relu))


@pytest.mark.keras
@pytest.mark.parametrize("name", ["keras.ops gelu", "keras gelu", "jax relu", "jax softplus"])
def test_functions_of_keras_and_its_backends_are_what_they_are(name: str) -> None:
    keras, jax = pytest.importorskip("keras"), pytest.importorskip("jax")
    functions = {"keras.ops": keras.ops, "keras": keras.activations, "jax": jax.nn}
    where, which = name.split()
    theirs = a_model(getattr(functions[where], which))
    require_same_answers(from_keras(theirs), theirs, rows()[0])


@pytest.mark.keras
def test_a_backends_function_with_another_default_is_refused() -> None:
    jax = pytest.importorskip("jax")
    for function in (jax.nn.gelu, jax.nn.leaky_relu):
        with pytest.raises(UnsupportedError, match="activation"):
            activations.get(function)
    keras = pytest.importorskip("keras")
    assert activations.get(partial(keras.activations.relu, negative_slope=0.5)).alpha == 0.5


@pytest.mark.keras
@pytest.mark.parametrize("name", ["train_step", "call", "layer call"])
def test_a_method_set_on_a_live_model(name: str) -> None:
    theirs = a_model()
    setattr(theirs.layers[0] if name == "layer call" else theirs, name.rpartition(" ")[2], lambda *_, **__: 0)
    with pytest.raises(UnsupportedError, match=name.rpartition(" ")[2]):
        from_keras(theirs)
    if name == "train_step":
        require_same_answers(from_keras(theirs, compile=False), theirs, rows()[0])


@pytest.mark.keras
def test_a_metric_function_of_ones_own_is_honoured_and_a_loss_left_out() -> None:
    theirs, (x, y) = a_model(), rows()
    theirs.compile("adam", "mse", metrics=["mae", mean_squared_error, accuracy], weighted_metrics=[mean_squared_error])
    require_same_evaluation(from_keras(theirs), theirs, x, y[:, np.newaxis])
    theirs.compile("adam", mean_squared_error, metrics=["mae"])
    with pytest.warns(UserWarning, match=r"'mean_squared_error' of the loaded model is left out.*compile") as caught:
        mine = from_keras(theirs)
    assert len([w for w in caught if "left out" in str(w.message)]) == 1
    assert mine.optimizer is not None
    assert (mine.loss, mine.metrics_names) == (None, ["loss", "mae"])


def own_metric() -> Any:
    import keras

    class MeanAbsoluteError(keras.metrics.MeanSquaredError):
        """Not Keras's."""

    return MeanAbsoluteError()


def unknown_metric() -> Any:
    import keras

    return keras.metrics.MeanMetricWrapper(accuracy, name="unknown")


METRICS: dict[str, Any] = {
    "a class of one's own": lambda: ["mae", own_metric()],
    "in a list of lists": lambda: [["mae", unknown_metric()]],
    "of an output": lambda: {"last": ["mae", own_metric()]},
    "wrapped": lambda: ["mae", unknown_metric()],
}


@pytest.mark.keras
@pytest.mark.parametrize(
    ("name", "key", "how"),
    [
        ("a class of one's own", "metrics", ".keras"),
        ("a class of one's own", "weighted_metrics", "live"),
        ("in a list of lists", "weighted_metrics", ".h5"),
        ("of an output", "metrics", ".keras"),
        ("of an output", "metrics", "live"),
        ("wrapped", "metrics", ".h5"),
        ("wrapped", "weighted_metrics", "live"),
    ],
)
def test_a_metric_that_is_not_supported_is_left_out_alone(tmp_path: Path, name: str, key: str, how: str) -> None:
    keras = pytest.importorskip("keras")
    theirs, (x, y) = a_model(), rows()
    theirs.layers[-1].name = "last"
    theirs.compile(keras.optimizers.SGD(0.125), keras.losses.Huber(), **{key: METRICS[name]()})
    if how != "live":
        theirs.save(tmp_path / f"m{how}")
    words = "unknown" if name in ("wrapped", "in a list of lists") else "MeanAbsoluteError"
    with pytest.warns(UserWarning, match=f"{words}.*left out") as caught:
        mine = from_keras(theirs) if how == "live" else load_keras(tmp_path / f"m{how}")
    assert len([w for w in caught if "left out" in str(w.message)]) == 1
    assert mine.optimizer is not None
    assert float(mine.optimizer.learning_rate) == 0.125
    assert mine.metrics_names == ["loss", "mae"]
    theirs.compile(loss=keras.losses.Huber(), **{key: ["mae"]})
    require_same_evaluation(mine, theirs, x, y[:, np.newaxis])


@pytest.mark.keras
@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_an_optimizer_that_is_not_supported_leaves_loss_and_metrics(tmp_path: Path, ending: str) -> None:
    keras = pytest.importorskip("keras")
    theirs, (x, y) = a_model(), rows()
    theirs.compile(keras.optimizers.Adam(loss_scale_factor=2.0), "mse", metrics=["mae"])
    theirs.save(tmp_path / f"m{ending}")
    with pytest.warns(UserWarning, match="'Adam'.*loss_scale_factor"):
        mine = load_keras(tmp_path / f"m{ending}")
    require_same_evaluation(mine, theirs, x, y[:, np.newaxis])
    with pytest.raises(edgeling.errors.TrainingError, match="compile"):
        mine.fit(x, y)


@pytest.mark.keras
def test_a_loss_that_is_not_supported_leaves_the_optimizer_with_its_state(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    theirs, (x, y) = a_model(), rows()
    theirs.compile("adam", keras.losses.Dice(), metrics=["mae"])
    theirs.fit(x, y[:, np.newaxis], verbose=0)
    theirs.save(tmp_path / "m.keras")
    with pytest.warns(UserWarning, match="Dice"):
        mine = load_keras(tmp_path / "m.keras")
    assert mine.optimizer is not None
    assert mine.optimizer.iterations == 1
    assert mine.optimizer_state
    for judge in (mine.evaluate, mine.fit):
        with pytest.raises(edgeling.errors.TrainingError, match="loss"):
            judge(x, y)


@pytest.mark.keras
def test_a_live_huber_loss_keeps_its_delta() -> None:
    """Keras's own description of it does not."""
    keras = pytest.importorskip("keras")
    theirs = a_model()
    theirs.compile("sgd", keras.losses.Huber(delta=0.5))
    assert from_keras(theirs).loss == losses.Huber(delta=0.5, name="huber_loss")


@pytest.mark.keras
def test_a_wrapped_function_of_keras_is_read(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    theirs, (x, y) = a_model(), rows()
    wrapped = keras.metrics.MeanMetricWrapper(keras.metrics.mean_absolute_error, name="off")
    theirs.compile("sgd", "mse", metrics=[wrapped])
    theirs.save(tmp_path / "m.keras")
    require_same_evaluation(load_keras(tmp_path / "m.keras"), theirs, x, y[:, np.newaxis])


def test_hooks_come_as_often_as_before_saving(tmp_path: Path) -> None:
    model = Sequential([layers.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse", steps_per_execution=3, run_eagerly=True)
    save_keras(model, tmp_path / "m.keras")
    assert load_keras(tmp_path / "m.keras").get_compile_config() == model.get_compile_config()
    json.dumps(model.get_compile_config())
