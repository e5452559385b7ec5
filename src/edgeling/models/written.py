# SPDX-License-Identifier: Apache-2.0
"""Models that are classes with ``call``: such a model is one layer of one's own, called once on the inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

from edgeling.configurable import automatic_name
from edgeling.errors import EdgelingError, UnsupportedError
from edgeling.layers import lengths, written
from edgeling.layers.base import Layer, Shape
from edgeling.layers.input import InputLayer
from edgeling.layers.symbolic import ArgumentPlace, Arguments, leaves_of, mapped
from edgeling.models.linking import Structure
from edgeling.models.outline import Outline
from edgeling.network.network import LayerCall
from edgeling.training import arrays


@dataclass(frozen=True)
class _Ports:
    """Inputs and outputs of a call.

    Attributes:
        given, made: how they stand.
        inputs: one for each value that is given.
        rows: of each that is made the shape of one row.
    """

    given: Structure
    made: Structure
    inputs: tuple[InputLayer, ...]
    rows: lengths.Rows


class Written(Outline):
    """A model that says in Python what it computes; see :class:`edgeling.models.Model`.

    Its inputs and outputs stand as ``call`` takes and gives them. They are known when rows, or their shapes, were seen.
    """

    def __init__(self, name: str | None = None, trainable: bool = True) -> None:
        self.name = name or automatic_name(type(self).__name__)
        self.declared = self.activity_regularizer = None
        self._trainable = bool(trainable)
        self._weights, self._called, self._calls = [], [], 0
        self._ports: _Ports | None = None
        self._is_inner = False  # its call asks for more than the inputs: it is called by others only
        self._forget()

    def call(self, *given: Any, **named: Any) -> Any:
        """What the model computes of its inputs, with layers, weights and :mod:`edgeling.ops`: a class of one's own
        says it.

        Raises:
            UnsupportedError: it does not.
        """
        raise UnsupportedError(
            "a model of one's own says what it computes", received=f"{type(self).__name__} without call()",
            remedy="call(self, inputs), or super().__init__(inputs, outputs)",
        )  # fmt: skip

    @property
    def traces_calls(self) -> bool:
        """Whether Python says what it computes."""
        return True

    @property
    def output_row(self) -> Shape | None:  # type: ignore[override]
        """The shape of one row of the first output, once known."""
        return self.output_rows[0] if self._ports else None

    @property
    def input_row(self) -> Shape | None:  # type: ignore[override]
        """The shape of one row of the first input, once known."""
        return self.input_rows[0] if self._ports else None

    @property
    def built(self) -> bool:
        """Whether the shapes of the inputs are known, and the weights made."""
        return self._ports is not None or self._is_inner

    def build(self, input_shape: Any) -> None:
        """Make the weights for rows of that shape, given with the batch: ``(None, features)``; of several inputs a list
        or a mapping of shapes, as ``call`` takes them.

        Raises:
            UnsupportedError: ``call`` cannot be traced; the model has inputs of another shape.
        """
        if written.is_building(self):
            return  # the build of a class of one's own, which is not at its end
        self.after_build(input_shape)

    def after_build(self, input_shape: Any) -> None:
        """Trace the call, with the weights that a ``build`` of one's own has made."""
        super().after_build(input_shape)
        if written.required_arguments(self) > 1:
            self._is_inner = True
            return
        form, shapes = _shapes_of(input_shape)
        rows = [InputLayer(batch_shape=shape).declared or () for shape in shapes]
        if self._ports and not all(map(lengths.fits, rows, self.input_rows)):
            raise UnsupportedError(
                f"the model's rows have shape {', '.join(map(str, self.input_rows))}", received=str(input_shape),
                remedy="a new model",
            )  # fmt: skip
        if not self._ports:
            self._meet(form, rows)

    def _meet(self, form: Structure, rows: Sequence[Shape]) -> None:
        """Know inputs of these shapes, and what the call makes of them."""
        arguments = _arguments(form)
        made = lengths.asked(lambda known: written.rows_traced(self, known, arguments), rows)
        names = form.keys or [f"input_{place + 1}" for place in range(len(rows))]
        inputs = tuple(InputLayer(shape=row, name=name) for row, name in zip(rows, names, strict=True))
        self._ports = _Ports(form, Structure(written.form_of(self)), inputs, made)
        self._forget()
        self.tell_paths("")
        self._judge_again()

    def _judge_again(self) -> None:
        """Hold what ``compile`` was told to the outputs, which were not known then."""

    def _meet_rows(self, x: Any, finite: bool) -> None:
        if not self._ports:
            form, shapes = _of_rows(x, finite)
            if not self.built:
                self._from_data = True
                self.build(form.filled(shapes))
        elif self._from_data:
            self._widen([arrays.features(one, None, finite).shape[1:] for one in self._in_order(x, "inputs")])

    def _widen(self, rows: Sequence[Shape]) -> None:
        """Take rows of other lengths than the first ones had, if the call does."""
        pairs = [*zip(self.input_rows, rows, strict=True)]
        if any(len(known) != len(row) for known, row in pairs) or all(lengths.fits(row, known) for known, row in pairs):
            return
        before = self._ports
        wider = [lengths.common(known, row) for known, row in pairs]
        try:
            self._meet(self._structures[0], wider)
        except EdgelingError:  # which is told of the rows
            self._ports = before

    @property
    def layers(self) -> list[Layer]:
        """Layers that are attributes, or stand in lists or mappings that are."""
        return self.layers_within()

    @property
    def _whole_chain(self) -> list[Layer]:
        """The model, which is one layer of one's own."""
        return [self]

    @property
    def _called_layers(self) -> list[Any]:
        """The model itself."""
        return [self]

    @property
    def _layer_calls(self) -> tuple[LayerCall, ...]:
        """The one call."""
        ports = self._known()
        return (LayerCall(0, tuple(range(len(ports.inputs))), len(ports.rows), _arguments(ports.given)),)

    @property
    def _end_values(self) -> tuple[int, ...]:
        """All that it makes."""
        ports = self._known()
        return tuple(len(ports.inputs) + place for place in range(len(ports.rows)))

    @property
    def _structures(self) -> tuple[Structure, Structure]:
        """How inputs are handed over, and outputs received."""
        alone = Structure(ArgumentPlace(0))
        return (self._ports.given, self._ports.made) if self._ports else (alone, alone)

    @property
    def input_layers(self) -> list[InputLayer]:
        """The inputs, in order; none of a model that is not built."""
        return list(self._ports.inputs) if self._ports else []

    @property
    def output_names(self) -> list[str]:
        """Of each output the name in a mapping, or ``output_1``... as Keras 2 has it."""
        return self._structures[1].keys or [
            f"output_{place + 1}" for place in range(len(self._ports.rows if self._ports else ()))
        ]

    @property
    def input_rows(self) -> list[Shape]:
        """Of each input the shape of one row."""
        return [one.row for one in self._known().inputs] if self._met is None else list(self._met)

    @property
    def output_rows(self) -> list[Shape]:
        """Of each output the shape of one row."""
        return list(self._known().rows if self._met is None else self._made_rows)

    def _rows(self) -> tuple[Shape, Shape]:
        return self._known().inputs[0].row, self._known().rows[0]

    def _known(self) -> _Ports:
        if not self._ports:
            received = "one whose call takes more than its inputs" if self._is_inner else "a model that is not built"
            raise UnsupportedError(
                "the model knows the shape of its input", received=received,
                remedy="build((None, features)), or fit it; inputs of a call in one list or mapping",
            )  # fmt: skip
        return self._ports

    def compute_output_shape(self, input_shape: Any) -> Any:
        """``(None, features)`` -> ``(None, ...)``, of several as they are given and received."""
        form, shapes = _shapes_of(input_shape)
        made = self.output_rows_of_all([shape[1:] for shape in shapes], _arguments(form))  # type: ignore[misc]
        return self._structures[1].filled([(shapes[0][0], *row) for row in made])


def _arguments(form: Structure) -> Arguments | None:
    """How inputs stand among a call's arguments."""
    return None if form.is_alone else ((form.form,), {})


def _is_shape(given: Any) -> bool:
    return isinstance(given, (list, tuple)) and all(n is None or isinstance(n, Integral) for n in given)


def _shapes_of(given: Any) -> tuple[Structure, list[tuple[int | None, ...]]]:
    """Shapes, with the batch, and how they stand: alone, in lists, by names.

    Raises:
        UnsupportedError: there are none.
    """
    found: list[tuple[int | None, ...]] = []

    def placed(value: Any) -> Any:
        if _is_shape(value):
            found.append(tuple(value))
            return ArgumentPlace(len(found) - 1)
        if isinstance(value, Mapping):
            made = {key: placed(value[key]) for key in sorted(value)}
            return {key: made[key] for key in value}
        if isinstance(value, (list, tuple)):
            return type(value)(placed(part) for part in value)
        raise UnsupportedError(
            "a model is built for shapes with the batch", received=repr(value)[:80], remedy="build((None, features))"
        )

    return Structure(placed(given)), found


def _of_rows(x: Any, finite: bool) -> tuple[Structure, list[tuple[int | None, ...]]]:
    """The shapes of rows, and how they stand: a list of arrays is one for each input, any other list is rows."""
    several = isinstance(x, (list, tuple)) and len(x) > 0 and all(_is_structure(part) for part in x)
    given = x if several or isinstance(x, Mapping) else [x]
    found = [(None, *arrays.features(one, None, finite).shape[1:]) for one in leaves_of(given)]
    numbered = iter(range(len(found)))
    if given is not x:
        return Structure(ArgumentPlace(0)), found
    return Structure(mapped(x, lambda _: ArgumentPlace(next(numbered)))), found


def _is_structure(part: Any) -> bool:
    """An array, or arrays in a list or a mapping."""
    if isinstance(part, (list, tuple, Mapping)):
        return bool(part) and all(map(_is_structure, leaves_of(part)))
    return len(getattr(part, "shape", ())) > 0
