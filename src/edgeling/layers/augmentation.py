# SPDX-License-Identifier: Apache-2.0
"""Images moved, turned, scaled and flipped at random while the network trains; at other times they pass as they are.

Every image of every step is changed in a way of its own, which follows the step and ``seed`` (without one, the seed of
the fit): the same seed repeats the run. It happens in the training step's own C; nothing of it is deployed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from edgeling.checking import number, whole
from edgeling.errors import UnsupportedError
from edgeling.graph.affine import FILLS
from edgeling.layers.base import Shape
from edgeling.layers.windows import Ranked, channels_last
from edgeling.network.tracing import Tracer

Range = tuple[float, float]
_INTERPOLATIONS = ("nearest", "bilinear")
_FLIPS = {"horizontal": (0.0, 1.0), "vertical": (1.0, 0.0), "horizontal_and_vertical": (1.0, 1.0)}
_SMALLEST = 2.0**-24  # above -1: a picture zoomed by -1 would have no size


class _RandomAffine(Ranked):
    """An affine map for each image of a step; what is outside the image is filled.

    Attributes:
        between: what the two numbers a map is made of lie between, that of rows first.
        together: the number of columns is that of rows.
    """

    rank = 2
    function: ClassVar[str]
    refused = (*Ranked.refused, "bounding_box_format")
    told_anyway: ClassVar[Mapping[str, Any]] = {"training": True}
    between: tuple[Range, Range]
    together = False
    fill_mode, interpolation, fill_value = "reflect", "nearest", 0.0
    seed: int | None

    def _set_how(self, fill_mode: str, interpolation: str, seed: int | None, fill_value: float, order: Any) -> None:
        self.fill_mode = _one_of("fill_mode", fill_mode, FILLS)
        self.interpolation = _one_of("interpolation", interpolation, _INTERPOLATIONS)
        self.seed, self.fill_value = _seed(seed), number("fill_value", fill_value)
        self.data_format = channels_last(order)

    def output_shape_of(self, row: Shape) -> Shape:
        self.require_rank(row)
        return row

    def trace(self, tracer: Tracer, x: str) -> str:
        if not tracer.training:
            return x
        images, height, width, _ = tracer.builder.type_of(x).shape
        low, high = zip(*self.between, strict=True)
        maps = tracer.drawn(
            "random_affine", self.seed, function=self.function, shape=(images, 6), size=(height, width), low=low,
            high=high, together=self.together,
        )  # fmt: skip
        return tracer.builder.add(
            "affine_transform", x, maps, function=self.fill_mode, bilinear=self.interpolation == "bilinear",
            fill_value=self.fill_value,
        )  # fmt: skip


class RandomTranslation(_RandomAffine):
    """Moves images [height, width, channels] down and to the right.

    Args:
        height_factor: at most how far, as a share of the height, up or down; or (from, to), where up is negative.
        width_factor: likewise of the width, where to the left is negative.
        fill_mode: what is outside: "reflect" (c b a | a b c), "constant" (``fill_value``), "nearest" (a a a), "wrap".
        interpolation: "bilinear" or "nearest".
        seed: repeats the same moves in every fit.

    Raises:
        UnsupportedError: a factor outside -1 to 1, or another word.
    """

    function = "translation"
    arguments = ("height_factor", "width_factor", "fill_mode", "interpolation", "seed", "fill_value", "data_format")

    def __init__(
        self, height_factor: Any, width_factor: Any, fill_mode: str = "reflect", interpolation: str = "bilinear",
        seed: int | None = None, fill_value: float = 0.0, data_format: str | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.height_factor, self.width_factor = _plain(height_factor), _plain(width_factor)
        self.between = _range("height_factor", height_factor), _range("width_factor", width_factor)
        self._set_how(fill_mode, interpolation, seed, fill_value, data_format)


class RandomRotation(_RandomAffine):
    """Turns images [height, width, channels] about their middle.

    Args:
        factor: at most how far, in turns (0.5 is upside down), either way; or (from, to), where positive is against
            the clock.
        fill_mode, interpolation, seed, fill_value: as of :class:`RandomTranslation`.

    Raises:
        UnsupportedError: a factor outside -1 to 1, or another word.
    """

    function = "rotation"
    arguments = ("factor", "data_format", "fill_mode", "fill_value", "interpolation", "seed")

    def __init__(
        self, factor: Any, fill_mode: str = "reflect", interpolation: str = "bilinear", seed: int | None = None,
        fill_value: float = 0.0, data_format: str | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.factor = _range("factor", factor)
        self.between = self.factor, (0.0, 0.0)
        self._set_how(fill_mode, interpolation, seed, fill_value, data_format)


class RandomZoom(_RandomAffine):
    """Scales images [height, width, channels] about their middle.

    Args:
        height_factor: at most how much, as a share of the height, smaller or larger; or (from, to), where larger
            numbers are smaller pictures: (0.2, 0.3) zooms out by 20 to 30 %.
        width_factor: likewise of the width; None keeps the proportions.
        fill_mode, interpolation, seed, fill_value: as of :class:`RandomTranslation`.

    Raises:
        UnsupportedError: a factor that is not above -1 and at most 1, or another word.
    """

    function = "zoom"
    arguments = RandomTranslation.arguments

    def __init__(
        self, height_factor: Any, width_factor: Any = None, fill_mode: str = "reflect",
        interpolation: str = "bilinear", seed: int | None = None, fill_value: float = 0.0,
        data_format: str | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.height_factor, self.width_factor = _plain(height_factor), _plain(width_factor)
        self.together = width_factor is None
        top, bottom = left, right = _range("height_factor", height_factor, _SMALLEST - 1)
        if width_factor is not None:
            left, right = _range("width_factor", width_factor, _SMALLEST - 1)
        self.between = (1 + top, 1 + bottom), (1 + left, 1 + right)
        self._set_how(fill_mode, interpolation, seed, fill_value, data_format)


class RandomFlip(_RandomAffine):
    """Mirrors half of the images [height, width, channels].

    Args:
        mode: "horizontal" (left becomes right), "vertical" (upside down), or "horizontal_and_vertical": both at once.
        seed: repeats the same flips in every fit.

    Raises:
        UnsupportedError: another mode.
    """

    function = "flip"
    arguments = ("seed", "mode", "data_format")

    def __init__(
        self, mode: str = "horizontal_and_vertical", seed: int | None = None, data_format: str | None = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.mode, self.seed, self.data_format = _one_of("mode", mode, _FLIPS), _seed(seed), channels_last(data_format)
        down, right = _FLIPS[mode]
        self.between = (0.0, down), (0.0, right)


def _range(name: str, factor: Any, least: float = -1.0) -> Range:
    """A factor, or (from, to), as the least and the largest that is drawn."""
    if not isinstance(factor, (list, tuple)):
        most = abs(number(name, factor, least, 1.0))
        return max(-most, least), most
    if len(factor) != 2:
        raise UnsupportedError(f"{name} is a number or (from, to)", received=repr(factor), remedy=f"{name}=(-0.1, 0.1)")
    low, high = sorted(number(name, value, least, 1.0) for value in factor)
    return low, high


def _plain(factor: Any) -> Any:
    """As it is kept in files: a pair as a tuple."""
    return tuple(factor) if isinstance(factor, (list, tuple)) else factor


def _one_of(name: str, value: Any, words: Any) -> str:
    if not isinstance(value, str) or value not in words:
        raise UnsupportedError(
            f"{name} is one of {', '.join(words)}", received=repr(value), remedy=f"{name}={next(iter(words))!r}"
        )
    return value


def _seed(seed: Any) -> int | None:
    return None if seed is None else whole("seed", seed, 0)
