# SPDX-License-Identifier: Apache-2.0
"""One output of a notebook's cell that changes while something is under way."""

from __future__ import annotations

import sys
from importlib import import_module
from time import monotonic
from typing import Any

_LEAST_SECONDS = 0.2  # between two updates: each is a message to the browser


def in_notebook() -> bool:
    """Whether a kernel runs this, whose cells show HTML. A shell in a terminal has no kernel."""
    module = sys.modules.get("IPython")  # not imported: whoever runs in it has it
    shell = module.get_ipython() if module else None
    return getattr(shell, "kernel", None) is not None


class LiveOutput:
    """An output that is shown once and then replaced.

    Args:
        html: what it shows at first.
    """

    def __init__(self, html: str) -> None:
        self._handle: Any = None
        self._shown = 0.0
        self.show(html)

    def show(self, html: str, *, last: bool = True) -> None:
        """Replace what is shown.

        Args:
            last: show it in any case; else only if the one before has stood for a while.
        """
        now = monotonic()
        if not last and now - self._shown < _LEAST_SECONDS:
            return
        self._shown = now
        display: Any = import_module("IPython.display")  # there is a notebook, so there it is
        if self._handle is None:
            self._handle = display.display(display.HTML(html), display_id=True)
        else:
            self._handle.update(display.HTML(html))
