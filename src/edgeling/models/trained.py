# SPDX-License-Identifier: Apache-2.0
"""The part of a model that trains and is judged."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import cache
from threading import get_ident
from typing import Any, Self, TypeVar

import numpy as np

from edgeling import losses, optimizers
from edgeling.callbacks import CallbackList, History
from edgeling.callbacks.diagnose import FitRows
from edgeling.checking import flag, number, whole
from edgeling.codegen import Program
from edgeling.errors import DataError, TrainingError, UnsupportedError
from edgeling.graph import Graph
from edgeling.graph.types import Array
from edgeling.models.arguments import (
    DEFAULT_BATCH_SIZE,
    batch_size_of,
    refuse_beside_batches,
    verbosity,
)
from edgeling.models.batches import BatchSession, adds_to_loss, goes_by_batches
from edgeling.models.compiled import Compiled
from edgeling.models.display import Display, numbers
from edgeling.models.feeding import BatchFeed, RowFeed, feed_of
from edgeling.models.fitting import Fit, FitPlan
from edgeling.models.indexing import require_indices
from edgeling.models.judging import Judge, Validation
from edgeling.models.linking import in_order
from edgeling.models.misfits import tell_of_targets
from edgeling.models.reporting import Report
from edgeling.models.session import Lent, Session, Traced, described, for_evaluation, for_training, lend
from edgeling.models.several import AnyReport, SeveralReport, compiled_parts, is_plain, packed
from edgeling.models.stateful import lend_states, require_whole_batches, return_states
from edgeling.models.views import example as for_example
from edgeling.models.views import rows_in, view
from edgeling.network.arrays import Rows, Several, by_itself, side_by_side
from edgeling.network.network import inference_graph
from edgeling.network.weights import Weight
from edgeling.notebook.waiting import told_if_long, untold
from edgeling.training import arrays
from edgeling.training.engine import TrainingData
from edgeling.training.graphs import Objective, evaluation_graph, training_graph
from edgeling.training.learning import learning_program
from edgeling.utils import next_seed, seeds_apart
from edgeling.written_losses import WrittenLoss

CALIBRATION_ROWS = 1000
_Made = TypeVar("_Made")


class Trainable(Compiled):
    """A model that trains and is judged; see :class:`edgeling.models.Model`."""

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
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Collection[int] = 1,
    ) -> History:
        """Train on rows ``x`` [rows, ...] and targets ``y`` [rows] or [rows, outputs], or on batches.

        Every argument is Keras's. Batches are what gives ``(x, y)`` or ``(x, y, sample_weight)``: a generator, a list
        of tuples, a data loader, a dataset; likewise ``validation_data``. With ``steps_per_epoch`` an epoch goes on
        where the one before stopped; ``validation_steps`` takes the first batches of validation.

        Raises:
            DataError: data that cannot be learned from; the message says why and what to do.
            TrainingError: not compiled, or a loss that stopped being finite.
            CompilerNotFoundError: there is no C compiler.
            KeyboardInterrupt: Ctrl-C. The weights are those of the last whole epoch, ``model.history`` tells how
                many there were.
        """
        self._compiled()
        first, last = whole("initial_epoch", initial_epoch, 0), whole("epochs", epochs, 0)
        steps = None if steps_per_epoch is None else whole("steps_per_epoch", steps_per_epoch)
        shown, seed = verbosity(verbose), next_seed()
        validation: TrainingData | BatchFeed | None = None
        feed: RowFeed | BatchFeed
        batches = feed_of(x, y, steps)
        if batches:
            refuse_beside_batches(sample_weight, validation_split, batch_size)
            batches.seed = seed if flag("shuffle", shuffle) else None
            feed, loss, example = self._fed(batches, class_weight)
        else:
            example, loss = self._rows_of(x, y, sample_weight)
            if validation_data is None and validation_split:
                example, validation = arrays.split(example, number("validation_split", validation_split))
            example = self._by_class(example, class_weight)
            size, again = batch_size_of(batch_size, len(example.x)), flag("shuffle", shuffle)
            each = self._per_call()  # an epoch is a whole number of calls, as in Keras
            feed = RowFeed(example, size, again, seed, first, None if steps is None else -(-steps // each) * each)
        if validation_data is not None:
            validation = self._validation(validation_data, loss)
        plan = FitPlan(first, max(last, first), seed, self._per_call())
        size = validation_batch_size or batch_size or DEFAULT_BATCH_SIZE
        judged = (validation, whole("validation_batch_size", size), validation_steps, validation_freq)
        return self._fit(feed, example, plan, loss, callbacks, shown, judged)

    def _per_call(self) -> int:
        return self.steps_per_execution if isinstance(self.steps_per_execution, int) else 1

    def _fed(self, batches: BatchFeed, class_weight: Any = None) -> tuple[BatchFeed, losses.Loss, TrainingData]:
        """A feed that gives rows of this model, the loss, and the first batch."""
        x, y, *weights = batches.first()
        loss = self._loss_of(x, y)

        def prepare(batch: Sequence[Any]) -> TrainingData:
            x, y, *weights = batch
            data = self._rows_of(x, y, weights[0] if weights else None, loss)[0]
            return self._by_class(data, class_weight)

        batches.prepare = prepare
        return batches, loss, prepare((x, y, *weights))

    def _loss_of(self, x: Any, y: Any) -> Any:
        return self._made_for(self._inputs_of(x))._resolved_loss(y)

    def _made_for(self, rows: Rows | TrainingData) -> Self:
        """The model as made for rows of the length of these: see :mod:`edgeling.models.views`."""
        known: Self = view(self, rows.rows if isinstance(rows, TrainingData) else rows_in(rows))
        return known

    def _rows_of(self, x: Any, y: Any, sample_weight: Any, loss: Any = None) -> tuple[TrainingData, Any]:
        """What is trained on or judged, and the loss: the one that is known, or as targets like these ask for it."""
        floats = self._inputs_of(x)
        require_indices(self, floats)
        known = self._made_for(floats)
        found = known._resolved_loss(y) if loss is None else loss
        data = known._data(floats, y, sample_weight, found)
        fixed = known is self and not self._from_data  # rows of another length may widen what came from data
        return (data if fixed else replace(data, rows=rows_in(floats))), found

    def _fit(
        self, feed: RowFeed | BatchFeed, example: TrainingData, plan: FitPlan, loss: losses.Loss, callbacks: Any,
        verbose: int, judged: tuple[Any, int, int | None, Any],
    ) -> History:  # fmt: skip
        optimizer, history = self._compiled(), History()
        params = {"verbose": verbose, "epochs": plan.last_epoch, "steps": feed.steps}
        hooks = CallbackList(callbacks, self, params)
        known = self._made_for(example)
        report = known._report(loss, example, *(part for part in judged[:1] if isinstance(part, TrainingData)))
        weighted = example.sample_weight is not None
        sessions = self._for_each_length(report, example, lambda at, told: at._sessions(told, optimizer, weighted))
        history.set_params(params)
        history.set_model(self)
        self.history, self.stop_training = history, False
        self.shuffle_seed, self.resumed = plan.seed, None
        self.calibration_rows = example.x[:CALIBRATION_ROWS]
        size = feed.batch_size if isinstance(feed, RowFeed) else len(example.x)
        if self._is_plain():
            self._told_misfits = tell_of_targets(known, loss, example.y, self._told_misfits)
        hooks.tell("set_rows", FitRows(example, judged[0], size, report.objective(example.y), loss))
        require_whole_batches(self, size, len(example.x) if isinstance(feed, RowFeed) else size)
        lend_states(self, self._optimizer_state, size)
        sessions(example)(size)
        plan = replace(plan, validation=self._judged(report, hooks, *judged))
        display = Display(verbose, plan.first_epoch, plan.last_epoch) if verbose else None
        try:
            with untold() if display is None or display.is_live else nullcontext():
                Fit(self, optimizer, sessions, report, feed, plan, hooks, history, display).run()
        finally:
            return_states(self, self._optimizer_state)
        return history

    def _for_each_length(
        self, report: AnyReport, example: TrainingData, make: Callable[[Any, Objective], _Made]
    ) -> Callable[[TrainingData], _Made]:
        """Something that is made of the model and of what is computed, for rows of each length that is met; the report
        is told of the length."""
        made: dict[Any, tuple[_Made, AnyReport]] = {}

        def of(data: TrainingData) -> _Made:
            known = self._made_for(data)
            if data.rows not in made:
                own, y = (report, example.y) if known is self else (known._report(report.loss, data), data.y)
                made[data.rows] = make(known, own.objective(y)), own
            found, own = made[data.rows]
            if isinstance(report, SeveralReport) and isinstance(own, SeveralReport):
                report.parts = own.parts
            return found

        return of

    def _sessions(
        self, objective: Objective, optimizer: optimizers.Optimizer, weighted: bool
    ) -> Callable[[int], Session]:
        """Compiled training for a size of batches; each is looked for once."""

        @cache
        def session(batch_size: int) -> tuple[tuple[int, Hashable], Lent]:
            signature, network = self._signature(objective), self._as_network()
            rule = optimizer.bound(network.names.items())

            def steps() -> Iterable[Graph]:
                return [training_graph(network, objective, rule, batch_size, weighted)]

            parts = [rule, self._called_layers, network.calls, objective] if isinstance(signature, Traced) else rule
            step = described(parts, steps, network.names.values())
            key = ("fit", signature, step, batch_size, weighted)
            lent = lend(key, lambda: for_training(network, objective, rule, batch_size, weighted))
            return (get_ident(), signature), lent

        def made(batch_size: int) -> Session:
            self._fitted = session(batch_size)
            return Session(self._fitted[1], self._named_weights(), self._optimizer_state)

        return made

    def _steps_on(
        self, x: Any, y: Any, batch_size: int, sample_weight: Any = None
    ) -> tuple[Session, TrainingData, int]:
        """Compiled training at the state of this moment, apart from the model; the rows, and how many a step takes."""
        optimizer = self._compiled()
        data, loss = self._rows_of(x, y, sample_weight)
        known, size = self._made_for(data), batch_size_of(batch_size, len(data.x))
        with seeds_apart():
            objective = known._report(loss, data).objective(data.y)
        session = known._sessions(objective, optimizer, False)(size)
        session.push()
        return session, data, size

    def _judged(
        self, report: AnyReport, hooks: CallbackList, data: TrainingData | BatchFeed | None, batch_size: int,
        steps: int | None, every: Any,
    ) -> Validation | None:  # fmt: skip
        if data is None:
            return None
        if isinstance(data, BatchFeed):
            data.steps = steps
            first = data.prepare(data.first())
            data = data.kept()
        else:
            data = first = data if steps is None else data[: whole("validation_steps", steps) * batch_size]
        if isinstance(data, TrainingData):
            require_whole_batches(self, min(batch_size, len(data.x)), len(data.x))
        several = isinstance(every, Collection)
        freq = frozenset(whole("validation_freq", n) for n in every) if several else whole("validation_freq", every)
        return Validation(self._judge(report, first, hooks, batch_size), data, freq)

    def _judge(self, report: AnyReport, example: TrainingData, hooks: CallbackList, batch_size: int) -> Judge:
        sessions = self._for_each_length(report, example, lambda known, told: known._evaluation(told))
        of_batches = goes_by_batches(self._made_for(example))
        return Judge(self, sessions, report, hooks, batch_size, self._per_call(), of_batches)

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
        """Loss and metrics of rows or batches: a list, the loss first; the loss alone if there are no metrics; or by
        name.

        Raises:
            DataError, TrainingError, CompilerNotFoundError: as :meth:`fit`.
        """
        self._require_loss()
        shown, steps = verbosity(verbose), None if steps is None else whole("steps", steps)
        batches = feed_of(x, y, steps)
        data: TrainingData | BatchFeed
        if batches:
            refuse_beside_batches(sample_weight, 0.0, batch_size)
            data, loss, example = self._fed(batches)
            size = len(example.x)
        else:
            size = batch_size_of(batch_size)
            example, loss = self._rows_of(x, y, sample_weight)
            data = example = example if steps is None else example[: steps * size]
        report = self._made_for(example)._report(loss, example)
        if not batches:
            require_whole_batches(self, min(size, len(example.x)), len(example.x))
        judge = self._judge(report, example, CallbackList(callbacks, self), size)
        with told_if_long("evaluating") if shown else untold():
            logs = judge(data)
        if shown:
            print(f"{'batches' if batches else f'{len(example.x)} rows'}  {numbers(logs)}")
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
        self._compiled()
        rows, loss = self._rows_of(x, y, sample_weight)
        data, seed = self._by_class(rows, class_weight), next_seed()
        feed = RowFeed(data, len(data.x), False, seed, 0, None)
        plan = FitPlan(0, 1, seed, self._per_call(), finalizes=False)
        history = self._fit(feed, data, plan, loss, None, 0, (None, 1, None, 1))
        logs = {key: values[-1] for key, values in history.history.items()}
        return logs if return_dict else _flat(logs)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Loss and metrics of these rows, as one batch."""
        return self.evaluate(
            x, y, len(self._inputs_of(x)), verbose=0, sample_weight=sample_weight, return_dict=return_dict
        )

    def _validation(self, given: Any, loss: losses.Loss) -> TrainingData | BatchFeed:
        batches = feed_of(given)
        if batches:
            return self._fed(batches)[0]
        if not isinstance(given, (list, tuple)) or not 2 <= len(given) <= 3:
            raise UnsupportedError(
                "validation_data is (x, y), (x, y, sample_weight) or batches of these", received=type(given).__name__,
                remedy="validation_data=(x_val, y_val)",
            )  # fmt: skip
        x, y, weights = (*given, None)[:3]
        return self._rows_of(x, y, weights, loss)[0]

    def _data(self, floats: Rows, y: Any, sample_weight: Any, loss: losses.Loss) -> TrainingData:
        if not self._is_plain():
            return packed(self, floats, y, sample_weight, compiled_parts(self))
        assert not isinstance(floats, Several)
        if isinstance(y, Mapping):
            (y,) = in_order(y, self._structures[1], self.output_labels, "targets")
        y = by_itself(y, 2, *([1] if len(floats) > 1 else []))
        truth, dimensions = arrays.targets(y, self._width(), loss), len(np.shape(y))
        loss.require_form(dimensions)
        rows = arrays.gathered(floats, truth, arrays.row_weights(truth, sample_weight))
        return replace(rows, target_rows=(tuple(np.shape(y)[1:]),))

    def _by_class(self, data: TrainingData, class_weight: Any) -> TrainingData:
        """The rows, each weighted by its class.

        Raises:
            UnsupportedError: rows that have no single class.
        """
        if class_weight is not None and [len(row) for row in self.output_rows] != [1]:
            raise UnsupportedError(
                "class_weight is for a model of one output, of one class a row",
                received=f"outputs of rows {', '.join(map(str, self.output_rows))}",
                remedy="sample_weight of shape [rows, steps], or a list of one for each output",
            )  # fmt: skip
        return arrays.with_class_weights(data, class_weight)

    def learning_program(self, y: Any, batch_size: int = 1, name: str = "network") -> Program:
        """C that predicts and learns: see :func:`edgeling.training.learning.learning_program`.

        It begins with the weights of this moment, and an optimizer that has made no step.

        Args:
            y: some targets, which tell how they are given: numbers of classes, or one column for each.
            batch_size: rows of one call.
            name: a C identifier; files, functions and structs carry it.

        Raises:
            TrainingError: the model is not compiled, or nothing would be learned.
        """
        optimizer, loss = self._compiled(), self._resolved_loss(y)
        truth = arrays.targets(y, self._width(), loss)
        objective = replace(self._report(loss).objective(truth), keeps_predictions=False)
        network = self._as_network(readable=True)
        rule = optimizer.bound(network.names.items())
        return learning_program(network, objective, rule, whole("batch_size", batch_size), name)

    def _resume(self, epoch: int, seed: int) -> None:
        """For callbacks, in ``on_train_begin``: the fit goes on at this epoch, its rows shuffled by this seed."""
        self.resumed = epoch, seed

    @property
    def optimizer_state(self) -> dict[str, Array]:
        """What the optimizer keeps from step to step, by the names of the training graph; empty before the first."""
        return self._optimizer_state

    def _evaluation(self, objective: Objective) -> Session | BatchSession:
        if goes_by_batches(self):
            return BatchSession(self, objective, self._signature(objective))
        return Session(self._evaluator(objective), self._named_weights(), {})

    def _evaluator(self, objective: Objective) -> Lent:
        signature = self._signature(objective)
        if self._fitted and self._fitted[0] == (get_ident(), signature):  # another thread may be at its own
            return self._fitted[1]
        return lend(("evaluate", signature), lambda: for_evaluation(self._as_network(), objective))

    def _compiled(self) -> optimizers.Optimizer:
        if not isinstance(self.optimizer, optimizers.Optimizer):
            raise TrainingError(
                "a model is compiled before it trains",
                received="no optimizer" if self.optimizer is None else repr(self.optimizer),
                remedy="model.compile('adam', loss)",
            )
        return self.optimizer

    def _require_loss(self) -> None:
        if self.loss is None and not (self.built and adds_to_loss(for_example(self))):
            raise TrainingError(
                "a model that is trained or evaluated is compiled with a loss", received="none",
                remedy="model.compile('adam', loss), or a layer that adds one",
            )  # fmt: skip

    def _is_plain(self) -> bool:
        return self.loss is not None and is_plain(self.input_rows, self.output_rows)

    def _width(self) -> int:
        _, output = self._rows()
        if len(output) != 1:
            raise UnsupportedError(
                "the outputs are rows of one dimension", received=str(output), remedy="add Flatten()"
            )
        return output[0]

    def _resolved_loss(self, y: Any) -> Any:
        self._require_loss()
        if not self._is_plain():
            return next((part.loss for part in compiled_parts(self) if part.loss is not None), None)
        alias = self.loss in ("crossentropy", "ce")
        target_width = arrays.raw_targets(y).shape[1] if alias else None
        found = losses.get(self.loss, self._width(), target_width)
        return found.for_rows(np.shape(y)[1:], (self._width(),)) if isinstance(found, WrittenLoss) else found

    def _report(self, loss: Any, *data: TrainingData | None) -> AnyReport:
        """The loss with the metrics it is reported with, for these rows."""
        given = [part for part in data if part is not None]
        if not self._is_plain():
            return SeveralReport(compiled_parts(self, given[0].target_rows if given else ()), given)
        has_weights, width = any(part.sample_weight is not None for part in given), self._width()
        target_row = given[0].target_row if given else None
        rows = None if target_row is None else (target_row, (width,))
        return Report(loss, self._metrics, self._weighted_metrics, width, has_weights, rows)

    def _named_weights(self) -> dict[str, Weight]:
        return {name: weight for weight, name in self._as_network().names.items()}

    def _signature(self, objective: Objective | None) -> Hashable:
        """Everything that evaluation's code depends on, or without an objective prediction's."""
        network = self._as_network()

        def graphs() -> Iterable[Graph]:
            return [evaluation_graph(network, objective) if objective else inference_graph(network, frozen=False)]

        return described([self.signature(), objective], graphs, network.names.values())

    def _inputs_of(self, x: Any, finite: bool = True) -> Rows:
        """Rows of every input; a model that is not built takes its shape from them.

        Raises:
            DataError: of others, of other shapes, or not numbers.
        """
        self._meet_rows(x, finite)
        given = self._in_order(x, "inputs")
        names = self.input_names if len(given) > 1 else [""]
        each = zip(given, self.input_rows, names, strict=True)
        found = [arrays.features(one, row, finite, name) for one, row, name in each]
        if len({len(part) for part in found}) != 1:
            raise DataError(
                "all inputs have as many rows", received=str([len(part) for part in found]),
                remedy="slice them to as many rows",
            )  # fmt: skip
        rows: Rows = side_by_side(found)
        return rows


def _flat(logs: dict[str, Any]) -> Any:
    return list(logs.values()) if len(logs) > 1 else logs["loss"]
