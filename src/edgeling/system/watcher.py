# SPDX-License-Identifier: Apache-2.0
"""What ends the programs of a process that is killed outright, and so can end nothing itself.

A shell reads the groups that run from a pipe whose only other end is this process's: when the pipe ends, so does what
then runs. Linux's ``PR_SET_PDEATHSIG`` would reach a compiler's driver, but none of the programs that it starts.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
from contextlib import suppress

_SHELL = "/bin/sh"
_SCRIPT = """
running=' '
while read -r what group; do
    case $what in
        +) running="$running-$group " ;;
        *) running="${running%% -$group *} ${running#* -$group }" ;;
    esac
done
[ "$running" = ' ' ] || kill -9 $running
"""


class Watcher:
    """The shell, started when first needed; nothing where there is none."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def began(self, group: int) -> None:
        """A group of processes runs."""
        if self._process is None:
            self._start()
        self._say(f"+ {group}\n")

    def ended(self, group: int) -> None:
        """It was waited for."""
        self._say(f"- {group}\n")

    def forget(self) -> None:
        """In a fork: the pipe is to end with the process that began it, and what is started here to have its own."""
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
            self._process.returncode = 0  # another process's child
        self._process = None

    def close(self) -> None:
        """End the shell."""
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError, KeyboardInterrupt):  # a second Ctrl-C while Python is leaving: it ends by itself
                self._process.stdin.close()
                self._process.wait()
        self._process = None

    def _start(self) -> None:
        if sys.platform == "win32" or not os.access(_SHELL, os.X_OK):
            return
        with suppress(OSError):
            self._process = subprocess.Popen(
                [_SHELL, "-c", _SCRIPT], bufsize=0, cwd="/", env={}, start_new_session=True,
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip

    def _say(self, line: str) -> None:
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError):  # somebody ended the shell
                self._process.stdin.write(line.encode())


watcher = Watcher()
atexit.register(watcher.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=watcher.forget)
