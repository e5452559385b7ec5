# SPDX-License-Identifier: Apache-2.0
"""What comes after an optimizer's rule, and penalties on what layers give, against Keras: constraints, moving averages,
activity regularizers; with files both ways."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from edgeling import constraints, layers, ops, optimizers, regularizers  # noqa: E402
from edgeling.callbacks import SwapEMAWeights  # noqa: E402
from edgeling.errors import EdgelingError, TrainingError, UnsupportedError  # noqa: E402
from edgeling.graph import GraphBuilder  # noqa: E402
from edgeling.models import Sequential, load_model  # noqa: E402
from tests.support.rounding import graph_bounds, training_bounds  # noqa: E402
from tests.training.keras_pairs import (  # noqa: E402
    assert_same_fit,
    assert_same_step,
    assert_within,
    compile_both,
    network,
    rows,
    twin,
)

pytestmark = pytest.mark.keras
L, C, R = keras.layers, keras.constraints, keras.optimizers
CONSTRAINTS: dict[str, Callable[[Any], Any]] = {
    "max_norm": lambda k: k.constraints.MaxNorm(0.7),
    "max_norm, all axes": lambda k: k.constraints.MaxNorm(1, axis=[0, 1]),
    "non_neg": lambda k: k.constraints.NonNeg(),
    "unit_norm": lambda k: k.constraints.UnitNorm(axis=-1),
    "min_max_norm": lambda k: k.constraints.MinMaxNorm(0.5, 1.0, rate=0.7, axis=1),
}


class OURS:
    constraints = constraints


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_a_constraint_gives_what_kerass_gives(name: str) -> None:
    theirs, ours = CONSTRAINTS[name](keras), CONSTRAINTS[name](OURS)
    weight = rows(2, 4, 3) * [[1.0], [0.0], [3.0], [1e-4]]
    expected = np.asarray(theirs(weight.astype(np.float32)))
    builder = GraphBuilder("constraint")
    graph = builder.build([ours.trace(builder, builder.input("w", weight.shape))])
    bound = graph_bounds(graph, [weight.astype(np.float32)])[0]
    bound.require(expected, "Keras")
    bound.require(ours(weight), "Edgeling")
    assert constraints.get({"class_name": type(theirs).__name__, "config": theirs.get_config()}) == ours
    assert ours.get_config() == theirs.get_config()


STEPS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "constraints": lambda: (
        network(
            L.Dense(3, "tanh", kernel_constraint=C.MaxNorm(0.5), bias_constraint=C.MinMaxNorm(0.1, 0.2, 0.9)),
            L.Dense(2, kernel_constraint=C.UnitNorm(), activity_regularizer="l2"),
        ),
        R.SGD(0.3, momentum=0.9),
    ),
    "averages, steps of several batches": lambda: (
        network(L.Dense(2, kernel_constraint=C.MinMaxNorm(0.5, 1, 0.7))),
        R.SGD(0.1, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=2, gradient_accumulation_steps=2),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STEPS)
def test_steps_are_kerass_and_files_go_both_ways(name: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(3)
    model, rule = STEPS[name]()
    ours, x, y = twin(model), rows(0), rows(1, features=2)
    compile_both(model, ours, rule, "mse")
    assert_same_step(model, ours, x, y)
    assert_same_fit(model, ours, x, y, epochs=2, batch_size=5, shuffle=False, verbose=0)
    ours.save(tmp_path / "ours.keras")
    model.save(tmp_path / "theirs.keras")
    theirs, mine = keras.models.load_model(tmp_path / "ours.keras"), load_model(tmp_path / "theirs.keras")
    assert {name: value.shape for name, value in mine.optimizer_state.items()} == {
        name: value.shape for name, value in ours.optimizer_state.items()
    }
    theirs.compile(theirs.optimizer, "mse", run_eagerly=True)
    theirs.set_weights(mine.get_weights())
    for one, other in zip(theirs.optimizer.variables, model.optimizer.variables, strict=True):
        one.assign(other)
    assert_same_step(theirs, mine, x, y)


X = np.random.default_rng(5).normal(size=(4, 3, 2)).astype(np.float32)
EVERYWHERE: dict[str, Callable[[], list[Any]]] = {
    "convolutions": lambda: [
        L.Conv1D(2, 2, kernel_constraint=C.MaxNorm(0.5), bias_constraint="non_neg", activity_regularizer="l2"),
        L.DepthwiseConv1D(2, depthwise_constraint="unit_norm"), L.PReLU(alpha_constraint="non_neg"),
    ],
    "loops": lambda: [
        L.Bidirectional(L.SimpleRNN(
            2, kernel_constraint="unit_norm", recurrent_constraint="max_norm", activity_regularizer="l2",
        )),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", EVERYWHERE)
def test_every_layer_takes_them(name: str) -> None:
    keras.utils.set_random_seed(4)
    model = keras.Sequential([L.Input((3, 2)), *EVERYWHERE[name](), L.Flatten()])
    ours, y = twin(model), rows(1, 4, model.output_shape[1])
    compile_both(model, ours, R.SGD(0.1), "mse")
    assert_same_step(model, ours, X, y)
    assert Sequential.from_config(ours.get_config()).get_config() == ours.get_config()


@pytest.mark.parametrize("shared", [(), (1,)], ids=["", "and, shared, its own output too"])
def test_attention_penalises_what_each_projection_gives(shared: tuple[int, ...]) -> None:
    keras.utils.set_random_seed(4)
    x, kind = L.Input((3, 2)), L.GroupQueryAttention if shared else L.MultiHeadAttention
    model = keras.Model(x, kind(2, 2, *shared, use_gate=True, activity_regularizer="l2")(x, x))
    ours = twin(model)
    ours.compile("sgd", "mse")
    y = X[::-1]
    error = np.mean(np.square(np.asarray(model(X)) - y))
    bound = training_bounds(ours, lambda twin: [twin.evaluate(X, y, verbose=0)])[0]
    bound.require(error + float(sum(model.losses)), "Keras")
    bound.require(ours.evaluate(X, y, verbose=0), "Edgeling")


def test_averages_are_swapped_as_in_keras() -> None:
    def fitted(k: Any, callback: Any, model: Any) -> Any:
        model.compile(k.SGD(0.2, use_ema=True, ema_momentum=0.6), "mse")
        how = {"validation_data": (x, y), "callbacks": [callback(True)], "verbose": 0, "shuffle": False}
        return model.fit(x, y, epochs=2, batch_size=4, **how).history["val_loss"]

    x, y = rows(0), rows(1, features=2)
    model = network(L.Dense(2))
    ours = twin(model)
    bounds = training_bounds(ours, lambda twin: fitted(optimizers, SwapEMAWeights, twin))
    theirs = fitted(R, keras.callbacks.SwapEMAWeights, model)
    mine = fitted(optimizers, SwapEMAWeights, ours)
    assert_within(bounds, [*mine, *ours.get_weights()], [*theirs, *model.get_weights()])


def test_weights_of_ones_own_are_kept_to_theirs() -> None:
    class Scale(layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.scale = self.add_weight((3,), "ones", constraint=constraints.NonNeg())

        def call(self, x: Any) -> Any:
            return x * self.scale

    model = Sequential([layers.Input((3,)), Scale()])
    model.compile(optimizers.SGD(5.0), "mse")
    model.fit(rows(0, 12, 3), -rows(0, 12, 3), epochs=3, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], 0)


class Shifted(regularizers.L2):
    """One that goes on from a built-in one's."""

    def __call__(self, x: Any) -> Any:
        return super().__call__(x) + 1.0


class Halved(constraints.NonNeg):
    def __call__(self, w: Any) -> Any:
        return super().__call__(w) * 0.5


def test_rules_of_ones_own_go_on_from_built_in_ones() -> None:
    layer = layers.Dense(3, kernel_regularizer=Shifted(), kernel_constraint=Halved())
    model = Sequential([layers.Input((2,)), layer])
    model.compile("sgd", "mse")
    x, begun = rows(0, 4, 2), layer.get_weights()
    y = rows(0, 4, 3)
    bound = training_bounds(model, lambda twin: [twin.evaluate(x, y, verbose=0)])[0]
    error = np.mean(np.square(x.astype(np.float64) @ begun[0] + begun[1] - y))
    bound.require(error + regularizers.L2()(begun[0]) + 1, "by hand")
    bound.require(model.evaluate(x, y, verbose=0), "Edgeling")
    model.compile(optimizers.SGD(0.0), "mse")
    model.fit(x, y, verbose=0)
    np.testing.assert_array_equal(layer.get_weights()[0], np.maximum(begun[0], 0) * np.float32(0.5))


class Nearly(constraints.Constraint):
    """Weights go towards columns of one length."""

    k: Any = ops

    def __init__(self, share: float = 0.5) -> None:
        self.share = share

    def __call__(self, w: Any) -> Any:
        norm = self.k.sqrt(self.k.sum(self.k.square(w), axis=0, keepdims=True))
        return self.share * w / (norm + 0.1) + (1 - self.share) * w

    def get_config(self) -> dict[str, Any]:
        return {"share": self.share}


class Fourth(regularizers.Regularizer):
    k: Any = ops

    def __init__(self, factor: float = 0.1) -> None:
        self.factor = factor

    def __call__(self, x: Any) -> Any:
        return self.factor * self.k.sum(self.k.square(self.k.square(x)))

    def get_config(self) -> dict[str, Any]:
        return {"factor": self.factor}


def kerass(kind: Any, base: Any) -> Any:
    """The same for Keras, of the same name."""
    return type(kind.__name__, (base,), {**{k: vars(kind)[k] for k in ("__init__", "__call__", "get_config")},
                                         "k": keras.ops, "__module__": __name__})  # fmt: skip


def test_rules_of_ones_own_do_what_keras_does_and_files_go_both_ways(tmp_path: Path) -> None:
    keras.utils.set_random_seed(3)
    theirs = {"Nearly": kerass(Nearly, C.Constraint), "Fourth": kerass(Fourth, keras.regularizers.Regularizer)}
    mine = {"Nearly": Nearly, "Fourth": Fourth}
    model = network(L.Dense(2, kernel_constraint=theirs["Nearly"](0.3), kernel_regularizer=theirs["Fourth"](0.2)))
    model.save(tmp_path / "theirs.keras")
    ours, x, y = load_model(tmp_path / "theirs.keras", custom_objects=mine), rows(0), rows(1, features=2)
    compile_both(model, ours, R.SGD(0.1), "mse")
    assert_same_step(model, ours, x, y)
    ours.save(tmp_path / "ours.keras")
    again = keras.models.load_model(tmp_path / "ours.keras", custom_objects=theirs)
    back = load_model(tmp_path / "ours.keras", custom_objects=mine)
    for one, other, third in zip(ours.get_weights(), again.get_weights(), back.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one, third)
    assert back.get_config() == ours.get_config()
    with pytest.raises(EdgelingError, match="custom_objects"):
        load_model(tmp_path / "ours.keras")


class Narrow(constraints.Constraint):
    def __call__(self, w: Any) -> Any:
        return ops.sum(w, axis=0)


class Every(regularizers.Regularizer):
    def __call__(self, x: Any) -> Any:
        return ops.square(x)


def step(**rule: Any) -> None:
    model = Sequential([layers.Input((2,)), layers.Dense(3, **rule)])
    model.compile("sgd", "mse")
    model.fit(rows(0, 4, 2), rows(0, 4, 3), verbose=0)


BAD: list[tuple[Callable[[], Any], type[EdgelingError], str]] = [
    (lambda: layers.Dense(2, kernel_constraint="least_norm"), UnsupportedError, "constraint"),
    (lambda: constraints.MaxNorm(axis=2)(np.ones((2, 2))), UnsupportedError, "axis"),
    (lambda: constraints.MaxNorm("much"), UnsupportedError, "max_value"),
    (lambda: optimizers.SGD(use_ema=True, ema_momentum=2.0), UnsupportedError, "ema_momentum"),
    (lambda: optimizers.SGD(use_ema=True, ema_overwrite_frequency=-1), UnsupportedError, "ema_overwrite_frequency"),
    (lambda: constraints.Constraint()(np.ones(2)), UnsupportedError, "says what a weight becomes"),
    (lambda: step(kernel_constraint=Narrow()), UnsupportedError, "Narrow gives what a weight becomes"),
    (lambda: step(kernel_regularizer=Every()), UnsupportedError, "Every gives one number"),
    (lambda: step(activity_regularizer=Every()), UnsupportedError, "the regularizer Every gives one number"),
    (lambda: layers.LSTMCell(2, activity_regularizer="l2"), UnsupportedError, "activity_regularizer"),
]


@pytest.mark.parametrize(("make", "kind", "words"), BAD, ids=[words for _, _, words in BAD])
def test_what_cannot_be_is_refused_by_name(make: Callable[[], Any], kind: type[EdgelingError], words: str) -> None:
    with pytest.raises(kind, match=words):
        make()


def test_nothing_to_swap_is_told() -> None:
    model = Sequential([layers.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(TrainingError, match="use_ema"):
        model.fit(rows(0, 4, 2), rows(0, 4, 1), validation_split=0.5, callbacks=[SwapEMAWeights()], verbose=0)
