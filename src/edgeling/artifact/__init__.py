# SPDX-License-Identifier: Apache-2.0
"""The deployable folder ``NAME.edgeling/``: files, and a manifest with their sizes and hashes."""

from edgeling.artifact.manifest import FORMAT_VERSION, MANIFEST
from edgeling.artifact.read import Artifact, read_artifact
from edgeling.artifact.write import require_replaceable, write_artifact

__all__ = [
    "FORMAT_VERSION",
    "MANIFEST",
    "Artifact",
    "read_artifact",
    "require_replaceable",
    "write_artifact",
]
