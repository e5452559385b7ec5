# SPDX-License-Identifier: Apache-2.0
"""Ways to make and train a network on a table. Which one is right for a table is found out on rows left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgeling.data import Preparation, Task
from edgeling.graph.types import Array
from edgeling.layers import Concatenate, Dense, Input, Layer
from edgeling.losses import BinaryCrossentropy, CategoricalCrossentropy, Loss
from edgeling.models import Model, Sequential
from edgeling.optimizers import Adam
from edgeling.optimizers.schedules import CosineDecay, LearningRateSchedule
from edgeling.workflow.category_embedding import WIDTH, CategoryEmbedding
from edgeling.workflow.each_column import EachColumn
from edgeling.workflow.problem import LOSSES, Problem, last_layer
from edgeling.workflow.reference import reference_weights
from edgeling.workflow.settings import ADDITIVE, AUTO, Settings
from edgeling.workflow.smooth_clip import SmoothClip


@dataclass(frozen=True)
class Recipe:
    """How a network is made and trained.

    Attributes:
        name: for the command line and the report.
        description: for people, in a few words.
        width: of the hidden layers, as a multiple of what is usual for the table.
        epochs: over which the learning rate falls to nothing, half a cosine wave (Loshchilov and Hutter, 2017), and
            training ends; 0: it stays, and patience ends it.
        learning_rate, batch_size: where nobody chose them.
        weight_decay: decoupled (Loshchilov and Hutter, 2019), of each step a share of the learning rate.
        beta_2: Adam's.
        label_smoothing: what of the truth is spread over all classes.
        clips: columns are clipped smoothly first; see :class:`SmoothClip`.
        bends: a target of numbers that is far from symmetric is learned through a power or a logarithm.
        additive: the network is a sum over columns; see :class:`EachColumn`.
        doubt: how many rows' worth of belief there is that a category of many is as any other.
        alone: it learns from the table itself even where there is a teacher.
        skips: columns go to the last layer as well, by the side of what is hidden (as in He et al., 2015), and training
            begins at the linear reference: what is hidden counts nothing yet.
    """

    name: str
    description: str
    width: float = 1.0
    activation: str = "relu"
    initializer: str = "glorot_uniform"
    epochs: int = 0
    learning_rate: float = 0.01
    batch_size: int = 16
    weight_decay: float = 0.0
    beta_2: float = 0.999
    label_smoothing: float = 0.0
    clips: bool = False
    bends: bool = False
    additive: bool = False
    doubt: float = 100.0
    alone: bool = False
    skips: bool = False

    @property
    def structure(self) -> tuple[object, ...]:
        """What is compiled anew where it differs."""
        how = self.width, self.activation, self.weight_decay, self.beta_2, self.label_smoothing
        return *how, self.clips, self.skips, self.alone

    def rate(self, settings: Settings, rows: int) -> float | LearningRateSchedule:
        """Of Adam, where so many rows are learned from, with settings that leave nothing open."""
        assert settings.learning_rate
        assert settings.batch_size
        steps = self.most_epochs(settings) * -(-rows // settings.batch_size)
        return CosineDecay(settings.learning_rate, steps) if self.epochs else settings.learning_rate

    def loss(self, task: Task, *, taught: bool = False) -> str | Loss:
        """What training makes small.

        Args:
            taught: a teacher tells shares of classes, which are not smoothed.
        """
        if task == "regression" or (taught and task == "binary") or not (taught or self.label_smoothing):
            return LOSSES[task]
        kind = BinaryCrossentropy if task == "binary" else CategoricalCrossentropy
        return kind(label_smoothing=0.0 if taught else self.label_smoothing)

    def begin(self, network: Model, problem: Problem, rows: Array, x: Array) -> None:
        """Give the network what it is to know before it learns.

        Args:
            rows: positions of the rows that it learns from.
            x: what it learns from, [n, columns].
        """
        if self.clips:
            next(layer for layer in network.layers if isinstance(layer, SmoothClip)).fit(x)
        if self.skips:
            begin_linear(network, problem, rows)

    def truth(self, y: Array, classes: int, *, taught: bool = False) -> Array:
        """What is to be answered: where labels are smoothed or taught and there are several, a share of each class."""
        shares = (self.label_smoothing or taught) and classes > 2 and y.ndim == 1
        return np.eye(classes, dtype=np.float32)[y] if shares else y

    def most_epochs(self, settings: Settings) -> int:
        """After which training ends in any case."""
        return min(settings.epochs, self.epochs) if self.epochs else settings.epochs


PLAIN = Recipe("plain", "a constant learning rate until the loss of the rows left out has not fallen for a while")
_ANNEALED = Recipe("annealed", "a learning rate that falls to nothing", batch_size=32)
_DECAYED = Recipe(
    "decayed", "the same, weights drawn to zero: close to a line, for tables of much noise", weight_decay=1.0
)
_SMOOTHED = Recipe(
    "smoothed", "twice the width, and labels told with 95 % instead of all certainty", width=2, initializer="he_normal",
    weight_decay=0.1, batch_size=64, learning_rate=0.02, beta_2=0.95, label_smoothing=0.1,
)  # fmt: skip
_RESIDUAL = replace(
    _ANNEALED, name="residual", description="the same beside a linear part, from which training begins", skips=True
)
_CLIPPED = replace(
    _SMOOTHED, name="clipped", description="the same, columns scaled by quartiles and smoothly clipped, SELU",
    activation="selu", initializer="lecun_normal", weight_decay=0.0, clips=True,
)  # fmt: skip

_WIDE = Recipe(
    "wide", "twice the width, a learning rate that falls to nothing, large batches", width=2, batch_size=128,
    learning_rate=0.005, weight_decay=0.1,
)  # fmt: skip


def _lasting(recipe: Recipe, epochs: int) -> Recipe:
    return replace(recipe, name=f"{recipe.name}-{epochs}", epochs=epochs)


RECIPES = (
    PLAIN, _lasting(_SMOOTHED, 64), _lasting(_RESIDUAL, 24), _lasting(_CLIPPED, 128), _lasting(_DECAYED, 24),
    _lasting(_ANNEALED, 64), _lasting(_SMOOTHED, 16), _lasting(_CLIPPED, 32), _lasting(_DECAYED, 64),
    _lasting(_RESIDUAL, 8),
)  # fmt: skip
"""In the order in which they are tried, as far as there is time: so chosen that each is the best on some tables."""
WIDE = _lasting(_WIDE, 64)
"""Of rare classes the second that is tried: in which order rows come is told better by more units."""
ANNEALED = tuple(_lasting(_ANNEALED, epochs) for epochs in (8, 24, 64))
"""What ``tune`` searches, beside the plain one."""
# A category is in few rows, and how much these say of it differs from table to table.
EMBEDDING = (
    replace(PLAIN, batch_size=256, learning_rate=0.002, doubt=100.0),
    replace(_lasting(_SMOOTHED, 64), batch_size=256, doubt=300.0),
    replace(_lasting(_RESIDUAL, 24), batch_size=256, learning_rate=0.005, doubt=30.0),
    replace(_lasting(_ANNEALED, 24), batch_size=256, learning_rate=0.005, doubt=1000.0),
)
"""Of columns of many categories."""
# So is a rare class, which is in few batches of 16.
RARE = replace(PLAIN, batch_size=128, learning_rate=0.005)


ADDITIVE_RECIPE = Recipe(ADDITIVE, "a sum over columns, a small network each", additive=True)
BENT = tuple(replace(each, name=f"bent-{each.name}", bends=True) for each in RECIPES[1:5])
ALONE = (WIDE, *BENT, ADDITIVE_RECIPE)
"""Compared only where a table calls for them, or tried because they were asked for."""
NAMED = {each.name: each for each in (*RECIPES, *ANNEALED, *ALONE)}


@dataclass(frozen=True, eq=False)
class Variants:
    """A problem in the forms that recipes learn it in.

    Attributes:
        bent: its target bent, where that is worth trying.
        untaught: without its teacher, if it has one.
    """

    problem: Problem
    bent: Problem | None = None
    untaught: Problem | None = None

    @classmethod
    def of(cls, problem: Problem, rows: Array) -> Variants:
        """Those that there are.

        Args:
            rows: that are learned from.
        """
        return cls(problem, problem.bent(rows), problem.untaught)

    def learned_by(self, recipe: Recipe) -> Problem:
        """The problem as a recipe learns it."""
        return (recipe.bends and self.bent) or (recipe.alone and self.untaught) or self.problem


TAUGHT = "taught-"
"""Begins the name of a recipe that a teacher's answers are learned by."""


def recipes_for(problem: Problem, *, skewed: bool = False) -> tuple[Recipe, ...]:
    """What is worth comparing; what was asked for alone. Where there is a teacher, each with it and without it.

    Args:
        skewed: the target is one that may be bent.
    """
    found = _recipes_for(problem, skewed)
    if not problem.teacher:
        return found
    pairs = ((replace(each, name=TAUGHT + each.name), replace(each, alone=True)) for each in found)
    return tuple(each for pair in pairs for each in pair)


def _recipes_for(problem: Problem, skewed: bool) -> tuple[Recipe, ...]:
    asked = problem.settings.recipe
    if problem.preparation.embedded:
        additive = replace(EMBEDDING[0], name=asked, additive=True)
        return (additive,) if asked == ADDITIVE else tuple(e for e in EMBEDDING if e.name == asked) or EMBEDDING
    if skewed and asked == AUTO:
        return (PLAIN, *(recipe for pair in zip(BENT, RECIPES[1:5], strict=True) for recipe in pair), *RECIPES[5:])
    rare = problem.settings.minds_rare_classes
    every = (RARE, WIDE, *RECIPES[1:]) if rare else RECIPES
    return tuple(each for each in (*every, *ANNEALED, *ALONE) if each.name == asked)[:1] or every


def settled(settings: Settings, recipe: Recipe) -> Settings:
    """The settings with what was left to the recipe."""
    return replace(
        settings,
        batch_size=settings.batch_size or recipe.batch_size,
        learning_rate=settings.learning_rate or recipe.learning_rate,
        activation=settings.activation or recipe.activation,
        weight_decay=recipe.weight_decay if settings.weight_decay is None else settings.weight_decay,
    )


def begin_linear(network: Model, problem: Problem, rows: Array) -> None:
    """Make a network whose last layer sees the columns answer as the reference does.

    Args:
        rows: positions of those it learns from.
    """
    last, found = network.layers[-1], reference_weights(problem, rows)
    kernel, outputs, embedded = found.kernel, len(found.bias), len(problem.preparation.embedded)
    if embedded:
        each = np.zeros((embedded, WIDTH, outputs), np.float32)
        if len(found.effects) and outputs <= WIDTH:
            table = next(layer for layer in network.layers if isinstance(layer, CategoryEmbedding))
            (learned,) = table.get_weights()
            table.set_weights([np.concatenate([found.effects, learned[:, outputs:]], axis=1)])
            each[:, :outputs] = np.eye(outputs)
        kernel = np.concatenate([kernel[: len(kernel) - embedded], each.reshape(-1, outputs)])
    hidden = np.zeros((last.get_weights()[0].shape[0] - len(kernel), outputs), np.float32)
    last.set_weights([np.concatenate([hidden, kernel]), found.bias])


def network_for(preparation: Preparation, settings: Settings, rows: int, recipe: Recipe = PLAIN) -> Model:
    """The network that these settings ask for, compiled, its weights drawn from the global seed.

    Args:
        rows: how many are learned from.
        recipe: what holds where the settings leave it open.
    """
    target = preparation.target
    settings = settled(settings, recipe)
    hidden = settings.hidden if settings.hidden is not None else hidden_sizes(preparation, rows, recipe.width)
    layers: list[Layer] = [Dense(size, settings.activation, kernel_initializer=recipe.initializer) for size in hidden]
    if recipe.additive:
        layers = [EachColumn(numbers_of_each(preparation), *(settings.hidden or ())[:1])]
    if preparation.embedded:
        sizes = [len(feature.categories) for _, feature in preparation.embedded]
        layers.insert(0, CategoryEmbedding(sizes, penalty=recipe.doubt / (2 * max(rows, 1))))
    if recipe.clips:
        layers.insert(0, SmoothClip())
    model = _model(Input((preparation.prepared_size,)), layers, last_layer(preparation), recipe.skips)
    rate = recipe.rate(settings, rows)
    metrics = ["mae"] if target.task == "regression" else ["accuracy"]
    optimizer = Adam(rate, beta_2=recipe.beta_2, weight_decay=settings.weight_decay or None)
    model.compile(
        optimizer=optimizer, loss=recipe.loss(target.task, taught=settings.teacher is not None), metrics=metrics
    )
    return model


def _model(columns: Any, layers: Sequence[Layer], last: Layer, skips: bool) -> Model:
    """Layers one after another; the last also sees the columns, if it ``skips``."""
    if not skips:
        return Sequential([columns, *layers, last])
    value = seen = columns
    for layer in layers:
        value = layer(value)
        seen = value if isinstance(layer, CategoryEmbedding) else seen
    return Model(columns, last(seen if value is seen else Concatenate()([value, seen])))


def numbers_of_each(preparation: Preparation) -> tuple[int, ...]:
    """Which of what the network sees are numbers: columns, dates and their parts, and what is learned of categories."""
    codes = sum(len(feature.categories) for _, feature in preparation.indicated)
    learned = len(preparation.embedded) * WIDTH
    numbers = preparation.prepared_size - codes - len(preparation.embedded)
    return (*range(numbers), *range(numbers + codes, numbers + codes + learned))


def hidden_sizes(preparation: Preparation, rows: int, width: float = 1.0) -> tuple[int, ...]:
    """One hidden layer of about twice the inputs for small tables, two for large ones; multiples of four.

    What is learned of many categories wants one only: two find what holds in the rows learned from alone.

    Args:
        width: a factor.
    """
    embedded = len(preparation.embedded)
    inputs = preparation.prepared_size + embedded * (WIDTH - 1)
    units = 4 * round(width * np.clip(4 * -(-inputs // 2), 8, 32) / 4)
    return (units,) if rows < 1000 or embedded else (units, units)
