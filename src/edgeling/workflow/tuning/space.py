# SPDX-License-Identifier: Apache-2.0
"""What is searched: the network's size and activation, how it is trained, and how it is deployed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import isfinite
from typing import Any

from edgeling.errors import ArtifactError
from edgeling.workflow.deploy import PRECISIONS
from edgeling.workflow.recipes import NAMED
from edgeling.workflow.settings import LARGEST_HIDDEN, Settings

WIDTHS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
"""Units of a layer: about a third apart, so that a step is felt and few are needed."""
MOST_LAYERS = 2
ACTIVATIONS = ("relu", "tanh", "silu")
"""All are 0 at 0, which :mod:`edgeling.workflow.tuning.programs` rests on."""
LEARNING_RATES = (1e-3, 1e-1)
WEIGHT_DECAYS = (1e-4, 1.0)  # the lowest stands for none
BATCHES = (1, 2, 4)  # times the smallest


@dataclass(frozen=True)
class Choice:
    """One trial's settings, as :func:`edgeling.train` takes them."""

    hidden: tuple[int, ...]
    activation: str
    learning_rate: float
    batch_size: int
    weight_decay: float
    precision: str
    recipe: str = "plain"

    @property
    def structure(self) -> tuple[tuple[int, ...], str, str]:
        """What its program depends on: layers, activation, precision."""
        return self.hidden, self.activation if self.hidden else "", self.precision

    @property
    def layers(self) -> str:
        """For people: "16,8 relu"; "none"."""
        return f"{','.join(map(str, self.hidden))} {self.activation}" if self.hidden else "none"

    def applied(self, settings: Settings) -> Settings:
        """The settings with these in their places."""
        return replace(settings, **vars(self))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "hidden": list(self.hidden)}

    @classmethod
    def from_json(cls, value: Any) -> Choice:
        """Read what ``to_json`` wrote, trusting nothing.

        Raises:
            ArtifactError: anything else.
        """
        try:
            choice = cls(**{**value, "hidden": tuple(value["hidden"])})
            sizes = [choice.batch_size, *choice.hidden]
            whole = all(type(size) is int and 0 < size < 2**31 for size in sizes)
            finite = all(type(n) in (int, float) and isfinite(n) for n in (choice.learning_rate, choice.weight_decay))
            if not whole or not finite or choice.learning_rate <= 0 or max(sizes[1:], default=0) > LARGEST_HIDDEN:
                raise ValueError("a number is out of range")
            names = choice.precision in PRECISIONS and choice.activation in ACTIVATIONS
            if not names or choice.recipe not in NAMED:
                raise ValueError("a name is not known")
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(
                "a trial is written as tune writes it", received=str(error), remedy="restart=True (--restart)"
            ) from error
        return choice


@dataclass(frozen=True)
class SearchSpace:
    """What choices are made of.

    Attributes:
        widths: units a layer may have, ascending; none: there is no hidden layer.
        batches: rows a batch may have, ascending.
        precisions: of the deployed program.
        recipes: of training, by name.
    """

    widths: tuple[int, ...]
    batches: tuple[int, ...]
    precisions: tuple[str, ...]
    recipes: tuple[str, ...] = ("plain",)

    @property
    def parameters(self) -> dict[str, tuple[Any, ...]]:
        """By name: ("int", low, high), ("log", low, high) or ("one of", ...). All are named in every trial, so that a
        sampler sees them together, those of layers that are not there too."""
        layers = MOST_LAYERS if self.widths else 0
        each = {f"width_{i}": ("int", 0, len(self.widths) - 1) for i in range(layers)}
        return {
            "layers": ("int", 0, layers), **each, "activation": ("one of", *ACTIVATIONS),
            "learning_rate": ("log", *LEARNING_RATES), "batch_size": ("one of", *self.batches),
            "weight_decay": ("log", *WEIGHT_DECAYS), "precision": ("one of", *self.precisions),
            "recipe": ("one of", *self.recipes),
        }  # fmt: skip

    def choice(self, given: Mapping[str, Any]) -> Choice:
        """Of values for all parameters."""
        hidden = tuple(self.widths[given[f"width_{i}"]] for i in range(given["layers"]))
        decay = given["weight_decay"] if given["weight_decay"] > 2 * WEIGHT_DECAYS[0] else 0.0
        how = {name: given[name] for name in ("activation", "batch_size", "precision", "recipe")}
        return Choice(hidden=hidden, learning_rate=rounded(given["learning_rate"]), weight_decay=rounded(decay), **how)

    def values(self, choice: Choice) -> dict[str, Any] | None:
        """The inverse of :meth:`choice`; None if the space does not hold it."""
        if not {*choice.hidden} <= {*self.widths} or choice.precision not in self.precisions:
            return None
        places = [self.widths.index(width) for width in choice.hidden]
        widths = {f"width_{i}": 0 for i in range(MOST_LAYERS)} if self.widths else {}
        widths |= {f"width_{i}": place for i, place in enumerate(places)}
        how = {
            name: getattr(choice, name) for name in ("activation", "learning_rate", "batch_size", "precision", "recipe")
        }
        return {"layers": len(places), **widths, **how, "weight_decay": max(choice.weight_decay, WEIGHT_DECAYS[0])}

    def ladder(self, learning_rate: float, most: int) -> Iterator[Choice]:
        """To begin with: no hidden layer, then one of ever more units up to ``most``, in every precision, trained as
        ``train`` trains."""
        sizes: Sequence[tuple[int, ...]] = [(), *((width,) for width in self.widths if width in (2, 4, 8, 16, 32))]
        for hidden in sizes:
            for precision in self.precisions:
                if max(hidden, default=0) <= most:
                    yield Choice(hidden, "relu", learning_rate, self.batches[0], 0.0, precision, self.recipes[0])


def rounded(value: float) -> float:
    """To three digits, as people write it."""
    return float(f"{value:.3g}")
