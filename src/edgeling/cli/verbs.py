# SPDX-License-Identifier: Apache-2.0
"""The verbs that answer and end, in the order in which help lists them."""

from __future__ import annotations

from collections.abc import Callable

from edgeling.cli import build, demo, doctor, explain, info, predict, select, targets, train, tune, verify

VERBS: tuple[Callable[..., None], ...] = (
    demo.demo, train.train, tune.tune, predict.predict, build.build, verify.verify, explain.explain, select.select,
    info.info, targets.targets, doctor.doctor,
)  # fmt: skip
