# SPDX-License-Identifier: Apache-2.0
"""What every file of type rules shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from edgeling.errors import GraphError
from edgeling.graph.types import TensorType

Types = tuple[TensorType, ...]
TypeRule = Callable[[Types, Mapping[str, Any]], Types]


def require(holds: bool, rule: str, types: Types) -> None:
    """Raise a GraphError that names the rule and the types that break it."""
    if not holds:
        raise GraphError(rule, received=", ".join(map(str, types)), remedy="reshape or cast an input before the node")
