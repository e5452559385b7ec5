# SPDX-License-Identifier: Apache-2.0
"""What an explanation in C does and takes on a target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ExplanationProof:
    """What ``NAME_explain`` does and takes on a target; costs are None where nobody counts them.

    Attributes:
        method: "gradient", "integrated" or "shapley".
        columns, background_rows, steps: how many columns, rows compared with, and turns of the loop (0: there is none).
        reasons: how many columns ``NAME_reasons`` names.
        base: the answers that attributions start from, one for each output.
        flash_bytes: of the program with all of it; ``added_flash_bytes`` of these are for explaining.
        ram_bytes: of the program with all of it; ``inference_ram_bytes`` without.
        instructions: of one explanation, the worst of the rows.
        stack_bytes: the deepest seen.
        max_error: largest difference from what the graph means.
        completeness: how far attributions are from adding up to the difference of the answers, at the most; None of
            gradients, which do not.
        matches: whether both are small enough.
        rows: how many were explained.
    """

    method: Literal["gradient", "integrated", "shapley"]
    columns: int
    background_rows: int
    steps: int
    reasons: int
    base: tuple[float, ...]
    flash_bytes: int | None
    added_flash_bytes: int | None
    ram_bytes: int | None
    inference_ram_bytes: int | None
    instructions: int | None
    stack_bytes: int | None
    max_error: float
    completeness: float | None
    matches: bool
    rows: int
