# SPDX-License-Identifier: Apache-2.0
"""What the programs in ``examples/`` reach, as a table for the docs: ``python -m benchmarks --only examples``.

``python -m benchmarks.examples NAME...`` runs some. Each trains with fixed seeds (three where that is quick: their
mean, and the least of them), is judged by rows it never saw, and is proven on an emulated Cortex-M4. A program whose
package or data is not there says so and is left out. Needs scikit-learn, polars, aeon, river and mlxtend, which
``edgeling[benchmarks]`` brings: in an environment of its own, for aeon wants an older NumPy than development has.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import sys
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from types import ModuleType
from typing import Any

EXAMPLES = Path(__file__).parents[1] / "examples"
# By the row's name: the program and its argument.
PROGRAMS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "MNIST, 5,000 to learn from": ("digits_mnist", ()),
    "scikit-learn's digits": ("digits_small", ()),
    **{
        name: ("series", (name,)) for name in ("BasicMotions", "GunPoint", "ItalyPowerDemand", "JapaneseVowels")
    },
    "exercises, by recording": ("exercises", ("convolutions",)),
    "exercises, by recording, GRU": ("exercises", ("gru",)),
    "shuttle, ROC AUC": ("anomalies", ()),
}  # fmt: skip
HEAD = (
    "| example | reached | least | wanted | beside it | weights B | flash B | RAM B | instructions | seconds |\n"
    f"|{'---|' * 10}"
)


def load(name: str) -> ModuleType:
    """A program of ``examples/`` as a module."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def row(name: str, told: Mapping[str, Any], seconds: float) -> str:
    """A line of the table; what is not proven on the chip says so."""
    reached = told.get("accuracy", told.get("roc_auc"))
    beside = next((f"{key} {told[key]:.4f}" for key in ("rocket", "forest") if key in told), "")
    sizes = [f"{told[key]:,}" for key in ("weight_bytes", "flash_bytes", "ram_bytes", "instructions")]
    proven = "" if told["verified"] else " (not proven)"
    least = f"{told['least']:.4f}" if "least" in told else ""
    cells = [name + proven, f"{reached:.4f}", least, f"{told['wanted']:.4f}", beside, *sizes, f"{seconds:.0f}"]
    return f"| {' | '.join(cells)} |"


def main(names: list[str]) -> int:
    """Run those whose program or row is named, or all; 1 where one falls short."""
    short = 0
    print(HEAD)
    for name, (program, arguments) in PROGRAMS.items():
        if names and name not in names and program not in names:
            continue
        start = perf_counter()
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                told = load(program).main(*arguments)
        except (ImportError, OSError) as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
            continue
        print(row(name, told, perf_counter() - start), flush=True)
        reached = told.get("accuracy", told.get("roc_auc"))
        short += not told["verified"] or reached < told["wanted"]
    return min(short, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
