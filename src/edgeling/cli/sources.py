"""Opening what a person names on the command line."""

from __future__ import annotations

from pathlib import Path

from edgeling.errors import UnsupportedError
from edgeling.graph.types import Array
from edgeling.models import Sequential
from edgeling.workflow.pipeline import Pipeline
from edgeling.workflow.store import load


def open_source(path: Path) -> Pipeline | Sequential:
    """An ``.edgeling`` folder, or a ``.keras`` file."""
    if path.suffix == ".keras":
        from edgeling.formats.keras_file import load_keras

        return load_keras(path)
    return load(path)


def rows_of(source: Pipeline | Sequential, table: Path) -> Array:
    """The rows of a table as the network takes them.

    Raises:
        UnsupportedError: the source is a bare network, which does not know its columns.
    """
    if not isinstance(source, Pipeline):
        raise UnsupportedError("a table is matched to a trained pipeline by its columns", received="a bare network")
    return source.preparation.transform(source.read(table))
