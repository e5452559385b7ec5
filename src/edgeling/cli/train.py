# SPDX-License-Identifier: Apache-2.0
"""``edgeling train``: the main job, on a person's own table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from edgeling.cli.balancing import BALANCES, Balance, ClassWeight, Threshold, threshold_of, weights_of
from edgeling.cli.build import CompilerName
from edgeling.cli.explaining import Explain, Reasons, require_explain, show_explanations
from edgeling.cli.output import Json, Seed, print_json, reported
from edgeling.cli.reading import Table, reads_tables

Out = Annotated[Path | None, typer.Option(help="The folder to write; by default NAME.edgeling here.")]
Precision = Annotated[
    str, typer.Option(help="float32, int8, int16x8, or auto: int8 if it is smaller, and costs at most 1 % accuracy.")
]
Targets = Annotated[
    str, typer.Option("--for", help="Where to prove the C; edgeling targets lists what there is.", metavar="LIST")
]
EVERYWHERE = "native,cortex-m4,wasm32"
Epochs = Annotated[int, typer.Option(help="At the most; training stops by itself.", min=1)]


Columns = Annotated[str, typer.Option(help="Learn from these columns alone.", metavar="LIST")]
Drop = Annotated[str, typer.Option(help="Do not learn from these columns.", metavar="LIST")]
Categorical = Annotated[
    str, typer.Option(help="Columns to take as categories, even where they look like numbers.", metavar="LIST")
]
Numeric = Annotated[
    str, typer.Option(help="Columns to take as numbers, even where they only count the rows.", metavar="LIST")
]
Positive = Annotated[
    str, typer.Option(help="Of two classes the one to tell the probability of; by default the second in order.")
]
HowSplit = Annotated[
    str,
    typer.Option(
        help="How rows are divided to learn, validate and judge: random, time:COLUMN (learn from the past, judge "
        "on what comes last) or group:COLUMN (no value of it in two parts).",
        metavar="random|time:COLUMN|group:COLUMN",
    ),
]
Test = Annotated[Path | None, typer.Option(help="A table to judge on, instead of a fifth of the rows.")]
Hidden = Annotated[
    str, typer.Option(help="Units of the hidden layers, such as 16,8, or none; by default sized for you.")
]
Activation = Annotated[
    str, typer.Option(help="Of the hidden layers, by Keras's name: relu, tanh, silu...; by default the recipe's.")
]
BatchSize = Annotated[
    int | None, typer.Option(help="Rows a step.", min=1, show_default="16, or 256 with columns of many categories")
]
LearningRate = Annotated[
    float | None, typer.Option(help="Of Adam.", show_default="the recipe's, or one that a range test finds better")
]
Patience = Annotated[int, typer.Option(help="Epochs without a better validation loss before training stops.", min=1)]
Recipe = Annotated[
    str,
    typer.Option(
        help="How a network is made and trained: auto compares several, and a linear reference, on rows left out, and "
        "deploys the reference where no network is better; or one of them by its name.",
        metavar="auto|linear|additive|plain|NAME-EPOCHS",
    ),
]
Teacher = Annotated[
    str,
    typer.Option(
        help="An estimator of scikit-learn's, fitted here, that the network learns to answer like: boosted-trees, "
        "random-forest, extra-trees, nearest-neighbors, or a class's name such as GaussianProcess.",
        metavar="NAME",
    ),
]
Seeds = Annotated[
    str,
    typer.Option(
        help="So many networks that differ in their seed alone answer as one, the mean of them; auto tries four of the "
        "best recipe, and takes them where they are better by more than chance.",
        metavar="auto|N",
    ),
]
WeightDecay = Annotated[
    float | None,
    typer.Option(help="The share of each weight, times the learning rate, that a step takes away.", min=0),
]
Additive = Annotated[
    bool,
    typer.Option(
        "--additive", help="The network is a sum over columns, a small one each, whose curves the report draws exactly."
    ),
]
NoRefit = Annotated[
    bool, typer.Option("--no-refit", help="Do not learn once more from all rows but those to judge on.")
]
Kernels = Annotated[
    str, typer.Option(help="The target whose kernels the stored C calls; by default C for anybody.", metavar="TARGET")
]
NoImportance = Annotated[bool, typer.Option("--no-importance", help="Do not ask which columns matter.")]


class TrainCommand(TyperCommand):
    """``--split time COLUMN`` may be two words, as well as ``--split time:COLUMN``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        for i, (option, kind, column) in enumerate(zip(args, args[1:], args[2:], strict=False)):
            if option == "--split" and kind in ("time", "group") and not column.startswith("--"):
                return super().parse_args(ctx, [*args[: i + 1], f"{kind}:{column}", *args[i + 3 :]])
        return super().parse_args(ctx, args)


@reads_tables
def train(
    table: Annotated[Path, typer.Argument(help=Table)],
    target: Annotated[str, typer.Option(help="The column to predict.")],
    reading: dict[str, Any],
    task: Annotated[str, typer.Option(help="binary, multiclass or regression; by default told from the column.")] = "",
    columns: Columns = "",
    drop: Drop = "",
    categorical: Categorical = "",
    numeric: Numeric = "",
    positive: Positive = "",
    balance: Balance = "none",
    class_weight: ClassWeight = "",
    threshold: Threshold = "",
    split: HowSplit = "random",
    test: Test = None,
    precision: Precision = "auto",
    hidden: Hidden = "",
    activation: Activation = "",
    epochs: Epochs = 500,
    patience: Patience = 40,
    batch_size: BatchSize = None,
    learning_rate: LearningRate = None,
    weight_decay: WeightDecay = None,
    recipe: Recipe = "auto",
    additive: Additive = False,
    no_refit: NoRefit = False,
    seeds: Seeds = "auto",
    teacher: Teacher = "",
    no_importance: NoImportance = False,
    targets: Targets = EVERYWHERE,
    compiler: CompilerName = "",
    kernels: Kernels = "",
    explain: Explain = "",
    reasons: Reasons = None,
    out: Out = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Train on a table; explain, compile and prove the network; leave a deployable folder.

    LIST is names separated by commas. Ctrl-C while training ends it, and the best network so far is proven and
    written, at a terminal or not ("stopped_by": "interrupt" in the manifest and with --json); at any other moment, or
    a second time, it gives up with exit code 130 and nothing is written.

    Example: edgeling train flowers.csv --target species
    """
    with reported(as_json):
        require_explain(explain, reasons, None, "probability")
        train_and_show(
            table, target, out, seed, as_json,
            task=task, precision=precision, hidden=hidden, epochs=epochs, targets=targets, columns=columns, drop=drop,
            categorical=categorical, numeric=numeric, positive=positive, balance=balance,
            class_weight=class_weight, threshold=threshold, split=split,
            test=test, patience=patience, batch_size=batch_size, learning_rate=learning_rate,
            activation=activation or None, weight_decay=weight_decay, importance=not no_importance,
            recipe="additive" if additive else recipe, refit=not no_refit, seeds=_seeds(seeds),
            teacher=teacher or None, compiler=compiler, kernels=kernels, explain=explain or None,
            reasons=reasons, **reading,
        )  # fmt: skip


def train_and_show(
    table: Path, target: str, out: Path | None, seed: int, as_json: bool, begin: tuple[str, ...] = (), **choices: Any
) -> None:
    """Train, save and show: what ``train`` and ``demo`` share. ``begin``: how the command begins that does it again."""
    from edgeling.artifact import require_replaceable
    from edgeling.cli.curves import curves
    from edgeling.cli.display import RichProgress, show_content
    from edgeling.data import table_stem
    from edgeling.workflow.deploy import identifier
    from edgeling.workflow.store import SUFFIX, command_of, manifest, save_trained
    from edgeling.workflow.summary import trained_content
    from edgeling.workflow.train import train as train_table

    folder = out or Path(identifier(table_stem(table)) + SUFFIX)
    require_replaceable(folder)
    settings = settings_of(**choices)
    trained = train_table(table, target, **settings, seed=seed, progress=RichProgress(), keep_interrupted=True)
    command = command_of(trained, *begin)
    artifact = save_trained(trained, folder, command)
    content = trained_content(trained, command)
    show_content(content, artifact)
    show_explanations(content.explained)
    if as_json:
        told = {"data": trained.check.to_json(), "curves": curves(content.evaluation), "artifact": artifact}
        print_json({**manifest(trained, command), **told})


def settings_of(
    task: str = "", hidden: str = "", targets: str = EVERYWHERE, positive: str = "", class_weight: str = "",
    threshold: str = "", balance: str = "none", **others: Any,
) -> dict[str, Any]:  # fmt: skip
    """The options as the keyword arguments of ``edgeling.train``."""
    from edgeling.targets import get

    _require("task", task, ("", "binary", "multiclass", "regression"))
    _require("balance", balance, BALANCES)
    _require("precision", others["precision"], ("float32", "int8", "int16x8", "auto"))
    for name in ("columns", "drop", "categorical", "numeric"):
        others[name] = (others[name],) if others.get(name) else ()
    return {
        "task": task or None,
        "hidden": _sizes(hidden) if hidden else None,
        "targets": tuple(get(name.strip()).name for name in targets.split(",")),
        "positive": positive or None,
        "balance": balance,
        "class_weight": weights_of(class_weight),
        "threshold": threshold_of(threshold),
        **others,
    }


def column_choices(columns: str, drop: str, categorical: str, numeric: str, task: str, hidden: str) -> dict[str, Any]:
    """What a table is learned from and how, as the keyword arguments of ``edgeling.train`` and ``edgeling.select``."""
    _require("task", task, ("", "binary", "multiclass", "regression"))
    lists = {"columns": columns, "drop": drop, "categorical": categorical, "numeric": numeric}
    named = {name: (value,) if value else () for name, value in lists.items()}
    return {**named, "task": task or None, "hidden": _sizes(hidden) if hidden else None}


def _require(option: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise typer.BadParameter(
            f"{value!r} is not one of {', '.join(a for a in allowed if a)}", param_hint=f"--{option}"
        )


def _seeds(text: str) -> int | str:
    from edgeling.workflow.settings import MOST_SEEDS

    if text != "auto" and not (text.isdecimal() and 1 <= int(text) <= MOST_SEEDS):
        raise typer.BadParameter(f"{text!r} is not auto or a number from 1 to {MOST_SEEDS}", param_hint="--seeds")
    return text if text == "auto" else int(text)


def _sizes(text: str) -> tuple[int, ...]:
    if text == "none":
        return ()
    try:
        sizes = tuple(int(part) for part in text.split(","))
    except ValueError:
        sizes = (0,)
    if not all(1 <= size <= 4096 for size in sizes):
        raise typer.BadParameter(f"{text!r} is not a list such as 16,8, or none", param_hint="--hidden")
    return sizes
