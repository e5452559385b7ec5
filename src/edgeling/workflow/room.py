# SPDX-License-Identifier: Apache-2.0
"""Whether weights alone fit the chips."""

from __future__ import annotations

from edgeling import targets
from edgeling.errors import TargetError
from edgeling.workflow.settings import Settings


def require_room(weights: int, settings: Settings) -> None:
    """Weights that alone exceed a target's flash are found out before training, not after.

    Whether the rest fits too, the linker says.
    """
    chip = too_large(weights, settings)
    if chip is not None:
        raise TargetError(
            f"a program must fit {chip.name} ({chip.flash_bytes:,} bytes flash)",
            received=f"a network whose weights alone take {weights * _weight_bytes(settings):,} bytes",
            remedy="fewer units (hidden, --hidden), int8, which takes a quarter (precision, --precision), "
            "or another chip (targets, --for)",
        )


def too_large(weights: int, settings: Settings) -> targets.Target | None:
    """The first target whose flash so many weights alone exceed; None where they fit all."""
    taken = weights * _weight_bytes(settings)
    return next((chip for chip in map(targets.get, settings.targets) if 0 < chip.flash_bytes < taken), None)


def _weight_bytes(settings: Settings) -> int:
    return 1 if settings.precision in ("int8", "int16x8") else 4
