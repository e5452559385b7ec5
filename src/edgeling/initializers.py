# SPDX-License-Identifier: Apache-2.0
"""How weights begin: Keras's initializers, drawn from our counter-based generator.

A seed gives the same weights on any machine (not the same as Keras's: the distributions agree, the numbers do not).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, prod, sqrt
from typing import Any, ClassVar

import numpy as np

from edgeling.checking import Limits, number, require_float32
from edgeling.configurable import Configurable, resolve, table_of
from edgeling.errors import UnsupportedError
from edgeling.graph.random import INITIALIZER_STREAM
from edgeling.graph.random import random_uniform as drawn_uniform
from edgeling.graph.types import Array
from edgeling.utils import next_seed

_TRUNCATION = 2.0  # a truncated normal ends at two standard deviations
_TRUNCATED_STDDEV = 0.87962566103423978  # standard deviation of a unit normal cut there


@dataclass(frozen=True)
class Initializer(Configurable):
    """A function from a shape to float32 values. Unseeded ones differ from call to call."""

    module: ClassVar[str] = "keras.initializers"
    limits: ClassVar[Limits] = {"seed": (0, inf), "stddev": (0, inf)}

    def __post_init__(self) -> None:
        self.check_fields()

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Array:
        """Values of a new weight, float32 of that shape."""
        require_float32(type(self).__name__, dtype)
        given = getattr(self, "seed", None)
        seed = next_seed() if given is None else int(given)
        return np.asarray(self.draw(tuple(shape), seed), dtype=np.float32).reshape(tuple(shape))

    def draw(self, shape: tuple[int, ...], seed: int) -> Array:
        """Values from a seed."""
        raise NotImplementedError


def uniform(shape: Sequence[int], seed: int, minimum: float, maximum: float) -> Array:
    """Uniform in [minimum, maximum), float32."""
    return (drawn_uniform(prod(shape), seed=seed, stream=INITIALIZER_STREAM) * (maximum - minimum) + minimum).reshape(
        shape
    )


def normal(shape: Sequence[int], seed: int, substream: int = 0) -> Array:
    """Unit normal, float64, by the transform of Box and Muller (1958)."""
    pairs = (prod(shape) + 1) // 2
    drawn = drawn_uniform(2 * pairs, seed=seed, stream=INITIALIZER_STREAM, substream=substream).astype(np.float64)
    radius, angle = np.sqrt(-2 * np.log1p(-drawn[:pairs])), 2 * np.pi * drawn[pairs:]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[: prod(shape)].reshape(shape)


def drawn_truncated(shape: Sequence[int], seed: int) -> Array:
    """Unit normal redrawn until it lies within two standard deviations."""
    values, substream = normal(shape, seed), 0
    while (outside := np.abs(values) > _TRUNCATION).any():
        substream += 1
        values = np.where(outside, normal(shape, seed, substream), values)
    return values


def fans(shape: Sequence[int]) -> tuple[float, float]:
    """Inputs and outputs a unit sees, as Keras counts them."""
    if len(shape) < 2:
        return (float(shape[0]), float(shape[0])) if shape else (1.0, 1.0)
    field = prod(shape[:-2])
    return float(shape[-2] * field), float(shape[-1] * field)


@dataclass(frozen=True)
class Zeros(Initializer):
    """All zeros."""

    def draw(self, shape: tuple[int, ...], seed: int) -> Array:
        return np.zeros(shape, np.float32)


@dataclass(frozen=True)
class Ones(Initializer):
    """All ones."""

    def draw(self, shape: tuple[int, ...], seed: int) -> Array:
        return np.ones(shape, np.float32)


@dataclass(frozen=True)
class Constant(Initializer):
    """One value everywhere, or an array of the values."""

    value: Any = 0.0

    def __post_init__(self) -> None:
        try:
            np.asarray(self.value, np.float32)
        except (TypeError, ValueError):
            raise UnsupportedError(
                "value is a number, or an array of them", received=repr(self.value), remedy="value=0.5"
            ) from None

    def draw(self, shape: tuple[int, ...], seed: int) -> Array:
        values = np.asarray(self.value, np.float32)
        if values.ndim and values.shape != shape:
            raise UnsupportedError(
                f"value has the shape {shape} of the weight", received=str(values.shape),
                remedy=f"an array of shape {shape}",
            )  # fmt: skip
        return np.full(shape, values, np.float32)


@dataclass(frozen=True)
class Identity(Initializer):
    """``gain`` on the diagonal of a matrix."""

    gain: float = 1.0

    def draw(self, shape: tuple[int, ...], seed: int) -> Array:
        if len(shape) != 2:
            raise UnsupportedError(
                "the identity initializer makes matrices", received=str(shape),
                remedy="a layer whose weight is a matrix, or initializer='zeros'",
            )  # fmt: skip
        return self.gain * np.eye(*shape)


@dataclass(frozen=True)
class RandomUniform(Initializer):
    """Uniform in [minval, maxval)."""

    minval: float = -0.05
    maxval: float = 0.05
    seed: int | None = None

    def draw(self, shape: tuple[int, ...], seed: int) -> Array:
        return uniform(shape, seed, self.minval, self.maxval)


@dataclass(frozen=True)
class RandomNormal(Initializer):
    """Normal of that mean and standard deviation."""

    mean: float = 0.0
    stddev: float = 0.05
    seed: int | None = None

    def draw(self, shape: tuple[int, ...], seed: int) -> Array:
        return self.mean + self.stddev * normal(shape, seed)


@dataclass(frozen=True)
class TruncatedNormal(RandomNormal):
    """Normal, redrawn beyond two standard deviations."""

    def draw(self, shape: tuple[int, ...], seed: int) -> Array:
        return self.mean + self.stddev * drawn_truncated(shape, seed)


@dataclass(frozen=True)
class Orthogonal(Initializer):
    """A random orthogonal matrix (or its nearest rectangle) times ``gain``; Saxe et al., ICLR 2014."""

    gain: float = 1.0
    seed: int | None = None

    def draw(self, shape: tuple[int, ...], seed: int) -> Array:
        if len(shape) < 2:
            raise UnsupportedError(
                "the orthogonal initializer needs two dimensions", received=str(shape),
                remedy="a layer whose weight has two dimensions or more, or 'glorot_uniform'",
            )  # fmt: skip
        rows, columns = prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(normal((max(rows, columns), min(rows, columns)), seed))
        q = q * np.sign(np.diag(r))
        return self.gain * (q.T if rows < columns else q)


_MODES = {"fan_in": lambda i, o: i, "fan_out": lambda i, o: o, "fan_avg": lambda i, o: (i + o) / 2}


def scaled(shape: tuple[int, ...], seed: int, scale: float, mode: str, distribution: str) -> Array:
    """Variance ``scale / fan``, uniform, normal or truncated normal.

    Raises:
        UnsupportedError: an unknown mode or distribution.
    """
    if mode not in _MODES:
        raise UnsupportedError(
            f"the mode is one of {sorted(_MODES)}", received=repr(mode), remedy=f"mode={sorted(_MODES)[0]!r}"
        )
    variance = scale / max(1.0, _MODES[mode](*fans(shape)))
    match distribution.lower():
        case "uniform":
            limit = sqrt(3 * variance)
            return uniform(shape, seed, -limit, limit)
        case "untruncated_normal":
            return sqrt(variance) * normal(shape, seed)
        case "truncated_normal" | "normal":
            return sqrt(variance) / _TRUNCATED_STDDEV * drawn_truncated(shape, seed)
    raise UnsupportedError(
        "the distribution is uniform, (un)truncated_normal", received=repr(distribution),
        remedy="distribution='uniform'",
    )  # fmt: skip


@dataclass(frozen=True)
class VarianceScaling(Initializer):
    """Variance ``scale / fan``, where the fan is the mode's: fan_in, fan_out or fan_avg."""

    scale: float = 1.0
    mode: str = "fan_in"
    distribution: str = "truncated_normal"
    seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if number("scale", self.scale) <= 0:
            raise UnsupportedError("scale is positive", received=str(self.scale), remedy="scale=1.0")
        scaled((1, 1), 0, self.scale, self.mode, self.distribution)

    def draw(self, shape: tuple[int, ...], seed: int) -> Array:
        return scaled(shape, seed, self.scale, self.mode, self.distribution)


@dataclass(frozen=True)
class _Scaled(Initializer):
    """A variance scaling with everything but the seed settled."""

    seed: int | None = None
    scale: ClassVar[float] = 1.0
    mode: ClassVar[str] = "fan_in"
    distribution: ClassVar[str] = "truncated_normal"

    def draw(self, shape: tuple[int, ...], seed: int) -> Array:
        return scaled(shape, seed, self.scale, self.mode, self.distribution)


class GlorotUniform(_Scaled):
    """Glorot and Bengio, AISTATS 2010."""

    mode, distribution = "fan_avg", "uniform"


class GlorotNormal(_Scaled):
    """Glorot and Bengio, AISTATS 2010."""

    mode = "fan_avg"


class HeUniform(_Scaled):
    """He et al., ICCV 2015."""

    scale, distribution = 2.0, "uniform"


class HeNormal(_Scaled):
    """He et al., ICCV 2015."""

    scale = 2.0


class LecunUniform(_Scaled):
    """Klambauer et al., NIPS 2017."""

    distribution = "uniform"


class LecunNormal(_Scaled):
    """Klambauer et al., NIPS 2017."""


@dataclass(frozen=True)
class Given(Initializer):
    """Values as they are given: an array, or what a function of the shape gives. Model files hold the weights only.

    Raises:
        UnsupportedError: when called, if they have another shape.
    """

    values: Any

    def draw(self, shape: tuple[int, ...], seed: int) -> Array:
        values = np.asarray(self.values(shape) if callable(self.values) else self.values, np.float32)
        if values.shape != shape:
            raise UnsupportedError(
                f"an initializer gives the shape {shape}", received=str(values.shape),
                remedy=f"return an array of shape {shape}",
            )  # fmt: skip
        return values

    def get_config(self) -> dict[str, Any]:
        """None: code and arrays are not part of a description.

        Raises:
            UnsupportedError: always.
        """
        raise UnsupportedError(
            "a model file holds initializers of edgeling.initializers", received=repr(self.values)[:80],
            remedy="the initializer's name, such as 'glorot_uniform'",
        )  # fmt: skip


def _is_function(identifier: Any) -> bool:
    return callable(identifier) and not isinstance(identifier, (type, Initializer))


_TABLE = table_of(
    [
        Zeros, Ones, Constant, Identity, RandomUniform, RandomNormal, TruncatedNormal, Orthogonal, VarianceScaling,
        GlorotUniform, GlorotNormal, HeUniform, HeNormal, LecunUniform, LecunNormal,
    ],
    uniform=RandomUniform, normal=RandomNormal, one=Ones, zero=Zeros, IdentityInitializer=Identity,
    OrthogonalInitializer=Orthogonal,
)  # fmt: skip


def get(identifier: Any) -> Initializer:
    """An initializer from its name, class, description, itself, an array of the values, or a function of the shape.

    Raises:
        UnsupportedError: no such initializer.
    """
    if isinstance(identifier, np.ndarray) or _is_function(identifier):
        return Given(identifier)
    return resolve("initializer", Initializer, _TABLE, identifier)


deserialize = get
constant, identity, ones, orthogonal, zeros = Constant, Identity, Ones, Orthogonal, Zeros
random_normal, random_uniform, truncated_normal, variance_scaling = (
    RandomNormal, RandomUniform, TruncatedNormal, VarianceScaling,
)  # fmt: skip
glorot_normal, glorot_uniform, he_normal, he_uniform, lecun_normal, lecun_uniform = (
    GlorotNormal, GlorotUniform, HeNormal, HeUniform, LecunNormal, LecunUniform,
)  # fmt: skip
