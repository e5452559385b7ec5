# SPDX-License-Identifier: Apache-2.0
"""Where every value lives: liveness over the straight line, then offsets in one arena, greedy best fit.

Largest first, smallest sufficient gap (Pisarchyk and Lee, "Efficient memory management for deep neural net inference",
2020). A result may take over the memory of an input that dies with the call, where the kernel reads every element
before it writes it. The next contents of a variable are written straight into the variable when nobody reads the old
ones afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from edgeling.codegen.schedule import Schedule
from edgeling.graph.types import DType, TensorType

WORD_BYTES = 4
InPlace = Sequence[tuple[int, ...]]  # by place in the schedule


@dataclass(frozen=True)
class Interval:
    """A value's or a buffer's life: from the round that makes it to the last that reads it, both included."""

    value: str
    words: int
    dtypes: frozenset[DType]
    start: int
    end: int

    def conflicts(self, other: Interval) -> bool:
        """Whether the two may not share memory.

        Floats never share with integers, nor integers of two sizes, alive or not: C's aliasing rules let a compiler
        exchange such accesses. Bytes are free to lie anywhere.
        """
        together = self.start <= other.end and other.start <= self.end
        return together or _are_mixed(self.dtypes | other.dtypes)


@cache
def _are_mixed(dtypes: frozenset[DType]) -> bool:
    return len({(dtype is DType.FLOAT32, dtype.bytes) for dtype in dtypes - {DType.INT8}}) > 1


@dataclass(frozen=True)
class Scratch:
    """Memory that one call needs while it runs, and what it holds there."""

    words: int
    dtypes: frozenset[DType]


@dataclass(frozen=True)
class MemoryPlan:
    """Offsets are in 4-byte words from the arena's start.

    Attributes:
        offsets: of every value that lives in the arena.
        words: the arena's size.
        in_variable: value -> the variable in whose memory it is made.
        copied: (variable, value) pairs to copy when everything has run.
        buffers: the lives of what shares no memory, each a value and those that take its memory over.
        scratch: offset of the scratch of a node, by its place in the schedule.
    """

    offsets: Mapping[str, int]
    words: int
    in_variable: Mapping[str, str]
    copied: tuple[tuple[str, str], ...]
    buffers: tuple[Interval, ...]
    scratch: Mapping[int, int]

    @property
    def least_words(self) -> int:
        """No arena of these buffers can be smaller: the most words alive at one call."""
        moments = {b.start for b in self.buffers}
        return max((sum(b.words for b in self.buffers if b.start <= t <= b.end) for t in moments), default=0)


def words_of(kind: TensorType) -> int:
    """Whole 4-byte words that hold a value."""
    return -(-kind.bytes // WORD_BYTES)


def plan(
    work: Schedule, in_place: InPlace, scratch: Mapping[int, Scratch] | None = None, rounds: Sequence[int] | None = None
) -> MemoryPlan:
    """MemoryPlan the memory of a schedule.

    Args:
        in_place: for each node, the inputs over which its outputs may be written.
        scratch: what nodes need while they run, by their place in the schedule.
        rounds: for each node, its round (``rounds.py``); one by one, if there are none.
    """
    rounds = range(len(work.nodes)) if rounds is None else rounds
    reads = _reads(work)
    in_variable = {
        value: variable
        for variable, value in work.updates.items()
        if _overwrites(work, reads, variable, value, in_place, rounds)
    }  # fmt: skip
    copied = tuple((variable, value) for variable, value in work.updates.items() if value not in in_variable)
    elsewhere = set(in_variable) | set(work.outputs)
    ends = {value: len(work.nodes) for _, value in copied}
    intervals = tuple(
        Interval(output, words_of(work.types[output]), frozenset({work.types[output].dtype}), rounds[at],
                 ends.get(output, rounds[max(reads.get(output, ()), default=at)]))
        for at, node in enumerate(work.nodes) for output in node.outputs if output not in elsewhere
    )  # fmt: skip
    hosts = _hosts(work, reads, {i.value: i for i in intervals}, in_place, rounds)
    shelves = {at: Interval(f"scratch of call {at}", s.words, s.dtypes, rounds[at], rounds[at])
               for at, s in (scratch or {}).items()}  # fmt: skip
    buffers = (*_buffers(intervals, hosts), *shelves.values())
    offsets, words = _place(buffers)
    places = {i.value: offsets[hosts[i.value]] for i in intervals}
    return MemoryPlan(places, words, in_variable, copied, buffers, {at: offsets[s.value] for at, s in shelves.items()})


def _reads(work: Schedule) -> dict[str, list[int]]:
    reads: dict[str, list[int]] = {}
    for at, node in enumerate(work.nodes):
        for value in node.inputs:
            reads.setdefault(work.roots[value], []).append(at)
    return reads


def _overwrites(
    work: Schedule, reads: Mapping[str, list[int]], variable: str, value: str, in_place: InPlace, rounds: Sequence[int]
) -> bool:  # fmt: skip
    """Whether ``value`` may be made in the variable's memory."""
    made = next(at for at, node in enumerate(work.nodes) if value in node.outputs)
    readers = reads.get(variable, [])
    before = all(rounds[at] < rounds[made] for at in readers if at != made)
    return before and (made not in readers or _may_take(work, made, variable, value, in_place))


def _may_take(work: Schedule, at: int, source: str, value: str, in_place: InPlace) -> bool:
    allowed, node = in_place[at], work.nodes[at]
    used = [index for index, name in enumerate(node.inputs) if work.roots[name] == source]
    same = work.types[source].size == work.types[value].size and work.types[source].dtype == work.types[value].dtype
    return same and all(index in allowed for index in used)


def _hosts(
    work: Schedule, reads: Mapping[str, list[int]], lives: Mapping[str, Interval], in_place: InPlace,
    rounds: Sequence[int],
) -> dict[str, str]:  # fmt: skip
    """For each value of the arena, the value at the head of the chain whose memory it takes over."""
    hosts: dict[str, str] = {}
    for at, node in enumerate(work.nodes):
        free = [
            r
            for r in dict.fromkeys(work.roots[i] for i in node.inputs)
            if r in lives
            and lives[r].end == rounds[at]
            and all(rounds[other] < rounds[at] for other in reads[r] if other != at)
        ]
        for output in (o for o in node.outputs if o in lives):
            taken = next((r for r in free if _may_take(work, at, r, output, in_place)), None)
            hosts[output] = hosts[taken] if taken else output
            free = [r for r in free if r != taken]
    return hosts


def _buffers(intervals: tuple[Interval, ...], hosts: Mapping[str, str]) -> list[Interval]:
    buffers: dict[str, Interval] = {}
    for life in intervals:
        head = buffers.get(hosts[life.value])
        merged = life if head is None else replace(head, end=max(head.end, life.end))
        buffers[hosts[life.value]] = merged
    return list(buffers.values())


def _place(buffers: Sequence[Interval]) -> tuple[dict[str, int], int]:
    offsets: dict[str, int] = {}
    placed: list[Interval] = []
    for buffer in sorted(buffers, key=lambda b: (-b.words, b.start)):
        others = sorted((offsets[p.value], p.words) for p in placed if p.conflicts(buffer))
        offsets[buffer.value] = _best_gap(others, buffer.words)
        placed.append(buffer)
    return offsets, max((offsets[b.value] + b.words for b in buffers), default=0)


def _best_gap(others: list[tuple[int, int]], words: int) -> int:
    """The start of the smallest gap that is large enough, or the end."""
    best, best_size, top = -1, 0, 0
    for offset, size in others:
        gap = offset - top
        if gap >= words and (best < 0 or gap < best_size):
            best, best_size = top, gap
        top = max(top, offset + size)
    return best if best >= 0 else top
