# SPDX-License-Identifier: Apache-2.0
"""What every optimizer shares: the learning rate, clipping, weight decay, and the order of a step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from math import inf
from re import search
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from edgeling.checking import Limits, number, whole
from edgeling.configurable import Configurable, NeverCalled, automatic_name, refuse, serialize
from edgeling.errors import TrainingError, UnsupportedError
from edgeling.graph import GraphBuilder
from edgeling.graph.types import Array
from edgeling.network.weights import Weight
from edgeling.optimizers import schedules
from edgeling.optimizers.averaging import MovingAverage
from edgeling.optimizers.rate import LearningRate
from edgeling.optimizers.stepping import Steps


class Slot(NamedTuple):
    """What an optimizer keeps for one weight: its name, shape, and the value it begins with."""

    name: str
    shape: tuple[int, ...]
    initial: float


_UNSUPPORTED = ("loss_scale_factor",)


class Optimizer(Configurable, NeverCalled):
    """A rule from gradients to new weights. In a step: clip the gradients, decay the weights, update, average, and keep
    each weight to its constraint.

    Attributes:
        operation: the graph operation of the rule; its attributes are :meth:`attributes`.
        gradient_accumulation_steps: how many batches a step takes: weights move by the mean of their gradients. None:
            each batch is a step.
        use_ema, ema_momentum, ema_overwrite_frequency: whether moving averages follow the weights, which become them
            when ``fit`` ends: see :class:`edgeling.optimizers.averaging.MovingAverage`.
        batches: seen so far; where a schedule goes on.
        arguments: names of the rule's own settings, for :meth:`get_config`.
    """

    module = "keras.optimizers"
    ignored = frozenset({"jit_compile", "is_legacy_optimizer"})
    never_called = ("build", "update_step", "apply", "apply_gradients", "stateless_apply")
    instead = (
        "an optimizer of edgeling.optimizers, or trace(builder, learning_rate, gradients), which writes graph"
        " operations"
    )
    operation: ClassVar[str]
    limits: ClassVar[Limits] = {
        **dict.fromkeys(("beta_1", "beta_2", "rho", "momentum"), (0.0, 1.0)),
        **dict.fromkeys(
            ("epsilon", "epsilon_1", "epsilon_2", "initial_accumulator_value", "clip_threshold"), (0.0, inf)
        ),
    }
    arguments: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        learning_rate: Any,
        *,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **refused: Any,
    ) -> None:
        clips = {"clipnorm": clipnorm, "clipvalue": clipvalue, "global_clipnorm": global_clipnorm}
        self._check(refused, clips)
        for key, value in {"weight_decay": weight_decay, **clips}.items():
            if value is not None:
                number(key, value, 0.0)
        self._learning_rate = _rate(learning_rate)
        self.weight_decay, self.clipnorm, self.clipvalue = weight_decay, clipnorm, clipvalue
        self.global_clipnorm, self.name = global_clipnorm, name or automatic_name(type(self).__name__)
        self.gradient_accumulation_steps = _accumulation(gradient_accumulation_steps)
        self.use_ema, self.ema_momentum = bool(use_ema), ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.averaging = MovingAverage(ema_momentum, ema_overwrite_frequency or None) if use_ema else None
        self.batches = 0
        self._by_hand = Steps()
        self._excluded: list[Weight] = []
        self._excluded_names: list[str] = []
        self._undecayed: frozenset[str] = frozenset()
        self._constraints: dict[str, Any] = {}

    def _check(self, refused: Mapping[str, Any], clips: Mapping[str, Any]) -> None:
        for key in refused.keys() - self.ignored:
            if key not in _UNSUPPORTED:
                raise TypeError(f"{type(self).__name__} has no argument {key!r}")
            refuse(type(self).__name__, key, refused[key])
        if sum(clip is not None for clip in clips.values()) > 1:
            raise TrainingError(
                f"only one of {', '.join(clips)} can be set", received=str(clips), remedy=f"{next(iter(clips))} alone"
            )

    @property
    def iterations(self) -> int:
        """Steps done so far."""
        return self.batches // self.batches_a_step

    @iterations.setter
    def iterations(self, value: int) -> None:
        self.batches = int(value) * self.batches_a_step

    @property
    def batches_a_step(self) -> int:
        """See :attr:`gradient_accumulation_steps`."""
        return self.gradient_accumulation_steps or 1

    @property
    def learning_rate(self) -> LearningRate:
        """The rate of the next batch; ``.assign(rate)`` sets it too."""
        following = isinstance(self._learning_rate, schedules.LearningRateSchedule)
        rate = self._learning_rate(self.batches) if following else self._learning_rate
        return LearningRate(float(rate), self._set_learning_rate)

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self._set_learning_rate(value)

    def _set_learning_rate(self, value: Any) -> None:
        if isinstance(self._learning_rate, schedules.LearningRateSchedule):
            raise TrainingError(
                "a learning rate that follows a schedule cannot be set",
                remedy="give the optimizer a number as learning_rate",
            )
        self._learning_rate = _rate(value)

    def learning_rates(self, batches: int) -> float | Array:
        """The rate of each of the next ``batches``, float32; one number if it does not change.

        As in Keras, a schedule counts batches, also where several of them are a step.
        """
        if isinstance(self._learning_rate, schedules.LearningRateSchedule):
            return schedules.rates(self._learning_rate, self.batches, batches)
        return self._learning_rate

    def trace(self, builder: GraphBuilder, learning_rate: str, gradients: Mapping[str, str]) -> None:
        """Append one step to a graph.

        Args:
            learning_rate: a scalar value.
            gradients: variable to its gradient. New variables (slots, scalars) are added after those there are.
        """
        if not gradients:  # every layer is frozen
            return
        clipped = self._clipped(builder, self._averaged(builder, gradients))
        scalars = self.scalars(builder, learning_rate)
        moved = {}
        for variable, gradient in clipped.items():
            kept = self.slots_of(builder.type_of(variable).shape)
            slots = [builder.variable(np.full(s.shape, s.initial, np.float32), f"{variable}_{s.name}") for s in kept]
            weight = self._decayed(builder, variable, learning_rate)
            moved[variable], *after = builder.add_many(
                self.operation, weight, gradient, *slots, *scalars, name=f"{variable}_next", **self.attributes()
            )
            for held, value in zip(slots, after, strict=True):
                builder.update(held, value)
        self._follow(builder, moved, ends_step=True)

    def accumulate(self, builder: GraphBuilder, gradients: Mapping[str, str]) -> None:
        """Append what a batch does that is not the last of its step: its gradients are added up.

        Args:
            gradients: variable to its gradient.
        """
        for variable, gradient in gradients.items():
            sums = self._accumulator(builder, variable)
            builder.update(sums, builder.add("add", gradient, sums, name=f"{sums}_next"))
        if gradients:
            self._follow(builder, {variable: variable for variable in gradients}, ends_step=False)

    def _follow(self, builder: GraphBuilder, moved: Mapping[str, str], ends_step: bool) -> None:
        """Append what comes after the rule: averages, then constraints.

        Args:
            moved: of each variable what the rule makes of it; itself where a batch is not the last of its step.
        """
        if self.averaging:
            moved = self.averaging.trace(builder, moved, ends_step)
        for variable, value in moved.items():
            kept_to = self._constraints.get(variable)
            kept = kept_to.trace(builder, value) if kept_to else value
            if kept != variable:
                builder.update(variable, kept)

    def _averaged(self, builder: GraphBuilder, gradients: Mapping[str, str]) -> Mapping[str, str]:
        """The means over a step's batches; sums begin anew."""
        if not self.gradient_accumulation_steps:
            return gradients
        means, count = {}, builder.constant(float(self.gradient_accumulation_steps), "batches")
        nothing = builder.constant(0.0, "nothing")
        for variable, gradient in gradients.items():
            sums = self._accumulator(builder, variable)
            total = builder.add("add", gradient, sums)
            means[variable] = builder.add("divide", total, count, name=f"{variable}_mean_gradient")
            builder.update(sums, builder.add("broadcast", nothing, shape=builder.type_of(sums).shape))
        return means

    def _accumulator(self, builder: GraphBuilder, variable: str) -> str:
        shape = builder.type_of(variable).shape
        return builder.variable(np.zeros(shape, np.float32), accumulator(variable))

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Weight]]) -> int:
        """One step by hand: (gradient, weight) of each weight, ``layer.kernel`` for example. Gives :attr:`batches`.

        Raises:
            DataError: no gradients, or one of another shape than its weight.
        """
        pairs = list(grads_and_vars)
        self.apply([gradient for gradient, _ in pairs], [weight for _, weight in pairs])
        return self.batches

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Weight]) -> None:
        """As :meth:`apply_gradients`, gradients and weights apart."""
        self._by_hand.step(self, list(grads), list(trainable_variables))
        self.batches += 1

    def finalize_variable_values(self, var_list: Iterable[Weight]) -> None:
        """Of weights that were moved by hand: have them become their moving averages, if there are any."""
        self._by_hand.finalize(list(var_list))

    def slots(self) -> list[tuple[str, float]]:
        """Name and initial value of what is kept for each weight, of its shape, in the operation's order."""
        return []

    def slots_of(self, shape: tuple[int, ...]) -> list[Slot]:
        """What is kept for a weight of that shape, in the operation's order."""
        return [Slot(name, shape, initial) for name, initial in self.slots()]

    def exclude_from_weight_decay(
        self, var_list: Iterable[Weight] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        """Say which weights do not decay, before training begins.

        Args:
            var_list: the weights themselves: ``[layer.bias]``.
            var_names: regular expressions, found in the short names of weights: ``["bias"]``.
        """
        self._excluded, self._excluded_names = list(var_list or ()), list(var_names or ())

    def bound(self, names: Iterable[tuple[Weight, str]]) -> Self:
        """The same rule for the weights of a graph, by which it knows those that do not decay, and constraints.

        Args:
            names: every weight with its name in the graph.
        """
        known = list(names)
        constraints = {name: weight.constraint for weight, name in known if weight.constraint}
        if not (self._excluded or self._excluded_names or constraints):
            return self
        rule = copy(self)
        rule._undecayed = frozenset(name for weight, name in known if self._is_excluded(weight))
        rule._constraints = constraints
        return rule

    def _is_excluded(self, weight: Weight) -> bool:
        named = any(search(pattern, weight.name) for pattern in self._excluded_names)
        return named or any(weight is excluded for excluded in self._excluded)

    def scalars(self, builder: GraphBuilder, learning_rate: str) -> tuple[str, ...]:
        """Values the operation takes last, computed once a step."""
        return (learning_rate,)

    def attributes(self) -> dict[str, Any]:
        """The operation's attributes."""
        return {}

    def signature(self) -> dict[str, Any]:
        """What the compiled step depends on."""
        return {**self._settings(), "undecayed": sorted(self._undecayed), "constraints": self._constraints}

    def get_config(self) -> dict[str, Any]:
        """Keras's configuration."""
        rate = self._learning_rate
        return {
            "name": self.name,
            "learning_rate": serialize(rate) if isinstance(rate, Configurable) else rate,
            **self._settings(),
        }

    def _settings(self) -> dict[str, Any]:
        """Everything but the name and the learning rate."""
        return {
            "weight_decay": self.weight_decay,
            "clipnorm": self.clipnorm,
            "global_clipnorm": self.global_clipnorm,
            "clipvalue": self.clipvalue,
            "use_ema": self.use_ema,
            "ema_momentum": self.ema_momentum,
            "ema_overwrite_frequency": self.ema_overwrite_frequency,
            "gradient_accumulation_steps": self.gradient_accumulation_steps,
            **{key: getattr(self, key) for key in self.arguments},
        }

    def like(self, learning_rate: Any) -> Self:
        """One of the same kind and settings with another rate, that has done no step."""
        made = copy(self)
        made._learning_rate, made.batches, made._by_hand = _rate(learning_rate), 0, Steps()
        return made

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Optimizer:
        """The inverse of :meth:`get_config`; what is not supported must be switched off."""
        return cls(**config)

    def _clipped(self, builder: GraphBuilder, gradients: Mapping[str, str]) -> Mapping[str, str]:
        if self.clipvalue:
            limit = float(self.clipvalue)
            return {v: builder.add("clip", g, minimum=-limit, maximum=limit) for v, g in gradients.items()}
        if self.clipnorm:
            return {v: _scaled(builder, g, (g,), self.clipnorm) for v, g in gradients.items()}
        if self.global_clipnorm:
            scale = _clip_scale(builder, tuple(gradients.values()), self.global_clipnorm)
            return {v: builder.add("multiply", g, scale) for v, g in gradients.items()}
        return gradients

    def _decayed(self, builder: GraphBuilder, weight: str, learning_rate: str) -> str:
        if not self.weight_decay or weight in self._undecayed:
            return weight
        return builder.add("decay", weight, learning_rate, rate=float(self.weight_decay))


def accumulator(variable: str) -> str:
    """The name of what adds up the gradients of a variable."""
    return f"{variable}_gradient_accumulator"


def _accumulation(given: Any) -> int | None:
    if given is None or given == 0:  # Keras's two words for none
        return None
    return whole("gradient_accumulation_steps", given, 2)


def _clip_scale(builder: GraphBuilder, gradients: tuple[str, ...], limit: float) -> str:
    return builder.add("clip_scale", builder.add("norm", *gradients), limit=float(limit))


def _scaled(builder: GraphBuilder, gradient: str, over: tuple[str, ...], limit: float) -> str:
    return builder.add("multiply", gradient, _clip_scale(builder, over, limit))


def _rate(given: Any) -> Any:
    if isinstance(given, Mapping):
        return schedules.get(given)
    if isinstance(given, schedules.LearningRateSchedule):
        return given
    if callable(given):
        raise UnsupportedError(
            "a learning rate is a number or a schedule", received=repr(given),
            remedy="a subclass of LearningRateSchedule, or the callback LearningRateScheduler",
        )  # fmt: skip
    rate = number("learning_rate", given)
    if rate < 0:
        raise TrainingError(
            "a learning rate is a number from zero up", received=str(given), remedy="learning_rate=0.001"
        )
    return rate
