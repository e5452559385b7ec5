# SPDX-License-Identifier: Apache-2.0
"""From a graph to freestanding C99: schedule, memory plan, C writer, and the kernels under ``kernels/``."""

from edgeling.codegen.generate import generate
from edgeling.codegen.program import EntryPoint, Pack, Port, Program

__all__ = ["EntryPoint", "Pack", "Port", "Program", "generate"]
