# SPDX-License-Identifier: Apache-2.0
"""Which weights of a deployed network may learn again, and the graph in which they are variables.

Layers, dense ones and convolutions, are counted from the answer: one is in the first level if none stands between it
and the answer, and one level further for each that does. What lies outside of the levels that learn stays what it is,
constants of an integer network included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from edgeling.errors import UnsupportedError
from edgeling.graph.builder import GraphBuilder
from edgeling.graph.naming import unused
from edgeling.graph.operations import ACTIVATION_ATTRIBUTES
from edgeling.graph.types import Array, Graph, Node, TensorType
from edgeling.passes.contracts import contract
from edgeling.passes.dead import remove_dead
from edgeling.passes.fuse import affine_columns
from edgeling.passes.scales import exactly_dequantized

DENSE, INTEGER_DENSE = ("dense",), ("dense_int8", "dense_int16")
LAYERS = (*DENSE, "conv")
_NEITHER = ("embedding",)  # learned only where all is


def levels(graph: Graph) -> list[list[Node]]:
    """The layers that may learn, by level, the nearest to the answer first; within one, as they run."""
    depth: dict[str, int] = dict.fromkeys(graph.outputs, 0)
    found: dict[int, list[Node]] = {}
    for node in reversed(graph.nodes):
        below = max((depth[o] for o in node.outputs if o in depth), default=-1)
        if below < 0:
            continue
        if node.operation in (*LAYERS, *INTEGER_DENSE):
            below += 1
            found.setdefault(below, []).insert(0, node)
        for value in node.inputs:
            depth[value] = max(depth.get(value, 0), below)
    return [found[level] for level in sorted(found)]


@contract()
def with_variables(graph: Graph, weights: Sequence[str]) -> Graph:
    """The graph in which some of its constants are variables."""
    chosen = {name: graph.constants[name] for name in weights}
    kept = {name: array for name, array in graph.constants.items() if name not in chosen}
    return replace(graph, constants=kept, variables={**graph.variables, **chosen})


def weights_of(graph: Graph, count: int | None) -> list[str]:
    """The constants that learn: kernels and biases of the last ``count`` levels; of all, tables of embeddings too.

    Raises:
        UnsupportedError: there are none, fewer levels than that, one whose weights are no constants of its own, or all
            are to learn and there is a recurrent layer, which cannot.
    """
    layers = levels(graph)
    if not layers or (count is not None and not 1 <= count <= len(layers)):
        raise UnsupportedError(
            "as many layers learn as there are dense layers and convolutions, counted from the answer",
            received=f"{'all' if count is None else count} of {len(layers)}",
            remedy=f"learn='last', 'all' or 1 to {len(layers)} (--learn)" if layers else "a network with such a layer",
        )
    if count is None and any(node.operation == "scan" for node in graph.nodes):
        raise UnsupportedError(
            "all layers learn where each is dense, a convolution or an embedding", received="a recurrent layer",
            remedy="the number of those behind it (--learn last, --learn 2)",
        )  # fmt: skip
    nodes = [node for level in layers[: count or len(layers)] for node in level]
    weights = [i for node in graph.nodes if node in nodes for i in node.inputs[1:3]]
    if count is None:
        weights += [node.inputs[1] for node in graph.nodes if node.operation in _NEITHER]
    fixed = [w for w in weights if w not in graph.constants]
    if fixed or len(set(weights)) != len(weights):
        raise UnsupportedError(
            "a layer that learns has weights of its own",
            received=f"{(fixed or weights)[0]!r}, which is shared or computed",
            remedy="fewer layers (--learn)",
        )
    return weights


@contract()
def unfused(graph: Graph) -> Graph:
    """The graph with the activations of its layers apart, so that their inputs are in reach."""
    nodes, types = list[Node](), dict(graph.types)
    for node in graph.nodes:
        function = node.attributes.get("function", "linear")
        if node.operation not in LAYERS or function == "linear":
            nodes.append(node)
            continue
        before = f"{node.output}_input"
        while before in types:
            before += "_"
        types[before] = types[node.output]
        nodes.append(replace(node, outputs=(before,), attributes={**node.attributes, "function": "linear"}))
        own = {name: node.attributes[name] for name in ACTIVATION_ATTRIBUTES}
        nodes.append(Node("activation", (before,), node.outputs, own))
    return graph if len(nodes) == len(graph.nodes) else replace(graph, nodes=tuple(nodes), types=types)


@contract()
def with_affine_normalizations(graph: Graph) -> Graph:
    """The graph in which deployed batch normalisations, of constants, are a product and a sum: those have gradients."""
    nodes, types, constants = list[Node](), dict(graph.types), dict(graph.constants)
    for node in graph.nodes:
        columns = affine_columns(graph, node, channels=True) if node.operation == "batch_normalization" else None
        if columns is None:
            nodes.append(node)
            continue
        slope, shift, scaled = (unused(f"{node.output}_{part}", types) for part in ("slope", "shift", "scaled"))
        for name, array in zip((slope, shift), columns, strict=True):
            constants[name] = array.astype(np.float32)
            types[name] = TensorType(array.shape)
        types[scaled] = types[node.output]
        nodes.append(Node("multiply", (node.inputs[0], slope), (scaled,)))
        nodes.append(Node("add", (scaled, shift), node.outputs))
    if len(nodes) == len(graph.nodes):
        return graph
    return remove_dead(replace(graph, nodes=tuple(nodes), types=types, constants=constants))


def with_float_head(small: Graph, exact: Graph, count: int) -> Graph:
    """An integer network whose last levels are floats again.

    What a float layer reads of the integer part is its input as the integers have it, dequantised; what else it needs
    is computed in float.

    Args:
        small: the integer network made of ``exact``.
        exact: the float network.
        count: levels that are float.

    Raises:
        UnsupportedError: no layer would stay in integers, or the two networks differ in their layers.
    """
    ours, theirs = levels(exact), levels(small)
    if count >= len(ours):
        raise UnsupportedError(
            "of an integer network the last layers learn, in float; the body stays as it is",
            received=f"{count} of {len(ours)} layers",
            remedy=(f"learn='last' or at most {len(ours) - 1} (--learn), or " if len(ours) > 1 else "")
            + "precision='float32' (--precision float32)",
        )
    if [len(level) for level in ours] != [len(level) for level in theirs]:
        raise UnsupportedError(
            "the integer network has the layers of the float one", received=f"{len(theirs)} levels for {len(ours)}",
            remedy="precision='float32' (--precision float32)",
        )  # fmt: skip
    builder = GraphBuilder(exact.name)
    for name in exact.inputs:
        builder.input(name, exact.types[name].shape)
    builder.describe(**exact.metadata)
    joined = _Joined(small, exact, builder)
    for mine, its in zip(ours[:count], theirs[:count], strict=True):
        for node, other in zip(mine, its, strict=True):
            joined.match(node.inputs[0], other.inputs[0])
    return remove_dead(builder.build([joined.float(output) for output in exact.outputs]))


class _Joined:
    """Copies values of both networks into one graph, each when it is needed."""

    def __init__(self, small: Graph, exact: Graph, builder: GraphBuilder) -> None:
        self._graphs, self._builder = (small, exact), builder
        self._made: tuple[dict[str, str], dict[str, str]] = tuple(  # type: ignore[assignment]
            {name: name for name in graph.inputs} for graph in self._graphs
        )
        self._makers = tuple({o: node for node in graph.nodes for o in node.outputs} for graph in self._graphs)
        self._stored: dict[str, str] = {}

    def match(self, exact: str, small: str) -> None:
        """``small`` stands for the float value ``exact``, unless a layer that is float itself makes it."""
        kind = self._graphs[0].types[small].quantization
        if kind is not None and len(kind.scale) == 1:
            self._stored[exact] = small

    def float(self, value: str) -> str:
        """A value of the float network, in the new graph."""
        if value in self._stored and not self._from_a_head(value):
            return self._dequantized(value)
        return self._copy(1, value)

    def _from_a_head(self, value: str) -> bool:
        """Whether a layer that is float is on the way to it."""
        makers, wanted = self._makers[1], [value]
        while wanted:
            node = makers.get(wanted.pop())
            if node is None:
                continue
            if node.operation in DENSE and node.inputs[0] in self._stored:
                return True
            wanted += node.inputs
        return False

    def _dequantized(self, value: str) -> str:
        if value not in self._made[1]:
            stored = self._stored[value]
            kind = self._graphs[0].types[stored].quantization
            assert kind is not None
            dtype, zero_point = self._graphs[0].types[stored].dtype, kind.zero_point[0]
            numbers = {"scale": exactly_dequantized(kind.scale[0], zero_point, dtype), "zero_point": zero_point}
            self._made[1][value] = self._builder.add(
                "dequantize", self._copy(0, stored), name=f"{value}_float", **numbers
            )
        return self._made[1][value]

    def _copy(self, which: int, value: str) -> str:
        made, graph = self._made[which], self._graphs[which]
        if value in made:
            return made[value]
        if value in graph.constants:
            made[value] = self._builder.constant(graph.constants[value], value, graph.types[value].quantization)
            return made[value]
        node = self._makers[which][value]
        inputs = [self.float(i) if which else self._copy(0, i) for i in node.inputs]
        kinds: list[TensorType] = [graph.types[o] for o in node.outputs]
        outputs = self._builder.add_many(node.operation, *inputs, name=node.outputs[0], types=kinds, **node.attributes)
        made.update(zip(node.outputs, outputs, strict=True))
        return made[value]


def standardized(graph: Graph, weights: Sequence[str], mean: Array, scale: Array) -> Graph:
    """The graph with the columns of its input standardised before a layer that learns reads them, its weights made for
    that.

    The same function, to rounding. A step of learning has the right size only where columns are of one size.

    Args:
        weights: of the layers that learn.
        mean, scale: one a column of the input; 0 and 1 where it is left as it is.
    """
    (x,) = graph.inputs
    builder = GraphBuilder(graph.name)
    builder.input(x, graph.types[x].shape)
    builder.describe(**graph.metadata)
    known: dict[str, str] = {x: x}
    columns: dict[str, Array] = {x: np.arange(len(mean))}
    for node in graph.nodes:
        _follow(graph, node, columns)
        raw = columns.get(node.inputs[0]) if node.operation in DENSE and node.inputs[1] in weights else None
        whole = None if raw is None else (np.append(mean, 0.0)[raw], np.append(scale, 1.0)[raw])  # -1 takes the last
        if whole is None or (not whole[0].any() and (whole[1] == 1).all()):
            inputs = [_copied(graph, builder, known, i) for i in node.inputs]
        else:
            inputs = _on_standardized(graph, builder, node, _copied(graph, builder, known, node.inputs[0]), whole)
        kinds = [graph.types[o] for o in node.outputs]
        made = builder.add_many(node.operation, *inputs, name=node.outputs[0], types=kinds, **node.attributes)
        known.update(zip(node.outputs, made, strict=True))
    return remove_dead(builder.build([known[o] for o in graph.outputs]))


def _copied(graph: Graph, builder: GraphBuilder, known: dict[str, str], value: str) -> str:
    if value not in known:
        known[value] = builder.constant(graph.constants[value], value, graph.types[value].quantization)
    return known[value]


def _follow(graph: Graph, node: Node, columns: dict[str, Array]) -> None:
    """Of a value that holds columns of the input as they came: which; -1 for any other."""
    source = columns.get(node.inputs[0]) if node.inputs else None
    if node.operation == "concatenate" and any(i in columns for i in node.inputs):
        others = [columns.get(i, np.full(graph.types[i].shape[-1], -1)) for i in node.inputs]
        columns[node.output] = np.concatenate(others)
    elif source is not None and node.operation == "gather":
        columns[node.output] = source[list(node.attributes["indices"])]
    elif source is not None and node.operation == "impute":
        columns[node.output] = source


def _on_standardized(
    graph: Graph, builder: GraphBuilder, node: Node, x: str, columns: tuple[Array, Array]
) -> list[str]:
    """The inputs of a dense node that reads standardised columns."""
    mean, scale = columns
    kernel, bias = (graph.constants[i].astype(np.float64) for i in node.inputs[1:])
    constants = [builder.constant(part, f"{node.output}_{name}") for part, name in ((mean, "mean"), (scale, "scale"))]
    weights = [kernel * scale[:, None], bias + mean @ kernel]
    named = [builder.constant(w, name) for w, name in zip(weights, node.inputs[1:], strict=True)]
    return [builder.add("standardize", x, *constants), *named]


def in_units(graph: Graph, mean: float, scale: float) -> Graph:
    """The graph whose last dense layer answers in standard deviations, which become the unit behind it.

    The same function, to rounding; the same graph where no linear dense layer makes the answer.
    """
    (answer,) = graph.outputs
    node = next((n for n in graph.nodes if answer in n.outputs), None)
    if node is None or node.operation not in DENSE or node.attributes["function"] != "linear":
        return graph
    if any(i not in graph.constants for i in node.inputs[1:]):
        return graph
    kernel, bias = (graph.constants[i].astype(np.float64) for i in node.inputs[1:])
    smaller: Mapping[str, Array] = {
        node.inputs[1]: (kernel / scale).astype(np.float32), node.inputs[2]: ((bias - mean) / scale).astype(np.float32)
    }  # fmt: skip
    changed = replace(graph, constants={**graph.constants, **smaller})
    builder = GraphBuilder.of(changed)
    scaled = builder.add("multiply", answer, builder.constant([scale], "target_scale"))
    return builder.build([builder.add("add", scaled, builder.constant([mean], "target_mean"))])
