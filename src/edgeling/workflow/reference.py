# SPDX-License-Identifier: Apache-2.0
"""The linear reference: what a network has to beat. Ridge in closed form, logistic regression by L-BFGS.

How strongly weights are held to zero is chosen as well: of ridge by leaving out each row in turn, which its hat matrix
tells without fitting again; of logistic regression by whoever calls, on rows left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgeling.graph.types import Array
from edgeling.layers import Input
from edgeling.models import Sequential
from edgeling.workflow.category_embedding import CategoryEmbedding
from edgeling.workflow.design import Design, ridge_of
from edgeling.workflow.problem import LOSSES, Problem, last_layer
from edgeling.workflow.room import too_large

RIDGE_STRENGTHS = tuple(10.0**k for k in np.arange(-3, 5.5, 0.5))
LOGISTIC_STRENGTHS = (100.0, 10.0, 1.0, 0.1, 0.01)
"""Factors of half the sum of squared weights beside the summed loss."""
USUAL_STRENGTH = 1.0  # scikit-learn's C=1, and alpha=1
CHANCE = 2.0  # standard errors of a difference that may be chance
_MEMORY = 10  # steps L-BFGS remembers
_ITERATIONS = 200
STEEPEST = 1e-4  # slope of the mean loss in any weight at which L-BFGS is content


def ridge(x: Array, y: Array) -> tuple[Array, Array]:
    """Weights [columns, 1] and bias [1] that make ``sum((x @ w + b - y)^2) + strength * sum(w^2)`` least.

    The strength is the usual one, or that of :data:`RIDGE_STRENGTHS` whose errors on each row, if it alone were left
    out, are least (Hastie, Tibshirani and Friedman, Elements of Statistical Learning, 7.10), if that is not chance.

    Args:
        x: [rows, columns].
        y: [rows].
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    means, level = x.mean(axis=0), float(y.mean())
    left, sizes, axes = np.linalg.svd(x - means, full_matrices=False)
    kept = sizes > max(x.shape) * np.finfo(np.float64).eps * max(sizes.max(initial=0), 1e-300)
    left, sizes, axes = left[:, kept], sizes[kept], axes[kept]
    along = left.T @ (y - level)
    errors = {each: _left_out_errors(left, sizes, along, y - level, each) for each in RIDGE_STRENGTHS}
    best = min(errors, key=lambda each: float(np.mean(errors[each])))
    strength = best if is_ahead(errors[USUAL_STRENGTH] - errors[best], len(errors)) else USUAL_STRENGTH
    weights = axes.T @ (along * sizes / (sizes**2 + strength))
    return weights[:, None], np.array([level - float(means @ weights)])


def is_ahead(gains: Array, tried: int = 1) -> bool:
    """Whether the mean of differences, one a row, is above zero by more than chance.

    Args:
        tried: it is the best of so many, which without any merit is some ``sqrt(2 log(tried))`` standard errors above.
    """
    error = float(np.std(gains)) / np.sqrt(len(gains))
    return float(np.mean(gains)) > np.sqrt(CHANCE**2 + 2 * np.log(tried)) * error


def _left_out_errors(left: Array, sizes: Array, along: Array, y: Array, strength: float) -> Array:
    shrunk = sizes**2 / (sizes**2 + strength)
    own = 1 / len(y) + np.square(left) @ shrunk  # what each row's own answer counts in its prediction
    error = (y - left @ (shrunk * along)) / np.maximum(1 - own, 1e-9)
    return np.square(error)


def logistic(
    x: Array | Design, codes: Array, classes: int, strength: float, weights: Array | None = None,
    start: Array | None = None,
) -> Array:  # fmt: skip
    """Multinomial logistic regression: [columns + 1, classes], the bias last; of two classes [columns + 1, 1].

    Args:
        x: [rows, columns].
        codes: int [rows], in ``range(classes)``.
        strength: of half the sum of squared weights, the bias left out, beside the sum of the rows' losses.
        weights: what each row counts, [rows].
        start: an answer near by.
    """
    wide = x if isinstance(x, Design) else Design.of(x)
    outputs = 1 if classes == 2 else classes
    truth = codes[:, None] == (np.array([1]) if classes == 2 else np.arange(classes))
    counts = np.ones(len(codes)) if weights is None else np.asarray(weights, np.float64)
    shape = wide.weights, outputs
    held = np.full(shape, strength)
    held[-1] = 0

    def loss(flat: Array) -> tuple[float, Array]:
        w = flat.reshape(shape)
        losses, shares = _losses(wide.times(w), truth)
        slope = wide.back((shares - truth) * counts[:, None]) + held * w
        return float(counts @ losses + 0.5 * np.sum(held * w * w)), slope.ravel()

    begin = np.zeros(shape) if start is None else start
    return least(loss, begin.ravel(), STEEPEST * max(1.0, float(counts.sum()))).reshape(shape)


def _losses(logits: Array, truth: Array) -> tuple[Array, Array]:
    """The crossentropy of each row [rows], and the shares that logits [rows, outputs] tell."""
    if logits.shape[1] == 1:
        sign = np.where(truth, -1.0, 1.0)
        losses = np.logaddexp(0, sign * logits)[:, 0]
        return losses, 0.5 * (1 + np.tanh(logits / 2))
    shifted = logits - logits.max(axis=1, keepdims=True)
    powers = np.exp(shifted)
    total = powers.sum(axis=1, keepdims=True)
    return np.log(total[:, 0]) - shifted[truth], powers / total


def least(loss: Callable[[Array], tuple[float, Array]], x: Array, small: float) -> Array:
    """Where a smooth convex function is least: L-BFGS (Nocedal and Wright, Numerical Optimization, algorithm 7.4).

    Args:
        loss: value and gradient.
        x: where to begin.
        small: the largest component of the gradient at which it is over.
    """
    value, slope = loss(x)
    moved: list[tuple[Array, Array]] = []
    for _ in range(_ITERATIONS):
        if np.max(np.abs(slope)) <= small:
            break
        way = -_inverse_hessian_times(moved, slope)
        size, fall = 1.0 if moved else 1.0 / max(1.0, float(np.linalg.norm(slope))), float(slope @ way)
        while True:
            after, next_slope = loss(x + size * way)
            if after <= value + 1e-4 * size * fall or size < 1e-12:
                break
            size /= 2
        step, turn = size * way, next_slope - slope
        if size < 1e-12 or value - after <= 1e-12 * abs(value):
            break
        if step @ turn > 1e-12 * float(turn @ turn):
            moved = [*moved[1 - _MEMORY :], (step, turn)]
        x, value, slope = x + step, after, next_slope
    return x


def _inverse_hessian_times(moved: Sequence[tuple[Array, Array]], slope: Array) -> Array:
    """The two loops of algorithm 7.4."""
    way, shares = slope.copy(), []
    for step, turn in reversed(moved):
        share = float(step @ way) / float(step @ turn)
        shares.append(share)
        way -= share * turn
    if moved:
        step, turn = moved[-1]
        way *= float(step @ turn) / float(turn @ turn)
    for (step, turn), share in zip(moved, reversed(shares), strict=True):
        way += step * (share - float(turn @ way) / float(step @ turn))
    return way


def reference(problem: Problem, rows: Array, strength: float | None = None) -> Sequential:
    """A network of one layer, its weights those of ridge or logistic regression on these rows.

    Args:
        strength: of logistic regression; ridge chooses its own.
    """
    return references(problem, rows, (strength or USUAL_STRENGTH,))[0]


def references(problem: Problem, rows: Array, strengths: Sequence[float]) -> list[Sequential]:
    """As :func:`reference`, one of each strength; those near each other in strength are best asked for in order."""
    sizes = category_sizes(problem)
    x, y = problem.x[rows, : problem.x.shape[1] - len(problem.preparation.embedded) + len(sizes)], problem.y[rows]
    if not problem.classes and not sizes:
        return [_linear(problem, rows, USUAL_STRENGTH, *ridge(x, y))] * len(strengths)
    design = Design.of(x, sizes)
    weights = problem.counted(rows)[y] if problem.balances else None
    found: list[Array] = []
    for strength in strengths:
        start = found[-1] if found else None
        found.append(
            logistic(design, y, problem.classes, strength, weights, start) if problem.classes
            else ridge_of(design, y, strength)
        )  # fmt: skip
    return [_linear(problem, rows, s, w[:-1], w[-1]) for s, w in zip(strengths, found, strict=True)]


def strengths_of(problem: Problem) -> tuple[float, ...]:
    """Those worth trying: ridge chooses its own, where no column has many categories."""
    return LOGISTIC_STRENGTHS if problem.classes or category_sizes(problem) else (USUAL_STRENGTH,)


def category_sizes(problem: Problem) -> tuple[int, ...]:
    """Of columns of many categories; none where a number for each and every output exceeds a target's flash."""
    sizes = tuple(len(feature.categories) for _, feature in problem.preparation.embedded)
    outputs = problem.classes if problem.classes > 2 else 1
    return () if too_large(sum(sizes) * outputs, problem.settings) else sizes


@dataclass(frozen=True, eq=False)
class LinearWeights:
    """Of the reference.

    Attributes:
        kernel: float32 [columns, outputs]; of codes zero.
        bias: float32 [outputs].
        effects: float32 [categories, outputs] of the columns of many.
    """

    kernel: Array
    bias: Array
    effects: Array


def reference_weights(problem: Problem, rows: Array) -> LinearWeights:
    """Those of the usual strength, found once."""
    key = rows.tobytes(), USUAL_STRENGTH
    if key not in problem.references:
        reference(problem, rows)
    found: LinearWeights = problem.references[key]
    return found


def _linear(problem: Problem, rows: Array, strength: float, kernel: Array, bias: Array) -> Sequential:
    columns, codes = problem.x.shape[1], len(problem.preparation.embedded)
    whole = np.zeros((columns, kernel.shape[1]), np.float32)
    whole[: columns - codes] = kernel[: columns - codes]
    found = LinearWeights(whole, bias.astype(np.float32), kernel[columns - codes :].astype(np.float32))
    problem.references[rows.tobytes(), strength] = found
    sizes, outputs = category_sizes(problem), kernel.shape[1]
    layers = [CategoryEmbedding(sizes, outputs)] if sizes else []
    network = Sequential([Input((columns,)), *layers, last_layer(problem.preparation)])
    if sizes:
        each = np.tile(np.eye(outputs, dtype=np.float32), (codes, 1))  # a category tells what it adds to each output
        network.set_weights([found.effects, np.concatenate([whole[: columns - codes], each]), found.bias])
    else:
        network.set_weights([whole, found.bias])
    network.compile(loss=LOSSES[problem.preparation.target.task], metrics=["accuracy"] if problem.classes else ["mae"])
    return network
