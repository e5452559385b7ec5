# SPDX-License-Identifier: Apache-2.0
"""``edgeling demo``: the main job, on the Iris table inside the package."""

from __future__ import annotations

from edgeling.cli.output import Json, Seed, reported
from edgeling.cli.train import EVERYWHERE, Epochs, Out, Precision, Targets, train_and_show


def demo(
    out: Out = None,
    precision: Precision = "auto",
    epochs: Epochs = 500,
    targets: Targets = EVERYWHERE,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Do everything once, on the Iris flowers: read, train, explain, compile, prove, report.

    Example: edgeling demo
    """
    with reported(as_json):
        from edgeling.data import IRIS

        begin = ("edgeling", "demo")
        train_and_show(IRIS, "species", out, seed, as_json, begin, precision=precision, epochs=epochs, targets=targets)
