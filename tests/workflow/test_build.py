# SPDX-License-Identifier: Apache-2.0
"""``edgeling.build`` and ``edgeling.verify``, on everything they take."""

from __future__ import annotations

import numpy as np
import pytest

import edgeling
from edgeling.codegen import names
from edgeling.errors import ArtifactError, DataError, EdgelingError, TargetError, UnsupportedError
from edgeling.layers import Dense, Dropout, Input
from edgeling.models import Sequential
from edgeling.network.network import inference_graph
from edgeling.workflow.deploy import identifier
from tests.passes.test_quantize_graphs import NETWORKS, Net, rows_of
from tests.support.rounding import require_same_answers

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 8)).astype(np.float32)
Y = (X[:, 0] - X[:, 3] > 0).astype(int)


@pytest.fixture(scope="module")
def model() -> Sequential:
    made = Sequential([Input((8,)), Dense(10, activation="relu"), Dropout(0.2), Dense(1, activation="sigmoid")])
    made.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    made.fit(X, Y, epochs=20, verbose=0)
    return made


def test_a_build_writes_the_c_and_says_what_it_takes(model, tmp_path) -> None:
    built = edgeling.build(model, target="cortex-m4", out=tmp_path / "firmware", name="My Model")
    assert built.matches
    assert 0 < built.flash_weights_bytes + built.flash_code_bytes == built.flash_bytes < 3000
    assert built.precision == "float32"
    assert {"my_model.c", "my_model.h", "example", "edgeling-build.json"} <= {
        p.name for p in (tmp_path / "firmware").iterdir()
    }
    assert (tmp_path / "firmware" / "my_model.c").read_text() == built.files["my_model.c"]


def test_the_folder_may_begin_at_home(model, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert edgeling.build(model, target="native", out="~/firmware").folder == tmp_path / "firmware"


def test_nothing_is_written_unless_asked_for(model, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert edgeling.build(model).folder is None
    assert list(tmp_path.iterdir()) == []


def test_int8_calibrates_on_the_rows_last_fitted(model) -> None:
    proof = edgeling.verify(model, target="cortex-m0plus", precision="int8", rows=X)
    assert (proof.matches, proof.max_error, proof.rows) == (True, 0, 200)
    assert proof.precision == "int8"
    assert edgeling.verify(model, target="native").precision == "float32"


def test_int16_activations_are_a_precision_too(model, tmp_path) -> None:
    built = edgeling.build(model, target="cortex-m0plus", precision="int16x8", out=tmp_path)
    assert (built.matches, built.max_error, built.precision) == (True, 0, "int16x8")
    (header,) = (path.read_text() for path in tmp_path.glob("*.h"))
    assert '_PRECISION "int16x8"' in header
    with pytest.raises(UnsupportedError, match="buffers hold int8"):
        edgeling.build(model, precision="int16x8", io="int8")
    with pytest.raises(UnsupportedError, match="buffers hold float32 or int8"):
        edgeling.build(model, io="int16x8")


@pytest.mark.parametrize("precision", ["int8", "int16x8"])
@pytest.mark.parametrize("name", ["skip", "two_inputs", "two_outputs"])
def test_graphs_of_any_shape_become_integers(name, precision) -> None:
    graph = NETWORKS[name](Net())
    rows = dict(zip(graph.inputs, rows_of(graph, 60), strict=True))
    built = edgeling.build(graph, target="cortex-m4", precision=precision, calibration_data=rows, selftest=True)
    assert (built.matches, built.max_error) == (True, 0)


@pytest.mark.parametrize("rows", [X[:, :4], X[:4, :2], X[:0], X[0], [["a"] * 8]])
def test_rows_the_network_does_not_take_are_refused(model, rows) -> None:
    with pytest.raises(DataError):
        edgeling.verify(model, target="native", rows=rows)
    with pytest.raises(DataError):
        edgeling.build(model, target="native", precision="int8", calibration_data=rows)


def test_int8_without_rows_is_refused_with_the_remedy(model) -> None:
    fresh = Sequential([Input((8,)), Dense(1)])
    with pytest.raises(UnsupportedError, match="calibration_data"):
        edgeling.build(fresh, precision="int8")
    assert edgeling.build(fresh, precision="int8", calibration_data=X).matches


def test_a_path_to_a_keras_file_and_a_graph_build_the_same_c(model, tmp_path) -> None:
    pytest.importorskip("h5py")
    model.save(tmp_path / "model.keras")
    from_path, from_graph = (
        edgeling.build(tmp_path / "model.keras", name="net"),
        edgeling.build(inference_graph(model), name="net"),
    )
    assert from_path.files["net.c"] == from_graph.files["net.c"]


@pytest.mark.keras
def test_a_live_keras_model_builds_and_means_what_keras_means() -> None:
    keras = pytest.importorskip("keras")
    theirs = keras.Sequential([keras.Input((8,)), keras.layers.Dense(10, "tanh"), keras.layers.Dense(3, "softmax")])
    proof = edgeling.verify(theirs, target="native", rows=X)
    assert proof.matches
    from edgeling.formats.live_keras import from_keras

    require_same_answers(from_keras(theirs), theirs, X)


def test_what_is_not_there_is_refused(model, tmp_path) -> None:
    with pytest.raises(TargetError, match="cortex-m4"):
        edgeling.build(model, target="cortex-m3")
    with pytest.raises(UnsupportedError, match="float32"):
        edgeling.build(model, precision="int4")
    with pytest.raises(ArtifactError):
        edgeling.build(tmp_path / "nowhere.edgeling")
    with pytest.raises(EdgelingError):
        edgeling.build("nowhere.keras")


def test_a_folder_that_cannot_be_written(model, tmp_path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EdgelingError, match="folder"):
        edgeling.build(model, out=tmp_path / "file")
    assert (tmp_path / "file").read_text() == "in the way"


def test_the_c_of_a_program_too_large_for_the_chip_is_written_and_proven_all_the_same(tmp_path) -> None:
    huge = Sequential([Input((200,)), Dense(300), Dense(10)])
    built = edgeling.build(huge, target="cortex-m0plus", out=tmp_path / "firmware", name="huge")
    weights_bytes = 4 * (200 * 300 + 300 + 300 * 10 + 10)
    assert not built.fits
    assert built.matches
    assert weights_bytes - 128 * 1024 < built.flash_excess_bytes < weights_bytes - 128 * 1024 + 8 * 1024
    assert (tmp_path / "firmware" / "huge.c").exists()


def test_a_chip_is_as_large_as_one_says(model) -> None:
    tight = edgeling.build(model, target="cortex-m4", flash_bytes=1000, ram_bytes=1100)
    assert tight.flash_excess_bytes > 0
    assert tight.ram_excess_bytes > 0
    needed = {"flash_bytes": 1000 + tight.flash_excess_bytes, "ram_bytes": 1100 + tight.ram_excess_bytes}
    assert edgeling.build(model, target="cortex-m4", **needed).fits
    for size, least in needed.items():
        short = edgeling.verify(model, target="cortex-m4", **{**needed, size: least - 8})
        assert not short.fits
        assert short.matches
    with pytest.raises(TargetError, match="no bound"):
        edgeling.build(model, target="wasm32", ram_bytes=1000)


@pytest.mark.parametrize(
    "text", ["data (1)", "a - b", "int", "main", "stdint", "edgeling", "edgeling_x", "1", "", "é", "x" * 300, "INT8_T"]
)
def test_any_file_name_makes_a_name_for_a_program(text: str) -> None:
    name = identifier(text)
    assert names.identifier(name) == name
    assert not name.startswith("edgeling")
    assert len(name) <= 60
    assert name != "stdint"


@pytest.mark.parametrize("name", ["data (1)", "stdint", "stddef", "int"])
def test_such_names_compile(model, name: str) -> None:
    assert edgeling.verify(model, rows=X[:2]).matches
    assert edgeling.build(model, name=name).matches


def test_something_that_is_no_model() -> None:
    with pytest.raises(UnsupportedError, match="int"):
        edgeling.build(42)
