# SPDX-License-Identifier: Apache-2.0
"""Everything a package is made of: a program, its columns and answers, and what was found out about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from edgeling.codegen.interface import Interface
from edgeling.codegen.program import EntryPoint, Program
from edgeling.codegen.reasons import SUFFIX as REASONS
from edgeling.graph.types import DType
from edgeling.packages.columns import MOST_NAMED, InputColumn
from edgeling.targets import Target

VERSION = "1.0.0"  # of every package: what tells one model from another is its hash


@dataclass(frozen=True, eq=False)
class Shipment:
    """What is packed.

    Attributes:
        columns: one for each value of all inputs, in order.
        answer: what is answered, as a person calls it.
        missing_words: texts that mean "not known".
        target: whose kernels the C calls.
        figures: rows of a table for people: what was measured, and how much.
    """

    program: Program
    interface: Interface
    columns: tuple[InputColumn, ...]
    answer: str
    precision: str
    target: Target
    missing_words: tuple[str, ...] = ()
    figures: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The program's, a C identifier."""
        return self.program.name

    @property
    def upper(self) -> str:
        """As macros begin."""
        return self.name.upper()

    @property
    def run(self) -> EntryPoint:
        """Its first function."""
        return self.program.entries[0]

    @cached_property
    def why(self) -> EntryPoint | None:
        """The function that gives reasons, if there is one."""
        return next((each for each in self.program.extras if each.function == f"{self.name}_{REASONS}"), None)

    @property
    def is_stored(self) -> bool:
        """Whether the caller's buffers hold int8, which functions beside make of floats."""
        return len(self.run.inputs) == 1 and self.run.inputs[0].type.dtype is DType.INT8 and self.has("quantize")

    @property
    def is_named(self) -> bool:
        """Whether columns are few enough to be known by their names on a device."""
        return len(self.columns) <= MOST_NAMED

    @property
    def labels(self) -> tuple[str, ...]:
        """Of the classes; their numbers, where they have no names; none where no class is chosen."""
        if not self.interface.decision:
            return ()
        count = 2 if self.interface.decision == "threshold" else self.run.outputs[0].type.size
        return self.interface.labels or tuple(map(str, range(count)))

    def has(self, suffix: str) -> bool:
        """Whether the program has a function ``NAME_SUFFIX``."""
        return any(each.function == f"{self.name}_{suffix}" for each in self.program.extras)
