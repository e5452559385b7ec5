# SPDX-License-Identifier: Apache-2.0
"""What can become of a case, and which of them an exception stands for.

- ``passed``: as with Keras. Texts of errors are not compared, and a ValueError is as good as a TypeError.
- ``differs``: an assertion about a value failed, and nothing had been said.
- ``accepts``: Keras refuses, Edgeling does not.
- ``unclear``: any error that is neither Edgeling's own nor names what is missing.
- ``refused``: Edgeling says that it does not do this, or has no such public name.
- ``internals``: the case needs a name that is not in Keras's public API (nor an attribute without a leading
  underscore), replaces parts of Keras (``mock``), or asks for what only a backend has. These are left out of the share.
- ``apart``: named in :data:`tests.keras_suite.areas.NOT_PORTABLE`, with the reason. Left out too.
- ``elsewhere``: needs another framework (TensorFlow, PyTorch, Grain), or Keras skips it itself. Left out too.
"""

from __future__ import annotations

import traceback
import unittest
from pathlib import Path

import pytest

import edgeling
from edgeling.errors import EdgelingError

OUTCOMES = ("passed", "differs", "accepts", "unclear", "refused", "internals", "elsewhere", "apart")
_OURS = str(Path(edgeling.__file__).parent)
_SUITE = str(Path(__file__).parent)


class NotThereError(Exception):
    """Edgeling has no such public name."""


class InternalsError(Exception):
    """The case reaches for what Keras does not export."""


class ElsewhereError(Exception):
    """The case needs another framework."""


class AcceptsError(Exception):
    """Nothing was raised where Keras raises."""


def outcome_of(error: BaseException) -> str:
    """The outcome an exception stands for."""
    for kind, outcome in _BY_KIND.items():
        if isinstance(error, kind):
            return outcome
    if isinstance(error, AttributeError):
        return _of_missing_attribute(error)
    if isinstance(error, (TypeError, ValueError)) and (_raised_by_us(error) or _names_an_argument(error)):
        return "refused"
    return "unclear"


_BY_KIND: dict[type[BaseException], str] = {
    AcceptsError: "accepts",
    NotThereError: "refused",
    InternalsError: "internals",
    ElsewhereError: "elsewhere",
    unittest.SkipTest: "elsewhere",
    pytest.skip.Exception: "elsewhere",
    EdgelingError: "refused",
    AssertionError: "differs",
    pytest.fail.Exception: "accepts",
}


def _of_missing_attribute(error: AttributeError) -> str:
    """Looked for by the case itself: private or missing. By our code: a fault of ours."""
    if _innermost(error).filename.startswith(_OURS) and _innermost(error).name != "__getattr__":
        return "unclear"
    name = str(getattr(error, "name", "") or "")
    return "internals" if name.startswith("_") and not name.startswith("__") else "refused"


def _innermost(error: BaseException) -> traceback.FrameSummary:
    return traceback.extract_tb(error.__traceback__)[-1]


def _raised_by_us(error: BaseException) -> bool:
    """By a ``raise`` statement of Edgeling's, not by something it called wrongly."""
    frame = _innermost(error)
    return frame.filename.startswith(_OURS) and (frame.line or "").lstrip().startswith(("raise ", "refuse("))


def _names_an_argument(error: BaseException) -> bool:
    """Python's own refusal of an argument, made where the case calls: it names function and argument."""
    from_outside = not _innermost(error).filename.startswith(_OURS)
    return from_outside and "unexpected keyword argument" in str(error)
