# SPDX-License-Identifier: Apache-2.0
"""ATmegas under simavr: right bits where `int` has 16 bits, constants in flash, headers in C++."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from edgeling.codegen import generate
from edgeling.graph.types import Array, Graph
from edgeling.passes import optimize
from edgeling.passes.quantize import quantize
from tests.codegen.harness import Case, apart, expected_of, expected_rows
from tests.codegen.networks import TUTORIALS
from tests.codegen.test_builds import samples
from tests.codegen.test_flags import network
from tests.support import avr

SMALL_CHIP, LARGE_CHIP = "atmega328p", "atmega2560"
CASES_A_FIRMWARE, HELD_BYTES, VALUE_BYTES = 60, 4000, 700  # of 8 KiB of RAM, 256 KiB of flash
NETWORKS = {**TUTORIALS, "prepared": network()}


@pytest.fixture(autouse=True)
def _tools():
    avr.require()


def rows_of(graph: Graph) -> Array:
    rows = np.random.default_rng(3).normal(size=(60, graph.types["x"].size), scale=2).astype(np.float32)
    rows[::9, 1] = np.nan
    return rows


@pytest.mark.parametrize("precision", ["float32", "int8", "int16x8"])
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_on_an_atmega328p(name, precision, tmp_path):
    graph, rows = NETWORKS[name], rows_of(NETWORKS[name])
    if precision != "float32":
        graph = optimize(quantize(graph, rows[~np.isnan(rows).any(1)], precision))
    made = generate(graph, "net")
    avr.write(made, tmp_path, avr.driver(made, [(made.entries[0], [[row] for row in rows])]))
    wanted = expected_rows(graph, rows)
    for compiler in (("avr-gcc", "-std=c99"), ("avr-g++", "-xc++", "-std=gnu++11")):
        got = np.frombuffer(avr.run(avr.build(tmp_path, "net", SMALL_CHIP, compiler), SMALL_CHIP), np.float32)
        _, data, bss = avr.sizes(tmp_path / "model.o")
        assert data + bss == 0, "every constant stays in flash"
        if precision != "float32":
            np.testing.assert_array_equal(got, wanted.meaning.ravel())
        else:
            wanted.require(got.reshape(wanted.meaning.shape), f"{name} on an AVR")


def fits(item: Case) -> bool:
    """Small enough for the RAM of an ATmega, where constants are in flash. Of calendar there are only long cases."""
    limit = 3000 if item.graph.nodes[0].operation == "calendar" else VALUE_BYTES
    variable = item.graph.types.keys() - item.graph.constants.keys()
    return all(item.graph.types[name].bytes <= limit for name in variable)


@cache
def groups() -> tuple[tuple[Case, ...], ...]:
    """The first case of every operation with every set of attributes, a firmware's share at a time."""
    made: list[list[Case]] = [[]]
    for item in filter(fits, samples()):
        graphs = (case.graph for case in (*made[-1], item))
        held = (array for graph in graphs for array in (*graph.variables.values(), *graph.constants.values()))
        if sum(array.nbytes for array in held) > HELD_BYTES or len(made[-1]) == CASES_A_FIRMWARE:
            made.append([])
        made[-1].append(item)
    return tuple(map(tuple, made))


def test_every_operation_on_an_atmega2560(tmp_path):
    operations = {node.operation for group in groups() for item in group for node in item.graph.nodes}
    assert operations >= {node.operation for item in samples() for node in item.graph.nodes}
    for number, group in enumerate(groups()):
        (tmp_path / str(number)).mkdir()
        _compare(group, tmp_path / str(number))


def _compare(group, folder):
    program = generate({f"c{i}": apart(item.graph, f"c{i}_") for i, item in enumerate(group)}, "cases")
    weights = bytearray(program.weights_bytes)
    for i, item in enumerate(group):
        for name, contents in item.graph.variables.items():
            offset = program.variable_offsets[f"c{i}_{name}"]
            weights[offset : offset + contents.nbytes] = contents.tobytes()
    calls = [(entry, [item.inputs]) for entry, item in zip(program.entries, group, strict=True)]
    avr.write(program, folder, avr.driver(program, calls, bytes(weights)))
    given = avr.run(avr.build(folder, "cases", LARGE_CHIP), LARGE_CHIP)
    at = 0
    for item in group:
        for wanted in expected_of(item)[0]:
            meant = wanted.meaning
            got = np.frombuffer(given, meant.dtype, meant.size, at).reshape(meant.shape)
            at += meant.nbytes
            wanted.require(got, f"{item.title or item.graph.name} on an AVR")
    assert at == len(given)
