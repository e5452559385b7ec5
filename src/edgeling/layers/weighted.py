# SPDX-License-Identifier: Apache-2.0
"""What holds weights: its own, and those of layers within."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgeling import constraints, initializers, regularizers
from edgeling.checking import require_float32, whole
from edgeling.configurable import Configurable, NeverCalled
from edgeling.errors import UnsupportedError
from edgeling.graph.types import Array
from edgeling.layers import written_rules
from edgeling.layers.shapes import Shape
from edgeling.network.tracing import Tracer
from edgeling.network.weights import Weight, assign
from edgeling.regularizers import Regularizer


class Weighted(Configurable, NeverCalled):
    """What :class:`edgeling.layers.Layer` is beside what it computes: weights, by Keras's names."""

    name: str
    output_row: Shape | None
    _weights: list[Weight]
    _trainable: bool = True
    activity_regularizer: Regularizer | None = None
    _added: Sequence[float] = ()  # to the loss by the last call on arrays

    def layers_within(self) -> list[Any]:
        """Layers that it is made of."""
        return []

    @property
    def own_weights(self) -> list[Weight]:
        """Those that are not layers' within, trainable ones first."""
        return sorted(self._weights, key=lambda w: not w.trainable)

    @property
    def weights(self) -> list[Weight]:
        """Trainable weights first, then those of layers within, as in Keras."""
        own = self.own_weights
        within = self.layers_within()
        return own if not within else list(dict.fromkeys([*own, *(w for layer in within for w in layer.weights)]))

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
    def trainable(self) -> bool:
        """Whether training moves its weights; setting it sets that of all layers within."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        for layer in self.layers_within():
            layer.trainable = value

    @property
    def trainable_weights(self) -> list[Weight]:
        """Those that gradients move; none if the layer is not trainable."""
        return self.moved_weights if self.trainable else []

    @property
    def moved_weights(self) -> list[Weight]:
        """Those that gradients move where the layer is part of a model: of layers within those that are trainable, be
        it that this one is not, as in Keras."""
        own, within = [w for w in self._weights if w.trainable and self.trainable], self.layers_within()
        return own if not within else list(dict.fromkeys([*own, *(w for x in within for w in x.moved_weights)]))

    @property
    def non_trainable_weights(self) -> list[Weight]:
        """The others."""
        moved = set(self.trainable_weights)
        return [w for w in self.weights if w not in moved]

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

    def tell_paths(self, before: str) -> None:
        """Have each weight know where it is.

        Args:
            before: what leads to the layer, such as ``"model/"``.
        """
        for weight in self._weights:
            weight.path = f"{before}{self.name}/{weight.path.rpartition('/')[2]}"
        for layer in self.layers_within():
            layer.tell_paths(f"{before}{self.name}/")

    def count_params(self) -> int:
        """How many numbers the weights hold."""
        return sum(w.value.size for w in self.weights)

    def get_weights(self) -> list[Array]:
        """Copies of the weights."""
        return [w.numpy() for w in self.weights]

    def set_weights(self, weights: Sequence[Array]) -> None:
        """Replace the weights.

        Raises:
            DataError: a wrong number or shape; nothing is changed.
        """
        assign(self.weights, weights, f"layer {self.name!r}")

    def add_weight(
        self,
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        name: str | None = None,
        regularizer: Any = None,
        constraint: Any = None,
    ) -> Weight:
        """A new weight of this layer; every argument is Keras's, and in its order.

        Args:
            shape: its lengths; none of a scalar.
            initializer: how it begins: a name, an initializer, a function of the shape; Glorot's where it is None.
            regularizer: adds a penalty on it to the loss.
            constraint: what it is kept to after each step.
        """
        require_float32(type(self).__name__, dtype)
        if isinstance(shape, str):
            raise UnsupportedError("add_weight begins with the shape", received=repr(shape), remedy="name='kernel'")
        lengths = tuple(shape) if isinstance(shape, (tuple, list)) else () if shape is None else (shape,)
        begin = initializers.get("glorot_uniform" if initializer is None and lengths else initializer or "zeros")
        value = np.asarray(begin(tuple(whole("a length of shape", n) for n in lengths)), np.float32)
        return self._keep(name or f"variable_{len(self._weights)}", value, trainable, regularizer, constraint)

    def _keep(
        self, name: str, value: Array, trainable: bool = True, regularizer: Any = None, constraint: Any = None
    ) -> Weight:
        """A new weight of this layer that begins with these values."""
        weight = Weight(name, value, trainable, f"{self.name}/{name}")
        weight.regularizer = regularizers.get(regularizer)
        given = constraints.get(constraint) or getattr(self, f"{name}_constraint", None)
        weight.constraint = written_rules.constraint_of(given)
        self._weights.append(weight)
        return weight

    def penalize(self, tracer: Tracer) -> None:
        """Add the penalties on the weights that training moves to the loss."""
        for weight, regularizer in self._regularized():
            written_rules.penalize(tracer, weight, regularizer)

    def _regularized(self) -> list[tuple[Weight, Regularizer]]:
        own = [w for w in self._weights if w.trainable and self.trainable]
        found = [(w, w.regularizer or getattr(self, f"{w.name}_regularizer", None)) for w in own]
        return [(weight, regularizer) for weight, regularizer in found if regularizer]

    def penalize_outputs(self, tracer: Tracer, outputs: Sequence[str]) -> None:
        """Add the penalty on what a call gave, of each row in the mean, to the loss."""
        if self.activity_regularizer:
            for value in outputs:
                written_rules.penalize_output(tracer, value, self.activity_regularizer, self)

    @property
    def losses(self) -> list[float]:
        """What the last call on arrays added to the loss, and the penalties on the weights as they are now."""
        own = [float(regularizer(weight.value)) for weight, regularizer in self._regularized()]
        return [*self._added, *own, *(loss for layer in self.layers_within() for loss in layer.losses)]


def require_apart(owner: Any, layers: Sequence[Any]) -> None:
    """Raise if a layer would be made of itself, be it by way of others.

    Raises:
        UnsupportedError: it would.
    """
    for layer in layers:
        if layer is owner:
            raise UnsupportedError(
                "no layer is made of itself", received=f"layer {owner.name!r} within itself",
                remedy=f"a new {type(owner).__name__} in its place",
            )  # fmt: skip
        require_apart(owner, layer.layers_within())
