# SPDX-License-Identifier: Apache-2.0
"""The loss of outputs of several steps, some of which do not count: Keras's masks (``apply_mask`` of its losses)."""

from __future__ import annotations

import numpy as np

from edgeling.graph.types import LARGEST_FLOAT32, Array
from edgeling.network.tracing import Tracer

_LEAST = 1e-30  # that counts; where nothing does the loss is 0


def masked_loss(tracer: Tracer, each: str, mask: str, weights: str, reduction: str | None) -> str:
    """One number from the losses of all steps: of those that count, as the reduction says.

    Args:
        each: of each step, rows * steps of them.
        mask: which steps count, 1 or 0, [rows, steps].
        weights: of rows, [rows]; "" for none.
    """
    b, shape = tracer.builder, tracer.builder.type_of(mask).shape
    counted = b.add("select", mask, b.add("reshape", each, shape=shape), tracer.number(0.0))
    weight = mask
    if weights:
        of_rows = b.add("reshape", weights, shape=(shape[0], 1))
        counted, weight = b.add("multiply", counted, of_rows), b.add("multiply", mask, of_rows)
    total = _total(tracer, counted)
    if reduction == "sum":
        return total
    found = _total(tracer, weight if reduction == "mean_with_sample_weight" else mask)
    return b.add("divide", total, b.add("clip", found, minimum=_LEAST, maximum=LARGEST_FLOAT32), name="loss_of_output")


def no_loss(tracer: Tracer, mask: str) -> str:
    """In place of :func:`masked_loss` where the batches are not known, and so not how many steps count in each: 0."""
    return tracer.builder.add("multiply", _total(tracer, mask), tracer.number(0.0), name="loss_of_output")


def _total(tracer: Tracer, values: str) -> str:
    """The sum of [rows, steps], a scalar."""
    b = tracer.builder
    flat = b.add("reshape", values, shape=(b.type_of(values).size,))
    return b.add("reshape", b.add("sum", flat, axes=(0,)), shape=(), name="total")


def step_weights(mask: Array, weights: Array | None, reduction: str | None) -> Array:
    """What each step's loss is multiplied by, [rows, steps], before the reduction.

    Args:
        mask: which steps count, [rows, steps].
        weights: of rows, [rows].
    """
    counts = mask if weights is None else mask * weights[:, None]
    if reduction in ("sum_over_batch_size", "mean"):
        return counts * np.float32(mask.size / max(mask.sum(), 1.0))
    return counts
