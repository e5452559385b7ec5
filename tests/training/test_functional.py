# SPDX-License-Identifier: Apache-2.0
"""The functional API: Keras's order of layers, outputs, gradients, files both ways; what cannot be is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")

import edgeling  # noqa: E402
from edgeling import layers  # noqa: E402
from edgeling.errors import EdgelingError, UnsupportedError  # noqa: E402
from edgeling.models import Functional, Model, Sequential, clone_model, load_model, model_from_json  # noqa: E402
from tests.support.rounding import require_same_answers  # noqa: E402
from tests.training.keras_pairs import assert_same_step, compile_both, twin  # noqa: E402

pytestmark = pytest.mark.keras


def residual(k: Any) -> Any:
    x = k.layers.Input((6,), name="rows")
    h = k.layers.Dense(8, activation="relu", name="hidden")(x)
    again = k.layers.Dense(8, activation="tanh", name="again")(h)
    h = k.layers.Add(name="sum")([h, again])
    both = k.layers.Concatenate(name="both")([h, x])
    return k.models.Model(x, k.layers.Dense(2, name="answer")(both), name="residual")


def shared(k: Any) -> Any:
    x = k.layers.Input((6,), name="rows")
    dense = k.layers.Dense(6, activation="tanh", name="twice")
    first = dense(x)
    second = dense(first)
    parts = [k.layers.Subtract(name="less")([second, x]), k.layers.Multiply(name="times")([first, x])]
    parts.append(k.layers.Average(name="mean")([first, second, x]))
    parts.append(k.layers.Minimum(name="least")([first, k.layers.Maximum(name="most")([second, x])]))
    return k.models.Model(x, k.layers.Dense(2, name="answer")(k.layers.Concatenate(name="all")(parts)), name="shared")


def images(k: Any) -> Any:
    x = k.layers.Input((6, 5, 2), name="image")
    h = k.layers.Conv2D(4, 3, padding="same", use_bias=False, name="conv")(x)
    h = k.layers.ReLU(name="relu")(k.layers.BatchNormalization(name="norm")(h))
    short = k.layers.Conv2D(4, 1, strides=2, name="short")(x)
    h = k.layers.Add(name="sum")([k.layers.Conv2D(4, 3, strides=2, padding="same", name="long")(h), short])
    h = k.layers.Concatenate(axis=1, name="below")([h, short])
    gate = k.layers.GlobalAveragePooling2D(keepdims=True, name="squeeze")(h)
    h = k.layers.Multiply(name="gated")([h, k.layers.Dense(4, activation="sigmoid", name="gate")(gate)])
    h = k.layers.GlobalMaxPooling2D(name="pool")(h)
    return k.models.Model(x, k.layers.Dense(2, name="answer")(h), name="images")


MODELS: dict[str, Callable[[Any], Any]] = {"residual": residual, "shared": shared, "images": images}


def rows(shape: tuple[int, ...], seed: int = 0) -> Any:
    return np.random.default_rng([seed, *shape]).normal(size=(5, *shape)).astype(np.float32)


@pytest.mark.parametrize("name", MODELS)
def test_outputs_gradients_and_order_are_kerass(name: str) -> None:
    keras.utils.set_random_seed(2)
    theirs = MODELS[name](keras)
    ours = twin(theirs)
    assert isinstance(ours, Functional)
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    written = MODELS[name](edgeling)
    assert [layer.name for layer in written.layers] == [layer.name for layer in ours.layers]
    written.set_weights(ours.get_weights())
    x, y = rows(theirs.input_shape[1:]), rows((2,), 1)
    require_same_answers(ours, theirs, x)
    np.testing.assert_array_equal(written.predict(x), ours.predict(x))
    compile_both(theirs, ours, keras.optimizers.SGD(0.1), "mse")
    assert_same_step(theirs, ours, x, y)


@pytest.mark.parametrize("name", MODELS)
def test_files_go_both_ways(name: str, tmp_path: Path) -> None:
    ours = MODELS[name](edgeling)
    ours.compile("adam", "mse")
    x = rows(ours.input_shape[1:])
    ours.fit(x, rows((2,), 1), epochs=2, verbose=0)
    ours.save(tmp_path / "ours.keras")
    theirs = keras.models.load_model(tmp_path / "ours.keras")
    assert [layer.name for layer in theirs.layers] == [layer.name for layer in ours.layers]
    require_same_answers(ours, theirs, x)
    theirs.save(tmp_path / "theirs.keras")
    for path in ("ours.keras", "theirs.keras"):
        again = load_model(tmp_path / path)
        np.testing.assert_array_equal(again.predict(x), ours.predict(x))
        again.fit(x, rows((2,), 1), epochs=1, verbose=0)
    read = model_from_json(ours.to_json())
    assert read.to_json() == ours.to_json()
    assert clone_model(ours).get_config() == ours.get_config()


def test_a_chain_may_be_written_so() -> None:
    x = layers.Input((3,))
    model = Model(inputs=x, outputs=layers.Dense(2)(layers.Dense(4, activation="relu")(x)))
    assert isinstance(model, Functional)
    assert not isinstance(model, Sequential)
    assert model.predict(np.ones((2, 3), np.float32)).shape == (2, 2)
    model.summary()


def test_it_is_proven_on_a_chip(tmp_path: Path) -> None:
    model = images(edgeling)
    built = edgeling.build(model, out=tmp_path / "c")
    assert built is not None


X = layers.Input((3,))
BAD: list[tuple[Callable[[], Any], str]] = [
    (lambda: Model([X, layers.Input((2,))], layers.Dense(1)(X)), "made of all inputs"),
    (lambda: Model([X, X], layers.Dense(1)(X)), "given once"),
    (lambda: Model(X, []), "outputs are Inputs, or what layers make of them"),
    (lambda: Model(np.ones((1, 3)), layers.Dense(1)(X)), "inputs are Inputs, or what layers make of them"),
    (lambda: Model(X, X), "has layers"),
    (lambda: Model(layers.Input((3,)), layers.Dense(1)(X)), "follow from the inputs"),
    (lambda: layers.Add()([X]), "2 inputs or more"),
    (lambda: layers.Add()([X, layers.Input((2,))]), "shapes that meet"),
    (lambda: layers.Dense(1)([X, X]), "takes one input"),
    (lambda: layers.Add()([X, np.ones((1, 3))]), "symbolic values, or on arrays"),
    (lambda: layers.Concatenate(axis=3)([X, X]), "axis is one of a row"),
    (lambda: layers.Dense(2)(X) + X, r"\(None, 2\) and \(None, 3\)"),
    (lambda: np.exp(X), "edgeling.ops.exp"),
    (lambda: np.mean(X), "edgeling.ops.mean"),
    (lambda: 1 if X > 0 else 2, "where"),
    (lambda: [*X], "split"),
    (lambda: X[0], "answered for itself"),
    (lambda: Model(X, layers.Dense(1, name="a")(layers.Dense(3, name="a")(X))), "different names"),
    (lambda: Model(X, layers.Dense(1)(X)).add(layers.Dense(1)), "called, not added"),
]


@pytest.mark.parametrize(("wrong", "message"), BAD, ids=[message for _, message in BAD])
def test_what_cannot_be_is_refused(wrong: Callable[[], Any], message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        wrong()


def test_files_with_other_wirings_are_refused() -> None:
    config = residual(edgeling).get_config()
    for change in ("a call of itself", "an unknown layer", "no output"):
        broken = {**config, "layers": [dict(layer) for layer in config["layers"]]}
        hidden = broken["layers"][1]
        if change == "no output":
            broken["output_layers"] = []
        else:
            name = hidden["name"] if change == "a call of itself" else "nowhere"
            hidden["inbound_nodes"] = [[[name, 0, 0, {}]]]
        with pytest.raises(EdgelingError):
            Functional.from_config(broken)


def test_one_input_and_output_in_lists_or_by_names_as_keras_takes_them() -> None:
    """`Model([x], [y])` takes and gives arrays by themselves; of a mapping comes a mapping."""
    x, rows, y = layers.Input((3,), name="sensors"), np.ones((4, 3), np.float32), np.ones((4, 2), np.float32)
    made = layers.Dense(2)(x)
    listed, named = Model([x], [made]), Model({"sensors": x}, {"answer": made})
    for model in (listed, named):
        model.compile("sgd", "mse")
    wanted = listed.predict(rows)
    for found in (listed.predict([rows]), listed([rows]), named({"sensors": rows})["answer"], named(rows)["answer"],
                  named.predict(rows[:1])["answer"]):  # fmt: skip
        np.testing.assert_array_equal(found, wanted[: len(found)])
    assert listed.compute_output_shape((None, 3)) == [(None, 2)]
    assert listed.evaluate([rows], [y], verbose=0) == named.evaluate({"sensors": rows}, {"answer": y}, verbose=0)
