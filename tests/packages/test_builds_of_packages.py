# SPDX-License-Identifier: Apache-2.0
"""Packages built with the tools they are for, and asked what Python is asked."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pytest

from edgeling.layers import Dense
from edgeling.models import Sequential
from tests.support.rounding import row_bounds

STRICT = "-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"
_ARDUINO_H = """\
#include <stdint.h>
#include <stdio.h>
#define F(text) (text)
struct Port {
  void begin(long); int available(); int read(); void print(const char *); void println(const char *);
  void println(int); void println(double, int); void setTimeout(long); float parseFloat();
};
extern Port Serial;
"""


def run(command: Sequence[str | Path], folder: Path, text: str = "") -> str:
    done = subprocess.run(
        command, cwd=folder, input=text, capture_output=True, text=True, encoding="utf-8", timeout=300, check=False
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def need(*tools: str) -> None:
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")


def as_json(row: dict[str, str]) -> dict[str, object]:
    width = next(iter(row))
    cells = {name: cell for name, cell in row.items() if name != "wh=at?"}
    return {**cells, width: float(row[width]) if row[width] else None}


def tolerance(hostile) -> float:
    graph = hostile.pipeline.deployable.graphs["float32"]
    return 2 * row_bounds(graph, hostile.pipeline.deployable.rows[0])[0].tolerance  # each side's own


@pytest.fixture(scope="module")
def command(hostile, tmp_path_factory) -> Path:
    need("make", "cc")
    import edgeling

    folder = tmp_path_factory.mktemp("linux")
    edgeling.build(hostile.pipeline, package="linux", out=folder, name="Gate-Keeper", explain="gradient")
    run(["make", "-s", f"CFLAGS=-O1 {STRICT} -fsanitize=address,undefined"], folder)
    return folder / "gate_keeper"


def test_a_command_answers_as_python_does(command, hostile) -> None:
    lines = [json.dumps(as_json(row), ensure_ascii=bool(i % 2)) for i, row in enumerate(hostile.rows)]
    answers = [json.loads(line) for line in run([command], command.parent, "\n".join(lines)).splitlines()]
    assert [each["answer"] for each in answers] == hostile.answers
    told = np.array([list(each["probabilities"].values()) for each in answers])
    np.testing.assert_allclose(told, hostile.probabilities, rtol=0, atol=tolerance(hostile))
    assert all(set(each["reasons"]) <= set(each["attributions"]) == set(as_json(hostile.rows[0])) for each in answers)


_WIDTH = '{"width \\"cm\\"; <i>": '
BAD = [
    "", "nonsense", "[1", "{", "[]", "{}", "[1,2,3,4,5,6,7]", "null", '"', "[" * 5000, '{"a":' * 5000,
    '{"day": "2023-02-30"}', '{"day": 5}', '{"ok": [1]}', '{"time": "24:61"}', '{"ok": "yes", "ok": "no"}',
    '{"ok": "yes"} x', '{"ok": "\\ud800"}', '{"ok": "yes",}', _WIDTH + "1e99}", _WIDTH + "01}", _WIDTH + "NaN}",
]  # fmt: skip


def test_a_bad_line_is_answered_with_an_error_and_the_next_one_with_an_answer(command, hostile) -> None:
    good = json.dumps(as_json(hostile.rows[0]))
    said = run([command], command.parent, "\n".join([f"{bad}\n{good}" for bad in BAD])).splitlines()
    answers = [json.loads(line) for line in said]
    assert ["error" in each for each in answers] == [True, False] * len(BAD)
    assert [each["line"] for each in answers[::2]] == list(range(1, 2 * len(BAD), 2))
    done = subprocess.run([command], input=b"\xff\xfe\n\0\n{}", capture_output=True, check=True)
    assert [set(json.loads(line)) for line in done.stdout.splitlines()] == [{"error", "line"}] * 3


def test_a_command_takes_rows_as_they_come(command) -> None:
    """Every line is answered before the next is sent; what is odd in it is told."""
    with subprocess.Popen([command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout

        def ask(line: str) -> dict:
            process.stdin.write(line + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        plain = ask('{"ok": true, "day": "2023-05-01", "f\\u00e4rg": "red"}')
        assert ask('["", "red", "2023-05-01T10:00Z", null, "Y", ""]')["probabilities"] == plain["probabilities"]
        assert ask('{"ok": 1, "färg": "puce", "id": [{"a": "}"}], "day": "2023-05-01"}').keys() >= {"unseen", "ignored"}
        assert ask('{"färg": " NA ", "ok": "no"}').get("unseen") is None
        process.stdin.close()
    assert process.returncode == 0


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_cmake_builds_installs_and_finds_it(unpacked, hostile, compiler) -> None:
    need("cmake", compiler)
    folder = unpacked("cmake", name="features")
    flags = f"-DCMAKE_C_FLAGS={STRICT}"
    run(["cmake", "-S.", "-Bbuild", f"-DCMAKE_C_COMPILER={compiler}", flags], folder)
    run(["cmake", "--build", "build"], folder)
    run(["cmake", "--install", "build", "--prefix", folder / "installed"], folder)
    row = hostile.rows[0]
    cells = ['"{}"={}'.format(n.replace('"', '""'), f'"{c.replace(chr(34), chr(34) * 2)}"') for n, c in row.items()]
    line = "; ".join(cells[:-1]) + "\n"
    said = run([folder / "build/edgeling_features_model_example"], folder, line).splitlines()
    assert said[0] == hostile.answers[0]
    np.testing.assert_allclose(np.array(said[1:], float), hostile.probabilities[0], rtol=0, atol=tolerance(hostile))
    (folder / "use").mkdir()
    (folder / "use" / "main.c").write_text("#include <features_model_text.h>\nint main(void) { return 0; }\n")
    (folder / "use" / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.15)\nproject(use LANGUAGES C)\n"
        "find_package(edgeling_features_model CONFIG REQUIRED)\nadd_executable(use main.c)\n"
        "target_link_libraries(use PRIVATE edgeling::features_model)\n"
    )
    run(["cmake", "-Suse", "-Buse/build", f"-DCMAKE_PREFIX_PATH={folder}/installed"], folder)
    run(["cmake", "--build", "use/build"], folder)


def test_cmake_with_a_compiler_for_arm(unpacked) -> None:
    need("cmake", "arm-none-eabi-gcc")
    folder = unpacked("cmake", learn="last")
    (folder / "app").mkdir()
    (folder / "app" / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.15)\nproject(app LANGUAGES C)\nadd_subdirectory(.. model)\n"
        "add_library(app STATIC app.c)\ntarget_link_libraries(app PRIVATE edgeling::wire_model)\n"
    )
    (folder / "app" / "app.c").write_text(
        '#include "wire_model.h"\nint size(void) { return WIRE_MODEL_ARENA_BYTES; }\n'
    )
    chain = f"-DCMAKE_TOOLCHAIN_FILE={folder}/cmake/arm-none-eabi.cmake"
    run(["cmake", "-Sapp", "-Bbuild", chain, f"-DCMAKE_C_FLAGS={STRICT}"], folder)
    run(["cmake", "--build", "build"], folder)


@pytest.mark.parametrize("options", [{}, {"explain": "gradient"}], ids=["plain", "explaining"])
def test_an_arduino_library_compiles_for_an_avr(unpacked, options) -> None:
    need("avr-gcc", "avr-g++")
    folder = unpacked("arduino", **options)
    for unit in ("wire_model.c", "wire_model_text.c"):
        run(["avr-gcc", "-mmcu=atmega328p", "-std=gnu11", "-Os", *STRICT.split(), "-c", f"src/{unit}"], folder)
    sketch = (folder / "examples/ReadSerial/ReadSerial.ino").read_text("utf-8")
    (folder / "Arduino.h").write_text(_ARDUINO_H)
    (folder / "sketch.cpp").write_text(f"#include <Arduino.h>\n{sketch}", "utf-8")
    flags = ["-std=gnu++11", "-Os", "-Wall", "-Wextra", "-Werror", "-I.", "-Isrc", "-c", "sketch.cpp"]
    run(["avr-g++", "-mmcu=atmega328p", *flags], folder)


def _network(columns: int) -> Sequential:
    model = Sequential([Dense(2, activation="softmax", input_dim=columns)])
    model.compile(loss="sparse_categorical_crossentropy")
    return model


@pytest.mark.parametrize("package", ["arduino", "esp-idf", "zephyr"])
def test_examples_of_networks_without_names_compile(unpacked, package) -> None:
    need("g++")
    folder = unpacked(package, _network(400), name="pixels")
    assert not list(folder.rglob("*_text.c"))
    (example,) = [*folder.rglob("*.ino"), *folder.rglob("main.c")]
    (folder / "Arduino.h").write_text(_ARDUINO_H)
    text = example.read_text("utf-8")
    (folder / "one.cpp").write_text(f"#include <Arduino.h>\n{text}", "utf-8")
    run(["g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-I.", "-Isrc", "-Iinclude", "-c", "one.cpp"], folder)


_STUBS = {
    "esp-idf": """
function(idf_component_register)
  cmake_parse_arguments(a "" "" "SRCS;INCLUDE_DIRS;PRIV_INCLUDE_DIRS" ${ARGN})
  add_library(made STATIC ${a_SRCS})
  target_include_directories(made PUBLIC ${a_INCLUDE_DIRS} PRIVATE ${a_PRIV_INCLUDE_DIRS})
endfunction()
add_subdirectory(.. component)
""",
    "zephyr": """
set(CONFIG_EDGELING_WIRE_MODEL y)
set(CONFIG_EDGELING_WIRE_MODEL_TEXT y)
macro(zephyr_include_directories)
  include_directories(${ARGN})
endmacro()
macro(zephyr_library_named name)
  add_library(${name} STATIC)
  set(made ${name})
endmacro()
macro(zephyr_library_sources)
  target_sources(${made} PRIVATE ${ARGN})
endmacro()
macro(zephyr_library_sources_ifdef feature)
  if(${${feature}})
    zephyr_library_sources(${ARGN})
  endif()
endmacro()
macro(zephyr_library_include_directories)
  target_include_directories(${made} PRIVATE ${ARGN})
endmacro()
add_subdirectory(../zephyr module)
""",
}


@pytest.mark.parametrize("package", _STUBS)
def test_components_build_where_their_functions_are_given(unpacked, package) -> None:
    """As ESP-IDF and Zephyr define them, as far as a library goes: neither is installed here."""
    need("cmake")
    folder = unpacked(package)
    (folder / "host").mkdir()
    begin = "cmake_minimum_required(VERSION 3.16)\nproject(host LANGUAGES C)\n"
    (folder / "host" / "CMakeLists.txt").write_text(begin + _STUBS[package])
    run(["cmake", "-Shost", "-Bbuild", f"-DCMAKE_C_FLAGS={STRICT}"], folder)
    run(["cmake", "--build", "build"], folder)
    assert len(list((folder / "build").rglob("*.o"))) == 2


def page_says(page: Path, fragment: str = "") -> dict[str, str]:
    """The answer that a browser without a network shows: its attributes, and its text."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no Chromium is installed")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={page.parent / 'profile'}",
             "--virtual-time-budget=5000", "--host-resolver-rules=MAP * ~NOTFOUND", "--dump-dom"]  # fmt: skip
    dom = run([browser, *flags, f"{page.as_uri()}#{fragment}"], page.parent)
    attributes, text = re.findall(r'<output id="answer"([^>]*)>([^<]*)</output>', dom)[0]
    return {**dict(re.findall(r'data-(\w+)="([^"]*)"', attributes)), "text": text}


def test_a_page_answers_in_a_browser(unpacked, hostile) -> None:
    page = unpacked("web", explain="gradient") / "index.html"
    row = {name: cell.replace(" ", "T") if name == "seen_at" else cell for name, cell in hostile.rows[1].items()}
    said = page_says(page, urlencode(row))
    assert said["state"] == "answer"
    shown = said["text"].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert shown == hostile.answers[1]
    told = np.array(json.loads(said["values"]))
    np.testing.assert_allclose(told, hostile.probabilities[1], rtol=0, atol=tolerance(hostile))
    assert len(json.loads(said["attributions"])) == 6


def test_a_page_answers_while_one_types_and_says_what_is_wrong(unpacked, hostile) -> None:
    page = unpacked("web", _network(3), name="three") / "index.html"
    text = page.read_text("utf-8")
    typed = """<script>
    addEventListener("load", () => setTimeout(() => {
      const fields = document.querySelectorAll("#row input");
      [1, 2, VALUE].forEach((value, i) => { fields[i].value = value; });
      document.getElementById("row").dispatchEvent(new Event("input"));
    }, 500));
    </script></body>"""
    for value, state in (("3", "answer"), ('""', "problem")):
        page.write_text(text.replace("</body>", typed.replace("VALUE", value)), "utf-8")
        assert page_says(page)["state"] == state
    assert "://" not in text
