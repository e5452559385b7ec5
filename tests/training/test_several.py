# SPDX-License-Identifier: Apache-2.0
"""Models of several inputs and outputs, of outputs that are no vectors, and models within models: trained, judged and
stored as by Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras")

import edgeling  # noqa: E402
from edgeling import ops  # noqa: E402
from edgeling.errors import DataError, EdgelingError, UnsupportedError  # noqa: E402
from edgeling.models import Model, load_model  # noqa: E402
from edgeling.network.network import inference_graph  # noqa: E402
from tests.support.rounding import require_rows, require_same_answers, require_same_evaluation  # noqa: E402
from tests.training.keras_pairs import assert_same_fit, assert_same_step  # noqa: E402

pytestmark = pytest.mark.keras
ROWS = 21
DRAWN = np.random.default_rng(5)
A, B = (DRAWN.normal(size=(ROWS, n)).astype(np.float32) for n in (4, 3))
P, Q = DRAWN.normal(size=(ROWS, 1)).astype(np.float32), DRAWN.integers(0, 3, ROWS)
APART = DRAWN.uniform(size=(2, ROWS)).astype(np.float32)
BOTH: dict[str, Any] = {"loss": ["mse", "sparse_categorical_crossentropy"], "loss_weights": [0.5, 2.0]}


def two(k: Any, operations: Any, names: bool = False) -> Any:
    a, b = k.layers.Input((4,), name="a"), k.layers.Input((3,), name="b")
    h = k.layers.Dense(5, activation="tanh", name="h")(a)
    inner = k.Sequential([k.layers.Input((8,)), k.layers.Dense(4, activation="tanh", name="in")], name="inner")
    p = k.layers.Dense(1, name="p")(inner(operations.concatenate([h, 2.0 * b - 1.0], axis=-1)))
    q = k.layers.Dense(3, activation="softmax", name="q")(operations.where(h > 0.1, h, h * h))
    return k.models.Model({"a": a, "b": b} if names else [a, b], {"p": p, "q": q} if names else [p, q], name="two")


def pair(names: bool = False) -> tuple[Any, Any]:
    keras.utils.set_random_seed(3)
    theirs, ours = two(keras, keras.ops, names), two(edgeling, ops, names)
    ours.set_weights(theirs.get_weights())
    return theirs, ours


def compiled(theirs: Any, ours: Any, **how: Any) -> None:
    theirs.compile(keras.optimizers.SGD(0.1), **how)
    ours.compile(edgeling.optimizers.SGD(0.1), **how)


def test_lists_of_inputs_outputs_losses_and_metrics() -> None:
    theirs, ours = pair()
    assert [layer.name for layer in theirs.layers] == [layer.name for layer in ours.layers]
    require_same_answers(ours, theirs, [A, B])
    compiled(theirs, ours, **BOTH, metrics=[["mae"], ["accuracy"]])
    require_same_evaluation(ours, theirs, [A, B], [P, Q])
    assert_same_fit(theirs, ours, [A, B], [P, Q], epochs=2, batch_size=8, shuffle=False, verbose=0)


def test_by_names_and_with_weights_of_rows_of_each_output() -> None:
    theirs, ours = pair(names=True)
    x, y, weights = {"b": B, "a": A}, {"q": Q, "p": P}, dict(zip("pq", APART, strict=True))
    require_same_answers(ours, theirs, x)
    how = {"loss": {"p": "mae", "q": "sparse_categorical_crossentropy"}, "weighted_metrics": {"p": ["mse"]}}
    compiled(theirs, ours, **how)
    theirs.fit(x, y, epochs=2, batch_size=8, shuffle=False, verbose=0, sample_weight=weights)
    history = ours.fit(x, y, epochs=2, batch_size=8, shuffle=False, verbose=0, sample_weight=weights).history
    assert sorted(history) == sorted(theirs.history.history)
    compiled(theirs, ours, **how)
    ours.set_weights(theirs.get_weights())
    assert_same_step(theirs, ours, x, y, sample_weight=weights)


@pytest.mark.parametrize("sparse", [True, False], ids=["class numbers", "values"])
def test_outputs_of_any_rank(sparse: bool) -> None:
    def make(k: Any) -> Any:
        x = k.layers.Input((6, 3))
        h = k.layers.Dense(5, activation="tanh", name="h")(x)
        return k.models.Model(x, k.layers.Dense(4, activation="softmax" if sparse else None, name="z")(h))

    keras.utils.set_random_seed(4)
    theirs, ours = make(keras), make(edgeling)
    ours.set_weights(theirs.get_weights())
    x = DRAWN.normal(size=(ROWS, 6, 3)).astype(np.float32)
    y = DRAWN.integers(0, 4, (ROWS, 6)) if sparse else DRAWN.normal(size=(ROWS, 6, 4)).astype(np.float32)
    compiled(theirs, ours, loss="sparse_categorical_crossentropy" if sparse else "mse", metrics=["accuracy"] * sparse)
    assert_same_fit(theirs, ours, x, y, epochs=2, batch_size=8, shuffle=False, verbose=0)


def test_an_output_without_a_loss_needs_no_target() -> None:
    _, ours = pair()
    ours.compile("sgd", loss={"q": "sparse_categorical_crossentropy"})
    before = {layer.name: layer.get_weights() for layer in ours.layers}
    history = ours.fit([A, B], [Q], epochs=1, verbose=0).history
    assert list(history) == ["loss"]
    np.testing.assert_array_equal(before["p"][0], ours.get_layer("p").get_weights()[0])
    assert (before["q"][0] != ours.get_layer("q").get_weights()[0]).any()


def test_validation_generators_and_batches() -> None:
    _, ours = pair()
    ours.compile("adam", **BOTH)
    held = ours.fit([A, B], [P, Q], validation_split=0.3, epochs=2, verbose=0).history
    assert {"loss", "p_loss", "q_loss", "val_loss", "val_p_loss", "val_q_loss"} == held.keys()
    batches = [([A[:7], B[:7]], [P[:7], Q[:7]]), ([A[7:14], B[7:14]], [P[7:14], Q[7:14]])]
    ours.fit(batches, epochs=1, verbose=0)
    ours.evaluate(batches, verbose=0)
    first, second = ours.predict([A, B])
    assert first.shape == (ROWS, 1)
    assert second.shape == (ROWS, 3)


def test_files_go_both_ways(tmp_path: Path) -> None:
    _, ours = pair(names=True)
    ours.compile("adam", {"p": "mse", "q": "sparse_categorical_crossentropy"}, metrics={"q": ["accuracy"]})
    x, y = {"a": A, "b": B}, {"p": P, "q": Q}
    ours.fit(x, y, epochs=2, verbose=0)
    ours.save(tmp_path / "ours.keras")
    back = keras.models.load_model(tmp_path / "ours.keras")
    require_same_answers(ours, back, x)
    back.save(tmp_path / "theirs.keras")
    for path in ("ours.keras", "theirs.keras"):
        again = load_model(tmp_path / path)
        require_same_answers(again, back, x)
        require_same_evaluation(again, back, x, y)
        again.fit(x, y, epochs=1, verbose=0)


def test_it_is_built_and_verified_for_a_chip() -> None:
    _, ours = pair()
    built = edgeling.build(ours, target="native")
    assert built is not None


def test_a_network_is_taken_over_from_the_middle_on() -> None:
    _, ours = pair()
    start = ours.input[0]
    cut = Model(start, edgeling.layers.Dense(2, name="new")(ours.get_layer("h").output))
    cut.layers[1].trainable = False
    before = cut.layers[1].get_weights()
    cut.compile("sgd", "mse")
    cut.fit(A, DRAWN.normal(size=(ROWS, 2)), verbose=0)
    np.testing.assert_array_equal(before[0], ours.get_layer("h").get_weights()[0])
    tail = Model(ours.get_layer("h").output, ours.get_layer("q").output)
    hidden = cut.layers[1](A)
    require_rows(inference_graph(tail), tail.predict(hidden), hidden)


def test_the_body_stays_where_it_is_not_trainable() -> None:
    x = edgeling.layers.Input((4,))
    body = Model(x, edgeling.layers.Dense(3, activation="tanh", name="body")(x))
    body.trainable = False
    start = edgeling.layers.Input((4,))
    model = Model(start, edgeling.layers.Dense(1, name="head")(body(start)))
    assert [w.path.split("/")[-1] for w in model.trainable_weights] == ["kernel", "bias"]
    before = body.get_weights()
    model.compile("sgd", "mse")
    model.fit(A, P, epochs=1, verbose=0)
    for old, new in zip(before, body.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def fitted(x: Any = (A, B), y: Any = (P, Q), **how: Any) -> Any:
    _, ours = pair()
    ours.compile("sgd", **{**BOTH, **how})
    return ours.fit(list(x) if isinstance(x, tuple) else x, list(y) if isinstance(y, tuple) else y, verbose=0)


BAD = [
    (lambda: fitted(x=(A,)), "a list of 2"),
    (lambda: fitted(x={"a": A, "c": B}), "names a, b"),
    (lambda: fitted(x=(A, B[:4])), "as many rows"),
    (lambda: fitted(x=(B, A)), r"\(4,\)"),
    (lambda: fitted(y=(P,)), "a list of 2"),
    (lambda: fitted(y={"p": P, "r": Q}), "names, p, q"),
    (lambda: fitted(y=(P, Q + 3)), "class numbers"),
    (lambda: fitted(loss=["mse"]), "one for each output"),
    (lambda: fitted(loss={"p": "mse", "r": "mse"}), "outputs' names"),
    (lambda: fitted(loss_weights=[1.0, 2.0, 3.0]), "one for each output"),
]


@pytest.mark.parametrize(("wrong", "message"), BAD, ids=[f"{i} {message}" for i, (_, message) in enumerate(BAD)])
def test_what_does_not_fit_is_named(wrong: Any, message: str) -> None:
    with pytest.raises((DataError, UnsupportedError), match=message) as caught:
        wrong()
    assert isinstance(caught.value, EdgelingError)
