# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks``: every benchmark, or one, as a table of ratios or as JSON."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict
from importlib import import_module
from typing import Any

from benchmarks.comparison import Comparison, Line, run

NAMES = (
    "fit_iris", "predict_row", "predict_rows", "evaluate_rows", "train_networks", "train_threads",
    "train_peers", "attention", "train_memory", "inference_memory", "mlperf_tiny", "first_fit", "cold_demo", "cortex_m",
    "train_accuracy",
)  # fmt: skip
TABLES = ("applications", "examples")  # what prints a table of its own
ONE_THREAD = ("predict_rows", "evaluate_rows", "train_networks", "mlperf_tiny")


def main() -> None:
    """Runs what was asked for. The exit status tells of crashes, not of missed goals: figures depend on the machine."""
    options = _options()
    if options.only in TABLES:
        sys.exit(import_module(f"benchmarks.{options.only}").main([]))
    results = _one(options) if options.only else [r for name in NAMES for r in _in_its_own_process(name, options)]
    if options.json:
        print(json.dumps(results, indent=2))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Edgeling beside its peers, as ratios.")
    parser.add_argument("--only", choices=(*NAMES, *TABLES), help="this benchmark alone")
    parser.add_argument("--json", action="store_true", help="JSON on standard output; the tables go to standard error")
    parser.add_argument("--quick", action="store_true", help="three repetitions at the most")
    return parser.parse_args()


def _in_its_own_process(name: str, options: argparse.Namespace) -> list[Any]:
    """Some tell their libraries how many threads to use, which those hear once."""
    flags = [flag for flag in ("--json", "--quick") if getattr(options, flag[2:])]
    command = [sys.executable, "-m", "benchmarks", "--only", name, *flags]
    done = subprocess.run(command, stdout=subprocess.PIPE if options.json else None, check=True)
    return list(json.loads(done.stdout)) if options.json else []


def _one(options: argparse.Namespace) -> list[Any]:
    from rich.console import Console

    os.environ.setdefault("KERAS_BACKEND", "jax")
    if options.only in ONE_THREAD:
        _keep_to_one_thread()
    module = import_module(f"benchmarks.{options.only}")
    results = [(comparison, run(comparison, quick=options.quick)) for comparison in module.comparisons()]
    import_module("benchmarks.display").show(Console(stderr=options.json), results)
    return [_as_json(options.only, *result) for result in results]


def _keep_to_one_thread() -> None:
    """Libraries are told before they load; and a core is all there is, for XLA's own threads do not ask."""
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ[f"{library}_NUM_THREADS"] = "1"
    os.environ["EDGELING_THREADS"] = "1"
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def _as_json(name: str, comparison: Comparison, lines: list[Line]) -> dict[str, object]:
    return {"benchmark": name, "title": comparison.title, "unit": comparison.unit, "lines": [asdict(x) for x in lines]}


if __name__ == "__main__":
    main()
