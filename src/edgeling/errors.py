# SPDX-License-Identifier: Apache-2.0
"""The errors Edgeling raises, one hierarchy::

    EdgelingError                 (also a ValueError: the input was wrong, not the machine)
    ├── DataError                 a table or an array that cannot be learned from
    ├── GraphError                a graph that is not legal
    ├── UnsupportedError          something real that Edgeling cannot do (yet)
    ├── ArtifactError             a .edgeling folder or file that is corrupt, forged or of another version
    ├── ToolchainError            a compiler or an emulator that is missing or failed
    │   └── CompilerNotFoundError no C compiler at all
    ├── TargetError               an unknown chip, or a program that does not fit it
    └── TrainingError             training that went wrong (a loss that is not finite, ...)

Every message says the rule, then what was received, then the remedy, then where more is said of its kind::

    raise DataError("a target column needs at least two classes", received="'species' holds only 'setosa'",
                    remedy="choose another column with --target")
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

PAGE = "docs/errors.md"


class EdgelingError(ValueError):
    """Base of every error Edgeling raises on purpose.

    Args:
        rule: what must hold, a clause without a final full stop.
        received: what was found instead.
        remedy: what the reader can do about it, so that it reads well behind "Try:".

    Attributes:
        anchor: where docs/errors.md tells more: the class and the part of Edgeling that raised it.
    """

    def __init__(self, rule: str, *, received: str = "", remedy: str = "") -> None:
        self.rule, self.received, self.remedy = rule, received, remedy
        self.anchor = "-".join([type(self).__name__.lower(), *_raising_part()])
        super().__init__(rule)

    @property
    def message(self) -> str:
        """Rule, what was received and remedy, in one line."""
        text = self.rule
        if self.received:
            text += f"; received {self.received}"
        if self.remedy:
            text += f". Try: {self.remedy}"
        return text

    def __str__(self) -> str:
        return f"{self.message} ({PAGE}#{self.anchor})"


def absent(module: str, name: str, elsewhere: Mapping[str, str]) -> AttributeError:
    """What a module raises that lacks a name.

    Args:
        module, name: which, and what it lacks.
        elsewhere: by names that Keras has there, what to write in their place.
    """
    told = f"; use {elsewhere[name]}" if name in elsewhere else ""
    return AttributeError(f"module {module!r} has no attribute {name!r}{told}")


def _raising_part() -> list[str]:
    """``["data"]`` where a module of ``edgeling.data`` made the error; none where somebody else's code did.

    The caller is asked, not each place that raises: a name written there could be another's after code has moved.
    """
    frame = sys._getframe(2)  # this function, __init__, who raises
    parts = str(frame.f_globals.get("__name__", "")).split(".")
    return parts[1:2] if parts[0] == "edgeling" else []


class DataError(EdgelingError):
    """A table or an array that cannot be learned from."""


class GraphError(EdgelingError):
    """A graph that is not legal."""


class UnsupportedError(EdgelingError):
    """Something real that Edgeling cannot do."""


class ArtifactError(EdgelingError):
    """A ``.edgeling`` folder or a model file that is corrupt, forged or of another version."""


class ToolchainError(EdgelingError):
    """A compiler or an emulator that is missing or failed."""


class CompilerNotFoundError(ToolchainError):
    """No C compiler can be found."""


class TargetError(EdgelingError):
    """An unknown chip, or a program that does not fit it."""


class TrainingError(EdgelingError):
    """Training that went wrong."""
