# SPDX-License-Identifier: Apache-2.0
"""A depthwise convolution and the one of one pixel behind it, as one call in the memory of its image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgeling.codegen import generate
from edgeling.graph.builder import GraphBuilder
from edgeling.toolchain.native import THIS_MACHINE
from tests.codegen.harness import Case, check
from tests.support import sanitized
from tests.support.sanitized import missing

CALL = "edgeling_separable("


def stack(image: tuple[int, int, int, int], size: tuple[int, int], keeps: str = "", **moved: object) -> Case:
    """Two pairs of convolutions behind an image that is made first; what of it is kept is added to the result."""
    rng, channels = np.random.default_rng(1), image[3]
    b = GraphBuilder("net")
    y = given = b.add("activation", b.input("x", image), function="tanh")
    for function in ("relu6", "elu"):
        kernel, bias = b.constant(rng.normal(size=(*size, 1, channels))), b.constant(rng.normal(size=channels))
        between = b.add("conv", y, kernel, bias, groups=channels, function=function, **moved)
        kernel = b.constant(rng.normal(size=(1, 1, channels, channels)))
        y = b.add("conv", between, kernel, bias, function="relu")
    kept = {"image": [b.add("add", y, given)] if keeps == "image" else [], "between": [y, between]}
    return Case(b.build(kept.get(keeps, [y])), (rng.normal(size=image).astype(np.float32),), f"{image} {size} {moved}")


IMAGES = (
    stack((1, 25, 5, 8), (3, 3), padding=(1, 1, 1, 1)),
    stack((2, 9, 4, 11), (5, 2), padding=(3, 1, 0, 1)),
    stack((1, 12, 3, 4), (3, 1), dilations=(2, 1), padding=(4, 0, 0, 0)),  # nothing of the rows below
    stack((1, 12, 3, 4), (3, 1), padding=(0, 2, 0, 0)),  # nor of those above
)
# Others read the image, or what is between; or shapes change.
LEFT = {
    "image": (stack((1, 9, 7, 8), (3, 3), keeps="image", padding=(1, 1, 1, 1)), 1),
    "between": (stack((1, 9, 7, 8), (3, 3), keeps="between", padding=(1, 1, 1, 1)), 1),
    "shape": (stack((1, 9, 7, 8), (3, 3), padding=(0, 1, 1, 1)), 0),
}


def test_pairs_give_what_the_graph_means() -> None:
    check([*IMAGES, *(item for item, _ in LEFT.values())])


@pytest.mark.parametrize("item", IMAGES, ids=lambda item: item.title)
def test_one_image_and_some_rows_are_all_the_memory(item: Case) -> None:
    program = generate(item.graph, "net")
    _, _, *of_row = item.inputs[0].shape
    kept = item.graph.nodes[1].attributes["padding"][0] + 1
    assert program.files["net.c"].count(CALL) == 2
    assert program.arena_bytes == 4 * (item.inputs[0].size + kept * int(np.prod(of_row)))


@pytest.mark.parametrize("why", LEFT)
def test_a_pair_is_left_alone_where_that_is_no_gain(why: str) -> None:
    item, pairs = LEFT[why]
    assert generate(item.graph, "net").files["net.c"].count(CALL) == pairs
    assert CALL not in generate(item.graph, "net", target=THIS_MACHINE).files["net.c"]


@pytest.mark.skipif(bool(missing()), reason=missing() or "sanitizers")
def test_no_element_beside_its_arrays_is_read_or_written(tmp_path: Path) -> None:
    sanitized.run_sanitized([item.graph for item in IMAGES], tmp_path)
