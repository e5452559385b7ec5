# SPDX-License-Identifier: Apache-2.0
"""A notebook in which classes and functions are edited and run again: nothing compiled before is taken for them."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeling import activations, regularizers
from edgeling.configurable import OpaqueError, key
from edgeling.layers import Dense, Input, Layer, Normalization
from edgeling.losses import MeanSquaredError
from edgeling.models import Sequential, session
from edgeling.optimizers import SGD
from tests.support.close import require_close
from tests.support.rounding import Bound, training_bounds

X = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)
Y = X[:, :1] * 2
CELLS = {
    "layer": """
class Scaled(Layer):
    def trace(self, tracer, x):
        return tracer.builder.add("multiply", x, tracer.number({factor}, "factor"))
""",
    "attribute": """
class Scaled(Layer):
    def __init__(self):
        super().__init__()
        self.factor = {factor}
    def trace(self, tracer, x):
        return tracer.builder.add("multiply", x, tracer.number(self.factor, "factor"))
""",
    "function": """
def factor():
    return {factor}
if "Scaled" not in globals():
    class Scaled(Layer):
        def trace(self, tracer, x):
            return tracer.builder.add("multiply", x, tracer.number(factor(), "factor"))
""",
}


@pytest.mark.parametrize("cell", CELLS)
def test_a_layer_run_again_is_the_one_that_predicts(cell: str) -> None:
    notebook: dict[str, Any] = {"Layer": Layer}
    for factor in (2.0, 3.0, 5.0, 7.0):
        exec(CELLS[cell].format(factor=factor), notebook)
        model = Sequential([Input((3,)), notebook["Scaled"]()])
        np.testing.assert_array_equal(model.predict(X), np.float32(factor) * X)
        model.compile("sgd", "mse")
        expected = np.mean(((factor - 1) * X.astype(np.float64)) ** 2)
        # A product at most twice what is left of it, a difference: 3 roundings, squared; 3 + 4 sums, two quotients.
        require_close(model.evaluate(X, X, verbose=0), expected, 2 * 3 + 1 + 7 + 2)
        require_close(model.fit(X, X, verbose=0).history["loss"], [expected], 2 * 3 + 1 + 7 + 2)
        del model
        gc.collect()  # the next class may lie where this one lay


def _compiled(loss: Any = "mse", optimizer: Any = None, **dense: Any) -> Sequential:
    model = Sequential([Input((3,)), Dense(1, kernel_initializer="ones", **dense)])
    model.compile(optimizer or SGD(0.1), loss)
    return model


def _lost(model: Sequential) -> Any:
    return model.fit(X, Y, verbose=0, shuffle=False).history["loss"]


def _trained(*told: Any, **dense: Any) -> tuple[Any, Any]:
    model = _compiled(*told, **dense)
    return _lost(model), model.get_weights()[0]


def _changed(bound: Bound, factor: float, added: float = 0.0) -> Bound:
    """Of so many times a result, and something more."""
    return Bound(factor * bound.exact + added, factor * bound.spread)


def test_a_loss_an_optimizer_and_a_penalty_run_again() -> None:
    lost, kernel, _ = training_bounds(_compiled(), lambda model: [_lost(model)])
    lost.require(_trained()[0])
    for factor in (2.0, 3.0):

        class Weighted(MeanSquaredError):
            def trace(self, builder: Any, y_true: str, y_pred: str) -> str:
                rows = super().trace(builder, y_true, y_pred)
                return builder.add("multiply", rows, builder.constant(np.float32(factor), "factor"))  # noqa: B023

            @property
            def function(self) -> str:
                return "mean_squared_error"

        class Eager(SGD):
            def trace(self, builder: Any, learning_rate: str, gradients: Any) -> None:
                rate = builder.add("multiply", learning_rate, builder.constant(np.float32(factor), "factor"))  # noqa: B023
                super().trace(builder, rate, gradients)

        class Penalty(regularizers.L2):
            def factors(self) -> tuple[float, float]:
                return 0.0, factor  # noqa: B023

        _changed(lost, factor).require(_trained(Weighted())[0])
        _changed(kernel, factor, 1 - factor).require(_trained("mse", Eager(0.1))[1])
        _changed(lost, 1, 3 * factor).require(_trained(kernel_regularizer=Penalty())[0])


def test_what_is_set_on_a_layer_counts_at_once() -> None:
    model = Sequential([Input((3,)), Dense(3, kernel_initializer="identity")])
    model.predict(X[:1])
    model.layers[0].activation = activations.get("relu")
    np.testing.assert_array_equal(model.predict(X), np.maximum(X, 0))
    np.testing.assert_array_equal(model.predict(X[:1]), np.maximum(X[:1], 0))


def test_compiling_looks_at_functions_defined_anew() -> None:
    notebook: dict[str, Any] = {"Layer": Layer}
    exec(CELLS["function"].format(factor=2.0), notebook)
    model = Sequential([Input((3,)), notebook["Scaled"]()])
    model.predict(X)
    exec(CELLS["function"].format(factor=3.0), notebook)
    model.compile("sgd", "mse")
    np.testing.assert_array_equal(model.predict(X), 3 * X)


def test_models_of_one_structure_still_share_what_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_kept", type(session._kept)())
    for _ in range(3):
        _trained(kernel_regularizer=regularizers.L2(0.5), activation="relu")
    assert len(session._kept.compiled) == 1
    for _ in range(3):
        notebook: dict[str, Any] = {"Layer": Layer}
        exec(CELLS["layer"].format(factor=2.0), notebook)
        Sequential([Input((3,)), notebook["Scaled"]()]).predict(X)
    assert len(session._kept.compiled) == 2


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.0, -0.0, 1.0, float("nan"), "", "1", b"1"]),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(st.text(max_size=1), inner),
)


@given(PLAIN, PLAIN)
def test_keys_are_equal_exactly_where_contents_are(one: Any, two: Any) -> None:
    assert (key(one) == key(two)) == (repr(one) == repr(two))
    assert hash(key(one)) == hash(key(one))


def test_keys_tell_kinds_apart() -> None:
    class L2(regularizers.L2):
        pass

    layer = Normalization(mean=[1.0], variance=[2.0])
    assert key(layer) == key(Normalization(mean=[1.0], variance=[2.0], name="other"))
    assert key(layer) != key(Normalization(mean=[1.0], variance=[3.0]))
    assert key(regularizers.L1(0.5)) != key(regularizers.L2(0.5))
    assert key(np.ones(2, np.float32)) != key(np.ones(2, np.float64))
    for foreign in (L2(0.5), object(), np.array([object()]), print, [L2(0.5)]):
        with pytest.raises(OpaqueError):
            key(foreign)
