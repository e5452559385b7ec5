# SPDX-License-Identifier: Apache-2.0
"""What programs of Keras's guides do, with ``import edgeling as keras``: the same names, answers, steps and files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")

import edgeling  # noqa: E402
from edgeling import ops  # noqa: E402
from edgeling.errors import UnsupportedError  # noqa: E402
from tests.support.rounding import require_same_answers  # noqa: E402
from tests.training.keras_pairs import assert_same_step, compile_both  # noqa: E402

pytestmark = pytest.mark.keras
ROWS = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)


def twins(build: Callable[[Any], Any]) -> tuple[Any, Any]:
    theirs, ours = build(keras), build(edgeling)
    ours.set_weights(theirs.get_weights())
    return theirs, ours


def autoencoder(k: Any) -> Any:
    """Models within a model, the last of them its output."""
    seen = k.Input((4,), name="seen")
    encoder = k.Model(seen, k.layers.Dense(3, activation="tanh")(seen), name="encoder")
    code = k.Input((3,), name="code")
    decoder = k.Model(code, k.layers.Dense(4)(code), name="decoder")
    given = k.Input((4,), name="seen")
    return k.Model(given, decoder(encoder(given)), name="autoencoder")


def merged(k: Any) -> Any:
    """Merging functions, a list of one input, whole numbers as inputs."""
    x = k.Input((4,), name="x")
    h = k.layers.Dense(3, name="h")(x)
    both = k.layers.concatenate([k.layers.add([h, h]), k.layers.average([h, k.layers.maximum([h, 0.5 * h])])])
    return k.Model([x], k.layers.Dense(2, name="y")(both))


def within(k: Any) -> Any:
    """A layer made of layers, with activation functions and a loss of its own."""

    class Block(k.layers.Layer):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__(name="block")
            self.first, self.second = k.layers.Dense(5), k.layers.Dense(2)

        def call(self, x: Any) -> Any:
            h = k.activations.relu(self.first(x))
            self.add_loss(0.1 * k.ops.mean(k.ops.square(h)))
            return self.second(h)

    x = k.Input((4,))
    return k.Model(x, Block()(x))


@pytest.mark.parametrize("build", [autoencoder, merged, within])
def test_answers_steps_and_lists_of_layers_are_kerass(build: Callable[[Any], Any]) -> None:
    theirs, ours = twins(build)
    require_same_answers(ours, theirs, ROWS)
    assert [type(x).__name__ for x in ours.layers] == [type(x).__name__ for x in theirs.layers]
    assert len(ours.inputs) == len(ours.outputs) == 1
    compile_both(theirs, ours, keras.optimizers.SGD(0.1), "mse")
    assert_same_step(theirs, ours, ROWS, np.zeros((6, ours.output_shape[-1]), np.float32))


@pytest.mark.parametrize("build", [autoencoder, merged])
def test_files_are_read_by_both(build: Callable[[Any], Any], tmp_path: Path) -> None:
    theirs, ours = twins(build)
    ours.save(tmp_path / "ours.keras")
    require_same_answers(ours, keras.models.load_model(tmp_path / "ours.keras"), ROWS)
    theirs.save(tmp_path / "theirs.keras")
    require_same_answers(edgeling.models.load_model(tmp_path / "theirs.keras"), theirs, ROWS)


def test_every_output_of_a_model_is_taken_out() -> None:
    model = merged(edgeling)
    every = edgeling.Model(model.inputs, [layer.output for layer in model.layers[1:]])
    np.testing.assert_array_equal(every.predict(ROWS)[-1], model.predict(ROWS))
    told: list[str] = []
    autoencoder(edgeling).summary(print_fn=told.append, expand_nested=True)
    assert any(line.startswith("    dense") for line in told)
    assert any("Connected to" in line for line in told)


def squared(x: Any) -> Any:
    return x * x


def test_an_activation_of_ones_own_is_trained_and_read_again(tmp_path: Path) -> None:
    x = edgeling.Input((4,))
    model = edgeling.Model(x, edgeling.layers.Dense(2, activation=squared)(x))
    model.compile("sgd", "mse")
    losses = model.fit(ROWS, np.ones((6, 2)), epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    plain = edgeling.Model(x, edgeling.layers.Dense(2)(x))
    plain.set_weights(model.get_weights())
    np.testing.assert_array_equal(model.predict(ROWS), np.square(plain.predict(ROWS)))
    model.save(tmp_path / "own.keras")
    with pytest.raises(UnsupportedError, match="squared"):
        edgeling.models.load_model(tmp_path / "own.keras")
    again = edgeling.models.load_model(tmp_path / "own.keras", custom_objects={"squared": squared})
    np.testing.assert_array_equal(again.predict(ROWS), model.predict(ROWS))


def test_what_is_registered_is_read_without_being_told(tmp_path: Path) -> None:
    @edgeling.saving.register_keras_serializable("tests", "Twice")
    class Doubled(edgeling.Layer):
        def call(self, x: Any) -> Any:
            return 2 * x

    try:
        x = edgeling.Input((4,))
        edgeling.Model(x, Doubled()(x)).save(tmp_path / "twice.keras")
        np.testing.assert_array_equal(edgeling.models.load_model(tmp_path / "twice.keras").predict(ROWS), 2 * ROWS)
    finally:
        del edgeling.saving.get_custom_objects()["tests>Twice"]


def test_what_is_made_of_all_rows_is_no_answer() -> None:
    class Centred(edgeling.Layer):
        def call(self, x: Any) -> Any:
            return x - ops.mean(x, axis=0, keepdims=True)

    with pytest.raises(UnsupportedError, match="answered for itself"):
        Centred()(edgeling.Input((4,)))


OPS: dict[str, tuple[Any, ...]] = {
    "argmax": (ROWS, 1), "argmin": (ROWS, 0), "amax": (ROWS, 1), "ptp": (ROWS, 1), "roll": (ROWS, 3, 1),
    "tril": (ROWS, 1), "triu": (ROWS, -1), "isinf": (np.float32([1, np.inf]),), "isfinite": (np.float32([1, np.inf]),),
    "logical_xor": (ROWS > 0, ROWS > 1), "eye": (3,), "hstack": ([ROWS, ROWS],), "unstack": (ROWS,),
    "hard_shrink": (ROWS,), "norm": (ROWS, np.inf, 1), "threshold": (ROWS, 0.5, -1.0),
    "count_nonzero": (np.round(ROWS), 1), "floor": (ROWS,), "ceil": (ROWS,), "round": (ROWS,), "trunc": (ROWS,),
    "sort": (ROWS, 1), "argsort": (ROWS, 0), "take_along_axis": (ROWS, [[3, 0]], 1), "vstack": ([ROWS, ROWS],),
    "ravel": (ROWS,), "nan_to_num": (np.float32([np.nan, -np.inf, 1]),), "outer": (ROWS[0], ROWS[1]),
    "isclose": (ROWS, np.round(ROWS)), "tri": (3, 4), "diff": (np.round(ROWS), 2, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", OPS)
def test_operations_that_do_not_round_are_kerass(name: str) -> None:
    ours, theirs = getattr(ops, name)(*OPS[name]), getattr(keras.ops, name)(*OPS[name])
    for one, other in zip(ours, theirs, strict=True) if isinstance(ours, list) else [(ours, theirs)]:
        np.testing.assert_array_equal(np.asarray(one, np.float32), np.asarray(other, np.float32))


ROUNDED: dict[str, Callable[[Any, Any], Any]] = {
    "cumsum": lambda o, x: o.cumsum(x, 1),
    "angles": lambda o, x: o.sin(3 * x) + o.cos(x * x) * o.tan(x) + o.arctan(5 * x),
    "angles of points": lambda o, x: o.arctan2(x, x[:, ::-1]) + o.arccos(o.tanh(x)) + o.arcsin(o.sin(x)),
    "hyperbolic": lambda o, x: o.sinh(x) + o.cosh(x) + o.exp2(x) + o.hypot(x, 2 * x),
    "what is left": lambda o, x: x + o.stop_gradient(o.round(4 * x) / 4 - x) + x % 0.75 + x // 0.5,
    "in order": lambda o, x: o.sort(x, axis=1) * o.top_k(x, 4)[0] + o.median(x, axis=1, keepdims=True),
    "running products": lambda o, x: o.diff(o.cumprod(x, axis=1), axis=1),
    "places": lambda o, x: o.take_along_axis(x, o.argsort(x, axis=1)[:, :2], axis=1),
    "whole numbers": lambda o, x: o.take(np.arange(20.0), o.cast(o.abs(x), "int32"), axis=0) + x * (~(x > 0) | (x > 1)),
    "prod": lambda o, x: o.prod(x, 1),
    "normalize": lambda o, x: o.normalize(x, axis=1),
    "average": lambda o, x: o.average(x, axis=1, weights=o.exp(x)),
    "glu": lambda o, x: o.glu(x),
    "logaddexp": lambda o, x: o.logaddexp(x, 2 * x),
    "binary_crossentropy": lambda o, x: o.binary_crossentropy(o.sigmoid(x), x, from_logits=True),
}


@pytest.mark.parametrize("name", ROUNDED)
def test_the_others_are_kerass_in_networks_and_learnt_through(name: str) -> None:
    def build(k: Any) -> Any:
        x = k.Input((4,))
        h = ROUNDED[name](k.ops, k.layers.Dense(4, name="h")(x))
        return k.Model(x, k.layers.Dense(1, name="y")(k.ops.reshape(h, (-1, 1 if len(h.shape) == 1 else h.shape[1]))))

    theirs, ours = twins(build)
    require_same_answers(ours, theirs, ROWS)
    compile_both(theirs, ours, keras.optimizers.SGD(0.05), "mse")
    assert_same_step(theirs, ours, ROWS, np.zeros((6, 1), np.float32))


@pytest.mark.parametrize("how", [{}, {"padding": "post", "maxlen": 2}, {"truncating": "post", "maxlen": 2, "value": 7}])
def test_sequences_are_padded_as_keras_pads_them(how: dict[str, Any]) -> None:
    lists = [[1, 2, 3], [4], []]
    theirs = keras.utils.pad_sequences(lists, **how)
    np.testing.assert_array_equal(edgeling.utils.pad_sequences(lists, **how), theirs)


def test_numbers_are_drawn_while_it_trains_alone() -> None:
    class Noise(edgeling.Layer):
        def call(self, x: Any, training: bool = False) -> Any:
            if not training:
                return x
            drawn = edgeling.random.uniform(ops.shape(x), -1.0, 1.0, seed=edgeling.random.SeedGenerator(3))
            return edgeling.random.dropout(x, 0.5) + drawn

    x = np.zeros((4000, 1), np.float32)
    drawn = Noise()(x, training=True)
    np.testing.assert_array_equal(Noise()(x), x)
    assert -1 <= drawn.min() < drawn.max() < 1
    # A mean of 4,000 uniform numbers is off by 1 / sqrt(3 * 4000) in the mean: eight times that once in 1e15.
    assert abs(drawn.mean()) < 8 / np.sqrt(3 * 4000)

    class Always(edgeling.Layer):
        def call(self, x: Any) -> Any:
            return x + edgeling.random.normal(ops.shape(x))

    with pytest.raises(UnsupportedError, match="not when it answers"):
        Always()(edgeling.Input((1,)))
