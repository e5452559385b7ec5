# SPDX-License-Identifier: Apache-2.0
"""Every layer's C where nobody asked for it: on an AVR, on Arm and RISC-V of 64 bits, of other compilers and flags.

Layers are drawn; ``EDGELING_DRAWS`` says how often.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras")

from edgeling import targets
from edgeling.layers.registry import TABLE
from tests.codegen.every_layer import IN_C, Item, items, program_of, require
from tests.codegen.test_builds import WARNINGS, compare, initial_weights, program, samples
from tests.support import avr, cores, host
from tests.support.drawn_layers import DRAWS, ELSEWHERE

pytestmark = [pytest.mark.keras, pytest.mark.filterwarnings("ignore")]
LAYERS_A_FIRMWARE = 24  # of 256 KiB of flash, tables in the first 64
ROUNDS = range(max(1, DRAWS))
LANGUAGE = {"c": ["-std=c99"], "c++": ["-x", "c++", "-std=c++11"]}
SANITIZED = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
COMPILERS = {
    "gcc for 32 bits": ("c", ["gcc", "-m32", "-O0", "-funsigned-char", "-fshort-enums"]),
    "gcc with sanitizers": ("c", ["gcc", "-O0", *SANITIZED]),
    "g++": ("c++", ["g++", "-O0"]),
    "clang": ("c", [sys.executable, "-m", "ziglang", "cc", "-O1", "-ffp-contract=fast"]),
}
VECTORS = targets.get("wasm32-simd128")  # whose kernels are for any core with vectors


def rows_of(chosen: tuple[Item, ...]) -> bytes:
    return b"".join(row.tobytes() for item in chosen for row in item.rows)


def test_every_layer_is_among_them() -> None:
    assert {*IN_C} == {name for name in TABLE if name not in ELSEWHERE and not name.startswith("Random")}


@pytest.mark.parametrize("number", ROUNDS)
def test_every_layer_on_an_atmega2560(number: int, tmp_path: Path) -> None:
    avr.require()
    chosen = items(number)
    for start in range(0, len(chosen), LAYERS_A_FIRMWARE):
        part = chosen[start : start + LAYERS_A_FIRMWARE]
        made = program_of(part)
        rows = [(entry, [item.rows]) for entry, item in zip(made.entries, part, strict=True)]
        avr.write(made, tmp_path, avr.driver(made, rows))
        require(part, avr.run(avr.build(tmp_path, "cases", "atmega2560"), "atmega2560"), "on an AVR")
        assert avr.sizes(tmp_path / "model.o")[1:] == (0, 0), "every constant stays in flash"


@pytest.mark.parametrize("number", ROUNDS)
@pytest.mark.parametrize("name", COMPILERS)
def test_every_layer_of_other_compilers(name: str, number: int, tmp_path: Path) -> None:
    language, command = COMPILERS[name]
    if shutil.which(command[0]) is None or ("-m32" in command and not host.links([*command])):
        pytest.skip(f"no {name} here")
    warnings = [*LANGUAGE[language], *(word for word in WARNINGS if not word.startswith("-std"))]
    chosen = items(number)
    require(chosen, host.answers(program_of(chosen), [*command, *warnings], rows_of(chosen), tmp_path), f"of {name}")


@pytest.mark.parametrize("number", ROUNDS)
@pytest.mark.parametrize("name", cores.CORES)
def test_every_layer_on_cores_that_are_no_target(name: str, number: int, tmp_path: Path) -> None:
    chosen, core = items(number), cores.CORES[name]
    made = program_of(chosen, VECTORS)
    chip = cores.Emulator(core, cores.build(core, made, tmp_path, optimized="NEON" in name))
    given = [chip.call(entry, item.rows) for entry, item in zip(made.entries, chosen, strict=True)]
    require(chosen, b"".join(one.tobytes() for each in given for one in each), f"on {name}")


def test_every_operation_with_neon(tmp_path: Path) -> None:
    """Large ones too, which have vectors."""
    core = cores.CORES["aarch64 with NEON"]
    chip = cores.Emulator(core, cores.build(core, program(), tmp_path, optimized=False))
    given = [
        chip.call(entry, [np.asarray(x) for x in item.inputs], initial_weights())
        for entry, item in zip(program().entries, samples(), strict=True)
    ]
    compare(b"".join(one.tobytes() for each in given for one in each))
