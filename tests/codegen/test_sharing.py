# SPDX-License-Identifier: Apache-2.0
"""Equal layers share one function of the C, where flash counts."""

from __future__ import annotations

import numpy as np
import pytest

from edgeling.codegen import generate
from edgeling.targets import get
from edgeling.workflow.build import build
from edgeling.workflow.deploy import deployable
from tests.codegen.networks import dense_network

DEPTH = 8


def deep(layers: int):
    """Layers of sixteen units, all alike."""
    return dense_network("deep", (16,) * (layers + 1), ("relu",) * layers, softmax=False)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_eight_equal_layers_take_little_more_code_than_two(precision):
    rows = np.random.default_rng(0).normal(size=(40, 16)).astype(np.float32)
    few, many = (build(deep(layers), "cortex-m4", precision=precision, calibration_data=rows) for layers in (3, DEPTH))
    assert many.matches
    assert many.flash_code_bytes - few.flash_code_bytes < (DEPTH - 3) * 32


@pytest.mark.parametrize("target", ["native", "cortex-m0plus", "wasm32"])
def test_one_function_serves_all_and_computes_the_same(target):
    rows = np.random.default_rng(0).normal(size=(5, 16)).astype(np.float32)
    deployed = deployable("deep", deep(DEPTH), rows, precisions=["float32"])
    assert deployed.program("float32").files["deep.c"].count("EDGELING_SHARED") == 1
    assert deployed.prove("float32", target).matches


def test_where_speed_alone_counts_every_call_is_inlined():
    assert "EDGELING_SHARED" not in generate(deep(DEPTH), "deep", target=get("native")).files["deep.c"]
