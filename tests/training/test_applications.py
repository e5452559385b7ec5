# SPDX-License-Identifier: Apache-2.0
"""Networks that come with the package: what they take, that they learn, and that they are right on a chip."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgeling
from benchmarks.applications import FIGURES, measured, plot, table
from edgeling import applications, targets
from edgeling.applications import BUDGETS, NetworkBudget
from edgeling.codegen import generate
from edgeling.errors import EdgelingError, UnsupportedError
from edgeling.graph.cost import cost
from edgeling.layers import GlobalAveragePooling2D, Input
from edgeling.models import Model
from edgeling.network.network import inference_graph
from edgeling.passes import optimize
from edgeling.toolchain.prove import prove
from edgeling.utils import set_random_seed
from tests.support.close import require_close
from tests.support.rounding import row_bounds

CHIP = targets.get("cortex-m4")
PAGE = Path(__file__).parents[2] / "docs" / "applications.md"
# MLPerf Tiny's own figures of its four reference models.
MLPERF_TINY = {"ds_cnn": 2_656_768, "mobilenet_v1": 7_489_664, "resnet8": 12_501_632, "dense_autoencoder": 264_192}
# Each again, smaller: its arguments, and parameters, bytes of weights, bytes of RAM and multiply-accumulates.
SMALL: dict[str, tuple[dict[str, Any], tuple[int, int, int, int]]] = {
    "mlp": ({"input_shape": (4, 2), "hidden": (12, 8), "dropout": 0.1}, (239, 956, 80, 216)),
    "ds_cnn": ({"input_shape": (12, 8, 1), "filters": 8, "blocks": 1}, (660, 2532, 1024, 11040)),
    "mobilenet_v1": ({"input_shape": (32, 40, 1), "alpha": 0.125}, (60402, 226452, 15360, 249984)),
    "mobilenet_v2": ({"input_shape": (32, 33, 1), "alpha": 0.1}, (95730, 342708, 66048, 614240)),
    "resnet8": ({"input_shape": (9, 8, 2), "filters": 4}, (5274, 20976, 3456, 65504)),
    "temporal_cnn": ({"input_shape": (16, 3), "filters": 8, "blocks": 2}, (414, 1704, 1024, 4656)),
    "gru": ({"input_shape": (16, 3), "units": (8, 4), "classes": 1}, (485, 2000, 880, 6532)),
    "tiny_transformer": ({"input_shape": (16, 3), "width": 8, "blocks": 2}, (1350, 5880, 4096, 25776)),
    "dense_autoencoder": ({"input_shape": (12,), "hidden": (8,), "code": 3}, (347, 1084, 44, 240)),
    "convolutional_autoencoder": (
        {"input_shape": (7, 10, 1), "filters": (4, 6, 5), "code": 2}, (1177, 5272, 2400, 11216),
    ),
}  # fmt: skip
CLASSIFIERS = [name for name in SMALL if "autoencoder" not in name]


def made(name: str, **arguments: Any) -> Model:
    """A small one, its weights drawn: biases, and what batch normalisation has seen, are no zeros and ones."""
    set_random_seed(1)
    model: Model = getattr(applications, name)(**{**SMALL[name][0], **arguments})
    draw = np.random.default_rng(2)
    model.set_weights([w + draw.uniform(0, 0.2, w.shape).astype(np.float32) for w in model.get_weights()])
    return model


def rows_of(model: Model, count: int = 2) -> Any:
    return np.random.default_rng(0).normal(size=(count, *model.input_shape[1:])).astype(np.float32)


def taken(model: Model) -> tuple[int, int, int, int]:
    """What the compiler says of C for the chip, before there is a binary."""
    graph = optimize(inference_graph(model))
    program = generate(graph, "net", target=CHIP)
    macs = cost(graph).multiply_accumulates
    return model.count_params(), program.constant_bytes, program.arena_bytes, macs


def test_each_has_a_budget_a_small_one_to_prove_and_its_figures_on_the_page() -> None:
    found = {name for name in applications.__all__ if inspect.isfunction(getattr(applications, name))}
    assert found - {"MobileNet", "MobileNetV2"} == set(BUDGETS) == set(SMALL) == set(FIGURES)
    assert table() in PAGE.read_text("utf-8"), "python -m benchmarks.applications prints the table"
    assert plot() == PAGE.with_suffix(".svg").read_text("utf-8"), "--plot writes it"


@pytest.mark.parametrize("name", BUDGETS)
def test_it_takes_what_it_is_said_to_take(name: str) -> None:
    function, stated = getattr(applications, name), BUDGETS[name]
    model = function()
    assert NetworkBudget(*taken(model), int8=stated.int8) == stated
    assert stated.multiply_accumulates == MLPERF_TINY.get(name, stated.multiply_accumulates)
    assert model.name == name
    told = f"{stated.weight_bytes:,} bytes of weights, {stated.ram_bytes:,} bytes of RAM and"
    assert f"{told} {stated.multiply_accumulates:,} multiply-accumulates" in " ".join(function.__doc__.split())


@pytest.mark.parametrize("name", SMALL)
def test_a_small_one_takes_what_it_should_and_is_proven_on_a_chip(name: str) -> None:
    model = made(name)
    assert taken(model) == SMALL[name][1]
    graph, rows = optimize(inference_graph(model)), rows_of(model)
    bound = row_bounds(graph, rows)[0]
    program = generate(graph, "net", target=CHIP)
    assert prove(program, CHIP, [rows], [bound.exact.astype(np.float32)], tolerance=bound.tolerance).matches


@pytest.mark.parametrize("name", ["mlp", "gru"])
def test_the_pages_figures_are_those_of_the_chip(name: str) -> None:
    """Of two that are quickly built; other compilers count otherwise."""
    found, compiler = measured(name)
    if compiler not in PAGE.read_text("utf-8"):
        pytest.skip(f"the page is of another compiler than {compiler}")
    assert found == FIGURES[name]


@pytest.mark.parametrize("name", SMALL)
def test_int8_where_it_is_said_to_be(name: str) -> None:
    model = made(name)
    if BUDGETS[name].int8:
        assert edgeling.verify(model, precision="int8", calibration_data=rows_of(model, 16)).matches
    else:
        with pytest.raises(UnsupportedError, match="has a rule to quantise it"):
            edgeling.build(model, precision="int8", calibration_data=rows_of(model, 16))


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_it_ends_as_kerass_applications_do(name: str) -> None:
    """Without its top what is before, pooled or not; of one class a sigmoid; logits where no activation is."""
    parameters = inspect.signature(getattr(applications, name)).parameters
    features = made(name, include_top=False).output_shape
    for pooling in ("avg", "max") if "pooling" in parameters else ():
        assert made(name, include_top=False, pooling=pooling).output_shape == (None, features[-1])
    for classes, asked, got in ((5, "softmax", "softmax"), (1, "softmax", "sigmoid"), (5, None, "linear")):
        model = made(name, classes=classes, classifier_activation=asked)
        assert model.output_shape == (None, classes)
        assert model.layers[-1].get_config()["activation"] == got


@pytest.mark.parametrize("name", SMALL)
def test_it_goes_on_from_a_symbolic_value_and_takes_weights_of_a_file(name: str, tmp_path: Path) -> None:
    whole = made(name)
    whole.save_weights(tmp_path / "given.npz")
    given = Input(whole.input_shape[1:])
    arguments = {key: value for key, value in SMALL[name][0].items() if key != "input_shape"}
    again = getattr(applications, name)(input_tensor=given * 2.0, weights=tmp_path / "given.npz", **arguments)
    assert again.inputs == [given]
    assert again.output_shape == whole.output_shape
    for ours, theirs in zip(again.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("shape", [(8, 12, 1), (7, 9, 3), (1, 1, 2), (16, 6), (13, 1)], ids=str)
def test_what_a_convolutional_autoencoder_gives_has_the_shape_of_what_it_takes(shape: tuple[int, ...]) -> None:
    assert applications.convolutional_autoencoder(shape, filters=(4, 4, 4)).output_shape == (None, *shape)


@pytest.mark.parametrize("name", ["ds_cnn", "gru", "tiny_transformer", "convolutional_autoencoder"])
def test_it_learns(name: str) -> None:
    """Its loss on the rows it learns from falls; the others learn beside Keras."""
    set_random_seed(1)
    model = getattr(applications, name)(**SMALL[name][0])
    x = rows_of(model, 24)
    rebuilt = "autoencoder" in name
    loss = "mse" if rebuilt else "binary_crossentropy" if name == "gru" else "sparse_categorical_crossentropy"
    model.compile("adam", loss)
    losses = model.fit(x, x if rebuilt else x.reshape(24, -1).sum(axis=1) > 0, epochs=25, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("name", ["temporal_cnn", "gru", "tiny_transformer"])
def test_windows_of_any_length(name: str) -> None:
    known = made(name)
    any_length = made(name, input_shape=(None, 3))
    assert any_length.input_shape == (None, None, 3)
    assert any_length.output_shape == known.output_shape
    assert any_length.count_params() == known.count_params()


def test_pixels_are_brought_to_one_as_for_kerass() -> None:
    pixels = np.array([0, 127.5, 255], np.float32)
    np.testing.assert_array_equal(applications.mobilenet_v2.preprocess_input(pixels), [-1, 0, 1])
    model = applications.mobilenet_v1((32, 32, 3), input_tensor=None, alpha=0.1, include_top=False)
    given = Input((32, 32, 3))
    symbol = applications.mobilenet_v2.preprocess_input(given)
    assert symbol.shape == model.input_shape
    x = np.full((1, 32, 32, 3), 51.0, np.float32)
    told = Model(given, GlobalAveragePooling2D()(symbol)).predict(x, verbose=0)
    require_close(told, np.full((1, 3), 51 / 127.5 - 1), roundings=1100, of=np.ones((1, 3)))


BAD: dict[str, Callable[[], Any]] = {
    "classes is a whole number": lambda: applications.mlp(classes=0),
    "blocks is a whole number": lambda: applications.ds_cnn(blocks=0),
    "filters is a whole number": lambda: applications.resnet8(filters=1.5),
    "each of hidden is a whole number": lambda: applications.mlp(hidden=(3, 0.5)),
    "units has a whole number for each layer": lambda: applications.gru(units=()),
    "the heads divide the width": lambda: applications.tiny_transformer(width=9),
    "alpha is a number": lambda: applications.mobilenet_v2(alpha=-1),
    "dropout is a number from 0 to 1": lambda: applications.temporal_cnn(dropout=1.5),
    r"dense_autoencoder takes rows of \[features\]": lambda: applications.dense_autoencoder((4, 4)),
    r"gru takes rows of \[steps, channels\]": lambda: applications.gru((6,)),
    r"rows of \[height, width, channels\] or \[steps": lambda: applications.convolutional_autoencoder((9,)),
    "what is halved and brought back has a size": lambda: applications.convolutional_autoencoder((None, 6)),
    "sides are 32 or more": lambda: applications.mobilenet_v1((31, 40, 3)),
    "pooling is None, 'avg' or 'max'": lambda: applications.resnet8(pooling="mean"),
    "include_top is True or False": lambda: applications.mlp(include_top="no"),
    "input_tensor of ds_cnn is an Input": lambda: applications.ds_cnn(input_tensor=np.ones((1, 49, 10, 1))),
    "weights='imagenet'": applications.MobileNet,
    "Try: weights=None": lambda: applications.MobileNetV2(input_shape=(96, 96, 3)),
    "the model file must exist": lambda: applications.mlp(weights="none.weights.h5"),
}


@pytest.mark.parametrize("message", BAD)
def test_what_cannot_be_is_refused_by_name(message: str) -> None:
    with pytest.raises(EdgelingError, match=message):
        BAD[message]()


def test_kerass_large_networks_are_refused_by_name() -> None:
    with pytest.raises(AttributeError, match="no EfficientNetB0: it is made for servers; use resnet8 or MobileNetV2"):
        applications.EfficientNetB0()
    with pytest.raises(AttributeError, match="no attribute 'resnet9'"):
        applications.resnet9()
