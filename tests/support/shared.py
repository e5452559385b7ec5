# SPDX-License-Identifier: Apache-2.0
"""Models and data that some tests need and that are no part of the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def shared_data(name: str) -> Path:
    """A folder of shared data: in ``EDGELING_SHARED``, or in a folder ``shared`` beside the checkout or above it.

    Where there is none, the path at which it would lie beside the checkout.
    """
    chosen = os.environ.get("EDGELING_SHARED", "").strip()
    places = [Path(chosen).expanduser()] if chosen else [parent / "shared" for parent in ROOT.parents]
    found = (place / "data" / name for place in places)
    return next((path for path in found if path.exists()), places[0] / "data" / name)


def needs(path: Path) -> pytest.MarkDecorator:
    """Skips tests where shared data is missing, and says what to do."""
    reason = f"needs the shared data {path.name!r}: lay the folder 'shared' beside the checkout, or set EDGELING_SHARED"
    return pytest.mark.skipif(not path.exists(), reason=reason)
