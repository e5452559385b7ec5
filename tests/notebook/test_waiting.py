# SPDX-License-Identifier: Apache-2.0
"""What takes long says so to whoever watches, and leaves nothing behind. No test waits for a clock."""

from __future__ import annotations

import io
from threading import Event
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edgeling.codegen import generate
from edgeling.graph.builder import GraphBuilder
from edgeling.layers import Dense, Input
from edgeling.models import Sequential
from edgeling.notebook import waiting
from edgeling.notebook.waiting import told_if_long, untold
from edgeling.toolchain import library
from edgeling.toolchain.native import THIS_MACHINE, load


class Terminal(io.StringIO):
    """Standard error of somebody who watches."""

    def __init__(self, is_terminal: bool = True) -> None:
        super().__init__()
        self.said, self._is_terminal = Event(), is_terminal

    def isatty(self) -> bool:
        return self._is_terminal

    def write(self, text: str) -> int:
        done = super().write(text)
        self.said.set()
        return done


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Whoever waits for anything waits for too long."""
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(waiting, "_watch", waiting._Watch())  # whoever looks for other tests sleeps for longer
    watched = Terminal()
    monkeypatch.setattr(waiting, "sys", SimpleNamespace(stderr=watched))  # pytest puts its own in sys
    return watched


def test_a_terminal_is_told_and_left_as_it_was(terminal: Terminal) -> None:
    with told_if_long("compiling network"):
        assert terminal.said.wait(60)
    assert "compiling network" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_what_fails_leaves_the_line_empty_too(terminal: Terminal) -> None:
    @told_if_long("dividing")
    def divide() -> float:
        terminal.said.wait(60)
        return 1 / 0

    with pytest.raises(ZeroDivisionError):
        divide()
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_what_is_done_within_is_told_in_the_same_line(terminal: Terminal) -> None:
    with told_if_long("building"):
        with told_if_long("compiling"):
            while "compiling" not in terminal.getvalue():
                assert terminal.said.wait(60)
        written = terminal.getvalue().count("building")
        while terminal.getvalue().count("building") == written:
            assert terminal.said.wait(60)
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_nobody_is_told_where_somebody_else_tells(terminal: Terminal) -> None:
    with untold(), told_if_long("compiling"):
        pass
    assert terminal.getvalue() == ""


def test_a_pipe_and_a_terminal_that_cannot_erase_are_not_told(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    began: list[Any] = []
    monkeypatch.setattr(waiting, "Thread", lambda **how: began.append(how))
    monkeypatch.setenv("TERM", "dumb")
    with told_if_long("compiling"):
        pass
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(waiting, "sys", SimpleNamespace(stderr=Terminal(is_terminal=False)))
    with told_if_long("compiling"):
        pass
    assert not began


def test_one_thread_looks_at_all_blocks(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    began: list[Any] = []
    monkeypatch.setattr(waiting, "Thread", lambda **how: SimpleNamespace(start=lambda: began.append(how)))
    for _ in range(3):
        with told_if_long("predicting"):
            pass
    assert len(began) == 1


def test_what_ends_soon_says_nothing(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 3600.0)
    with told_if_long("compiling"):
        pass
    assert terminal.getvalue() == ""


def test_a_notebook_is_told_in_one_output(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []

    class Output:
        def __init__(self, html: str) -> None:
            self.show(html)

        def show(self, html: str) -> None:
            shown.append(html)
            if html:
                terminal.said.set()

    monkeypatch.setattr(waiting, "in_notebook", lambda: True)
    monkeypatch.setattr(waiting, "LiveOutput", Output)
    with told_if_long("compiling <network>"):
        assert terminal.said.wait(60)
    assert "compiling &lt;network&gt;" in "".join(shown)
    assert (shown[-1], terminal.getvalue()) == ("", "")


@pytest.mark.parametrize("linked", [False, True])
def test_a_compiler_that_takes_long_is_told(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Any, linked: bool
) -> None:
    compilers = library.run

    def slow(*what: Any) -> None:
        terminal.said.wait(60)
        compilers(*what)

    monkeypatch.setattr(library, "run", slow)
    monkeypatch.setenv("EDGELING_CACHE_DIR", str(tmp_path))
    made = GraphBuilder("slow")
    x = made.input("x", (1, 2))
    load(generate(made.build([made.add("activation", x, function="relu")]), "slow", target=THIS_MACHINE), linked=linked)
    assert "compiling slow" in terminal.getvalue()


def test_predict_evaluate_and_fit_are_silent_where_silence_is_asked_for(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    monkeypatch.setattr(waiting._Watch, "begin", lambda self, wait: told.extend(wait.told))
    model = Sequential([Input((2,)), Dense(1)])
    model.compile("sgd", "mse")
    x, y = np.ones((4, 2), np.float32), np.ones((4, 1), np.float32)
    for use in (model.fit, model.evaluate):
        use(x, y, verbose=0)
    model.predict(x, verbose=0)
    assert told == []
    model.evaluate(x, y)
    model.fit(x, y)
    model.predict(x)
    assert {"evaluating", "predicting"} <= set(told)
