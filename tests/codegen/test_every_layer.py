# SPDX-License-Identifier: Apache-2.0
"""Every layer with any of its arguments, in C, on every emulated chip: many in one network, or one (EDGELING_DRAWS)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("keras")

from edgeling import targets
from edgeling.codegen import generate
from edgeling.network.network import inference_graph
from edgeling.passes import optimize
from edgeling.toolchain.prove import prove
from tests.codegen.every_layer import IN_C
from tests.support.drawn_layers import DRAWS, data_of, draw_each, groups, our_model_of, some
from tests.support.rounding import row_bounds

pytestmark = [pytest.mark.keras, pytest.mark.filterwarnings("ignore")]
CHIPS = ("cortex-m4", "cortex-m0plus", "wasm32")
ROWS = 2


@pytest.mark.parametrize(
    ("place", "names"), [*enumerate(groups(IN_C, 18))], ids=lambda part: part if isinstance(part, int) else part[0]
)
@some
@given(drawing=st.data())
def test_layers_of_any_arguments_are_proven_on_chips(place: int, names: Sequence[str], drawing: Any) -> None:
    """On all of them where many are drawn, in CI on one of them in turn."""
    drawn = draw_each(drawing, names)
    ours, given_to = our_model_of(drawn), data_of(drawn)
    rows = [one[:ROWS] for one in (given_to if isinstance(given_to, list) else [given_to])]
    graph = optimize(inference_graph(ours))
    bound = row_bounds(graph, *rows)[0]
    for chip in map(targets.get, CHIPS if DRAWS else CHIPS[place % len(CHIPS) :][:1]):
        program = generate(graph, "net", target=chip)
        assert prove(program, chip, rows, [bound.exact.astype(np.float32)], tolerance=bound.tolerance).matches, (
            chip.name
        )
