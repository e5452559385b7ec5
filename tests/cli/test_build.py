# SPDX-License-Identifier: Apache-2.0
"""``edgeling build``: names, sizes, calibration, int8 buffers, and whose files are whose."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from typer import BadParameter

from edgeling import Sequential
from edgeling.cli.sizes import size_bytes
from edgeling.layers import Dense, Input

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def keras_file(tmp_path_factory):
    pytest.importorskip("h5py")
    model = Sequential([Input((4,)), Dense(8, activation="relu"), Dense(3, activation="softmax")])
    path = tmp_path_factory.mktemp("model") / "my-model.keras"
    model.save(path)
    return path


@pytest.fixture
def with_model(edgeling, keras_file):
    shutil.copy(keras_file, edgeling.folder)
    rows = RNG.normal(size=(30, 4)).round(3)
    lines = ["a,b,c,d", *(",".join(map(str, row)) for row in rows)]
    (edgeling.folder / "rows.csv").write_text("\n".join(lines))
    (edgeling.folder / "labelled.csv").write_text("\n".join(f"{line},{i % 3}" for i, line in enumerate(lines)))
    return edgeling


def test_names_come_from_the_file_and_from_the_person(with_model) -> None:
    said = with_model.json("build", "my-model.keras", "--for", "native")
    assert said["name"] == "my_model"
    assert {"my_model.c", "my_model.h", "example/main.c"} <= set(said["files"])
    said = with_model.json("build", "my-model.keras", "--for", "native", "--name", "Gate Keeper")
    assert said["name"] == "gate_keeper"
    left = {p.name for p in (with_model.folder / "firmware").iterdir()}
    assert left == {"gate_keeper.c", "gate_keeper.h", "edgeling", "example", "edgeling-build.json"}


def test_int8_of_a_keras_file_is_calibrated_on_a_table(with_model) -> None:
    assert "--calibration" in with_model.refused("build", "my-model.keras", "--precision", "int8")
    said = with_model.json(
        "build", "my-model.keras", "--for", "native", "--calibration", "rows.csv", "--io", "int8", "--selftest"
    )
    assert (said["precision"], said["io"]) == ("int8", "int8")
    assert said["targets"]["native"]["max_error"] == 0
    header = (with_model.folder / "firmware" / "my_model.h").read_text()
    assert re.search(r"int my_model_run\(my_model_arena \*arena, const int8_t \*\w+, int8_t \*\w+\);", header)
    assert "int my_model_selftest(void);" in header
    assert said["model_hash"] in header
    verified = with_model.json(
        "verify", "my-model.keras", "--for", "native", "--precision", "int8", "--calibration", "rows.csv",
        "--data", "rows.csv",
    )  # fmt: skip
    assert verified["targets"]["native"]["rows"] == 30
    message = with_model.refused("build", "my-model.keras", "--calibration", "labelled.csv", "--out", "other")
    assert "4 columns" in message
    assert "such as the target" in message


def test_the_example_of_int8_buffers_answers_as_float_buffers_do(with_model) -> None:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    said = []
    for io in ("float32", "int8"):
        with_model.json("build", "my-model.keras", "--for", "native", "--calibration", "rows.csv", "--io", io)
        folder = with_model.folder / "firmware" / "example"
        (folder / "example").unlink(missing_ok=True)
        subprocess.run(["make", "-s"], cwd=folder, check=True, capture_output=True)
        given = ["./example", "0.5", "-1", "2", "0.25"]
        said.append(subprocess.run(given, cwd=folder, capture_output=True, text=True, check=True).stdout)
        refused = subprocess.run(["./example", "nan"], cwd=folder, capture_output=True, text=True, check=False)
        assert refused.returncode == 1
        assert "NaN" in refused.stderr
    assert said[0] == said[1]


def test_what_is_too_large_is_written_and_said(with_model) -> None:
    done = with_model.run("build", "my-model.keras", "--for", "cortex-m0plus", "--flash", "1k", "--json")
    assert done.returncode == 3
    figures = json.loads(done.stdout)["targets"]["cortex-m0plus"]
    assert figures["fits"] is False
    assert figures["matches"] is True
    assert figures["ram_excess_bytes"] == 0
    assert f"too large for cortex-m0plus by {figures['flash_excess_bytes']:,} bytes of flash" in " ".join(
        done.stderr.split()
    )
    assert (with_model.folder / "firmware" / "my_model.c").exists()
    enough = str(1024 + figures["flash_excess_bytes"])
    assert with_model.json("build", "my-model.keras", "--for", "cortex-m0plus", "--flash", enough, "--ram", "8k")
    assert with_model.run("verify", "my-model.keras", "--for", "cortex-m0plus", "--flash", "1k").returncode == 3


@pytest.mark.parametrize("option", ["--flash=64q", "--ram=-1", "--flash=1e3", "--io=int4"])
def test_wrong_sizes_are_wrong_usage(with_model, option) -> None:
    assert with_model.run("build", "my-model.keras", option).returncode == 2


def test_sizes_as_people_write_them() -> None:
    sizes = {"64k": 65536, "64 KiB": 65536, "64KB": 65536, "1M": 1 << 20, "65536": 65536, "0x1000": 4096, "9 b": 9}
    assert {text: size_bytes("flash", text) for text in sizes} == sizes
    assert size_bytes("ram", "") is None
    for text in ("k", "1.5k", "64g", "-1", "1 2", "0x", "٣"):
        with pytest.raises(BadParameter):
            size_bytes("ram", text)


def test_a_persons_own_files_are_not_replaced(with_model) -> None:
    (with_model.folder / "firmware").mkdir()
    (with_model.folder / "firmware" / "my_model.c").write_text("mine")
    message = with_model.refused("build", "my-model.keras", "--for", "native")
    assert "--force" in message
    with_model.json("build", "my-model.keras", "--for", "native", "--force")
    assert (with_model.folder / "firmware" / "my_model.c").read_text() != "mine"


def test_an_artifact_is_calibrated_anew_on_a_table(trained) -> None:
    said = trained.json("build", "flowers.edgeling", "--for", "native", "--calibration", "flowers.csv")
    assert said["precision"] == "int8"
    assert said["targets"]["native"]["max_error"] == 0
    header = (trained.folder / "firmware" / "flowers.h").read_text()
    assert "FLOWERS_LABEL_VIRGINICA = 2" in header
