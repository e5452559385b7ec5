# SPDX-License-Identifier: Apache-2.0
"""Attention: Keras's outputs, gradients, masks, configurations and files, of any arguments; proven on a chip."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")


from edgeling import layers, targets  # noqa: E402
from edgeling.codegen import generate  # noqa: E402
from edgeling.errors import UnsupportedError  # noqa: E402
from edgeling.models import load_model  # noqa: E402
from edgeling.network.network import inference_graph  # noqa: E402
from edgeling.passes import divide_rows, optimize  # noqa: E402
from edgeling.toolchain.prove import prove  # noqa: E402
from edgeling.training import engine  # noqa: E402
from tests.support.close import require_close  # noqa: E402
from tests.support.rounding import require_same_answers, row_bounds  # noqa: E402
from tests.training.keras_pairs import assert_same_fit, assert_same_step, compile_both, twin  # noqa: E402

pytestmark = [pytest.mark.keras, pytest.mark.filterwarnings("ignore:Layer .* was passed an input with a mask")]
L = keras.layers
STEPS, FEATURES = 4, 3


def data(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng([seed, *shape]).normal(size=(5, *shape)).astype(np.float32)


def over(made: Any, *, row: tuple[int, ...] = (STEPS, FEATURES), masked: bool = False, sides: int = 2) -> Any:
    """A model in which the layer asks one projection of the input about others."""
    keras.utils.set_random_seed(3)
    x = L.Input(row)
    h = L.Masking(0.5)(x) if masked else x
    shared = isinstance(made, L.GroupQueryAttention)
    parts = [L.Dense(n)(h) for n in ((3, 3, 4) if shared else (3, 4, 3))[:sides]]
    several = shared or isinstance(made, L.MultiHeadAttention)
    y = made(*parts) if several else made([parts[0], L.Dense(3)(h), *parts[2:]])
    return keras.Model(x, L.Dense(2)(L.Flatten()(y)))


def require_same(model: Any, x: Any, folder: Path | None = None) -> Any:
    ours = twin(model)
    require_same_answers(ours, model, x)
    compile_both(model, ours, keras.optimizers.SGD(0.1), "mse")
    assert_same_step(model, ours, x, data(2, seed=1))
    if folder:
        ours.save(folder / "ours.keras")
        require_same_answers(ours, keras.models.load_model(folder / "ours.keras"), x)
        model.save(folder / "theirs.keras")
        require_same_answers(load_model(folder / "theirs.keras"), model, x)
        weights = folder / "ours.weights.h5"
        ours.save_weights(weights)
        model.load_weights(weights)
        require_same_answers(ours, model, x)
    return ours


# With a value_dim other than key_dim Keras fails on JAX, but for the way that it goes with dropout.
MADE: dict[str, Callable[[], Any]] = {
    "dot": L.Attention,
    "dot, scaled": lambda: L.Attention(use_scale=True),
    "concat": lambda: L.Attention(use_scale=True, score_mode="concat"),
    "additive": L.AdditiveAttention,
    "additive, plain": lambda: L.AdditiveAttention(use_scale=False),
    "heads": lambda: L.MultiHeadAttention(2, 3),
    "heads, all": lambda: L.MultiHeadAttention(
        3, 2, value_dim=4, dropout=1e-9, output_shape=5, use_gate=True, sliding_window=2, kernel_regularizer="l2",
        bias_regularizer="l1", bias_initializer="random_normal",
    ),
    "heads, seeing near steps": lambda: L.MultiHeadAttention(2, 3, sliding_window=2, use_gate=True),
    "shared heads": lambda: L.GroupQueryAttention(2, 4, 2),
    "shared heads, all": lambda: L.GroupQueryAttention(
        2, 3, 1, dropout=1e-9, use_gate=True, sliding_window=2, kernel_regularizer="l2", bias_regularizer="l1",
        bias_initializer="random_normal", kernel_constraint="max_norm",
    ),
    "heads, no bias": lambda: L.MultiHeadAttention(1, 2, use_bias=False, output_shape=(2, 2)),
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name in MADE if name != "shared heads"])  # which others below are of
def test_a_layer_has_kerass_outputs_gradients_and_files(name: str, tmp_path: Path) -> None:
    in_files = name in ("concat", "heads, all", "shared heads, all")
    require_same(over(MADE[name]()), data(STEPS, FEATURES), tmp_path if in_files else None)


@pytest.mark.parametrize("name", ["dot", "heads", "shared heads"])
def test_the_key_may_be_another_than_the_value(name: str) -> None:
    require_same(over(MADE[name](), sides=3), data(STEPS, FEATURES))


def gappy() -> Any:
    """Rows of which some steps are masked, but not all of them."""
    x = data(STEPS, FEATURES)
    missing = np.random.default_rng(0).random(x.shape[:2]) < 0.4
    missing[:, 1] = False
    x[missing] = 0.5
    return x


@pytest.mark.parametrize("name", ["dot", "additive", "heads", "heads, all", "shared heads, all"])
def test_what_is_masked_has_no_weight(name: str) -> None:
    require_same(over(MADE[name](), masked=True), gappy())


def test_over_some_axes_of_many() -> None:
    layer = L.MultiHeadAttention(2, 3, attention_axes=1)
    require_same(over(layer, row=(3, 2, FEATURES)), data(3, 2, FEATURES))


def test_a_transformer_block_is_proven_on_a_chip() -> None:
    """Attention, sums, normalisation and dense layers; several training steps as Keras's."""
    keras.utils.set_random_seed(1)
    x = L.Input((6, 8))
    h = L.LayerNormalization()(L.Add()([x, L.GroupQueryAttention(4, 2, 1)(x, x)]))
    h = L.LayerNormalization()(L.Add()([h, L.Dense(8)(L.Dense(12, activation="relu")(h))]))
    model = keras.Model(x, L.Dense(3, activation="softmax")(L.GlobalAveragePooling1D()(h)))
    ours = twin(model)
    rows = data(6, 8)
    require_same_answers(ours, model, rows)
    graph = optimize(inference_graph(ours))
    bound = row_bounds(graph, rows)[0]
    proof = prove(
        generate(graph, "net"),
        targets.get("cortex-m4"),
        [rows],
        [bound.exact.astype(np.float32)],
        tolerance=bound.tolerance,
    )
    assert proof.matches


def test_steps_in_blocks_of_rows_are_kerass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of four rows, and what is left over in one of three, which no two blocks are of."""
    for least in ("LEAST_PRODUCTS", "LEAST_USES"):
        monkeypatch.setattr(divide_rows, least, 1)
    divided, whole = list[bool](), divide_rows.divide_rows
    told = lambda graph, rows: divided.append(whole(graph, rows) is not graph) or whole(graph, rows)  # noqa: E731
    monkeypatch.setattr(engine, "divide_rows", told)
    keras.utils.set_random_seed(1)
    x = L.Input((6, 16))
    h = L.LayerNormalization()(L.Add()([x, L.MultiHeadAttention(2, 8)(x, x)]))
    h = L.LayerNormalization()(L.Add()([h, L.Dense(16)(L.Dense(24, activation="relu")(h))]))
    model = keras.Model(x, L.Dense(3, activation="softmax")(L.GlobalAveragePooling1D()(h)))
    ours = twin(model)
    compile_both(model, ours, keras.optimizers.Adam(), "sparse_categorical_crossentropy")
    rows = np.random.default_rng(2).normal(size=(11, 6, 16)).astype(np.float32)
    assert_same_fit(model, ours, rows, np.arange(11) % 3, batch_size=4, epochs=2, shuffle=False, verbose=0)
    assert True in divided


def told(heads: Callable[[], Any] | None) -> Any:
    """A model whose attention is told more than its inputs, and gives more than one output."""
    keras.utils.set_random_seed(3)
    x, seen = L.Input((STEPS, FEATURES)), L.Input((STEPS, STEPS))
    if heads:
        y, scores = heads()(x, x, attention_mask=seen, use_causal_mask=True, return_attention_scores=True)
    else:
        y, scores = L.Attention()([x, x], use_causal_mask=True, return_attention_scores=True)
        scores = L.Add()([scores, seen])
    return keras.Model([x, seen], [L.Dense(2)(L.Flatten()(y)), L.Flatten()(scores)])


@pytest.mark.parametrize("name", ["dot", "heads", "shared heads"])
def test_what_a_call_is_told(name: str, tmp_path: Path) -> None:
    model = told(None if name == "dot" else MADE[name])
    ours = twin(model)
    seen = (data(STEPS, STEPS) > 0).astype(np.float32) + 0
    seen[:, :, 0] = 1
    given = [data(STEPS, FEATURES), seen]
    ours.save(tmp_path / "ours.keras")
    for other in (ours, load_model(tmp_path / "ours.keras"), keras.models.load_model(tmp_path / "ours.keras")):
        for mine, theirs in zip(other.predict(given, verbose=0), model.predict(given, verbose=0), strict=True):
            require_close(mine, theirs.astype(np.float64), 200, 1.0)


def test_dropout_of_weights_is_of_training_alone() -> None:
    x = data(6, 8)
    for layer in (layers.Attention(dropout=0.5, seed=1), layers.MultiHeadAttention(2, 3, dropout=0.5, seed=1)):
        given_to = [[x, x]] if isinstance(layer, layers.Attention) else [x, x]
        plain, other = layer(*given_to), layer(*given_to, training=True)
        np.testing.assert_array_equal(layer(*given_to), plain)
        assert not np.array_equal(plain, other)


X = layers.Input((4, 3))
BAD: list[tuple[Callable[[], Any], str]] = [
    (lambda: layers.Attention()(X), "2 inputs or more"),
    (lambda: layers.Attention()([X, layers.Input((4, 5))]), "shapes that meet"),
    (lambda: layers.Attention()([X, X, X, X]), "a query, a value and a key"),
    (lambda: layers.Attention(score_mode="cosine"), "dot or concat"),
    (lambda: layers.Attention(dropout=1.0), "a dropout rate"),
    (lambda: layers.MultiHeadAttention(0, 3), "num_heads is a whole number"),
    (lambda: layers.MultiHeadAttention(2, 3, flash_attention=True), "flash_attention"),
    (lambda: layers.MultiHeadAttention(2, 3, attention_axes=3)(X, X), "axis names axes"),
    (lambda: layers.MultiHeadAttention(2, 3)(X, X, layers.Input((5, 3))), "shapes that meet"),
    (lambda: layers.GroupQueryAttention(2, 4, 3), "divide those of the query"),
    (lambda: layers.GroupQueryAttention(2, 4, 2, flash_attention=True), "flash_attention"),
    (lambda: layers.GroupQueryAttention(2, 4, 2)(X, layers.Input((4, 5))), "as many features"),
    (lambda: layers.GroupQueryAttention(2, 4, 2)(X, X, layers.Input((5, 3))), "shapes that meet"),
    (lambda: layers.MultiHeadAttention(2, 3)(X), "a query and a value"),
]


@pytest.mark.parametrize(("wrong", "message"), BAD, ids=[f"{n}: {message}" for n, (_, message) in enumerate(BAD)])
def test_what_cannot_be_is_refused_by_name(wrong: Callable[[], Any], message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        wrong()
