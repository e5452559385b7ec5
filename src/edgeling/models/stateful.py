# SPDX-License-Identifier: Apache-2.0
"""Models with layers that keep their states: what can be asked of them.

A layer keeps a state for each row of a batch, from batch to batch, until ``reset_states``. Predictions of a model go on
from row to row, as on a device that answers one call after another; a fit goes on from batch to batch.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

from edgeling.errors import DataError, UnsupportedError
from edgeling.layers import RNN
from edgeling.models.within import all_within
from edgeling.network.network import kept_states


def stateful_layers(layer: Any) -> Iterator[RNN]:
    """The layers that keep states: a model's, wherever they stand."""
    return (each for each in all_within([layer]) if isinstance(each, RNN) and each.stateful)


def require_one_row(model: Any, batch_size: int, rows: int) -> None:
    """Raise where predictions of rows side by side are asked for, but states go on from row to row.

    Raises:
        UnsupportedError: they are.
    """
    if batch_size > 1 and rows > 1 and any(stateful_layers(model)):
        raise UnsupportedError(
            "a model that keeps states answers one row after another", received=f"batch_size={batch_size}, {rows} rows",
            remedy="predict(x, batch_size=1), or the layer called on all rows: layer(x)",
        )  # fmt: skip


def require_whole_batches(model: Any, batch_size: int, rows: int) -> None:
    """Raise where the last batch of an epoch has no row for each state.

    Raises:
        DataError: it has not.
    """
    if rows % batch_size and any(stateful_layers(model)):
        raise DataError(
            f"a model that keeps states learns from whole batches of {batch_size}", received=f"{rows} rows",
            remedy="batch_size, of which the number of rows is a multiple, and shuffle=False",
        )  # fmt: skip


def require_no_states(model: Any) -> None:
    """Raise where a model that keeps states is to be evaluated.

    Raises:
        UnsupportedError: it does.
    """
    for layer in stateful_layers(model):
        raise UnsupportedError(
            "evaluation looks at each row for itself", received=f"stateful=True of {layer.name!r}",
            remedy="predict(x, batch_size=1), and a metric of its answers",
        )  # fmt: skip


def lend_states(model: Any, kept: MutableMapping[str, Any], batch_size: int) -> None:
    """Have a fit begin with the states that the layers keep.

    Args:
        kept: what the optimizer keeps, by name; the states are put beside it.

    Raises:
        DataError: they are of another number of rows than a batch has.
    """
    for name, (layer, place) in _states(model).items():
        kept[name] = layer.state_of(place, (batch_size, layer.cell.state_sizes[place]))


def take_states(model: Any, kept: MutableMapping[str, Any]) -> None:
    """Give the layers the states that a fit has ended with."""
    for name, (layer, place) in _states(model).items():
        if name in kept:
            layer.states[place] = kept.pop(name)


def _states(model: Any) -> dict[str, tuple[RNN, int]]:
    return kept_states(model.network()) if any(stateful_layers(model)) else {}
