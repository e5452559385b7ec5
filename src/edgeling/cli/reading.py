# SPDX-License-Identifier: Apache-2.0
"""The options that say how a table is read, shared by every verb that reads one."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any, get_type_hints

import typer

Table = "A table: .csv, .tsv, .txt, .jsonl (also in .gz or .zip), .parquet, .feather or .xlsx; - is standard input."
_SEPARATOR = "Of cells: a character, or tab, comma, semicolon, pipe, space; by default told from the text."
_OPTIONS: dict[str, tuple[Any, Any]] = {
    "missing": (
        Annotated[
            list[str],
            typer.Option(help="A further word for a missing value; may be given again.", metavar="WORD"),
        ],
        [],
    ),
    "encoding": (
        Annotated[str, typer.Option(help="Of text: utf-16, latin-1, ...; by default told from it.", metavar="NAME")],
        "",
    ),
    "separator": (Annotated[str, typer.Option(help=_SEPARATOR, metavar="CHARACTER")], ""),
    "comment": (Annotated[str, typer.Option(help="Leave out lines that begin with this.", metavar="CHARACTER")], ""),
    "decimal": (Annotated[str, typer.Option(help="The decimal mark, where numbers leave it open.", metavar=".|,")], ""),
    "day_first": (
        Annotated[
            bool | None, typer.Option("--day-first/--month-first", help="What 03/04 is, where dates leave it open.")
        ],
        None,
    ),
    "sheet": (Annotated[str, typer.Option(help="Of a workbook; by default the first.", metavar="NAME")], ""),
}


def reads_tables(verb: Callable[..., None]) -> Callable[..., None]:
    """The verb with these options, which it is given as ``reading``: those that were chosen, by their Python names."""
    hints = get_type_hints(verb, include_extras=True)
    own = [p.replace(annotation=hints[p.name]) for p in inspect.signature(verb).parameters.values()]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in _OPTIONS.items()
    ]

    @functools.wraps(verb)
    def reading_verb(**given: Any) -> None:
        chosen = {name: value for name, (_, default) in _OPTIONS.items() if (value := given.pop(name)) != default}
        verb(**given, reading=chosen)

    parameters = _before_json([p for p in own if p.name != "reading"], shared)
    reading_verb.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    reading_verb.__annotations__ = {p.name: p.annotation for p in parameters}
    return reading_verb


def _before_json(own: Sequence[inspect.Parameter], shared: Sequence[inspect.Parameter]) -> list[inspect.Parameter]:
    """``--json`` stays last."""
    by_name = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
    return [*(p for p in by_name if p.name != "as_json"), *shared, *(p for p in by_name if p.name == "as_json")]
