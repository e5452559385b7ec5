# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks.applications``: what the networks of `edgeling.applications` take on an emulated Cortex-M4.

Builds each as it stands, runs it there against what its graph means, and prints the table of docs/applications.md;
``--plot`` writes its picture anew. Where a figure is no longer what :data:`FIGURES` says, it says so, and fails.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from math import log10
from pathlib import Path
from typing import Any

import numpy as np

from edgeling import applications
from edgeling.applications import BUDGETS

PLOT = Path(__file__).parents[1] / "docs" / "applications.svg"
COMMON = ("include_top", "weights", "input_tensor", "pooling", "classifier_activation", "name")
PAPERS = {
    "mlp": "",
    "ds_cnn": "Zhang et al., [Hello Edge](https://arxiv.org/abs/1711.07128); MLPerf Tiny",
    "mobilenet_v1": "Howard et al., [MobileNets](https://arxiv.org/abs/1704.04861); MLPerf Tiny",
    "mobilenet_v2": "Sandler et al., [MobileNetV2](https://arxiv.org/abs/1801.04381)",
    "resnet8": "He et al., [ResNet](https://arxiv.org/abs/1512.03385); MLPerf Tiny",
    "temporal_cnn": "Bai et al., [TCN](https://arxiv.org/abs/1803.01271)",
    "gru": "Cho et al., [GRU](https://arxiv.org/abs/1406.1078)",
    "tiny_transformer": "Vaswani et al., [Attention](https://arxiv.org/abs/1706.03762)",
    "dense_autoencoder": "Koizumi et al., [ToyADMOS](https://arxiv.org/abs/1908.03299); MLPerf Tiny",
    "convolutional_autoencoder": "Masci et al., [stacked convolutional autoencoders]"
    "(https://doi.org/10.1007/978-3-642-21735-7_7)",
}
HEAD = (
    "| network | arguments, as it stands | weights B | RAM B | multiply-accumulates | flash B | instructions | fits "
    f"| int8 | from |\n|{'---|' * 10}"
)

# Names that would lie on others beside their circles: how far below, or above, they stand.
ASIDE = {
    "gru": -16,
    "convolutional_autoencoder": 28,
    "temporal_cnn": 28,
    "tiny_transformer": -18,
    "resnet8": 34,
    "mobilenet_v1": 36,
}


@dataclass(frozen=True)
class Figure:
    """What was measured: flash of the whole binary, instructions of one answer, whether the chip has room for it."""

    flash_bytes: int
    instructions: int
    fits: bool


FIGURES: Mapping[str, Figure] = {
    "mlp": Figure(14_808, 5_250, True),
    "ds_cnn": Figure(100_092, 5_169_689, True),
    "mobilenet_v1": Figure(867_960, 14_587_624, False),
    "mobilenet_v2": Figure(1_609_076, 23_731_670, False),
    "resnet8": Figure(324_312, 16_763_039, False),
    "temporal_cnn": Figure(46_940, 1_947_948, True),
    "gru": Figure(19_620, 1_315_351, True),
    "tiny_transformer": Figure(60_694, 2_062_707, True),
    "dense_autoencoder": Figure(1_065_760, 365_912, False),
    "convolutional_autoencoder": Figure(18_408, 1_259_676, True),
}


def measured(name: str) -> tuple[Figure, str]:
    """One of them, built and proven; and the compiler.

    Its weights are drawn, for constants that are all zero would take no room.
    """
    import edgeling

    model = getattr(applications, name)()
    draw = np.random.default_rng(0)
    model.set_weights([w + draw.uniform(-0.05, 0.05, w.shape).astype(np.float32) for w in model.get_weights()])
    proof = edgeling.verify(model, target="cortex-m4", precision="float32")
    assert proof.matches, name
    fits = not proof.flash_excess_bytes and not proof.ram_excess_bytes
    return Figure(proof.flash_bytes or 0, proof.instructions or 0, fits), proof.compiler


def table(figures: Mapping[str, Figure] | None = None) -> str:
    """Of signatures, budgets and what was measured."""
    return "\n".join([HEAD, *(_row(name, figure) for name, figure in (figures or FIGURES).items())])


def _row(name: str, figure: Figure) -> str:
    budget = BUDGETS[name]
    sizes = (
        budget.weight_bytes,
        budget.ram_bytes,
        budget.multiply_accumulates,
        figure.flash_bytes,
        figure.instructions,
    )
    cells = [f"`{name}`", arguments(name), *(f"{size:,}" for size in sizes)]
    cells += ["yes" if figure.fits else "no", "yes" if budget.int8 else "no", PAPERS[name]]
    return f"| {' | '.join(cells)} |"


def arguments(name: str) -> str:
    """Those that are its own, with their defaults."""
    parameters: Mapping[str, Any] = inspect.signature(getattr(applications, name)).parameters
    return ", ".join(f"`{key}={p.default}`" for key, p in parameters.items() if key not in COMMON)


def plot() -> str:
    """Weights against instructions, both by powers of ten; circles as large as RAM is."""
    places = {name: (_across(BUDGETS[name].weight_bytes), _up(f.instructions)) for name, f in FIGURES.items()}
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 420" font-family="sans-serif" font-size="13" '
        'fill="#808080" stroke="none" role="img">',
        "<title>Weights against instructions of one answer on a Cortex-M4; circles as large as RAM</title>",
    ]
    for power in range(4, 7):
        parts.append(f'<path d="M{_across(10**power):.1f} 20V370" stroke="#80808055"/>')
        parts.append(f'<text x="{_across(10**power):.1f}" y="390" text-anchor="middle">{10**power:,} B</text>')
    for power in range(4, 8):
        parts.append(f'<path d="M80 {_up(10**power):.1f}H740" stroke="#80808055"/>')
        parts.append(f'<text x="72" y="{_up(10**power) + 4:.1f}" text-anchor="end">{10**power:,}</text>')
    for name, (x, y) in places.items():
        radius = 4 + 22 * (BUDGETS[name].ram_bytes / 552_960) ** 0.5
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="#4a7fc1aa"/>')
        beside, lower = (0.0, ASIDE[name]) if name in ASIDE else (radius + 4, 4)
        end = ' text-anchor="middle"' if name in ASIDE else ' text-anchor="end"' if x > 600 else ""
        parts.append(f'<text x="{x + (-beside if x > 600 else beside):.1f}" y="{y + lower:.1f}"{end}>{name}</text>')
    parts.append('<text x="410" y="412" text-anchor="middle">weights</text>')
    parts.append('<text x="10" y="12">instructions</text>')
    return "\n".join([*parts, "</svg>", ""])


def _across(weights: float) -> float:
    return 80 + 660 * (log10(weights) - 3.8) / 2.6


def _up(instructions: float) -> float:
    return 370 - 350 * (log10(instructions) - 3.5) / 4.1


def main(arguments: list[str]) -> int:
    """The table, measured; or the picture."""
    if "--plot" in arguments:
        PLOT.write_text(plot(), "utf-8")
        return 0
    found = {name: measured(name)[0] for name in BUDGETS}
    print(table(found))
    wrong = [name for name, figure in found.items() if figure != FIGURES.get(name)]
    for name in wrong:
        print(f"{name}: {found[name]}, where FIGURES has {FIGURES.get(name)}", file=sys.stderr)
    return min(len(wrong), 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
