# SPDX-License-Identifier: Apache-2.0
"""The section about a search: its front as plots and a table, and what each choice was worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edgeling.markup import Markup, join
from edgeling.report import units
from edgeling.report.charts import front_chart
from edgeling.report.parts import figure, pair, paragraph, plural, section, strong, table


@dataclass(frozen=True)
class SearchPoint:
    """A trial: its score with the standard error, and what its program takes.

    Attributes:
        settings: what was chosen, by the names of ``train``'s arguments.
        measured: on the built program; else estimated.
        chosen: it is the one that was trained.
    """

    settings: Mapping[str, Any]
    score: float
    spread: float
    flash_bytes: int
    ram_bytes: int
    instructions: int
    measured: bool = False
    chosen: bool = False

    @property
    def layers(self) -> str:
        """The hidden ones, for people: "16,8 relu"."""
        sizes = ",".join(map(str, self.settings["hidden"]))
        return f"{sizes} {self.settings['activation']}" if sizes else "none"

    @property
    def training(self) -> str:
        """How it was trained, for people."""
        rate, batch, decay = (self.settings[name] for name in ("learning_rate", "batch_size", "weight_decay"))
        return f"rate {rate:g}, batch {batch}" + (f", weight decay {decay:g}" if decay else "")


@dataclass(frozen=True)
class SettingWorth:
    """A setting's share of the differences in score, and its levels with their effects, best first."""

    name: str
    share: float
    levels: tuple[tuple[str, float], ...]

    @property
    def gain(self) -> float:
        """From the worst level to the best."""
        return self.levels[0][1] - self.levels[-1][1]


@dataclass(frozen=True)
class SearchSummary:
    """A search.

    Attributes:
        metric: of the scores: "accuracy", "average_precision", "neg_log_loss" or "r2".
        target: the chip.
        limits: for people; empty if there were none.
        trials, pruned: how many there were, and how many of them were given up early.
        front: networks that no other beats, best score first.
        others: the other trials that were finished.
        worth: the most important setting first.
        estimate_error: how far estimates of costs were off, as a share; None if it is not known.
    """

    metric: str
    target: str
    limits: str
    trials: int
    pruned: int
    front: tuple[SearchPoint, ...]
    others: tuple[SearchPoint, ...]
    worth: tuple[SettingWorth, ...]
    estimate_error: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values, those of the front only."""
        names = ("metric", "target", "limits", "trials", "pruned", "estimate_error")
        worth = {
            each.name: {"share": each.share, "gain": each.gain, "levels": dict(each.levels)} for each in self.worth
        }
        return {
            **{name: getattr(self, name) for name in names},
            "front": [asdict(p) for p in self.front],
            "worth": worth,
        }

    def score(self, value: float) -> str:
        """A score as people read it."""
        return units.metric(self.metric, value)


def search_section(search: SearchSummary) -> Markup:
    """Plots, the front, and what each choice was worth."""
    name = units.metric_name(search.metric)
    limits = f" within {search.limits}" if search.limits else ""
    error = (
        f"; estimates of what programs take were {units.percent(search.estimate_error)} off on average"
        if search.estimate_error is not None
        else ""
    )
    intro = (
        f"{plural(search.trials, 'trial')} for {search.target}{limits}, {search.pruned} of them given up early. {name} "
        "is that of cross-validation on the rows that learned and validated. No other network that was tried beats one "
        f"of the front in all of {name[0].lower() + name[1:]}, flash and instructions; those of the front were built "
        f"and run on the target{error}."
    )
    plots = pair(_plot(search, "flash_bytes", "flash, bytes"), _plot(search, "instructions", "instructions"))
    return section("The search", paragraph(intro), plots, _front(search), _worth(search) if search.worth else None)


def _plot(search: SearchSummary, cost: str, label: str) -> Markup:
    name = units.metric_name(search.metric)
    others, front = (
        [(float(getattr(p, cost)), p.score, p.chosen) for p in some] for some in (search.others, search.front)
    )
    axes = label, name, units.is_rate(search.metric)
    drawing = front_chart(f"front-{cost}", f"{name} and {label}", others, front, *axes)
    return figure(drawing, f"{name} against {label}. The line is the front; the ring is the network that was trained.")


def _front(search: SearchSummary) -> Markup:
    rows = [
        (
            strong(f"{p.layers}, chosen") if p.chosen else p.layers, p.settings["precision"], p.training,
            f"{search.score(p.score)} ± {_spread(search, p.spread)}", units.count(p.flash_bytes),
            units.count(p.ram_bytes), units.count(p.instructions),
        )
        for p in search.front
    ]  # fmt: skip
    heads = ("Hidden layers", "Precision", "Training", units.metric_name(search.metric), "Flash, B", "RAM, B",
             "Instructions")  # fmt: skip
    return table(
        heads, rows, numeric=(3, 4, 5, 6), caption="The front, measured. ± is the standard error of the folds."
    )


def _spread(search: SearchSummary, spread: float) -> str:
    return f"{100 * spread:.1f}" if units.is_rate(search.metric) else f"{spread:.3f}"


def _worth(search: SearchSummary) -> Markup:
    rows = [(each.name, units.percent(each.share), gain_text(search, each.gain), *_ends(each.levels))
            for each in search.worth]  # fmt: skip
    heads = ("Setting", "Share of the differences", "Worst to best", "Best", "Worst")
    caption = "What each choice was worth, all else equal (an additive model of the trials that were finished)."
    return join(table(heads, rows, numeric=(1, 2), caption=caption))


def gain_text(search: SearchSummary, gain: float) -> str:
    """A difference of scores: in points of a rate."""
    return f"{100 * gain:.1f} points" if units.is_rate(search.metric) else f"{gain:.3f}"


def _ends(levels: Sequence[tuple[str, float]]) -> tuple[str, str]:
    return levels[0][0], levels[-1][0]
