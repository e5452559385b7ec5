# SPDX-License-Identifier: Apache-2.0
"""The native training loop: one C library a network, holding its step, its evaluation and the loop around them."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

import numpy as np

from edgeling.codegen import generate
from edgeling.codegen.program import EntryPoint, Port, Program
from edgeling.errors import UnsupportedError
from edgeling.graph.cost import cost
from edgeling.graph.types import Array, Graph, TensorType
from edgeling.passes import optimize
from edgeling.passes.divide_rows import divide_rows
from edgeling.toolchain.native import THIS_MACHINE, NativeProgram, load
from edgeling.toolchain.threads import thread_count
from edgeling.training.loop import (
    EVALUATED_ROWS,
    EVALUATED_TOGETHER,
    MAX_LOGS,
    NOT_FINITE,
    PAUSED,
    EvaluatedRows,
    FitRun,
    is_log,
    loop_files,
    loop_units,
    prediction_size,
)
from edgeling.training.stored import stored_program

_SLICE_SECONDS = 0.05  # how long C may run before Python looks for Ctrl-C
_FIRST_SLICE_STEPS = 2000
_PRODUCTS_A_SECOND = 5_000_000_000  # of a slow core, before anything was timed
# From this many kernel calls on, some seconds of them, kernels compiled for their sizes save what compiling them costs.
_SPECIALISED_CALLS = 100_000_000
# From this many multiplications in one call on, a millisecond of them, threads are begun for it.
_SHARED_PRODUCTS = 1 << 26


def first_slice(products: int) -> int:
    """How many steps C takes before Python first looks in, of so many multiplications each."""
    return max(1, min(_FIRST_SLICE_STEPS, int(_SLICE_SECONDS * _PRODUCTS_A_SECOND) // max(1, products)))


@dataclass(frozen=True)
class TrainingData:
    """Rows to train on: x float32 [rows, features], y float32 [rows, outputs] or [rows, 1], weights [rows] or None.

    Attributes:
        target_rows: of each output the shape of one row of its targets as they were given; none: not known.
        weight_rows: where the last columns of y are weights, of each output the shape of one row's: () where a row has
            one, [steps] where each of its steps has.
        rows: of a model that does not know the lengths of its rows, of each input the shape of one of these.
    """

    x: Array
    y: Array
    sample_weight: Array | None = None
    target_rows: tuple[tuple[int, ...], ...] = ()
    weight_rows: tuple[tuple[int, ...], ...] = ()
    rows: tuple[tuple[int, ...], ...] = ()

    def __getitem__(self, rows: Any) -> TrainingData:
        """Some of the rows: by an array of their numbers, or a slice."""
        weights = None if self.sample_weight is None else self.sample_weight[rows]
        return replace(self, x=self.x[rows], y=self.y[rows], sample_weight=weights)

    @property
    def target_row(self) -> tuple[int, ...] | None:
        """The shape of one row of the targets of a single output, as they were given; None: not known."""
        return self.target_rows[0] if len(self.target_rows) == 1 else None


@dataclass(frozen=True)
class Kept:
    """Rows in the order in which they were seen, for metrics that are no mean over rows.

    Attributes:
        y: float32 [rows, outputs] or [rows, 1].
        predictions: float32 [rows, outputs].
        sample_weight: [rows], of an output's steps [rows, steps], or None.
        target_row: as in :class:`TrainingData`.
        mask: which steps of an output count, [rows, steps], or None.
    """

    y: Array
    predictions: Array
    sample_weight: Array | None = None
    target_row: tuple[int, ...] | None = None
    mask: Array | None = None

    def __getitem__(self, rows: slice) -> Kept:
        """Some of the rows."""
        y, predictions = self.y[rows], self.predictions[rows]
        weights, mask = (None if some is None else some[rows] for some in (self.sample_weight, self.mask))
        return replace(self, y=y, predictions=predictions, sample_weight=weights, mask=mask)


@dataclass(frozen=True)
class Epochs:
    """What a run of epochs gave.

    Attributes:
        logs: float32 [whole epochs, 1 + metrics]: loss first, means over each epoch's rows.
        interrupted: Ctrl-C stopped the run; the weights are those at the end of the last whole epoch.
        diverged: the loss of a batch in the next epoch was not finite; likewise.
        kept: what the last epoch's steps predicted, if the training graph gives predictions.
    """

    logs: Array
    interrupted: bool = False
    diverged: bool = False
    kept: Kept | None = None


class Engine:
    """A network's compiled training: weights live inside, data is read where it lies.

    Args:
        name: a C identifier.
        training_graph: gives the step for a batch size, as ``training.graphs`` makes it. Called for the full batch,
            for one more row, to see whether the same C does both, and, where it does not and rows are left over, for
            the rest.
        evaluation_graph: loss and metrics, means over a number of rows; likewise.
        adding_graph: of a batch that is not the last of its step, where a step takes several; likewise.
        batches_a_step: how many it takes.
        room: where a step takes any number of rows, it is compiled for so many at the least: smaller batches then
            share what is compiled.

    Raises:
        CompilerNotFoundError: there is no C compiler.
        UnsupportedError: a graph has more than 32 outputs.
        (Both when something is first run.)
    """

    def __init__(
        self,
        name: str,
        training_graph: Callable[[int], Graph] | None,
        evaluation_graph: Callable[[int], Graph] | None = None,
        adding_graph: Callable[[int], Graph] | None = None,
        batches_a_step: int = 1,
        room: int = 0,
    ) -> None:
        self._name = name
        self._training_graph = training_graph
        self._evaluation_graph, self._adding_graph = evaluation_graph, adding_graph
        self._batches_a_step = batches_a_step
        self._room = room
        self._sizes: tuple[int, int] | None = None
        self._calls, self._is_specialised, self._threads = 0, False, 0
        self._products: dict[str, int] = {}  # of a run of each entry
        self._native: NativeProgram | None = None
        self._variables: dict[str, Array] = {}  # views into the weights of what is compiled now
        self._weights: dict[str, Array] = {}  # what was loaded; of compiled variables, an old copy

    def load(self, weights: Mapping[str, Array]) -> None:
        """Start from these variables; those not named keep their contents (zero at first)."""
        self._weights.update(weights)
        self._write(weights)

    def weights(self) -> dict[str, Array]:
        """A copy of every variable: parameters first, then what the optimizer keeps."""
        held = {name: view.copy() for name, view in self._variables.items()}
        return {**held, **{name: array for name, array in self._weights.items() if name not in held}}

    def run_epochs(
        self,
        data: TrainingData,
        *,
        batch_size: int,
        epochs: int,
        shuffle: bool = True,
        seed: int = 0,
        first_epoch: int = 0,
        learning_rates: Array,
        steps_per_epoch: int | None = None,
        planned_steps: int = 0,
        accumulated: int = 0,
    ) -> Epochs:
        """Train for whole epochs.

        Args:
            planned_steps: how many steps the training that this call is part of may take; 0: those of this call.
            accumulated: how many batches of the present step were seen before this call.
            first_epoch: the number of the first epoch; with ``seed`` it decides the order of rows.
            learning_rates: float32, one value for all steps or one for each step of this call.

        The weights after Ctrl-C or a loss that is not finite are those of the last whole epoch.
        """
        rows = len(data.x)
        batch_size = min(batch_size, rows)
        sizes = batch_size, rows % batch_size
        steps = planned_steps or epochs * (steps_per_epoch or -(-rows // batch_size))
        if not self._serves(sizes) or self._is_specialised != self._pays(self._calls, steps):
            self._compile((max(sizes[0], self._room), sizes[1]), steps)
            if not self._serves(sizes):  # its step is for one number of rows
                self._compile(sizes, steps)
        run = self._run_of(data, batch_size, epochs, learning_rates, steps_per_epoch)
        run.fields.threads = self._threads_for(self._products["train"] * run.fields.batches_per_epoch * epochs)
        run.fields.shuffle, run.fields.seed, run.fields.first_epoch = shuffle, seed & 0xFFFFFFFF, first_epoch
        run.fields.batches_a_step, run.fields.accumulated = self._batches_a_step, accumulated
        return self._drive(run)

    def evaluate(self, data: TrainingData) -> Array:
        """Mean loss and metrics over the rows: float32 [1 + metrics]."""
        return self.evaluate_rows(data)[0]

    def evaluate_rows(self, data: TrainingData) -> tuple[Array, Array | None]:
        """As :meth:`evaluate`, and the predictions [rows, outputs] if the evaluation graph gives them."""
        if self._native is None or self._threads != thread_count():
            self._compile(self._sizes)
        rows, width = len(data.x), self._prediction_size("evaluate")
        predictions = np.empty((rows, width), np.float32) if width else None
        chunks = [slice(start, min(start + EVALUATED_ROWS, rows)) for start in range(0, rows, EVALUATED_ROWS)]
        parts = [self._means(data, chosen, predictions) for chosen in chunks]
        if len(parts) == 1:
            return parts[0], predictions
        shares = [(chosen.stop - chosen.start) / rows for chosen in chunks]
        means = np.average(np.asarray(parts, np.float64), axis=0, weights=shares)
        return means.astype(np.float32), predictions

    def _means(self, data: TrainingData, chosen: slice, predictions: Array | None) -> Array:
        x, y, weight = data.x[chosen], data.y[chosen], data.sample_weight
        given = (x, y, None if weight is None else weight[chosen])
        out = None if predictions is None else predictions[chosen]
        means = np.empty(self._log_count("evaluate"), np.float32)
        threads = self._threads_for(self._products["evaluate"] * len(x) // EVALUATED_TOGETHER)
        arenas = self._arenas(threads)
        weights, *columns = map(_address, (self._owned[0], *given, out))
        rows = EvaluatedRows(weights, ctypes.addressof(arenas), *columns, len(x), threads)
        self._evaluate(rows, means.ctypes.data)
        return means

    def _arenas(self, threads: int) -> ctypes.Array[ctypes.c_void_p]:
        """One for each thread, made when first needed."""
        assert self._native
        while len(self._clones) < threads:
            self._clones.append(self._native.clone(share_weights=True) if self._clones else self._native)
        return (ctypes.c_void_p * threads)(*(clone.arena.ctypes.data for clone in self._clones[:threads]))

    def _threads_for(self, products: int) -> int:
        """How many threads so many multiplications are worth. No bit depends on it."""
        return self._threads if products >= _SHARED_PRODUCTS else 1

    @staticmethod
    def _pays(calls: int, steps: int) -> bool:
        """Whether a run is long enough for kernels that are compiled for its sizes: by its work, never by the clock."""
        return calls * steps >= _SPECIALISED_CALLS

    def _compile(self, sizes: tuple[int, int] | None, steps: int = 0) -> None:
        """Compile for a batch size and a rest, keeping the variables' contents."""
        self._weights = self.weights()
        graphs = self._graphs(sizes[0] if sizes else 0, EVALUATED_TOGETHER)
        self._require_room(graphs)
        self._threads = thread_count()
        self._products = {name: cost(graph).multiply_accumulates for name, graph in graphs.items()}
        self._calls = len(graphs["train"].nodes) if sizes else 0
        self._slice_steps = first_slice(self._products.get("train", 0))
        self._is_specialised = self._pays(self._calls, steps)
        told = repr((self._name, list(graphs), sizes, self._is_specialised, THIS_MACHINE, self._threads))
        program = stored_program(told, graphs.values(), lambda: self._program(graphs, *(sizes or (0, 0))))
        self._native = load(program, loop_files(program), loop_units(), linked=not self._is_specialised)
        self._clones: list[NativeProgram] = []
        self._sizes = sizes
        self._owned = self._native.weights, self._native.arena
        self._variables = _views(self._native, graphs)
        self._write(self._weights)
        if sizes:
            self._fit = self._native.symbol(f"{self._name}_fit")
            self._fit.restype = ctypes.c_int32
            self._fit.argtypes = (ctypes.POINTER(FitRun), ctypes.c_int64)
        if self._evaluation_graph:
            self._evaluate = self._native.symbol(f"{self._name}_evaluate_rows")
            self._evaluate.argtypes = (ctypes.POINTER(EvaluatedRows), ctypes.c_void_p)

    def _serves(self, sizes: tuple[int, int]) -> bool:
        """Whether what is compiled now does for a batch size and a rest."""
        if self._sizes is None or self._threads != thread_count():
            return False
        if self._entry("train").takes_rows:
            return sizes[0] == self._sizes[0] or sizes[0] < self._sizes[0] == self._room
        return sizes[0] == self._sizes[0] and sizes[1] in (0, self._sizes[1])

    def _program(self, graphs: dict[str, Graph], batch_size: int, rest: int) -> Program:
        """C for these graphs: each for any number of rows, or beside it another one for what is left over."""
        target = replace(THIS_MACHINE, threads=self._threads)
        trained = batch_size + 1 if batch_size and not self._is_specialised else 0
        more = self._graphs(trained, EVALUATED_TOGETHER + 1)
        program = generate(graphs, self._name, target=target, more_rows=more)
        fixed = {e.function.removeprefix(f"{self._name}_") for e in program.entries if not e.takes_rows}
        left = self._graphs(rest if fixed & {"train", "add"} else 0, 1 if "evaluate" in fixed else 0)
        if not left:
            return program
        more = {name: graph for name, graph in more.items() if name not in fixed}
        names = {"train": "train_tail", "add": "add_tail", "evaluate": "evaluate_row"}
        beside = {names[name]: graph for name, graph in left.items()}
        return generate({**graphs, **beside}, self._name, target=target, more_rows=more)

    def _graphs(self, batch_size: int, evaluated: int) -> dict[str, Graph]:
        """The step and the evaluation of so many rows; of none: not that one."""
        graphs = {}
        if batch_size and self._training_graph:
            graphs["train"] = self._in_blocks(optimize(self._training_graph(batch_size)), batch_size)
        if batch_size and self._adding_graph:
            graphs["add"] = self._in_blocks(optimize(self._adding_graph(batch_size)), batch_size)
        if evaluated and self._evaluation_graph:
            graphs["evaluate"] = optimize(self._evaluation_graph(evaluated))
        return graphs

    def _in_blocks(self, graph: Graph, batch_size: int) -> Graph:
        """A step in blocks of rows where that pays; one that is to take any number of rows has none."""
        return graph if self._room else divide_rows(graph, batch_size)

    @staticmethod
    def _require_room(graphs: Mapping[str, Graph]) -> None:
        most = max(sum(len(graph.types[o].shape) < 2 for o in graph.outputs) for graph in graphs.values())
        if most > MAX_LOGS:
            raise UnsupportedError(
                f"there are at most {MAX_LOGS - 1} metrics", received=f"{most - 1}", remedy="fewer metrics"
            )

    def _write(self, weights: Mapping[str, Array]) -> None:
        for name in weights.keys() & self._variables.keys():
            self._variables[name][...] = weights[name]

    def _log_count(self, entry: str) -> int:
        return sum(map(is_log, self._outputs(entry)))

    def _prediction_size(self, entry: str) -> int:
        """Columns of the predictions an entry gives; 0 if it gives none."""
        return prediction_size(self._entry(entry))

    def _outputs(self, entry: str) -> tuple[Port, ...]:
        return self._entry(entry).outputs

    def _entry(self, name: str) -> EntryPoint:
        assert self._native
        return next(e for e in self._native.program.entries if e.function == f"{self._name}_{name}")

    def _run_of(
        self, data: TrainingData, batch_size: int, epochs: int, learning_rates: Array, steps: int | None
    ) -> _PreparedRun:
        rows, x_size, y_size = len(data.x), data.x[0].size, data.y[0].size
        log_count = self._log_count("train")
        logs = np.empty((epochs, log_count), np.float32)
        order = np.empty(rows, np.int32)
        gathered = np.empty(batch_size * (x_size + y_size + 1), np.float32)
        kept = self._room_to_keep(data)
        weights, arena = self._owned
        last_good = weights.copy()
        rates = np.atleast_1d(np.ascontiguousarray(learning_rates, np.float32))
        batches = -(-rows // batch_size)
        start = gathered.ctypes.data
        fields = FitRun(
            weights=_address(weights), arena=_address(arena),
            last_good=_address(last_good), weights_bytes=weights.nbytes,
            x=_address(data.x), y=_address(data.y), sample_weight=_address(data.sample_weight), rows=rows,
            batch_x=start, batch_y=start + 4 * batch_size * x_size,
            batch_weight=start + 4 * batch_size * (x_size + y_size),
            **_places(kept), order=order.ctypes.data, logs=logs.ctypes.data, log_count=log_count,
            learning_rates=rates.ctypes.data, learning_rate_count=rates.size,
            batch_size=batch_size, batches_per_epoch=min(steps or batches, batches), epochs=epochs,
        )  # fmt: skip
        return _PreparedRun(fields, logs, last_good, (data, order, gathered, rates), kept)

    def _room_to_keep(self, data: TrainingData) -> Kept | None:
        width = self._prediction_size("train")
        if not width:
            return None
        weights = None if data.sample_weight is None else np.empty(len(data.x), np.float32)
        predictions = np.empty((len(data.x), width), np.float32)
        return Kept(np.empty(data.y.shape, np.float32), predictions, weights, data.target_row)

    def _drive(self, run: _PreparedRun) -> Epochs:
        status = PAUSED
        try:
            while status == PAUSED:
                start, before = monotonic(), run.fields.step
                status = self._fit(run.fields, self._slice_steps)
                done, seconds = run.fields.step - before, max(monotonic() - start, 1e-6)
                self._slice_steps = max(1, int(done * _SLICE_SECONDS / seconds))
        except KeyboardInterrupt:
            self._restore(run)
            return Epochs(run.logs[: run.fields.epoch], interrupted=True)
        if status == NOT_FINITE:
            self._restore(run)
        return Epochs(run.logs[: run.fields.epoch], diverged=status == NOT_FINITE, kept=run.seen())

    def _restore(self, run: _PreparedRun) -> None:
        self._owned[0][:] = run.last_good


@dataclass
class _PreparedRun:
    fields: FitRun
    logs: Array
    last_good: Array
    keep: Any  # arrays C points into
    kept: Kept | None

    def seen(self) -> Kept | None:
        """The rows that were kept of the epoch that ended last."""
        return None if self.kept is None else self.kept[: self.fields.kept]


def _places(kept: Kept | None) -> dict[str, int | None]:
    if kept is None:
        return {}
    arrays = {"kept_prediction": kept.predictions, "kept_y": kept.y, "kept_weight": kept.sample_weight}
    return {name: _address(array) for name, array in arrays.items()}


def _address(array: Array | None) -> int | None:
    return None if array is None else array.ctypes.data


def _views(native: NativeProgram, graphs: Mapping[str, Graph]) -> dict[str, Array]:
    types: dict[str, TensorType] = {n: g.types[n] for g in graphs.values() for n in g.variables}
    return {name: native.variable(name, types[name]) for name in native.program.variable_offsets}
