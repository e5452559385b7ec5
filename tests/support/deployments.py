# SPDX-License-Identifier: Apache-2.0
"""Programs measured on a target, of which a test says only what it is about."""

from __future__ import annotations

from typing import Any

from edgeling.report.content import Deployment

COSTS = ("flash_bytes", "flash_code_bytes", "flash_weights_bytes", "ram_bytes", "stack_bytes", "instructions")


def deployment(target: str, precision: str, *costs: int, **more: Any) -> Deployment:
    """With ``costs`` in the order of ``COSTS``; bit-exact on thirty rows unless ``more`` says otherwise."""
    measured = dict.fromkeys(COSTS) | dict(zip(COSTS, costs, strict=False))
    proven = {"max_error": 0.0, "matches": True, "rows": 30}
    return Deployment(**{"target": target, "precision": precision, **measured, **proven, **more})
