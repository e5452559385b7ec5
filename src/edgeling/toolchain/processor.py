# SPDX-License-Identifier: Apache-2.0
"""This machine's processor: which instructions native code may use, and what compiled code depends on.

``EDGELING_MARCH`` chooses other code than the processor's best: ``x86-64-v2``, ``x86-64-v3`` or ``x86-64-v4``, or
whatever the compiler calls an architecture. So one machine stands for several in the tests.
"""

from __future__ import annotations

import os
import platform
import re
from functools import cache as memoize
from pathlib import Path

from edgeling.errors import ToolchainError

# Features of each level of the x86-64 ABI beyond the level before, as Linux names them.
LEVELS: dict[str, frozenset[str]] = {
    "x86-64": frozenset(),
    "x86-64-v2": frozenset({"cx16", "lahf_lm", "popcnt", "sse4_1", "sse4_2", "ssse3"}),
    "x86-64-v3": frozenset({"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe"}),
    "x86-64-v4": frozenset({"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}),
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*", re.ASCII)


@memoize
def cpu_identity() -> str:
    """What code for this very processor depends on: its model and features."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8").split("\n\n", 1)[0]
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    kept = ("model name", "flags", "Features", "CPU part", "isa")
    return "\n".join(line for line in text.splitlines() if line.startswith(kept))


def architecture_flag(is_zig: bool) -> str:
    """The compiler's flag: ``-march=native``, spelt ``-mcpu=native`` on 64-bit Arm, or what ``EDGELING_MARCH`` says.

    Args:
        is_zig: zig has names of its own for the levels.

    Raises:
        ToolchainError: the variable holds no architecture's name, or one whose code this processor cannot run.
    """
    option = "-mcpu" if platform.machine().lower() in {"arm64", "aarch64"} else "-march"
    chosen = os.environ.get("EDGELING_MARCH", "").strip() or "native"
    if not _NAME.fullmatch(chosen):
        raise ToolchainError(
            "EDGELING_MARCH names an architecture", received=repr(chosen), remedy="x86-64-v3, or unset the variable"
        )
    if lacking := missing_features(chosen):
        raise ToolchainError(
            "code for the architecture in EDGELING_MARCH runs on this processor",
            received=f"{chosen}, and a processor without {', '.join(sorted(lacking))}",
            remedy="unset the variable",
        )
    return f"{option}={chosen.replace('-', '_') if is_zig and chosen in LEVELS else chosen}"


def missing_features(level: str) -> frozenset[str]:
    """What a level of the x86-64 ABI asks for and this processor lacks; nothing where that cannot be told."""
    if level not in LEVELS or not (known := _features()):
        return frozenset()
    names = list(LEVELS)
    wanted = frozenset[str]().union(*(LEVELS[name] for name in names[: names.index(level) + 1]))
    return wanted - known


def _features() -> frozenset[str]:
    lines = [line for line in cpu_identity().splitlines() if line.startswith("flags")]
    return frozenset(lines[0].split(":", 1)[1].split()) if lines else frozenset()
