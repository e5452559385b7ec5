# SPDX-License-Identifier: Apache-2.0
"""``edgeling mcp``: the verbs as tools for agents, over the Model Context Protocol on standard input and output.

Each call is the command itself in a process of its own: what it prints cannot disturb the protocol, two calls do not
disturb each other, and a call that is cancelled ends with everything it has started.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeling.cli.output import reported
from edgeling.cli.tools import VerbTool, tools_of
from edgeling.cli.verbs import VERBS
from edgeling.errors import PAGE, EdgelingError, UnsupportedError

if TYPE_CHECKING:
    from anyio.abc import Process
    from mcp.server import Server, ServerRequestContext
    from mcp_types import CallToolRequestParams, CallToolResult

READERS = {"info", "targets", "doctor"}  # verbs that write nothing
LEFT_OUT = ("curves",)  # thousands of points, which the report draws
INSTRUCTIONS = """\
Edgeling trains small neural networks on tables, compiles them to C99 and proves the C on emulated chips.
From a table to verified C: info (what is odd in the table), train (writes NAME.edgeling), build (writes the C and
measures it on the chip), verify (runs the C there and compares it with the network). tune searches under limits of
flash and RAM, select says how few columns suffice, predict and explain answer rows. Paths are relative to {folder}.
An error says what must hold, what was received and what to try."""


def mcp() -> None:
    """Serve the other verbs as tools for agents (Model Context Protocol) on standard input and output.

    Needs pip install 'edgeling[mcp]'. An agent is told to start "edgeling mcp" in the folder where the tables lie.

    Example: edgeling mcp
    """
    with reported(as_json=False):
        try:
            import anyio
            from mcp.server.stdio import stdio_server
        except ImportError as error:
            raise UnsupportedError(
                "agents are served with the package mcp", received=str(error), remedy="pip install 'edgeling[mcp]'"
            ) from None
        server = server_of(tools_of(VERBS))

        async def serve() -> None:
            async with stdio_server() as (incoming, outgoing):
                await server.run(incoming, outgoing, server.create_initialization_options())

        anyio.run(serve)


def server_of(tools: tuple[VerbTool, ...]) -> Server[Any]:
    """The server that offers tools."""
    from mcp.server import Server
    from mcp_types import ListToolsResult, Tool, ToolAnnotations

    from edgeling import __version__

    by_name = {tool.name: tool for tool in tools}
    listed = [
        Tool(
            name=tool.name, description=tool.description, input_schema=tool.schema, output_schema={"type": "object"},
            annotations=ToolAnnotations(read_only_hint=tool.name in READERS, open_world_hint=False),
        )
        for tool in tools
    ]  # fmt: skip

    async def on_list_tools(_: ServerRequestContext[Any], __: Any) -> ListToolsResult:
        return ListToolsResult(tools=listed)

    async def on_call_tool(context: ServerRequestContext[Any], asked: CallToolRequestParams) -> CallToolResult:
        try:
            if asked.name not in by_name:
                raise UnsupportedError(f"a tool is one of {', '.join(by_name)}", received=asked.name, remedy="info")
            command = by_name[asked.name].command(asked.arguments or {})
        except EdgelingError as error:
            return _result(_told(error), is_error=True)
        status, output, said = await _run(command, context.session.report_progress)
        return _answer(status, output, said)

    return Server(
        "edgeling", version=__version__, instructions=INSTRUCTIONS.format(folder=Path.cwd()),
        on_list_tools=on_list_tools, on_call_tool=on_call_tool,
    )  # fmt: skip


def _answer(status: int, output: bytes, said: list[str]) -> CallToolResult:
    """What a verb answered. 1: wrong input, or C that differs from its network; 3: a chip that has not the memory."""
    try:
        told = json.loads(output)
    except ValueError:
        told = {"error": {"type": "Crash", "rule": "the command answers in JSON", "received": " ".join(said[-5:])}}
    for name in LEFT_OUT:
        told.pop(name, None)
    if "error" not in told:
        told |= {"exit_code": status, "messages": said}
    return _result(told, is_error=status in (1, 2) or "error" in told)


def _told(error: EdgelingError) -> dict[str, Any]:
    parts = {"rule": error.rule, "received": error.received, "remedy": error.remedy, "see": f"{PAGE}#{error.anchor}"}
    return {"error": {"type": type(error).__name__, **parts}}


def _result(told: dict[str, Any], is_error: bool) -> CallToolResult:
    from mcp_types import CallToolResult, TextContent

    text = TextContent(type="text", text=json.dumps(told))
    return CallToolResult(content=[text], structured_content=told, is_error=is_error)


async def _run(command: list[str], tell: Callable[..., Any]) -> tuple[int, bytes, list[str]]:
    """A command's status, what it printed, and what it said on the way, each line told when it comes."""
    import anyio
    from anyio.streams.text import TextReceiveStream

    from edgeling.system.watcher import watcher

    said: list[str] = []
    printed = bytearray()
    process = await anyio.open_process(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        env={**os.environ, "COLUMNS": "200"},  # lines are told one by one: none is to be wrapped
    )  # fmt: skip
    watcher.began(process.pid)  # so that it ends with this process, however that ends
    try:

        async def listen() -> None:
            assert process.stderr
            rest = ""
            async for text in TextReceiveStream(process.stderr, errors="replace"):
                *lines, rest = (rest + text).split("\n")
                for line in filter(str.strip, lines):
                    said.append(line)
                    await tell(len(said), None, line)

        async with anyio.create_task_group() as group:
            group.start_soon(listen)
            assert process.stdout
            async for part in process.stdout:
                printed.extend(part)
        return await process.wait(), bytes(printed), said
    finally:
        with anyio.CancelScope(shield=True):
            await _end(process)
        watcher.ended(process.pid)


async def _end(process: Process) -> None:
    """Ends a process that is still there, with all it has started."""
    if process.returncode is None:
        with suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
    await process.aclose()
