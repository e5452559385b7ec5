# SPDX-License-Identifier: Apache-2.0
"""Files that Keras wrote, read by Edgeling, and the other way round: same predictions, same training from there on."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeling.errors import EdgelingError, UnsupportedError
from edgeling.formats.keras_file import load_keras, save_keras
from tests.formats.models import members_of, rows, varied
from tests.formats.test_keras_file import OPTIMIZERS
from tests.support.rounding import require_same_answers, require_same_evaluation, training_bounds

pytestmark = pytest.mark.keras
keras = pytest.importorskip("keras")
L = keras.layers


def shuffled_weights(model: Any) -> Any:
    """The model with no weight at its default."""
    drawn = np.random.default_rng(0)
    for layer in model.layers:
        if not isinstance(layer, L.Normalization):
            layer.set_weights([drawn.uniform(0.2, 1.2, w.shape) for w in layer.get_weights()])
    return model


def predictions(model: Any, x: np.ndarray) -> np.ndarray:
    return np.asarray(model.predict(x, verbose=0))


def same(keras_model: Any, path: Path) -> None:
    """Save with Keras, load here; both predict the same. Save here, load with Keras; likewise."""
    x: Any = rows()[0]
    x = [x + place for place in range(len(keras_model.inputs))] if len(keras_model.inputs) > 1 else x
    keras_model.save(path / "theirs.keras")
    mine = load_keras(path / "theirs.keras")
    require_same_answers(mine, keras_model, x)
    save_keras(mine, path / "mine.keras")
    back = keras.models.load_model(path / "mine.keras")
    require_same_answers(mine, back, x)


LAYERS = {
    "Dense": lambda: [L.Dense(5), L.Dense(3, use_bias=False)],
    "BatchNormalization": lambda: [L.BatchNormalization(epsilon=0.01)],
    "BatchNormalization plain": lambda: [L.BatchNormalization(center=False, scale=False)],
    "Dropout": lambda: [L.Dropout(0.5, seed=1), L.Dense(3)],
    "Activation": lambda: [L.Activation("selu")],
    "ReLU": lambda: [L.ReLU(), L.ReLU(max_value=6.0), L.ReLU(negative_slope=0.1)],
    "LeakyReLU": lambda: [L.LeakyReLU(negative_slope=0.2)],
    "ELU": lambda: [L.ELU(alpha=0.7)],
    "Softmax": lambda: [L.Softmax()],
    "Flatten": lambda: [L.Flatten(), L.Dense(2)],
    "Rescaling": lambda: [L.Rescaling(0.5, offset=-1.0)],
    "Normalization": lambda: [L.Normalization(mean=[0.0, 1, 2, 3], variance=[1.0, 2, 3, 4])],
    "regularizers, initializers": lambda: [
        L.Dense(3, kernel_regularizer="l1", bias_regularizer=keras.regularizers.L1L2(0.1, 0.2)),
        L.Dense(3, kernel_initializer="he_normal", bias_initializer=keras.initializers.Constant(0.3)),
        L.Dense(3, kernel_initializer=keras.initializers.RandomNormal(stddev=0.2, seed=3)),
    ],
}


SEQUENCES = {
    "SimpleRNN": lambda: [L.SimpleRNN(3, activation="relu")],
    "LSTM": lambda: [L.LSTM(3, return_sequences=True, dropout=0.2), L.LSTM(2, unit_forget_bias=False)],
    "GRU": lambda: [L.Masking(0.5), L.GRU(3, recurrent_dropout=0.1, seed=2, reset_after=False, go_backwards=True)],
    "RNN": lambda: [L.RNN([L.GRUCell(3), L.LSTMCell(2), L.GRUCell(2, use_bias=False)])],
    "Bidirectional": lambda: [L.Bidirectional(L.GRU(3, return_sequences=True), "sum"), L.Bidirectional(L.LSTM(2))],
    "TimeDistributed": lambda: [
        L.TimeDistributed(L.Dense(3, activation="gelu")),
        L.Bidirectional(L.RNN(L.LSTMCell(2))),
    ],
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_every_layer_of_sequences_there_and_back(tmp_path: Path, name: str) -> None:
    made = keras.Sequential([L.Input((2, 2)), *SEQUENCES[name](), L.Flatten(), L.Dense(3)])
    shuffled_weights(made).save(tmp_path / "theirs.keras")
    mine = load_keras(tmp_path / "theirs.keras")
    x = rows()[0].reshape(-1, 2, 2)
    require_same_answers(mine, made, x)
    save_keras(mine, tmp_path / "mine.keras")
    back = keras.models.load_model(tmp_path / "mine.keras")
    require_same_answers(mine, back, x)
    told, expected = (json.dumps([layer.get_config() for layer in one.layers], sort_keys=True) for one in (back, made))
    assert told == expected
    again = load_keras(tmp_path / "mine.keras")
    mine.save_weights(tmp_path / "mine.weights.h5")
    again.set_weights([np.zeros_like(weight) for weight in again.get_weights()])
    again.load_weights(tmp_path / "mine.weights.h5")
    back.load_weights(tmp_path / "mine.weights.h5")
    for weight, other, theirs in zip(mine.get_weights(), again.get_weights(), back.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, other)
        np.testing.assert_array_equal(weight, theirs)


AUGMENTATIONS = {
    "RandomTranslation": lambda: L.RandomTranslation(0.1, (-0.2, 0.3), "wrap", "nearest", seed=1, fill_value=0.5),
    "RandomRotation": lambda: L.RandomRotation(0.1),
    "RandomZoom": lambda: L.RandomZoom((-0.2, 0.1), fill_mode="constant"),
    "RandomFlip": lambda: L.RandomFlip("horizontal", seed=3),
}


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_every_augmentation_there_and_back(tmp_path: Path, name: str) -> None:
    made = keras.Sequential([L.Input((2, 2, 1)), AUGMENTATIONS[name](), L.Flatten(), L.Dense(3)])
    made.save(tmp_path / "theirs.keras")
    mine = load_keras(tmp_path / "theirs.keras")
    x = rows()[0].reshape(-1, 2, 2, 1)
    require_same_answers(mine, made, x)
    save_keras(mine, tmp_path / "mine.keras")
    back = keras.models.load_model(tmp_path / "mine.keras")
    require_same_answers(mine, back, x)
    assert json.dumps(back.layers[0].get_config()) == json.dumps(made.layers[0].get_config())  # pairs become lists


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_there_and_back(tmp_path: Path, name: str) -> None:
    same(shuffled_weights(keras.Sequential([L.Input((4,)), *LAYERS[name]()])), tmp_path)


ACTIVATIONS = [
    "linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "swish", "softplus", "softsign", "sigmoid",
    "hard_sigmoid", "tanh", "exponential", "softmax", "log_softmax", "mish", "hard_silu", "hard_tanh",
    "log_sigmoid", "celu", "squareplus", "sparse_plus", "sparse_sigmoid", "soft_shrink", "hard_shrink", "tanh_shrink",
]  # fmt: skip


def test_every_activation_there_and_back(tmp_path: Path) -> None:
    start = keras.Input((4,), name="sensors")
    branches = [L.Dense(3, activation=name)(start) for name in ACTIVATIONS]
    same(keras.Model(start, L.Concatenate()(branches)), tmp_path)


def test_adapted_normalization_there_and_back(tmp_path: Path) -> None:
    layer = L.Normalization()
    layer.adapt(rows(100)[0] * 3 + 1)
    same(keras.Sequential([L.Input((4,)), layer, L.Dense(2)]), tmp_path)


def test_a_functional_chain_there_and_back(tmp_path: Path) -> None:
    start = keras.Input((4,), name="sensors")
    x = L.Dense(8, activation="relu")(start)
    x = L.Dropout(0.3)(L.BatchNormalization()(x))
    same(shuffled_weights(keras.Model(start, L.Dense(2)(x))), tmp_path)


def test_without_an_input_layer(tmp_path: Path) -> None:
    model = keras.Sequential([L.Dense(3), L.Dense(2)])
    model.build((None, 4))
    same(model, tmp_path)


def test_names_reused_out_of_order(tmp_path: Path) -> None:
    """Weights are filed by a layer's kind and number, not by its name."""
    same(keras.Sequential([L.Input((4,)), L.Dense(3, name="dense_1"), L.Dense(3, name="dense")]), tmp_path)


def test_every_layer_of_ours_in_keras(tmp_path: Path) -> None:
    model = varied()
    save_keras(model, tmp_path / "m.keras")
    back = keras.models.load_model(tmp_path / "m.keras")
    x, y = rows()
    require_same_answers(model, back, x)
    assert back.name == "varied"
    require_same_evaluation(model, back, x, y)


def test_keras_says_nothing_while_it_loads_ours(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    save_keras(varied(), tmp_path / "m.keras")
    keras.models.load_model(tmp_path / "m.keras")
    assert [str(w.message) for w in recwarn if issubclass(w.category, UserWarning)] == []


def go_on(model: Any) -> list[np.ndarray]:
    model.fit(*rows(), epochs=2, batch_size=8, shuffle=False, verbose=0)
    return [np.asarray(w) for w in model.get_weights()]


def close(ours: Any, theirs: Any) -> None:
    allowed = training_bounds(ours, go_on, samples=6)
    for bound, mine, other in zip(allowed, go_on(ours), go_on(theirs), strict=False):  # the weights again follow
        bound.require(mine, "ours")
        bound.require(other, "Keras's")


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: f"{type(o).__name__}-{o.operation}")
def test_training_goes_on_across_the_border(tmp_path: Path, optimizer: Any) -> None:
    """Keras trains, saves; Edgeling goes on as Keras itself would; then the other way round."""
    keras.utils.set_random_seed(4)
    theirs = keras.Sequential([L.Input((4,)), L.Dense(5, activation="tanh"), L.Dense(3, activation="softmax")])
    rule = getattr(keras.optimizers, type(optimizer).__name__).from_config(optimizer.get_config())
    theirs.compile(rule, "sparse_categorical_crossentropy")
    go_on(theirs)
    theirs.save(tmp_path / "theirs.keras")
    ours = load_keras(tmp_path / "theirs.keras")
    assert ours.optimizer is not None
    assert ours.optimizer.iterations == 8
    close(ours, theirs)
    save_keras(ours, tmp_path / "ours.keras")
    back = keras.models.load_model(tmp_path / "ours.keras")
    assert int(back.optimizer.iterations) == 16
    close(ours, back)


def branched() -> Any:
    start = keras.Input((4,))
    return keras.Model(start, L.Add()([L.Dense(4)(start), start]))


def shared() -> Any:
    start, layer = keras.Input((4,)), L.Dense(4)
    return keras.Model(start, layer(layer(start)))


def two_outputs() -> Any:
    start = keras.Input((4,))
    x = L.Dense(3)(start)
    return keras.Model(start, [x, L.Dense(2)(x)])


def two_inputs() -> Any:
    first, second = keras.Input((4,)), keras.Input((4,))
    return keras.Model([first, second], L.Concatenate()([first, second]))


def always_training() -> Any:
    start = keras.Input((4,))
    return keras.Model(start, L.Dense(2)(L.Dropout(0.5)(start, training=True)))


def arithmetic() -> Any:
    start = keras.Input((4,))
    return keras.Model(start, keras.ops.erf(L.Dense(2)(start)))


def inner() -> Any:
    start = keras.Input((4,))
    first, second = two_outputs()(start)
    return keras.Model(start, [2 * L.Dense(2)(first) + second, sequential(L.Dense(1))(start)])


def sequential(*layers: Any, shape: tuple[int, ...] = (4,)) -> Any:
    return keras.Sequential([L.Input(shape), *layers])


def my_relu(x: Any) -> Any:
    return keras.ops.relu(x)


class MyDense(L.Dense):
    """A layer that is not Keras's own."""


@pytest.mark.parametrize("make", [branched, shared, two_outputs, two_inputs, inner])
def test_what_is_no_chain_there_and_back(tmp_path: Path, make: Any) -> None:
    same(shuffled_weights(make()), tmp_path)


REFUSED = {
    "dropout while predicting": (always_training, "training"),
    "arithmetic": (arithmetic, "[Ee]rf"),
    "lambda": (lambda: sequential(L.Lambda(lambda x: x * 2)), "never run"),
    "own layer": (lambda: sequential(MyDense(3)), "MyDense"),
    "own function": (lambda: sequential(L.Dense(3, activation=my_relu)), "my_relu"),
    "lambda as activation": (lambda: sequential(L.Dense(3, activation=lambda x: x)), "never run"),
    "layer as activation": (lambda: sequential(L.Dense(3, activation=L.LeakyReLU())), "LeakyReLU as activation"),
    "mixed precision": (lambda: sequential(L.Dense(3, dtype="mixed_float16")), "float32"),
    "recurrent over images": (lambda: sequential(L.ConvLSTM1D(3, 2), shape=(5, 4, 2)), "ConvLSTM1D"),
    "channels first": (lambda: sequential(L.MaxPooling1D(data_format="channels_first"), shape=(5, 2)), "come last"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_what_is_not_supported_is_named_with_a_remedy(tmp_path: Path, name: str, ending: str) -> None:
    make, words = REFUSED[name]
    path = tmp_path / f"m{ending}"
    make().save(path)
    with pytest.raises(UnsupportedError, match=words) as caught:
        load_keras(path)
    assert caught.value.remedy


def test_training_settings_that_are_not_supported(tmp_path: Path) -> None:
    model = sequential(L.Dense(1, activation="sigmoid"))
    model.compile("muon", "binary_crossentropy", metrics=["AUC"])
    model.save(tmp_path / "m.keras")
    with pytest.warns(UserWarning, match="Muon"):
        assert load_keras(tmp_path / "m.keras").optimizer is None


@pytest.mark.parametrize(
    "settings",
    [
        {"loss": "mse", "metrics": ["mae"]},
        {"loss": ["mse"], "metrics": [["mae"]]},
        {
            "loss": keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1),
            "metrics": [keras.metrics.MeanAbsoluteError(name="off")],
        },
        {"loss": keras.losses.mean_squared_error, "metrics": [keras.metrics.mean_absolute_error]},
    ],
    ids=["names", "lists", "objects", "functions"],
)
@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_compile_settings_are_taken_over(tmp_path: Path, settings: dict[str, Any], ending: str) -> None:
    model = sequential(L.Dense(1))
    model.compile(keras.optimizers.SGD(0.25, momentum=0.5), **settings)
    x = rows()[0]
    y = (x.sum(axis=1, keepdims=True) > 0).astype(np.float32)
    model.save(tmp_path / f"m{ending}")
    mine = load_keras(tmp_path / f"m{ending}")
    assert mine.optimizer is not None
    assert mine.optimizer.get_config()["momentum"] == 0.5
    assert mine.optimizer.learning_rate == 0.25
    require_same_evaluation(mine, model, x, y)


def test_a_compiled_model_that_never_trained(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    model = sequential(L.Dense(1))
    model.compile("adam", "mse")
    model.save(tmp_path / "m.keras")
    mine = load_keras(tmp_path / "m.keras")
    assert mine.optimizer is not None
    assert mine.optimizer.iterations == 0
    assert not [w for w in recwarn if "afresh" in str(w.message)]


def test_h5_files_of_keras_3(tmp_path: Path) -> None:
    start = keras.Input((4,))
    x = L.Dense(3, name="last")(L.BatchNormalization()(L.Dense(8, activation="gelu")(start)))
    functional = shuffled_weights(keras.Model(start, x))
    plain = shuffled_weights(sequential(L.Dense(8, activation="tanh"), L.BatchNormalization(scale=False), L.Dense(3)))
    for model in (functional, plain):
        model.save(tmp_path / "m.h5")
        mine = load_keras(tmp_path / "m.h5")
        require_same_answers(mine, model, rows()[0])


def test_weights_alone_are_not_a_model(tmp_path: Path) -> None:
    model = sequential(L.Dense(3))
    model.save_weights(tmp_path / "m.weights.h5")
    with pytest.raises(EdgelingError, match="whole model"):
        load_keras(tmp_path / "m.weights.h5")


def test_our_configuration_has_no_key_that_keras_lacks(tmp_path: Path) -> None:
    """Keras ignores some unknown keys silently; a setting lost that way would change nothing but be wrong."""
    save_keras(varied(), tmp_path / "m.keras")
    keras.models.load_model(tmp_path / "m.keras").save(tmp_path / "n.keras")
    mine, theirs = (json.loads(members_of((tmp_path / n).read_bytes())["config.json"]) for n in ("m.keras", "n.keras"))
    for ours, other in zip(mine["config"]["layers"], theirs["config"]["layers"], strict=True):
        assert ours["class_name"] == other["class_name"]
        assert ours["config"].keys() - other["config"].keys() <= {"trainable"}, ours["class_name"]


def test_a_recompressed_file_is_read(tmp_path: Path) -> None:
    sequential(L.Dense(3)).save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "n.keras", "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members_of((tmp_path / "m.keras").read_bytes()).items():
            file.writestr(name, data)
    assert load_keras(tmp_path / "n.keras").built
