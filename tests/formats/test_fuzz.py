# SPDX-License-Identifier: Apache-2.0
"""Bytes and values of good files changed at random: only EdgelingErrors come out."""

from __future__ import annotations

import contextlib
import json
import warnings
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeling.errors import EdgelingError
from edgeling.formats import hdf5
from edgeling.formats.archive import zip_of
from edgeling.formats.keras_file import load_keras
from tests.formats.models import good, good_h5, members_of, with_config

pytest.importorskip("h5py", reason="reads and writes HDF5")
CONFIG, WEIGHTS = "config.json", "model.weights.h5"


@pytest.fixture
def _weights_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process for each of hundreds of equal weights would take minutes."""
    monkeypatch.setattr(hdf5, "read", cache(hdf5.read))


def tried(content: bytes) -> None:
    """Load; anything but an EdgelingError fails the test."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "m.keras"
        path.write_bytes(content)
        with contextlib.suppress(EdgelingError), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            assert load_keras(path).built


FIXTURE = [HealthCheck.function_scoped_fixture]  # the same for every example, on purpose
FLIPS = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=20)


def flipped(content: bytes, flips: list[tuple[float, int]]) -> bytes:
    changed = bytearray(content)
    for place, value in flips:
        changed[int(place * len(changed))] = value
    return bytes(changed)


@pytest.mark.usefixtures("_weights_read_once")
@settings(max_examples=150, deadline=None, suppress_health_check=FIXTURE)
@given(FLIPS)
def test_any_bytes_of_the_archive_may_change(flips: list[tuple[float, int]]) -> None:
    tried(flipped(good(), flips))


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(FLIPS, st.floats(0.02, 1))
def test_any_bytes_of_the_weights_may_change(flips: list[tuple[float, int]], kept: float) -> None:
    """With the archive's checksums made right again."""
    members = members_of(good())
    weights = flipped(members[WEIGHTS], flips)
    tried(zip_of({**members, WEIGHTS: weights[: int(len(weights) * kept)]}))


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(FLIPS, st.floats(0.02, 1))
def test_any_bytes_of_an_h5_file_may_change(flips: list[tuple[float, int]], kept: float) -> None:
    content = flipped(good_h5(), flips)
    tried(content[: int(len(content) * kept)])


@pytest.mark.usefixtures("_weights_read_once")
@settings(max_examples=100, deadline=None, suppress_health_check=FIXTURE)
@given(FLIPS)
def test_any_bytes_of_the_configuration_may_change(flips: list[tuple[float, int]]) -> None:
    members = members_of(good())
    tried(zip_of({**members, CONFIG: flipped(members[CONFIG], flips)}))


VALUES = st.sampled_from(
    [None, True, False, -1, 0, 1, 3, 10**9, 10**30, 0.5, 1e308, "", "relu", "float64", [], [1], [None, 4], {}, [[]],
     {"class_name": "Dense", "config": {}}]
)  # fmt: skip


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) within plain data."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from places(value[key])


@pytest.mark.usefixtures("_weights_read_once")
@settings(max_examples=300, deadline=None, suppress_health_check=FIXTURE)
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), VALUES), min_size=1, max_size=3))
def test_any_value_of_the_configuration_may_change(changes: list[tuple[float, Any]]) -> None:
    def change(config: dict[str, Any]) -> None:
        for place, value in changes:
            found = list(places(config))
            container, key = found[int(place * len(found))]
            container[key] = deepcopy(value)

    tried(with_config(good(), change))


def test_the_fuzzed_configuration_is_read_at_all() -> None:
    assert json.loads(members_of(good())[CONFIG])["compile_config"]["optimizer"]
