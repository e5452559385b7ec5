# SPDX-License-Identifier: Apache-2.0
"""What every layer shares: a name, weights made when the input's shape is known, and a trace of its operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from edgeling import regularizers
from edgeling.checking import require_float32
from edgeling.configurable import automatic_name, is_ours, refuse
from edgeling.errors import DataError, UnsupportedError
from edgeling.graph.types import Array
from edgeling.layers import lengths, told, written, written_rules
from edgeling.layers.eager import axes_of_masks, batch_of, call, mask_made, refuse_symbols
from edgeling.layers.masked_symbols import masked_axes
from edgeling.layers.parts import held_by, parts_in_files
from edgeling.layers.shapes import Shape, declared_row, row_of, size
from edgeling.layers.symbolic import (
    ArgumentPlace,
    Arguments,
    Symbolic,
    SymbolicCall,
    SymbolicOutput,
    leaves_of,
    mapped,
    symbols_among,
)
from edgeling.layers.told_masks import require_rows
from edgeling.layers.traced import present
from edgeling.layers.weighted import Weighted, require_apart
from edgeling.network.tracing import Tracer
from edgeling.network.weights import Weight

__all__ = ["OF_ALL", "Layer", "Shape", "require_apart", "row_of", "size"]
OF_ALL = (  # arguments of every layer
    "name", "trainable", "dtype", "activity_regularizer", "input_shape", "input_dim", "batch_input_shape",
)  # fmt: skip


class Layer(Weighted):
    """A step of a network, from a batch of rows to a batch of rows.

    Args:
        name: the layer's name; numbered automatically if not given.
        trainable: whether training moves its weights.
        activity_regularizer: adds a penalty on what the layer gives, of each row in the mean, to the loss.
        input_shape: shape of one row, where the layer is the first (``batch_input_shape``, ``input_dim``: likewise).

    Attributes:
        input_row: shape of one input row, once built.
        output_row: shape of one output row, once built.
    """

    module = "keras.layers"
    never_called: ClassVar[tuple[str, ...]] = ("__call__", "compute_output_spec")
    instead: ClassVar[str] = "call(x), which computes with the functions of edgeling.ops"
    arguments: ClassVar[tuple[str, ...]] = ()
    takes_vectors: ClassVar[bool] = False  # a call with one dimension means one row
    takes_several: ClassVar[bool] = False  # it is called on a list of inputs
    supports_masking: bool = False  # the mask of what it is called on goes on to what it makes
    ends_masks: ClassVar[bool] = False  # it does not, but for what the layer says itself
    takes_arguments: ClassVar[tuple[str, ...]] = ()  # names of what a call may be told beside its inputs
    told_anyway: ClassVar[Mapping[str, Any]] = {}  # what Keras's files tell a call though nobody did
    mask_axes: tuple[int, ...] = ()  # of one of one's own: of each value of a call how many axes its mask has
    is_operation: ClassVar[bool] = False  # a function of edgeling.ops, which is no layer for its user
    refused: ClassVar[tuple[str, ...]] = ("input_tensor", "weights")

    def __init__(
        self,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
        activity_regularizer: Any = None,
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
        self._trainable = bool(trainable)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.declared = declared_row(input_shape, input_dim, batch_input_shape)
        self.input_row: Shape | None = None
        self.output_row: Shape | None = None
        self._weights: list[Weight] = []
        self._calls = 0
        self._called: list[SymbolicCall] = []

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """A layer; of a class of one's own one that remembers its constructor's arguments."""
        made = super().__new__(cls)
        if not is_ours(cls):
            told.remember(made, args, kwargs)
        return made

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Have a ``build`` of one's own run once."""
        super().__init_subclass__(**kwargs)
        if "build" in vars(cls) and not is_ours(cls):
            cls.build = written.built_once(vars(cls)["build"])  # type: ignore[method-assign]

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """What is not there: of an object that was never begun, say so."""
            told.require_begun(self, name)
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)

    def __getstate__(self) -> dict[str, Any]:
        """To copy or pickle: without the calls, which are the model's that it is in."""
        return {**self.__dict__, "_called": []}

    def __setattr__(self, name: str, value: Any) -> None:
        """Whatever is set may change what is computed: what was compiled looks again."""
        if name == "call":
            self._refuse_methods([name], "call set on an object")
        told.require_free(self, name)
        if name == "built":  # as methods written for Keras say; it is known anyway
            return
        if name != "_called" and isinstance(value, (Layer, list, tuple)):
            require_apart(self, [one for one in leaves_of(value) if isinstance(one, Layer)])
        super().__setattr__(name, value)
        Weight.changes.value += 1

    @property
    def traces_calls(self) -> bool:
        """Whether the layer says in Python what it computes."""
        return type(self).call is not Layer.call

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
        if self.traces_calls and type(self)._make is Layer._make:
            return  # nothing to make, be it called on several
        row = row_of(input_shape)
        known = lengths.filled(row, lengths.EXAMPLES[0][0])
        if self.built:
            self._require_same_weights(row, known)
            return
        if known != row:
            lengths.require_lasting(self, row)
        self._make(known)
        (made,) = lengths.asked(lambda rows: [self.output_shape_of(rows[0])], [row])
        self.input_row, self.output_row = row, made

    def after_build(self, input_shape: Any) -> None:
        """What follows on a ``build`` of one's own."""
        written.note_built(self)

    def _require_same_weights(self, row: Shape, known: Shape) -> None:
        """Raise if rows of another shape than those it is built for want other weights.

        Raises:
            UnsupportedError: they do.
        """
        if row == self.input_row:
            return
        if self.traces_calls or self.weight_shapes(known) != [weight.shape for weight in self.weights]:
            raise UnsupportedError(
                f"layer {self.name!r} is built for rows of shape {self.input_row}", received=str(row),
                remedy="make a new layer",
            )  # fmt: skip

    def _make(self, row: Shape) -> None:
        """Add the weights, for layers that have any."""

    def weight_shapes(self, row: Shape) -> list[Shape]:
        """Shapes of what Keras's files keep for the layer, in their order, if it takes rows of that shape.

        Known before any weight is made, so that a file cannot make a layer allocate more than the file itself holds.

        Raises:
            UnsupportedError: the layer makes weights and does not say which.
        """
        if self.traces_calls:  # one of one's own, which is built when its calls are traced
            return [weight.shape for weight in self.weights]
        if type(self)._make is not Layer._make:
            raise UnsupportedError(
                "a layer with weights says their shapes", received=f"{type(self).__name__} without weight_shapes()",
                remedy="weight_shapes(row), beside make(row)",
            )  # fmt: skip
        return []

    @property
    def parts_in_files(self) -> tuple[tuple[str, int], ...]:
        """Where Keras 3's files keep the weights: groups within the layer's own, and how many each holds."""
        return parts_in_files(self) if self.traces_calls else ()

    def _restore(self, arrays: Sequence[Array]) -> None:
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

    def output_rows_of(self, rows: Sequence[Shape], arguments: Arguments | None = None) -> tuple[Shape, ...]:
        """The shapes of one row of each output of a call; the layer may be built by it.

        Args:
            rows: of each value it is called on, in order.
            arguments: how these stand among the call's, where it is called on more than its inputs; see
                :class:`edgeling.layers.symbolic.SymbolicCall`.
        """
        if self.traces_calls:
            return written.rows_of(self, rows, arguments)
        return (self.output_shape_of_all(rows),)

    def rows_made(
        self, rows: Sequence[Shape], arguments: Arguments | None, masked: Sequence[int] = ()
    ) -> tuple[Shape, ...]:
        """As :meth:`output_rows_of`, of values of which it is known how many axes their masks have."""
        if self.traces_calls:
            return written.rows_of(self, rows, arguments, masked)
        return self.output_rows_of(rows, arguments)

    def output_of_call(self, outputs: Sequence[Any]) -> Any:
        """What a call gives: of a layer of one's own as its function does, else its output, or several."""
        if self.traces_calls:
            return written.as_given(self, outputs)
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def output_rows_of_all(self, rows: Sequence[Shape], arguments: Arguments | None = None) -> tuple[Shape, ...]:
        """As :meth:`output_rows_of`, of rows whose lengths may not be known."""
        return lengths.asked(lambda some: self.rows_made(some, arguments), rows)

    def traced(self, tracer: Tracer, values: Sequence[str], arguments: Arguments | None = None) -> tuple[str, ...]:
        """Append one call to a graph; gives its outputs.

        Args:
            values: the names of what it is called on, in order.
            arguments: as in :meth:`output_rows_of`.
        """
        if self.traces_calls:
            return written.traced(self, tracer, values, arguments)
        if arguments is None:
            made = self.trace(tracer, list(values) if self.takes_several else values[0])
        else:
            places, named = mapped(arguments, lambda one: values[one.index] if isinstance(one, ArgumentPlace) else one)
            made = self.trace(tracer, *places, **named)
        return (made,) if isinstance(made, str) else tuple(made)

    def trace(self, tracer: Tracer, x: Any, *others: Any, **named: Any) -> Any:
        """Append the layer's operations to a graph; gives its output, or a list of several.

        Args:
            x: the value it is called on; a list of values if it takes several.
            others, named: further arguments of the call, values by their names.

        Raises:
            UnsupportedError: a class of one's own that says neither this nor :meth:`call`.
        """
        raise UnsupportedError(
            "a layer of one's own says what it computes", received=f"{type(self).__name__} without call()",
            remedy="the layers of edgeling.layers, or call(self, x), which computes with edgeling.ops",
        )  # fmt: skip

    def call(self, *given: Any, **named: Any) -> Any:
        """What a layer of one's own computes, with :mod:`edgeling.ops`, weights and other layers.

        Of ours, what they compute: for classes of one's own that do something before or after it.
        """
        if not given:
            raise UnsupportedError(
                "a layer computes something of what it is given", received="nothing", remedy=f"{self.name}.call(x)"
            )
        return written.of_ours(self, *given, **named)

    def compute_mask(self, inputs: Any, previous_mask: Any = None, mask: Any = None) -> Any:
        """Which steps of what the layer makes count, an array of truths; None where all do.

        A layer of one's own may say it in its place, of what it is called on and of the masks of that.

        Args:
            inputs: an array [rows, ...], or a list of them.
            previous_mask: which of their steps count, [rows, steps]; a list of them, or None.
            mask: as ``previous_mask``, which some of Keras's layers name so.
        """
        previous_mask = mask if previous_mask is None else previous_mask
        self.require_masks(inputs, previous_mask)
        if present() is not None or symbols_among((inputs, previous_mask)):
            masked = self.supports_masking and any(one is not None for one in leaves_of(previous_mask))
            return previous_mask if masked else None
        return mask_made(self, inputs, previous_mask)

    def require_masks(self, inputs: Any, masks: Any) -> None:
        """Raise if masks are told that cannot be those of the inputs; of one input any can."""

    @property
    def says_masks(self) -> bool:
        """Whether it is a layer of one's own that says in Python which steps count."""
        return not is_ours(next(kind for kind in type(self).__mro__ if "compute_mask" in vars(kind)))

    def add_loss(self, loss: Any) -> None:
        """Add a number, or the sum of several, to what training makes small: in ``call`` of a layer of one's own.

        Raises:
            UnsupportedError: called elsewhere.
        """
        written.add_loss(self, loss)

    def compute_output_shape(self, input_shape: Sequence[Any]) -> Any:
        """``(None, features)`` -> ``(None, ...)``: the shape of a batch of output rows; of several inputs a list of
        shapes, of several outputs a tuple of them."""
        several = bool(input_shape) and isinstance(input_shape[0], (list, tuple))
        shapes = list(input_shape) if several else [input_shape]
        made = self.output_rows_of_all([row_of(shape) for shape in shapes])
        return self.output_of_call([(shapes[0][0], *row) for row in made])

    def layers_within(self) -> list[Layer]:
        """Layers that are its attributes, or stand in lists or mappings that are."""
        return list(dict.fromkeys(held_by(self)))

    def get_config(self) -> dict[str, Any]:
        """Keras's configuration."""
        own = {key: written_rules.serialized(getattr(self, key)) for key in self.arguments}
        if self.activity_regularizer:
            own["activity_regularizer"] = written_rules.described(self.activity_regularizer)
        base = {"name": self.name, "trainable": self.trainable, "dtype": "float32", **own}
        return base if is_ours(type(self)) else told.with_arguments(self, base)

    @classmethod
    def from_config(cls, config: Any) -> Any:
        """The inverse of :meth:`get_config`; what is not supported must be switched off."""
        if not is_ours(cls):
            try:
                return cls(**told.taken(cls, config))
            except TypeError as error:
                raise UnsupportedError(
                    f"what {cls.__name__} is made of stands in its configuration", received=str(error),
                    remedy="get_config(self), which says every argument of its constructor",
                ) from None  # fmt: skip
        known = {*cls.arguments, *OF_ALL}
        for key in config.keys() - known - cls.ignored:
            refuse(cls.__name__, key, config[key])
        return cls(**{k: v for k, v in config.items() if k in known})

    def signature(self) -> list[Any]:
        """What the compiled code depends on: not the name, not how weights begin."""
        own = (getattr(self, key) for key in self.arguments if not key.endswith("initializer"))
        return [self.trainable, self.activity_regularizer, *own]

    @property
    def input(self) -> Any:
        """What the layer was first called on: a symbolic value, or a list of several.

        Raises:
            UnsupportedError: it was called on none.
        """
        inputs = self._first_call().inputs
        return inputs[0] if len(inputs) == 1 else list(inputs)

    @property
    def output(self) -> Any:
        """What stands for the output of that call, or for several."""
        return self.output_of_call(self._first_call().outputs)

    def _first_call(self) -> SymbolicCall:
        if not self._called:
            raise UnsupportedError(
                "a layer that is part of a model has input and output", received=f"{self.name!r}, called on nothing",
                remedy="call it on an Input, or build the model",
            )  # fmt: skip
        return self._called[0]

    def __call__(self, x: Any = None, *others: Any, training: bool | None = None, **named: Any) -> Any:
        """The layer's output for a batch of rows, [rows, ...]: interpreted with NumPy. Builds the layer.

        Of an ``Input``, or of what another layer made of one, what stands for the output in a ``Model``; there
        ``training`` says nothing, for ``fit``, ``evaluate`` and ``predict`` do, as in Keras 3.

        Args:
            x: one or several, in a list; by name it is ``inputs``.

        Raises:
            DataError: rows of another shape than the layer is built for.
            UnsupportedError: a Keras symbol.
        """
        x = named.pop("inputs") if x is None and "inputs" in named and not self.traces_calls else x
        tracer = present()
        if tracer:
            return written.inside(self, tracer, (x, *others), named, training)
        if symbols_among((x, others, named)):
            return self._symbolic((x, *others), named)
        refuse_symbols(x)
        if others or named or (isinstance(x, (tuple, list)) and written.is_written(self)):
            return self._eager((x, *others), named, bool(training))
        batch = batch_of(x)
        if batch.ndim == 1 and self.takes_vectors:
            return self(batch[None], training=training)[0]
        if self.traces_calls:
            self.rows_made([batch.shape[1:]], None, axes_of_masks([batch]))
        elif not self.built:
            self.build(batch.shape)
        if not self.traces_calls and not lengths.fits(batch.shape[1:], self.input_row):
            self._require_fitting(batch.shape)
        return self._computed([batch], None, bool(training))

    def _require_fitting(self, shape: Sequence[int]) -> None:
        """Raise if the layer does not take a batch of another shape than it is built for.

        Raises:
            DataError: it does not.
        """
        try:
            self.build(shape)
        except UnsupportedError:
            rule = f"layer {self.name!r} takes rows of shape {self.input_row}"
            fits = None not in self.input_row and size(shape[1:]) == size(self.input_row)  # type: ignore[arg-type,operator]
            remedy = "x.reshape(-1, *layer.input_row)" if fits else "rows of that shape, or a new layer"
            raise DataError(rule, received=f"an array of shape {tuple(shape)}", remedy=remedy) from None

    def _eager(self, places: tuple[Any, ...], named: dict[str, Any], training: bool) -> Any:
        """Of a call on several arrays."""
        given, arguments = written.arguments_of(self, (np.ndarray, list), places, named)
        batches = [batch_of(each) for each in given]
        if not self.traces_calls:
            require_rows(self.name, batches, arguments)
        self.rows_made([batch.shape[1:] for batch in batches], arguments, axes_of_masks(batches))
        self._prepare([batch.shape for batch in batches])
        return self._computed(batches, arguments, training)

    def _computed(self, batches: Sequence[Array], arguments: Arguments | None, training: bool) -> Any:
        self._calls += 1
        names = {w: f"weight_{i}" for i, w in enumerate(self.weights)}
        made = call(lambda tracer, *x: tracer.through(self, x, arguments), names, batches, training, self._calls)
        return self.output_of_call(made if isinstance(made, list) else [made])

    def _symbolic(self, places: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """What stands for the output, or for several; the layer is built."""
        symbols, arguments = written.arguments_of(self, Symbolic, places, named)
        return self.output_of_call(self.called_on(symbols, arguments))

    def called_on(self, symbols: Sequence[Any], arguments: Arguments | None = None) -> tuple[SymbolicOutput, ...]:
        """What stands for the outputs of a call on symbolic values; the layer is built.

        Args:
            arguments: how these stand among the call's arguments.
        """
        given = [symbol.row for symbol in symbols]
        kind = type(self)
        if kind.call is Layer.call and kind.trace is Layer.trace and kind.traced is Layer.traced:
            self.trace(None, None)  # type: ignore[arg-type]  # which says that it computes nothing
        if self.traces_calls and not all(map(lengths.is_known, given)):
            written.build(self, given, arguments)  # which sees that a length is not known
        masked = [masked_axes(symbol) for symbol in symbols] if written.takes_masks(self) else []
        rows = lengths.asked(lambda some: self.rows_made(some, arguments, masked), given)
        self._prepare([symbol.shape for symbol in symbols])
        self.note_output(rows[0])
        call = SymbolicCall(self, tuple(symbols), rows, arguments)
        self._called.append(call)
        return call.outputs

    def note_output(self, row: Shape) -> None:
        """Know what a call of a layer of one's own has made, for whoever looks at the layer."""
        if self.traces_calls and not self.output_row:
            self.output_row = row

    def call_arguments(self, arguments: Arguments) -> Arguments:
        """Of a call's arguments those that files keep with the call; the others are in the configuration."""
        return arguments

    def _prepare(self, shapes: Sequence[tuple[int | None, ...]]) -> None:
        """Build for a call on values of these shapes, each with the batch."""
        if not self.traces_calls:  # that one is built, for what it gives is seen only then
            self.build(shapes if self.takes_several else shapes[0])
