# SPDX-License-Identifier: Apache-2.0
"""The C that lies in an artifact, which is what people compile, held against the C that its graph gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from edgeling.artifact import Artifact
from edgeling.codegen.program import Program
from edgeling.workflow.deploy import Deployable

Sources = Mapping[str, bytes]


def sources_path(precision: str) -> str:
    """The folder of one precision's C in an artifact."""
    return f"c/{precision}/"


def shipped_sources(artifact: Artifact, precision: str) -> dict[str, bytes]:
    """Path to content, as in :attr:`edgeling.codegen.program.Program.files_and_examples`."""
    folder = sources_path(precision)
    return {name.removeprefix(folder): text for name, text in artifact.files.items() if name.startswith(folder)}


def edited_files(program: Program, shipped: Sources) -> tuple[str, ...]:
    """Files that are not what is generated: changed, missing, or strangers to it (such as a header that would be found
    in place of another)."""
    generated = {name: text.encode() for name, text in program.files_and_examples.items()}
    return tuple(sorted(name for name in generated.keys() | shipped if generated.get(name) != shipped.get(name)))


def with_shipped(deployable: Deployable, precision: str, shipped: Sources) -> Deployable:
    """The same, whose C is what was shipped."""
    program = deployable.program(precision)
    files = {name: text.decode(errors="replace") for name, text in shipped.items() if name not in program.examples}
    return replace(deployable, programs={precision: replace(program, files=files)})
