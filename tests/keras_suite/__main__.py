# SPDX-License-Identifier: Apache-2.0
"""Prints what became of Keras's cases: ``python -m tests.keras_suite [AREA...] [--why OUTCOME] [--json FILE]``."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from tests.keras_suite.areas import AREAS, files_of
from tests.keras_suite.outcomes import OUTCOMES
from tests.keras_suite.source import keras_source, public_names

_LEFT_OUT = ("internals", "elsewhere", "apart")


def table(counts: dict[str, Counter[str]]) -> str:
    """A row an area, a column an outcome, and the share that passes of those that do not poke at internals."""
    total = sum(counts.values(), Counter())
    lines = ["".join(f"{title:>12}" for title in ("", *OUTCOMES, "share"))]
    for area, count in {**counts, "together": total}.items():
        lines.append(f"{area:>12}" + "".join(f"{count[o]:>12}" for o in OUTCOMES) + f"{share(count):>12.1%}")
    return "\n".join(lines)


def share(count: Counter[str]) -> float:
    """Passed, of those that are judged."""
    judged = sum(n for outcome, n in count.items() if outcome not in _LEFT_OUT)
    return count["passed"] / max(judged, 1)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.keras_suite")
    parser.add_argument("areas", nargs="*", metavar="AREA", help=f"{', '.join(AREAS)}; all if none is named")
    parser.add_argument("--why", action="append", default=[], choices=OUTCOMES, help="list the cases of an outcome")
    parser.add_argument("--json", type=Path, help="write every case's outcome")
    options = parser.parse_args()
    source = keras_source()
    public = public_names(source)
    from tests.keras_suite import names, running

    names.install(source, public, running.load)
    found = {
        area: [r for path in files_of(source, area) for r in running.results_of(path, source)]
        for area in options.areas or AREAS
    }
    for result in (r for results in found.values() for r in results if r.outcome in options.why):
        print(f"{result.outcome}  {result.case}\n    {result.why}")
    print(table({area: Counter(r.outcome for r in results) for area, results in found.items()}))
    if options.json:
        options.json.write_text(json.dumps({a: [asdict(r) for r in rs] for a, rs in found.items()}, indent=1))


if __name__ == "__main__":
    main()
