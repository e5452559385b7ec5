# SPDX-License-Identifier: Apache-2.0
"""Models whose rows have lengths that are not known before: ``Input((None, 6))``.

For each length that is met there is a *view*: the same model, of the same layers and weights, as if it had been made
for rows of that length. What is compiled is compiled for views, and kept with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, TypeVar

from edgeling.errors import UnsupportedError
from edgeling.layers.input import InputLayer
from edgeling.layers.lengths import EXAMPLES, Rows, common, filled, fits, is_known
from edgeling.layers.shapes import Shape
from edgeling.network.arrays import Rows as Arrays
from edgeling.network.arrays import parts_of
from edgeling.network.network import chain

_LIMIT = 64  # of views that are kept
_OWN = frozenset({"_met", "_made_rows", "_network", "_fitted", "_predictor", "_direct", "_views"})
AnyModel = TypeVar("AnyModel")


def is_open(model: Any) -> bool:
    """Whether a length of its rows is not known."""
    return not all(map(is_known, model.input_rows))


def rows_in(arrays: Arrays) -> Rows:
    """Of each input the shape of one row."""
    return tuple(part.shape[1:] for part in parts_of(arrays) if part is not None)


def view(model: Any, rows: Rows) -> Any:
    """The model as made for inputs of these rows; itself, where it is made for nothing else.

    Raises:
        UnsupportedError: a layer that cannot be called on rows of that length.
    """
    if not is_open(model):
        return model
    known = model._views.pop(rows, None) or _made(model, rows)
    known.__dict__.update({name: value for name, value in model.__dict__.items() if name not in _OWN})
    model._views[rows] = known
    while len(model._views) > _LIMIT:
        model._views.pop(next(iter(model._views)))
    return known


def example(model: Any) -> Any:
    """The model for some length, where what is asked of it depends on none."""
    if not model.built or not is_open(model):
        return model
    return view(model, tuple(filled(row, EXAMPLES[0][0]) for row in model.input_rows))


def for_lengths(model: AnyModel, lengths: int | Sequence[int] | None) -> AnyModel:
    """The model as made for rows of stated lengths, with the same layers and weights.

    Args:
        lengths: of all axes whose length is not known, or one for each, in order of the inputs; None: none is told.

    Raises:
        UnsupportedError: another number of lengths than are not known; a model that knows all of its own.
    """
    given: Any = model
    rows = given.input_rows
    unknown = sum(n is None for row in rows for n in row)
    if lengths is None or (not unknown and not lengths):
        return model
    told: list[Any] = list(lengths) if isinstance(lengths, (list, tuple)) else [lengths] * unknown
    if len(told) == 1:
        told *= unknown
    if len(told) != unknown or not unknown or not all(isinstance(n, Integral) and int(n) > 0 for n in told):
        raise UnsupportedError(
            f"lengths are whole numbers, for all or each of the {unknown} that model {given.name!r} does not know",
            received=f"{lengths} for rows of shape {', '.join(map(str, rows))}",
            remedy="leave steps out" if not unknown else f"steps={24 if unknown == 1 else [24] * unknown}",
        )
    left = iter(map(int, told))
    made: AnyModel = view(given, tuple(tuple(next(left) if n is None else n for n in row) for row in rows))
    return made


def outputs_for(model: Any, rows: Sequence[Shape]) -> list[Shape]:
    """Of each output the shape of one row, of inputs of these rows."""
    values, layers = list(rows), model._called_layers
    for call in model._layer_calls or chain(len(layers)):
        given = [values[place] for place in call.inputs]
        values += layers[call.layer].output_rows_of_all(given, call.arguments)
    return [values[end] for end in model._end_values] or values[-1:]


def _made(model: Any, rows: Rows) -> Any:
    made = object.__new__(type(model))
    made.__dict__.update(model.__dict__)
    made._met = None
    made._made_rows = tuple(outputs_for(model, rows))
    made._met, made._views, made._network = rows, {}, None
    made._forget_compiled()
    return made


def widen(model: Any, row: Sequence[int]) -> None:
    """Of a model that has its input from data, not from its maker: take rows of another length, if its layers do."""
    before, chain_before = model._input, model._chain
    if not model._from_data or before is None or len(before.declared) != len(row) or fits(row, before.declared):
        return
    wider = common(before.declared, row)
    model._input, model._chain = InputLayer(shape=wider, name=before.name), []
    try:
        model._build()
        model._network, model._views = None, {}
    except UnsupportedError:  # which is told of the rows
        model._input, model._chain = before, chain_before
