# SPDX-License-Identifier: Apache-2.0
"""Transfer learning from a loaded file beside Keras: what is frozen stays, statistics too; what is thawed goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")

import edgeling  # noqa: E402
from edgeling import layers  # noqa: E402
from edgeling.models import Model, Sequential, load_model  # noqa: E402
from edgeling.network.network import inference_graph  # noqa: E402
from tests.support.rounding import require_rows, require_same_answers, training_bounds  # noqa: E402
from tests.training.keras_pairs import assert_within  # noqa: E402

pytestmark = pytest.mark.keras
SHAPE, ROWS = (4, 3, 1), 5
DRAWN = np.random.default_rng(5)
X = (DRAWN.normal(size=(ROWS, *SHAPE)) + 1).astype(np.float32)
Y = DRAWN.normal(size=(ROWS, 2)).astype(np.float32)


def learned(k: Any) -> Any:
    """A network with statistics of its own, as if it had been trained."""
    x = k.layers.Input(SHAPE, name="image")
    h = k.layers.Conv2D(2, 2, use_bias=False, name="conv")(x)
    h = k.layers.ReLU(name="relu")(k.layers.BatchNormalization(name="norm", momentum=0.5)(h))
    h = k.layers.Conv2D(2, 2, name="second")(h)
    h = k.layers.BatchNormalization(name="norm_2", momentum=0.5)(h)
    h = k.layers.GlobalAveragePooling2D(name="pool")(h)
    h = k.layers.Dropout(0.0, name="drop")(h)
    return k.models.Model(x, k.layers.Dense(3, name="old_head")(h), name="base")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("transfer") / "base.keras"
    model = learned(edgeling)
    model.set_weights([DRAWN.uniform(0.2, 1.0, size=w.shape) for w in model.weights])
    model.save(path)
    return path


def called(k: Any, base: Any) -> Any:
    x = k.layers.Input(SHAPE, name="new")
    return k.models.Model(x, k.layers.Dense(2, name="head")(base(x, training=False)), name="whole")


def cut(k: Any, base: Any) -> Any:
    return k.models.Model(base.input, k.layers.Dense(2, name="head")(base.layers[-2].output), name="whole")


def chained(k: Any, base: Any) -> Any:
    return k.models.Sequential([base, k.layers.Dense(2, name="head")], name="whole")


def thrice(k: Any, base: Any) -> Any:
    features = k.models.Model(base.input, base.get_layer("pool").output, name="features")
    x = k.layers.Input(SHAPE, name="new")
    inner = k.models.Model(x, k.layers.Dense(3, activation="tanh", name="mixed")(features(x)), name="inner")
    return k.models.Sequential([inner, k.layers.Dense(2, name="head")], name="whole")


def everything(base: Any) -> None:
    base.trainable = False


def the_first_layers(base: Any) -> None:
    for layer in base.layers[:4]:
        layer.trainable = False


def all_but_the_last(base: Any) -> None:
    base.trainable = False
    base.get_layer("second").trainable = base.get_layer("norm_2").trainable = True


def the_statistics(base: Any) -> None:
    base.trainable = False
    base.trainable = True
    base.get_layer("norm").trainable = base.get_layer("norm_2").trainable = False


CASES: list[tuple[Callable[[Any, Any], Any], Callable[[Any], None]]] = [
    (called, everything), (cut, the_statistics), (chained, the_first_layers), (thrice, all_but_the_last),
]  # fmt: skip


def paths(weights: Any) -> list[str]:
    return [weight.path for weight in weights]


@pytest.mark.parametrize(("head", "freeze"), CASES, ids=[f"{a.__name__}-{b.__name__}" for a, b in CASES])
def test_it_is_kerass_frozen_and_thawed(head: Any, freeze: Any, file: Path, tmp_path: Path) -> None:
    bases = keras.models.load_model(file), load_model(file)
    for base in bases:
        freeze(base)
    theirs, ours = head(keras, bases[0]), head(edgeling, bases[1])
    ours.set_weights(theirs.get_weights())
    assert paths(ours.trainable_weights) == paths(theirs.trainable_weights)
    assert paths(ours.non_trainable_weights) == paths(theirs.non_trainable_weights)
    allowed = training_bounds(ours, lambda model: tuned(edgeling, model), samples=4)
    expected = tuned(keras, theirs)
    assert_within(allowed, [*tuned(edgeling, ours), *ours.get_weights()], [*expected, *theirs.get_weights()])
    assert paths(ours.trainable_weights) == paths(theirs.trainable_weights)
    freeze(bases[1])
    ours.save(tmp_path / "ours.keras")
    back, again = keras.models.load_model(tmp_path / "ours.keras"), load_model(tmp_path / "ours.keras")
    require_same_answers(ours, back, X)
    trained = [[path.split("/")[-2:] for path in paths(one.trainable_weights)] for one in (ours, back, again)]
    assert trained[0] == trained[1] == trained[2]


def tuned(k: Any, model: Any) -> list[Any]:
    """Losses and weights of steps as it is, then of finer ones with everything thawed."""
    found = []
    for optimizer, thaws in ((k.optimizers.SGD(0.05, momentum=0.9), False), (k.optimizers.SGD(1e-3), True)):
        model.trainable = model.trainable or thaws
        for layer in model.layers if thaws else ():
            layer.trainable = True
        model.compile(optimizer, "mse", run_eagerly=k is keras)
        losses = [np.ravel(model.train_on_batch(X, Y)) for _ in range(2)]
        found += [*losses, *map(np.copy, model.get_weights())]
    return found


def test_a_frozen_batch_normalization_answers_alike_while_it_trains(file: Path) -> None:
    base = load_model(file)
    statistics = base.get_layer("norm").moving_mean.numpy()
    assert not np.array_equal(base(X, training=True), base(X))
    assert not np.array_equal(statistics, base.get_layer("norm").moving_mean.value)
    base.trainable = False
    statistics = base.get_layer("norm").moving_mean.numpy()
    require_rows(inference_graph(base), base(X, training=True), X)
    np.testing.assert_array_equal(statistics, base.get_layer("norm").moving_mean.value)


class Frozen(layers.Layer):
    """Calls a layer as if nothing trained."""

    def __init__(self, within: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.within = within

    def call(self, x: Any) -> Any:
        return self.within(x, training=False)


def test_a_layer_of_ones_own_says_that_what_it_calls_does_not_train() -> None:
    norm = layers.BatchNormalization()
    model = Sequential([layers.Input((3,)), Frozen(norm), layers.Dense(1)])
    rows = np.arange(12, dtype=np.float32).reshape(4, 3)
    model.compile("sgd", "mse")
    model.fit(rows, rows[:, :1], verbose=0)
    np.testing.assert_array_equal(norm.moving_mean.value, np.zeros(3))
    assert norm.gamma in model.trainable_weights


def around(k: Any) -> list[Any]:
    return [
        k.layers.TimeDistributed(k.layers.BatchNormalization(name="norm"), name="each"),
        k.layers.Bidirectional(k.layers.LSTM(2, return_sequences=True, name="lstm"), name="both"),
        k.layers.GRU(2, trainable=False, name="gru"),
    ]


def test_what_layers_are_made_of_is_frozen_with_them() -> None:
    def paths_of(k: Any) -> list[list[str]]:
        held = around(k)
        model = k.models.Sequential([k.layers.Input((4, 3)), *held], name="m")
        found = [paths(model.trainable_weights)]
        held[0].trainable = False
        held[1].forward_layer.trainable = False
        held[2].trainable = True
        return [*found, paths(model.trainable_weights), paths(held[0].trainable_weights)]

    assert paths_of(edgeling) == paths_of(keras)


def test_a_base_of_ours_stays_frozen_and_is_proven() -> None:
    base = edgeling.applications.ds_cnn(input_shape=(12, 6, 1), classes=3, filters=4, blocks=1)
    base.trainable = False
    x = layers.Input((12, 6, 1))
    body = Model(base.input, base.layers[-2].output)
    model = Model(x, layers.Dense(2, activation="softmax")(body(x)))
    before = base.get_weights()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(DRAWN.normal(size=(8, 12, 6, 1)), np.arange(8) % 2, verbose=0)
    assert all(map(np.array_equal, before, base.get_weights()))
    assert edgeling.verify(model, target="native").matches


def test_a_model_that_is_frozen_as_a_whole_is_judged_and_moves_nothing() -> None:
    model = Sequential([layers.Input((3,)), layers.BatchNormalization(), layers.Dense(1)])
    model.trainable = False
    before = model.get_weights()
    model.compile("sgd", "mse")
    history = model.fit(np.ones((4, 3)), np.ones((4, 1)), verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert all(map(np.array_equal, before, model.get_weights()))
