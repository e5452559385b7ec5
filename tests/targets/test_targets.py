# SPDX-License-Identifier: Apache-2.0
"""The table of targets."""

from __future__ import annotations

import dataclasses

import pytest

from edgeling import targets
from edgeling.errors import TargetError


def test_the_four_targets_are_there_in_order():
    assert targets.names() == ("cortex-m4", "cortex-m0plus", "wasm32", "wasm32-simd128", "native")
    assert tuple(target.name for target in targets.all_targets()) == targets.names()


@pytest.mark.parametrize("name", targets.names())
def test_every_target_is_described_and_frozen(name):
    target = targets.get(name)
    assert target.name == name
    assert target.description
    assert target.compiler_flags
    assert target.float_unit in {"none", "single", "double"}
    with pytest.raises(dataclasses.FrozenInstanceError):
        target.name = "other"


@pytest.mark.parametrize("name", ["cortex-m4", "cortex-m0plus"])
def test_chips_have_memory_and_a_clock(name):
    target = targets.get(name)
    assert min(target.flash_bytes, target.ram_bytes, target.clock_hz) > 0
    assert target.flash_base + target.flash_bytes <= target.ram_base
    assert target.triple.startswith("thumb")


@pytest.mark.parametrize(
    ("typed", "meant"), [("cortex-m", "cortex-m4"), ("Cortex-M0+", "cortex-m0plus"), ("wasm", "wasm32")]
)
def test_a_misspelt_name_gets_a_suggestion_and_the_list(typed, meant):
    with pytest.raises(TargetError, match=f"'{meant}', if that is what you meant") as caught:
        targets.get(typed)
    assert all(name in str(caught.value) for name in targets.names())


def test_a_name_like_none_gets_the_list():
    with pytest.raises(TargetError, match=r"edgeling targets") as caught:
        targets.get("")
    assert "cortex-m4" in str(caught.value)
