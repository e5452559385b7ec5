# SPDX-License-Identifier: Apache-2.0
"""Trials kept in a file beside the output, so that a search goes on where it was: written whole, after every round."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from edgeling.errors import ArtifactError
from edgeling.files.strict_json import finite, parse
from edgeling.files.whole import write_file
from edgeling.workflow.tuning.folds import Folds
from edgeling.workflow.tuning.space import Choice
from edgeling.workflow.tuning.trainer import TrialResult

VERSION = 1
LARGEST_BYTES = 256 << 20
SUFFIX = ".tune.json"
Results = dict[int, tuple[Choice, TrialResult]]


class TuneJournal:
    """The trials of one search.

    Args:
        path: the file; None keeps nothing.
        about: what the search is: other data or settings have another.
        restart: leave aside what the file holds.

    Raises:
        ArtifactError: the file is of another search, is damaged, or is something else.
    """

    def __init__(self, path: Path | None, about: str, restart: bool = False) -> None:
        self._path, self._about = path, about
        self.results: Results = {}
        if path is not None and path.exists():
            written = self._read(path)
            self.results = {} if restart else _results(written, about, path)

    def keep(self, results: Sequence[tuple[Choice, TrialResult]]) -> None:
        """Write the results of the first trials, in order; those beyond them that the file had stay.

        Raises:
            ArtifactError: it cannot be written.
        """
        self.results |= dict(enumerate(results))
        if self._path is None:
            return
        trials = [
            {"number": number, "choice": choice.to_json(), "result": result.to_json()}
            for number, (choice, result) in sorted(self.results.items())
        ]
        told = {"edgeling_tune": VERSION, "about": self._about, "trials": trials}
        write_file(self._path, json.dumps(finite(told), indent=1).encode())

    @staticmethod
    def _read(path: Path) -> Any:
        try:
            if not path.is_file() or path.stat().st_size > LARGEST_BYTES:
                raise ValueError("no file of trials")
            value = parse(path.read_bytes())
            if not isinstance(value, dict) or "edgeling_tune" not in value:
                raise ValueError("something else")
        except (OSError, ValueError) as error:
            raise ArtifactError(
                "what stands in the place of the trials is a file that tune wrote", received=f"{str(path)!r}: {error}",
                remedy="move it away, or write the artifact elsewhere (out, --out)",
            ) from error  # fmt: skip
        return value


def _results(written: Any, about: str, path: Path) -> Results:
    if written["edgeling_tune"] != VERSION or written.get("about") != about:
        raise ArtifactError(
            "a search goes on with the data and the settings it was begun with",
            received=f"trials of another search in {str(path)!r}",
            remedy="restart=True (--restart), which begins anew, or another place for the artifact (out, --out)",
        )
    try:
        return {
            int(trial["number"]): (Choice.from_json(trial["choice"]), TrialResult.from_json(trial["result"]))
            for trial in written["trials"]
        }
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            "the file of trials is whole", received=str(error), remedy="restart=True (--restart), which begins anew"
        ) from error


def about(folds: Folds, *others: Any) -> str:
    """A hash of everything that a search's trials depend on."""
    digest = sha256()
    for array in (folds.raw, folds.x, folds.y, *(rows for part in folds.parts for rows in part)):
        digest.update(np.ascontiguousarray(array).tobytes())
    settings = {name: value for name, value in folds.settings.to_json().items() if name != "test"}
    told = [settings, folds.preparation.to_json(), folds.metric, *others]
    digest.update(json.dumps(told, default=str, sort_keys=True).encode())
    return digest.hexdigest()
