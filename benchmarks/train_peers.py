# SPDX-License-Identifier: Apache-2.0
"""Training of six networks for what sensors give, batch 32: an epoch with one thread and with two, beside every peer.

Every contender has a process of its own. Peers that are not installed are skipped; PyTorch has its fused Adam and,
where there are images, channels last.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks import sensor_networks
from benchmarks.comparison import Comparison, Contender, Measure, seconds_per_call
from benchmarks.networks import Array
from benchmarks.own_process import KERAS, contender, keep_to

BATCH, THREADS = 32, (1, 2)
Call = Callable[[], Any]
PEERS = (*KERAS, "PyTorch", "PyTorch, compiled")


def comparisons() -> list[Comparison]:
    """One a network and number of threads: seconds of an epoch."""
    return [_comparison(name, threads) for name in sensor_networks.NETWORKS for threads in THREADS]


def _comparison(name: str, threads: int) -> Comparison:
    begun, network = partial(contender, __name__, threads=threads), sensor_networks.NETWORKS[name]
    peers = tuple(Contender(peer, partial(begun, peer, name), 2) for peer in PEERS)
    ours = Contender("Edgeling", partial(begun, "Edgeling", name))
    title = f"{name}, {threads} thread{'s' * (threads > 1)}"
    work = 6 * network.rows * network.products  # there, and twice as much back
    return Comparison(title, "s", ours, peers, repetitions=7, work=work)


def measured(who: str, name: str, threads: str) -> Measure:
    """In a contender's process: seconds of an epoch."""
    keep_to(int(threads))
    x, y = sensor_networks.rows_of(name)
    if who.startswith("PyTorch"):
        return seconds_per_call(pytorch(name, int(threads), x, y, compiled=who.endswith("compiled")))
    return seconds_per_call(keras(who, name, x, y))


def keras(who: str, name: str, x: Array, y: Array) -> Call:
    """An epoch of Keras's or of Edgeling's."""
    model = sensor_networks.compiled(who, name)
    return lambda: model.fit(x, y, batch_size=BATCH, epochs=1, verbose=0)


def pytorch(name: str, threads: int, x: Array, y: Array, *, compiled: bool) -> Call:
    """An epoch of PyTorch's; compiled: network and loss by ``torch.compile``."""
    import torch

    torch.set_num_threads(threads)
    model, rows = sensor_networks.torch_module(name), torch.from_numpy(x)
    if x.ndim == 4:
        rows = rows.movedim(-1, 1).to(memory_format=torch.channels_last)
        model = model.to(memory_format=torch.channels_last)
    truth = torch.from_numpy(y) if y.ndim > 1 else torch.from_numpy(y).long()
    rule, kind = torch.optim.Adam(model.parameters(), fused=True), "mse_loss" if y.ndim > 1 else "cross_entropy"
    loss_of = getattr(torch.nn.functional, kind)
    score = lambda x, y: loss_of(model(x), y)  # noqa: E731
    score = torch.compile(score, dynamic=False) if compiled else score

    def call() -> None:
        for chosen in torch.randperm(len(rows)).split(BATCH):
            rule.zero_grad(set_to_none=True)
            score(rows[chosen], truth[chosen]).backward()
            rule.step()

    return call
