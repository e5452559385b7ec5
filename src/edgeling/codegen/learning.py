# SPDX-License-Identifier: Apache-2.0
"""The functions of a program that learns on a device beside those of its graphs: learning guarded by remembered rows,
and weights as bytes, exported or kept in two pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from edgeling.codegen.extras import Extra
from edgeling.codegen.function import Function
from edgeling.codegen.interface import LearningInterface
from edgeling.codegen.layout import Member
from edgeling.codegen.memory import WORD_BYTES, words_of
from edgeling.codegen.program import EntryPoint
from edgeling.codegen.text import comment, wrap_code, wrap_prototype

# Variables of the ring, the last of the weights; what lies before them is what an update moves.
RING_ROWS, RING_TRUTHS, RING_COUNT = "remembered_rows", "remembered_truths", "remembered_count"
_HEAD_WORDS, _SUM_WORDS = 4, 1  # of a record: magic, model, sequence, size; at its end the checksum


def export_bytes(weights_bytes: int) -> int:
    """Of a record: a whole number of eight bytes, which is what flash memory is written by."""
    words = _HEAD_WORDS + weights_bytes // WORD_BYTES + _SUM_WORDS
    return (words + words % 2) * WORD_BYTES


def export_size(name: str, weights_bytes: int) -> str:
    """The macro of a record's size."""
    return f"#define {name.upper()}_EXPORT_BYTES {export_bytes(weights_bytes)} /* the least a page has */\n"


def store_struct(name: str) -> str:
    """The callbacks to two pages of flash memory."""
    told = comment(
        [
            "Two pages that outlive the power, numbered 0 and 1, in turn the newest. Each callback gives 0 if all",
            "went well. Offsets and sizes of reads and writes are multiples of 8; a page is erased before it is",
            "written, once, from its beginning on. One that was erased or written in part may hold anything.",
        ]
    )
    return f"""{told}typedef struct {{
    void *context; /* handed to the callbacks */
    int (*read)(void *context, int page, uint32_t offset, uint8_t *bytes, uint32_t size);
    int (*write)(void *context, int page, uint32_t offset, const uint8_t *bytes, uint32_t size);
    int (*erase)(void *context, int page);
}} {name}_store;
"""


def guard_bytes(members: Mapping[str, Member], learning: LearningInterface) -> int:
    """What guarded learning needs in the arena behind what the graphs' functions do: what it may have to put back."""
    if not learning.remembered:
        return 0
    row, truth = (words_of(members[ring].type) // learning.remembered for ring in (RING_ROWS, RING_TRUTHS))
    return members[RING_ROWS].offset + (row + truth) * WORD_BYTES


def learning_extras(
    name: str, model_hash: str, functions: Mapping[str, Function], members: Mapping[str, Member],
    learning: LearningInterface, arena_bytes: int,
) -> list[Extra]:  # fmt: skip
    """In the order they are declared.

    Args:
        functions: of the graphs, by suffix: of a guarded program ``step`` and ``loss`` among them.
        arena_bytes: what the graphs' functions need.
    """
    weights_words = sum(words_of(m.type) for m in members.values())
    guarded = [_guarded(name, functions["step"], members, learning, arena_bytes)] if learning.remembered else []
    return [*guarded, *_kept(name, f"0x{model_hash[:8].upper()}u", weights_words)]


def _extra(entry: EntryPoint, prototype: str, told: list[str], body: list[str], header: str) -> Extra:
    text = "".join(f"{wrap_code(line, '    ')}\n" for line in body)
    return Extra(entry, comment(told), wrap_prototype(prototype), text, (header,))


def _kept(name: str, tag: str, words: int) -> Iterator[Extra]:
    upper, size = name.upper(), f"{tag}, {words}u"
    yield _extra(
        EntryPoint(f"{name}_export", (), (), "void", "read"),
        f"void {name}_export(const {name}_weights *weights, uint8_t *bytes)",
        [f"Writes the weights as {upper}_EXPORT_BYTES bytes, the same on every machine, with a checksum (CRC-32)."],
        [f"edgeling_export({size}, weights, bytes);"], "keep",
    )  # fmt: skip
    yield _extra(
        EntryPoint(f"{name}_import", (), (), "int", "updated"),
        f"int {name}_import({name}_weights *weights, const uint8_t *bytes)",
        [f"Reads what {name}_export wrote. Gives {upper}_OK, or {upper}_NOTHING_KEPT where it is damaged or of another",
         "model: then the weights stay."],
        [f"return edgeling_import({size}, bytes, weights) != 0 ? {upper}_OK : {upper}_NOTHING_KEPT;"], "keep",
    )  # fmt: skip
    pages = "const edgeling_pages pages = {store->context, store->read, store->write, store->erase};"
    yield _extra(
        EntryPoint(f"{name}_save", (), (), "int", "read"),
        f"int {name}_save(const {name}_weights *weights, const {name}_store *store)",
        ["Keeps the weights in the older of two pages, and reads them back. Whenever the power goes, one page is",
         f"whole: {name}_restore finds these weights or those saved before. Gives {upper}_OK, or",
         f"{upper}_STORE_FAILED where a callback failed or what was read back differs."],
        [pages, f"return edgeling_save(&pages, {size}, weights) != 0 ? {upper}_OK : {upper}_STORE_FAILED;"], "keep",
    )  # fmt: skip
    yield _extra(
        EntryPoint(f"{name}_restore", (), (), "int", "updated"),
        f"int {name}_restore({name}_weights *weights, const {name}_store *store)",
        [f"Reads the newest weights that {name}_save left. Gives {upper}_OK; {upper}_NOTHING_KEPT where no page",
         f"holds any of this model, or {upper}_STORE_FAILED where one could not be read: then the weights are those",
         f"of {name}_reset."],
        [pages, f"const int found = edgeling_restore(&pages, {size}, weights);", "if (found != EDGELING_FOUND) {",
         f"    {name}_reset(weights);", "}",
         f"return found == EDGELING_FOUND ? {upper}_OK",
         f"    : found == EDGELING_NOTHING ? {upper}_NOTHING_KEPT : {upper}_STORE_FAILED;"], "keep",
    )  # fmt: skip


def _guarded(
    name: str, step: Function, members: Mapping[str, Member], learning: LearningInterface, arena_bytes: int
) -> Extra:
    upper, ring, rows = name.upper(), {k: members[k].c_name for k in (RING_ROWS, RING_TRUTHS, RING_COUNT)}, learning
    row, truth = (members[k].type.size // rows.remembered for k in (RING_ROWS, RING_TRUTHS))
    moved, spare = members[RING_ROWS].offset, arena_bytes // WORD_BYTES
    old = spare + moved // WORD_BYTES
    named = {port.name: c for port, c in zip(step.entry.inputs, ("row", "truth", "learning_rate"), strict=True)}
    entry = replace(step.entry, function=f"{name}_learn", weights="updated", takes_arena=True)
    arguments = ", ".join(
        (f"{name}_weights *weights", f"{name}_arena *arena", *(f"const float *{c}" for c in named.values()))
    )
    called = ", ".join((*step.entry.memory("weights", "arena"), *named.values()))
    body = [
        f"enum {{ MOVED_BYTES = {moved}, ROWS = {rows.remembered}, ROW_SIZE = {row}, TRUTH_SIZE = {truth} }};",
        "float loss[1];",
        f"int status = {_loss(name, 'row', 'truth', 'loss')};",
        f"if (status == (int){upper}_OK) {{",
        f"    const uint32_t count = weights->{ring[RING_COUNT]}[0];",
        "    const int slot = (int)(count % (uint32_t)ROWS);",
        f"    float *const oldest = weights->{ring[RING_ROWS]} + slot * ROW_SIZE;",
        f"    float *const its_truth = weights->{ring[RING_TRUTHS]} + slot * TRUTH_SIZE;",
        "    float before = 0.0f;",
        "    float after = 0.0f;",
        "    int known = 0;",
        f"    edgeling_copy_bytes(MOVED_BYTES, weights, &arena->words[{spare}]);",
        f"    edgeling_copy_bytes(ROW_SIZE * 4, oldest, &arena->words[{old}]);",
        f"    edgeling_copy_bytes(TRUTH_SIZE * 4, its_truth, &arena->words[{old + row}]);",
        "    edgeling_copy_bytes(ROW_SIZE * 4, row, oldest);",
        "    edgeling_copy_bytes(TRUTH_SIZE * 4, truth, its_truth);",
        f"    weights->{ring[RING_COUNT]}[0] = count + 1u < 2u * (uint32_t)ROWS ? count + 1u : (uint32_t)ROWS;",
        "    known = count + 1u < (uint32_t)ROWS ? (int)(count + 1u) : (int)ROWS;",
        *_total(name, ring, "before"),
        f"    status = {name}_step({called});",
        *_total(name, ring, "after"),
        f"    if (status == (int){upper}_OK && !(after <= before)) {{",
        f"        status = {upper}_REJECTED;",
        "    }",
        f"    if (status != (int){upper}_OK) {{",
        f"        edgeling_copy_bytes(MOVED_BYTES, &arena->words[{spare}], weights);",
        f"        edgeling_copy_bytes(ROW_SIZE * 4, &arena->words[{old}], oldest);",
        f"        edgeling_copy_bytes(TRUTH_SIZE * 4, &arena->words[{old + row}], its_truth);",
        f"        weights->{ring[RING_COUNT]}[0] = count;",
        "    }",
        "}",
        "return status;",
    ]
    told = [
        f"Learns from one row as {name}_step does, if the last {rows.remembered} rows learned from, this one among",
        f"them, do not lose by it: the row is remembered. Gives {upper}_OK; {upper}_REJECTED where the sum of their",
        f"losses would rise or be no number; or what {name}_step gives. Then weights and remembered rows are as",
        "they were.",
    ]
    return _extra(entry, f"int {entry.function}({arguments})", told, body, "guard")


def _total(name: str, ring: Mapping[str, str], total: str) -> list[str]:
    x, y = f"weights->{ring[RING_ROWS]} + i * ROW_SIZE", f"weights->{ring[RING_TRUTHS]} + i * TRUTH_SIZE"
    return [
        "    for (int i = 0; i < known; i++) {",
        f"        (void){_loss(name, x, y, 'loss')};",
        f"        {total} += loss[0];",
        "    }",
    ]


def _loss(name: str, row: str, truth: str, loss: str) -> str:
    return f"{name}_loss(weights, arena, {row}, {truth}, {loss})"
