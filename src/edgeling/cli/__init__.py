# SPDX-License-Identifier: Apache-2.0
"""The command line: one short file a verb, each over the public API."""


def main() -> None:
    """Entry point of the ``edgeling`` command."""
    import sys

    try:
        from edgeling.cli.app import app

        app()
    except KeyboardInterrupt:  # while the verbs were still loading
        sys.stderr.write("Stopped.\n")
        raise SystemExit(130) from None
