# SPDX-License-Identifier: Apache-2.0
"""Graphs of any inputs and outputs, with state and without, the whole way: built, proven, saved, read back, asked."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import edgeling
from edgeling.cli.app import app
from edgeling.errors import ArtifactError, DataError, UnsupportedError
from edgeling.graph import DType, Graph, GraphBuilder
from edgeling.graph.types import Array
from edgeling.layers import Dense
from edgeling.models import Sequential
from edgeling.network.network import inference_graph
from edgeling.targets import get
from edgeling.toolchain import emulator, firmware
from edgeling.toolchain import predictor as prediction
from edgeling.utils import set_random_seed
from edgeling.workflow.build import as_deployable
from edgeling.workflow.deployed import DeployedGraph
from edgeling.workflow.ends import with_golden
from edgeling.workflow.ports import rows_of_ports
from tests.codegen.test_builds import WARNINGS
from tests.support.close import half_unit
from tests.support.host import write
from tests.support.rounding import Bound, bounds, prediction_bound, run_rounded

TARGETS = ["native", "cortex-m4", "wasm32"]


def normal(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng([seed, *shape]).normal(size=shape).astype(np.float32)


def two_by_two() -> Graph:
    """A temperature and three lengths in; a sigmoid of both and a hidden layer out."""
    b = GraphBuilder("two")
    t, x = b.input("temperature", (1, 1)), b.input("lengths", (1, 3))
    hidden = b.add(
        "dense", x, b.constant(normal(3, 4), "k"), b.constant(normal(4), "b"), function="tanh", name="hidden"
    )
    both = b.add("concatenate", hidden, t)
    alarm = b.add("dense", both, b.constant(normal(5, 1), "k2"), b.constant(normal(1), "b2"), function="sigmoid")
    return b.build([b.add("reshape", alarm, shape=(1, 1), name="alarm"), hidden])


def counter() -> Graph:
    """How many rows there were, and the sum of what they held; an integer output beside a float one."""
    b = GraphBuilder("counter")
    x, total, count = b.input("x", (1, 2)), b.variable([[0.5, -0.5]], "total"), b.variable(np.uint32(3), "seen")
    after, counted = b.add("add", total, x, name="sum"), b.add("count", count, name="count")
    b.update("total", after)
    b.update("seen", counted)
    return b.build([after, counted])


def gru() -> Graph:
    """A gated cell whose hidden row lives on from call to call, and a loop of three steps in each."""
    b = GraphBuilder("cell")
    h, x = b.input("h", (1, 4)), b.input("x", (1, 2))
    both = b.add("concatenate", h, x)
    weights = {name: (b.constant(normal(6, 4, seed=i), f"k{name}"), b.constant(normal(4, seed=i), f"b{name}"))
               for i, name in enumerate("zn")}  # fmt: skip
    gate = b.add("dense", both, *weights["z"], function="sigmoid")
    new = b.add("dense", both, *weights["n"], function="tanh")
    moved = b.add("add", h, b.add("multiply", gate, b.add("subtract", new, h)))
    body = b.build([moved])
    b = GraphBuilder("gru")
    x, h = b.input("steps", (1, 3, 2)), b.variable(np.zeros((1, 4)), "hidden")
    (last,) = b.add_many("scan", h, x, body=body, length=3, carried=1, axes=(1,), name="state")
    b.update("hidden", last)
    return b.build([last])


def scalars() -> Graph:
    """Ports without a first axis of one, an integer among them."""
    b = GraphBuilder("scalars")
    x, seed = b.input("x", (2, 2)), b.input("seed", (), DType.UINT32)
    step = b.constant(np.uint32(1), "one")
    mask = b.add("dropout_mask", seed, step, shape=(2, 2), rate=0.5)
    return b.build([b.add("multiply", x, mask, name="masked")])


def tick() -> Graph:
    """No input at all: it counts its calls."""
    b = GraphBuilder("tick")
    calls = b.variable(np.uint32(7), "calls")
    counted = b.add("count", calls, name="counted")
    b.update("calls", counted)
    return b.build([counted])


def handed_through() -> Graph:
    """Outputs that are an input, a variable before its update and a constant; ports whose names mean something in C."""
    b = GraphBuilder("arena")
    x, unread = b.input("weights", (1, 2)), b.input("row", (1, 3))
    kept, constant = b.variable(np.ones((1, 2)), "arena"), b.constant([[3.0, 4.0]], "i")
    b.update(kept, x)
    return b.build([x, kept, constant, b.add("square", x, name="rows"), b.add("square", unread, name="output")])


GRAPHS = {"two": two_by_two, "counter": counter, "gru": gru, "scalars": scalars, "through": handed_through}


def rows_for(graph: Graph, count: int = 20) -> dict[str, Array]:
    made = {}
    for i, name in enumerate(graph.inputs):
        kind = graph.types[name]
        row = kind.shape[1:] if kind.shape[:1] == (1,) else kind.shape
        floats = normal(count, *row, seed=i)
        made[name] = floats if kind.dtype is DType.FLOAT32 else np.arange(count, dtype=kind.dtype.numpy)
    return made


def meaning(graph: Graph, rows: dict[str, Array]) -> list[Bound]:
    """Row after row, what is kept carried along; and what rounding may cost."""

    def answers(dice: np.random.Generator | None) -> list[Array]:
        held, told = dict(graph.variables), []
        for i in range(len(next(iter(rows.values())))):
            given = {name: array[i].reshape(graph.types[name].shape) for name, array in rows.items()}
            values = run_rounded(graph, {**held, **given}, dice)
            held = {**held, **{variable: values[value] for variable, value in graph.updates}}
            told.append([values[output] for output in graph.outputs])
        return [np.stack(column) for column in zip(*told, strict=True)]

    return bounds(answers, 5)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", GRAPHS)
def test_verify_matches_on_every_target(name: str, target: str) -> None:
    graph = GRAPHS[name]()
    assert edgeling.verify(graph, target=target).matches
    rows = rows_for(graph, 9)
    assert edgeling.verify(graph, target=target, rows=rows).rows == 9
    assert edgeling.verify(graph, target=target, rows=tuple(rows.values())).matches


@pytest.mark.parametrize("name", GRAPHS)
def test_an_artifact_answers_as_its_graph(name: str, tmp_path: Path, monkeypatch: Any) -> None:
    graph = GRAPHS[name]()
    folder = edgeling.save(graph, tmp_path / "net.edgeling")
    found = edgeling.load(folder)
    assert isinstance(found, DeployedGraph)
    rows = rows_for(graph, 50)
    expected = meaning(graph, rows)
    for interpreted in (False, True):
        if interpreted:
            monkeypatch.setattr(prediction, "load", lambda *_, **__: pytest.fail("compiled"))
            monkeypatch.setattr("edgeling.workflow.deployed.compiled", lambda *_: None)
            found = edgeling.load(folder)
        for given in (rows, tuple(rows.values())):
            answers = found.predict(given)
            several = answers if isinstance(answers, dict) else {graph.outputs[0]: answers}
            assert list(several) == list(graph.outputs)
            for got, bound in zip(several.values(), expected, strict=True):
                bound.require(got)


@pytest.mark.parametrize("name", ["two", "counter"])
def test_the_c_in_an_artifact_is_what_is_verified(name: str, tmp_path: Path) -> None:
    folder = edgeling.save(GRAPHS[name](), tmp_path / "net.edgeling", name="net")
    proof = edgeling.verify(folder, target="cortex-m4")
    assert proof.matches
    assert (proof.ran, proof.edited) == ("shipped", ())
    built = edgeling.build(folder, target="cortex-m4", out=tmp_path / "c")
    assert built.matches
    assert (tmp_path / "c" / "net.c").is_file()


def test_a_graph_without_inputs_counts_its_calls() -> None:
    for target in TARGETS:
        assert edgeling.verify(tick(), target=target).matches
    chip = emulator.CortexM(firmware.build(as_deployable(tick(), "float32")[0].program("float32"), get("cortex-m4")))
    assert [int(chip.run([]).outputs[0].item()) for _ in range(3)] == [8, 9, 10]


def test_a_row_without_an_answer_leaves_what_is_kept() -> None:
    graph = counter()
    deployed, _ = as_deployable(graph, "float32")
    x = normal(6, 2)
    x[2, 1], x[4, 0] = np.nan, np.inf
    sums, counts = deployed.answers("float32", x)
    known = np.isfinite(x).all(axis=1)
    begun = np.concatenate([graph.variables["total"], x[known]])
    np.testing.assert_array_equal(sums[known], np.cumsum(begun, axis=0, dtype=np.float32)[1:])
    assert np.isnan(sums[~known]).all()
    assert counts.tolist() == [4, 5, 0, 6, 0, 7]
    for target in TARGETS:
        assert replace(deployed, rows=(x,)).prove("float32", target).matches
    chip = emulator.CortexM(firmware.build(deployed.program("float32"), get("cortex-m4")))
    assert chip.run([x]).status.tolist() == [0, 0, 1, 0, 1, 0]


def test_int8_of_two_inputs(tmp_path: Path) -> None:
    graph = two_by_two()
    calibration = rows_for(graph, 60)
    for target in TARGETS:
        assert edgeling.verify(graph, target=target, precision="int8", calibration_data=calibration).matches
    folder = edgeling.save(graph, tmp_path / "net.edgeling", calibration_data=calibration)
    found = edgeling.load(folder)
    assert found.precision == "int8"
    assert edgeling.verify(folder, target="native", precision="float32").matches
    wanted = found.deployable.answers("int8", tuple(calibration.values()))
    for got, answer in zip(found.predict(calibration).values(), wanted, strict=True):
        np.testing.assert_array_equal(got, answer)
    with pytest.raises(UnsupportedError, match="one input and one output"):
        edgeling.build(folder, io="int8")


@pytest.mark.parametrize("name", ["two", "gru"])
@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m0plus"])
def test_a_self_test_of_several_ports_and_of_state(name: str, core: str) -> None:
    deployed, _ = as_deployable(GRAPHS[name](), "float32")
    program = with_golden(deployed, "float32").program("float32")
    suffix = f"{program.name}_selftest"
    image = firmware.build(program, get(core), suffix)
    assert emulator.CortexM(image).run([]).status.tolist() == [0]
    source = program.files[f"{program.name}.c"]
    spoilt = replace(program, files={**program.files, f"{program.name}.c": source.replace("= {", "= {1.5f + ", 1)})
    assert emulator.CortexM(firmware.build(spoilt, get(core), suffix)).run([]).status[0] > 0


def test_a_class_chosen_from_two_inputs() -> None:
    b = GraphBuilder("choice")
    x, y = b.input("x", (1, 2)), b.input("y", (1, 1))
    both = b.add("concatenate", x, y)
    deployed, _ = as_deployable(b.build([b.add("softmax", both, name="shares")]), "float32")
    program = deployed.program("float32")
    image = firmware.build(program, get("cortex-m4"), "choice_classify")
    rows = [normal(12, 2), normal(12, 1)]
    rows[1][5] = np.nan
    chosen = np.concatenate(rows, axis=1).argmax(axis=1)
    chosen[5] = -1
    assert emulator.CortexM(image).run(rows).status.tolist() == chosen.tolist()


def test_the_header_tells_every_port(tmp_path: Path) -> None:
    deployed, _ = as_deployable(two_by_two(), "float32", "net")
    text = deployed.program("float32").files["net.h"]
    for line in ("#define NET_INPUT_TEMPERATURE_SIZE 1", "#define NET_INPUT_LENGTHS_SIZE 3",
                 "#define NET_OUTPUT_ALARM_SIZE 1", "#define NET_OUTPUT_HIDDEN_SIZE 4"):  # fmt: skip
        assert line in text
    kept = as_deployable(counter(), "float32", "count")[0].program("float32").files["count.h"]
    assert "what is kept stays as it was" in kept
    assert "void count_init(count_weights *weights);" in kept
    assert "int count_run(count_weights *weights, const float *x, float *sum, uint32_t *count);" in kept


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("compiler", ["gcc -std=c99", "g++ -x c++ -std=c++11"])
def test_it_compiles_without_a_warning_and_its_example_too(name: str, compiler: str, tmp_path: Path) -> None:
    command = compiler.split()
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    program = as_deployable(GRAPHS[name](), "float32", "net")[0].program("float32")
    write(program.files_and_examples, tmp_path)
    warnings = [word for word in WARNINGS if not word.startswith("-std")]
    subprocess.run([*command, *warnings, "-fsyntax-only", "net.c"], cwd=tmp_path, check=True)
    if command[0] == "gcc":
        subprocess.run([*command, *warnings, "-I.", "-fsyntax-only", "example/main.c"], cwd=tmp_path, check=True)


def cli(*arguments: Any) -> Any:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_the_command_line_finds_inputs_by_name(tmp_path: Path) -> None:
    graph = two_by_two()
    folder = edgeling.save(graph, tmp_path / "net.edgeling")
    rows = rows_for(graph, 5)
    rows["lengths"][3, 1] = np.nan
    table = tmp_path / "rows.csv"
    heads = ["lengths_2", "id", "temperature", "lengths_0", "lengths_1"]
    cells = [[*x[2:], f"r{i}", *t, *x[:2]] for i, (t, x) in enumerate(zip(*rows.values(), strict=True))]
    table.write_text("\n".join(",".join(map(str, row)) for row in [heads, *cells]).replace("nan", ""))
    said = cli("predict", folder, table, "--keep", "id")
    assert said.exit_code == 0, said.output
    got = list(csv.reader(io.StringIO(said.stdout)))
    assert got[0] == ["id", "alarm", "hidden_0", "hidden_1", "hidden_2", "hidden_3", "reason"]
    assert got[4] == ["r3", "", "", "", "", "", "an input is missing or infinite"]
    known = ~np.isnan(rows["lengths"]).any(axis=1)
    alarm, hidden = meaning(graph, {name: array[known] for name, array in rows.items()})
    found = np.array([float(row[1]) for row, there in zip(got[1:], known, strict=True) if there])
    written = half_unit(alarm.exact, digits=7).reshape(found.shape)
    assert np.all(np.abs(found - alarm.exact.reshape(found.shape)) <= alarm.room.reshape(found.shape) + written)
    told = json.loads(cli("predict", folder, table, "--json").stdout)
    assert told["unanswered"] == [{"row": 4, "reason": "an input is missing or infinite"}]
    hidden.require([row for row, there in zip(told["outputs"]["hidden"], known, strict=True) if there])
    assert cli("predict", folder, table, "--strict").exit_code == 1
    assert cli("verify", folder, "--for", "native", "--data", table).exit_code == 0
    told = json.loads(cli("info", folder, "--json").stdout)
    assert told["inputs"] == {"temperature": "float32[1,1]", "lengths": "float32[1,3]"}
    (tmp_path / "short.csv").write_text("temperature\n1\n")
    assert "lengths_0" in cli("predict", folder, tmp_path / "short.csv").output
    assert cli("explain", folder, table).exit_code == 1


def test_state_is_kept_from_row_to_row_on_the_command_line(tmp_path: Path) -> None:
    folder = edgeling.save(counter(), tmp_path / "net.edgeling")
    (tmp_path / "rows.csv").write_text("x_0,x_1\n1,2\n3,4\n5,6\n")
    assert cli("predict", folder, tmp_path / "rows.csv").stdout.splitlines() == [
        "sum_0,sum_1,count", "1.5,1.5,4", "4.5,5.5,5", "9.5,11.5,6"
    ]  # fmt: skip


def test_rows_for_ports_are_refused_by_name() -> None:
    graph = two_by_two()
    good = rows_for(graph, 4)
    assert [a.shape for a in rows_of_ports(graph, list(good.values()))] == [(4, 1), (4, 3)]
    for wrong, message in (
        ({"temperature": good["temperature"]}, "the inputs are temperature, lengths"),
        ({**good, "other": good["lengths"]}, "received temperature, lengths, other"),
        ((good["temperature"],), "an array for each of the inputs"),
        (good["lengths"], "an array for each of the inputs"),
        ({**good, "lengths": good["lengths"][:, :2]}, "lengths has rows of shape"),
        ({**good, "lengths": good["lengths"][:3]}, "as many rows"),
    ):
        with pytest.raises(DataError, match=message):
            rows_of_ports(graph, wrong)
    with pytest.raises(DataError, match="seed is numbers of uint32"):
        rows_of_ports(scalars(), (normal(3, 2, 2), np.array([1.5, 2, 3])))


def test_a_forged_manifest_is_refused(tmp_path: Path) -> None:
    folder = edgeling.save(two_by_two(), tmp_path / "net.edgeling")
    manifest = json.loads((folder / "manifest.json").read_text())
    for change in ({"inputs": {"x": "float32[1,4]"}}, {"outputs": None}, {"program": "../x"}, {"precision": "int8"},
                   {"precision": ["float32"]}, {"program": 1}, {"inputs": []}, {"kind": "other"}):  # fmt: skip
        (folder / "manifest.json").write_text(json.dumps({**manifest, **change}))
        with pytest.raises(ArtifactError):
            edgeling.load(folder)


def test_a_model_by_itself_is_an_artifact_too(tmp_path: Path) -> None:
    """What was never trained on a table: columns in order, one answer."""
    set_random_seed(3)
    model = Sequential([Dense(4, input_dim=3, activation="relu"), Dense(2)])
    folder = edgeling.save(model, tmp_path / "net.edgeling")
    assert edgeling.verify(folder, target="native").matches
    x = normal(6, 3)
    prediction_bound(model, x).require(edgeling.load(folder).predict(x))
    (tmp_path / "rows.csv").write_text("\n".join(["a,b,c", *(",".join(map(str, row)) for row in x)]))
    said = list(csv.reader(io.StringIO(cli("predict", folder, tmp_path / "rows.csv").stdout)))
    assert len(said) == 7
    assert len(said[0]) == 2


def test_a_graph_with_weights_as_variables_takes_them_const() -> None:
    """Weights that another program updates: they are handed over, and one arena serves any of them."""
    set_random_seed(3)
    model = Sequential([Dense(4, input_dim=3, activation="relu"), Dense(2)])
    graph = inference_graph(model, frozen=False)
    text = edgeling.build(graph, name="net").files["net.h"]
    assert "int net_run(const net_weights *weights, net_arena *arena, const float *x," in text
    assert edgeling.verify(graph, target="cortex-m4").matches
