# SPDX-License-Identifier: Apache-2.0
"""Networks that go on learning where they are deployed: what learns, on what, and the proof on an emulated chip."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, TypedDict, get_args

import numpy as np

from edgeling import optimizers, targets
from edgeling.codegen import generate
from edgeling.codegen.interface import Interface
from edgeling.codegen.program import Program
from edgeling.data import Preparation
from edgeling.data.features import NumericFeature
from edgeling.errors import DataError, UnsupportedError
from edgeling.graph import Graph, run
from edgeling.graph.cost import cost
from edgeling.graph.types import Array, DType
from edgeling.network.arrays import numbers
from edgeling.passes.learnable import in_units, levels, standardized, weights_of, with_float_head
from edgeling.targets import Target
from edgeling.toolchain import emulator, firmware, measure
from edgeling.toolchain.prove import Proof, prove
from edgeling.toolchain.prove_learning import JudgedStep, LearningProof, prove_learning
from edgeling.toolchain.tools import require_tools
from edgeling.training.on_device import BINARY, SPARSE, SQUARED, Columns, Goal, Learner, learner
from edgeling.workflow.deploy import Deployable, tolerance_of
from edgeling.workflow.learning_meaning import REJECTED, UPDATED, StepMeaning

OptimizerName = Literal["sgd", "momentum", "adam"]
LOSSES = ("mean_squared_error", "mean_absolute_error", "huber")
ADAPT = ("", "preparation")
STEPS = 16  # rows that are learned from to prove it
MOST_REMEMBERED = 1024
_STEP_PRODUCTS = 8_000_000  # in all steps that are run on a chip unasked


class LearningOptions(TypedDict, total=False):
    """The settings of :class:`Learning` beside which layers learn."""

    optimizer: str
    loss: str
    adapt: str
    remember: int


@dataclass(frozen=True, kw_only=True)
class Learning:
    """What learns on the device, and how.

    Attributes:
        layers: ``"last"``, ``"all"``, or how many dense layers and convolutions, counted from the answer.
        optimizer: ``"sgd"``, ``"momentum"`` (0.9) or ``"adam"``.
        loss: of numbers: ``"mean_squared_error"``, ``"mean_absolute_error"`` or ``"huber"``; classes have theirs.
        adapt: ``"preparation"``: the input's means and deviations follow the rows that come.
        remember: rows of the ring that an update must not lose on; 0 adopts every update.
    """

    layers: str | int = "last"
    optimizer: str = "sgd"
    loss: str = ""
    adapt: str = ""
    remember: int = 0

    def count(self) -> int | None:
        """How many levels learn; None: all.

        Raises:
            UnsupportedError: ``layers`` says none, or another setting is none that there is.
        """
        named = {"last": 1, "all": None}
        text = str(self.layers).strip()
        if self.optimizer not in get_args(OptimizerName):
            choices = ", ".join(get_args(OptimizerName))
            raise UnsupportedError(
                f"a device learns with one of {choices}", received=repr(self.optimizer),
                remedy=f"optimizer={get_args(OptimizerName)[0]!r}",
            )  # fmt: skip
        if self.adapt not in ADAPT:
            raise UnsupportedError(
                "what adapts besides is the preparation", received=repr(self.adapt),
                remedy="adapt='' or adapt='preparation'",
            )  # fmt: skip
        if isinstance(self.remember, bool) or not 0 <= self.remember <= MOST_REMEMBERED:
            rule = f"from 0 to {MOST_REMEMBERED:,} rows are remembered"
            raise UnsupportedError(rule, received=repr(self.remember), remedy="remember=0")
        if text not in named and not (text.isascii() and text.isdigit() and int(text) > 0):
            raise UnsupportedError(
                "what learns is the last layer, all, or a number of layers", received=repr(self.layers),
                remedy="learn='last', 'all' or 2 (--learn)",
            )  # fmt: skip
        return named[text] if text in named else int(text)

    def rule(self) -> optimizers.Optimizer:
        """The optimizer, with the rate that is usual for it."""
        return optimizers.SGD(momentum=0.9) if self.optimizer == "momentum" else optimizers.get(self.optimizer)


@dataclass(frozen=True, eq=False)
class LearningModel:
    """A network that learns, ready for code generation.

    Attributes:
        deployed: its answers before it has learned anything; ``precision`` is its only one.
        learner: its graphs.
        rate: the learning rate that is usual for its optimizer.
        names: of classes, or none.
    """

    deployed: Deployable
    precision: str
    learner: Learner
    rate: float

    def program(self, target: Target | None) -> Program:
        """The C, for one target or for anybody."""
        interface = replace(self.deployed.interface or Interface(), learning=self.learner.interface)
        return generate(
            self.learner.graphs, self.deployed.name, initial_values=True, target=target, interface=interface
        )

    def lessons(self, rows: Any, truths: Any) -> tuple[Array, Array]:
        """Rows and truths as the step takes them, each ``[steps, ...]``.

        Raises:
            DataError: not as many of one as of the other, of another width, not finite, or no number of a class.
        """
        row, truth, _ = self.learner.learn.inputs
        kinds = self.learner.learn.types
        x = numbers(rows, "rows", finite=False).reshape(len(rows), -1)
        y = numbers(truths, "truths", finite=True).reshape(len(truths), -1)
        sizes = kinds[row].size, kinds[truth].size
        if not len(x) or len(x) != len(y) or (x.shape[1], y.shape[1]) != sizes:
            raise DataError(
                f"lessons are as many rows of {sizes[0]} numbers as truths of {sizes[1]}",
                received=f"arrays of shape {x.shape} and {y.shape}",
                remedy=f"reshape them to [rows, {sizes[0]}] and [rows, {sizes[1]}]",
            )
        classes = self.learner.goal.classes
        if classes and not np.isin(y, np.arange(classes)).all():
            raise DataError(
                f"a truth is the number of a class, 0 to {classes - 1}",
                received=f"{y[~np.isin(y, np.arange(classes))][0]:g}", remedy="number the classes from 0",
            )  # fmt: skip
        if not self.deployed.answerable(x).all():
            raise DataError(
                "a row that is learned from can be answered", received="NaN or infinity",
                remedy="leave the row out, or fill the value in",
            )  # fmt: skip
        return x, y

    def made_up(self, steps: int = STEPS) -> tuple[Array, Array]:
        """Rows to learn from, of the kind the network is proven on; the truths are drawn, or the answers disturbed."""
        products = max(1, cost(self.learner.learn).multiply_accumulates)
        (rows,) = self.deployed.rows
        rows = rows[: max(1, min(steps, _STEP_PRODUCTS // products))]
        rows = rows[self.deployed.answerable(rows)]
        dice = np.random.Generator(np.random.Philox(1))
        goal = self.learner.goal
        if goal.classes:
            return self.lessons(rows, dice.integers(0, goal.classes, len(rows)))
        (answers,) = self.deployed.answers(self.precision, rows)
        spread = goal.unit[1] if goal.function in LOSSES else 0.0
        noise = dice.normal(size=answers.shape) * spread
        drawn = answers + noise if spread else dice.integers(0, 2, answers.shape)
        return self.lessons(rows, drawn.astype(np.float32))

    def prove_answers(self, target: Target) -> Proof:
        """The answers of a network that has learned nothing yet, on a target.

        Raises:
            ToolchainError, TargetError: as :func:`edgeling.toolchain.prove.prove`.
        """
        small = self.deployed.for_emulation(self.precision, target)
        expected = small.answers(self.precision, small.rows)
        return prove(self.program(target), target, small.rows, expected, tolerance_of("float32", expected))

    def prove(self, target: Target, lessons: tuple[Array, Array], rate: float | None = None) -> LearningProof:
        """Let the C learn on a target, and compare with what the graphs mean.

        Raises:
            ToolchainError, TargetError: as :func:`edgeling.toolchain.prove.prove`.
        """
        rows, truths = lessons
        used = self.rate if rate is None else rate
        meaning, rates = StepMeaning(self.learner), np.full((len(rows), 1), used, np.float32)

        def judge(step: int, held: dict[str, Array], found: dict[str, Array], state: int | None) -> JudgedStep:
            return meaning.judged(held, found, state, rows[step], truths[step], float(rates[step, 0]))

        expected, _ = self.learned(rows, truths, used)
        start = dict(self.learner.learn.variables)
        inputs = [rows, truths, rates]
        return prove_learning(self.program(target), target, inputs, start, judge, expected, self.learner.weights)

    def device(self, target: str | Target = "cortex-m4") -> EmulatedDevice:
        """An emulated chip that has learned nothing yet.

        Raises:
            ToolchainError, TargetError: the program does not compile, does not fit, or the chip is none to emulate.
        """
        return EmulatedDevice(self, targets.get(target) if isinstance(target, str) else target)

    def learned(
        self, rows: Array, truths: Array, rate: float, held: dict[str, Array] | None = None
    ) -> tuple[dict[str, Array], list[int]]:
        """Every variable after learning from these rows in order, as the graphs mean it; and what each step returned.

        Args:
            held: variables to begin with; by default those of a network that has learned nothing.
        """
        held, meaning = dict(held or self.learner.learn.variables), StepMeaning(self.learner)
        states = []
        for row, truth in zip(rows, truths, strict=True):
            after = meaning.after(held, row, truth, rate)
            states.append(REJECTED if after is None else UPDATED)
            held = held if after is None else after
        return held, states

    def answers(self, held: dict[str, Array], rows: Array) -> Array:
        """What the network answers with these variables: [rows, outputs]."""
        graph = self.learner.run
        given = {name: held[name] for name in graph.variables}
        shape = graph.types[graph.inputs[0]].shape
        return np.concatenate([run(graph, [row.reshape(shape)], given).outputs[0] for row in rows])


class EmulatedDevice:
    """A Cortex-M that answers and learns, row by row.

    Attributes:
        target: the chip.
        steps, rejected: rows learned from so far, and of them those whose update was not adopted.
        step_instructions, answer_instructions: what the costliest step and answer so far took.
        footprint: flash and RAM of the program.
    """

    def __init__(self, model: LearningModel, target: Target) -> None:
        require_tools(target)
        program = model.program(target)
        built = [firmware.build_roomy(program, target, f"{program.name}_{f}") for f in ("learn", "run")]
        self._model, self.target = model, target
        self._learner, self._runner = map(emulator.CortexM, built)
        self.footprint = measure.measure(built[0], target)
        self.steps = self.rejected = self.step_instructions = self.answer_instructions = 0

    def learn(self, rows: Any, truths: Any, rate: float | None = None) -> list[bool]:
        """Learn from rows in order; says of each whether its update was adopted.

        Raises:
            DataError: as :meth:`LearningModel.lessons`.
        """
        x, y = self._model.lessons(rows, truths)
        rates = np.full((len(x), 1), self._model.rate if rate is None else rate, np.float32)
        done = self._learner.run([x, y, rates])
        adopted = [state == UPDATED for state in done.status.tolist()]
        self.steps, self.rejected = self.steps + len(x), self.rejected + adopted.count(False)
        self.step_instructions = max(self.step_instructions, int(done.instructions.max(initial=0)))
        return adopted

    def answers(self, rows: Any) -> Array:
        """What it answers now: float32 [rows, outputs]."""
        x = numbers(rows, "rows", finite=False).reshape(len(rows), -1)
        self._runner.load_weights(self._learner.weights())
        done = self._runner.run([x])
        self.answer_instructions = max(self.answer_instructions, int(done.instructions.max(initial=0)))
        return done.outputs[0]


def learning_model(
    deployed: Deployable, precision: str, settings: Learning, preparation: Preparation | None = None
) -> LearningModel:
    """A deployed network some of whose layers learn.

    Args:
        deployed: with its float32 graph, and that of ``precision``.
        preparation: of a network that was trained on a table: how its columns and its target were scaled.

    Raises:
        UnsupportedError: a layer or a network that cannot learn; the message names it.
    """
    count = settings.count()
    if "float32" not in deployed.graphs:
        raise UnsupportedError(
            "a network that learns is also there in float32",
            received=f"{deployed.name} in {' and '.join(deployed.graphs)} only",
            remedy="train again with precision='auto' (--precision auto)",
        )  # fmt: skip
    exact = deployed.graphs["float32"]
    _require_plain(exact)
    unit = _unit(preparation)
    weights_of(exact, count)
    graph = in_units(exact, *unit) if unit != (0.0, 1.0) else exact
    if precision != "float32":
        graph = with_float_head(deployed.graphs[precision], graph, count or len(levels(graph)))
    names = weights_of(graph, count)
    if preparation is not None and precision == "float32":
        graph = standardized(graph, names, *_columns_of(preparation))
    rule = settings.rule()
    made = learner(graph, names, _goal(deployed, settings.loss, unit), rule, _followed(settings, preparation))
    made = made.remembering(settings.remember) if settings.remember else made
    whole = replace(deployed, graphs={precision: made.run}, programs={})
    return LearningModel(whole, precision, made, float(rule.learning_rate))


def _require_plain(graph: Graph) -> None:
    ports = len(graph.inputs), len(graph.outputs)
    (x, *_), (y, *_) = graph.inputs or ("",), graph.outputs or ("",)
    if (
        ports != (1, 1)
        or graph.variables
        or graph.types[x].dtype is not DType.FLOAT32
        or len(graph.types[y].shape) != 2
    ):
        received = f"{ports[0]} inputs, {ports[1]} outputs, {len(graph.variables)} variables"
        raise UnsupportedError(
            "a network that learns on a device has one input of floats, one row of outputs, and keeps no state",
            received=received, remedy="one Input of all columns, which the network cuts (x[:, :3]), and one output",
        )  # fmt: skip


def _unit(preparation: Preparation | None) -> tuple[float, float]:
    if preparation is None or preparation.target.task != "regression":
        return 0.0, 1.0
    if preparation.target.curve is not None:
        raise UnsupportedError(
            "a network that learns on a device answers in proportion to its target",
            received="one that learned it through a transform",
            remedy="train with recipe='smoothed-64' (--recipe smoothed-64)",
        )  # fmt: skip
    return float(preparation.target.mean), float(preparation.target.scale)


def _columns_of(preparation: Preparation) -> tuple[Array, Array]:
    """Mean and scale of each element of the raw vector; 0 and 1 of what is no number."""
    numeric = [f if isinstance(f, NumericFeature) else None for f in preparation.features]
    return (np.array([f.mean if f else 0.0 for f in numeric]), np.array([f.scale if f else 1.0 for f in numeric]))


def _followed(settings: Learning, preparation: Preparation | None) -> Columns | None:
    if not settings.adapt:
        return None
    if preparation is None:
        raise UnsupportedError(
            "a preparation that adapts is that of a network trained on a table", received="a bare model",
            remedy="edgeling train, or leave adapt (--adapt) out",
        )  # fmt: skip
    mean, scale = _columns_of(preparation)
    is_number = [isinstance(f, NumericFeature) for f in preparation.features]
    return Columns(mean, np.where(is_number, scale, 0.0))


def _goal(deployed: Deployable, loss: str, unit: tuple[float, float]) -> Goal:
    """What the last layer's answers mean, as Keras's losses read them."""
    graph = deployed.graphs["float32"]
    (answer,) = graph.outputs
    size = graph.types[answer].size
    maker = next((n for n in graph.nodes if answer in n.outputs), None)
    decision = deployed.interface.decision if deployed.interface else ""
    is_sigmoid = maker is not None and maker.attributes.get("function") == "sigmoid"
    is_softmax = (maker is not None and maker.operation == "softmax") or decision == "largest"
    if loss and (loss not in LOSSES or is_sigmoid or is_softmax or decision):
        raise UnsupportedError(
            f"a loss is chosen for numbers: {', '.join(LOSSES)}; that of classes is their cross-entropy",
            received=f"{loss!r}" + (" for classes" if loss in LOSSES else ""), remedy="leave loss (--loss) out",
        )  # fmt: skip
    if is_softmax and size > 1:
        return Goal(SPARSE, size)
    if is_sigmoid or decision == "threshold":
        return Goal(BINARY, 2 if size == 1 else 0)
    return Goal(loss or SQUARED, 0, unit)
