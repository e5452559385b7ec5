# SPDX-License-Identifier: Apache-2.0
"""What every layer shares: a name, weights made when the input's shape is known, and a trace of its operations."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from math import prod
from numbers import Integral
from typing import Any, ClassVar

from edgeling import activations
from edgeling.activations import ActivationFunction
from edgeling.checking import require_float32, whole
from edgeling.configurable import Configurable, NeverCalled, automatic_name, refuse, serialize
from edgeling.errors import DataError, UnsupportedError
from edgeling.graph.types import Array
from edgeling.layers.eager import call, refuse_symbols
from edgeling.layers.symbolic import Symbolic, SymbolicOutput, symbols_of
from edgeling.network.arrays import numbers
from edgeling.network.tracing import Tracer
from edgeling.network.weights import Weight, assign
from edgeling.regularizers import Regularizer

Shape = tuple[int, ...]


class Layer(Configurable, NeverCalled):
    """A step of a network, from a batch of rows to a batch of rows.

    Args:
        name: the layer's name; numbered automatically if not given.
        trainable: whether training moves its weights.
        input_shape: shape of one row, where the layer is the first (``batch_input_shape``, ``input_dim``: likewise).

    Attributes:
        input_row: shape of one input row, once built.
        output_row: shape of one output row, once built.
    """

    module = "keras.layers"
    never_called = ("call", "__call__", "compute_output_spec")
    instead = (
        "the layers of edgeling.layers (Rescaling, Activation, Dense...), or trace(tracer, x), which writes graph"
        " operations"
    )
    arguments: ClassVar[tuple[str, ...]] = ()
    takes_vectors: ClassVar[bool] = False  # a call with one dimension means one row
    takes_several: ClassVar[bool] = False  # it is called on a list of inputs
    supports_masking: bool = False  # the mask of what it is called on goes on to what it makes
    refused: ClassVar[tuple[str, ...]] = ("activity_regularizer", "input_tensor", "weights")

    def __init__(
        self,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
        input_shape: Sequence[int | None] | None = None,
        input_dim: int | None = None,
        batch_input_shape: Sequence[int | None] | None = None,
        **others: Any,
    ) -> None:
        for key, value in others.items():
            if key not in self.refused:
                raise TypeError(f"{type(self).__name__} has no argument {key!r}")
            refuse(type(self).__name__, key, value)
        require_float32(type(self).__name__, dtype)
        if name is not None and not (isinstance(name, str) and name):
            raise DataError("a layer's name is text", received=repr(name), remedy="name='hidden'")
        self.name = name or automatic_name(type(self).__name__)
        self.trainable = bool(trainable)
        self.declared = _declared(input_shape, input_dim, batch_input_shape)
        self.input_row: Shape | None = None
        self.output_row: Shape | None = None
        self._weights: list[Weight] = []
        self._calls = 0

    def __setattr__(self, name: str, value: Any) -> None:
        """Whatever is set may change what is computed: what was compiled looks again."""
        super().__setattr__(name, value)
        Weight.changes.value += 1

    @property
    def built(self) -> bool:
        """Whether the input's shape is known, and the weights made."""
        return self.output_row is not None

    def build(self, input_shape: Any) -> None:
        """Make the weights.

        Args:
            input_shape: with the batch first, as Keras gives it: ``(None, features)``.

        Raises:
            UnsupportedError: the layer does not take rows of that shape.
        """
        row = row_of(input_shape)
        if self.built and self.input_row != row:
            raise UnsupportedError(
                f"layer {self.name!r} is built for rows of shape {self.input_row}",
                received=str(row),
                remedy="make a new layer",
            )
        if not self.built:
            self.make(row)
            self.input_row, self.output_row = row, self.output_shape_of(row)

    def make(self, row: Shape) -> None:
        """Add the weights, for layers that have any."""

    def weight_shapes(self, row: Shape) -> list[Shape]:
        """Shapes of what Keras's files keep for the layer, in their order, if it takes rows of that shape.

        Known before any weight is made, so that a file cannot make a layer allocate more than the file itself holds.

        Raises:
            UnsupportedError: the layer makes weights and does not say which.
        """
        if type(self).make is not Layer.make:
            raise UnsupportedError(
                "a layer with weights says their shapes", received=f"{type(self).__name__} without weight_shapes()",
                remedy="weight_shapes(row), beside make(row)",
            )  # fmt: skip
        return []

    def restore(self, arrays: Sequence[Array]) -> None:
        """Take what a file kept, of the shapes of :meth:`weight_shapes`."""
        self.set_weights(arrays)

    def output_shape_of(self, row: Shape) -> Shape:
        """The shape of one output row."""
        return row

    def output_shape_of_all(self, rows: Sequence[Shape]) -> Shape:
        """The shape of one output row of a call on several inputs.

        Raises:
            UnsupportedError: the layer takes one.
        """
        if len(rows) != 1:
            raise UnsupportedError(
                f"layer {self.name!r} takes one input", received=f"{len(rows)} inputs", remedy="Concatenate() them"
            )
        return self.output_shape_of(rows[0])

    def trace(self, tracer: Tracer, x: Any) -> str:
        """Append the layer's operations to a graph; gives its output.

        Args:
            x: the value it is called on; a list of values if it takes several.
        """
        raise UnsupportedError(
            "a layer of one's own says what it computes", received=f"{type(self).__name__} without trace()",
            remedy="the layers of edgeling.layers, or trace(tracer, x), which writes graph operations",
        )  # fmt: skip

    def penalize(self, tracer: Tracer) -> None:
        """Add the penalties on the weights that training moves to the loss."""
        for weight, regularizer in self._regularized():
            tracer.penalize(weight, *regularizer.factors())

    def _regularized(self) -> list[tuple[Weight, Regularizer]]:
        found = [(w, getattr(self, f"{w.name}_regularizer", None)) for w in self.trainable_weights]
        return [(weight, regularizer) for weight, regularizer in found if regularizer]

    @property
    def losses(self) -> list[float]:
        """The penalties on the weights, as they are now."""
        return [regularizer(weight.value) for weight, regularizer in self._regularized()]

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tuple[int | None, ...]:
        """``(None, features)`` -> ``(None, ...)``: the shape of a batch of output rows."""
        return (next(iter(input_shape)), *self.output_shape_of(row_of(input_shape)))

    @property
    def weights(self) -> list[Weight]:
        """Trainable weights first, as in Keras."""
        return sorted(self._weights, key=lambda w: not w.trainable)

    @property
    def variables(self) -> list[Weight]:
        """As :attr:`weights`."""
        return self.weights

    @property
    def dtype(self) -> str:
        """Always "float32"."""
        return "float32"

    compute_dtype = variable_dtype = dtype

    @property
    def trainable_weights(self) -> list[Weight]:
        """Those that gradients move; none if the layer is not trainable."""
        return [w for w in self.weights if w.trainable and self.trainable]

    @property
    def non_trainable_weights(self) -> list[Weight]:
        """The others."""
        return [w for w in self.weights if not (w.trainable and self.trainable)]

    @property
    def trainable_variables(self) -> list[Weight]:
        """As :attr:`trainable_weights`."""
        return self.trainable_weights

    @property
    def non_trainable_variables(self) -> list[Weight]:
        """As :attr:`non_trainable_weights`."""
        return self.non_trainable_weights

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """``(None, ...)``: the shape of a batch of output rows, once built."""
        return (None, *(self.output_row or ()))

    def count_params(self) -> int:
        """How many numbers the weights hold."""
        return sum(w.value.size for w in self._weights)

    def get_weights(self) -> list[Array]:
        """Copies of the weights."""
        return [w.numpy() for w in self.weights]

    def set_weights(self, weights: Sequence[Array]) -> None:
        """Replace the weights.

        Raises:
            DataError: a wrong number or shape; nothing is changed.
        """
        assign(self.weights, weights, f"layer {self.name!r}")

    def add_weight(self, name: str, value: Array, trainable: bool = True) -> Weight:
        """A new weight of this layer."""
        weight = Weight(name, value, trainable, f"{self.name}/{name}")
        self._weights.append(weight)
        return weight

    def get_config(self) -> dict[str, Any]:
        """Keras's configuration."""
        own = {key: _serialized(getattr(self, key)) for key in self.arguments}
        return {"name": self.name, "trainable": self.trainable, "dtype": "float32", **own}

    @classmethod
    def from_config(cls, config: Any) -> Any:
        """The inverse of :meth:`get_config`; what is not supported must be switched off."""
        known = {*cls.arguments, "name", "trainable", "dtype", "input_shape", "input_dim", "batch_input_shape"}
        for key in config.keys() - known - cls.ignored:
            refuse(cls.__name__, key, config[key])
        return cls(**{k: v for k, v in config.items() if k in known})

    def signature(self) -> list[Any]:
        """What the compiled code depends on: not the name, not how weights begin."""
        return [self.trainable, *(getattr(self, key) for key in self.arguments if not key.endswith("initializer"))]

    def __call__(self, x: Any, training: bool = False) -> Any:
        """The layer's output for a batch of rows, [rows, ...]: interpreted with NumPy. Builds the layer.

        Of an ``Input``, or of what another layer made of one, what stands for the output in a ``Model``.

        Raises:
            DataError: rows of another shape than the layer is built for.
            UnsupportedError: a Keras symbol.
        """
        symbols = symbols_of(x)
        if symbols:
            return self._symbolic(symbols)
        refuse_symbols(x)
        batch = numbers(x, "x", finite=False)
        if batch.ndim == 1 and self.takes_vectors:
            return self(batch[None], training)[0]
        if not self.built:
            self.build(batch.shape)
        if batch.shape[1:] != self.input_row:
            raise DataError(f"layer {self.name!r} takes rows of shape {self.input_row}", received=str(batch.shape))
        self._calls += 1
        names = {w: f"weight_{i}" for i, w in enumerate(self.weights)}
        return call(self.trace, names, [batch], bool(training), self._calls)

    def _symbolic(self, symbols: Sequence[Any]) -> SymbolicOutput:
        """What stands for the output; the layer is built."""
        row = self.output_shape_of_all([symbol.row for symbol in symbols])
        self.build([symbol.shape for symbol in symbols] if self.takes_several else symbols[0].shape)
        return SymbolicOutput(row, self, tuple(symbols))


def _serialized(value: Any) -> Any:
    """An argument as plain data."""
    if isinstance(value, ActivationFunction):
        return activations.serialize(value)
    return serialize(value) if isinstance(value, Configurable) else value


def _declared(shape: Any, dimension: Any, batch_shape: Any) -> Shape | None:
    if shape is not None:
        return row_of((None, *shape) if isinstance(shape, (tuple, list)) else shape)
    if dimension is not None:
        return row_of((None, dimension))
    return None if batch_shape is None else row_of(batch_shape)


def row_of(input_shape: Sequence[int | None]) -> Shape:
    """The shape of one row of a batch.

    Raises:
        UnsupportedError: a length is not known, or not positive.
    """
    shape = tuple(input_shape) if isinstance(input_shape, (tuple, list)) else ()
    row = [int(n) for n in shape[1:] if isinstance(n, Integral) and not isinstance(n, bool) and int(n) > 0]
    if not row or len(row) != len(shape) - 1:
        raise UnsupportedError(
            "every length of a row's shape is known, whole and positive",
            received=repr(input_shape),
            remedy="give all lengths, such as shape=(4,)",
        )
    return tuple(row)


def size(row: Shape) -> int:
    """Elements of one row."""
    return prod(row)


class InputLayer(Symbolic, Layer):
    """States the shape of one row; computes nothing."""

    arguments = ("batch_shape",)
    refused = (*Layer.refused, "sparse", "ragged", "optional")

    def __init__(
        self,
        shape: Sequence[int | None] | None = None,
        batch_size: int | None = None,
        dtype: Any = None,
        batch_shape: Sequence[int | None] | None = None,
        name: str | None = None,
        **others: Any,
    ) -> None:
        old = others.pop("input_shape", None)
        if old is not None:
            warnings.warn("Argument `input_shape` is deprecated. Use `shape` instead.", UserWarning, stacklevel=2)
        given = shape if old is None else old
        if batch_shape is not None and (given is not None or batch_size is not None):
            raise UnsupportedError(
                "an input states shape and batch_size, or batch_shape",
                received=f"shape={given}, batch_size={batch_size}, batch_shape={batch_shape}",
                remedy="shape=(4,)",
            )
        super().__init__(name=name, dtype=dtype, input_shape=given, batch_input_shape=batch_shape, **others)
        if self.declared is None:
            raise UnsupportedError("an input states the shape of its rows", remedy="Input(shape=(4,))")
        rows = batch_size if batch_shape is None else tuple(batch_shape)[0]  # noqa: RUF015
        self.batch_shape = (None if rows is None else whole("batch_size", rows), *self.declared)

    @property
    def row(self) -> Shape:  # type: ignore[override]
        """The shape of one row."""
        return self.declared or ()

    def trace(self, tracer: Tracer, x: str) -> str:
        return x


def Input(  # noqa: N802 - Keras's name
    shape: Sequence[int | None] | None = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: bool | None = None,
    batch_shape: Sequence[int | None] | None = None,
    name: str | None = None,
    **others: Any,
) -> InputLayer:
    """The shape of one row: ``Sequential([Input((4,)), Dense(3)])``."""
    return InputLayer(shape, batch_size, dtype, batch_shape, name, sparse=sparse, **others)
