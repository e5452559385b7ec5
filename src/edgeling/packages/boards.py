# SPDX-License-Identifier: Apache-2.0
"""Packages for boards: libraries of Arduino and PlatformIO, a component of ESP-IDF, a module of Zephyr.

Each follows its format's published rules: Arduino's library specification 1.5, PlatformIO's ``library.json``, the
component manager's manifest (``idf_component.yml``) and Zephyr's modules.
"""

from __future__ import annotations

import json

from edgeling.packages.console import console, sketch
from edgeling.packages.layout import sources, units
from edgeling.packages.readme import one_line
from edgeling.packages.shipment import VERSION, Shipment
from edgeling.packages.text_c import template

_SKETCH = "examples/ReadSerial/ReadSerial.ino"
_AUTHOR = "Edgeling"


def arduino_files(shipment: Shipment) -> dict[str, str]:
    """``library.properties``, ``keywords.txt``, sources and a sketch that reads the serial port."""
    told = _sentence(shipment)
    properties = {
        "name": shipment.name, "version": VERSION, "author": _AUTHOR, "maintainer": _AUTHOR, "sentence": told,
        "paragraph": f"A neural network in C99 without heap or library ({shipment.precision}), written by Edgeling. "
        f"Model {shipment.program.model_hash[:16]}.",
        "category": "Data Processing", "url": f"https://example.org/{shipment.name}", "architectures": "*",
        "includes": ",".join(_headers(shipment)),
    }  # fmt: skip
    return {
        "library.properties": "".join(f"{key}={value}\n" for key, value in properties.items()),
        "keywords.txt": _keywords(shipment), **sources(shipment, "src", "src"), _SKETCH: sketch(shipment),
    }  # fmt: skip


def platformio_files(shipment: Shipment) -> dict[str, str]:
    """``library.json``, sources and the sketch."""
    manifest = {
        "name": shipment.name, "version": VERSION, "description": _sentence(shipment),
        "keywords": ["tinyml", "neural network", shipment.precision], "authors": [{"name": _AUTHOR}],
        "license": "Apache-2.0", "headers": _headers(shipment), "frameworks": "*", "platforms": "*",
        "examples": [{"name": "ReadSerial", "base": "examples/ReadSerial", "files": ["ReadSerial.ino"]}],
        "build": {"srcDir": "src", "includeDir": "src", "libArchive": False},
    }  # fmt: skip
    return {
        "library.json": json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", **sources(shipment, "src", "src"),
        _SKETCH: sketch(shipment),
    }  # fmt: skip


def esp_idf_files(shipment: Shipment) -> dict[str, str]:
    """A component: ``CMakeLists.txt``, ``idf_component.yml``, headers apart from sources, and an example's project."""
    listed = " ".join(f'"src/{unit}"' for unit in units(shipment))
    values = {"NAME": shipment.name, "SOURCES": listed, "VERSION": VERSION, "DESCRIPTION": _yaml(_sentence(shipment))}
    example = console(shipment, _ESP_MAIN, _ESP_NUMBERS, _ESP_INCLUDES)
    return {
        "CMakeLists.txt": template("c/esp_idf.cmake", values),
        "idf_component.yml": template("c/idf_component.yml", values), **sources(shipment, "src", "include"),
        "examples/console/CMakeLists.txt": template("c/esp_project.cmake", values),
        "examples/console/main/CMakeLists.txt": f'idf_component_register(SRCS "main.c" REQUIRES {shipment.name})\n',
        "examples/console/main/main.c": example,
    }  # fmt: skip


def zephyr_files(shipment: Shipment) -> dict[str, str]:
    """A module: ``zephyr/module.yml`` with its ``CMakeLists.txt`` and ``Kconfig``, and a sample."""
    listed = "\n".join(f"  ../src/{unit}" for unit in units(shipment) if not unit.endswith("_text.c"))
    values = {
        "NAME": shipment.name, "UPPER": shipment.upper, "SOURCES": listed,
        "TEXT": f"zephyr_library_sources_ifdef(CONFIG_EDGELING_{shipment.upper}_TEXT ../src/{shipment.name}_text.c)\n"
        if shipment.is_named else "",
        "DESCRIPTION": _kconfig(_sentence(shipment)),
    }  # fmt: skip
    return {
        "zephyr/module.yml": template("c/module.yml", values),
        "zephyr/CMakeLists.txt": template("c/zephyr.cmake", values),
        "zephyr/Kconfig": template("c/Kconfig", values), **sources(shipment, "src", "include"),
        "samples/console/CMakeLists.txt": template("c/zephyr_sample.cmake", values),
        "samples/console/prj.conf": template("c/prj.conf", values),
        "samples/console/sample.yaml": template("c/sample.yaml", values),
        "samples/console/src/main.c": console(shipment, _ZEPHYR_MAIN, _PLAIN_NUMBERS, _ZEPHYR_INCLUDES),
    }  # fmt: skip


def _headers(shipment: Shipment) -> list[str]:
    return [f"{shipment.name}.h", *([f"{shipment.name}_text.h"] if shipment.is_named else [])]


def _sentence(shipment: Shipment) -> str:
    return f"Answers {one_line(shipment.answer)} from {len(shipment.columns)} columns."


def _keywords(shipment: Shipment) -> str:
    """Functions and constants, which the editor colours; tabs stand between fields."""
    functions = [each.function for each in (*shipment.program.entries, *shipment.program.extras)]
    if shipment.is_named:
        functions += [f"{shipment.name}_{each}" for each in ("find_column", "parse", "parse_line", "label_name")]
    types = [f"{shipment.name}_{what}" for what in ("weights", "arena") if getattr(shipment.program, f"{what}_bytes")]
    constants = [f"{shipment.upper}_OK", f"{shipment.upper}_NOT_FINITE"]
    rows = [(types, "KEYWORD1"), (functions, "KEYWORD2"), (constants, "LITERAL1")]
    return "".join(f"{word}\t{kind}\n" for words, kind in rows for word in dict.fromkeys(words))


def _yaml(text: str) -> str:
    """A JSON string is one of YAML's."""
    return json.dumps(text, ensure_ascii=False)


def _kconfig(text: str) -> str:
    """Help is free text; a macro's dollar would be expanded in no help, but names stay plain all the same."""
    return text.replace("$", "")


_ESP_INCLUDES = '#include "freertos/FreeRTOS.h"\n#include "freertos/task.h"\n'
_ESP_MAIN = """\
void app_main(void) {
    unsigned length = 0;
    START;
    for (;;) {
        const int c = fgetc(stdin);
        if (c == EOF) {
            vTaskDelay(pdMS_TO_TICKS(20)); /* nothing was sent yet */
        } else if (c != '\\n' && c != '\\r') {
            if (length < sizeof line - 1) {
                line[length++] = (char)c;
            }
        } else if (length > 0) {
            line[length] = '\\0';
            length = 0;
            answer_line();
        }
    }
}"""
_ESP_NUMBERS = "void app_main(void) {\n    START;\n    print_answer(answer(values));\n}"
_ZEPHYR_INCLUDES = "#include <string.h>\n#include <zephyr/console/console.h>\n"
_ZEPHYR_MAIN = """\
int main(void) {
    START;
    console_getline_init();
    for (;;) {
        strncpy(line, console_getline(), sizeof line - 1);
        answer_line();
    }
}"""
_PLAIN_NUMBERS = "int main(void) {\n    START;\n    print_answer(answer(values));\n    return 0;\n}"
