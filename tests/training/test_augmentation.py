# SPDX-License-Identifier: Apache-2.0
"""Images changed at random while a network trains: Keras's transformations, repeated by a seed, gone once deployed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeling import layers
from edgeling.errors import UnsupportedError
from edgeling.graph import GraphBuilder, run
from edgeling.graph.affine import AFFINES, FILLS
from edgeling.graph.random import AFFINE_STREAM, random_uniform
from edgeling.layers import Dense, Flatten, Input, RandomFlip, RandomRotation, RandomTranslation, RandomZoom
from edgeling.models import Sequential
from edgeling.network.network import inference_graph
from edgeling.utils import set_random_seed
from tests.support.close import require_close

ROWS, SHAPE = 6, (7, 9, 2)
Made = Callable[[Any], Any]  # of edgeling.layers, or of keras.layers
LAYERS: dict[str, Made] = {
    "translation": lambda L: L.RandomTranslation(0.4, (-0.1, 0.7), seed=3),
    "translation, constant": lambda L: L.RandomTranslation((0.2, 0.3), 0.0, "constant", fill_value=0.5, seed=1),
    "rotation": lambda L: L.RandomRotation(0.3, seed=5),
    "rotation, one way": lambda L: L.RandomRotation((0.1, 0.9), "wrap", seed=8),
    "zoom": lambda L: L.RandomZoom(0.5, seed=2),
    "zoom, apart": lambda L: L.RandomZoom((-0.3, 0.1), (0.2, 0.6), "nearest", seed=4),
    "flip": lambda L: L.RandomFlip(seed=6),
    "flip, horizontal": lambda L: L.RandomFlip("horizontal", seed=7),
    "flip, vertical": lambda L: L.RandomFlip("vertical", seed=9),
}
ALL = (
    lambda: RandomTranslation(0.1, 0.1), lambda: RandomRotation(0.05), lambda: RandomZoom(0.1), RandomFlip,
)  # fmt: skip


def images(seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=(ROWS, *SHAPE)).astype(np.float32)


def drawn_numbers(seed: int, step: int) -> Any:
    """What the layer draws for each image: [images, 2]."""
    return random_uniform(ROWS * 4, seed=seed, step=step, stream=AFFINE_STREAM).reshape(ROWS, 4)[:, :2]


@pytest.mark.keras
@pytest.mark.parametrize("name", LAYERS)
def test_keras_makes_the_same_of_the_same_random_numbers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own draws are replaced by ours; a place is rounded some dozen times, and the image changes with the place."""
    keras = pytest.importorskip("keras")
    ours, theirs, x = LAYERS[name](layers), LAYERS[name](keras.layers), images()
    got = ours(x, training=True)
    columns = iter(drawn_numbers(ours.seed, 1).T)

    def uniform(shape: Any, minval: float = 0.0, maxval: float = 1.0, **_: Any) -> Any:
        return np.asarray(minval + (maxval - minval) * next(columns), np.float32).reshape(shape)

    monkeypatch.setattr(theirs.backend.random, "uniform", uniform)
    expected = np.asarray(theirs(x, training=True))
    monkeypatch.undo()
    assert not np.array_equal(expected, x)
    assert expected.shape == got.shape
    steepest = 4 * np.abs(x).max() + 1  # the difference of neighbours, along either axis, fill values among them
    require_close(got, expected, roundings=32, of=np.full_like(got, steepest * max(SHAPE)))


@pytest.mark.keras
@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from(FILLS), st.booleans(), st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 6),
    st.integers(1, 3),
)  # fmt: skip
def test_any_affine_map_is_keras_s(
    fill: str, bilinear: bool, seed: int, height: int, width: int, channels: int
) -> None:
    """Maps and images of few bits: every place and weight is exact, so the nearest pixel is the same too."""
    ops = pytest.importorskip("keras").ops
    dice = np.random.default_rng(seed)
    x = dice.integers(-8, 8, (2, height, width, channels)).astype(np.float32)
    maps = (dice.integers(-24, 24, (2, 6)) / 8 + 1 / 64).astype(np.float32)
    b = GraphBuilder("g")
    y = b.add("affine_transform", b.input("x", x.shape), b.input("maps", (2, 6)), function=fill, bilinear=bilinear,
              fill_value=1.5)  # fmt: skip
    how = {"interpolation": "bilinear" if bilinear else "nearest", "fill_mode": fill, "fill_value": 1.5}
    expected = ops.image.affine_transform(x, np.pad(maps, ((0, 0), (0, 2))), data_format="channels_last", **how)
    np.testing.assert_array_equal(run(b.build([y]), [x, maps]).outputs[0], np.asarray(expected))


@pytest.mark.keras
@pytest.mark.parametrize("name", LAYERS)
def test_configurations_are_kerass_both_ways(name: str) -> None:
    keras = pytest.importorskip("keras")
    ours, theirs = LAYERS[name](layers), LAYERS[name](keras.layers)
    mine, other = ours.get_config(), theirs.get_config()
    assert {**mine, "name": "", "dtype": ""} == {**other, "name": "", "dtype": ""}
    assert type(ours).from_config(other).get_config() == {**mine, "name": theirs.name}
    assert type(theirs).from_config(mine).get_config()["seed"] == ours.seed


def network(*more: Any) -> Sequential:
    set_random_seed(0)
    model = Sequential([Input(SHAPE), *more, Flatten(), Dense(2)])
    model.compile("sgd", "mse")
    return model


def trained(make: Callable[[], Any], seed: int, batch_size: int = 4) -> list[Any]:
    model = network(make())
    set_random_seed(seed)
    model.fit(images(), np.ones((ROWS, 2)), epochs=2, batch_size=batch_size, verbose=0)
    return model.get_weights()


@pytest.mark.parametrize("make", ALL, ids=AFFINES)
def test_a_seed_repeats_a_fit_and_another_does_not(make: Callable[[], Any]) -> None:
    first, again, other = (trained(make, seed) for seed in (1, 1, 2))
    for one, same, different in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(one, same)
        assert not np.array_equal(one, different)


def test_a_layers_own_seed_outlives_that_of_the_fit() -> None:
    def seen(step: int, seed: int) -> Any:
        layer = RandomRotation(0.5, seed=seed)
        return [layer(images(), training=True) for _ in range(step)][-1]

    np.testing.assert_array_equal(seen(1, 3), seen(1, 3))
    assert not np.array_equal(seen(1, 3), seen(1, 4))
    assert not np.array_equal(seen(1, 3), seen(2, 3))


def test_every_image_is_changed_in_a_way_of_its_own() -> None:
    x = np.broadcast_to(images()[:1], (ROWS, *SHAPE))
    got = RandomTranslation(0.5, 0.5)(x, training=True)
    assert all(not np.array_equal(got[i], got[j]) for i in range(ROWS) for j in range(i))


def test_images_pass_as_they_are_when_the_network_answers_and_nothing_is_deployed() -> None:
    with_, without = network(*(make() for make in ALL)), network()
    with_.set_weights(without.get_weights())
    np.testing.assert_array_equal(with_.predict(images(), verbose=0), without.predict(images(), verbose=0))
    x, y = images(), np.ones((ROWS, 2))
    assert with_.evaluate(x, y, verbose=0) == without.evaluate(x, y, verbose=0)
    operations = [[node.operation for node in inference_graph(model).nodes] for model in (with_, without)]
    assert operations[0] == operations[1]


def test_gradients_go_back_through_the_same_transformation() -> None:
    """A layer that learns before it: its step is that of finite differences of the loss it reports."""
    layer = Dense(2, use_bias=False)

    def loss_and_step(kernel: Any) -> tuple[float, Any]:
        model = Sequential([Input(SHAPE), layer_of(kernel), RandomZoom(0.4, seed=1), Flatten(), summed()])
        model.compile("sgd", "mse")
        model.layers[0].set_weights([kernel])
        model.optimizer.learning_rate = 1.0
        loss = model.train_on_batch(images(), np.zeros((ROWS, 1)))
        return float(np.ravel(loss)[0]), kernel - model.layers[0].get_weights()[0]

    def layer_of(kernel: Any) -> Any:
        return Dense(kernel.shape[1], use_bias=False)

    def summed() -> Any:
        return Dense(1, use_bias=False, kernel_initializer="ones", trainable=False)

    kernel = np.float32([[0.5, -0.25], [0.125, 1.0]])
    loss, gradient = loss_and_step(kernel)
    assert layer.units == 2
    # The loss is a quadratic form of the kernel: k . dL/dk is twice the loss.
    magnitude = np.abs(images()).sum(axis=(1, 2, 3)).max() ** 2 * np.abs(kernel).max() ** 2 * 4
    require_close(float((kernel * gradient).sum()), 2 * loss, roundings=SHAPE[0] * SHAPE[1] * 8, of=magnitude)


BAD: dict[str, Callable[[], Any]] = {
    "height_factor": lambda: RandomTranslation(1.5, 0.1),
    "width_factor is a number or": lambda: RandomZoom(0.1, (0.1, 0.2, 0.3)),
    "height_factor is a number": lambda: RandomZoom(-1.0),
    "factor": lambda: RandomRotation("a"),
    "fill_mode is one of constant, nearest, reflect, wrap": lambda: RandomRotation(0.1, fill_mode="mirror"),
    "interpolation is one of nearest, bilinear": lambda: RandomRotation(0.1, interpolation="cubic"),
    "mode is one of": lambda: RandomFlip("sideways"),
    "seed": lambda: RandomFlip(seed=1.5),
    "channels come last": lambda: RandomFlip(data_format="channels_first"),
    "bounding_box_format": lambda: RandomFlip(bounding_box_format="xyxy"),
    "takes rows of shape": lambda: RandomFlip().build((None, 8, 3)),
}


@pytest.mark.parametrize("message", BAD)
def test_what_cannot_be_is_refused_by_name(message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        BAD[message]()
