# SPDX-License-Identifier: Apache-2.0
"""Layers that disturb what they are given while training, and nothing else; and the one that penalises it.

What they draw follows the step and ``seed``; without one, the seed of the fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any

from edgeling.checking import number, whole
from edgeling.errors import UnsupportedError
from edgeling.graph.activations import SELU_ALPHA, SELU_SCALE
from edgeling.layers.base import Layer
from edgeling.layers.core import Dropout
from edgeling.layers.windows import channels_last
from edgeling.network.tracing import Tracer


class SpatialDropout(Dropout):
    """What the two below share."""

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["trainable"]  # which Keras's do not take
        return config


class SpatialDropout1D(SpatialDropout):
    """Dropout of whole channels of [steps, channels].

    Tompson et al., CVPR 2015.
    """

    arguments = ("rate", "seed")

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, seed=seed, **kwargs)

    def drawn(self, shape: Sequence[int]) -> tuple[int, ...]:
        _require_rank(self, shape, 3, "(steps, channels)")
        return (shape[0], 1, shape[2])


class SpatialDropout2D(SpatialDropout):
    """Dropout of whole channels of [height, width, channels]."""

    arguments = ("rate", "data_format", "seed")

    def __init__(
        self, rate: float, data_format: str | None = None, seed: int | None = None, **kwargs: Any
    ) -> None:  # fmt: skip
        super().__init__(rate, seed=seed, **kwargs)
        self.data_format = channels_last(data_format)

    def drawn(self, shape: Sequence[int]) -> tuple[int, ...]:
        _require_rank(self, shape, 4, "(height, width, channels)")
        return (shape[0], 1, 1, shape[3])


def _require_rank(layer: Layer, shape: Sequence[int], rank: int, rows: str) -> None:
    if len(shape) != rank:
        raise UnsupportedError(
            f"{type(layer).__name__} takes rows of shape {rows}",
            received=f"layer {layer.name!r} on rows {tuple(shape[1:])}", remedy="Dropout()",
        )  # fmt: skip


class AlphaDropout(Dropout):
    """Dropout that keeps the mean and the variance of what selu gives: to selu's least value instead of zero.

    Klambauer et al., NIPS 2017.
    """

    def trace(self, tracer: Tracer, x: str) -> str:
        if not tracer.training or not self.rate:
            return x
        b, least = tracer.builder, -SELU_ALPHA * SELU_SCALE
        scale = ((1 - self.rate) * (1 + self.rate * least**2)) ** -0.5
        kept = b.add("multiply", self.kept(tracer, x), tracer.number(1 - self.rate, "share"))
        others = b.add("multiply", b.add("subtract", tracer.number(1.0, "one"), kept), tracer.number(least, "least"))
        y = b.add("multiply", b.add("add", b.add("multiply", x, kept), others), tracer.number(scale, "scale"))
        return b.add("add", y, tracer.number(-scale * least * self.rate, "offset"))


class GaussianNoise(Layer):
    """While training, adds normal noise of a standard deviation."""

    supports_masking = True
    arguments = ("stddev", "seed")

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stddev, self.seed = number("stddev", stddev, 0.0, 1.0), None if seed is None else whole("seed", seed, 0)

    def trace(self, tracer: Tracer, x: str) -> str:
        if not tracer.training or not self.stddev:
            return x
        noise = tracer.drawn("noise", self.seed, shape=tracer.builder.type_of(x).shape)
        return tracer.builder.add("add", x, tracer.builder.add("multiply", noise, tracer.number(self.stddev, "stddev")))


class GaussianDropout(Layer):
    """While training, multiplies by normal noise around 1, as spread as dropout's mask of that rate.

    Srivastava et al., JMLR 15 (2014), section 10.
    """

    supports_masking = True
    arguments = ("rate", "seed")

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= number("rate", rate) < 1:
            raise UnsupportedError("a dropout rate lies from 0 to below 1", received=str(rate), remedy="rate=0.5")
        self.rate, self.seed = float(rate), None if seed is None else whole("seed", seed, 0)

    def trace(self, tracer: Tracer, x: str) -> str:
        if not tracer.training or not self.rate:
            return x
        b, spread = tracer.builder, sqrt(self.rate / (1 - self.rate))
        noise = b.add(
            "multiply", tracer.drawn("noise", self.seed, shape=b.type_of(x).shape), tracer.number(spread, "spread")
        )
        return b.add("multiply", x, b.add("add", noise, tracer.number(1.0, "one")))


class ActivityRegularization(Layer):
    """Gives what it gets, and adds ``l1 * sum|x| + l2 * sum x^2`` of each row (in the mean) to the loss."""

    supports_masking = True
    arguments = ("l1", "l2")

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.l1, self.l2 = number("l1", l1, 0.0), number("l2", l2, 0.0)

    def trace(self, tracer: Tracer, x: str) -> str:
        tracer.penalize_rows(x, self.l1, self.l2, self)
        return x
