# SPDX-License-Identifier: Apache-2.0
"""Weights that outlive the power: records as bytes, two pages, and power cuts wherever they may come."""

from __future__ import annotations

import shutil
import struct
import subprocess
import zlib
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from edgeling import optimizers
from edgeling.codegen import Program, generate
from edgeling.codegen.interface import Interface
from edgeling.codegen.program import EntryPoint, Port
from edgeling.graph.types import DType, TensorType
from edgeling.passes.learnable import weights_of
from edgeling.targets import get
from edgeling.toolchain import emulator, firmware
from edgeling.training.on_device import SPARSE, SQUARED, Goal, learner
from tests.codegen.networks import TUTORIALS, dense_network
from tests.codegen.test_builds import GCC, STRICTER, WARNINGS
from tests.support.host import write

CUTS, FRESH = 1000, 25  # every so many cuts begin with empty pages
ROUNDS = 3
WORK, RESTORE, LEARN = 0, 1, 2


@cache
def program(network: str = "small", remembered: int = 0, rule: str = "sgd") -> Program:
    small = dense_network("small", (2, 1), ("linear",), softmax=False)
    graph, goal = (small, Goal(SQUARED)) if network == "small" else (TUTORIALS["iris"], Goal(SPARSE, 3))
    chosen = learner(graph, weights_of(graph, None), goal, optimizers.get(rule))
    chosen = chosen.remembering(remembered) if remembered else chosen
    face = Interface(learning=chosen.interface)
    return generate(chosen.graphs, "net", initial_values=True, interface=face)


# Flash as chips have it: erased to ones, byte after byte; writing only clears bits.
SESSION = """
static __attribute__((section(".edgeling_harness.buffers"))) uint8_t net_flash[2][NET_EXPORT_BYTES];

static int net_read(void *context, int page, uint32_t offset, uint8_t *bytes, uint32_t size) {
    (void)context;
    for (uint32_t i = 0u; i < size; i++) bytes[i] = ((volatile uint8_t *)net_flash[page])[offset + i];
    return 0;
}

static int net_write(void *context, int page, uint32_t offset, const uint8_t *bytes, uint32_t size) {
    (void)context;
    for (uint32_t i = 0u; i < size; i++) ((volatile uint8_t *)net_flash[page])[offset + i] &= bytes[i];
    return 0;
}

static int net_erase(void *context, int page) {
    (void)context;
    for (uint32_t i = 0u; i < NET_EXPORT_BYTES; i++) ((volatile uint8_t *)net_flash[page])[i] = 0xFFu;
    return 0;
}

int net_session(net_weights *weights, net_arena *arena, const float *mode, int8_t *bytes) {
    static const float row[2] = {0.75f, -1.5f}, truth[1] = {3.0f}, rate[1] = {0.001f};
    const net_store store = {0, net_read, net_write, net_erase};
    int status = NET_OK;
    if (mode[0] < 1.5f) status = net_restore(weights, &store);
    for (int i = 0; mode[0] < 0.5f && i < ROUNDS; i++) {
        (void)net_learn(weights, ARENA row, truth, rate);
        (void)net_save(weights, &store);
    }
    if (mode[0] > 1.5f) (void)net_learn(weights, ARENA row, truth, rate);
    if (mode[0] > 2.5f) (void)net_erase(0, 0), (void)net_erase(0, 1);
    net_export(weights, (uint8_t *)bytes);
    return status;
}
"""


def session() -> emulator.CortexM:
    """A chip whose program restores, learns and saves; or only restores; or only learns; and tells its weights."""
    made = program()
    size = made.files["net.h"].split("NET_EXPORT_BYTES ")[1].split()[0]
    entry = EntryPoint(
        "net_session", (Port("mode", TensorType((1,))),), (Port("bytes", TensorType((int(size),), DType.INT8)),), "int",
        "updated", made.arena_bytes > 0,
    )  # fmt: skip
    arena = "net_arena *arena, " if made.arena_bytes else ""
    text = SESSION.replace("ROUNDS", str(ROUNDS)).replace("ARENA ", "arena, " if arena else "")
    text = text if arena else text.replace("net_arena *arena, ", "")
    prototype = f"int net_session(net_weights *weights, {arena}const float *mode, int8_t *bytes);\n"
    header = made.files["net.h"].replace("void net_reset(", prototype + "void net_reset(", 1)
    files = {**made.files, "net.h": header, "net.c": made.files["net.c"] + text}
    whole = replace(made, files=files, entries=(entry, *made.entries), learns=False)
    return emulator.CortexM(firmware.build(whole, get("cortex-m4"), "net_session"))


def test_a_thousand_power_cuts_leave_one_good_model_each() -> None:
    """Whenever the power goes, what is restored is weights that were saved, never older than the last saved whole, and
    at most as many steps ahead as the session had."""
    chip, dice = session(), np.random.default_rng(1)

    def run(mode: int) -> tuple[int, bytes, int]:
        done = chip.run([np.array([[mode]], np.float32)])
        return int(done.status[0]), done.outputs[0].tobytes(), int(done.instructions[0])

    run(LEARN + 1)  # its pages are empty now
    chip.reboot()
    fresh = run(RESTORE)
    assert fresh[0] == 4  # NAME_NOTHING_KEPT, and the weights that were built in
    chain = [fresh[1], *(run(LEARN)[1] for _ in range(ROUNDS * FRESH))]
    assert len(set(chain)) == len(chain)
    chip.reboot()
    most = run(WORK)[2]
    kept, cut_in_save, ahead = 0, 0, 0
    for cut in range(CUTS):
        if cut % FRESH == 0:
            chip.reboot()
            run(LEARN + 1)
            kept = 0
        chip.reboot()
        chip.run_until_power_cut([np.array([[WORK]], np.float32)], int(dice.integers(1, most)))
        chip.reboot()
        status, weights, _ = run(RESTORE)
        assert weights in chain, f"cut {cut}: weights that nobody saved"
        found = chain.index(weights)
        assert status == (4 if found == 0 else 0)
        assert kept <= found <= kept + ROUNDS
        ahead += found - kept
        cut_in_save += found < kept + ROUNDS
        kept = found
    assert cut_in_save > 0.5 * CUTS  # sessions were cut short,
    assert 0.5 * CUTS < ahead < 0.9 * ROUNDS * CUTS  # and got somewhere


DRIVER = """\
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "net.h"

static uint8_t flash[2][NET_EXPORT_BYTES];
static int failing; /* 1 reads, 2 writes, 3 erasing, 4 what is written is not what was asked */
static int reads;

static int reading(void *context, int page, uint32_t offset, uint8_t *bytes, uint32_t size) {
    if (context != flash || offset % 8u || size % 8u || offset + size > NET_EXPORT_BYTES) abort();
    memcpy(bytes, flash[page] + offset, size);
    reads++;
    return failing == 1;
}

static int writing(void *context, int page, uint32_t offset, const uint8_t *bytes, uint32_t size) {
    if (context != flash || offset % 8u || size % 8u || offset + size > NET_EXPORT_BYTES) abort();
    memcpy(flash[page] + offset, bytes, failing == 2 ? size / 2u : size);
    if (failing == 4) flash[page][offset] = (uint8_t)(flash[page][offset] ^ 1u);
    return failing == 2;
}

static int erasing(void *context, int page) {
    if (context != flash) abort();
    memset(flash[page], 0xFF, NET_EXPORT_BYTES);
    return failing == 3;
}

static int differ(const net_weights *a, const net_weights *b) { return memcmp(a, b, sizeof *a) != 0; }

static void number(int page, uint32_t sequence) { /* gives a page's record another number, and its checksum */
    uint32_t sum = 0xFFFFFFFFu;
    memcpy(flash[page] + 8, &sequence, 4);
    for (int i = 0; i < NET_EXPORT_BYTES - 4; i++) {
        sum ^= flash[page][i];
        for (int bit = 0; bit < 8; bit++) sum = sum >> 1 ^ (sum & 1u ? 0xEDB88320u : 0u);
    }
    sum ^= 0xFFFFFFFFu;
    memcpy(flash[page] + NET_EXPORT_BYTES - 4, &sum, 4);
}

#define REQUIRE(what) if (!(what)) { printf("line %d: %s\\n", __LINE__, #what); return 1; }

int main(void) {
    static net_weights first, second, built, got;
    static uint8_t bytes[NET_EXPORT_BYTES], broken[NET_EXPORT_BYTES];
    const net_store store = {flash, reading, writing, erasing};
    net_reset(&built);
    first = second = got = built;
    ((float *)&first)[0] = 2.0f;
    ((float *)&second)[0] = -3.0f;
    memset(flash, 0xFF, sizeof flash);
    REQUIRE(net_restore(&got, &store) == NET_NOTHING_KEPT && !differ(&got, &built))
    REQUIRE(net_save(&first, &store) == NET_OK && net_restore(&got, &store) == NET_OK && !differ(&got, &first))
    REQUIRE(net_save(&second, &store) == NET_OK && net_restore(&got, &store) == NET_OK && !differ(&got, &second))
    for (failing = 1; failing <= 4; failing++) { /* the newest page stays whole */
        REQUIRE(net_save(&first, &store) == NET_STORE_FAILED)
        if (failing > 1) {
            int before = failing;
            failing = 0;
            REQUIRE(net_restore(&got, &store) == NET_OK && !differ(&got, &second))
            failing = before;
        }
    }
    failing = 1;
    got = first;
    REQUIRE(net_restore(&got, &store) == NET_STORE_FAILED && !differ(&got, &built))
    failing = 0;
    for (int turn = 0; turn < 5; turn++) { /* the number of the next goes round */
        REQUIRE(net_save(turn % 2 ? &first : &second, &store) == NET_OK && net_restore(&got, &store) == NET_OK)
        REQUIRE(!differ(&got, turn % 2 ? &first : &second))
        if (turn == 0) {
            int newest = flash[1][8] > flash[0][8] && flash[1][0] != 0xFFu;
            number(newest, 0xFFFFFFFEu);
            memset(flash[1 - newest], 0, NET_EXPORT_BYTES);
        }
    }
    net_export(&first, bytes);
    REQUIRE(net_import(&got, bytes) == NET_OK && !differ(&got, &first))
    for (int bit = 0; bit < 8 * NET_EXPORT_BYTES; bit++) { /* no damaged bit passes, or changes a weight */
        memcpy(broken, bytes, sizeof bytes);
        broken[bit / 8] = (uint8_t)(broken[bit / 8] ^ (1u << bit % 8));
        if (bit / 32 == 2) continue; /* the sequence number, below */
        got = second;
        REQUIRE(net_import(&got, broken) == NET_NOTHING_KEPT && !differ(&got, &second))
    }
    fwrite(bytes, 1, sizeof bytes, stderr);
    return 0;
}
"""


@pytest.mark.parametrize("kind", [("small", 0, "sgd"), ("classes", 3, "adam")])
def test_records_are_whole_or_refused(kind, tmp_path: Path) -> None:
    """Every callback failing, every bit flipped, numbers that go round; under the sanitizers. The bytes are those that
    Python's own CRC-32 and struct make."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    made = program(*kind)
    write({**made.files, "main.c": DRIVER}, tmp_path)
    subprocess.run([*GCC, *WARNINGS, *STRICTER, "-c", "net.c", "-o", "net.o"], cwd=tmp_path, check=True)
    subprocess.run([*GCC, "main.c", "net.o", "-o", "driver"], cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "driver"], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode(errors="replace")
    record = done.stderr
    mark, _, sequence, size = struct.unpack("<4I", record[:16])
    assert (record[:4], mark, sequence, size) == (b"EDGL", 0x4C474445, 1, made.weights_bytes)
    assert len(record) % 8 == 0
    assert struct.unpack("<I", record[-4:]) == (zlib.crc32(record[:-4]),)
    (first,) = struct.unpack("<f", record[16:20])
    assert first == 2.0


def test_another_models_record_is_not_taken() -> None:
    """The model's number in a record changes with its weights, and with what learns."""
    sources = [
        program().files["net.c"],
        program("classes").files["net.c"],
        program("classes", rule="adam").files["net.c"],
    ]
    numbers = [text.split("edgeling_export(")[1].split(",")[0] for text in sources]
    assert len(set(numbers)) == 3
