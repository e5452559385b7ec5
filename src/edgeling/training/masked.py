# SPDX-License-Identifier: Apache-2.0
"""The loss of outputs of several steps that do not count alike: some are masked (Keras's ``apply_mask`` of its losses),
or each has a weight of its own."""

from __future__ import annotations

from math import prod

import numpy as np

from edgeling.graph.types import LARGEST_FLOAT32, Array
from edgeling.network.tracing import Tracer

_LEAST = 1e-30  # that counts; where nothing does the loss is 0


def loss_of_steps(
    tracer: Tracer, each: str, mask: str, weights: str, reduction: str | None, steps: tuple[int, ...]
) -> str:
    """One number from the losses of all steps: of those that count, as the reduction says.

    Args:
        each: of each step, rows * steps of them.
        mask: which steps count, 1 or 0, [rows, steps]; "": all.
        weights: of rows, [rows], or of steps, [rows, steps]; "": none.
        steps: of one row.
    """
    b, rows = tracer.builder, tracer.builder.type_of(each).size // prod(steps)
    counted = b.add("reshape", each, shape=(rows, *steps))
    if mask:
        counted = b.add("select", mask, counted, tracer.number(0.0))
    weight = mask
    if weights:
        of_rows = len(b.type_of(weights).shape) == 1
        weights = b.add("reshape", weights, shape=(rows, *(1 for _ in steps))) if of_rows else weights
        counted, weight = b.add("multiply", counted, weights), b.add("multiply", mask, weights) if mask else weights
    total = _total(tracer, counted)
    if reduction == "sum":
        return total
    by_weight = reduction == "mean_with_sample_weight" and weight
    if not (mask or by_weight):
        return b.add("multiply", total, tracer.share(counted, prod(steps)), name="loss_of_output")
    found = _total(tracer, weight if by_weight else mask)
    return b.add("divide", total, b.add("clip", found, minimum=_LEAST, maximum=LARGEST_FLOAT32), name="loss_of_output")


def no_loss(tracer: Tracer, mask: str) -> str:
    """In place of :func:`loss_of_steps` where the batches are not known, and so not how many steps count in each: 0."""
    return tracer.builder.add("multiply", _total(tracer, mask), tracer.number(0.0), name="loss_of_output")


def _total(tracer: Tracer, values: str) -> str:
    """The sum of [rows, steps], a scalar."""
    b = tracer.builder
    flat = b.add("reshape", values, shape=(b.type_of(values).size,))
    return b.add("reshape", b.add("sum", flat, axes=(0,)), shape=(), name="total")


def step_weights(mask: Array | None, weights: Array | None, reduction: str | None) -> Array | None:
    """What each step's loss is multiplied by, [rows, steps], before the reduction; of rows without a mask, as it is.

    Args:
        mask: which steps count, [rows, steps].
        weights: of rows, [rows], or of steps, [rows, steps].
    """
    if mask is None:
        return weights
    ones = (1 for _ in mask.shape[1:])
    of_steps = weights if weights is None or weights.ndim > 1 else weights.reshape(-1, *ones)
    counts = mask if of_steps is None else mask * of_steps
    if reduction in ("sum_over_batch_size", "mean"):
        return counts * np.float32(mask.size / max(mask.sum(), 1.0))
    return counts
