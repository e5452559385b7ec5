# SPDX-License-Identifier: Apache-2.0
"""RAM of inference, float32: the arena of the C beside what must live at once, in whatever order the work is done.

The C that ``edgeling build --for`` a target writes. Files of MLPerf Tiny are found as those of tests are.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import sensor_networks
from benchmarks.comparison import Comparison, Contender, Measure

BOUNDS = {"ad01": 3_072, "vww_96": 221_184, "pretrainedResnet": 196_608, "DS-CNN": 64_000}
"""Bytes of the largest set of values that live at once, input among them (of ad01 640 columns and 128 units)."""
TARGETS = ("cortex-m4", "native")


def comparisons() -> list[Comparison]:
    """One a network and target."""
    return [_comparison(name, target) for name in BOUNDS for target in TARGETS]


def _comparison(name: str, target: str) -> Comparison:
    ours = Contender("Edgeling", partial(_arena, name, target))
    return Comparison(f"{name} on {target}, arena", "bytes", ours, limit=BOUNDS[name])


def _arena(name: str, target: str) -> Measure:
    from edgeling import targets
    from edgeling.codegen import generate
    from edgeling.network.network import inference_graph
    from edgeling.passes import optimize

    graph = optimize(inference_graph(_model(name)))
    return lambda: float(generate(graph, "network", target=targets.get(target)).arena_bytes)


def _model(name: str) -> Any:
    if name in sensor_networks.NETWORKS:
        return sensor_networks.compiled("Edgeling", name)
    from edgeling.models import load_model

    file = Path(os.environ.get("EDGELING_SHARED", "../shared")) / "data" / "mlperf_tiny" / f"{name}.h5"
    if not file.exists():
        raise ImportError(f"no {file}: set EDGELING_SHARED")
    return load_model(file)
