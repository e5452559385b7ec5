# SPDX-License-Identifier: Apache-2.0
"""The command line states its defaults itself, for ``--help`` must not wait for what training loads."""

from __future__ import annotations

import inspect

from edgeling.cli.demo import demo
from edgeling.cli.train import train
from edgeling.workflow.settings import Settings


def test_they_are_the_librarys() -> None:
    usual = Settings()
    for verb in (demo, train):
        stated = {name: option.default for name, option in inspect.signature(verb).parameters.items()}
        assert stated["targets"].split(",") == list(usual.targets)
        assert (stated["precision"], stated["epochs"], stated["seed"]) == (usual.precision, usual.epochs, usual.seed)


def test_so_are_those_of_training() -> None:
    stated = {name: option.default for name, option in inspect.signature(train).parameters.items()}
    usual = Settings()
    for name in ("patience", "batch_size", "learning_rate", "split", "test"):
        assert stated[name] == getattr(usual, name)
    assert (stated["balance"], stated["class_weight"], stated["threshold"]) == (usual.balance, "", "")
    assert usual.class_weight is usual.threshold is None
    assert stated["no_importance"] is not usual.importance
