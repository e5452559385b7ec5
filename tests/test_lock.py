# SPDX-License-Identifier: Apache-2.0
"""What development and CI install: pinned, each with its hashes, and without an address."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements" / "test.lock").read_text("utf-8")
PINNED = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", LOCK, re.MULTILINE))
REWRITE = "run .ci/lock"


def names(requirements: list[str]) -> set[str]:
    """Without versions, extras and markers, as the lock spells them."""
    return {re.sub(r"[-_.]+", "-", re.split(r"[^A-Za-z0-9_.-]", r, maxsplit=1)[0]).lower() for r in requirements}


def test_every_requirement_is_pinned_with_its_hashes() -> None:
    entries = re.split(r"\n(?=\S)", LOCK.split("\n", 1)[1].strip())
    pin = re.compile(r"[a-z0-9-]+==[\w.!+-]+( ; [^\\]+)? \\\n(    --hash=sha256:[0-9a-f]{64}( \\\n|$))+")
    assert [entry for entry in entries if not pin.fullmatch(entry)] == []


def test_the_lock_holds_no_address() -> None:
    assert not re.search(r"://|index-url|find-links|\s@\s", LOCK)


def test_what_the_project_asks_for_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    extras = project["project"]["optional-dependencies"]
    asked = project["project"]["dependencies"] + extras["test"] + extras["targets"]
    asked += [*project["build-system"]["requires"], "editables"]
    assert names(asked) <= PINNED.keys(), REWRITE
    exact = {r.split("==")[0]: r.split("==")[1] for r in asked if re.fullmatch(r"[\w-]+==[\w.]+", r)}
    assert {name: PINNED[name] for name in exact} == exact, REWRITE


def test_the_readmes_test_command_installs_what_is_locked() -> None:
    (command,) = re.findall(r"<!-- test command -->\n```sh\n(.*)\n```", (ROOT / "README.md").read_text("utf-8"))
    assert "--require-hashes -r requirements/test.lock" in command
    assert "--no-deps --no-build-isolation -e ." in command
