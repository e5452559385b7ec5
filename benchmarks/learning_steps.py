# SPDX-License-Identifier: Apache-2.0
"""``python -m benchmarks.learning_steps``: a step of learning on one row, beside an inference of the same network.

Dense networks of many shapes, all of whose layers learn, as C for emulated cores. Counts are exact and the same on
every run. RAM is what a step needs beside the weights; ``alive`` is the most that is alive at once.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np

from edgeling import targets
from edgeling.codegen.block import planned
from edgeling.graph import Graph, GraphBuilder
from edgeling.workflow.build import as_deployable, as_learning
from edgeling.workflow.learning import Learning

# Widths, and what the last layer answers; hidden layers are rectified.
NETWORKS = {
    "8-10-1": "sigmoid", "4-4-3": "softmax", "3-2": "softmax", "30-1": "sigmoid", "100-3": "softmax",
    "4-16-3": "softmax", "13-32-1": "linear", "10-20-10-2": "softmax", "6-33-17-5": "linear", "50-3-50": "linear",
    "1-3-3-3-3-3-1": "linear", "16-16-16-16-4": "softmax", "64-32-10": "softmax", "30-64-32-5": "softmax",
    "128-64-1": "sigmoid", "12-48-96": "linear",
}  # fmt: skip
OPTIMIZERS = ("sgd", "momentum", "adam")


@dataclass(frozen=True)
class Cost:
    """What a step takes on a core, in instructions, and of RAM beside the weights."""

    network: str
    core: str
    optimizer: str
    inference_instructions: int
    step_instructions: int
    arena_bytes: int
    alive_bytes: int

    @property
    def ratio(self) -> float:
        """Steps in inferences."""
        return self.step_instructions / self.inference_instructions


def network(name: str) -> Graph:
    """A network, with weights as Glorot and Bengio draw them."""
    dice, widths, answers = np.random.default_rng(0), [int(n) for n in name.split("-")], NETWORKS.get(name, "linear")
    b = GraphBuilder("net")
    value = b.input("x", (1, widths[0]))
    for i, (n, m) in enumerate(pairwise(widths)):
        kernel = b.constant(dice.normal(size=(n, m)) * (2 / (n + m)) ** 0.5, f"kernel_{i}")
        is_last = i + 2 == len(widths)
        function = ("linear" if answers == "softmax" else answers) if is_last else "relu"
        bias = b.constant(np.zeros(m), f"bias_{i}")
        value = b.add("dense", value, kernel, bias, function=function, name=f"layer_{i}")
    return b.build([b.add("softmax", value, name="y") if answers == "softmax" else value])


def costs(name: str, core: str) -> list[Cost]:
    """Of each optimizer.

    Raises:
        SystemExit: weights after a step are not those that it means.
    """
    graph, target = network(name), targets.get(core)
    deployed, _ = as_deployable(graph, "float32", "net")
    alone = deployed.for_target(target).for_emulation("float32", target).prove("float32", target).instructions
    made = []
    for optimizer in OPTIMIZERS:
        model = as_learning(graph, Learning(layers="all", optimizer=optimizer), name="net")
        proof = model.prove(target, model.made_up(4))
        if not proof.matches:
            raise SystemExit(f"{name} on {core} with {optimizer}: other weights than the step means")
        alive = 4 * planned(model.learner.learn, target).memory.least_words
        made.append(Cost(name, core, optimizer, alone or 0, proof.instructions or 0, proof.arena_bytes, alive))
    return made


def line(of: list[Cost]) -> str:
    """A row of the table."""
    told = (f"{cost.step_instructions:,} ({cost.ratio:.1f})" for cost in of)
    memory = (f"{cost.arena_bytes:,} / {cost.alive_bytes:,}" for cost in (of[0], of[-1]))
    return f"| {' | '.join((of[0].network, f'{of[0].inference_instructions:,}', *told, *memory))} |"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learning_steps", description="A step beside an answer.")
    parser.add_argument("--core", default="cortex-m4", help="a target that counts (cortex-m4, cortex-m0plus, wasm32)")
    parser.add_argument("--network", action="append", help=f"widths, such as {', '.join(list(NETWORKS)[:3])}")
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    options = parser.parse_args()
    found = []
    if not options.json:
        heads = "network", "inference", *OPTIMIZERS, "arena / alive, sgd", "adam"
        print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for name in options.network or NETWORKS:
        found += costs(name, options.core)
        if not options.json:
            print(line(found[-len(OPTIMIZERS) :]), flush=True)
    if options.json:
        print(json.dumps([asdict(cost) for cost in found], indent=2))


if __name__ == "__main__":
    main()
