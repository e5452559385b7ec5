# SPDX-License-Identifier: Apache-2.0
"""Models: building, weights, configurations, predictions, what is refused, what is shown."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest

from edgeling import activations, initializers, layers, losses, metrics, optimizers, regularizers
from edgeling.errors import ArtifactError, DataError, TrainingError, UnsupportedError
from edgeling.layers import (
    ELU,
    Activation,
    BatchNormalization,
    Dense,
    Dropout,
    Flatten,
    Input,
    InputLayer,
    LeakyReLU,
    Normalization,
    ReLU,
    Rescaling,
    Softmax,
)
from edgeling.models import Sequential
from edgeling.optimizers import schedules
from edgeling.utils import set_random_seed, to_categorical
from tests.support.close import product_magnitude, require_close
from tests.support.rounding import prediction_bound

X = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
ALL = [
    lambda: Normalization(mean=[0.0] * 4, variance=[2.0] * 4), lambda: Rescaling(0.5, 1.0), lambda: Dense(6),
    BatchNormalization, lambda: ReLU(max_value=6.0), lambda: Dropout(0.2), lambda: Dense(5, "selu"),
    lambda: LeakyReLU(0.1), lambda: ELU(0.5), Flatten, lambda: Activation("silu"),
    lambda: Dense(3, use_bias=False, kernel_regularizer="l1_l2", kernel_initializer="he_normal"), Softmax,
]  # fmt: skip


def _every_layer() -> Sequential:
    return Sequential([Input((4,)), *[make() for make in ALL]])


@pytest.mark.parametrize("first", [
    lambda: [Dense(3, input_dim=4)], lambda: [Dense(3, input_shape=(4,))], lambda: [Input((4,)), Dense(3)],
    lambda: [InputLayer(shape=(4,)), Dense(3)], lambda: [Dense(3, batch_input_shape=(None, 4))],
])  # fmt: skip
def test_the_inputs_shape_is_stated_in_any_of_kerass_ways(first: Callable[[], Any]) -> None:
    model = Sequential(first())
    assert (model.input_shape, model.output_shape) == ((None, 4), (None, 3))
    assert [w.shape for w in model.weights] == [(4, 3), (3,)]
    assert [type(x).__name__ for x in model.layers] == ["Dense"]


@pytest.mark.parametrize("by", ["fit", "predict", "call"])
def test_without_a_shape_the_first_rows_give_it(by: str) -> None:
    model = Sequential([Dense(3), Dense(1)])
    assert not model.built
    with pytest.raises(UnsupportedError, match="Input"):
        model.count_params()
    model.compile("sgd", "mse")
    {"fit": lambda: model.fit(X, X[:, 0], verbose=0), "predict": lambda: model.predict(X), "call": lambda: model(X)}[
        by
    ]()
    assert model.input_shape == (None, 4)


def test_predictions_are_those_of_the_graph_from_any_input() -> None:
    model = _every_layer()
    allowed = prediction_bound(model, X)
    allowed.require(model.predict(X))
    for given in (X.astype(np.float64), X.tolist(), np.asfortranarray(X), X[::-1][::-1]):
        np.testing.assert_array_equal(model.predict(given), model.predict(X))
    one = model.predict(X[:1])
    assert (one.shape, one.dtype) == ((1, 3), np.float32)
    # Many rows are computed in vectors, one is not: a product and a sum may be fused in one of the two.
    prediction_bound(model, X[:1]).require(one)
    np.testing.assert_array_equal(model(X), model.predict(X))


def test_a_class_of_ones_own_is_told_from_another_of_its_name() -> None:
    def scaling(factor: float) -> type[Rescaling]:
        class Mine(Rescaling):
            def trace(self, tracer: Any, x: str) -> str:
                return tracer.builder.add("multiply", x, tracer.number(factor))

        return Mine

    for factor in (2.0, 3.0):
        model = Sequential([Input((4,)), scaling(factor)(1.0)])
        np.testing.assert_array_equal(model.predict(X), factor * X)


def test_long_moments_are_told_apart() -> None:
    rows = np.ones((2, 1500), np.float32)
    for middle in (0.0, 0.5):
        mean = np.zeros(1500)
        mean[700] = middle
        model = Sequential([Input((1500,)), Normalization(mean=mean, variance=np.ones(1500))])
        assert model.predict(rows)[0, 700] == 1.0 - middle


def test_every_prediction_is_an_array_of_its_own() -> None:
    model = Sequential([Input((4,)), Dense(3)])
    first = model.predict(X[:1])
    kept = first.copy()
    model.predict(X[1:2])
    np.testing.assert_array_equal(first, kept)


def test_predictions_follow_the_weights() -> None:
    model, other = (Sequential([Input((4,)), Dense(1)]) for _ in range(2))
    row = X[0].astype(np.float64)
    for factor in (1.0, 2.0):
        model.set_weights([np.full((4, 1), factor), [0.5]])
        other.set_weights([np.full((4, 1), -factor), [0.5]])
        for one, sign in ((model, 1), (other, -1)):
            kernel = np.full(4, sign * factor)
            answer, magnitude = row @ kernel + 0.5, product_magnitude(row, kernel, 0.5)
            require_close(one.predict(X[:1])[0, 0], answer, 5, of=magnitude)  # four products, each summed
    model.layers[0].set_weights([np.zeros((4, 1)), [3.0]])
    assert model.predict(X[:1])[0, 0] == 3.0
    model.add(Rescaling(2.0))
    assert model.predict(X[:1])[0, 0] == 6.0


def test_adapting_a_normalization_changes_predictions() -> None:
    normalization = Normalization()
    model = Sequential([Input((4,)), normalization])
    with pytest.raises(DataError, match="adapt"):
        model.predict(X)
    normalization.adapt(X)
    mean, deviation = (f(X.astype(np.float64), axis=0) for f in (np.mean, np.std))
    for factor in (1, 2):
        normalization.adapt(factor * X)
        exact = (X - factor * mean) / (factor * deviation)
        # The moments are rounded, and the root, difference and quotient.
        magnitude = (np.abs(X) + factor * np.abs(mean)) / (factor * deviation)
        require_close(model.predict(X), exact, 6, of=magnitude)


@pytest.mark.parametrize(("x", "message"), [
    (X[:, :3], r"4 features.*\(9, 3\)"), (X[0], "newaxis"), (X.astype(str), "numbers"), (None, "row"),
])  # fmt: skip
def test_what_cannot_be_predicted_from_is_refused(x: Any, message: str) -> None:
    model = Sequential([Input((4,)), Dense(2)])
    model.predict(X[:1])
    with pytest.raises(DataError, match=message):
        model.predict(x)


def test_nan_in_gives_nan_out() -> None:
    assert np.isnan(Sequential([Input((4,)), Dense(2)]).predict(np.full((1, 4), np.nan))).all()


def test_threads_train_models_of_one_structure_apart() -> None:
    def trained(seed: int) -> Sequential:
        model = Sequential(
            [Input((4,)), Dense(8, "tanh", kernel_initializer=initializers.GlorotUniform(seed)), Dense(1)]
        )
        model.layers[1].set_weights([np.full((8, 1), 0.1), [0.0]])
        model.compile("adam", "mse")
        model.fit(X, X[:, 0], epochs=300, batch_size=4, shuffle=False, verbose=0)
        return model

    alone = [trained(seed).get_weights() for seed in range(4)]
    together: dict[int, Any] = {}
    threads = [Thread(target=lambda s=s: together.update({s: trained(s).get_weights()})) for s in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in range(4):
        for one, other in zip(alone[seed], together[seed], strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_configuration_makes_the_same_model_again() -> None:
    model = _every_layer()
    again = Sequential.from_config(json.loads(json.dumps(model.get_config())))
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert again.get_config() == model.get_config()


def test_a_compilation_is_described_and_restored() -> None:
    model = Sequential([Input((4,)), Dense(2)])
    rate = schedules.CosineDecay(0.1, 100)
    model.compile(optimizers.AdamW(rate, clipnorm=1.0), losses.Huber(delta=2.0), metrics=["mae", metrics.Poisson()])
    config = json.loads(json.dumps(model.get_compile_config()))
    again = Sequential.from_config(model.get_config())
    again.compile_from_config(config)
    assert again.get_compile_config() == model.get_compile_config()


def test_weighted_metrics_are_restored_and_named() -> None:
    model = Sequential([Input((4,)), Dense(1, activation="softplus")])  # Poisson has no negative rates
    assert model.metrics_names == ["loss"]
    model.compile("sgd", "mse", metrics=["mae"], weighted_metrics=[metrics.Poisson()])
    again = Sequential.from_config(model.get_config())
    again.compile_from_config(model.get_compile_config() or {})
    assert again.get_compile_config() == model.get_compile_config()
    logged = again.fit(X, np.ones(len(X)), verbose=0).history
    assert again.metrics_names == model.metrics_names == ["loss", "mae", "poisson"] == list(logged)


def test_weights_are_saved_and_read(tmp_path: Path) -> None:
    model, other = _every_layer(), _every_layer()
    model.save_weights(tmp_path / "w.npz")
    other.load_weights(tmp_path / "w.npz")
    np.testing.assert_array_equal(model.predict(X), other.predict(X))
    with pytest.raises(DataError, match="have shapes"):
        Sequential([Input((4,)), Dense(2)]).load_weights(tmp_path / "w.npz")
    (tmp_path / "bad.npz").write_bytes(b"PK nothing")
    with pytest.raises(DataError, match="save_weights"):
        other.load_weights(tmp_path / "bad.npz")
    with pytest.raises(DataError, match="already"):
        model.save_weights(tmp_path / "w.npz", overwrite=False)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.npz", "w.npz"]


def test_weights_that_cannot_be_written_or_are_damaged(tmp_path: Path) -> None:
    model = _every_layer()
    with pytest.raises(ArtifactError, match="written whole"):
        model.save_weights(tmp_path / "missing" / "w.npz")
    model.save_weights(tmp_path / "w.npz")
    content = (tmp_path / "w.npz").read_bytes()
    for damaged in (content[: len(content) // 2], content[:-1], content.replace(b"'<f4'", b"'|O8'")):
        (tmp_path / "w.npz").write_bytes(damaged)
        with pytest.raises(DataError, match="save_weights"):
            model.load_weights(tmp_path / "w.npz")


def test_a_path_may_begin_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    model = _every_layer()
    model.save_weights("~/w.npz")
    model.load_weights("~/w.npz")
    (tmp_path / "m.keras").touch()
    with pytest.raises(DataError, match="already"):
        model.save("~/m.keras", overwrite=False)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.keras", "w.npz"]


def test_wrong_weights_change_nothing() -> None:
    model = Sequential([Input((4,)), Dense(2), Dense(1)])
    before = model.get_weights()
    with pytest.raises(DataError, match="shapes"):
        model.set_weights([w.T for w in before])
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_are_counted_and_named() -> None:
    model = Sequential([Input((4,)), Dense(3, name="first"), BatchNormalization(name="bn")], name="net")
    assert model.count_params() == 15 + 12
    assert [w.path for w in model.weights][:3] == ["net/first/kernel", "net/first/bias", "net/bn/gamma"]
    assert [w.name for w in model.non_trainable_weights] == ["moving_mean", "moving_variance"]
    model.trainable = False
    assert model.trainable_weights == []
    assert len(model.non_trainable_weights) == 6


def test_a_summary_shows_every_layer() -> None:
    lines: list[str] = []
    model = Sequential([Input((4,)), Dense(3, name="first"), Dropout(0.1, name="drop"), Dense(1)], name="net")
    model.summary(print_fn=lines.append)
    assert lines[0] == 'Model: "net"'
    assert [line.split() for line in lines[3:5]] == [
        ["first", "(Dense)", "(None,", "3)", "15"], ["drop", "(Dropout)", "(None,", "3)", "0"],
    ]  # fmt: skip
    assert "Total parameters: 19 (76 B)" in lines


def test_layers_are_taken_off_and_found() -> None:
    model = Sequential([Input((4,)), Dense(3, name="first"), Dense(2)])
    assert model.get_layer("first") is model.get_layer(index=0) is model.layers[0]
    assert model.get_layer(index=-1) is model.get_layer(index=1) is model.layers[1]
    for index in (2, -3):
        with pytest.raises(UnsupportedError, match=str(index)):
            model.get_layer(index=index)
    model.pop()
    assert model.output_shape == (None, 3)
    with pytest.raises(UnsupportedError, match="first"):
        model.get_layer("second")


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "activity regularizer": (lambda: Dense(2, activity_regularizer="l3"), "regularizer.*'l3'"),
    "constraint": (lambda: Dense(2, kernel_constraint="least_norm"), "constraint.*'least_norm'"),
    "units": (lambda: Dense(0), "units"),
    "activation": (lambda: Dense(2, activation="nope"), "'nope'.*relu"),
    "initializer": (lambda: Dense(2, kernel_initializer="stft"), "initializer.*'stft'"),
    "regularizer": (lambda: Dense(2, kernel_regularizer="orthogonal"), "regularizer"),
    "half precision": (lambda: Dense(2, dtype="float16"), "float32"),
    "no length": (lambda: Input((0,)), "every length"),
    "weights of an unknown length": (lambda: Sequential([Input((None,)), Dense(2)]), "no unknown length changes"),
    "batch normalisation of the batch": (lambda: Sequential([Input((4, 3)), BatchNormalization(axis=0)]), "axes of a"),
    "two shapes": (lambda: layers.InputLayer(shape=(4,), batch_shape=(None, 4)), "batch_shape"),
    "a shape that does not fit": (lambda: Sequential([Input((4,)), layers.Reshape((3,))]), "4 values"),
    "initializer of another shape": (lambda: Sequential([Input((4,)), Dense(2, kernel_initializer=X)]), "shape"),
    "relu without slope": (lambda: ReLU(negative_slope=None), "negative_slope"),
    "relu threshold": (lambda: ReLU(threshold=-0.5), "threshold"),
    "softmax axis": (lambda: Sequential([Input((4, 2)), Softmax(axis=3)]), "axes of a row"),
    "dropout rate": (lambda: Dropout(1.0), "rate"),
    "renorm": (lambda: BatchNormalization(renorm=True), "renorm"),
    "not a layer": (lambda: Sequential([print]), "edgeling.layers"),
    "two inputs": (lambda: Sequential([Input((4,)), Input((4,))]), "only one"),
    "called layer": (lambda: Dense(2)({"x": X}), "one array"),
    "same names": (lambda: Sequential([Dense(2, name="a"), Dense(2, name="a")]), "different names"),
    "loss": (lambda: losses.get("dice"), "'dice'"),
    "loss of no kind": (lambda: losses.get(3), "'MeanSquaredError'"),
    "reduction": (lambda: losses.MeanSquaredError(reduction="product"), "reduction"),
    "metric": (lambda: metrics.get("perplexity", 1, False), "'perplexity'"),
    "optimizer": (lambda: optimizers.get("muon"), "'muon'"),
    "loss scaling": (lambda: optimizers.Adam(loss_scale_factor=2.0), "loss_scale_factor"),
    "layer in a file": (lambda: layers.get({"class_name": "Conv3D", "config": {}}), "'Conv3D'"),
    "setting in a file": (lambda: layers.get({"class_name": "Dense", "config": {"units": 2, "lora_rank": 4}}), "lora"),
    "schedule": (lambda: schedules.get({"class_name": "Mine", "config": {}}), "Mine"),
    "format": (lambda: _every_layer().save("model.h5"), "keras"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_supported_is_refused_by_name(name: str) -> None:
    attempt, message = REFUSED[name]
    with pytest.raises(UnsupportedError, match=message):
        attempt()


def test_a_misspelt_argument_is_a_type_error() -> None:
    for attempt in (lambda: Dense(2, activaton="relu"), lambda: optimizers.Adam(learning=1)):
        with pytest.raises(TypeError, match="has no argument"):
            attempt()


def test_learning_rates_are_set_and_followed() -> None:
    optimizer = optimizers.SGD(0.5)
    optimizer.learning_rate = 0.25
    assert optimizer.learning_rates(9) == 0.25
    scheduled = optimizers.SGD(schedules.ExponentialDecay(1.0, 1, 0.5))
    scheduled.iterations = 2
    np.testing.assert_array_equal(scheduled.learning_rates(3), [0.25, 0.125, 0.0625])

    class Halving(schedules.LearningRateSchedule):
        def __call__(self, step: Any) -> float:
            return 1.0 if step < 1 else 0.5

    np.testing.assert_array_equal(optimizers.SGD(Halving()).learning_rates(3), [1, 0.5, 0.5])
    model = Sequential([Input((4,)), Dense(1)])
    model.compile(optimizers.SGD(Halving()), "mse")
    model.fit(X, X[:, 0], epochs=2, verbose=0)
    with pytest.raises(UnsupportedError, match="Halving"):
        model.get_compile_config()
    with pytest.raises(UnsupportedError, match="LearningRateScheduler"):
        optimizers.SGD(lambda: 0.1)
    with pytest.raises(TrainingError, match="schedule"):
        scheduled.learning_rate = 1.0
    with pytest.raises(TrainingError, match="learning rate"):
        optimizers.Adam(-1.0)
    with pytest.raises(TrainingError, match="only one"):
        optimizers.Adam(clipnorm=1.0, clipvalue=1.0)


def test_names_stand_for_objects() -> None:
    assert regularizers.get("l1_l2") == regularizers.L1L2()
    assert regularizers.get(None) is None
    assert initializers.get("he_uniform") == initializers.HeUniform()
    assert activations.get("swish") is activations.get("silu") or activations.get("swish") == activations.silu
    columns = X.shape[1]  # so many exponentials are summed, and divided
    require_close(activations.softmax(X).sum(axis=1, dtype=np.float64), np.ones(len(X)), columns)


def test_seeds_and_one_hot_rows() -> None:
    set_random_seed(1)
    first = Sequential([Input((4,)), Dense(2)]).get_weights()[0]
    set_random_seed(1)
    np.testing.assert_array_equal(first, Sequential([Input((4,)), Dense(2)]).get_weights()[0])
    np.testing.assert_array_equal(to_categorical([0, 2]), [[1, 0, 0], [0, 0, 1]])
    for bad in ([-1, 1], [3]):
        with pytest.raises(DataError):
            to_categorical(bad, 2)
    with pytest.raises(DataError, match="seed"):
        set_random_seed(-1)


def test_a_line_an_epoch_is_printed_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    model = Sequential([Input((4,)), Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    model.fit(X, X[:, 0], epochs=2, batch_size=4, validation_split=0.3)
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("Epoch 1/2  2 steps in ")
    assert second.startswith("Epoch 2/2")
    assert second.index("loss") < second.index("mae") < second.index("val_loss") < second.index("val_mae")
    model.fit(X, X[:, 0], verbose=0)
    assert capsys.readouterr().out == ""
    assert model.train_on_batch(X, X[:, 0], return_dict=True).keys() == {"loss", "mae"}


def _fitted() -> tuple[Sequential, Any, Any]:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(64, 4)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int)
    model = Sequential([Dense(8, input_dim=4, activation="relu"), Dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy")
    model.fit(x, y, epochs=3, verbose=0)
    return model, x, y


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_trains_on_by_itself(copied: Callable[[Sequential], Sequential]) -> None:
    model, x, y = _fitted()
    before = model.predict(x)
    other = copied(model)
    assert (other.predict(x) == before).all()
    other.fit(x, y, epochs=3, verbose=0, shuffle=False)
    assert (model.predict(x) == before).all()
    model.fit(x, y, epochs=3, verbose=0, shuffle=False)
    assert (model.predict(x) == other.predict(x)).all()  # what the optimizer keeps was copied too


def test_rows_at_any_address_and_of_any_byte_order() -> None:
    model, x, y = _fitted()
    shifted = np.frombuffer(b"x" + x.tobytes(), np.uint8)[1:].view(np.float32).reshape(x.shape)
    assert not shifted.flags.aligned
    for same in (shifted, x.astype(">f4"), np.asfortranarray(x), np.repeat(x, 2, axis=1)[:, ::2]):
        assert (model.predict(same) == model.predict(x)).all()
        assert (model.predict(same[:1]) == model.predict(x[:1])).all()
        assert model.evaluate(same, y, verbose=0) == model.evaluate(x, y, verbose=0)


def _trained_weights(disturbed: bool) -> list[Any]:
    set_random_seed(3)
    model, x, y = _fitted()
    stop = Event()
    other = Thread(target=lambda: [model.evaluate(x, y, verbose=0) for _ in iter(stop.is_set, True)])
    if disturbed:
        other.start()
    model.fit(x, y, epochs=2000, verbose=0)
    stop.set()
    if disturbed:
        other.join()
    return model.get_weights()


def test_evaluating_in_another_thread_leaves_training_alone() -> None:
    alone, disturbed = _trained_weights(False), _trained_weights(True)
    assert all((a == b).all() for a, b in zip(alone, disturbed, strict=True))
