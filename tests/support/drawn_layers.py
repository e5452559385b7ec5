# SPDX-License-Identifier: Apache-2.0
"""Every layer with any of its arguments: what hypothesis draws of Keras's layers, and the rows that they take.

``EDGELING_DRAWS`` says how many of each layer are drawn, each by itself; where it is not set, as in CI, one of each,
many in a network, and the same ones each time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from hypothesis import HealthCheck, Phase, assume, settings
from hypothesis import strategies as st

import edgeling
from edgeling.layers.registry import TABLE

L, Row = keras.layers, tuple[int, ...]
Drawing = Mapping[str, Any]  # of each argument a strategy
one_of, yes = st.sampled_from, st.booleans()
DRAWS = int(os.environ.get("EDGELING_DRAWS", "0"))
some = settings(
    max_examples=max(1, DRAWS),
    derandomize=not DRAWS,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)

FUNCTIONS = one_of([
    None, "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus", "softsign", "sigmoid",
    "hard_sigmoid", "tanh", "exponential", "mish", "hard_silu", "hard_tanh", "log_sigmoid", "celu", "squareplus",
    "sparse_plus", "sparse_sigmoid", "soft_shrink", "hard_shrink", "tanh_shrink",
])  # fmt: skip
OF_ROWS = FUNCTIONS | one_of(["softmax", "log_softmax"])
GATES = one_of(["tanh", "sigmoid", "relu", "hard_sigmoid", "linear", "gelu", "silu"])
INITIALIZERS = one_of([
    "glorot_uniform", "he_normal", keras.initializers.RandomNormal(0.1, 0.2, seed=3),
    keras.initializers.VarianceScaling(2.0, "fan_avg", "uniform", seed=1),
    keras.initializers.RandomUniform(-0.3, 0.4, 2),
])  # fmt: skip
OF_VECTORS = one_of(
    ["zeros", "ones", keras.initializers.Constant(0.3), keras.initializers.RandomNormal(0.5, 0.1, seed=3)]
)
REGULARIZERS = one_of([None, "l1", "l2", keras.regularizers.L1L2(0.01, 0.02), keras.regularizers.L2(0.05)])
CONSTRAINTS = one_of([
    None, "non_neg", "unit_norm", keras.constraints.MaxNorm(0.7), keras.constraints.MinMaxNorm(0.2, 0.9, 0.5),
])  # fmt: skip
LEAST_RATE = 2.0**-30  # with which Keras goes its other way of attention, and drops nothing
EPSILONS = one_of([1e-6, 1e-3, 0.1])


def weight(name: str, initializer: Any = INITIALIZERS) -> Drawing:
    """What is told about a weight."""
    return {f"{name}_initializer": initializer, f"{name}_regularizer": REGULARIZERS, f"{name}_constraint": CONSTRAINTS}


def pairs(*values: Any) -> Any:
    """A number, or one for each of two axes."""
    return one_of(values) | st.tuples(one_of(values), one_of(values))


LAST = {"data_format": one_of([None, "channels_last"])}
KERNEL = {"use_bias": yes, **weight("kernel"), **weight("bias", OF_VECTORS), "activity_regularizer": REGULARIZERS}
DEPTHWISE = {"depth_multiplier": one_of([1, 2]), **weight("depthwise")}
SEPARATE = {key: value for key, value in KERNEL.items() if not key.startswith("kernel")} | DEPTHWISE
SEPARABLE = {"filters": one_of([2, 3]), **SEPARATE, **weight("pointwise")}
SHIFTED = {
    "epsilon": EPSILONS,
    "center": yes,
    "scale": yes,
    **weight("gamma", OF_VECTORS),
    **weight("beta", OF_VECTORS),
}
SEED = {"seed": st.none() | st.integers(0, 99)}
RATE = {"rate": one_of([0.0, 0.4]), **SEED}
FILLED = {
    "fill_mode": one_of(["reflect", "constant", "nearest", "wrap"]), "interpolation": one_of(["bilinear", "nearest"]),
    "fill_value": one_of([0.0, 0.7]), **SEED, **LAST,
}  # fmt: skip
SHARES = one_of([0.2, (-0.2, 0.3), (0.1, 0.1)])
AXES = st.lists(one_of([1, 2, 3]), min_size=1, max_size=3, unique=True)
AXIS = one_of([-3, -2, -1, 1, 2, 3])


def windows(dimensions: int, *paddings: str, **others: Any) -> Drawing:
    """What moves over rows of so many axes beside the channels."""
    sizes = pairs if dimensions == 2 else lambda *values: one_of(values)
    dilated = {
        "dilation_rate": sizes(1, 2),
        "kernel_size": sizes(1, 2, 3),
        "activation": FUNCTIONS,
        "strides": sizes(1, 2),
    }
    return {"padding": one_of(paddings), **LAST, **dilated, **others}


def pooling(dimensions: int) -> Drawing:
    sizes = pairs if dimensions == 2 else lambda *values: one_of(values)
    return {
        "pool_size": sizes(1, 2, 3),
        "strides": st.none() | sizes(1, 2, 3),
        "padding": one_of(["valid", "same"]),
        **LAST,
    }


def around(dimensions: int) -> Any:
    """Of numbers before and after, in the forms that Keras takes."""
    both = st.tuples(one_of([0, 1, 2]), one_of([0, 1]))
    return one_of([0, 1, 2]) | both | (st.tuples(both, both) if dimensions == 2 else both)


RECURRENT: Drawing = {
    "units": one_of([1, 3]), "activation": GATES, "use_bias": yes, **weight("kernel"),
    **weight("recurrent", one_of(["orthogonal", "glorot_uniform"])), **weight("bias", OF_VECTORS),
    "dropout": one_of([0.0, 0.0, 0.3]), "recurrent_dropout": one_of([0.0, 0.0, 0.2]), **SEED,
}  # fmt: skip
CELLS: Mapping[str, Drawing] = {
    "SimpleRNN": RECURRENT,
    "LSTM": {**RECURRENT, "recurrent_activation": GATES, "unit_forget_bias": yes},
    "GRU": {**RECURRENT, "recurrent_activation": GATES, "reset_after": yes},
}
LOOP = {"return_sequences": yes, "return_state": yes, "go_backwards": yes, "unroll": yes}
LOOPS = {n: {**how, **LOOP, "activity_regularizer": REGULARIZERS} for n, how in CELLS.items()}
PRODUCTS = {
    "use_bias": yes, **weight("kernel"), **weight("bias", OF_VECTORS), "activity_regularizer": REGULARIZERS, **SEED,
    "dropout": st.just(LEAST_RATE), "sliding_window": one_of([None, 1, 3]), "use_gate": yes,
}  # fmt: skip


@st.composite
def cells(draw: Any) -> Any:
    made = [
        _made(draw, f"{name}Cell", CELLS[name]) for name in draw(st.lists(one_of([*CELLS]), min_size=1, max_size=2))
    ]
    return made if draw(yes) or len(made) > 1 else made[0]


@st.composite
def loops(draw: Any, **fixed: Any) -> Any:
    name = draw(one_of([*LOOPS]))
    return _made(draw, name, {**LOOPS[name], **{key: st.just(value) for key, value in fixed.items()}})


@st.composite
def at_each_step(draw: Any) -> Any:
    """What may stand in TimeDistributed over rows [steps, 4, 3]."""
    name = draw(one_of(["Dense", "Conv1D", "LayerNormalization", "GlobalMaxPooling1D", "UpSampling1D", "PReLU", "GRU"]))
    if name == "GRU":
        return L.GRU(2, return_sequences=draw(yes))
    return _made(draw, name, {**DRAWN[name][1], **({"axis": st.just(-1)} if "axis" in DRAWN[name][1] else {}),
                              **({"shared_axes": st.just([1])} if name == "PReLU" else {}),
                              **({"groups": st.just(1)} if "groups" in DRAWN[name][1] else {})})  # fmt: skip


IMAGE, STEPS, CUBE = (7, 6, 4), (9, 4), (3, 4, 6)
MERGED = one_of([((3, 4), (3, 4)), ((5,), (5,)), ((3, 4), (1, 4)), ((2, 3, 4), (2, 3, 4))])
THREE = MERGED | one_of([((3, 4), (3, 1), (3, 4)), ((4,), (4,), (4,))])
ASKED = one_of([((4, 3), (5, 3)), ((4, 3), (5, 3), (5, 3))])
# By name: the rows of its inputs (one, or several; or a strategy of either), and what is drawn of each argument.
DRAWN: dict[str, tuple[Any, Drawing]] = {
    "Dense": (one_of([(5,), (3, 4), (2, 3, 4)]), {"units": one_of([1, 4]), "activation": OF_ROWS, **KERNEL}),
    "Activation": ((3, 4), {"activation": OF_ROWS.filter(bool)}),
    "ReLU": ((3, 4), {"max_value": one_of([None, 0.7, 6.0]), "negative_slope": one_of([0.0, 0.2]),
                      "threshold": one_of([0.0, 0.4])}),
    "LeakyReLU": ((3, 4), {"negative_slope": one_of([0.0, 0.1, 0.3])}),
    "ELU": ((3, 4), {"alpha": one_of([0.5, 1.0])}),
    "PReLU": (CUBE, {**weight("alpha", OF_VECTORS), "shared_axes": st.none() | AXES}),
    "Softmax": (CUBE, {"axis": AXIS | AXES}),
    "Identity": ((3, 4), {}),
    "Flatten": (CUBE, LAST),
    "Reshape": ((2, 6), {"target_shape": one_of([(3, 4), (-1,), (4, -1), (12,), (2, 3, 2), (-1, 3, 1)])}),
    "Permute": (CUBE, {"dims": st.permutations([1, 2, 3]).map(tuple)}),
    "RepeatVector": ((5,), {"n": one_of([1, 3])}),
    "Rescaling": (STEPS, {"scale": one_of([2.0, [1.0, 2, 3, 4]]), "offset": one_of([0.0, -1.0, [0.5, 0, 1, 2]])}),
    "Normalization": ((3, 4), {"axis": one_of([-1, 2, None]), "mean": one_of([0.5]), "variance": one_of([2.0]),
                               "invert": yes}),
    "BatchNormalization": (CUBE, {"axis": AXIS, "momentum": one_of([0.5, 0.99]), **SHIFTED,
                                  "moving_mean_initializer": OF_VECTORS, "moving_variance_initializer": OF_VECTORS}),
    "LayerNormalization": (CUBE, {"axis": AXIS | AXES, **SHIFTED}),
    "GroupNormalization": (CUBE, {"groups": one_of([1, -1]), "axis": AXIS, **SHIFTED}),
    "RMSNormalization": (CUBE, {"axis": one_of([3, -1, [2, 3], [1, 2, 3]]), "epsilon": EPSILONS}),
    "UnitNormalization": (CUBE, {"axis": AXIS | AXES}),
    "Conv1D": (STEPS, windows(1, "valid", "same", "causal", filters=one_of([2, 6]), groups=one_of([1, 2]), **KERNEL)),
    "Conv2D": (IMAGE, windows(2, "valid", "same", filters=one_of([2, 6]), groups=one_of([1, 2]), **KERNEL)),
    "Conv1DTranspose": (STEPS, windows(1, "valid", "same", filters=one_of([2, 3]), output_padding=one_of([None, 0, 1]),
                                       **KERNEL)),
    "Conv2DTranspose": (IMAGE, windows(2, "valid", "same", filters=one_of([2, 3]), **KERNEL,
                                       output_padding=st.none() | pairs(0, 1))),
    "DepthwiseConv1D": (STEPS, windows(1, "valid", "same", **SEPARATE)),
    "DepthwiseConv2D": (IMAGE, windows(2, "valid", "same", **SEPARATE)),
    "SeparableConv1D": (STEPS, windows(1, "valid", "same", **SEPARABLE)),
    "SeparableConv2D": (IMAGE, windows(2, "valid", "same", **SEPARABLE)),
    **{f"{kind}Pooling{n}D": ((STEPS, IMAGE)[n - 1], pooling(n)) for kind in ("Max", "Average") for n in (1, 2)},
    **{f"Global{kind}Pooling{n}D": ((STEPS, IMAGE)[n - 1], {"keepdims": yes, **LAST})
       for kind in ("Max", "Average") for n in (1, 2)},
    "ZeroPadding1D": (STEPS, {"padding": around(1), **LAST}), "ZeroPadding2D": (IMAGE, {"padding": around(2), **LAST}),
    "Cropping1D": (STEPS, {"cropping": around(1)}), "Cropping2D": (IMAGE, {"cropping": around(2), **LAST}),
    "UpSampling1D": (STEPS, {"size": one_of([1, 3])}),
    "UpSampling2D": (IMAGE, {"size": pairs(1, 2, 3), **LAST, "interpolation": one_of(["nearest", "bilinear"])}),
    **dict.fromkeys(("Add", "Average", "Maximum", "Minimum", "Multiply"), (THREE, {})),
    "Subtract": (MERGED, {}),
    "Concatenate": (one_of([((3, 4), (3, 4)), ((2, 2), (2, 2), (2, 2))]), {"axis": one_of([-1, 1, 2, -2])}),
    "Dot": (((4, 4), (4, 4)), {"axes": one_of([1, 2, -1, (1, 2), (2, 1)]), "normalize": yes}),
    "Embedding": ((4,), {"input_dim": st.just(6), "output_dim": one_of([1, 3]), **weight("embeddings"),
                         "mask_zero": yes, "weights": st.none()}),
    "CategoryEncoding": ((3,), {"num_tokens": st.just(6), "output_mode": one_of(["one_hot", "multi_hot", "count"])}),
    "Discretization": ((3,), {"bin_boundaries": st.just([0.0, 0.5, 2.0]), "num_bins": st.just(None),
                              "epsilon": one_of([0.01, 0.1]),
                              "output_mode": one_of(["int", "one_hot", "multi_hot", "count"])}),
    "Masking": ((5, 3), {"mask_value": one_of([0.0, 1.0])}),
    "Dropout": ((3, 4), {**RATE, "noise_shape": one_of([None, (None, 1, 4)])}),
    "AlphaDropout": ((3, 4), {**RATE, "noise_shape": one_of([None, (None, 1, 4)])}),
    "SpatialDropout1D": (STEPS, RATE), "SpatialDropout2D": (IMAGE, {**RATE, **LAST}),
    "GaussianDropout": ((3, 4), RATE), "GaussianNoise": ((3, 4), {"stddev": one_of([0.0, 0.3]), **SEED}),
    "ActivityRegularization": ((3, 4), {"l1": one_of([0.0, 0.03]), "l2": one_of([0.0, 0.02])}),
    "RandomFlip": (IMAGE, {"mode": one_of(["horizontal", "vertical", "horizontal_and_vertical"]), **SEED, **LAST}),
    "RandomRotation": (IMAGE, {"factor": SHARES, **FILLED}),
    "RandomTranslation": (IMAGE, {"height_factor": SHARES, "width_factor": SHARES, **FILLED}),
    "RandomZoom": (IMAGE, {"height_factor": SHARES, "width_factor": st.none() | SHARES, **FILLED}),
    **{name: ((4, 3), how) for name, how in LOOPS.items()},
    "RNN": ((4, 3), {"cell": cells(), **LOOP, "zero_output_for_mask": yes}),
    "Bidirectional": ((4, 3), {"merge_mode": one_of(["concat", "sum", "mul", "ave", None]),
                               "layer": loops(units=3, return_sequences=True, return_state=False, go_backwards=False),
                               "backward_layer": st.none() | loops(units=3, return_sequences=True, return_state=False,
                                                                   go_backwards=True)}),
    "TimeDistributed": ((2, 4, 3), {"layer": at_each_step()}),
    "Attention": (ASKED, {"use_scale": yes, "score_mode": one_of(["dot", "concat"]), "dropout": st.just(0.0), **SEED}),
    "AdditiveAttention": (ASKED, {"use_scale": yes, "dropout": st.just(0.0), **SEED}),
    "MultiHeadAttention": (ASKED, {"num_heads": one_of([1, 2]), "key_dim": one_of([1, 3]),
                                   "value_dim": one_of([None, 2]), "output_shape": one_of([None, 5, (2, 2)]),
                                   "attention_axes": one_of([None, 1]),
                                   **PRODUCTS}),
    "GroupQueryAttention": (ASKED, {"head_dim": one_of([1, 3]), "num_query_heads": st.just(4),
                                    "num_key_value_heads": one_of([1, 2, 4]), **PRODUCTS}),
}  # fmt: skip
ELSEWHERE = {"InputLayer": "each begins with it", "GroupedQueryAttention": "another name"}
CODES = ("Embedding", "CategoryEncoding")  # what they take are whole numbers below 6
RAW = ("Discretization", "Masking")  # and these look at the numbers themselves
MASKING = ("Embedding", "Masking")
SPREAD = ("MultiHeadAttention", "GroupedQueryAttention")  # called with values, not with a list of them


@dataclass(frozen=True)
class Case:
    """A layer, and the rows of each input.

    Attributes:
        disturbs: whether training draws what it does.
        masked: whether some steps do not count.
    """

    layer: Any
    rows: tuple[Row, ...]
    disturbs: bool
    masked: bool


def mended(how: dict[str, Any]) -> dict[str, Any]:
    """What does not go together in Keras: strides with dilations, more pixels behind than strides."""
    if np.max(how.get("dilation_rate", 1)) > 1:
        how["strides"] = 1
    if how.get("output_padding") is not None and np.max(how["output_padding"]) >= np.min(how["strides"]):
        how["output_padding"] = None
    return how


def _made(draw: Any, name: str, drawing: Drawing) -> Any:
    return getattr(L, name)(**mended({key: draw(values) for key, values in drawing.items()}))


def _disturbs(config: Any) -> bool:
    """Whether a rate is in it that is not next to nothing."""
    if isinstance(config, dict):
        rates = (config.get(key) or 0 for key in ("rate", "stddev", "dropout", "recurrent_dropout"))
        return max(rates) > LEAST_RATE or any(map(_disturbs, config.values()))
    return isinstance(config, (list, tuple)) and any(map(_disturbs, config))


@st.composite
def cases(draw: Any, name: str) -> Case:
    """The layer of that name, with any arguments."""
    rows, drawing = DRAWN[name]
    rows = rows if isinstance(rows, tuple) else draw(rows)
    layer = _made(draw, name, drawing)
    layer.trainable = draw(one_of([True, True, True, False]))
    loop = name in LOOPS or (name == "RNN" and not isinstance(layer.cell, L.StackedRNNCells))  # Keras masks no stacks
    masked = loop and not layer.unroll and draw(yes)
    disturbs = name.startswith("Random") or _disturbs(layer.get_config())
    return Case(layer, rows if isinstance(rows[0], tuple) else (rows,), disturbs, masked)


def draw_each(drawing: Any, names: Sequence[str], disturbing: bool = True) -> list[Case]:
    """A layer of each name. Hypothesis begins with the first of all choices: where it draws once, with nothing else.

    That is left out, but of a step of loops (not ``disturbing``), which docs/open.md tells of.
    """
    if disturbing or "RNN" not in names:
        assume(drawing.draw(st.integers(0, 1 << 30)))
    return [next(c for c in repeatedly(drawing, cases(name)) if disturbing or not c.disturbs) for name in names]


def repeatedly(drawing: Any, strategy: Any, times: int = 30) -> Iterator[Any]:
    """Draws until one is taken: hypothesis itself gives up after three."""
    yield from (drawing.draw(strategy) for _ in range(times))
    assume(False)


def model_of(drawn: Sequence[Case], library: Any = keras) -> Any:
    """A network of branches: what is learned stands before and behind each layer, and all that it gives counts."""
    own = library.layers
    inputs = [[own.Input(row) for row in case.rows] for case in drawn]
    ends = [y for case, given in zip(drawn, inputs, strict=True) for y in _branch(case, given, own)]
    given = [x for some in inputs for x in some]
    sums = [own.Dense(2)(own.Flatten()(y)) for y in ends]
    return library.Model(given if len(given) > 1 else given[0], own.Add()(sums) if len(sums) > 1 else sums[0])


def our_model_of(drawn: Sequence[Case]) -> Any:
    """The same network without Keras's, of weights that are not those it begins with."""
    model, dice = model_of(drawn, edgeling), np.random.default_rng(1)
    model.set_weights([w + 0.1 * np.abs(dice.normal(size=w.shape)).astype(np.float32) for w in model.get_weights()])
    return model


def _branch(case: Case, inputs: list[Any], own: Any) -> list[Any]:
    name, layer = type(case.layer).__name__, case.layer
    if own is not L:
        layer = TABLE[name].from_config({**layer.get_config(), "name": f"drawn_{layer.name}"})
    values = [own.Masking()(x) if case.masked else x for x in inputs]
    values = values if name in CODES + RAW else [own.Dense(x.shape[-1])(x) for x in values]
    made = layer(*values) if name in SPREAD or len(values) == 1 else layer(values)
    made = own.SimpleRNN(2)(made) if name in MASKING else made
    return keras.tree.flatten(made)  # states of states too


def data_of(drawn: Sequence[Case]) -> Any:
    """Arrays for their inputs; of sequences with steps that do not count."""
    found = [one for case in drawn for one in _data(case)]
    return found if len(found) > 1 else found[0]


def _data(case: Case, rows: int = 5) -> list[Any]:
    dice, name = np.random.default_rng(7), type(case.layer).__name__
    if name in CODES:
        return [dice.integers(0, 6, (rows, *case.rows[0])).astype(np.float32)]
    found = [dice.normal(size=(rows, *row)).astype(np.float32) for row in case.rows]
    if case.masked or name == "Masking":
        found[0][dice.random(found[0].shape[:2]) < 0.4] = case.layer.mask_value if name == "Masking" else 0
    return found


def groups(names: Sequence[str], size: int = 12) -> list[tuple[str, ...]]:
    """Those that stand in one network."""
    size = 1 if DRAWS else size
    return [tuple(names[start : start + size]) for start in range(0, len(names), size)]
