# SPDX-License-Identifier: Apache-2.0
"""Instructions and flash of both tutorial networks on emulated Cortex-M: Edgeling, hand-written C, TFLite Micro.

Counts are exact and the same on every run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

from benchmarks import naive, networks
from benchmarks.comparison import Comparison, Contender, Measure, Prepare, quoted
from edgeling import targets
from edgeling.toolchain.prove import Proof, prove

NETWORKS = {"8-10-1": networks.diabetes, "4-4-3": networks.iris}
_HAND_WRITTEN = {"8-10-1": 668, "4-4-3": 457}
_TFLITE_MICRO = {"8-10-1": 2019, "4-4-3": 1832}
_FLASH_LIMIT_BYTES = 3072
_ROWS = 64


def comparisons() -> list[Comparison]:
    """Of each network: float32 on Cortex-M4 beside others' C, and int8 beside float32 on Cortex-M0+."""
    made = []
    for name in NETWORKS:
        made += [_instructions(name), _flash(name), *(_int8(name, cost) for cost in ("instructions", "flash_bytes"))]
    return made


def _instructions(name: str) -> Comparison:
    ours = Contender("Edgeling, float32", _cost(partial(edgeling, name, "cortex-m4", "float32"), "instructions"))
    peers = (
        Contender("naive C at -O2", _cost(partial(hand_written, name), "instructions"), 1),
        quoted("naive C at -O2", _HAND_WRITTEN[name], 1),
        quoted("TensorFlow Lite Micro", _TFLITE_MICRO[name], 1),
    )
    return Comparison(f"{name} on cortex-m4, instructions of one inference", "instructions", ours, peers)


def _flash(name: str) -> Comparison:
    ours = Contender("Edgeling, float32", _cost(partial(edgeling, name, "cortex-m4", "float32"), "flash_bytes"))
    peers = (Contender("naive C at -O2", _cost(partial(hand_written, name), "flash_bytes")),)
    return Comparison(f"{name} on cortex-m4, flash", "bytes", ours, peers, limit=_FLASH_LIMIT_BYTES)


def _int8(name: str, cost: str) -> Comparison:
    def side(precision: str) -> Prepare:
        return _cost(partial(edgeling, name, "cortex-m0plus", precision), cost)

    what, unit = ("flash", "bytes") if cost == "flash_bytes" else (cost, cost)
    title = f"{name} on cortex-m0plus, {what}: int8 or float32"
    # Fewer, not as few: a hair above 1 is the least that counts.
    peers = (Contender("Edgeling, float32", side("float32"), 1.001),)
    return Comparison(title, unit, Contender("Edgeling, int8", side("int8")), peers)


@cache
def edgeling(name: str, target: str, precision: str) -> Proof:
    """What ``edgeling.build`` measures."""
    from edgeling.workflow.build import build

    layers = NETWORKS[name]()
    rows = networks.rows_for(layers, _ROWS)
    return build(networks.edgeling_model(layers), target, precision=precision, calibration_data=rows)


@cache
def hand_written(name: str) -> Proof:
    """The naive C, on the same core, with its right answers checked."""
    layers = NETWORKS[name]()
    rows = networks.rows_for(layers, _ROWS)
    target = replace(targets.get("cortex-m4"), compiler_flags=("-O2",))
    return _required(prove(naive.program(layers), target, [rows], [networks.answers(layers, rows)], 1e-5))


def _required(proof: Proof) -> Proof:
    if not proof.matches:
        raise AssertionError(f"the naive C is wrong by {proof.max_error}")
    return proof


def _cost(proof: Callable[[], Proof], name: str) -> Prepare:
    def prepare() -> Measure:
        value = float(getattr(proof(), name))
        return lambda: value

    return prepare
