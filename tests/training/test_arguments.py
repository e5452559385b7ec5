# SPDX-License-Identifier: Apache-2.0
"""Every argument of every public class means something, or is refused by its name."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from edgeling import callbacks, initializers, layers, losses, metrics, optimizers, regularizers
from edgeling.checking import check
from edgeling.errors import EdgelingError, UnsupportedError
from edgeling.optimizers import schedules

ROOMS = (layers, losses, metrics, optimizers, schedules, callbacks, initializers, regularizers)
NEEDED: dict[str, Any] = {
    "units": 3, "target_shape": (3,), "rate": 0.5, "scale": 2.0, "activation": "relu", "initial_learning_rate": 0.1,
    "decay_steps": 10, "decay_rate": 0.9, "boundaries": [1], "values": [0.1, 0.2], "first_decay_steps": 10,
    "filepath": "x.keras", "filename": "x.csv", "schedule": abs, "backup_dir": "b", "log_dir": "l", "num_classes": 2,
    "target_class_ids": [0], "fn": abs, "recall": 0.5, "precision": 0.5, "sensitivity": 0.5, "specificity": 0.5,
    "shape": (3,),
}  # fmt: skip
ANYTHING = {"fn", "schedule", "values", "hooks"}  # functions, which are found out when they are called; arrays


def public_classes() -> list[type]:
    """Every class people make objects of."""
    found = {c for room in ROOMS for n, c in vars(room).items() if inspect.isclass(c) and not n.startswith("_")}
    rooms = tuple(room.__name__ for room in ROOMS)
    return sorted((c for c in found if c.__module__.startswith(rooms)), key=lambda c: (c.__module__, c.__name__))


def arguments() -> list[tuple[type, str]]:
    """Their constructors' arguments by name."""
    found = []
    for each in public_classes():
        parameters = inspect.signature(each).parameters.values()
        needed = [p.name for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
        if set(needed) <= NEEDED.keys():  # others are not for people
            found += [(each, p.name) for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return [(each, name) for each, name in found if name not in ANYTHING]


def test_the_arguments_are_those_of_everything_public() -> None:
    names = {each.__name__ for each, _ in arguments()}
    assert {"Dense", "Huber", "AUC", "Adam", "CosineDecay", "EarlyStopping", "GlorotUniform", "L2"} <= names
    assert len(arguments()) > 300


@pytest.mark.parametrize(("owner", "name"), arguments(), ids=lambda x: getattr(x, "__name__", x))
def test_an_argument_that_means_nothing_is_refused_by_name(owner: type, name: str) -> None:
    needed = {
        k: NEEDED[k]
        for k, p in inspect.signature(owner).parameters.items()
        if k in NEEDED and (k == "shape" or p.default is p.empty)
    }
    words = f"{name}|{owner.__name__}|{name.removesuffix('s').rpartition('_')[2]}"
    for nothing in (object(), {"no": "meaning"}):
        with pytest.raises((EdgelingError, TypeError), match=words):
            owner(**{**needed, name: nothing})


@pytest.mark.parametrize(
    ("annotation", "good", "bad"),
    [
        ("int", (0, -3, np.int64(2)), (2.0, True, "2", None, [1])),
        ("float", (0, 0.5, np.float32(1), float("inf")), (float("nan"), "1", True, None, [0.5])),
        ("bool", (True, False, 1, 0, np.True_), (2, "yes", None)),
        ("int | None", (None, 1), (0.5, "None")),
        ("str | Path", ("a",), (1, None)),
        ("Sequence[int]", ((1, 2), [1], np.arange(3)), ("12", 1, [0.5])),
        ("Sequence[float] | None", ([0.5, 1], None), (0.5, ["1"])),
        ("Any", (object(), None), ()),
        ("Callable[..., float] | None", (1,), ()),
    ],
)
def test_annotations_say_what_is_taken(annotation: str, good: tuple[Any, ...], bad: tuple[Any, ...]) -> None:
    parameter = inspect.Parameter("x", inspect.Parameter.KEYWORD_ONLY, annotation=annotation)
    signature = inspect.Signature([parameter])
    for value in good:
        check("It", signature, {"x": value}, {})
    for value in bad:
        with pytest.raises(UnsupportedError, match="It: x is"):
            check("It", signature, {"x": value}, {})


def test_limits_hold() -> None:
    for attempt in (
        lambda: optimizers.Adam(beta_1=1.5), lambda: optimizers.RMSprop(epsilon=-1.0),
        lambda: initializers.RandomNormal(stddev=-1.0), lambda: initializers.GlorotUniform(seed=-1),
        lambda: metrics.TopKCategoricalAccuracy(k=0), lambda: layers.Dropout(1.5), lambda: layers.Dense(0),
        lambda: callbacks.EarlyStopping(patience=-1),
    ):  # fmt: skip
        with pytest.raises(UnsupportedError, match=r"is a (whole )?number from|from 0 to below 1"):
            attempt()
