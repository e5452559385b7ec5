# SPDX-License-Identifier: Apache-2.0
"""How a network's layers become nodes of a graph: for training, for evaluation, for deployment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import ArrayLike

from edgeling.errors import DataError
from edgeling.graph import DType, GraphBuilder
from edgeling.graph.types import Array


class Weight:
    """One array of a layer: what is learned, or followed (moving statistics).

    Attributes:
        name: Keras's short name ("kernel", "bias"...).
        value: float32, replaced (never changed in place) when it moves.
        trainable: whether gradients move it, while its layer is trainable.
        changes: how often any weight was given a value; by it, who keeps copies of weights notices.
    """

    changes: ClassVar[int] = 0

    def __init__(self, name: str, value: Array, trainable: bool = True, path: str = "") -> None:
        self.name, self.value, self.trainable, self.path = name, value, trainable, path or name

    @property
    def value(self) -> Array:
        """float32, not to be written into."""
        return self._value

    @value.setter
    def value(self, value: Array) -> None:
        self._value = value
        Weight.changes += 1

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the value."""
        return self.value.shape

    @property
    def dtype(self) -> str:
        """Always "float32"."""
        return "float32"

    @property
    def ndim(self) -> int:
        """Of the value."""
        return self.value.ndim

    def numpy(self) -> Array:
        """A copy of the values."""
        return self.value.copy()

    def assign(self, value: ArrayLike) -> None:
        """Replace the values.

        Raises:
            DataError: another shape, or not numbers.
        """
        try:
            given = np.array(value, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise DataError(f"the weight {self.path} holds numbers", received=str(error)) from None
        if given.shape != self.shape:
            raise DataError(f"the weight {self.path} has shape {self.shape}", received=str(given.shape))
        self.value = given

    def assign_add(self, value: ArrayLike) -> None:
        """Add to the values."""
        self.assign(self.value + np.asarray(value, np.float32))

    def assign_sub(self, value: ArrayLike) -> None:
        """Subtract from the values."""
        self.assign(self.value - np.asarray(value, np.float32))

    def __array__(self, dtype: object = None, copy: bool | None = None) -> Array:
        return np.array(self.value, dtype=dtype)  # type: ignore[call-overload]

    def __repr__(self) -> str:
        return f"<Weight {self.path} {list(self.shape)}>"


class Traceable(Protocol):
    """What tracing asks of a layer."""

    trainable: bool

    @property
    def weights(self) -> list[Weight]:
        """In Keras's order."""

    def trace(self, tracer: Tracer, x: str) -> str:
        """Append the layer's nodes to ``x``; give its output."""


class Tracer:
    """Where layers append their nodes.

    Args:
        builder: the graph being built.
        names: the value's name of every weight.
        training: dropout drops, batch statistics are the batch's own.
        frozen: weights become constants; otherwise variables.
    """

    def __init__(
        self, builder: GraphBuilder, names: Mapping[Weight, str], *, training: bool = False, frozen: bool = False
    ) -> None:
        self.builder, self.names, self.training = builder, names, training
        declare = builder.constant if frozen else builder.variable
        for weight, name in names.items():
            declare(weight.value, name)
        self.penalties: list[str] = []
        self._seed = self._step = ""
        self._masks = 0

    def run(self, layers: Sequence[Traceable], x: str) -> str:
        """The last layer's output."""
        for layer in layers:
            x = layer.trace(self, x)
        return x

    def value(self, weight: Weight) -> str:
        """The value that holds a weight."""
        return self.names[weight]

    def number(self, value: float, name: str = "number") -> str:
        """A scalar constant."""
        return self.builder.constant(float(value), name)

    def penalize(self, weight: Weight, l1: float, l2: float) -> None:
        """Add ``l1 * sum|w| + l2 * sum w^2`` to the loss."""
        self.penalties.append(self.builder.add("penalty", self.value(weight), l1=l1, l2=l2))

    def update(self, weight: Weight, value: str) -> None:
        """Say what a weight that no gradient moves becomes after the step."""
        self.builder.update(self.value(weight), value)

    def mask(self, shape: Sequence[int], rate: float, seed: int | None = None) -> str:
        """Dropout's mask: 0, or 1 / (1 - rate). Every call has numbers of its own.

        Args:
            seed: where the numbers come from; the seed of the run if there is none.
        """
        self._step = self._step or self._count_steps()
        if seed is not None:
            source = self.builder.constant(np.uint32(seed % 2**32), "dropout_seed")
        else:
            self._seed = source = self._seed or self.builder.input("seed", (), DType.UINT32)
        self._masks += 1
        return self.builder.add(
            "dropout_mask", source, self._step, shape=tuple(shape), rate=rate, stream=self._masks - 1
        )

    def _count_steps(self) -> str:
        step = self.builder.variable(np.uint32(0), "step")
        self.builder.update(step, self.builder.add("count", step, name="step_next"))
        return step
