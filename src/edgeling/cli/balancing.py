# SPDX-License-Identifier: Apache-2.0
"""The options about rare classes."""

from __future__ import annotations

from typing import Annotated

import typer

BALANCES = ("none", "weights", "oversample", "smote", "noise", "mixup", "auto")  # as edgeling.data.balance has them
Balance = Annotated[
    str,
    typer.Option(
        help="What makes up for rare classes: weights (all classes count the same), oversample (their rows again), "
        "noise (the same, with noise), mixup (mixed with others), smote (between neighbours; needs imbalanced-learn), "
        "or auto, which tries them. Probabilities are corrected for it.",
        metavar="none|weights|oversample|smote|noise|mixup|auto",
    ),
]
ClassWeight = Annotated[
    str, typer.Option(help="What a row of each class counts: --balance weights of one's own.", metavar="NAME=W,...")
]
Threshold = Annotated[
    str,
    typer.Option(
        help="The probability above which the second of two classes is chosen: a number, auto (for the best balanced "
        "accuracy; of more classes too), or cost=10:1 (a row missed costs ten times a false alarm).",
        metavar="VALUE|auto|cost=M:N",
        show_default="0.5; auto with --balance; what the classes weigh with --class-weight",
    ),
]


def weights_of(text: str) -> dict[str, float] | None:
    """Weights by class; none of an empty text."""
    if not text:
        return None
    weights = {}
    for part in text.split(","):
        name, equals, weight = part.rpartition("=")
        try:
            weights[name.strip()] = float(weight) if equals else 0.0
        except ValueError:
            weights[name.strip()] = 0.0
    if not all(0 < weight < float("inf") for weight in weights.values()):
        raise typer.BadParameter(
            f"{text!r} is not a list such as yes=5,no=1 of weights above zero; --balance weights makes all classes "
            "count the same",
            param_hint="--class-weight",
        )
    return weights


def threshold_of(text: str) -> float | str | None:
    """A number, ``auto`` or costs; none of an empty text."""
    from edgeling.workflow.settings import costs

    if not text:
        return None
    if text == "auto" or costs(text):
        return text
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise typer.BadParameter(
            f"{text!r} is not a probability between 0 and 1, auto, or costs such as cost=10:1", param_hint="--threshold"
        )
    return value
