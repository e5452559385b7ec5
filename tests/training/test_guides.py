# SPDX-License-Identifier: Apache-2.0
"""Short programs of Keras's guides, written once and run by both libraries: what they tell is the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")

import edgeling  # noqa: E402
from tests.support.rounding import require_same_answers  # noqa: E402
from tests.training.keras_pairs import assert_same_step, compile_both  # noqa: E402

pytestmark = pytest.mark.keras


def drawn(*shape: int) -> Any:
    return np.random.default_rng(shape).normal(size=shape).astype(np.float32)


def codes(below: int, *shape: int) -> Any:
    return np.random.default_rng(shape).integers(0, below, size=shape)


def positions_and_tokens(k: Any) -> tuple[Any, Any]:
    """Text classification with a transformer: a table is read at places that all rows share."""

    class TokenAndPositionEmbedding(k.layers.Layer):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.token_emb, self.pos_emb = k.layers.Embedding(20, 4), k.layers.Embedding(5, 4)
            self.across = k.layers.Dense(4)

        def call(self, x: Any) -> Any:
            positions = k.ops.arange(start=0, stop=k.ops.shape(x)[-1], step=1)
            rows = k.ops.expand_dims(positions, axis=0)
            return self.token_emb(x) + self.pos_emb(positions) + self.across(self.pos_emb(rows))

    x = k.Input((5,))
    return k.Model(x, k.layers.Dense(1)(k.layers.Flatten()(TokenAndPositionEmbedding()(x)))), codes(20, 6, 5)


def masks_of_ones_own(k: Any) -> tuple[Any, Any]:
    """Understanding masking: a table read by values, a mask said, handed on and required."""

    class CustomEmbedding(k.layers.Layer):  # type: ignore[misc]
        def build(self, shape: Any) -> None:
            self.embeddings = self.add_weight(shape=(9, 4), initializer="random_normal")

        def call(self, inputs: Any) -> Any:
            return k.ops.take(self.embeddings, k.ops.cast(inputs, "int32"), axis=0)

        def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
            return k.ops.not_equal(inputs, 0)

    class TemporalSoftmax(k.layers.Layer):  # type: ignore[misc]
        def call(self, inputs: Any, mask: Any = None) -> Any:
            assert mask is not None
            counts = k.ops.expand_dims(k.ops.cast(mask, "float32"), -1)
            shares = k.ops.exp(inputs) * counts
            return shares / k.ops.sum(shares, axis=1, keepdims=True)

    x = k.Input((5,), dtype="int32")
    steps = TemporalSoftmax()(k.layers.Dense(3)(CustomEmbedding()(x)))
    return k.Model(x, k.layers.Flatten()(steps)), np.maximum(codes(9, 6, 5), codes(2, 6, 5) + 1)


def waves(k: Any) -> tuple[Any, Any]:
    """Random Fourier features, learnt."""

    class Fourier(k.layers.Layer):  # type: ignore[misc]
        def build(self, shape: Any) -> None:
            self.speeds = self.add_weight(shape=(shape[-1], 4), initializer="random_normal")

        def call(self, x: Any) -> Any:
            angles = 2 * np.pi * k.ops.matmul(x, self.speeds)
            return k.ops.concatenate([k.ops.sin(angles), k.ops.cos(angles)], axis=-1)

    x = k.Input((3,))
    return k.Model(x, k.layers.Dense(1)(Fourier()(x))), drawn(6, 3)


def activations_of_ones_own(k: Any) -> tuple[Any, Any]:
    """Recurrent layers with functions of one's own."""
    x = k.Input((4, 3))
    told = {"activation": lambda v: 0.9 * k.ops.tanh(v), "recurrent_activation": lambda v: k.ops.sigmoid(2 * v)}
    h = k.layers.GRU(3, return_sequences=True, **told)(x)
    return k.Model(x, k.layers.Dense(1)(k.layers.LSTM(3, **told)(h))), drawn(6, 4, 3)


def patches(k: Any) -> tuple[Any, Any]:
    """Image classification with a vision transformer: its patches."""
    x = k.Input((6, 5, 2))
    cut = k.ops.image.extract_patches(x, size=2, strides=(2, 1))
    return k.Model(x, k.layers.Dense(1)(k.layers.Flatten()(cut))), drawn(6, 6, 5, 2)


PROGRAMS: list[Callable[[Any], tuple[Any, Any]]] = [
    positions_and_tokens, masks_of_ones_own, waves, activations_of_ones_own, patches,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_answers_and_a_step_are_kerass(program: Callable[[Any], tuple[Any, Any]]) -> None:
    (theirs, x), (ours, _) = program(keras), program(edgeling)
    ours.set_weights(theirs.get_weights())
    require_same_answers(ours, theirs, x)
    compile_both(theirs, ours, keras.optimizers.SGD(0.05), "mse")
    assert_same_step(theirs, ours, x, np.zeros((6, *ours.output_shape[1:]), np.float32))


@pytest.mark.parametrize("target", ["native", "cortex-m0plus"])
def test_angles_whole_numbers_and_orders_are_proven(target: str) -> None:
    ops = edgeling.ops
    x = edgeling.Input((3,))
    h = edgeling.layers.Dense(4)(x)
    angles = [ops.sin(3 * h), ops.cos(h), ops.arctan2(h, h[:, ::-1])]
    whole = [ops.floor(2 * x), ops.round(x), x % 2, ops.take(np.arange(9.0), ops.cast(ops.abs(x), "int32"), axis=0)]
    model = edgeling.Model(x, ops.concatenate([*angles, *whole, ops.sort(h, axis=1), ops.top_k(h, 2)[0]], axis=1))
    assert edgeling.verify(model, target=target).matches


def test_a_translator_is_taken_apart_after_it_was_saved(tmp_path: Path) -> None:
    """Character-level sequence to sequence: of a layer of three outputs one was used, and the file says so."""

    def translator(k: Any) -> tuple[Any, Any]:
        seen, said = k.Input((4, 5)), k.Input((2, 6))
        _, h, c = k.layers.LSTM(4, return_state=True)(seen)
        steps, _, _ = k.layers.LSTM(4, return_sequences=True, return_state=True)(said, initial_state=[h, c])
        k.Model([seen, said], k.layers.Dense(6, activation="softmax")(steps)).save(tmp_path / "translator.keras")
        whole = k.models.load_model(tmp_path / "translator.keras")
        h, c = k.Input((4,)), k.Input((4,))
        steps, after_h, after_c = whole.layers[3](whole.input[1], initial_state=[h, c])
        return whole, k.Model([whole.input[1], h, c], [whole.layers[4](steps), after_h, after_c])

    (theirs, their_decoder), (ours, our_decoder) = translator(keras), translator(edgeling)
    ours.set_weights(theirs.get_weights())
    require_same_answers(ours, theirs, [drawn(3, 4, 5), drawn(3, 2, 6)])
    require_same_answers(our_decoder, their_decoder, [drawn(3, 2, 6), drawn(3, 4), drawn(4, 4)[:3]])


def test_a_layer_without_a_name_in_its_configuration_is_found_again() -> None:
    class CustomDense(edgeling.Layer):
        def __init__(self, units: int = 2) -> None:
            super().__init__()
            self.units = units

        def build(self, shape: Any) -> None:
            self.w = self.add_weight(shape=(shape[-1], self.units))

        def call(self, x: Any) -> Any:
            return edgeling.ops.matmul(x, self.w)

        def get_config(self) -> dict[str, Any]:
            return {"units": self.units}

    x = edgeling.Input((3,))
    model = edgeling.Model(x, edgeling.layers.Dense(1)(CustomDense(4)(x)))
    again = edgeling.Model.from_config(model.get_config(), custom_objects={"CustomDense": CustomDense})
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again.predict(drawn(2, 3)), model.predict(drawn(2, 3)))


def test_a_model_that_was_called_tells_its_losses() -> None:
    def told(k: Any) -> list[float]:
        x = k.Input((3,))
        ones = {"kernel_initializer": "ones", "kernel_regularizer": k.regularizers.L2(0.5)}
        model = k.Model(x, k.layers.Dense(2, **ones, activity_regularizer=k.regularizers.L1(0.25))(x))
        model(np.ones((4, 3), np.float32))
        return sorted(float(loss) for loss in model.losses)

    assert told(edgeling) == told(keras) == [1.5, 3.0]


def test_windows_of_a_series_are_kerass_weather_forecasts() -> None:
    """keras.utils makes a tf.data.Dataset of it; what it holds is in Keras's documentation."""
    series = np.arange(12.0)
    how = {"sequence_length": 3, "sampling_rate": 2, "sequence_stride": 2, "batch_size": 2}
    batches = [*edgeling.utils.timeseries_dataset_from_array(series[:, None], series[5:], **how)]
    np.testing.assert_array_equal(batches[0][0][..., 0], [[0, 2, 4], [2, 4, 6]])
    np.testing.assert_array_equal(np.concatenate([y for _, y in batches]), [5, 7, 9, 11])
    model = edgeling.Sequential([edgeling.Input((3, 1)), edgeling.layers.Flatten(), edgeling.layers.Dense(1)])
    model.compile("adam", "mse")
    data = edgeling.utils.timeseries_dataset_from_array(series[:, None], series[5:], shuffle=True, seed=1, **how)
    assert len(model.fit(data, epochs=2, validation_data=data, verbose=0).history["val_loss"]) == 2


def test_what_is_set_once_for_all_is_what_it_is_or_refused_by_name() -> None:
    config = edgeling.config
    assert (config.epsilon(), config.floatx(), config.image_data_format()) == (1e-7, "float32", "channels_last")
    config.set_floatx("float32"), config.set_image_data_format("channels_last"), config.set_epsilon(1e-7)
    config.set_backend("edgeling"), config.set_dtype_policy("float32")
    for wrong, message in [
        (lambda: config.set_floatx("float16"), "float16"), (lambda: config.set_epsilon(1e-5), "1e-05"),
        (lambda: config.set_image_data_format("channels_first"), "channels_first"),
        (lambda: config.set_backend("jax"), "jax"), (lambda: config.set_dtype_policy("mixed_float16"), "mixed_float16"),
        (config.enable_unsafe_deserialization, "never run"),
    ]:  # fmt: skip
        with pytest.raises(edgeling.errors.UnsupportedError, match=message):
            wrong()
    for name in ("ops.erf", "ops.fft", "ops.cond", "utils.plot_model"):
        module, _, function = name.partition(".")
        with pytest.raises(AttributeError, match="; use "):
            getattr(getattr(edgeling, module), function)


def test_metrics_are_reset() -> None:
    seen = edgeling.metrics.MeanAbsoluteError()
    seen.update_state([0.0], [1.0])
    model = edgeling.Sequential([edgeling.Input((3,)), edgeling.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=[seen])
    model.reset_metrics()
    assert float(seen.result()) == 0.0


def test_nothing_is_shown_where_nothing_is_to_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    model = edgeling.Sequential([edgeling.Input((3,)), edgeling.layers.Dense(1)])
    model.compile("sgd", "mse")
    edgeling.config.disable_interactive_logging()
    try:
        model.fit(drawn(4, 3), drawn(4, 1))
    finally:
        edgeling.config.enable_interactive_logging()
    assert capsys.readouterr().out == ""
