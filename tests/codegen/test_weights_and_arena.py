# SPDX-License-Identifier: Apache-2.0
"""Whose memory a program works in: threads that share weights, models that share scratch, sizes that headers tell."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from edgeling import losses, optimizers
from edgeling.codegen import EntryPoint, Program, generate
from edgeling.graph import GraphBuilder
from edgeling.graph.types import Array, Graph
from edgeling.layers import BatchNormalization, Dense, Input
from edgeling.models import Sequential
from edgeling.network.network import inference_graph
from edgeling.targets import get
from edgeling.toolchain import firmware
from edgeling.toolchain.emulator import CortexM
from edgeling.toolchain.measure import measure
from edgeling.toolchain.native import load
from edgeling.training.graphs import Objective
from edgeling.training.learning import step_in_parts
from edgeling.utils import set_random_seed
from tests.codegen.harness import Case, expected_of
from tests.codegen.networks import TUTORIALS
from tests.codegen.test_builds import STRICTER, WARNINGS
from tests.support import avr
from tests.support.host import write
from tests.support.rounding import prediction_bound

ROWS, STEPS = 4, 3
RATE = np.float32(0.05)


@cache
def model() -> Sequential:
    set_random_seed(1)
    made = Sequential([Input((5,)), Dense(9, "tanh", name="a"), BatchNormalization(name="b"), Dense(3, name="c")])
    made.compile("adam", "mse")
    return made


@cache
def learner() -> Program:
    return model().learning_program(np.zeros((1, 3)), ROWS, "net")


def data() -> tuple[Array, Array]:
    draw = np.random.default_rng(3)
    return draw.normal(size=(STEPS, ROWS, 5)).astype(np.float32), draw.normal(size=(STEPS, ROWS, 3)).astype(np.float32)


def needs(*tools: str) -> None:
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")


def gcc(folder: Path, *arguments: str, compiler: str = "gcc") -> str:
    done = subprocess.run([compiler, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    return done.stderr


SIZES = """\
#include "net.h"
#include "small.h"
#include "bare.h"
typedef char weights_as_told[sizeof(net_weights) == NET_WEIGHTS_BYTES ? 1 : -1];
typedef char arena_as_told[sizeof(net_arena) == NET_ARENA_BYTES ? 1 : -1];
typedef char small_as_told[sizeof(small_arena) == SMALL_ARENA_BYTES && SMALL_WEIGHTS_BYTES == 0 ? 1 : -1];
typedef char bare_has_none[BARE_ARENA_BYTES == 0 && BARE_WEIGHTS_BYTES == 0 ? 1 : -1];
typedef char all_gradients[NET_GRADIENTS_SIZE == 5 * 9 + 9 + 9 + 9 + 9 * 3 + 3 + 9 + 9 ? 1 : -1];
"""


def bare() -> Graph:
    b = GraphBuilder("bare")
    return b.build([b.add("square", b.input("x", (1, 4)))])


@pytest.mark.parametrize(
    "compiler", ["gcc", "g++ -x c++", "avr-gcc -mmcu=atmega2560", "arm-none-eabi-gcc -mcpu=cortex-m4"]
)
def test_the_sizes_in_headers_are_those_of_the_structs(compiler: str, tmp_path: Path) -> None:
    command = compiler.split()
    needs(command[0])
    for program in (learner(), generate(TUTORIALS["iris"], "small"), generate(bare(), "bare")):
        write(dict(program.files), tmp_path)
    (tmp_path / "sizes.c").write_text(SIZES)
    wrong = SIZES.replace("NET_ARENA_BYTES ?", "NET_ARENA_BYTES + 4 ?")
    (tmp_path / "wrong.c").write_text(wrong)
    assert gcc(tmp_path, *command[1:], "-fsyntax-only", "sizes.c", compiler=command[0]) == ""
    assert "arena_as_told" in gcc(tmp_path, *command[1:], "-fsyntax-only", "wrong.c", compiler=command[0])
    assert "bare_run(const float *x, float *square)" in (tmp_path / "bare.h").read_text()


PLAIN = [word for word in WARNINGS if not word.startswith("-std")]


@pytest.mark.parametrize("compiler", [f"gcc -std=c99 {' '.join(STRICTER)}", "g++ -x c++ -std=c++11"])
def test_a_learning_program_compiles_without_a_warning(compiler: str, tmp_path: Path) -> None:
    command = compiler.split()
    needs(command[0])
    write(dict(learner().files), tmp_path)
    assert gcc(tmp_path, *command[1:], *PLAIN, "-fsyntax-only", "net.c", compiler=command[0]) == ""


LEARN = """\
#include <stdio.h>
#include <stdlib.h>
#include "net.h"

int main(void) {
    net_weights *weights = malloc(NET_WEIGHTS_BYTES);
    net_arena *arena = malloc(NET_ARENA_BYTES);
    float *gradients = malloc(NET_GRADIENTS_SIZE * sizeof(float)), *x = malloc(80), *y = malloc(48), loss;
    const float rate = 0.05f;
    net_init(weights);
    while (fread(x, 80, 1, stdin) == 1 && fread(y, 48, 1, stdin) == 1) {
        net_gradients(weights, arena, x, y, &loss, gradients);
        net_update(weights, arena, gradients, &rate);
        fwrite(&loss, sizeof loss, 1, stdout);
        net_train(weights, arena, x, y, &rate, &loss);
        fwrite(&loss, sizeof loss, 1, stdout);
    }
    net_run(weights, arena, x, y);
    free(weights); free(arena); free(gradients); free(x); free(y);
    return 0;
}
"""


def fed() -> bytes:
    return b"".join(x.tobytes() + y.tobytes() for x, y in zip(*data(), strict=True))


def test_a_learning_program_stays_within_its_memory(tmp_path: Path) -> None:
    """Under the sanitizers, each block of exactly the size that the header tells; and it learns what it learns here."""
    needs("gcc")
    write({**learner().files, "main.c": LEARN}, tmp_path)
    flags = ["-std=c99", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-ffp-contract=off"]
    assert gcc(tmp_path, *flags, "main.c", "net.c", "-o", "learn") == ""
    done = subprocess.run([tmp_path / "learn"], input=fed(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[:2000]
    losses = np.frombuffer(done.stdout, np.float32)
    assert losses.size == 2 * STEPS
    assert (losses[1::2] < losses[::2]).all(), "a step on the same rows lowers their loss"


THREADS = """\
#include <pthread.h>
#include <stdio.h>
#include "net.h"

static net_weights weights;
static net_arena arenas[2];
static float answers[2][3], inputs[5];

static void *answer(void *number) {
    const int own = *(const int *)number;
    for (int i = 0; i < 200; i++) net_run(&weights, &arenas[SHARED ? 0 : own], inputs, answers[own]);
    return 0;
}

int main(void) {
    static int numbers[2] = {0, 1};
    pthread_t thread[2];
    net_init(&weights);
    if (fread(inputs, sizeof inputs, 1, stdin) != 1) return 2;
    for (int i = 0; i < 2; i++) if (pthread_create(&thread[i], 0, answer, &numbers[i])) return 2;
    for (int i = 0; i < 2; i++) pthread_join(thread[i], 0);
    fwrite(answers, sizeof answers, 1, stdout);
    return 0;
}
"""


def threads(folder: Path, shared: int) -> subprocess.CompletedProcess[bytes]:
    needs("gcc")
    graph = inference_graph(model(), frozen=False)
    write({**generate(graph, "net", initial_values=True).files, "main.c": THREADS}, folder)
    flags = ["-std=gnu99", "-O1", "-g", "-fsanitize=thread", "-pthread", f"-DSHARED={shared}"]
    if gcc(folder, *flags, "main.c", "net.c", "-o", "threads"):
        pytest.skip("gcc has no thread sanitizer here")
    # The sanitizer needs its own layout of memory; the kernel's random one may be in its way.
    command = [*(["setarch", "-R"] if shutil.which("setarch") else []), str(folder / "threads")]
    row = data()[0][0, 0].tobytes()
    done = subprocess.run(command, input=row, capture_output=True, check=False, env={**os.environ, "TSAN_OPTIONS": ""})
    if b"unexpected memory mapping" in done.stderr or b"personality" in done.stderr:
        pytest.skip("the thread sanitizer does not run here")
    return done


def test_two_threads_answer_from_the_same_weights(tmp_path: Path) -> None:
    done = threads(tmp_path, shared=0)
    assert done.returncode == 0, done.stderr.decode()[:2000]
    got = np.frombuffer(done.stdout, np.float32).reshape(2, 3)
    assert got[0].tobytes() == got[1].tobytes()
    prediction_bound(model(), data()[0][0, :1]).require(got[:1])


def test_the_sanitizer_would_see_a_shared_arena(tmp_path: Path) -> None:
    done = threads(tmp_path, shared=1)
    assert done.returncode != 0
    assert b"data race" in done.stderr


def both() -> Program:
    """Two networks in one program, with one arena of the larger's size between them."""
    parts = {name: generate(graph, name) for name, graph in TUTORIALS.items()}
    (first, second), (one, two) = parts, parts.values()
    ports = [p.entries[0] for p in (one, two)]
    inputs = tuple(e.inputs[0] for e in ports)
    head = f"""#ifndef BOTH_H
#define BOTH_H
#include "{first}.h"
#include "{second}.h"
typedef union {{ {first}_arena first; {second}_arena second; }} both_arena;
void both_run(both_arena *arena, const float *x, const float *u, float *y, float *v);
#endif
"""
    body = f"""#include "both.h"
#include "{first}.c"
#include "{second}.c"
void both_run(both_arena *arena, const float *x, const float *u, float *y, float *v) {{
    {first}_run(&arena->first, x, y);
    {second}_run(&arena->second, u, v);
    {first}_run(&arena->first, x, y);
}}
"""
    entry = EntryPoint("both_run", inputs, tuple(e.outputs[0] for e in ports), takes_arena=True)
    files = {**one.files, **two.files, "both.h": head, "both.c": body}
    arena = max(one.arena_bytes, two.arena_bytes)
    return Program("both", files, (entry,), 0, arena, one.constant_bytes + two.constant_bytes)


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m0plus"])
def test_two_models_share_one_arena_on_the_chip(core: str) -> None:
    program = both()
    built = firmware.build(program, get(core))
    assert measure(built).ram_bytes == program.arena_bytes
    draw = np.random.default_rng(7)
    rows = [draw.normal(size=(6, p.type.size)).astype(np.float32) for p in program.entries[0].inputs]
    together = CortexM(built).run(rows).outputs
    for graph, x, got in zip(TUTORIALS.values(), rows, together, strict=True):
        alone = CortexM(firmware.build(generate(graph, "alone"), get(core))).run([x]).outputs[0]
        assert got.tobytes() == alone.tobytes()


def test_a_learning_program_on_an_avr(tmp_path: Path) -> None:
    """Gradients go into the caller's buffer where `int` has 16 bits; a step's loss is theirs; then it answers."""
    avr.require()
    program, (x, y) = learner(), (part[0] for part in data())
    entries = {entry.function: entry for entry in program.entries}
    rows = {"net_gradients": [x, y], "net_run": [x[:1]], "net_train": [x, y, np.asarray(RATE)]}
    calls = [(entries[name], [arrays]) for name, arrays in rows.items()]
    avr.write(program, tmp_path, avr.driver(program, calls, load(program).weights.tobytes()))
    got = np.frombuffer(avr.run(avr.build(tmp_path, "net", "atmega2560"), "atmega2560"), np.float32)
    objective = Objective(losses.MeanSquaredError(), (), 3)
    graphs = [
        step_in_parts(model()._as_network(), objective, optimizers.Adam(), ROWS).gradients,
        inference_graph(model()),
    ]
    expected = [e for graph, given in zip(graphs, rows.values(), strict=False)
                for e in expected_of(Case(graph, tuple(given)))[0]]  # fmt: skip
    at = 0
    for wanted in expected:
        wanted.require(got[at : at + wanted.meaning.size].reshape(wanted.meaning.shape), f"from {at}")
        at += wanted.meaning.size
    assert got[at:].tolist() == [got[0]]
