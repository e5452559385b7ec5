# SPDX-License-Identifier: Apache-2.0
"""What an optimizer remembers between steps, in the order in which Keras's files hold it.

Keras keeps ``iteration`` (of batches), ``learning_rate`` (unless it follows a schedule), the weights' moving averages,
if there are any, what adds up gradients, if several batches are a step, then the slots of all trainable weights.
Powers such as ``beta_1 ** t``, which Edgeling carries along, follow from the iteration.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np

from edgeling.errors import EdgelingError
from edgeling.formats.archive import malformed
from edgeling.graph.types import Array
from edgeling.graph.updates import NADAM_DECAY, SMALLEST_POWER
from edgeling.models import Model
from edgeling.optimizers import Optimizer
from edgeling.optimizers.averaging import average
from edgeling.optimizers.base import accumulator

_MOMENTS = (("momentum", "velocity"), ("velocity_hat",))
# Slots that Keras interleaves, weight by weight, stand in one group; the groups follow each other.
_GROUPS: dict[str, tuple[tuple[str, ...], ...]] = {
    "SGD": (("momentum",),),
    "RMSprop": (("velocity",), ("momentum",), ("average_gradient",)),
    "Adagrad": (("accumulator",),),
    "Adam": _MOMENTS,
    "AdamW": _MOMENTS,
    "Adamax": (("momentum", "norm"),),
    "Nadam": _MOMENTS,
    "Lion": (("momentum",),),
    "Adadelta": (("accumulated_grad", "accumulated_delta_var"),),
    "Ftrl": (("accumulator", "linear"),),
    "Lamb": (("momentum", "velocity"),),
    "Adafactor": (("rows", "columns", "velocity"),),
}
_POWERS = {"Adam": ("beta_1", "beta_2"), "AdamW": ("beta_1", "beta_2"), "Adamax": ("beta_1",), "Nadam": ("beta_2",)}
_POWERS["Lamb"] = ("beta_1", "beta_2")
_OF_MATRICES, _NOTHING = ("rows", "columns"), ""  # of a vector Adafactor keeps a zero in the place of each
_PRODUCT = "u_product"  # Nadam's, kept last
Shape = tuple[int, ...]


def layout(model: Model, optimizer: Optimizer) -> list[tuple[str, Shape, float]]:
    """Edgeling's variables in Keras's order, after iteration and learning rate: name, shape, value before step 1."""
    network = model._as_network()
    shapes = {name: weight.shape for weight, name in network.names.items()}
    slots = [
        entry
        for group in _GROUPS[type(optimizer).__name__]
        for weight in network.trainable()
        for name in group
        for entry in _entry(optimizer, weight, shapes[weight], name)
    ]
    adding = optimizer.gradient_accumulation_steps
    sums = [(accumulator(weight), shapes[weight], 0.0) for weight in network.trainable() if adding]
    averages = [(average(weight), shapes[weight], 0.0) for weight in network.trainable() if optimizer.averaging]
    return [*averages, *sums, *slots, *([(_PRODUCT, (), 1.0)] if type(optimizer).__name__ == "Nadam" else [])]


def _entry(optimizer: Optimizer, weight: str, shape: Shape, name: str) -> list[tuple[str, Shape, float]]:
    """A slot as it stands in the layout, if the optimizer keeps it for a weight of that shape."""
    kept = {slot.name: slot for slot in optimizer.slots_of(shape)}
    if name in kept:
        return [(f"{weight}_{name}", kept[name].shape, kept[name].initial)]
    return [(_NOTHING, (), 0.0)] if name in _OF_MATRICES else []


def state_arrays(model: Model, optimizer: Optimizer) -> list[Array]:
    """The state as Keras keeps it."""
    state = model.optimizer_state
    slots = [state.get(name, np.full(shape, value, np.float32)) for name, shape, value in layout(model, optimizer)]
    rate = [] if _scheduled(optimizer) else [np.float32(optimizer.learning_rate)]
    return [np.asarray(a) for a in (np.int32(optimizer.batches), *rate, *slots)]


def take_over(model: Model, read: Callable[[Sequence[Shape]], list[Array]]) -> None:
    """Have the model's optimizer go on with a state that is read, or begin afresh, with a warning, if it does not fit.

    Args:
        read: see :func:`restore_state`.
    """
    assert model.optimizer
    try:
        restore_state(model, model.optimizer, read)
    except EdgelingError as error:
        warnings.warn(f"the optimizer starts afresh: {error}", stacklevel=5)


def restore_state(model: Model, optimizer: Optimizer, read: Callable[[Sequence[Shape]], list[Array]]) -> None:
    """Take a state over.

    Args:
        read: from the shapes of all arrays to the arrays.

    Raises:
        ArtifactError: values that no optimizer has.
    """
    slots = layout(model, optimizer)
    scalars: list[Shape] = [()] if _scheduled(optimizer) else [(), ()]
    iterations, *arrays = read([*scalars, *(shape for _, shape, _ in slots)])
    if not 0 <= iterations < 2**31 or not all(np.isfinite(a).all() for a in arrays):
        raise malformed("an optimizer's state that is not finite", "train again, or compile again")
    optimizer.batches = int(iterations)
    held = zip(slots, arrays[len(scalars) - 1 :], strict=True)
    state = {name: np.asarray(a, np.float32) for (name, _, _), a in held if name != _NOTHING}
    model.optimizer_state.update(state, **_powers(optimizer))


def _powers(optimizer: Optimizer) -> dict[str, Array]:
    kind = type(optimizer).__name__
    bases: dict[str, float] = {f"{beta}_power": getattr(optimizer, beta) for beta in _POWERS.get(kind, ())}
    if kind == "Nadam":
        bases["decay_power"] = NADAM_DECAY
    counted = {"time": np.asarray(optimizer.iterations, np.float32)} if kind == "Adafactor" else {}
    powers = {name: base**optimizer.iterations for name, base in bases.items()}
    if optimizer.averaging:
        counted |= {k: np.asarray(v, np.float32) for k, v in optimizer.averaging.scalars(optimizer.iterations).items()}
    return counted | {name: np.asarray(0 if p < SMALLEST_POWER else p, np.float32) for name, p in powers.items()}


def _scheduled(optimizer: Optimizer) -> bool:
    return not isinstance(optimizer.get_config()["learning_rate"], float)
