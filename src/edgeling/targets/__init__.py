# SPDX-License-Identifier: Apache-2.0
"""Frozen descriptions of the chips Edgeling builds for."""

from __future__ import annotations

from edgeling.targets.target import Target, all_targets, get, names

__all__ = ["Target", "all_targets", "get", "names"]
