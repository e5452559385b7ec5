# SPDX-License-Identifier: Apache-2.0
"""A straight line of calls as C text, and the loops among them: what stands between the braces.

A graph is planned from the inside out: the body of a ``scan`` is scheduled and given memory first, and asks for what it
needs as scratch of the node it belongs to. Then it is written from the outside in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from edgeling.codegen.calls import call_of, has_call
from edgeling.codegen.curves import with_curves
from edgeling.codegen.dimensions import Dimensions
from edgeling.codegen.fusing import (
    with_gradients_in_updates,
    with_numbers_first,
    with_outputs_in_steps,
    with_products_in_updates,
)
from edgeling.codegen.layout import Tables
from edgeling.codegen.loops import Loop, LoopText, RowPointers
from edgeling.codegen.memory import MemoryPlan, Scratch, plan
from edgeling.codegen.names import Names
from edgeling.codegen.rounds import followed, rounds
from edgeling.codegen.row_blocks import Blocks, blocks_of, steps_together
from edgeling.codegen.schedule import COPY, Schedule, schedule
from edgeling.codegen.separable import with_separable
from edgeling.codegen.sharing import Sharing
from edgeling.codegen.site import SHARED_ELEMENTS, Call, Setting, Site
from edgeling.codegen.text import literal, shape_text
from edgeling.graph.scan import Scan
from edgeling.graph.types import DType, Graph, Node
from edgeling.targets import Target

_NOBODY: Mapping[int, int] = {}


@dataclass(frozen=True)
class PlannedBlock:
    """A graph in the order it runs, with a place for every value.

    Attributes:
        calls: by the place of a node in the schedule, what is called.
        loops: by the place of a ``scan``, the loop and its planned body.
        kept: by the place of a node in a loop's body, where what it keeps between steps lies behind the body's memory.
        rounds: the round of each node, by its place (``rounds.py``).
        followers: by the place of a product, that of the node that is done with it.
    """

    work: Schedule
    memory: MemoryPlan
    calls: Mapping[int, Chosen]
    loops: Mapping[int, PlannedLoop]
    rounds: Sequence[int]
    followers: Mapping[int, int]
    kept: Mapping[int, int]
    kept_words: int


@dataclass(frozen=True)
class PlannedLoop:
    """A ``scan``: done at once, divided into blocks of rows that threads share, or into steps where nothing is carried.

    Attributes:
        parts: by how many rows, the loop and its planned body.
        blocks: which rows each part has; None: there is one part, of all rows.
        together: how many steps may be done at a time.
    """

    parts: Mapping[int, tuple[Loop, PlannedBlock]]
    blocks: Blocks | None
    together: int = 1

    @property
    def words(self) -> int:
        """How much memory a part needs."""
        return max(body.memory.words + loop.copied_words + body.kept_words for loop, body in self.parts.values())

    @property
    def scratch(self) -> Scratch:
        """The memory of all parts, and what lies there."""
        held = {DType.FLOAT32} if any(body.kept_words for _, body in self.parts.values()) else set()
        for loop, body in self.parts.values():
            held = held.union(loop.copied_dtypes, *(buffer.dtypes for buffer in body.memory.buffers))
        return Scratch(self.words * (len(self.blocks.rows) if self.blocks else self.together), frozenset(held))


@dataclass(frozen=True)
class Chosen:
    """A kernel, and what it was chosen by."""

    call: Call
    setting: Setting


def planned(
    graph: Graph, target: Target | None, finite: Sequence[str] = (), unchanged: Sequence[str] = ()
) -> PlannedBlock:
    """Schedule a legal graph, choose its kernels for a target and plan its memory, bodies first.

    Args:
        finite: values known to hold neither NaN nor infinity.
        unchanged: inputs that are the same at each step of the loop whose body the graph is.
    """
    is_small = target is None or not target.has_vectors  # those make tiles of gradients faster than they are stored
    work = with_curves(schedule(with_numbers_first(graph) if is_small and graph.updates else graph))
    if is_small:
        work = with_outputs_in_steps(with_gradients_in_updates(with_products_in_updates(work)))
    work = with_separable(work, lambda node: has_call(_setting(work, node, target)))
    calls, followers = _chosen(work, target, finite, unchanged), _NOBODY
    if target is not None and target.threads > 1:
        work, followers = followed(work, [_is_parallel(calls.get(at)) for at in range(len(work.nodes))])
        calls = _chosen(work, target, finite, unchanged)
    inner = {at: _planned_loop(node, target) for at, node in enumerate(work.nodes) if node.operation == "scan"}
    scratch = {at: loop.scratch for at, loop in inner.items()}
    kept, kept_words = dict[int, int](), 0
    for at, chosen in calls.items():
        if floats := chosen.call.scratch_floats(chosen.setting):
            scratch[at] = Scratch(floats, frozenset({DType.FLOAT32}))
        if floats := chosen.call.kept_floats(chosen.setting):
            kept[at], kept_words = kept_words, kept_words + floats
    in_place = [calls[at].call.in_place if at in calls else () for at in range(len(work.nodes))]
    shared = [at in calls and _is_shared(calls[at]) for at in range(len(work.nodes))]
    order = rounds(work, shared, tuple(followers.values()))
    memory = plan(work, in_place, scratch, order)
    return PlannedBlock(work, memory, calls, inner, order, followers, kept, kept_words)


def _planned_loop(node: Node, target: Target | None) -> PlannedLoop:
    scan = Scan.of(node.attributes)
    if target is not None and (together := steps_together(scan, target)) > 1:
        return PlannedLoop({0: (Loop.of(scan), planned(scan.body, replace(target, threads=1)))}, None, together)
    blocks = blocks_of(node, target)
    if blocks is None or target is None:
        return PlannedLoop({0: _part(Loop.of(scan), target)}, None)
    alone, rows = replace(target, threads=1), sum(blocks.rows)
    return PlannedLoop({n: _part(Loop.of(scan, rows), alone) for n, scan in blocks.scans.items()}, blocks)


def _part(loop: Loop, target: Target | None) -> tuple[Loop, PlannedBlock]:
    _, _, captured = loop.scan.split_inputs(loop.scan.body.inputs)
    return loop, planned(loop.graph(), target, unchanged=captured)


def _chosen(
    work: Schedule, target: Target | None, finite: Sequence[str], unchanged: Sequence[str]
) -> dict[int, Chosen]:
    return {
        at: _choose(work, node, target, finite, unchanged)
        for at, node in enumerate(work.nodes) if node.operation != "scan"
    }  # fmt: skip


def _is_parallel(chosen: Chosen | None) -> bool:
    return chosen is not None and chosen.call.header == "gemm_parallel"


def _is_in_parts(chosen: Chosen) -> bool:
    return chosen.call.header.endswith("_parallel")


def _is_shared(chosen: Chosen) -> bool:
    """Whether threads may share a call: a kernel that asks for them, or one that has enough elements."""
    setting = chosen.setting
    large = setting.output_types[0].size >= SHARED_ELEMENTS
    return setting.threads > 1 and (large or _is_in_parts(chosen))


def _choose(
    work: Schedule, node: Node, target: Target | None, finite: Sequence[str] = (), unchanged: Sequence[str] = ()
) -> Chosen:
    setting = _setting(work, node, target, finite, unchanged)
    return Chosen(call_of(setting), setting)


def _setting(
    work: Schedule, node: Node, target: Target | None, finite: Sequence[str] = (), unchanged: Sequence[str] = ()
) -> Setting:
    types, roots = work.types, [work.roots[x] for x in node.inputs]
    kinds = tuple(types[i] for i in node.inputs), tuple(types[o] for o in node.outputs)
    known = {i: work.graph.constants[root] for i, root in enumerate(roots) if root in work.graph.constants}
    shaped = {i: array.reshape(kinds[0][i].shape) for i, array in known.items()}
    same = frozenset(i for i, root in enumerate(roots) if root in unchanged)
    first = roots[0] if roots else ""
    return Setting(node, *kinds, target, shaped, first in finite, same, first in work.rectified)


def _first_row(largest: int, parts: int, rows: int) -> str:
    """The first row of a part: ``parts`` of the largest come before those of so many rows."""
    return f"{parts * largest} + (part - {parts}) * {rows}" if parts else f"part * {rows}"


def _either(condition: str, blocks: Sequence[list[str]]) -> list[str]:
    """Lines of C: the first block where the condition holds, else the second, if there is one."""
    if len(blocks) == 1:
        return blocks[0]
    first, second = ([f"    {line}" for line in block] for block in blocks)
    return [f"if ({condition}) {{", *first, "} else {", *second, "}"]


class BlockWriter:
    """Writes one planned graph.

    Args:
        names: of the C scope it stands in.
        expressions: C expressions of its inputs, outputs and variables, by value.
        base: the word of the arena its memory begins at.
        part: what stands before such words, where parts of a loop have memory each: "part * 100 + ".
        rows: see :class:`Dimensions`.

    Attributes:
        headers: the kernel headers its calls need, filled while writing.
        before: statements before the loop whose body it is, filled likewise.
    """

    def __init__(
        self, block: PlannedBlock, names: Names, tables: Tables, expressions: dict[str, str], base: int = 0,
        rows: str = "", part: str = "",
    ) -> None:  # fmt: skip
        self._block, self._work, self._memory = block, block.work, block.memory
        self._names, self._tables, self._base, self._part = names, tables, base, part
        self._expressions = dict(expressions)
        self._dimensions, self._rows = Dimensions(self._work, names, rows), rows
        calls = ((chosen.call, chosen.setting) for chosen in block.calls.values())
        self._sharing = Sharing(calls, tables.layers_shared)
        self.headers: set[str] = set()
        self.before: list[str] = []

    def write(self) -> tuple[list[str], list[str]]:
        """Declarations, and statements."""
        for value, variable in self._memory.in_variable.items():
            self._expressions[value] = self._expressions[variable]
        buffers = [self._buffer(value) for value in self._memory.offsets]
        statements = [line for nodes in self._by_round() for line in self._round(nodes)]
        statements += [line for variable, value in self._memory.copied for line in self._copy(value, variable)]
        lengths = ", ".join(f"{name} = {length}" for name, length in self._dimensions.named.items())
        return [*([f"enum {{ {lengths} }};"] if lengths else []), *buffers], statements

    def _buffer(self, value: str) -> str:
        kind, offset = self._work.types[value], self._memory.offsets[value]
        c_name = self._expressions[value] = self._names.take(value)
        c_type = kind.dtype.c_name
        return f"{c_type} *const {c_name} = ({c_type} *)&{self._word(offset)}; /* {shape_text(kind)} */"

    def _word(self, offset: int) -> str:
        """A word of the block's memory."""
        return f"arena->words[{self._part}{self._base + offset}]"

    def _by_round(self) -> list[list[int]]:
        """The nodes of each round, by their places."""
        return [list(places) for _, places in groupby(range(len(self._work.nodes)), self._block.rounds.__getitem__)]

    def _round(self, places: list[int]) -> list[str]:
        calls = [self._statements(at, self._work.nodes[at]) for at in places]
        statements = [line for call in calls for line in call]
        if sum(map(bool, calls)) < 2:
            return statements
        self.headers.add("parallel")
        return ["edgeling_begin_round();", *statements, "edgeling_end_round();"]

    def _statements(self, at: int, node: Node) -> list[str]:
        if at in self._block.loops:
            return self._loop(at, node)
        if at in self._block.followers.values():
            return []
        scratch = self._memory.scratch.get(at)
        place = "" if scratch is None else f"(float *)&{self._word(scratch)}"
        after = self._after(self._block.followers[at]) if at in self._block.followers else "0, 0"
        return self._call(self._block.calls[at], place, after, self._kept(at))

    def _kept(self, at: int) -> str:
        """Where a call keeps what it made before the loop; it lies behind the body's own memory."""
        if at not in self._block.kept:
            return ""
        place = f"(float *)&{self._word(self._memory.words + self._block.kept[at])}"
        chosen = self._block.calls[at]
        if chosen.call.before:
            self.before.append(chosen.call.before(self._site(chosen, kept=place)))
        return place

    def _after(self, at: int) -> str:
        site = self._site(self._block.calls[at])
        return site.parts(site.node.operation, site.function(), site.float("alpha"))

    def _call(self, chosen: Chosen, scratch: str = "", after: str = "0, 0", kept: str = "") -> list[str]:
        call, site = chosen.call, self._site(chosen, scratch, after, kept)
        if not self._rows and self._sharing.covers(call, chosen.setting):
            return [self._sharing.line(call, site, self._tables)]
        lines = call.line(site).split("\n")
        if any("edgeling_activation(" in line for line in lines):  # behind a kernel that has none
            self.headers.add("activation")
        return lines

    def _site(self, chosen: Chosen, scratch: str = "", after: str = "0, 0", kept: str = "") -> Site:
        call, node = chosen.call, chosen.setting.node
        packed = call.pack(chosen.setting)
        known = chosen.setting.constants if packed else {}
        constant = (self._work.roots[node.inputs[i]] in self._work.graph.constants for i in call.parameters)
        held = self._tables.parameters_in_flash and call.may_be_held and not all(constant)
        in_flash = () if held else call.parameters
        x = [self._expression(value, i in in_flash) for i, value in enumerate(node.inputs) if i not in known]
        x += [self._tables.constant(f"{node.output}_{name}", table, True) for name, table in packed.items()]
        y = tuple(map(self._expression, node.outputs))
        self.headers.add(call.header)
        return Site(**vars(chosen.setting), x=tuple(x), y=y, packed=packed, dimensions=self._dimensions,
                    table=self._tables.table, scratch=scratch, task=self._task, after=after, kept=kept,
                    held=held)  # fmt: skip

    def _task(self, statement: str) -> str:
        self.headers.add("parallel")
        return self._tables.task(statement)

    def _copy(self, source: str, copy: str) -> list[str]:
        return self._call(_choose(self._work, Node(COPY, (source,), (copy,)), None))

    def _loop(self, at: int, node: Node) -> list[str]:
        planned_loop, base = self._block.loops[at], self._base + self._memory.scratch[at]
        scan = Scan.of(node.attributes)
        made = [self._expression(o) for o in node.outputs]
        given = [*made[: scan.carried], *map(self._expression, node.inputs[scan.carried :])]
        start = [line for pair in zip(node.inputs, node.outputs[: scan.carried], strict=False)
                 for line in self._start(*pair)]  # fmt: skip
        self.headers.add("slice")
        if planned_loop.together > 1:
            return self._steps_together(planned_loop, given, made, base)
        if planned_loop.blocks is None:
            return [*start, *self._steps(*planned_loop.parts[0], given, made, base, self._part)]
        return [*start, *self._shared_loop(planned_loop, planned_loop.blocks, given, made, base)]

    def _steps(
        self, loop: Loop, body: PlannedBlock, given: Sequence[str], made: Sequence[str], base: int, part: str,
        *, is_one: bool = False,
    ) -> list[str]:  # fmt: skip
        """What is made before the loop, and the loop; or of its steps the one that is a part of work."""
        copied = base + body.memory.words + body.kept_words
        text = LoopText(loop, self._names, given, made, body.work.outputs, copied, part)
        writer = BlockWriter(body, self._names, self._tables, text.expressions, base, part=part)
        declarations, statements = writer.write()
        self.headers |= writer.headers
        lengths = [line for line in declarations if line.startswith("enum")] if writer.before else []
        inside = [*text.declarations, *(line for line in declarations if line not in lengths), *text.before,
                  *statements, *text.after]  # fmt: skip
        if is_one:
            return [text.step_of_part, *lengths, *inside]
        return [*lengths, *writer.before, text.head, *(f"    {line}" for line in inside), "}"]

    def _shared_loop(
        self, planned_loop: PlannedLoop, blocks: Blocks, given: Sequence[str], made: Sequence[str], base: int
    ) -> list[str]:
        """A call of a function that does the loop for a block of rows, and hands each thread blocks."""
        loop = next(iter(planned_loop.parts.values()))[0]
        pointers = RowPointers(loop, blocks.divided, self._names, given, made)
        blocks_of_lines, begin = list[list[str]](), 0
        for rows, (of_rows, body) in planned_loop.parts.items():
            steps = self._steps(of_rows, body, pointers.given, pointers.made, base, f"part * {planned_loop.words} + ")
            first = f"const int first = {_first_row(blocks.rows[0], begin, rows)};"
            blocks_of_lines.append([first, *pointers.declarations, *steps])
            begin = blocks.rows.count(rows)
        lines = _either(f"part < {blocks.rows.count(blocks.rows[0])}", blocks_of_lines)
        return self._handed_out(pointers, lines, len(blocks.rows))

    def _steps_together(
        self, planned_loop: PlannedLoop, given: Sequence[str], made: Sequence[str], base: int
    ) -> list[str]:
        """A call of a function that does a step, and hands each thread steps."""
        loop, body = planned_loop.parts[0]
        pointers = RowPointers(loop, (), self._names, given, made)
        place = "part" if planned_loop.together == loop.scan.length else "thread"
        part = f"{place} * {planned_loop.words} + "
        steps = self._steps(loop, body, pointers.given, pointers.made, base, part, is_one=True)
        return self._handed_out(pointers, [*pointers.declarations, *steps], loop.scan.length)

    def _handed_out(self, pointers: RowPointers, lines: Sequence[str], parts: int) -> list[str]:
        """A call of a function of these lines for each part."""
        self.headers.add("parallel")
        function = self._tables.loop(lines)
        arrays = ", ".join(("(void *)arena", *(f"(void *){pointer}" for pointer in pointers.outer)))
        name = self._names.take("arrays")
        return [f"void *const {name}[] = {{{arrays}}};",
                f"edgeling_in_parts({function}, {name}, (int)sizeof {name}, {parts});"]  # fmt: skip

    def _start(self, initial: str, carried: str) -> list[str]:
        """What is carried into the first step; one number for all elements needs no table."""
        root = self._work.roots[initial]
        array = self._work.graph.constants.get(root)
        if array is None or array.size == 0 or np.any(array != array.flat[0]):
            return self._copy(initial, carried)
        kind = self._work.types[carried]
        number = literal(array.flat[0], kind.dtype)
        return [f"edgeling_fill_{kind.dtype.value}({kind.size}, {number}, {self._expression(carried)});"]

    def _expression(self, value: str, parameter: bool = False) -> str:
        root = self._work.roots[value]
        if root in self._work.graph.constants:
            return self._tables.constant(root, self._work.graph.constants[root], parameter)
        return self._expressions[root]
