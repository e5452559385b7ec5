# SPDX-License-Identifier: Apache-2.0
"""Artifacts whose hashes are right and whose contents are not: forged, not damaged."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import edgeling
from edgeling.artifact import read_artifact, write_artifact
from edgeling.data import IRIS, Reading
from edgeling.errors import ArtifactError, EdgelingError
from edgeling.files.arrays import arrays_to_npz
from edgeling.graph import GraphBuilder
from edgeling.workflow.pipeline import Pipeline
from edgeling.workflow.recipes import PLAIN, settled
from edgeling.workflow.settings import Settings
from edgeling.workflow.store import command_of
from edgeling.workflow.train import train

JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.text(max_size=4), st.floats(), st.just([]), st.just({}),
    st.just([[1]]), st.just(["a"]), st.sampled_from(["add", "relu", "softmax", "1); abort(", "*/"]),
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    trained = train(IRIS, "species", epochs=5, targets=("native",))
    return edgeling.save(trained, tmp_path_factory.mktemp("store") / "iris.edgeling")


def forge(folder: Path, target: Path, name: str, content: object) -> Path:
    """The artifact with one JSON file replaced, and a manifest that vouches for it."""
    return forge_bytes(folder, target, name, json.dumps(content).encode())


def forge_bytes(folder: Path, target: Path, name: str, content: bytes) -> Path:
    artifact = read_artifact(folder)
    files = {f: artifact.read(f) for f in artifact.files}
    own = {"format", "format_version", "edgeling_version", "created", "name", "files"}
    entries = {k: v for k, v in artifact.manifest.items() if k not in own}
    files[name] = content
    return write_artifact(target, entries, files)


def paths(value, here=()):
    yield here
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from paths(child, (*here, key))


@pytest.mark.parametrize("name", ["graph_float32.json", "graph_int8.json", "preparation.json", "model.json"])
def test_only_our_errors_come_out_of_a_forged_artifact(folder: Path, tmp_path_factory, name: str) -> None:
    original = json.loads((folder / name).read_bytes())
    candidates = [p for p in paths(original) if p]
    target = tmp_path_factory.mktemp("forged")

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(path=st.sampled_from(candidates), junk=JUNK)
    def check(path, junk) -> None:
        forged = copy.deepcopy(original)
        parent = forged
        for key in path[:-1]:
            parent = parent[key]
        parent[path[-1]] = junk
        try:
            pipeline = edgeling.load(forge(folder, target / "iris.edgeling", name, forged))
            for precision in pipeline.deployable.graphs:
                text = pipeline.deployable.program(precision).files["iris.c"]
                assert "abort" not in text
        except EdgelingError:
            pass

    check()


def test_a_loaded_pipeline_answers_as_the_one_that_was_saved(folder: Path) -> None:
    trained = train(IRIS, "species", epochs=5, targets=("native",))
    loaded = edgeling.load(folder)
    raw = trained.held_out[0]
    for precision in ("float32", "int8"):
        assert (loaded.answers(raw, precision) == trained.pipeline.answers(raw, precision)).all()
    assert loaded.labels == ("setosa", "versicolor", "virginica")


def test_an_artifact_moved_or_renamed_still_loads(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "other.edgeling")
    assert edgeling.load(tmp_path / "other.edgeling").predict(IRIS).values.shape == (150,)


def test_no_row_of_the_table_is_in_the_artifact(folder: Path) -> None:
    """Raw data stays where it is: not even the rows the proof was run on are written."""
    rows = [line.rsplit(",", 1)[0] for line in IRIS.read_text().splitlines()[1:]]
    everything = b"".join(p.read_bytes() for p in folder.rglob("*") if p.is_file())
    assert not [row for row in rows if row.encode() in everything]


def test_a_folder_that_is_not_an_artifact(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError):
        edgeling.load(tmp_path)


def test_the_command_says_what_was_chosen() -> None:
    chosen = Settings("regression", "int8", (8, 4), "tanh", epochs=5, seed=3, weight_decay=0.01)
    how = Reading(encoding="latin-1", missing=("-9", "no idea"), day_first=False)
    petals = SimpleNamespace(target="petal width")
    learned = SimpleNamespace(recipe=PLAIN, fitted=SimpleNamespace(stopped_by="patience"))
    chosen = settled(chosen, PLAIN)
    trained = SimpleNamespace(source="my flowers.csv", settings=chosen, check=petals, reading=how, learned=learned)
    options = (
        "--task regression --precision int8 --hidden 8,4 --activation tanh --epochs 5 --weight-decay 0.01 --seed 3"
    )
    options += " --encoding latin-1 --missing -9 --missing 'no idea' --month-first"
    assert command_of(trained) == f"edgeling train 'my flowers.csv' --target 'petal width' {options}"
    assert command_of(trained, "edgeling", "demo") == f"edgeling demo {options}"
    said = {"check": SimpleNamespace(target="b"), "reading": Reading(), "learned": learned}
    usual = SimpleNamespace(source="a.csv", settings=settled(Settings(), PLAIN), **said)
    assert command_of(usual) == "edgeling train a.csv --target b --seed 0"
    linear = SimpleNamespace(source="a.csv", settings=settled(Settings(hidden=()), PLAIN), **said)
    assert command_of(linear) == "edgeling train a.csv --target b --hidden none --seed 0"


def test_importance_stays_finite_where_the_truth_is_constant() -> None:
    preparation = SimpleNamespace(names=("a", "b"))
    builder = GraphBuilder("squares")
    graph = builder.build([builder.add("square", builder.input("x", (1, 2)))])
    pipeline = SimpleNamespace(
        labels=(), answers=lambda raw: raw[:, :1], preparation=preparation, name="squares", precision="float32",
        deployable=SimpleNamespace(graphs={"float32": graph}),
    )  # fmt: skip
    raw = np.arange(20, dtype=np.float32).reshape(10, 2)
    found = Pipeline.importance(pipeline, raw, np.full(10, 3.0))  # type: ignore[arg-type]
    assert found.baseline == 0
    np.testing.assert_array_equal(found.mean, [0, 0])


def test_importance_of_many_rows_is_that_of_some_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows drawn keep their truths: the one column that is the answer matters wholly, the other not at all."""
    monkeypatch.setattr("edgeling.workflow.pipeline._IMPORTANCE_ROWS", 30)
    seen = set()

    def answers(raw: Any) -> Any:
        seen.add(len(raw) % 30)
        return raw[:, :1]

    builder = GraphBuilder("first")
    graph = builder.build([builder.add("square", builder.input("x", (1, 2)))])
    pipeline = SimpleNamespace(
        labels=(), answers=answers, preparation=SimpleNamespace(names=("a", "b")), name="first", precision="float32",
        deployable=SimpleNamespace(graphs={"float32": graph}),
    )  # fmt: skip
    raw = np.random.default_rng(0).normal(size=(100, 2)).astype(np.float32)
    found = Pipeline.importance(pipeline, raw, raw[:, 0].astype(np.float64))  # type: ignore[arg-type]
    assert seen == {0}
    assert found.baseline == 1
    assert found.mean[0] > 0.5
    assert found.mean[1] == 0


def test_weights_that_are_no_numbers_are_refused(folder: Path, tmp_path: Path) -> None:
    artifact = read_artifact(folder)
    arrays = dict(artifact.read_arrays("weights_float32.npz"))
    for bad in (np.nan, np.inf):
        spoilt = {name: np.full_like(array, bad) for name, array in arrays.items()}
        with pytest.raises(ArtifactError, match="finite"):
            edgeling.load(forge_bytes(folder, tmp_path / "iris.edgeling", "weights_float32.npz", arrays_to_npz(spoilt)))


def test_more_nodes_than_a_compiler_takes_are_refused(folder: Path, tmp_path: Path) -> None:
    graph = json.loads((folder / "graph_float32.json").read_bytes())
    for i in range(1001):
        graph["nodes"].append({**graph["nodes"][-1], "inputs": [graph["outputs"][0]], "outputs": [f"more{i}"]})
        graph["types"][f"more{i}"] = graph["types"][graph["outputs"][0]]
        graph["outputs"] = [f"more{i}"]
    with pytest.raises(ArtifactError, match="at most 1000 nodes"):
        edgeling.load(forge(folder, tmp_path / "iris.edgeling", "graph_float32.json", graph))


def test_labels_that_are_no_text_are_refused(folder: Path, tmp_path: Path) -> None:
    preparation = json.loads((folder / "preparation.json").read_bytes())
    preparation["target"]["labels"][0] = "\ud800"
    with pytest.raises(ArtifactError):
        edgeling.load(forge(folder, tmp_path / "iris.edgeling", "preparation.json", preparation))


@pytest.mark.parametrize("root", [[], [1], 5, "graph", None, True, {}])
def test_a_graph_whose_root_is_no_graph_is_refused(folder: Path, tmp_path: Path, root: object) -> None:
    with pytest.raises(ArtifactError, match="legal graphs"):
        edgeling.load(forge(folder, tmp_path / "iris.edgeling", "graph_float32.json", root))


def retyped(folder: Path, value: str, **kind: object) -> dict:
    """The float32 graph with another type for one value, an input (``x``) or what the first layer gives (``h``)."""
    graph = json.loads((folder / "graph_float32.json").read_bytes())
    (first, *_) = [node for node in graph["nodes"] if node["operation"] == "dense"]
    name = {"x": graph["inputs"][0], "h": first["outputs"][0], "y": graph["outputs"][0]}[value]
    graph["types"][name].update(kind)
    return graph


@pytest.mark.parametrize("value", ["x", "h", "y"])
@pytest.mark.parametrize("kind", [{"dtype": "int8"}, {"dtype": "uint32"}, {"shape": [1, 1]}, {"shape": [2, 4]}])
def test_a_value_of_another_type_than_its_operation_gives_is_refused(folder, tmp_path, value, kind) -> None:
    with pytest.raises(ArtifactError, match=r"legal graphs|the graph takes"):
        edgeling.load(forge(folder, tmp_path / "iris.edgeling", "graph_float32.json", retyped(folder, value, **kind)))


def test_a_program_named_like_one_of_our_own_files_is_refused(folder: Path, tmp_path: Path) -> None:
    artifact = read_artifact(folder)
    own = {"format", "format_version", "edgeling_version", "created", "name", "files"}
    for name in ("edgeling_rows", "stdint", "int", "größe", "a" * 300):
        entries = {k: v for k, v in artifact.manifest.items() if k not in own} | {"program": name}
        write_artifact(tmp_path / "iris.edgeling", entries, artifact.files)
        with pytest.raises(ArtifactError, match="names the program"):
            edgeling.load(tmp_path / "iris.edgeling")
