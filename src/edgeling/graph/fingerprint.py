# SPDX-License-Identifier: Apache-2.0
"""One number for what a graph computes."""

from __future__ import annotations

import hashlib
import json

from edgeling.graph.serialize import to_json
from edgeling.graph.types import Graph

_SAID = ("name", "metadata")  # what a graph says, but does not compute


def fingerprint(graph: Graph) -> str:
    """SHA-256 of a graph's operations, types and weights, in hexadecimal; neither name nor metadata change it."""
    description, arrays = to_json(graph)
    computed = {key: value for key, value in description.items() if key not in _SAID}
    digest = hashlib.sha256(json.dumps(computed, sort_keys=True).encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.name} {array.shape}".encode())
        digest.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()
