# SPDX-License-Identifier: Apache-2.0
"""Convolutions, pools and what surrounds, cuts and repeats rows: Keras's outputs, gradients and configurations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")

from edgeling import layers  # noqa: E402
from edgeling.errors import UnsupportedError  # noqa: E402
from edgeling.models import load_model  # noqa: E402
from tests.support.rounding import require_same_answers  # noqa: E402
from tests.training.keras_pairs import assert_same_step, compile_both, twin  # noqa: E402

pytestmark = pytest.mark.keras
L = keras.layers
STEPS, IMAGE = (11, 4), (7, 6, 4)

SEQUENCES: dict[str, Callable[[], Any]] = {
    "conv": lambda: L.Conv1D(5, 3, activation="relu"),
    "conv, strides": lambda: L.Conv1D(5, 4, strides=3, padding="same", use_bias=False),
    "conv, causal and dilated": lambda: L.Conv1D(3, 3, padding="causal", dilation_rate=2, activation="tanh"),
    "conv, groups": lambda: L.Conv1D(6, 2, groups=2, padding="same"),
    "depthwise": lambda: L.DepthwiseConv1D(3, depth_multiplier=2, padding="same"),
    "separable": lambda: L.SeparableConv1D(5, 3, depth_multiplier=2, activation="relu"),
    "transposed, valid": lambda: L.Conv1DTranspose(3, 2, strides=3, activation="sigmoid"),
    "transposed, longer": lambda: L.Conv1DTranspose(3, 2, strides=4, output_padding=3),
    "transposed, same and longer": lambda: L.Conv1DTranspose(3, 4, strides=3, padding="same", output_padding=2),
    "max pool": lambda: L.MaxPooling1D(3, strides=2, padding="same"),
    "average pool": lambda: L.AveragePooling1D(3, strides=2, padding="same"),
    "global max": L.GlobalMaxPooling1D,
    "global average": lambda: L.GlobalAveragePooling1D(keepdims=True),
    "zeros around": lambda: L.ZeroPadding1D((2, 1)),
    "cropped": lambda: L.Cropping1D((1, 3)),
    "repeated steps": lambda: L.UpSampling1D(3),
    "permuted": lambda: L.Permute((2, 1)),
}
IMAGES: dict[str, Callable[[], Any]] = {
    "conv": lambda: L.Conv2D(5, (3, 2), activation="elu", bias_initializer="random_normal"),
    "conv, strides": lambda: L.Conv2D(5, 3, strides=(2, 1), padding="same"),
    "conv, one by one": lambda: L.Conv2D(9, 1, strides=2, kernel_regularizer="l2"),
    "conv, dilated": lambda: L.Conv2D(3, 3, dilation_rate=(2, 1), padding="same"),
    "conv, groups": lambda: L.Conv2D(6, 3, groups=2, use_bias=False),
    "depthwise": lambda: L.DepthwiseConv2D(3, strides=2, padding="same", activation="relu6"),
    "depthwise, twice": lambda: L.DepthwiseConv2D((2, 3), depth_multiplier=3, depthwise_regularizer="l1"),
    "separable": lambda: L.SeparableConv2D(5, 3, padding="same", pointwise_regularizer="l2"),
    "transposed": lambda: L.Conv2DTranspose(3, 3, strides=2, padding="same", activation="tanh"),
    "transposed, valid": lambda: L.Conv2DTranspose(3, (3, 2), strides=(2, 3)),
    "transposed, dilated": lambda: L.Conv2DTranspose(3, 2, dilation_rate=2),
    "transposed, longer": lambda: L.Conv2DTranspose(3, (3, 2), strides=(2, 3), output_padding=(1, 0)),
    "transposed, same and longer": lambda: L.Conv2DTranspose(3, (3, 2), (2, 3), "same", (0, 2)),
    "max pool": L.MaxPooling2D,
    "max pool, same": lambda: L.MaxPooling2D((3, 2), strides=(2, 1), padding="same"),
    "average pool": lambda: L.AveragePooling2D((3, 2), strides=2, padding="same"),
    "global max": lambda: L.GlobalMaxPooling2D(keepdims=True),
    "global average": L.GlobalAveragePooling2D,
    "zeros around": lambda: L.ZeroPadding2D(((1, 0), (2, 3))),
    "cropped": lambda: L.Cropping2D(((1, 2), (0, 3))),
    "repeated pixels": lambda: L.UpSampling2D((2, 3)),
    "pixels in between": lambda: L.UpSampling2D((3, 2), interpolation="bilinear"),
    "permuted": lambda: L.Permute((3, 1, 2)),
}


def data(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng([seed, *shape]).normal(size=(6, *shape)).astype(np.float32)


def require_same(row: tuple[int, ...], *made: Any) -> None:
    """Outputs, gradients, and the layers' own configuration."""
    keras.utils.set_random_seed(4)
    model = keras.Sequential([L.Input(row), *made, L.Flatten(), L.Dense(2)])
    ours = twin(model)
    assert [layer.output_shape for layer in ours.layers] == [tuple(layer.output.shape) for layer in model.layers]
    require_same_answers(ours, model, data(*row))
    compile_both(model, ours, keras.optimizers.SGD(0.1), "mse")
    assert_same_step(model, ours, data(*row), data(2, seed=1))


@pytest.mark.parametrize("name", SEQUENCES)
def test_over_sequences(name: str) -> None:
    require_same(STEPS, SEQUENCES[name]())


@pytest.mark.parametrize("name", IMAGES)
def test_over_images(name: str) -> None:
    require_same(IMAGE, IMAGES[name]())


def test_files_hold_the_lengths_of_transposed_convolutions(tmp_path: Path) -> None:
    model = keras.Sequential([L.Input(STEPS), SEQUENCES["transposed, same and longer"]()])
    twin(model).save(tmp_path / "ours.keras")
    model.save(tmp_path / "theirs.keras")
    for other in (keras.models.load_model(tmp_path / "ours.keras"), load_model(tmp_path / "theirs.keras")):
        require_same_answers(twin(model), other, data(*STEPS))


def test_a_repeated_vector() -> None:
    require_same((3,), L.RepeatVector(4), L.Conv1D(2, 2))


def test_a_network_of_several() -> None:
    require_same(
        (12, 10, 1), L.Conv2D(8, 3, padding="same", use_bias=False), L.BatchNormalization(), L.ReLU(),
        L.DepthwiseConv2D(3, strides=2, padding="same"), L.Conv2D(6, 1, activation="relu"), L.GlobalAveragePooling2D(),
    )  # fmt: skip


BAD = [
    (lambda: layers.Conv2D(4, 3).build((None, 8)), "takes rows of shape"),
    (lambda: layers.Conv2D(4, 3).build((None, 2, 8, 1)), "fits its rows"),
    (lambda: layers.Conv2D(4, 0), "kernel_size is 2 whole numbers"),
    (lambda: layers.Conv2D(4, 3, strides=2, dilation_rate=2), "strides or dilations"),
    (lambda: layers.Conv2DTranspose(4, 3, strides=(2, 3), output_padding=2), "output_padding is less than the strides"),
    (lambda: layers.Conv1DTranspose(4, 3, output_padding=-1), "output_padding is 1 whole numbers from 0 up"),
    (
        lambda: layers.Conv1DTranspose(4, 2, padding="same", output_padding=0).build((None, 1, 2)),
        "something is left of the rows",
    ),
    (lambda: layers.Conv2D(4, 3, padding="causal"), "padding is one of valid, same"),
    (lambda: layers.Conv2D(4, 3, data_format="channels_first"), "channels come last"),
    (lambda: layers.Conv2D(5, 3, groups=2), "groups divide the filters"),
    (lambda: layers.Conv2D(4, 3, groups=2).build((None, 8, 8, 3)), "groups divide the channels"),
    (lambda: layers.Conv2D(4, 3, lora_rank=2), "lora_rank"),
    (lambda: layers.Cropping1D(3).build((None, 6, 2)), "something is left"),
    (lambda: layers.Permute((1, 1)), "each axis once"),
    (lambda: layers.MaxPooling1D(9).build((None, 6, 2)), "fits its rows"),
    (lambda: layers.UpSampling2D(interpolation="bicubic"), "nearest or bilinear"),
]


@pytest.mark.parametrize(("wrong", "message"), BAD, ids=[message for _, message in BAD])
def test_what_cannot_be_is_refused_by_name(wrong: Callable[[], Any], message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        wrong()
