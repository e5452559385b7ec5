# SPDX-License-Identifier: Apache-2.0
"""Cells of recurrent layers: one step of a sequence, traced as the body of a loop.

While training, what does not depend on the step before is computed for all steps at once, before the loop; what the
loop reads of it are slices (:class:`StepSequence`). Where nobody trains it is computed in the loop, so that memory does
not grow with the steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from edgeling import activations, constraints, initializers, regularizers
from edgeling.activations import ActivationFunction
from edgeling.checking import number, whole
from edgeling.configurable import refuse, serialize
from edgeling.errors import UnsupportedError
from edgeling.graph import GraphBuilder
from edgeling.graph.types import Array
from edgeling.layers.base import Layer, Shape
from edgeling.layers.core import as_matrix, no_bias
from edgeling.layers.gates import all_known, columns, columns_of, gru_step, lstm_step
from edgeling.network.tracing import Tracer
from edgeling.network.weights import Weight


@dataclass
class StepSequence:
    """A sequence on its way into a loop.

    Attributes:
        tracer: where what comes before the loop is added.
        axis: the steps' of ``value``: while training 0, [steps, rows, features], so that slices lie side by side.
        value: the sequence.
        sequences, captured: what the body takes, in order, besides what is carried.
    """

    tracer: Tracer
    axis: int
    value: str
    sequences: list[str] = field(default_factory=list)
    captured: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, tracer: Tracer, x: str) -> StepSequence:
        """Of a value [rows, steps, features]. Rows come first in what answers one, for it becomes what answers many."""
        b = tracer.builder
        axis = 0 if tracer.training and b.type_of(x).shape[0] > 1 else 1
        return cls(tracer, axis, x if axis else b.add("transpose", x, permutation=(1, 0, 2)))

    @property
    def rows(self) -> int:
        """How many there are."""
        return self.tracer.builder.type_of(self.value).shape[1 - self.axis]

    def product(self, value: str, kernel: str, bias: str) -> str:
        """``value @ kernel + bias`` of all steps."""
        b = self.tracer.builder
        *lengths, _ = b.type_of(value).shape
        made = b.add("dense", as_matrix(b, value), kernel, bias)
        return b.add("reshape", made, shape=(*lengths, b.type_of(bias).shape[0]))

    def dropped(self, rate: float, seed: int | None) -> str:
        """The sequence with the same features dropped at each step."""
        b, shape = self.tracer.builder, self.tracer.builder.type_of(self.value).shape
        mask = self.tracer.mask((self.rows, shape[2]), rate, seed)
        lengths = (1, self.rows, shape[2]) if self.axis == 0 else (self.rows, 1, shape[2])
        return b.add("multiply", self.value, b.add("reshape", mask, shape=lengths))


def zeros_first(tracer: Tracer, rows: int, sizes: Sequence[int]) -> list[str]:
    """States of zeros, for a loop to begin with."""
    return [tracer.builder.constant(np.zeros((rows, size), np.float32), "first_state") for size in sizes]


Read = Callable[[], str]  # gives the body's next slice, or the next captured value


class Cell(Layer):
    """What the cells below share.

    Attributes:
        state_sizes: how many numbers each of its states has.
    """

    gives_state: ClassVar[bool] = True  # its first state is what it gives
    gates: ClassVar[int] = 1
    has_recurrent_activation: ClassVar[bool] = True
    shared: ClassVar[tuple[str, ...]] = (
        "use_bias", "kernel_initializer", "recurrent_initializer", "bias_initializer", "kernel_regularizer",
        "recurrent_regularizer", "bias_regularizer", "kernel_constraint", "recurrent_constraint", "bias_constraint",
        "dropout", "recurrent_dropout", "seed",
    )  # fmt: skip
    ignored = frozenset({"dtype", "implementation"})
    kernel: Weight
    recurrent_kernel: Weight

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.pop("implementation", None)
        refuse(
            type(self).__name__, "activity_regularizer", kwargs.pop("activity_regularizer", None), "that of LSTM(...)"
        )
        super().__init__(**kwargs)
        self.units, self.use_bias = whole("units", units), bool(use_bias)
        self.activation = _function("activation", activation)
        self.recurrent_activation = _function("recurrent_activation", recurrent_activation)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = self.recurrent_kernel_regularizer = regularizers.get(recurrent_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.recurrent_constraint = self.recurrent_kernel_constraint = constraints.get(recurrent_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.dropout = _rate("dropout", dropout)
        self.recurrent_dropout = _rate("recurrent_dropout", recurrent_dropout)
        self.seed = None if seed is None else whole("seed", seed, 0)
        self.bias: Weight | None = None

    @property
    def state_sizes(self) -> tuple[int, ...]:
        """How many numbers each of its states has; the first is what it gives."""
        return (self.units,)

    @property
    def state_size(self) -> Any:
        """As Keras says it: one number, or several."""
        sizes = list(self.state_sizes)
        return sizes if len(sizes) > 1 else sizes[0]

    @property
    def output_size(self) -> int:
        """How many numbers it gives a step."""
        return self.units

    @property
    def weight_count(self) -> int:
        """How many weights there are, built or not."""
        return 3 if self.use_bias else 2

    def bias_shape(self) -> Shape:
        """The shape of the bias, if there is one."""
        return (self.gates * self.units,)

    def weight_shapes(self, row: Shape) -> list[Shape]:
        columns = self.gates * self.units
        return [(row[-1], columns), (self.units, columns), *([self.bias_shape()] if self.use_bias else [])]

    def _make(self, row: Shape) -> None:
        shapes = self.weight_shapes(row)
        self.kernel = self._keep("kernel", self.kernel_initializer(shapes[0]))
        self.recurrent_kernel = self._keep("recurrent_kernel", self.recurrent_initializer(shapes[1]))
        if self.use_bias:
            self.bias = self._keep("bias", self.first_bias())

    def first_bias(self) -> Array:
        """What the bias begins with."""
        return self.bias_initializer(self.bias_shape())

    def output_shape_of(self, row: Shape) -> Shape:
        return (*row[:-1], self.output_size)

    def prepare_steps(self, steps: StepSequence) -> None:
        """Say what the loop reads: append to ``steps.sequences`` and ``steps.captured``."""
        tracer = steps.tracer
        self.penalize(tracer)
        if tracer.training:
            steps.sequences.append(self._projected(steps))
        else:
            steps.sequences.append(steps.value)
            steps.captured += [tracer.value(self.kernel), self.input_bias(tracer)]
        steps.captured += self._recurrent_kernels(tracer)
        if tracer.training and self.recurrent_dropout:
            masks = range(self.gates)
            shape = (steps.rows, self.units)
            steps.captured += [tracer.mask(shape, self.recurrent_dropout, self._seed(1 + i)) for i in masks]

    def first_states(self, tracer: Tracer, rows: int) -> list[str]:
        """What a loop over so many rows begins with."""
        return zeros_first(tracer, rows, self.state_sizes)

    def input_bias(self, tracer: Tracer) -> str:
        """What is added to the products of the inputs."""
        return tracer.value(self.bias) if self.bias else no_bias(tracer, self.gates * self.units)

    def read_step(self, b: GraphBuilder, training: bool, slices: Read, captured: Read) -> str:
        """``x @ kernel + bias`` of a step, in a loop's body."""
        x = slices()
        return x if training else b.add("dense", x, captured(), captured())

    def _projected(self, steps: StepSequence) -> str:
        """``x @ kernel + bias`` of all steps. Where states are dropped too, each gate drops features of its own."""
        tracer, kernel, bias = steps.tracer, steps.tracer.value(self.kernel), self.input_bias(steps.tracer)
        if not (tracer.training and self.dropout):
            return steps.product(steps.value, kernel, bias)
        if not self.recurrent_dropout or self.gates == 1:
            return steps.product(steps.dropped(self.dropout, self._seed(0)), kernel, bias)
        b, parts = tracer.builder, []
        for gate in range(self.gates):
            of_gate = columns(b, kernel, gate, self.gates)
            own_bias = b.add("slice", bias, begin=(gate * self.units,), shape=(self.units,))
            dropped = steps.dropped(self.dropout, self._seed(self.gates + 1 + gate))
            parts.append(steps.product(dropped, of_gate, own_bias))
        return b.add("concatenate", *parts)

    def _recurrent_kernels(self, tracer: Tracer) -> list[str]:
        """What the states are multiplied by: one for each gate where these drop states of their own."""
        kernel = tracer.value(self.recurrent_kernel)
        if not (tracer.training and self.recurrent_dropout):
            return [kernel]
        return [columns(tracer.builder, kernel, gate, self.gates) for gate in range(self.gates)]

    def _seed(self, draw: int) -> int | None:
        return None if self.seed is None else self.seed + 7919 * draw

    def product_of_state(self, b: GraphBuilder, h: str, training: bool, read: Read) -> str:
        """``h @ recurrent_kernel``, each gate of the states that are not dropped for it."""
        if not (training and self.recurrent_dropout):
            return b.add("matmul", h, read())
        kernels = [read() for _ in range(self.gates)]
        kept = [b.add("multiply", h, read()) for _ in range(self.gates)]
        products = [b.add("matmul", states, kernel) for states, kernel in zip(kept, kernels, strict=True)]
        return products[0] if self.gates == 1 else b.add("concatenate", *products)

    def step(self, b: GraphBuilder, x: str, states: Sequence[str], training: bool, captured: Read) -> tuple[str, ...]:
        """The states after a step, in a loop's body; the first is what it gives.

        Args:
            x: what :meth:`read_step` gave.
        """
        raise NotImplementedError

    @property
    def functions(self) -> tuple[ActivationFunction, ActivationFunction]:
        """Its activation, and that of its gates."""
        return self.activation, self.recurrent_activation

    def both(self) -> dict[str, Any]:
        """The attributes of gates."""
        (one, alpha), (other, other_alpha) = ((f.name, f.alpha) for f in self.functions)
        return {"function": one, "alpha": alpha, "recurrent_function": other, "recurrent_alpha": other_alpha}

    def trace(self, tracer: Tracer, x: str) -> str:
        raise UnsupportedError(
            "a cell is a step of a loop", received=f"a call of {self.name!r}", remedy="RNN(cell), which is the loop"
        )


def _rate(name: str, value: float) -> float:
    rate = number(name, value)
    if not 0 <= rate < 1:
        raise UnsupportedError(
            "a dropout rate lies from 0 to below 1", received=f"{name}={value}", remedy=f"{name}=0.1"
        )
    return rate


def _function(name: str, given: Any) -> ActivationFunction:
    """An activation of single values.

    Raises:
        UnsupportedError: one over a whole row.
    """
    function = activations.get(given)
    if not isinstance(function, ActivationFunction) or function.name in ("softmax", "log_softmax"):
        raise UnsupportedError(
            f"{name} of a recurrent cell is a function of single values", received=repr(given), remedy="'tanh'"
        )
    return function


class SimpleRNNCell(Cell):
    """``h' = activation(x @ kernel + h @ recurrent_kernel + bias)``."""

    arguments = ("units", "activation", *Cell.shared)

    def __init__(
        self, units: int, activation: Any = "tanh", use_bias: bool = True, kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal", bias_initializer: Any = "zeros", **kwargs: Any,
    ) -> None:  # fmt: skip
        if "recurrent_activation" in kwargs:
            raise TypeError("SimpleRNNCell has no argument 'recurrent_activation'")
        super().__init__(
            units, activation, "linear", use_bias, kernel_initializer, recurrent_initializer, bias_initializer, **kwargs
        )

    def step(self, b: GraphBuilder, x: str, states: Sequence[str], training: bool, captured: Read) -> tuple[str, ...]:
        total = b.add("add", x, self.product_of_state(b, states[0], training, captured))
        return (self.activation.trace(b, total),)


class LSTMCell(Cell):
    """A long short-term memory: gates i, f, c, o; states h and c. Hochreiter and Schmidhuber, 1997.

    Args:
        unit_forget_bias: the bias of the forget gate begins with ones (Jozefowicz et al., 2015).
    """

    gates = 4
    arguments = ("units", "activation", "recurrent_activation", "unit_forget_bias", *Cell.shared)

    def __init__(
        self, units: int, activation: Any = "tanh", recurrent_activation: Any = "sigmoid", use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros", unit_forget_bias: bool = True, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            units, activation, recurrent_activation, use_bias, kernel_initializer, recurrent_initializer,
            bias_initializer, **kwargs,
        )  # fmt: skip
        self.unit_forget_bias = bool(unit_forget_bias)

    @property
    def state_sizes(self) -> tuple[int, ...]:
        return (self.units, self.units)

    def first_bias(self) -> Array:
        if not self.unit_forget_bias:
            return super().first_bias()
        parts = [self.bias_initializer((self.units,)), np.ones(self.units), self.bias_initializer((2 * self.units,))]
        return np.concatenate(parts).astype(np.float32)

    def step(self, b: GraphBuilder, x: str, states: Sequence[str], training: bool, captured: Read) -> tuple[str, ...]:
        h, c = states
        product = self.product_of_state(b, h, training, captured)
        if not all_known(self.functions):
            return lstm_step(b, b.add("add", x, product), c, *self.functions)
        return b.add_many("lstm_gates", x, product, c, **self.both())[:2]


class GRUCell(Cell):
    """A gated recurrent unit: gates z, r, h. Cho et al., 2014.

    Args:
        reset_after: the reset gate works on the product with the states (and that has a bias of its own), not before.
    """

    gates = 3
    arguments = ("units", "activation", "recurrent_activation", "reset_after", *Cell.shared)

    def __init__(
        self, units: int, activation: Any = "tanh", recurrent_activation: Any = "sigmoid", use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform", recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros", kernel_regularizer: Any = None, recurrent_regularizer: Any = None,
        bias_regularizer: Any = None, kernel_constraint: Any = None, recurrent_constraint: Any = None,
        bias_constraint: Any = None, dropout: float = 0.0, recurrent_dropout: float = 0.0, seed: int | None = None,
        reset_after: bool = True, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(
            units, activation, recurrent_activation, use_bias, kernel_initializer, recurrent_initializer,
            bias_initializer, kernel_regularizer, recurrent_regularizer, bias_regularizer, kernel_constraint,
            recurrent_constraint, bias_constraint, dropout, recurrent_dropout, seed, **kwargs,
        )  # fmt: skip
        self.reset_after = bool(reset_after)

    def bias_shape(self) -> Shape:
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def input_bias(self, tracer: Tracer) -> str:
        return self._bias_row(tracer, 0) if self.bias and self.reset_after else super().input_bias(tracer)

    def _bias_row(self, tracer: Tracer, row: int) -> str:
        if not self.bias:
            return no_bias(tracer, 3 * self.units)
        b = tracer.builder
        part = b.add("slice", tracer.value(self.bias), begin=(row, 0), shape=(1, 3 * self.units))
        return b.add("reshape", part, shape=(3 * self.units,))

    def prepare_steps(self, steps: StepSequence) -> None:
        super().prepare_steps(steps)
        if self.reset_after:
            steps.captured.append(self._bias_row(steps.tracer, 1))

    def _recurrent_kernels(self, tracer: Tracer) -> list[str]:
        kernels = super()._recurrent_kernels(tracer)
        if self.reset_after or len(kernels) > 1:
            return kernels
        b, (kernel,) = tracer.builder, kernels
        return [b.add("slice", kernel, begin=(0, 0), shape=(self.units, 2 * self.units)), columns(b, kernel, 2, 3)]

    def step(self, b: GraphBuilder, x: str, states: Sequence[str], training: bool, captured: Read) -> tuple[str, ...]:
        (h,) = states
        if not self.reset_after:
            return self._reset_before(b, x, h, training, captured)
        if training and self.recurrent_dropout:
            product = self.product_of_state(b, h, training, captured)
            product = b.add("add", product, captured())
        else:
            product = b.add("dense", h, captured(), captured())
        if not all_known(self.functions):
            return (gru_step(b, x, product, h, *self.functions),)
        return b.add_many("gru_gates", x, product, h, **self.both())[:1]

    def _reset_before(self, b: GraphBuilder, x: str, h: str, training: bool, captured: Read) -> tuple[str, ...]:
        if training and self.recurrent_dropout:
            kernels = [captured() for _ in range(3)]
            *kept, last = [b.add("multiply", h, captured()) for _ in range(3)]
            parts = [b.add("matmul", one, kernel) for one, kernel in zip(kept, kernels, strict=False)]
            product = b.add("concatenate", *parts)
        else:
            kernels, last = [captured(), captured()], h
            product = b.add("matmul", h, kernels[0])
        both = b.add("add", columns_of(b, x, 0, 2, 3), product)
        gates = self.recurrent_activation.trace(b, both)
        z, r = columns_of(b, gates, 0, 1, 2), columns_of(b, gates, 1, 1, 2)
        reset = b.add("matmul", b.add("multiply", r, last), kernels[-1])
        new = self.activation.trace(b, b.add("add", columns_of(b, x, 2, 1, 3), reset))
        return (b.add("add", new, b.add("multiply", z, b.add("subtract", h, new))),)


class StackedRNNCells(Layer):
    """Cells one on another, as one: each takes what the one below gives."""

    arguments = ("cells",)

    def __init__(self, cells: Sequence[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cells = list(cells)
        for cell in self.cells:
            require_cell(cell)
        if not self.cells:
            raise UnsupportedError("a stack has cells", received="none", remedy="StackedRNNCells([LSTMCell(8)])")

    @property
    def state_sizes(self) -> tuple[int, ...]:
        """Of all states, the lowest cell's first."""
        return tuple(size for cell in self.cells for size in cell.state_sizes)

    @property
    def state_size(self) -> list[Any]:
        """As Keras says it: of each cell."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> int:
        """How many numbers it gives a step."""
        return int(self.cells[-1].output_size)

    def first_states(self, tracer: Tracer, rows: int) -> list[str]:
        """What a loop over so many rows begins with."""
        return [state for cell in self.cells for state in cell.first_states(tracer, rows)]

    def _rows(self, row: Shape) -> list[Shape]:
        return [row, *((cell.output_size,) for cell in self.cells[:-1])]

    def weight_shapes(self, row: Shape) -> list[Shape]:
        pairs = zip(self.cells, self._rows(row), strict=True)
        return [shape for cell, own in pairs for shape in cell.weight_shapes(own)]

    def _make(self, row: Shape) -> None:
        for cell, own in zip(self.cells, self._rows(row), strict=True):
            cell.build((None, *own))

    def output_shape_of(self, row: Shape) -> Shape:
        return (*row[:-1], self.output_size)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cells": [serialize(getattr(cell, "cell", cell)) for cell in self.cells]}


def require_cell(cell: Any) -> None:
    """Raises UnsupportedError for what is no cell."""
    if not isinstance(cell, (Cell, StackedRNNCells)) and not hasattr(cell, "prepare_steps"):
        raise UnsupportedError(
            "a recurrent layer is made of cells", received=type(cell).__name__,
            remedy="SimpleRNNCell, LSTMCell, GRUCell, StackedRNNCells of them, or a layer of one's own with state_size",
        )  # fmt: skip
