# SPDX-License-Identifier: Apache-2.0
"""What a person can choose about a training run, checked when it is chosen."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from math import isfinite
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, get_args

from edgeling import targets
from edgeling.data import Task
from edgeling.data.balance import BALANCES, Balance
from edgeling.data.table import number_text
from edgeling.errors import UnsupportedError

DEFAULT_TARGETS = ("native", "cortex-m4", "wasm32")
LARGEST_HIDDEN = 4096
MOST_SEEDS = 64
TASKS = ("binary", "multiclass", "regression")
PRECISION_CHOICES = ("float32", "int8", "int16x8", "auto")
SPLITS = ("random", "time", "group")
AUTO, LINEAR, ADDITIVE = "auto", "linear", "additive"
RECIPE_CHOICES = (
    AUTO, LINEAR, ADDITIVE, "plain", "residual-8", "residual-24", "annealed-8", "annealed-24", "annealed-64",
    "decayed-24", "decayed-64", "smoothed-16", "smoothed-64", "wide-64", "clipped-32", "clipped-128",
    "bent-smoothed-64", "bent-decayed-24", "bent-residual-24", "bent-clipped-128",
)  # fmt: skip

ClassWeight = Mapping[str, float] | None
Threshold = float | str | None
ExplainChoice = Literal["gradient", "integrated", "shapley"]
PrecisionChoice = Literal["float32", "int8", "int16x8", "auto"]


@dataclass(frozen=True)
class Settings:
    """The keyword arguments of :func:`edgeling.train`, in one place for what works with them.

    A single number for ``hidden`` is one layer, a single name for ``targets`` one target.

    Attributes:
        task: instead of the one told from the target column.
        precision: what is deployed; "auto" takes int8 where it is smaller and loses at most 1 % accuracy or R².
        hidden: units of each hidden layer, () for none; None sizes them by the table.
        activation: of the hidden layers, by Keras's name; None: the recipe's.
        batch_size: None: the recipe's.
        learning_rate: None: the recipe's, or the one that a range test finds, if rows left out say it is better.
        weight_decay: the share of each weight, times the learning rate, that a step takes away (Adam's, in
            Keras); None: the recipe's.
        epochs: at the most; training stops once the validation loss has not improved for a while.
        targets: where the C is proven.
        patience: epochs without a better validation loss after which training stops.
        seed: repeats a run bit for bit, with the same compiler on the same kind of processor.
        balance: what makes up for rare classes: "none", "weights", "oversample", "smote", "noise", "mixup", or "auto",
            which tries them.
        class_weight: what a row of each class counts, by label: "weights" of one's own.
        threshold: the probability above which the second of two classes is chosen; "auto" for the best balanced
            accuracy, "cost=10:1" where a row missed costs ten times a false alarm; None is 0.5, or with ``balance``
            or ``class_weight`` what these ask for.
        positive: of two classes, the one whose probability is told and judged; None is the second in order.
        drop, columns: not to learn from; to learn from alone. A name may be a list separated by commas.
        categorical, numeric: columns taken as such, whatever they look like.
        split: "random" (classes divided alike), "time:COLUMN" (learn from the past, judge on what comes last) or
            "group:COLUMN" (no value of that column in two parts). That column is not learned from unless named.
        test: a table to judge on, instead of a fifth of the rows.
        importance: whether to measure which columns matter.
        compiler: the command of the C compiler for Arm targets; empty: the one that comes with the package.
        recipe: how a network is made and trained: "plain", or "auto", which compares several, and a linear reference,
            on rows left out; the reference is deployed where no network is better. "linear" deploys it in any case.
        teacher: what a network learns to answer like: the name of an estimator of scikit-learn's, which is fitted
            here, or one that is fitted already: to a frame of the table's columns, or to these as numbers. Rows made
            up beside the table's let it tell more. Such a network is deployed where it is better than those that learn
            without a teacher, and than the linear reference.
        seeds: how many networks that differ in their seed alone answer as one, the mean of them; "auto" tries four of
            the best recipe, where there is time and they fit the targets, and takes them where rows left out are
            answered better by more than chance. Who names a recipe or hidden layers gets one unless told.
        refit: whether what is deployed learns once more, from all rows but those to test on.
        kernels: the target whose kernels the stored C calls, right anywhere; empty: those for anybody.
        explain: the stored C gains ``NAME_explain``, which is proven on the targets too: "gradient", "integrated" or
            "shapley" (up to 12 columns); None: it has none.
        reasons: with ``explain``, how many columns ``NAME_reasons`` names; None: two; 0: there is no such function.

    Raises:
        UnsupportedError: a value of another kind, or out of range.
    """

    task: Task | None = None
    precision: PrecisionChoice = "auto"
    hidden: tuple[int, ...] | None = None
    activation: str | None = None
    epochs: int = 500
    batch_size: int | None = None
    learning_rate: float | None = None
    weight_decay: float | None = None
    seed: int = 0
    targets: tuple[str, ...] = DEFAULT_TARGETS
    patience: int = 40
    balance: Balance = "none"
    class_weight: ClassWeight = None
    threshold: Threshold = None
    positive: str | None = None
    drop: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    split: str = "random"
    test: Any = None
    importance: bool = True
    compiler: str = ""
    recipe: str = AUTO
    refit: bool = True
    teacher: Any = None
    kernels: str = ""
    seeds: int | Literal["auto"] = "auto"
    explain: ExplainChoice | None = None
    reasons: int | None = None

    def __post_init__(self) -> None:
        _one_of("task", self.task, (None, *TASKS))
        _one_of("precision", self.precision, PRECISION_CHOICES)
        for name in ("epochs", "patience", *(["batch_size"] if self.batch_size is not None else [])):
            _whole(name, getattr(self, name), 1, 2**31 - 1)
        _whole("seed", self.seed, 0, 2**32 - 1)
        rate = 0.01 if self.learning_rate is None else self.learning_rate
        if not isinstance(rate, Real) or not isfinite(rate) or rate <= 0:
            raise UnsupportedError("learning_rate is a number above zero", received=repr(rate), remedy="0.01")
        if self.activation is not None:
            _require_activation(self.activation)
        decay = 0.0 if self.weight_decay is None else self.weight_decay
        if not isinstance(decay, Real) or isinstance(decay, bool) or not 0 <= decay < float("inf"):
            raise UnsupportedError("weight_decay is a number from zero up", received=repr(decay), remedy="0.01")
        object.__setattr__(self, "hidden", None if self.hidden is None else _sizes(self.hidden))
        for name in ("targets", "drop", "columns", "categorical", "numeric"):
            object.__setattr__(self, name, _names(name, getattr(self, name)))
        _one_of("balance", self.balance, BALANCES)
        object.__setattr__(self, "class_weight", _weights(self.class_weight, self.balance))
        object.__setattr__(self, "threshold", _threshold(self.threshold))
        if self.positive is not None:
            object.__setattr__(self, "positive", _label(self.positive))
        _one_of("recipe", self.recipe, RECIPE_CHOICES)
        object.__setattr__(self, "seeds", self.seeds if self.seeds == AUTO else _seeds(self.seeds, self))
        if self.teacher is not None and not (isinstance(self.teacher, str) or hasattr(self.teacher, "predict")):
            raise UnsupportedError(
                "teacher is an estimator of scikit-learn's, or the name of one", received=repr(self.teacher),
                remedy="'boosted-trees'",
            )  # fmt: skip
        for name in ("importance", "refit"):
            if not isinstance(getattr(self, name), bool):
                raise UnsupportedError(
                    f"{name} is True or False", received=repr(getattr(self, name)), remedy=f"{name}=True"
                )
        if not isinstance(self.compiler, str):
            raise UnsupportedError("compiler is a command", received=repr(self.compiler), remedy="'arm-none-eabi-gcc'")
        _require_target(self.kernels)
        _require_explain(self.explain, self.reasons)
        self.division  # noqa: B018  (is checked by being asked for)

    @property
    def minds_rare_classes(self) -> bool:
        """Whether classes are balanced, or a threshold is chosen for what errors cost."""
        return self.balance != "none" or self.class_weight is not None or isinstance(self.threshold, str)

    @property
    def division(self) -> tuple[str, str]:
        """How the rows are divided: ("random", ""), ("time", column) or ("group", column)."""
        kind, _, column = self.split.partition(":") if isinstance(self.split, str) else ("", "", "")
        if kind not in SPLITS or (kind == "random") == bool(column.strip()):
            raise UnsupportedError(
                "split is 'random', 'time:COLUMN' or 'group:COLUMN'", received=repr(self.split), remedy="'time:date'"
            )
        return kind, column.strip()

    def to_json(self) -> dict[str, Any]:
        """Plain values; a table given in memory is "a table"."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        teacher = values["teacher"]
        values["teacher"] = teacher if isinstance(teacher, str | None) else f"a fitted {type(teacher).__name__}"
        test = values["test"]
        values["test"] = str(test) if isinstance(test, (str, Path)) else None if test is None else "a table"
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _require_explain(explain: str | None, reasons: int | None) -> None:
    _one_of("explain", explain, (None, *get_args(ExplainChoice)))
    if reasons is not None:
        _whole("reasons", reasons, 0, 2**31 - 1)
    if reasons is not None and explain is None:
        raise UnsupportedError("reasons are of explanations", received=f"reasons={reasons}", remedy="explain='shapley'")


def _one_of(name: str, value: Any, allowed: Sequence[Any]) -> None:
    if value not in allowed:
        raise UnsupportedError(
            f"{name} is one of {', '.join(map(repr, allowed))}", received=repr(value), remedy=f"{name}={allowed[0]!r}"
        )


def _whole(name: str, value: Any, least: int, largest: int) -> int:
    if not isinstance(value, Integral) or isinstance(value, bool) or not least <= int(value) <= largest:
        raise UnsupportedError(
            f"{name} is a whole number between {least} and {largest}", received=repr(value), remedy=f"{name}={least}"
        )
    return int(value)


def _seeds(value: Any, settings: Settings) -> int:
    if not isinstance(value, Integral) or isinstance(value, bool) or not 1 <= int(value) <= MOST_SEEDS:
        raise UnsupportedError(
            f"seeds is 'auto' or a whole number between 1 and {MOST_SEEDS}", received=repr(value), remedy="seeds='auto'"
        )
    if int(value) > 1 and (settings.recipe in (LINEAR, ADDITIVE) or settings.hidden == ()):
        raise UnsupportedError(
            "several seeds are of networks with hidden layers that see all columns",
            received=f"seeds={value}, "
            + ("no hidden layer" if settings.hidden == () else f"recipe={settings.recipe!r}"),
            remedy="leave seeds (--seeds) out",
        )
    return int(value)


def _require_target(name: Any) -> None:
    if not isinstance(name, str):
        raise UnsupportedError("kernels names a target", received=repr(name), remedy="edgeling targets")
    if name:
        targets.get(name)


def _require_activation(value: Any) -> None:
    from edgeling import activations

    if not isinstance(value, str):
        raise UnsupportedError("activation is a name", received=repr(value), remedy="'tanh'")
    activations.get(value)


def _sizes(value: Any) -> tuple[int, ...]:
    sizes = (value,) if isinstance(value, Integral) else value
    if not isinstance(sizes, Sequence) or isinstance(sizes, str):
        raise UnsupportedError("hidden lists the units of each hidden layer", received=repr(value), remedy="(16, 8)")
    return tuple(_whole("a hidden layer's size", size, 1, LARGEST_HIDDEN) for size in sizes)


def _names(name: str, value: Any) -> tuple[str, ...]:
    names = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, Iterable) else (value,)
    if not all(isinstance(each, str) for each in names):
        remedy = "edgeling targets" if name == "targets" else "names of columns"
        raise UnsupportedError(f"{name} lists names", received=repr(value), remedy=remedy)
    return names


def _weights(value: Any, balance: str) -> ClassWeight:
    """``None``, or weights by the labels' text."""
    if value is None:
        return None
    if not isinstance(value, Mapping) or not value or not all(map(_is_weight, value.values())):
        raise UnsupportedError(
            "class_weight is None or numbers above zero by class", received=repr(value),
            remedy="{'yes': 5.0}, or balance='weights' (--balance weights) for classes that count the same",
        )  # fmt: skip
    if balance not in ("none", "weights"):
        raise UnsupportedError(
            "class_weight is one way to balance, and balance another", received=f"both, balance={balance!r}",
            remedy="leave one of them out",
        )  # fmt: skip
    return {_label(label): float(weight) for label, weight in value.items()}


def _threshold(value: Any) -> Threshold:
    if value is None or value == "auto" or (isinstance(value, str) and costs(value)):
        return value
    if not isinstance(value, Real) or isinstance(value, bool) or not 0 < float(value) < 1:
        raise UnsupportedError(
            "threshold is a probability between 0 and 1, 'auto', or what a row missed and a false alarm cost",
            received=repr(value), remedy="0.2, 'auto' or 'cost=10:1'",
        )  # fmt: skip
    return float(value)


def costs(text: str) -> tuple[float, float] | None:
    """What a row missed and a false alarm cost, of ``cost=10:1``; None of any other text."""
    found = re.fullmatch(r"cost=([0-9.eE+]+):([0-9.eE+]+)", text)
    try:
        miss, alarm = (float(part) for part in found.groups()) if found else (0.0, 0.0)
    except ValueError:
        return None
    return (miss, alarm) if 0 < miss < float("inf") and 0 < alarm < float("inf") else None


def _is_weight(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and 0 < float(value) < float("inf")


def _label(value: Any) -> str:
    """A class as the table writes it: 1.0 is "1", True is "true"."""
    if isinstance(value, bool):
        return str(value).lower()
    return number_text(float(value)) if isinstance(value, Real) else str(value)
