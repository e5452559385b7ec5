# SPDX-License-Identifier: Apache-2.0
"""The gradient of every layer, and of every function of ``edgeling.ops``, against differences in float64.

A scalar moves all that a layer is called on and all its weights along one direction that is drawn: of what it gives,
weighted at random, the slope along it is a sum over every element of every gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import pytest

from edgeling import layers as L  # noqa: N812 - as the table below reads best
from edgeling import losses, ops
from edgeling.errors import UnsupportedError
from edgeling.graph import GraphBuilder, run
from edgeling.layers.symbolic import ArgumentPlace
from edgeling.network.tracing import Tracer
from edgeling.passes import differentiate
from tests.support.finite import require_gradient

IMAGE, STEPS, SEEN = (4, 4, 2), (5, 4), (3, 4)
NO_GRADIENT = {
    "CategoryEncoding": "counts whole numbers", "Discretization": "is constant between boundaries",
    "InputLayer": "gives what it is given", "Layer": "what all share", "Lambda": "refused by name",
    "SimpleRNNCell": "in RNN", "LSTMCell": "in RNN", "GRUCell": "in RNN", "StackedRNNCells": "in RNN",
}  # fmt: skip
CELLS = [L.LSTMCell(2), L.GRUCell(2), L.SimpleRNNCell(3)]
# By name: makes it, and the rows of what it is called on.
CASES: dict[str, tuple[Callable[[], Any], Any]] = {
    "Dense": (lambda: L.Dense(3, "tanh"), (2, 4)),
    "Activation": (lambda: L.Activation("gelu"), SEEN), "ReLU": (lambda: L.ReLU(0.9, 0.2, 0.1), SEEN),
    "LeakyReLU": (L.LeakyReLU, SEEN), "ELU": (L.ELU, SEEN), "Softmax": (lambda: L.Softmax(axis=1), SEEN),
    "PReLU": (lambda: L.PReLU("ones"), SEEN), "Identity": (L.Identity, SEEN), "Flatten": (L.Flatten, SEEN),
    "Reshape": (lambda: L.Reshape((4, 3)), SEEN), "Permute": (lambda: L.Permute((2, 1)), SEEN),
    "RepeatVector": (lambda: L.RepeatVector(3), (4,)), "Rescaling": (lambda: L.Rescaling(2.0, 1.0), SEEN),
    "Normalization": (lambda: L.Normalization(mean=0.5, variance=2.0), SEEN),
    "BatchNormalization": (L.BatchNormalization, SEEN), "LayerNormalization": (L.LayerNormalization, SEEN),
    "GroupNormalization": (lambda: L.GroupNormalization(2), IMAGE), "RMSNormalization": (L.RMSNormalization, SEEN),
    "UnitNormalization": (L.UnitNormalization, SEEN),
    "Conv1D": (lambda: L.Conv1D(4, 3, padding="causal", groups=2, dilation_rate=2), STEPS),
    "Conv2D": (lambda: L.Conv2D(3, (3, 2), strides=2, padding="same", activation="sigmoid"), IMAGE),
    "Conv1DTranspose": (lambda: L.Conv1DTranspose(3, 3, strides=2), STEPS),
    "Conv2DTranspose": (lambda: L.Conv2DTranspose(3, 3, strides=2, padding="same"), IMAGE),
    "DepthwiseConv1D": (lambda: L.DepthwiseConv1D(3, depth_multiplier=2), STEPS),
    "DepthwiseConv2D": (lambda: L.DepthwiseConv2D(3, padding="same"), IMAGE),
    "SeparableConv1D": (lambda: L.SeparableConv1D(3, 2), STEPS),
    "SeparableConv2D": (lambda: L.SeparableConv2D(3, 2), IMAGE),
    "MaxPooling1D": (lambda: L.MaxPooling1D(2), STEPS),
    "MaxPooling2D": (lambda: L.MaxPooling2D(3, 1, "same"), IMAGE),
    "AveragePooling1D": (lambda: L.AveragePooling1D(3, 2, "same"), STEPS),
    "AveragePooling2D": (lambda: L.AveragePooling2D(2), IMAGE),
    "GlobalMaxPooling1D": (L.GlobalMaxPooling1D, STEPS), "GlobalMaxPooling2D": (L.GlobalMaxPooling2D, IMAGE),
    "GlobalAveragePooling1D": (L.GlobalAveragePooling1D, STEPS),
    "GlobalAveragePooling2D": (L.GlobalAveragePooling2D, IMAGE),
    "ZeroPadding1D": (lambda: L.ZeroPadding1D(2), STEPS), "ZeroPadding2D": (lambda: L.ZeroPadding2D((1, 2)), IMAGE),
    "Cropping1D": (lambda: L.Cropping1D((1, 2)), STEPS), "Cropping2D": (lambda: L.Cropping2D(1), IMAGE),
    "UpSampling1D": (lambda: L.UpSampling1D(2), STEPS),
    "UpSampling2D": (lambda: L.UpSampling2D((2, 3), interpolation="bilinear"), IMAGE),
    **{name: (getattr(L, name), [SEEN, SEEN]) for name in
       ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")},
    "Dot": (lambda: L.Dot((1, 2), normalize=True), [(4, 2), (3, 4)]),
    "Embedding": (lambda: L.Embedding(5, 3), (4,)),
    "Masking": (L.Masking, SEEN),
    "Dropout": (lambda: L.Dropout(0.4), SEEN), "AlphaDropout": (lambda: L.AlphaDropout(0.4), SEEN),
    "SpatialDropout1D": (lambda: L.SpatialDropout1D(0.4), STEPS),
    "SpatialDropout2D": (lambda: L.SpatialDropout2D(0.4), IMAGE),
    "GaussianDropout": (lambda: L.GaussianDropout(0.4), SEEN), "GaussianNoise": (lambda: L.GaussianNoise(0.4), SEEN),
    "ActivityRegularization": (lambda: L.ActivityRegularization(0.1, 0.2), SEEN),
    "RandomFlip": (L.RandomFlip, IMAGE), "RandomRotation": (lambda: L.RandomRotation(0.2), IMAGE),
    "RandomTranslation": (lambda: L.RandomTranslation(0.2, 0.3), IMAGE),
    "RandomZoom": (lambda: L.RandomZoom(0.2), IMAGE),
    "SimpleRNN": (lambda: L.SimpleRNN(3, return_sequences=True), STEPS),
    "LSTM": (lambda: L.LSTM(3, return_state=True, go_backwards=True), STEPS),
    "GRU": (lambda: L.GRU(3, reset_after=False), STEPS),
    "RNN": (lambda: L.RNN([type(cell).from_config(cell.get_config()) for cell in CELLS]), STEPS),
    "Bidirectional": (lambda: L.Bidirectional(L.GRU(2, return_sequences=True), merge_mode="mul"), STEPS),
    "TimeDistributed": (lambda: L.TimeDistributed(L.Conv1D(2, 2)), (3, 4, 2)),
    "Attention": (lambda: L.Attention(use_scale=True, score_mode="concat"), [SEEN, STEPS]),
    "AdditiveAttention": (L.AdditiveAttention, [SEEN, STEPS]),
    "MultiHeadAttention": (lambda: L.MultiHeadAttention(2, 3, value_dim=2, dropout=0.2, use_gate=True), [SEEN, STEPS]),
    "GroupQueryAttention": (lambda: L.GroupQueryAttention(2, 4, 2, sliding_window=2), [SEEN, STEPS]),
}  # fmt: skip
MASKED = ("SimpleRNN", "LSTM", "GRU", "RNN", "Bidirectional", "GlobalAveragePooling1D", "BatchNormalization",
          "Attention", "MultiHeadAttention", "Add", "Maximum", "Multiply")  # fmt: skip


def test_every_layer_is_here() -> None:
    names = {n for n in L.__all__ if isinstance(getattr(L, n), type) and issubclass(getattr(L, n), L.Layer)}
    assert names == {*CASES, *NO_GRADIENT}


@pytest.mark.parametrize("name", CASES)
def test_of_a_layer(name: str) -> None:
    _check(name, masked=False)


@pytest.mark.parametrize("name", MASKED)
def test_of_a_layer_some_of_whose_steps_do_not_count(name: str) -> None:
    _check(name, masked=True)


# Functions of one value, of two, and of one with further arguments.
OF_ONE = [
    "arctan", "cos", "cosh", "cumprod", "deg2rad", "diff", "exp2", "median", "nan_to_num", "rad2deg", "ravel", "sin",
    "sinh", "sort", "tan",
    "abs", "absolute", "amax", "amin", "average", "celu", "cumsum", "elu", "exp", "expm1", "gelu", "glu",
    "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "leaky_relu", "log", "log10",
    "log1p", "log2", "log_sigmoid", "log_softmax", "logsumexp", "max", "mean", "min", "mish", "negative",
    "norm", "normalize", "prod", "ptp", "reciprocal", "relu", "relu6", "rsqrt", "selu", "sigmoid", "silu",
    "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "sqrt", "square",
    "squareplus", "std", "sum", "swish", "tanh", "tanh_shrink", "tril", "triu", "var",
]  # fmt: skip
OF_TWO = [
    "add",
    "divide",
    "logaddexp",
    "maximum",
    "minimum",
    "multiply",
    "subtract",
    "true_divide",
    "arctan2",
    "divide_no_nan",
    "hypot",
    "mod",
    "remainder",
]
WITH: dict[str, Callable[..., Any]] = {
    "binary_crossentropy": lambda x, y: ops.binary_crossentropy(ops.sigmoid(x), ops.sigmoid(y)),
    "categorical_crossentropy": lambda x, y: ops.categorical_crossentropy(
        ops.one_hot(ops.argmax(x, axis=-1), 4), ops.softmax(y)),
    "sparse_categorical_crossentropy": lambda x, y: ops.sparse_categorical_crossentropy(
        ops.cast(ops.argmax(x, axis=-1), "float32"), ops.softmax(y)),
    "broadcast_to": lambda x, y: ops.broadcast_to(ops.expand_dims(x, 1), (None, 2, *SEEN)),
    "arccos": lambda x, y: ops.arccos(x / 3), "arcsin": lambda x, y: ops.arcsin(x / 3),
    "quantile": lambda x, y: ops.quantile(x, 0.3, axis=-1), "top_k": lambda x, y: ops.top_k(x, 2)[0],
    "take_along_axis": lambda x, y: ops.take_along_axis(x, ops.argsort(x, axis=-1), axis=-1),
    "power": lambda x, y: ops.power(x, 1.7), "clip": lambda x, y: ops.clip(x, 0.5, 1.5),
    "concatenate": lambda x, y: ops.concatenate([x, y], axis=1),
    "hstack": lambda x, y: ops.hstack([x, y]), "stack": lambda x, y: ops.stack([x, y], axis=2),
    "dot": lambda x, y: ops.dot(x, np.ones((4, 2))), "einsum": lambda x, y: ops.einsum("bij,bkj->bik", x, y),
    "matmul": lambda x, y: ops.matmul(x, ops.transpose(y, (0, 2, 1))),
    "expand_dims": lambda x, y: ops.expand_dims(x, 2),
    "flip": lambda x, y: ops.flip(x, axis=1), "get_item": lambda x, y: x[:, 1:, 2],
    "moments": lambda x, y: ops.moments(x, axes=[1])[1], "moveaxis": lambda x, y: ops.moveaxis(x, 1, 2),
    "pad": lambda x, y: ops.pad(x, ((0, 0), (1, 0), (0, 2))), "repeat": lambda x, y: ops.repeat(x, 2, axis=1),
    "reshape": lambda x, y: ops.reshape(x, (-1, 6, 2)), "roll": lambda x, y: ops.roll(x, 1, axis=1),
    "split": lambda x, y: ops.split(x, 2, axis=2)[1], "unstack": lambda x, y: ops.unstack(x, axis=1)[1],
    "squeeze": lambda x, y: ops.squeeze(ops.expand_dims(x, 1), 1), "swapaxes": lambda x, y: ops.swapaxes(x, 1, 2),
    "take": lambda x, y: ops.take(x, [2, 0], axis=1), "tile": lambda x, y: ops.tile(x, (1, 2, 1)),
    "threshold": lambda x, y: ops.threshold(x, 0.9, 0.1), "transpose": lambda x, y: ops.transpose(x, (0, 2, 1)),
    "where": lambda x, y: ops.where(x > y, x, 2 * y),
    "cast": lambda x, y: ops.cast(x, "float32"), "convert_to_tensor": lambda x, y: ops.convert_to_tensor(x),
}  # fmt: skip
WITHOUT = {
    "gives whole numbers or truths": "all any argmax argmin argsort count_nonzero equal greater greater_equal isclose "
    "isfinite isinf isnan less less_equal logical_and logical_not logical_or logical_xor not_equal one_hot sign",
    "is constant between steps": "ceil floor floor_divide round trunc",
    "makes constants, or tells of a value": "arange array convert_to_numpy dtype empty eye full full_like identity "
    "is_tensor linspace meshgrid ndim ones ones_like shape size tri zeros zeros_like",
    "stops gradients": "stop_gradient", "mixes the rows": "outer vstack", "is a room of functions": "image",
}  # fmt: skip
_ALONG = [  # an axis
    "cumprod",
    "diff",
    "median",
    "sort",
    "amax",
    "amin",
    "average",
    "cumsum",
    "logsumexp",
    "max",
    "mean",
    "min",
    "norm",
    "prod",
    "ptp",
    "std",
    "sum",
    "var",
]


def _of_one(name: str) -> Callable[..., Any]:
    function = getattr(ops, name)
    return lambda x, y: function(x, axis=-1) if name in _ALONG else function(x)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: _of_one(name) for name in OF_ONE}, **{name: getattr(ops, name) for name in OF_TWO}, **WITH,
}  # fmt: skip


class Function(L.Layer):
    """One function of two values."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.function = name

    def call(self, x: Any, y: Any) -> Any:
        if self.function.startswith("losses."):
            return ops.expand_dims(getattr(losses, self.function.removeprefix("losses."))(x, y), -1)
        return FUNCTIONS[self.function](x, y)


def test_every_function_is_here() -> None:
    assert {*FUNCTIONS, *" ".join(WITHOUT.values()).split()} == set(ops.__all__)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_of_a_function(name: str) -> None:
    _require_slope(Function(name), _pair(), spread=True)


def _pair() -> list[Any]:
    dice = np.random.default_rng(3)
    return [dice.uniform(0.3, 2, (3, *SEEN)) for _ in range(2)]


def _check(name: str, masked: bool) -> None:
    make, rows = CASES[name]
    dice, layer = np.random.default_rng(11), make()
    arrays = [dice.normal(size=(3, *row)) for row in (rows if isinstance(rows, list) else [rows])]
    if name == "Embedding":
        arrays = [np.arange(12.0).reshape(3, 4) % 5]
    _require_slope(layer, arrays, isinstance(layer, L.MultiHeadAttention | L.GroupQueryAttention), masked)


def _require_slope(layer: Any, arrays: list[Any], spread: bool = False, masked: bool = False) -> None:
    """The layer's gradients are those by differences.

    Args:
        spread: it is called on several values, not on a list of them.
    """
    layer(*arrays) if spread else layer(arrays if len(arrays) > 1 else arrays[0])  # builds it
    b, dice = GraphBuilder("gradient"), np.random.default_rng(11)
    tracer, way = Tracer(b, {}, training=True), b.variable(np.zeros(()), "way")

    def moving(start: Any) -> str:
        step = b.add("multiply", b.constant(dice.normal(size=start.shape), "direction"), way)
        return b.add("add", b.constant(np.asarray(start, np.float64), "start"), step)

    tracer.names.update(
        {w: moving(w.value) if w.trainable else b.variable(w.value, f"kept_{i}") for i, w in enumerate(layer.weights)}
    )
    values = [b.constant(x, "codes") if isinstance(layer, L.Embedding) else moving(x) for x in arrays]
    for value, x in zip(values, arrays, strict=True):
        tracer.masked(
            value,
            b.constant(np.float64(np.arange(x[..., 0].size).reshape(x.shape[:2]) % 3 > 0), "mask") if masked else "",
        )
    made = tracer.through(layer, values, (tuple(map(ArgumentPlace, range(len(values)))), {}) if spread else None)
    total = reduce(
        lambda one, other: b.add("add", one, other), [*(_weighted(b, y, dice) for y in made), *tracer.penalties()]
    )
    graph = b.build([total])
    inputs = {"seed": 5} if "seed" in graph.inputs else {}
    found = run(differentiate(graph, total, ["way"]), inputs, float64=True).outputs[1]
    assert found != 0
    require_gradient(graph, inputs, "way", found)


def _weighted(b: GraphBuilder, y: str, dice: np.random.Generator) -> str:
    """A number of all that a layer gives."""
    shape = b.type_of(y).shape
    each = b.add("multiply", y, b.constant(dice.normal(size=shape), "weights"))
    return b.add("reshape", b.add("sum", each, axes=tuple(range(len(shape)))), shape=())


@pytest.mark.parametrize("name", ["mean_squared_error", "huber", "cosine_similarity"])
def test_of_a_loss_whose_two_values_are_both_learned(name: str) -> None:
    _require_slope(Function(f"losses.{name}"), _pair(), spread=True)


def test_of_other_losses_what_they_compare_with_is_not_learned() -> None:
    with pytest.raises(UnsupportedError, match="stop_gradient"):
        _require_slope(Function("losses.poisson"), _pair(), spread=True)
