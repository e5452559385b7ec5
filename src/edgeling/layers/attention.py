# SPDX-License-Identifier: Apache-2.0
"""Layers in which each step of one sequence asks all steps of another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from edgeling import initializers
from edgeling.checking import flag, number, whole
from edgeling.errors import UnsupportedError
from edgeling.layers.base import Shape, row_of
from edgeling.layers.lengths import asked
from edgeling.layers.merging import Merging
from edgeling.layers.symbolic import Arguments, leaves_of, symbols_among
from edgeling.layers.told_masks import counting_each, require_masks
from edgeling.layers.traced import present
from edgeling.network.tracing import Tracer
from edgeling.network.weights import Weight

_FAR = 1e9  # below all others: what masked scores become in Keras


class Attention(Merging):
    """``softmax(scores) @ value``, the scores ``query @ key`` of each step with each: Luong's.

    Called on ``[query, value]`` or ``[query, value, key]``, rows [..., steps, features] each; what a mask leaves out of
    the value has no weight, and is zero in the output where the query's does. A call takes ``mask``, ``[query_mask,
    value_mask]``, [rows, steps] each or None: the steps that count are not 0 there; without it those count that the
    inputs' own masks say. Luong et al., EMNLP 2015.

    Args:
        use_scale: a factor that is learned before the softmax.
        score_mode: "dot", or "concat": the sum of ``tanh(query + key)``.
        dropout: the share of weights left out while training.
    """

    supports_masking = True
    ends_masks = True  # what it makes has the query's mask, which it says
    takes_arguments = ("mask", "use_causal_mask", "return_attention_scores")
    arguments: ClassVar[tuple[str, ...]] = ("use_scale", "score_mode", "dropout", "seed")

    def __init__(
        self, use_scale: bool = False, score_mode: str = "dot", dropout: float = 0.0, seed: int | None = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        if score_mode not in ("dot", "concat"):
            raise UnsupportedError("score_mode is dot or concat", received=repr(score_mode), remedy="score_mode='dot'")
        self.use_scale, self.score_mode = flag("use_scale", use_scale), score_mode
        self.dropout, self.seed = dropout_rate(dropout), None if seed is None else whole("seed", seed, 0)
        self.scale: Weight | None = None
        self.concat_score_weight: Weight | None = None
        self._inputs = 2  # of the last call

    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs of these shapes, each with the batch.

        Raises:
            UnsupportedError: they do not meet.
        """
        rows = tuple(row_of(shape) for shape in input_shape)
        (output,) = asked(lambda some: [self.output_shape_of_all(some)], rows)
        if not self.built:
            self.make_for(rows)
        self.input_row, self.output_row = rows[0], output

    def __call__(self, x: Any = None, *others: Any, training: bool | None = None, **named: Any) -> Any:
        """The output for a list of batches of rows, or of symbolic values; and what each step weighs for each, with
        ``return_attention_scores=True``. With ``use_causal_mask=True`` no step sees a later one.

        Raises:
            UnsupportedError: no list; inputs that do not meet.
        """
        if not isinstance(x, (list, tuple)):
            self.output_shape_of_all([()])
        if present() or symbols_among(x):
            return super().__call__(x, *others, training=training, **named)
        return self._eager((x, *others), named, bool(training))

    def output_rows_of(self, rows: Sequence[Shape], arguments: Arguments | None = None) -> tuple[Shape, ...]:
        places, named = arguments or ((), {})
        given = [rows[place.index] for place in leaves_of(places[0])] if places else list(rows)
        self._inputs, output = len(given), self.output_shape_of_all(given)
        told = named.get("mask", places[1] if len(places) > 1 else None)
        require_masks(self.name, told, rows, [row[:-1] for row in given])
        asked = arguments and arguments[1].get("return_attention_scores")
        return (output, (*given[0][:-1], given[1][-2])) if asked else (output,)

    def _prepare(self, shapes: Sequence[tuple[int | None, ...]]) -> None:
        super()._prepare(shapes[: self._inputs])

    def merged(self, rows: tuple[Shape, ...]) -> Shape:
        query, value, key = (*rows, rows[1])[:3]
        if len(rows) > 3:
            raise UnsupportedError(
                f"layer {self.name!r} is called on a query, a value and a key", received=f"{len(rows)} inputs",
                remedy=f"{self.name}([query, value])",
            )  # fmt: skip
        leads = {row[:-2] for row in rows}
        if min(map(len, rows)) < 2 or len(leads) != 1 or value[-2] != key[-2] or query[-1] != key[-1]:
            raise self._do_not_meet(rows)
        return (*query[:-1], value[-1])

    def weight_shapes(self, row: Shape) -> list[Shape]:
        return [()] * (self.use_scale + (self.score_mode == "concat"))

    def make_for(self, rows: Sequence[Shape]) -> None:
        """Add the weights, for inputs of these rows."""
        if self.use_scale:
            self.scale = self._keep("scale", initializers.Ones()(()))
        if self.score_mode == "concat":
            self.concat_score_weight = self._keep("concat_score_weight", initializers.Ones()(()))

    def compute_mask(self, inputs: Any, previous_mask: Any = None, mask: Any = None) -> Any:
        """The query's mask as it is told, of the masks of the query and the value; None where there is none."""
        masks = mask if previous_mask is None else previous_mask
        self.require_masks(inputs, masks)
        return None if masks is None or masks[0] is None else np.asarray(masks[0])

    def trace(
        self, tracer: Tracer, x: Any, mask: Any = None, *, use_causal_mask: bool = False,
        return_attention_scores: bool = False,
    ) -> Any:  # fmt: skip
        b = tracer.builder
        query, value, key = (*x, x[1])[:3]
        scores = self.scores(tracer, query, key)
        of_query, of_value = counting_each(tracer, x[:2], mask)
        mask = score_mask(tracer, scores, of_value, use_causal_mask)
        if mask:
            far = b.add("subtract", scores, tracer.number(_FAR, "far"))
            scores = b.add("select", mask, scores, far)
        weights = dropped(tracer, b.add("softmax", scores), self.dropout, self.seed)
        y = b.add("matmul", weights, value)
        if of_query:
            steps = b.add("reshape", of_query, shape=(*b.type_of(of_query).shape, 1))
            y = b.add("select", steps, y, tracer.number(0.0))
        y = tracer.masked(y, of_query)
        return [y, weights] if return_attention_scores else y

    def scores(self, tracer: Tracer, query: str, key: str) -> str:
        """Of each step of the query with each of the key, [rows, steps, steps]."""
        b = tracer.builder
        if self.score_mode == "dot":
            y = b.add("matmul", query, key, transpose_b=True)
            return b.add("multiply", y, tracer.value(self.scale)) if self.scale else y
        y = side_by_side(tracer, query, key)
        y = b.add("multiply", y, tracer.value(self.scale)) if self.scale else y
        y = summed(tracer, b.add("activation", y, function="tanh"))
        return b.add("multiply", y, tracer.value(self.concat_score_weight)) if self.concat_score_weight else y


class AdditiveAttention(Attention):
    """As :class:`Attention`, the scores the sum of ``scale * tanh(query + key)``: Bahdanau's.

    Bahdanau, Cho and Bengio, ICLR 2015.
    """

    arguments = ("use_scale", "dropout", "seed")

    def __init__(
        self, use_scale: bool = True, dropout: float = 0.0, seed: int | None = None, **kwargs: Any
    ) -> None:  # fmt: skip
        super().__init__(use_scale=use_scale, dropout=dropout, seed=seed, **kwargs)

    def weight_shapes(self, row: Shape) -> list[Shape]:
        return [row[-1:]] * self.use_scale

    def make_for(self, rows: Sequence[Shape]) -> None:
        if self.use_scale:
            self.scale = self._keep("scale", initializers.get("glorot_uniform")(rows[0][-1:]))

    def scores(self, tracer: Tracer, query: str, key: str) -> str:
        b = tracer.builder
        y = b.add("activation", side_by_side(tracer, query, key), function="tanh")
        return summed(tracer, b.add("multiply", y, tracer.value(self.scale)) if self.scale else y)


def dropout_rate(value: Any) -> float:
    """Of what attention leaves out.

    Raises:
        UnsupportedError: no share below 1.
    """
    if not 0 <= number("dropout", value) < 1:
        raise UnsupportedError("a dropout rate lies from 0 to below 1", received=str(value), remedy="dropout=0.1")
    return float(value)


def side_by_side(tracer: Tracer, query: str, key: str) -> str:
    """``query + key`` of each step with each: [rows, ..., steps, steps, features]."""
    b = tracer.builder
    (*lead, t, d), s = b.type_of(query).shape, b.type_of(key).shape[-2]
    one, other = b.add("reshape", query, shape=(*lead, t, 1, d)), b.add("reshape", key, shape=(*lead, 1, s, d))
    return b.add("add", one, other)


def summed(tracer: Tracer, x: str) -> str:
    """Over the last axis, which is gone then."""
    b, shape = tracer.builder, tracer.builder.type_of(x).shape
    return b.add("reshape", b.add("sum", x, axes=(len(shape) - 1,)), shape=shape[:-1])


def dropped(tracer: Tracer, weights: str, rate: float, seed: int | None) -> str:
    """Dropout of what steps weigh, while training."""
    if not tracer.training or not rate:
        return weights
    mask = tracer.mask(tracer.builder.type_of(weights).shape, rate, seed)
    return tracer.builder.add("multiply", weights, mask)


def score_mask(tracer: Tracer, scores: str, mask: str, is_causal: bool) -> str:
    """Which scores [rows, ..., steps, steps] count, from the mask of the value [rows, ..., steps]; "" for all."""
    b = tracer.builder
    *lead, t, s = b.type_of(scores).shape
    causal = b.constant(np.tri(t, s).reshape(*(1 for _ in lead), t, s), "causal") if is_causal else ""
    if not mask:
        return causal
    counted = b.add("reshape", mask, shape=(*b.type_of(mask).shape[:-1], 1, s))
    return b.add("multiply", counted, causal) if causal else counted
