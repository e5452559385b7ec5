# SPDX-License-Identifier: Apache-2.0
"""Passes: functions from graph to graph. One that changes nothing gives the very same object back."""

from edgeling.graph.types import Graph
from edgeling.passes.dead import remove_dead
from edgeling.passes.differentiate import differentiate
from edgeling.passes.fold import fold
from edgeling.passes.fuse import fuse
from edgeling.passes.logits import through_logits
from edgeling.passes.normalizing import rectify_normalized


def optimize(graph: Graph) -> Graph:
    """Fold, fuse and remove what is dead: what every graph goes through before code generation."""
    return remove_dead(fuse(fold(graph)))


__all__ = ["differentiate", "fold", "fuse", "optimize", "rectify_normalized", "remove_dead", "through_logits"]
