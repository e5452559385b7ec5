"""The command line: one short file a verb, each over the public API."""


def main() -> None:
    """Entry point of the ``edgeling`` command."""
    from edgeling.cli.app import app

    app()
