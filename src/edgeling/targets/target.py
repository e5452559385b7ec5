# SPDX-License-Identifier: Apache-2.0
"""What a target is, and the table of those Edgeling knows (``targets.toml``)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cache
from importlib.resources import files

from edgeling.errors import TargetError

LARGEST_MEMORY_BYTES = 1 << 28  # flash ends where RAM begins


@dataclass(frozen=True)
class Target:
    """A chip, or something that behaves like one.

    Attributes:
        name: what a person types: ``--for cortex-m4``.
        description: one line for people.
        core: the processor core; targets that share a core run the same code.
        triple: the cross-compiler's target, ``native`` for this machine.
        cpu: the cross-compiler's processor and its features.
        float_unit: what the hardware computes with: ``none``, ``single`` or ``double``.
        instruction_set: the architecture's own name.
        has_vectors: whether the core computes on several floats at once.
        has_dual_multiply: whether it adds two products of int16 in one instruction (Arm's DSP extension).
        flash_base, flash_bytes: where read-only memory lies; 0 bytes means it has no bound worth naming.
        ram_base, ram_bytes: the same for writable memory.
        clock_hz: the clock a latency estimate assumes; 0 where instructions say nothing about time.
        boards: of each board whose energy is known, the microjoules that a million cycles take.
        compiler_flags: optimisation flags, chosen by measurement; the table says what was seen.
        arm_flags: how gcc, and Clang by itself, are told an Arm core; empty for others.
        compiler: the command of the compiler to use, with flags of its own; empty: the one that comes with the package.
        threads: how many may share the work of a kernel.
    """

    name: str
    description: str
    core: str
    triple: str
    cpu: str
    float_unit: str
    instruction_set: str
    has_vectors: bool = False
    has_dual_multiply: bool = False
    flash_base: int = 0
    flash_bytes: int = 0
    ram_base: int = 0
    ram_bytes: int = 0
    clock_hz: int = 0
    boards: Mapping[str, float] = field(default_factory=dict, hash=False)
    compiler_flags: tuple[str, ...] = ()
    arm_flags: tuple[str, ...] = ()
    compiler: str = ""
    threads: int = 1

    def with_compiler(self, command: str) -> Target:
        """The same chip, its C compiled by another compiler; an empty command leaves what there is.

        Raises:
            TargetError: the target is no Arm core.
        """
        if command and not self.arm_flags:
            raise TargetError(
                "a compiler is named for a Cortex-M", received=f"{command!r} for {self.name}", remedy="leave it out"
            )
        return replace(self, compiler=command or self.compiler)

    def with_memory(self, flash_bytes: int | None = None, ram_bytes: int | None = None) -> Target:
        """The same core with other memory; None leaves what the table says.

        Raises:
            TargetError: a size below one, or a target whose memory has no bound.
        """
        given = {"flash_bytes": flash_bytes, "ram_bytes": ram_bytes}
        sizes = {name: size for name, size in given.items() if size is not None}
        if sizes and not self.flash_bytes:
            raise TargetError(
                f"{self.name} has no bound of flash or RAM",
                received=", ".join(f"{name}={size}" for name, size in sizes.items()),
                remedy="leave the size out, or choose a chip",
            )
        if bad := [f"{name}={size}" for name, size in sizes.items() if not 0 < size < LARGEST_MEMORY_BYTES]:
            raise TargetError(
                "a memory has at least one byte, and less than 256 MiB", received=", ".join(bad),
                remedy="a size such as 4k or 1M (--flash, --ram)",
            )  # fmt: skip
        return replace(self, **sizes)  # type: ignore[arg-type]


@cache
def _table() -> dict[str, Target]:
    text = files("edgeling.targets").joinpath("targets.toml").read_text("utf-8")
    rows = tomllib.loads(text)
    lists = ("compiler_flags", "arm_flags")
    return {
        name: Target(name=name, **{**row, **{key: tuple(row.get(key, ())) for key in lists}})
        for name, row in rows.items()
    }


def names() -> tuple[str, ...]:
    """The names :func:`get` knows, in the order of the table."""
    return tuple(_table())


def all_targets() -> tuple[Target, ...]:
    """Every target, in the order of the table."""
    return tuple(_table().values())


def get(name: str) -> Target:
    """The target of that name.

    Raises:
        TargetError: there is none; the message lists those there are, and the nearest.
    """
    table = _table()
    if name in table:
        return table[name]
    nearest = get_close_matches(name.lower().replace("+", "plus"), table, n=1, cutoff=0.5)
    remedy = f"{nearest[0]!r}, if that is what you meant" if nearest else "edgeling targets, which describes them"
    raise TargetError(f"a target is one of {', '.join(table)}", received=repr(name), remedy=remedy)
