# SPDX-License-Identifier: Apache-2.0
"""Models that are classes with ``call``: Keras's answers, steps and files both ways; what cannot be is refused."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgeling
from edgeling import callbacks, layers, ops, optimizers
from edgeling.errors import DataError, EdgelingError, UnsupportedError
from edgeling.models import Functional, Model, Sequential, clone_model, load_model, model_from_json
from tests.support.rounding import require_same_answers

ROWS = 12
Classes = dict[str, Any]


def classes_of(k: Any) -> Classes:
    """The same classes in Keras's names: of Keras, and here."""

    class Block(k.layers.Layer):
        def __init__(self, units: int, **how: Any) -> None:
            super().__init__(**how)
            self.units, self.hidden, self.norm = units, k.layers.Dense(units), k.layers.BatchNormalization()

        def call(self, x: Any, training: Any = None) -> Any:
            return self.norm(self.hidden(x), training=training)

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "units": self.units}

    class Everywhere(k.Model):
        """Layers in lists, mappings, models, shared, private; a weight of its own; two inputs and outputs by names."""

        def __init__(self, units: int = 3, **how: Any) -> None:
            super().__init__(**how)
            self.units = units
            self.z = k.layers.Dense(units)
            self.blocks = [k.layers.Dense(4), [k.layers.Dense(4, activation="tanh")], Block(4)]
            self.by_name = {"q": k.layers.Dense(4), "a": k.layers.Dense(4)}
            self.middle = k.Sequential([k.layers.Dense(4), k.layers.BatchNormalization(), k.layers.Dense(4)])
            self.again, self._last = self.blocks[0], k.layers.Dense(4)
            inner = k.layers.Input((4,))
            self.graph = k.Model(inner, k.layers.Dense(4)(k.layers.Dense(3, activation="relu")(inner)))
            self.w = self.add_weight(shape=(4,), name="w", initializer="ones")

        def call(self, x: Any, training: Any = None) -> Any:
            h = self.blocks[0](x["u"]) + self.again(x["v"])
            h = self.blocks[2](self.blocks[1][0](h), training=training)
            h = self.by_name["q"](h) + self.by_name["a"](h)
            h = self.graph(self.middle(h, training=training) * self.w)
            return {"p": self.z(self._last(h)), "q": h}

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "units": self.units}

    class Graph(k.Model):
        """Inputs and outputs, made in its constructor."""

        def __init__(self, units: int = 3, **how: Any) -> None:
            x = k.layers.Input((5,))
            super().__init__(x, k.layers.Dense(units)(k.layers.Dense(4, activation="tanh")(x)), **how)

    class Plain(k.Model):
        """Nothing but a name."""

    return {"Block": Block, "Everywhere": Everywhere, "Graph": Graph, "Plain": Plain}


OURS = classes_of(edgeling)


class Classifier(Model):
    """As in a first program."""

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.hidden = [layers.Dense(8, activation="relu") for _ in range(2)]
        self.drop, self.answer = layers.Dropout(0.5), layers.Dense(classes, activation="softmax")

    def call(self, x: Any, training: Any = None) -> Any:
        for layer in self.hidden:
            x = layer(x)
        if training:
            x = self.drop(x, training=training)
        return self.answer(x)


def rows(seed: int = 0, count: int = ROWS, features: int = 5) -> Any:
    return np.random.default_rng(seed).normal(size=(count, features)).astype(np.float32)


def data() -> tuple[Any, Any]:
    return {"u": rows(1), "v": rows(2)}, {"p": rows(3, features=4), "q": rows(4, features=4)}


@pytest.mark.keras
def test_answers_steps_and_files_are_kerass(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    from tests.training.keras_pairs import assert_same_step

    keras.utils.set_random_seed(1)
    theirs, (x, y) = classes_of(keras)["Everywhere"](4), data()
    losses, metrics = {"p": "mse", "q": "mae"}, {"p": ["mae"], "q": ["mse"]}
    theirs.compile(keras.optimizers.SGD(0.05), losses, metrics=metrics, run_eagerly=True)
    theirs.train_on_batch(x, y)
    theirs.save(tmp_path / "theirs.keras")
    ours = load_model(tmp_path / "theirs.keras", custom_objects=OURS)
    assert [type(layer).__name__ for layer in ours.layers] == [type(layer).__name__ for layer in theirs.layers]
    require_same_answers(ours, theirs, x)
    assert_same_step(theirs, ours, x, y)

    ours.save(tmp_path / "ours.keras")
    back = keras.models.load_model(tmp_path / "ours.keras", custom_objects=classes_of(keras))
    require_same_answers(ours, back, x)
    ours.save_weights(tmp_path / "ours.weights.h5")
    theirs.load_weights(tmp_path / "ours.weights.h5")
    require_same_answers(ours, theirs, x)


@pytest.mark.keras
@pytest.mark.parametrize("name", ["Everywhere", "Graph", "Plain"])
def test_as_part_of_a_model_and_as_functional_ones_in_files(name: str, tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")

    def made(k: Any, classes: Classes) -> Any:
        if name == "Graph":
            return classes[name](2)
        x = k.layers.Input((5,), name="x")
        if name == "Plain":
            return classes[name](x, k.layers.Dense(2)(x))
        both = classes[name](2)({"u": x, "v": 2 * x})
        return k.models.Model(x, k.layers.Concatenate()([both["p"], both["q"]]))

    theirs, classes = made(keras, classes_of(keras)), classes_of(keras)
    if name == "Graph":  # Keras's own configuration forgets what the constructor was told
        theirs = classes[name]()
    theirs.save(tmp_path / "theirs.keras")
    ours = load_model(tmp_path / "theirs.keras", custom_objects=OURS)
    require_same_answers(ours, theirs, rows())
    ours.save(tmp_path / "ours.keras")
    require_same_answers(ours, keras.models.load_model(tmp_path / "ours.keras", custom_objects=classes), rows())
    assert isinstance(made(edgeling, classes_of(edgeling)), Functional)


def test_all_that_a_model_can() -> None:
    model = Classifier()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    assert not model.built
    assert len(model.layers) == 4
    x, y = rows(count=40), np.arange(40) % 3
    history = model.fit(x, y, epochs=2, validation_split=0.2, verbose=0).history
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} == history.keys()
    assert (model.input_shape, model.output_shape, model.count_params()) == ((None, 5), (None, 3), 48 + 72 + 27)
    np.testing.assert_array_equal(model(x), model.predict(x))
    assert len(model.evaluate(x, y, verbose=0)) == 2
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    assert any("(None, 3)" in line for line in lines)
    for twin in (copy.deepcopy(model), model_from_json(model.to_json(), custom_objects={"Classifier": Classifier})):
        twin.set_weights(model.get_weights())
        np.testing.assert_array_equal(twin.predict(x), model.predict(x))
    fresh = clone_model(model)
    assert [w.shape for w in fresh.weights] == [w.shape for w in model.weights]
    model.hidden[0].trainable = False
    before = model.get_weights()
    model.train_on_batch(x, y)
    moved = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert moved == [False, False, True, True, True, True]
    model.trainable = False
    assert not model.answer.trainable
    assert model.trainable_weights == []


def test_a_fit_is_diagnosed_and_tried_again() -> None:
    class Line(Model):
        def __init__(self) -> None:
            super().__init__()
            self.answer = layers.Dense(1)

        def call(self, x: Any) -> Any:
            return self.answer(x)

    model, x, diagnosis = Line(), rows(count=400), callbacks.Diagnose()
    model.compile(optimizers.SGD(1e-6), "mse")
    model.fit(x, x @ np.arange(5), epochs=6, verbose=0, callbacks=[diagnosis])
    assert [finding.name for finding in diagnosis.findings] == ["learning_rate_too_small"]


def test_it_is_proven_on_a_chip_as_what_it_computes() -> None:
    model = Classifier()
    model.build((None, 5))
    x = rows(count=8)
    assert edgeling.verify(model, target="cortex-m4", rows=x).matches
    chain = Sequential([layers.Input((5,)), *model.hidden, model.answer])
    np.testing.assert_array_equal(chain.predict(x), model.predict(x))


def test_inputs_and_outputs_stand_as_call_has_them() -> None:
    class Pair(Model):
        def __init__(self) -> None:
            super().__init__()
            self.hidden = layers.Dense(4)

        def call(self, both: Any) -> Any:
            first, second = both
            return self.hidden(first), [2 * self.hidden(second)]

    model, x = Pair(), rows()
    model.compile("sgd", "mse")
    history = model.fit([x, 2 * x], [rows(1, features=4), rows(2, features=4)], verbose=0).history
    assert list(history) == ["loss", "output_1_loss", "output_2_loss"]
    one, (other,) = model.predict([x, x])
    np.testing.assert_array_equal(other, 2 * one)
    assert model.input_shape == [(None, 5), (None, 5)]
    assert model.output_shape == ((None, 4), [(None, 4)])


def test_lengths_that_come_later() -> None:
    class Words(Model):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.memory = layers.Embedding(9, 4, mask_zero=True), layers.GRU(3)

        def call(self, x: Any) -> Any:
            return self.memory(self.table(x))

    model, words = Words(), np.array([[3, 4, 5, 0, 0], [1, 2, 3, 4, 5]])
    answers = model.predict(words)
    np.testing.assert_array_equal(model.predict(words[:1, :3]), answers[:1])
    assert model.input_shape == (None, None)


def test_a_build_of_ones_own_runs_once() -> None:
    class Built(Model):
        def build(self, input_shape: Any) -> None:
            self.kernel = self.add_weight((input_shape[-1], 2), name="kernel")
            super().build(input_shape)

        def call(self, x: Any) -> Any:
            return ops.matmul(x, self.kernel)

    model = Built()
    model.build((None, 5))
    model.build((None, 5))
    assert [weight.shape for weight in model.weights] == [(5, 2)]
    assert model.predict(rows()).shape == (ROWS, 2)

    class Line(layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.slope = self.add_weight((input_shape[-1],), "ones")

        def call(self, x: Any) -> Any:
            return self.slope * x

    line = Line()
    line.build((None, 5))
    line(rows())
    assert len(line.weights) == 1


def test_training_may_be_told() -> None:
    class Frozen(Model):
        def __init__(self) -> None:
            super().__init__()
            self.norm = layers.BatchNormalization()

        def call(self, x: Any) -> Any:
            return self.norm(x, training=False)

    model, x = Frozen(), rows()
    model.compile("sgd", "mse")
    model.fit(x, x, verbose=0)
    np.testing.assert_array_equal(model.norm.moving_mean.numpy(), np.zeros(5))


FREE = [
    "network", "chain", "calls", "ends", "forms", "met", "called_layers", "in_order", "added", "prepare", "restore",
    "resume", "judge_by", "made_for", "steps_on", "keep", "make", "encoder", "loss_fn", "body", "head",
]  # fmt: skip


def test_names_that_keras_leaves_are_free() -> None:
    """Of attributes and of methods, in a model and in a layer."""

    def told(self: Any) -> float:
        return 2.0

    def begun(self: Any) -> None:
        super(type(self), self).__init__()
        for name in FREE:
            setattr(self, name, Sequential([layers.Dense(2)]))

    def call(self: Any, x: Any) -> Any:
        return sum(getattr(self, name)(x) for name in FREE)

    def doubled(self: Any, x: Any) -> Any:
        return self.told() * self.inner(x)

    for kind in (Model, layers.Layer):
        inner: Any = type("Inner", (kind,), {"__init__": begun, "call": call})
        methods = dict.fromkeys([*FREE, "told"], told)
        outer: Any = type("Outer", (Model,), {**methods, "call": doubled})()
        outer.inner = inner()
        outer.compile("sgd", "mse")
        outer.fit(rows(), rows(features=2), verbose=0)
        assert (len(outer.weights), outer.predict(rows()).shape) == (2 * len(FREE), (ROWS, 2))
        assert all(getattr(outer, name)() == outer.told() for name in FREE)


def without_call() -> Any:
    return type("Silent", (Model,), {})()


def without_super() -> Any:
    class Eager(Model):
        def __init__(self) -> None:
            self.hidden = layers.Dense(2)

        def call(self, x: Any) -> Any:
            return self.hidden(x)

    return Eager()


def calling(call: Callable[..., Any]) -> Callable[[], Any]:
    return type("Mine", (Model,), {"call": call})


def hiding(model: Any, x: Any) -> Any:
    """A layer where nobody looks."""
    model.held = {layers.Dense(2)}
    return next(iter(model.held))(x)


WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "no call": (without_call, "Silent without call"),
    "no super": (without_super, r"super\(\).__init__\(\)"),
    "a layer each time": (calling(lambda self, x: layers.Dense(2)(x)), "self.hidden = Dense"),
    "a layer in a set": (calling(hiding), "attributes"),
    "nothing": (calling(lambda self, x: None), "received None"),
    "an array": (calling(lambda self, x: np.zeros((3, 2))), "Mine"),
    "python's if": (calling(lambda self, x: x if ops.sum(x) > 0 else -x), "ops.where"),
    "numpy": (calling(lambda self, x: np.tanh(x)), "edgeling.ops.tanh"),
    "a name that is taken": (calling(lambda self, x: setattr(self, "layers", x)), "self.my_layers"),
    "all rows": (calling(lambda self, x: x - ops.mean(x, axis=0)), "for itself"),
    "training where it answers": (calling(lambda self, x: layers.Dropout(0.5)(x, training=True)), "training=training"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_cannot_be_says_what_to_do(wrong: str) -> None:
    make, message = WRONG[wrong]

    def trained() -> None:
        model = make()
        model.compile("sgd", "mse")
        model.fit(rows(), rows(features=2), verbose=0)

    with pytest.raises(EdgelingError, match=message):
        trained()


def test_rows_of_another_shape_and_two_ways_at_once() -> None:
    model = Classifier()
    model.build((None, 5))
    with pytest.raises(DataError, match="5 features"):
        model.predict(rows(features=4))
    with pytest.raises(UnsupportedError, match="a new model"):
        model.build((None, 4))
    with pytest.raises(UnsupportedError, match="build"):
        _ = Classifier().input_shape

    class Both(Model):
        def __init__(self) -> None:
            x = layers.Input((3,))
            super().__init__(x, layers.Dense(2)(x))

        def call(self, x: Any) -> Any:
            return x

    with pytest.raises(UnsupportedError, match="Both with both"):
        Both()
    with pytest.raises(UnsupportedError, match="train_step"):
        type("Loop", (Model,), {"train_step": lambda self, batch: {}})
