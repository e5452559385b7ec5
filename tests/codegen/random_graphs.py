# SPDX-License-Identifier: Apache-2.0
"""Random graphs of small whole numbers, whose arithmetic is exact: C and the interpreter must agree bit for bit."""

from __future__ import annotations

import random

import numpy as np

from edgeling.graph.builder import GraphBuilder
from edgeling.graph.types import Array, Graph, TensorType
from tests.codegen.harness import Case

ROWS = 3
COLUMNS = (1, 2, 5)


class _Maker:
    """Adds random nodes to a builder; every value but the last few stays within [-8, 8]."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.numbers = np.random.default_rng(seed)
        self.b = GraphBuilder(f"random_{seed}")
        self.pool: list[str] = []

    def array(self, shape: tuple[int, ...]) -> Array:
        return self.numbers.integers(-2, 3, shape).astype(np.float32)

    def shape(self, value: str) -> tuple[int, ...]:
        return self.b.type_of(value).shape

    def pick(self, *shapes: tuple[int, ...]) -> str | None:
        fitting = [v for v in self.pool if not shapes or self.shape(v) in shapes]
        return self.dice.choice(fitting) if fitting else None

    def keep(self, *values: str | None) -> None:
        self.pool += [v for v in values if v]

    def limit(self, value: str) -> str:
        return self.b.add("clip", value, minimum=-8.0, maximum=8.0)

    def elementwise(self) -> None:
        x = self.pick()
        operation, options = self.dice.choice(
            [("square", {}), ("activation", {"function": "relu"}), ("clip", {"minimum": -3.0, "maximum": 2.0})]
        )
        self.keep(self.limit(self.b.add(operation, x, **options)))

    def binary(self) -> None:
        a = self.pick()
        rows, columns = self.shape(a)
        other = self.pick((rows, columns), (1, columns), (rows, 1), (1, 1))
        pair = (a, other) if self.dice.random() < 0.5 else (other, a)
        value = self.b.add(self.dice.choice(["add", "subtract", "multiply"]), *pair)
        self.keep(self.limit(value) if self.dice.random() < 0.9 else None)

    def linear(self) -> None:
        x = self.pick()
        columns = self.dice.choice(COLUMNS)
        w = self.b.constant(self.array((self.shape(x)[1], columns)), "w")
        bias = self.b.constant(self.array((columns,)), "bias")
        self.keep(self.limit(self.b.add("dense", x, w, bias, function="relu")))

    def product(self) -> None:
        a = self.pick()
        other = self.pick(*[(r, self.shape(a)[1]) for r in (1, 2, ROWS, 5)]) or a
        self.keep(self.limit(self.b.add("matmul", a, other, transpose_b=True)))

    def shaped(self) -> None:
        x = self.pick()
        rows, columns = self.shape(x)
        kind = self.dice.choice(["reshape", "reshape", "sum", "broadcast", "gather", "concatenate"])
        if kind == "reshape":
            self.keep(self.b.add("reshape", x, shape=(columns, rows)))
        elif kind == "sum":
            self.keep(self.limit(self.b.add("sum", x, axes=self.dice.choice([(0,), (1,), (0, 1)]))))
        elif kind == "broadcast" and rows == 1:
            self.keep(self.b.add("broadcast", x, shape=(ROWS, columns)))
        elif kind == "gather":
            self.keep(self.b.add("gather", x, indices=(columns - 1, 0)))
        elif kind == "concatenate":
            self.keep(self.b.add("concatenate", x, self.pick((rows, columns))))

    def update(self, variables: list[str]) -> None:
        """An optimizer rule with whole coefficients: w - g, and m' = m - g, w' = w + m'."""
        v = self.dice.choice(variables)
        g, one = self.pick(self.shape(v)), self.pick((1, 1))
        if g is None or one is None:
            return
        rate = self.b.add("reshape", self.b.add("clip", one, minimum=1.0, maximum=1.0), shape=())
        slot = self.pick(self.shape(v))
        outputs = (
            self.b.add_many("momentum_update", v, g, slot, rate, momentum=1.0)
            if self.dice.random() < 0.5
            else self.b.add_many("sgd_update", v, g, rate)
        )
        self.keep(*(self.limit(o) if self.dice.random() < 0.5 else o for o in outputs[:1]))


def random_graph(seed: int) -> Graph:
    """A legal graph with inputs, constants, variables, updates, and outputs that may be anything, even twice."""
    m = _Maker(seed)
    m.keep(m.b.input("x", (ROWS, m.dice.choice(COLUMNS))), m.b.input("one", (1, 1)))
    m.keep(m.b.constant(m.array((1, m.dice.choice(COLUMNS))), "c"))
    variables = [m.b.variable(m.array((ROWS, m.dice.choice(COLUMNS))), f"v{i}") for i in range(m.dice.randint(0, 4))]
    m.keep(*variables)
    for _ in range(m.dice.randint(2, 14)):
        step = m.dice.choice([m.elementwise, m.binary, m.binary, m.linear, m.product, m.shaped, None])
        if step:
            step()
        elif variables:
            m.update(variables)
    for v in variables:
        if m.dice.random() < 0.85:
            m.b.update(v, m.pick(m.shape(v)))
    return m.b.build([m.pick() for _ in range(m.dice.randint(1, 4))])


def inputs_of(graph: Graph, seed: int) -> tuple[Array, ...]:
    """Whole numbers for the inputs of a random graph."""
    numbers = np.random.default_rng(seed + 1)

    def one(kind: TensorType) -> Array:
        return numbers.integers(-2, 3, kind.shape).astype(np.float32)

    return tuple(one(graph.types[name]) for name in graph.inputs)


def random_case(seed: int) -> Case:
    graph = random_graph(seed)
    return Case(graph, inputs_of(graph, seed), f"seed {seed}", exact=True)
