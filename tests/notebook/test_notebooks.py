# SPDX-License-Identifier: Apache-2.0
"""What a notebook shows: a real kernel runs a notebook, and hostile names stay text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import edgeling
from edgeling.data import IRIS
from edgeling.layers import Dense, Input
from edgeling.notebook import cards
from edgeling.notebook.live import in_notebook

CELLS = [
    """
import numpy as np
import edgeling
from edgeling.layers import Dense, Input
model = edgeling.Sequential([Input((4,)), Dense(8, activation="relu"), Dense(1)], name="net")
model
""",
    """
model.compile("adam", "mse")
history = model.fit(np.ones((64, 4)), np.ones(64), epochs=30)
""",
    "history",
    f"""
trained = edgeling.train({str(IRIS)!r}, "species", targets=("native",), epochs=5, recipe="linear")
trained
""",
    "trained.proofs['float32']['native']",
    f"trained.pipeline.predict({str(IRIS)!r})",
    "edgeling.find_learning_rate(model, np.ones((64, 4)), np.ones(64), steps=20)",
]
VOID = {"meta", "br", "col", "img"}


class Elements(HTMLParser):
    """The elements of some HTML: balanced, and nothing of them fetched or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def shown(html: str) -> str:
    """The text of an output that fetches nothing, runs nothing, and takes its text's colour from the page."""
    found = Elements(html)
    for tag, attributes in found.seen:
        assert tag not in ("script", "link", "style", "object", "embed"), tag
        assert not any(name.startswith("on") for name in attributes), attributes
        assert not {"href", "data"} & attributes.keys(), attributes
        assert (attributes.get("src") or "data:").startswith("data:")
        assert not re.search(r"(^|;)\s*(color|background):\s*(#fff|#000|white|black)", attributes.get("style") or "")
        assert "url(" not in (attributes.get("style") or "")
    return " ".join(found.text)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> list[list[dict]]:
    """The HTML of each cell, as a kernel gave it."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in CELLS])
    folder = tmp_path_factory.mktemp("notebook")
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    return [cell.outputs for cell in notebook.cells]


def html_of(found: list[dict]) -> list[str]:
    return [output["data"]["text/html"] for output in found if "text/html" in output.get("data", {})]


def test_objects_show_themselves(outputs) -> None:
    model, fit, history, train, proof, answers, rates = (list(map(shown, html_of(found))) for found in outputs)
    assert "dense" in model[0].lower()
    assert "49 parameters" in model[0]
    assert "History of 30 epochs" in history[0]
    assert "Accuracy" in train[-1]
    assert "petal_width_cm" in train[-1]
    assert "Proof: proven" in proof[0]
    assert "150 answers" in answers[0]
    assert "suggested learning rate" in rates[0]
    assert len(fit) == 1


def test_progress_is_one_output_that_ends_whole(outputs) -> None:
    (fit,) = html_of(outputs[1])
    assert "Epoch 30/30" in shown(fit)
    progress = shown(html_of(outputs[3])[0])
    assert len(html_of(outputs[3])) == 2  # it, and what was trained
    assert "Proving it on native" in progress
    assert "…" not in progress
    assert not any(output["output_type"] == "stream" for found in outputs for output in found)


def test_there_is_no_notebook_here() -> None:
    assert not in_notebook()


HOSTILE = "<script>alert(1)</script>\u202e&"


def test_names_stay_text() -> None:
    model = edgeling.Sequential([Input((2,)), Dense(1, name="a<b>c")], name="<img src=x>")
    assert "a<b>c" in shown(model._repr_html_())
    told = shown(cards.card(HOSTILE, cards.figures((HOSTILE,), [(HOSTILE,)]), HOSTILE))
    assert told.count("<script>alert(1)</script>\N{REPLACEMENT CHARACTER}&") == 4
    assert HOSTILE.replace("\u202e", "\ufffd") in shown(cards.history_card({HOSTILE: [1.0, 2.0]}))


def test_a_model_that_is_not_built_says_so() -> None:
    assert "not built" in shown(edgeling.Sequential([Dense(3)])._repr_html_())


@pytest.mark.parametrize("values", [[], [1.0], [float("nan")] * 3, [2.0, 2.0], [1.0, float("inf"), -1e308, 1e308]])
def test_any_history_is_drawn(values: list[float]) -> None:
    html = cards.history_card({"loss": values, "vector": [np.ones(3)]})
    assert "History of" in shown(html)
    assert not re.search(r"nan,|,nan|inf", re.sub(r"<t[dh].*?</t[dh]>", "", html))


def test_what_verbs_give_shows_itself(tmp_path: Path) -> None:
    trained = edgeling.train(IRIS, "species", targets=("native",), recipe="linear", precision="float32")
    edgeling.save(trained, tmp_path / "flowers.edgeling")
    loaded = edgeling.load(tmp_path / "flowers.edgeling")
    assert "petal_width_cm" in shown(loaded._repr_html_())
    assert "Judged on 150 rows" in shown(loaded.explain(IRIS)._repr_html_())
    report, _ = edgeling.explain(loaded, IRIS)
    assert report._repr_html_().startswith("<iframe srcdoc=")
    assert len(repr(report)) < 200
    network = edgeling.Sequential([Input((2,)), Dense(1)])
    edgeling.save(network, tmp_path / "network.edgeling")
    assert "input" in shown(edgeling.load(tmp_path / "network.edgeling")._repr_html_())
    built = edgeling.build(loaded, "native")
    assert "Build: proven" in shown(built._repr_html_())
