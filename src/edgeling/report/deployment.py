# SPDX-License-Identifier: Apache-2.0
"""The sections about the program: the network, what it takes on each target, and how to get it again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from edgeling.markup import Markup, element
from edgeling.report import diagrams, units
from edgeling.report.charts import typeset
from edgeling.report.content import Content, Deployment, LayerSummary, NetworkSummary
from edgeling.report.parts import figure, pair, paragraph, plural, section, table


def network_section(content: Content) -> Markup | None:
    """The layers, and a drawing of a small network's weights."""
    network = content.network
    if network is None or not network.layers:
        return None
    total = sum(layer.parameters for layer in network.layers)
    inputs, layers = plural(len(network.inputs), "input"), plural(len(network.layers), "layer")
    intro = f"From {inputs} through {layers}: {plural(total, 'parameter')}."
    return section("The network", paragraph(intro), pair(_drawing(content, network), _layers(network.layers)))


def _drawing(content: Content, network: NetworkSummary) -> Markup | None:
    weights = [layer.weights for layer in network.layers if layer.weights is not None]
    dense = bool(weights) and all(w.ndim == 2 for w in weights)
    if not dense or any(a.shape[1] != b.shape[0] for a, b in pairwise(weights)):
        return None
    labels = list(content.data.class_counts) if content.data else []
    outputs = labels if content.task == "multiclass" else [content.target]
    drawing = diagrams.network("network", "The network and its weights", weights, network.inputs, outputs)
    caption = "The network. Lines are weights: the stronger, the thicker; "
    return figure(drawing, caption, _word("positive", "a"), ", ", _word("negative", "b"), ".")


def _word(word: str, colour: str) -> Markup:
    return element("strong", word, class_=f"ink-{colour}")


def _layers(layers: Sequence[LayerSummary]) -> Markup:
    rows = [
        (x.kind, x.activation or units.UNKNOWN, units.count(x.output_size), units.count(x.parameters)) for x in layers
    ]
    return table(("Layer", "Activation", "Outputs", "Parameters"), rows, numeric=(2, 3))


def deployment_section(content: Content) -> Markup | None:
    """One card a target, the precisions side by side."""
    if not content.deployments:
        return None
    measured_first = sorted(content.deployments, key=lambda d: d.flash_bytes is None)
    targets = dict.fromkeys(d.target for d in measured_first)
    intro = "The whole pipeline, preparation included, as freestanding C99 without a heap."
    if any(d.flash_bytes is not None for d in content.deployments):
        intro += " Sizes are measured on the built binary, instructions counted on the emulated core"
        timed = any(d.estimated_latency_us is not None for d in content.deployments)
        intro += "; time is an estimate from them and the clock." if timed else "."
    cards = [_card(content, target, [d for d in content.deployments if d.target == target]) for target in targets]
    return section("On the device", paragraph(intro), element("div", *cards, class_="cards"))


def _card(content: Content, target: str, programs: Sequence[Deployment]) -> Markup:
    note = next((d.note for d in programs if d.note), "")
    name = units.headline_metric(content.task)
    rows = [
        _row(units.metric_name(name), programs, lambda d: d.metrics.get(name), lambda v: units.metric(name, v)),
        _row("Flash", programs, lambda d: d.flash_bytes, _size, least=True),
        _row("code", programs, lambda d: d.flash_code_bytes, _size, style="sub"),
        _row("weights", programs, lambda d: d.flash_weights_bytes, _size, style="sub"),
        _row("RAM", programs, lambda d: d.ram_bytes, _size, least=True),
        _row("Worst stack", programs, lambda d: d.stack_bytes, _size, least=True),
        _row("Instructions", programs, lambda d: d.instructions, lambda v: units.count(int(v)), least=True),
        _row(_clock(programs), programs, lambda d: d.estimated_latency_us, units.latency, least=True),
        _row("Energy, estimated", programs, lambda d: d.energy and d.energy[1], units.energy, least=True),
        _row("Max error", programs, lambda d: d.max_error, lambda v: typeset(units.figure(v)) if v else "bit-exact"),
    ]
    heads = element("tr", element("td"), *(element("th", d.precision, scope="col", class_="num") for d in programs))
    proven = element("tr", element("th", "Matches", scope="row"), *(_match(d) for d in programs))
    maker = next((d.made_with for d in programs if d.made_with), "")
    body = element("table", element("thead", heads), element("tbody", *rows, proven))
    made = paragraph(f"Compiled with {maker}.") if maker else None
    return element("div", element("h3", target), paragraph(note) if note else None, body, made, class_="card")


def _size(value: float) -> str:
    return units.size(int(value))


def _clock(programs: Sequence[Deployment]) -> str:
    clock = next((d.clock_hz for d in programs if d.clock_hz), None)
    return f"Time at {units.figure(clock / 1e6, 3)} MHz" if clock else "Time"


def _row(
    name: str,
    programs: Sequence[Deployment],
    value: Callable[[Deployment], float | None],
    text: Callable[[float], str],
    *,
    style: str | None = None,
    least: bool = False,
) -> Markup | None:
    """One measure of every program; None when nobody measured it; the least is set in bold where less is better."""
    values = [value(d) for d in programs]
    known = [v for v in values if v is not None]
    if not known:
        return None
    winner = min(known) if least and len(set(known)) > 1 else None
    cells = (
        element(
            "td",
            units.UNKNOWN if v is None else text(v),
            class_="num best" if winner is not None and v == winner else "num",
        )
        for v in values
    )
    return element("tr", element("th", name, scope="row"), *cells, class_=style)


def _match(deployment: Deployment) -> Markup:
    word, style = ("✓ yes", "good-text") if deployment.matches else ("✗ no", "bad-text")
    return element("td", element("span", word, class_=style), class_="num")


def explaining_section(content: Content) -> Markup | None:
    """What it takes on each target to tell what columns add."""
    if not content.explained:
        return None
    first = next(iter(content.explained.values()))
    rows = [
        (
            target, units.size(each.flash_bytes), units.size(each.added_flash_bytes), units.size(each.ram_bytes),
            units.size(each.inference_ram_bytes), units.count(each.instructions),
            typeset(units.figure(each.max_error)) if each.max_error else "none",
        )
        for target, each in content.explained.items()
    ]  # fmt: skip
    most = plural(first.reasons, "column")
    reasons = f", and its reasons function names the {most} that push most" if first.reasons else ""
    intro = (
        f"The stored C has an explain function too: what each of {plural(first.columns, 'column')} adds to an answer, "
        f"by {_METHODS[first.method]}, compared with {plural(first.background_rows, 'average row')}{reasons}. "
        "Instructions are those of one explanation."
    )
    heads = ("Target", "Flash", "for explaining", "RAM", "without", "Instructions", "Max error")
    return section("Explaining itself on the device", paragraph(intro), table(heads, rows, numeric=range(1, 7)))


_METHODS = {"gradient": "gradients", "integrated": "integrated gradients", "shapley": "exact Shapley values"}


def reproduction_section(content: Content) -> Markup | None:
    """The command, the seed, and the hashes of what came out."""
    again = content.reproduction
    if again is None:
        return None
    seed = f"seed {again.seed}" if again.seed is not None else ""
    version = f"Edgeling {again.version}" if again.version else ""
    facts = ", ".join(filter(None, (version, seed)))
    hashes = [(name, element("span", digest, class_="hash")) for name, digest in again.hashes.items()]
    return section(
        "How to reproduce",
        paragraph(
            "The same command on the same data gives the same bits with the same compiler on the same kind of "
            "processor; with others the last digits may differ."
        ),
        element("pre", element("code", again.command)),
        paragraph(f"{facts}.", style="quiet") if facts else None,
        table(("File", "SHA-256"), hashes) if hashes else None,
    )
