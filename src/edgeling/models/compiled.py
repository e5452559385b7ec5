# SPDX-License-Identifier: Apache-2.0
"""The part of a model that is told how to train and by what to be judged."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from edgeling import losses, optimizers
from edgeling.callbacks import History
from edgeling.checking import whole
from edgeling.configurable import refuse
from edgeling.errors import EdgelingError, UnsupportedError
from edgeling.graph.types import Array
from edgeling.models import saving
from edgeling.models.arguments import leaves
from edgeling.models.misfits import Told, tell_of_output
from edgeling.models.reporting import metric_directions
from edgeling.models.session import Lent
from edgeling.models.several import compiled_parts
from edgeling.models.views import example
from edgeling.models.written import Written


class Compiled(Written):
    """A model with a loss, an optimizer and metrics; see :class:`edgeling.models.Model`."""

    def __init__(self, name: str | None = None, trainable: bool = True) -> None:
        self.stop_training = False
        self.history: History | None = None
        self.optimizer: optimizers.Optimizer | None = None
        self.loss: Any = None
        self.run_eagerly = False
        self.steps_per_execution: int | str = 1
        self.jit_compile: Any = "auto"
        self._metrics: list[Any] = []
        self._weighted_metrics: list[Any] = []
        self.loss_weights: Any = None
        self.metrics_told: tuple[Any, Any] = (None, None)
        self.shuffle_seed = 0
        self.lends_states = False  # a fit goes on with the states of layers that keep them
        self.resumed: tuple[int, int] | None = None  # what a backup brought back: see `resume`
        self.calibration_rows: Array | None = None  # some of the rows last fitted, for int8; never saved
        super().__init__(name, trainable)

    def _forget(self) -> None:
        super()._forget()
        self._optimizer_state: dict[str, Array] = {}
        self._forget_compiled()

    def _forget_compiled(self) -> None:
        self._fitted: tuple[tuple[int, Hashable], Lent] | None = None
        self._told_misfits: Told = ""

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int | str = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Say how to train. Nothing is translated to C before ``fit``.

        Hooks of batches are called every ``steps_per_execution`` batches. ``run_eagerly``, ``jit_compile`` and
        ``auto_scale_loss`` are kept for files and change nothing: training is compiled whatever they say.

        Raises:
            UnsupportedError: a loss, metric or optimizer that is not there.

        Warns:
            UserWarning: the loss does not fit the last activation or its units (of a model that is not built yet, and
                of targets, ``fit`` tells).
        """
        if steps_per_execution != "auto":
            whole("steps_per_execution", steps_per_execution)
        rule = optimizers.get(optimizer)
        if rule is not self.optimizer and rule.iterations:
            raise UnsupportedError(
                "an optimizer stays with the model it has trained, for it keeps what it learned of its weights",
                received=f"{type(rule).__name__} after {rule.iterations} steps with another model",
                remedy=f"optimizer={type(rule).__name__}.from_config(optimizer.get_config())",
            )
        self._judge_by(loss, metrics, weighted_metrics, loss_weights)
        if rule is not self.optimizer:
            self._optimizer_state = {}
        self.optimizer = rule
        self.run_eagerly, self.jit_compile, self.steps_per_execution = run_eagerly, jit_compile, steps_per_execution
        self._told_misfits = tell_of_output(example(self), self.loss)

    def _judge_by(
        self, loss: Any = None, metrics: Any = None, weighted_metrics: Any = None, loss_weights: Any = None
    ) -> None:
        """The part of :meth:`compile` that ``evaluate`` needs.

        Raises:
            UnsupportedError: a loss or metric that is not there; nothing is changed.
        """
        if self.built and not (len(self.output_rows) == len(self.input_rows) == 1 and len(self.output_rows[0]) == 1):
            self._judge_several(loss, metrics, weighted_metrics, loss_weights)
            return
        if not self.built and self.traces_calls:  # its outputs are not known: see `_judge_again`
            self.loss, self.loss_weights, self.metrics_told = loss, loss_weights, (metrics, weighted_metrics)
            return
        self.loss_weights = None
        refuse("compile of one output", "loss_weights", _but_one(loss_weights), "weight rows with sample_weight")
        for given in (loss, metrics, weighted_metrics):
            self._require_output(given)
        told, plain, weighted = (list(leaves(given)) for given in (loss, metrics, weighted_metrics))
        if len(told) > 1:
            raise UnsupportedError("a model of one output has one loss", received=repr(loss), remedy="loss='mse'")
        metric_directions(plain, weighted)  # refuses what is not there
        loss = told[0] if told else None
        if loss not in (None, "crossentropy", "ce"):
            losses.get(loss)
        self._forget_compiled()
        self.loss, self._metrics, self._weighted_metrics = loss, plain, weighted
        self.metrics_told = plain, weighted

    def _judge_again(self) -> None:
        if self.loss is not None or any(self.metrics_told):
            self._judge_by(self.loss, *self.metrics_told, self.loss_weights)
            self._told_misfits = tell_of_output(example(self), self.loss)

    def _judge_several(self, loss: Any, metrics: Any, weighted_metrics: Any, loss_weights: Any) -> None:
        """The same of several outputs: one thing for all, lists, or mappings by their names."""
        before = self.loss, self.loss_weights, self.metrics_told
        self.loss, self.loss_weights, self.metrics_told = loss, loss_weights, (metrics, weighted_metrics)
        try:
            parts = compiled_parts(example(self))
            for part in parts:
                metric_directions(part.metrics, part.weighted_metrics)
        except EdgelingError:
            self.loss, self.loss_weights, self.metrics_told = before
            raise
        self._forget_compiled()
        self._metrics = [metric for part in parts for metric in part.metrics]
        self._weighted_metrics = [metric for part in parts for metric in part.weighted_metrics]

    def _require_output(self, given: Any) -> None:
        """Raise if something is given for an output that is not the last layer's."""
        names = set(self.output_names)
        if isinstance(given, Mapping) and "class_name" not in given and names and given.keys() - names:
            raise UnsupportedError("the output goes by the last layer's name", received=repr(given), remedy=repr(names))

    def get_compile_config(self) -> dict[str, Any] | None:
        """What ``compile`` was told, as model files hold it; None before."""
        if self.optimizer is None:
            return None
        how: dict[str, Any] = {"run_eagerly": self.run_eagerly, "steps_per_execution": self.steps_per_execution}
        how["jit_compile"] = self.jit_compile
        how["loss_weights"] = self.loss_weights
        return saving.compile_config(self.optimizer, self.loss, self.metrics_told[0], self.metrics_told[1], **how)

    def compile_from_config(self, config: Mapping[str, Any]) -> None:
        """The inverse of :meth:`get_compile_config`."""
        self.compile(
            config["optimizer"],
            config["loss"],
            loss_weights=config.get("loss_weights"),
            metrics=config.get("metrics"),
            weighted_metrics=config.get("weighted_metrics"),
        )

    @property
    def metrics_names(self) -> list[str]:
        """Names of what is logged, the loss first."""
        return ["loss", *metric_directions(self._metrics, self._weighted_metrics)]

    def reset_metrics(self) -> None:
        """Have metric objects forget what they have seen; every fit, evaluation and batch begins so anyway."""
        for told in self.metrics_told:
            for metric in leaves(told):
                if hasattr(metric, "reset_state"):
                    metric.reset_state()

    def metric_direction(self, name: str) -> str | None:
        """Whether a larger value of the loss or metric of that name is better ("up"), a smaller ("down"), or None."""
        return {"loss": "down", **metric_directions(self._metrics, self._weighted_metrics)}.get(name)


def _but_one(loss_weights: Any) -> Any:
    """Weights of losses that say something: of one loss, another than one."""
    return None if list(leaves(loss_weights)) in ([], [1]) else loss_weights
