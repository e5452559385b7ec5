# SPDX-License-Identifier: Apache-2.0
"""What every verb shares: one JSON object on standard output if asked, errors in one shape, and exit codes.

0 done; 1 the input was wrong or a proof failed; 2 wrong usage; 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Annotated, Any

import typer

from edgeling.errors import PAGE, EdgelingError
from edgeling.files.strict_json import finite
from edgeling.markup import printable

Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output; all else on standard error.")]
Seed = Annotated[
    int,
    typer.Option(
        help="The same seed repeats a run bit for bit, with the same compiler on the same kind of processor.",
        min=0,
        max=2**32 - 1,
    ),
]


def print_json(value: Mapping[str, Any]) -> None:
    """One object on standard output. What JSON cannot hold (NaN, infinity) becomes null."""
    sys.stdout.write(json.dumps(finite(value), indent=2) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """A line on standard error, without a character that a terminal would obey, for names are quoted in it."""
    sys.stderr.write(printable(text) + "\n")


@contextmanager
def reported(as_json: bool) -> Iterator[None]:
    """Turn errors into a clear message and an exit code, and warnings into a line."""
    warnings.showwarning = lambda message, *_: say(f"Warning: {message}")
    _show_any_character()
    try:
        yield
        sys.stdout.flush()
    except EdgelingError as error:
        _report(error, as_json)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        say("Stopped. Nothing was left half-written.")
        if as_json:
            print_error("KeyboardInterrupt", "stopped by Ctrl-C")
        raise typer.Exit(130) from None
    except BrokenPipeError:
        _abandon_output()
        raise typer.Exit(1) from None
    except (OSError, MemoryError) as error:
        _report(_refusal(error), as_json)
        _abandon_output()
        raise typer.Exit(1) from None


def _show_any_character() -> None:
    """A terminal that cannot show a character of a person's data gets its number instead."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


def _abandon_output() -> None:
    """Whatever standard output still holds goes nowhere: Python would complain about it on leaving."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _refusal(error: OSError | MemoryError) -> EdgelingError:
    return EdgelingError(
        "the machine must have the room and give the permission",
        received=str(error) or type(error).__name__,
        remedy="free some space or memory, or check the permissions",
    )


def print_error(kind: str, rule: str, received: str = "", remedy: str = "", see: str = "") -> None:
    """An error as the one object on standard output, unless that is what failed."""
    with suppress(OSError):
        print_json({"error": {"type": kind, "rule": rule, "received": received, "remedy": remedy, "see": see}})


def _report(error: EdgelingError, as_json: bool) -> None:
    see = f"{PAGE}#{error.anchor}"
    if as_json:
        print_error(type(error).__name__, error.rule, error.received, error.remedy, see)
    say(f"Error: {error.rule}")
    for label, text in (("received", error.received), ("try", error.remedy), ("see", see)):
        if text:
            say(f"  {label}: {text}")
