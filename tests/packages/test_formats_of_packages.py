# SPDX-License-Identifier: Apache-2.0
"""Packages held to the published rules of their formats, and to what they refuse."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import yaml

import edgeling
from edgeling.errors import UnsupportedError
from edgeling.graph import GraphBuilder
from edgeling.packages.kinds import KINDS
from edgeling.packages.names import legal_name
from edgeling.packages.readme import licence
from edgeling.workflow.deploy import identifier

ROOT = Path(__file__).parents[2]
PACKAGED = [name for name in KINDS if name != "c"]


@pytest.fixture(scope="module")
def files(hostile):
    """Of every package, path to text."""
    return {name: edgeling.build(hostile.pipeline, package=name).files for name in PACKAGED}


@pytest.mark.parametrize("package", PACKAGED)
def test_every_package_says_how_to_use_it_what_it_takes_and_under_which_licence(files, package) -> None:
    page = files[package]["README.md"]
    assert all(f"## {title}" in page for title in ("What goes in", "What it takes", "Licence"))
    assert "proven on" in page
    assert "@" not in re.sub(r"`[^`]*`", "", page)
    assert "<b>" not in re.sub(r"`[^`]*`", "", page)
    assert files[package]["LICENSE"] == licence() == (ROOT / "LICENSE").read_text("utf-8")
    assert not any(part.startswith(("/", "..")) for path in files[package] for part in path.split("/"))


def test_library_properties_are_as_arduino_specifies(files) -> None:
    lines = files["arduino"]["library.properties"].splitlines()
    told = dict(line.split("=", 1) for line in lines)
    assert len(told) == len(lines)
    assert told.keys() >= {"name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url",
                           "architectures"}  # fmt: skip
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,62}", told["name"])
    assert not told["name"].lower().startswith("arduino")
    assert re.fullmatch(r"\d+\.\d+\.\d+", told["version"])
    assert told["category"] == "Data Processing"
    assert set(told["includes"].split(",")) == {"wire_model.h", "wire_model_text.h"}
    for line in files["arduino"]["keywords.txt"].splitlines():
        assert re.fullmatch(r"\w+\t(KEYWORD1|KEYWORD2|LITERAL1)", line)


def test_library_json_is_as_platformio_specifies(files) -> None:
    told = json.loads(files["platformio"]["library.json"])
    assert re.fullmatch(r"[a-zA-Z0-9_.+-]{1,100}", told["name"])
    assert len(told["description"]) <= 255
    assert {"name", "version", "description", "keywords", "authors", "license", "headers"} <= told.keys()
    assert all(f"src/{header}" in files["platformio"] for header in told["headers"])
    (example,) = told["examples"]
    assert f"{example['base']}/{example['files'][0]}" in files["platformio"]


def test_the_component_is_as_esp_idf_specifies(files) -> None:
    told = yaml.safe_load(files["esp-idf"]["idf_component.yml"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", told["version"])
    assert told["dependencies"]["idf"].startswith(">=")
    sources = re.findall(r'"(src/\w+\.c)"', files["esp-idf"]["CMakeLists.txt"])
    assert sources
    assert set(sources) <= files["esp-idf"].keys()


def test_the_module_is_as_zephyr_specifies(files) -> None:
    told = yaml.safe_load(files["zephyr"]["zephyr/module.yml"])
    assert f"{told['build']['cmake']}/CMakeLists.txt" in files["zephyr"]
    assert told["build"]["kconfig"] in files["zephyr"]
    assert all(any(path.startswith(f"{sample}/") for path in files["zephyr"]) for sample in told["samples"])
    assert yaml.safe_load(files["zephyr"]["samples/console/sample.yaml"])["tests"]
    symbols = re.findall(r"^config (\w+)$", files["zephyr"]["zephyr/Kconfig"], re.MULTILINE)
    switched = re.findall(r"^CONFIG_(EDGELING_\w+)=y", files["zephyr"]["samples/console/prj.conf"], re.MULTILINE)
    assert set(switched) <= set(symbols)


def test_a_page_is_one_file_whose_data_ends_no_script(files) -> None:
    page = files["web"]["index.html"]
    assert page.count("</script>") == 3
    assert set(files["web"]) == {"index.html", "README.md", "LICENSE"}
    data = re.findall(r'<script type="application/json" id="model">(.*?)</script>', page, re.DOTALL)[0]
    assert "</script><b>" in json.loads(data)["columns"][1]["categories"]


@pytest.mark.parametrize(
    ("package", "options", "named"),
    [
        ("web", {"learn": "last"}, "learn"), ("linux", {"selftest": True}, "selftest"), ("web", {"io": "int8"}, "io"),
        ("linux", {"explain": "gradient", "reasons": 0}, "reasons"), ("web", {"target": "cortex-m4"}, "wasm32"),
        ("linux", {"target": "wasm32"}, "native"), ("arduino", {"target": "wasm32"}, "cortex-m"),
        ("debian", {}, "arduino"),
    ],
)  # fmt: skip
def test_what_a_package_has_no_room_for_is_refused_by_name(hostile, package, options, named) -> None:
    with pytest.raises(UnsupportedError, match=named):
        edgeling.build(hostile.pipeline, package=package, **options)


def test_a_network_that_keeps_state_and_has_several_inputs_is_packed_too() -> None:
    b = GraphBuilder("sensors")
    left, right = b.input("left", (1, 1)), b.input("right", (1, 2))
    mean = b.variable([[20.0]], "mean")
    smooth = b.add("add", b.add("multiply", mean, b.constant(0.9)), left, name="smooth")
    b.update("mean", smooth)
    graph = b.build([smooth, b.add("activation", right, function="sigmoid", name="gap")])
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    built = edgeling.build(graph, package="linux")
    assert '"answers"' in built.files["src/main.c"].replace("\\", "")
    page = edgeling.build(graph, package="web").files["index.html"]
    assert '"keeps": true' in page


def _headers(compiler: list[str]) -> set[str]:
    """Headers, not in folders of their own, that a compiler reads where a program includes those of C."""
    program = "".join(f"#include <{name}.h>\n" for name in ("stdint", "stdio", "stdlib", "string", "float", "math"))
    said = subprocess.run([*compiler, "-M", "-x", "c", "-"], input=program, capture_output=True, text=True, check=True)
    found = (Path(word) for word in said.stdout.split() if word.endswith(".h"))
    return {path.stem for path in found if path.parent.name == "include"}


@pytest.mark.parametrize(
    "compiler", [["gcc"], ["clang"], ["arm-none-eabi-gcc"], ["avr-gcc"]], ids=lambda words: words[0]
)
def test_no_program_is_called_as_a_header_of_the_system_is(compiler) -> None:
    if shutil.which(compiler[0]) is None:
        pytest.skip(f"{compiler[0]} is not installed")
    for header in _headers(compiler):
        assert legal_name(identifier(header)) != header, header


@pytest.mark.parametrize("name", ["Wire", "arduino", "Servo", "features", "test", "install", "src", "zephyr"])
def test_names_of_platforms_are_left_to_them(name) -> None:
    assert legal_name(identifier(name)) == (f"{name.lower()}_model")


def test_the_sketch_of_int8_buffers_converts(hostile) -> None:
    rows = np.zeros((8, 2), np.float32)
    model = edgeling.Sequential([edgeling.layers.Dense(1, activation="sigmoid", input_dim=2)])
    model.compile(loss="binary_crossentropy")
    built = edgeling.build(
        model, package="arduino", precision="int8", io="int8", calibration_data=rows + 1, name="gate"
    )
    assert "gate_quantize(values, in_0)" in built.files["examples/ReadSerial/ReadSerial.ino"]
