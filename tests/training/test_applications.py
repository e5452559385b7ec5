# SPDX-License-Identifier: Apache-2.0
"""Networks that come with the package: what they take, and that they learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgeling import applications
from edgeling.applications import BUDGETS
from edgeling.errors import UnsupportedError
from edgeling.graph.cost import cost
from edgeling.network.network import inference_graph
from edgeling.passes import optimize
from edgeling.utils import set_random_seed

# MLPerf Tiny's own figures of its four reference models.
MLPERF_TINY = {"ds_cnn": 2_656_768, "mobilenet_v1": 7_489_664, "resnet8": 12_501_632, "dense_autoencoder": 264_192}
SMALL: dict[str, dict[str, Any]] = {
    "mlp": {"input_shape": (4, 2), "dropout": 0.1},
    "ds_cnn": {"input_shape": (12, 8, 1), "filters": 8, "blocks": 1},
    "mobilenet_v1": {"input_shape": (32, 32, 1), "alpha": 0.125},
    "mobilenet_v2": {"input_shape": (32, 32, 1), "alpha": 0.1},
    "resnet8": {"input_shape": (8, 8, 2), "filters": 4},
    "temporal_cnn": {"input_shape": (16, 3), "filters": 8, "blocks": 2},
    "gru": {"input_shape": (16, 3), "units": (8,)},
    "tiny_transformer": {"input_shape": (16, 3), "width": 8},
    "dense_autoencoder": {"input_shape": (12,), "hidden": (8,), "code": 3},
    "convolutional_autoencoder": {"input_shape": (8, 12, 1), "code": 2},
}


def test_there_is_a_budget_for_each_and_each_is_made() -> None:
    made = {name for name, f in vars(applications).items() if callable(f) and f.__module__ == applications.__name__}
    assert {name for name in made if not name.startswith("_")} == set(BUDGETS) == set(SMALL)


@pytest.mark.parametrize("name", BUDGETS)
def test_it_takes_what_it_is_said_to_take(name: str) -> None:
    model = getattr(applications, name)()
    graph = optimize(inference_graph(model))
    assert (model.count_params(), cost(graph).multiply_accumulates) == BUDGETS[name]
    assert BUDGETS[name][1] == MLPERF_TINY.get(name, BUDGETS[name][1])
    assert model.name == name


@pytest.mark.parametrize(
    "name",
    ["mlp", "ds_cnn", "temporal_cnn", "gru", "tiny_transformer", "dense_autoencoder", "convolutional_autoencoder"],
)
def test_it_learns(name: str) -> None:
    """Its loss on the rows it learns from falls: of a network whose parts do not meet it would not."""
    set_random_seed(1)
    model = getattr(applications, name)(**SMALL[name])
    x = np.random.default_rng(0).normal(size=(24, *model.input_shape[1:])).astype(np.float32)
    rebuilt = "autoencoder" in name
    flat = x.reshape(24, -1)
    model.compile("adam", "mse" if rebuilt else "sparse_categorical_crossentropy")
    losses = model.fit(x, flat if rebuilt else flat.sum(axis=1) > 0, epochs=25, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("name", SMALL)
def test_its_answers_are_of_the_right_shape_and_of_one_class_a_probability(name: str) -> None:
    model = getattr(applications, name)(**SMALL[name])
    x = np.random.default_rng(0).normal(size=(2, *model.input_shape[1:])).astype(np.float32)
    answers = model.predict(x, verbose=0)
    assert answers.shape == (2, *model.output_shape[1:])
    if "autoencoder" in name:
        assert answers.size == x.size
    else:
        one = getattr(applications, name)(**SMALL[name], classes=1).predict(x, verbose=0)
        assert one.shape == (2, 1)
        assert ((one > 0) & (one < 1)).all()


BAD: dict[str, Callable[[], Any]] = {
    "classes is a whole number": lambda: applications.mlp(classes=0),
    "blocks is a whole number": lambda: applications.ds_cnn(blocks=0),
    "the heads divide the width": lambda: applications.tiny_transformer(width=9),
    "alpha is a number": lambda: applications.mobilenet_v2(alpha=-1),
    "rows of one dimension": lambda: applications.dense_autoencoder((4, 4)),
    "their sides multiples of 4": lambda: applications.convolutional_autoencoder((30, 32, 1)),
}


@pytest.mark.parametrize("message", BAD)
def test_what_cannot_be_is_refused_by_name(message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        BAD[message]()
