# SPDX-License-Identifier: Apache-2.0
"""Layers that are written in Python, ``build`` and ``call``: their functions run on traced values, and what they do to
these becomes the graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from inspect import signature
from math import prod
from threading import local
from typing import Any

from edgeling.errors import UnsupportedError
from edgeling.layers.symbolic import ArgumentPlace, Arguments, leaves_of, mapped
from edgeling.layers.traced import TracedValue, present, scratch, tracing
from edgeling.layers.traced import traced as traced_value
from edgeling.network.tracing import Tracer

Shape = tuple[int, ...]
_ROWS = 2  # of the graph that shapes are read from


class _UnderWay(local):
    """Of each thread the layers whose functions run, the innermost last."""

    def __init__(self) -> None:
        self.layers: list[Any] = []


_under_way = _UnderWay()


def is_written(layer: Any) -> bool:
    """Whether the layer says what it computes in Python."""
    return bool(layer.traces_calls)


def arguments_of(
    layer: Any, kind: Any, places: tuple[Any, ...], named: Mapping[str, Any]
) -> tuple[tuple[Any, ...], Arguments | None]:
    """The values of a kind among a call's arguments, in order, and how they stand there; None: alone.

    Raises:
        UnsupportedError: the call's first argument is partly of that kind.
    """
    given = tuple(leaves_of((places, dict(named))))
    values = tuple(value for value in given if isinstance(value, kind))
    first = tuple(leaves_of(places[0]))
    if any(not isinstance(value, kind) for value in first):
        raise UnsupportedError(
            "a layer is called on symbolic values, or on arrays", received="both", remedy="Input() for each array"
        )
    alone = len(places) == 1 and not named and not (is_written(layer) and isinstance(places[0], (list, tuple, Mapping)))
    if alone:
        return values, None
    if not (layer.takes_arguments or is_written(layer)):
        raise UnsupportedError(
            f"layer {layer.name!r} is called on its inputs alone", received=str([*named] or "further ones"),
            remedy="leave them out",
        )  # fmt: skip
    numbered = iter(range(len(values)))
    return values, mapped((places, dict(named)), lambda x: ArgumentPlace(next(numbered)) if isinstance(x, kind) else x)


def takes_masks(layer: Any) -> bool:
    """Whether it says in Python what it computes, and of which steps count."""
    return is_written(layer) and (layer.says_masks or "mask" in signature(layer.call).parameters)


def rows_of(
    layer: Any, rows: Sequence[Shape], arguments: Arguments | None, masked: Sequence[int] = ()
) -> tuple[Shape, ...]:
    """The shapes of one row of each output of a call; the layer is built.

    Args:
        masked: of each value how many axes its mask has, without the rows'; 0 where all counts. Where it is not known,
            as in the call before.

    Raises:
        UnsupportedError: what the function does cannot be traced; it gives something that is no batch of rows.
    """
    first = build(layer, rows, arguments)
    layer.mask_axes = tuple(masked) if any(masked) else layer.mask_axes
    return rows_traced(layer, rows, arguments, first)


def rows_traced(
    layer: Any, rows: Sequence[Shape], arguments: Arguments | None, first: bool = True
) -> tuple[Shape, ...]:
    """As :func:`rows_of`, of a layer that is built.

    Args:
        first: of the first call, which is traced as it trains too: layers that only training calls are built then.
    """
    known = (False,) if not first or "training" not in signature(layer.call).parameters else (True, False)
    for training in known:
        tracer = scratch(training)
        given = [tracer.builder.input(f"x_{i}", (_ROWS, *row)) for i, row in enumerate(rows)]
        for name, row, axes in zip(given, rows, layer.mask_axes, strict=False):
            tracer.masked(name, tracer.builder.input(f"mask_{name}", (_ROWS, *row[:axes])) if axes else "")
        made = traced(layer, tracer, given, arguments)
    return tuple(tracer.builder.type_of(name).shape[1:] for name in made)


def build(layer: Any, rows: Sequence[Shape], arguments: Arguments | None) -> bool:
    """Call the layer's ``build`` once, with shapes as its call's first argument stands; whether it was not built."""
    if layer.built:
        return False
    first = ArgumentPlace(0) if arguments is None else arguments[0][0]
    shapes = mapped(first, lambda place: (None, *rows[place.index]))
    if not layer.__dict__.get(_WAS_BUILT):
        layer.build(shapes)
    if not layer.built:
        layer.input_row, layer.output_row = rows[0], ()
    return True


_BUILDING, _WAS_BUILT = "_is_building", "_was_built"


def is_building(layer: Any) -> bool:
    """Whether a ``build`` of one's own is under way."""
    return bool(layer.__dict__.get(_BUILDING))


def note_built(layer: Any) -> None:
    """Remember that the layer's ``build`` was called."""
    layer.__dict__[_WAS_BUILT] = True


def built_once(build: Callable[..., None]) -> Callable[..., None]:
    """A ``build`` of one's own, that runs once, and after which the layer has its own say (``after_build``)."""

    @wraps(build)
    def whole(layer: Any, *shapes: Any, **named: Any) -> None:
        outermost = not is_building(layer)
        if outermost and layer.__dict__.get(_WAS_BUILT):
            return
        layer.__dict__[_BUILDING] = True
        try:
            build(layer, *shapes, **named)
        finally:
            layer.__dict__[_BUILDING] = not outermost
        if outermost:
            layer.after_build(*shapes, *named.values())

    return whole


def traced(layer: Any, tracer: Tracer, values: Sequence[str], arguments: Arguments | None) -> tuple[str, ...]:
    """Append what ``call`` does to a graph; give its outputs."""
    places, named = arguments or ((ArgumentPlace(0),), {})
    places, named = mapped(
        (places, named), lambda x: TracedValue(tracer, values[x.index], True) if isinstance(x, ArgumentPlace) else x
    )
    known = signature(layer.call).parameters
    if "training" in known and "training" not in named:
        named = {**named, "training": tracer.training}
    masks = named.get("mask")
    if masks is None and places:
        masks = mapped(places[0], lambda one: _mask_of(tracer, one))
        if "mask" in known and len(places) <= list(known).index("mask"):
            named = {**named, "mask": masks if any(one is not None for one in leaves_of(masks)) else None}
    result = _of_rows(layer, tracer, places, named)
    numbered = iter(range(len(tuple(leaves_of(result)))))
    layer.__dict__[_FORM] = mapped(result, lambda _: ArgumentPlace(next(numbered)))
    with tracing(tracer):
        told = layer.compute_mask(places[0] if places else None, masks) if layer.says_masks else None
    made = tuple(leaves_of(result))
    for one in made:
        if not isinstance(one, TracedValue) or not one.per_row:
            what = (
                "None"
                if one is None
                else f"a value of shape {one.shape}"
                if isinstance(one, TracedValue)
                else repr(one)
            )
            raise UnsupportedError(
                f"call of {type(layer).__name__} {layer.name!r} gives what it makes of its batch of rows",
                received=what[:80],
                remedy="return what edgeling.ops made of x, its first axis the batch's",
            )  # fmt: skip
    layer.penalize(tracer)
    names = [one.name for one in made]
    for at, mask in enumerate(leaves_of(told)):
        if mask is not None:
            counts = tracer.builder.add("compare", traced_value(mask, tracer).name, tracer.number(0.0))
            names[at] = tracer.masked(_apart(tracer, names[at], values), counts)
    return tuple(names)


_FORM = "_form"


def form_of(layer: Any) -> Any:
    """How what the last call gave stood: an :class:`ArgumentPlace` for each value, in lists and mappings."""
    return layer.__dict__[_FORM]


def as_given(layer: Any, values: Sequence[Any]) -> Any:
    """What a call of a layer of one's own gives, as its function does."""
    return mapped(form_of(layer), lambda place: values[place.index])


def _mask_of(tracer: Tracer, value: Any) -> TracedValue | None:
    """Which steps of a value count, for a function of one's own; None where all do."""
    name = tracer.mask_of(value.name) if isinstance(value, TracedValue) else ""
    return TracedValue(tracer, name, True) if name else None


def _apart(tracer: Tracer, made: str, given: Sequence[str]) -> str:
    """What a layer makes, with a name of its own where it is what the layer was given."""
    if made not in given:
        return made
    return tracer.builder.add("reshape", made, shape=tracer.builder.type_of(made).shape)


def _of_rows(layer: Any, tracer: Tracer, places: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
    """What ``call`` gives; what it makes of all rows together may go into the loss, not into the answers.

    Raises:
        UnsupportedError: it does.
    """
    if layer in _under_way.layers:
        raise UnsupportedError(
            "no layer is called in its own call", received=f"layer {layer.name!r} in call of {layer.name!r}",
            remedy=f"another {type(layer).__name__}, or a loop over what it computes",
        )  # fmt: skip
    before = tracer.mixes_rows, tracer.mixed_rows
    tracer.mixes_rows = True
    _under_way.layers.append(layer)
    rows = [one.lengths[0] for one in leaves_of((places, dict(named))) if isinstance(one, TracedValue) and one.per_row]
    tracer.rows = rows[0] if rows else tracer.rows
    try:
        with tracing(tracer):
            result = layer.call(*places, **named)
    finally:
        _under_way.layers.pop()
        tracer.mixes_rows, tracer.mixed_rows = before
    if not tracer.mixes_rows and any(
        isinstance(one, TracedValue) and one.name in tracer.mixing for one in leaves_of(result)
    ):
        raise UnsupportedError(
            "each row of a batch is answered for itself",
            received=f"layer {layer.name!r}, which gives what it makes of all rows together (axis=0 or axis=None)",
            remedy="an axis from 1 on; of all rows only what goes to add_loss",
        )  # fmt: skip
    return result


def add_loss(layer: Any, loss: Any) -> None:
    """Add a number of the graph to the loss, or the sum of several."""
    tracer = present()
    if tracer is None:
        raise UnsupportedError(
            "add_loss is called in call() of a layer of one's own", received=f"a call on {layer.name!r} elsewhere",
            remedy="a layer whose call adds it, or activity_regularizer",
        )  # fmt: skip
    if tracer.lazily:  # a graph that shapes are read from
        return
    given = traced_value(loss, tracer)
    flat = tracer.builder.add("reshape", given.name, shape=(prod(given.lengths),))
    total = tracer.builder.add("sum", flat, axes=(0,))
    tracer.penalize_by(tracer.builder.add("reshape", total, shape=()), layer)


def inside(
    layer: Any, tracer: Tracer, places: tuple[Any, ...], named: Mapping[str, Any], training: bool | None = None
) -> Any:
    """A layer called in another's function: on values of the graph that is being written.

    Args:
        training: what the call says of it; None: as the function is called.
    """
    with_values = mapped((places, dict(named)), lambda x: traced_value(x, tracer) if _is_value(x) else x)
    values, arguments = arguments_of(layer, TracedValue, *with_values)
    shared = not any(value.per_row for value in values)
    if shared:
        values = tuple(_as_rows(value) for value in values)
    rows = [value.lengths[1:] if shared else value.row for value in values]
    masks = [tracer.mask_of(value.name) for value in values]
    layer.rows_made(rows, arguments, [len(tracer.builder.type_of(mask).shape) - 1 if mask else 0 for mask in masks])
    if not is_written(layer):
        layer._prepare([(None, *row) for row in rows])
    with tracer.told(training):
        names = tracer.through(layer, [value.name for value in values], arguments)
    layer.note_output(tracer.builder.type_of(names[0]).shape[1:])
    made = [TracedValue(tracer, name, not shared) for name in names]
    if shared and len(values[0].lengths) == 2 and with_values[0][0].lengths != values[0].lengths:
        made = [_one_less(value) for value in made]
    return layer.output_of_call(made)


def _as_rows(value: TracedValue) -> TracedValue:
    """What all rows of the batch share as rows of its own; of one axis, as one row."""
    lengths = value.lengths if len(value.lengths) > 1 else (1, *value.lengths)
    name = value.tracer.builder.add("reshape", value.name, shape=lengths)
    return TracedValue(value.tracer, name, False)


def _one_less(value: TracedValue) -> TracedValue:
    name = value.tracer.builder.add("reshape", value.name, shape=value.lengths[1:])
    return TracedValue(value.tracer, name, False)


def of_ours(layer: Any, x: Any, *others: Any, **named: Any) -> Any:
    """What a layer that traces makes of traced values: ``super().call(x)`` of a class of one's own."""
    tracer = present()
    if tracer is None:
        raise UnsupportedError(
            "call is called by the layer", received=f"{type(layer).__name__}.call by itself", remedy="layer(x)"
        )
    told = mapped((x, others, named), lambda one: one.name if isinstance(one, TracedValue) else one)
    made = layer.trace(tracer, told[0], *told[1], **told[2])
    values = [TracedValue(tracer, name, True) for name in ([made] if isinstance(made, str) else made)]
    return values[0] if isinstance(made, str) else values


def _is_value(x: Any) -> bool:
    return isinstance(x, TracedValue) or hasattr(x, "__array__")


def required_arguments(layer: Any) -> int:
    """How many arguments its ``call`` cannot do without."""
    return sum(
        p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        for p in signature(layer.call).parameters.values()
    )
