# SPDX-License-Identifier: Apache-2.0
"""What layers of attention with several heads share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import prod
from typing import Any, ClassVar

import numpy as np

from edgeling import constraints, initializers, regularizers
from edgeling.checking import flag, whole
from edgeling.errors import UnsupportedError
from edgeling.layers.attention import dropout_rate, dropped
from edgeling.layers.axes import axes_of, axis_argument
from edgeling.layers.base import Layer, Shape, row_of
from edgeling.layers.core import as_matrix
from edgeling.layers.lengths import asked
from edgeling.layers.symbolic import ArgumentPlace, Arguments, symbols_among
from edgeling.layers.told_masks import counting_each
from edgeling.layers.traced import present
from edgeling.network.tracing import Tracer
from edgeling.network.weights import Weight
from edgeling.regularizers import Regularizer

_FAR = -1e9  # what the scores that are masked become
_MASKS = ("query_mask", "value_mask", "key_mask")
_PARTS = ("query", "key", "gate", "value", "output")  # in the order of Keras's weights


class ManyHeads(Layer):
    """Query, key and value projected for each head, attended to, put side by side and projected once more.

    Args:
        heads: how many of the query, and how many of the key and the value: as many follow one another to share one.
        sizes: features of a head's query and key, and of its value.
        made: features of the output; those of the query if there are none.
    """

    refused = (*Layer.refused, "flash_attention")
    heeds_query_mask: ClassVar[bool] = True
    never_called = (*Layer.never_called, "_compute_attention", "_masked_softmax", "_compute_attention_mask")
    supports_masking = True
    ends_masks = True  # what it makes has the query's mask, which it says
    takes_arguments = (
        "query", "value", "key", *_MASKS, "attention_mask", "use_causal_mask", "return_attention_scores",
    )  # fmt: skip

    def __init__(
        self,
        heads: tuple[int, int],
        sizes: tuple[int, int],
        made: Shape,
        attention_axes: Any,
        dropout: Any,
        use_bias: Any,
        sliding_window: Any,
        kernel_initializer: Any,
        bias_initializer: Any,
        kernel_regularizer: Any,
        bias_regularizer: Any,
        activity_regularizer: Any,
        kernel_constraint: Any,
        bias_constraint: Any,
        use_gate: Any,
        seed: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self._heads, self._sizes, self._made = heads, sizes, made
        self.attention_axes = None if attention_axes is None else axis_argument(attention_axes, "attention_axes")
        self.dropout, self.use_bias = dropout_rate(dropout), flag("use_bias", use_bias)
        self.sliding_window = None if sliding_window is None else whole("sliding_window", sliding_window)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.use_gate, self.seed = flag("use_gate", use_gate), None if seed is None else whole("seed", seed, 0)
        self._of: dict[str, tuple[Weight, Weight | None]] = {}
        self._rows: tuple[Shape, Shape, Shape] = ((), (), ())

    def __call__(self, x: Any = None, *others: Any, training: bool | None = None, **named: Any) -> Any:
        """The output for a query, a value and a key (the value, if it is not given): batches of rows, or symbolic.

        Args:
            x: the query; by name it is ``query``.
            others, named: ``value``, ``key``; ``query_mask``, ``value_mask``, ``key_mask``, [steps] of a row, not 0
                where a step counts, in the place of those that the inputs have; ``attention_mask``, [steps, steps] of
                a row, 1 where a step of the query sees one of the value; ``use_causal_mask``: none sees a later one;
                ``return_attention_scores``: what each step weighs for each too, [heads, steps, steps].

        Raises:
            UnsupportedError: inputs that do not meet.
        """
        query = named.pop("query", None) if x is None else x
        named = {name: value for name, value in named.items() if value is not None}
        if query is None or present() or symbols_among((query, others, named)):
            return super().__call__(query, *others, training=training, **named)
        return self._eager((query, *others), named, bool(training))

    def output_rows_of(self, rows: Sequence[Shape], arguments: Arguments | None = None) -> tuple[Shape, ...]:
        places, named = arguments or ((ArgumentPlace(0),), {})
        given = {**dict(zip(("query", "value", "key", *_MASKS), places, strict=False)), **named}
        found = {name: rows[one.index] for name, one in given.items() if isinstance(one, ArgumentPlace)}
        if "value" not in found or len(places) > 6:
            raise UnsupportedError(
                f"layer {self.name!r} is called on a query and a value, and on a key if that is another",
                received=", ".join(found), remedy=f"{self.name}(x, x)",
            )  # fmt: skip
        self._rows = found["query"], found["value"], found.get("key", found["value"])
        output = self.merged(*self._rows)
        for mask, row in zip(_MASKS, self._rows, strict=True):
            if found.get(mask, row[:-1]) != row[:-1]:
                raise UnsupportedError(
                    f"{mask} of layer {self.name!r} has rows of shape {row[:-1]}", received=str(found[mask]),
                    remedy=f"Input({row[:-1]}), 1 where something counts",
                )  # fmt: skip
        steps_seen, told = (self._rows[0][-2], self._rows[1][-2]), found.get("attention_mask", ())[-2:]
        if len(told) == 2 and any(n not in (1, own) for n, own in zip(told, steps_seen, strict=True)):
            raise UnsupportedError(
                f"attention_mask of layer {self.name!r} has rows of shape {steps_seen}: the query's steps, the value's",
                received=str(found["attention_mask"]), remedy=f"Input({steps_seen}), 1 where one sees the other",
            )  # fmt: skip
        over = self._over(len(output) + 1 if not self._made else len(found["query"]) + 1)
        steps = tuple(prod(row[axis - 1] for axis in over) for row in self._rows[:2])
        seen = found.get("attention_mask", steps)[-2:]
        if len(over) == 1 and seen != steps[-len(seen) :]:
            raise UnsupportedError(
                f"attention_mask of layer {self.name!r} has rows of shape {steps}", received=str(seen),
                remedy=f"Input({steps}), 1 where a step of the query sees one of the value",
            )  # fmt: skip
        free = [n for axis, n in enumerate(found["query"][:-1], 1) if axis not in over]
        each = (row[axis - 1] for row in self._rows[:2] for axis in over)
        return (output, (*free, self._heads[0], *each)) if named.get("return_attention_scores") else (output,)

    def compute_output_shape(  # type: ignore[override]
        self, query_shape: Any, value_shape: Any, key_shape: Any = None
    ) -> Any:
        """Of a query, a value and a key, each with the batch: the shape of a batch of output rows."""
        rows = [row_of(shape) for shape in (query_shape, value_shape, key_shape or value_shape)]
        return (query_shape[0], *asked(lambda some: [self.merged(*some)], rows)[0])

    def _prepare(self, shapes: Sequence[tuple[int | None, ...]]) -> None:
        if not self.built:
            self.make_for(self._rows)
        row: Any = tuple(shapes[0][1:])
        self.input_row, self.output_row = row, (*row[:-1], *(self._made or row[-1:]))

    def merged(self, query: Shape, value: Shape, key: Shape) -> Shape:
        """The shape of an output row."""
        over = self._over(len(query) + 1)
        free = [axis - 1 for axis in range(1, len(query)) if axis not in over]
        alike = len(query) == len(value) and all(query[axis] == value[axis] for axis in free)
        if not alike or value[:-1] != key[:-1] or len(query) < 2:
            raise UnsupportedError(
                f"query, value and key of layer {self.name!r} have shapes that meet",
                received=f"{query}, {value} and {key}", remedy="as many steps of the key as of the value",
            )  # fmt: skip
        return (*query[:-1], *(self._made or query[-1:]))

    def _over(self, rank: int) -> tuple[int, ...]:
        """The axes that are attended over, of values with so many, the batch's and the features' among them."""
        if self.attention_axes is None:
            return tuple(range(1, rank - 1))
        over = axes_of(self.name, np.ravel(self.attention_axes).tolist(), rank)
        if over[-1] == rank - 1:
            raise UnsupportedError(
                f"attention_axes are axes of steps, 1 to {rank - 2} or -2 to {1 - rank}",
                received=f"{self.attention_axes} of layer {self.name!r}, the features' among them",
                remedy="attention_axes=None",
            )  # fmt: skip
        return over

    def _shapes(self, rows: Sequence[Shape]) -> dict[str, tuple[Shape, Shape]]:
        """Of each projection the shapes of its kernel and its bias."""
        (*_, asked), (*_, valued), (*_, keyed) = rows
        (heads, shared), (size, valued_size) = self._heads, self._sizes
        query, key, value, answer = (heads, size), (shared, size), (shared, valued_size), (heads, valued_size)
        made = self._made or (asked,)
        shapes = {
            "query": ((asked, *query), query), "key": ((keyed, *key), key), "gate": ((asked, *answer), answer),
            "value": ((valued, *value), value), "output": ((*answer, *made), made),
        }  # fmt: skip
        return {part: shapes[part] for part in _PARTS if part != "gate" or self.use_gate}

    def weight_shapes(self, row: Shape) -> list[Shape]:
        return [shape for pair in self._shapes(self._rows).values() for shape in pair[: 1 + self.use_bias]]

    @property
    def parts_in_files(self) -> tuple[tuple[str, int], ...]:
        parts = (part for part in _PARTS if part != "gate" or self.use_gate)
        return tuple((f"{'_' * (part == 'gate')}{part}_dense", 1 + self.use_bias) for part in parts)

    def build(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> None:
        """Make the weights for a query, a value (the query, if it is not given) and a key (the value), each with the
        batch.

        Raises:
            UnsupportedError: shapes that do not meet.
        """
        value_shape = value_shape or query_shape
        rows = [row_of(shape) for shape in (query_shape, value_shape, key_shape or value_shape)]
        asked(lambda some: [self.merged(*some)], rows)
        query, value, key = rows
        self._rows = query, value, key
        self._prepare([tuple(query_shape)])

    def make_for(self, rows: Sequence[Shape]) -> None:
        """Add the weights, for a query, a value and a key of these rows."""
        for part, (kernel, bias) in self._shapes(rows).items():
            held = self._keep(f"{part}_kernel", self.kernel_initializer(kernel), constraint=self.kernel_constraint)
            offset = (
                self._keep(f"{part}_bias", self.bias_initializer(bias), constraint=self.bias_constraint)
                if self.use_bias
                else None
            )
            self._of[part] = held, offset

    def _regularized(self) -> list[tuple[Weight, Regularizer]]:
        kinds = {"kernel": self.kernel_regularizer, "bias": self.bias_regularizer}
        found = [(weight, kinds[weight.name.rpartition("_")[2]]) for weight in self.trainable_weights]
        return [(weight, regularizer) for weight, regularizer in found if regularizer]

    def trace(
        self, tracer: Tracer, query: str, value: str, key: str = "", query_mask: str = "", value_mask: str = "",
        key_mask: str = "", *, attention_mask: str = "", use_causal_mask: bool = False,
        return_attention_scores: bool = False,
    ) -> Any:  # fmt: skip
        self.penalize(tracer)
        b, key = tracer.builder, key or value
        shape, over = b.type_of(query).shape, self._over(len(b.type_of(query).shape))
        asked = b.add(
            "multiply", self._projected(tracer, "query", query), tracer.number(self._sizes[0] ** -0.5, "scale")
        )
        keys, values = (self._projected(tracer, part, x) for part, x in (("key", key), ("value", value)))
        asked, keys, values = (self._apart(tracer, x, over) for x in (asked, keys, values))
        scores = self._products(tracer, asked, keys, transpose_b=True)
        query_mask = query_mask if self.heeds_query_mask else ""
        pairs = ((query, query_mask), (value, value_mask), (key, key_mask))
        counts = [counting_each(tracer, [x], [told] if told else None)[0] for x, told in pairs]
        mask = self._mask(tracer, scores, counts, attention_mask, use_causal_mask, over)
        is_plain = len(shape) == 3 and not self.dropout and not return_attention_scores
        weights = self._softmax(tracer, scores, mask, is_plain)
        y = self._products(tracer, dropped(tracer, weights, self.dropout, self.seed), values)
        y = self._answer(tracer, query, self._together(tracer, y, shape, over))
        if not return_attention_scores:
            return y
        *lead, _, _ = b.type_of(weights).shape
        each = (b.type_of(x).shape[axis] for x in (query, value) for axis in over)
        return [y, b.add("reshape", weights, shape=(*lead, *each)) if len(over) > 1 else weights]

    def _products(self, tracer: Tracer, x: str, y: str, transpose_b: bool = False) -> str:
        """Of each head's matrix with another: of heads that share that one as one matrix, nothing repeated."""
        b, (heads, shared) = tracer.builder, self._heads
        if heads == shared:
            return b.add("matmul", x, y, transpose_b=transpose_b)
        *outside, _, steps, features = b.type_of(x).shape
        together = b.add("reshape", x, shape=(*outside, shared, heads // shared * steps, features))
        product = b.add("matmul", together, y, transpose_b=transpose_b)
        return b.add("reshape", product, shape=(*outside, heads, steps, b.type_of(product).shape[-1]))

    def _answer(self, tracer: Tracer, query: str, y: str) -> str:
        """What the heads make of the query, [rows, ..., heads, features], as one output."""
        b, shape = tracer.builder, tracer.builder.type_of(query).shape
        if self.use_gate:
            gate = b.add("activation", self._projected(tracer, "gate", query), function="sigmoid")
            self._penalize_part(tracer, gate)
            y = b.add("multiply", y, gate)
        y = b.add("reshape", y, shape=(prod(shape[:-1]), self._heads[0] * self._sizes[1]))
        y = self._product(tracer, "output", y)
        y = b.add("reshape", y, shape=(*shape[:-1], *(self._made or shape[-1:])))
        self._penalize_part(tracer, y)
        return tracer.masked(y, tracer.mask_of(query))

    def _projected(self, tracer: Tracer, part: str, x: str) -> str:
        """[rows, ..., features] to [rows, ..., heads, features of a head]."""
        y = self._product(tracer, part, as_matrix(tracer.builder, x))
        kernel, _ = self._of[part]
        y = tracer.builder.add("reshape", y, shape=(*tracer.builder.type_of(x).shape[:-1], *kernel.shape[1:]))
        if part != "gate":  # whose sigmoid is penalised
            self._penalize_part(tracer, y)
        return y

    def _penalize_part(self, tracer: Tracer, y: str) -> None:
        super().penalize_outputs(tracer, [y])

    def _product(self, tracer: Tracer, part: str, matrix: str) -> str:
        b, (kernel, bias) = tracer.builder, self._of[part]
        inputs = b.type_of(matrix).shape[1]
        flat = b.add("reshape", tracer.value(kernel), shape=(inputs, kernel.value.size // inputs))
        outputs = b.type_of(flat).shape[1]
        if bias is None:
            return b.add("matmul", matrix, flat)
        return b.add("dense", matrix, flat, b.add("reshape", tracer.value(bias), shape=(outputs,)))

    def _apart(self, tracer: Tracer, x: str, over: tuple[int, ...]) -> str:
        """[rows, ..., heads, features] to [rows, free axes, heads, steps, features]: a matrix for each head."""
        b, shape = tracer.builder, tracer.builder.type_of(x).shape
        rank = len(shape) - 2
        order = (*(n for n in range(rank) if n not in over), rank, *over, rank + 1)
        y = b.add("transpose", x, permutation=order)
        free = [shape[n] for n in range(1, rank) if n not in over]
        return b.add("reshape", y, shape=(shape[0], *free, shape[-2], prod(shape[n] for n in over), shape[-1]))

    def _together(self, tracer: Tracer, y: str, shape: Shape, over: tuple[int, ...]) -> str:
        """The inverse of :meth:`_apart`, for values that had that shape before."""
        b, rank = tracer.builder, len(shape) - 1
        order = (*(n for n in range(rank) if n not in over), rank, *over, rank + 1)
        full = (*shape[:-1], self._heads[0], self._sizes[1])
        y = b.add("reshape", y, shape=tuple(full[n] for n in order))
        return b.add("transpose", y, permutation=tuple(order.index(n) for n in range(rank + 2)))

    def _softmax(self, tracer: Tracer, scores: str, mask: str, is_plain: bool) -> str:
        """What each step weighs for each. Where all are masked Keras gives all the same weight, or (with dropout, or
        several axes of steps) none."""
        b = tracer.builder
        if not mask:
            return b.add("softmax", scores)
        weights = b.add("softmax", b.add("select", mask, scores, tracer.number(_FAR, "far")))
        return weights if is_plain else b.add("select", mask, weights, tracer.number(0.0))

    def _mask(
        self, tracer: Tracer, scores: str, counts: Sequence[str], told: str, is_causal: bool, over: tuple[int, ...]
    ) -> str:
        """Which scores [rows, free axes, heads, steps, steps] count, of a shape that broadcasts with them; "" for all.

        Args:
            counts: which steps of the query, the value and the key count, [rows, free axes, steps]; "" for all.
        """
        b, (n, *free, _, t, s) = tracer.builder, tracer.builder.type_of(scores).shape
        seen = np.tri(t, s) if is_causal else np.ones((t, s))
        if self.sliding_window is not None:
            seen *= np.abs(np.arange(t)[:, None] - np.arange(s)) < self.sliding_window
        is_first, is_last = over == (1,), over == (len(free) + 1,)  # as in Keras, causal masks are of the first axis
        if (not seen.all() and free and not is_first) or (any(counts) and not is_last) or (told and len(over) > 1):
            raise UnsupportedError(
                "masks are of steps that are the last axis before the features, and that is attended over alone",
                received=f"layer {self.name!r} on rows of more axes", remedy="attend without them",
            )  # fmt: skip
        (of_query, *of_others), ones = counts, (1,) * len(free)
        found = [b.add("reshape", of_query, shape=(n, *free, 1, t, 1))] if of_query else []
        found += [b.add("reshape", one, shape=(n, *free, 1, 1, s)) for one in dict.fromkeys(of_others) if one]
        if told:
            *lead, _, _ = b.type_of(told).shape
            missing = len(free) + 2 - len(lead)
            found.append(b.add("reshape", told, shape=(*lead, *(1,) * missing, t, s)))
        if not seen.all():
            found.append(b.constant(seen.reshape(1, *ones, 1, t, s), "steps_seen"))
        return reduce(lambda one, other: b.add("multiply", one, other), found) if found else ""
