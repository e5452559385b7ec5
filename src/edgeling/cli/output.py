"""What every verb shares: one JSON object on standard output if asked, errors in one shape, and exit codes.

0 done; 1 the input was wrong or a proof failed; 2 wrong usage; 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from edgeling.errors import EdgelingError

Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output; all else on standard error.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same result anywhere.", min=0, max=2**32 - 1)]


def print_json(value: Mapping[str, Any]) -> None:
    """One object on standard output. What JSON cannot hold (NaN, infinity) becomes null."""
    sys.stdout.write(json.dumps(_finite(value), indent=2) + "\n")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    if isinstance(value, np.ndarray | np.generic):
        return _finite(value.tolist())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def say(text: str) -> None:
    """A line on standard error."""
    sys.stderr.write(text + "\n")


@contextmanager
def reported(as_json: bool) -> Iterator[None]:
    """Turn errors into a clear message and an exit code."""
    try:
        yield
    except EdgelingError as error:
        _report(error, as_json)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        say("Stopped. Nothing was left half-written.")
        raise typer.Exit(130) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise typer.Exit(1) from None
    except (OSError, MemoryError) as error:
        _report(EdgelingError("the machine let it be done", received=str(error) or type(error).__name__), as_json)
        raise typer.Exit(1) from None


def _report(error: EdgelingError, as_json: bool) -> None:
    if as_json:
        kind = type(error).__name__
        print_json({"error": {"type": kind, "rule": error.rule, "received": error.received, "remedy": error.remedy}})
    say(f"Error: {error.rule}")
    for label, text in (("received", error.received), ("try", error.remedy)):
        if text:
            say(f"  {label}: {text}")
