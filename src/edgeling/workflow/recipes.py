# SPDX-License-Identifier: Apache-2.0
"""Ways to make and train a network on a table. Which one is right for a table is found out on rows left out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edgeling.data import Preparation
from edgeling.layers import Dense, Input, Layer
from edgeling.models import Sequential
from edgeling.optimizers import Adam
from edgeling.optimizers.schedules import CosineDecay, LearningRateSchedule
from edgeling.workflow.category_embedding import WIDTH, CategoryEmbedding
from edgeling.workflow.problem import LOSSES, Problem, last_layer
from edgeling.workflow.settings import Settings


@dataclass(frozen=True)
class Recipe:
    """How a network is made and trained.

    Attributes:
        name: for the command line and the report.
        description: for people, in a few words.
        width: of the hidden layers, as a multiple of what is usual for the table.
        epochs: over which the learning rate falls to nothing, half a cosine wave; 0: it stays, and patience ends it.
        learning_rate, batch_size: where nobody chose them.
        weight_decay: decoupled (Loshchilov and Hutter, 2019), of each step a share of the learning rate.
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

    def rate(self, settings: Settings, rows: int) -> float | LearningRateSchedule:
        """Of Adam, where so many rows are learned from, with settings that leave nothing open."""
        assert settings.learning_rate
        assert settings.batch_size
        steps = self.most_epochs(settings) * -(-rows // settings.batch_size)
        return CosineDecay(settings.learning_rate, steps) if self.epochs else settings.learning_rate

    def most_epochs(self, settings: Settings) -> int:
        """After which training ends in any case."""
        return min(settings.epochs, self.epochs) if self.epochs else settings.epochs


PLAIN = Recipe("plain", "Glorot's initial weights, a constant learning rate")
RECIPES = (PLAIN,)
# A category is in few rows.
EMBEDDING = replace(PLAIN, batch_size=256, learning_rate=0.002)


def recipes_for(problem: Problem) -> tuple[Recipe, ...]:
    """What is worth comparing; what was asked for alone."""
    if problem.preparation.embedded:
        return (EMBEDDING,)
    return tuple(each for each in RECIPES if each.name == problem.settings.recipe) or RECIPES


def settled(settings: Settings, recipe: Recipe) -> Settings:
    """The settings with what was left to the recipe."""
    return replace(
        settings,
        batch_size=settings.batch_size or recipe.batch_size,
        learning_rate=settings.learning_rate or recipe.learning_rate,
        activation=settings.activation or recipe.activation,
        weight_decay=recipe.weight_decay if settings.weight_decay is None else settings.weight_decay,
    )


def network_for(preparation: Preparation, settings: Settings, rows: int, recipe: Recipe = PLAIN) -> Sequential:
    """The network that these settings ask for, compiled, its weights drawn from the global seed.

    Args:
        rows: how many are learned from.
        recipe: what holds where the settings leave it open.
    """
    target = preparation.target
    settings = settled(settings, recipe)
    hidden = settings.hidden if settings.hidden is not None else hidden_sizes(preparation, rows, recipe.width)
    layers: list[Layer] = [Dense(size, settings.activation, kernel_initializer=recipe.initializer) for size in hidden]
    if preparation.embedded:
        layers.insert(0, CategoryEmbedding([len(feature.categories) for _, feature in preparation.embedded]))
    model = Sequential([Input((preparation.prepared_size,)), *layers, last_layer(preparation)])
    rate = recipe.rate(settings, rows)
    metrics = ["mae"] if target.task == "regression" else ["accuracy"]
    optimizer = Adam(rate, beta_2=recipe.beta_2, weight_decay=settings.weight_decay or None)
    model.compile(optimizer=optimizer, loss=LOSSES[target.task], metrics=metrics)
    return model


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
