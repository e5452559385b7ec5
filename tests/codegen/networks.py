# SPDX-License-Identifier: Apache-2.0
"""The two tutorial networks, with weights that any machine makes alike."""

from __future__ import annotations

import numpy as np

from edgeling.graph.builder import GraphBuilder
from edgeling.graph.types import Array, Graph


def weights(*shape: int) -> Array:
    """Fractions of 16 that follow no simple pattern."""
    numbers = np.arange(1, np.prod(shape) + 1)
    return (((numbers * 37) % 31 - 15) / 16).reshape(shape).astype(np.float32)


def dense_network(name: str, sizes: tuple[int, ...], functions: tuple[str, ...], softmax: bool) -> Graph:
    b = GraphBuilder(name)
    value = b.input("x", (1, sizes[0]))
    for i, (function, n, m) in enumerate(zip(functions, sizes, sizes[1:], strict=False)):
        kernel, bias = b.constant(weights(n, m), f"dense_{i + 1}/kernel"), b.constant(weights(m), f"dense_{i + 1}/bias")
        last = i + 2 == len(sizes) and not softmax
        value = b.add("dense", value, kernel, bias, function=function, name="y" if last else f"dense_{i + 1}")
    if softmax:
        value = b.add("softmax", value, name="y")
    return b.build([value])


def _iris() -> Graph:
    b = GraphBuilder.of(dense_network("iris", (4, 4, 3), ("relu", "linear"), softmax=True))
    b.describe(
        description="Which species an iris is, from four lengths of its flower.",
        input_names=["sepal length", "sepal width", "petal length", "petal width"],
        input_units=["cm"] * 4,
        labels=["setosa", "versicolor", "virginica"],
        task="classification",
    )
    return b.build(["y"])


TUTORIALS = {"iris": _iris(), "diabetes": dense_network("diabetes", (8, 10, 1), ("relu", "sigmoid"), softmax=False)}
