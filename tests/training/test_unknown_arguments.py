# SPDX-License-Identifier: Apache-2.0
"""No public function of Keras's names takes an argument in silence that means nothing to it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from edgeling import activations, callbacks, initializers, layers, losses, metrics, models, optimizers, regularizers
from edgeling.errors import TrainingError, UnsupportedError
from edgeling.models import Sequential
from edgeling.optimizers import schedules

MODULES = (activations, callbacks, initializers, layers, losses, metrics, models, optimizers, regularizers, schedules)
# What must be given beside the argument that means nothing.
NEEDED: dict[str, tuple[Any, ...]] = {
    "Dense": (1,), "Activation": ("relu",), "Dropout": (0.5,), "Rescaling": (2.0,), "Reshape": ((2, 2),),
    "InputLayer": ((2,),), "Input": ((2,),), "Optimizer": (0.1,), "clone_model": (Sequential(),),
    **dict.fromkeys(("Conv1D", "Conv2D", "Conv1DTranspose", "Conv2DTranspose"), (4, 3)),
    **dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), (4, 3)),
    **dict.fromkeys(("Convolution1D", "Convolution2D", "SeparableConvolution1D", "SeparableConvolution2D"), (4, 3)),
    **dict.fromkeys(("Convolution1DTranspose", "Convolution2DTranspose"), (4, 3)),
    **dict.fromkeys(("add", "average", "concatenate", "dot", "maximum", "minimum", "multiply", "subtract"),
                    ([np.ones((2, 2))] * 2,)),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D", "RepeatVector"), (3,)), "Permute": ((2, 1),),
    "RandomTranslation": (0.1, 0.1), **dict.fromkeys(("RandomRotation", "RandomZoom"), (0.1,)),
    **dict.fromkeys(("AlphaDropout", "GaussianDropout", "GaussianNoise"), (0.5,)),
    **dict.fromkeys(("SpatialDropout1D", "SpatialDropout2D"), (0.5,)),
    "CategoryEncoding": (3,), "Discretization": ([1.0],), "Dot": (1,), "Embedding": (3, 2),
    "MultiHeadAttention": (2, 3), "GroupQueryAttention": (3, 4, 2), "GroupedQueryAttention": (3, 4, 2),
    **dict.fromkeys(("SimpleRNN", "LSTM", "GRU", "SimpleRNNCell", "LSTMCell", "GRUCell"), (3,)),
    "RNN": (layers.LSTMCell(3),), "StackedRNNCells": ([layers.LSTMCell(3)],),
    "Bidirectional": (layers.LSTM(3),), "TimeDistributed": (layers.Dense(3),),
    **dict.fromkeys(losses.FUNCTIONS, (np.ones((2, 2)), np.ones((2, 2)))),
    **{name: (np.ones(2),) for name, f in vars(activations).items() if isinstance(f, activations.ActivationFunction)},
}  # fmt: skip
# Those whose arguments are somebody else's: a function's, hooks and attributes, what a subclass of one's own asks for.
ANYTHING = {"Lambda", "MeanMetricWrapper", "LambdaCallback", "Metric.update_state", "Metric.__call__"}
# A layer's call, which refuses by name what its layer does not take (below).
ANYTHING |= {"Layer.__call__", "Model.__call__", "Layer.trace", "Layer.call", "Merging.__call__"}


def taking_anything() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Each public function, class and method that has ``**kwargs``."""
    for module in MODULES:
        for name, value in public(module):
            if takes_anything(value):
                yield name, value
            for method, function in vars(value).items() if isinstance(value, type) else ():
                if (not method.startswith("_") or method == "__call__") and takes_anything(function):
                    yield f"{name}.{method}", function


def public(module: ModuleType) -> Iterator[tuple[str, Any]]:
    for name, value in vars(module).items():
        ours = str(getattr(value, "__module__", type(value).__module__)).startswith(module.__name__)
        if not name.startswith("_") and callable(value) and ours:
            yield name, value


def takes_anything(function: Any) -> bool:
    try:
        parameters = inspect.signature(getattr(function, "__func__", function)).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(p.kind is p.VAR_KEYWORD for p in parameters)


FUNCTIONS = dict(taking_anything())


def test_all_of_them_are_known() -> None:
    assert {name for name in FUNCTIONS if "." in name} <= ANYTHING | {
        "Attention.__call__",
        "LossFunction.__call__",
        "ActivationFunction.__call__",
        "ActivationFunction.told",
    }
    assert {"Dense", "Adam", "huber", "relu"} <= FUNCTIONS.keys()


@pytest.mark.parametrize("value", [None, 3])
@pytest.mark.parametrize("name", sorted(name for name in FUNCTIONS.keys() - ANYTHING if "." not in name))
def test_an_argument_without_meaning_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises((TypeError, UnsupportedError), match="nonsense"):
        FUNCTIONS[name](*NEEDED.get(name, ()), nonsense=value)


@pytest.mark.parametrize("given", [np.ones((2, 3)), layers.Input((3,))], ids=["array", "symbol"])
def test_a_layers_call_refuses_by_name(given: Any) -> None:
    with pytest.raises(UnsupportedError, match="nonsense"):
        layers.Dense(2)(given, nonsense=3)
    with pytest.raises(UnsupportedError, match="nonsense"):
        layers.Add()([given, given], nonsense=3)


@pytest.mark.parametrize(
    "method", [name for name, f in inspect.getmembers(Sequential, inspect.isfunction) if name[0] != "_"]
)
def test_so_do_all_methods_of_a_model(method: str) -> None:
    assert not takes_anything(getattr(Sequential, method))


def a_model() -> Sequential:
    return Sequential([layers.Input((4,)), layers.Dense(3, name="a"), layers.Dropout(0.5, name="b"), layers.Dense(2)])


def lines(**how: Any) -> list[str]:
    found: list[str] = []
    a_model().summary(print_fn=found.append, **how)
    return found


def test_a_summary_does_what_kerass_arguments_say() -> None:
    assert len(lines(line_length=70)[2]) == 70
    assert len(lines(line_length=10)[2]) == len(lines()[2])
    assert len(lines(positions=[0.5, 0.8, 1.0], line_length=90)[2]) == 90
    assert [line.split()[0] for line in lines(layer_range=["a", "b"])[3:5]] == ["a", "b"]
    assert len(lines()) - len(lines(layer_range=["a", "b"])) == 1
    assert lines(show_trainable=True)[3].endswith("Y")


@pytest.mark.parametrize(
    "how",
    [{"line_length": "wide"}, {"positions": [1.0]}, {"layer_range": ["a"]}, {"layer_range": ["a", "none"]}],
    ids=str,
)
def test_a_summary_refuses_what_has_no_meaning(how: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedError, match=next(iter(how))):
        lines(**how)


def test_text_is_written_as_asked_for() -> None:
    assert a_model().to_json(indent=1).count("\n") > 20
    assert models.model_from_json(a_model().to_json(sort_keys=True)).count_params() == 23


def test_losses_and_metrics_by_the_outputs_name() -> None:
    model, x, y = a_model(), np.ones((3, 4)), np.zeros((3, 2))
    name = model.layers[-1].name
    for plain in ({name: ["mae"]}, [["mae"]], "mae", {name: "mae"}):
        model.compile("sgd", {name: "mse"}, metrics=plain)
        assert model.metrics_names == ["loss", "mae"]
        assert len(model.evaluate(x, y, verbose=0)) == 2
    for how in ({"loss": {"other": "mse"}}, {"loss": "mse", "metrics": {"other": "mae"}}, {"loss": ["mse", "mae"]}):
        with pytest.raises(UnsupportedError, match="output"):
            model.compile("sgd", **how)


def test_what_is_set_by_compile_alone() -> None:
    model = a_model()
    with pytest.raises(UnsupportedError, match=r"metrics .*compile"):
        model.metrics = ["mae"]  # type: ignore[attr-defined]
    assert not hasattr(model, "metrics")
    model.compile("sgd", "mse")
    model.optimizer = "adam"  # type: ignore[assignment]
    with pytest.raises(TrainingError, match=r"adam.*compile"):
        model.fit(np.ones((3, 4)), np.zeros((3, 2)))


@pytest.mark.parametrize("get", [optimizers.get, losses.get, metrics.get])
def test_a_configuration_that_is_none(get: Callable[..., Any]) -> None:
    with pytest.raises(UnsupportedError, match="mapping"):
        get({"class_name": "Adam", "config": [1]})
    with pytest.raises(UnsupportedError, match="layers"):
        Sequential.from_config({})
