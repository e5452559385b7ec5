# SPDX-License-Identifier: Apache-2.0
"""A proof says what ran, what it cost, and whether it was right; and can say no."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeling.errors import ToolchainError
from edgeling.targets import get, names
from edgeling.toolchain.prove import _max_error, prove
from tests.support.close import DOUBLE, require_close
from tests.support.tiny_programs import counter, dense, dense_answer, dense_tolerance

ROWS = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
TOLERANCE = dense_tolerance(ROWS)
EVERYWHERE = pytest.mark.parametrize("name", names())


@EVERYWHERE
def test_the_right_answer_is_proven_everywhere(name):
    proof = prove(dense(), get(name), [ROWS], [dense_answer(ROWS)], TOLERANCE)
    assert proof.matches
    assert proof.max_error <= TOLERANCE
    assert (proof.target, proof.rows) == (name, 20)
    if name == "native":
        assert proof.instructions is proof.flash_bytes is proof.stack_bytes is None
    else:
        assert proof.instructions > 30
        assert 100 < proof.flash_bytes < 3000
        assert proof.flash_bytes >= proof.flash_code_bytes + proof.flash_weights_bytes
        assert proof.ram_bytes == (proof.flash_weights_bytes if name.startswith("wasm32") else 0)
        assert proof.stack_bytes >= 0


@EVERYWHERE
def test_a_wrong_answer_is_not(name):
    wrong = dense_answer(ROWS)
    wrong[7, 1] += 0.5
    proof = prove(dense(), get(name), [ROWS], [wrong], TOLERANCE)
    assert not proof.matches
    assert proof.max_error == pytest.approx(0.5, abs=TOLERANCE)


@EVERYWHERE
def test_at_no_tolerance_every_bit_counts(name):
    x, total = np.array([[5], [-6], [1]], np.int8), np.array([[105], [99], [100]], np.int32)
    assert prove(counter(), get(name), [x], [total], 0).matches
    total[2] += 1
    proof = prove(counter(), get(name), [x], [total], 0)
    assert not proof.matches
    assert proof.max_error == 1


def test_negative_zero_is_another_number_at_no_tolerance():
    x = np.array([[1, 2, 4]], np.float32)  # both outputs are +0
    assert prove(dense(), get("native"), [x], [np.array([[0.0, 0.0]], np.float32)], 0).matches
    assert not prove(dense(), get("native"), [x], [np.array([[0.0, -0.0]], np.float32)], 0).matches


def test_latency_is_estimated_where_there_is_a_clock():
    proof = prove(dense(), get("cortex-m4"), [ROWS], [dense_answer(ROWS)], TOLERANCE)
    require_close(proof.estimated_latency_us, proof.instructions / 168, 3, unit=DOUBLE)
    require_close(proof.estimated_energy_uj["STM32L4R5"], proof.instructions * 0.00028, 4, unit=DOUBLE)
    assert prove(dense(), get("wasm32"), [ROWS], [dense_answer(ROWS)], TOLERANCE).estimated_latency_us is None


@pytest.mark.parametrize("expected", [[], [dense_answer(ROWS)[:, :1]], [dense_answer(ROWS).astype(np.float64)]])
def test_expectations_of_another_shape_are_refused(expected):
    with pytest.raises(ToolchainError, match="expected outputs are float32"):
        prove(dense(), get("native"), [ROWS], expected, TOLERANCE)


@given(st.lists(st.floats(width=32), min_size=1, max_size=8), st.integers(0, 7))
def test_error_is_zero_only_for_equal_values(values, at):
    got = np.array(values, np.float32)
    assert _max_error(got, got.copy()) == 0
    other = got.copy()
    other[at % len(values)] = 1.5 if got[at % len(values)] != 1.5 else np.nan
    assert _max_error(got, other) > 0


def test_importing_the_toolchain_loads_nothing_heavy():
    script = (
        "import sys, edgeling.targets, edgeling.toolchain.prove\n"
        "print([m for m in ('unicorn', 'wasmtime', 'elftools', 'ziglang') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "[]"
