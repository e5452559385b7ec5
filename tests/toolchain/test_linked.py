# SPDX-License-Identifier: Apache-2.0
"""Programs whose kernels were compiled once a machine compute what those compiled whole do."""

from __future__ import annotations

import ctypes
from dataclasses import replace

import numpy as np
import pytest

from edgeling.codegen import generate
from edgeling.codegen.generate import kernel_text
from edgeling.graph import GraphBuilder
from edgeling.toolchain import library
from edgeling.toolchain.linked import kernels, linked
from edgeling.toolchain.native import THIS_MACHINE, load
from edgeling.toolchain.predictor import BATCHES, FEWEST_ROWS, Predictor, compiled
from tests.codegen.harness import expected_of
from tests.codegen.random_graphs import random_case
from tests.support.rounding import require_rows, row_bounds


class Rows(np.ndarray):
    """Arrays of one's own are no business of C."""


def network(function: str = "relu", outputs: int = 3):
    rng = np.random.default_rng(0)
    b = GraphBuilder("net")
    x, w = b.input("x", (1, 5)), b.variable(rng.normal(size=(5, 7)), "w")
    h = b.add("dense", x, w, b.constant(rng.normal(size=7)), function=function)
    y = b.add("dense", h, b.constant(rng.normal(size=(7, outputs))), b.constant(rng.normal(size=outputs)))
    return b.build([b.add("softmax", y)])


def test_every_kernel_that_a_program_may_call_is_known() -> None:
    found = kernels()
    assert {"gemm", "activation", "add", "softmax", "adam_update", "loss", "dense_s8"} <= set(found)
    assert found["add"].choosing == (2, 3)
    for kernel in found.values():
        assert f"edgeling_{kernel.name}(" in kernel_text(kernel.header)


@pytest.mark.parametrize("seed", range(0, 24, 3))
def test_a_linked_program_gives_what_the_graph_means(seed: int) -> None:
    case = random_case(seed)
    program = generate(case.graph, "net", initial_values=True, target=THIS_MACHINE)
    native = load(program, linked=True)
    outputs = [np.empty(case.graph.types[o].shape, case.graph.types[o].dtype.numpy) for o in case.graph.outputs]
    native.function("net_run")(*(np.ascontiguousarray(x) for x in case.inputs), *outputs)
    expected, _ = expected_of(case)
    for name, got, wanted in zip(case.graph.outputs, outputs, expected, strict=True):
        wanted.require(got, name)


def test_a_second_structure_compiles_no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    load(generate(network(), "net", target=THIS_MACHINE), linked=True)
    compiled_units: list[str] = []
    run_compiler = library.run

    def noted(folder, purpose, *commands):
        compiled_units.append(purpose)
        run_compiler(folder, purpose, *commands)

    monkeypatch.setattr(library, "run", noted)
    load(generate(network(outputs=4), "net", target=THIS_MACHINE), linked=True)
    assert set(compiled_units) == {"compiling net"}


def test_declarations_hold_no_kernel() -> None:
    program = generate(network("tanh"), "net")
    texts, called = linked({**program.files, "edgeling_rows.c": program.files["net.c"]})
    assert [call.symbol for call in called if "tanh" in call.symbol.lower()]
    assert "for (" not in "".join(texts[f"edgeling/{call.kernel.header}.h"] for call in called)


@pytest.mark.parametrize("rows", [0, 1, 2, FEWEST_ROWS - 1, FEWEST_ROWS, 31, 32, 33, 100, 255, 256, 257, 1000])
def test_any_number_of_rows_is_answered_row_by_row(rows: int) -> None:
    graph = network()
    predictor = Predictor(graph, lambda n: compiled(graph, "net", n))
    x = np.random.default_rng(rows).normal(size=(rows, 5)).astype(np.float32)
    answers = predictor(x)
    assert answers.shape == (rows, 3)
    changes = ctypes.c_int64()
    if call := predictor.direct(rows, changes):
        np.testing.assert_array_equal(call(x), answers)
        np.testing.assert_array_equal(call(x.astype(np.float64)), answers)
        others = (x.tolist(), x.astype(np.int32), x.astype(">f4"), x[:-1], x[None], x.reshape(-1), x.view(Rows))
        strided = (np.concatenate([x, x])[::2], np.asfortranarray(x)) if rows > 1 else ()
        for other in (*others, *strided):
            with pytest.raises(TypeError):
                call(other)
        changes.value += 1
        with pytest.raises(TypeError):
            call(x)
    else:
        assert rows == 0 or FEWEST_ROWS <= rows < BATCHES[-1]
    if rows:
        require_rows(graph, answers, x)


def test_rows_of_images_are_answered_a_few_at_a_time_and_again_in_the_shortest_way() -> None:
    rng = np.random.default_rng(2)
    b = GraphBuilder("net")
    kernel, bias = b.constant(rng.normal(size=(3, 3, 2, 16))), b.constant(rng.normal(size=16))
    y = b.add("conv", b.input("x", (1, 20, 20, 2)), kernel, bias, padding=(1, 1, 1, 1))
    graph, asked = b.build([y]), set[int]()

    def noted(rows: int):
        asked.add(rows)
        return compiled(graph, "net", rows)

    predictor = Predictor(graph, noted)
    for rows in (19, 19, 19, 3, 3, 3, 19):
        x = rng.normal(size=(rows, 20, 20, 2)).astype(np.float32)
        require_rows(graph, predictor(x), x)
    assert asked == {1, 8}


def test_a_variable_that_is_set_reaches_every_program() -> None:
    graph, zero = network(), np.zeros((5, 7), np.float32)
    still = replace(graph, variables={}, constants={**graph.constants, "w": zero})
    predictor = Predictor(graph, lambda n: compiled(graph, "net", n))
    x = np.random.default_rng(1).normal(size=(300, 5)).astype(np.float32)
    sizes = (1, BATCHES[-1], 300)
    before = [[predictor(x[:n]) for _ in range(3)][-1] for n in sizes]
    predictor.set_variable("w", zero)
    for n, old in zip(sizes, before, strict=True):
        (bound,) = row_bounds(still, x[:n])
        bound.require(predictor(x[:n]))
        assert bound.error(old) > 1


def test_state_is_kept_from_row_to_row_also_by_a_predictor() -> None:
    b = GraphBuilder("totals")
    v, x = b.variable(np.zeros((1, 2)), "v"), b.input("x", (1, 2))
    total = b.add("add", v, x)
    b.update(v, total)
    graph = b.build([total])
    x = np.ones((50, 2), np.float32)
    np.testing.assert_array_equal(Predictor(graph, lambda n: compiled(graph, "net", n))(x), np.cumsum(x, axis=0))
