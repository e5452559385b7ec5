# SPDX-License-Identifier: Apache-2.0
"""Fusing what surrounds a layer into it: fewer passes over memory, fewer constants, fewer instructions.

Requires: a legal float graph; weights that are to be changed are constants. Ensures: the same function of the inputs
to within ``float32`` rounding; the metadata's ``fusion_error`` bounds what a rounding of the fused columns can cost.
Gives the same object back where nothing fused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from edgeling.graph.naming import unused
from edgeling.graph.types import Array, Graph, Node
from edgeling.passes.contracts import contract, same_face, same_or_changed
from edgeling.passes.dead import remove_dead
from edgeling.passes.rewrite import Uses, bypass, in_bodies, substitute

# A column standardised by (mean, scale) loses about |mean| / scale of its precision when folded into the weights, for
# x * w then no longer has the mean removed first. Where the bound on that error would pass this, the subtraction stays
# where it is: years, whose mean is hundreds of deviations, would otherwise cost the fourth digit of an answer.
LARGEST_FUSION_ERROR = 5e-6
FLOAT32_EPSILON = float(np.finfo(np.float32).eps)

Fusion = Callable[[Graph, Uses, Node], Graph | None]
Columns = tuple[Array, Array]  # y = x * slope + offset, one each a column, in float64


@contract(same_face, same_or_changed)
def fuse(graph: Graph) -> Graph:
    """The graph with activations, batch normalisations, standardisations and zeros around fused into dense and conv
    nodes, and columns taken from where they are before they were put side by side."""
    rules = (
        _all_columns, _columns_of_a_part, _before_reshape, _columns_into_layer_before, _activation_into_layer,
        _columns_into_transposed, _columns_into_dense_after, _zeros_into_conv,
    )  # fmt: skip
    graph = in_bodies(graph, fuse)
    while (fused := _apply_first(graph, rules)) is not None:
        graph = fused
    return graph


def _apply_first(graph: Graph, rules: Sequence[Fusion]) -> Graph | None:
    """The graph after the first rule that fits anywhere; None if none does."""
    uses = Uses(graph)
    fits = (rule(graph, uses, node) for node in graph.nodes for rule in rules)
    return next((result for result in fits if result is not None), None)


def _all_columns(graph: Graph, _: Uses, node: Node) -> Graph | None:
    """A gather of every column in order: its input, under another name."""
    if node.operation != "gather" or graph.types[node.inputs[0]] != graph.types[node.output]:
        return None
    if tuple(node.attributes["indices"]) != tuple(range(graph.types[node.output].shape[1])):
        return None
    return bypass(graph, node)


def _columns_of_a_part(graph: Graph, uses: Uses, node: Node) -> Graph | None:
    """concatenate then gather of columns of one part: gather of that part."""
    whole = uses.maker.get(node.inputs[0]) if node.operation == "gather" else None
    if whole is None or whole.operation != "concatenate":
        return None
    indices, first = node.attributes["indices"], 0
    for part in whole.inputs:
        last = first + graph.types[part].shape[-1]
        if first <= min(indices) and max(indices) < last:
            own = tuple(i - first for i in indices)
            return substitute(graph, [(node, replace(node, inputs=(part,), attributes={"indices": own}))], {})
        first = last
    return None


def _linear_layer(uses: Uses, value: str) -> Node | None:
    """The dense or conv node that makes ``value``, if it has no activation yet and nobody else reads its result."""
    node = uses.maker.get(value)
    layer = node and node.operation in ("dense", "conv")
    if node and layer and node.attributes["function"] == "linear" and uses.read_once(value):
        return node
    return None


def _before_reshape(graph: Graph, uses: Uses, node: Node) -> Graph | None:
    """A layer, a new shape of the same channels (or pools), then an activation or affine channels: the last two change
    places, so that the layer can take up the one that is computed."""
    shaped = uses.maker.get(node.inputs[0])
    if shaped is None or not _may_change_places(graph, uses, node, shaped):
        return None
    (source,) = shaped.inputs
    kind, name = graph.types[source], unused(f"{node.output}_before", graph.types)
    first = replace(node, inputs=(source, *node.inputs[1:]), outputs=(name,))
    then = replace(shaped, inputs=(name,), outputs=node.outputs)
    nodes = [new for old in graph.nodes for new in ((first, then) if old is node else (old,)) if old is not shaped]
    return remove_dead(replace(graph, nodes=tuple(nodes), types={**graph.types, name: kind}))


def _may_change_places(graph: Graph, uses: Uses, node: Node, shaped: Node) -> bool:
    """Whether a node means the same before ``shaped``, and a layer made what that is given."""
    columns = affine_columns(graph, node, channels=True)
    if node.operation != "activation" and columns is None:
        return False
    while _keeps_channels(graph, uses, shaped, columns):
        (source,) = shaped.inputs
        if _linear_layer(uses, source):
            return True
        if node.operation == "batch_normalization" and _transposed_layer(uses, source):
            return True
        if source not in uses.maker:
            return False
        shaped = uses.maker[source]
    return False


def _keeps_channels(graph: Graph, uses: Uses, shaped: Node, columns: Columns | None) -> bool:
    """Whether ``columns`` (None: an activation) of its result are those of what it is given, one reader being there.

    Of windows the largest is still the largest where nothing changes its sign, the mean always the mean.
    """
    if shaped.operation not in ("reshape", "max_pool", "average_pool") or not uses.read_once(shaped.output):
        return False
    if shaped.operation == "reshape":
        return graph.types[shaped.inputs[0]].shape[-1:] == graph.types[shaped.output].shape[-1:]
    return columns is not None and (shaped.operation == "average_pool" or bool(np.all(columns[0] > 0)))


def _activation_into_layer(graph: Graph, uses: Uses, node: Node) -> Graph | None:
    layer = _linear_layer(uses, node.inputs[0]) if node.operation == "activation" else None
    if layer is None:
        return None
    fused = replace(layer, outputs=node.outputs, attributes={**layer.attributes, **node.attributes})
    return substitute(graph, [(layer, None), (node, fused)], {})


def _columns_into_layer_before(graph: Graph, uses: Uses, node: Node) -> Graph | None:
    """dense or conv, then affine channels: scale the outputs' weights."""
    columns = affine_columns(graph, node, channels=True)
    layer = _linear_layer(uses, node.inputs[0]) if columns else None
    if columns is None or layer is None or not _is_constant(graph, *layer.inputs[1:]):
        return None
    kernel, bias = (graph.constants[i].astype(np.float64) for i in layer.inputs[1:])
    slope, offset = columns
    fused, constants = _layer_with(graph, layer, kernel * slope, bias * slope + offset, node.output)
    return substitute(graph, [(layer, None), (node, fused)], constants)


def _columns_into_transposed(graph: Graph, uses: Uses, node: Node) -> Graph | None:
    """A transposed convolution, its biases, then a batch normalisation: scale its kernel, and add what is left."""
    columns = affine_columns(graph, node, channels=True) if node.operation == "batch_normalization" else None
    layer = _transposed_layer(uses, node.inputs[0]) if columns else None
    if columns is None or layer is None or not _is_constant(graph, layer.inputs[1]):
        return None
    (slope, offset), biased = columns, uses.maker[node.inputs[0]]
    biases = affine_columns(graph, biased, channels=True) if biased is not layer else None
    if biased is not layer and biases is None:
        return None
    kernel = graph.constants[layer.inputs[1]].astype(np.float64) * slope[:, None]
    left = biases[1] * slope + offset if biases else offset
    scaled, constants = _layer_with(graph, layer, kernel, left, node.output)
    names = scaled.inputs[1:]
    scaled = replace(scaled, inputs=(layer.inputs[0], names[0]), outputs=layer.outputs)
    added = Node("add", (layer.output, names[1]), node.outputs, {})
    gone = [(biased, None)] if biases else []
    return substitute(graph, [(layer, scaled), *gone, (node, added)], constants)


def _transposed_layer(uses: Uses, value: str) -> Node | None:
    """The transposed convolution that makes ``value``, biases added perhaps, if nobody else reads its result."""
    node = uses.maker.get(value)
    if node and node.operation == "add" and uses.read_once(value):
        value, node = node.inputs[0], uses.maker.get(node.inputs[0])
    if node and node.operation == "conv_input_gradient" and node.attributes["groups"] == 1 and uses.read_once(value):
        return node
    return None


def _zeros_into_conv(graph: Graph, uses: Uses, node: Node) -> Graph | None:
    """Zeros around an image, then conv: the window reaches over them."""
    pad = uses.maker.get(node.inputs[0]) if node.operation == "conv" else None
    if pad is None or pad.operation != "pad" or pad.attributes["value"] != 0 or not uses.read_once(pad.output):
        return None
    inner, outer = graph.types[pad.inputs[0]].shape, graph.types[pad.output].shape
    before = pad.attributes["begin"]
    after = [whole - n - b for whole, n, b in zip(outer, inner, before, strict=True)]
    if before[0] or after[0] or before[3] or after[3]:
        return None
    more = (before[1], after[1], before[2], after[2])
    padding = tuple(a + b for a, b in zip(node.attributes["padding"], more, strict=True))
    fused = replace(node, inputs=(pad.inputs[0], *node.inputs[1:]), attributes={**node.attributes, "padding": padding})
    return substitute(graph, [(pad, None), (node, fused)], {})


def _columns_into_dense_after(graph: Graph, uses: Uses, node: Node) -> Graph | None:
    """Affine columns then dense: scale the inputs' weights."""
    before = uses.maker.get(node.inputs[0]) if node.operation == "dense" else None
    columns = affine_columns(graph, before) if before else None
    if before is None or columns is None or not _is_constant(graph, *node.inputs[1:]):
        return None
    slope, offset = columns
    kernel, bias = (graph.constants[i].astype(np.float64) for i in node.inputs[1:])
    error = FLOAT32_EPSILON * float(np.max(np.abs(offset) @ np.abs(kernel), initial=0))
    total = graph.metadata.get("fusion_error", 0.0) + error
    if not uses.read_once(before.output) or total > LARGEST_FUSION_ERROR:
        return None
    fused, constants = _layer_with(graph, node, kernel * slope[:, None], bias + offset @ kernel, node.output)
    fused = replace(fused, inputs=(before.inputs[0], *fused.inputs[1:]))
    metadata = {**graph.metadata, "fusion_error": total}
    return substitute(replace(graph, metadata=metadata), [(before, None), (node, fused)], constants)


def affine_columns(graph: Graph, node: Node, *, channels: bool = False) -> Columns | None:
    """Slope and offset of a node that is affine in each column of its first input, the rest being constants.

    Args:
        channels: of the last axis alone, the same for all others.
    """
    if node.operation not in AFFINE or not _is_constant(graph, *node.inputs[1:]):
        return None
    columns = graph.types[node.output].shape[-1 if channels else 1 :]
    parameters = [graph.constants[i].astype(np.float64) for i in node.inputs[1:]]
    if graph.types[node.inputs[0]].shape != graph.types[node.output].shape or any(
        p.shape not in (columns, ()) for p in parameters
    ):
        return None
    slope, offset = AFFINE[node.operation](node, *parameters)
    return np.broadcast_to(slope, columns), np.broadcast_to(offset, columns)


def _normalisation(node: Node, gamma: Array, beta: Array, mean: Array, variance: Array) -> Columns:
    slope = gamma / np.sqrt(variance + float(node.attributes["epsilon"]))
    return slope, beta - mean * slope


AFFINE: dict[str, Callable[..., Columns]] = {
    "standardize": lambda _, mean, scale: (1 / scale, -mean / scale),
    "batch_normalization": _normalisation,
    "multiply": lambda _, slope: (slope, np.zeros(())),
    "add": lambda _, offset: (np.ones(()), offset),
}


def _is_constant(graph: Graph, *values: str) -> bool:
    return all(value in graph.constants for value in values)


def _layer_with(graph: Graph, layer: Node, kernel: Array, bias: Array, output: str) -> tuple[Node, dict[str, Array]]:
    """The node with other weights, under names of their own."""
    names = [unused(f"{output}_{part}", graph.types) for part in ("kernel", "bias")]
    constants = dict(zip(names, (kernel.astype(np.float32), bias.astype(np.float32)), strict=True))
    return replace(layer, inputs=(layer.inputs[0], *names), outputs=(output,)), constants
