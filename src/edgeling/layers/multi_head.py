# SPDX-License-Identifier: Apache-2.0
"""Attention with several heads, each with a key and a value of its own or one that they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgeling.checking import whole
from edgeling.errors import UnsupportedError
from edgeling.layers.base import Shape
from edgeling.layers.heads import ManyHeads
from edgeling.network.tracing import Tracer


class MultiHeadAttention(ManyHeads):
    """Query, key and value projected for each head, attended to, put side by side and projected once more.

    Called ``layer(query, value, key=value)`` on rows [steps, features] (or [..., features], of whose axes
    ``attention_axes`` are attended over). What masks leave out has no weight; of the query its own mask counts,
    whatever ``query_mask`` says, as in Keras. Vaswani et al., NIPS 2017.

    Args:
        num_heads: how many.
        key_dim: features of each head's query and key.
        value_dim: of each head's value; as many if it is not given.
        dropout: the share of weights left out while training.
        output_shape: features of the output; as many as the query has if it is not given.
        attention_axes: counted with the batch; all but the features if not given.
        sliding_window: how far from it, less one, the steps are that a step sees.
        use_gate: each head's answer times a sigmoid of the query.
    """

    heeds_query_mask = False
    arguments = (
        "num_heads", "key_dim", "value_dim", "dropout", "use_bias", "output_shape", "attention_axes", "sliding_window",
        "kernel_initializer", "bias_initializer", "kernel_regularizer", "bias_regularizer", "activity_regularizer",
        "kernel_constraint", "bias_constraint", "use_gate", "seed",
    )  # fmt: skip

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: int | Sequence[int] | None = None,
        attention_axes: int | Sequence[int] | None = None,
        sliding_window: int | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.num_heads, self.key_dim = whole("num_heads", num_heads), whole("key_dim", key_dim)
        self.value_dim = self.key_dim if value_dim is None else whole("value_dim", value_dim)
        several = [output_shape] if isinstance(output_shape, int) else output_shape or ()
        super().__init__(
            (self.num_heads,) * 2, (self.key_dim, self.value_dim), tuple(whole("output_shape", n) for n in several),
            attention_axes, dropout, use_bias, sliding_window, kernel_initializer, bias_initializer, kernel_regularizer,
            bias_regularizer, activity_regularizer, kernel_constraint, bias_constraint, use_gate, seed, **kwargs,
        )  # fmt: skip

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "output_shape": list(self._made) or None}

    def penalize_outputs(self, tracer: Tracer, outputs: Sequence[str]) -> None:
        """Nothing more: as in Keras what is penalised is what each projection gives."""


class GroupedQueryAttention(ManyHeads):
    """As :class:`MultiHeadAttention`, but several heads of the query share one key and one value.

    Called ``layer(query, value, key=value)`` on rows [steps, features]; Keras's name is ``GroupQueryAttention``.
    Of one head for keys and values it is multi-query attention. Ainslie et al., EMNLP 2023.

    Args:
        head_dim: features of each head.
        num_query_heads: how many heads the query has.
        num_key_value_heads: how many the key and the value have, a divisor of it.
        dropout: the share of weights left out while training.
        sliding_window: how far from it, less one, the steps are that a step sees.
        use_gate: each head's answer times a sigmoid of the query.

    Raises:
        UnsupportedError: heads that cannot be shared; at a call, a query and a value of other features.
    """

    exported = "GroupQueryAttention"
    arguments = (
        "head_dim", "num_query_heads", "num_key_value_heads", "dropout", "use_bias", "sliding_window",
        "kernel_initializer", "bias_initializer", "kernel_regularizer", "bias_regularizer", "activity_regularizer",
        "kernel_constraint", "bias_constraint", "use_gate", "seed",
    )  # fmt: skip

    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
        dropout: float = 0.0,
        use_bias: bool = True,
        sliding_window: int | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.head_dim = whole("head_dim", head_dim)
        self.num_query_heads = whole("num_query_heads", num_query_heads)
        self.num_key_value_heads = whole("num_key_value_heads", num_key_value_heads)
        if self.num_query_heads % self.num_key_value_heads:
            raise UnsupportedError(
                "heads of keys and values divide those of the query",
                received=f"num_query_heads={num_query_heads}, num_key_value_heads={num_key_value_heads}",
                remedy="num_key_value_heads=1",
            )
        super().__init__(
            (self.num_query_heads, self.num_key_value_heads), (self.head_dim,) * 2, (), None, dropout, use_bias,
            sliding_window, kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
            activity_regularizer, kernel_constraint, bias_constraint, use_gate, seed, **kwargs,
        )  # fmt: skip

    @property
    def parts_in_files(self) -> tuple[tuple[str, int], ...]:
        return tuple((f"_{part.lstrip('_')}", count) for part, count in super().parts_in_files)

    def merged(self, query: Shape, value: Shape, key: Shape) -> Shape:
        output = super().merged(query, value, key)
        if len(query) != 2 or query[-1] != value[-1]:
            raise UnsupportedError(
                f"query and value of layer {self.name!r} are steps of as many features",
                received=f"{query} and {value}", remedy="a Dense layer before one of them",
            )  # fmt: skip
        return output


GroupQueryAttention = GroupedQueryAttention
