# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks.learning_steps``: a step of learning on one row, beside an inference of the same network.

Dense networks of many shapes, all of whose layers learn, as C for emulated cores. Counts are exact and the same on
every run.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator

import numpy as np

from edgeling import targets
from edgeling.codegen.block import planned
from edgeling.graph import Graph, GraphBuilder
from edgeling.workflow.build import as_deployable, as_learning
from edgeling.workflow.learning import Learning

# Widths, and what the last layer answers; hidden layers are rectified.
NETWORKS = {
    "8-10-1": "sigmoid", "4-4-3": "softmax", "4-16-3": "softmax", "10-20-10-2": "softmax", "13-32-1": "linear",
    "30-64-32-5": "softmax", "8-12-8-1": "sigmoid", "1-16-16-1": "linear", "5-7-3": "softmax", "30-1": "sigmoid",
    "16-16-16-16-4": "softmax", "64-32-10": "softmax", "20-100-10": "softmax", "6-33-17-5": "linear", "3-2": "softmax", "100-2": "softmax", "100-3": "softmax", "4-4-4-4-4-3": "softmax", "2-2-2-1": "sigmoid", "2-5-5-5-1": "linear",
    "7-7-7-7": "linear", "50-3-50": "linear", "1-1": "linear", "2-3-1": "linear", "16-8-16": "linear",
    "128-64-1": "sigmoid", "9-9-9-2": "softmax", "12-1": "linear", "1-3-3-3-3-3-1": "linear", "10-3-3-1": "linear",
}  # fmt: skip


def network(name: str, answers: str) -> Graph:
    """The network, with weights as Glorot and Bengio draw them."""
    dice, widths = np.random.default_rng(0), [int(n) for n in name.split("-")]
    b = GraphBuilder("net")
    value = b.input("x", (1, widths[0]))
    for i, (n, m) in enumerate(zip(widths, widths[1:], strict=False)):
        kernel = b.constant(dice.normal(size=(n, m)) * (2 / (n + m)) ** 0.5, f"kernel_{i}")
        last = i + 2 == len(widths)
        function = ("linear" if answers == "softmax" else answers) if last else "relu"
        value = b.add("dense", value, kernel, b.constant(np.zeros(m), f"bias_{i}"), function=function, name=f"layer_{i}")
    return b.build([b.add("softmax", value, name="y") if answers == "softmax" else value])


def figures(name: str, optimizer: str, core: str, layers: str = "all") -> dict[str, float | int | str | bool]:
    """What a step and an inference take on a core."""
    graph, target = network(name, NETWORKS[name]), targets.get(core)
    model = as_learning(graph, Learning(layers=layers, optimizer=optimizer), name="net")
    proof = model.prove(target, model.made_up(8))
    deployed, _ = as_deployable(graph, "float32", "net")
    alone = deployed.for_target(target).for_emulation("float32", target).prove("float32", target)
    live = 4 * planned(model.learner.learn, target).memory.least_words
    return {
        "network": name, "optimizer": optimizer, "core": core, "matches": proof.matches,
        "step": int(proof.instructions or 0), "inference": int(alone.instructions or 0),
        "ratio": round((proof.instructions or 0) / (alone.instructions or 1), 2),
        "weights": sum(a.size for a in graph.constants.values()),
        "arena": proof.arena_bytes, "live": live, "flash": proof.flash_bytes or 0, "flash_alone": alone.flash_bytes or 0,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learning_steps", description=__doc__.split("\n\n")[1])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--cores", default="cortex-m4")
    parser.add_argument("--optimizers", default="sgd,momentum,adam")
    parser.add_argument("--networks", default=",".join(NETWORKS))
    options = parser.parse_args()
    lines = list(_all(options))
    if options.json:
        print(json.dumps(lines, indent=2))


def _all(options: argparse.Namespace) -> Iterator[dict[str, float | int | str | bool]]:
    for core in options.cores.split(","):
        for name in options.networks.split(","):
            for optimizer in options.optimizers.split(","):
                line = figures(name, optimizer, core)
                print(line if options.json is None else " ".join(f"{k}={v}" for k, v in line.items()), flush=True)
                yield line


if __name__ == "__main__":
    main()
