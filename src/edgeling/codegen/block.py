# SPDX-License-Identifier: Apache-2.0
"""A straight line of calls as C text, and the loops among them: what stands between the braces.

A graph is planned from the inside out: the body of a ``scan`` is scheduled and given memory first, and asks for what it
needs as scratch of the node it belongs to. Then it is written from the outside in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from edgeling.codegen.calls import call_of
from edgeling.codegen.curves import with_curves
from edgeling.codegen.dimensions import Dimensions
from edgeling.codegen.fusing import with_outputs_in_steps, with_products_in_updates
from edgeling.codegen.layout import Tables
from edgeling.codegen.loops import Loop, LoopText
from edgeling.codegen.memory import MemoryPlan, Scratch, plan
from edgeling.codegen.names import Names
from edgeling.codegen.rounds import followed, rounds
from edgeling.codegen.schedule import COPY, Schedule, schedule
from edgeling.codegen.sharing import Sharing
from edgeling.codegen.site import SHARED_ELEMENTS, Call, Setting, Site
from edgeling.codegen.text import literal, shape_text
from edgeling.graph.types import DType, Graph, Node
from edgeling.targets import Target

_NOBODY: Mapping[int, int] = {}


@dataclass(frozen=True)
class PlannedBlock:
    """A graph in the order it runs, with a place for every value.

    Attributes:
        calls: by the place of a node in the schedule, what is called.
        loops: by the place of a ``scan``, the loop and its planned body.
        rounds: the round of each node, by its place (``rounds.py``).
        followers: by the place of a product, that of the node that is done with it.
    """

    work: Schedule
    memory: MemoryPlan
    calls: Mapping[int, Chosen]
    loops: Mapping[int, tuple[Loop, PlannedBlock]]
    rounds: Sequence[int]
    followers: Mapping[int, int]


@dataclass(frozen=True)
class Chosen:
    """A kernel, and what it was chosen by."""

    call: Call
    setting: Setting


def planned(graph: Graph, target: Target | None, finite: Sequence[str] = ()) -> PlannedBlock:
    """Schedule a legal graph, choose its kernels for a target and plan its memory, bodies first.

    Args:
        finite: values known to hold neither NaN nor infinity.
    """
    work = with_curves(schedule(graph))
    if target is None or not target.has_vectors:  # which make tiles of gradients faster than they are stored
        work = with_outputs_in_steps(with_products_in_updates(work))
    calls, followers = _chosen(work, target, finite), _NOBODY
    if target is not None and target.threads > 1:
        work, followers = followed(work, [_is_parallel(calls.get(at)) for at in range(len(work.nodes))])
        calls = _chosen(work, target, finite)
    loops = {at: Loop.of(node) for at, node in enumerate(work.nodes) if node.operation == "scan"}
    inner = {at: (loop, planned(loop.graph(), target)) for at, loop in loops.items()}
    scratch = {at: _scratch_of_loop(loop, body) for at, (loop, body) in inner.items()}
    for at, chosen in calls.items():
        if floats := chosen.call.scratch_floats(chosen.setting):
            scratch[at] = Scratch(floats, frozenset({DType.FLOAT32}))
    in_place = [calls[at].call.in_place if at in calls else () for at in range(len(work.nodes))]
    shared = [at in calls and _is_shared(calls[at]) for at in range(len(work.nodes))]
    order = rounds(work, shared, tuple(followers.values()))
    return PlannedBlock(work, plan(work, in_place, scratch, order), calls, inner, order, followers)


def _chosen(work: Schedule, target: Target | None, finite: Sequence[str]) -> dict[int, Chosen]:
    return {at: _choose(work, node, target, finite) for at, node in enumerate(work.nodes) if node.operation != "scan"}


def _is_parallel(chosen: Chosen | None) -> bool:
    return chosen is not None and chosen.call.header == "gemm_parallel"


def _is_in_parts(chosen: Chosen) -> bool:
    return chosen.call.header.endswith("_parallel")


def _is_shared(chosen: Chosen) -> bool:
    """Whether threads may share a call: a kernel that asks for them, or one that has enough elements."""
    setting = chosen.setting
    large = setting.output_types[0].size >= SHARED_ELEMENTS
    return setting.threads > 1 and (large or _is_in_parts(chosen))


def _choose(work: Schedule, node: Node, target: Target | None, finite: Sequence[str] = ()) -> Chosen:
    types, roots = work.types, [work.roots[x] for x in node.inputs]
    kinds = tuple(types[i] for i in node.inputs), tuple(types[o] for o in node.outputs)
    known = {i: work.graph.constants[root] for i, root in enumerate(roots) if root in work.graph.constants}
    shaped = {i: array.reshape(kinds[0][i].shape) for i, array in known.items()}
    setting = Setting(node, *kinds, target, shaped, bool(roots) and roots[0] in finite)
    return Chosen(call_of(setting), setting)


def _scratch_of_loop(loop: Loop, body: PlannedBlock) -> Scratch:
    held = frozenset[DType]().union(loop.copied_dtypes, *(buffer.dtypes for buffer in body.memory.buffers))
    return Scratch(body.memory.words + loop.copied_words, held)


class BlockWriter:
    """Writes one planned graph.

    Args:
        names: of the C scope it stands in.
        expressions: C expressions of its inputs, outputs and variables, by value.
        base: the word of the arena its memory begins at.
        rows: see :class:`Dimensions`.

    Attributes:
        headers: the kernel headers its calls need, filled while writing.
    """

    def __init__(
        self, block: PlannedBlock, names: Names, tables: Tables, expressions: dict[str, str], base: int = 0,
        rows: str = "",
    ) -> None:  # fmt: skip
        self._block, self._work, self._memory = block, block.work, block.memory
        self._names, self._tables, self._base = names, tables, base
        self._expressions = dict(expressions)
        self._dimensions, self._rows = Dimensions(self._work, names, rows), rows
        calls = ((chosen.call, chosen.setting) for chosen in block.calls.values())
        self._sharing = Sharing(calls, tables.layers_shared)
        self.headers: set[str] = set()

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
        kind, offset = self._work.types[value], self._base + self._memory.offsets[value]
        c_name = self._expressions[value] = self._names.take(value)
        c_type = kind.dtype.c_name
        return f"{c_type} *const {c_name} = ({c_type} *)&arena->words[{offset}]; /* {shape_text(kind)} */"

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
        place = "" if scratch is None else f"(float *)&arena->words[{self._base + scratch}]"
        after = self._after(self._block.followers[at]) if at in self._block.followers else "0, 0"
        return self._call(self._block.calls[at], place, after)

    def _after(self, at: int) -> str:
        site = self._site(self._block.calls[at])
        return site.parts(site.node.operation, site.function(), site.float("alpha"))

    def _call(self, chosen: Chosen, scratch: str = "", after: str = "0, 0") -> list[str]:
        call, site = chosen.call, self._site(chosen, scratch, after)
        if not self._rows and self._sharing.covers(call, chosen.setting):
            return [self._sharing.line(call, site, self._tables)]
        return call.line(site).split("\n")

    def _site(self, chosen: Chosen, scratch: str = "", after: str = "0, 0") -> Site:
        call, node = chosen.call, chosen.setting.node
        packed = call.pack(chosen.setting)
        known = chosen.setting.constants if packed else {}
        x = [self._expression(value, i in call.parameters) for i, value in enumerate(node.inputs) if i not in known]
        x += [self._tables.constant(f"{node.output}_{name}", table, True) for name, table in packed.items()]
        y = tuple(map(self._expression, node.outputs))
        self.headers.add(call.header)
        return Site(**vars(chosen.setting), x=tuple(x), y=y, packed=packed, dimensions=self._dimensions,
                    table=self._tables.table, scratch=scratch, task=self._task, after=after)  # fmt: skip

    def _task(self, statement: str) -> str:
        self.headers.add("parallel")
        return self._tables.task(statement)

    def _copy(self, source: str, copy: str) -> list[str]:
        return self._call(_choose(self._work, Node(COPY, (source,), (copy,)), None))

    def _loop(self, at: int, node: Node) -> list[str]:
        loop, body = self._block.loops[at]
        base = self._base + self._memory.scratch[at]
        made = [self._expression(o) for o in node.outputs]
        given = [*made[: loop.scan.carried], *map(self._expression, node.inputs[loop.scan.carried :])]
        text = LoopText(loop, self._names, given, made, body.work.outputs, base + body.memory.words)
        writer = BlockWriter(body, self._names, self._tables, text.expressions, base)
        declarations, statements = writer.write()
        self.headers |= writer.headers | {"slice"}
        start = [line for pair in zip(node.inputs, node.outputs[: loop.scan.carried], strict=False)
                 for line in self._start(*pair)]  # fmt: skip
        inside = [*text.declarations, *declarations, *text.before, *statements, *text.after]
        return [*start, text.head, *(f"    {line}" for line in inside), "}"]

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
