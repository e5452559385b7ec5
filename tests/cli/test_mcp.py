# SPDX-License-Identifier: Apache-2.0
"""The verbs as tools for agents: their schemas, and a session with the package's own client."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from edgeling.cli.app import app
from edgeling.cli.tools import tools_of
from edgeling.cli.verbs import VERBS
from edgeling.data import IRIS
from edgeling.errors import UnsupportedError

TOOLS = {tool.name: tool for tool in tools_of(VERBS)}


def line(name: str, **arguments: Any) -> list[str]:
    return TOOLS[name].command(arguments)[3:]


def test_every_verb_that_answers_is_a_tool_with_described_arguments() -> None:
    assert set(TOOLS) == {verb.__name__ for verb in VERBS}
    for tool in TOOLS.values():
        assert tool.description
        assert all(told["description"] and told["type"] for told in tool.schema["properties"].values()), tool.name


def test_kinds_limits_and_defaults_are_those_of_the_options() -> None:
    told = TOOLS["train"].schema["properties"]
    assert {k: told["epochs"][k] for k in ("type", "minimum", "default")} == {
        "type": "integer", "minimum": 1, "default": 500,
    }  # fmt: skip
    assert told["drop"] == {**told["drop"], "type": "array", "items": {"type": "string"}}
    assert TOOLS["train"].schema["required"] == ["table", "target"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"no_importance": True}, ["--no-importance"]),
        ({"no_importance": False}, []),
        ({"day_first": False}, ["--month-first"]),
        ({"drop": ["a", "b"]}, ["--drop=a,b"]),
        ({"missing": ["?", "-"]}, ["--missing=?", "--missing=-"]),
        ({"positive": "-1"}, ["--positive=-1"]),
        ({"for": ["native"]}, ["--for=native"]),
        ({"seed": 3, "out": None}, ["--seed=3"]),
    ],
)
def test_arguments_become_words(arguments: dict[str, Any], words: list[str]) -> None:
    told = line("train", table="-t.csv", target="y", **arguments)
    assert told == ["train", "--target=y", *words, "--json", "--", "-t.csv"]


@pytest.mark.parametrize(
    "arguments",
    [{}, {"artifact": "a", "nothing": 1}, {"artifact": {"a": 1}}, {"artifact": "a", "selftest": "yes"}],
)
def test_arguments_without_a_meaning_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedError):
        line("build", **arguments)


@pytest.mark.parametrize("verb", sorted(TOOLS))
def test_every_option_is_one_of_the_command(verb: str) -> None:
    told = CliRunner().invoke(app, [verb, "--help"], env={"COLUMNS": "200", "TERM": "dumb"}).stdout
    for parameter in TOOLS[verb].parameters:
        assert not parameter.flags or parameter.flags[0] in told


def test_from_a_table_to_verified_c_in_five_calls(tmp_path: Path) -> None:
    pytest.importorskip("mcp")
    import anyio
    from mcp import ClientSession, StdioServerParameters, stdio_client

    shutil.copy(IRIS, tmp_path / "flowers.csv")
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "edgeling", "mcp"], cwd=tmp_path, env=dict(os.environ)
    )
    heard: list[str] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append(message or "")

    async def session() -> list[Any]:
        async with stdio_client(server) as streams, ClientSession(*streams) as client:
            await client.initialize()
            listed = {tool.name: tool.input_schema for tool in (await client.list_tools()).tools}
            assert listed == {name: tool.schema for name, tool in TOOLS.items()}
            calls = [
                ("info", {"path": "flowers.csv", "target": "species"}),
                ("train", {"table": "flowers.csv", "target": "species", "for": ["native"], "recipe": "linear"}),
                ("build", {"artifact": "flowers.edgeling", "for": "cortex-m4", "out": "firmware"}),
                ("verify", {"artifact": "flowers.edgeling", "for": "cortex-m4", "data": "flowers.csv"}),
                ("predict", {"artifact": "nothing.edgeling", "table": "flowers.csv"}),
            ]
            return [await client.call_tool(name, given, progress_callback=hear) for name, given in calls]

    info, train, build, verify, refused = anyio.run(session)
    assert [told.is_error for told in (info, train, build, verify, refused)] == [False] * 4 + [True]
    assert info.structured_content["class_counts"] == {"setosa": 50, "versicolor": 50, "virginica": 50}
    assert train.structured_content["artifact"] == "flowers.edgeling"
    assert any("Training" in message or "Learning" in message for message in heard)
    assert (tmp_path / "firmware" / "flowers.c").exists()
    assert build.structured_content["targets"]["cortex-m4"]["flash_bytes"] > 0
    proof = verify.structured_content["targets"]["cortex-m4"]
    assert (proof["matches"], proof["rows"]) == (True, 150)
    assert json.loads(refused.content[0].text)["error"]["remedy"]
