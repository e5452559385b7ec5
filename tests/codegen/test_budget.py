"""The budgets of the two tutorial networks on a Cortex-M4F: counted on the emulated core, not estimated."""

from __future__ import annotations

import numpy as np
import pytest

from edgeling import targets
from edgeling.codegen import generate
from edgeling.graph.interpreter import run
from edgeling.toolchain.prove import prove
from tests.codegen.networks import TUTORIALS

NAIVE_INSTRUCTIONS = {"iris": 457, "diabetes": 668}  # naive C at -O2 with the weights inline
FLASH_BYTES = 3 * 1024


@pytest.mark.parametrize("name", TUTORIALS)
def test_no_more_than_naive_c(name):
    graph = TUTORIALS[name]
    rows = np.random.default_rng(0).normal(size=(8, graph.types["x"].size)).astype(np.float32)
    expected = np.concatenate([run(graph, [row[None]]).outputs[0] for row in rows])
    proof = prove(generate(graph, name), targets.get("cortex-m4"), [rows], [expected], 1e-6)
    assert proof.matches
    assert proof.instructions <= NAIVE_INSTRUCTIONS[name]
    assert proof.flash_bytes <= FLASH_BYTES
