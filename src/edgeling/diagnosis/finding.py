# SPDX-License-Identifier: Apache-2.0
"""A finding: what was seen, and what to do; and which comes first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

Severity = Literal["error", "warning", "hint"]

# The worst cause first: what makes every other figure meaningless, then what stands in the way of learning, then what
# learning made of it, and last what is only seen and not explained.
ORDER = (
    "loss_does_not_fit", "leaking_column", "duplicates_across", "shuffled_labels", "unscaled_inputs",
    "unscaled_targets", "learning_rate_too_large", "exploding_gradients", "dead_output", "dead_units",
    "saturated_units", "vanishing_gradients", "learning_rate_too_small", "class_imbalance", "epochs_too_few",
    "network_too_small", "loss_not_finite", "overfitting", "drift", "constant_predictions", "loss_not_moving",
)  # fmt: skip
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "hint")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        name: one of ``ORDER``; docs/diagnosis.md has a paragraph of each.
        severity: "error": the results mean nothing; "warning": they could be better; "hint": worth knowing.
        seen: a sentence with figures.
        advice: a sentence in the imperative.
    """

    name: str
    severity: Severity
    seen: str
    advice: str

    def __post_init__(self) -> None:
        assert self.name in ORDER, self.name

    def __str__(self) -> str:
        return " ".join(self.sentences)

    @property
    def sentences(self) -> tuple[str, str]:
        """What was seen, and what to do, as people write sentences."""
        return f"{_begun(self.seen)}.", f"{_begun(self.advice)}."

    def to_json(self) -> dict[str, str]:
        """Plain values."""
        return asdict(self)


def _begun(sentence: str) -> str:
    """With a capital letter, unless it begins with a name."""
    return sentence if "_" in sentence.split(" ", maxsplit=1)[0] else sentence[:1].upper() + sentence[1:]


def ranked(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The worst cause first, each name once."""
    by_name: dict[str, Finding] = {}
    for finding in findings:
        by_name.setdefault(finding.name, finding)
    return tuple(sorted(by_name.values(), key=lambda f: (SEVERITIES.index(f.severity) // 2, ORDER.index(f.name))))
