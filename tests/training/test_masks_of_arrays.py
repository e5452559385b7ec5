# SPDX-License-Identifier: Apache-2.0
"""Layers called with arrays hand masks on as Keras's do, and layers of one's own may count on theirs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgeling import layers, models, ops
from edgeling.errors import DataError, UnsupportedError
from tests.support.close import require_close

WORDS = np.array([[1, 2, 3, 0, 0], [3, 3, 1, 1, 2], [1, 0, 0, 0, 0]])
ROWS = np.random.default_rng(7).normal(size=(3, 5, 2)).astype("float32")
ROWS[0, 3:] = ROWS[2, 1:] = 0
_ROUNDINGS = 13  # two exponentials of four each, four additions, a quotient


class OfWhatCounts(layers.Layer):
    """The softmax over the steps that count, as Keras's guide on masking writes it: without a thought of no mask."""

    def call(self, x: Any, mask: Any = None) -> Any:
        exponentials = ops.exp(x) * ops.expand_dims(ops.cast(mask, "float32"), -1)
        return exponentials / ops.sum(exponentials, axis=1, keepdims=True)


def _expected() -> Any:
    powers = np.exp(np.float64(ROWS)) * (ROWS != 0).any(axis=2, keepdims=True)
    return powers / powers.sum(axis=1, keepdims=True)


def _model_of(x: Any) -> Any:
    inputs = layers.Input((5, 2))
    return models.Model(inputs, OfWhatCounts()(layers.Masking()(inputs))).predict(x)


class Around(layers.Layer):
    """A layer with both inside."""

    def __init__(self) -> None:
        super().__init__()
        self.masking, self.softmax = layers.Masking(), OfWhatCounts()

    def call(self, x: Any) -> Any:
        return self.softmax(self.masking(x))


@pytest.mark.parametrize(
    "made",
    [_model_of, lambda x: OfWhatCounts()(layers.Masking()(x)), Around()],
    ids=["in a model", "of arrays", "within another"],
)
def test_a_layer_of_ones_own_may_count_on_its_mask(made: Any) -> None:
    require_close(made(ROWS), _expected(), _ROUNDINGS)


def test_rows_of_any_length_are_masked_too() -> None:
    inputs = layers.Input((None, 2))
    model = models.Model(inputs, OfWhatCounts()(layers.Masking()(inputs)))
    require_close(model.predict(ROWS), _expected(), _ROUNDINGS)


def test_what_is_computed_of_masked_rows_has_no_mask() -> None:
    masked = layers.Embedding(4, 3, mask_zero=True)(WORDS)
    np.testing.assert_array_equal(masked._keras_mask, WORDS > 0)
    assert getattr(masked + 1, "_keras_mask", None) is None
    assert getattr(masked[:1], "_keras_mask", None) is None


@pytest.mark.keras
@pytest.mark.parametrize(
    ("name", "arguments"),
    [("LSTM", (3,)), ("SimpleRNN", (3,)), ("GlobalAveragePooling1D", ()), ("Dense", (3,)), ("Flatten", ()),
     ("LayerNormalization", ())],
)  # fmt: skip
def test_masks_go_along_as_in_keras(name: str, arguments: Any) -> None:
    keras = pytest.importorskip("keras")
    theirs, ours = (getattr(module, name)(*arguments) for module in (keras.layers, layers))
    masking = keras.layers.Masking()
    expected = theirs(masking(ROWS))
    ours(ROWS)  # builds it
    ours.set_weights(theirs.get_weights())
    made = ours(layers.Masking()(ROWS))
    mask = getattr(expected, "_keras_mask", None)
    assert (mask is None) == (getattr(made, "_keras_mask", None) is None)
    if mask is not None:
        np.testing.assert_array_equal(made._keras_mask, np.asarray(mask))
    alone = ours(ROWS)
    if name in ("LSTM", "SimpleRNN", "GlobalAveragePooling1D"):
        assert not np.array_equal(made, alone)  # the mask is heeded
    again = ours(ROWS, mask=(ROWS != 0).any(axis=2)) if ours.takes_arguments else made
    np.testing.assert_array_equal(made, again)


@pytest.mark.parametrize("rows", [2, 4])
def test_masks_have_as_many_rows(rows: int) -> None:
    for layer in (layers.LSTM(2), layers.TimeDistributed(layers.Dense(2)), layers.GlobalAveragePooling1D()):
        with pytest.raises(DataError, match="as many rows"):
            layer(ROWS, mask=np.ones((rows, 5)))


def test_masks_of_attention_meet_its_steps() -> None:
    with pytest.raises(UnsupportedError, match=r"attention_mask of layer .* has rows of shape \(5, 5\)"):
        layers.MultiHeadAttention(2, 2)(ROWS, ROWS, attention_mask=np.ones((3, 5, 4)))


@pytest.mark.keras
def test_axes_of_attention_are_counted_from_the_end_as_in_keras() -> None:
    keras = pytest.importorskip("keras")
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype("float32")
    for axes in (2, -2, (-3, -2)):
        theirs, ours = (m.MultiHeadAttention(2, 3, attention_axes=axes) for m in (keras.layers, layers))
        assert ours(x, x, return_attention_scores=True)[1].shape == theirs(x, x, return_attention_scores=True)[1].shape
    with pytest.raises(UnsupportedError, match="the features' among them"):
        layers.MultiHeadAttention(2, 3, attention_axes=-1)(x, x)


def test_a_model_of_any_length_is_called_though_layers_of_ones_own_may_add_to_its_loss() -> None:
    inputs = layers.Input((None, 2))
    model = models.Model(inputs, OfWhatCounts()(layers.Masking()(inputs)))
    np.testing.assert_array_equal(model(ROWS), model.predict(ROWS))
