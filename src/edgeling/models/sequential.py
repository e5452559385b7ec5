# SPDX-License-Identifier: Apache-2.0
"""A chain of layers that trains, predicts and becomes a graph."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from pathlib import Path
from threading import get_ident
from typing import Any

from edgeling import losses, optimizers
from edgeling.callbacks import Callback, CallbackList, History
from edgeling.configurable import refuse, refuse_overriding, whole
from edgeling.errors import TrainingError, UnsupportedError
from edgeling.graph import Graph
from edgeling.graph.types import Array
from edgeling.layers.base import Layer
from edgeling.layers.eager import call, refuse_symbols
from edgeling.models import saving
from edgeling.models.display import Display, numbers
from edgeling.models.fitting import Fit, Plan
from edgeling.models.prediction import Followed, not_ready
from edgeling.models.reporting import Report, metric_directions
from edgeling.models.session import Lent, Session, Traced, described, for_evaluation, for_training, lend
from edgeling.models.stack import Stack
from edgeling.training import arrays
from edgeling.training.engine import TrainingData
from edgeling.training.graphs import Objective, evaluation_graph, inference_graph, training_graph
from edgeling.training.tracing import Weight
from edgeling.utils import next_seed

DEFAULT_BATCH_SIZE = 32
CALIBRATION_ROWS = 1000
_NEVER_CALLED = (
    "call", "__call__", "train_step", "test_step", "predict_step", "compute_loss", "compute_metrics",
    "make_train_function", "make_test_function", "make_predict_function",
)  # fmt: skip


class Sequential(Stack):
    """Layers one after another.

    Args:
        layers: the layers; the first may be an ``Input``, or state ``input_shape`` itself. Without either the shape is
            taken from the data of the first ``fit``.
        name: what summaries call it.

    Example:
        >>> model = Sequential([Input((4,)), Dense(8, activation="relu"), Dense(3, activation="softmax")])
        >>> model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        >>> history = model.fit(x, y, epochs=100, verbose=0)
    """

    def __init__(self, layers: Iterable[Layer] | None = None, trainable: bool = True, name: str | None = None) -> None:
        self.stop_training, self._calls = False, 0
        self.history: History | None = None
        self.optimizer: optimizers.Optimizer | None = None
        self.loss: Any = None
        self._metrics: list[Any] = []
        self._weighted_metrics: list[Any] = []
        self.shuffle_seed = 0
        self.resumed: tuple[int, int] | None = None  # what a backup brought back: see `resume`
        self.calibration_rows: Array | None = None  # some of the rows last fitted, for int8; never saved
        super().__init__(layers, trainable, name)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        refuse_overriding(cls, _NEVER_CALLED, "layers in a chain, compile() with a loss and metrics, and callbacks")

    def _forget(self) -> None:
        super()._forget()
        self._optimizer_state: dict[str, Array] = {}
        self._fitted: tuple[tuple[int, Hashable], Lent] | None = None
        self._predictor: Followed | None = None
        self._direct = not_ready

    def __getstate__(self) -> dict[str, Any]:
        """To copy or pickle: everything but what is compiled, which is found again."""
        return {**self.__dict__, "_network": None, "_fitted": None, "_predictor": None, "_direct": not_ready}

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

        ``run_eagerly``, ``steps_per_execution``, ``jit_compile`` and ``auto_scale_loss`` are kept for files and change
        nothing: whole epochs run compiled whatever they say.

        Raises:
            UnsupportedError: a loss, metric or optimizer that is not there.
        """
        refuse("compile", "loss_weights", loss_weights, "weight rows with sample_weight")
        if steps_per_execution != "auto":
            whole("steps_per_execution", steps_per_execution)
        rule = optimizers.get(optimizer)
        loss = loss[0] if isinstance(loss, (list, tuple)) and len(loss) == 1 else loss
        metric_directions(_as_list(metrics), _as_list(weighted_metrics))  # refuses what is not there
        if loss not in (None, "crossentropy", "ce"):
            losses.get(loss)
        self._forget()
        self.optimizer, self.loss = rule, loss
        self.run_eagerly, self.jit_compile, self.steps_per_execution = run_eagerly, jit_compile, steps_per_execution
        self._metrics, self._weighted_metrics = _as_list(metrics), _as_list(weighted_metrics)

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Collection[int] = 1,
    ) -> History:
        """Train on rows ``x`` [rows, ...] and targets ``y`` [rows] or [rows, outputs].

        Every argument is Keras's. ``steps_per_epoch`` takes the first batches of every (shuffled) epoch;
        ``validation_steps`` the first of validation.

        Raises:
            DataError: data that cannot be learned from; the message says why and what to do.
            TrainingError: not compiled, or a loss that stopped being finite.
            CompilerNotFoundError: there is no C compiler.
            KeyboardInterrupt: Ctrl-C. The weights are those of the last whole epoch, ``model.history`` tells how
                many there were.
        """
        floats, loss = self._features(x), self._resolved_loss(y)
        data, validation = self._data(floats, y, sample_weight, loss), None
        if validation_data is not None:
            validation = self._validation(validation_data, loss)
        elif validation_split:
            data, validation = arrays.split(data, validation_split)
        data = arrays.with_class_weights(data, class_weight)
        batch_size = _batch_size(batch_size, len(data.x))
        if validation and validation_steps:
            validation = _head(validation, validation_steps * (validation_batch_size or batch_size))
        steps = -(-len(data.x) // batch_size)
        plan = Plan(
            batch_size, initial_epoch, max(epochs, initial_epoch), bool(shuffle), next_seed(),
            min(steps_per_epoch or steps, steps), validation, validation_freq, validation_batch_size or batch_size,
        )  # fmt: skip
        return self._fit(data, plan, loss, _as_list(callbacks), 1 if verbose == "auto" else int(verbose))

    def _fit(
        self, data: TrainingData, plan: Plan, loss: losses.Loss, callbacks: list[Callback], verbose: int
    ) -> History:
        optimizer, history = self._compiled(), History()
        report = self._report(loss, data, plan.validation)
        objective = report.objective(data.y)
        params = {"verbose": verbose, "epochs": plan.last_epoch, "steps": plan.steps}
        history.set_params(params)
        history.set_model(self)
        self.history, self.stop_training = history, False
        self.shuffle_seed, self.resumed = plan.seed, None
        self.calibration_rows = data.x[:CALIBRATION_ROWS]

        def session(batch_size: int, tail: int) -> Session:
            signature, network, weighted = self._signature(objective), self.network(), data.sample_weight is not None
            rule = optimizer.bound(network.names.items())

            def steps() -> Iterable[Graph]:
                return (training_graph(network, objective, rule, n, weighted) for n in (batch_size, tail) if n)

            parts = [rule, self._layers] if isinstance(signature, Traced) else rule
            step = described(parts, steps, network.names.values())
            key = ("fit", signature, step, batch_size, tail, weighted)
            lent = lend(key, lambda: for_training(network, objective, rule, batch_size, weighted))
            self._fitted = (get_ident(), signature), lent
            return Session(lent, self._named_weights(), self._optimizer_state)

        Fit(
            self, optimizer, session, report, data, plan,
            CallbackList(callbacks, self, params), history,
            Display(verbose, plan.first_epoch, plan.last_epoch) if verbose else None,
        ).run()  # fmt: skip
        return history

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Loss and metrics of rows: a list, the loss first; the loss alone if there are no metrics; or by name.

        Raises:
            DataError, TrainingError, CompilerNotFoundError: as :meth:`fit`.
        """
        floats, loss = self._features(x), self._resolved_loss(y)
        data = self._data(floats, y, sample_weight, loss)
        if steps:
            data = _head(data, steps * (batch_size or DEFAULT_BATCH_SIZE))
        report = self._report(loss, data)
        hooks = CallbackList(_as_list(callbacks), self, {})
        hooks.call("on_test_begin")
        session = Session(self._evaluator(report.objective(data.y)), self._named_weights(), {})
        session.push()
        logs = report.evaluated(*session.evaluate(data), batch_size or DEFAULT_BATCH_SIZE)
        hooks.call("on_test_end", logs=logs)
        if verbose in ("auto", 1, 2):
            print(f"{len(data.x)} rows  {numbers(logs)}")
        return logs if return_dict else _flat(logs)

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """One step on all these rows; loss and metrics are those of this batch, before the step."""
        history = self.fit(
            x, y, batch_size=len(x), verbose=0, shuffle=False, sample_weight=sample_weight, class_weight=class_weight
        )
        logs = {key: values[-1] for key, values in history.history.items()}
        return logs if return_dict else _flat(logs)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Loss and metrics of these rows, as one batch."""
        return self.evaluate(x, y, len(x), verbose=0, sample_weight=sample_weight, return_dict=return_dict)

    def _validation(self, given: Any, loss: losses.Loss) -> TrainingData:
        if not isinstance(given, (list, tuple)) or not 2 <= len(given) <= 3:
            raise UnsupportedError("validation_data is (x, y) or (x, y, sample_weight)", received=type(given).__name__)
        x, y, weights = (*given, None)[:3]
        return self._data(self._features(x), y, weights, loss)

    def _data(self, floats: arrays.Floats, y: Any, sample_weight: Any, loss: losses.Loss) -> TrainingData:
        truth = arrays.targets(y, self._width(), loss)
        return arrays.gathered(floats, truth, arrays.row_weights(truth, sample_weight))

    def predict(
        self, x: Any, batch_size: int | None = None, verbose: int | str = "auto", steps: int | None = None,
        callbacks: Any = None,
    ) -> Array:  # fmt: skip
        """The outputs of rows: [rows, ...] -> float32 [rows, outputs].

        One float32 row of shape (1, ...) takes the shortest way to the compiled code. Without a C compiler the
        interpreter answers, slowly, after one warning.

        Raises:
            DataError: rows of the wrong shape, or not numbers. NaN is let through.
        """
        try:
            return self._direct(x)
        except (AttributeError, TypeError, ValueError):
            pass  # the general way says what is wrong, if anything is
        return self._predict(x, None if steps is None else steps * (batch_size or DEFAULT_BATCH_SIZE))

    predict_on_batch = predict

    def __call__(self, x: Any, training: bool = False) -> Array:
        """As :meth:`predict`; while ``training`` dropout drops, and statistics are the batch's own and move.

        The latter is interpreted with NumPy, not compiled.
        """
        refuse_symbols(x)
        if not training:
            return self.predict(x)
        row = self._built_for(x)
        self._calls += 1
        return call(self._layers, self.network().names, arrays.features(x, row, finite=False), True, self._calls)

    def _built_for(self, x: Any) -> tuple[int, ...]:
        """The shape of a row; a model that is not built takes it from the data."""
        if not self.built and self._layers:
            known = self._input.declared if self._input else None
            self.build((None, *arrays.features(x, known, finite=False).shape[1:]))
        return self._rows()[0]

    def _predict(self, x: Any, limit: int | None) -> Array:
        row = self._built_for(x)
        floats = arrays.features(x, row, finite=False)[:limit]
        if self._predictor is None or self._predictor.seen != Weight.changes:
            self._follow(self._rows()[1])
        assert self._predictor
        answers = self._predictor.rows(floats)
        self._direct = self._predictor.direct
        return answers

    def _follow(self, output: tuple[int, ...]) -> None:
        """Have a predictor of the layers and weights as they are now."""
        signature = self._signature(None)
        if self._predictor is None or self._predictor.signature != signature:
            self._predictor = Followed(self.network(), signature, output)
        self._predictor.follow()

    def save(self, filepath: str | Path, overwrite: bool = True, **_: Any) -> None:
        """Write a ``.keras`` file, which Keras reads too."""
        saving.save(self, Path(filepath).expanduser(), overwrite)

    def save_weights(self, filepath: str | Path, overwrite: bool = True) -> None:
        """Write the weights alone: ``.weights.h5``, which Keras reads too and which holds the optimizer's state, or
        ``.npz``."""
        saving.save_weights(self, Path(filepath).expanduser(), overwrite)

    def load_weights(self, filepath: str | Path, skip_mismatch: bool = False, **others: Any) -> None:
        """Read weights that :meth:`save_weights` or Keras wrote (``.weights.h5``, ``.keras``, Keras 2's ``.h5``).

        Raises:
            DataError, ArtifactError: weights of another model, or none; nothing is changed.
        """
        for name, value in {"skip_mismatch": skip_mismatch, **others}.items():
            refuse("load_weights", name, value)
        saving.load_weights(self, Path(filepath).expanduser())

    def to_json(self, **_: Any) -> str:
        """The model without its weights, as text: see :func:`edgeling.models.model_from_json`."""
        return saving.to_json(self)

    def resume(self, epoch: int, seed: int) -> None:
        """For callbacks, in ``on_train_begin``: the fit goes on at this epoch, its rows shuffled by this seed."""
        self.resumed = epoch, seed

    @property
    def optimizer_state(self) -> dict[str, Array]:
        """What the optimizer keeps from step to step, by the names of the training graph; empty before the first."""
        return self._optimizer_state

    def get_compile_config(self) -> dict[str, Any] | None:
        """What ``compile`` was told, as model files hold it; None before."""
        if self.optimizer is None:
            return None
        how = {"run_eagerly": self.run_eagerly, "steps_per_execution": self.steps_per_execution}
        how["jit_compile"] = self.jit_compile
        return saving.compile_config(self.optimizer, self.loss, self._metrics, self._weighted_metrics, **how)

    def compile_from_config(self, config: Mapping[str, Any]) -> None:
        """The inverse of :meth:`get_compile_config`."""
        self.compile(
            config["optimizer"],
            config["loss"],
            metrics=config.get("metrics"),
            weighted_metrics=config.get("weighted_metrics"),
        )

    @property
    def metrics_names(self) -> list[str]:
        """Names of what is logged, the loss first."""
        return ["loss", *metric_directions(self._metrics, self._weighted_metrics)]

    def metric_direction(self, name: str) -> str | None:
        """Whether a larger value of the loss or metric of that name is better ("up"), a smaller ("down"), or None."""
        return {"loss": "down", **metric_directions(self._metrics, self._weighted_metrics)}.get(name)

    def _evaluator(self, objective: Objective) -> Lent:
        signature = self._signature(objective)
        if self._fitted and self._fitted[0] == (get_ident(), signature):  # another thread may be at its own
            return self._fitted[1]
        return lend(("evaluate", signature), lambda: for_evaluation(self.network(), objective))

    def _compiled(self) -> optimizers.Optimizer:
        if self.optimizer is None:
            raise TrainingError(
                "a model is compiled before it trains", received="none", remedy="model.compile('adam', loss)"
            )
        return self.optimizer

    def _features(self, x: Any) -> arrays.Floats:
        """Rows of the input; a model that is not built takes its shape from them."""
        self._compiled()
        known = self._input.declared if self._input else None
        floats = arrays.features(x, known)
        if not self.built:
            self.build((None, *floats.shape[1:]))
        return floats

    def _width(self) -> int:
        _, output = self._rows()
        if len(output) != 1:
            raise UnsupportedError(
                "the outputs are rows of one dimension", received=str(output), remedy="add Flatten()"
            )
        return output[0]

    def _resolved_loss(self, y: Any) -> losses.Loss:
        if self.loss is None:
            raise TrainingError("training needs a loss", received="loss=None", remedy="compile(optimizer, 'mse')")
        alias = self.loss in ("crossentropy", "ce")
        target_width = arrays.raw_targets(y).shape[1] if alias else None
        return losses.get(self.loss, self._width(), target_width)

    def _report(self, loss: losses.Loss, *data: TrainingData | None) -> Report:
        """The loss with the metrics it is reported with, for these rows."""
        has_weights = any(part is not None and part.sample_weight is not None for part in data)
        return Report(loss, self._metrics, self._weighted_metrics, self._width(), has_weights)

    def _named_weights(self) -> dict[str, Weight]:
        return {name: weight for weight, name in self.network().names.items()}

    def _signature(self, objective: Objective | None) -> Hashable:
        """Everything that evaluation's code depends on, or without an objective prediction's."""
        network = self.network()

        def graphs() -> Iterable[Graph]:
            return [evaluation_graph(network, objective) if objective else inference_graph(network, frozen=False)]

        return described([network.input_shape, self._layers, objective], graphs, network.names.values())


def _as_list(given: Any) -> list[Any]:
    if given is None:
        return []
    return list(given) if isinstance(given, (list, tuple)) else [given]


def _flat(logs: dict[str, Any]) -> Any:
    return list(logs.values()) if len(logs) > 1 else logs["loss"]


def _batch_size(given: int | None, rows: int) -> int:
    size = DEFAULT_BATCH_SIZE if given is None else int(given)
    if size < 1:
        raise UnsupportedError("a batch has at least one row", received=f"batch_size={given}")
    return min(size, rows)


def _head(data: TrainingData, rows: int) -> TrainingData:
    weights = data.sample_weight
    return TrainingData(data.x[:rows], data.y[:rows], None if weights is None else weights[:rows])
