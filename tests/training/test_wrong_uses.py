# SPDX-License-Identifier: Apache-2.0
"""What people get wrong, and what they are told: the class of the error, whose it is, what was received, what to do.

A row says what is done, the error and parts of its message; where it costs little, what the message says is tried.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import edgeling
from edgeling import layers as la
from edgeling import losses, metrics, ops, optimizers
from edgeling.errors import ArtifactError, DataError, EdgelingError, TrainingError, UnsupportedError
from edgeling.models import Functional, Model, Sequential, model_from_json

I = la.Input  # noqa: E741
X, Y, MANY = np.ones((4, 3), np.float32), np.ones((4, 1), np.float32), np.ones((4, 2), np.float32)
SPARSE = "sparse_categorical_crossentropy"


@dataclass(frozen=True)
class Wrong:
    """A row of the table."""

    what: str
    do: Callable[[], Any]
    error: type[EdgelingError]
    says: tuple[str, ...]
    tried: Callable[[], Any] | None = None


ROWS: list[Wrong] = []


def row(what: str, do: Callable[[], Any], error: type[EdgelingError], *says: str, tried: Any = None) -> None:
    ROWS.append(Wrong(what, do, error, says, tried))


def unfit(what: str, do: Callable[[], Any], *says: str, tried: Any = None) -> None:
    row(what, do, UnsupportedError, *says, tried=tried)


def net(units: int = 1, shape: Any = (3,), loss: Any = "mse", activation: Any = None, **how: Any) -> Any:
    model = Sequential([I(shape), la.Dense(units, activation=activation, name="top")])
    model.compile("sgd", loss, **how)
    return model


def fit(x: Any = X, y: Any = Y, model: Any = None, **how: Any) -> Callable[[], Any]:
    return lambda: (model or net)().fit(x, y, verbose=0, **how)


def classes(loss: str = SPARSE) -> Any:
    return net(3, loss=loss, activation="softmax")


def two() -> Any:
    a, b = I((3,), name="a"), I((2,), name="b")
    h = la.Concatenate(name="both")([a, b])
    model = Model([a, b], [la.Dense(1, name="p")(h), la.Dense(2, name="q")(h)])
    model.compile("sgd", "mse")
    return model


def words(last: int = 4) -> Any:
    model = Sequential([I((2,)), la.Embedding(last, 2, name="table"), la.Flatten(), la.Dense(1)])
    model.compile("sgd", "mse")
    return model


# arguments, by name
unfit("no such activation", lambda: la.Dense(2, activation="rellu"), "'rellu'", "'relu', if that is what you meant")
unfit("units below one", lambda: la.Dense(-1), "units", "-1", tried=lambda: la.Dense(2))
unfit("units that are text", lambda: la.Dense("3"), "Dense: units", "'3'")  # type: ignore[arg-type]
unfit("a rate of one", lambda: la.Dropout(1), "rate", tried=lambda: la.Dropout(0.5))
unfit("padding that is none", lambda: la.Conv2D(3, 3, padding="smae"), "valid, same", "'smae'")
unfit("a window of too many axes", lambda: la.Conv2D(3, (3, 3, 3)), "kernel_size", "(3, 3, 3)")
unfit("channels first", lambda: la.Conv2D(3, 3, data_format="channels_first"), "channels come last", "Permute()")
unfit("strides and dilations", lambda: la.Conv2D(3, 3, strides=2, dilation_rate=2), "strides=2", "dilation_rate=2")
unfit("code in a layer", lambda: la.Lambda(abs), "Lambda('abs')", "Rescaling")
unfit("no such initializer", lambda: la.Dense(2, kernel_initializer="he"), "initializer", "'he'")
unfit("half precision", lambda: la.Dense(2, dtype="float16"), "float32", "'float16'", tried=lambda: la.Dense(2))
unfit("no such merge", lambda: la.Bidirectional(la.LSTM(2), merge_mode="cat"), "merge_mode", "'cat'")
unfit("a layer around none", lambda: la.TimeDistributed(3), "TimeDistributed wraps a layer", "int")  # type: ignore[arg-type]
unfit("both ways of no sequence", lambda: la.Bidirectional(la.Dense(2)), "recurrent", "Dense", "Bidirectional(LSTM(8))")
unfit("both ways the same way", lambda: la.Bidirectional(la.LSTM(2), backward_layer=la.LSTM(2)), "backwards")
unfit("an input without lengths", lambda: I(3), "shape", "received 3", "shape=(4,)", tried=lambda: I(shape=(4,)))

# shapes that do not meet
unfit("another width", lambda: list(map(la.Dense(2, name="d"), (I((3,)), I((4,))))), "'d'", "(3,)", "(4,)")
row("another width in arrays", lambda: list(map(la.Dense(2, name="d"), (np.ones((2, 3)), np.ones((2, 4))))), DataError,
    "'d'", "(3,)", "(2, 4)")  # fmt: skip
unfit("beside each other", lambda: la.Concatenate(axis=1, name="c")([I((3, 2)), I((3, 4))]), "'c'", "(3, 2)", "(3, 4)")
unfit("an axis that is none", lambda: la.Concatenate(axis=5, name="c")([I((3, 2))] * 2), "'c'", "(3, 2)", "5",
      tried=lambda: la.Concatenate(axis=-1)([I((3, 2)), I((3, 2))]))  # fmt: skip
unfit("no list", lambda: la.Concatenate(name="c")(I((3,))), "'c'", "a list", "Concatenate()([x, y])")
for kind in (la.Add, la.Subtract, la.Multiply, la.Average, la.Maximum, la.Minimum):
    unfit(f"{kind.__name__} of others", lambda k=kind: k(name="m")([I((3, 2)), I((4, 2))]), "'m'", "(3, 2)", "(4, 2)")  # type: ignore[misc]
unfit("one of two", lambda: la.Add(name="m")([I((3,))]), "'m'", "2 inputs or more", "1")
unfit("three of two", lambda: la.Subtract(name="m")([I((3,))] * 3), "'m'", "3 inputs")
unfit("Dot of others", lambda: la.Dot(axes=1, name="m")([I((3,)), I((4,))]), "'m'", "(3,)", "(4,)")
unfit("Dot along rows", lambda: la.Dot(axes=0, name="m")([I((3,)), I((3,))]), "'m'", "axis=0", "axis=-1",
      tried=lambda: la.Dot(axes=-1)([I((3,)), I((3,))]))  # fmt: skip
unfit("a sum of others", lambda: I((3,)) + I((4,)), "(None, 3)", "(None, 4)")
unfit("a sum with an array", lambda: I((3,)) + np.ones(4), "(None, 3)", "(4,)")
unfit("a product of others", lambda: ops.matmul(I((3, 2)), I((3, 2))), "(None, 3, 2)", "transpose",
      tried=lambda: ops.matmul(I((3, 2)), ops.transpose(I((3, 2)), (0, 2, 1))))  # fmt: skip
unfit("einsum of others", lambda: ops.einsum("bij,bjk->bik", I((3, 2)), I((3, 2))), "einsum", "(None, 3, 2)")
unfit("ops beside each other", lambda: ops.concatenate([I((3, 2)), I((4, 3))], axis=1), "(None, 3, 2)", "(None, 4, 3)")
unfit("another size by ops", lambda: ops.reshape(I((6,)), (-1, 4)), "(6,)", "(-1, 4)", "(-1, 6)",
      tried=lambda: ops.reshape(I((6,)), (-1, 6)))  # fmt: skip
unfit("behind the last", lambda: I((3,))[:, 5], "length 3", "5", "0 to 2", tried=lambda: I((3,))[:, 2])
unfit("a choice of others", lambda: ops.where(I((3,)) > 0, I((3,)), I((4,))), "(None, 3)", "(None, 4)")
unfit("parts of other lengths", lambda: ops.split(I((5,)), 2, axis=1), "length 5", "2", "a divisor of 5")
unfit("NumPy of what is not there", lambda: np.sin(I((3,))), "NumPy's sin", "edgeling.ops.sin")
unfit("a condition that is not there", lambda: 1 if I((3,)) else 0, "`if`", "edgeling.ops.where")
for window in (la.Conv2D(2, 5, name="w"), la.DepthwiseConv2D(5, name="w"), la.MaxPooling2D(5, name="w"),
               la.SeparableConv2D(2, 5, name="w")):  # fmt: skip
    unfit(
        f"{type(window).__name__} beyond its rows",
        lambda w=window: w(I((4, 4, 1))),
        "'w'",
        "(5, 5)",
        "(4, 4, 1)",  # type: ignore[misc]
        "padding='same'",
    )
for flat in (
    la.Conv2D(2, 3, name="w"),
    la.MaxPooling2D(2, name="w"),
    la.GlobalAveragePooling2D(name="w"),
    la.ZeroPadding2D(1, name="w"),
    la.Conv2DTranspose(2, 3, name="w"),
    la.UpSampling2D(2, name="w"),
):
    unfit(
        f"{type(flat).__name__} of no picture",
        lambda w=flat: w(I((4, 4))),
        "'w'",
        "(4, 4)",
        "Reshape()",  # type: ignore[misc]
        tried=lambda w=flat: w(la.Reshape((4, 4, 1))(I((4, 4)))),
    )
unfit("dilated beyond its rows", lambda: la.Conv1D(2, 3, dilation_rate=4, name="w")(I((6, 1))), "'w'", "(6, 1)")
unfit("groups of channels", lambda: la.Conv2D(4, 3, groups=2, name="w")(I((8, 8, 3))), "'w'", "groups=2", "(8, 8, 3)")
unfit("groups of filters", lambda: la.Conv2D(3, 3, groups=2, name="w"), "'w'", "filters=3", "groups=2")
unfit(
    "groups that are normalised", lambda: la.GroupNormalization(groups=2, name="w")(I((4, 3))), "'w'", "2 groups of 3"
)
unfit("all is cropped", lambda: la.Cropping2D(3, name="w")(I((4, 4, 1))), "'w'", "(4, 4, 1)", "((3, 3), (3, 3))")
unfit("another size", lambda: la.Reshape((5,), name="w")(I((2, 3))), "'w'", "(5,)", "(2, 3)", "target_shape=(-1,)",
      tried=lambda: la.Reshape((-1,))(I((2, 3))))  # fmt: skip
unfit("axes of others", lambda: la.Permute((2, 1), name="w")(I((2, 3, 4))), "'w'", "(2, 1)", "(2, 3, 4)")
unfit("a matrix again and again", lambda: la.RepeatVector(3, name="w")(I((2, 3))), "'w'", "(2, 3)", "Flatten()",
      tried=lambda: la.RepeatVector(3)(la.Flatten()(I((2, 3)))))  # fmt: skip
unfit("attention of no sequences", lambda: la.Attention(name="w")([I((3,)), I((3,))]), "'w'", "(3,)")
unfit("attention of other widths", lambda: la.Attention(name="w")([I((3, 2)), I((3, 4))]), "'w'", "(3, 2)", "(3, 4)")
unfit("heads of other steps", lambda: la.MultiHeadAttention(2, 3, name="w")(I((3, 2)), I((4, 2)), I((5, 2))), "'w'",
      "(4, 2)", "(5, 2)")  # fmt: skip
unfit("a mask of other steps", lambda: la.MultiHeadAttention(2, 3, name="w")(I((3, 2)), I((4, 2)),
      attention_mask=I((4, 3))), "'w'", "(3, 4)", "(4, 3)")  # fmt: skip
for recurrent in (la.SimpleRNN, la.LSTM, la.GRU):
    unfit(
        f"{recurrent.__name__} of no sequence",
        lambda r=recurrent: r(2, name="w")(I((3,))),
        "'w'",
        "(3,)",  # type: ignore[misc]
        "(steps, features)",
    )
unfit("behind the last step", lambda: Sequential([I((5, 2)), la.LSTM(2), la.LSTM(2, name="w")]), "'w'", "(2,)")
unfit("states that lack", lambda: la.LSTM(2, name="w")(I((3, 2)), initial_state=[I((2,))]), "'w'", "[(2,), (2,)]")
unfit("states of others", lambda: la.GRU(2, name="w")(I((3, 2)), initial_state=I((3,))), "'w'", "[(2,)]", "[(3,)]")
unfit("a mask of others", lambda: la.GRU(2, name="w")(I((3, 2)), mask=I((4,))), "'w'", "(3,)", "(4,)")
unfit("states that are not kept", lambda: la.LSTM(2, name="w").reset_states(), "'w'", "stateful=True",
      tried=lambda: la.LSTM(2, stateful=True).reset_states())  # fmt: skip
row("states of other rows", lambda: la.GRU(2, name="w")(np.ones((2, 3, 2)), initial_state=np.ones((5, 2))), DataError,
    "'w'", "2 and 5")  # fmt: skip
unfit("padded by three numbers", lambda: ops.pad(I((3,)), [1, 2, 3]), "(None, 3)", "[1, 2, 3]", "((0, 0), (1, 1))",
      tried=lambda: ops.pad(I((3,)), ((0, 0), (1, 1))))  # fmt: skip
unfit("repeated by text", lambda: ops.tile(I((3,)), "a"), "(None, 3)", "['a']", tried=lambda: ops.tile(I((3,)), (1, 1)))
unfit("steps of no sequence", lambda: la.TimeDistributed(la.Dense(2), name="w")(I((3,))), "'w'", "(3,)")
unfit("an axis of moments", lambda: la.BatchNormalization(axis=3, name="w")(I((3,))), "'w'", "axis=3", "axis=-1")
unfit("moments of others", lambda: la.Normalization(mean=[1, 2], variance=[1, 1], name="w")(I((3,))), "'w'", "(2,)")
row(
    "moments of none",
    lambda: Sequential([I((3,)), la.Normalization(name="w")]).predict(X),
    DataError,
    "'w'",
    "adapt(x)",
)
unfit("scales of others", lambda: la.Rescaling([1, 2], name="w")(I((3,))), "'w'", "(2,)", "(3,)")
unfit("two inputs of one", lambda: la.Flatten(name="w")([I((3,)), I((3,))]), "'w'", "2 inputs")
unfit("arrays beside symbols", lambda: la.Add(name="w")([I((3,)), X]), "both", "Input() for each array")


# models that are none
class Echo(la.Layer):
    def call(self, x: Any) -> Any:
        return self(x)


class Held(la.Layer):
    def __init__(self) -> None:
        super().__init__()
        self.other: Any = self


def added_to_itself() -> None:
    model = Sequential([I((3,)), la.Dense(3)])
    model.add(Sequential([model]))


def holds_its_model() -> None:
    x, layer = I((3,)), la.Dense(3)
    layer.outer = Functional(x, layer(x))


def wired(history: list[Any]) -> Any:
    x = I((3,), name="x")
    told = json.loads(Model(x, la.Dense(3, name="b")(la.Dense(3, name="a")(x))).to_json())
    told["config"]["layers"][1]["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = history
    return model_from_json(json.dumps(told))


A = I((3,), name="a")
unfit("from another input", lambda: Model(I((3,)), la.Dense(1)(A)), "another input, 'a'", "add it to inputs",
      tried=lambda: Model(A, la.Dense(1)(A)))  # fmt: skip
unfit("an input for nothing", lambda: Model([A, (b := I((2,)))], la.Dense(1)(b)), "'a', which nothing is made of")
unfit("an input as output", lambda: Model(A, A), "an input as output", "Identity()(x)",
      tried=lambda: Model(A, la.Identity()(A)))  # fmt: skip
unfit("one input twice", lambda: Model([A, A], la.Dense(1)(A)), "each input is given once")
unfit("two inputs of one name", lambda: Model([A, (b := I((3,), name="a"))], la.Add()([A, b])), "'a'", "name=")
unfit("two layers of one name", lambda: Model(A, la.Dense(1, name="d")(la.Dense(1, name="d")(A))), "'d'", "name=")
for name, other in {"a number": 3, "an array": X, "a layer": la.Dense(2), "nothing": None}.items():
    unfit(f"{name} as output", lambda o=other: Model(A, o), "outputs", type(other).__name__)  # type: ignore[misc]
unfit("an array as input", lambda: Model(X, la.Dense(1)(A)), "inputs", "ndarray")
unfit("a layer in its own call", lambda: Sequential([I((3,)), Echo(name="e")]), "'e'", "no layer is called in its own")
unfit("a layer of itself", Held, "no layer is made of itself", "Held")
unfit("a model in itself", added_to_itself, "no layer is made of itself", "Sequential")
unfit("a layer that holds its model", holds_its_model, "no layer is made of itself", "Dense")
unfit("a layer that computes nothing", lambda: la.Layer(name="e")(I((3,))), "call(self, x)")
unfit(
    "a call that gives nothing",
    lambda: Sequential([I((3,)), type("No", (la.Layer,), {"call": lambda s, x: None})()]),
    "None",
    "edgeling.ops",
)
row("a file with a cycle", lambda: wired(["b", 0, 0]), ArtifactError, "reads itself", "'b'")
row("a file without a layer", lambda: wired(["zz", 0, 0]), ArtifactError, "not there", "'zz'")
unfit("a class in a chain", lambda: Sequential([I((3,)), la.Dense]), "Dense", "Dense(8)")  # type: ignore[list-item]
unfit("a chain of no list", lambda: Sequential(la.Dense(2)), "list", "Dense")  # type: ignore[arg-type]
unfit("an input behind a layer", lambda: Sequential([la.Dense(2), I((3,))]), "an input is the first layer")
unfit("a sum in a chain", lambda: Sequential([I((3,)), la.Add(name="m")]), "'m'", "Model(inputs, outputs)")
unfit("no such layer", lambda: net().get_layer("tpo"), "['top']", "tpo")
unfit("a model of other rows", lambda: net()(I((4,))), "(3,)", "(4,)")

# told wrongly
row("fit before compile", lambda: Sequential([I((3,)), la.Dense(1)]).fit(X, Y), TrainingError, "compile('adam', loss)")
row("evaluate before compile", lambda: Sequential([I((3,)), la.Dense(1)]).evaluate(X, Y), TrainingError, "compile(")
unfit("nothing to answer", lambda: Sequential().predict(X), "not built", "Input((features,))")
unfit("a file of what is not built", lambda: Sequential([la.Dense(2)]).save("no.keras"), "not built")
unfit("no such loss", lambda: net(loss="mean_square_error"), "loss", "'mean_squared_error', if that is what you meant")
unfit("no such metric", lambda: net(metrics=["acuracy"]), "metric", "'accuracy', if that is what you meant",
      tried=lambda: net(metrics=["accuracy"]))  # fmt: skip
unfit("no such optimizer", lambda: net().compile("adamm", "mse"), "optimizer", "'adam', if that is what you meant")
unfit("two losses of one", lambda: net(loss=["mse", "mae"]), "one loss", "['mse', 'mae']")
unfit("a loss of no output", lambda: two().compile("sgd", {"p": "mse", "z": "mse"}), "losses", "z", "['p', 'q']")
unfit("metrics of no output", lambda: two().compile("sgd", "mse", metrics={"z": ["mae"]}), "metrics", "z", "['p', 'q']")
unfit("weights of no output", lambda: two().compile("sgd", "mse", loss_weights={"z": 1}), "loss_weights", "z")
unfit("too few weights", lambda: two().compile("sgd", "mse", loss_weights=[1]), "loss_weights", "a list of 2")
unfit("weights that are text", lambda: two().compile("sgd", "mse", loss_weights=["a", "b"]), "loss_weights", "'a'")
unfit("callbacks that are none", fit(callbacks=["early"]), "'early'", "EarlyStopping()")
unfit("batches of none", fit(batch_size=0), "batch_size", "received 0")
unfit("epochs that are text", fit(epochs="3"), "epochs", "'3'")
unfit("validated at no epoch", fit(validation_split=0.5, validation_freq="a"), "validation_freq", "'a'")
row("all for validation", fit(validation_split=1.0), DataError, "validation_split", "1.0 of 4 rows", "0.2")
row("validated on other columns", fit(validation_data=(MANY, Y)), DataError, "(3,)", "(4, 2)")
row("validated on other rows", fit(validation_data=(X, Y[:2])), DataError, "4 and 2")
unfit("validated on x alone", fit(validation_data=X), "validation_data", "ndarray", "(x_val, y_val)")
row("a rate below zero", lambda: optimizers.Adam(-1), TrainingError, "learning rate", "-1")
row("weights of another model", lambda: net().set_weights([X]), DataError, "(3, 1)", "(4, 3)")
row("weights that are text in set_weights", lambda: net().set_weights(["a", "b"]), DataError, "numbers", "'a'")

# rows that do not fit
row("other columns", fit(MANY), DataError, "(3,)", "(4, 2)")
row("one row without a batch", fit(X[0]), DataError, "(3,)", "x[np.newaxis]")
row("other rows", fit(X, Y[:3]), DataError, "4 and 3")
row("no targets", fit(X, None), DataError, "y=None", "fit(x, y)")
row("no rows", fit(X[:0], Y[:0]), DataError, "(0, 3)")
row("nothing at all", fit(None, Y), DataError, "received None")
row("text", fit(np.array([["a"] * 3] * 4)), DataError, "numbers", "<U1")
row("objects", fit(np.array([[{}] * 3] * 4)), DataError, "numbers", "(4, 3)")
row("rows of several lengths", fit([[1, 2, 3], [1, 2]], [1, 2]), DataError, "a list of 3", "a list of 2", "pad or cut")
row("not a number", fit(X * np.nan), DataError, "finite", "(0, 0)")
row("infinite targets", fit(X, Y * np.inf), DataError, "y holds finite")
row("targets of another width", fit(X, MANY), DataError, "y has 1 columns", "(4, 2)", "the last layer")
row("a class too many", fit(X, [0, 1, 2, 3], classes), DataError, "between 0 and 2", "from 0 to 3")
row("a class below zero", fit(X, [0, 1, 2, -1], classes), DataError, "from -1 to 2")
row("half a class", fit(X, [0, 1, 2, 0.5], classes), DataError, "whole")
row("classes as columns", fit(X, np.eye(3)[[0] * 4], classes), DataError, "(4, 3)", "categorical_crossentropy")
row(
    "columns as classes",
    fit(X, [0, 1, 2, 0], lambda: classes("categorical_crossentropy")),
    DataError,
    "3 columns",
    SPARSE,
)
row("names of classes", fit(X, ["a"] * 4, classes), DataError, "y holds numbers", "return_inverse")
row(
    "two of two", fit(X, Y + 1, lambda: net(loss="binary_crossentropy", activation="sigmoid")), DataError, "from 0 to 1"
)
row("weights of other rows", fit(sample_weight=np.ones(3)), DataError, "sample_weight", "3 for 4 rows")
row("weights below zero", fit(sample_weight=-np.ones(4)), DataError, "sample_weight", "-1")
row(
    "pictures of others",
    fit(np.ones((4, 2, 3)), np.ones((4, 2, 1)), lambda: net(2, (2, 3))),
    DataError,
    "'top'",
    "(2, 2)",
    "(4, 2, 1)",
)
row(
    "words that are not there",
    fit([[1, 4]] * 4, Y, words),
    DataError,
    "'table'",
    "0 to 3",
    "from 1 to 4",
    "input_dim=5",
    tried=lambda: words(5)._rows_of([[1, 4]] * 4, Y, None),
)
row("half a word", fit([[1, 1.5]] * 4, Y, words), DataError, "'table'", "whole numbers")
row("a word below zero", fit([[1, -1]] * 4, Y, words), DataError, "'table'", "from -1 to 1")
row("longer than built for", lambda: net(2, (4, 3)).predict(np.ones((2, 5, 3))), DataError, "(4, 3)", "(2, 5, 3)",
    "x[:, :4]", tried=lambda: net(2, (4, 3))._inputs_of(np.ones((2, 5, 3))[:, :4]))  # fmt: skip
unfit(
    "shorter than its window",
    lambda: Sequential([I((None, 3)), la.Conv1D(2, 5, name="w")]).predict(np.ones((2, 3, 3))),
    "'w'",
    "(5,)",
    "(3, 3)",
)
unfit("C of any length", lambda: edgeling.build(Sequential([I((None, 3)), la.GRU(2)])), "(None, 3)", "--steps 24")
unfit(
    "C of no length", lambda: edgeling.build(Sequential([I((None, 3)), la.GRU(2)]), steps=0), "received 0", "steps=24"
)
unfit("lengths of what is known", lambda: edgeling.build(net(), steps=4), "received 4", "leave steps out")
row("y_true of another shape", lambda: losses.MeanSquaredError()(X, MANY), DataError, "(4, 3)", "(4, 2)")
row(
    "a metric of another shape", lambda: metrics.MeanSquaredError().update_state(X, MANY), DataError, "(4, 3)", "(4, 2)"
)

# several inputs and outputs
B, P, Q = MANY, Y, MANY
row("an input lacks", fit([X], [P, Q], two), DataError, "a list of 2", "a, b", "1 of them")
row("an input too many", fit([X, B, B], [P, Q], two), DataError, "a, b", "3 of them")
row("a name lacks", fit({"a": X}, [P, Q], two), DataError, "a, b", "received a")
row("another name", fit({"a": X, "c": B}, [P, Q], two), DataError, "a, b", "a, c")
row("inputs in another order", fit([B, X], [P, Q], two), DataError, "input 'a'", "(3,)", "(4, 2)")
row("inputs of other rows", fit([X, B[:2]], [P, Q], two), DataError, "[4, 2]")
row("an output lacks", fit([X, B], [P], two), DataError, "p, q", "1 of them")
row("another output", fit([X, B], {"p": P, "z": Q}, two), DataError, "p, q", "p, z")
row("an output of another width", fit([X, B], [P, X], two), DataError, "output 'q'", "2 columns", "(4, 3)")
row("weights of no such output", fit([X, B], [P, Q], two, sample_weight={"z": np.ones(4)}), DataError, "p, q", "z")
row(
    "two arrays before the inputs are known",
    lambda: Sequential([la.Dense(1)])([X, X]),
    DataError,
    "2 arrays",
    "Model(inputs, outputs)",
)
row("a list of batches in lists", fit([[[X, B], [P, Q]]] * 2, None, two), DataError, "'a'", "(4, 3)", "[(x, y), ...]",
    tried=lambda: two().fit([((X, B), (P, Q))] * 2, verbose=0))  # fmt: skip
row("one input for two", lambda: two().predict(X), DataError, "a, b", "ndarray")


# batches
def given(*batches: Any) -> Iterator[Any]:
    yield from batches


row("no batches", fit(given(), None), DataError, "at least one batch", "generator")
row("batches without targets", fit(given(X), None), DataError, "y=None")
row("batches of four", fit(given((X, Y, Y, Y)), None), DataError, "(x, y, sample_weight)", "4 parts", "yield x, y")
row("a batch that is None", fit(given(None), None), DataError, "(x, y)", "received None")
row("batches and targets", fit(given((X, Y)), Y), DataError, "targets come with the batches", "yield (x, y)")
row("a batch of other rows", fit(given((X, Y[:2])), None), DataError, "4 and 2")
row("batches in lists", fit([[X, Y]] * 3, None), DataError, "(4, 3)", "(4, 1)", "[(x, y), ...]")
unfit("batches to split", fit(given((X, Y)), None, validation_split=0.5), "validation_split", "validation_data")
unfit("batches of a size", fit(given((X, Y)), None, batch_size=2), "batch_size", "leave it out")


def test_each_is_told_once() -> None:
    names = [one.what for one in ROWS]
    assert len({*names}) == len(names) > 150


@pytest.mark.parametrize("wrong", ROWS, ids=[one.what for one in ROWS])
def test_it_says_whose_fault_it_is_and_what_to_do(wrong: Wrong) -> None:
    with pytest.raises(EdgelingError) as caught:
        wrong.do()
    told = caught.value
    assert type(told) is wrong.error
    assert all(part in told.message for part in wrong.says), told.message
    assert all((told.rule, told.received, told.remedy))
    assert not any(word in told.message for word in ("inhomogeneous", "broadcast together", "not iterable", "0-d"))
    if wrong.tried is not None:
        wrong.tried()


def test_what_the_data_lacks_for_an_epoch_is_warned_of() -> None:
    for source, how in ((X, {"y": Y}), (given((X, Y), (X, Y)), {})):
        with pytest.warns(UserWarning, match="the data ran out after . of 9 batches"):
            net().fit(source, steps_per_epoch=9, verbose=0, **how)


def test_batches_of_another_form_end_the_fit() -> None:
    for other in ((X, Y, np.ones(4)), (MANY, Y), X):
        with pytest.raises(DataError):
            net().fit(given((X, Y), other), verbose=0)
