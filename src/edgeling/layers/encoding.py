# SPDX-License-Identifier: Apache-2.0
"""Categories and ranges as columns of 0 and 1."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from math import prod
from typing import Any

import numpy as np

from edgeling.checking import number, whole
from edgeling.errors import DataError, UnsupportedError
from edgeling.graph import GraphBuilder
from edgeling.graph.types import Array
from edgeling.layers.base import Layer, Shape
from edgeling.network.arrays import is_batch, numbers
from edgeling.network.tracing import Tracer
from edgeling.network.weights import Weight

_MODES = ("one_hot", "multi_hot", "count")


def _require_mode(value: Any, modes: Sequence[str]) -> str:
    if value not in modes:
        raise UnsupportedError(
            f"output_mode is one of {', '.join(modes)}", received=repr(value), remedy=f"output_mode={modes[0]!r}"
        )
    return str(value)


def _encoded_row(mode: str, depth: int, row: Shape, layer: str) -> Shape:
    """The shape of a row of codes [..., n] when it is encoded."""
    if mode == "one_hot":
        return (*(row[:-1] if row[-1] == 1 else row), depth)
    if len(row) != 1:
        raise UnsupportedError(
            f"{mode} takes rows of one dimension", received=f"layer {layer!r} on rows {row}",
            remedy="Flatten() before it",
        )  # fmt: skip
    return (depth,)


def _encode(b: GraphBuilder, codes: str, mode: str, depth: int, shape: Shape) -> str:
    """Codes [n, ...] as columns; one that is none of 0 to depth - 1 is all zeros."""
    count = prod(b.type_of(codes).shape)
    y = b.add("one_hot", b.add("reshape", codes, shape=(count, 1)), depth=depth)
    if mode == "one_hot" or b.type_of(codes).shape[-1] == 1:
        return b.add("reshape", y, shape=shape)
    y = b.add("reshape", y, shape=(*b.type_of(codes).shape, depth))
    y = b.add("reshape", b.add("sum", y, axes=(1,)), shape=shape)
    return y if mode == "count" else b.add("minimum", y, b.constant(1.0, "one"))


class CategoryEncoding(Layer):
    """Whole numbers from 0 to ``num_tokens - 1`` as columns: of each its own (one_hot), those that are there in a row
    (multi_hot), or how often they are (count). A number outside has no column.

    A call takes ``count_weights``, of the shape of what it is called on: how much each number counts.
    """

    arguments = ("num_tokens", "output_mode")
    refused = (*Layer.refused, "sparse")
    takes_arguments = ("count_weights",)

    def __init__(self, num_tokens: int | None = None, output_mode: str = "multi_hot", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_tokens = whole("num_tokens", num_tokens)
        self.output_mode = _require_mode("multi_hot" if output_mode == "binary" else output_mode, _MODES)

    def output_shape_of(self, row: Shape) -> Shape:
        return _encoded_row(self.output_mode, self.num_tokens, row, self.name)

    def output_rows_of(self, rows: Sequence[Shape], arguments: Any = None) -> tuple[Shape, ...]:
        if len(rows) > 1 and (self.output_mode != "count" or rows[1] != rows[0]):
            raise UnsupportedError(
                "count_weights are for output_mode='count', one for each number", received=f"weights {rows[1]} of"
                f" layer {self.name!r}, {self.output_mode}, on rows {rows[0]}", remedy=f"Input({rows[0]})",
            )  # fmt: skip
        return (self.output_shape_of(rows[0]),)

    def trace(self, tracer: Tracer, x: str, count_weights: Any = None) -> str:
        b = tracer.builder
        batch, *row = b.type_of(x).shape
        shape = (batch, *self.output_shape_of(tuple(row)))
        if not count_weights:
            return _encode(b, x, self.output_mode, self.num_tokens, shape)
        codes = b.add("reshape", x, shape=(prod((batch, *row)), 1))
        each = b.add("reshape", b.add("one_hot", codes, depth=self.num_tokens), shape=(batch, *row, self.num_tokens))
        weighted = b.add("multiply", each, b.add("reshape", count_weights, shape=(batch, *row, 1)))
        return b.add("reshape", b.add("sum", weighted, axes=(1,)), shape=shape)


class Discretization(Layer):
    """The number of the range that a value lies in: 0 below the first boundary, as many as there are from the last on.

    Args:
        bin_boundaries: where ranges end, rising; what lies on a boundary belongs to the range above.
        num_bins: how many ranges :meth:`adapt` makes, of about as many values each.
        epsilon: how exact its quantiles are.
        output_mode: int, or as :class:`CategoryEncoding` encodes those numbers.
    """

    arguments = ("bin_boundaries", "num_bins", "epsilon", "output_mode")
    refused = (*Layer.refused, "sparse")

    def __init__(
        self, bin_boundaries: Any = None, num_bins: int | None = None, epsilon: float = 0.01,
        output_mode: str = "int", **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        if (bin_boundaries is None) == (num_bins is None):
            raise UnsupportedError(
                "bin_boundaries are given, or num_bins to be adapted",
                received=f"bin_boundaries={bin_boundaries}, num_bins={num_bins}", remedy="num_bins=4, then adapt(x)",
            )  # fmt: skip
        self.bin_boundaries = None if bin_boundaries is None else _rising(bin_boundaries)
        self.num_bins = None if num_bins is None else whole("num_bins", num_bins)
        self.epsilon = number("epsilon", epsilon, 1e-6, 1.0)
        self.output_mode = _require_mode(output_mode, ("int", *_MODES))

    @classmethod
    def from_config(cls, config: Any) -> Any:
        boundaries = config.get("bin_boundaries") if config.get("num_bins") is not None else None
        if boundaries is None:
            return super().from_config(config)
        layer = super().from_config({**config, "bin_boundaries": None})
        layer.bin_boundaries = _rising(boundaries)  # adapted
        return layer

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["trainable"]  # which Keras's does not take
        return config

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Take boundaries from an array of values, or from batches of such: quantiles, in the order of the batches.

        Args:
            steps: how many batches to take.

        Raises:
            UnsupportedError: boundaries were given.
            DataError: no numbers.
        """
        if self.num_bins is None:
            raise UnsupportedError(
                "a layer that adapts is told num_bins", received="bin_boundaries", remedy="Discretization(num_bins=4)"
            )
        summary = np.zeros((2, 0), np.float32)
        for values in _batches(data, steps):
            summary = _compressed(_merged(_summary(values, self.epsilon), summary), self.epsilon)
        self.bin_boundaries = _compressed(summary, 1.0 / self.num_bins)[0, :-1].tolist()
        Weight.changes.value += 1

    def _boundaries(self) -> list[float]:
        if self.bin_boundaries is None:
            raise DataError(f"layer {self.name!r} knows its boundaries", received="none", remedy="call adapt(x) first")
        return self.bin_boundaries

    def output_shape_of(self, row: Shape) -> Shape:
        if self.output_mode == "int":
            return row
        return _encoded_row(self.output_mode, self._depth(), row, self.name)

    def _depth(self) -> int:
        return int(self.num_bins or 0) if self.bin_boundaries is None else len(self.bin_boundaries) + 1

    def trace(self, tracer: Tracer, x: str) -> str:
        b, boundaries = tracer.builder, self._boundaries()
        batch, *row = b.type_of(x).shape
        each = b.add("reshape", x, shape=(batch, *row, 1))
        ends = b.constant(boundaries or [np.inf], "boundaries")  # above which nothing lies
        above = b.add("sum", b.add("compare", ends, each, function="greater"), axes=(len(row) + 1,))
        count = tracer.number(len(boundaries or [np.inf]), "last")
        codes = b.add("reshape", b.add("subtract", count, above), shape=(batch, *row))
        if self.output_mode == "int":
            return codes
        return _encode(b, codes, self.output_mode, self._depth(), (batch, *self.output_shape_of(tuple(row))))


def _rising(boundaries: Any) -> list[float]:
    if not isinstance(boundaries, (list, tuple, np.ndarray)):
        raise UnsupportedError(
            "bin_boundaries are numbers", received=repr(boundaries)[:100], remedy="bin_boundaries=[0.0, 1.0]"
        )
    given = [number("a boundary of bin_boundaries", one) for one in boundaries]
    if any(a > b for a, b in pairwise(given)):
        raise UnsupportedError("bin_boundaries rise", received=repr(given)[:100], remedy="sort them, each once")
    return given


def _batches(data: Any, steps: int | None) -> Iterator[Array]:
    several = not hasattr(data, "__array__") and hasattr(data, "__iter__")
    endless = steps if not hasattr(data, "__len__") else None
    given = list(islice(data, endless)) if several else [data]
    if not several or not all(map(is_batch, given)):
        given = [data if not several else given]
    for batch in given[:steps]:
        yield numbers(batch[0] if isinstance(batch, tuple) else batch, "x")


# How Keras estimates quantiles (keras.src.layers.preprocessing.discretization): values and how many each stands for,
# [2, n], never more than 1 / epsilon of them.


def _summary(values: Array, epsilon: float) -> Array:
    ordered = np.sort(values.reshape(-1).astype(np.float32))
    step = max(ordered.size * epsilon, 1)
    kept = ordered[int(step - 1) :: int(step)]
    return np.stack([kept, np.ones_like(kept) * step])


def _merged(one: Array, other: Array) -> Array:
    both = np.concatenate((one, other), axis=1)
    return np.take(both, np.argsort(both[0]), axis=1)


def _compressed(summary: Array, epsilon: float) -> Array:
    if summary.shape[1] * epsilon < 1:
        return summary
    shares = epsilon + np.arange(0.0, 1.0, epsilon)
    counts = summary[1].cumsum()
    values = np.interp(shares, counts / counts[-1], summary[0])
    upto = np.interp(shares, counts / counts[-1], counts)
    return np.stack((values, upto - np.concatenate(([0], upto[:-1])))).astype(np.float32)
