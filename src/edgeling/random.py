# SPDX-License-Identifier: Apache-2.0
"""Keras's random numbers: arrays, and in layers of one's own, while they train, numbers drawn anew at every step.

Counter-based (:mod:`edgeling.graph.random`): a seed gives the same numbers on any machine, not the same as Keras's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from edgeling import initializers, ops
from edgeling.checking import number, whole
from edgeling.errors import UnsupportedError
from edgeling.layers.traced import TracedValue, present, traced
from edgeling.network.tracing import Tracer
from edgeling.utils import next_seed

__all__ = ["SeedGenerator", "dropout", "normal", "randint", "shuffle", "truncated_normal", "uniform"]


class SeedGenerator:
    """Seeds for one call after another.

    Args:
        seed: where they begin; random, or as ``set_random_seed`` says, if there is none.
        name: Keras's; changes nothing.
    """

    def __init__(self, seed: int | None = None, name: str | None = None, **kwargs: Any) -> None:
        self.seed = next_seed() if seed is None else whole("seed", seed, 0)
        self._drawn = 0

    def next(self) -> int:
        """The next seed."""
        self._drawn += 1
        return (self.seed + 0x9E3779B9 * self._drawn) % 2**32


def normal(
    shape: Sequence[int | None], mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Normal numbers, float32 of that shape.

    Args:
        seed: a whole number or a :class:`SeedGenerator`.
    """
    tracer = present()
    if tracer is None:
        return np.float32(mean) + np.float32(stddev) * initializers.RandomNormal(0.0, 1.0, _seed(seed))(_known(shape))
    return ops.add(ops.multiply(_noise(tracer, shape, seed), stddev), mean)


def truncated_normal(
    shape: Sequence[int], mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """As :func:`normal`, drawn again where two standard deviations from the mean or more; of arrays alone.

    Raises:
        UnsupportedError: in a layer of one's own.
    """
    _require_arrays("truncated_normal")
    return np.float32(mean) + np.float32(stddev) * initializers.TruncatedNormal(0.0, 1.0, _seed(seed))(_known(shape))


def uniform(
    shape: Sequence[int | None], minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: Any = None
) -> Any:
    """Numbers from ``minval`` to below ``maxval``, each as likely, float32 of that shape."""
    tracer = present()
    if tracer is None:
        return initializers.RandomUniform(minval, maxval, _seed(seed))(_known(shape))
    # Of two standard normal numbers a and b, exp(-(a^2 + b^2) / 2) is uniform between 0 and 1.
    squares = ops.add(ops.square(_noise(tracer, shape, seed)), ops.square(_noise(tracer, shape, seed)))
    return ops.add(ops.multiply(ops.exp(ops.multiply(squares, -0.5)), maxval - minval), minval)


def randint(shape: Sequence[int], minval: int, maxval: int, dtype: Any = None, seed: Any = None) -> Any:
    """Whole numbers from ``minval`` to below ``maxval``, int32 of that shape; of arrays alone.

    Raises:
        UnsupportedError: in a layer of one's own.
    """
    _require_arrays("randint")
    return np.floor(initializers.RandomUniform(minval, maxval, _seed(seed))(_known(shape))).astype(np.int32)


def shuffle(x: Any, axis: int = 0, seed: Any = None) -> Any:
    """The array with what lies along an axis in another order.

    Raises:
        UnsupportedError: in a layer of one's own.
    """
    _require_arrays("shuffle")
    array = np.asarray(x)
    order = np.argsort(initializers.RandomUniform(0.0, 1.0, _seed(seed))((array.shape[axis],)))
    return np.take(array, order, axis)


def dropout(inputs: Any, rate: float, noise_shape: Any = None, seed: Any = None) -> Any:
    """Each number 0 with a probability of ``rate``, else larger by ``1 / (1 - rate)``.

    Raises:
        UnsupportedError: ``noise_shape``; in a layer of one's own that is not training.
    """
    if noise_shape is not None:
        raise UnsupportedError(
            "dropout drops each number by itself", received=f"noise_shape={noise_shape}", remedy="SpatialDropout1D()"
        )
    tracer, share = present(), number("rate", rate, 0.0, 1.0)
    if tracer is None:
        array = np.asarray(inputs, np.float32)
        return np.where(
            uniform(array.shape, seed=seed) < share, np.float32(0), array / np.float32(max(1 - share, 1e-7))
        )
    _require_training(tracer, "dropout")
    given = traced(inputs, tracer)
    return ops.multiply(given, TracedValue(tracer, tracer.mask(given.lengths, share, _seed(seed)), given.per_row))


def _noise(tracer: Tracer, shape: Sequence[int | None], seed: Any) -> TracedValue:
    """Standard normal numbers in a layer of one's own; a first length of None is the batch's."""
    _require_training(tracer, "random numbers")
    lengths = tuple(shape)
    per_row = bool(lengths) and lengths[0] is None
    rows = (tracer.rows,) if per_row else ()
    known = _known(lengths[1:] if per_row else lengths)
    return TracedValue(tracer, tracer.drawn("noise", _seed(seed), shape=(*rows, *known)), per_row)


def _seed(seed: Any) -> int | None:
    return seed.next() if isinstance(seed, SeedGenerator) else None if seed is None else whole("seed", seed, 0)


def _known(shape: Sequence[Any]) -> tuple[int, ...]:
    return tuple(whole("a length of shape", n, 0) for n in shape)


def _require_arrays(name: str) -> None:
    if present() is not None:
        raise UnsupportedError(
            f"random.{name} makes arrays", received="a call in a layer of one's own",
            remedy="random.normal, random.uniform or random.dropout",
        )  # fmt: skip


def _require_training(tracer: Tracer, what: str) -> None:
    if not tracer.training:
        raise UnsupportedError(
            "a network draws at random while it trains, not when it answers", received=f"{what} when it does not train",
            remedy="call(self, x, training=None), and `if training:` before what draws",
        )  # fmt: skip
