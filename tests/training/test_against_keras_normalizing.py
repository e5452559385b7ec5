# SPDX-License-Identifier: Apache-2.0
"""Layers that normalise, encode, embed and disturb: Keras's outputs, gradients, configurations and files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

keras = pytest.importorskip("keras")

from edgeling import layers  # noqa: E402
from edgeling.errors import DataError, UnsupportedError  # noqa: E402
from edgeling.models import Sequential, load_model  # noqa: E402
from tests.support.close import require_close  # noqa: E402
from tests.support.rounding import require_same_answers  # noqa: E402
from tests.training.keras_pairs import assert_same_step, compile_both, twin  # noqa: E402

pytestmark = [pytest.mark.keras, pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask")]
L = keras.layers
ROW, STEPS, IMAGE = (6,), (5, 6), (4, 3, 6)
NEAR = keras.initializers.RandomNormal(1.0, 0.2, seed=3)

MADE: dict[str, tuple[tuple[int, ...], Callable[[], Any]]] = {
    "layer": (STEPS, L.LayerNormalization),
    "layer, axes": (IMAGE, lambda: L.LayerNormalization(axis=[1, -1], gamma_initializer=NEAR, beta_regularizer="l2")),
    "layer, one row": (ROW, lambda: L.LayerNormalization(epsilon=0.1, center=False)),
    "layer, other axis": (IMAGE, lambda: L.LayerNormalization(axis=2, scale=False, beta_initializer=NEAR)),
    "group": (IMAGE, lambda: L.GroupNormalization(3, gamma_initializer=NEAR, beta_initializer=NEAR)),
    "group, one": (STEPS, lambda: L.GroupNormalization(1, axis=-1, scale=False)),
    "group, each channel": (STEPS, lambda: L.GroupNormalization(-1, epsilon=0.01)),
    "group, other axis": (IMAGE, lambda: L.GroupNormalization(2, axis=1, gamma_initializer=NEAR)),
    "group, one row": (ROW, lambda: L.GroupNormalization(2)),
    "root mean square": (STEPS, L.RMSNormalization),
    "root mean square, axes": (IMAGE, lambda: L.RMSNormalization(axis=(2, 3), epsilon=0.1)),
    "unit": (STEPS, L.UnitNormalization),
    "unit, axes": (IMAGE, lambda: L.UnitNormalization(axis=[1, 2])),
    "batch, other axis": (IMAGE, lambda: L.BatchNormalization(axis=2, gamma_initializer=NEAR, momentum=0.7)),
    "batch, steps": (STEPS, lambda: L.BatchNormalization(axis=1, scale=False)),
    "normalization": (STEPS, lambda: L.Normalization(axis=1, mean=[0.1] * 5, variance=[2.0, 1, 3, 1, 0])),
    "normalization, one": (STEPS, lambda: L.Normalization(axis=None, mean=0.3, variance=2.0)),
    "normalization, inverted": (IMAGE, lambda: L.Normalization(axis=(1, 3), mean=2.0, variance=2.0, invert=True)),
    "normalization, two": (IMAGE, lambda: L.Normalization(axis=(1, 2), mean=[0.5, 1, 2], variance=[2.0, 3, 1])),
    "rescaled columns": (STEPS, lambda: L.Rescaling([1.0, 2, 3, 4, 5, 6], offset=[0.5] * 6)),
    "prelu": (STEPS, lambda: L.PReLU(alpha_initializer=NEAR, alpha_regularizer="l1")),
    "prelu, shared": (IMAGE, lambda: L.PReLU(alpha_initializer=NEAR, shared_axes=[1, 2])),
    "prelu, shared with channels": (IMAGE, lambda: L.PReLU(alpha_initializer=NEAR, shared_axes=[1, 3])),
    "softmax, steps": (STEPS, lambda: L.Softmax(axis=1)),
    "softmax, several": (IMAGE, lambda: L.Softmax(axis=[1, 3])),
    "relu to 2": (ROW, lambda: L.ReLU(max_value=2.0)),
    "relu to 1, leaky": (ROW, lambda: L.ReLU(max_value=1.0, negative_slope=0.3)),
    "relu from 0.5": (ROW, lambda: L.ReLU(threshold=0.5)),
    "relu of all three": (ROW, lambda: L.ReLU(max_value=1.5, negative_slope=0.2, threshold=0.4)),
    "activity": (STEPS, lambda: L.ActivityRegularization(0.03, 0.02)),
    "dropout of nothing": (STEPS, lambda: L.SpatialDropout1D(0.0)),
}


IN_FILES = {
    "layer, axes", "group", "root mean square", "unit", "batch, steps", "normalization, two", "rescaled columns",
    "prelu", "softmax, several", "relu of all three", "activity", "dropout of nothing",
}  # fmt: skip


def data(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng([seed, *shape]).normal(size=(6, *shape)).astype(np.float32)


def require_same(row: tuple[int, ...], *made: Any, x: Any = None, folder: Path | None = None) -> None:
    """Outputs, gradients, the layers' own configuration; and files both ways."""
    keras.utils.set_random_seed(4)
    model = keras.Sequential([L.Input(row), *made, L.Flatten(), L.Dense(2)])
    ours, x = twin(model), data(*row) if x is None else x
    assert [layer.output_shape for layer in ours.layers] == [tuple(layer.output.shape) for layer in model.layers]
    require_same_answers(ours, model, x)
    compile_both(model, ours, keras.optimizers.SGD(0.1), "mse")
    assert_same_step(model, ours, x, data(2, seed=1))
    if folder:
        require_files(model, ours, x, folder)


def require_files(model: Any, ours: Any, x: Any, folder: Path) -> None:
    ours.save(folder / "ours.keras")
    require_same_answers(ours, keras.models.load_model(folder / "ours.keras"), x)
    model.save(folder / "theirs.keras")
    require_same_answers(load_model(folder / "theirs.keras"), model, x)


@pytest.mark.parametrize("name", MADE)
def test_a_layer_has_kerass_outputs_gradients_and_files(name: str, tmp_path: Path) -> None:
    row, make = MADE[name]
    require_same(row, make(), folder=tmp_path if name in IN_FILES else None)


CODES = np.random.default_rng(0).integers(0, 4, (6, 3)).astype(np.float32)


@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
@pytest.mark.parametrize("width", [1, 3])
def test_categories_become_columns(mode: str, width: int, tmp_path: Path) -> None:
    require_same((width,), L.CategoryEncoding(4, mode), x=CODES[:, :width], folder=tmp_path)


def test_numbers_may_count_differently(tmp_path: Path) -> None:
    codes, weights = L.Input((3,)), L.Input((3,))
    theirs = keras.Model([codes, weights], L.CategoryEncoding(4, output_mode="count")(codes, count_weights=weights))
    theirs.save(tmp_path / "counted.keras")
    ours, given = load_model(tmp_path / "counted.keras"), [CODES, CODES[::-1] / 4]
    np.testing.assert_array_equal(ours.predict(given), theirs.predict(given, verbose=0))  # sums of quarters


@pytest.mark.parametrize("mode", ["int", "one_hot", "multi_hot", "count"])
def test_ranges_become_numbers_and_columns(mode: str, tmp_path: Path) -> None:
    x = np.float32([[-1, 0, 0.5], [0.4999, 2, 9], [0.5, 0.5, 0.5], [1, 2, 3], [-9, 5, 2], [0, 0, 0]])
    require_same((3,), L.Discretization([0.0, 0.5, 2.0], output_mode=mode), x=x, folder=tmp_path)


@settings(max_examples=15)
@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=300), st.integers(1, 9), st.integers(1, 4),
       st.sampled_from([0.01, 0.1, 0.3]))  # fmt: skip
def test_boundaries_are_adapted_as_kerass(values: list[float], bins: int, parts: int, epsilon: float) -> None:
    batches = [part for part in np.array_split(np.float32(values), parts) if part.size]
    theirs, ours = (
        L.Discretization(num_bins=bins, epsilon=epsilon),
        layers.Discretization(num_bins=bins, epsilon=epsilon),
    )
    theirs.reset_state()
    for batch in batches:  # as adapt does, which imports TensorFlow
        theirs.update_state(batch[:, None])
    theirs.finalize_state()
    ours.adapt([batch[:, None] for batch in batches])
    np.testing.assert_array_equal(ours.bin_boundaries, theirs.bin_boundaries)
    read = layers.Discretization.from_config({**theirs.get_config(), "dtype": "float32"})
    assert read.bin_boundaries == theirs.bin_boundaries


@pytest.mark.parametrize("axis", [None, -1, 1, (1, 3), (1, 2, 3)], ids=str)
def test_moments_of_any_axes_are_adapted_as_kerass(axis: Any) -> None:
    x = data(*IMAGE)
    theirs, ours = L.Normalization(axis=axis), layers.Normalization(axis=axis)
    theirs.adapt(x)
    ours.adapt(x)
    kept = {n % 4 for n in (() if axis is None else np.ravel(axis))}
    others = tuple(n for n in range(4) if n not in kept)
    wide = x.astype(np.float64)
    for found in (np.asarray(theirs.adapt_mean), ours.mean):
        require_close(found, wide.mean(others), x.size, np.abs(wide).mean(others))
    for found in (np.asarray(theirs.adapt_variance), ours.variance):
        require_close(found, wide.var(others), 3 * x.size)
    how = {"axis": axis, "mean": ours.mean, "variance": ours.variance}
    given = Sequential([layers.Input(IMAGE), layers.Normalization(**how)])
    require_same_answers(given, keras.Sequential([L.Input(IMAGE), L.Normalization(**how)]), x)
    np.testing.assert_array_equal(Sequential([layers.Input(IMAGE), ours]).predict(x), given.predict(x))


def test_an_embedding_learns_as_kerass(tmp_path: Path) -> None:
    require_same((3,), L.Embedding(4, 5, embeddings_regularizer="l2"), x=CODES, folder=tmp_path)
    table = data(5, seed=3)[:4]
    for start in (table, [table]):
        np.testing.assert_array_equal(layers.Embedding(4, 5, weights=start)(CODES), table[CODES.astype(int)])


def test_a_product_along_any_axes(tmp_path: Path) -> None:
    shapes = [((3,), (3,), -1), ((5, 3), (3, 4), (2, 1)), ((3, 5), (4, 3), (1, 2)),
              ((2, 3, 5), (3, 2), (2, 1)), ((4, 3), (3,), (2, 1))]  # fmt: skip
    for number, (one, other, axes) in enumerate(shapes):
        x = L.Input((6,))
        sides = [L.Reshape(row)(L.Dense(int(np.prod(row)))(x)) for row in (one, other)]
        y = L.Dot(axes, normalize=number % 2 == 1)(sides)
        model = keras.Model(x, L.Dense(2)(L.Flatten()(y)))
        ours = twin(model)
        require_same_answers(ours, model, data(6))
        compile_both(model, ours, keras.optimizers.SGD(0.1), "mse")
        assert_same_step(model, ours, data(6), data(2, seed=1))
        if number == 1:
            require_files(model, ours, data(6), tmp_path)


def _moments(layer: layers.Layer, x: Any) -> tuple[Any, Any]:
    y = np.asarray(layer(x, training=True))
    return np.mean(y), np.var(y)


@pytest.mark.parametrize(
    ("layer", "mean", "variance"),
    [
        (layers.GaussianNoise(0.5, seed=1), 1.0, 0.25),
        (layers.GaussianDropout(0.2, seed=1), 1.0, 0.25),
        (layers.Dropout(0.2, noise_shape=(None, 1), seed=1), 1.0, 0.25),
        (layers.Dropout(0.2, seed=1), 1.0, 0.25),
    ],
    ids=["noise", "noise times", "rows dropped", "dropped"],
)
def test_what_is_disturbed_keeps_its_mean(layer: layers.Layer, mean: float, variance: float) -> None:
    """A sample of n has a mean within 5 deviations of its own but once in a million: the seeds are fixed."""
    x = np.ones((4000, 2), np.float32)
    drawn = x.size if "(None, 1)" not in str(getattr(layer, "noise_shape", "")) else len(x)
    found_mean, found_variance = _moments(layer, x)
    assert abs(found_mean - mean) < 5 * np.sqrt(variance / drawn)
    assert abs(found_variance - variance) < 5 * variance * np.sqrt(4 / drawn)  # kurtosis of a mask at 0.2: 3.25
    np.testing.assert_array_equal(layer(x), x)


def test_alpha_dropout_keeps_mean_and_variance_of_what_selu_gives() -> None:
    x = np.random.default_rng(0).normal(size=(20000, 1)).astype(np.float32)
    mean, variance = _moments(layers.AlphaDropout(0.3, seed=2), x)
    assert abs(mean) < 5 / np.sqrt(x.size)
    assert abs(variance - 1) < 5 * np.sqrt(4 / x.size)


def test_whole_channels_are_dropped() -> None:
    for layer, shape in (
        (layers.SpatialDropout1D(0.5, seed=1), (20, 7, 3)),
        (layers.SpatialDropout2D(0.5), (20, 3, 4, 3)),
    ):
        y = np.asarray(layer(np.ones(shape, np.float32), training=True)).reshape(shape[0], -1, 3)
        assert {0.0, 2.0} == {*np.unique(y)}
        np.testing.assert_array_equal(y, np.broadcast_to(y[:, :1], y.shape))
        assert len(np.unique(y[:, 0], axis=0)) > 1
        with pytest.raises(UnsupportedError, match="takes rows of shape"):
            type(layer)(0.5).build((None, 5))


def test_normal_noise_is_normal() -> None:
    """Of 20,000 numbers the share below each of nine bounds, within five deviations of a count."""
    layer = layers.GaussianNoise(1.0, seed=5)
    drawn = np.sort(np.ravel(layer(np.zeros((5000, 4), np.float32), training=True)))
    bounds = np.array([-2.3263479, -1.2815516, -0.6744898, 0.0, 0.6744898, 1.2815516, 2.3263479])
    shares = np.array([0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99])
    off = np.abs(np.searchsorted(drawn, bounds) / drawn.size - shares)
    assert (off < 5 * np.sqrt(shares * (1 - shares) / drawn.size)).all()
    assert len(np.unique(drawn)) > 19000


BAD: list[tuple[Callable[[], Any], str]] = [
    (lambda: layers.LayerNormalization(axis=3).build((None, 4, 5)), "axis names axes of a row"),
    (lambda: layers.LayerNormalization(axis=0).build((None, 4, 5)), "axis names axes of a row"),
    (lambda: layers.LayerNormalization(axis=[1, -2]).build((None, 4, 5)), "axis names axes of a row"),
    (lambda: layers.LayerNormalization(rms_scaling=True), "rms_scaling"),
    (lambda: layers.GroupNormalization(4).build((None, 6)), "groups divide the channels"),
    (lambda: layers.GroupNormalization(0), "groups is a whole number"),
    (lambda: layers.BatchNormalization(axis=2).build((None, 6)), "axis names axes of a row"),
    (lambda: layers.Softmax(axis=0).build((None, 6)), "axis names axes of a row"),
    (lambda: layers.PReLU(shared_axes=[4]).build((None, 6)), "axis names axes of a row"),
    (lambda: layers.Embedding(0, 3), "input_dim is a whole number"),
    (lambda: layers.Embedding(4, 3, lora_rank=2), "lora_rank"),
    (layers.CategoryEncoding, "num_tokens is a whole number"),
    (lambda: layers.CategoryEncoding(3, sparse=True), "sparse"),
    (lambda: layers.CategoryEncoding(3)(CODES, count_weights=CODES), "count_weights are for"),
    (lambda: layers.CategoryEncoding(3, "int"), "output_mode is one of"),
    (lambda: layers.CategoryEncoding(3).build((None, 2, 2)), "rows of one dimension"),
    (layers.Discretization, "bin_boundaries are given"),
    (lambda: layers.Discretization([2.0, 1.0]), "rise"),
    (lambda: layers.Discretization([1.0]).adapt([1.0]), "told num_bins"),
    (lambda: layers.Rescaling([1.0, 2.0]).build((None, 3)), "scale broadcasts"),
    (lambda: layers.Dropout(0.5, noise_shape=(6, 1)).build((None, 3)), "noise_shape has the axes"),
    (lambda: layers.GaussianDropout(1.0), "a dropout rate"),
    (lambda: layers.GaussianNoise(-0.1), "stddev is a number"),
    (lambda: layers.Lambda(lambda x: x), "Python code"),
    (lambda: layers.Dot(1)([layers.Input((3,)), layers.Input((4,))]), "shapes that meet"),
    (lambda: layers.Dot((1, 2, 3)), "axes is one number"),
    (lambda: layers.Dot(0)([layers.Input((3,)), layers.Input((3,))]), "axis names axes of a row"),
]


@pytest.mark.parametrize(("wrong", "message"), BAD, ids=[f"{n}: {message}" for n, (_, message) in enumerate(BAD)])
def test_what_cannot_be_is_refused_by_name(wrong: Callable[[], Any], message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        wrong()


def test_what_is_not_adapted_says_so() -> None:
    for layer in (layers.Normalization(), layers.Discretization(num_bins=3)):
        with pytest.raises(DataError, match="adapt"):
            layer([[1.0]])
    with pytest.raises(DataError, match="the weights of layer"):
        layers.Embedding(4, 3, weights=np.zeros((3, 4)))


STEPPED = np.float32([[1, 2, 0], [3, 0, 0], [2, 1, 3], [0, 1, 0], [1, 1, 1], [3, 2, 1]])
MASKED: dict[str, Callable[[], list[Any]]] = {
    "average": lambda: [L.Embedding(4, 5, mask_zero=True), L.LayerNormalization(), L.GlobalAveragePooling1D()],
    "batch": lambda: [L.Embedding(4, 5, mask_zero=True), L.BatchNormalization(momentum=0.5), L.PReLU()],
    "batch of steps": lambda: [L.Embedding(4, 5, mask_zero=True), L.BatchNormalization(axis=1), L.ReLU()],
    "softmax": lambda: [L.Embedding(4, 1, mask_zero=True), L.Reshape((3,)), L.Softmax()],
}


@pytest.mark.parametrize("name", MASKED)
def test_what_is_masked_does_not_count(name: str, tmp_path: Path) -> None:
    require_same((3,), *MASKED[name](), x=STEPPED, folder=tmp_path)


def test_softmax_of_masked_steps() -> None:
    with pytest.raises(UnsupportedError, match="over the steps"):
        Sequential([layers.Input((3, 2)), layers.Masking(), layers.Softmax()]).predict(np.ones((1, 3, 2)))
