# SPDX-License-Identifier: Apache-2.0
"""Models with layers that keep their states: what can be asked of them.

A layer keeps a state for each row of a batch, from batch to batch, until ``reset_states``. Batches of one row go on
from row to row, as on a device that answers one call after another; fits and evaluations go on from batch to batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from edgeling.errors import DataError
from edgeling.graph.types import Array
from edgeling.layers import RNN
from edgeling.models.views import example
from edgeling.models.within import all_within
from edgeling.network.network import kept_states


def stateful_layers(layer: Any) -> Iterator[RNN]:
    """The layers that keep states: a model's, wherever they stand."""
    return (each for each in all_within([layer]) if isinstance(each, RNN) and each.stateful)


def require_whole_batches(model: Any, batch_size: int, rows: int) -> None:
    """Raise where the last batch has no row for each state.

    Raises:
        DataError: it has not.
    """
    if rows % batch_size and any(stateful_layers(model)):
        raise DataError(
            f"a model that keeps states takes whole batches of {batch_size}", received=f"{rows} rows",
            remedy="batch_size, of which the number of rows is a multiple, and in a fit shuffle=False",
        )  # fmt: skip


def lend_states(model: Any, kept: MutableMapping[str, Any], batch_size: int) -> None:
    """Have a fit begin with the states that the layers keep.

    Args:
        kept: what the optimizer keeps, by name; the states are put beside it.

    Raises:
        DataError: they are of another number of rows than a batch has.
    """
    kept.update(states_for(model, batch_size))
    model.lends_states = True


def return_states(model: Any, kept: MutableMapping[str, Any]) -> None:
    """Give the layers the states that a fit has ended with."""
    model.lends_states = False
    take_states(model, {name: kept.pop(name) for name in _states(model) if name in kept})


def states_for(model: Any, rows: int) -> dict[str, Array]:
    """By name the states that rows go on with: those of the layers, or of the fit that is going on.

    Raises:
        DataError: they are of another number of rows.
    """
    held: dict[str, Array] = {}
    for name, (layer, place) in _states(model).items():
        shape = (rows, layer.cell.state_sizes[place])
        if model.lends_states and name in model.optimizer_state:
            layer.states[place] = model.optimizer_state[name]
        held[name] = layer.state_of(place, shape)
    return held


def take_states(model: Any, states: Mapping[str, Array]) -> None:
    """Have the layers, or the fit that is going on, go on from these states."""
    for name, (layer, place) in _states(model).items():
        if name in states:
            layer.states[place] = states[name]
            if model.lends_states:
                model.optimizer_state[name] = states[name]


def state_shapes(model: Any) -> list[int]:
    """How many numbers a row has in each state that the model keeps."""
    return [layer.cell.state_sizes[place] for layer, place in _states(model).values()]


def _states(model: Any) -> dict[str, tuple[RNN, int]]:
    return kept_states(example(model)._as_network()) if any(stateful_layers(model)) else {}
