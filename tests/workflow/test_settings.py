# SPDX-License-Identifier: Apache-2.0
"""Settings are plain keyword arguments of ``edgeling.train``, and each is checked by name before anything is read."""

from __future__ import annotations

import inspect
from dataclasses import fields
from typing import Any

import pytest

import edgeling
from edgeling.errors import UnsupportedError
from edgeling.workflow.settings import Settings


def test_train_takes_each_setting_by_name_with_the_same_default() -> None:
    parameters = inspect.signature(edgeling.train).parameters
    for field in fields(Settings):
        assert parameters[field.name].kind is inspect.Parameter.KEYWORD_ONLY
        assert parameters[field.name].default == field.default


REFUSED: dict[str, list[Any]] = {
    "task": ["classes", 3],
    "precision": ["float16", None],
    "hidden": ["16", (16, 0), 2.5, [True]],
    "epochs": [0, 2.5, "3", True, None],
    "batch_size": [0, 2.5, -1],
    "learning_rate": [0, -1.0, float("nan"), "0.1"],
    "activation": ["rely", 3],
    "weight_decay": [-0.1, float("inf"), float("nan"), "0.1", True],
    "kernels": [3, None],
    "explain": ["guess", 3],
    "reasons": [-1, 1.5, "two", True],
    "seed": [-1, 2**32, 1.0],
    "targets": [(1,)],
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in REFUSED.items() for v in values])
def test_a_setting_of_another_kind_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(UnsupportedError, match=name):
        edgeling.train("nowhere.csv", "y", **{name: value})


def test_one_number_is_one_layer_and_one_name_one_target() -> None:
    assert Settings(hidden=8, targets="native") == Settings(hidden=(8,), targets=("native",))  # type: ignore[arg-type]


def test_an_unknown_setting_is_a_type_error_as_anywhere_in_python() -> None:
    with pytest.raises(TypeError, match="epoch"):
        edgeling.train("nowhere.csv", "y", epoch=3)  # type: ignore[call-arg]
