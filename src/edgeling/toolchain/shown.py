# SPDX-License-Identifier: Apache-2.0
"""Proofs as a notebook shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from edgeling.markup import Markup
from edgeling.notebook.cards import card, figures

if TYPE_CHECKING:
    from edgeling.toolchain.prove import Proof

_HEAD = ("", "flash B", "RAM B", "stack B", "instructions", "time, est.", "energy, est.", "largest error", "")


def proof_card(name: str, proof: Proof) -> str:
    """One proof by itself."""
    return card(f"{name}: {verdict(proof)}", proof_table({proof.target: proof}), made_with(proof))


def proof_table(proofs: Mapping[str, Proof]) -> Markup:
    """A line each."""
    return figures(_HEAD, [(name, *_cells(proof)) for name, proof in proofs.items()])


def made_with(proof: Proof) -> str:
    """What compiled the binary that was counted; nothing where none was."""
    return f"{proof.compiler}, {proof.compiler_flags}" if proof.compiler else ""


def verdict(proof: Proof) -> str:
    """Whether it is proven, and fits."""
    if not proof.matches:
        return "the C differs from what the graph means"
    return "proven" if proof.fits else "proven, but larger than the chip's memory"


def _cells(proof: Proof) -> tuple[str, ...]:
    counts = (proof.flash_bytes, proof.ram_bytes, proof.stack_bytes, proof.instructions)
    time = "–" if proof.estimated_latency_us is None else f"{proof.estimated_latency_us:.3g} µs"  # noqa: RUF001
    energy = next((f"{value:.3g} µJ ({board})" for board, value in proof.estimated_energy_uj.items()), "–")  # noqa: RUF001
    error = f"{proof.max_error:.2g}" if proof.max_error else "exact"
    shown = ("–" if count is None else f"{count:,}" for count in counts)  # noqa: RUF001
    return (*shown, time, energy, error, "✓" if proof.matches and proof.fits else "✗")
