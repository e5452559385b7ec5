# SPDX-License-Identifier: Apache-2.0
"""Rows whose lengths are not known before: ``Input((None, 6))``; as in Keras, whatever lengths come, in any order."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

keras = pytest.importorskip("keras")

import edgeling  # noqa: E402
from edgeling import layers as our_layers  # noqa: E402
from edgeling.errors import DataError, UnsupportedError  # noqa: E402
from edgeling.layers.lengths import asked, fits  # noqa: E402
from edgeling.metrics import RootMeanSquaredError  # noqa: E402
from edgeling.models import Model, Sequential, clone_model, load_model  # noqa: E402
from edgeling.models.views import for_lengths  # noqa: E402
from edgeling.network.network import inference_graph  # noqa: E402
from tests.support.rounding import require_same_answers, row_bounds, training_bounds  # noqa: E402
from tests.training.keras_pairs import assert_same_step, assert_within, compile_both, twin  # noqa: E402

pytestmark = [pytest.mark.keras, pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask")]
L = keras.layers
FEATURES, ROWS = 3, 4


def sequences(steps: int, seed: int = 0) -> Any:
    x = np.random.default_rng(seed + steps).normal(size=(ROWS, steps, FEATURES)).astype(np.float32)
    x[1, steps // 2 :] = 0.0
    return x


def targets(*row: int) -> Any:
    return np.random.default_rng(1).normal(size=(ROWS, *row)).astype(np.float32)


def attending(x: Any) -> Any:
    return L.Attention()([x, x])


def heads(x: Any) -> Any:
    return L.MultiHeadAttention(2, 2)(x, x, use_causal_mask=True)


BEFORE = {
    "nothing": [],
    "convolution": [lambda: L.Conv1D(3, 3, padding="causal", activation="relu"), lambda: L.MaxPooling1D(2)],
    "longer": [lambda: L.UpSampling1D(2), lambda: L.ZeroPadding1D(1), lambda: L.Cropping1D((2, 0))],
    "every step": [lambda: L.TimeDistributed(L.Dense(3)), L.LayerNormalization],
    "masked": [L.Masking, lambda: L.Dense(3, activation="tanh")],
    "attention": [lambda: attending],
    "heads": [lambda: heads],
}
AFTER = {
    "lstm": lambda: L.LSTM(2),
    "gru both ways": lambda: L.Bidirectional(L.GRU(2)),
    "mean": L.GlobalAveragePooling1D,
    "every": lambda: L.SimpleRNN(2, return_sequences=True),
}


def chain(before: str, after: str) -> Any:
    keras.utils.set_random_seed(0)
    y = x = L.Input((None, FEATURES))
    for make in [*BEFORE[before], AFTER[after]]:
        y = make()(y)
    return keras.Model(x, L.Dense(2)(y))


@settings(max_examples=3, deadline=None)
@given(st.sampled_from(list(product(BEFORE, AFTER))), st.lists(st.integers(4, 9), min_size=2, max_size=2, unique=True))
def test_any_lengths_in_any_order_train_as_in_keras(parts: tuple[str, str], lengths: list[int]) -> None:
    model = chain(*parts)
    ours = twin(model)
    assert ours.output_shape == model.output_shape
    compile_both(model, ours, keras.optimizers.SGD(0.1), "mse")
    for steps in lengths:
        x = sequences(steps)
        row = [n or steps for n in model.compute_output_shape((ROWS, steps, FEATURES))[1:]]
        assert_same_step(model, ours, x, targets(*row))


def batches(lengths: list[int], *row: Any) -> list[Any]:
    return [(sequences(n), targets(*(n if one is None else one for one in row))) for n in lengths]


@pytest.mark.parametrize("every", [False, True])
def test_batches_of_several_lengths_are_one_fit(every: bool) -> None:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([L.Input((None, FEATURES)), L.GRU(2, return_sequences=every), L.Dense(1)])
    ours = twin(model)
    compile_both(model, ours, keras.optimizers.SGD(0.1), "mse", metrics=["mae", "root_mean_squared_error"])
    data = batches([5, 7, 5], *([None] if every else []), 1)

    def fit(one: Any) -> dict[str, Any]:
        found = one.fit((batch for batch in data * 3), epochs=2, steps_per_epoch=3, verbose=0).history
        evaluated = one.evaluate((batch for batch in data), verbose=0, return_dict=True)
        return {**found, **{f"after_{name}": value for name, value in evaluated.items()}}

    allowed = training_bounds(ours, lambda other: list(fit(other).values()), samples=3)
    theirs, mine = fit(model), fit(ours)
    same = [*mine.values(), *ours.get_weights()]
    assert_within(allowed, same, [*(theirs[name] for name in mine), *model.get_weights()])
    validated = ours.fit(data, verbose=0, validation_data=data).history
    assert validated["val_loss"][0] == ours.evaluate(data, verbose=0)[0]


class Streaming(RootMeanSquaredError):
    """Takes in predictions, for it is no class of ours."""


def test_metrics_that_take_in_predictions_take_them_of_every_length() -> None:
    model = Sequential([our_layers.Input((None, FEATURES)), our_layers.Conv1D(2, 1), our_layers.Dense(1)])
    model.compile("sgd", "mse", metrics=[Streaming()])
    data = batches([5, 7, 5], None, 1)
    found = model.evaluate(data, verbose=0, return_dict=True)
    errors = [np.float64(model.predict(x, verbose=0) - y) for x, y in data]
    meant = np.sqrt(np.mean([np.mean(each**2, axis=(1, 2)) for each in errors]))  # as in Keras: each row counts alike
    allowed = sum(each.size for each in errors) * np.finfo(np.float32).eps * meant  # a rounding for each that is summed
    assert abs(found["streaming"] - meant) < allowed
    trained = model.fit(data, verbose=0, validation_data=data).history
    assert np.isfinite(trained["streaming"]).all()


def test_words_of_any_number_are_masked() -> None:
    keras.utils.set_random_seed(0)
    parts = [L.Input((None,)), L.Embedding(7, 3, mask_zero=True), L.LSTM(2), L.Dense(1)]
    model = keras.Sequential(parts)
    ours = twin(model)
    compile_both(model, ours, keras.optimizers.SGD(0.1), "mse")
    for steps in (3, 6):
        codes = np.random.default_rng(steps).integers(0, 7, (ROWS, steps))
        assert_same_step(model, ours, codes, targets(1))


def test_pictures_of_any_size() -> None:
    keras.utils.set_random_seed(0)
    parts = [L.Conv2D(3, 3, strides=2, padding="same"), L.BatchNormalization(), L.GlobalAveragePooling2D(), L.Dense(2)]
    model = keras.Sequential([L.Input((None, None, 2)), *parts])
    ours = twin(model)
    assert ours.layers[0].output_shape == (None, None, None, 3)
    compile_both(model, ours, keras.optimizers.SGD(0.1), "mse")
    for size in ((6, 9), (8, 5)):
        x = np.random.default_rng(0).normal(size=(ROWS, *size, 2)).astype(np.float32)
        assert_same_step(model, ours, x, targets(2))


def test_models_in_models_and_several_inputs() -> None:
    keras.utils.set_random_seed(0)
    inner = keras.Sequential([L.Input((None, FEATURES)), L.Conv1D(4, 2), L.GlobalMaxPooling1D()])
    a, b = L.Input((None, FEATURES)), L.Input((None, FEATURES))
    model = keras.Model([a, b], L.Dense(1)(L.Concatenate()([inner(a), inner(L.TimeDistributed(L.Dense(3))(b))])))
    ours = twin(model)
    compile_both(model, ours, keras.optimizers.SGD(0.1), "mse")
    for one, other in ((4, 6), (7, 4)):
        assert_same_step(model, ours, [sequences(one), sequences(other)], targets(1))


def test_files_keep_what_is_not_known(tmp_path: Path) -> None:
    model = chain("convolution", "lstm")
    model.save(tmp_path / "theirs.keras")
    ours = load_model(tmp_path / "theirs.keras")
    assert ours.input_shape == (None, None, FEATURES)
    ours.save(tmp_path / "ours.keras")
    again, copy = keras.saving.load_model(tmp_path / "ours.keras"), clone_model(ours)
    assert again.input_shape == ours.input_shape == copy.input_shape
    for steps in (6, 9):
        require_same_answers(for_lengths(ours, steps), again, sequences(steps))


def test_a_model_that_has_its_input_from_data_takes_other_lengths_too() -> None:
    rnn = Sequential([our_layers.LSTM(2), our_layers.Dense(1)])
    rnn.compile("sgd", "mse")
    rnn.fit(sequences(5), targets(1), verbose=0)
    rnn.fit(sequences(8), targets(1), verbose=0)
    assert rnn.input_shape == (None, None, FEATURES)
    flat = Sequential([our_layers.Flatten(), our_layers.Dense(1)])
    flat.compile("sgd", "mse")
    flat.fit(sequences(5), targets(1), verbose=0)
    with pytest.raises(DataError, match=r"rows of shape \(5, 3\); received an array of shape \(4, 8, 3\)"):
        flat.predict(sequences(8))
    assert flat.input_shape == (None, 5, FEATURES)


def test_longer_than_built_for_is_said_with_what_to_do() -> None:
    model = Sequential([our_layers.Input((5, FEATURES)), our_layers.LSTM(2)])
    with pytest.raises(DataError, match=r"x\[:, :5\], or a model with Input\(\(None, 3\)\)"):
        model.predict(sequences(8))


def test_weights_that_would_depend_on_the_length_are_refused() -> None:
    x = our_layers.Input((None, FEATURES))
    flat = our_layers.Flatten()(x)
    for layer, value in ((our_layers.Dense(1), flat), (our_layers.LayerNormalization(axis=1), x)):
        with pytest.raises(UnsupportedError, match="no unknown length changes"):
            layer(value)


def test_a_layer_is_called_on_several_lengths_with_the_same_weights() -> None:
    layer = our_layers.Conv1D(2, 2)
    one, other = (layer(our_layers.Input((n, FEATURES))) for n in (4, 6))
    assert (one.shape, other.shape) == ((None, 3, 2), (None, 5, 2))
    assert len(layer.weights) == 2
    with pytest.raises(UnsupportedError, match="is built for rows"):
        layer(our_layers.Input((4, FEATURES + 1)))


class Halves(our_layers.Layer):
    """Weights for the features, whatever the steps."""

    def build(self, input_shape: Any) -> None:
        assert input_shape[1] is None
        self.w = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="w")

    def call(self, x: Any) -> Any:
        return x[:, ::2] * self.w


def test_layers_of_ones_own_see_that_it_is_not_known() -> None:
    x = our_layers.Input((None, FEATURES))
    model = Model(x, Halves()(x))
    assert model.output_shape == (None, None, FEATURES)
    for steps in (4, 7):
        given = sequences(steps)
        np.testing.assert_array_equal(model.predict(given, verbose=0), given[:, ::2])


def test_c_is_for_stated_lengths(tmp_path: Path) -> None:
    ours = twin(chain("convolution", "lstm"))
    with pytest.raises(UnsupportedError, match=r"lengths are stated; received rows of shape \(None, 3\).*steps=24"):
        edgeling.build(ours)
    for wrong in ([4, 5], 0):
        with pytest.raises(UnsupportedError, match="all or each of the 1"):
            edgeling.build(ours, steps=wrong)
    with pytest.raises(UnsupportedError, match="leave steps out"):
        edgeling.build(Sequential([our_layers.Input((4,)), our_layers.Dense(1)]), steps=3)
    assert edgeling.verify(ours, "native", steps=8).matches
    folder = edgeling.save(ours, tmp_path / "eight.edgeling", steps=8)
    given = sequences(8)
    found = edgeling.load(folder).predict(given)
    row_bounds(inference_graph(for_lengths(ours, 8)), given)[0].require(found)
    with pytest.raises(UnsupportedError, match="what was stored knows its own"):
        edgeling.build(folder, steps=9)


def test_rows_of_any_length_fit_what_is_declared() -> None:
    assert fits((4, 3), (None, 3))
    assert not fits((4, 2), (None, 3))
    assert not fits((4,), (None, 3))
    assert asked(lambda rows: [(rows[0][0] // 2, 7)], [(None, 3)]) == ((None, 7),)


def test_c_for_shorter_sequences_is_told_how_many_steps_there_are(tmp_path: Path) -> None:
    heeding = [our_layers.Bidirectional(our_layers.GRU(3, return_sequences=True)), our_layers.GlobalAveragePooling1D()]
    model = Sequential([our_layers.Input((None, FEATURES)), *heeding, our_layers.Dense(2)])
    built = edgeling.build(model, "cortex-m4", steps=6, shorter=True)
    assert built.matches
    assert "SEQUENTIAL" in built.name.upper()
    header = next(text for path, text in built.files.items() if path.endswith(f"{built.name}.h"))
    assert f"{built.name.upper()}_WRONG_STEPS = 2" in header
    loaded = edgeling.load(edgeling.save(model, tmp_path / "shorter.edgeling", steps=6, shorter=True))
    x = sequences(6)
    steps = np.float32([[2], [6], [1], [4]])
    found = loaded.predict({"x": x, "steps": steps})
    for row, (length,) in enumerate(steps.astype(int)):
        part = x[row : row + 1, :length]
        row_bounds(inference_graph(for_lengths(model, length)), part)[0].require(found[row : row + 1])
    wrong = loaded.predict({"x": x, "steps": np.float32([[0], [7], [1.5], [np.nan]])})
    assert np.isnan(wrong).all()


def test_what_would_answer_shorter_sequences_otherwise_is_refused() -> None:
    mixing = Sequential(
        [our_layers.Input((None, FEATURES)), our_layers.Conv1D(2, 3, padding="same"), our_layers.LSTM(2)]
    )
    with pytest.raises(UnsupportedError, match="every layer over several steps heeds masks"):
        edgeling.build(mixing, steps=6, shorter=True)
    with pytest.raises(UnsupportedError, match="shorter than stated"):
        edgeling.build(mixing, shorter=True)
    pictures = Sequential([our_layers.Input((None, None, 2)), our_layers.GlobalMaxPooling2D()])
    with pytest.raises(UnsupportedError, match="whose number of steps alone is not known"):
        edgeling.build(pictures, steps=6, shorter=True)
