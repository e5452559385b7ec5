# SPDX-License-Identifier: Apache-2.0
"""``edgeling targets``: the chips Edgeling builds for."""

from __future__ import annotations

from dataclasses import asdict

from edgeling.cli.output import Json, print_json, reported


def targets(as_json: Json = False) -> None:
    """List the targets that build, verify and train know.

    Example: edgeling targets
    """
    with reported(as_json):
        from edgeling.targets import all_targets

        if as_json:
            print_json({"targets": {target.name: asdict(target) for target in all_targets()}})
        else:
            from edgeling.cli.display import show_mapping

            show_mapping({target.name: target.description for target in all_targets()})
