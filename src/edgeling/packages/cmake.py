# SPDX-License-Identifier: Apache-2.0
"""A package for CMake: ``add_subdirectory``, or installed and found by ``find_package``."""

from __future__ import annotations

from edgeling.packages.console import console
from edgeling.packages.layout import sources, units
from edgeling.packages.shipment import VERSION, Shipment
from edgeling.packages.text_c import template

_MAIN = """\
int main(void) {
    START;
    while (fgets(line, (int)sizeof line, stdin)) {
        answer_line();
        fflush(stdout);
    }
    return 0;
}"""
_NUMBERS = "int main(void) {\n    START;\n    print_answer(answer(values));\n    return 0;\n}"


def cmake_files(shipment: Shipment) -> dict[str, str]:
    """``CMakeLists.txt`` and what an installed package is found by, sources, an example, and a tool chain for Arm."""
    listed = "\n".join(f"  src/{unit}" for unit in units(shipment))
    headers = " ".join(f"include/{shipment.name}{end}.h" for end in ("", *(["_text"] if shipment.is_named else [])))
    values = {
        "NAME": shipment.name, "UPPER": shipment.upper, "VERSION": VERSION, "SOURCES": listed, "HEADERS": headers,
        "PACKAGE_INIT": "@PACKAGE_INIT@",  # CMake's own
    }  # fmt: skip
    return {
        "CMakeLists.txt": template("c/library.cmake", values),
        "cmake/config.cmake.in": template("c/config.cmake", values),
        "cmake/arm-none-eabi.cmake": template("c/arm-none-eabi.cmake", values),
        **sources(shipment, "src", "include"), "example/main.c": console(shipment, _MAIN, _NUMBERS),
    }  # fmt: skip
