# SPDX-License-Identifier: Apache-2.0
"""What an error says: rule, what was received, what to try, and where more is said of its kind."""

from __future__ import annotations

import copy
import json
import pickle
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import edgeling
from edgeling import errors
from edgeling.cli.app import app
from edgeling.data import IRIS

PAGE = (Path(__file__).parents[1] / errors.PAGE).read_text("utf-8")
HEADINGS = {line[3:].lower() for line in PAGE.splitlines() if line.startswith("## ")}


def refusal() -> errors.EdgelingError:
    with pytest.raises(errors.EdgelingError) as caught:
        edgeling.layers.Dense("many")
    return caught.value


def test_a_message_says_rule_received_remedy_and_where_more_is_said() -> None:
    error = refusal()
    assert str(error) == f"{error.rule}; received 'many'. Try: {error.remedy} (docs/errors.md#{error.anchor})"
    assert error.anchor == "unsupportederror-checking"


@pytest.mark.parametrize("again", [copy.copy, lambda e: pickle.loads(pickle.dumps(e))], ids=["copied", "pickled"])
def test_an_error_says_the_same_elsewhere(again) -> None:
    error = refusal()
    assert (type(again(error)), str(again(error))) == (type(error), str(error))


@pytest.mark.parametrize("name", sorted(n for n in vars(errors) if n.endswith("Error")))
def test_an_error_of_somebody_elses_leads_to_its_class(name: str) -> None:
    anchor = getattr(errors, name)("a rule", remedy="that").anchor
    assert anchor == name.lower()
    assert anchor in HEADINGS or f'id="{anchor}"' in PAGE


def test_the_command_says_where_more_is_said() -> None:
    done = CliRunner().invoke(app, ["train", str(IRIS), "--target", "nothing", "--json"])
    assert json.loads(done.stdout)["error"]["see"] == "docs/errors.md#dataerror-data"
    assert re.search(r"see: docs/errors.md#dataerror-data\n", done.stderr)


def test_a_suggested_argument_is_taken() -> None:
    """What checks of arguments suggest is of the right kind and within the limits."""
    for layer, wrong in ((edgeling.layers.Dense, {"units": "x"}), (edgeling.layers.LeakyReLU, {"negative_slope": -1})):
        with pytest.raises(errors.UnsupportedError) as caught:
            layer(**wrong)
        layer(**eval(f"dict({caught.value.remedy})"))
