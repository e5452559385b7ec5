# SPDX-License-Identifier: Apache-2.0
"""Where programs can be proven with what is installed: on this machine always, elsewhere with the extra ``targets``."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from edgeling import targets
from edgeling.targets import Target
from edgeling.toolchain.compilers import host_compiler
from edgeling.toolchain.tools import REMEDY, missing_tools, require_tools
from edgeling.workflow.settings import DEFAULT_TARGETS


def provable(asked: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The targets of a training that begins now, and what a person should know of those left out.

    Of the usual ones those that cannot be proven on are left out; what somebody chose must be there.

    Raises:
        CompilerNotFoundError: there is no C compiler at all.
        ToolchainError: the compiler or emulator of a target that was chosen is not installed.
        TargetError: no such target.
    """
    host_compiler()
    chips = [targets.get(name) for name in asked]
    if tuple(asked) != DEFAULT_TARGETS:
        for chip in chips:
            require_tools(chip)
    here = tuple(chip.name for chip in chips if not missing_tools(chip))
    others = [chip.name for chip in chips if chip.name not in here]
    return here, (f"not proven on {' and '.join(others)}, whose tools are not installed: {REMEDY}",) if others else ()


def proven_on(chip: Target) -> Target:
    """The chip; this machine where the chip's compiler or emulator is not installed.

    Warns:
        UserWarning: nothing is measured on the chip, and what to type for it.
    """
    if not (lacking := missing_tools(chip)):
        return chip
    warnings.warn(
        f"the C is written for {chip.name} and proven on this machine; it is not measured on {chip.name}, for "
        f"{' and '.join(lacking)} {'are' if len(lacking) > 1 else 'is'} not installed: {REMEDY}",
        UserWarning, stacklevel=4,
    )  # fmt: skip
    return targets.get("native")
