# SPDX-License-Identifier: Apache-2.0
"""The top of the page: what the model is, how good, how large, and whether it is proven."""

from __future__ import annotations

from collections.abc import Sequence

from edgeling.markup import Markup, element, join
from edgeling.report import units
from edgeling.report.charts import typeset
from edgeling.report.content import Content, Deployment
from edgeling.report.parts import listing, paragraph, plural, strong

_SIGNS = {
    "good": "M4 12.5l5 5L20 6.5",
    "bad": "M6 6l12 12M18 6L6 18",
    "open": "M12 5v9M12 18.5v.5",
}


def headline(content: Content) -> Markup:
    """Title, the result in two sentences, key figures, verdict."""
    return element(
        "header",
        paragraph("Edgeling model report", style="eyebrow"),
        element("h1", content.name),
        paragraph(_result(content), " ", _footprint(content), style="lead"),
        _key_figures(content),
        verdict(content.deployments),
    )


def _result(content: Content) -> Markup:
    """What the network does, and how well."""
    size = sum(layer.parameters for layer in content.network.layers) if content.network else 0
    linear = content.comparison is not None and content.comparison.chosen == "linear"
    what = "A linear model" if linear else "A neural network"
    who = f"{what} of {plural(size, 'parameter')}" if size else what
    return join(who, " that ", _purpose(content), _how_well(content), ".")


def _purpose(content: Content) -> Markup:
    classes = len(content.data.class_counts) if content.data else 0
    inputs = len(content.network.inputs) if content.network else 0
    source = f" from {plural(inputs, 'column')}" if inputs else ""
    if content.task == "regression":
        return join("estimates ", element("em", content.target), source)
    which = f"which of {classes} classes of " if classes else ""
    return join("tells ", which, element("em", content.target), " a row belongs to" if classes else "", source)


def _how_well(content: Content) -> Markup | None:
    evaluation, name = content.evaluation, units.headline_metric(content.task)
    if evaluation is None or name not in evaluation.metrics:
        return None
    value = _unbroken(units.metric(name, evaluation.metrics[name]))
    rows = plural(evaluation.rows, "row") + (" it had never seen" if evaluation.unseen else "")
    if content.task == "regression":
        return join(f"; on {rows} it reaches R² = ", strong(value))
    return join(", and is right on ", strong(value), f" of {rows}", _against_guessing(evaluation.baseline.get(name)))


def _against_guessing(baseline: float | None) -> str | None:
    return None if baseline is None else f" (always guessing the same class: {_unbroken(units.percent(baseline))})"


def _footprint(content: Content) -> Markup | None:
    """What the recommended program takes on its target."""
    first = recommended(content.deployments)
    if first is None or first.flash_bytes is None:
        return None
    return join(
        f"Compiled to C, preparation included, it takes {_unbroken(units.size(first.flash_bytes))} of flash",
        f" and {_unbroken(units.size(first.ram_bytes))} of RAM" if first.ram_bytes is not None else None,
        f" as {first.precision} on {first.target}.",
    )


def _unbroken(text: str) -> str:
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _key_figures(content: Content) -> Markup | None:
    figures = [*_quality(content), *_costs(recommended(content.deployments))]
    if not figures:
        return None
    return element("dl", *(element("div", element("dt", k), element("dd", v)) for k, v in figures), class_="key")


def _quality(content: Content) -> list[tuple[str, str]]:
    metrics = content.evaluation.metrics if content.evaluation else {}
    chosen = ("r2", "mae") if content.task == "regression" else ("accuracy",)
    return [(units.metric_name(m), typeset(units.metric(m, metrics[m]))) for m in chosen if m in metrics]


def recommended(deployments: Sequence[Deployment]) -> Deployment | None:
    """The program the headline is about: the first that was measured on a chip, else the first."""
    return next((d for d in deployments if d.flash_bytes is not None and d.instructions is not None), None) or next(
        iter(deployments), None
    )


def _costs(program: Deployment | None) -> list[tuple[str, str]]:
    if program is None:
        return []
    figures = (
        (f"Flash, {program.target}", units.size(program.flash_bytes)),
        (f"RAM, {program.target}", units.size(program.ram_bytes)),
        ("Instructions", units.count(program.instructions)),
        ("Inference time", units.latency(program.estimated_latency_us)),
    )
    return [(name, text) for name, text in figures if text != units.UNKNOWN]


def verdict(deployments: Sequence[Deployment]) -> Markup | None:
    """One sentence on what was proven, and a line for each finding."""
    if not deployments:
        return None
    kind, sentence = judge(deployments)
    findings = _findings(deployments)
    lines = [
        element("li", f"{listing(targets)}: {found}." if len(findings) > 1 else f"{found}.")
        for found, targets in findings.items()
    ]
    path = element("path", d=_SIGNS[kind], fill="none", stroke="currentColor", stroke_width=2.6, stroke_linecap="round")
    sign = element("svg", path, viewBox="0 0 24 24", aria_hidden="true")
    return element("div", sign, element("div", strong(sentence), element("ul", *lines)), class_=f"verdict {kind}")


def _findings(deployments: Sequence[Deployment]) -> dict[str, list[str]]:
    """What was found, and the targets it was found on: one line where all agree."""
    found: dict[str, list[str]] = {}
    for target in dict.fromkeys(d.target for d in deployments):
        sentence = "; ".join(proof(d) for d in deployments if d.target == target)
        found.setdefault(sentence, []).append(target)
    return found


def judge(deployments: Sequence[Deployment]) -> tuple[str, str]:
    """``good`` or ``bad``, and the sentence that says so."""
    wrong = list(dict.fromkeys(d.target for d in deployments if not d.matches))
    proven = list(dict.fromkeys(d.target for d in deployments if d.matches))
    if wrong:
        return "bad", f"Does not match the specification on {listing(wrong)}."
    if large := [too_large(d) for d in deployments if d.flash_excess_bytes or d.ram_excess_bytes]:
        return "bad", "Computes what it should, but is " + "; ".join(large) + "."
    return "good", f"Proven on {listing(proven)}."


def too_large(deployment: Deployment) -> str:
    """By how much: "too large for cortex-m0plus by 12,345 bytes of flash (int8)"."""
    excess = {"flash": deployment.flash_excess_bytes, "RAM": deployment.ram_excess_bytes}
    sizes = " and ".join(f"{units.count(size)} bytes of {kind}" for kind, size in excess.items() if size)
    return f"too large for {deployment.target} by {sizes} ({deployment.precision})"


def proof(deployment: Deployment) -> str:
    """What was found for one program: "int8 bit-exact on 30 rows"."""
    rows = f" on {plural(deployment.rows, 'row')}" if deployment.rows else ""
    error = f"max error {typeset(units.figure(deployment.max_error))}"
    if not deployment.matches:
        return f"{deployment.precision} differs{rows} ({error})"
    how = f"bit-exact{rows}" if deployment.max_error == 0 else f"within tolerance{rows} ({error})"
    return f"{deployment.precision} {how}"
