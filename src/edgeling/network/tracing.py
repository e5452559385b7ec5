# SPDX-License-Identifier: Apache-2.0
"""How a network's layers become nodes of a graph: for training, for evaluation, for deployment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from typing import Any, Protocol

import numpy as np

from edgeling.errors import UnsupportedError
from edgeling.graph import DType, GraphBuilder
from edgeling.network.weights import Weight

KEPT = "kept_state_"
"""What names of variables begin with that hold states of layers."""


class Traceable(Protocol):
    """What tracing asks of a layer."""

    @property
    def moved_weights(self) -> list[Weight]:
        """Those that gradients move."""

    @property
    def supports_masking(self) -> bool:
        """Whether the mask of what it is called on goes on to what it makes: see :meth:`Tracer.mask_of`."""

    @property
    def ends_masks(self) -> bool:
        """Whether it does not, though the layer heeds it."""

    @property
    def says_masks(self) -> bool:
        """Whether it says itself which steps count, be it that all do."""

    @property
    def weights(self) -> list[Weight]:
        """In Keras's order."""

    def penalize_outputs(self, tracer: Tracer, outputs: Sequence[str]) -> None:
        """Add the penalty on what a call gave to the loss, if there is one."""

    def traced(self, tracer: Tracer, values: Sequence[str], arguments: Any) -> tuple[str, ...]:
        """Append the nodes of one call; give its outputs.

        Args:
            values: the names of what it is called on, in order.
            arguments: how they stand among its arguments; None: alone.
        """


class Tracer:
    """Where layers append their nodes.

    Args:
        builder: the graph being built.
        names: the value's name of every weight.
        training: dropout drops, batch statistics are the batch's own; a layer of one's own may tell those it calls
            otherwise.
        frozen: weights become constants; otherwise variables.
        share: the value that holds one over the number of rows, where that is known only when the graph runs.
        lazily: weights become constants when they are first read: of a graph that nobody runs.
        keeping: states of layers that keep them go on from run to run, as variables; else each run begins anew.

    Attributes:
        kept: by the variable's name, whose state it is, and which of them.
        learning: gradients go back through the graph, also through what is told that nothing trains.
    """

    def __init__(
        self, builder: GraphBuilder, names: Mapping[Weight, str], *, training: bool = False, frozen: bool = False,
        share: str = "", lazily: bool = False, keeping: bool = False,
    ) -> None:  # fmt: skip
        self.builder, self.names, self.training, self._share = builder, dict(names), training, share
        self.learning = training
        self.lazily, self.keeping, self.kept = lazily, keeping, dict[str, tuple[Any, int]]()
        declare = builder.constant if frozen else builder.variable
        for weight, name in names.items():
            declare(weight.value, name)
        self.mixes_rows = False  # what is being traced may compute with all rows together
        self.mixed_rows = False  # it did
        self.mixing: set[str] = set()  # values made of all rows together
        self.rows = 0  # of what a layer of one's own is called on
        self._penalties: list[str] = []
        self._added: list[tuple[Any, str]] = []
        self._penalized_rows: list[tuple[str, float, float, Any]] = []
        self._seed = self._step = ""
        self._drawn = 0
        self._masks: dict[str, str] = {}
        self._moved: dict[Weight, str] | None = None  # in turns: by weight, the value that holds it before them

    def through(self, layer: Traceable, given: Sequence[str], arguments: Any = None) -> tuple[str, ...]:
        """What a layer makes of values, with the masks that go with it.

        The mask is what the layer says itself (:meth:`masked`), else that of its input if it supports masking: of
        several inputs, a step counts if it does in any; all do if one has no mask.
        """
        made = layer.traced(self, given, arguments)
        layer.penalize_outputs(self, made)
        hands_on = layer.supports_masking and not (layer.says_masks or layer.ends_masks)
        masks = [self.mask_of(value) for value in given] if hands_on else [""]
        mask = reduce(lambda one, other: self.builder.add("maximum", one, other), masks) if all(masks) else ""
        return tuple(self._with_mask(value, mask, given) for value in made)

    def _with_mask(self, made: str, mask: str, given: Sequence[str]) -> str:
        if made in self._masks and made not in given:
            return made
        if self.mask_of(made) not in ("", mask):  # a layer that gives back what it got, but for the mask
            made = self.builder.add("reshape", made, shape=self.builder.type_of(made).shape)
        return self.masked(made, mask)

    def masked(self, value: str, mask: str) -> str:
        """Say which steps of a value count (none said: all); give the value."""
        if mask:
            self._masks[value] = mask
        return value

    def mask_of(self, value: str) -> str:
        """Which steps of a value [rows, steps, ...] count: 1 or 0, [rows, steps]; "" where nothing is masked.

        Masks are Keras's: ``Masking`` and embeddings make them, layers that support masking use them or hand them on,
        the loss leaves out what they mask.
        """
        return self._masks.get(value, "")

    def value(self, weight: Weight) -> str:
        """The value that holds a weight."""
        if self.lazily and weight not in self.names:
            self.names[weight] = self.builder.constant(weight.value, weight.name)
        if weight not in self.names:
            raise UnsupportedError(
                "weights belong to layers that are attributes, or stand in lists or mappings that are, made once",
                received=f"the weight {weight.path!r} of none of them",
                remedy="make the layer in __init__ or build: self.hidden = Dense(8), and call it in call()",
            )  # fmt: skip
        return self.names[weight]

    @contextmanager
    def told(self, training: bool | None) -> Iterator[None]:
        """While it lasts, layers are called as a call in a function of one's own says; None: as before.

        Raises:
            UnsupportedError: that they train where the network answers.
        """
        if training and not self.training:
            raise UnsupportedError(
                "layers train while the network does", received="training=True in a call that answers",
                remedy="call(self, x, training=None), and training=training",
            )  # fmt: skip
        before, self.training = self.training, self.training if training is None else bool(training)
        try:
            yield
        finally:
            self.training = before

    def share(self, rows: str, of_each: int = 1) -> str:
        """One over the number of rows of a value [rows, ...], of which each of the input's rows became ``of_each``."""
        if not self._share:
            return self.number(1 / (self.builder.type_of(rows).shape[0] * of_each), "share")
        if of_each == 1:
            return self._share
        return self.builder.add("multiply", self._share, self.number(1 / of_each, "share_of_each"))

    def number(self, value: float, name: str = "number") -> str:
        """A scalar constant."""
        return self.builder.constant(float(value), name)

    def penalize(self, weight: Weight, l1: float, l2: float) -> None:
        """Add ``l1 * sum|w| + l2 * sum w^2`` to the loss."""
        self._penalties.append(self.builder.add("penalty", self.value(weight), l1=l1, l2=l2))

    def penalize_by(self, scalar: str, owner: Any = None) -> None:
        """Add a scalar of the graph to the loss.

        Args:
            owner: the layer that adds it, if it is no penalty on weights.
        """
        self._penalties.append(scalar)
        self._added.append((owner, scalar))

    def added(self) -> list[str]:
        """What was added to the loss by :meth:`penalize_by`."""
        return [scalar for _, scalar in self._added]

    def added_by_layers(self) -> list[tuple[Any, str]]:
        """Of each layer that adds something to the loss, but penalties on weights, what that is; asked for once."""
        rows = [(owner, self._of_rows(x, l1, l2)) for x, l1, l2, owner in self._penalized_rows]
        return [(owner, scalar) for owner, scalar in (*self._added, *rows) if owner is not None]

    def _of_rows(self, x: str, l1: float, l2: float) -> str:
        return self.builder.add("multiply", self.builder.add("penalty", x, l1=l1, l2=l2), self.share(x))

    def penalize_rows(self, x: str, l1: float, l2: float, owner: Any = None) -> None:
        """Add the mean over the rows of a value of ``l1 * sum|x| + l2 * sum x^2`` to the loss."""
        self._penalized_rows.append((x, l1, l2, owner))

    def penalties(self) -> list[str]:
        """What is added to the loss; asked for once, where there is one."""
        return [*self._penalties, *(self._of_rows(x, l1, l2) for x, l1, l2, _ in self._penalized_rows)]

    def update(self, weight: Weight, value: str) -> None:
        """Say what a weight that no gradient moves becomes after the step."""
        if self._moved is None:
            self.builder.update(self.value(weight), value)
        else:
            self._moved.setdefault(weight, self.value(weight))
            self.names[weight] = value

    @contextmanager
    def in_turns(self) -> Iterator[None]:
        """While it lasts, a weight that no gradient moves is moved by one call after another: each sees what the one
        before it left."""
        self._moved = {}
        try:
            yield
            for weight, first in self._moved.items():
                self.builder.update(first, self.names[weight])
        finally:
            self.names.update(self._moved)
            self._moved = None

    def state(self, owner: Any, place: int, shape: Sequence[int]) -> str:
        """The variable that one of a layer's states lives on in, zeros at first; the layer says what it becomes.

        Its name tells no layer, so that networks of one structure share their code.
        """
        name = self.builder.variable(np.zeros(shape, np.float32), f"{KEPT}{len(self.kept)}")
        self.kept[name] = owner, place
        return name

    def mask(self, shape: Sequence[int], rate: float, seed: int | None = None) -> str:
        """Dropout's mask: 0, or 1 / (1 - rate)."""
        return self.drawn("dropout_mask", seed, shape=tuple(shape), rate=rate)

    def drawn(self, operation: str, seed: int | None, **attributes: Any) -> str:
        """What an operation draws, anew at every step. Every call has numbers of its own.

        Args:
            seed: where the numbers come from; the seed of the run if there is none.
        """
        self._step = self._step or self._count_steps()
        if seed is not None:
            source = self.builder.constant(np.uint32(seed % 2**32), "layer_seed")
        else:
            self._seed = source = self._seed or self.builder.input("seed", (), DType.UINT32)
        self._drawn += 1
        return self.builder.add(operation, source, self._step, stream=self._drawn - 1, **attributes)

    @property
    def has_drawn(self) -> bool:
        """Whether anything is drawn at random."""
        return self._drawn > 0

    def _count_steps(self) -> str:
        step = self.builder.variable(np.uint32(0), "step")
        self.builder.update(step, self.builder.add("count", step, name="step_next"))
        return step
