# SPDX-License-Identifier: Apache-2.0
"""What programs written for Keras ask and set once for all: Edgeling computes in float32, channels last, and has no
other backend than its own. Setting what it is already is let through, anything else is refused by name."""

from __future__ import annotations

from typing import Any

from edgeling.errors import UnsupportedError

_EPSILON = 1e-7
_shown = True  # what ``verbose="auto"`` asks


def backend() -> str:
    """Always "edgeling"."""
    return "edgeling"


def floatx() -> str:
    """Always "float32"."""
    return "float32"


def epsilon() -> float:
    """How near to 0 and 1 losses let probabilities come: 1e-7."""
    return _EPSILON


def image_data_format() -> str:
    """Always "channels_last"."""
    return "channels_last"


def dtype_policy() -> str:
    """Always "float32"."""
    return "float32"


def _only(what: str, given: Any, known: Any, remedy: str) -> None:
    if given != known:
        raise UnsupportedError(f"{what} is {known!r}", received=repr(given)[:80], remedy=remedy)


def set_backend(backend: str) -> None:
    """Nothing, of "edgeling".

    Raises:
        UnsupportedError: another backend.
    """
    _only(
        "the backend",
        backend,
        "edgeling",
        "Keras itself for other backends; edgeling.models.load_model reads its files",
    )


def set_floatx(value: str) -> None:
    """Nothing, of "float32".

    Raises:
        UnsupportedError: another type.
    """
    _only("the type of numbers", value, "float32", "edgeling.build(model, precision='int8') for smaller programs")


def set_dtype_policy(policy: Any) -> None:
    """Nothing, of "float32".

    Raises:
        UnsupportedError: another policy, such as "mixed_float16".
    """
    name = getattr(policy, "name", policy)
    _only("the type of numbers", name, "float32", "edgeling.build(model, precision='int8') for smaller programs")


def set_image_data_format(data_format: str) -> None:
    """Nothing, of "channels_last".

    Raises:
        UnsupportedError: "channels_first".
    """
    _only("the order of a picture's axes", data_format, "channels_last", "x.transpose(0, 2, 3, 1) of channels first")


def set_epsilon(value: float) -> None:
    """Nothing, of 1e-7, which kernels of losses hold.

    Raises:
        UnsupportedError: another number.
    """
    _only("epsilon", float(value), _EPSILON, "ops.clip(y_pred, 1e-5, 1 - 1e-5) in a loss of your own")


def is_interactive_logging_enabled() -> bool:
    """Whether ``verbose="auto"`` shows anything."""
    return _shown


def enable_interactive_logging() -> None:
    """Have ``verbose="auto"`` show how far a fit is."""
    global _shown
    _shown = True


def disable_interactive_logging() -> None:
    """Have ``verbose="auto"`` show nothing."""
    global _shown
    _shown = False


def enable_traceback_filtering() -> None:
    """Nothing: errors say what to do, whatever lies above them."""


def disable_traceback_filtering() -> None:
    """Nothing: no frame of a traceback is left out."""


def is_traceback_filtering_enabled() -> bool:
    """Always False."""
    return False


def enable_unsafe_deserialization() -> None:
    """Refused: files are never run.

    Raises:
        UnsupportedError: always.
    """
    raise UnsupportedError(
        "code that a file holds is never run", received="enable_unsafe_deserialization()",
        remedy="custom_objects={name: your function} of load_model",
    )  # fmt: skip
