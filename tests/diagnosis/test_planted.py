# SPDX-License-Identifier: Apache-2.0
"""Faults that were planted are named first, and healthy runs are left alone."""

from __future__ import annotations

import pytest

from edgeling.diagnosis.finding import ORDER
from tests.diagnosis.further import FURTHER_FAULTS, FURTHER_HEALTHY
from tests.diagnosis.runs import FAULTS, HEALTHY

EVERY_FAULT, EVERY_HEALTHY = {**FAULTS, **FURTHER_FAULTS}, {**HEALTHY, **FURTHER_HEALTHY}

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # of losses that do not fit: said at once, too


@pytest.mark.parametrize("fault", EVERY_FAULT)
def test_a_planted_fault_is_named_first(fault: str) -> None:
    name, run = EVERY_FAULT[fault]
    found = run.findings()
    assert [each.name for each in found[:1]] == [name], [str(each) for each in found]
    assert any(letter.isdigit() for letter in found[0].seen) or name == "shuffled_labels"  # with figures
    assert found[0].advice


@pytest.mark.parametrize("run", EVERY_HEALTHY)
def test_a_healthy_run_is_left_alone(run: str) -> None:
    assert [str(each) for each in EVERY_HEALTHY[run].findings()] == []


def test_the_suite_is_as_large_as_it_claims() -> None:
    """Names that no fault of this file plants: what `fit` cannot have, and what is said where no cause is found."""
    planted = {name for name, _ in FAULTS.values()}
    elsewhere = {"drift", "loss_not_finite", "constant_predictions", "loss_not_moving"}
    assert planted == set(ORDER) - elsewhere
    assert len(planted) >= 15
    assert len(HEALTHY) >= 15
