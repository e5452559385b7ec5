# SPDX-License-Identifier: Apache-2.0
"""Training a model's like again, shortly, with one thing changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from math import isfinite
from typing import Any

import numpy as np

from edgeling.callbacks.outputs import FitOutput, inputs_of, targets_of
from edgeling.callbacks.rates_used import RatesUsed
from edgeling.diagnosis.relation import some, standardized
from edgeling.diagnosis.skill import Skill
from edgeling.diagnosis.verdict import MORE, SURE, Alteration
from edgeling.errors import EdgelingError
from edgeling.graph.types import Array
from edgeling.layers.registry import TABLE
from edgeling.training.engine import TrainingData
from edgeling.utils import seeds_apart

MOST_STEPS = 2000
MOST_PRODUCTS = 1e9  # multiplications of one retry, some tenths of a second
MOST_WIDER = 2  # times that, of one with more units
LEAST_LONGER = 3  # times the steps, where longer was asked for: fewer would tell nothing
MOST_ROWS = 20_000  # of which any are used
LEAST_APART = 200  # rows of which a quarter may be kept apart: fifty tell a gain from chance


def some_of(rows: TrainingData, most: int) -> TrainingData:
    """At most so many rows, the same every time."""
    return rows if len(rows.x) <= most else rows[some(len(rows.x), most)]


class Retries:
    """Called with a change, gives the share of what there is to learn that training anew with it brings.

    Args:
        given: what ``fit`` was given.
        held: rows to judge on; None keeps a quarter of those learned from apart.
        first: the weights that the fit began with.
        steps: how many the fit made.
        rates: those it used.
        skill: ``skill(rows, model)``.
        output: which of the outputs is looked at.
    """

    def __init__(
        self, model: Any, given: Any, held: TrainingData | None, first: Sequence[Array], steps: int,
        rates: RatesUsed, skill: Callable[[TrainingData, Any], Skill], output: FitOutput,
    ) -> None:  # fmt: skip
        self._model, self._given, self._first, self._skill, self._output = model, given, first, skill, output
        self._rows, self._held = some_of(given.rows, MOST_ROWS), held
        if held is None and len(self._rows.x) >= LEAST_APART:
            apart = np.zeros(len(self._rows.x), bool)
            apart[some(len(apart), len(apart) // 4)] = True
            self._rows, self._held = self._rows[~apart], self._rows[apart]
        self._held = self._held or self._rows
        products = 3 * model.count_params() * min(given.batch_size, len(self._rows.x))
        affordable = int(MOST_PRODUCTS / max(products, 1))
        self._rates, self._steps = rates, max(1, min(steps, MOST_STEPS, affordable))
        self._longest = affordable // steps if self._steps == steps else 0
        self._widest = MOST_WIDER * affordable // self._steps

    def __call__(self, change: Alteration) -> float | None:
        if change.epochs >= MORE:
            if self._longest < LEAST_LONGER:
                return None
            change = replace(change, epochs=min(change.epochs, self._longest))
        if change.wider > 1:
            change = replace(change, epochs=max(1, min(change.epochs, self._widest // change.wider)))
        with seeds_apart():
            try:
                model = self._made(change)
                if model is None:
                    return None
                rows, held = self._prepared(change)
                self._train(model, rows, change)
            except EdgelingError:
                return 0.0
            found = self._skill(held, model)
        return found.share if isfinite(found.share) and found.sure > SURE else 0.0

    def _made(self, change: Alteration) -> Any:
        """A model like the other, compiled; None where the change cannot be made."""
        other = change.fresh or change.rectified or change.wider > 1
        made = self._copied(other) if self._model.traces_calls else self._described(change)
        if made is None:
            return None
        if not other:
            made.set_weights(self._first)
        told = (self._model.loss, self._model.loss_weights) if self._given.objective.outputs else (self._given.loss,)
        made.compile(self._model.optimizer.like(self._rate(change)), *told)
        return made

    def _copied(self, other: bool) -> Any:
        """A model that is a class: Python says what it is made of, so that there is none of other layers."""
        return None if other else deepcopy(self._model)

    def _described(self, change: Alteration) -> Any:
        """A model of the same layers, but for the change."""
        config = self._model.get_config()
        layers = [{key: value for key, value in layer.items() if key != "build_config"} for layer in config["layers"]]
        return self._like(config, _changed(layers, change))

    def _rate(self, change: Alteration) -> Any:
        """Rates that changed go their whole way in the steps of the retry; another rate is a steady one."""
        if change.rate != 1:
            return change.rate * self._rates.largest
        return self._rates.again(self._steps * change.epochs)

    def _like(self, config: Mapping[str, Any], described: list[dict[str, Any]]) -> Any:
        """A model of layers described so, its own among them; None where one cannot be made again of its settings."""
        if "input_layers" in config:
            return type(self._model).from_config({**config, "layers": described})
        known = {**TABLE, **{type(layer).__name__: type(layer) for layer in self._model.layers}}
        try:
            layers = [known[each["class_name"]].from_config(each["config"]) for each in described]
        except TypeError:
            return None
        made = type(self._model)(layers, name=config["name"])
        if not made.built:
            made.build(config["build_input_shape"])
        return made

    def _prepared(self, change: Alteration) -> tuple[TrainingData, TrainingData]:
        rows, held = self._rows, self._held
        assert held
        if change.scaled_inputs:
            joined = standardized(np.concatenate([rows.x, held.x])).astype(np.float32)
            shape = rows.x.shape[1:]
            x = joined.reshape(-1, *shape)
            rows, held = replace(rows, x=x[: len(rows.x)]), replace(held, x=x[len(rows.x) :])
        if change.scaled_targets:
            y, own = np.concatenate([rows.y, held.y]), self._output.columns
            y[:, own] = standardized(y[:, own])
            rows, held = replace(rows, y=y[: len(rows.y)]), replace(held, y=y[len(rows.y) :])
        return rows, held

    def _train(self, model: Any, rows: TrainingData, change: Alteration) -> None:
        size = min(self._given.batch_size, len(rows.x))
        per_epoch = -(-len(rows.x) // size)
        epochs, rest = divmod(self._steps * change.epochs, per_epoch)
        given, y = inputs_of(model, rows.x), targets_of(self._given.objective, rows.y)
        y = y[:, 0] if isinstance(y, np.ndarray) and rows.target_row == () and y.shape[1] == 1 else y
        x: Any = given[0] if len(given) == 1 else given
        how = {"batch_size": size, "verbose": 0, "sample_weight": rows.sample_weight}
        if epochs:
            model.fit(x, y, epochs=epochs, **how)
        if rest:
            model.fit(x, y, epochs=1, steps_per_epoch=rest, **how)


_USUAL = {"kernel_initializer": "glorot_uniform", "bias_initializer": "zeros"}


def _changed(layers: list[dict[str, Any]], change: Alteration) -> list[dict[str, Any]]:
    """Descriptions of layers, as Keras writes them, with a change."""
    dense = [i for i, layer in enumerate(layers) if layer["class_name"] == "Dense"]
    if not dense:
        return layers
    hidden = dense[:-1]
    for i in dense:
        config = dict(layers[i]["config"])
        if change.fresh or change.wider > 1:
            config |= _USUAL
        if i in hidden:
            config["units"] *= change.wider
            if change.rectified:
                config["activation"] = "relu"
        layers[i] = {**layers[i], "config": config}
    if change.wider > 1 and not hidden:
        extra = {"class_name": "Dense", "config": {"name": "wider", "units": 16, "activation": "relu"}}
        layers.insert(dense[-1], extra)
    return layers
